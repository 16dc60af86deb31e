//  weft_mesh.c - the ZeroMQ context of a process, and waiting for its sockets.

#include <zmq.h>

#include "weft_mesh.h"

#include "weft_log.h"

enum {
    LARGEST = 64 << 20,
    SOCKETS_MOST = 1024,
    HEARTBEAT_IVL_MS = 500,
    HEARTBEAT_TIMEOUT_MS = 1500,
    HANDSHAKE_MS = 5000,
    RECONNECT_MS = 50,
    RECONNECT_MOST_MS = 1000,
};

struct weft_mesh {
    void *context;
    uint32_t largest;
    weft_keys_t *keys;
    weft_gate_t *gate;
};

weft_mesh_t *
weft_mesh_new (const weft_mesh_config_t *config)
{
    weft_mesh_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->largest = config->largest ? config->largest : LARGEST;
    self->context = zmq_ctx_new ();
    if (!self->context) {
        free (self);
        return NULL;
    }
    zmq_ctx_set (self->context, ZMQ_MAX_SOCKETS, SOCKETS_MOST);
    zmq_ctx_set (self->context, ZMQ_IO_THREADS,
                 config->io_threads ? config->io_threads : 1);
    if (config->keys) {
        self->keys = weft_keys_ref (config->keys);
        self->gate = weft_gate_new (self->context, self->keys);
        if (!self->gate)
            weft_mesh_destroy (&self);
    }
    return self;
}

void
weft_mesh_destroy (weft_mesh_t **self_p)
{
    weft_mesh_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    weft_gate_destroy (&self->gate);
    weft_keys_unref (&self->keys);
    zmq_ctx_term (self->context);
    free (self);
}

void *
weft_mesh_context (const weft_mesh_t *self)
{
    return self->context;
}

uint32_t
weft_mesh_largest (const weft_mesh_t *self)
{
    return self->largest;
}

weft_keys_t *
weft_mesh_keys (const weft_mesh_t *self)
{
    return self->keys;
}

weft_gate_t *
weft_mesh_gate (const weft_mesh_t *self)
{
    return self->gate;
}

void
weft_mesh_renew_keys (weft_mesh_t *self, weft_keys_t *keys)
{
    if (!self->gate)
        return;
    weft_keys_unref (&self->keys);
    self->keys = weft_keys_ref (keys);
    weft_gate_renew (self->gate, keys);
}

int
weft_mesh_prepare (const weft_mesh_t *self, void *socket, const char *address)
{
    const struct {
        int option;
        int value;
    } options[] = {
        { ZMQ_LINGER, 0 },
        { ZMQ_HEARTBEAT_IVL, HEARTBEAT_IVL_MS },
        { ZMQ_HEARTBEAT_TIMEOUT, HEARTBEAT_TIMEOUT_MS },
        { ZMQ_HEARTBEAT_TTL, HEARTBEAT_TIMEOUT_MS },
        { ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS },
        { ZMQ_RECONNECT_IVL, RECONNECT_MS },
        { ZMQ_RECONNECT_IVL_MAX, RECONNECT_MOST_MS },
        //  Only for addresses in brackets: "127.0.0.1" stays what it is.
        { ZMQ_IPV6, strchr (address, '[') != NULL },
    };
    int bad = 0;
    for (size_t i = 0; i < WEFT_COUNT (options); i++)
        bad |= zmq_setsockopt (socket, options[i].option, &options[i].value,
                               sizeof options[i].value);
    int64_t largest = self->largest;
    bad |= zmq_setsockopt (socket, ZMQ_MAXMSGSIZE, &largest, sizeof largest);
    return bad ? WEFT_EIO : 0;
}

int
weft_poll (weft_poll_item_t *items, size_t n, int timeout_ms)
{
    zmq_pollitem_t polled[WEFT_POLL_MOST];
    assert (n <= WEFT_POLL_MOST);
    for (size_t i = 0; i < n; i++) {
        polled[i] = (zmq_pollitem_t){ .socket = items[i].socket,
                                      .fd = items[i].fd,
                                      .events = ZMQ_POLLIN };
        if (items[i].wants_write)
            polled[i].events |= ZMQ_POLLOUT;
    }
    int count = zmq_poll (polled, (int)n, timeout_ms);
    for (size_t i = 0; i < n; i++)
        items[i].ready = count > 0 && polled[i].revents != 0;
    return WEFT_MAX (count, 0);
}
