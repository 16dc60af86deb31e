//  sim_source.c - what shines: the light of each class over time.

#include <math.h>

#include "sim_source.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

static const struct {
    const char *name;
    double share;
} classes[] = {
#define X(class, name, share) { name, share },
    SIM_CLASSES (X)
#undef X
};

const char *
sim_class_name (sim_class_t class)
{
    return classes[class].name;
}

double
sim_class_share (sim_class_t class)
{
    return classes[class].share;
}

static double
luminosity_distance_mpc (double z)
{
    return 299792.458 / 70 * z * (1 + 0.5 * (1 + 0.55) * z);
}

double
sim_distance_modulus (double z)
{
    return 5 * sim_log10 (luminosity_distance_mpc (z)) + 25;
}

double
sim_kpc_per_arcsec (double z)
{
    double angular = luminosity_distance_mpc (z) / ((1 + z) * (1 + z));
    return angular * 1000 * SIM_PI / 648000;
}

//  Magnitudes below maximum of a normal SN Ia by days from maximum light in
//  B, stretch 1, with the second shoulder in r. Smooth shapes of our own, to
//  0.1 mag like published templates.
static const float snia_days[] = { -10, -7, -4, -2, 0,  2,  5,  10, 15,
                                   20,  25, 30, 35, 40, 50, 60, 80, 100 };
static const float snia_below[SIM_BANDS][WEFT_COUNT (snia_days)] = {
    { .76f, .36f, .12f, .03f, 0, .03f, .12f, .45f, .95f, 1.50f, 1.98f, 2.33f,
      2.58f, 2.74f, 2.95f, 3.11f, 3.43f, 3.75f },
    { .72f, .34f, .11f, .03f, 0, .01f, .07f, .33f, .62f, .73f, .84f, 1.08f,
      1.38f, 1.62f, 2.00f, 2.28f, 2.80f, 3.30f },
};

//  Relative to maximum. Before day -10 the fireball's square law, from an
//  explosion 19 days before maximum.
static double
snia_shape (int band, double day)
{
    const float *below = snia_below[band];
    const size_t last = WEFT_COUNT (snia_days) - 1;
    if (day <= -19)
        return 0;
    if (day < snia_days[0]) {
        double t = (day + 19) / 9;
        return t * t * sim_exp10 (-0.4 * (double)below[0]);
    }
    size_t i = 1;
    while (i < last && day > snia_days[i])
        i++;
    double w = (day - snia_days[i - 1]) / (snia_days[i] - snia_days[i - 1]);
    double mag = below[i - 1] + w * (below[i] - below[i - 1]);
    return sim_exp10 (-0.4 * mag);
}

static double
snia_flux (const sim_source_t *self, int band, double jd)
{
    double day = (jd - self->t0) / (1 + self->z) / self->stretch;
    return sim_flux_of_mag (self->mag[band]) * snia_shape (band, day);
}

//  Rise, plateau with a slope, fall off the plateau, radioactive tail of
//  0.98 mag/100 d. In g the plateau declines faster, as the photosphere cools.
static double
snii_flux (const sim_source_t *self, int band, double jd)
{
    double day = (jd - self->t0) / (1 + self->z);
    if (day <= 0)
        return 0;
    double rise = band == SIM_G ? 2.2 : 3.2;
    double up = 1 - sim_exp (-(day / rise) * (day / rise));
    double slope = self->slope + (band == SIM_G ? 1.35 : 0);
    double mag = WEFT_MIN (day, self->tau) * slope / 100;
    double late = (day - self->tau) / 5;
    if (late > -30)
        mag += 1.8 / (1 + sim_exp (-WEFT_MIN (late, 30)));
    if (day > self->tau)
        mag += (day - self->tau) * 0.98 / 100;
    return sim_flux_of_mag (self->mag[band] + mag) * up;
}

//  Paczynski 1986: A(u) = (u^2 + 2) / (u sqrt (u^2 + 4)).
static double
ulens_flux (const sim_source_t *self, int band, double jd)
{
    double t = (jd - self->t0) / self->te;
    double u2 = self->u0 * self->u0 + t * t;
    double a = (u2 + 2) / sqrt (u2 * (u2 + 4));
    double share = band == SIM_G ? self->blend_g : self->blend;
    double flux = self->ref[band] * share * (a - 1);
    //  One source in ten is slightly variable: else each wiggle is lensing.
    if (self->amp > 0) {
        double phase = 2 * SIM_PI * (jd - SIM_JD0) / self->period;
        flux += self->ref[band] *
                (sim_exp10 (-0.4 * self->amp * sim_sin (phase)) - 1);
    }
    return flux;
}

static double
eclipse (double phase, double centre, double depth, double width)
{
    double d = phase - centre;
    d -= floor (d + 0.5);
    return depth * sim_exp (-0.5 * d * d / (width * width));
}

//  Magnitudes about the mean brightness at a phase in [0, 1).
static double
periodic_wave (const sim_source_t *self, int band, double phase)
{
    if (!strcmp (self->subtype, "EA"))
        return eclipse (phase, 0, self->harmonic[0], self->harmonic[2]) +
               eclipse (phase, 0.5, self->harmonic[1], self->harmonic[2]);
    double mag = 0;
    for (int k = 0; k < 4; k++)
        mag += self->harmonic[k] *
               sim_cos (2 * SIM_PI * (k + 1) * phase + self->shift[k]);
    //  Pulsators swing more in g than in r; eclipses are grey.
    bool pulsates = self->subtype[0] == 'R';
    return pulsates && band == SIM_G ? mag * 1.35 : mag;
}

static double
periodic_flux (const sim_source_t *self, int band, double jd)
{
    double phase = (jd - self->t0) / self->period;
    phase -= floor (phase);
    double mag = self->mag[band] + periodic_wave (self, band, phase);
    return sim_flux_of_mag (mag) - self->ref[band];
}

double
sim_source_flux (const sim_source_t *self, int band, double jd)
{
    switch (self->class) {
    case SIM_SNIA:
        return snia_flux (self, band, jd);
    case SIM_SNII:
        return snii_flux (self, band, jd);
    case SIM_ULENS:
        return ulens_flux (self, band, jd);
    case SIM_PERIODIC:
        return periodic_flux (self, band, jd);
    default:
        return 0;
    }
}

double
sim_drw_step (sim_drw_t *self,
              const sim_source_t *source,
              sim_rng_t *rng,
              double jd)
{
    double keep = sim_exp (-(jd - self->jd) / source->tau);
    double sd = source->amp * sqrt (1 - keep * keep);
    self->value = self->value * keep + sim_normal (rng, 0, sd);
    self->jd = jd;
    return self->value;
}
