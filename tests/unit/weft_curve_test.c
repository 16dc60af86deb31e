//  The merge and the view: any order of arrival gives the same bytes, and each
//  rule of the contract has a test that fails without it.

#include "unit/testing.h"

#include <math.h>

#include "weft_view.h"

//  --- rows to play with

static weft_point_t
row (uint8_t kind, int64_t key, double mjd, int64_t expo)
{
    weft_point_t point = weft_point_none ();
    point.kind = kind;
    point.key = key;
    point.id = kind == WEFT_KIND_D ? key : 0;
    point.mjd = mjd;
    point.expo = expo;
    point.band = 7;
    point.prog = 1;
    point.known_at = 1000;
    point.usable = kind == WEFT_KIND_F;
    if (kind == WEFT_KIND_D) {
        point.ra = 10;
        point.dec = 20;
    }
    if (kind != WEFT_KIND_L) {
        point.flux = 100;
        point.err = 5;
    } else {
        point.lim = 50;
    }
    return point;
}

static weft_view_rule_t
rule_of (int64_t trigger, double t_obs)
{
    return (weft_view_rule_t){ .t_obs = t_obs,
                               .known_at = 2000,
                               .trigger = trigger,
                               .obj_ra = NAN,
                               .obj_dec = NAN };
}

typedef struct {
    weft_curve_t curve;
    weft_view_t *view;
} bench_t;

static int
setup (void **state)
{
    bench_t *bench = calloc (1, sizeof (*bench));
    bench->view = weft_view_new ();
    *state = bench;
    return 0;
}

static int
teardown (void **state)
{
    bench_t *bench = *state;
    weft_curve_fini (&bench->curve);
    weft_view_destroy (&bench->view);
    free (bench);
    return 0;
}

static void
add (bench_t *bench, weft_point_t point)
{
    assert_int_equal (weft_curve_merge (&bench->curve, &point, 1, NULL), 0);
}

//  Rows of one kind in the view.
static size_t
count (const bench_t *bench, uint8_t kind)
{
    size_t n = 0;
    for (size_t i = 0; i < weft_view_rows (bench->view); i++)
        n += weft_view_row (bench->view, i)->kind == kind;
    return n;
}

//  --- the merge

//  A little random season: rows with equal keys, versions and ties.
static size_t
random_rows (unsigned *seed, weft_point_t *rows, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        *seed = *seed * 1103515245 + 12345;
        unsigned r = *seed >> 8;
        uint8_t kind = (uint8_t)(1 + r % 3);
        rows[i] = row (kind, r / 3 % 5, 59000 + r % 7, r % 5);
        rows[i].ver[0] = r / 16 % 2;
        rows[i].ver[1] = r / 32 % 2;
        rows[i].flux = (float)(r % 4);
        rows[i].known_at = 100 + r % 9;
        if (r % 11 == 0)
            rows[i].tot = (float)sqrt (-1.0);  //  another NaN than ours
    }
    return n;
}

static void
pack_all (weft_curve_t *curve, weft_buf_t *out)
{
    weft_buf_clear (out);
    weft_curve_pack (curve, out);
    assert_int_equal (out->error, 0);
}

//  Six orders, in pieces, with duplicates: equal bytes.
static void
any_order_gives_the_same_bytes (void **state)
{
    (void)state;
    static const unsigned orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 },
                                           { 1, 0, 2 }, { 1, 2, 0 },
                                           { 2, 0, 1 }, { 2, 1, 0 } };
    unsigned seed = 7;
    weft_buf_t first, next;
    weft_buf_init (&first, 1 << 20);
    weft_buf_init (&next, 1 << 20);
    for (int round = 0; round < 200; round++) {
        weft_point_t packets[3][12], rows[12];
        for (int p = 0; p < 3; p++)
            random_rows (&seed, packets[p], 12);
        for (size_t o = 0; o < 6; o++) {
            weft_curve_t curve = { 0 };
            for (size_t i = 0; i < 9; i++) {
                //  Each packet comes three times.
                memcpy (rows, packets[orders[o][i % 3]], sizeof (rows));
                assert_int_equal (weft_curve_merge (&curve, rows, 12, NULL), 0);
            }
            pack_all (&curve, o ? &next : &first);
            if (o) {
                assert_int_equal (first.size, next.size);
                assert_memory_equal (first.data, next.data, first.size);
            }
            weft_curve_fini (&curve);
        }
    }
    weft_buf_fini (&first);
    weft_buf_fini (&next);
}

static void
merging_again_changes_nothing (void **state)
{
    bench_t *bench = *state;
    weft_point_t rows[20], again[20];
    unsigned seed = 3;
    bool changed;
    random_rows (&seed, rows, 20);
    memcpy (again, rows, sizeof (rows));
    assert_int_equal (weft_curve_merge (&bench->curve, rows, 20, &changed), 0);
    assert_true (changed);
    assert_int_equal (weft_curve_merge (&bench->curve, again, 20, &changed), 0);
    assert_false (changed);
}

static void
a_packed_curve_comes_back (void **state)
{
    bench_t *bench = *state;
    weft_point_t rows[40];
    unsigned seed = 11;
    random_rows (&seed, rows, 40);
    assert_int_equal (weft_curve_merge (&bench->curve, rows, 40, NULL), 0);
    weft_buf_t one, two;
    weft_buf_init (&one, 1 << 20);
    weft_buf_init (&two, 1 << 20);
    pack_all (&bench->curve, &one);
    weft_curve_t other = { 0 };
    assert_int_equal (weft_curve_unpack (&other, one.data, one.size), 0);
    pack_all (&other, &two);
    assert_int_equal (one.size, two.size);
    assert_memory_equal (one.data, two.data, one.size);
    for (size_t cut = 0; cut < one.size; cut++)
        assert_int_not_equal (weft_curve_unpack (&other, one.data, cut), 0);
    //  Every bit flipped: refused or read, never out of bounds.
    for (size_t i = 0; i < one.size * 8; i++) {
        one.data[i / 8] ^= (uint8_t)(1 << i % 8);
        (void)!weft_curve_unpack (&other, one.data, one.size);
        one.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    weft_curve_fini (&other);
    weft_buf_fini (&one);
    weft_buf_fini (&two);
}

//  Trap 1: the same measurement with other digits is one row, the better one.
static void
values_are_never_identity (void **state)
{
    bench_t *bench = *state;
    weft_point_t full = row (WEFT_KIND_D, 42, 59000, 8);
    full.ver[0] = 1;
    full.flux = 123.456789f;
    weft_point_t coarse = row (WEFT_KIND_D, 42, 59000, 8);
    coarse.flux = 123.45f;
    coarse.known_at = 500;
    add (bench, full);
    add (bench, coarse);
    assert_int_equal (bench->curve.n, 1);
    assert_true (bench->curve.rows[0].flux == full.flux);
    //  Known since the earlier of the two, whichever values won.
    assert_int_equal (bench->curve.rows[0].known_at, 500);
}

//  --- the view

//  Trap 5: what was measured or learned after the alert is not seen.
static void
the_future_is_cut (void **state)
{
    bench_t *bench = *state;
    add (bench, row (WEFT_KIND_D, 1, 59000, 1));
    add (bench, row (WEFT_KIND_D, 2, 59010, 2));
    weft_point_t later = row (WEFT_KIND_D, 3, 59020, 3);
    add (bench, later);
    weft_point_t learned = row (WEFT_KIND_F, 4, 59005, 4);
    learned.known_at = 3000;
    add (bench, learned);
    weft_view_rule_t rule = rule_of (2, 59010);
    assert_int_equal (weft_view_make (bench->view, &bench->curve, &rule), 0);
    assert_int_equal (weft_view_rows (bench->view), 2);
    assert_int_equal (weft_view_trigger (bench->view), 1);
    assert_int_equal (weft_view_row (bench->view, 1)->key, 2);
}

static void
the_alert_itself_is_always_there (void **state)
{
    bench_t *bench = *state;
    weft_point_t own = row (WEFT_KIND_D, 9, 59010.001, 2);
    own.prog = 2;
    own.flags = WEFT_FLAG_withdrawn;
    own.known_at = 5000;
    add (bench, own);
    //  A nearer, better scored detection of the same exposure.
    weft_point_t other = row (WEFT_KIND_D, 8, 59009, 2);
    other.score = 1;
    add (bench, other);
    weft_view_rule_t rule = rule_of (9, 59010);
    rule.public_only = true;
    rule.rows_most = 1;
    assert_int_equal (weft_view_make (bench->view, &bench->curve, &rule), 0);
    assert_int_equal (weft_view_rows (bench->view), 1);
    assert_int_equal (weft_view_row (bench->view, 0)->key, 9);
    rule.trigger = 7;
    assert_int_equal (weft_view_make (bench->view, &bench->curve, &rule),
                      WEFT_EABSENT);
}

//  A limit makes way for a detection and for a usable forced row of its
//  exposure, not for one that failed.
static void
limits_make_way (void **state)
{
    bench_t *bench = *state;
    add (bench, row (WEFT_KIND_D, 1, 59010, 10));
    add (bench, row (WEFT_KIND_L, 20, 59001, 20));
    add (bench, row (WEFT_KIND_F, 20, 59001, 20));
    add (bench, row (WEFT_KIND_L, 30, 59002, 30));
    weft_point_t failed = row (WEFT_KIND_F, 30, 59002, 30);
    failed.usable = 0;
    add (bench, failed);
    add (bench, row (WEFT_KIND_L, 10, 59010, 10));
    weft_view_rule_t rule = rule_of (1, 59010);
    assert_int_equal (weft_view_make (bench->view, &bench->curve, &rule), 0);
    assert_int_equal (count (bench, WEFT_KIND_L), 1);
    assert_int_equal (count (bench, WEFT_KIND_F), 2);
    assert_int_equal (count (bench, WEFT_KIND_D), 1);
    for (size_t i = 0; i < weft_view_rows (bench->view); i++)
        if (weft_view_row (bench->view, i)->kind == WEFT_KIND_L)
            assert_int_equal (weft_view_row (bench->view, i)->expo, 30);
}

//  `use` of one exposure with a detection and a usable forced row.
static void
use_tells_the_curves (void **state)
{
    bench_t *bench = *state;
    weft_point_t own = row (WEFT_KIND_D, 1, 59010, 10);
    own.tot = 300;
    add (bench, own);
    add (bench, row (WEFT_KIND_F, 10, 59010, 10));
    add (bench, row (WEFT_KIND_D, 2, 59005, 5));
    weft_point_t closed = row (WEFT_KIND_L, 3, 59003, 3);
    closed.prog = 2;
    add (bench, closed);
    weft_view_rule_t rule = rule_of (1, 59010);
    assert_int_equal (weft_view_make (bench->view, &bench->curve, &rule), 0);
    weft_points_v1_t points;
    assert_int_equal (weft_view_points (bench->view, &points), 0);
    assert_int_equal (points.use.n, 4);
    //  In time order: L, D alone, D with F, F.
    assert_int_equal (weft_col_u8 (points.use, 0), WEFT_USE_DETECTION);
    assert_int_equal (weft_col_u8 (points.use, 1),
                      WEFT_USE_DETECTION | WEFT_USE_FORCED | WEFT_USE_PUBLIC);
    assert_int_equal (weft_col_u8 (points.use, 2),
                      WEFT_USE_DETECTION | WEFT_USE_TOTAL | WEFT_USE_PUBLIC);
    assert_int_equal (weft_col_u8 (points.use, 3),
                      WEFT_USE_FORCED | WEFT_USE_PUBLIC);
    //  A column that no row fills is not there; one that some do is.
    assert_false (WEFT_HAS (points_v1, &points, t_src));
    assert_true (WEFT_HAS (points_v1, &points, tot));
}

//  Two detections of one exposure: nearest to the object, else higher score,
//  else lower id; the flags say so.
static void
one_detection_an_exposure (void **state)
{
    bench_t *bench = *state;
    weft_point_t near = row (WEFT_KIND_D, 5, 59001, 1);
    weft_point_t far = row (WEFT_KIND_D, 4, 59001, 1);
    far.ra += 2.0 / 3600;
    far.score = 1;
    far.flux = -50;
    add (bench, near);
    add (bench, far);
    weft_point_t low = row (WEFT_KIND_D, 6, 59002, 2);
    weft_point_t high = row (WEFT_KIND_D, 7, 59002, 2);
    low.score = 0.1f;
    high.score = 0.9f;
    add (bench, low);
    add (bench, high);
    add (bench, row (WEFT_KIND_D, 20, 59003, 3));
    add (bench, row (WEFT_KIND_D, 19, 59003, 3));
    add (bench, row (WEFT_KIND_D, 30, 59009, 9));
    weft_view_rule_t rule = rule_of (30, 59010);
    rule.obj_ra = 10;
    rule.obj_dec = 20;
    assert_int_equal (weft_view_make (bench->view, &bench->curve, &rule), 0);
    assert_int_equal (weft_view_rows (bench->view), 4);
    assert_int_equal (weft_view_row (bench->view, 0)->key, 5);
    assert_true (weft_view_flags (bench->view, 0) & WEFT_FLAG_multi);
    assert_true (weft_view_flags (bench->view, 0) & WEFT_FLAG_dipole);
    assert_int_equal (weft_view_row (bench->view, 1)->key, 7);
    assert_false (weft_view_flags (bench->view, 1) & WEFT_FLAG_dipole);
    assert_int_equal (weft_view_row (bench->view, 2)->key, 19);
    assert_false (weft_view_flags (bench->view, 3) & WEFT_FLAG_multi);
    //  Both stay in the store.
    assert_int_equal (bench->curve.n, 7);
}

static void
what_is_withdrawn_is_not_seen (void **state)
{
    bench_t *bench = *state;
    weft_point_t gone = row (WEFT_KIND_D, 1, 59001, 1);
    gone.flags |= WEFT_FLAG_withdrawn;
    add (bench, gone);
    add (bench, row (WEFT_KIND_D, 2, 59002, 2));
    weft_view_rule_t rule = rule_of (2, 59010);
    assert_int_equal (weft_view_make (bench->view, &bench->curve, &rule), 0);
    assert_int_equal (weft_view_rows (bench->view), 1);
}

static void
the_message_is_trimmed (void **state)
{
    bench_t *bench = *state;
    add (bench, row (WEFT_KIND_F, 1, 58500, 1));  //  over 400 days old
    add (bench, row (WEFT_KIND_L, 2, 58900, 2));  //  long before the first
    add (bench, row (WEFT_KIND_L, 3, 58980, 3));  //  before the first
    add (bench, row (WEFT_KIND_D, 4, 59000, 4));  //  the first
    add (bench, row (WEFT_KIND_L, 5, 59050, 5));  //  between
    add (bench, row (WEFT_KIND_L, 6, 59090, 6));  //  before the last
    add (bench, row (WEFT_KIND_D, 7, 59100, 7));  //  the last
    weft_view_rule_t rule = rule_of (7, 59100);
    rule.forced_days = 400;
    rule.limit_days = 30;
    rule.rows_most = 1024;
    assert_int_equal (weft_view_make (bench->view, &bench->curve, &rule), 0);
    assert_int_equal (weft_view_rows (bench->view), 4);
    assert_int_equal (weft_view_cut (bench->view), 3);
    assert_int_equal (weft_view_row (bench->view, 0)->key, 3);
    //  Over the number: limits go first, and the alert itself never.
    rule.rows_most = 2;
    assert_int_equal (weft_view_make (bench->view, &bench->curve, &rule), 0);
    assert_int_equal (weft_view_rows (bench->view), 2);
    assert_int_equal (weft_view_cut (bench->view), 5);
    assert_int_equal (weft_view_row (bench->view, 0)->key, 4);
    assert_int_equal (weft_view_row (bench->view, 1)->key, 7);
}

static void
the_mean_position_knows_the_wrap (void **state)
{
    bench_t *bench = *state;
    weft_point_t east = row (WEFT_KIND_D, 1, 59001, 1);
    weft_point_t west = row (WEFT_KIND_D, 2, 59002, 2);
    east.ra = 0.0002;
    west.ra = 359.9998;
    add (bench, east);
    add (bench, west);
    weft_view_rule_t rule = rule_of (2, 59010);
    assert_int_equal (weft_view_make (bench->view, &bench->curve, &rule), 0);
    double ra, dec;
    weft_view_position (bench->view, &ra, &dec);
    assert_true (fabs (remainder (ra, 360)) < 1e-9);
    assert_true (fabs (dec - 20) < 1e-9);
}

static void
over_the_ceiling_the_oldest_go (void **state)
{
    bench_t *bench = *state;
    size_t n = WEFT_CURVE_ROWS_MOST + 100;
    weft_point_t *rows = calloc (n, sizeof (*rows));
    for (size_t i = 0; i < n; i++)
        rows[i] = row (WEFT_KIND_F, (int64_t)i, 59000 + (double)i, (int64_t)i);
    assert_int_equal (weft_curve_merge (&bench->curve, rows, n, NULL), 0);
    assert_int_equal (bench->curve.n, WEFT_CURVE_ROWS_MOST);
    assert_int_equal (bench->curve.rows[0].key, 100);
    free (rows);
}

//  Limits give the same curve in any order, and what they have dropped and a
//  packet brings again is no change.
static void
old_rows_go_by_configuration (void **state)
{
    bench_t *bench = *state;
    weft_curve_t *curve = &bench->curve,
                 other = { .days = 30, .rows_most = 20 };
    weft_point_t rows[60], again[60];
    bool changed;
    curve->days = 30;
    curve->rows_most = 20;
    for (size_t i = 0; i < 60; i++)
        rows[i] = row (WEFT_KIND_D, (int64_t)i, 59000 + (double)i, (int64_t)i);
    memcpy (again, rows, sizeof rows);
    for (size_t i = 0; i < 60; i++)
        assert_int_equal (weft_curve_merge (&other, &again[59 - i], 1, NULL),
                          0);
    assert_int_equal (weft_curve_merge (curve, rows, 30, NULL), 0);
    assert_int_equal (curve->n, 20);
    assert_int_equal (weft_curve_merge (curve, rows + 30, 30, NULL), 0);
    assert_int_equal (curve->n, 20);
    assert_int_equal (curve->rows[0].key, 40);
    assert_int_equal (other.n, 20);
    assert_int_equal (other.rows[0].key, 40);
    memcpy (again, rows, sizeof rows);
    assert_int_equal (weft_curve_merge (curve, again, 45, &changed), 0);
    assert_false (changed);
    curve->rows_most = 0;
    curve->days = 10;
    assert_int_equal (weft_curve_merge (curve, again, 45, &changed), 0);
    assert_true (changed);
    assert_int_equal (curve->n, 11);
    weft_curve_fini (&other);
}

int
main (void)
{
#define T(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T (any_order_gives_the_same_bytes),
        T (old_rows_go_by_configuration),
        T (merging_again_changes_nothing),
        T (a_packed_curve_comes_back),
        T (values_are_never_identity),
        T (the_future_is_cut),
        T (the_alert_itself_is_always_there),
        T (limits_make_way),
        T (use_tells_the_curves),
        T (one_detection_an_exposure),
        T (what_is_withdrawn_is_not_seen),
        T (the_message_is_trimmed),
        T (the_mean_position_knows_the_wrap),
        T (over_the_ceiling_the_oldest_go),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
