//  sim_sky.c - what the survey did: fields, nights, weather, exposures.

#include <math.h>

#include "sim_sky.h"

enum { STREAM_FIELD = 0x5f1d, STREAM_WEATHER, STREAM_VISIT };

#define CELL_DEG 0.86  //  side of a quadrant

//  Nights that are lost come in runs: one in five good nights is followed by
//  a bad one, half of the bad ones by another (two of seven are lost in all).
static void
draw_weather (uint64_t seed, uint32_t nights, bool *lost)
{
    sim_rng_t rng = sim_rng (seed, STREAM_WEATHER, 0);
    bool bad = false;
    for (uint32_t i = 0; i < nights; i++) {
        bad = sim_chance (&rng, bad ? 0.5 : 0.2);
        lost[i] = bad;
    }
}

//  Fields near opposition in the season's middle. The first straddles the
//  wrap of right ascension, the second is near the pole: the traps of every
//  crossmatch.
static void
draw_field (sim_field_t *field, uint64_t seed, uint32_t index)
{
    sim_rng_t rng = sim_rng (seed, STREAM_FIELD, index);
    field->id = 1200 + (int32_t)index;
    double ra = sim_uniform (&rng, 300, 460);
    field->ra = ra >= 360 ? ra - 360 : ra;
    //  Uniform on the sphere between -25 and 75 degrees, by rejection.
    do
        field->dec = sim_uniform (&rng, -25, 75);
    while (!sim_chance (&rng, sim_cos (field->dec * SIM_PI / 180)));
    if (index == 0) {
        field->ra = 0.3;
        field->dec = 4.7;
    } else if (index == 1)
        field->dec = 85.5;
}

//  Depth 20.5 to 20.8 in a dark night; the moon takes up to 0.9 mag in g.
static void
draw_visit (sim_visit_t *visit, sim_rng_t *rng, double jd, uint8_t band)
{
    visit->jd = sim_round (jd, 1e7);
    visit->band = band;
    visit->night = SIM_NIGHT0 + (int32_t)floor (visit->jd - SIM_JD0);
    double moon = 0.5 - 0.5 * sim_cos (2 * SIM_PI * (jd - SIM_JD0) / 29.53);
    double lim = band == SIM_G ? 20.8 - 0.9 * moon : 20.65 - 0.5 * moon;
    lim += sim_normal (rng, 0, 0.08);
    if (sim_chance (rng, 0.1))
        lim -= sim_uniform (rng, 0, 1);
    visit->lim = (float)lim;
    visit->fwhm = (float)sim_clipped (rng, 2.1, 0.35, 1.4, 4);
    visit->zp = (float)sim_normal (rng, band == SIM_G ? 26.32 : 26.24, 0.05);
    visit->clr = (float)sim_normal (rng, band == SIM_G ? -0.06 : 0.09, 0.01);
}

//  One night of one field: g and r half an hour apart in random order; one
//  night in four gives only one of them. Returns the number of exposures.
static uint32_t
draw_night (sim_visit_t *visits, sim_rng_t *rng, uint32_t night)
{
    double jd = SIM_JD0 + night + sim_uniform (rng, 0.14, 0.48);
    uint8_t first = (uint8_t)sim_below (rng, 2);
    draw_visit (visits, rng, jd, first);
    if (sim_chance (rng, 0.25))
        return 1;
    jd += sim_uniform (rng, 12, 30) / 1440;
    draw_visit (visits + 1, rng, jd, (uint8_t)!first);
    return 2;
}

//  A field comes back after 2 or 3 nights, or after the weather. It is up for
//  230 of 365 nights; a season of that length or less sees all of it.
static int
draw_visits (sim_field_t *field,
             uint64_t seed,
             uint32_t nights,
             const bool *lost)
{
    sim_rng_t rng = sim_rng (seed, STREAM_VISIT, (uint64_t)field->id);
    field->visits = calloc ((size_t)nights + 2, sizeof *field->visits);
    if (!field->visits)
        return WEFT_ENOMEM;
    uint32_t due = sim_below (&rng, 3);
    for (uint32_t night = 0; night < nights; night++) {
        if (night < due || lost[night] || night % 365 >= 230)
            continue;
        field->n_visits +=
            draw_night (field->visits + field->n_visits, &rng, night);
        due = night + 2 + sim_below (&rng, 2);
    }
    return 0;
}

int
sim_sky_init (sim_sky_t *self, uint64_t seed, uint32_t fields, uint32_t nights)
{
    *self = (sim_sky_t){ .n_fields = fields };
    self->fields = calloc (fields, sizeof *self->fields);
    bool *lost = calloc (nights, sizeof *lost);
    int rc = self->fields && lost ? 0 : WEFT_ENOMEM;
    if (!rc)
        draw_weather (seed, nights, lost);
    for (uint32_t i = 0; i < fields && !rc; i++) {
        draw_field (&self->fields[i], seed, i);
        rc = draw_visits (&self->fields[i], seed, nights, lost);
    }
    free (lost);
    if (rc)
        sim_sky_fini (self);
    return rc;
}

void
sim_sky_fini (sim_sky_t *self)
{
    for (uint32_t i = 0; self->fields && i < self->n_fields; i++)
        free (self->fields[i].visits);
    free (self->fields);
    *self = (sim_sky_t){ 0 };
}

void
sim_sky_place (const sim_field_t *field,
               int quadrant,
               sim_rng_t *rng,
               double *ra,
               double *dec)
{
    int column = quadrant % 8, row = quadrant / 8;
    double x = (column - 4 + sim_unit (rng)) * CELL_DEG;
    double y = (row - 4 + sim_unit (rng)) * CELL_DEG;
    *ra = field->ra;
    *dec = field->dec;
    sim_sky_shift (ra, dec, x * 3600, y * 3600);
    //  The survey prints positions with seven decimals.
    *ra = sim_round (*ra, 1e7);
    *dec = sim_round (*dec, 1e7);
}

void
sim_sky_shift (double *ra, double *dec, double east, double north)
{
    *dec += north / 3600;
    if (*dec > 89.9)
        *dec = 89.9;
    *ra += east / 3600 / sim_cos (*dec * SIM_PI / 180);
    if (*ra < 0)
        *ra += 360;
    if (*ra >= 360)
        *ra -= 360;
}

int64_t
sim_sky_pid (const sim_visit_t *visit, int quadrant)
{
    double day = visit->jd - SIM_JD0;
    int64_t part = (int64_t)floor ((day - floor (day)) * 1e5);
    return ((visit->night * INT64_C (100000) + part) * 100 + quadrant) * 100 +
           15;
}
