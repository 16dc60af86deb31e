//  weft_tap.c - a stage's side channel: shows alerts, never pushes back.

#include "weft_tap.h"

#include "weft_log.h"
#include "weft_time.h"
#include "weft_zmq_alert.h"

#include <sys/stat.h>
#include <unistd.h>

enum { ENDPOINT_MOST = 256, TURN_MOST = 256 };

//  A connection, and a bit for each number of zeros that it asks for.
typedef struct {
    int fd;
    uint32_t asks;
    ino_t inode;
} listener_t;

struct weft_tap {
    const weft_mesh_t *mesh;
    void *socket;
    uint64_t count;  //  of the last alert while they listen
    listener_t listeners[WEFT_TAP_LISTENERS];
    size_t n;
    uint32_t asked;  //  by any of them
    uint64_t mask;   //  shown are numbers with none of it
    weft_log_quota_t refusals;
    char endpoint[ENDPOINT_MOST];
};

static int
lock (const weft_tap_t *self)
{
    const weft_keys_t *keys = weft_mesh_keys (self->mesh);
    int one = 1;
    if (!keys)
        return 0;
    int bad = zmq_setsockopt (self->socket, ZMQ_CURVE_SERVER, &one, sizeof one);
    bad |= zmq_setsockopt (self->socket, ZMQ_CURVE_SECRETKEY,
                           weft_keys_secret (keys), WEFT_KEY_ROOM);
    bad |= zmq_setsockopt (self->socket, ZMQ_ZAP_DOMAIN, "weft", 4);
    return bad ? WEFT_EIO : 0;
}

static int
set_options (const weft_tap_t *self, const char *address)
{
    int most = WEFT_TAP_ALERTS, one = 1, none = 0;
    int bad = weft_mesh_prepare (self->mesh, self->socket, address);
    bad |= zmq_setsockopt (self->socket, ZMQ_SNDHWM, &most, sizeof most);
    bad |= zmq_setsockopt (self->socket, ZMQ_RCVHWM, &none, sizeof none);
    bad |= zmq_setsockopt (self->socket, ZMQ_XPUB_MANUAL, &one, sizeof one);
    return bad ? WEFT_EIO : 0;
}

//  Nobody can connect to "all addresses".
static void
name_host (weft_tap_t *self)
{
    static const char *const all[] = { "tcp://0.0.0.0:", "tcp://[::]:" };
    char host[128] = "localhost";
    for (size_t i = 0; i < WEFT_COUNT (all); i++) {
        if (strncmp (self->endpoint, all[i], strlen (all[i])) != 0)
            continue;
        char port[16];
        snprintf (port, sizeof port, "%s", self->endpoint + strlen (all[i]));
        (void)gethostname (host, sizeof host - 1);
        snprintf (self->endpoint, sizeof self->endpoint, "tcp://%s:%s", host,
                  port);
    }
}

static int
bind_to (weft_tap_t *self, const char *address)
{
    char endpoint[ENDPOINT_MOST];
    size_t size = sizeof self->endpoint;
    snprintf (endpoint, sizeof endpoint, "tcp://%s", address);
    if (zmq_bind (self->socket, endpoint) ||
        zmq_getsockopt (self->socket, ZMQ_LAST_ENDPOINT, self->endpoint, &size))
        return WEFT_EIO;
    name_host (self);
    return 0;
}

weft_tap_t *
weft_tap_new (const weft_mesh_t *mesh,
              const char *address,
              char *why,
              size_t room)
{
    weft_tap_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->mesh = mesh;
    self->socket = zmq_socket (weft_mesh_context (mesh), ZMQ_XPUB);
    if (self->socket && !set_options (self, address) && !lock (self) &&
        !bind_to (self, address))
        return self;
    snprintf (why, room, "a tap cannot listen on %s: %s", address,
              zmq_strerror (zmq_errno ()));
    weft_tap_destroy (&self);
    return NULL;
}

void
weft_tap_destroy (weft_tap_t **self_p)
{
    weft_tap_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    if (self->socket)
        zmq_close (self->socket);
    free (self);
}

const char *
weft_tap_endpoint (const weft_tap_t *self)
{
    return self->endpoint;
}

//  A topic is zeros only; how many, or -1.
static int
zeros_of (const uint8_t *topic, size_t size)
{
    if (size > WEFT_TAP_BITS)
        return -1;
    for (size_t i = 0; i < size; i++)
        if (topic[i] != '0')
            return -1;
    return (int)size;
}

static bool
may_listen (weft_tap_t *self, zmq_msg_t *message)
{
    const weft_keys_t *keys = weft_mesh_keys (self->mesh);
    if (!keys)
        return true;
    const char *key = zmq_msg_gets (message, "User-Id");
    const char *address = zmq_msg_gets (message, "Peer-Address");
    if (weft_keys_may (keys, key, WEFT_TAP_STAGE, strlen (WEFT_TAP_STAGE)))
        return true;
    if (!weft_log_may (&self->refusals, "LINK-PEERS-REFUSED", weft_time_ms ()))
        return false;
    weft_log (WEFT_WARN, "LINK-PEER-REFUSED",
              "tap from %s, key %s of stage %s: listening needs the stage "
              "\"" WEFT_TAP_STAGE "\" or \"*\"",
              address ? address : "?", key ? key : "-",
              weft_keys_stage (keys, key));
    return false;
}

//  The connection that a subscription came over: its socket, and the inode of
//  that, as numbers of sockets are used again.
static listener_t
sender_of (zmq_msg_t *message)
{
    listener_t sender = { .fd = zmq_msg_get (message, ZMQ_SRCFD) };
    struct stat status;
    if (sender.fd >= 0 && !fstat (sender.fd, &status))
        sender.inode = status.st_ino;
    return sender;
}

static listener_t *
find (weft_tap_t *self, const listener_t *sender)
{
    for (size_t i = 0; i < self->n; i++)
        if (self->listeners[i].fd == sender->fd &&
            self->listeners[i].inode == sender->inode)
            return &self->listeners[i];
    return NULL;
}

//  Whoever asks for the same twice listens once.
static void
subscribe (weft_tap_t *self, zmq_msg_t *message, int zeros)
{
    listener_t sender = sender_of (message);
    listener_t *listener = find (self, &sender);
    if (!listener && self->n == WEFT_TAP_LISTENERS)
        return;
    if (!may_listen (self, message) ||
        zmq_setsockopt (self->socket, ZMQ_SUBSCRIBE,
                        (uint8_t *)zmq_msg_data (message) + 1, (size_t)zeros))
        return;
    if (!listener) {
        listener = &self->listeners[self->n++];
        *listener = sender;
    }
    listener->asks |= 1u << zeros;
}

//  What libzmq tells in the name of a connection that has gone has no sender:
//  that is found out by look_who_is_there.
static void
unsubscribe (weft_tap_t *self, zmq_msg_t *message, int zeros)
{
    listener_t sender = sender_of (message);
    listener_t *listener = find (self, &sender);
    if (!listener)
        return;
    listener->asks &= ~(1u << zeros);
    (void)zmq_setsockopt (self->socket, ZMQ_UNSUBSCRIBE,
                          (uint8_t *)zmq_msg_data (message) + 1, (size_t)zeros);
}

static void
take_in (weft_tap_t *self, zmq_msg_t *message)
{
    const uint8_t *bytes = zmq_msg_data (message);
    size_t size = zmq_msg_size (message);
    int zeros = size > 0 ? zeros_of (bytes + 1, size - 1) : -1;
    if (zeros < 0)
        return;
    if (bytes[0])
        subscribe (self, message, zeros);
    else
        unsubscribe (self, message, zeros);
}

//  Libzmq does not say whose connection has ended, and a count would drift.
static void
look_who_is_there (weft_tap_t *self)
{
    size_t n = 0;
    self->asked = 0;
    for (size_t i = 0; i < self->n; i++) {
        listener_t listener = self->listeners[i];
        struct stat status;
        if (!listener.asks || fstat (listener.fd, &status) ||
            status.st_ino != listener.inode)
            continue;
        self->asked |= listener.asks;
        self->listeners[n++] = listener;
    }
    self->n = n;
}

size_t
weft_tap_turn (weft_tap_t *self)
{
    zmq_msg_t message;
    bool more;
    zmq_msg_init (&message);
    for (int i = 0; i < TURN_MOST; i++) {
        if (weft_zmq_recv_part (self->socket, &message, &more))
            break;
        take_in (self, &message);
    }
    zmq_msg_close (&message);
    look_who_is_there (self);
    int least = self->asked ? __builtin_ctz (self->asked) : WEFT_TAP_BITS;
    self->mask = (UINT64_C (1) << least) - 1;
    return self->n;
}

void
weft_tap_offer (weft_tap_t *self, const weft_alert_t *alert)
{
    uint8_t head[WEFT_TAP_HEAD];
    if (self->n == 0 || (++self->count & self->mask) != 0)
        return;
    for (int i = 0; i < WEFT_TAP_BITS; i++)
        head[i] = self->count >> i & 1 ? '1' : '0';
    weft_put_u64 (head + WEFT_TAP_BITS, self->count);
    //  A publisher's send fails for want of memory only; then it is not shown.
    (void)!weft_zmq_send (self->socket, head, sizeof head, alert);
}
