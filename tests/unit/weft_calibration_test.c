//  weft_calibration_test.c - known distortions are found and undone.

#include "testing.h"

#include "weft_calibration.h"
#include "weft_hash.h"

#include <math.h>

#define ROWS 6000

static float margins[ROWS * 3];
static uint32_t truth[ROWS];

static double
uniform (uint64_t *state)
{
    return (double)(weft_hash_u64 (++*state) >> 11) / 9007199254740992.0;
}

//  Rows whose true probabilities are softmax (z); what is stored is
//  (z - b) * T, so that T and b are the calibration to find.
static weft_calibration_split_t
distorted (uint32_t classes, double t, const double *b)
{
    uint64_t state = 5;
    for (size_t i = 0; i < ROWS; i++) {
        double z[3];
        double sum = 0;
        for (uint32_t k = 0; k < classes; k++) {
            z[k] = 4 * uniform (&state) - 2;
            sum += exp (z[k]);
        }
        double left = uniform (&state) * sum;
        truth[i] = 0;
        for (uint32_t k = 0; k < classes; k++) {
            if (left > 0)
                truth[i] = k;
            left -= exp (z[k]);
            margins[i * classes + k] = (float)((z[k] - b[k]) * t);
        }
    }
    return (weft_calibration_split_t){ margins, truth, ROWS, classes, NULL };
}

static void
test_temperature_is_found (void **state)
{
    (void)state;
    const double none[3] = { 0 };
    weft_calibration_t fitted;
    weft_calibration_split_t split = distorted (3, 2.5, none);
    assert_int_equal (weft_calibration_fit_kind (
                          &fitted, WEFT_CALIBRATION_TEMPERATURE, &split),
                      0);
    assert_true (fabs ((double)fitted.data[0] - 2.5) < 0.15);
    weft_calibration_t plain = { 0 };
    assert_true (weft_calibration_loss (&fitted, &split) <
                 weft_calibration_loss (&plain, &split));
}

static void
test_biases_are_found (void **state)
{
    (void)state;
    const double biases[3] = { 1, 0, -1 };
    weft_calibration_t fitted;
    weft_calibration_split_t split = distorted (3, 2, biases);
    weft_calibration_fit (&fitted, &split);
    assert_string_equal (weft_calibration_name (&fitted), "bcts");
    assert_int_equal (fitted.n, 4);
    assert_true (fabs ((double)fitted.data[0] - 2) < 0.15);
    assert_true (fabs ((double)(fitted.data[1] - fitted.data[3]) - 2) < 0.2);
}

static void
test_two_classes (void **state)
{
    (void)state;
    const double biases[2] = { 0.5, -0.5 };
    weft_calibration_t platt, isotonic, plain = { 0 };
    weft_calibration_split_t split = distorted (2, 3, biases);
    assert_int_equal (
        weft_calibration_fit_kind (&platt, WEFT_CALIBRATION_PLATT, &split), 0);
    weft_calibration_fit (&isotonic, &split);
    assert_string_equal (weft_calibration_name (&isotonic), "isotonic");
    assert_true (fabs ((double)platt.data[0] - 1.0 / 3) < 0.03);
    assert_true (fabs ((double)platt.data[1] + 1) < 0.1);
    double before = weft_calibration_loss (&plain, &split);
    assert_true (weft_calibration_loss (&platt, &split) < before - 0.05);
    assert_true (weft_calibration_loss (&isotonic, &split) < before - 0.05);
}

//  Probabilities that hold already are left alone or hardly touched, and a few
//  hundred rows do no harm.
static void
test_nothing_is_fitted_to_noise (void **state)
{
    (void)state;
    const double none[3] = { 0 };
    weft_calibration_t fitted, plain = { 0 };
    weft_calibration_split_t split = distorted (3, 1, none);
    weft_calibration_split_t few = split;
    few.rows = 300;
    weft_calibration_fit (&fitted, &few);
    few.margins += 300 * 3;
    few.truth += 300;
    few.rows = ROWS - 300;
    assert_true (weft_calibration_loss (&fitted, &few) <
                 weft_calibration_loss (&plain, &few) + 0.02);
    few.rows = 0;
    weft_calibration_fit (&fitted, &few);
    assert_string_equal (weft_calibration_name (&fitted), "none");
}

//  What was fitted survives being written into model.v1 and read again.
static void
test_set_takes_what_fit_made (void **state)
{
    (void)state;
    const double none[3] = { 0 };
    weft_calibration_t fitted, read;
    weft_calibration_split_t split = distorted (2, 3, none);
    weft_calibration_fit (&fitted, &split);
    uint8_t bytes[4 * WEFT_CALIBRATION_MOST];
    for (uint32_t i = 0; i < fitted.n; i++)
        weft_put_f32 (bytes + 4 * i, fitted.data[i]);
    weft_col_t data = { bytes, fitted.n };
    assert_int_equal (
        weft_calibration_set (&read, weft_str ("isotonic"), data, 2), 0);
    float a[2] = { 0.3f, 0.9f };
    float b[2] = { 0.3f, 0.9f };
    weft_calibration_apply (&fitted, a, 2);
    weft_calibration_apply (&read, b, 2);
    assert_memory_equal (a, b, sizeof (a));
    assert_int_equal (
        weft_calibration_set (&read, weft_str ("isotonic"), data, 3),
        WEFT_ERANGE);
}

static void
test_nonsense_is_refused (void **state)
{
    (void)state;
    weft_calibration_t self;
    uint8_t bytes[12] = { 0 };
    weft_col_t one = { bytes, 1 };
    weft_col_t none = { bytes, 0 };
    assert_int_equal (weft_calibration_set (&self, weft_str ("magic"), none, 3),
                      WEFT_EVERSION);
    //  A temperature of zero, of NaN; none with a parameter.
    assert_int_equal (
        weft_calibration_set (&self, weft_str ("temperature"), one, 3),
        WEFT_ERANGE);
    weft_put_f32 (bytes, NAN);
    assert_int_equal (
        weft_calibration_set (&self, weft_str ("temperature"), one, 3),
        WEFT_ERANGE);
    assert_int_equal (weft_calibration_set (&self, weft_str ("none"), one, 3),
                      WEFT_ERANGE);
    assert_int_equal (weft_calibration_set (&self, weft_str ("none"), none, 3),
                      0);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_temperature_is_found),
        cmocka_unit_test (test_biases_are_found),
        cmocka_unit_test (test_two_classes),
        cmocka_unit_test (test_nothing_is_fitted_to_noise),
        cmocka_unit_test (test_set_takes_what_fit_made),
        cmocka_unit_test (test_nonsense_is_refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
