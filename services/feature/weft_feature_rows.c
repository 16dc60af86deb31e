//  weft_feature_rows.c - one light curve, split into the curves of its bands.

#include "weft_feature_rows.h"

#include <math.h>

#define COLUMNS 8
#define FIRST_ROOM 1024
#define MAG_NJY 31.4                //  AB magnitude of 1 nJy
#define MAG_ERROR (2.5 * M_LOG10E)  //  sigma of a magnitude per err/flux

weft_feature_work_t *
weft_feature_work_new (void)
{
    return calloc (1, sizeof (weft_feature_work_t));
}

void
weft_feature_work_destroy (weft_feature_work_t **self_p)
{
    if (*self_p == NULL)
        return;
    free ((*self_p)->block);
    free (*self_p);
    *self_p = NULL;
}

static int
make_room (weft_feature_work_t *work, size_t rows)
{
    if (work->block && rows <= work->room)
        return 0;
    size_t room = FIRST_ROOM;
    while (room < rows)
        room *= 2;
    double *block = malloc (COLUMNS * room * sizeof *block);
    if (block == NULL)
        return WEFT_ENOMEM;
    free (work->block);
    work->block = block;
    work->room = room;
    return 0;
}

static bool
fits (weft_col_t col, uint32_t n)
{
    return col.n == n || col.n == 0;
}

static int
check_columns (const weft_points_v1_t *points, uint32_t *n)
{
    *n = points->mjd.n;
    //  Without these three no row belongs to any curve.
    if (points->use.n == 0 || points->kind.n == 0 || points->band.n == 0)
        *n = 0;
    if (*n == 0)
        return 0;
    bool same = fits (points->use, *n) && fits (points->kind, *n) &&
                fits (points->band, *n) && fits (points->flux, *n) &&
                fits (points->err, *n) && fits (points->tot, *n) &&
                fits (points->tot_err, *n) && fits (points->flags, *n);
    return same && *n <= WEFT_FEATURES_POINTS ? 0 : WEFT_ERANGE;
}

//  Gives each band its part of every column.
static void
share_columns (weft_feature_work_t *work,
               const weft_feature_set_t *set,
               const weft_points_v1_t *points,
               uint32_t n)
{
    uint32_t counts[WEFT_FEATURE_BANDS] = { 0 };
    for (uint32_t i = 0; i < n; i++) {
        unsigned slot = (unsigned)points->band.p[i] - set->first_band;
        if (slot < set->n_bands)
            counts[slot]++;
    }
    double *at = work->block;
    work->sorting = at + 6 * work->room;
    for (unsigned b = 0; b < set->n_bands; b++) {
        weft_feature_band_t *band = &work->bands[b];
        *band =
            (weft_feature_band_t){ .first = NAN, .last = NAN, .limit = NAN };
        band->t = at;
        band->flux = at + work->room;
        band->w = at + 2 * work->room;
        band->mag_t = at + 3 * work->room;
        band->mag = at + 4 * work->room;
        band->mag_w = at + 5 * work->room;
        at += counts[b];
    }
}

static float
value_of (weft_col_t col, uint32_t i)
{
    return col.n ? weft_col_f32 (col, i) : NAN;
}

static void
count_row (weft_feature_band_t *band,
           const weft_points_v1_t *points,
           uint32_t i,
           double t)
{
    uint8_t use = points->use.p[i], kind = points->kind.p[i];
    if (kind == WEFT_ROW_F && use & WEFT_USE_FORCED)
        band->forced++;
    if (!(use & WEFT_USE_DETECTION))
        return;
    if (kind == WEFT_ROW_L) {
        band->limits++;
        if (band->detections == 0)
            band->limit = t;
    } else if (kind == WEFT_ROW_D) {
        if (band->detections++ == 0)
            band->first = t;
        band->last = t;
        band->negative += value_of (points->flux, i) < 0;
        if (points->flags.n)
            band->bad += weft_col_u32 (points->flags, i) & 1;
    }
}

//  A point needs a value and an error, or it has no weight.
static void
add_flux (weft_feature_band_t *band,
          const weft_points_v1_t *points,
          uint32_t i,
          double t)
{
    double flux = value_of (points->flux, i), err = value_of (points->err, i);
    if (!isfinite (flux) || !isfinite (err) || !(err > 0))
        return;
    band->t[band->n] = t;
    band->flux[band->n] = flux;
    band->w[band->n++] = 1 / (err * err);
}

//  A total flux of 0 or below has no magnitude.
static void
add_total (weft_feature_band_t *band,
           const weft_points_v1_t *points,
           uint32_t i,
           double t)
{
    double tot = value_of (points->tot, i), err = value_of (points->tot_err, i);
    if (!isfinite (tot) || !isfinite (err) || !(tot > 0) || !(err > 0))
        return;
    double sigma = MAG_ERROR * err / tot;
    band->mag_t[band->n_mag] = t;
    //  A float has digits enough, and fewer bits are faster to sort.
    band->mag[band->n_mag] = (float)(MAG_NJY - 2.5 * log10 (tot));
    band->mag_w[band->n_mag++] = 1 / (sigma * sigma);
}

int
weft_feature_rows (weft_feature_work_t *work,
                   const weft_feature_set_t *set,
                   const weft_alert_v1_t *alert)
{
    const weft_points_v1_t *points = &alert->points;
    uint32_t n;
    int rc = check_columns (points, &n);
    if (rc == 0)
        rc = make_room (work, n);
    if (rc)
        return rc;
    share_columns (work, set, points, n);
    for (uint32_t i = 0; i < n; i++) {
        unsigned slot = (unsigned)points->band.p[i] - set->first_band;
        double t = weft_col_f64 (points->mjd, i);
        if (slot >= set->n_bands || !isfinite (t))
            continue;
        weft_feature_band_t *band = &work->bands[slot];
        uint8_t use = points->use.p[i];
        count_row (band, points, i, t);
        if (use & WEFT_USE_FORCED) {
            add_flux (band, points, i, t);
            if (use & WEFT_USE_TOTAL)
                add_total (band, points, i, t);
        }
    }
    return 0;
}
