//  weft_point.h - one row of a light curve, as ingest keeps it.
//
//  What a row is (detection, limit, forced) is told by its fields, what it is
//  the same as by its key, and which of two is better by its version: see
//  CONTRACT.md, "The merge rule". Values are never identity: a survey prints
//  the same measurement with fewer digits when it repeats it. Plain values, any
//  thread.

#ifndef WEFT_POINT_H_INCLUDED
#define WEFT_POINT_H_INCLUDED

#include "weft_base.h"

typedef enum { WEFT_KIND_D = 1, WEFT_KIND_L = 2, WEFT_KIND_F = 3 } weft_row_t;

//  Canonical flag bits, the same for all surveys.
#define WEFT_FLAGS(X)                                                          \
    X (psf_bad, 0)                                                             \
    X (edge, 1)                                                                \
    X (no_pixels, 2)                                                           \
    X (saturated, 3)                                                           \
    X (saturated_center, 4)                                                    \
    X (cr, 5)                                                                  \
    X (bad, 6)                                                                 \
    X (interpolated_center, 7)                                                 \
    X (suspect, 8)                                                             \
    X (streak, 9)                                                              \
    X (streak_center, 10)                                                      \
    X (nodata, 11)                                                             \
    X (injected, 12)                                                           \
    X (injected_template, 13)                                                  \
    X (centroid_bad, 14)                                                       \
    X (shape_bad, 15)                                                          \
    X (ap_bad, 16)                                                             \
    X (dipole, 17)                                                             \
    X (dipole_tried, 18)                                                       \
    X (glint, 19)                                                              \
    X (negative, 20)                                                           \
    X (survey_says_negative, 21)                                               \
    X (forced_failed, 22)                                                      \
    X (forced_warn, 23)                                                        \
    X (multi, 24)                                                              \
    X (nbad, 25)                                                               \
    X (too, 26)                                                                \
    X (coarse, 27)                                                             \
    X (nonpublic, 28)                                                          \
    X (withdrawn, 29)

enum {
#define X(name, bit) WEFT_FLAG_##name = 1 << bit,
    WEFT_FLAGS (X)
#undef X
};

//  Curves that a row belongs to, bits of `use`.
enum {
    WEFT_USE_DETECTION = 1,  //  D of the view, and limits
    WEFT_USE_FORCED = 2,     //  usable F, else D, else nothing
    WEFT_USE_TOTAL = 4,      //  the total flux is there
    WEFT_USE_PUBLIC = 8,
};

//  Bands: u g r i z y = 0 to 5, ZTF's g r i = 6 to 8.
#define WEFT_BAND_NONE 255
#define WEFT_BAND_ZG 6

//  Compared as bytes up to `known_at`, so there is no padding before it and
//  every NaN is the same NaN.
typedef struct {
    double mjd;      //  middle of the exposure, TAI
    double t_src;    //  the survey's own time stamp, NaN
    double ra, dec;  //  deg, NaN
    int64_t id;      //  candid, diaSourceId, diaForcedSourceId, or 0
    int64_t key;     //  what it is, with `kind`
    int64_t expo;    //  exposure
    int64_t ver[2];  //  version, the first counts more; higher wins
    float flux, err, tot, tot_err, ref, ref_err;  //  nJy, NaN
    float ref_sep;                                //  arcsec
    float lim;                                    //  nJy, 5 sigma
    float zp;                                     //  mag
    float score;                                  //
    uint32_t flags;                               //  WEFT_FLAG bits
    uint8_t band;                                 //
    uint8_t kind;                                 //  weft_row_t
    uint8_t prog;                                 //  1 is public
    uint8_t usable;                               //  F: may be used
    uint32_t known_at;  //  UTC seconds of the alert that first brought it
} weft_point_t;

//  A row of which nothing is known but what the arguments say.
#define WEFT_POINT_NONE(...)                                                   \
    {                                                                          \
        .mjd = __builtin_nan (""), .t_src = __builtin_nan (""),                \
        .ra = __builtin_nan (""), .dec = __builtin_nan (""),                   \
        .flux = __builtin_nanf (""), .err = __builtin_nanf (""),               \
        .tot = __builtin_nanf (""), .tot_err = __builtin_nanf (""),            \
        .ref = __builtin_nanf (""), .ref_err = __builtin_nanf (""),            \
        .ref_sep = __builtin_nanf (""), .lim = __builtin_nanf (""),            \
        .zp = __builtin_nanf (""), .score = __builtin_nanf (""),               \
        .band = WEFT_BAND_NONE, __VA_ARGS__                                    \
    }

//  A row of which nothing is known.
static inline weft_point_t
weft_point_none (void)
{
    return (weft_point_t)WEFT_POINT_NONE (.kind = 0);
}

#endif
