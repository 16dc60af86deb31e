//  weft_classifier.h - features in, calibrated class probabilities out.
//
//  Reads features.v1, writes scores.v1 with one record a model. Which models
//  are live comes from Redis (weft_model_loader.h); scoring itself touches
//  nothing but the models in memory. One thread, the loop's; models are loaded
//  in another.

#ifndef WEFT_CLASSIFIER_H_INCLUDED
#define WEFT_CLASSIFIER_H_INCLUDED

#include "weft_stage.h"

//  The "options:" of the classifier's file.
typedef struct {
    weft_texts_t models;
    int64_t poll_ms;
    char *promote;  //  "auto" or "manual"
    int64_t shadow_alerts;
} weft_classifier_options_t;

extern const weft_option_t weft_classifier_option_table[];

//  Returns new: the golden vector. NULL without memory.
WEFT_NEW weft_alert_t *weft_classifier_golden (void);

//  The stage, for main and for tests.
extern const weft_stage_spec_t weft_classifier_spec;

#endif
