//  weft_forest.h - boosted trees, walked by a few lines of our own.
//
//  XGBoost trains (weft_trainer.h) and this predicts: its call costs more per
//  alert at the small batches of a live stream than the trees themselves, its
//  loader trusts what it reads, and its library weighs on every process. The
//  trees come from XGBoost's own file (UBJ, versions 1.7 to 3.2) and give the
//  same probabilities to 1e-6; training checks that for every model that it
//  publishes.
//
//  A forest does not change once it is made: any number of threads may
//  predict from it.

#ifndef WEFT_FOREST_H_INCLUDED
#define WEFT_FOREST_H_INCLUDED

#include "weft_base.h"

#define WEFT_FOREST_CLASSES 64        //  most classes
#define WEFT_FOREST_TREES 50000       //  most trees
#define WEFT_FOREST_NODES (8u << 20)  //  most nodes of all trees together
#define WEFT_FOREST_INPUTS 4096       //  most features
#define WEFT_FOREST_WHY 96            //  room for a reason

typedef struct weft_forest weft_forest_t;

//  Returns new: the forest in these bytes, or NULL with the reason in `why`.
//  Only numerical splits and the objective multi:softprob are known.
WEFT_NEW weft_forest_t *
weft_forest_new (const void *ubj, size_t size, char why[WEFT_FOREST_WHY]);

//  Destroys the forest and sets *self_p to NULL. Safe on NULL.
void weft_forest_destroy (weft_forest_t **self_p);

uint32_t weft_forest_inputs (const weft_forest_t *self);
uint32_t weft_forest_classes (const weft_forest_t *self);
uint32_t weft_forest_trees (const weft_forest_t *self);

//  Adds up the trees of each class: `rows` vectors of weft_forest_inputs
//  values each (finite, or NaN: missing) to `rows` times weft_forest_classes margins.
void weft_forest_margins (const weft_forest_t *self,
                          const float *values,
                          size_t rows,
                          float *margins);

//  Margins of one row to probabilities, in place: exp (m - max) / sum.
void weft_softmax (float *margins, size_t n);

#endif
