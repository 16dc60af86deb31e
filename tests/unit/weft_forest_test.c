//  weft_forest_test.c - our walk of the trees against XGBoost's own.

#include "testing.h"

#include "weft_forest.h"
#include "weft_hash.h"
#include "weft_trainer.h"

#include <math.h>

#define ROWS 600
#define INPUTS 17
#define CLASSES 5

typedef struct {
    float values[ROWS * INPUTS];
    uint32_t truth[ROWS];
    weft_rows_of_truth_t rows;
    weft_buf_t ubj;
} fixture_t;

//  Uniform in [0, 1), the same on every machine.
static float
uniform (uint64_t *state)
{
    return (float)(weft_hash_u64 (++*state) >> 40) / 16777216.0f;
}

static void
make_rows (fixture_t *self)
{
    uint64_t state = 42;
    for (size_t i = 0; i < ROWS; i++) {
        self->truth[i] = (uint32_t)(i % CLASSES);
        for (size_t j = 0; j < INPUTS; j++) {
            float value = uniform (&state) +
                          0.2f * (float)self->truth[i] * (float)(j % 3 == 0);
            bool missing = uniform (&state) < 0.1f;
            self->values[i * INPUTS + j] = missing ? NAN : value;
        }
    }
    self->rows = (weft_rows_of_truth_t){ self->values, self->truth, ROWS,
                                         INPUTS, CLASSES };
}

static int
setup (void **state)
{
    char why[WEFT_TRAINER_WHY];
    fixture_t *self = calloc (1, sizeof (*self));
    assert_non_null (self);
    make_rows (self);
    weft_buf_init (&self->ubj, 16u << 20);
    weft_trainer_options_t options = weft_trainer_defaults;
    options.rounds = 21;  //  105 trees: thirteen eights and one
    assert_int_equal (
        weft_trainer_train (&self->rows, &options, &self->ubj, why), 0);
    *state = self;
    return 0;
}

static int
teardown (void **state)
{
    fixture_t *self = *state;
    weft_buf_fini (&self->ubj);
    free (self);
    return 0;
}

static void
test_equals_xgboost (void **state)
{
    fixture_t *self = *state;
    char why[WEFT_TRAINER_WHY];
    double worst = 1;
    assert_int_equal (weft_trainer_check (&self->ubj, &self->rows, &worst, why),
                      0);
    assert_true (worst < 1e-6);
}

static void
test_batch_is_sum_of_rows (void **state)
{
    fixture_t *self = *state;
    char why[WEFT_FOREST_WHY];
    float all[16 * CLASSES];
    float one[CLASSES];
    weft_forest_t *forest =
        weft_forest_new (self->ubj.data, self->ubj.size, why);
    assert_non_null (forest);
    assert_int_equal (weft_forest_inputs (forest), INPUTS);
    assert_int_equal (weft_forest_classes (forest), CLASSES);
    assert_int_equal (weft_forest_trees (forest), 21 * CLASSES);
    weft_forest_margins (forest, self->values, 16, all);
    for (size_t i = 0; i < 16; i++) {
        weft_forest_margins (forest, self->values + i * INPUTS, 1, one);
        assert_memory_equal (one, all + i * CLASSES, sizeof (one));
    }
    weft_forest_destroy (&forest);
    assert_null (forest);
}

static void
test_training_is_deterministic (void **state)
{
    fixture_t *self = *state;
    char why[WEFT_TRAINER_WHY];
    weft_buf_t again;
    weft_trainer_options_t options = weft_trainer_defaults;
    options.rounds = 21;
    weft_buf_init (&again, 16u << 20);
    assert_int_equal (weft_trainer_train (&self->rows, &options, &again, why),
                      0);
    //  Row 0 and 1 were changed by the first test; train on what is there.
    weft_buf_t twice;
    weft_buf_init (&twice, 16u << 20);
    assert_int_equal (weft_trainer_train (&self->rows, &options, &twice, why),
                      0);
    assert_int_equal (again.size, twice.size);
    assert_memory_equal (again.data, twice.data, again.size);
    weft_buf_fini (&again);
    weft_buf_fini (&twice);
}

//  Cut anywhere, the file is refused in words, never read past its end.
static void
test_every_truncation_is_refused (void **state)
{
    fixture_t *self = *state;
    char why[WEFT_FOREST_WHY];
    size_t step = WEFT_MAX (1, self->ubj.size / 400);
    for (size_t size = 0; size < self->ubj.size - 64; size += step) {
        uint8_t *copy = malloc (size + 1);
        assert_non_null (copy);
        memcpy (copy, self->ubj.data, size);
        weft_forest_t *forest = weft_forest_new (copy, size, why);
        assert_null (forest);
        assert_true (why[0] != 0);
        free (copy);
    }
}

//  Flipped bytes may give another forest, but never a walk out of bounds.
static void
test_flipped_bytes_are_harmless (void **state)
{
    fixture_t *self = *state;
    char why[WEFT_FOREST_WHY];
    uint64_t random = 7;
    uint8_t *copy = malloc (self->ubj.size);
    assert_non_null (copy);
    for (int round = 0; round < 300; round++) {
        memcpy (copy, self->ubj.data, self->ubj.size);
        for (int k = 0; k < 3; k++) {
            uint64_t bits = weft_hash_u64 (++random);
            copy[bits % self->ubj.size] ^= (uint8_t)(1 + (bits >> 32) % 255);
        }
        weft_forest_t *forest = weft_forest_new (copy, self->ubj.size, why);
        if (!forest || weft_forest_inputs (forest) > INPUTS) {
            weft_forest_destroy (&forest);
            continue;
        }
        float margins[WEFT_FOREST_CLASSES];
        weft_forest_margins (forest, self->values, 1, margins);
        weft_forest_destroy (&forest);
    }
    free (copy);
}

static void
test_rows_without_a_class_are_refused (void **state)
{
    fixture_t *self = *state;
    char why[WEFT_TRAINER_WHY];
    weft_rows_of_truth_t rows = self->rows;
    rows.classes = CLASSES + 1;
    assert_int_equal (
        weft_trainer_train (&rows, &weft_trainer_defaults, &self->ubj, why),
        WEFT_ERANGE);
    assert_non_null (strstr (why, "no row"));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_equals_xgboost),
        cmocka_unit_test (test_batch_is_sum_of_rows),
        cmocka_unit_test (test_training_is_deterministic),
        cmocka_unit_test (test_every_truncation_is_refused),
        cmocka_unit_test (test_flipped_bytes_are_harmless),
        cmocka_unit_test (test_rows_without_a_class_are_refused),
    };
    return cmocka_run_group_tests (tests, setup, teardown);
}
