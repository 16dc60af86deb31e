//  Sockets and the resolver: alerts pass by reference, the gone are noticed.

#include <zmq.h>

#include "testing.h"

#include <time.h>

#include "weft_dealer.h"
#include "weft_resolver.h"
#include "weft_router.h"
#include "weft_time.h"

#include "test_alert.h"

static weft_mesh_t *mesh;
static weft_router_t *router;
static weft_dealer_t *dealer;
static uint64_t peer;

static void
connect_pair (uint32_t largest)
{
    char why[256];
    mesh = weft_mesh_new (&(weft_mesh_config_t){ .largest = largest });
    assert_non_null (mesh);
    router = weft_router_new (mesh, "127.0.0.1:0", why, sizeof why);
    assert_non_null (router);
    dealer = weft_dealer_new (mesh, weft_router_endpoint (router), NULL);
    assert_non_null (dealer);
}

static void
destroy_pair (void)
{
    weft_dealer_destroy (&dealer);
    weft_router_destroy (&router);
    weft_mesh_destroy (&mesh);
}

static bool
wait_socket (void *socket)
{
    weft_poll_item_t item = { .socket = socket };
    return weft_poll (&item, 1, 60000) == 1 && item.ready;
}

static void
hello (const char *text)
{
    const void *data;
    size_t size;
    int64_t until = weft_time_ms () + 60000;
    //  With IMMEDIATE nothing is queued before the connection is there.
    while (weft_dealer_send (dealer, text, strlen (text)))
        assert_true (weft_time_ms () < until);
    assert_true (wait_socket (weft_router_socket (router)));
    assert_int_equal (weft_router_recv (router, &peer, &data, &size), 0);
    assert_int_equal (size, strlen (text));
    assert_memory_equal (data, text, size);
    assert_int_equal (weft_router_recv (router, &peer, &data, &size),
                      WEFT_EAGAIN);
}

static void
alerts_pass (void **state)
{
    (void)state;
    connect_pair (0);
    hello ("HELLO");
    for (size_t size = 1; size < 4000000; size = size * 7 + 3) {
        weft_alert_t *sent = test_alert (42, size), *got;
        const void *data;
        size_t header;
        assert_int_equal (weft_router_send (router, peer, "head", 4, sent), 0);
        assert_true (wait_socket (weft_dealer_socket (dealer)));
        assert_int_equal (weft_dealer_recv (dealer, &data, &header, &got), 0);
        assert_int_equal (header, 4);
        assert_non_null (got);
        assert_int_equal (weft_alert_size (got), weft_alert_size (sent));
        assert_int_equal (weft_alert_envelope (got)->alert_id, 42);
        assert_memory_equal (weft_frame_data (weft_alert_frame (got, 1)),
                             weft_frame_data (weft_alert_frame (sent, 1)),
                             size);
        weft_alert_unref (&got);
        weft_alert_unref (&sent);
    }
    destroy_pair ();
}

static void
frames_that_are_no_alert (void **state)
{
    (void)state;
    connect_pair (0);
    hello ("HELLO");
    weft_alert_t *alert;
    const void *data;
    size_t size;
    assert_int_equal (weft_router_send (router, peer, "x", 1, NULL), 0);
    assert_true (wait_socket (weft_dealer_socket (dealer)));
    assert_int_equal (weft_dealer_recv (dealer, &data, &size, &alert), 0);
    assert_null (alert);
    destroy_pair ();
}

//  Libzmq reads no more from a peer at the mark: who floods fills no memory.
static void
what_waits_is_bounded (void **state)
{
    (void)state;
    connect_pair (0);
    void *const sockets[] = { weft_router_socket (router),
                              weft_dealer_socket (dealer) };
    for (size_t i = 0; i < WEFT_COUNT (sockets); i++) {
        int most = 0;
        size_t size = sizeof most;
        assert_int_equal (zmq_getsockopt (sockets[i], ZMQ_RCVHWM, &most, &size),
                          0);
        assert_in_range (most, 1, 1 << 17);
    }
    destroy_pair ();
}

static void
the_gone_are_noticed (void **state)
{
    (void)state;
    connect_pair (0);
    hello ("HELLO");
    assert_int_equal (weft_router_send (router, peer + 7, "x", 1, NULL),
                      WEFT_EDOWN);
    weft_dealer_destroy (&dealer);
    int64_t until = weft_time_ms () + 60000;
    int rc;
    while (!(rc = weft_router_send (router, peer, "x", 1, NULL)))
        assert_true (weft_time_ms () < until);
    assert_int_equal (rc, WEFT_EDOWN);
    destroy_pair ();
}

static void
an_address_in_use (void **state)
{
    (void)state;
    connect_pair (0);
    char why[256];
    const char *address = weft_router_endpoint (router) + strlen ("tcp://");
    assert_null (weft_router_new (mesh, address, why, sizeof why));
    assert_non_null (strstr (why, "in use"));
    assert_null (weft_router_new (mesh, "nonsense", why, sizeof why));
    destroy_pair ();
}

static weft_endpoints_t *
wait_list (weft_resolver_t *resolver)
{
    weft_poll_item_t item = { .fd = weft_resolver_fd (resolver) };
    assert_int_equal (weft_poll (&item, 1, 60000), 1);
    weft_endpoints_t *list = weft_resolver_take (resolver);
    assert_non_null (list);
    return list;
}

static void
numbers_pass_through (void **state)
{
    (void)state;
    char why[256];
    const char *names[] = { "127.0.0.1:5560", "feature@[::1]:5561",
                            "127.0.0.1:5560" };
    weft_resolver_t *r = weft_resolver_new (names, 3, why, sizeof why);
    assert_non_null (r);
    weft_endpoints_t *list = wait_list (r);
    assert_int_equal (list->n, 2);
    assert_string_equal (list->endpoints[0], "tcp://127.0.0.1:5560");
    assert_string_equal (list->endpoints[1], "tcp://[::1]:5561");
    assert_string_equal (list->stages[0], "127.0.0.1");
    assert_string_equal (list->stages[1], "feature");
    assert_null (weft_resolver_take (r));
    free (list);
    weft_resolver_destroy (&r);
}

static void
names_are_resolved (void **state)
{
    (void)state;
    char why[256];
    const char *names[] = { "localhost:5560" };
    weft_resolver_t *r = weft_resolver_new (names, 1, why, sizeof why);
    assert_non_null (r);
    weft_endpoints_t *list = wait_list (r);
    assert_true (list->n >= 1);
    assert_non_null (strstr (list->endpoints[0], ":5560"));
    free (list);
    weft_resolver_destroy (&r);
}

static void
bad_names_are_refused (void **state)
{
    (void)state;
    static const char *const bad[] = { "",    "x",       ":5560", "x:",
                                       "x:0", "x:70000", "x:12b" };
    char why[256];
    for (size_t i = 0; i < WEFT_COUNT (bad); i++) {
        assert_null (weft_resolver_new (&bad[i], 1, why, sizeof why));
        assert_non_null (strstr (why, "expected host:port"));
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (alerts_pass),
        cmocka_unit_test (frames_that_are_no_alert),
        cmocka_unit_test (what_waits_is_bounded),
        cmocka_unit_test (the_gone_are_noticed),
        cmocka_unit_test (an_address_in_use),
        cmocka_unit_test (numbers_pass_through),
        cmocka_unit_test (names_are_resolved),
        cmocka_unit_test (bad_names_are_refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
