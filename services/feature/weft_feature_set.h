//  weft_feature_set.h - how a feature set is laid out. Inside this folder only.
//
//  A set is: the features of each band, the features of each pair of
//  neighbouring bands, then those of the alert, common ones first. Constant
//  tables, any thread.

#ifndef WEFT_FEATURE_SET_H_INCLUDED
#define WEFT_FEATURE_SET_H_INCLUDED

#include <stdatomic.h>

#include "weft_features.h"

#define WEFT_FEATURE_BANDS 6  //  most bands of a set

//  Places inside one band's, one pair's and the alert's block.
enum {
#define BAND(name, unit, of, min_n, meaning) WEFT_BAND_##name,
#include "weft_features_band.def"
#undef BAND
    WEFT_BAND_FEATURES
};

enum {
#define PAIR(name, unit, of, min_n, meaning) WEFT_PAIR_##name,
#include "weft_features_pair.def"
#undef PAIR
    WEFT_PAIR_FEATURES
};

enum {
#define ALERT(name, unit, of, min_n, meaning) WEFT_ALERT_##name,
#include "weft_features_alert.def"
#undef ALERT
    WEFT_ALERT_FEATURES
};

enum {
#define ALERT(name, unit, of, min_n, meaning) WEFT_ZTF_##name,
#include "weft_features_ztf.def"
#undef ALERT
    WEFT_ZTF_FEATURES
};

enum {
#define ALERT(name, unit, of, min_n, meaning) WEFT_LSST_##name,
#include "weft_features_lsst.def"
#undef ALERT
    WEFT_LSST_FEATURES
};

struct weft_feature_set {
    const char *name;
    const char *survey;
    const weft_feature_t *features;
    uint32_t count;
    uint8_t first_band;  //  code in alert.v1; the bands are neighbours
    uint8_t n_bands;
    _Atomic uint32_t *id;  //  0 until it is asked for
};

//  Where the blocks begin.
static inline uint32_t
weft_feature_set_pairs_at (const weft_feature_set_t *self)
{
    return self->n_bands * (uint32_t)WEFT_BAND_FEATURES;
}

static inline uint32_t
weft_feature_set_alert_at (const weft_feature_set_t *self)
{
    return weft_feature_set_pairs_at (self) +
           (self->n_bands - 1u) * (uint32_t)WEFT_PAIR_FEATURES;
}

static inline uint32_t
weft_feature_set_survey_at (const weft_feature_set_t *self)
{
    return weft_feature_set_alert_at (self) + WEFT_ALERT_FEATURES;
}

#endif
