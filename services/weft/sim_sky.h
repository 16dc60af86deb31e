//  sim_sky.h - what the survey did: fields, nights, weather, exposures.
//
//  Made once per season from the seed, read-only after. Exposures are shared
//  by all objects of a field, so that alerts come in bursts. Any thread reads.

#ifndef WEFT_SIM_SKY_H_INCLUDED
#define WEFT_SIM_SKY_H_INCLUDED

#include "sim_math.h"

enum { SIM_G, SIM_R, SIM_BANDS };

//  First midnight (UTC) of the season, and the survey's number of that night
//  (nights since 2017-01-01).
#define SIM_JD0 2460553.5
#define SIM_NIGHT0 2799
#define SIM_QUADRANTS 64  //  readout quadrants of the camera, 8 x 8

typedef struct {
    double jd;      //  start of the exposure, UTC, whole 1e-7 d
    float lim;      //  5 sigma limit, mag
    float fwhm;     //  seeing, px
    float zp;       //  zero point, mag
    float clr;      //  colour coefficient
    int32_t night;  //  the survey's night number
    uint8_t band;   //  SIM_G, SIM_R
} sim_visit_t;

typedef struct {
    int32_t id;
    double ra, dec;       //  centre, deg
    sim_visit_t *visits;  //  in time order
    uint32_t n_visits;
} sim_field_t;

typedef struct {
    sim_field_t *fields;
    uint32_t n_fields;
} sim_sky_t;

//  Draws the season's exposures. WEFT_ENOMEM without memory.
WEFT_CHECK int
sim_sky_init (sim_sky_t *self, uint64_t seed, uint32_t fields, uint32_t nights);
void sim_sky_fini (sim_sky_t *self);

//  A random place in one quadrant of a field, deg.
void sim_sky_place (const sim_field_t *field,
                    int quadrant,
                    sim_rng_t *rng,
                    double *ra,
                    double *dec);

//  The place `east`, `north` arcsec away; small offsets, right at the poles'
//  neighbourhood and over the wrap of right ascension.
void sim_sky_shift (double *ra, double *dec, double east, double north);

//  The survey's number of one quadrant's image.
int64_t sim_sky_pid (const sim_visit_t *visit, int quadrant);

#endif
