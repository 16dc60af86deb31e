//  weft_notifier_fuzz.c - any sections, and any SQL, at the notifier.
//
//  First byte 0-127: the rest are the frames of an alert (flattened), which
//  filters on every table see and which becomes a payload: it must be valid
//  JSON. 128-255: the rest is a user's condition, which may be refused or may
//  answer, and must not run away.

#include <jansson.h>

#include "weft_effect.h"
#include "weft_golden.h"
#include "weft_log.h"
#include "weft_notifier.h"
#include "weft_payload.h"
#include "weft_sink.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static const char *const all_tables[] = {
    "ra > 0 OR ps1_3_sg > 0 OR sso_name = 'x' OR band_name = 'zg'",
    "(SELECT count(*) FROM history WHERE kind = 'D' AND flux > 1 AND "
    "band_name = 'zr') > 1",
    "(SELECT max(mjd) FROM history WHERE trig OR id = 1 OR known_at > 1) > 1",
    "(SELECT sum(n_d) + max(last_flux) FROM bands) > 1",
    "EXISTS (SELECT 1 FROM matches WHERE catalog = 'a' AND sep < 2)",
    "EXISTS (SELECT 1 FROM catalogs, names WHERE catalogs.name = names.id)",
    "(SELECT p FROM scores WHERE class = 'SNIa') > 0.5",
    "1",
};

#define FILTERS WEFT_COUNT (all_tables)

static weft_notifier_t *
make_notifier (void)
{
    static weft_condition_option_t conditions[FILTERS];
    static weft_filter_option_t filters[FILTERS];
    static char names[FILTERS][8];
    static char *sinks[] = { (char *)"s" };
    static weft_sink_option_t sink = { (char *)"s", (char *)"jsonl",
                                       (char *)"off", (char *)"x" };
    for (size_t i = 0; i < FILTERS; i++) {
        snprintf (names[i], sizeof names[i], "f%zu", i);
        conditions[i] =
            (weft_condition_option_t){ (char *)"c",
                                       (char *)(uintptr_t)all_tables[i] };
        filters[i] = (weft_filter_option_t){
            names[i], (char *)"o", { sinks, 1 }, { &conditions[i], 1 }
        };
    }
    weft_notifier_options_t options = { .outbox = (char *)"x",
                                        .budget = 10000,
                                        .strikes = 1000000,
                                        .filters = { filters, FILTERS },
                                        .sinks = { &sink, 1 } };
    weft_notifier_place_t place = { .data_dir = ".", .isolated = true };
    char why[300];
    weft_notifier_t *self;
    weft_log_init ("fuzz", WEFT_ERROR);
    if (weft_notifier_new (&self, &options, &place, why, sizeof why))
        abort ();
    return self;
}

static void
check_effect (const weft_alert_t *alert, const weft_buf_t *bytes)
{
    weft_effect_t effect;
    weft_effect_pass_t pass;
    char key[WEFT_KEY_MOST];
    weft_buf_t row;
    weft_buf_init (&row, 1 << 20);
    if (weft_effect_open (&effect, bytes->data, bytes->size))
        abort ();
    while (!weft_effect_pass (&effect, &pass)) {
        weft_payload_key (weft_alert_envelope (alert), pass.filter, key);
        weft_buf_clear (&row);
        weft_payload_address (effect.payload, key, pass.filter, 0, 0, &row);
        json_t *json = json_loadb ((const char *)row.data, row.size, 0, NULL);
        if (!json) {
            fwrite (row.data, row.size, 1, stderr);
            abort ();
        }
        json_decref (json);
    }
    weft_buf_fini (&row);
}

static void
try_alert (weft_notifier_t *self, const uint8_t *data, size_t size)
{
    weft_alert_t *alert = weft_alert_parse (data, size);
    if (!alert)
        return;
    weft_buf_t effect;
    weft_buf_init (&effect, 1 << 20);
    if (!weft_notifier_evaluate (self, alert, &effect))
        check_effect (alert, &effect);
    weft_buf_fini (&effect);
    weft_alert_unref (&alert);
}

static void
try_sql (const weft_alert_t *alert, const uint8_t *data, size_t size)
{
    char sql[512], why[300];
    size = WEFT_MIN (size, sizeof sql - 1);
    memcpy (sql, data, size);
    sql[size] = 0;
    weft_condition_option_t condition = { (char *)"c", sql };
    weft_filter_option_t filter = {
        (char *)"f", (char *)"o", { NULL, 0 }, { &condition, 1 }
    };
    weft_filter_limits_t limits = { 20000, 3 };
    weft_filters_t *filters;
    weft_filter_result_t result;
    if (weft_filters_new (&filters, &filter, 1, limits, why, sizeof why))
        return;
    if (weft_filters_evaluate (filters, alert, &result))
        abort ();
    weft_filters_destroy (&filters);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static weft_notifier_t *self;
    static weft_alert_t *golden;
    if (!self) {
        self = make_notifier ();
        golden = weft_golden_alert ();
    }
    if (size < 1 || !golden)
        return 0;
    if (data[0] < 128)
        try_alert (self, data + 1, size - 1);
    else
        try_sql (golden, data + 1, size - 1);
    return 0;
}
