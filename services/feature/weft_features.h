//  weft_features.h - the numbers that describe one alert and its light curve.
//
//  A feature set is an ordered list of names with an id made from them, so a
//  model can say which numbers, in which order, it was trained on. Sets are
//  constant for ever: a change of a name, of the order or of a definition is
//  a new set. weft_features.def is the list; `weft train`, the classifier and
//  the feature stage share it. Sets may be read by any thread; a workspace
//  belongs to one thread at a time.

#ifndef WEFT_FEATURES_H_INCLUDED
#define WEFT_FEATURES_H_INCLUDED

#include "weft_buf.h"
#include "weft_contracts.h"

#define WEFT_FEATURES_MOST 512           //  most features of one set
#define WEFT_FEATURES_POINTS (1u << 17)  //  most rows of one alert
#define WEFT_FEATURES_NAME 48            //  longest name, with its 0

typedef struct weft_feature_set weft_feature_set_t;

//  What one feature is.
typedef struct {
    const char *name;     //  "zg_mean": band and term of the field, or a term
    const char *unit;     //  "nJy", "mag", "d", "arcsec", "" for pure numbers
    const char *of;       //  what goes in: "flux", "mag", "time", "alert", ...
    const char *meaning;  //  one sentence
    uint32_t min_n;       //  fewest points; NaN below
} weft_feature_t;

//  The newest set for a survey ("ztf", "lsst"); NULL if there is none.
const weft_feature_set_t *weft_feature_set_for (weft_str_t survey);

//  The set of that id (features.v1's `set`), or of that name ("ztf.1"); NULL
//  if this build does not know it.
const weft_feature_set_t *weft_feature_set_find (uint32_t id);
const weft_feature_set_t *weft_feature_set_named (const char *name);

//  All sets; NULL beyond the last.
const weft_feature_set_t *weft_feature_set_at (size_t index);

//  Name ("ztf.1"); id: the hash of version and ordered names; count of values.
const char *weft_feature_set_name (const weft_feature_set_t *self);
uint32_t weft_feature_set_id (const weft_feature_set_t *self);
uint32_t weft_feature_set_count (const weft_feature_set_t *self);

//  The feature at that place; index < count. Static.
const weft_feature_t *weft_feature_set_feature (const weft_feature_set_t *self,
                                                uint32_t index);

//  Place of a name in the set, -1 if it is not there.
int weft_feature_set_index (const weft_feature_set_t *self, const char *name);

//  Memory for one thread's computations, so that no curve allocates.
typedef struct weft_feature_work weft_feature_work_t;

//  Returns new: NULL without memory.
WEFT_NEW weft_feature_work_t *weft_feature_work_new (void);

//  Destroys the workspace and sets *self_p to NULL. Safe on NULL.
void weft_feature_work_destroy (weft_feature_work_t **self_p);

//  Computes the whole set from an alert into values[count of the set]; NaN
//  where a value is not defined. WEFT_ERANGE if the points' columns differ in
//  length or are more than WEFT_FEATURES_POINTS. Any okind: the caller decides
//  whether features make sense (weft_features_applicable).
WEFT_CHECK int weft_features_compute (const weft_feature_set_t *set,
                                      const weft_alert_v1_t *alert,
                                      weft_feature_work_t *work,
                                      float *values);

//  NULL if light-curve features make sense for this alert, else why not, as
//  it stands in `note` of features.v1: a solar-system object (okind 2), a
//  survey without a set, a band that is not told.
const char *weft_features_applicable (const weft_alert_v1_t *alert);

//  Appends features.v1 for an alert: the survey's newest set, or a note without
//  values where features are not applicable (set is 0 for an unknown survey).
//  Errors as of weft_features_compute and of encoding.
WEFT_CHECK int weft_features_write (weft_feature_work_t *work,
                                    const weft_alert_v1_t *alert,
                                    weft_buf_t *out);

#endif
