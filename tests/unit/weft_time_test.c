//  TAI of UTC, whatever the order in which moments are asked for.

#include "unit/testing.h"

#include <math.h>

#include "weft_time.h"

//  TAI - UTC from this MJD on (IERS Bulletin C).
static const struct {
    double mjd, delta;
} leaps[] = {
    { 41317, 10 }, { 41499, 11 }, { 41683, 12 }, { 42048, 13 }, { 42413, 14 },
    { 42778, 15 }, { 43144, 16 }, { 43509, 17 }, { 43874, 18 }, { 44239, 19 },
    { 44786, 20 }, { 45151, 21 }, { 45516, 22 }, { 46247, 23 }, { 47161, 24 },
    { 47892, 25 }, { 48257, 26 }, { 48804, 27 }, { 49169, 28 }, { 49534, 29 },
    { 50083, 30 }, { 50630, 31 }, { 51179, 32 }, { 53736, 33 }, { 54832, 34 },
    { 56109, 35 }, { 57204, 36 }, { 57754, 37 },
};

static double
expected (double mjd)
{
    double delta = NAN;
    for (size_t i = 0; i < WEFT_COUNT (leaps); i++)
        if (mjd >= leaps[i].mjd)
            delta = leaps[i].delta;
    return mjd + delta / 86400;
}

static void
check (double mjd)
{
    double got = weft_time_tai_of_utc (mjd);
    if (!(fabs (got - expected (mjd)) < 1e-10))
        fail_msg ("at %.6f: %.9f, expected %.9f", mjd, got, expected (mjd));
    if (!(fabs (weft_time_utc_of_tai (got) - mjd) < 1e-10))
        fail_msg ("at %.6f: not the same way back", mjd);
}

static void
every_leap_second_counts (void **state)
{
    (void)state;
    //  To and fro, so that what is remembered is of no use, or of too much.
    for (size_t i = 0; i < WEFT_COUNT (leaps); i++)
        for (size_t k = 0; k < WEFT_COUNT (leaps); k++) {
            check (leaps[k].mjd);
            check (leaps[i].mjd + 0.25);
            if (i)
                check (leaps[i].mjd - 2e-5);
            check (61000 + (double)k);
        }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (every_leap_second_counts),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
