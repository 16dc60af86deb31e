//  weft_dealer.c - the socket of a worker's link.

#include "weft_dealer.h"

#include "weft_zmq_alert.h"

#include <stdatomic.h>

//  Frames that may wait for an upstream. It reads all the time; more than this
//  means that it is paused, and then the window is full anyway.
//  What may arrive is bounded by the window that we gave; an upstream that does
//  not care for it is read no more at twice the largest one there is.
enum { SEND_MOST = 8192, RECEIVE_MOST = 1 << 17 };

struct weft_dealer {
    void *socket;
    void *monitor;   //  of handshakes; NULL: plaintext
    zmq_msg_t part;  //  the last first frame
    int parts_rc;    //  what was wrong with those behind it
};

static int
set_options (const weft_mesh_t *mesh, void *socket, const char *address)
{
    int one = 1, most = SEND_MOST, received = RECEIVE_MOST;
    int bad = weft_mesh_prepare (mesh, socket, address);
    bad |= zmq_setsockopt (socket, ZMQ_IMMEDIATE, &one, sizeof one);
    bad |= zmq_setsockopt (socket, ZMQ_SNDHWM, &most, sizeof most);
    bad |= zmq_setsockopt (socket, ZMQ_RCVHWM, &received, sizeof received);
    return bad ? WEFT_EIO : 0;
}

static int
watch (weft_dealer_t *self, const weft_mesh_t *mesh)
{
    char name[64];
    const int none = 0;
    const int events = ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                       ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                       ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;
    //  Never the same: libzmq frees a name some time after its socket.
    static atomic_uint made;
    snprintf (name, sizeof name, "inproc://weft-dealer-%p-%u",
              weft_mesh_context (mesh), atomic_fetch_add (&made, 1));
    self->monitor = zmq_socket (weft_mesh_context (mesh), ZMQ_PAIR);
    //  No mark: libzmq's own thread would wait for us.
    if (!self->monitor ||
        zmq_setsockopt (self->monitor, ZMQ_RCVHWM, &none, sizeof none) ||
        zmq_setsockopt (self->monitor, ZMQ_LINGER, &none, sizeof none) ||
        zmq_socket_monitor (self->socket, name, events) ||
        zmq_connect (self->monitor, name))
        return WEFT_EIO;
    return 0;
}

static int
lock (weft_dealer_t *self, const weft_mesh_t *mesh, const char *server_key)
{
    const weft_keys_t *keys = weft_mesh_keys (mesh);
    if (!keys && !server_key)
        return 0;
    if (!keys || !server_key)
        return WEFT_EIO;
    const struct {
        int option;
        const char *key;
    } options[] = {
        { ZMQ_CURVE_SERVERKEY, server_key },
        { ZMQ_CURVE_PUBLICKEY, weft_keys_public (keys) },
        { ZMQ_CURVE_SECRETKEY, weft_keys_secret (keys) },
    };
    int bad = 0;
    for (size_t i = 0; i < WEFT_COUNT (options); i++)
        bad |= zmq_setsockopt (self->socket, options[i].option, options[i].key,
                               WEFT_KEY_ROOM);
    return bad ? WEFT_EIO : watch (self, mesh);
}

weft_dealer_t *
weft_dealer_new (const weft_mesh_t *mesh,
                 const char *endpoint,
                 const char *server_key)
{
    weft_dealer_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    zmq_msg_init (&self->part);
    self->socket = zmq_socket (weft_mesh_context (mesh), ZMQ_DEALER);
    if (!self->socket || set_options (mesh, self->socket, endpoint) ||
        lock (self, mesh, server_key) || zmq_connect (self->socket, endpoint))
        weft_dealer_destroy (&self);
    return self;
}

//  The monitor ends before its reader does: an event that nobody can take would
//  stop libzmq's thread.
void
weft_dealer_destroy (weft_dealer_t **self_p)
{
    weft_dealer_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    zmq_msg_close (&self->part);
    if (self->monitor)
        (void)zmq_socket_monitor (self->socket, NULL, 0);
    if (self->socket)
        zmq_close (self->socket);
    if (self->monitor)
        zmq_close (self->monitor);
    free (self);
}

weft_handshake_t
weft_dealer_handshake (weft_dealer_t *self)
{
    weft_handshake_t last = WEFT_HANDSHAKE_FINE;
    uint8_t event[8];
    char endpoint[256];
    while (self->monitor &&
           zmq_recv (self->monitor, event, sizeof event, ZMQ_DONTWAIT) == 6) {
        uint16_t id;
        memcpy (&id, event, sizeof id);
        (void)zmq_recv (self->monitor, endpoint, sizeof endpoint, ZMQ_DONTWAIT);
        last = id == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH ? WEFT_HANDSHAKE_REFUSED
                                                     : WEFT_HANDSHAKE_FAILED;
    }
    return last;
}

void *
weft_dealer_socket (const weft_dealer_t *self)
{
    return self->socket;
}

int
weft_dealer_recv (weft_dealer_t *self,
                  const void **data,
                  size_t *size,
                  weft_alert_t **alert)
{
    bool more = false;
    *alert = NULL;
    if (weft_zmq_recv_part (self->socket, &self->part, &more))
        return WEFT_EAGAIN;
    *alert = weft_zmq_recv_alert (self->socket, more, &self->parts_rc);
    *data = zmq_msg_data (&self->part);
    *size = zmq_msg_size (&self->part);
    return 0;
}

int
weft_dealer_parts (const weft_dealer_t *self)
{
    return self->parts_rc;
}

int
weft_dealer_send (weft_dealer_t *self, const void *header, size_t size)
{
    return weft_zmq_send (self->socket, header, size, NULL) ? WEFT_EAGAIN : 0;
}
