//  weft_mark_test.c - a Redis that was emptied is told of, once, on one Redis and
//  on a cluster.

#include "../unit/testing.h"

#include "both.h"
#include "weft_mark.h"

static void
emptied_is_told_once (void **state)
{
    weft_mark_t one = { "" }, other = { "" }, late = { "" };
    assert_int_equal (weft_mark_look (&one, redis), 0);
    assert_true (one.text[0] != 0);
    assert_int_equal (weft_mark_look (&other, redis), 0);
    assert_string_equal (one.text, other.text);
    assert_int_equal (weft_mark_look (&one, redis), 0);
    assert_int_equal (both_empty (state), 0);
    assert_int_equal (weft_mark_look (&one, redis), WEFT_ENOENT);
    assert_int_equal (weft_mark_look (&one, redis), 0);
    //  By then there is a new mark.
    assert_int_equal (weft_mark_look (&other, redis), WEFT_ENOENT);
    assert_int_equal (weft_mark_look (&other, redis), 0);
    //  Who starts now has nothing to miss.
    assert_int_equal (weft_mark_look (&late, redis), 0);
    assert_string_equal (late.text, one.text);
}

int
main (void)
{
    const struct CMUnitTest tests[] = { BOTH_TEST (emptied_is_told_once) };
    weft_log_init ("test", WEFT_ERROR + 1);
    return both_run (tests);
}
