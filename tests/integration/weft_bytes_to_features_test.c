//  From the bytes of LSST packets to features: decoder, merge, view, statistics.
//
//  61 packets of schema 10.0 lie both as packets and, with the values that Fink
//  computed, as JSON. Ours must agree to 1e-3, but where two sources of one
//  exposure belong to the object: there Fink takes the first of the list and
//  our view the nearest one. Needs three packs.

#include "unit/testing.h"

#include "integration/fink_features.h"
#include "integration/packs.h"
#include "weft_join.h"
#include "weft_packets.h"

#define REFERENCE "build/data/reference_features/lsst_alerts/"

typedef struct {
    json_t *expected;  //  lc_features by diaSourceId
    weft_curve_t curve;
    weft_view_t *view;
    tally_t tally;
    int alerts, chosen;
} run_t;

static void
read_expected (json_t *expected, const char *path)
{
    char *line = NULL;
    size_t room = 0;
    FILE *in = fopen (path, "r");
    assert_non_null (in);
    while (getline (&line, &room, in) > 0) {
        json_t *alert = json_loads (line, 0, NULL);
        assert_non_null (alert);
        json_t *id =
            json_object_get (json_object_get (alert, "diaSourceId"), "$i");
        assert_non_null (json_string_value (id));
        json_object_set (expected, json_string_value (id),
                         json_object_get (alert, "lc_features"));
        json_decref (alert);
    }
    fclose (in);
    free (line);
}

#define FLAG_MULTI (1u << 24)  //  several sources in this exposure

//  The detection curve of one band. Does it hold a choice between sources?
static bool
take_band (const weft_points_v1_t *points, uint8_t band)
{
    bool chosen = false;
    rows.n = 0;
    for (uint32_t i = 0; i < points->mjd.n; i++) {
        if (weft_col_u8 (points->band, i) != band ||
            weft_col_u8 (points->kind, i) != 1 ||
            !(weft_col_u8 (points->use, i) & 1))
            continue;
        double m = (double)weft_col_f32 (points->flux, i);
        double e = (double)weft_col_f32 (points->err, i);
        if (isfinite (m) && e > 0)
            add_row (weft_col_f64 (points->mjd, i), m, e);
        if (points->flags.n)
            chosen |= (weft_col_u32 (points->flags, i) & FLAG_MULTI) != 0;
    }
    return chosen;
}

static int
compare (void *arg,
         const weft_message_t *message,
         const weft_decoded_t *item,
         const char *path)
{
    run_t *run = arg;
    char id[24];
    const char *band;
    json_t *features;
    const weft_view_rule_t all = { 0 };
    (void)message;
    (void)path;
    assert_int_equal (item->rc, 0);
    weft_normal_t *normal = item->normal;
    snprintf (id, sizeof id, "%lld", (long long)normal->alert.alert_id);
    json_t *expected = json_object_get (run->expected, id);
    if (expected == NULL)
        return 0;
    run->alerts++;
    weft_curve_clear (&run->curve);
    assert_int_equal (
        weft_curve_merge (&run->curve, normal->rows, normal->n_rows, NULL), 0);
    assert_int_equal (weft_join (normal, &run->curve, &all, run->view), 0);
    json_object_foreach (expected, band, features)
    {
        if (!json_is_object (features))
            continue;
        if (take_band (&normal->alert.points,
                       (uint8_t)strcspn ("ugrizy", band))) {
            run->chosen++;
            continue;
        }
        run->tally.band = band;
        run->tally.curves++;
        compare_features (features, &run->tally);
    }
    return 0;
}

static void
features_of_packets_agree_with_fink (void **state)
{
    (void)state;
    char name[] = "features", option[] = "--schemas",
         schemas[] = "build/data/schemas",
         packets[] = "build/data/lsst_confluent_derived/lsst_alerts/"
                     "_derived_confluent_reencoded/";
    char old[sizeof packets + 40], new[sizeof packets + 40];
    snprintf (old, sizeof old, "%sfink-filters_rubin_test_data_10_0", packets);
    snprintf (new, sizeof new, "%sfink-tutorials_v10_0", packets);
    char *argv[] = { name, option, schemas, old, new, NULL };
    run_t run = { .expected = json_object (), .view = weft_view_new () };
    read_expected (run.expected, REFERENCE "astrolabsoftware+fink-tutorials/"
                                           "ftransfer_lsst_2026-03-27.jsonl");
    read_expected (run.expected, REFERENCE
                   "astrolabsoftware+fink-filters/rubin_test_data_10_0.jsonl");
    assert_int_equal (weft_packets (5, argv, "", compare, &run), 0);
    print_message ("%d alerts, %d curves, %d values, %d differ, %d chosen\n",
                   run.alerts, run.tally.curves, run.tally.values,
                   run.tally.wrong, run.chosen);
    assert_int_equal (run.tally.curves + run.chosen, 172);
    assert_true (run.chosen <= 4);
    assert_int_equal (run.alerts, 61);
    assert_int_equal (run.tally.wrong, 0);
    weft_view_destroy (&run.view);
    weft_curve_fini (&run.curve);
    json_decref (run.expected);
}

int
main (void)
{
    if (!packs_unpack ("reference_features") || !packs_unpack ("schemas") ||
        !packs_unpack ("lsst_confluent_derived"))
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (features_of_packets_agree_with_fink),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
