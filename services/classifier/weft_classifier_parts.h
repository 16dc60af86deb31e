//  weft_classifier_parts.h - what the files of the classifier share.

#ifndef WEFT_CLASSIFIER_PARTS_H_INCLUDED
#define WEFT_CLASSIFIER_PARTS_H_INCLUDED

#include "weft_classifier.h"

#include "weft_features.h"
#include "weft_forest.h"
#include "weft_model_loader.h"
#include "weft_shadows.h"

#define WEFT_CLASSIFIER_BATCH 64

//  One configured name with its models. They are exchanged between batches
//  only, so all that a batch writes of a model is of one.
typedef struct {
    const char *name;       //  borrowed from the options
    weft_scorer_t *scorer;  //  the live one, owned; NULL: none yet
    weft_scorer_t *shadow;  //  the candidate, owned; NULL: none
    uint64_t stamp;         //  of the file it came from, isolation child only
    weft_metric_t *scored;
    weft_metric_t *skipped;
    weft_metric_t *shadowed;
} weft_live_t;

//  One record of scores.v1: a name's live model, or its shadow.
typedef struct {
    weft_live_t *live;
    size_t index;  //  of the name
    const weft_scorer_t *scorer;
    bool shadow;
    int32_t row[WEFT_CLASSIFIER_BATCH];  //  -1: not applicable
    uint8_t p[WEFT_CLASSIFIER_BATCH * WEFT_FOREST_CLASSES * 4];
} weft_panelist_t;

typedef struct {
    weft_live_t live[WEFT_MODELS_MOST];
    size_t n;
    bool isolated;
    char dir[4096];
    weft_model_loader_t *loader;  //  NULL in the isolation child
    weft_metric_t *refused;
    char version[WEFT_MODELS_MOST * 84];

    //  One batch: every live model, then the shadows that find room.
    weft_panelist_t panel[WEFT_MODELS_MOST];
    size_t n_panel;
    weft_features_v1_t features[WEFT_CLASSIFIER_BATCH];
    float values[WEFT_CLASSIFIER_BATCH * WEFT_FEATURES_MOST];
    float p[WEFT_CLASSIFIER_BATCH * WEFT_FOREST_CLASSES];
    weft_buf_t row;  //  a row of what live model and shadow say
} weft_classifier_t;

//  Is there a model for any name?
bool weft_classifier_has_model (void *arg);

//  The isolation child has no thread and no Redis: it follows the file that
//  the service writes before a model goes live.
void weft_classifier_follow_disk (weft_classifier_t *self);

//  The stage's function.
void weft_classifier_score (void *arg,
                            const weft_alert_t *const *in,
                            weft_section_t *out,
                            int *results,
                            size_t n);

#endif
