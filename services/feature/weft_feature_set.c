//  weft_feature_set.c - the feature sets as tables, made from the .def files.
//
//  Nothing here is computed but the ids. A released set never changes: the
//  tests hold its id, so that a change of a name or of the order is noticed. A
//  change of a definition needs a new name, "ztf.2".

#include "weft_feature_set.h"

#include "weft_hash.h"

#define ROW(prefix, name, unit, of, min_n, meaning)                            \
    { prefix #name, unit, of, meaning, min_n },
#define ALERT(name, unit, of, min_n, meaning)                                  \
    ROW ("", name, unit, of, min_n, meaning)

static const weft_feature_t ztf_1_features[] = {
#define BAND(name, unit, of, min_n, meaning)                                   \
    ROW ("zg_", name, unit, of, min_n, meaning)
#include "weft_features_band.def"
#undef BAND
#define BAND(name, unit, of, min_n, meaning)                                   \
    ROW ("zr_", name, unit, of, min_n, meaning)
#include "weft_features_band.def"
#undef BAND
#define PAIR(name, unit, of, min_n, meaning)                                   \
    ROW ("zg_zr_", name, unit, of, min_n, meaning)
#include "weft_features_pair.def"
#undef PAIR
#include "weft_features_alert.def"
#include "weft_features_ztf.def"
};

static const weft_feature_t lsst_1_features[] = {
#define BAND(name, unit, of, min_n, meaning)                                   \
    ROW ("u_", name, unit, of, min_n, meaning)
#include "weft_features_band.def"
#undef BAND
#define BAND(name, unit, of, min_n, meaning)                                   \
    ROW ("g_", name, unit, of, min_n, meaning)
#include "weft_features_band.def"
#undef BAND
#define BAND(name, unit, of, min_n, meaning)                                   \
    ROW ("r_", name, unit, of, min_n, meaning)
#include "weft_features_band.def"
#undef BAND
#define BAND(name, unit, of, min_n, meaning)                                   \
    ROW ("i_", name, unit, of, min_n, meaning)
#include "weft_features_band.def"
#undef BAND
#define BAND(name, unit, of, min_n, meaning)                                   \
    ROW ("z_", name, unit, of, min_n, meaning)
#include "weft_features_band.def"
#undef BAND
#define BAND(name, unit, of, min_n, meaning)                                   \
    ROW ("y_", name, unit, of, min_n, meaning)
#include "weft_features_band.def"
#undef BAND
#define PAIR(name, unit, of, min_n, meaning)                                   \
    ROW ("u_g_", name, unit, of, min_n, meaning)
#include "weft_features_pair.def"
#undef PAIR
#define PAIR(name, unit, of, min_n, meaning)                                   \
    ROW ("g_r_", name, unit, of, min_n, meaning)
#include "weft_features_pair.def"
#undef PAIR
#define PAIR(name, unit, of, min_n, meaning)                                   \
    ROW ("r_i_", name, unit, of, min_n, meaning)
#include "weft_features_pair.def"
#undef PAIR
#define PAIR(name, unit, of, min_n, meaning)                                   \
    ROW ("i_z_", name, unit, of, min_n, meaning)
#include "weft_features_pair.def"
#undef PAIR
#define PAIR(name, unit, of, min_n, meaning)                                   \
    ROW ("z_y_", name, unit, of, min_n, meaning)
#include "weft_features_pair.def"
#undef PAIR
#include "weft_features_alert.def"
#include "weft_features_lsst.def"
};

#undef ALERT
#undef ROW

#define FITS(bands, features, survey)                                          \
    _Static_assert(WEFT_COUNT (features) ==                                    \
                       (bands)*WEFT_BAND_FEATURES +                            \
                           ((bands)-1) * WEFT_PAIR_FEATURES +                  \
                           WEFT_ALERT_FEATURES + (survey),                     \
                   "a table does not have the layout of its set");             \
    _Static_assert(WEFT_COUNT (features) <= WEFT_FEATURES_MOST,                \
                   "a set has more features than a caller has room for")

FITS (2, ztf_1_features, WEFT_ZTF_FEATURES);
FITS (6, lsst_1_features, WEFT_LSST_FEATURES);

static _Atomic uint32_t ids[2];

//  Newest first for each survey.
static const weft_feature_set_t sets[] = {
    { .name = "ztf.1",
      .survey = "ztf",
      .features = ztf_1_features,
      .count = WEFT_COUNT (ztf_1_features),
      .first_band = 6,
      .n_bands = 2,
      .id = &ids[0] },
    { .name = "lsst.1",
      .survey = "lsst",
      .features = lsst_1_features,
      .count = WEFT_COUNT (lsst_1_features),
      .first_band = 0,
      .n_bands = 6,
      .id = &ids[1] },
};

const weft_feature_set_t *
weft_feature_set_at (size_t index)
{
    return index < WEFT_COUNT (sets) ? &sets[index] : NULL;
}

const weft_feature_set_t *
weft_feature_set_for (weft_str_t survey)
{
    for (size_t i = 0; i < WEFT_COUNT (sets); i++)
        if (weft_str_is (survey, sets[i].survey))
            return &sets[i];
    return NULL;
}

const weft_feature_set_t *
weft_feature_set_find (uint32_t id)
{
    for (size_t i = 0; i < WEFT_COUNT (sets); i++)
        if (weft_feature_set_id (&sets[i]) == id)
            return &sets[i];
    return NULL;
}

const weft_feature_set_t *
weft_feature_set_named (const char *name)
{
    for (size_t i = 0; i < WEFT_COUNT (sets); i++)
        if (strcmp (sets[i].name, name) == 0)
            return &sets[i];
    return NULL;
}

const char *
weft_feature_set_name (const weft_feature_set_t *self)
{
    return self->name;
}

//  Name and ordered feature names, each with its 0, hashed in a chain.
static uint32_t
make_id (const weft_feature_set_t *self)
{
    uint64_t hash = weft_hash (self->name, strlen (self->name) + 1);
    for (uint32_t i = 0; i < self->count; i++) {
        const char *name = self->features[i].name;
        hash = weft_hash_u64 (hash ^ weft_hash (name, strlen (name) + 1));
    }
    uint32_t id = (uint32_t)(hash ^ hash >> 32);
    return id ? id : 1;
}

uint32_t
weft_feature_set_id (const weft_feature_set_t *self)
{
    //  Threads that race here store the same number.
    uint32_t id = atomic_load_explicit (self->id, memory_order_relaxed);
    if (id == 0) {
        id = make_id (self);
        atomic_store_explicit (self->id, id, memory_order_relaxed);
    }
    return id;
}

uint32_t
weft_feature_set_count (const weft_feature_set_t *self)
{
    return self->count;
}

const weft_feature_t *
weft_feature_set_feature (const weft_feature_set_t *self, uint32_t index)
{
    assert (index < self->count);
    return &self->features[index];
}

int
weft_feature_set_index (const weft_feature_set_t *self, const char *name)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (strcmp (self->features[i].name, name) == 0)
            return (int)i;
    return -1;
}
