//  weft_evaluation.h - how good probabilities are, against the truth.
//
//  Accuracy and F1 judge the likeliest class; Brier, log-loss and ECE judge the
//  probabilities themselves. Intervals are from a bootstrap over objects, as
//  alerts of one object are no independent evidence. Any thread.

#ifndef WEFT_EVALUATION_H_INCLUDED
#define WEFT_EVALUATION_H_INCLUDED

#include "weft_base.h"

#define WEFT_EVALUATION_CLASSES 64
#define WEFT_EVALUATION_BINS 15

typedef struct {
    const float *p;           //  rows times classes
    const uint32_t *truth;    //
    const uint64_t *objects;  //  NULL: every row is an object of its own
    size_t rows;
    uint32_t classes;
} weft_predictions_t;

typedef struct {
    uint64_t rows;       //  of this true class
    uint64_t predicted;  //  as this class
    uint64_t right;
    double precision, recall, f1;  //  0 where they are not defined
} weft_class_result_t;

//  Of the likeliest class: how sure, and how often right.
typedef struct {
    uint64_t rows;
    double confidence, accuracy;  //  means
} weft_reliability_t;

typedef struct {
    uint64_t rows, objects;
    uint32_t classes;
    double accuracy, accuracy_low, accuracy_high;  //  95 % interval
    double macro_f1, macro_f1_low, macro_f1_high;  //  of classes with rows
    double brier;                                  //  mean sum_k (p_k - y_k)^2
    double log_loss;  //  mean -ln p_true, p not below 1e-12
    double ece;       //  expected calibration error, 15 bins
    weft_reliability_t bins[WEFT_EVALUATION_BINS];
    weft_class_result_t by_class[WEFT_EVALUATION_CLASSES];
    uint32_t confusion[WEFT_EVALUATION_CLASSES][WEFT_EVALUATION_CLASSES];
} weft_evaluation_t;

//  Fills in everything. WEFT_ERANGE for too many classes, WEFT_ENOMEM.
WEFT_CHECK int weft_evaluation_make (weft_evaluation_t *self,
                                     const weft_predictions_t *predictions);

#endif
