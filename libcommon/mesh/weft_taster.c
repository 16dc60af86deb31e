//  weft_taster.c - listens to the tap of one process.

#include "weft_taster.h"

#include "weft_tap.h"
#include "weft_zmq_alert.h"

struct weft_taster {
    void *socket;
    zmq_msg_t part;
};

static int
set_options (const weft_taster_t *self,
             const weft_mesh_t *mesh,
             const char *endpoint,
             const char *server_key)
{
    const weft_keys_t *keys = weft_mesh_keys (mesh);
    int none = 0;  //  no mark: see weft_taster.h
    int bad = weft_mesh_prepare (mesh, self->socket, endpoint);
    bad |= zmq_setsockopt (self->socket, ZMQ_RCVHWM, &none, sizeof none);
    if (!keys || !server_key)
        return bad || keys || server_key ? WEFT_EIO : 0;
    bad |= zmq_setsockopt (self->socket, ZMQ_CURVE_SERVERKEY, server_key,
                           WEFT_KEY_ROOM) |
           zmq_setsockopt (self->socket, ZMQ_CURVE_PUBLICKEY,
                           weft_keys_public (keys), WEFT_KEY_ROOM) |
           zmq_setsockopt (self->socket, ZMQ_CURVE_SECRETKEY,
                           weft_keys_secret (keys), WEFT_KEY_ROOM);
    return bad ? WEFT_EIO : 0;
}

weft_taster_t *
weft_taster_new (const weft_mesh_t *mesh,
                 const char *endpoint,
                 const char *server_key,
                 unsigned zeros)
{
    static const char topic[] = "00000000000000000000";
    static_assert (sizeof topic - 1 == WEFT_TAP_BITS, "one for each bit");
    weft_taster_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    zmq_msg_init (&self->part);
    self->socket = zmq_socket (weft_mesh_context (mesh), ZMQ_SUB);
    if (!self->socket || set_options (self, mesh, endpoint, server_key) ||
        zmq_setsockopt (self->socket, ZMQ_SUBSCRIBE, topic,
                        WEFT_MIN (zeros, WEFT_TAP_BITS)) ||
        zmq_connect (self->socket, endpoint))
        weft_taster_destroy (&self);
    return self;
}

void
weft_taster_destroy (weft_taster_t **self_p)
{
    weft_taster_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    zmq_msg_close (&self->part);
    if (self->socket)
        zmq_close (self->socket);
    free (self);
}

void *
weft_taster_socket (const weft_taster_t *self)
{
    return self->socket;
}

weft_alert_t *
weft_taster_recv (weft_taster_t *self, uint64_t *number)
{
    bool more = false;
    *number = 0;
    if (weft_zmq_recv_part (self->socket, &self->part, &more))
        return NULL;
    int rc;
    weft_alert_t *alert = weft_zmq_recv_alert (self->socket, more, &rc);
    const uint8_t *head = zmq_msg_data (&self->part);
    bool whole = zmq_msg_size (&self->part) == WEFT_TAP_HEAD;
    *number = whole ? weft_get_u64 (head + WEFT_TAP_BITS) : UINT64_MAX;
    if (!whole)
        weft_alert_unref (&alert);
    return alert;
}
