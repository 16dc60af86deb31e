//  weft_features.c - computes a feature set from one alert.
//
//  The order of work: rows to bands, each band's curve, neighbouring bands,
//  the alert's own numbers. Values are computed in double and kept in float.

#include "weft_features.h"

#include <float.h>
#include <math.h>

#include "weft_feature_rows.h"

#define COMMON_DAYS 0.5  //  two points of one epoch are at most this apart
#define COMMON_SIGMA 3   //  and both at least this bright
#define RECENT_DAYS 20   //  of recent_slope

//  A value that no float holds is as undefined as NaN.
static float
f32 (double value)
{
    return fabs (value) <= FLT_MAX ? (float)value : NAN;
}

static double
magnitude (double flux)
{
    return flux > 0 ? 31.4 - 2.5 * log10 (flux) : NAN;
}

static double
ratio (double over, double under)
{
    return under != 0 ? over / under : NAN;
}

const char *
weft_features_applicable (const weft_alert_v1_t *alert)
{
    if (alert->okind == 2)
        return "not applicable: a solar-system object has no light curve";
    if (weft_feature_set_for (alert->survey) == NULL)
        return "not applicable: no feature set for this survey";
    return NULL;
}

static void
count_features (const weft_feature_band_t *band, double now, float *out)
{
    out[WEFT_BAND_detections] = f32 (band->detections);
    out[WEFT_BAND_limits] = f32 (band->limits);
    out[WEFT_BAND_forced] = f32 (band->forced);
    out[WEFT_BAND_negative_share] =
        band->detections ? f32 ((double)band->negative / band->detections)
                         : NAN;
    out[WEFT_BAND_first_age] = f32 (now - band->first);
    out[WEFT_BAND_last_age] = f32 (now - band->last);
    out[WEFT_BAND_limit_gap] = f32 (band->first - band->limit);
}

static void
moment_features (const weft_series_t *curve, float *out)
{
    out[WEFT_BAND_points] = f32 (curve->n);
    out[WEFT_BAND_time_span] = f32 (weft_series_duration (curve));
    out[WEFT_BAND_mean] = f32 (curve->mean);
    out[WEFT_BAND_weighted_mean] = f32 (curve->weighted_mean);
    out[WEFT_BAND_standard_deviation] = f32 (curve->sd);
    out[WEFT_BAND_median] = f32 (curve->median);
    out[WEFT_BAND_median_absolute_deviation] = f32 (weft_series_mad (curve));
    out[WEFT_BAND_amplitude] = f32 (weft_series_amplitude (curve));
    out[WEFT_BAND_skew] = f32 (weft_series_skew (curve));
    out[WEFT_BAND_kurtosis] = f32 (weft_series_kurtosis (curve));
    out[WEFT_BAND_beyond_1_std] = f32 (weft_series_beyond_std (curve, 1));
    out[WEFT_BAND_inter_percentile_range_10] =
        f32 (weft_series_inter_percentile_range (curve, 0.1));
    out[WEFT_BAND_magnitude_percentage_ratio_40_5] =
        f32 (weft_series_magnitude_percentage_ratio (curve, 0.4, 0.05));
}

static void
order_features (const weft_series_t *curve, float *out)
{
    weft_line_t line = weft_series_linear_fit (curve);
    out[WEFT_BAND_linear_fit_slope] = f32 (line.slope);
    out[WEFT_BAND_linear_fit_slope_sigma] = f32 (line.slope_sigma);
    out[WEFT_BAND_linear_fit_reduced_chi2] = f32 (line.noise);
    out[WEFT_BAND_chi2] = f32 (weft_series_reduced_chi2 (curve));
    out[WEFT_BAND_eta] = f32 (weft_series_eta (curve));
    out[WEFT_BAND_stetson_K] = f32 (weft_series_stetson_k (curve));
    out[WEFT_BAND_maximum_slope] = f32 (weft_series_maximum_slope (curve));
}

//  Times and share of the points above half of the peak.
static void
half_features (const weft_series_t *curve, float *out)
{
    double half = curve->m[curve->at_max] / 2;
    uint32_t first = curve->n, last = 0, above = 0, positive = 0;
    for (uint32_t i = 0; i < curve->n; i++) {
        positive += curve->m[i] > 0;
        if (curve->m[i] < half)
            continue;
        first = WEFT_MIN (first, i);
        last = i;
        above++;
    }
    out[WEFT_BAND_positive_share] = f32 ((double)positive / curve->n);
    //  Half of a negative peak is brighter than the peak: no such times.
    if (!(half > 0))
        return;
    out[WEFT_BAND_rise_time] = f32 (curve->t[curve->at_max] - curve->t[first]);
    out[WEFT_BAND_half_time] = f32 (curve->t[last] - curve->t[first]);
    out[WEFT_BAND_half_share] = f32 ((double)above / curve->n);
}

static void
peak_features (const weft_series_t *curve, double now, float *out)
{
    if (curve->n == 0)
        return;
    double peak = curve->m[curve->at_max];
    out[WEFT_BAND_peak] = f32 (peak);
    out[WEFT_BAND_peak_age] = f32 (now - curve->t[curve->at_max]);
    out[WEFT_BAND_last_over_peak] = f32 (ratio (curve->m[curve->n - 1], peak));
    double most = -INFINITY;
    for (uint32_t i = 0; i < curve->n; i++)
        most = fmax (most, curve->m[i] * sqrt (curve->w[i]));
    out[WEFT_BAND_peak_snr] = f32 (most);
    half_features (curve, out);
    uint32_t recent = curve->n;
    while (recent > 0 && curve->t[recent - 1] >= now - RECENT_DAYS)
        recent--;
    double slope = weft_series_slope_from (curve, recent);
    out[WEFT_BAND_recent_slope] = f32 (ratio (slope, fabs (peak)));
}

static void
magnitude_features (weft_feature_band_t *band, double *sorting, float *out)
{
    weft_series_t curve;
    weft_series_init (&curve, band->mag_t, band->mag, band->mag_w, band->n_mag,
                      sorting);
    out[WEFT_BAND_mag_points] = f32 (curve.n);
    out[WEFT_BAND_mag_median] = f32 (curve.median);
    out[WEFT_BAND_mag_standard_deviation] = f32 (curve.sd);
    out[WEFT_BAND_mag_amplitude] = f32 (weft_series_amplitude (&curve));
    out[WEFT_BAND_mag_skew] = f32 (weft_series_skew (&curve));
    out[WEFT_BAND_mag_eta] = f32 (weft_series_eta (&curve));
    out[WEFT_BAND_mag_chi2] = f32 (weft_series_reduced_chi2 (&curve));
    out[WEFT_BAND_mag_linear_fit_slope] =
        f32 (weft_series_linear_fit (&curve).slope);
}

static void
band_features (weft_feature_band_t *band,
               double *sorting,
               double now,
               float *out)
{
    weft_series_t curve;
    weft_series_init (&curve, band->t, band->flux, band->w, band->n, sorting);
    band->n = curve.n;
    count_features (band, now, out);
    moment_features (&curve, out);
    order_features (&curve, out);
    peak_features (&curve, now, out);
    magnitude_features (band, sorting, out);
}

typedef struct {
    double t, colour, variance;
} epoch_t;

//  Is the point bright enough for a colour?
static bool
is_bright (const weft_feature_band_t *band, uint32_t i)
{
    return band->flux[i] * sqrt (band->w[i]) >= COMMON_SIGMA;
}

static double
colour_variance (const weft_feature_band_t *band, uint32_t i)
{
    double relative = 2.5 * M_LOG10E / band->flux[i];
    return relative * relative / band->w[i];
}

//  If rows i and j make a common epoch, fills it in.
static bool
is_common (const weft_feature_band_t *blue,
           uint32_t i,
           const weft_feature_band_t *red,
           uint32_t j,
           epoch_t *epoch)
{
    if (fabs (blue->t[i] - red->t[j]) > COMMON_DAYS)
        return false;
    if (!is_bright (blue, i) || !is_bright (red, j))
        return false;
    epoch->t = fmax (blue->t[i], red->t[j]);
    epoch->colour = -2.5 * log10 (blue->flux[i] / red->flux[j]);
    epoch->variance = colour_variance (blue, i) + colour_variance (red, j);
    return true;
}

//  Walks back from the newest points: a point that is too faint, or else the
//  later of the two, is dropped until both are of one epoch.
static bool
last_common (const weft_feature_band_t *blue,
             const weft_feature_band_t *red,
             epoch_t *epoch)
{
    uint32_t i = blue->n, j = red->n;
    while (i > 0 && j > 0) {
        if (is_common (blue, i - 1, red, j - 1, epoch))
            return true;
        bool later = blue->t[i - 1] > red->t[j - 1];
        if (!is_bright (blue, i - 1) || (is_bright (red, j - 1) && later))
            i--;
        else
            j--;
    }
    return false;
}

//  The same from the oldest points on, the earlier one is dropped.
static bool
first_common (const weft_feature_band_t *blue,
              const weft_feature_band_t *red,
              epoch_t *epoch)
{
    uint32_t i = 0, j = 0;
    while (i < blue->n && j < red->n) {
        if (is_common (blue, i, red, j, epoch))
            return true;
        bool earlier = blue->t[i] < red->t[j];
        if (!is_bright (blue, i) || (is_bright (red, j) && earlier))
            i++;
        else
            j++;
    }
    return false;
}

static void
pair_features (const weft_feature_band_t *blue,
               const weft_feature_band_t *red,
               const float *of_blue,
               const float *of_red,
               double now,
               float *out)
{
    epoch_t first, last;
    out[WEFT_PAIR_colour_of_median] =
        of_blue[WEFT_BAND_mag_median] - of_red[WEFT_BAND_mag_median];
    out[WEFT_PAIR_amplitude_ratio] =
        f32 (ratio (of_blue[WEFT_BAND_amplitude], of_red[WEFT_BAND_amplitude]));
    if (!last_common (blue, red, &last))
        return;
    out[WEFT_PAIR_colour] = f32 (last.colour);
    out[WEFT_PAIR_colour_sigma] = f32 (sqrt (last.variance));
    out[WEFT_PAIR_colour_age] = f32 (now - last.t);
    if (first_common (blue, red, &first) && last.t - first.t > COMMON_DAYS)
        out[WEFT_PAIR_colour_change] =
            f32 ((last.colour - first.colour) / (last.t - first.t));
}

//  Absolute latitude above a great circle whose pole is given, degrees.
static double
latitude (const weft_alert_v1_t *alert, double pole_ra, double pole_dec)
{
    double deg = M_PI / 180, dec = alert->dec * deg, pole = pole_dec * deg;
    double along = cos ((alert->ra - pole_ra) * deg);
    double s = sin (dec) * sin (pole) + cos (dec) * cos (pole) * along;
    return fabs (asin (fmax (-1, fmin (1, s)))) / deg;
}

//  First detection and number of detections in the curve, over all bands.
static void
sum_bands (const weft_feature_work_t *work,
           const weft_feature_set_t *set,
           double *first,
           uint32_t *detections)
{
    *first = NAN;
    *detections = 0;
    for (unsigned b = 0; b < set->n_bands; b++) {
        *first = fmin (*first, work->bands[b].first);
        *detections += work->bands[b].detections;
    }
}

static void
alert_features (const weft_alert_v1_t *alert,
                double first,
                uint32_t detections,
                float *out)
{
    bool told = WEFT_HAS (alert_v1, alert, n_det);
    double flux = alert->flux;
    out[WEFT_ALERT_mag] = f32 (magnitude (fabs (flux)));
    out[WEFT_ALERT_snr] = f32 (ratio (fabs (flux), alert->flux_err));
    if (isfinite (flux))
        out[WEFT_ALERT_negative] = flux < 0;
    out[WEFT_ALERT_aperture_ratio] = f32 (ratio (alert->ap_flux, flux));
    out[WEFT_ALERT_ref_mag] = f32 (magnitude (alert->ref));
    out[WEFT_ALERT_ref_sep] = alert->ref_sep;
    out[WEFT_ALERT_flux_over_ref] = f32 (ratio (flux, alert->ref));
    out[WEFT_ALERT_drb] = alert->drb;
    //  LSST gives the sum and the number of pixels, ZTF the ratio.
    bool sum = WEFT_HAS (alert_v1, alert, psf_ndata);
    out[WEFT_ALERT_chipsf] =
        sum ? f32 (ratio (alert->chipsf, alert->psf_ndata)) : alert->chipsf;
    out[WEFT_ALERT_n_det] = told ? (float)alert->n_det : (float)detections;
    out[WEFT_ALERT_age] = f32 (alert->t_obs - first);
    //  North poles of the galaxy (J2000) and of the ecliptic.
    out[WEFT_ALERT_galactic_latitude] =
        f32 (latitude (alert, 192.85948, 27.12825));
    out[WEFT_ALERT_ecliptic_latitude] =
        f32 (latitude (alert, 270.0, 90.0 - 23.4392911));
}

static float
count_or_nan (bool told, int32_t count)
{
    return told ? (float)count : NAN;
}

static void
ztf_features (const weft_alert_v1_t *alert, double first, float *out)
{
    const weft_ps1_v1_t *ps1 = alert->n_ps1 ? &alert->ps1[0] : NULL;
    bool covered = WEFT_HAS (alert_v1, alert, n_cov) && alert->n_cov > 0 &&
                   WEFT_HAS (alert_v1, alert, n_det);
    out[WEFT_ZTF_rb] = alert->rb;
    out[WEFT_ZTF_sgscore1] = ps1 ? ps1->sg : NAN;
    out[WEFT_ZTF_distpsnr1] = ps1 ? ps1->sep : NAN;
    out[WEFT_ZTF_srmag1] = ps1 ? ps1->r : NAN;
    out[WEFT_ZTF_chinr] = alert->ref_chi;
    out[WEFT_ZTF_sharpnr] = alert->ref_sharp;
    out[WEFT_ZTF_neargaia] = alert->gaia.sep;
    out[WEFT_ZTF_maggaia] = alert->gaia.g;
    out[WEFT_ZTF_neargaiabright] = alert->gaia.bright_sep;
    out[WEFT_ZTF_ssdistnr] = alert->sso.sep;
    if (covered)
        out[WEFT_ZTF_cov_share] = f32 ((double)alert->n_det / alert->n_cov);
    out[WEFT_ZTF_ref_lead] = f32 (first - alert->ref_end);
    out[WEFT_ZTF_depth] =
        f32 (magnitude (alert->lim) - magnitude (fabs ((double)alert->flux)));
    out[WEFT_ZTF_magdiff] = alert->magdiff;
    out[WEFT_ZTF_fwhm] = alert->fwhm;
    out[WEFT_ZTF_classtar] = alert->classtar;
    out[WEFT_ZTF_elong] = alert->elong;
    out[WEFT_ZTF_sumrat] = alert->sumrat;
    out[WEFT_ZTF_seeratio] = alert->seeratio;
    out[WEFT_ZTF_mindtoedge] = alert->mindtoedge;
    out[WEFT_ZTF_nbad] =
        count_or_nan (WEFT_HAS (alert_v1, alert, nbad), alert->nbad);
    out[WEFT_ZTF_nneg] =
        count_or_nan (WEFT_HAS (alert_v1, alert, nneg), alert->nneg);
    out[WEFT_ZTF_nmtchps] =
        count_or_nan (WEFT_HAS (alert_v1, alert, nmtchps), alert->nmtchps);
    out[WEFT_ZTF_dsnrms] = alert->dsnrms;
    out[WEFT_ZTF_ssnrms] = alert->ssnrms;
}

//  Size of the source over that of the PSF; shape is ixx iyy ixy and the PSF's.
static double
shape_ratio (weft_col_t shape)
{
    if (shape.n != 6)
        return NAN;
    return ratio (weft_col_f32 (shape, 0) + weft_col_f32 (shape, 1),
                  weft_col_f32 (shape, 3) + weft_col_f32 (shape, 4));
}

static void
lsst_features (const weft_alert_v1_t *alert,
               const weft_feature_work_t *work,
               uint32_t detections,
               float *out)
{
    uint32_t bad = 0;
    for (unsigned b = 0; b < 6; b++)
        bad += work->bands[b].bad;
    out[WEFT_LSST_extendedness] = alert->extended;
    out[WEFT_LSST_psf_ndata] =
        count_or_nan (WEFT_HAS (alert_v1, alert, psf_ndata), alert->psf_ndata);
    out[WEFT_LSST_dipole_length] = alert->dip_len;
    out[WEFT_LSST_trail_length] = alert->trail_len;
    out[WEFT_LSST_shape_ratio] = f32 (shape_ratio (alert->shape));
    out[WEFT_LSST_bad_share] = f32 (ratio (bad, detections));
}

int
weft_features_compute (const weft_feature_set_t *set,
                       const weft_alert_v1_t *alert,
                       weft_feature_work_t *work,
                       float *values)
{
    int rc = weft_feature_rows (work, set, alert);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < set->count; i++)
        values[i] = NAN;
    double now = alert->t_obs, first;
    uint32_t detections;
    sum_bands (work, set, &first, &detections);
    for (unsigned b = 0; b < set->n_bands; b++)
        band_features (&work->bands[b], work->sorting, now,
                       values + b * WEFT_BAND_FEATURES);
    float *out = values + weft_feature_set_pairs_at (set);
    for (unsigned b = 0; b + 1 < set->n_bands; b++)
        pair_features (&work->bands[b], &work->bands[b + 1],
                       values + b * WEFT_BAND_FEATURES,
                       values + (b + 1) * WEFT_BAND_FEATURES, now,
                       out + b * WEFT_PAIR_FEATURES);
    first = fmin (first, alert->first_mjd);
    alert_features (alert, first, detections,
                    values + weft_feature_set_alert_at (set));
    out = values + weft_feature_set_survey_at (set);
    if (set->first_band == 6)
        ztf_features (alert, first, out);
    else
        lsst_features (alert, work, detections, out);
    //  What the survey wrote may be infinite; models take NaN only.
    for (uint32_t i = 0; i < set->count; i++)
        if (!isfinite (values[i]))
            values[i] = NAN;
    return 0;
}
