//  model_fixture.h - a small real model for tests, of the ztf feature set.

#ifndef MODEL_FIXTURE_H_INCLUDED
#define MODEL_FIXTURE_H_INCLUDED

#include "testing.h"

#include "weft_hash.h"
#include "weft_model_pack.h"
#include "weft_trainer.h"

#include <math.h>

#define MODEL_ROWS 240
#define MODEL_CLASSES "SNIa,SNII,AGN"

typedef struct {
    const weft_feature_set_t *set;
    uint32_t inputs;
    float *values;  //  MODEL_ROWS vectors, owned
    uint32_t truth[MODEL_ROWS];
    weft_buf_t ubj;
    weft_buf_t section;
    weft_calibration_t calibration;
    char version[WEFT_VERSION_SIZE];
} model_fixture_t;

static inline void
model_fixture_pack (model_fixture_t *self, const char *name)
{
    weft_model_parts_t parts = {
        .name = name,
        .set = self->set,
        .classes = MODEL_CLASSES,
        .calibration = &self->calibration,
        .ubj = &self->ubj,
        .card = "{}",
        .created_at = 61000,
    };
    assert_int_equal (weft_model_pack (&parts, &self->section, self->version),
                      0);
}

//  Trains on rows in which the class shows in every second feature.
static inline void
model_fixture_init (model_fixture_t *self, const char *name, uint64_t seed)
{
    char why[WEFT_TRAINER_WHY];
    weft_trainer_options_t options = weft_trainer_defaults;
    memset (self, 0, sizeof (*self));
    self->set = weft_feature_set_for (weft_str ("ztf"));
    assert_non_null (self->set);
    self->inputs = weft_feature_set_count (self->set);
    self->values = malloc (MODEL_ROWS * self->inputs * sizeof (float));
    assert_non_null (self->values);
    uint64_t state = seed;
    for (size_t i = 0; i < MODEL_ROWS; i++) {
        self->truth[i] = (uint32_t)(i % 3);
        for (uint32_t j = 0; j < self->inputs; j++) {
            float u = (float)(weft_hash_u64 (++state) >> 40) / 16777216.0f;
            self->values[i * self->inputs + j] =
                u < 0.05f ? NAN : u + (float)(j % 2 * self->truth[i]) * 0.3f;
        }
    }
    weft_rows_of_truth_t rows = { self->values, self->truth, MODEL_ROWS,
                                  self->inputs, 3 };
    options.rounds = 8;
    weft_buf_init (&self->ubj, 16u << 20);
    weft_buf_init (&self->section, 16u << 20);
    assert_int_equal (weft_trainer_train (&rows, &options, &self->ubj, why), 0);
    self->calibration.kind = WEFT_CALIBRATION_TEMPERATURE;
    self->calibration.n = 1;
    self->calibration.data[0] = 1.5f;
    model_fixture_pack (self, name);
}

static inline void
model_fixture_fini (model_fixture_t *self)
{
    weft_buf_fini (&self->ubj);
    weft_buf_fini (&self->section);
    free (self->values);
}

#endif
