//  sim_object.c - one thing on the sky and what the survey measured there.

#include <math.h>

#include "sim_object.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

enum { STREAM_OBJECT = 0xb0b, STREAM_OBSERVE, STREAM_AROUND };

#define THRESHOLD 5.0      //  of the survey's detection, sigma
#define PHOTON_NOISE 18.5  //  variance per nJy of light, nJy (gain 6.2 e-/DN)
#define SUBTRACTION 0.006  //  share of a source that subtraction leaves
#define MISSED 0.05        //  exposures that miss the place (gaps)

//  ZTF, two digits of the year, seven letters. The survey counts up from aa;
//  x is never reached, so a simulated name is no real one's.
static void
name_object (sim_object_t *self)
{
    char letters[7];
    uint32_t n = self->number;
    for (int i = 6; i > 0; i--) {
        letters[i] = (char)('a' + n % 26);
        n /= 26;
    }
    letters[0] = 'x';
    snprintf (self->id, sizeof self->id, "ZTF24%.7s", letters);
}

float
sim_object_limit (const sim_object_t *self, const sim_visit_t *visit)
{
    return visit->lim + 0.01f * (float)(self->quadrant * 37 % 17 - 8);
}

static bool
on_source (const sim_object_t *self)
{
    return self->reference.sep >= 0 && self->reference.sep < SIM_BLEND_ARCSEC;
}

//  Error of a difference flux: sky, photons of all the light there, and what
//  subtraction leaves of the reference source.
static double
noise (const sim_object_t *self, const sim_visit_t *visit, double truth)
{
    double sky = sim_flux_of_mag (sim_object_limit (self, visit)) / 5;
    double ref = on_source (self) ? self->source.ref[visit->band] : 0;
    double light = ref + WEFT_MAX (truth, 0);
    double left = SUBTRACTION * ref;
    return sqrt (sky * sky + PHOTON_NOISE * light + left * left);
}

static void
measure (sim_object_t *self,
         const sim_visit_t *visit,
         sim_rng_t *rng,
         sim_obs_t *obs)
{
    double err = noise (self, visit, obs->truth);
    double flux = obs->truth + sim_normal (rng, 0, err);
    obs->flux = (float)flux;
    obs->err = (float)err;
    obs->detected = fabs (flux) >= THRESHOLD * err;
}

//  AGN walk in time; both bands follow one walk, r with 0.8 of its swing.
static double
truth_at (const sim_object_t *self,
          const sim_visit_t *visit,
          sim_drw_t *walk,
          sim_rng_t *rng)
{
    const sim_source_t *source = &self->source;
    if (source->class != SIM_AGN)
        return sim_source_flux (source, visit->band, visit->jd);
    double value = sim_drw_step (walk, source, rng, visit->jd);
    double mag = source->mag[visit->band];
    mag += visit->band == SIM_G ? value : 0.8 * value;
    return sim_flux_of_mag (mag) - source->ref[visit->band];
}

static int
observe (sim_object_t *self, const sim_field_t *field, sim_rng_t *rng)
{
    self->obs = calloc (field->n_visits + 1, sizeof *self->obs);
    if (!self->obs)
        return WEFT_ENOMEM;
    sim_drw_t walk = { 0, SIM_JD0 };
    if (self->source.class == SIM_AGN)
        walk.value = sim_normal (rng, 0, self->source.amp);
    for (uint32_t i = 0; i < field->n_visits; i++) {
        const sim_visit_t *visit = &field->visits[i];
        double truth = truth_at (self, visit, &walk, rng);
        if (sim_chance (rng, MISSED))
            continue;
        sim_obs_t *obs = &self->obs[self->n_obs++];
        *obs = (sim_obs_t){ .visit = i, .truth = (float)truth };
        measure (self, visit, rng, obs);
    }
    return 0;
}

//  Artefacts come once, a few more often where a bright star causes them;
//  nothing is really there.
static void
plant_bogus (sim_object_t *self, const sim_field_t *field, sim_rng_t *rng)
{
    uint32_t times = sim_chance (rng, 0.8) ? 1 : 2 + sim_below (rng, 2);
    for (uint32_t i = 0; i < self->n_obs; i++)
        self->obs[i].detected = false;
    while (times-- > 0 && self->n_obs > 0) {
        sim_obs_t *obs = &self->obs[sim_below (rng, self->n_obs)];
        double snr = 5.05 + 5 * sim_exponential (rng);
        obs->err = (float)noise (self, &field->visits[obs->visit], 0);
        obs->flux = obs->err * (float)(sim_chance (rng, 0.6) ? snr : -snr);
        obs->detected = true;
    }
}

//  A moving thing is here in one exposure; a slow one in the next, too, if
//  that is within the half hour.
static void
plant_asteroid (sim_object_t *self, const sim_field_t *field, sim_rng_t *rng)
{
    for (uint32_t i = 0; i < self->n_obs; i++)
        self->obs[i].detected = false;
    if (self->n_obs == 0)
        return;
    uint32_t at = sim_below (rng, self->n_obs);
    bool slow = sim_chance (rng, 0.35);
    double jd = field->visits[self->obs[at].visit].jd;
    for (uint32_t i = at; i < self->n_obs && i < at + 2; i++) {
        const sim_visit_t *visit = &field->visits[self->obs[i].visit];
        if (i > at && (!slow || visit->jd - jd > 0.5 / 24))
            break;
        sim_obs_t *obs = &self->obs[i];
        obs->truth = (float)sim_flux_of_mag (self->source.mag[visit->band]);
        measure (self, visit, rng, obs);
    }
}

//  Counts detections and drops what no packet will ever look back at.
static void
compact (sim_object_t *self, const sim_field_t *field)
{
    uint32_t kept = self->n_obs, n = 0;
    double wanted = -1;  //  time of the next detection, going back
    for (uint32_t i = self->n_obs; i-- > 0;) {
        sim_obs_t obs = self->obs[i];
        double jd = field->visits[obs.visit].jd;
        if (obs.detected)
            wanted = jd;
        if (wanted >= 0 && wanted - jd <= SIM_HISTORY_DAYS)
            self->obs[--kept] = obs;
    }
    n = self->n_obs - kept;
    memmove (self->obs, self->obs + kept, n * sizeof *self->obs);
    self->n_obs = n;
    sim_obs_t *fit = realloc (self->obs, (n + 1) * sizeof *fit);
    if (fit)
        self->obs = fit;
    for (uint32_t i = 0; i < n; i++) {
        self->n_detected += self->obs[i].detected;
        self->obs[i].n_det = self->n_prior + self->n_detected;
    }
}

//  What the survey had seen there before the season began.
static void
draw_past (sim_object_t *self, sim_rng_t *rng)
{
    self->n_cover = 100 + sim_below (rng, 900);
    switch (self->source.class) {
    case SIM_PERIODIC:
        self->n_prior = sim_below (rng, 400);
        break;
    case SIM_AGN:
        self->n_prior = sim_below (rng, 150);
        break;
    case SIM_BOGUS:
        self->n_prior = self->source.ref[0] > 0 ? sim_below (rng, 4) : 0;
        break;
    default:
        break;
    }
    if (self->n_prior > 0)
        self->first_jd = sim_round (SIM_JD0 - sim_uniform (rng, 40, 1500), 1e7);
}

int
sim_object_init (sim_object_t *self,
                 const sim_sky_t *sky,
                 uint64_t seed,
                 uint32_t number,
                 sim_class_t class,
                 double nights)
{
    sim_rng_t rng = sim_rng (seed, STREAM_OBJECT, number);
    sim_rng_t around = sim_rng (seed, STREAM_AROUND, number);
    sim_rng_t eye = sim_rng (seed, STREAM_OBSERVE, number);
    *self = (sim_object_t){ .number = number, .first_jd = NAN };
    name_object (self);
    self->field = sim_below (&rng, sky->n_fields);
    self->quadrant = (uint8_t)sim_below (&rng, SIM_QUADRANTS);
    const sim_field_t *field = &sky->fields[self->field];
    sim_sky_place (field, self->quadrant, &rng, &self->ra, &self->dec);
    sim_source_draw (&self->source, class, &rng, SIM_JD0, nights);
    draw_past (self, &rng);
    sim_object_surround (self, &around);
    int rc = observe (self, field, &eye);
    if (rc)
        return rc;
    if (class == SIM_BOGUS)
        plant_bogus (self, field, &eye);
    else if (class == SIM_ASTEROID)
        plant_asteroid (self, field, &eye);
    compact (self, field);
    return 0;
}

void
sim_object_fini (sim_object_t *self)
{
    free (self->obs);
    self->obs = NULL;
}
