//  sim_around.c - what stands around an object: hosts, stars, neighbours.

#include <math.h>

#include "sim_object.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

#define NONE -999.0f
#define PS1_RADIUS 30.0     //  arcsec, as the survey searches
#define PS1_DENSITY 0.0025  //  sources per square arcsec

//  Pan-STARRS numbers its sources by zone of declination and position.
static int64_t
ps1_id (double ra, double dec)
{
    int64_t zone = (int64_t)floor ((dec + 90) * 120);
    return zone * INT64_C (10000000000000) + (int64_t)floor (ra * 1e10);
}

static sim_neighbour_t
nobody (void)
{
    return (sim_neighbour_t){
        .sep = NONE, .sg = NONE, .mag = { NONE, NONE, NONE, NONE }, .id = -999
    };
}

static void
place (sim_neighbour_t *self,
       const sim_object_t *object,
       double sep,
       sim_rng_t *rng)
{
    double angle = sim_uniform (rng, 0, 2 * SIM_PI);
    self->ra = object->ra;
    self->dec = object->dec;
    self->sep = (float)sep;
    sim_sky_shift (&self->ra, &self->dec, sep * sim_cos (angle),
                   sep * sim_sin (angle));
    self->ra = sim_round (self->ra, 1e7);
    self->dec = sim_round (self->dec, 1e7);
    self->id = ps1_id (self->ra, self->dec);
}

static void
shine (sim_neighbour_t *self, double r, double g_less_r)
{
    self->mag[0] = (float)(r + g_less_r);
    self->mag[1] = (float)r;
    self->mag[2] = (float)(r - 0.4 * g_less_r);
    self->mag[3] = (float)(r - 0.6 * g_less_r);
    //  Beyond the catalogue's depth a band is not measured.
    for (int i = 0; i < 4; i++)
        if (self->mag[i] > 23.2f - 0.4f * (float)i)
            self->mag[i] = NONE;
}

static sim_neighbour_t
galaxy (const sim_object_t *object, double r, double sep, sim_rng_t *rng)
{
    sim_neighbour_t self = nobody ();
    place (&self, object, sep, rng);
    shine (&self, r, sim_clipped (rng, 0.7, 0.2, 0.1, 1.6));
    self.sg = (float)(0.25 * sim_unit2 (rng));
    return self;
}

static sim_neighbour_t
star (const sim_object_t *object, sim_rng_t *rng)
{
    const sim_source_t *source = &object->source;
    sim_neighbour_t self = nobody ();
    place (&self, object, 0.12 * sqrt (2 * sim_exponential (rng)), rng);
    shine (&self, source->mag[SIM_R], source->mag[SIM_G] - source->mag[SIM_R]);
    self.sg = (float)(1 - 0.1 * sim_unit2 (rng));
    return self;
}

//  Sources of the field, nearest first: squared distances of a Poisson
//  process grow by exponential steps.
static void
add_field_sources (sim_object_t *object, int from, sim_rng_t *rng)
{
    double square = 0;
    for (int i = from; i < 3; i++) {
        sim_neighbour_t *self = &object->ps1[i];
        *self = nobody ();
        square += sim_exponential (rng) / (SIM_PI * PS1_DENSITY);
        double sep = sqrt (square) + 1.5;
        if (sep > PS1_RADIUS)
            continue;
        place (self, object, sep, rng);
        double r = sim_clipped (rng, 21, 1.2, 15, 23.5);
        shine (self, r, sim_clipped (rng, 0.8, 0.4, -0.2, 1.8));
        self->sg = (float)(sim_chance (rng, 0.3) ? 0.5 : sim_unit (rng));
    }
}

//  Supernovae lie in galaxies of about -20 +- 1.2 mag, at an exponential
//  distance of 3.5 kpc; those too faint for the catalogue look hostless.
static bool
add_host (sim_object_t *object, sim_rng_t *rng)
{
    double z = object->source.z;
    double r = sim_clipped (rng, -20, 1.2, -23, -15) + sim_distance_modulus (z);
    double kpc = 3.5 * sim_exponential (rng);
    double sep = WEFT_MIN (kpc / sim_kpc_per_arcsec (z), 29);
    if (r > 22.5)
        return false;
    object->ps1[0] = galaxy (object, r, sep, rng);
    object->host = 0;
    return true;
}

//  The survey lists the nearest three in order.
static void
sort_neighbours (sim_object_t *object)
{
    int64_t host = object->host < 0 ? 0 : object->ps1[0].id;
    for (int i = 1; i < 3; i++)
        for (int k = i; k > 0; k--) {
            sim_neighbour_t *a = &object->ps1[k - 1], *b = &object->ps1[k];
            if (b->sep >= 0 && (a->sep < 0 || b->sep < a->sep)) {
                sim_neighbour_t nearer = *b;
                *b = *a;
                *a = nearer;
            }
        }
    for (int i = 0; i < 3 && object->host >= 0; i++)
        if (object->ps1[i].id == host)
            object->host = i;
}

static void
add_agn (sim_object_t *object, sim_rng_t *rng)
{
    object->ps1[0] = star (object, rng);
    bool quasar = !strcmp (object->source.subtype, "QSO");
    double sg = quasar ? 1 - 0.5 * sim_unit2 (rng) : 0.5 * sim_unit (rng);
    object->ps1[0].sg = (float)sg;
}

//  The survey's own nearest source of the reference image: what the catalogue
//  has nearest, if it is bright enough, else something far.
static void
set_reference (sim_object_t *object, sim_rng_t *rng)
{
    object->reference = object->ps1[0];
    if (object->ps1[0].sep >= 0 && object->ps1[0].sep < 25 &&
        object->ps1[0].mag[1] > 0 && object->ps1[0].mag[1] < 21.8f)
        return;
    object->reference = nobody ();
    if (sim_chance (rng, 0.03))
        return;
    place (&object->reference, object, sim_uniform (rng, 6, 28), rng);
    double r = sim_clipped (rng, 20.5, 1, 16, 21.8);
    shine (&object->reference, r, sim_clipped (rng, 0.8, 0.3, 0, 1.8));
}

//  Gaia sees point sources to G about 20.7; a bright one is below 14.
static void
set_gaia (sim_object_t *object, sim_rng_t *rng)
{
    const sim_neighbour_t *near = &object->ps1[0];
    bool is_star = near->sep >= 0 && near->sep < 2 && near->sg > 0.5f &&
                   near->mag[1] > 0 && near->mag[1] < 20.7f;
    object->gaia_sep = is_star ? near->sep : (float)sim_uniform (rng, 4, 60);
    object->gaia_mag = is_star ? near->mag[1] + 0.05f
                               : (float)sim_clipped (rng, 18, 1.5, 14, 20.6);
    object->bright_sep = object->bright_mag = NONE;
    if (is_star && near->mag[1] < 14) {
        object->bright_sep = near->sep;
        object->bright_mag = object->gaia_mag;
    } else if (sim_chance (rng, 0.25)) {
        object->bright_sep = (float)sim_uniform (rng, 20, 90);
        object->bright_mag = (float)sim_uniform (rng, 10, 14);
    }
}

void
sim_object_surround (sim_object_t *self, sim_rng_t *rng)
{
    int from = 1;
    self->host = -1;
    switch (self->source.class) {
    case SIM_SNIA:
    case SIM_SNII:
        from = add_host (self, rng);
        break;
    case SIM_ULENS:
    case SIM_PERIODIC:
        self->ps1[0] = star (self, rng);
        break;
    case SIM_AGN:
        add_agn (self, rng);
        break;
    case SIM_BOGUS:
        from = self->source.ref[SIM_R] > 0;
        if (from)
            self->ps1[0] = star (self, rng);
        break;
    default:
        from = 0;
        break;
    }
    add_field_sources (self, from, rng);
    sort_neighbours (self);
    set_reference (self, rng);
    set_gaia (self, rng);
}
