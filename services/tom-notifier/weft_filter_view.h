//  weft_filter_view.h - an alert as filters see it: decoded on demand.
//
//  Filters read few things of an alert, and most stop at their first
//  condition. So a section is decoded when something first asks for it, once
//  per alert. One thread; what comes back borrows until the next set.

#ifndef WEFT_FILTER_VIEW_H_INCLUDED
#define WEFT_FILTER_VIEW_H_INCLUDED

#include "weft_alert.h"

typedef struct weft_filter_view weft_filter_view_t;

//  Returns new: a view of nothing. NULL without memory.
WEFT_NEW weft_filter_view_t *weft_filter_view_new (void);
void weft_filter_view_destroy (weft_filter_view_t **self_p);

//  Shows another alert. Borrows `alert` until the next set.
void weft_filter_view_set (weft_filter_view_t *self, const weft_alert_t *alert);

//  May a filter see anything of this section?
bool weft_filter_view_reads (const weft_frame_t *section);

//  The sections, NULL if the alert has none or one that cannot be read; then
//  weft_filter_view_error says which.
const weft_alert_v1_t *weft_filter_view_alert (weft_filter_view_t *self);
const weft_matches_v1_t *weft_filter_view_matches (weft_filter_view_t *self);
const weft_scores_v1_t *weft_filter_view_scores (weft_filter_view_t *self);

//  One class of one live model. Shadow models are not shown to filters.
typedef struct {
    weft_str_t model, version, calibration, name;
    float p;
} weft_class_row_t;

//  One band of the light curve. Only detections (kind D) of the detection
//  curve count for magnitudes and times.
typedef struct {
    uint8_t band;
    uint32_t n_d, n_l, n_f;      //  rows of each kind
    double first_mjd, last_mjd;  //  of the detections, d
    double last_flux, last_err;  //  of the last detection, nJy
    double max_flux, min_flux;   //  of the detections, nJy
} weft_band_row_t;

//  Classes of all live models, and bands that the curve has rows of.
const weft_class_row_t *weft_filter_view_classes (weft_filter_view_t *self,
                                                  uint32_t *n);
const weft_band_row_t *weft_filter_view_bands (weft_filter_view_t *self,
                                               uint32_t *n);

//  0, or why a section that is there could not be decoded (class reject).
//  A section that is not there is no error.
int weft_filter_view_error (const weft_filter_view_t *self);

//  Rows of the light curve, 0 without one.
uint32_t weft_filter_view_rows (weft_filter_view_t *self);

//  "u" ... "y", "zg", "zr", "zi"; NULL for a number that is no band.
const char *weft_band_text (uint8_t band);

#define WEFT_BANDS 9  //  numbers of bands: 0-8

//  Bits of points.use (CONTRACT, the merge rule) and numbers of points.kind.
enum { WEFT_USE_DETECTION = 1, WEFT_USE_FORCED = 2 };
enum { WEFT_POINT_D = 1, WEFT_POINT_L = 2, WEFT_POINT_F = 3 };

#endif
