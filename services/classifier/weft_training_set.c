//  weft_training_set.c - see weft_training_set.h.

#include "weft_training_set.h"

#include "weft_forest.h"
#include "weft_hash.h"

#include <math.h>

void
weft_training_set_init (weft_training_set_t *self,
                        uint32_t inputs,
                        uint32_t classes,
                        uint64_t seed)
{
    *self = (weft_training_set_t){ .inputs = inputs,
                                   .classes = classes,
                                   .seed = seed };
}

void
weft_training_set_fini (weft_training_set_t *self)
{
    for (int i = 0; i < WEFT_SPLITS; i++) {
        free (self->splits[i].values);
        free (self->splits[i].truth);
        free (self->splits[i].objects);
    }
    memset (self, 0, sizeof (*self));
}

static int
make_room (weft_split_rows_t *rows, uint32_t inputs)
{
    if (rows->n < rows->room)
        return 0;
    size_t room = rows->room ? 2 * rows->room : 1024;
    if (room > WEFT_TRAINING_ROWS_MOST)
        return WEFT_ETOOBIG;
    float *values = realloc (rows->values, room * inputs * sizeof (*values));
    if (!values)
        return WEFT_ENOMEM;
    rows->values = values;
    uint32_t *truth = realloc (rows->truth, room * sizeof (*truth));
    if (!truth)
        return WEFT_ENOMEM;
    rows->truth = truth;
    uint64_t *objects = realloc (rows->objects, room * sizeof (*objects));
    if (!objects)
        return WEFT_ENOMEM;
    rows->objects = objects;
    rows->room = room;
    return 0;
}

static uint64_t
tenth_of (uint64_t object, uint64_t seed)
{
    return weft_hash_u64 (object ^ weft_hash_u64 (seed)) % 10;
}

static weft_split_t
split_of (uint64_t object, uint64_t seed)
{
    uint64_t tenth = tenth_of (object, seed);
    return tenth < 6   ? WEFT_SPLIT_TRAIN
           : tenth < 8 ? WEFT_SPLIT_CALIBRATE
                       : WEFT_SPLIT_TEST;
}

static int
add_row (weft_training_set_t *self,
         weft_split_t split,
         uint64_t hash,
         const float *values,
         uint32_t class)
{
    weft_split_rows_t *rows = &self->splits[split];
    int rc = make_room (rows, self->inputs);
    if (rc)
        return rc;
    float *to = rows->values + rows->n * self->inputs;
    for (uint32_t j = 0; j < self->inputs; j++)
        to[j] = isfinite (values[j]) ? values[j] : NAN;
    rows->truth[rows->n] = class;
    rows->objects[rows->n++] = hash;
    return 0;
}

int
weft_training_set_add (weft_training_set_t *self,
                       const char *object,
                       size_t object_size,
                       const float *values,
                       uint32_t class)
{
    uint64_t hash = weft_hash (object, object_size);
    return add_row (self, split_of (hash, self->seed), hash, values, class);
}

int
weft_training_set_add_known (weft_training_set_t *self,
                             const char *object,
                             size_t object_size,
                             const float *values,
                             uint32_t class)
{
    uint64_t hash = weft_hash (object, object_size);
    weft_split_t split = tenth_of (hash, self->seed) < 8 ? WEFT_SPLIT_TRAIN
                                                         : WEFT_SPLIT_CALIBRATE;
    return add_row (self, split, hash, values, class);
}

weft_rows_of_truth_t
weft_training_set_rows (const weft_training_set_t *self, weft_split_t split)
{
    const weft_split_rows_t *rows = &self->splits[split];
    return (weft_rows_of_truth_t){ rows->values, rows->truth, rows->n,
                                   self->inputs, self->classes };
}

static void
renumber (weft_split_rows_t *rows, uint32_t inputs, const int32_t *number)
{
    size_t kept = 0;
    for (size_t i = 0; i < rows->n; i++) {
        int32_t class = number[rows->truth[i]];
        if (class < 0)
            continue;
        memmove (rows->values + kept * inputs, rows->values + i * inputs,
                 inputs * sizeof (*rows->values));
        rows->truth[kept] = (uint32_t) class;
        rows->objects[kept++] = rows->objects[i];
    }
    rows->n = kept;
}

uint32_t
weft_training_set_compact (weft_training_set_t *self, int32_t *number)
{
    const weft_split_rows_t *train = &self->splits[WEFT_SPLIT_TRAIN];
    uint32_t left = 0;
    for (uint32_t k = 0; k < self->classes; k++)
        number[k] = -1;
    for (size_t i = 0; i < train->n; i++)
        number[train->truth[i]] = 0;
    for (uint32_t k = 0; k < self->classes; k++)
        if (number[k] == 0)
            number[k] = (int32_t)left++;
    for (int i = 0; i < WEFT_SPLITS; i++)
        renumber (&self->splits[i], self->inputs, number);
    self->classes = left;
    return left;
}

void
weft_training_set_hash (const weft_training_set_t *self, char out[65])
{
    const weft_split_rows_t *rows = &self->splits[WEFT_SPLIT_TRAIN];
    uint8_t digests[64];
    weft_sha256 (rows->values, rows->n * self->inputs * sizeof (*rows->values),
                 digests);
    weft_sha256 (rows->truth, rows->n * sizeof (*rows->truth), digests + 32);
    weft_sha256 (digests, sizeof (digests), digests);
    weft_hex (digests, 32, out);
}
