//  HTTP: health, readiness, metrics and the probe's GET.

#include "testing.h"

#include <sys/socket.h>
#include <unistd.h>

#include "weft_http.h"
#include "weft_http_guest.h"
#include "weft_metrics.h"
#include "weft_time.h"

//  They go only after 5 s each, 16 at a time, unless somebody needs the place.
enum { IDLE = 600, FETCHES = 40, BIG = 8 << 20 };

static weft_health_t *health;
static weft_http_t *http;
static char address[32];

static int
set_up (void **state)
{
    (void)state;
    char why[256];
    health = weft_health_new ();
    http = weft_http_new ("127.0.0.1:0", health, why, sizeof why);
    if (!http)
        return -1;
    snprintf (address, sizeof address, "127.0.0.1:%u", weft_http_port (http));
    return 0;
}

static int
tear_down (void **state)
{
    (void)state;
    weft_http_destroy (&http);
    weft_health_destroy (&health);
    return 0;
}

static void
answers (const char *path, int expected, const char *text)
{
    int status;
    char body[4096];
    assert_int_equal (
        weft_http_get (address, path, 60000, &status, body, sizeof body), 0);
    assert_int_equal (status, expected);
    if (!strstr (body, text))
        fail_msg ("%s: %s", path, body);
}

static void
readiness_says_why (void **state)
{
    (void)state;
    answers ("/readyz", 503, "starting");
    weft_health_ready (health, NULL);
    answers ("/readyz", 200, "ready");
    weft_health_ready (health, "Redis: no answer");
    answers ("/readyz", 503, "Redis: no answer");
}

static void
health_is_the_loop_turning (void **state)
{
    (void)state;
    int64_t now = weft_time_ms ();
    weft_health_turned (health, now + 60000);  //  however slow this is
    answers ("/healthz", 200, "alive");
    weft_health_turned (health, now - 6000);
    answers ("/healthz", 503, "stands still");
    weft_health_loading (health, true);
    answers ("/healthz", 200, "alive");
    weft_health_loading (health, true);
    weft_health_loading (health, false);
    weft_health_turned (health, now - 6000);
    answers ("/healthz", 200, "alive");  //  one load goes on
    int64_t turns = weft_health_turns (health);
    assert_true (weft_health_turns (health) > turns);
    weft_health_loading (health, false);
    turns = weft_health_turns (health);
    assert_int_equal (weft_health_turns (health), turns);
    weft_health_turned (health, now - 6000);
    answers ("/healthz", 503, "stands still");
    weft_health_turned (health, now);
}

static void
metrics_and_other_paths (void **state)
{
    (void)state;
    weft_metric_add (weft_counter ("t_http", ""), 7);
    answers ("/metrics", 200, "# TYPE t_http counter");
    answers ("/", 404, "there are");
}

static void
nobody_there (void **state)
{
    (void)state;
    int status;
    char body[64], why[256];
    assert_int_equal (
        weft_http_get ("127.0.0.1:1", "/", 500, &status, body, sizeof body),
        WEFT_EDOWN);
    assert_int_equal (
        weft_http_get ("nonsense", "/", 500, &status, body, sizeof body),
        WEFT_EDOWN);
    assert_null (weft_http_new ("127.0.0.1", health, why, sizeof why));
    assert_non_null (strstr (why, "127.0.0.1"));
    assert_null (weft_http_new (address, health, why, sizeof why));
}

static int
connect_to (const char *request)
{
    struct sockaddr_storage where;
    socklen_t size = (socklen_t)weft_http_address (address, &where);
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal (connect (fd, (struct sockaddr *)&where, size), 0);
    size_t length = strlen (request);
    assert_int_equal (send (fd, request, length, 0), length);
    return fd;
}

static void
idle_connections_keep_nobody_out (void **state)
{
    (void)state;
    int fds[IDLE];
    for (size_t i = 0; i < IDLE; i++)
        fds[i] = connect_to (i % 2 ? "GET /healthz HTTP/1.1\r\n" : "");
    weft_health_turned (health, weft_time_ms () + 60000);
    for (int i = 0; i < FETCHES; i++)
        answers ("/healthz", 200, "alive");
    for (size_t i = 0; i < IDLE; i++)
        close (fds[i]);
}

static int
answer_much (
    void *arg, const char *rest, weft_buf_t *body, char *why, size_t room)
{
    (void)arg;
    (void)rest;
    (void)why;
    (void)room;
    return weft_buf_grow (body, BIG) ? 0 : WEFT_ENOMEM;
}

//  Whoever is being answered gets all of it, however many come meanwhile.
static void
an_answer_is_not_cut (void **state)
{
    (void)state;
    static char bytes[65536];
    weft_http_route ("/much/", answer_much, NULL);
    int fd = connect_to ("GET /much/x HTTP/1.0\r\n\r\n");
    ssize_t n = recv (fd, bytes, 1, 0);  //  it has begun
    size_t size = (size_t)n;
    for (int i = 0; i < 3 * WEFT_HTTP_GUESTS; i++)
        answers ("/readyz", 503, "");
    while ((n = recv (fd, bytes, sizeof bytes, 0)) > 0)
        size += (size_t)n;
    assert_int_equal (n, 0);
    assert_true (size > BIG);
    close (fd);
    weft_http_unroute ("/much/");
}

//  The one that asked last stays longest.
static void
who_gives_place (void **state)
{
    (void)state;
    weft_guests_t guests = { .n = 0 };
    weft_guest_t *all[WEFT_HTTP_GUESTS + 3];
    size_t n = 0;
    while (n < WEFT_HTTP_GUESTS)
        all[n++] = weft_guest_new (&guests, -1);
    assert_false (all[0]->leaves);
    weft_guest_asks (&guests, all[0], true);
    weft_guest_asks (&guests, all[1], true);
    weft_guest_asks (&guests, all[1], false);
    all[n++] = weft_guest_new (&guests, -1);
    assert_true (all[2]->leaves);
    all[n++] = weft_guest_new (&guests, -1);
    assert_true (all[3]->leaves && !all[0]->leaves && !all[1]->leaves);
    weft_guest_destroy (&guests, &all[2]);
    weft_guest_destroy (&guests, &all[4]);
    assert_int_equal (guests.n, WEFT_HTTP_GUESTS - 1);
    all[n++] = weft_guest_new (&guests, -1);
    assert_false (all[5]->leaves);
    while (n-- > 0)
        weft_guest_destroy (&guests, &all[n]);
    assert_null (guests.oldest);
    assert_int_equal (guests.n, 0);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (readiness_says_why),
        cmocka_unit_test (health_is_the_loop_turning),
        cmocka_unit_test (metrics_and_other_paths),
        cmocka_unit_test (nobody_there),
        cmocka_unit_test (idle_connections_keep_nobody_out),
        cmocka_unit_test (an_answer_is_not_cut),
        cmocka_unit_test (who_gives_place),
    };
    return cmocka_run_group_tests (tests, set_up, tear_down);
}
