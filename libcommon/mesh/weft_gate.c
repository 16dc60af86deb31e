//  weft_gate.c - the thread behind the gate.

#include <zmq.h>

#include "weft_gate.h"

#include "weft_log.h"
#include "weft_time.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

//  A refused peer ends in three events, which come in this order: ACCEPTED with
//  the descriptor, HANDSHAKE_FAILED, DISCONNECTED with the descriptor again.
enum {
    EVENTS = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_DISCONNECTED |
             ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
             ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
             ZMQ_EVENT_HANDSHAKE_FAILED_AUTH,
    PEERS_MOST = 1024,
    ADDRESS_ROOM = 64,
    KEY_BYTES = 32,
    ZAP_PARTS = 7,
    ZAP_PART_MOST = 256,
};

struct weft_gate {
    void *context;
    void *bell;  //  the loop's end: rung when one of the next three is new
    _Atomic (weft_keys_t *) fresh_keys;  //  the thread takes it
    _Atomic (void *) fresh_monitor;      //  a connected socket; the same
    atomic_bool stop;
    unsigned watched;
    pthread_t thread;
    bool started;
    atomic_ullong refused[WEFT_REFUSED_REASONS];
    //  From here on the thread's.
    void *inbox;
    void *zap;
    void *monitor;
    weft_keys_t *keys;
    bool failed;  //  a handshake has; DISCONNECTED will say whose
    weft_refused_t failure;
    weft_log_quota_t quota;
    char peers[PEERS_MOST][ADDRESS_ROOM];  //  by descriptor
};

const char *
weft_gate_reason (weft_refused_t reason)
{
    static const char *const names[] = { "key", "plaintext", "handshake" };
    return names[reason];
}

static void
refuse (weft_gate_t *self,
        weft_refused_t reason,
        const char *key,
        const char *address)
{
    static const char *const texts[] = {
        "a key that the allow-list does not have",
        "it does not speak CURVE",
        "its handshake failed: broken off, or not for our key",
    };
    atomic_fetch_add (&self->refused[reason], 1);
    if (weft_log_may (&self->quota, "LINK-PEERS-REFUSED", weft_time_ms ()))
        weft_log (WEFT_WARN, "LINK-PEER-REFUSED", "%s from %s, key %s: %s",
                  weft_gate_reason (reason), address, key, texts[reason]);
}

//  One request as libzmq sends it; a part that is too long is cut and then
//  wrong. False: there is none, or it is none.
static bool
read_request (void *zap,
              char parts[ZAP_PARTS][ZAP_PART_MOST],
              size_t sizes[ZAP_PARTS])
{
    int more = 1;
    size_t n = 0, size = sizeof more;
    for (; more; n++) {
        char rest[ZAP_PART_MOST];
        char *part = n < ZAP_PARTS ? parts[n] : rest;
        int got = zmq_recv (zap, part, ZAP_PART_MOST - 1, ZMQ_DONTWAIT);
        if (got < 0)
            return false;
        part[WEFT_MIN (got, ZAP_PART_MOST - 1)] = '\0';
        if (n < ZAP_PARTS)
            sizes[n] = (size_t)got;
        if (zmq_getsockopt (zap, ZMQ_RCVMORE, &more, &size))
            return false;
    }
    return n == ZAP_PARTS;
}

static void
answer (void *zap, const char *id, size_t size, const char *user)
{
    const struct {
        const char *data;
        size_t size;
    } parts[] = {
        { "1.0", 3 },
        { id, size },
        { user ? "200" : "400", 3 },
        { user ? "OK" : "unknown key", user ? 2 : 11 },
        { user ? user : "", user ? strlen (user) : 0 },
        { "", 0 },
    };
    for (size_t i = 0; i < WEFT_COUNT (parts); i++) {
        int more = i + 1 < WEFT_COUNT (parts) ? ZMQ_SNDMORE : 0;
        if (zmq_send (zap, parts[i].data, parts[i].size, more) < 0)
            return;
    }
}

//  The user id of a connection is its key, so that the loop can ask which
//  stages it may be.
static void
answer_zap (weft_gate_t *self)
{
    char parts[ZAP_PARTS][ZAP_PART_MOST];
    size_t sizes[ZAP_PARTS];
    char key[WEFT_KEY_ROOM] = "-";
    if (!read_request (self->zap, parts, sizes)) {
        //  Libzmq alone asks here; it waits for an answer all the same.
        answer (self->zap, "", 0, NULL);
        return;
    }
    bool curve = strcmp (parts[5], "CURVE") == 0 && sizes[6] == KEY_BYTES;
    if (curve)
        zmq_z85_encode (key, (const uint8_t *)parts[6], KEY_BYTES);
    bool known = curve && weft_keys_know (self->keys, key);
    answer (self->zap, parts[1], WEFT_MIN (sizes[1], ZAP_PART_MOST - 1),
            known ? key : NULL);
    if (!known)
        refuse (self, WEFT_REFUSED_KEY, key, parts[3]);
}

static void
note_peer (weft_gate_t *self, uint32_t fd)
{
    struct sockaddr_storage peer = { 0 };
    socklen_t size = sizeof peer;
    char host[INET6_ADDRSTRLEN] = "?";
    uint16_t port = 0;
    if (fd >= PEERS_MOST)
        return;
    //  It may be gone by now: then nobody can say where it was.
    if (getpeername ((int)fd, (struct sockaddr *)&peer, &size))
        peer.ss_family = AF_UNSPEC;
    if (peer.ss_family == AF_INET) {
        struct sockaddr_in four;
        memcpy (&four, &peer, sizeof four);
        inet_ntop (AF_INET, &four.sin_addr, host, sizeof host);
        port = ntohs (four.sin_port);
    } else if (peer.ss_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy (&six, &peer, sizeof six);
        inet_ntop (AF_INET6, &six.sin6_addr, host, sizeof host);
        port = ntohs (six.sin6_port);
    }
    snprintf (self->peers[fd], ADDRESS_ROOM, "%s:%u", host, port);
}

static void
take_event (weft_gate_t *self, unsigned event, uint32_t value)
{
    if (event == ZMQ_EVENT_ACCEPTED) {
        note_peer (self, value);
    } else if (event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL ||
               event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) {
        bool plain = event == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL &&
                     value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH;
        self->failure = plain ? WEFT_REFUSED_PLAINTEXT : WEFT_REFUSED_HANDSHAKE;
        self->failed = true;
    } else if (event == ZMQ_EVENT_DISCONNECTED) {
        if (self->failed)
            refuse (self, self->failure, "-",
                    value < PEERS_MOST ? self->peers[value] : "?");
        self->failed = false;
    }
}

static void
close_monitor (weft_gate_t *self)
{
    if (self->monitor)
        zmq_close (self->monitor);
    self->monitor = NULL;
}

//  An event is 2 and 4 bytes in the machine's own order, and an endpoint.
static void
read_monitor (weft_gate_t *self)
{
    uint8_t event[8];
    char endpoint[256];
    uint16_t id;
    uint32_t value;
    if (zmq_recv (self->monitor, event, sizeof event, ZMQ_DONTWAIT) != 6 ||
        zmq_recv (self->monitor, endpoint, sizeof endpoint, ZMQ_DONTWAIT) < 0)
        return;
    memcpy (&id, event, sizeof id);
    memcpy (&value, event + 2, sizeof value);
    if (id == ZMQ_EVENT_MONITOR_STOPPED)
        close_monitor (self);
    else
        take_event (self, id, value);
}

static void
take_orders (weft_gate_t *self)
{
    char ring;
    (void)zmq_recv (self->inbox, &ring, sizeof ring, ZMQ_DONTWAIT);
    weft_keys_t *keys = atomic_exchange (&self->fresh_keys, NULL);
    if (keys) {
        weft_keys_unref (&self->keys);
        self->keys = keys;
    }
    void *monitor = atomic_exchange (&self->fresh_monitor, NULL);
    if (monitor) {
        close_monitor (self);
        self->monitor = monitor;
    }
}

static void *
run (void *arg)
{
    weft_gate_t *self = arg;
    while (!atomic_load (&self->stop)) {
        zmq_pollitem_t items[] = {
            { .socket = self->inbox, .events = ZMQ_POLLIN },
            { .socket = self->zap, .events = ZMQ_POLLIN },
            { .socket = self->monitor, .events = ZMQ_POLLIN },
        };
        (void)zmq_poll (items, self->monitor ? 3 : 2, -1);
        if (self->monitor && items[2].revents)
            read_monitor (self);
        if (items[1].revents)
            answer_zap (self);
        if (items[0].revents)
            take_orders (self);
    }
    return NULL;
}

static void *
make_socket (void *context, int type)
{
    const int none = 0;
    void *socket = zmq_socket (context, type);
    if (!socket)
        return NULL;
    (void)zmq_setsockopt (socket, ZMQ_LINGER, &none, sizeof none);
    (void)zmq_setsockopt (socket, ZMQ_SNDHWM, &none, sizeof none);
    (void)zmq_setsockopt (socket, ZMQ_RCVHWM, &none, sizeof none);
    return socket;
}

static int
open_sockets (weft_gate_t *self)
{
    char name[64];
    snprintf (name, sizeof name, "inproc://weft-gate-%p", (void *)self);
    self->bell = make_socket (self->context, ZMQ_PAIR);
    self->inbox = make_socket (self->context, ZMQ_PAIR);
    self->zap = make_socket (self->context, ZMQ_REP);
    if (!self->bell || !self->inbox || !self->zap ||
        zmq_bind (self->inbox, name) || zmq_connect (self->bell, name) ||
        zmq_bind (self->zap, "inproc://zeromq.zap.01"))
        return WEFT_EIO;
    return 0;
}

weft_gate_t *
weft_gate_new (void *context, weft_keys_t *keys)
{
    weft_gate_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->context = context;
    self->keys = weft_keys_ref (keys);
    if (!open_sockets (self))
        self->started = !pthread_create (&self->thread, NULL, run, self);
    if (!self->started)
        weft_gate_destroy (&self);
    return self;
}

static void
ring (weft_gate_t *self)
{
    if (zmq_send (self->bell, "", 1, ZMQ_DONTWAIT) != 1)
        weft_log (WEFT_ERROR, "LINK-GATE-FAILED", "cannot wake the gate");
}

void
weft_gate_destroy (weft_gate_t **self_p)
{
    weft_gate_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    if (self->started) {
        atomic_store (&self->stop, true);
        ring (self);
        pthread_join (self->thread, NULL);
        take_orders (self);
        close_monitor (self);
    }
    void *const sockets[] = { self->bell, self->inbox, self->zap };
    for (size_t i = 0; i < WEFT_COUNT (sockets); i++)
        if (sockets[i])
            zmq_close (sockets[i]);
    weft_keys_unref (&self->keys);
    free (self);
}

void
weft_gate_renew (weft_gate_t *self, weft_keys_t *keys)
{
    weft_keys_t *old =
        atomic_exchange (&self->fresh_keys, weft_keys_ref (keys));
    weft_keys_unref (&old);
    ring (self);
}

int
weft_gate_watch (weft_gate_t *self, void *socket)
{
    char name[64];
    snprintf (name, sizeof name, "inproc://weft-watch-%p-%u", (void *)self,
              self->watched++);
    //  Libzmq writes events by its I/O thread and waits where nobody reads
    //  them: so there is a reader before there can be an event, with no mark.
    void *monitor = make_socket (self->context, ZMQ_PAIR);
    if (!monitor || zmq_socket_monitor (socket, name, EVENTS) ||
        zmq_connect (monitor, name)) {
        (void)zmq_socket_monitor (socket, NULL, 0);
        if (monitor)
            zmq_close (monitor);
        return WEFT_EIO;
    }
    void *old = atomic_exchange (&self->fresh_monitor, monitor);
    if (old)
        zmq_close (old);
    ring (self);
    return 0;
}

uint64_t
weft_gate_refused (const weft_gate_t *self, weft_refused_t reason)
{
    return atomic_load (&self->refused[reason]);
}
