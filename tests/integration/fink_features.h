//  fink_features.h - Fink's 26 features of a curve, ours against theirs.

#ifndef WEFT_FINK_FEATURES_H_INCLUDED
#define WEFT_FINK_FEATURES_H_INCLUDED

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "weft_series.h"

#define MOST 4096

static struct {
    double t[MOST], m[MOST], w[MOST], room[2 * MOST];
    uint32_t n;
} rows;

static inline weft_series_t
curve_of_rows (void)
{
    weft_series_t curve;
    weft_series_init (&curve, rows.t, rows.m, rows.w, rows.n, rows.room);
    return curve;
}

static inline void
add_row (double t, double m, double err)
{
    assert_true (rows.n < MOST);
    rows.t[rows.n] = t;
    rows.m[rows.n] = m;
    rows.w[rows.n++] = 1 / (err * err);
}

//  All features that the references name, under their names.
typedef struct {
    const char *name;
    double value;
} named_t;

static inline size_t
all_features (const weft_series_t *c, named_t out[30])
{
    weft_line_t fit = weft_series_linear_fit (c);
    weft_line_t trend = weft_series_linear_trend (c);
    const named_t all[] = {
        { "mean", c->mean },
        { "weighted_mean", c->weighted_mean },
        { "standard_deviation", c->sd },
        { "median", c->median },
        { "amplitude", weft_series_amplitude (c) },
        { "beyond_1_std", weft_series_beyond_std (c, 1) },
        { "cusum", weft_series_cusum (c) },
        { "inter_percentile_range_10",
          weft_series_inter_percentile_range (c, .1) },
        { "kurtosis", weft_series_kurtosis (c) },
        { "linear_trend", trend.slope },
        { "linear_trend_sigma", trend.slope_sigma },
        { "linear_trend_noise", trend.noise },
        { "linear_fit_slope", fit.slope },
        { "linear_fit_slope_sigma", fit.slope_sigma },
        { "linear_fit_reduced_chi2", fit.noise },
        { "magnitude_percentage_ratio_40_5",
          weft_series_magnitude_percentage_ratio (c, .4, .05) },
        { "magnitude_percentage_ratio_20_10",
          weft_series_magnitude_percentage_ratio (c, .2, .1) },
        { "maximum_slope", weft_series_maximum_slope (c) },
        { "median_absolute_deviation", weft_series_mad (c) },
        { "median_buffer_range_percentage_10",
          weft_series_median_buffer_range (c, .1) },
        { "percent_amplitude", weft_series_percent_amplitude (c) },
        { "mean_variance", weft_series_mean_variance (c) },
        { "anderson_darling_normal", weft_series_anderson_darling (c) },
        { "chi2", weft_series_reduced_chi2 (c) },
        { "skew", weft_series_skew (c) },
        { "stetson_K", weft_series_stetson_k (c) },
    };
    memcpy (out, all, sizeof all);
    return WEFT_COUNT (all);
}

//  A number in the packs' JSON: {"$f": "NaN"} for what is not finite.
static inline double
number_of (const json_t *value)
{
    return json_is_number (value) ? json_number_value (value) : NAN;
}

typedef struct {
    const char *band;
    int curves, values, wrong;
} tally_t;

static inline void
compare_features (const json_t *expected, tally_t *tally)
{
    named_t ours[30];
    weft_series_t curve = curve_of_rows ();
    size_t n = all_features (&curve, ours);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_object_get (expected, ours[i].name);
        assert_non_null (value);
        double theirs = number_of (value), mine = ours[i].value;
        //  Median buffer range of one point: 0 here, as there.
        bool same = isnan (theirs) ? isnan (mine)
                                   : fabs (mine - theirs) <=
                                         1e-3 * fmax (fabs (theirs), 1e-6);
        tally->values++;
        tally->wrong += !same;
        if (!same)
            print_message ("%s %s (N = %u): %.9g, theirs %.9g\n", tally->band,
                           ours[i].name, curve.n, mine, theirs);
    }
}

#endif
