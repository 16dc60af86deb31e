//  weft_operator_test.c - weft ledger, ps and dlq as an operator calls them.

#include "../unit/testing.h"

#include <jansson.h>
#include <sys/stat.h>

#include "redis_private.h"
#include "weft_dlq.h"
#include "weft_ledger.h"
#include "weft_log.h"
#include "weft_registry_store.h"

static redis_private_t server;
static weft_redis_t *redis;
static char output[65536];

//  Runs `weft ARGUMENTS`; its output is in `output`. Returns its exit code.
static int
weft (const char *arguments)
{
    char command[1024];
    const char *bin = getenv ("WEFT_BIN");
    snprintf (command, sizeof command, "%s/weft %s 2>&1",
              bin ? bin : "build/debug/bin", arguments);
    FILE *pipe = popen (command, "r");  // NOLINT(cert-env33-c)
    assert_non_null (pipe);
    size_t size = fread (output, 1, sizeof output - 1, pipe);
    output[size] = '\0';
    int status = pclose (pipe);
    return WIFEXITED (status) ? WEXITSTATUS (status) : -1;
}

static json_t *
json_output (void)
{
    json_t *json = json_loads (output, 0, NULL);
    if (!json)
        print_message ("not JSON: %s\n", output);
    assert_non_null (json);
    return json;
}

static long long
number (const json_t *object, const char *key)
{
    assert_true (json_is_integer (json_object_get (object, key)));
    return json_integer_value (json_object_get (object, key));
}

static void
book (int32_t night, int64_t offset, int outcome)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_booking_t one = { .survey = weft_str ("ztf"),
                           .topic = weft_str ("t"),
                           .night = night,
                           .offset = offset,
                           .alert_id = offset,
                           .has_id = true,
                           .outcome = (uint8_t)outcome };
    assert_int_equal (outcome ? weft_ledger_book (batch, &one, 1)
                              : weft_ledger_take (batch, &one, 1),
                      0);
    weft_batch_destroy (&batch);
}

static void
the_ledger_is_shown (void **state)
{
    (void)state;
    assert_int_equal (weft ("ledger --json"), 0);
    json_t *json = json_output ();
    assert_int_equal (json_array_size (json_object_get (json, "nights")), 0);
    assert_true (json_is_true (
        json_object_get (json_object_get (json, "total"), "balanced")));
    json_decref (json);
    book (61001, 1, WEFT_BOOKED_SETTLED);
    book (61000, 1, WEFT_BOOKED_SETTLED);
    book (61000, 2, WEFT_BOOKED_DEAD);
    book (61000, 3, WEFT_BOOKED_NONE);
    assert_int_equal (weft ("ledger --json"), 0);
    json = json_output ();
    json_t *night = json_array_get (json_object_get (json, "nights"), 0);
    assert_int_equal (json_object_size (night), 7);
    assert_int_equal (number (night, "night"), 61000);
    assert_int_equal (number (night, "received"), 3);
    assert_int_equal (number (night, "settled"), 1);
    assert_int_equal (number (night, "duplicate"), 0);
    assert_int_equal (number (night, "dead"), 1);
    assert_int_equal (number (night, "in_flight"), 1);
    assert_true (json_is_true (json_object_get (night, "balanced")));
    assert_int_equal (number (json_object_get (json, "total"), "received"), 4);
    json_decref (json);
    assert_int_equal (weft ("ledger"), 0);
    assert_non_null (strstr (output, "61001"));
    assert_non_null (strstr (output, "\nnight: ZTF's nid; of LSST the date in "
                                     "visit; else whole days of MJD - 0.5; "));
}

static void
the_processes_are_shown (void **state)
{
    (void)state;
    assert_int_equal (
        weft_registry_put (redis, "feature", "f-1",
                           "{\"pid\": 42, \"state\": \"RUNNING\"}"),
        0);
    assert_int_equal (weft_registry_put (redis, "feature", "f-2", "broken"), 0);
    assert_int_equal (weft ("ps --json"), 0);
    json_t *json = json_output ();
    assert_int_equal (json_array_size (json), 2);
    assert_int_equal (number (json_array_get (json, 0), "pid"), 42);
    json_decref (json);
    assert_int_equal (weft ("ps"), 0);
    assert_non_null (strstr (output, "RUNNING"));
}

static void
bury (int64_t offset, const char *packet)
{
    weft_dead_packet_t dead = { .topic = weft_str ("t"),
                                .offset = offset,
                                .night = 61000,
                                .schema = weft_str ("3.3"),
                                .packet = packet,
                                .size = strlen (packet),
                                .code = WEFT_EMALFORMED,
                                .reason = "a \"quoted\" reason" };
    assert_int_equal (weft_dlq_put_packet (redis, &dead, 0), 0);
}

static void
dead_letters_are_listed_shown_put_back_and_dropped (void **state)
{
    (void)state;
    char arguments[256], raw[128];
    bury (1, "first packet");
    bury (2, "second");
    bury (3, "third");
    assert_int_equal (weft ("dlq ls --json"), 0);
    json_t *json = json_output ();
    assert_int_equal (json_array_size (json), 3);
    json_t *one = json_array_get (json, 0);
    assert_string_equal (json_string_value (json_object_get (one, "stage")),
                         "ingest");
    assert_string_equal (json_string_value (json_object_get (one, "reason")),
                         "a \"quoted\" reason");
    json_decref (json);
    assert_int_equal (weft ("dlq ls ingest"), 0);
    assert_non_null (strstr (output, "t/0@2"));

    snprintf (raw, sizeof raw, "%s/raw", server.folder);
    snprintf (arguments, sizeof arguments, "dlq show ingest t/0@1 --raw %s",
              raw);
    assert_int_equal (weft (arguments), 0);
    json = json_output ();
    assert_int_equal (number (json, "packet_bytes"), 12);
    assert_string_equal (json_string_value (json_object_get (json, "schema")),
                         "3.3");
    json_decref (json);
    struct stat info;
    assert_int_equal (stat (raw, &info), 0);
    assert_int_equal (info.st_size, 12);

    assert_int_equal (weft ("dlq replay ingest t/0@1"), 0);
    assert_int_equal (weft ("dlq replay ingest t/0@9"), 3);
    assert_int_equal (weft ("dlq drop ingest t/0@2"), 0);
    assert_int_equal (weft ("dlq drop ingest t/0@2"), 3);
    assert_int_equal (weft ("dlq show ingest t/0@2"), 3);
    assert_int_equal (weft ("dlq replay ingest --all"), 0);
    assert_non_null (strstr (output, "1 put back"));
    assert_int_equal (weft ("dlq ls --json"), 0);
    json = json_output ();
    assert_int_equal (json_array_size (json), 0);
    json_decref (json);
}

static void
wrong_use_and_no_redis (void **state)
{
    (void)state;
    const char *const wrong[] = {
        "ledger --nonsense", "ledger more",    "ps --nonsense",
        "dlq list",          "dlq nonsense",   "dlq show ingest",
        "dlq replay ingest", "dlq drop",       "dlq replay ingest x --all",
        "ledger --redis x",  "dlq ls one two",
    };
    for (size_t i = 0; i < WEFT_COUNT (wrong); i++)
        assert_int_equal (weft (wrong[i]), 2);
    assert_int_equal (weft ("ledger --redis unix:/nowhere/at/all"), 1);
    assert_non_null (strstr (output, "no answer from Redis"));
    //  A wrong command line is told without asking Redis.
    assert_int_equal (weft ("dlq show ingest --redis unix:/nowhere"), 2);
    const char *const help[] = { "ledger --help", "ps --help", "dlq --help" };
    for (size_t i = 0; i < WEFT_COUNT (help); i++) {
        assert_int_equal (weft (help[i]), 0);
        assert_non_null (strstr (output, "usage: weft"));
    }
}

static int
start (void **state)
{
    (void)state;
    weft_log_init ("test", WEFT_ERROR);
    redis_private_start (&server);
    setenv ("WEFT__REDIS__ADDRESS", server.address, 1);
    redis = weft_redis_new (server.address, NULL);
    return 0;
}

static int
stop (void **state)
{
    (void)state;
    weft_redis_destroy (&redis);
    redis_private_stop (&server);
    return 0;
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (the_ledger_is_shown),
        cmocka_unit_test (the_processes_are_shown),
        cmocka_unit_test (dead_letters_are_listed_shown_put_back_and_dropped),
        cmocka_unit_test (wrong_use_and_no_redis),
    };
    return cmocka_run_group_tests (tests, start, stop);
}
