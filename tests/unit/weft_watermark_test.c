//  The settled watermark: whatever the order in which messages end, only the
//  prefix of which everything has ended may be committed.

#include "unit/testing.h"

#include "weft_watermark.h"

enum { MOST = 65536 };

static int64_t
low_of (const weft_watermark_t *mark)
{
    int64_t low = -1;
    return weft_watermark_low (mark, &low, NULL) ? low : -1;
}

//  A message without further items: read and settled by two ends.
static void
settle (weft_watermark_t *mark, int64_t offset)
{
    weft_watermark_end (mark, offset);
}

static void
only_the_settled_prefix_counts (void **state)
{
    (void)state;
    weft_watermark_t *mark = weft_watermark_new (MOST);
    assert_int_equal (low_of (mark), -1);
    for (int64_t i = 100; i < 110; i++)
        assert_int_equal (weft_watermark_begin (mark, i, NULL), 0);
    assert_int_equal (low_of (mark), 100);
    for (int64_t i = 109; i > 100; i--)
        settle (mark, i);
    assert_int_equal (low_of (mark), 100);
    assert_int_equal (weft_watermark_open (mark), 1);
    settle (mark, 100);
    assert_int_equal (low_of (mark), 110);
    assert_int_equal (weft_watermark_open (mark), 0);
    weft_watermark_destroy (&mark);
    assert_null (mark);
}

static void
holes_in_the_offsets_are_passed (void **state)
{
    (void)state;
    weft_watermark_t *mark = weft_watermark_new (MOST);
    assert_int_equal (weft_watermark_begin (mark, 5, NULL), 0);
    assert_int_equal (weft_watermark_begin (mark, 1000, NULL), 0);
    settle (mark, 5);
    assert_int_equal (low_of (mark), 1000);
    settle (mark, 7);  //  was never read
    settle (mark, 1000);
    assert_int_equal (low_of (mark), 1001);
    weft_watermark_destroy (&mark);
}

static void
every_item_of_a_message_counts (void **state)
{
    (void)state;
    weft_watermark_t *mark = weft_watermark_new (MOST);
    assert_int_equal (weft_watermark_begin (mark, 1, NULL), 0);
    weft_watermark_take (mark, 1);
    weft_watermark_end (mark, 1);  //  the first item, before the second is read
    assert_int_equal (low_of (mark), 1);
    weft_watermark_take (mark, 1);
    weft_watermark_end (mark, 1);  //  no more items
    assert_int_equal (low_of (mark), 1);
    weft_watermark_end (mark, 1);
    assert_int_equal (low_of (mark), 2);
    weft_watermark_end (mark, 1);  //  once too often: nothing happens
    assert_int_equal (weft_watermark_open (mark), 0);
    weft_watermark_destroy (&mark);
}

static void
offsets_only_rise (void **state)
{
    (void)state;
    weft_watermark_t *mark = weft_watermark_new (MOST);
    assert_int_equal (weft_watermark_begin (mark, 8, NULL), 0);
    assert_int_equal (weft_watermark_begin (mark, 8, NULL), WEFT_EEXIST);
    assert_int_equal (weft_watermark_begin (mark, 3, NULL), WEFT_EEXIST);
    weft_watermark_reset (mark);
    assert_int_equal (low_of (mark), -1);
    settle (mark, 8);  //  of the epoch before
    assert_int_equal (weft_watermark_begin (mark, 3, NULL), 0);
    assert_int_equal (low_of (mark), 3);
    weft_watermark_destroy (&mark);
}

static void
one_that_is_stuck_fills_it (void **state)
{
    (void)state;
    weft_watermark_t *mark = weft_watermark_new (MOST);
    int64_t i = 0;
    for (; !weft_watermark_full (mark); i++) {
        assert_int_equal (weft_watermark_begin (mark, i, NULL), 0);
        if (i)
            settle (mark, i);
    }
    assert_int_equal (i, MOST);
    assert_int_equal (weft_watermark_begin (mark, i, NULL), WEFT_EAGAIN);
    assert_int_equal (weft_watermark_open (mark), 1);
    assert_int_equal (low_of (mark), 0);
    settle (mark, 0);
    assert_int_equal (low_of (mark), i);
    assert_int_equal (weft_watermark_begin (mark, i, NULL), 0);
    weft_watermark_destroy (&mark);
}

//  Items of files: where to go on is a place as well as a number.
static void
a_place_goes_with_the_mark (void **state)
{
    (void)state;
    weft_watermark_t *mark = weft_watermark_new (0);
    weft_place_t place;
    int64_t offset;
    assert_false (weft_watermark_low (mark, &offset, &place));
    for (int64_t i = 0; i < 1000; i++) {
        const weft_place_t at = { .file = (uint64_t)i / 10,
                                  .offset = i / 10 * 10 };
        //  Every third position, as a share has them.
        assert_int_equal (weft_watermark_begin (mark, 3 * i, &at), 0);
    }
    for (int64_t i = 999; i > 500; i--)
        weft_watermark_end (mark, 3 * i);
    weft_watermark_end (mark, 1);  //  was never taken
    assert_true (weft_watermark_low (mark, &offset, &place));
    assert_int_equal (offset, 0);
    for (int64_t i = 0; i < 500; i++)
        weft_watermark_end (mark, 3 * i);
    assert_true (weft_watermark_low (mark, &offset, &place));
    assert_int_equal (offset, 1500);
    assert_int_equal (place.file, 50);
    assert_int_equal (weft_watermark_open (mark), 1);
    weft_watermark_end (mark, 1500);
    assert_true (weft_watermark_low (mark, &offset, &place));
    assert_int_equal (offset, 2998);
    assert_int_equal (weft_watermark_open (mark), 0);
    weft_watermark_destroy (&mark);
}

//  Against a plain array of flags, in a random order of reading and ending.
static void
any_order_gives_the_prefix (void **state)
{
    (void)state;
    enum { MANY = 3000 };
    static bool ended[MANY];
    uint32_t seed = 1;
    weft_watermark_t *mark = weft_watermark_new (MOST);
    int64_t read = 0, first = 0;
    while (first < MANY) {
        seed = seed * 1664525u + 1013904223u;
        if (read < MANY && (seed >> 30 || read == first)) {
            assert_int_equal (weft_watermark_begin (mark, read++, NULL), 0);
            continue;
        }
        int64_t pick = first + (int64_t)(seed >> 8) % (read - first);
        ended[pick] = true;
        settle (mark, pick);
        while (first < read && ended[first])
            first++;
        assert_int_equal (low_of (mark), first);
    }
    weft_watermark_destroy (&mark);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (only_the_settled_prefix_counts),
        cmocka_unit_test (holes_in_the_offsets_are_passed),
        cmocka_unit_test (every_item_of_a_message_counts),
        cmocka_unit_test (offsets_only_rise),
        cmocka_unit_test (one_that_is_stuck_fills_it),
        cmocka_unit_test (a_place_goes_with_the_mark),
        cmocka_unit_test (any_order_gives_the_prefix),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
