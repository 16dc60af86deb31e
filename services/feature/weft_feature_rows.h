//  weft_feature_rows.h - one light curve, split into the curves of its bands.
//
//  The merge was done by ingest; `use` says which rows make which curve. Here
//  rows are only sorted out by band. Memory is the workspace's and is used
//  again for the next alert. Inside this folder only. One thread for each
//  workspace.

#ifndef WEFT_FEATURE_ROWS_H_INCLUDED
#define WEFT_FEATURE_ROWS_H_INCLUDED

#include "weft_feature_set.h"
#include "weft_series.h"

//  Bits of `use` and values of `kind`, as in points.v1.
enum { WEFT_USE_DETECTION = 1, WEFT_USE_FORCED = 2, WEFT_USE_TOTAL = 4 };
enum { WEFT_ROW_D = 1, WEFT_ROW_L = 2, WEFT_ROW_F = 3 };

typedef struct {
    uint32_t detections, negative, bad, limits, forced;
    double first, last;    //  detections, MJD; NaN if there are none
    double limit;          //  last limit before the first detection, or NaN
    double *t, *flux, *w;  //  forced-first curve
    uint32_t n;
    double *mag_t, *mag, *mag_w;  //  total-flux curve
    uint32_t n_mag;
} weft_feature_band_t;

struct weft_feature_work {
    double *block;  //  8 columns of `room` rows
    size_t room;
    double *sorting;  //  2 of these columns, for weft_series_init
    weft_feature_band_t bands[WEFT_FEATURE_BANDS];
};

//  Fills work->bands from the alert's points. WEFT_ERANGE as in weft_features.h,
//  WEFT_ENOMEM if the workspace cannot grow.
WEFT_CHECK int weft_feature_rows (weft_feature_work_t *work,
                                  const weft_feature_set_t *set,
                                  const weft_alert_v1_t *alert);

#endif
