//  weft_evaluation_test.c - metrics of four rows, worked out by hand.

#include "testing.h"

#include "weft_evaluation.h"

#include <math.h>

#define NEAR(a, b) assert_true (fabs ((a) - (b)) < 1e-6)

static void
test_by_hand (void **state)
{
    (void)state;
    //  Truth a a b b; found a b b b, sure .8 .6 .6 .9.
    const float p[] = { .8f, .2f, .4f, .6f, .4f, .6f, .1f, .9f };
    const uint32_t truth[] = { 0, 0, 1, 1 };
    weft_predictions_t of = { p, truth, NULL, 4, 2 };
    static weft_evaluation_t self;
    assert_int_equal (weft_evaluation_make (&self, &of), 0);
    NEAR (self.accuracy, 0.75);
    NEAR (self.by_class[0].precision, 1);
    NEAR (self.by_class[0].recall, 0.5);
    NEAR (self.by_class[1].precision, 2.0 / 3);
    NEAR (self.by_class[1].recall, 1);
    NEAR (self.macro_f1, (2.0 / 3 + 0.8) / 2);
    NEAR (self.brier, (2 * .04 + 2 * .36 + 2 * .16 + 2 * .01) / 4);
    NEAR (self.log_loss, -(log (.8) + log (.4) + log (.6) + log (.9)) / 4);
    //  Bins: .8 right alone, .6 and .6 half right, .9 right alone.
    NEAR (self.ece, .25 * .2 + .5 * .1 + .25 * .1);
    assert_int_equal (self.confusion[0][1], 1);
    assert_int_equal (self.confusion[1][0], 0);
    assert_int_equal (self.objects, 4);
    assert_true (self.accuracy_low <= 0.75 && self.accuracy_high >= 0.75);
}

//  One object's alerts are one piece of evidence: the interval widens.
static void
test_interval_is_over_objects (void **state)
{
    (void)state;
    enum { ROWS = 400 };
    static float p[2 * ROWS];
    static uint32_t truth[ROWS];
    static uint64_t objects[ROWS];
    static weft_evaluation_t alone, together;
    for (uint32_t i = 0; i < ROWS; i++) {
        objects[i] = i / 40;
        bool right = objects[i] % 3 != 0;
        truth[i] = objects[i] % 2;
        p[2 * i + (right ? truth[i] : 1 - truth[i])] = 1;
    }
    weft_predictions_t of = { p, truth, NULL, ROWS, 2 };
    assert_int_equal (weft_evaluation_make (&alone, &of), 0);
    of.objects = objects;
    assert_int_equal (weft_evaluation_make (&together, &of), 0);
    NEAR (alone.accuracy, together.accuracy);
    assert_int_equal (together.objects, 10);
    assert_true (together.accuracy_high - together.accuracy_low >
                 2 * (alone.accuracy_high - alone.accuracy_low));
}

static void
test_nothing_to_judge (void **state)
{
    (void)state;
    static weft_evaluation_t self;
    weft_predictions_t of = { NULL, NULL, NULL, 0, 3 };
    assert_int_equal (weft_evaluation_make (&self, &of), 0);
    NEAR (self.accuracy, 0);
    of.classes = 65;
    assert_int_equal (weft_evaluation_make (&self, &of), WEFT_ERANGE);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_by_hand),
        cmocka_unit_test (test_interval_is_over_objects),
        cmocka_unit_test (test_nothing_to_judge),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
