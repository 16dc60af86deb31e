//  weft_series.c - statistics of one light curve in one band.
//
//  Moments are taken in two passes (mean, then powers about it), as a single
//  pass loses all digits for magnitudes of small scatter.

#include "weft_series.h"

#include <math.h>

#include "weft_sort.h"

//  Two points of one band at the same time count once; the first is kept.
static uint32_t
drop_repeats (double *t, double *m, double *w, uint32_t n)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (kept > 0 && t[i] == t[kept - 1])
            continue;
        t[kept] = t[i];
        m[kept] = m[i];
        w[kept++] = w[i];
    }
    return kept;
}

static void
sum_means (weft_series_t *self)
{
    double sum = 0, sum_w = 0, sum_wm = 0;
    uint32_t at_max = 0;
    for (uint32_t i = 0; i < self->n; i++) {
        sum += self->m[i];
        sum_w += self->w[i];
        sum_wm += self->w[i] * self->m[i];
        if (self->m[i] > self->m[at_max])
            at_max = i;
    }
    self->mean = sum / self->n;
    self->sum_w = sum_w;
    self->weighted_mean = sum_wm / sum_w;
    self->at_max = at_max;
}

static void
sum_powers (weft_series_t *self)
{
    double s2 = 0, s3 = 0, s4 = 0;
    for (uint32_t i = 0; i < self->n; i++) {
        double d = self->m[i] - self->mean, d2 = d * d;
        s2 += d2;
        s3 += d2 * d;
        s4 += d2 * d2;
    }
    self->sum_2 = s2;
    self->sum_3 = s3;
    self->sum_4 = s4;
    self->sd = self->n > 1 ? sqrt (s2 / (self->n - 1)) : NAN;
}

void
weft_series_init (weft_series_t *self,
                  double *t,
                  double *m,
                  double *w,
                  uint32_t n,
                  double *room)
{
    n = drop_repeats (t, m, w, n);
    *self = (weft_series_t){ .t = t, .m = m, .w = w, .sorted = room, .n = n };
    self->mean = self->weighted_mean = self->median = self->sd = NAN;
    if (n == 0)
        return;
    sum_means (self);
    //  Equal values need not sum to n times the value: flat must be flat.
    memcpy (room, m, n * sizeof *m);
    weft_sort_doubles (room, n, room + n);
    if (room[0] == room[n - 1])
        self->mean = self->weighted_mean = room[0];
    sum_powers (self);
    self->median = weft_series_quantile (self, 0.5);
}

double
weft_series_quantile (const weft_series_t *self, double p)
{
    if (self->n == 0)
        return NAN;
    double h = self->n * p - 0.5;
    if (h <= 0)
        return self->sorted[0];
    if (h >= self->n - 1)
        return self->sorted[self->n - 1];
    uint32_t i = (uint32_t)h;
    double low = self->sorted[i], high = self->sorted[i + 1];
    return low + (h - i) * (high - low);
}

//  R = max - min; 0 without points.
static double
range (const weft_series_t *self)
{
    return self->n ? self->sorted[self->n - 1] - self->sorted[0] : 0;
}

//  Can nothing be divided by s? True below n points and for a flat curve.
static bool
no_scatter (const weft_series_t *self, uint32_t n)
{
    return self->n < n || !(self->sd > 0);
}

double
weft_series_duration (const weft_series_t *self)
{
    return self->n ? self->t[self->n - 1] - self->t[0] : NAN;
}

double
weft_series_amplitude (const weft_series_t *self)
{
    return self->n ? range (self) / 2 : NAN;
}

double
weft_series_percent_amplitude (const weft_series_t *self)
{
    if (self->n == 0)
        return NAN;
    return fmax (self->sorted[self->n - 1] - self->median,
                 self->median - self->sorted[0]);
}

//  Number of sorted values below x (or below and equal).
static uint32_t
count_below (const weft_series_t *self, double x, bool equal)
{
    uint32_t low = 0, high = self->n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        double v = self->sorted[mid];
        if (v < x || (equal && v == x))
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

//  The k-th smallest distance from the median, k from 0. Distances below and
//  above it are sorted already, so the two runs are merged from the middle.
static void
merge_distances (const weft_series_t *self,
                 uint32_t k,
                 double *kth,
                 double *next)
{
    uint32_t n = self->n, above = count_below (self, self->median, false);
    uint32_t below = above;  //  one past the next one below
    for (uint32_t i = 0;; i++) {
        double low = below ? self->median - self->sorted[below - 1] : INFINITY;
        double high = above < n ? self->sorted[above] - self->median : INFINITY;
        double least = fmin (low, high);
        if (i == k)
            *kth = least;
        if (i == k + 1) {
            *next = least;
            return;
        }
        if (low <= high && below)
            below--;
        else
            above++;
    }
}

double
weft_series_mad (const weft_series_t *self)
{
    if (self->n == 0)
        return NAN;
    if (self->n == 1)
        return 0;
    double h = self->n * 0.5 - 0.5, low = 0, high = 0;
    uint32_t i = (uint32_t)h;
    merge_distances (self, i, &low, &high);
    return h > i ? low + (h - i) * (high - low) : low;
}

double
weft_series_mean_variance (const weft_series_t *self)
{
    return self->n >= 2 ? self->sd / self->mean : NAN;
}

double
weft_series_excess_variance (const weft_series_t *self)
{
    if (self->n < 2)
        return NAN;
    double sum = 0;
    for (uint32_t i = 0; i < self->n; i++)
        sum += 1 / self->w[i];
    double noise = sum / self->n;
    return (self->sd * self->sd - noise) / (self->mean * self->mean);
}

double
weft_series_skew (const weft_series_t *self)
{
    if (no_scatter (self, 3))
        return NAN;
    double n = self->n, s = self->sd;
    return n / ((n - 1) * (n - 2)) * self->sum_3 / (s * s * s);
}

double
weft_series_kurtosis (const weft_series_t *self)
{
    if (no_scatter (self, 4))
        return NAN;
    double n = self->n, s2 = self->sd * self->sd;
    double most = n * (n + 1) / ((n - 1) * (n - 2) * (n - 3));
    return most * self->sum_4 / (s2 * s2) -
           3 * (n - 1) * (n - 1) / ((n - 2) * (n - 3));
}

double
weft_series_beyond_std (const weft_series_t *self, double sigmas)
{
    if (self->n < 2)
        return NAN;
    double far = sigmas * self->sd;
    uint32_t inside = count_below (self, self->mean + far, true) -
                      count_below (self, self->mean - far, false);
    return (double)(self->n - inside) / self->n;
}

double
weft_series_cusum (const weft_series_t *self)
{
    if (no_scatter (self, 2))
        return NAN;
    double sum = 0, low = INFINITY, high = -INFINITY;
    for (uint32_t i = 0; i < self->n; i++) {
        sum += self->m[i] - self->mean;
        low = fmin (low, sum);
        high = fmax (high, sum);
    }
    return (high - low) / (self->n * self->sd);
}

double
weft_series_eta (const weft_series_t *self)
{
    if (no_scatter (self, 2))
        return NAN;
    double sum = 0;
    for (uint32_t i = 1; i < self->n; i++) {
        double d = self->m[i] - self->m[i - 1];
        sum += d * d;
    }
    return sum / self->sum_2;
}

double
weft_series_eta_e (const weft_series_t *self)
{
    if (no_scatter (self, 2))
        return NAN;
    double sum = 0;
    for (uint32_t i = 1; i < self->n; i++) {
        double d =
            (self->m[i] - self->m[i - 1]) / (self->t[i] - self->t[i - 1]);
        sum += d * d;
    }
    double gap = weft_series_duration (self) / (self->n - 1);
    return gap * gap * sum / self->sum_2;
}

double
weft_series_inter_percentile_range (const weft_series_t *self, double p)
{
    return weft_series_quantile (self, 1 - p) - weft_series_quantile (self, p);
}

double
weft_series_magnitude_percentage_ratio (const weft_series_t *self,
                                        double a,
                                        double b)
{
    double over = weft_series_inter_percentile_range (self, b);
    if (self->n < 2 || !(over > 0))
        return NAN;
    return weft_series_inter_percentile_range (self, a) / over;
}

double
weft_series_percent_difference (const weft_series_t *self, double p)
{
    return weft_series_inter_percentile_range (self, p) / self->median;
}

double
weft_series_median_buffer_range (const weft_series_t *self, double q)
{
    if (self->n == 0)
        return NAN;
    //  Strictly inside, so a flat curve has none.
    double far = q * range (self) / 2;
    uint32_t inside = 0;
    for (uint32_t i = count_below (self, self->median - far, false);
         i < self->n && self->sorted[i] <= self->median + far; i++)
        inside += fabs (self->sorted[i] - self->median) < far;
    return (double)inside / self->n;
}

double
weft_series_maximum_slope (const weft_series_t *self)
{
    if (self->n < 2)
        return NAN;
    double most = 0;
    for (uint32_t i = 1; i < self->n; i++) {
        double step = self->m[i] - self->m[i - 1];
        double slope = fabs (step / (self->t[i] - self->t[i - 1]));
        most = slope > most ? slope : most;
    }
    return most;
}

//  ln of the normal distribution beyond x >= 0, and of the rest. Beyond x = 35
//  erfc is 0, and the asymptotic series (Abramowitz and Stegun 26.2.12) has all
//  digits. One erfc does for both: the tail is at most a half, so log1p of it
//  is accurate where the logarithm of the rest would not be.
static void
log_tails (double x, double *beyond, double *rest)
{
    double tail = 0.5 * erfc (x * M_SQRT1_2), y = 1 / (x * x);
    *rest = log1p (-tail);
    *beyond = x < 35 ? log (tail)
                     : -0.5 * x * x - log (x * sqrt (2 * M_PI)) +
                           log1p (y * (3 * y - 1));
}

double
weft_series_anderson_darling (const weft_series_t *self)
{
    if (no_scatter (self, 4))
        return NAN;
    double n = self->n, sum = 0;
    for (uint32_t i = 0; i < self->n; i++) {
        double z = (self->sorted[i] - self->mean) / self->sd, low, high;
        if (z < 0)
            log_tails (-z, &low, &high);
        else
            log_tails (z, &high, &low);
        sum += (2 * i + 1) * low + (2 * (n - i) - 1) * high;
    }
    return (1 + 4 / n - 25 / (n * n)) * (-n - sum / n);
}

double
weft_series_reduced_chi2 (const weft_series_t *self)
{
    if (self->n < 2)
        return NAN;
    double sum = 0;
    for (uint32_t i = 0; i < self->n; i++) {
        double d = self->m[i] - self->weighted_mean;
        sum += self->w[i] * d * d;
    }
    return sum / (self->n - 1);
}

double
weft_series_roms (const weft_series_t *self)
{
    if (self->n < 2)
        return NAN;
    double sum = 0;
    for (uint32_t i = 0; i < self->n; i++)
        sum += fabs (self->m[i] - self->median) * sqrt (self->w[i]);
    return sum / (self->n - 1);
}

double
weft_series_stetson_k (const weft_series_t *self)
{
    if (self->n < 2)
        return NAN;
    double sum = 0, square = 0;
    for (uint32_t i = 0; i < self->n; i++) {
        double d = self->m[i] - self->weighted_mean;
        double d2 = self->w[i] * d * d;
        sum += sqrt (d2);
        square += d2;
    }
    return square > 0 ? sum / sqrt (self->n * square) : NAN;
}

weft_line_t
weft_series_linear_fit (const weft_series_t *self)
{
    if (self->n < 3)
        return (weft_line_t){ NAN, NAN, NAN };
    double t0 = self->t[0], sum_t = 0;
    for (uint32_t i = 0; i < self->n; i++)
        sum_t += self->w[i] * (self->t[i] - t0);
    double tw = t0 + sum_t / self->sum_w, tt = 0, tm = 0, mm = 0;
    for (uint32_t i = 0; i < self->n; i++) {
        double t = self->t[i] - tw, m = self->m[i] - self->weighted_mean;
        tt += self->w[i] * t * t;
        tm += self->w[i] * t * m;
        mm += self->w[i] * m * m;
    }
    double slope = tm / tt;
    //  Rounding may leave a chi2 just below 0 for points on a line.
    double chi2 = fmax (0, mm - slope * tm);
    return (weft_line_t){ slope, 1 / sqrt (tt), chi2 / (self->n - 2) };
}

weft_line_t
weft_series_linear_trend (const weft_series_t *self)
{
    if (self->n < 3)
        return (weft_line_t){ NAN, NAN, NAN };
    double t0 = self->t[0], sum_t = 0;
    for (uint32_t i = 0; i < self->n; i++)
        sum_t += self->t[i] - t0;
    double mean_t = t0 + sum_t / self->n, tt = 0, tm = 0;
    for (uint32_t i = 0; i < self->n; i++) {
        double t = self->t[i] - mean_t;
        tt += t * t;
        tm += t * (self->m[i] - self->mean);
    }
    double slope = tm / tt;
    double rss = fmax (0, self->sum_2 - slope * tm);
    double noise = sqrt (rss / (self->n - 2));
    return (weft_line_t){ slope, noise / sqrt (tt), noise };
}

double
weft_series_slope_from (const weft_series_t *self, uint32_t first)
{
    if (first >= self->n || self->n - first < 3)
        return NAN;
    double t0 = self->t[first], w = 0, wt = 0, wm = 0, tt = 0, tm = 0;
    for (uint32_t i = first; i < self->n; i++) {
        w += self->w[i];
        wt += self->w[i] * (self->t[i] - t0);
        wm += self->w[i] * self->m[i];
    }
    for (uint32_t i = first; i < self->n; i++) {
        double t = self->t[i] - t0 - wt / w;
        tt += self->w[i] * t * t;
        tm += self->w[i] * t * (self->m[i] - wm / w);
    }
    return tm / tt;
}
