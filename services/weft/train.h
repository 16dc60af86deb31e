//  train.h - what the parts of `weft train` share. One thread.

#ifndef TRAIN_H_INCLUDED
#define TRAIN_H_INCLUDED

#include "weft_calibration.h"
#include "weft_evaluation.h"
#include "weft_features.h"
#include "weft_training_set.h"
#include "weft_truth.h"

#define TRAIN_WHY 600
#define TRAIN_INPUTS_MOST 1024

typedef struct {
    char *const *inputs;
    size_t n_inputs;
    const char *truth;
    const char *schemas;  //  NULL: none
    const char *survey;   //  "ztf" or "lsst"
    const char *name;
    const char *out;    //  directory, NULL: none
    const char *redis;  //  address, NULL: the default
    const char *json;   //  file, NULL: none
    bool publish;
    bool unless_live;      //  nothing to do if a model of that name is live
    const char *examples;  //  directory, NULL: train
    struct examples_writer *writer;  //  of the examples, or NULL
    weft_trainer_options_t trainer;
} train_options_t;

//  What became of the packets.
typedef struct {
    uint64_t packets;         //  decoded
    uint64_t refused;         //  not decoded
    uint64_t repeated;        //  alerts that came again
    uint64_t unknown;         //  not in the truth
    uint64_t not_applicable;  //  of another survey, or without features
    uint64_t objects;
    uint64_t used;
} train_counts_t;

//  Everything that is said about a training.
typedef struct {
    const train_options_t *options;
    const weft_feature_set_t *set;
    train_counts_t counts;
    uint64_t rows[WEFT_SPLITS];
    char classes[WEFT_TRUTH_CLASSES_MOST * WEFT_TRUTH_CLASS_SIZE];
    char names[WEFT_TRUTH_CLASSES_MOST][WEFT_TRUTH_CLASS_SIZE];
    char data_hash[65];
    char version[65];
    weft_calibration_t calibration;
    weft_evaluation_t plain;   //  of the test split, not calibrated
    weft_evaluation_t result;  //  of the test split
    double worst;              //  XGBoost's probabilities against ours
    double seconds;            //  of training; not part of the card
} train_report_t;

//  Fills the options from the command line; `inputs` is where they point to.
//  Returns -1 to go on, else an exit code: help was printed, or what is wrong.
//  Borrows argv for the life of the options.
WEFT_CHECK int train_options_read (train_options_t *options,
                                   char *inputs[TRAIN_INPUTS_MOST],
                                   int argc,
                                   char *argv[]);

//  Reads the packets in order, merges each object's history as ingest does,
//  and adds the features of every alert that the truth knows.
WEFT_CHECK int train_read (const train_options_t *options,
                           const weft_feature_set_t *set,
                           const weft_truth_t *truth,
                           weft_training_set_t *into,
                           train_counts_t *counts,
                           char why[TRAIN_WHY]);

//  The model's card: the same bytes for the same training.
WEFT_CHECK int train_card (const train_report_t *report, weft_buf_t *out);

//  The card with version and seconds, for --json.
WEFT_CHECK int train_write_json (const train_report_t *report,
                                 const char *path);

//  For people.
void train_print (const train_report_t *report, FILE *out);

#endif
