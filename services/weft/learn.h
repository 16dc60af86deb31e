//  learn.h - what the parts of `weft learn` share. One thread.
//
//  Rows are gathered first, with their class names as given; from them come a
//  training set (base examples, labelled objects as they were when they were
//  asked for) and the frozen test set.

#ifndef LEARN_H_INCLUDED
#define LEARN_H_INCLUDED

#include "examples.h"
#include "weft_calibration.h"
#include "weft_labels.h"
#include "weft_redis.h"
#include "weft_scorer.h"
#include "weft_training_set.h"

#define LEARN_WHY EXAMPLES_WHY
#define LEARN_CLASSES 64
#define LEARN_ROWS_MOST (1u << 22)

typedef struct {
    const char *name;    //  of the model
    const char *survey;  //  whose feature set
    const char *base;    //  examples to begin with
    const char *test;    //  the frozen test set
    const char *redis;   //  address, NULL: the default
    int64_t labels;      //  number of the last label that counts, -1: all
    double max_drop;     //  of the accuracy against the live model
    weft_trainer_options_t trainer;
} learn_options_t;

typedef struct {
    uint32_t class;  //  of learn_rows_t
    uint32_t object_size;
    char object[WEFT_LABEL_OBJECT];
} learn_row_t;

//  Rows of one purpose; arrays are owned.
typedef struct {
    learn_row_t *rows;
    float *values;
    size_t n, room;
} learn_rows_t;

//  Everything of one run.
typedef struct {
    learn_options_t options;
    const weft_feature_set_t *set;
    weft_redis_t *redis;
    char classes[LEARN_CLASSES][WEFT_LABEL_CLASS + 1];
    uint32_t n_classes;
    learn_rows_t train, test;
    char base_sha[65], test_sha[65];
    //  What became of the labels.
    uint64_t label_rows;  //  read
    uint64_t objects;     //  that have a label now
    uint64_t held_out;    //  of these, never trained on
    uint64_t asked;       //  of these, with frozen features
    weft_training_set_t training;
    char names[LEARN_CLASSES * (WEFT_LABEL_CLASS + 1)];  //  "a,b", of training
    weft_calibration_t calibration;
    weft_buf_t ubj, section;
    char version[WEFT_VERSION_SIZE];
    double seconds;  //  of training
    char why[LEARN_WHY];
} learn_t;

//  How good a model is on the frozen test set; all its rows count, also those
//  of classes that the model does not know.
typedef struct {
    uint64_t rows, right;
    double accuracy;
    double balanced;  //  mean of the classes' shares found
    double log_loss;  //  natural, p not below 1e-12
} learn_score_t;

//  Adds a row of values under a class name, which is numbered.
WEFT_CHECK int learn_add (learn_t *self,
                          learn_rows_t *to,
                          weft_str_t object,
                          weft_str_t class,
                          const float *values);

//  Reads base and test examples. Base examples of held-out objects and test
//  examples of others are an error: then the test would not be one.
WEFT_CHECK int learn_read_examples (learn_t *self);

//  Reads labels 1 to options.labels and the queries that asked for them.
WEFT_CHECK int learn_read_labels (learn_t *self);

//  Trains and calibrates on what has been read.
WEFT_CHECK int learn_train (learn_t *self);

//  Scores the test set.
WEFT_CHECK int learn_score (const learn_t *self,
                            const weft_scorer_t *scorer,
                            learn_score_t *score);

//  Packs model and card; `score` may be NULL before the test.
WEFT_CHECK int learn_pack (learn_t *self, const learn_score_t *score);

#endif
