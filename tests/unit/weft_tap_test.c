//  Who listens to a tap, whatever subscriptions they send.

#include "testing.h"

#include <poll.h>
#include <zmq.h>

#include "weft_tap.h"
#include "weft_time.h"

enum { PATIENCE_MS = 60000 };

typedef struct {
    weft_mesh_t *mesh;
    weft_tap_t *tap;
    void *context;
} rig_t;

static int
open_rig (void **state)
{
    static rig_t rig;
    char why[256];
    rig.mesh = weft_mesh_new (&(weft_mesh_config_t){ .keys = NULL });
    rig.tap = weft_tap_new (rig.mesh, "127.0.0.1:0", why, sizeof why);
    rig.context = zmq_ctx_new ();
    *state = &rig;
    return rig.tap && rig.context ? 0 : -1;
}

static int
close_rig (void **state)
{
    rig_t *rig = *state;
    zmq_ctx_term (rig->context);
    weft_tap_destroy (&rig->tap);
    weft_mesh_destroy (&rig->mesh);
    return 0;
}

//  Sends subscriptions as they are, unlike a SUB socket.
static void *
connect_to (const rig_t *rig)
{
    int none = 0;
    void *socket = zmq_socket (rig->context, ZMQ_XSUB);
    assert_non_null (socket);
    (void)zmq_setsockopt (socket, ZMQ_LINGER, &none, sizeof none);
    assert_int_equal (zmq_connect (socket, weft_tap_endpoint (rig->tap)), 0);
    return socket;
}

static void
ask (void *socket, bool wants, const char *topic)
{
    char text[32] = { wants ? 1 : 0 };
    size_t size = 1 + strlen (topic);
    memcpy (text + 1, topic, size - 1);
    assert_int_equal (zmq_send (socket, text, size, 0), size);
}

static void
listen_to (const rig_t *rig, size_t expected)
{
    size_t n = 99;
    int64_t until = weft_time_ms () + PATIENCE_MS;
    while (n != expected && weft_time_ms () < until) {
        n = weft_tap_turn (rig->tap);
        (void)poll (NULL, 0, 5);
    }
    assert_int_equal (n, expected);
}

static void
asking_twice_is_listening_once (void **state)
{
    const rig_t *rig = *state;
    for (int round = 0; round < 2 * WEFT_TAP_LISTENERS; round++) {
        void *one = connect_to (rig), *other = connect_to (rig);
        for (int i = 0; i < 3; i++)
            ask (one, true, "00");
        ask (other, true, "00");
        listen_to (rig, 2);
        zmq_close (one);
        listen_to (rig, 1);
        zmq_close (other);
        listen_to (rig, 0);
    }
}

static void
who_asks_for_nothing_has_gone (void **state)
{
    const rig_t *rig = *state;
    void *one = connect_to (rig), *other = connect_to (rig);
    ask (one, true, "00");
    ask (one, true, "00");
    ask (other, true, "00");
    listen_to (rig, 2);
    ask (one, false, "00");
    ask (one, false, "00");
    listen_to (rig, 1);
    zmq_close (one);
    zmq_close (other);
    listen_to (rig, 0);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (asking_twice_is_listening_once),
        cmocka_unit_test (who_asks_for_nothing_has_gone),
    };
    return cmocka_run_group_tests (tests, open_rig, close_rig);
}
