//  weft_time.c - clocks and time scales.

#include "weft_time.h"

#include <erfa.h>
#include <math.h>
#include <time.h>

#define SECONDS_PER_DAY 86400.0

int64_t
weft_time_ns (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t
weft_time_ms (void)
{
    return weft_time_ns () / 1000000;
}

double
weft_time_utc (void)
{
    struct timespec now;
    clock_gettime (CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void
weft_time_iso (double unix_seconds, char *out, size_t room)
{
    time_t whole = (time_t)floor (unix_seconds);
    int ms = (int)((unix_seconds - floor (unix_seconds)) * 1000);
    struct tm parts;
    gmtime_r (&whole, &parts);
    size_t n = strftime (out, room, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf (out + n, room - n, ".%03dZ", ms);
}

//  TAI - UTC in seconds at an MJD. eraDat returns -1 before 1960 and 1 for a
//  year far ahead; its value is the nearest known one in both cases.
static double
look_up_leap_seconds (double mjd_utc)
{
    int year, month, day;
    double fraction, delta = 37;
    if (!(mjd_utc > 37000 && mjd_utc < 100000))  //  1960 to 2132, not NaN
        return mjd_utc < 41317 ? 0 : delta;
    if (eraJd2cal (WEFT_MJD_OF_JD, mjd_utc, &year, &month, &day, &fraction))
        return delta;
    eraDat (year, month, day, fraction, &delta);
    return delta;
}

//  The same, for the many times of a light curve: since 1972 the value is one
//  of a whole day and has only grown, so it is constant between two days that
//  have the same.
static double
leap_seconds (double mjd_utc)
{
    static _Thread_local struct {
        double from, to, delta;
    } known;
    if (mjd_utc >= known.from && mjd_utc < known.to)
        return known.delta;
    double delta = look_up_leap_seconds (mjd_utc);
    if (!(mjd_utc >= 41317 && mjd_utc < 100000))
        return delta;
    double day = floor (mjd_utc);
    bool same = known.to > 0 && known.delta == delta;
    known.from = same ? WEFT_MIN (known.from, day) : day;
    known.to = same ? WEFT_MAX (known.to, day + 1) : day + 1;
    known.delta = delta;
    return delta;
}

double
weft_time_tai_of_utc (double mjd_utc)
{
    return mjd_utc + leap_seconds (mjd_utc) / SECONDS_PER_DAY;
}

double
weft_time_utc_of_tai (double mjd_tai)
{
    double guess = mjd_tai - leap_seconds (mjd_tai) / SECONDS_PER_DAY;
    return mjd_tai - leap_seconds (guess) / SECONDS_PER_DAY;
}

double
weft_time_mjd_tai (void)
{
    double utc = WEFT_MJD_UNIX + weft_time_utc () / SECONDS_PER_DAY;
    return weft_time_tai_of_utc (utc);
}
