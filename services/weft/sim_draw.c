//  sim_draw.c - the priors: draws one source of a class.

#include <math.h>

#include "sim_source.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

//  Redshift of a volume-limited sample below `most`; the rate rises with
//  (1 + z)^1.5, which volume shrinks to about (1 + z)^-1.5 at these distances:
//  the two cancel.
static double
draw_redshift (sim_rng_t *rng, double most)
{
    double u = sim_unit (rng);
    //  The cube root by logarithms.
    double z = most * sim_exp (sim_log (u + 1e-9) / 3);
    return WEFT_MAX (z, 0.003);
}

//  Tripp 1998: M = -19.3 - 0.14 x1 + 3.1 c, scatter 0.12; x1 N(0, 1) as a
//  stretch of the time axis; c N(0, 0.07) and a tail of dust.
static void
draw_snia (sim_source_t *self, sim_rng_t *rng, double jd0, double nights)
{
    double x1 = sim_clipped (rng, 0, 1, -2.8, 2.8);
    self->subtype = "Ia";
    self->z = draw_redshift (rng, 0.135);
    self->t0 = sim_uniform (rng, jd0 - 15, jd0 + nights + 10);
    self->stretch = 0.98 + 0.09 * x1;
    self->colour = sim_normal (rng, -0.03, 0.05);
    self->colour += 0.06 * sim_exponential (rng);
    double m = -19.3 - 0.14 * x1 + 3.1 * self->colour +
               sim_normal (rng, 0, 0.12) + sim_distance_modulus (self->z);
    double dust = 0.04 * sim_exponential (rng);
    self->mag[SIM_G] = m + 3.3 * dust;
    self->mag[SIM_R] = m + 0.05 - 0.95 * self->colour + 2.3 * dust;
}

//  Peak magnitudes of Richardson et al. 2014: IIP -16.8 +- 1.0, IIL -18.0 +-
//  0.9; plateau 95 +- 15 d (IIP).
static void
draw_snii (sim_source_t *self, sim_rng_t *rng, double jd0, double nights)
{
    bool linear = sim_chance (rng, 0.25);
    self->subtype = linear ? "IIL" : "IIP";
    self->z = draw_redshift (rng, linear ? 0.1 : 0.07);
    self->t0 = sim_uniform (rng, jd0 - 60, jd0 + nights - 10);
    self->tau = linear ? sim_clipped (rng, 85, 10, 60, 110)
                       : sim_clipped (rng, 95, 15, 60, 140);
    self->slope = linear ? sim_clipped (rng, 2.2, 0.6, 1.2, 4)
                         : sim_clipped (rng, 0.5, 0.4, -0.3, 1.4);
    self->colour = 0.08 * sim_exponential (rng);
    double m = linear ? sim_clipped (rng, -18.0, 0.9, -20, -16)
                      : sim_clipped (rng, -16.8, 1.0, -19, -14);
    m += sim_distance_modulus (self->z);
    self->mag[SIM_G] = m - 0.1 + 3.3 * self->colour;
    self->mag[SIM_R] = m + 2.3 * self->colour;
}

//  A star and its light in the reference image.
static void
draw_star (sim_source_t *self, double r_mag, double g_less_r)
{
    self->mag[SIM_R] = r_mag;
    self->mag[SIM_G] = r_mag + g_less_r;
    for (int band = 0; band < SIM_BANDS; band++)
        self->ref[band] = sim_flux_of_mag (self->mag[band]);
}

//  tE log-normal about 25 d (0.35 dex) with its tail up to 300 d, u0 uniform,
//  blend in each band: the lens and neighbours have another colour.
static void
draw_ulens (sim_source_t *self, sim_rng_t *rng, double jd0, double nights)
{
    self->subtype = "PSPL";
    double r = sim_clipped (rng, 19.5, 0.9, 16, 21.2);
    draw_star (self, r, sim_clipped (rng, 0.9, 0.3, 0.2, 1.8));
    self->t0 = sim_uniform (rng, jd0 - 10, jd0 + nights + 10);
    self->te = 25 * sim_exp10 (sim_clipped (rng, 0, 0.35, -0.8, 1.08));
    self->u0 = sim_uniform (rng, 0.01, 1.0);
    self->blend = sim_chance (rng, 0.4) ? 1 : sim_uniform (rng, 0.2, 1);
    self->blend_g =
        self->blend == 1 ? 1 : sim_clipped (rng, self->blend, 0.08, 0.1, 1);
    self->amp = 0;
    if (sim_chance (rng, 0.1)) {
        self->amp = sim_uniform (rng, 0.01, 0.04);
        self->period = sim_uniform (rng, 5, 150);
    }
}

//  Fourier shapes of RRab and RRc as in LIA (Godines et al. 2019); each
//  number scatters by a twentieth of its value, the amplitude by a tenth.
static void
draw_rrlyrae (sim_source_t *self, sim_rng_t *rng)
{
    static const double ab[8] = { .3193, .4231,  .3079,  .1945,
                                  0,     3.9622, 8.2013, 6.2597 };
    static const double c[8] = { .2471, .1740,  .0807,  .0340,
                                 0,     4.5978, 2.8810, 1.9828 };
    bool is_ab = sim_chance (rng, 0.75);
    const double *shape = is_ab ? ab : c;
    self->subtype = is_ab ? "RRab" : "RRc";
    self->period = is_ab ? sim_clipped (rng, 0.58, 0.08, 0.42, 0.9)
                         : sim_clipped (rng, 0.33, 0.04, 0.22, 0.42);
    self->harmonic[0] = shape[0] * sim_clipped (rng, 1, 0.1, 0.6, 1.4);
    for (int k = 0; k < 4; k++) {
        if (k > 0)
            self->harmonic[k] = self->harmonic[0] * shape[k] *
                                sim_clipped (rng, 1, 0.05, 0.7, 1.3);
        self->shift[k] = shape[4 + k] * sim_clipped (rng, 1, 0.05, 0.7, 1.3);
    }
    self->amp = 2 * self->harmonic[0];
    double r = sim_uniform (rng, 17.5, 20.7);
    draw_star (self, r, sim_clipped (rng, 0.25, 0.08, 0, 0.5));
}

//  Detached (EA) and contact (EW) binaries.
static void
draw_eclipsing (sim_source_t *self, sim_rng_t *rng)
{
    bool detached = sim_chance (rng, 0.5);
    self->subtype = detached ? "EA" : "EW";
    if (detached) {
        self->period = sim_exp10 (sim_uniform (rng, -0.1, 0.9));
        self->harmonic[0] = sim_uniform (rng, 0.25, 1.2);
        self->harmonic[1] = self->harmonic[0] * sim_uniform (rng, 0.1, 0.9);
        self->harmonic[2] = sim_uniform (rng, 0.02, 0.06);
        self->amp = self->harmonic[0];
    } else {
        self->period = sim_uniform (rng, 0.25, 0.6);
        self->harmonic[1] = sim_uniform (rng, 0.1, 0.35);
        self->harmonic[0] = self->harmonic[1] * sim_uniform (rng, 0, 0.15);
        self->harmonic[3] = self->harmonic[1] * 0.25;
        self->amp = 2 * self->harmonic[1];
    }
    double r = sim_uniform (rng, 16.5, 20.2);
    draw_star (self, r, sim_clipped (rng, 0.6, 0.3, 0, 1.5));
}

//  The reference image is a sum of many exposures: the mean flux over phase.
static void
set_mean_reference (sim_source_t *self)
{
    for (int band = 0; band < SIM_BANDS; band++) {
        double sum = 0;
        self->ref[band] = 0;
        for (int i = 0; i < 64; i++)
            sum +=
                sim_source_flux (self, band, self->t0 + self->period * i / 64);
        self->ref[band] = sum / 64;
    }
}

static void
draw_periodic (sim_source_t *self, sim_rng_t *rng, double jd0)
{
    memset (self->harmonic, 0, sizeof self->harmonic);
    memset (self->shift, 0, sizeof self->shift);
    if (sim_chance (rng, 0.6))
        draw_rrlyrae (self, rng);
    else
        draw_eclipsing (self, rng);
    self->t0 = jd0 + self->period * sim_unit (rng);
    set_mean_reference (self);
}

//  log10 tau N(2.4, 0.3) d, long-term sd 0.05 to 0.4 mag. The reference was
//  taken at another time of the same walk.
static void
draw_agn (sim_source_t *self, sim_rng_t *rng)
{
    bool quasar = sim_chance (rng, 0.6);
    self->subtype = quasar ? "QSO" : "Seyfert";
    self->z =
        quasar ? sim_uniform (rng, 0.3, 2.5) : sim_uniform (rng, 0.02, 0.3);
    self->tau = sim_exp10 (sim_clipped (rng, 2.4, 0.3, 1.5, 3.3));
    self->amp = 0.05 * sim_exp (sim_unit (rng) * sim_log (8));
    double r = sim_clipped (rng, 19.8, 0.7, 16.5, 21);
    draw_star (self, r,
               quasar ? sim_normal (rng, 0.2, 0.12)
                      : sim_normal (rng, 0.5, 0.15));
    double was = sim_normal (rng, 0, self->amp);
    for (int band = 0; band < SIM_BANDS; band++)
        self->ref[band] = sim_flux_of_mag (self->mag[band] +
                                           (band == SIM_G ? was : .8 * was));
}

//  Half of the bogus sit on a bright star, half on nothing.
static void
draw_bogus (sim_source_t *self, sim_rng_t *rng)
{
    bool dipole = sim_chance (rng, 0.6);
    self->subtype = dipole ? "dipole" : "artefact";
    double r = sim_uniform (rng, 12.5, 17);
    if (dipole)
        draw_star (self, r, sim_normal (rng, 0.6, 0.3));
}

static void
draw_asteroid (sim_source_t *self, sim_rng_t *rng)
{
    self->subtype = "mainbelt";
    self->mag[SIM_R] = sim_uniform (rng, 16.5, 20.2);
    self->mag[SIM_G] = self->mag[SIM_R] + sim_normal (rng, 0.55, 0.08);
}

void
sim_source_draw (sim_source_t *self,
                 sim_class_t class,
                 sim_rng_t *rng,
                 double jd0,
                 double nights)
{
    *self = (sim_source_t){
        .class = class,
        .subtype = "",
        .z = NAN,
        .t0 = NAN,
        .mag = { NAN, NAN },
        .stretch = NAN,
        .colour = NAN,
        .period = NAN,
        .amp = NAN,
        .te = NAN,
        .u0 = NAN,
        .blend = NAN,
        .blend_g = NAN,
        .tau = NAN,
        .slope = NAN,
    };
    switch (class) {
    case SIM_SNIA:
        draw_snia (self, rng, jd0, nights);
        break;
    case SIM_SNII:
        draw_snii (self, rng, jd0, nights);
        break;
    case SIM_ULENS:
        draw_ulens (self, rng, jd0, nights);
        break;
    case SIM_PERIODIC:
        draw_periodic (self, rng, jd0);
        break;
    case SIM_AGN:
        draw_agn (self, rng);
        break;
    case SIM_BOGUS:
        draw_bogus (self, rng);
        break;
    default:
        draw_asteroid (self, rng);
        break;
    }
}
