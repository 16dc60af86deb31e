//  Curve statistics agree with what other brokers computed on real curves.
//
//  Three ZTF curves with values to four digits, and Fink's 26 lc_features of
//  the LSST alerts in the pack reference_features (band curves of prvDiaSources
//  and diaSource, psfFlux), to 1e-3. Skipped where the packs are not at hand.

#include "unit/testing.h"

#include <unistd.h>

#include "integration/fink_features.h"
#include "integration/packs.h"

#define FINK "build/data/reference_features/"

static void
add_source (const json_t *source, const char *band)
{
    const char *own = json_string_value (json_object_get (source, "band"));
    if (own == NULL || strcmp (own, band) != 0)
        return;
    double t = number_of (json_object_get (source, "midpointMjdTai"));
    double m = number_of (json_object_get (source, "psfFlux"));
    double e = number_of (json_object_get (source, "psfFluxErr"));
    if (isfinite (m) && e > 0)
        add_row (t, m, e);
}

static void
compare_alert (const json_t *alert, tally_t *tally)
{
    const json_t *prv = json_object_get (alert, "prvDiaSources");
    const json_t *features = json_object_get (alert, "lc_features");
    const char *band;
    json_t *expected;
    json_object_foreach ((json_t *)(uintptr_t)features, band, expected)
    {
        if (!json_is_object (expected))
            continue;
        rows.n = 0;
        for (size_t i = 0; i < json_array_size (prv); i++)
            add_source (json_array_get (prv, i), band);
        add_source (json_object_get (alert, "diaSource"), band);
        tally->band = band;
        tally->curves++;
        compare_features (expected, tally);
    }
}

static void
lsst_features_agree_with_fink (void **state)
{
    (void)state;
    static const char *const files[] = {
        FINK "lsst_alerts/astrolabsoftware+fink-tutorials/"
             "ftransfer_lsst_2026-03-27.jsonl",
        FINK "lsst_alerts/astrolabsoftware+fink-filters/"
             "rubin_test_data_10_0.jsonl",
    };
    tally_t tally = { 0 };
    char *line = NULL;
    size_t room = 0;
    for (size_t f = 0; f < WEFT_COUNT (files); f++) {
        FILE *in = fopen (files[f], "r");
        assert_non_null (in);
        while (getline (&line, &room, in) > 0) {
            json_t *alert = json_loads (line, 0, NULL);
            assert_non_null (alert);
            compare_alert (alert, &tally);
            json_decref (alert);
        }
        fclose (in);
    }
    free (line);
    print_message ("%d curves, %d values, %d differ\n", tally.curves,
                   tally.values, tally.wrong);
    assert_true (tally.curves > 150);
    assert_int_equal (tally.wrong, 0);
}

static void
read_ztf (const char *name)
{
    char path[256], line[256];
    snprintf (path, sizeof path,
              FINK "features/astrolabsoftware+fink-science/fink_science/ztf/"
                   "ad_features/tests/%s.csv",
              name);
    FILE *in = fopen (path, "r");
    assert_non_null (in);
    rows.n = 0;
    assert_non_null (fgets (line, sizeof line, in));
    while (fgets (line, sizeof line, in)) {
        char *at = line;
        double t = strtod (at, &at);
        double m = strtod (at + 1, &at);
        double e = strtod (at + 1, &at);
        add_row (t, m, e);
    }
    fclose (in);
}

//  Published to four digits.
static void
four_digits (double value, double expected)
{
    bool same = fabs (value - expected) <= 6e-4 * fabs (expected);
    if (!same)
        print_error ("%.9g is not %.9g\n", value, expected);
    assert_true (same);
}

typedef struct {
    const char *name;
    double values[28];
} ztf_t;

static const ztf_t ztf[] = {
    { "536106200014286",
      { 2.666, 2.689,    .4049,    .008097, 3244,      14.21,    14.58,
        1.343, .2225,    .04555,   3.546,   2.276,     -1.084,   -.0476,
        .8712, -3.26e-4, 3.762e-6, 3227,    -2.292e-4, 2.255e-4, .7704,
        .2463, 58.53,    1.132,    .2727,   .1913,     3.803e7,  247 } },
    { "633202300014898",
      { .2572, .3223,    .3227,    .03514, 37.46,    17.29,    17.28,
        .1124, .3455,    .08609,   .3081,  .1684,    -.5802,   .5912,
        .8425, -3.81e-5, 2.013e-6, 36.94,  -4.49e-5, 1.243e-5, .6532,
        .1916, 98.87,    .07416,   .02052, .01166,   1.232e10, 626 } },
    { "633211400005684",
      { 1.496, 1.697,    .3126,    .03473, 54.6,     19.82,    19.37,
        .5358, .2733,    .5327,    1.421,  .7532,    -.1126,   -.1773,
        .7736, 4.579e-4, 9.201e-6, 50.15,  3.425e-4, 6.099e-5, .661,
        .1382, 357.1,    .3578,    .08973, .04747,   1.078e10, 547 } },
};

static void
check_ztf (const weft_series_t *c, const double *v)
{
    weft_line_t fit = weft_series_linear_fit (c);
    weft_line_t trend = weft_series_linear_trend (c);
    double steps = c->n - 1.0;
    const double ours[] = {
        weft_series_amplitude (c),
        weft_series_percent_amplitude (c),
        weft_series_beyond_std (c, 1),
        weft_series_beyond_std (c, 2),
        weft_series_reduced_chi2 (c),
        c->mean,
        c->weighted_mean,
        c->sd,
        weft_series_cusum (c),
        weft_series_eta (c),
        weft_series_inter_percentile_range (c, .1),
        weft_series_inter_percentile_range (c, .25),
        weft_series_kurtosis (c),
        weft_series_skew (c),
        weft_series_stetson_k (c),
        fit.slope,
        fit.slope_sigma,
        fit.noise,
        trend.slope,
        trend.slope_sigma,
        weft_series_magnitude_percentage_ratio (c, .2, .1),
        weft_series_magnitude_percentage_ratio (c, .4, .05),
        weft_series_maximum_slope (c),
        weft_series_mad (c),
        weft_series_percent_difference (c, .05),
        weft_series_percent_difference (c, .2),
        //  The reference is of the older definition.
        weft_series_eta_e (c) * steps * steps,
        c->n,
    };
    for (size_t i = 0; i < WEFT_COUNT (ours); i++)
        four_digits (ours[i], v[i]);
}

static void
ztf_features_agree_with_fink (void **state)
{
    (void)state;
    for (size_t i = 0; i < WEFT_COUNT (ztf); i++) {
        read_ztf (ztf[i].name);
        weft_series_t curve = curve_of_rows ();
        check_ztf (&curve, ztf[i].values);
    }
}

int
main (void)
{
    if (!packs_unpack ("reference_features"))
        return 77;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (lsst_features_agree_with_fink),
        cmocka_unit_test (ztf_features_agree_with_fink),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
