//  Where reading a partition begins.

#include "unit/testing.h"

#include "weft_kafka_start.h"

static void
check (int64_t committed,
       int64_t low,
       int64_t high,
       bool from_end,
       weft_start_t want)
{
    weft_start_t start = weft_kafka_start (committed, low, high, from_end);
    assert_int_equal (start.kind, want.kind);
    assert_int_equal (start.gap, want.gap);
    if (want.kind != WEFT_START_BEYOND)
        assert_int_equal (start.offset, want.offset);
}

static void
begins_where_it_should (void **state)
{
    (void)state;
    check (-1001, 5, 90, false, (weft_start_t){ WEFT_START_FIRST, 5, 0 });
    check (-1001, 5, 90, true, (weft_start_t){ WEFT_START_FIRST, 90, 0 });
    check (5, 5, 90, true, (weft_start_t){ WEFT_START_COMMITTED, 5, 0 });
    check (90, 5, 90, false, (weft_start_t){ WEFT_START_COMMITTED, 90, 0 });
    check (4, 5, 90, false, (weft_start_t){ WEFT_START_GAP, 5, 1 });
    check (0, 90, 90, true, (weft_start_t){ WEFT_START_GAP, 90, 90 });
    check (91, 5, 90, false, (weft_start_t){ WEFT_START_BEYOND, 0, 0 });
}

int
main (void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test (
        begins_where_it_should) };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
