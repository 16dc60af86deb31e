//  `weft why` against what the filters did: 10,000 alerts, 25 filters.
//
//  What was delivered is read from the sink's file, so that nothing of the
//  record is its own witness.

#include "unit/testing.h"

#include <unistd.h>

#include "unit/notifier_alert.h"
#include "unit/notifier_filters.h"
#include "unit/remove_tree.h"
#include "weft_log.h"
#include "weft_notifier.h"
#include "weft_record.h"
#include "weft_sink.h"
#include "weft_time.h"
#include "weft_why.h"
#include "weft_why_value.h"

#define ALERTS 10000
#define BATCH 50

static char folder[64], file[96], record[96];

static weft_condition_option_t conditions[FILTERS + 2][CONDITIONS_MOST];
static weft_filter_option_t filters[FILTERS + 2];
static char names[FILTERS + 2][16];
static char *sink_names[] = { (char *)"all" };
static uint8_t delivered[FILTERS + 2][ALERTS];

static void
set_filter (size_t i, const char *const *sql, uint32_t most)
{
    uint32_t n = 0;
    for (; n < most && sql[n]; n++)
        conditions[i][n] =
            (weft_condition_option_t){ (char *)"c", (char *)(uintptr_t)sql[n] };
    snprintf (names[i], sizeof names[i], "filter%zu", i);
    filters[i] = (weft_filter_option_t){
        names[i], (char *)"ana", { sink_names, 1 }, { conditions[i], n }
    };
}

static int
make_folder (void **state)
{
    (void)state;
    strncpy (folder, "/tmp/weft-why-XXXXXX", sizeof folder - 1);
    if (!mkdtemp (folder))
        return -1;
    snprintf (file, sizeof file, "%s/all.jsonl", folder);
    snprintf (record, sizeof record, "%s/outbox.db.record", folder);
    for (size_t i = 0; i < FILTERS; i++)
        set_filter (i, filters_sql[i], CONDITIONS_MOST);
    //  Two more: everything, and one that is over its budget now and then.
    static const char *const all[] = { "1" };
    static const char *const heavy[] = {
        "drb > 0.2",
        "(SELECT count(*) FROM history a, history b WHERE a.mjd < b.mjd) >= 0"
    };
    set_filter (FILTERS, all, 1);
    set_filter (FILTERS + 1, heavy, 2);
    return 0;
}

static int
remove_folder (void **state)
{
    (void)state;
    return remove_tree (folder);
}

static weft_notifier_options_t
options_of (weft_sink_option_t *sink, uint32_t n, int64_t strikes)
{
    *sink = (weft_sink_option_t){ .name = sink_names[0],
                                  .kind = (char *)"jsonl",
                                  .mode = (char *)"live",
                                  .path = file };
    return (weft_notifier_options_t){ .outbox = (char *)"",
                                      .keep_days = 30,
                                      .keep_rows = 1000000,
                                      .budget = 5000,
                                      .strikes = strikes,
                                      .record_nights = 3,
                                      .record_mb = 1024,
                                      .filters = { filters, n },
                                      .sinks = { sink, 1 } };
}

static weft_notifier_t *
start (const weft_notifier_options_t *options)
{
    char why[400] = "";
    weft_notifier_place_t place = { .data_dir = folder };
    weft_notifier_t *self;
    if (weft_notifier_new (&self, options, &place, why, sizeof why))
        fail_msg ("%s", why);
    assert_true (weft_notifier_owner (self));
    return self;
}

//  What varies: light curves, places, scores, what is absent.
static weft_alert_t *
alert_of (int i)
{
    alert_spec_t spec = { .id = i,
                          .rows = i % 50 == 0 ? 400 : 2 + (uint32_t)(i % 37),
                          .ra = (i * 37 % 3600) / 10.0,
                          .dec = (i * 13 % 1800) / 10.0 - 90,
                          .drb = i % 11 == 0 ? NAN : (float)(i % 101) / 100,
                          .p_ia = (float)(i % 97) / 96,
                          .no_scores = i % 23 == 0,
                          .no_matches = i % 29 == 0,
                          .plain = i % 3 != 0 };
    return make_full_alert (&spec);
}

static void
process (weft_notifier_t *self, int first, int end)
{
    weft_buf_t effects[BATCH];
    weft_alert_t *alerts[BATCH];
    for (int i = 0; i < BATCH; i++)
        weft_buf_init (&effects[i], 1 << 20);
    for (int at = first; at < end; at += BATCH) {
        for (int i = 0; i < BATCH; i++) {
            alerts[i] = alert_of (at + i);
            weft_buf_clear (&effects[i]);
            assert_int_equal (
                weft_notifier_evaluate (self, alerts[i], &effects[i]), 0);
        }
        assert_int_equal (
            weft_notifier_commit (self, (const weft_alert_t *const *)alerts,
                                  effects, BATCH),
            0);
        for (int i = 0; i < BATCH; i++)
            weft_alert_unref (&alerts[i]);
    }
    for (int i = 0; i < BATCH; i++)
        weft_buf_fini (&effects[i]);
}

//  Keys are survey/object/filter/alert.
static int
read_deliveries (void)
{
    static char line[65536];
    int n = 0, filter, alert;
    memset (delivered, 0, sizeof delivered);
    FILE *in = fopen (file, "r");
    assert_non_null (in);
    while (fgets (line, sizeof line, in)) {
        const char *at = strstr (line, "/filter");
        assert_non_null (at);
        assert_int_equal (sscanf (at, "/filter%d/%d\"", &filter, &alert), 2);
        delivered[filter][alert]++;
        n++;
    }
    fclose (in);
    return n;
}

//  The conditions, read by themselves, give the verdict: all must be true.
static bool
conditions_agree (const weft_why_t *answer)
{
    for (uint32_t i = 0; i < answer->n; i++) {
        weft_verdict_t verdict = answer->conditions[i].verdict;
        if (verdict == WEFT_VERDICT_FAILED)
            return answer->verdict != WEFT_SAID_YES;
        if (verdict != WEFT_VERDICT_TRUE)
            return answer->verdict == WEFT_SAID_NO;
    }
    return answer->verdict != WEFT_SAID_NO;
}

static void
why_agrees_with_what_filters_did (void **state)
{
    (void)state;
    char why[300] = "";
    weft_sink_option_t sink;
    weft_notifier_options_t options = options_of (&sink, FILTERS + 2, 1000000);
    weft_notifier_t *self = start (&options);
    process (self, 0, ALERTS);
    for (int i = 0; i < 20; i++)
        weft_notifier_beat (self, weft_time_ms ());
    weft_notifier_destroy (&self);
    int rows = read_deliveries ();
    weft_asker_t *asker;
    assert_int_equal (weft_asker_new (&asker, record), 0);
    static weft_why_t answer;
    int yes = 0, failed = 0;
    for (int i = 0; i < ALERTS; i++)
        for (size_t f = 0; f < FILTERS + 2; f++) {
            if (weft_asker_why (asker, names[f], i % 2 ? "ztf" : NULL, i,
                                &answer, why, sizeof why))
                fail_msg ("alert %d: %s", i, why);
            assert_true (answer.seen && answer.known && answer.current);
            if ((answer.verdict == WEFT_SAID_YES) != delivered[f][i] ||
                answer.said != answer.verdict || !conditions_agree (&answer))
                fail_msg ("alert %d, %s: delivered %d, said %s, why says %s", i,
                          names[f], delivered[f][i],
                          weft_said_text (answer.said),
                          weft_said_text (answer.verdict));
            yes += answer.verdict == WEFT_SAID_YES;
            failed += answer.verdict == WEFT_SAID_FAILED;
        }
    assert_int_equal (yes, rows);
    //  Or the test would show little.
    assert_true (yes > 2 * ALERTS && failed > ALERTS / 100);
    printf ("%d alerts, %d deliveries, %d failures: all explained\n", ALERTS,
            yes, failed);
    weft_asker_destroy (&asker);
}

static void
what_was_not_seen_is_said (void **state)
{
    (void)state;
    char why[300] = "";
    static weft_why_t answer;
    weft_sink_option_t sink;
    weft_notifier_options_t options = options_of (&sink, 1, 3);
    weft_notifier_t *self = start (&options);
    process (self, 0, BATCH);
    //  Another condition, and one filter more.
    conditions[0][0].sql = (char *)"program = 2";
    options.filters.n = 2;
    assert_int_equal (weft_notifier_reload (self, &options, why, sizeof why),
                      0);
    process (self, BATCH, 2 * BATCH);
    weft_notifier_destroy (&self);
    weft_asker_t *asker;
    assert_int_equal (weft_asker_new (&asker, record), 0);
    assert_int_equal (
        weft_asker_why (asker, "filter0", NULL, 77777, &answer, why, 300), 0);
    assert_false (answer.seen);
    assert_int_equal (
        weft_asker_why (asker, "filter0", "lsst", 1, &answer, why, 300), 0);
    assert_false (answer.seen);
    assert_int_equal (
        weft_asker_why (asker, "filter1", NULL, 1, &answer, why, 300), 0);
    assert_true (answer.seen);
    assert_false (answer.known);
    assert_int_equal (
        weft_asker_why (asker, "filter0", NULL, 1, &answer, why, 300), 0);
    assert_true (answer.known);
    assert_false (answer.current);
    assert_string_equal (answer.conditions[0].sql, "program = 1");
    assert_int_equal (
        weft_asker_why (asker, "filter0", NULL, BATCH, &answer, why, 300), 0);
    assert_true (answer.current);
    assert_string_equal (answer.conditions[0].sql, "program = 2");
    weft_asker_values (asker, &answer);
    assert_string_equal (answer.conditions[0].value, "null");
    assert_string_equal (answer.conditions[1].sql, "drb > 0.8");
    assert_string_equal (answer.conditions[1].value, "0.5");
    int32_t first, last;
    assert_true (weft_asker_nights (asker, &first, &last));
    assert_int_equal (first, 3000);
    weft_asker_destroy (&asker);
}

static void
a_quarantine_is_remembered (void **state)
{
    (void)state;
    char why[300] = "";
    static weft_why_t answer;
    weft_sink_option_t sink;
    static const char *const heavy[] = {
        "(SELECT count(*) FROM history a, history b, history c) > 0"
    };
    set_filter (0, heavy, 1);
    weft_notifier_options_t options = options_of (&sink, 1, 2);
    weft_notifier_t *self = start (&options);
    process (self, 50, 100);
    weft_notifier_beat (self, weft_time_ms ());
    weft_notifier_destroy (&self);
    weft_asker_t *asker;
    int failed = 0, quarantined = 0;
    assert_int_equal (weft_asker_new (&asker, record), 0);
    for (int i = 50; i < 100; i++) {
        assert_int_equal (
            weft_asker_why (asker, "filter0", NULL, i, &answer, why, 300), 0);
        failed += answer.said == WEFT_SAID_FAILED;
        quarantined += answer.said == WEFT_SAID_QUARANTINED;
    }
    //  Two strikes in a row, and from then on it sees nothing.
    assert_true (failed >= 2 && quarantined > 0);
    assert_int_equal (answer.said, WEFT_SAID_QUARANTINED);
    weft_asker_destroy (&asker);
    char path[128];
    snprintf (path, sizeof path, "%s/filters.json", record);
    assert_int_equal (access (path, R_OK), 0);
}

static void
a_dry_run_counts_each_condition (void **state)
{
    (void)state;
    char why[300] = "";
    weft_sink_option_t sink;
    weft_notifier_options_t options = options_of (&sink, FILTERS + 1, 3);
    weft_notifier_t *self = start (&options);
    process (self, 0, 500);
    process (self, 0, 500);  //  redelivered: counted once
    weft_notifier_destroy (&self);
    weft_asker_t *asker;
    weft_filters_t *asked;
    static weft_try_filter_t counts;
    static const char *const sql[] = { "drb > 0.5", "ra < 90" };
    uint64_t alerts;
    set_filter (0, sql, 2);
    weft_filter_limits_t limits = { 100000, 3 };
    assert_int_equal (
        weft_filters_new (&asked, filters, 1, limits, why, sizeof why), 0);
    counts = (weft_try_filter_t){ .n = 2 };
    assert_int_equal (weft_asker_new (&asker, record), 0);
    assert_int_equal (weft_asker_try (asker, asked, 3000, &counts, &alerts), 0);
    uint64_t drb = 0, ra = 0, both = 0, absent = 0;
    for (int i = 0; i < 500; i++) {
        bool no = i % 11 == 0, a = !no && (float)(i % 101) / 100 > 0.5f;
        bool b = (i * 37 % 3600) / 10.0 < 90;
        drb += a;
        ra += b;
        both += a && b;
        absent += no;
    }
    assert_int_equal (alerts, 500);
    assert_int_equal (counts.conditions[0].holds, drb);
    assert_int_equal (counts.conditions[0].unknown, absent);
    assert_int_equal (counts.conditions[0].left, drb);
    assert_int_equal (counts.conditions[1].holds, ra);
    assert_int_equal (counts.conditions[1].left, both);
    assert_int_equal (counts.passed, both);
    assert_int_equal (weft_asker_try (asker, asked, 2999, &counts, &alerts), 0);
    assert_int_equal (alerts, 0);
    weft_filters_destroy (&asked);
    weft_asker_destroy (&asker);
}

//  Neither another stage's section nor the effect behind it is kept.
static void
the_record_keeps_what_filters_see (void **state)
{
    (void)state;
    char why[300] = "";
    uint64_t lost = 0;
    uint8_t said[] = { WEFT_SAID_NO };
    static const char features[] = "\x81\xa8"
                                   "contract\xab"
                                   "features.v1";
    static const char effect[] = "\x95 an effect";
    weft_record_t *self;
    weft_record_entry_t *entries;
    size_t n;
    weft_alert_t *seen, *alert = alert_of (7);
    size_t frames = weft_alert_frames (alert);
    assert_int_equal (
        weft_alert_append (alert,
                           weft_frame_copy (features, sizeof features - 1)),
        0);
    assert_int_equal (
        weft_alert_append (alert, weft_frame_copy (effect, sizeof effect - 1)),
        0);
    assert_int_equal (
        weft_record_open (&self, record, 64 << 20, 3, why, sizeof why), 0);
    weft_record_add (self, alert, 1, said, 1);
    assert_int_equal (weft_record_flush (self, &lost), 0);
    weft_record_close (&self);
    assert_int_equal (weft_record_list (record, &entries, &n), 0);
    assert_int_equal (n, 1);
    assert_int_equal (weft_record_read (record, &entries[0], &seen, said), 0);
    assert_int_equal (weft_alert_frames (seen), frames);
    for (size_t i = 0; i < frames; i++) {
        weft_frame_t *one = weft_alert_frame (seen, i);
        weft_frame_t *other = weft_alert_frame (alert, i);
        assert_int_equal (weft_frame_size (one), weft_frame_size (other));
        assert_memory_equal (weft_frame_data (one), weft_frame_data (other),
                             weft_frame_size (one));
    }
    weft_alert_unref (&seen);
    weft_alert_unref (&alert);
    free (entries);
}

static void
old_segments_go_and_torn_ones_are_read (void **state)
{
    (void)state;
    char why[300] = "", path[160];
    uint64_t lost = 0;
    uint8_t said[] = { WEFT_SAID_YES };
    weft_record_t *self;
    assert_int_equal (
        weft_record_open (&self, record, 64 << 20, 3, why, sizeof why), 0);
    for (int i = 0; i < 6000; i++) {
        alert_spec_t spec = { .id = i, .rows = 700 };
        weft_alert_t *alert = make_full_alert (&spec);
        weft_record_add (self, alert, 1, said, 1);
        weft_alert_unref (&alert);
        if (i % 100 == 99)
            assert_int_equal (weft_record_flush (self, &lost), 0);
    }
    weft_record_close (&self);
    weft_record_entry_t *entries;
    size_t n;
    assert_int_equal (weft_record_list (record, &entries, &n), 0);
    assert_true (n > 500 && n < 6000);
    assert_int_equal (entries[n - 1].alert_id, 5999);
    weft_record_entry_t last = entries[n - 1];
    free (entries);
    //  A writer that died in an entry of the index.
    snprintf (path, sizeof path, "%s/%08u.idx", record, last.segment);
    FILE *idx = fopen (path, "a");
    fwrite ("torn", 4, 1, idx);
    fclose (idx);
    assert_int_equal (
        weft_record_open (&self, record, 64 << 20, 3, why, sizeof why), 0);
    weft_alert_t *alert = alert_of (7);
    weft_record_add (self, alert, 1, said, 1);
    assert_int_equal (weft_record_flush (self, &lost), 0);
    weft_record_close (&self);
    weft_alert_unref (&alert);
    assert_int_equal (lost, 0);
    assert_int_equal (weft_record_list (record, &entries, &n), 0);
    assert_int_equal (entries[n - 1].alert_id, 7);
    uint8_t read[1];
    assert_int_equal (weft_record_read (record, &entries[n - 1], &alert, read),
                      0);
    assert_int_equal (weft_alert_envelope (alert)->alert_id, 7);
    assert_int_equal (read[0], WEFT_SAID_YES);
    weft_alert_unref (&alert);
    free (entries);
}

static void
the_left_side_of_a_comparison_is_found (void **state)
{
    (void)state;
    static const struct {
        const char *sql;
        size_t left;
    } cases[] = { { "drb > 0.8", 4 },
                  { "a AND b > 1", 0 },
                  { "(SELECT p FROM scores WHERE class = 'x') >= 0.9", 41 },
                  { "x BETWEEN 1 AND 2", 0 },
                  { "1 << 2 > 3", 0 },
                  { "name = 'a > b'", 5 },
                  { "'and' < x", 6 },
                  { "NOT drb > 1", 0 },
                  { "drb", 0 },
                  { "a < b < c", 0 },
                  { "'", 0 },
                  { "", 0 } };
    for (size_t i = 0; i < WEFT_COUNT (cases); i++)
        if (weft_why_value_left (cases[i].sql) != cases[i].left)
            fail_msg ("%s: %zu", cases[i].sql,
                      weft_why_value_left (cases[i].sql));
}

int
main (void)
{
    weft_log_init ("test", WEFT_ERROR);
    const struct CMUnitTest tests[] = {
#define IN_A_FOLDER(test)                                                      \
    cmocka_unit_test_setup_teardown (test, make_folder, remove_folder)
        IN_A_FOLDER (why_agrees_with_what_filters_did),
        IN_A_FOLDER (what_was_not_seen_is_said),
        IN_A_FOLDER (a_quarantine_is_remembered),
        IN_A_FOLDER (a_dry_run_counts_each_condition),
        IN_A_FOLDER (the_record_keeps_what_filters_see),
        IN_A_FOLDER (old_segments_go_and_torn_ones_are_read),
        cmocka_unit_test (the_left_side_of_a_comparison_is_found),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
