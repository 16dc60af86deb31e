//  weft_labels_test.c - labels are rows: written once, never changed.

#include "../unit/testing.h"

#include "redis_private.h"
#include "weft_label_stream.h"
#include "weft_label_text.h"
#include "weft_labels.h"
#include "weft_queries.h"
#include "weft_rows.h"
#include "weft_time.h"
#include "weft_written.h"

#include <math.h>

static redis_private_t server;

static weft_redis_t *
connect_to_server (void)
{
    weft_redis_t *redis = weft_redis_new (server.address, NULL);
    assert_non_null (redis);
    return redis;
}

//  "key=value" texts, ended by NULL.
static weft_label_v1_t
a_label (const char *const *fields)
{
    weft_label_v1_t label;
    weft_contract_clear (&weft_label_v1, &label);
    for (; *fields; fields++) {
        const char *equals = strchr (*fields, '=');
        weft_str_t key = { *fields, (uint32_t)(equals - *fields) };
        assert_int_equal (weft_label_set (&label, key, weft_str (equals + 1)),
                          0);
    }
    return label;
}
#define LABEL(...) a_label ((const char *const[]){ __VA_ARGS__, NULL })

static weft_label_verdict_t
put (weft_redis_t *redis, weft_label_v1_t label)
{
    static weft_label_put_t one;
    char why[WEFT_LABEL_WHY];
    memset (&one, 0, sizeof (one));
    one.label = label;
    assert_int_equal (weft_label_check (&label, why), 0);
    assert_int_equal (weft_labels_put (redis, &one, 1), 0);
    return one.verdict;
}

typedef struct {
    uint64_t numbers[64];
    char classes[64][32], requesters[64][64];
    size_t n;
} rows_t;

static void
take_row (void *arg, uint64_t number, weft_str_t id, weft_bin_t row)
{
    rows_t *rows = arg;
    weft_label_v1_t label;
    assert_int_equal (
        weft_contract_decode (&weft_label_v1, &label, row.p, row.n), 0);
    assert_int_equal (label.label_id.n, id.n);
    rows->numbers[rows->n] = number;
    weft_str_copy (label.requested_by, rows->requesters[rows->n], 64);
    weft_str_copy (label.class, rows->classes[rows->n++], 32);
}

static rows_t
all_rows (weft_redis_t *redis)
{
    rows_t rows = { .n = 0 };
    assert_int_equal (
        weft_rows_since (redis, "label", 0, 64, take_row, &rows, NULL), 0);
    return rows;
}

static void
test_the_same_label_is_one_row (void **state)
{
    (void)state;
    weft_redis_t *redis = connect_to_server ();
    const weft_label_v1_t label =
        LABEL ("survey=ztf", "object_id=A", "class=SNIa", "source=tns",
               "time=61000.5");
    assert_int_equal (put (redis, label), WEFT_LABEL_ADDED);
    assert_int_equal (put (redis, label), WEFT_LABEL_KNOWN);
    //  Another class, time or source is another row; the first stays.
    assert_int_equal (
        put (redis, LABEL ("survey=ztf", "object_id=A", "class=SNII",
                           "source=tns", "time=61000.5")),
        WEFT_LABEL_ADDED);
    assert_int_equal (
        put (redis, LABEL ("survey=ztf", "object_id=A", "class=SNIa",
                           "source=tns", "time=2026-03-09")),
        WEFT_LABEL_ADDED);
    assert_int_equal (
        put (redis, LABEL ("survey=ztf", "object_id=A", "class=SNIa",
                           "source=tns", "time=61000.5", "retracted=1")),
        WEFT_LABEL_ADDED);
    rows_t rows = all_rows (redis);
    assert_int_equal (rows.n, 4);
    assert_string_equal (rows.classes[0], "SNIa");
    assert_string_equal (rows.classes[1], "SNII");
    assert_string_equal (rows.requesters[0], "unsolicited");
    for (size_t i = 0; i < rows.n; i++)
        assert_int_equal (rows.numbers[i], i + 1);
    uint64_t last;
    assert_int_equal (weft_labels_last (redis, &last), 0);
    assert_int_equal (last, 4);
    weft_redis_destroy (&redis);
}

static void
test_an_id_belongs_to_one_label (void **state)
{
    (void)state;
    weft_redis_t *redis = connect_to_server ();
    weft_label_v1_t label =
        LABEL ("survey=ztf", "object_id=B", "class=AGN", "source=x", "id=x-1");
    assert_int_equal (put (redis, label), WEFT_LABEL_ADDED);
    assert_int_equal (put (redis, label), WEFT_LABEL_KNOWN);
    WEFT_SET (label_v1, &label, class, weft_str ("SNIa"));
    assert_int_equal (put (redis, label), WEFT_LABEL_TAKEN);
    rows_t rows = all_rows (redis);
    assert_string_equal (rows.classes[rows.n - 1], "AGN");
    const char *objects[] = { "ztf:B", "ztf:never" };
    bool known[2];
    assert_int_equal (weft_labels_of_objects (redis, objects, 2, known), 0);
    assert_true (known[0]);
    assert_false (known[1]);
    weft_redis_destroy (&redis);
}

static void
test_a_label_answers_the_open_query (void **state)
{
    (void)state;
    weft_redis_t *redis = connect_to_server ();
    weft_query_verdict_t verdict;
    weft_query_ask_t ask = { .night = 20260309,
                             .rank = 1,
                             .budget = 5,
                             .object = "ztf:asked",
                             .query_id = "me:ztf:asked:20260309",
                             .now = 61000,
                             .expires_at = 61010,
                             .section = "q",
                             .size = 1 };
    assert_int_equal (weft_query_issue (redis, &ask, &verdict), 0);
    assert_int_equal (put (redis, LABEL ("survey=ztf", "object_id=asked",
                                         "class=AGN", "source=y")),
                      WEFT_LABEL_ADDED);
    rows_t rows = all_rows (redis);
    assert_string_equal (rows.requesters[rows.n - 1], "me:ztf:asked:20260309");
    weft_redis_destroy (&redis);
}

static void
test_class_names_are_checked (void **state)
{
    (void)state;
    char why[WEFT_LABEL_WHY];
    weft_redis_t *redis = connect_to_server ();
    weft_label_v1_t label =
        LABEL ("survey=ztf", "object_id=C", "class=a,b", "source=x");
    assert_int_equal (weft_label_check (&label, why), WEFT_EMALFORMED);
    label =
        LABEL ("survey=ztf", "object_id=C", "class=ok", "source=x", "time=3");
    assert_int_equal (weft_label_check (&label, why), WEFT_EMALFORMED);
    label = LABEL ("survey=hst", "object_id=C", "class=ok", "source=x");
    assert_int_equal (weft_label_check (&label, why), WEFT_EMALFORMED);
    //  With a list of names, others are refused.
    assert_int_equal (weft_labels_allow (redis, "SNIa,SNII"), 0);
    assert_int_equal (put (redis, LABEL ("survey=ztf", "object_id=C",
                                         "class=SNla", "source=x")),
                      WEFT_LABEL_NO_CLASS);
    assert_int_equal (put (redis, LABEL ("survey=ztf", "object_id=C",
                                         "class=SNIa", "source=x")),
                      WEFT_LABEL_ADDED);
    weft_redis_destroy (&redis);
}

static void
add_entry (weft_batch_t *batch, const char *object, const char *class)
{
    //  Not idempotent: what others do to the stream is theirs.
    weft_batch_words (batch, "XADD", "label:in", "*", "survey", "ztf",
                      "object_id", object, "class", class, "source", "stream");
}

static void
test_a_stream_becomes_rows (void **state)
{
    (void)state;
    weft_redis_t *redis = connect_to_server ();
    weft_label_counts_t counts;
    size_t before = all_rows (redis).n;
    weft_batch_t *batch = weft_batch_new (redis, 0);
    add_entry (batch, "D", "SNIa");
    add_entry (batch, "D", "SNIa");
    add_entry (batch, "E", "never heard of");
    weft_batch_words (batch, "XADD", "label:in", "*", "nonsense", "1");
    assert_int_equal (weft_batch_run (batch), 0);
    assert_int_equal (weft_label_stream_take (redis, &counts), 0);
    assert_int_equal (counts.added, 1);
    assert_int_equal (counts.known, 1);
    assert_int_equal (counts.refused, 2);
    assert_int_equal (all_rows (redis).n, before + 1);
    weft_batch_clear (batch);
    weft_batch_words (batch, "XLEN", "label:in");
    weft_batch_words (batch, "HLEN", "label:refused");
    assert_int_equal (weft_batch_run (batch), 0);
    assert_int_equal (weft_reply_int (weft_batch_reply (batch, 0), -1), 0);
    assert_int_equal (weft_reply_int (weft_batch_reply (batch, 1), -1), 2);
    weft_batch_destroy (&batch);
    assert_int_equal (weft_label_stream_take (redis, &counts), 0);
    assert_int_equal (counts.added + counts.known + counts.refused, 0);
    weft_redis_destroy (&redis);
}

//  A process that ends at once after its answer, and Redis killed then.
static void
test_what_is_written_stays (void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        char object[32];
        weft_redis_t *redis = connect_to_server ();
        snprintf (object, sizeof (object), "object_id=K%d", i);
        size_t before = all_rows (redis).n;
        assert_int_equal (
            put (redis, LABEL ("survey=ztf", object, "class=SNII", "source=x")),
            WEFT_LABEL_ADDED);
        assert_int_equal (weft_redis_written (redis, 30000), 0);
        weft_redis_destroy (&redis);
        redis_private_restart (&server);
        redis = connect_to_server ();
        assert_int_equal (all_rows (redis).n, before + 1);
        weft_redis_destroy (&redis);
    }
}

static void
test_times (void **state)
{
    (void)state;
    double mjd;
    assert_int_equal (weft_label_time (weft_str ("61234.25"), &mjd), 0);
    assert_true (mjd == 61234.25);
    assert_int_equal (weft_label_time (weft_str ("1970-01-02T12:00:00Z"), &mjd),
                      0);
    assert_true (fabs (mjd - weft_time_tai_of_utc (40588.5)) < 1e-9);
    assert_int_equal (weft_label_time (weft_str ("2026-13-01"), &mjd),
                      WEFT_EMALFORMED);
    //  Days and hours that are none are not moved to the next ones.
    static const char *const none[] = {
        "2026-02-30",          "2025-02-29",          "2026-04-31",
        "2026-03-09T24:00:00", "2026-03-09T25:00:00", "2026-03-09T12:60:00"
    };
    for (size_t i = 0; i < WEFT_COUNT (none); i++)
        assert_int_equal (weft_label_time (weft_str (none[i]), &mjd),
                          WEFT_EMALFORMED);
    assert_int_equal (weft_label_time (weft_str ("2024-02-29"), &mjd), 0);
    assert_int_equal (weft_label_time (weft_str ("yesterday"), &mjd),
                      WEFT_EMALFORMED);
}

static int
start (void **state)
{
    (void)state;
    redis_private_start (&server);
    return 0;
}

static int
stop (void **state)
{
    (void)state;
    redis_private_stop (&server);
    return 0;
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_times),
        cmocka_unit_test (test_the_same_label_is_one_row),
        cmocka_unit_test (test_an_id_belongs_to_one_label),
        cmocka_unit_test (test_a_label_answers_the_open_query),
        cmocka_unit_test (test_class_names_are_checked),
        cmocka_unit_test (test_a_stream_becomes_rows),
        cmocka_unit_test (test_what_is_written_stays),
    };
    return cmocka_run_group_tests (tests, start, stop);
}
