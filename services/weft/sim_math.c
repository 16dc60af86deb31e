//  sim_math.c - elementary functions and random numbers, the same everywhere.

#include <math.h>

#include "sim_math.h"
#include "weft_hash.h"

//  A fused multiply-add rounds once where two operations round twice: gcc
//  leaves it out in ISO mode, clang must be told.
#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

//  ln 2 and pi/2 in two parts; the high parts end in zeros, so that their
//  products with small whole numbers are exact.
#define LN2_HIGH 6.93147180369123816490e-01
#define LN2_LOW 1.90821492927058770002e-10
#define HALF_PI_HIGH 1.57079632673412561417e+00
#define HALF_PI_LOW 6.07710050650619224932e-11

double
sim_exp (double x)
{
    if (x < -700)
        return 0;
    assert (x < 700);
    double k = floor (x / 0.693147180559945309417 + 0.5);
    double r = x - k * LN2_HIGH - k * LN2_LOW;
    double sum = 1;
    for (int i = 14; i > 0; i--)
        sum = 1 + sum * r / i;
    return ldexp (sum, (int)k);
}

double
sim_log (double x)
{
    assert (x > 0);
    int power;
    double m = frexp (x, &power);
    if (m < 0.70710678118654752440) {
        m *= 2;
        power--;
    }
    //  ln m = 2 atanh s, and abs(s) < 0.172.
    double s = (m - 1) / (m + 1), s2 = s * s, sum = 0;
    for (int i = 23; i > 0; i -= 2)
        sum = 1.0 / i + sum * s2;
    return 2 * s * sum + power * LN2_LOW + power * LN2_HIGH;
}

double
sim_log10 (double x)
{
    return sim_log (x) / 2.30258509299404568402;
}

double
sim_exp10 (double x)
{
    return sim_exp (x * 2.30258509299404568402);
}

static double
sin_small (double x)
{
    double sum = 1;
    for (int i = 18; i > 0; i -= 2)
        sum = 1 - sum * x * x / (i * (i + 1));
    return sum * x;
}

static double
cos_small (double x)
{
    double sum = 1;
    for (int i = 17; i > 0; i -= 2)
        sum = 1 - sum * x * x / (i * (i + 1));
    return sum;
}

double
sim_sin (double x)
{
    double k = floor (x / (SIM_PI / 2) + 0.5);
    double r = x - k * HALF_PI_HIGH - k * HALF_PI_LOW;
    switch ((int64_t)k & 3) {
    case 0:
        return sin_small (r);
    case 1:
        return cos_small (r);
    case 2:
        return -sin_small (r);
    default:
        return -cos_small (r);
    }
}

double
sim_cos (double x)
{
    return sim_sin (x + SIM_PI / 2);
}

double
sim_round (double x, double scale)
{
    return floor (x * scale + 0.5) / scale;
}

double
sim_mag_of_flux (double flux)
{
    return 31.4 - 2.5 * sim_log10 (flux);
}

double
sim_flux_of_mag (double mag)
{
    return sim_exp10 (0.4 * (31.4 - mag));
}

sim_rng_t
sim_rng (uint64_t seed, uint64_t stream, uint64_t index)
{
    uint64_t state = weft_hash_u64 (seed + 0x9e3779b97f4a7c15u);
    state = weft_hash_u64 (state ^ (stream + 0x632be59bd9b4e019u));
    state = weft_hash_u64 (state ^ (index + 0xd1342543de82ef95u));
    return (sim_rng_t){ state };
}

uint64_t
sim_bits (sim_rng_t *rng)
{
    rng->state += 0x9e3779b97f4a7c15u;
    uint64_t z = rng->state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

double
sim_unit (sim_rng_t *rng)
{
    return (double)(sim_bits (rng) >> 11) * 0x1p-53;
}

double
sim_uniform (sim_rng_t *rng, double low, double high)
{
    return low + (high - low) * sim_unit (rng);
}

double
sim_unit2 (sim_rng_t *rng)
{
    double u = sim_unit (rng);
    return u * sim_unit (rng);
}

uint32_t
sim_below (sim_rng_t *rng, uint32_t n)
{
    return (uint32_t)((sim_bits (rng) >> 32) * n >> 32);
}

bool
sim_chance (sim_rng_t *rng, double p)
{
    return sim_unit (rng) < p;
}

double
sim_normal (sim_rng_t *rng, double mean, double sd)
{
    double u = 1 - sim_unit (rng);
    double angle = 2 * SIM_PI * sim_unit (rng);
    return mean + sd * sqrt (-2 * sim_log (u)) * sim_cos (angle);
}

double
sim_exponential (sim_rng_t *rng)
{
    return -sim_log (1 - sim_unit (rng));
}

double
sim_clipped (sim_rng_t *rng, double mean, double sd, double low, double high)
{
    assert (low < high);
    for (int i = 0; i < 1000; i++) {
        double x = sim_normal (rng, mean, sd);
        if (x >= low && x <= high)
            return x;
    }
    return sim_uniform (rng, low, high);
}
