//  survey_ztf_units.h - ZTF's times, magnitudes, signs and filters in the
//  contract's terms: MJD TAI, nJy, band. Pure. Only survey_ztf.c includes this.

#ifndef SURVEY_ZTF_UNITS_H_INCLUDED
#define SURVEY_ZTF_UNITS_H_INCLUDED

#include <math.h>

#include "weft_survey.h"
#include "weft_time.h"

#define EXPOSURE 30.0  //  s, where the packet does not tell
#define EXPOSURE_MOST 86400.0

//  Middle of an exposure, MJD TAI, from its start in JD UTC.
static inline double
middle (double jd, double exptime)
{
    if (!(exptime > 0 && exptime < EXPOSURE_MOST))
        exptime = EXPOSURE;
    return weft_time_tai_of_utc (jd - WEFT_MJD_OF_JD + exptime / 172800);
}

static inline double
exact_flux (float mag)
{
    return weft_njy_of_mag ((double)mag);
}

static inline float
flux_of (float mag)
{
    return (float)exact_flux (mag);
}

static inline float
flux_error (float flux, float sigma)
{
    return (float)((double)fabsf (flux) * (double)sigma * WEFT_NJY_PER_MAG);
}

//  The survey's sign: +1, -1, or NaN if it is none of the five spellings.
static inline float
sign_of (const weft_avro_value_t *value)
{
    if (value->type == WEFT_AVRO_STRING && value->n == 1)
        switch (*value->p) {
        case 't':
        case '1':
            return 1;
        case 'f':
        case '0':
            return -1;
        default:
            return NAN;
        }
    int64_t number = weft_value_whole (value, -1);
    return number == 1 ? 1.0f : number == 0 ? -1.0f : NAN;
}

static inline uint8_t
band_of (int64_t fid)
{
    return fid >= 1 && fid <= 3 ? (uint8_t)(WEFT_BAND_ZG + fid - 1)
                                : WEFT_BAND_NONE;
}

//  A JD in UTC as MJD in TAI; NaN if it is absent.
static inline double
tai_of_jd (const weft_avro_value_t *value)
{
    double jd = weft_value_real (value);
    return jd > 0 ? weft_time_tai_of_utc (jd - WEFT_MJD_OF_JD) : NAN;
}

#endif
