//  The learner's queries reach the notifier's sink, once, whatever restarts.

#include "unit/testing.h"

#include "integration/redis_private.h"
#include "weft_log.h"
#include "weft_notifier.h"
#include "weft_queries.h"
#include "weft_sink.h"
#include "weft_time.h"

static redis_private_t server;
static char folder[] = "/tmp/weft-queries-XXXXXX";
static char file[64];

static int
start_redis (void **state)
{
    (void)state;
    weft_log_init ("test", WEFT_ERROR);
    redis_private_start (&server);
    if (!mkdtemp (folder))
        return -1;
    snprintf (file, sizeof file, "%s/queries.jsonl", folder);
    return 0;
}

static int
stop_redis (void **state)
{
    (void)state;
    static const char *const names[] = { "queries.jsonl", "outbox.db",
                                         "outbox.db-wal", "outbox.db-shm",
                                         "outbox.db.lock" };
    char path[128];
    redis_private_stop (&server);
    for (size_t i = 0; i < WEFT_COUNT (names); i++) {
        snprintf (path, sizeof path, "%s/%s", folder, names[i]);
        unlink (path);
    }
    return rmdir (folder);
}

static void
issue (weft_redis_t *redis, int32_t night, uint32_t rank, const char *object)
{
    weft_query_v1_t q;
    char id[64], open[64];
    snprintf (id, sizeof id, "%s:learner:%d", object, night);
    snprintf (open, sizeof open, "ztf:%s", object);
    weft_contract_clear (&weft_query_v1, &q);
    WEFT_SET (query_v1, &q, query_id, weft_str (id));
    WEFT_SET (query_v1, &q, survey, weft_str ("ztf"));
    WEFT_SET (query_v1, &q, object_id, weft_str (object));
    WEFT_SET (query_v1, &q, alert_id, 7);
    WEFT_SET (query_v1, &q, requester, weft_str ("learner"));
    WEFT_SET (query_v1, &q, strategy, weft_str ("uncertainty"));
    WEFT_SET (query_v1, &q, night, night);
    WEFT_SET (query_v1, &q, rank, rank);
    WEFT_SET (query_v1, &q, score, 0.5f);
    WEFT_SET (query_v1, &q, model, weft_str ("m"));
    WEFT_SET (query_v1, &q, version, weft_str ("v"));
    WEFT_SET (query_v1, &q, ra, 1.0);
    WEFT_SET (query_v1, &q, dec, 2.0);
    WEFT_SET (query_v1, &q, asked_at, weft_time_mjd_tai ());
    weft_buf_t buf;
    weft_buf_init (&buf, 65536);
    assert_int_equal (weft_contract_encode (&weft_query_v1, &q, &buf), 0);
    weft_query_ask_t ask = { .night = night,
                             .rank = rank,
                             .budget = 100,
                             .object = open,
                             .query_id = id,
                             .now = 60000,
                             .expires_at = 60010,
                             .section = buf.data,
                             .size = buf.size };
    weft_query_verdict_t verdict;
    assert_int_equal (weft_query_issue (redis, &ask, &verdict), 0);
    assert_int_equal (verdict, WEFT_QUERY_ISSUED);
    weft_buf_fini (&buf);
}

static weft_notifier_t *
start_notifier (void)
{
    static weft_sink_option_t sink;
    static char *names[] = { (char *)"queries" };
    sink = (weft_sink_option_t){ .name = names[0],
                                 .kind = (char *)"jsonl",
                                 .mode = (char *)"live",
                                 .path = file };
    weft_notifier_options_t options = {
        .outbox = (char *)"",
        .keep_days = 30,
        .keep_rows = 1000000,
        .budget = 100000,
        .strikes = 3,
        .sinks = { &sink, 1 },
        .query_sinks = { names, 1 },
    };
    weft_notifier_place_t place = { .data_dir = folder,
                                    .redis = server.address };
    char why[400] = "";
    weft_notifier_t *self;
    if (weft_notifier_new (&self, &options, &place, why, sizeof why))
        fail_msg ("%s", why);
    assert_true (weft_notifier_owner (self));
    return self;
}

static void
beat_twice (weft_notifier_t *self, int64_t *now_ms)
{
    weft_notifier_beat (self, *now_ms += 1000);
    weft_notifier_beat (self, *now_ms += 1000);
}

static size_t
lines_of (const char *path)
{
    size_t lines = 0;
    FILE *in = fopen (path, "r");
    for (int c; in && (c = getc (in)) != EOF;)
        lines += c == '\n';
    if (in)
        fclose (in);
    return lines;
}

//  Redis may answer late, and a pause between two connects is up to a second.
//  Then twice more: nothing comes again.
static void
beat_until (weft_notifier_t *self, int64_t *now_ms, size_t lines)
{
    for (int i = 0; i < 12000 && lines_of (file) < lines; i++) {
        weft_notifier_beat (self, *now_ms += 1000);
        usleep (10000);
    }
    beat_twice (self, now_ms);
}

static void
told (const char *const *objects, size_t n)
{
    char line[4096];
    size_t lines = 0;
    FILE *in = fopen (file, "r");
    assert_true (in || n == 0);
    while (in && fgets (line, sizeof line, in)) {
        char key[100];
        assert_true (lines < n);
        snprintf (key, sizeof key, "{\"key\":\"query/ztf/%s/learner\",",
                  objects[lines]);
        assert_memory_equal (line, key, strlen (key));
        assert_non_null (strstr (line, "\"strategy\":\"uncertainty\""));
        lines++;
    }
    if (in)
        fclose (in);
    assert_int_equal (lines, n);
}

static void
queries_come_once_and_in_order (void **state)
{
    (void)state;
    weft_redis_t *redis = weft_redis_new (server.address, NULL);
    int64_t now_ms = weft_time_ms ();
    issue (redis, 20260301, 1, "A");
    issue (redis, 20260301, 2, "B");
    weft_notifier_t *self = start_notifier ();
    beat_until (self, &now_ms, 2);
    told ((const char *const[]){ "A", "B" }, 2);
    issue (redis, 20260301, 3, "C");
    issue (redis, 20260302, 1, "D");
    beat_until (self, &now_ms, 4);
    told ((const char *const[]){ "A", "B", "C", "D" }, 4);
    weft_notifier_destroy (&self);
    self = start_notifier ();
    beat_twice (self, &now_ms);
    issue (redis, 20260302, 2, "E");
    beat_until (self, &now_ms, 5);
    told ((const char *const[]){ "A", "B", "C", "D", "E" }, 5);
    //  Redis is away for a while: nothing happens, then it goes on.
    redis_private_kill (&server);
    beat_twice (self, &now_ms);
    redis_private_restart (&server);
    weft_redis_destroy (&redis);
    redis = weft_redis_new (server.address, NULL);
    issue (redis, 20260302, 3, "F");
    beat_until (self, &now_ms, 6);
    told ((const char *const[]){ "A", "B", "C", "D", "E", "F" }, 6);
    weft_notifier_destroy (&self);
    weft_redis_destroy (&redis);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (queries_come_once_and_in_order),
    };
    return cmocka_run_group_tests (tests, start_redis, stop_redis);
}
