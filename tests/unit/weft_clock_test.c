//  weft_clock_test.c - two clocks, of which one was read between two looks at
//  the other.

#include "unit/testing.h"

#include "weft_clock.h"

static void
within_the_question_they_may_be_alike (void **state)
{
    (void)state;
    assert_true (weft_clock_ahead_of (100, 99, 101) == 0);
    assert_true (weft_clock_ahead_of (99, 99, 99) == 0);
}

//  What is certain is the distance to the nearer end.
static void
beyond_it_one_is_ahead (void **state)
{
    (void)state;
    assert_true (weft_clock_ahead_of (60, 100, 103) == 40);
    assert_true (weft_clock_ahead_of (140, 100, 103) == -37);
}

static void
what_has_yet_to_come_is_no_age (void **state)
{
    (void)state;
    assert_false (weft_clock_off ());
    assert_true (weft_clock_may_be_age (86400));
    assert_true (weft_clock_may_be_age (-1));
    assert_false (weft_clock_may_be_age (-3));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (within_the_question_they_may_be_alike),
        cmocka_unit_test (beyond_it_one_is_ahead),
        cmocka_unit_test (what_has_yet_to_come_is_no_age),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
