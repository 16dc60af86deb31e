//  Curve statistics give back the published vectors, and refuse too few points.

#include "unit/testing.h"

#include <math.h>

#include "weft_series.h"
#include "weft_sort.h"

#define MOST 1024

typedef struct {
    double t[MOST], m[MOST], w[MOST], room[2 * MOST];
    weft_series_t curve;
} bench_t;

static bench_t bench;

//  Values at t = 0, 1, 2 ... with weight 1, or with the given ones.
static const weft_series_t *
curve_of (const double *t, const double *m, const double *w, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        bench.t[i] = t ? t[i] : i;
        bench.m[i] = m[i];
        bench.w[i] = w ? w[i] : 1;
    }
    weft_series_init (&bench.curve, bench.t, bench.m, bench.w, n, bench.room);
    return &bench.curve;
}

#define OF(...)                                                                \
    curve_of (NULL, (const double[]){ __VA_ARGS__ }, NULL,                     \
              sizeof ((const double[]){ __VA_ARGS__ }) / sizeof (double))

static void
is_near (double value, double expected)
{
    double far = 1e-7 * fmax (1, fabs (expected));
    if (!(fabs (value - expected) <= far))
        print_error ("%.12g is not %.12g\n", value, expected);
    assert_true (fabs (value - expected) <= far);
}

static void
moments_agree_with_the_published_vectors (void **state)
{
    (void)state;
    is_near (OF (1, 1, 1, 1, 5, 6, 6, 6, 99)->mean, 14);
    is_near (OF (0, 1, 2, 3, 4)->sd, 1.5811388300841898);
    is_near (weft_series_kurtosis (OF (0, 1, 2, 3, 4)), -1.2);
    is_near (weft_series_skew (OF (2, 3, 5, 7, 11, 13)), 0.4626804756753222);
    is_near (weft_series_mean_variance (OF (1, 1, 1, 1, 5, 6, 6, 6, 99)),
             2.2832017440606585);
    const double m[] = { 1, 1, 1, 1, 5, 6, 6, 6, 7 };
    const double w[] = { 1, .5, 1, 2, .5, 2, 1, 1, .5 };
    is_near (weft_series_excess_variance (curve_of (NULL, m, w, 9)),
             0.41846885813148793);
    const double m5[] = { 0, 1, 2, 3, 4 }, w5[] = { 10, 5, 3, 2.5, 2 };
    is_near (curve_of (NULL, m5, w5, 5)->weighted_mean, 1.1777777777777778);
}

static void
quantiles_agree_with_the_published_vectors (void **state)
{
    (void)state;
    is_near (OF (-99, 0, 3, 3.1, 3.2)->median, 3);
    is_near (OF (-99, 0, 4, 3, 2, 1)->median, 1.5);
    is_near (weft_series_mad (OF (1, 1, 1, 1, 5, 6, 6, 6, 100)), 4);
    is_near (weft_series_amplitude (OF (0, 1, 2)), 1);
    is_near (weft_series_percent_amplitude (OF (1, 1, 1, 2, 4, 5, 5, 98, 100)),
             96);
    double ramp[100];
    for (int i = 0; i < 100; i++)
        ramp[i] = i;
    const weft_series_t *even = curve_of (NULL, ramp, NULL, 100);
    is_near (weft_series_inter_percentile_range (even, .25), 50);
    is_near (weft_series_inter_percentile_range (even, .1), 80);
    const weft_series_t *curve = OF (80, 13, 20, 20, 75, 25, 100, 1, 2, 3, 7,
                                     30, 5, 9, 10, 70, 80, 92, 97, 17);
    is_near (weft_series_magnitude_percentage_ratio (curve, .4, .05),
             0.12886598);
    is_near (weft_series_magnitude_percentage_ratio (curve, .2, .05),
             0.7628866);
    is_near (weft_series_magnitude_percentage_ratio (curve, .4, .1),
             0.13586957);
    is_near (weft_series_percent_difference (curve, .05), 4.85);
    is_near (weft_series_percent_difference (curve, .1), 4.6);
    const weft_series_t *buffer = OF (1, 41, 49, 49, 50, 51, 52, 58, 100);
    is_near (weft_series_median_buffer_range (buffer, .1), 5. / 9);
    is_near (weft_series_median_buffer_range (buffer, .2), 7. / 9);
    is_near (weft_series_median_buffer_range (OF (7, 7, 7), .1), 0);
}

static void
scatter_agrees_with_the_published_vectors (void **state)
{
    (void)state;
    is_near (weft_series_beyond_std (OF (1, 2, 3, 4, 100), 1), 0.2);
    is_near (weft_series_beyond_std (OF (1, 2, 3, 4, 100), 2), 0);
    is_near (weft_series_cusum (OF (1, 1, 1, 5, 8, 20)), 0.3589213);
    is_near (weft_series_eta (OF (1, 0, 0, 0, 0, 0, 0, 0, 0, 109)),
             1.1133808096);
    const double t[] = { 1, 2, 5, 10 }, m[] = { 1, 1, 6, 8 };
    is_near (weft_series_eta_e (curve_of (t, m, NULL, 4)), 0.6957894);
    double even[101];
    for (int i = 0; i <= 100; i++)
        even[i] = i / 100.0;
    is_near (weft_series_anderson_darling (curve_of (NULL, even, NULL, 101)),
             1.1354353876265415);
    const double mc[] = { 1, 2, 1, 0, -1, 0, 1, 2, -2, 0 };
    const double wc[] = { 1, 2, 1, 2, 1, 2, 1, 2, 1, 2 };
    is_near (weft_series_reduced_chi2 (curve_of (NULL, mc, wc, 10)),
             2.192592592592593);
    const double mr[] = { 1, 1, 2, 3, 5 }, wr[] = { 1, 4, 1, 2, 4 };
    is_near (weft_series_roms (curve_of (NULL, mr, wr, 5)), 2.6035533);
}

static void
stetson_k_agrees_with_the_published_vectors (void **state)
{
    (void)state;
    double square[100], sine[1000], spike[100];
    for (int i = 0; i < 1000; i++)
        sine[i] = sin (2 * M_PI * i / 999);
    for (int i = 0; i < 100; i++) {
        square[i] = i % 2 ? 1 : -1;
        spike[i] = i ? -1 : 1;
    }
    is_near (weft_series_stetson_k (curve_of (NULL, square, NULL, 100)), 1);
    assert_true (
        fabs (weft_series_stetson_k (curve_of (NULL, sine, NULL, 1000)) -
              sqrt (8) / M_PI) < 1e-3);
    is_near (weft_series_stetson_k (curve_of (NULL, spike, NULL, 100)),
             2 * sqrt (99) / 100);
}

static void
lines_agree_with_the_published_vectors (void **state)
{
    (void)state;
    const double t[] = { 1, 3, 5, 7, 11, 13 }, m[] = { 1, 2, 3, 8, 10, 19 };
    weft_line_t line = weft_series_linear_trend (curve_of (t, m, NULL, 6));
    is_near (line.slope, 1.38198758);
    is_near (line.slope_sigma, 0.24532196);
    is_near (line.noise, 2.54157969);
    double tf[11], mf[11], wf[11];
    for (int i = 0; i < 11; i++) {
        tf[i] = i / 10.0;
        mf[i] = tf[i] * tf[i];
        wf[i] = 1 + tf[i];
    }
    line = weft_series_linear_fit (curve_of (tf, mf, wf, 11));
    is_near (line.slope, 1.0544186045473263);
    is_near (line.slope_sigma, 0.7963978);
    is_near (line.noise, 0.013781209302325587);
    is_near (weft_series_slope_from (&bench.curve, 0), line.slope);
    const double ts[] = { 0, 2, 4, 5, 7, 9 }, ms[] = { 0, 1, 2, 3, 4, 5 };
    is_near (weft_series_maximum_slope (curve_of (ts, ms, NULL, 6)), 1);
}

static void
equal_times_count_once_and_the_first_is_kept (void **state)
{
    (void)state;
    const double t[] = { 1, 2, 2, 2, 3 }, m[] = { 1, 5, 7, 9, 3 };
    const weft_series_t *curve = curve_of (t, m, NULL, 5);
    assert_int_equal (curve->n, 3);
    is_near (curve->mean, 3);
    is_near (weft_series_maximum_slope (curve), 4);
}

static void
too_few_points_are_nan (void **state)
{
    (void)state;
    const weft_series_t *none = curve_of (NULL, (const double[]){ 0 }, NULL, 0);
    assert_true (isnan (none->mean) && isnan (none->median));
    assert_true (isnan (weft_series_amplitude (none)));
    assert_true (isnan (weft_series_duration (none)));
    assert_true (isnan (weft_series_maximum_slope (none)));
    assert_true (isnan (weft_series_linear_fit (none).slope));
    const weft_series_t *one = OF (4);
    is_near (one->mean, 4);
    is_near (weft_series_mad (one), 0);
    assert_true (isnan (one->sd) && isnan (weft_series_beyond_std (one, 1)));
    assert_true (isnan (weft_series_stetson_k (one)));
    assert_true (isnan (weft_series_skew (OF (1, 2))));
    assert_true (isnan (weft_series_kurtosis (OF (1, 2, 4))));
    assert_true (isnan (weft_series_linear_fit (OF (1, 2)).slope));
}

static void
a_flat_curve_is_nan_where_the_scatter_divides (void **state)
{
    (void)state;
    //  A tenth has no exact double: its sums do not divide back evenly.
    const weft_series_t *flat = OF (.1, .1, .1, .1, .1, .1, .1);
    assert_true (flat->sd == 0);
    assert_true (isnan (weft_series_skew (flat)));
    assert_true (isnan (weft_series_eta (flat)));
    assert_true (isnan (weft_series_cusum (flat)));
    assert_true (isnan (weft_series_anderson_darling (flat)));
    assert_true (isnan (weft_series_stetson_k (flat)));
    assert_true (
        isnan (weft_series_magnitude_percentage_ratio (flat, .4, .05)));
    is_near (weft_series_beyond_std (flat, 1), 0);
    is_near (weft_series_linear_fit (flat).slope, 0);
}

static void
an_outlier_keeps_anderson_darling_finite (void **state)
{
    (void)state;
    double m[1000];
    for (int i = 0; i < 1000; i++)
        m[i] = i % 2 ? 1e-3 : -1e-3;
    m[500] = 1e6;
    double value =
        weft_series_anderson_darling (curve_of (NULL, m, NULL, 1000));
    assert_true (isfinite (value) && value > 100);
}

static int
compare (const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void
sorting_is_that_of_qsort (void **state)
{
    (void)state;
    double ours[MOST], theirs[MOST], room[MOST];
    uint64_t seed = 1;
    for (uint32_t n = 0; n < MOST; n += 1 + n / 7) {
        for (uint32_t i = 0; i < n; i++) {
            seed = seed * UINT64_C (6364136223846793005) + 1;
            double v =
                (double)(int64_t)seed / (double)(1 + (seed >> 20 & 4095));
            ours[i] = theirs[i] = seed & 64 ? (double)(float)v : v;
        }
        weft_sort_doubles (ours, n, room);
        qsort (theirs, n, sizeof (double), compare);
        assert_memory_equal (ours, theirs, n * sizeof (double));
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (moments_agree_with_the_published_vectors),
        cmocka_unit_test (quantiles_agree_with_the_published_vectors),
        cmocka_unit_test (scatter_agrees_with_the_published_vectors),
        cmocka_unit_test (stetson_k_agrees_with_the_published_vectors),
        cmocka_unit_test (lines_agree_with_the_published_vectors),
        cmocka_unit_test (equal_times_count_once_and_the_first_is_kept),
        cmocka_unit_test (too_few_points_are_nan),
        cmocka_unit_test (a_flat_curve_is_nan_where_the_scatter_divides),
        cmocka_unit_test (an_outlier_keeps_anderson_darling_finite),
        cmocka_unit_test (sorting_is_that_of_qsort),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
