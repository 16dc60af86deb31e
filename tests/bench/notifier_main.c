//  notifier_main.c - what 25 filters and the outbox cost per alert.
//
//  Prints one JSON line per number, in CPU time unless it says so. The
//  alerts have light curves of the survey's mix of lengths. Arguments: folder
//  for the outbox, alerts per measurement; a third one: each filter alone.

#include <time.h>
#include <unistd.h>

#include "unit/notifier_alert.h"
#include "unit/notifier_filters.h"
#include "weft_effect.h"
#include "weft_log.h"
#include "weft_notifier.h"
#include "weft_sink.h"
#include "weft_time.h"

#define ALERTS 200
#define BATCH 64

static weft_condition_option_t conditions[FILTERS][CONDITIONS_MOST];
static weft_filter_option_t filters[FILTERS];
static char names[FILTERS][16];
static char *sink_names[] = { (char *)"all" };

static void
fill_filters (bool all)
{
    for (size_t i = 0; i < FILTERS; i++) {
        uint32_t n = 0;
        for (; n < CONDITIONS_MOST && filters_sql[i][n]; n++)
            conditions[i][n] = (weft_condition_option_t){
                (char *)"c", (char *)(uintptr_t)filters_sql[i][n]
            };
        if (all) {
            conditions[i][0].sql = (char *)"1";
            n = 1;
        }
        snprintf (names[i], sizeof names[i], "filter%zu", i);
        filters[i] = (weft_filter_option_t){
            names[i], (char *)"bench", { sink_names, 1 }, { conditions[i], n }
        };
    }
}

static weft_alert_t *alerts[ALERTS];

//  Half of the alerts are of young objects, a tenth of very old ones.
static uint32_t
rows_of (int i)
{
    return i % 20 < 10 ? 20 : i % 20 < 15 ? 60 : i % 20 < 18 ? 435 : 753;
}

static void
make_alerts (int64_t first)
{
    for (int i = 0; i < ALERTS; i++) {
        alert_spec_t spec = { .id = first + i,
                              .rows = rows_of (i),
                              .ra = 10 + i * 0.3,
                              .dec = 20 - i * 0.2,
                              .drb = (float)(i % 10) / 10,
                              .plain = i % 10 != 0,
                              .p_ia = (float)(i % 7) / 7 };
        weft_alert_unref (&alerts[i]);
        alerts[i] = make_full_alert (&spec);
    }
}

//  CPU time: the machine may have other things to do.
static int64_t
cpu_ns (void)
{
    struct timespec t;
    clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
tell (const char *name, int64_t ns, int64_t n)
{
    printf ("{\"name\":\"%s\",\"value\":%.2f,\"unit\":\"us\"}\n", name,
            (double)ns / 1e3 / (double)n);
}

static void
measure_decode (int64_t n)
{
    weft_filter_view_t *view = weft_filter_view_new ();
    int64_t start = cpu_ns ();
    for (int64_t i = 0; i < n; i++) {
        weft_filter_view_set (view, alerts[i % ALERTS]);
        if (!weft_filter_view_alert (view) || !weft_filter_view_scores (view) ||
            !weft_filter_view_matches (view))
            abort ();
    }
    tell ("notifier: decode three sections", cpu_ns () - start, n);
    weft_filter_view_destroy (&view);
}

static weft_notifier_t *
open_notifier (const char *folder, uint32_t n_filters, int64_t record_mb)
{
    static char path[512];
    static weft_sink_option_t sink;
    char why[400] = "";
    snprintf (path, sizeof path, "%s/bench.jsonl", folder);
    sink = (weft_sink_option_t){ .name = sink_names[0],
                                 .kind = (char *)"jsonl",
                                 .mode = (char *)"live",
                                 .path = path };
    weft_notifier_options_t options = {
        .outbox = (char *)"",
        .keep_days = 30,
        .keep_rows = 1000000,
        .budget = 100000,
        .strikes = 3,
        .flip_margin = 0.2,
        .record_mb = record_mb,
        .record_nights = 3,
        .filters = { filters, n_filters },
        .sinks = { &sink, 1 },
    };
    weft_notifier_place_t place = { .data_dir = folder };
    weft_notifier_t *self;
    if (weft_notifier_new (&self, &options, &place, why, sizeof why)) {
        fprintf (stderr, "%s\n", why);
        exit (1);
    }
    return self;
}

//  Evaluates and commits in turns of BATCH alerts, each alert with a new id.
static void
measure_turns (weft_notifier_t *self, const char *name, int64_t n)
{
    static int64_t next_id = 1000000;
    weft_buf_t effects[BATCH];
    for (int i = 0; i < BATCH; i++)
        weft_buf_init (&effects[i], 1 << 20);
    int64_t evaluate = 0, commit = 0, wall = 0, done = 0, passed = 0;
    while (done < n) {
        make_alerts (next_id);
        next_id += ALERTS;
        for (int at = 0; at + BATCH <= ALERTS; at += BATCH) {
            int64_t start = cpu_ns ();
            for (int i = 0; i < BATCH; i++) {
                weft_buf_clear (&effects[i]);
                if (weft_notifier_evaluate (self, alerts[at + i], &effects[i]))
                    abort ();
                passed += !weft_effect_idle (effects[i].data, effects[i].size);
            }
            int64_t middle = cpu_ns (), clock = weft_time_ns ();
            if (weft_notifier_commit (self,
                                      (const weft_alert_t *const *)&alerts[at],
                                      effects, BATCH))
                abort ();
            evaluate += middle - start;
            commit += cpu_ns () - middle;
            wall += weft_time_ns () - clock;
            done += BATCH;
        }
    }
    char text[120];
    snprintf (text, sizeof text, "notifier: evaluate, %s (%.0f %% pass)", name,
              100.0 * (double)passed / (double)done);
    tell (text, evaluate, done);
    snprintf (text, sizeof text, "notifier: commit and send, %s", name);
    tell (text, commit, done);
    snprintf (text, sizeof text, "notifier: commit and send, %s, wall clock",
              name);
    tell (text, wall, done);
    for (int i = 0; i < BATCH; i++)
        weft_buf_fini (&effects[i]);
}

static void
measure_each (int64_t n)
{
    char why[300];
    weft_filter_limits_t limits = { 100000, 3 };
    for (uint32_t f = 0; f < FILTERS; f++) {
        weft_filters_t *one;
        weft_filter_result_t result;
        if (weft_filters_new (&one, &filters[f], 1, limits, why, sizeof why))
            abort ();
        int64_t start = cpu_ns ();
        for (int64_t i = 0; i < n; i++)
            if (weft_filters_evaluate (one, alerts[i % ALERTS], &result))
                abort ();
        char text[120];
        snprintf (text, sizeof text, "notifier: filter %u alone with decode",
                  f);
        tell (text, cpu_ns () - start, n);
        weft_filters_destroy (&one);
    }
}

//  The filters alone, without payload or outbox.
static void
measure_filters (int64_t n)
{
    char why[300];
    weft_filter_limits_t limits = { 100000, 3 };
    weft_filters_t *all;
    weft_filter_result_t results[FILTERS];
    if (weft_filters_new (&all, filters, FILTERS, limits, why, sizeof why))
        abort ();
    int64_t start = cpu_ns ();
    for (int64_t i = 0; i < n; i++)
        if (weft_filters_evaluate (all, alerts[i % ALERTS], results))
            abort ();
    tell ("notifier: 25 filters with decode", cpu_ns () - start, n);
    weft_filters_destroy (&all);
}

int
main (int argc, char *argv[])
{
    char made[] = "/tmp/weft-bench-XXXXXX";
    const char *folder = argc > 1 ? argv[1] : mkdtemp (made);
    int64_t n = argc > 2 ? strtoll (argv[2], NULL, 10) : 20000;
    if (!folder || n <= 0)
        return 2;
    weft_log_init ("bench", WEFT_WARN);
    fill_filters (false);
    make_alerts (1);
    measure_decode (n);
    measure_filters (n);
    if (argc > 3)
        measure_each (n);
    weft_notifier_t *self = open_notifier (folder, FILTERS, 0);
    measure_turns (self, "25 filters", n);
    weft_notifier_destroy (&self);
    self = open_notifier (folder, FILTERS, 1024);
    measure_turns (self, "25 filters and the record", n);
    weft_notifier_destroy (&self);
    fill_filters (true);
    self = open_notifier (folder, 1, 0);
    measure_turns (self, "1 filter that passes all", n);
    weft_notifier_destroy (&self);
    return 0;
}
