//  Cones against brute force, over the whole sky and where it is nasty.
//
//  Brute force measures distance by the chord between unit vectors, so it
//  shares nothing with the index: neither the zones nor the haversine.

#include "unit/testing.h"

#include <math.h>

#include "weft_sky.h"

#define DEG (M_PI / 180)
#define ROWS 10000
#define CONES 10000
#define ARCSEC 3600.0

static double ra[ROWS], dec[ROWS];
static double unit[ROWS][3];
static uint64_t seed = 20260309;

static double
uniform (void)
{
    seed = seed * UINT64_C (6364136223846793005) + 1442695040888963407;
    return (double)(seed >> 11) * 0x1p-53;
}

static void
unit_of (double a, double d, double out[3])
{
    out[0] = cos (d * DEG) * cos (a * DEG);
    out[1] = cos (d * DEG) * sin (a * DEG);
    out[2] = sin (d * DEG);
}

static double
chord_2 (const double a[3], const double b[3])
{
    double x = a[0] - b[0], y = a[1] - b[1], z = a[2] - b[2];
    return x * x + y * y + z * z;
}

static double
chord (const double a[3], const double b[3])
{
    return 2 * asin (fmin (1, sqrt (chord_2 (a, b)) / 2)) / DEG;
}

//  Squared chord of an angle of at most half a turn.
static double
limit_2 (double angle)
{
    double c = 2 * sin (fmax (0, angle) * DEG / 2);
    return c * c;
}

static void
random_place (double *a, double *d)
{
    *a = 360 * uniform ();
    *d = asin (2 * uniform () - 1) / DEG;
}

static const double nasty[][2] = {
    { 0, 90 },      { 123, 90 },      { 0, -90 },      { 359.9999, 89.9999 },
    { 180, 89.99 }, { 0, 0 },         { 360, 0 },      { 359.99999, 0 },
    { 0.00001, 0 }, { -0.00001, 1 },  { 45, 41.8103 }, { 90, -41.8103 },
    { 0, 45 },      { 359.9999, 45 }, { 180, 0 },      { 270, -89.999 },
};

//  A third all over the sky, a third in clusters around the nasty places, and
//  a third repeated.
static void
make_rows (void)
{
    for (uint32_t i = 0; i < ROWS; i++) {
        const double *at = nasty[i % WEFT_COUNT (nasty)];
        if (i % 3 == 0)
            random_place (&ra[i], &dec[i]);
        else if (i % 3 == 1 || i < 100) {
            double size = pow (10, -6 + 6 * uniform ());
            ra[i] = at[0] + size * (uniform () - 0.5);
            dec[i] = fmax (-90, fmin (90, at[1] + size * (uniform () - 0.5)));
            ra[i] = fmin (360, ra[i]);
        } else {
            uint32_t twin = (uint32_t)(uniform () * i);
            ra[i] = ra[twin];
            dec[i] = dec[twin];
        }
        unit_of (ra[i], dec[i], unit[i]);
    }
}

static void
make_cone (uint32_t k, double *a, double *d)
{
    const double *at = nasty[k % WEFT_COUNT (nasty)];
    uint32_t row = (uint32_t)(uniform () * ROWS);
    switch (k % 4) {
    case 0:
        random_place (a, d);
        return;
    case 1:
        *a = at[0];
        *d = at[1];
        return;
    case 2:
        *a = fmin (360, ra[row] + 1e-4 * (uniform () - 0.5));
        *d = fmax (-90, fmin (90, dec[row] + 1e-4 * (uniform () - 0.5)));
        return;
    default:
        *a = ra[row];
        *d = dec[row];
    }
}

static void
check_cone (const weft_sky_t *sky, double a, double d, double radius)
{
    weft_sky_hit_t hits[ROWS];
    uint32_t found, expected = 0, doubtful = 0;
    double at[3];
    unit_of (a, d, at);
    //  Keeping them in order is meant for few.
    uint32_t most = radius < 0.5 ? ROWS : 64;
    uint32_t n = weft_sky_cone (sky, a, d, radius, hits, most, &found);
    assert_int_equal (n, found < most ? found : most);
    //  The chord itself is good to 1e-13 degrees or so.
    double low = limit_2 (radius - 1e-11), high = limit_2 (radius + 1e-11);
    for (uint32_t i = 0; i < ROWS; i++) {
        double far = chord_2 (at, unit[i]);
        expected += far < low;
        doubtful += far >= low && far <= high;
    }
    assert_true (found >= expected && found <= expected + doubtful);
    for (uint32_t i = 0; i < n; i++) {
        double far = chord (at, unit[hits[i].row]);
        assert_true (fabs (far - hits[i].separation) < 1e-10);
        assert_true (hits[i].separation <= radius);
        if (i > 0)
            assert_true (hits[i - 1].separation < hits[i].separation ||
                         (hits[i - 1].separation == hits[i].separation &&
                          hits[i - 1].row < hits[i].row));
    }
}

static void
cones_agree_with_brute_force (void **state)
{
    (void)state;
    static const double radii[] = { 0, 1e-4, 1.5 / ARCSEC, 60 / ARCSEC, 1, 30 };
    make_rows ();
    //  An index is made for one radius, and right for every other.
    for (uint32_t m = 0; m < 3; m++) {
        static const double made_for[] = { 0, 1.5 / ARCSEC, 5 };
        weft_sky_t *sky = weft_sky_new (ra, dec, ROWS, made_for[m]);
        assert_non_null (sky);
        for (uint32_t k = 0; k < CONES / 3; k++) {
            double a, d;
            make_cone (k, &a, &d);
            check_cone (sky, a, d, radii[k / 16 % WEFT_COUNT (radii)]);
        }
        weft_sky_destroy (&sky);
        assert_null (sky);
    }
}

static void
the_nearest_are_kept_and_all_are_counted (void **state)
{
    (void)state;
    const double a[] = { 10, 10, 10, 10.001, 10 }, d[] = { 0, 0, 0, 0, 0.0005 };
    weft_sky_t *sky = weft_sky_new (a, d, 5, 0.01);
    weft_sky_hit_t hits[5];
    uint32_t found;
    assert_int_equal (weft_sky_cone (sky, 10, 0, 0.01, hits, 2, &found), 2);
    assert_int_equal (found, 5);
    assert_int_equal (hits[0].row, 0);
    assert_int_equal (hits[1].row, 1);
    assert_int_equal (weft_sky_cone (sky, 10, 0, 0.01, hits, 5, &found), 5);
    assert_int_equal (hits[3].row, 4);
    assert_int_equal (hits[4].row, 3);
    assert_int_equal (weft_sky_cone (sky, 10, 0, 0, hits, 5, &found), 3);
    assert_int_equal (weft_sky_cone (sky, 10, 0, 0.01, NULL, 0, &found), 0);
    assert_int_equal (found, 5);
    weft_sky_destroy (&sky);
}

static void
an_empty_catalogue_answers_nothing (void **state)
{
    (void)state;
    weft_sky_t *sky = weft_sky_new (NULL, NULL, 0, 1);
    weft_sky_hit_t hit;
    uint32_t found = 1;
    assert_non_null (sky);
    assert_int_equal (weft_sky_cone (sky, 1, 89.9, 1, &hit, 1, &found), 0);
    assert_int_equal (found, 0);
    weft_sky_destroy (&sky);
}

static void
separations_keep_their_digits (void **state)
{
    (void)state;
    //  0.0002 arcsec is what catalogues are compared to.
    double near = weft_sky_separation (180, 60, 180 + 0.0002 / ARCSEC, 60);
    assert_true (fabs (near * ARCSEC - 0.0001) < 1e-9);
    double wrap = weft_sky_separation (359.9999, 0, 0.0001, 0);
    assert_true (fabs (wrap - 0.0002) < 1e-12);
    assert_true (fabs (weft_sky_separation (0, 90, 77, -90) - 180) < 1e-9);
    assert_true (weft_sky_separation (12, 34, 12, 34) == 0);
    assert_false (weft_sky_valid (NAN, 0));
    assert_false (weft_sky_valid (0, 90.1));
    assert_false (weft_sky_valid (361, 0));
    assert_true (weft_sky_valid (-180, -90));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (cones_agree_with_brute_force),
        cmocka_unit_test (the_nearest_are_kept_and_all_are_counted),
        cmocka_unit_test (an_empty_catalogue_answers_nothing),
        cmocka_unit_test (separations_keep_their_digits),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
