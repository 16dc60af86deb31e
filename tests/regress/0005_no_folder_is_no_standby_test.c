//  0005 - an outbox in a folder that does not exist was reported as one that
//  another instance owns: the notifier waited as a standby, for ever.

#include "unit/testing.h"

#include <errno.h>

#include "weft_outbox.h"

static void
a_folder_that_is_not_there_is_no_other_owner (void **state)
{
    (void)state;
    errno = EWOULDBLOCK;
    assert_false (weft_outbox_lock ("/nowhere/at/all/outbox.db"));
    assert_int_equal (errno, ENOENT);
}

static void
a_name_that_is_too_long_is_no_other_owner (void **state)
{
    (void)state;
    char path[2000];
    memset (path, 'a', sizeof path);
    path[sizeof path - 1] = '\0';
    errno = EWOULDBLOCK;
    assert_false (weft_outbox_lock (path));
    assert_int_equal (errno, ENAMETOOLONG);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_folder_that_is_not_there_is_no_other_owner),
        cmocka_unit_test (a_name_that_is_too_long_is_no_other_owner),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
