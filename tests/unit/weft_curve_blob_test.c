//  weft_curve_blob_test.c - a packed curve with pieces behind it.

#include "testing.h"

#include <math.h>

#include "weft_curve.h"

enum {
    PACKETS = 6,
    ROWS = 9,
    ROOM = 300,
    ROW_BYTES = offsetof (weft_point_t, known_at) + 4,  //  without the padding
};

//  Rows of few keys, so that packets meet; ties of versions, too.
static void
random_rows (unsigned *seed, weft_point_t *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *seed = *seed * 1103515245 + 12345;
        unsigned r = *seed >> 8;
        rows[i] = weft_point_none ();
        rows[i].kind = (uint8_t)(1 + r % 3);
        rows[i].key = r / 3 % 40;
        rows[i].mjd = 59000 + r / 3 % 40;
        rows[i].ver[0] = r / 128 % 3;
        rows[i].flux = (float)(r / 512 % 4);
        rows[i].known_at = 100 + r % 9;
    }
}

static void
assert_same (const weft_curve_t *a, const weft_curve_t *b)
{
    weft_buf_t one, two;
    weft_buf_init (&one, 1 << 20);
    weft_buf_init (&two, 1 << 20);
    weft_curve_pack (a, &one);
    weft_curve_pack (b, &two);
    assert_int_equal (one.size, two.size);
    assert_memory_equal (one.data, two.data, one.size);
    weft_buf_fini (&one);
    weft_buf_fini (&two);
}

//  A first packet packed, and a piece for each later one with its news.
static void
write_pieces (weft_curve_t *curve, unsigned *seed, weft_buf_t *out)
{
    weft_point_t rows[ROWS];
    random_rows (seed, rows, ROWS);
    assert_int_equal (weft_curve_merge (curve, rows, ROWS, NULL), 0);
    weft_curve_pack (curve, out);
    for (int p = 1; p < PACKETS; p++) {
        random_rows (seed, rows, ROWS);
        assert_int_equal (weft_curve_merge (curve, rows, ROWS, NULL), 0);
        const weft_curve_t news = { .rows = curve->news, .n = curve->n_news };
        if (news.n)
            weft_curve_pack (&news, out);
    }
}

static void
pieces_are_one_curve (void **state)
{
    (void)state;
    unsigned seed = 5;
    for (int round = 0; round < 300; round++) {
        weft_curve_t curve = { 0 }, read = { 0 };
        weft_buf_t blob;
        weft_buf_init (&blob, 1 << 20);
        write_pieces (&curve, &seed, &blob);
        size_t used = blob.size;
        memset (weft_buf_grow (&blob, ROOM), 0, ROOM);
        assert_int_equal (weft_curve_unpack (&read, blob.data, used), 0);
        assert_same (&curve, &read);
        assert_int_equal (weft_curve_unpack (&read, blob.data, blob.size), 0);
        assert_same (&curve, &read);
        assert_int_equal (read.packed, used);
        weft_curve_fini (&curve);
        weft_curve_fini (&read);
        weft_buf_fini (&blob);
    }
}

static void
what_is_before_a_broken_piece_is_kept (void **state)
{
    (void)state;
    unsigned seed = 17;
    weft_curve_t curve = { 0 }, read = { 0 };
    weft_buf_t blob;
    weft_buf_init (&blob, 1 << 20);
    write_pieces (&curve, &seed, &blob);
    size_t used = blob.size;
    //  The last piece, cut anywhere; and room that is not empty.
    const weft_curve_t news = { .rows = curve.rows, .n = 3 };
    weft_curve_pack (&news, &blob);
    for (size_t size = used + 1; size < blob.size; size++) {
        assert_int_equal (weft_curve_unpack (&read, blob.data, size),
                          WEFT_ETRUNCATED);
        assert_same (&curve, &read);
        assert_int_equal (read.packed, used);
    }
    memset (weft_buf_grow (&blob, ROOM), 0, ROOM);
    assert_int_equal (weft_curve_unpack (&read, blob.data, blob.size), 0);
    blob.data[blob.size - 1] = 1;
    assert_int_equal (weft_curve_unpack (&read, blob.data, blob.size),
                      WEFT_ETRUNCATED);
    assert_same (&curve, &read);
    //  Every bit flipped: refused or read, never out of bounds.
    for (size_t i = 0; i < blob.size * 8; i++) {
        blob.data[i / 8] ^= (uint8_t)(1 << i % 8);
        (void)!weft_curve_unpack (&read, blob.data, blob.size);
        blob.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    weft_curve_fini (&curve);
    weft_curve_fini (&read);
    weft_buf_fini (&blob);
}

//  With room a blob has layout 2; 1 is read with and without, and what is later
//  than 2 is not broken, in whichever piece it is.
static void
layouts_of_later_are_told_from_broken_ones (void **state)
{
    (void)state;
    unsigned seed = 29;
    weft_curve_t curve = { 0 }, read = { 0 };
    weft_point_t rows[ROWS];
    weft_buf_t blob;
    weft_buf_init (&blob, 1 << 20);
    random_rows (&seed, rows, ROWS);
    assert_int_equal (weft_curve_merge (&curve, rows, ROWS, NULL), 0);
    weft_curve_pack (&curve, &blob);
    size_t used = blob.size;
    weft_curve_add_room (&blob, 0);
    assert_int_equal (blob.data[1], 1);
    weft_curve_add_room (&blob, ROOM);
    assert_int_equal (blob.size, used + ROOM);
    assert_int_equal (blob.data[1], 2);
    memcpy (blob.data + used, blob.data, 12);
    weft_put_u32 (blob.data + used + 4, 0);  //  a piece without rows
    for (size_t at = 0; at <= used; at += used)
        for (uint8_t layout = 0; layout < 5; layout++) {
            const int expected[] = { WEFT_EMALFORMED, 0, 0, WEFT_EVERSION,
                                     WEFT_EVERSION };
            uint8_t was = blob.data[at + 1];
            blob.data[at + 1] = layout;
            assert_int_equal (weft_curve_unpack (&read, blob.data, blob.size),
                              expected[layout]);
            if (!expected[layout] || (at && layout == 0))
                assert_same (&curve, &read);
            else
                assert_int_equal (read.n, 0);
            blob.data[at + 1] = was;
        }
    weft_curve_fini (&curve);
    weft_curve_fini (&read);
    weft_buf_fini (&blob);
}

//  Row 4 of `rows` has no date: the others are kept.
static void
assert_others_stay (weft_point_t *rows, double mjd)
{
    weft_curve_t all = { .rows = rows, .n = ROWS }, read = { 0 };
    weft_buf_t blob;
    weft_buf_init (&blob, 1 << 20);
    for (int i = 0; i < ROWS; i++) {
        rows[i] = weft_point_none ();
        rows[i].kind = WEFT_KIND_D;
        rows[i].key = i;
        rows[i].mjd = 59000 + i;
    }
    rows[4].mjd = mjd;
    weft_curve_pack (&all, &blob);
    weft_curve_pack (&all, &blob);  //  and in a piece that came later
    assert_int_equal (weft_curve_unpack (&read, blob.data, blob.size), 0);
    assert_int_equal (read.n, ROWS - 1);
    assert_null (weft_curve_find (&read, WEFT_KIND_D, 4));
    assert_non_null (weft_curve_find (&read, WEFT_KIND_D, ROWS - 1));
    weft_curve_clear (&read);
    read.days = 100;
    assert_int_equal (weft_curve_merge (&read, rows, ROWS, NULL), 0);
    assert_int_equal (read.n, ROWS - 1);
    weft_buf_fini (&blob);
    weft_curve_fini (&read);
}

static void
a_row_without_a_date_costs_no_other (void **state)
{
    (void)state;
    weft_point_t rows[ROWS];
    assert_others_stay (rows, INFINITY);
    assert_others_stay (rows, -INFINITY);
    assert_others_stay (rows, NAN);
    assert_others_stay (rows, 1e300);
}

//  A dummy's seconds are no day that others are older than.
static void
a_row_of_no_day_makes_none_old (void **state)
{
    (void)state;
    weft_curve_t curve = { .days = 30 };
    weft_point_t rows[3];
    const double mjd[] = { 59000, 59050, 1.7e9 };
    for (int i = 0; i < 3; i++) {
        rows[i] = weft_point_none ();
        rows[i].kind = WEFT_KIND_D;
        rows[i].key = i;
        rows[i].mjd = mjd[i];
    }
    assert_int_equal (weft_curve_merge (&curve, rows, 3, NULL), 0);
    assert_int_equal (curve.n, 2);
    assert_null (weft_curve_find (&curve, WEFT_KIND_D, 0));
    weft_curve_fini (&curve);
}

//  News are what a merge has changed, as it stands then, and nothing else.
static void
news_are_what_has_changed (void **state)
{
    (void)state;
    unsigned seed = 23;
    weft_curve_t curve = { 0 }, before = { 0 };
    for (int round = 0; round < 300; round++) {
        weft_point_t rows[ROWS];
        bool changed;
        random_rows (&seed, rows, ROWS);
        weft_point_t *copy = malloc ((curve.n + 1) * sizeof (*copy));
        memcpy (copy, curve.rows ? curve.rows : rows, curve.n * sizeof (*copy));
        weft_curve_clear (&before);
        assert_int_equal (weft_curve_merge (&before, copy, curve.n, NULL), 0);
        free (copy);
        assert_int_equal (weft_curve_merge (&curve, rows, ROWS, &changed), 0);
        size_t differ = 0;
        for (size_t i = 0; i < curve.n; i++) {
            const weft_point_t *now = &curve.rows[i],
                               *was = weft_curve_find (&before, now->kind,
                                                       now->key);
            if (was && !memcmp (was, now, ROW_BYTES))
                continue;
            assert_true (differ < curve.n_news);
            assert_memory_equal (&curve.news[differ], now, ROW_BYTES);
            differ++;
        }
        assert_int_equal (differ, curve.n_news);
        assert_int_equal (changed, differ > 0);
    }
    weft_curve_fini (&curve);
    weft_curve_fini (&before);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (pieces_are_one_curve),
        cmocka_unit_test (what_is_before_a_broken_piece_is_kept),
        cmocka_unit_test (layouts_of_later_are_told_from_broken_ones),
        cmocka_unit_test (a_row_without_a_date_costs_no_other),
        cmocka_unit_test (a_row_of_no_day_makes_none_old),
        cmocka_unit_test (news_are_what_has_changed),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
