//  weft_scorer.h - one published model, checked and ready to score.
//
//  Made from a section in model.v1; whatever is wrong with it is found here,
//  with a reason in words, before the model is live. A scorer does not change:
//  any thread may score with it, and it is swapped as a pointer.

#ifndef WEFT_SCORER_H_INCLUDED
#define WEFT_SCORER_H_INCLUDED

#include "weft_contracts.h"

#define WEFT_SCORER_WHY 160
#define WEFT_MODEL_SECTION_MOST (64u << 20)  //  bytes of a section
#define WEFT_VERSION_SIZE 65  //  SHA-256 in hexadecimal, terminated

typedef struct weft_scorer weft_scorer_t;

//  Returns new: the model in this section (copied), or NULL and in `why` the
//  first thing that is wrong: not model.v1, a version that is not its SHA-256,
//  a format, feature set or calibration that this build does not know, classes
//  or features that do not match the trees.
WEFT_NEW weft_scorer_t *
weft_scorer_new (const void *section, size_t size, char why[WEFT_SCORER_WHY]);

//  Destroys the scorer and sets *self_p to NULL. Safe on NULL.
void weft_scorer_destroy (weft_scorer_t **self_p);

//  What the model says of itself. Borrows for life.
const char *weft_scorer_name (const weft_scorer_t *self);
const char *weft_scorer_version (const weft_scorer_t *self);
const char *weft_scorer_classes (const weft_scorer_t *self);  //  "a,b,c"
uint32_t weft_scorer_class_count (const weft_scorer_t *self);
uint32_t weft_scorer_set (const weft_scorer_t *self);
const char *weft_scorer_calibration (const weft_scorer_t *self);

//  Probabilities of `rows` feature vectors in the set's order: p gets rows
//  times weft_scorer_class_count values.
void weft_scorer_score (const weft_scorer_t *self,
                        const float *values,
                        size_t rows,
                        float *p);

//  The version of a model: SHA-256 of its section with `version` empty and
//  `created_at` 0, so that the same training gives the same version.
WEFT_CHECK int weft_model_version (const weft_model_v1_t *model,
                                   char version[WEFT_VERSION_SIZE]);

//  Writes the feature names of a set as model.v1 has them.
struct weft_feature_set;
void weft_scorer_feature_names (const struct weft_feature_set *set,
                                weft_buf_t *out);

#endif
