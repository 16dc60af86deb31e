//  Alerts to messages and back: what is none is told from what there was no
//  memory for, and no message is half sent.

#define _GNU_SOURCE

#include <zmq.h>

#include "testing.h"

#include <dlfcn.h>
#include <errno.h>

#include "weft_zmq_alert.h"

#include "test_alert.h"

static void *context, *from, *to;
static int fails_after = -1;

//  Libzmq's own, but for the want of memory of a test.
int
zmq_msg_init_data (
    zmq_msg_t *message, void *data, size_t size, zmq_free_fn *drop, void *hint)
{
    typedef int init_fn (zmq_msg_t *, void *, size_t, zmq_free_fn *, void *);
    void *found = dlsym (RTLD_NEXT, "zmq_msg_init_data");
    init_fn *real;
    memcpy (&real, &found, sizeof real);
    if (fails_after >= 0 && fails_after-- == 0) {
        errno = ENOMEM;
        return -1;
    }
    return real (message, data, size, drop, hint);
}

static int
setup (void **state)
{
    (void)state;
    context = zmq_ctx_new ();
    from = zmq_socket (context, ZMQ_PAIR);
    to = zmq_socket (context, ZMQ_PAIR);
    return zmq_bind (to, "inproc://alerts") ||
           zmq_connect (from, "inproc://alerts");
}

static int
teardown (void **state)
{
    (void)state;
    return zmq_close (from) || zmq_close (to) || zmq_ctx_term (context);
}

//  The next message: its header's size, and its alert.
static int
receive (weft_alert_t **alert, int *rc)
{
    zmq_msg_t head;
    bool more = false;
    zmq_msg_init (&head);
    *alert = NULL;
    int size = -1;
    if (!weft_zmq_recv_part (to, &head, &more)) {
        size = (int)zmq_msg_size (&head);
        *alert = weft_zmq_recv_alert (to, more, rc);
    }
    zmq_msg_close (&head);
    return size;
}

static void
send_raw (const char *envelope, size_t sections)
{
    assert_int_equal (weft_zmq_send_part (from, "head", 4), 0);
    for (size_t i = 0; i < sections; i++)
        assert_int_equal (
            weft_zmq_send_part (from, envelope, strlen (envelope)), 0);
    assert_int_equal (zmq_send (from, "last", 4, 0), 4);
}

static void
what_is_no_alert_is_told (void **state)
{
    (void)state;
    weft_alert_t *alert;
    int rc = 0;
    send_raw ("no envelope", 1);
    assert_int_equal (receive (&alert, &rc), 4);
    assert_null (alert);
    assert_int_equal (weft_error_class (rc), WEFT_CLASS_REJECT);
    //  No parts at all are no alert, and nothing is wrong with them.
    assert_int_equal (zmq_send (from, "head", 4, 0), 4);
    assert_int_equal (receive (&alert, &rc), 4);
    assert_null (alert);
    assert_int_equal (rc, 0);
    weft_alert_t *sent = test_alert (42, 1000);
    assert_int_equal (weft_zmq_send (from, "head", 4, sent), 0);
    assert_int_equal (receive (&alert, &rc), 4);
    assert_non_null (alert);
    assert_int_equal (rc, 0);
    weft_alert_unref (&alert);
    weft_alert_unref (&sent);
}

static void
too_many_frames_are_told (void **state)
{
    (void)state;
    weft_alert_t *sent = test_alert (42, 10), *alert;
    weft_frame_t *envelope = weft_alert_frame (sent, 0);
    int rc = 0;
    assert_int_equal (weft_zmq_send_part (from, "head", 4), 0);
    assert_int_equal (weft_zmq_send_part (from, weft_frame_data (envelope),
                                          weft_frame_size (envelope)),
                      0);
    for (int i = 0; i < WEFT_ALERT_SECTIONS; i++)
        assert_int_equal (weft_zmq_send_part (from, "more", 4), 0);
    assert_int_equal (zmq_send (from, "last", 4, 0), 4);
    assert_int_equal (receive (&alert, &rc), 4);
    assert_null (alert);
    assert_int_equal (rc, WEFT_ETOOBIG);
    weft_alert_unref (&sent);
}

//  Frames of over 512 bytes take a reference, which takes memory.
static void
no_message_is_half_sent (void **state)
{
    (void)state;
    weft_alert_t *sent = test_alert (42, 4000), *alert;
    int rc = 0;
    fails_after = 0;
    assert_int_equal (weft_zmq_send (from, "head", 4, sent), WEFT_EAGAIN);
    fails_after = -1;
    assert_int_equal (weft_zmq_send (from, "header", 6, sent), 0);
    assert_int_equal (receive (&alert, &rc), 6);
    assert_non_null (alert);
    assert_int_equal (weft_alert_frames (alert), weft_alert_frames (sent));
    weft_alert_unref (&alert);
    weft_alert_unref (&sent);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (what_is_no_alert_is_told),
        cmocka_unit_test (too_many_frames_are_told),
        cmocka_unit_test (no_message_is_half_sent),
    };
    return cmocka_run_group_tests (tests, setup, teardown);
}
