//  weft_training_set.h - feature vectors with their classes, split by object.
//
//  All alerts of an object fall into the same split, by a hash of its name and
//  the seed: what the model has seen of an object must not help it in the
//  test. One thread at a time.

#ifndef WEFT_TRAINING_SET_H_INCLUDED
#define WEFT_TRAINING_SET_H_INCLUDED

#include "weft_trainer.h"

#define WEFT_TRAINING_ROWS_MOST (1u << 22)

typedef enum {
    WEFT_SPLIT_TRAIN,      //  six tenths of the objects
    WEFT_SPLIT_CALIBRATE,  //  two tenths
    WEFT_SPLIT_TEST,       //  two tenths
    WEFT_SPLITS
} weft_split_t;

//  Rows of one split; all arrays are owned.
typedef struct {
    float *values;
    uint32_t *truth;
    uint64_t *objects;  //  hash of the object of each row
    size_t n, room;
} weft_split_rows_t;

typedef struct {
    uint32_t inputs;
    uint32_t classes;
    uint64_t seed;
    weft_split_rows_t splits[WEFT_SPLITS];
} weft_training_set_t;

void weft_training_set_init (weft_training_set_t *self,
                             uint32_t inputs,
                             uint32_t classes,
                             uint64_t seed);
void weft_training_set_fini (weft_training_set_t *self);

//  Adds one alert. What is not finite is missing, as in the classifier.
WEFT_CHECK int weft_training_set_add (weft_training_set_t *self,
                                      const char *object,
                                      size_t object_size,
                                      const float *values,
                                      uint32_t class);

//  The same where a test set stands apart: the object is trained on (eight
//  tenths) or calibrated with.
WEFT_CHECK int weft_training_set_add_known (weft_training_set_t *self,
                                            const char *object,
                                            size_t object_size,
                                            const float *values,
                                            uint32_t class);

//  The rows of a split, borrowed.
weft_rows_of_truth_t weft_training_set_rows (const weft_training_set_t *self,
                                             weft_split_t split);

//  Renumbers the classes so that only those with rows in the training split
//  are left: number[class] is the new number, or -1, and then its rows go.
//  Returns how many are left.
uint32_t weft_training_set_compact (weft_training_set_t *self, int32_t *number);

//  SHA-256 of values and classes of the training split, hexadecimal.
void weft_training_set_hash (const weft_training_set_t *self, char out[65]);

#endif
