//  The cursor: every type is read, every end is noticed.

#include "unit/testing.h"

#include "weft_pack.h"

static void
numbers_come_back (void **state)
{
    (void)state;
    const int64_t values[] = { 0,   -1,     -32,       -33,       127,
                               128, 40000,  -40000,    INT32_MAX, INT32_MIN,
                               300, -70000, INT64_MAX, INT64_MIN };
    weft_buf_t buf;
    weft_buf_init (&buf, 1000);
    for (size_t i = 0; i < WEFT_COUNT (values); i++)
        weft_pack_i64 (&buf, values[i]);
    weft_cursor_t at;
    weft_cursor_init (&at, buf.data, buf.size);
    for (size_t i = 0; i < WEFT_COUNT (values); i++) {
        int64_t value;
        assert_int_equal (weft_cursor_i64 (&at, &value), 0);
        assert_true (value == values[i]);
    }
    assert_int_equal (weft_cursor_left (&at), 0);
    weft_buf_fini (&buf);
}

static void
hostile_counts_cost_nothing (void **state)
{
    (void)state;
    const uint8_t bytes[] = { 0xdd, 0xff, 0xff, 0xff, 0xff };
    weft_cursor_t at;
    uint32_t count;
    weft_cursor_init (&at, bytes, sizeof bytes);
    assert_int_equal (weft_cursor_array (&at, &count), WEFT_ETRUNCATED);
    assert_int_equal (weft_cursor_skip (&at), WEFT_ETRUNCATED);
    assert_int_equal (weft_cursor_left (&at), sizeof bytes);
}

static void
nesting_has_a_ceiling (void **state)
{
    (void)state;
    uint8_t bytes[64];
    memset (bytes, 0x91, sizeof bytes);
    bytes[63] = 0;
    weft_cursor_t at;
    weft_cursor_init (&at, bytes, sizeof bytes);
    assert_int_equal (weft_cursor_skip (&at), WEFT_ETOODEEP);
    weft_cursor_init (&at, bytes + 63 - WEFT_CURSOR_DEPTH,
                      WEFT_CURSOR_DEPTH + 1);
    assert_int_equal (weft_cursor_skip (&at), 0);
    assert_int_equal (weft_cursor_left (&at), 0);
}

static void
a_wrong_type_does_not_move_the_cursor (void **state)
{
    (void)state;
    const uint8_t bytes[] = { 0xa1, 'x' };
    weft_cursor_t at;
    int64_t number;
    weft_str_t text;
    weft_cursor_init (&at, bytes, sizeof bytes);
    assert_int_equal (weft_cursor_i64 (&at, &number), WEFT_ETYPE);
    assert_int_equal (weft_cursor_str (&at, &text), 0);
    assert_true (weft_str_is (text, "x"));
    assert_int_equal (weft_cursor_i64 (&at, &number), WEFT_ETRUNCATED);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (numbers_come_back),
        cmocka_unit_test (hostile_counts_cost_nothing),
        cmocka_unit_test (nesting_has_a_ceiling),
        cmocka_unit_test (a_wrong_type_does_not_move_the_cursor),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
