//  weft_series.h - statistics of one light curve in one band.
//
//  Pure functions on columns: N points in time order, t in days, m a flux or a
//  magnitude, w the weight 1/error^2. Definitions are those that brokers share
//  (light-curve-feature 0.19, read as formulae): mu the mean, s the standard
//  deviation with N-1, mw the weighted mean, M the median, R = max - min, and
//  the quantile with h = N p - 1/2. Two points at one time count once, the
//  first is kept. Each function says the fewest points that it needs; below,
//  and on a flat curve where s divides, the answer is NaN.
//
//  Nothing is allocated: init sorts once into the caller's room. One thread.

#ifndef WEFT_SERIES_H_INCLUDED
#define WEFT_SERIES_H_INCLUDED

#include "weft_base.h"

typedef struct {
    const double *t;       //  times, ascending
    const double *m;       //  values
    const double *w;       //  weights
    const double *sorted;  //  values, ascending
    uint32_t n;
    double mean;           //  mu; all of these NaN without points
    double weighted_mean;  //  mw
    double median;         //  M
    double sd;             //  s; NaN for one point
    double sum_w;          //  sum of w
    double sum_2;          //  sum of (m - mu)^2, and of the third and fourth
    double sum_3;          //  powers
    double sum_4;
    uint32_t at_max;  //  index of the largest value, the first of equals
} weft_series_t;

//  A straight line m = slope t + c.
typedef struct {
    double slope;
    double slope_sigma;
    double noise;  //  reduced chi2 of a fit, sd of the residuals of a trend
} weft_line_t;

//  Describes n points. Sorts out repeated times in place; `room` is for
//  2 n doubles. Borrows all four until the curve is not used any more.
void weft_series_init (weft_series_t *self,
                       double *t,
                       double *m,
                       double *w,
                       uint32_t n,
                       double *room);

//  Quantile, h = N p - 1/2 counted from 0, linear between; N >= 1.
double weft_series_quantile (const weft_series_t *self, double p);

double weft_series_duration (const weft_series_t *self);   //  N >= 1
double weft_series_amplitude (const weft_series_t *self);  //  R/2, N >= 1
double weft_series_percent_amplitude (const weft_series_t *self);  //  N >= 1
double weft_series_mad (const weft_series_t *self);                //  N >= 1
double weft_series_mean_variance (const weft_series_t *self);  //  s/mu, N >= 2
double weft_series_excess_variance (const weft_series_t *self);  //  N >= 2
double weft_series_skew (const weft_series_t *self);             //  N >= 3
double weft_series_kurtosis (const weft_series_t *self);         //  N >= 4
//  Share of points more than `sigmas` s from mu; N >= 2.
double weft_series_beyond_std (const weft_series_t *self, double sigmas);
//  Range of the cumulative sum, 1/(N s) sum (m - mu); N >= 2.
double weft_series_cusum (const weft_series_t *self);
//  von Neumann: sum of squared steps / ((N-1) s^2); N >= 2.
double weft_series_eta (const weft_series_t *self);
//  The same by slopes: T^2/(N-1)^3 sum (dm/dt)^2 / s^2; N >= 2.
double weft_series_eta_e (const weft_series_t *self);
//  Q(1-p) - Q(p); N >= 1.
double weft_series_inter_percentile_range (const weft_series_t *self, double p);
//  Range between quantiles a over that between b; N >= 2.
double weft_series_magnitude_percentage_ratio (const weft_series_t *self,
                                               double a,
                                               double b);
//  (Q(1-p) - Q(p)) / M; N >= 1.
double weft_series_percent_difference (const weft_series_t *self, double p);
//  Share of points within q R/2 of M; N >= 1.
double weft_series_median_buffer_range (const weft_series_t *self, double q);
//  Largest abs (dm/dt); N >= 2.
double weft_series_maximum_slope (const weft_series_t *self);
//  Anderson-Darling against a normal of mu and s; N >= 4.
double weft_series_anderson_darling (const weft_series_t *self);
//  1/(N-1) sum w (m - mw)^2; N >= 2.
double weft_series_reduced_chi2 (const weft_series_t *self);
//  1/(N-1) sum abs (m - M) / d; N >= 2.
double weft_series_roms (const weft_series_t *self);
//  Stetson 1996, K about mw; N >= 2.
double weft_series_stetson_k (const weft_series_t *self);

//  Weighted and unweighted straight line; N >= 3, all NaN below.
weft_line_t weft_series_linear_fit (const weft_series_t *self);
weft_line_t weft_series_linear_trend (const weft_series_t *self);
//  Weighted slope of the points from index `first` on; needs 3 of them.
double weft_series_slope_from (const weft_series_t *self, uint32_t first);

#endif
