//  weft_learner.h - scored alert in, a place in the pool of candidates out.
//
//  A terminal stage: fn judges (weft_candidate.h), commit writes the pool in
//  Redis, and each interval one replica spends a part of the night's budget
//  (weft_asking.h). Labels come in by a stream (weft_label_stream.h), and when
//  enough have come a process of its own trains anew (weft_training.h). One
//  thread, the loop's; the training has its own process.

#ifndef WEFT_LEARNER_H_INCLUDED
#define WEFT_LEARNER_H_INCLUDED

#include "weft_stage.h"

//  The "options:" of the learner's file.
typedef struct {
    char *model;
    char *strategy;
    char *target;
    char *requester;
    int64_t budget;
    int64_t batch;
    int64_t interval_ms;
    double random_share;
    int64_t pool_size;
    double mag_limit;
    double max_age_d;
    double expires_d;
    double noon_utc_h;
    char *train_base;
    char *train_test;
    char *train_program;
    int64_t train_labels;
    double train_minutes;
    int64_t train_memory_mb;
    int64_t train_timeout_s;
    double train_max_drop;
} weft_learner_options_t;

extern const weft_option_t weft_learner_option_table[];

//  The stage, for main and for tests.
extern const weft_stage_spec_t weft_learner_spec;

#endif
