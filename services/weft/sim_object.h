//  sim_object.h - one thing on the sky: a source, its place, its neighbours,
//  and what the survey measured there.
//
//  Everything about an object follows from the season's seed and the object's
//  number. Made by one thread, read by any.

#ifndef WEFT_SIM_OBJECT_H_INCLUDED
#define WEFT_SIM_OBJECT_H_INCLUDED

#include "sim_source.h"

#define SIM_HISTORY_DAYS 30.0  //  that a packet looks back
#define SIM_BLEND_ARCSEC 1.4   //  a reference source nearer than this is it

//  One exposure of the object's place. Kept only if a detection follows
//  within the days that a packet looks back.
typedef struct {
    uint32_t visit;   //  of the field
    uint32_t n_det;   //  detections up to this one, before the season too
    float truth;      //  true difference flux, nJy
    float flux, err;  //  measured, nJy
    bool detected;
} sim_obs_t;

//  A catalogue source near the object.
typedef struct {
    double ra, dec;
    float sep;     //  arcsec; -999 = none
    float sg;      //  star/galaxy score, 1 is a star
    float mag[4];  //  g r i z; -999 = not measured
    int64_t id;
} sim_neighbour_t;

typedef struct {
    sim_source_t source;
    char id[16];
    uint32_t number;
    uint32_t field;
    uint8_t quadrant;
    uint16_t slot;  //  number among the objects of the same quadrant
    double ra, dec;
    double first_jd;   //  of the first detection before the season, or NaN
    uint32_t n_prior;  //  detections before the season
    uint32_t n_cover;  //  exposures before the season
    sim_neighbour_t ps1[3];
    sim_neighbour_t reference;  //  nearest source of the reference image
    int host;                   //  its galaxy in ps1, or -1
    float gaia_sep, gaia_mag, bright_sep, bright_mag;  //  -999 = none
    sim_obs_t *obs;                                    //  in time order
    uint32_t n_obs;
    uint32_t n_detected;  //  in the season
} sim_object_t;

//  Draws object `number`; the caller sets `slot`. An object that the survey
//  never detects has n_detected 0. WEFT_ENOMEM without memory.
WEFT_CHECK int sim_object_init (sim_object_t *self,
                                const sim_sky_t *sky,
                                uint64_t seed,
                                uint32_t number,
                                sim_class_t class,
                                double nights);
void sim_object_fini (sim_object_t *self);

//  Limit of an exposure at the object's quadrant, mag.
float sim_object_limit (const sim_object_t *self, const sim_visit_t *visit);

//  Fills what stands around the object (sim_around.c).
void sim_object_surround (sim_object_t *self, sim_rng_t *rng);

#endif
