//  weft_router.c - the socket of an upstream end.

#include "weft_router.h"

#include "weft_zmq_alert.h"

#include <errno.h>
#include <time.h>

enum {
    ID_SIZE = 5,
    ENDPOINT_MOST = 256,
    LINGER_MS = 100,  //  for what a renewed socket still has to send
    BIND_TRIES = 10,
    BIND_PAUSE_NS = 2000000,
};

//  Frames of one worker that may wait for us. Beats and runs of settlements of
//  a long absence are far fewer; who sends more is read no more.
enum { RECEIVE_MOST = 1 << 16 };

struct weft_router {
    const weft_mesh_t *mesh;
    void *socket;
    zmq_msg_t part;  //  the last first frame
    char endpoint[ENDPOINT_MOST];
    bool unbound;  //  a renewed socket whose place is not free yet
};

static int
set_options (const weft_mesh_t *mesh, void *socket, const char *address)
{
    int one = 1, none = 0, most = RECEIVE_MOST;
    int bad = weft_mesh_prepare (mesh, socket, address);
    bad |= zmq_setsockopt (socket, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    //  The window is the flow control, so no message may be refused by a mark.
    bad |= zmq_setsockopt (socket, ZMQ_SNDHWM, &none, sizeof none);
    bad |= zmq_setsockopt (socket, ZMQ_RCVHWM, &most, sizeof most);
    bad |= zmq_setsockopt (socket, ZMQ_ROUTER_HANDOVER, &none, sizeof none);
    return bad ? WEFT_EIO : 0;
}

//  The gate asks for the key of everybody who comes; see weft_gate.h.
static int
lock (const weft_mesh_t *mesh, void *socket)
{
    int one = 1;
    const weft_keys_t *keys = weft_mesh_keys (mesh);
    if (!keys)
        return 0;
    int bad = zmq_setsockopt (socket, ZMQ_CURVE_SERVER, &one, sizeof one);
    bad |= zmq_setsockopt (socket, ZMQ_CURVE_SECRETKEY, weft_keys_secret (keys),
                           WEFT_KEY_ROOM);
    bad |= zmq_setsockopt (socket, ZMQ_ZAP_DOMAIN, "weft", 4);
    return bad ? WEFT_EIO : weft_gate_watch (weft_mesh_gate (mesh), socket);
}

static void *
make_socket (const weft_mesh_t *mesh, const char *address)
{
    void *socket = zmq_socket (weft_mesh_context (mesh), ZMQ_ROUTER);
    if (!socket)
        return NULL;
    if (!set_options (mesh, socket, address) && !lock (mesh, socket))
        return socket;
    int error = errno;
    zmq_close (socket);
    errno = error;
    return NULL;
}

static int
bind_to (weft_router_t *self, const char *address)
{
    char endpoint[ENDPOINT_MOST];
    snprintf (endpoint, sizeof endpoint, "tcp://%s", address);
    if (zmq_bind (self->socket, endpoint))
        return WEFT_EIO;
    size_t size = sizeof self->endpoint;
    return zmq_getsockopt (self->socket, ZMQ_LAST_ENDPOINT, self->endpoint,
                           &size)
               ? WEFT_EIO
               : 0;
}

weft_router_t *
weft_router_new (const weft_mesh_t *mesh,
                 const char *address,
                 char *why,
                 size_t room)
{
    weft_router_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->mesh = mesh;
    zmq_msg_init (&self->part);
    self->socket = make_socket (mesh, address);
    if (self->socket && !bind_to (self, address))
        return self;
    snprintf (why, room, "cannot listen on %s: %s", address,
              zmq_strerror (zmq_errno ()));
    weft_router_destroy (&self);
    return NULL;
}

int
weft_router_renew (weft_router_t *self)
{
    const char *address = self->endpoint + strlen ("tcp://");
    int linger = LINGER_MS;
    if (!self->unbound) {
        void *socket = make_socket (self->mesh, address);
        if (!socket)
            return WEFT_EAGAIN;
        (void)zmq_unbind (self->socket, self->endpoint);
        (void)zmq_setsockopt (self->socket, ZMQ_LINGER, &linger, sizeof linger);
        zmq_close (self->socket);
        self->socket = socket;
        self->unbound = true;
    }
    //  The listener of the old one is closed by another thread, in a moment.
    for (int i = 0; i < BIND_TRIES && self->unbound; i++) {
        self->unbound = zmq_bind (self->socket, self->endpoint) != 0;
        if (self->unbound)
            nanosleep (&(struct timespec){ .tv_nsec = BIND_PAUSE_NS }, NULL);
    }
    return self->unbound ? WEFT_EAGAIN : 0;
}

void
weft_router_destroy (weft_router_t **self_p)
{
    weft_router_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    zmq_msg_close (&self->part);
    if (self->socket)
        zmq_close (self->socket);
    free (self);
}

const char *
weft_router_endpoint (const weft_router_t *self)
{
    return self->endpoint;
}

void *
weft_router_socket (const weft_router_t *self)
{
    return self->socket;
}

const char *
weft_router_key (weft_router_t *self)
{
    return zmq_msg_gets (&self->part, "User-Id");
}

const char *
weft_router_address (weft_router_t *self)
{
    return zmq_msg_gets (&self->part, "Peer-Address");
}

static void
read_rest (weft_router_t *self, bool more)
{
    zmq_msg_t rest;
    zmq_msg_init (&rest);
    while (more && !weft_zmq_recv_part (self->socket, &rest, &more)) {
    }
    zmq_msg_close (&rest);
}

//  The number of a routing id that libzmq made; 0 for any other, which only a
//  peer that sets its own can have.
static uint64_t
peer_of (zmq_msg_t *id)
{
    const uint8_t *bytes = zmq_msg_data (id);
    if (zmq_msg_size (id) != ID_SIZE || bytes[0] != 0)
        return 0;
    return weft_get_u32 (bytes + 1);
}

int
weft_router_recv (weft_router_t *self,
                  uint64_t *peer,
                  const void **data,
                  size_t *size)
{
    for (;;) {
        bool more = false;
        if (weft_zmq_recv_part (self->socket, &self->part, &more))
            return WEFT_EAGAIN;
        *peer = peer_of (&self->part);
        if (!more || weft_zmq_recv_part (self->socket, &self->part, &more))
            continue;
        read_rest (self, more);
        if (*peer == 0)
            continue;
        *data = zmq_msg_data (&self->part);
        *size = zmq_msg_size (&self->part);
        return 0;
    }
}

int
weft_router_send (weft_router_t *self,
                  uint64_t peer,
                  const void *header,
                  size_t size,
                  const weft_alert_t *alert)
{
    uint8_t id[ID_SIZE] = { 0 };
    weft_put_u32 (id + 1, (uint32_t)peer);
    int rc = weft_zmq_send_part (self->socket, id, sizeof id);
    return rc ? rc : weft_zmq_send (self->socket, header, size, alert);
}
