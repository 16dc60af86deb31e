//  weft_filter_view.c - an alert as filters see it: decoded on demand.

#include "weft_filter_view.h"

#include <math.h>

#define CLASSES_MOST 512  //  8 models of 64 classes

enum { NOT_TRIED, READ, MISSING };

struct weft_filter_view {
    const weft_alert_t *alert;
    int error;
    int alert_state, matches_state, scores_state, classes_state, bands_state;
    uint32_t n_classes, n_bands;
    weft_band_row_t bands[WEFT_BANDS];
    weft_class_row_t classes[CLASSES_MOST];
    weft_alert_v1_t alert_v1;
    weft_matches_v1_t matches_v1;
    weft_scores_v1_t scores_v1;
};

weft_filter_view_t *
weft_filter_view_new (void)
{
    return calloc (1, sizeof (weft_filter_view_t));
}

void
weft_filter_view_destroy (weft_filter_view_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

void
weft_filter_view_set (weft_filter_view_t *self, const weft_alert_t *alert)
{
    self->alert = alert;
    self->error = 0;
    self->alert_state = NOT_TRIED;
    self->matches_state = NOT_TRIED;
    self->scores_state = NOT_TRIED;
    self->classes_state = NOT_TRIED;
    self->bands_state = NOT_TRIED;
}

//  Is there a section of this name? Then "absent" was a field within it.
static bool
has_section (const weft_alert_t *alert, const weft_contract_t *contract)
{
    weft_str_t name;
    for (size_t i = 1; i < weft_alert_frames (alert); i++) {
        const weft_frame_t *frame = weft_alert_frame (alert, i);
        if (!weft_contract_name (weft_frame_data (frame),
                                 weft_frame_size (frame), &name) &&
            weft_str_is (name, contract->name))
            return true;
    }
    return false;
}

bool
weft_filter_view_reads (const weft_frame_t *section)
{
    static const weft_contract_t *const shown[] = { &weft_alert_v1,
                                                    &weft_matches_v1,
                                                    &weft_scores_v1 };
    weft_str_t name;
    if (weft_contract_name (weft_frame_data (section),
                            weft_frame_size (section), &name))
        return false;
    for (size_t i = 0; i < WEFT_COUNT (shown); i++)
        if (weft_str_is (name, shown[i]->name))
            return true;
    return false;
}

//  Decodes a section the first time it is asked for.
static bool
read_once (weft_filter_view_t *self,
           int *state,
           const weft_contract_t *contract,
           void *record)
{
    if (*state != NOT_TRIED)
        return *state == READ;
    if (!self->alert)
        return false;
    int rc = weft_alert_read (self->alert, contract, record);
    if (rc && !self->error &&
        (rc != WEFT_EABSENT || has_section (self->alert, contract)))
        self->error = rc;
    *state = rc ? MISSING : READ;
    return !rc;
}

const weft_alert_v1_t *
weft_filter_view_alert (weft_filter_view_t *self)
{
    return read_once (self, &self->alert_state, &weft_alert_v1, &self->alert_v1)
               ? &self->alert_v1
               : NULL;
}

const weft_matches_v1_t *
weft_filter_view_matches (weft_filter_view_t *self)
{
    return read_once (self, &self->matches_state, &weft_matches_v1,
                      &self->matches_v1)
               ? &self->matches_v1
               : NULL;
}

const weft_scores_v1_t *
weft_filter_view_scores (weft_filter_view_t *self)
{
    return read_once (self, &self->scores_state, &weft_scores_v1,
                      &self->scores_v1)
               ? &self->scores_v1
               : NULL;
}

//  Takes the next name of a comma separated list; false at its end.
static bool
next_name (weft_str_t *list, weft_str_t *name)
{
    if (list->n == 0)
        return false;
    const char *comma = memchr (list->p, ',', list->n);
    name->p = list->p;
    name->n = comma ? (uint32_t)(comma - list->p) : list->n;
    uint32_t used = comma ? name->n + 1 : name->n;
    list->p += used;
    list->n -= used;
    return true;
}

static void
add_classes (weft_filter_view_t *self, const weft_score_v1_t *score)
{
    weft_str_t list = score->classes, name;
    for (uint32_t k = 0; k < score->p.n && next_name (&list, &name); k++) {
        if (self->n_classes == CLASSES_MOST)
            return;
        self->classes[self->n_classes++] =
            (weft_class_row_t){ score->model, score->version,
                                score->calibration, name,
                                weft_col_f32 (score->p, k) };
    }
}

const weft_class_row_t *
weft_filter_view_classes (weft_filter_view_t *self, uint32_t *n)
{
    if (self->classes_state == NOT_TRIED) {
        const weft_scores_v1_t *scores = weft_filter_view_scores (self);
        self->n_classes = 0;
        for (uint32_t i = 0; scores && i < scores->n_models; i++)
            if (!scores->models[i].shadow)
                add_classes (self, &scores->models[i]);
        self->classes_state = READ;
    }
    *n = self->n_classes;
    return self->classes;
}

static void
add_detection (weft_band_row_t *band,
               const weft_points_v1_t *points,
               uint32_t i)
{
    double mjd = weft_col_f64 (points->mjd, i);
    double flux = i < points->flux.n ? weft_col_f32 (points->flux, i) : NAN;
    band->max_flux = fmax (band->max_flux, flux);
    band->min_flux = fmin (band->min_flux, flux);
    band->first_mjd = fmin (band->first_mjd, mjd);
    if (band->last_mjd > mjd)
        return;
    band->last_mjd = mjd;
    band->last_flux = flux;
    band->last_err = i < points->err.n ? weft_col_f32 (points->err, i) : NAN;
}

static void
count_row (weft_band_row_t *bands, const weft_points_v1_t *points, uint32_t i)
{
    uint8_t band = weft_col_u8 (points->band, i);
    if (band >= WEFT_BANDS)
        return;
    uint8_t kind = weft_col_u8 (points->kind, i);
    bands[band].n_l += kind == WEFT_POINT_L;
    bands[band].n_f += kind == WEFT_POINT_F;
    if (kind != WEFT_POINT_D)
        return;
    if (points->use.n && !(weft_col_u8 (points->use, i) & WEFT_USE_DETECTION))
        return;
    bands[band].n_d++;
    add_detection (&bands[band], points, i);
}

//  One pass over the curve; bands without rows are left out.
static void
count_bands (weft_filter_view_t *self, const weft_points_v1_t *points)
{
    weft_band_row_t bands[WEFT_BANDS];
    for (uint8_t b = 0; b < WEFT_BANDS; b++)
        bands[b] =
            (weft_band_row_t){ b, 0, 0, 0, NAN, NAN, NAN, NAN, NAN, NAN };
    uint32_t rows = points->mjd.n;
    if (points->band.n == rows && points->kind.n == rows)
        for (uint32_t i = 0; i < rows; i++)
            count_row (bands, points, i);
    for (uint8_t b = 0; b < WEFT_BANDS; b++)
        if (bands[b].n_d + bands[b].n_l + bands[b].n_f > 0)
            self->bands[self->n_bands++] = bands[b];
}

const weft_band_row_t *
weft_filter_view_bands (weft_filter_view_t *self, uint32_t *n)
{
    if (self->bands_state == NOT_TRIED) {
        const weft_alert_v1_t *alert = weft_filter_view_alert (self);
        self->n_bands = 0;
        if (alert)
            count_bands (self, &alert->points);
        self->bands_state = READ;
    }
    *n = self->n_bands;
    return self->bands;
}

int
weft_filter_view_error (const weft_filter_view_t *self)
{
    return self->error;
}

uint32_t
weft_filter_view_rows (weft_filter_view_t *self)
{
    const weft_alert_v1_t *alert = weft_filter_view_alert (self);
    return alert ? alert->points.mjd.n : 0;
}

const char *
weft_band_text (uint8_t band)
{
    static const char *const names[WEFT_BANDS] = { "u", "g",  "r",  "i", "z",
                                                   "y", "zg", "zr", "zi" };
    return band < WEFT_BANDS ? names[band] : NULL;
}
