//  weft_view.h - what one alert may see of its object's light curve.
//
//  The store keeps every row; the view is cut to the alert: nothing measured
//  after it, nothing that was not known when it came. In it no kind of row
//  stands twice in one exposure, limits make way for measurements, `use` tells
//  which curve a row belongs to, and the alert's own row is always there
//  (CONTRACT.md, section 2). One thread at a time.

#ifndef WEFT_VIEW_H_INCLUDED
#define WEFT_VIEW_H_INCLUDED

#include "weft_contracts.h"
#include "weft_curve.h"

typedef struct {
    double t_obs;       //  MJD TAI: rows after it are the future
    uint32_t known_at;  //  UTC seconds of the alert: rows learned later, too
    int64_t trigger;    //  key of the alert's own row
    double obj_ra, obj_dec;  //  deg; NaN: the mean of the detections is taken
    bool public_only;        //  leave rows of other programmes out
    double forced_days;      //  forced rows older than this are cut; 0 = none
    double limit_days;       //  limits longer before the first and before the
                             //  last detection are cut; 0 = none
    uint32_t rows_most;      //  most rows; 0 = no cut
} weft_view_rule_t;

//  The message's defaults: all detections, forced rows of 400 days, limits of
//  30 days before the first and before the last detection, 1,024 rows.
#define WEFT_VIEW_FORCED_DAYS 400
#define WEFT_VIEW_LIMIT_DAYS 30
#define WEFT_VIEW_ROWS_MOST 1024

typedef struct weft_view weft_view_t;

WEFT_NEW weft_view_t *weft_view_new (void);
void weft_view_destroy (weft_view_t **self_p);

//  Makes the view of a curve, which it borrows until the next make. WEFT_ENOMEM; WEFT_EABSENT if the curve lacks the
//  trigger's row.
WEFT_CHECK int weft_view_make (weft_view_t *self,
                               const weft_curve_t *curve,
                               const weft_view_rule_t *rule);

//  Rows in time order, as they are stored. Borrow until the next make, or until
//  the curve changes.
size_t weft_view_rows (const weft_view_t *self);
const weft_point_t *weft_view_row (const weft_view_t *self, size_t i);

//  A row's flags in this view: those stored, and what only the exposure tells.
uint32_t weft_view_flags (const weft_view_t *self, size_t i);

//  Which row is the alert's own, and how many rows were cut for length.
uint32_t weft_view_trigger (const weft_view_t *self);
uint32_t weft_view_cut (const weft_view_t *self);

//  Position of the object: the rule's, else the mean of the detections, deg.
void weft_view_position (const weft_view_t *self, double *ra, double *dec);

//  Fills the columns. They borrow from the view until the next call. Columns
//  that are wholly absent are left out. WEFT_ENOMEM.
WEFT_CHECK int weft_view_points (weft_view_t *self, weft_points_v1_t *points);

//  Separation of two positions, arcsec: haversine, or, where both are near each
//  other and away from the poles, its limit for small angles (to 1e-7 of it).
double weft_view_separation (double ra1, double dec1, double ra2, double dec2);

#endif
