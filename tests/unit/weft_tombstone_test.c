//  Rows that move between objects: what has moved stays away, in whatever order
//  packets come, and a later version comes back.

#include "testing.h"

#include <math.h>

#include "weft_tombstone.h"

static weft_point_t
detection (int64_t key, int64_t version, int64_t as_trigger)
{
    weft_point_t row = weft_point_none ();
    row.mjd = 60000 + (double)key;
    row.kind = WEFT_KIND_D;
    row.id = row.key = key;
    row.expo = 1000 + key;
    row.ver[0] = version;
    row.ver[1] = as_trigger;
    row.flux = (float)version;
    row.known_at = 100;
    return row;
}

static void
merge (weft_curve_t *curve, weft_point_t row)
{
    assert_int_equal (weft_curve_merge (curve, &row, 1, NULL), 0);
}

static bool
has (const weft_curve_t *curve, int64_t key)
{
    const weft_point_t *row = weft_curve_find (curve, WEFT_KIND_D, key);
    return row && !weft_is_tombstone (row);
}

static void
a_tombstone_beats_copies_of_what_it_buries (void **state)
{
    (void)state;
    //  All orders of: the row as history, as trigger, its tombstone.
    static const int orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
                                      { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
    weft_point_t rows[3] = { detection (7, 5, 0), detection (7, 5, 1) };
    rows[2] = weft_tombstone (&rows[0], 5);
    assert_true (weft_is_tombstone (&rows[2]));
    for (size_t o = 0; o < 6; o++) {
        weft_curve_t curve = { 0 };
        for (size_t i = 0; i < 3; i++)
            merge (&curve, rows[orders[o][i]]);
        assert_int_equal (curve.n, 1);
        assert_false (has (&curve, 7));
        //  A later version comes back.
        merge (&curve, detection (7, 6, 0));
        assert_true (has (&curve, 7));
        weft_curve_fini (&curve);
    }
}

static void
what_the_survey_withdraws_is_no_tombstone (void **state)
{
    (void)state;
    weft_point_t row = detection (1, 1, 1);
    row.flags |= WEFT_FLAG_withdrawn;
    assert_false (weft_is_tombstone (&row));
    row.flux = NAN;
    assert_false (weft_is_tombstone (&row));
}

static size_t
move (weft_curve_t *from,
      weft_curve_t *into,
      const int64_t *keys,
      size_t n_keys,
      bool all)
{
    weft_point_t rows[16], stones[16];
    assert_in_range (from->n, 0, 16);
    size_t n = weft_curve_move (from, into, keys, n_keys, all, rows, stones);
    assert_int_equal (weft_curve_merge (into, rows, n, NULL), 0);
    assert_int_equal (weft_curve_merge (from, stones, n, NULL), 0);
    return n;
}

static void
rows_move_there_and_back (void **state)
{
    (void)state;
    static const int64_t keys[] = { 2, 4, 99 };
    weft_curve_t a = { 0 }, b = { 0 };
    for (int64_t key = 1; key <= 5; key++)
        merge (&a, detection (key, 5, 1));
    assert_int_equal (move (&a, &b, keys, 3, false), 2);
    assert_true (has (&a, 1) && !has (&a, 2) && has (&b, 2) && has (&b, 4));
    assert_int_equal (weft_curve_find (&b, WEFT_KIND_D, 2)->ver[0], 5);
    //  Again: nothing is left to do.
    assert_int_equal (move (&a, &b, keys, 3, false), 0);
    for (int again = 0; again < 3; again++) {
        assert_int_equal (move (&b, &a, NULL, 0, true), 2);
        assert_true (has (&a, 2) && has (&a, 4) && !has (&b, 2));
        assert_int_equal (move (&a, &b, keys, 2, false), 2);
        assert_true (!has (&a, 2) && has (&b, 2) && has (&b, 4));
    }
    assert_int_equal (weft_curve_find (&b, WEFT_KIND_D, 4)->flux, 5);
    weft_curve_fini (&a);
    weft_curve_fini (&b);
}

static void
a_tombstone_lives_in_the_packed_form (void **state)
{
    (void)state;
    weft_curve_t curve = { 0 }, back = { 0 };
    weft_buf_t packed;
    weft_buf_init (&packed, 1 << 20);
    weft_point_t row = detection (3, 8, 0);
    merge (&curve, detection (1, 8, 0));
    merge (&curve, weft_tombstone (&row, 9));
    weft_curve_pack (&curve, &packed);
    assert_int_equal (weft_curve_unpack (&back, packed.data, packed.size), 0);
    assert_int_equal (back.n, 2);
    assert_true (has (&back, 1) && !has (&back, 3));
    assert_int_equal (weft_curve_find (&back, WEFT_KIND_D, 3)->ver[0], 9);
    assert_null (weft_curve_find (&back, WEFT_KIND_L, 3));
    weft_buf_fini (&packed);
    weft_curve_fini (&curve);
    weft_curve_fini (&back);
}

//  A limit's ver[1] is its negative quadrant of an exposure, some -10^12.
static void
a_limit_that_has_moved_is_not_moved_again (void **state)
{
    (void)state;
    weft_curve_t from = { 0 }, into = { 0 };
    weft_point_t limit = weft_point_none (), row, stone;
    limit.mjd = 60000;
    limit.kind = WEFT_KIND_L;
    limit.key = limit.expo = 480000;
    limit.ver[0] = -21;
    limit.ver[1] = -1234567890123;
    limit.lim = 1000;
    merge (&from, limit);
    assert_int_equal (
        weft_curve_move (&from, &into, NULL, 0, true, &row, &stone), 1);
    merge (&into, row);
    merge (&from, stone);
    merge (&from, limit);  //  a later packet has a copy
    assert_true (weft_is_tombstone (&from.rows[0]));
    assert_int_equal (
        weft_curve_move (&from, &into, NULL, 0, true, &row, &stone), 0);
    assert_true (into.n == 1 && into.rows[0].lim == 1000);
    assert_false (weft_is_tombstone (&into.rows[0]));
    weft_curve_fini (&from);
    weft_curve_fini (&into);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_tombstone_beats_copies_of_what_it_buries),
        cmocka_unit_test (what_the_survey_withdraws_is_no_tombstone),
        cmocka_unit_test (rows_move_there_and_back),
        cmocka_unit_test (a_limit_that_has_moved_is_not_moved_again),
        cmocka_unit_test (a_tombstone_lives_in_the_packed_form),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
