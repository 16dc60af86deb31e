//  0004 - an alert over the isolation child's ceiling was refused and never
//  reported: the link waited for it for ever, and nothing else could be isolated.

#include "unit/testing.h"

#include <unistd.h>

#include "unit/test_alert.h"
#include "weft_isolation.h"
#include "weft_time.h"

//  A child that never answers, as it is not asked; it ends with its parent.
static char *child_argv[] = { "test", "--isolated", NULL };

static void
it_ends_and_the_next_one_may_come (void **state)
{
    (void)state;
    weft_isolation_t *isolation = weft_isolation_new (child_argv, 1000);
    weft_isolated_t ended;
    assert_non_null (isolation);
    for (int i = 0; i < 2; i++) {
        weft_alert_t *alert = test_alert (1, 129 << 20);
        assert_int_equal (weft_isolation_run (isolation, alert), WEFT_ETOOBIG);
        weft_alert_unref (&alert);
        assert_true (weft_isolation_turn (isolation, weft_time_ms (), &ended));
        assert_int_equal (ended.how, WEFT_CHILD_RETURNED);
        assert_int_equal (ended.rc, WEFT_ETOOBIG);
        assert_false (weft_isolation_turn (isolation, weft_time_ms (), &ended));
    }
    weft_isolation_destroy (&isolation);
}

int
main (int argc, char *argv[])
{
    (void)argv;
    char byte;
    while (argc > 1 && read (WEFT_ISOLATION_FD, &byte, 1) > 0) {
    }
    if (argc > 1)
        return 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (it_ends_and_the_next_one_may_come),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
