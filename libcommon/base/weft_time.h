//  weft_time.h - clocks and the time scales of the survey.
//
//  Timers run on the monotonic clock; times of the sky are MJD in TAI (days).
//  Any thread.

#ifndef WEFT_TIME_H_INCLUDED
#define WEFT_TIME_H_INCLUDED

#include "weft_base.h"

#define WEFT_MJD_OF_JD 2400000.5  //  JD - MJD, days
#define WEFT_MJD_UNIX 40587.0     //  MJD of 1970-01-01T00:00:00 UTC

//  Monotonic clock, milliseconds and nanoseconds since some start.
int64_t weft_time_ms (void);
int64_t weft_time_ns (void);

//  Now in UTC, seconds since 1970.
double weft_time_utc (void);

//  "2026-03-09T04:05:06.789Z" of seconds since 1970.
void weft_time_iso (double unix_seconds, char *out, size_t room);

//  MJD in UTC to MJD in TAI, days. Leap seconds from the IAU's table (ERFA's
//  eraDat); before 1960 or beyond the table the nearest entry holds.
double weft_time_tai_of_utc (double mjd_utc);
double weft_time_utc_of_tai (double mjd_tai);

//  Now, MJD in TAI, days.
double weft_time_mjd_tai (void);

#endif
