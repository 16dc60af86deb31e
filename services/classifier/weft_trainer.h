//  weft_trainer.h - boosted trees by XGBoost's C API.
//
//  The only file of Weft that calls XGBoost (1.7 and 3.0). What it trains is
//  predicted with weft_forest.h; weft_trainer_check compares the two.
//  One thread at a time; nothing is kept between calls.

#ifndef WEFT_TRAINER_H_INCLUDED
#define WEFT_TRAINER_H_INCLUDED

#include "weft_buf.h"

#define WEFT_TRAINER_WHY 256

//  Rows of features with their true classes, borrowed.
typedef struct {
    const float *values;    //  rows times inputs, NaN where undefined
    const uint32_t *truth;  //  below classes
    size_t rows;
    uint32_t inputs;
    uint32_t classes;
} weft_rows_of_truth_t;

typedef struct {
    uint32_t rounds;    //  trees of each class
    uint32_t depth;     //  deepest tree
    double eta;         //  learning rate
    double subsample;   //  share of rows a tree sees
    double columns;     //  share of features a node may split by
    double min_weight;  //  least weight of a leaf
    uint64_t seed;
    uint32_t threads;  //  1: the same bytes on every machine
} weft_trainer_options_t;

//  150 rounds of depth 3, eta 0.1, subsample 0.8, columns 0.5, one thread.
//  Deeper and more trees are no better on unseen objects of simulated seasons,
//  and surer of what is wrong.
extern const weft_trainer_options_t weft_trainer_defaults;

//  Trains multi:softprob with balanced class weights n / (K n_k) and writes the
//  model file into `ubj`. Deterministic for a seed. WEFT_ERANGE for rows that
//  cannot be trained with, WEFT_EIO if XGBoost fails; `why` says what.
WEFT_CHECK int weft_trainer_train (const weft_rows_of_truth_t *rows,
                                   const weft_trainer_options_t *options,
                                   weft_buf_t *ubj,
                                   char why[WEFT_TRAINER_WHY]);

//  The largest difference between XGBoost's probabilities and ours over the
//  rows (truth is not looked at).
WEFT_CHECK int weft_trainer_check (const weft_buf_t *ubj,
                                   const weft_rows_of_truth_t *rows,
                                   double *worst,
                                   char why[WEFT_TRAINER_WHY]);

#endif
