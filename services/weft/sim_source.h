//  sim_source.h - what shines: the models of the classes and their priors.
//
//  A source gives the difference flux against the survey's reference image
//  in each band at any time. Models, priors and where they come from are in
//  services/weft/README.md. No state but the source itself; any thread.

#ifndef WEFT_SIM_SOURCE_H_INCLUDED
#define WEFT_SIM_SOURCE_H_INCLUDED

#include "sim_sky.h"

//     class       name in truth.csv   share of alerts
#define SIM_CLASSES(X)                                                         \
    X (SIM_SNIA, "SNIa", 0.20)                                                 \
    X (SIM_SNII, "SNII", 0.17)                                                 \
    X (SIM_ULENS, "ulens", 0.15)                                               \
    X (SIM_PERIODIC, "periodic", 0.17)                                         \
    X (SIM_AGN, "AGN", 0.15)                                                   \
    X (SIM_BOGUS, "bogus", 0.12)                                               \
    X (SIM_ASTEROID, "asteroid", 0.04)

typedef enum {
#define X(class, name, share) class,
    SIM_CLASSES (X)
#undef X
        SIM_N_CLASSES
} sim_class_t;

//  NaN where a parameter means nothing for the class.
typedef struct {
    sim_class_t class;
    const char *subtype;    //  static
    double z;               //  redshift
    double t0;              //  JD of maximum (II: of explosion), or epoch
    double mag[SIM_BANDS];  //  at maximum; persistent: mean magnitude
    double stretch;         //  SNIa: time axis
    double colour;          //  SNIa: c; SNII: reddening E(B-V)
    double period;          //  d
    double amp;             //  mag; AGN: long-term sd
    double te, u0;          //  ulens: Einstein time in d, impact parameter
    double blend;           //  ulens: share of the source in the light, r
    double blend_g;         //  the same in g
    double tau;             //  AGN: damping time, d; SNII: plateau, d
    double slope;           //  SNII: r decline on the plateau, mag/100 d
    double ref[SIM_BANDS];  //  flux in the reference image, nJy; 0 = none
    //  Periodic: four harmonics of amplitude (r) and phase; EA: depth,
    //  depth of the second eclipse, width.
    double harmonic[4], shift[4];
} sim_source_t;

const char *sim_class_name (sim_class_t class);
double sim_class_share (sim_class_t class);

//  Draws a source of one class in a season that starts at `jd0` and lasts
//  `nights`.
void sim_source_draw (sim_source_t *self,
                      sim_class_t class,
                      sim_rng_t *rng,
                      double jd0,
                      double nights);

//  Difference flux in nJy of all classes whose light is a function of time;
//  0 for AGN (sim_drw below), bogus and asteroids.
double sim_source_flux (const sim_source_t *self, int band, double jd);

//  Distance modulus and kpc per arcsec of a small redshift, flat universe
//  with H0 = 70, q0 = -0.55 to second order (good to 1 % below z = 0.2).
double sim_distance_modulus (double z);
double sim_kpc_per_arcsec (double z);

//  Damped random walk, exact step (Kelly et al. 2009); the next value in
//  magnitudes about 0 after dt days.
typedef struct {
    double value;
    double jd;
} sim_drw_t;
double sim_drw_step (sim_drw_t *self,
                     const sim_source_t *source,
                     sim_rng_t *rng,
                     double jd);

#endif
