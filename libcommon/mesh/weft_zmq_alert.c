//  weft_zmq_alert.c - alerts to ZeroMQ messages and back, by reference.

#include "weft_zmq_alert.h"

#include <errno.h>

//  Below this, a copy is cheaper than the two allocations of a reference, and
//  does not pin the receive buffer that several small messages share.
enum { COPY_BELOW = 512 };

static int
send_error (void)
{
    return errno == EHOSTUNREACH ? WEFT_EDOWN : WEFT_EAGAIN;
}

int
weft_zmq_send_part (void *socket, const void *data, size_t size)
{
    int sent = zmq_send (socket, data, size, ZMQ_DONTWAIT | ZMQ_SNDMORE);
    return sent < 0 ? send_error () : 0;
}

static void
drop_frame (void *data, void *hint)
{
    (void)data;
    weft_frame_t *frame = hint;
    weft_frame_unref (&frame);
}

//  A message that shares the frame's bytes.
static int
to_message (zmq_msg_t *message, weft_frame_t *frame)
{
    size_t size = weft_frame_size (frame);
    if (size < COPY_BELOW) {
        if (zmq_msg_init_size (message, size))
            return WEFT_EAGAIN;
        memcpy (zmq_msg_data (message), weft_frame_data (frame), size);
        return 0;
    }
    weft_frame_t *ref = weft_frame_ref (frame);
    void *data = (void *)(uintptr_t)weft_frame_data (frame);
    if (!zmq_msg_init_data (message, data, size, drop_frame, ref))
        return 0;
    weft_frame_unref (&ref);
    return WEFT_EAGAIN;
}

static void
close_all (zmq_msg_t *parts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        zmq_msg_close (&parts[i]);
}

//  The whole message before any of it is sent: a part for which there is no
//  memory would leave one that is half sent, and the next would be its end.
static int
make_parts (zmq_msg_t *parts, const weft_alert_t *alert, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (to_message (&parts[i], weft_alert_frame (alert, i))) {
            close_all (parts, i);
            return WEFT_EAGAIN;
        }
    return 0;
}

//  Only the first part can find the peer gone or its pipe full: libzmq takes a
//  message's later parts whatever happens, and rolls back when the pipe dies.
//  Custody does not depend on what they return.
int
weft_zmq_send (void *socket,
               const void *header,
               size_t size,
               const weft_alert_t *alert)
{
    zmq_msg_t parts[1 + WEFT_ALERT_SECTIONS];
    size_t n = alert ? weft_alert_frames (alert) : 0;
    int rc = make_parts (parts, alert, n);
    if (rc)
        return rc;
    int flags = ZMQ_DONTWAIT | (n > 0 ? ZMQ_SNDMORE : 0);
    if (zmq_send (socket, header, size, flags) < 0)
        rc = send_error ();
    for (size_t i = 0; i < n && !rc; i++) {
        flags = ZMQ_DONTWAIT | (i + 1 < n ? ZMQ_SNDMORE : 0);
        if (zmq_msg_send (&parts[i], socket, flags) < 0)
            rc = send_error ();
    }
    //  What was sent is empty by now.
    close_all (parts, n);
    return rc;
}

int
weft_zmq_recv_part (void *socket, zmq_msg_t *part, bool *more)
{
    if (zmq_msg_recv (part, socket, ZMQ_DONTWAIT) < 0)
        return WEFT_EAGAIN;
    *more = zmq_msg_more (part) != 0;
    return 0;
}

static void
close_message (void *owner)
{
    zmq_msg_t *message = owner;
    zmq_msg_close (message);
    free (message);
}

//  Takes the message's content; the message is empty after.
static weft_frame_t *
to_frame (zmq_msg_t *part)
{
    size_t size = zmq_msg_size (part);
    if (size < COPY_BELOW)
        return weft_frame_copy (zmq_msg_data (part), size);
    zmq_msg_t *owner = malloc (sizeof *owner);
    if (!owner)
        return NULL;
    zmq_msg_init (owner);
    zmq_msg_move (owner, part);
    weft_frame_t *frame =
        weft_frame_wrap (zmq_msg_data (owner), size, close_message, owner);
    if (!frame)
        close_message (owner);
    return frame;
}

//  Takes the frame. Why it is no envelope is looked for only if it is none.
static int
first_frame (weft_frame_t *frame, weft_alert_t **alert)
{
    weft_envelope_v1_t envelope;
    weft_frame_t *ref = weft_frame_ref (frame);
    int rc = 0;
    *alert = weft_alert_new (frame);
    if (!*alert)
        rc =
            weft_contract_decode (&weft_envelope_v1, &envelope,
                                  weft_frame_data (ref), weft_frame_size (ref));
    if (!*alert && !rc)
        rc = WEFT_ENOMEM;
    weft_frame_unref (&ref);
    return rc;
}

weft_alert_t *
weft_zmq_recv_alert (void *socket, bool more, int *rc)
{
    weft_alert_t *alert = NULL;
    zmq_msg_t part;
    zmq_msg_init (&part);
    *rc = 0;
    while (more && !weft_zmq_recv_part (socket, &part, &more)) {
        if (*rc)
            continue;
        weft_frame_t *frame = to_frame (&part);
        if (!frame)
            *rc = WEFT_ENOMEM;
        else
            *rc = alert ? weft_alert_append (alert, frame)
                        : first_frame (frame, &alert);
    }
    zmq_msg_close (&part);
    if (*rc)
        weft_alert_unref (&alert);
    return alert;
}
