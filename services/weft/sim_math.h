//  sim_math.h - elementary functions and random numbers, the same everywhere.
//
//  The simulator promises the same bytes for the same seed on any machine.
//  The C library's exp or sin may differ in the last bit from one machine to
//  the next, so the few functions that the models need are made here from
//  +, -, *, / and sqrt, which IEEE 754 rounds in one way only. Any thread; a
//  generator belongs to one.

#ifndef WEFT_SIM_MATH_H_INCLUDED
#define WEFT_SIM_MATH_H_INCLUDED

#include "weft_base.h"

#define SIM_PI 3.14159265358979323846

//  Good to 1e-14 relative for abs(x) < 700.
double sim_exp (double x);
//  Natural logarithm of a positive number, good to 1e-14.
double sim_log (double x);
double sim_log10 (double x);
//  10^x.
double sim_exp10 (double x);
//  Radians, abs(x) < 1e6, good to 1e-10.
double sim_sin (double x);
double sim_cos (double x);

//  Nearest multiple of 1/scale, halves up.
double sim_round (double x, double scale);

//  AB magnitude of a positive flux in nJy, and back.
double sim_mag_of_flux (double flux);
double sim_flux_of_mag (double mag);

//  A stream of random numbers (SplitMix64, Steele et al. 2014). What is drawn
//  depends only on the three numbers that name the stream, never on what was
//  drawn elsewhere. C leaves open which argument of a call, or which
//  side of a sum, is computed first: never draw twice in one expression.
typedef struct {
    uint64_t state;
} sim_rng_t;

sim_rng_t sim_rng (uint64_t seed, uint64_t stream, uint64_t index);
uint64_t sim_bits (sim_rng_t *rng);
//  Uniform in [0, 1), in [low, high), a whole number below n, true with p.
double sim_unit (sim_rng_t *rng);
double sim_uniform (sim_rng_t *rng, double low, double high);
uint32_t sim_below (sim_rng_t *rng, uint32_t n);
//  The product of two uniform numbers: mostly small.
double sim_unit2 (sim_rng_t *rng);
bool sim_chance (sim_rng_t *rng, double p);
//  Normal (Box and Muller), exponential of mean 1.
double sim_normal (sim_rng_t *rng, double mean, double sd);
double sim_exponential (sim_rng_t *rng);
//  Normal, drawn again until it is in [low, high].
double
sim_clipped (sim_rng_t *rng, double mean, double sd, double low, double high);

#endif
