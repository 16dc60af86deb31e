//  weft_join.h - an alert and its object's curve become one alert.v1.
//
//  One thread at a time.

#ifndef WEFT_JOIN_H_INCLUDED
#define WEFT_JOIN_H_INCLUDED

#include "weft_survey.h"
#include "weft_view.h"

//  The view that an alert has of a curve, cut by `limits` (of which only
//  public_only, forced_days, limit_days and rows_most are read). The curve has
//  the alert's own rows in it already. Fills points, trig and cut, the object's
//  mean position where the survey gives none, and the flags that only the
//  exposure tells. What the alert then holds borrows from `view`.
WEFT_CHECK int weft_join (weft_normal_t *normal,
                          const weft_curve_t *curve,
                          const weft_view_rule_t *limits,
                          weft_view_t *view);

//  "u" to "y", "zg", "zr", "zi"; NULL for none.
const char *weft_band_name (uint8_t band);

#endif
