//  HTTP: health, readiness, metrics and the probe's GET.

#include "testing.h"

#include "weft_http.h"
#include "weft_metrics.h"
#include "weft_time.h"

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
    weft_health_loading (health, false);
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

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (readiness_says_why),
        cmocka_unit_test (health_is_the_loop_turning),
        cmocka_unit_test (metrics_and_other_paths),
        cmocka_unit_test (nobody_there),
    };
    return cmocka_run_group_tests (tests, set_up, tear_down);
}
