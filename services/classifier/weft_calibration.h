//  weft_calibration.h - from a forest's margins to probabilities that hold.
//
//  A forest that was trained with class weights, or too long, is sure of the
//  wrong things. A calibration is a method and its parameters, fitted on a
//  split that training never saw, and published with the model:
//
//     none         softmax (m)
//     temperature  softmax (m / T)                       T
//     bcts         softmax (m / T + b)                   T, b of each class
//     platt        two classes: logistic (a (m1-m0) + b) a, b
//     isotonic     two classes: steps of p1, linear between   x..., y...
//
//  bcts is bias-corrected temperature scaling (Alexandari, Kundaje and
//  Shrikumar 2020): the biases undo the prior shift that class weights make.
//  Any thread; a calibration does not change.

#ifndef WEFT_CALIBRATION_H_INCLUDED
#define WEFT_CALIBRATION_H_INCLUDED

#include "weft_contract.h"

#define WEFT_CALIBRATION_MOST 512  //  most parameters

typedef enum {
    WEFT_CALIBRATION_NONE,
    WEFT_CALIBRATION_TEMPERATURE,
    WEFT_CALIBRATION_BCTS,
    WEFT_CALIBRATION_PLATT,
    WEFT_CALIBRATION_ISOTONIC,
} weft_calibration_kind_t;

typedef struct {
    weft_calibration_kind_t kind;
    uint32_t n;  //  parameters
    float data[WEFT_CALIBRATION_MOST];
} weft_calibration_t;

//  "temperature", static.
const char *weft_calibration_name (const weft_calibration_t *self);

//  Fills in a calibration as model.v1 states it. WEFT_EVERSION for a method
//  that is not known, WEFT_ERANGE if the parameters do not fit it.
WEFT_CHECK int weft_calibration_set (weft_calibration_t *self,
                                     weft_str_t name,
                                     weft_col_t data,
                                     uint32_t classes);

//  Margins of one row to probabilities, in place.
void weft_calibration_apply (const weft_calibration_t *self,
                             float *margins,
                             uint32_t classes);

//  Margins (rows times classes) with their true classes.
typedef struct {
    const float *margins;
    const uint32_t *truth;
    size_t rows;
    uint32_t classes;
    const uint64_t *objects;  //  of each row; NULL: all different
} weft_calibration_split_t;

//  Fits the method that suits: isotonic for two classes with 1,000 of the rarer
//  one, else platt; temperature or bcts for more. But only if it helps: a
//  method is taken when its log-loss in a five-fold cross-validation by object
//  is better than that of the simpler ones; else none.
void weft_calibration_fit (weft_calibration_t *self,
                           const weft_calibration_split_t *split);

//  Fits that method. WEFT_ERANGE if it does not fit the classes.
WEFT_CHECK int
weft_calibration_fit_kind (weft_calibration_t *self,
                           weft_calibration_kind_t kind,
                           const weft_calibration_split_t *split);

//  Mean negative logarithm of the true class's probability.
double weft_calibration_loss (const weft_calibration_t *self,
                              const weft_calibration_split_t *split);

#endif
