//  Feature sets: frozen ids, right places, right curves, NaN where undefined.

#include "unit/testing.h"

#include <math.h>

#include "weft_features.h"
#include "weft_golden.h"

#define ROWS 16

typedef struct {
    double mjd[ROWS];
    float flux[ROWS], err[ROWS], tot[ROWS], tot_err[ROWS];
    uint8_t band[ROWS], kind[ROWS], use[ROWS];
    uint32_t n;
    weft_alert_v1_t alert;
    float values[WEFT_FEATURES_MOST];
} sky_t;

static void
add_row (sky_t *sky,
         double mjd,
         uint8_t band,
         uint8_t kind,
         uint8_t use,
         float flux,
         float err)
{
    uint32_t i = sky->n++;
    sky->mjd[i] = mjd;
    sky->band[i] = band;
    sky->kind[i] = kind;
    sky->use[i] = use;
    sky->flux[i] = flux;
    sky->err[i] = err;
    sky->tot[i] = flux + 1000;
    sky->tot_err[i] = err;
}

static void
start (sky_t *sky, const char *survey)
{
    memset (sky, 0, sizeof *sky);
    weft_contract_clear (&weft_alert_v1, &sky->alert);
    sky->alert.survey = weft_str (survey);
    sky->alert.okind = 1;
    sky->alert.t_obs = 60010;
    sky->alert.flux = 100;
    sky->alert.flux_err = 10;
}

#define COL(array) ((weft_col_t){ (const uint8_t *)sky->array, sky->n })

static const weft_feature_set_t *
compute (sky_t *sky)
{
    weft_points_v1_t *points = &sky->alert.points;
    const weft_feature_set_t *set = weft_feature_set_for (sky->alert.survey);
    weft_feature_work_t *work = weft_feature_work_new ();
    assert_non_null (set);
    assert_non_null (work);
    points->mjd = COL (mjd);
    points->flux = COL (flux);
    points->err = COL (err);
    points->tot = COL (tot);
    points->tot_err = COL (tot_err);
    points->band = COL (band);
    points->kind = COL (kind);
    points->use = COL (use);
    assert_int_equal (
        weft_features_compute (set, &sky->alert, work, sky->values), 0);
    weft_feature_work_destroy (&work);
    return set;
}

static double
value (const sky_t *sky, const char *name)
{
    const weft_feature_set_t *set = weft_feature_set_for (sky->alert.survey);
    int i = weft_feature_set_index (set, name);
    if (i < 0)
        print_error ("no feature %s\n", name);
    assert_true (i >= 0);
    return sky->values[i];
}

static void
is_near (const sky_t *sky, const char *name, double expected)
{
    double v = value (sky, name);
    bool near = fabs (v - expected) <= 1e-5 * fmax (1, fabs (expected));
    if (!near)
        print_error ("%s is %.9g, not %.9g\n", name, v, expected);
    assert_true (near);
}

#define NEAR(sky, name, expected) is_near (sky, name, expected)
#define UNDEFINED(sky, name) assert_true (isnan (value (sky, name)))

static void
released_sets_never_change (void **state)
{
    (void)state;
    //  Another id here means that stored models fit no longer: add a new set.
    static const struct {
        const char *name;
        uint32_t id, count;
    } released[] = { { "ztf.1", 0x82b969c2u, 132 },
                     { "lsst.1", 0x4ec4a612u, 313 } };
    for (size_t i = 0; i < WEFT_COUNT (released); i++) {
        const weft_feature_set_t *set =
            weft_feature_set_named (released[i].name);
        assert_non_null (set);
        assert_int_equal (weft_feature_set_id (set), released[i].id);
        assert_int_equal (weft_feature_set_count (set), released[i].count);
        assert_ptr_equal (weft_feature_set_find (released[i].id), set);
    }
    assert_null (weft_feature_set_find (0));
    assert_null (weft_feature_set_named ("none"));
    assert_null (weft_feature_set_for (weft_str ("none")));
}

static void
names_are_unique_and_fit (void **state)
{
    (void)state;
    const weft_feature_set_t *set;
    for (size_t s = 0; (set = weft_feature_set_at (s)); s++) {
        uint32_t n = weft_feature_set_count (set);
        for (uint32_t i = 0; i < n; i++) {
            const char *name = weft_feature_set_feature (set, i)->name;
            assert_true (strlen (name) < WEFT_FEATURES_NAME);
            assert_int_equal (weft_feature_set_index (set, name), (int)i);
        }
    }
}

static void
each_band_has_the_curve_that_use_names (void **state)
{
    (void)state;
    sky_t sky;
    start (&sky, "ztf");
    add_row (&sky, 60000, 6, 2, 1, NAN, NAN);   //  limit
    add_row (&sky, 60002, 6, 1, 1, 99, 1);      //  a forced point replaces it
    add_row (&sky, 60002, 6, 3, 2 | 4, 10, 1);  //  forced
    add_row (&sky, 60004, 7, 1, 1 | 2, 50, 5);  //  another band
    add_row (&sky, 60004, 8, 1, 1 | 2, 7, 5);   //  a band of no set
    add_row (&sky, 60006, 6, 1, 1 | 2 | 4, 30, 2);
    add_row (&sky, 60008, 6, 3, 0, 1e6, 2);       //  in no curve
    add_row (&sky, 60010, 6, 1, 1 | 2, 20, NAN);  //  no error, no weight
    compute (&sky);
    NEAR (&sky, "zg_points", 2);
    NEAR (&sky, "zg_detections", 3);
    NEAR (&sky, "zg_limits", 1);
    NEAR (&sky, "zg_forced", 1);
    NEAR (&sky, "zg_mean", 20);
    NEAR (&sky, "zg_weighted_mean", (10 + 30 / 4.) / 1.25);
    NEAR (&sky, "zg_first_age", 8);
    NEAR (&sky, "zg_last_age", 0);
    NEAR (&sky, "zg_limit_gap", 2);
    NEAR (&sky, "zg_mag_points", 2);
    NEAR (&sky, "zg_mag_median", 31.4 - 1.25 * (log10 (1010) + log10 (1030)));
    NEAR (&sky, "zr_points", 1);
    NEAR (&sky, "zr_mag_points", 0);
    UNDEFINED (&sky, "zr_limit_gap");
    UNDEFINED (&sky, "zr_standard_deviation");
    NEAR (&sky, "n_det", 4);
    NEAR (&sky, "age", 8);
}

static void
the_peak_is_described (void **state)
{
    (void)state;
    sky_t sky;
    start (&sky, "ztf");
    const float flux[] = { -1, 2, 8, 10, 7, 4, 2 };
    for (int i = 0; i < 7; i++)
        add_row (&sky, 59990 + 3 * i, 7, 3, 2, flux[i], 1);
    compute (&sky);
    NEAR (&sky, "zr_peak", 10);
    NEAR (&sky, "zr_peak_snr", 10);
    NEAR (&sky, "zr_peak_age", 11);
    NEAR (&sky, "zr_rise_time", 3);
    NEAR (&sky, "zr_half_time", 6);
    NEAR (&sky, "zr_half_share", 3 / 7.);
    NEAR (&sky, "zr_positive_share", 6 / 7.);
    NEAR (&sky, "zr_last_over_peak", 0.2);
    UNDEFINED (&sky, "zg_peak");
}

static void
colour_is_of_the_last_common_epoch (void **state)
{
    (void)state;
    sky_t sky;
    start (&sky, "lsst");
    add_row (&sky, 60000.0, 1, 1, 3, 100, 1);
    add_row (&sky, 60000.1, 2, 1, 3, 1000, 1);  //  first: 2.5 mag
    add_row (&sky, 60003.0, 1, 1, 3, 200, 10);
    add_row (&sky, 60003.4, 2, 1, 3, 200, 10);  //  last: 0 mag
    add_row (&sky, 60003.8, 2, 1, 3, 900, 10);  //  too late for g
    add_row (&sky, 60004.0, 1, 1, 3, 2, 10);    //  too faint
    compute (&sky);
    NEAR (&sky, "g_r_colour", 0);
    NEAR (&sky, "g_r_colour_sigma", 1.0857362 * 0.05 * sqrt (2));
    NEAR (&sky, "g_r_colour_age", 6.6);
    NEAR (&sky, "g_r_colour_change", -2.5 / 3.3);
    UNDEFINED (&sky, "r_i_colour");
    UNDEFINED (&sky, "u_g_colour");
}

static void
the_alert_itself_is_described (void **state)
{
    (void)state;
    sky_t sky;
    start (&sky, "ztf");
    weft_alert_v1_t *alert = &sky.alert;
    alert->flux = -100;
    alert->ref = 10000;
    alert->drb = 0.9f;
    alert->ra = 266.40499;  //  l = b = 0
    alert->dec = -28.93617;
    WEFT_SET (alert_v1, alert, n_det, 12);
    WEFT_SET (alert_v1, alert, n_cov, 48);
    WEFT_SET (alert_v1, alert, first_mjd, 59980);
    WEFT_SET (alert_v1, alert, nbad, 0);
    alert->n_ps1 = 1;
    alert->ps1[0].sg = 0.25f;
    alert->magdiff = INFINITY;
    compute (&sky);
    NEAR (&sky, "mag", 26.4);
    NEAR (&sky, "negative", 1);
    NEAR (&sky, "snr", 10);
    NEAR (&sky, "ref_mag", 21.4);
    NEAR (&sky, "flux_over_ref", -0.01);
    NEAR (&sky, "drb", 0.9f);
    NEAR (&sky, "n_det", 12);
    NEAR (&sky, "cov_share", 0.25);
    NEAR (&sky, "age", 30);
    NEAR (&sky, "nbad", 0);
    NEAR (&sky, "sgscore1", 0.25);
    UNDEFINED (&sky, "nneg");
    UNDEFINED (&sky, "magdiff");
    UNDEFINED (&sky, "rb");
    assert_true (value (&sky, "galactic_latitude") < 0.01);
    assert_true (fabs (value (&sky, "ecliptic_latitude") - 5.6) < 0.1);
}

static void
columns_of_other_lengths_are_refused (void **state)
{
    (void)state;
    sky_t sky;
    start (&sky, "ztf");
    add_row (&sky, 60000, 6, 1, 3, 1, 1);
    add_row (&sky, 60001, 6, 1, 3, 1, 1);
    const weft_feature_set_t *set = compute (&sky);
    weft_feature_work_t *work = weft_feature_work_new ();
    sky.alert.points.err.n = 1;
    assert_int_equal (weft_features_compute (set, &sky.alert, work, sky.values),
                      WEFT_ERANGE);
    sky.alert.points.err.n = 0;
    assert_int_equal (weft_features_compute (set, &sky.alert, work, sky.values),
                      0);
    NEAR (&sky, "zg_points", 0);
    weft_feature_work_destroy (&work);
    assert_null (work);
}

static void
solar_system_objects_have_no_features (void **state)
{
    (void)state;
    sky_t sky;
    start (&sky, "lsst");
    assert_null (weft_features_applicable (&sky.alert));
    sky.alert.okind = 3;
    assert_null (weft_features_applicable (&sky.alert));
    sky.alert.okind = 2;
    assert_non_null (weft_features_applicable (&sky.alert));
    start (&sky, "other");
    assert_non_null (weft_features_applicable (&sky.alert));
}

static void
the_section_says_the_set_or_why_there_is_none (void **state)
{
    (void)state;
    sky_t sky;
    start (&sky, "ztf");
    add_row (&sky, 60000, 6, 1, 3, 1, 1);
    const weft_feature_set_t *set = compute (&sky);
    weft_feature_work_t *work = weft_feature_work_new ();
    weft_features_v1_t features;
    weft_buf_t buf;
    weft_buf_init (&buf, 10000);
    assert_int_equal (weft_features_write (work, &sky.alert, &buf), 0);
    assert_int_equal (
        weft_contract_decode (&weft_features_v1, &features, buf.data, buf.size),
        0);
    assert_int_equal (features.set, weft_feature_set_id (set));
    assert_int_equal (features.values.n, weft_feature_set_count (set));
    assert_true (weft_col_f32 (features.values, 0) == 1);
    assert_false (WEFT_HAS (features_v1, &features, note));
    sky.alert.okind = 2;
    weft_buf_clear (&buf);
    assert_int_equal (weft_features_write (work, &sky.alert, &buf), 0);
    assert_int_equal (
        weft_contract_decode (&weft_features_v1, &features, buf.data, buf.size),
        0);
    assert_int_equal (features.values.n, 0);
    assert_true (WEFT_HAS (features_v1, &features, note));
    weft_buf_fini (&buf);
    weft_feature_work_destroy (&work);
}

static void
the_golden_alert_has_features (void **state)
{
    (void)state;
    weft_alert_t *golden = weft_golden_alert ();
    weft_alert_v1_t alert;
    float values[WEFT_FEATURES_MOST];
    assert_non_null (golden);
    assert_int_equal (weft_alert_read (golden, &weft_alert_v1, &alert), 0);
    const weft_feature_set_t *set = weft_feature_set_for (alert.survey);
    weft_feature_work_t *work = weft_feature_work_new ();
    assert_int_equal (weft_features_compute (set, &alert, work, values), 0);
    int i = weft_feature_set_index (set, "zg_mean");
    assert_true (i >= 0 && values[i] == 1200);
    weft_feature_work_destroy (&work);
    weft_alert_unref (&golden);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (released_sets_never_change),
        cmocka_unit_test (names_are_unique_and_fit),
        cmocka_unit_test (each_band_has_the_curve_that_use_names),
        cmocka_unit_test (the_peak_is_described),
        cmocka_unit_test (colour_is_of_the_last_common_epoch),
        cmocka_unit_test (the_alert_itself_is_described),
        cmocka_unit_test (columns_of_other_lengths_are_refused),
        cmocka_unit_test (solar_system_objects_have_no_features),
        cmocka_unit_test (the_golden_alert_has_features),
        cmocka_unit_test (the_section_says_the_set_or_why_there_is_none),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
