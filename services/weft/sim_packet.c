//  sim_packet.c - one alert of one object as the survey would write it down.

#include <math.h>

#include "sim_packet.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

enum { STREAM_MEASURE = 0x3ea5 };

#define ABSENT -999.0f
#define ODD_BOGUS 0.15  //  artefacts that have the shape of a star
#define ODD_REAL 0.03   //  real detections with a bad shape

static const sim_visit_t *
visit_of (const sim_sky_t *sky, const sim_object_t *object, uint32_t at)
{
    return &sky->fields[object->field].visits[object->obs[at].visit];
}

int64_t
sim_packet_candid (const sim_sky_t *sky,
                   const sim_object_t *object,
                   uint32_t at)
{
    const sim_visit_t *visit = visit_of (sky, object, at);
    return sim_sky_pid (visit, object->quadrant) * 1000000 + 10000 +
           object->slot;
}

void
sim_packet_date (double jd, int *year, int *month, int *day)
{
    int64_t l = (int64_t)floor (jd + 0.5) + 68569;
    int64_t n = 4 * l / 146097;
    l -= (146097 * n + 3) / 4;
    int64_t i = 4000 * (l + 1) / 1461001;
    l = l - 1461 * i / 4 + 31;
    int64_t j = 80 * l / 2447;
    *day = (int)(l - 2447 * j / 80);
    l = j / 11;
    *month = (int)(j + 2 - 12 * l);
    *year = (int)(100 * (n - 49) + i + l);
}

static void
name_image (sim_packet_maker_t *self,
            const sim_object_t *object,
            const sim_visit_t *visit)
{
    int year, month, day;
    sim_packet_date (visit->jd, &year, &month, &day);
    double fraction = visit->jd - 0.5 - floor (visit->jd - 0.5);
    snprintf (self->image, sizeof self->image,
              "ztf_%04d%02d%02d%06d_%06d_z%c_c%02d_o_q%d_scimrefdiffimg.fits",
              year, month, day, (int)floor (fraction * 1e6),
              (int)self->sky->fields[object->field].id,
              visit->band == SIM_G ? 'g' : 'r', object->quadrant / 4 + 1,
              object->quadrant % 4 + 1);
}

static bool
is_bogus (const sim_object_t *object)
{
    return object->source.class == SIM_BOGUS;
}

//  Where, in which image, how it was calibrated.
static void
fill_image (sim_packet_maker_t *self,
            const sim_object_t *object,
            const sim_visit_t *visit,
            sim_candidate_t *c)
{
    const sim_field_t *field = &self->sky->fields[object->field];
    sim_rng_t fixed = sim_rng (self->seed, STREAM_MEASURE, object->quadrant);
    name_image (self, object, visit);
    c->jd = visit->jd;
    c->fid = visit->band + 1;
    c->pid = sim_sky_pid (visit, object->quadrant);
    c->diffmaglim = sim_object_limit (object, visit);
    c->pdiffimfilename = self->image;
    c->programpi = "simulated";
    c->programid = 1;
    c->nid = visit->night;
    c->rcid = object->quadrant;
    c->field = field->id;
    c->rfid = field->id * INT64_C (1000000) + 120000 + c->fid * 100 + c->rcid;
    c->jdstartref = sim_round (2458150 + sim_uniform (&fixed, 0, 60), 1e6);
    c->jdendref =
        sim_round (c->jdstartref + sim_uniform (&fixed, 20, 200), 1e6);
    c->nframesref = 15 + (int32_t)sim_below (&fixed, 26);
    c->magzpsci = visit->zp;
    c->clrcoeff = visit->clr;
    c->exptime = 30;
    c->rbversion = "t17_f5_c3";
    c->drbversion = "d6_m7";
}

static void
fill_calibration (sim_rng_t *rng, sim_candidate_t *c)
{
    c->magzpsciunc = (float)sim_uniform (rng, 5e-6, 5e-5);
    c->magzpscirms = (float)sim_uniform (rng, 0.018, 0.05);
    c->nmatches = 200 + (int32_t)sim_below (rng, 1800);
    c->clrcounc = (float)sim_uniform (rng, 5e-6, 1e-4);
    c->zpclrcov = -c->clrcounc;
    c->zpmed = c->magzpsci + 0.03f;
    c->clrmed = (float)sim_uniform (rng, 0.5, 0.8);
    c->clrrms = (float)sim_uniform (rng, 0.15, 0.33);
}

static void
fill_no_reference (sim_candidate_t *c)
{
    c->distnr = c->magnr = c->sigmagnr = c->chinr = c->sharpnr = ABSENT;
    c->ranr = c->decnr = -999;
}

//  Position on the sky, on the detector, and the way to the reference.
static void
fill_place (const sim_object_t *object,
            double snr,
            sim_rng_t *rng,
            sim_candidate_t *c)
{
    const sim_neighbour_t *near = &object->reference;
    double scatter = 0.06 + 0.9 / snr;
    sim_rng_t fixed = sim_rng (object->number, STREAM_MEASURE, 1);
    c->ra = object->ra;
    c->dec = object->dec;
    double off = sim_normal (rng, 0, scatter);
    sim_sky_shift (&c->ra, &c->dec, off, sim_normal (rng, 0, scatter));
    c->ra = sim_round (c->ra, 1e7);
    c->dec = sim_round (c->dec, 1e7);
    c->xpos =
        (float)(sim_uniform (&fixed, 160, 2900) + sim_uniform (rng, -90, 90));
    c->ypos =
        (float)(sim_uniform (&fixed, 160, 2900) + sim_uniform (rng, -90, 90));
    float x = WEFT_MIN (c->xpos, 3072 - c->xpos);
    float y = WEFT_MIN (c->ypos, 3080 - c->ypos);
    c->mindtoedge = WEFT_MIN (x, y);
    fill_no_reference (c);
    if (near->sep < 0)
        return;
    double east = c->ra - near->ra;
    east -= 360 * floor (east / 360 + 0.5);
    east *= 3600 * sim_cos (c->dec * SIM_PI / 180);
    double north = (c->dec - near->dec) * 3600;
    c->distnr = (float)sqrt (east * east + north * north);
}

//  The reference source in this band, the same in each packet.
static void
fill_reference (const sim_object_t *object, int band, sim_candidate_t *c)
{
    const sim_neighbour_t *near = &object->reference;
    sim_rng_t fixed = sim_rng (object->number, STREAM_MEASURE, 2 + band);
    bool self = object->source.ref[band] > 0 && near->sep < SIM_BLEND_ARCSEC;
    double mag = self ? sim_mag_of_flux (object->source.ref[band])
                      : (double)near->mag[band];
    if (mag < 0)
        mag = (double)near->mag[SIM_R] + 0.8;
    bool star = near->sg > 0.5f;
    c->ranr = near->ra;
    c->decnr = near->dec;
    c->magnr = (float)sim_round (mag, 1e3);
    double faint = sim_exp10 (0.4 * (mag - 21.5));
    c->sigmagnr = (float)sim_round (0.01 + 0.08 * faint, 1e3);
    c->chinr = (float)sim_round (star ? sim_clipped (&fixed, 0.7, 0.2, 0.2, 1.5)
                                      : sim_clipped (&fixed, 1.6, 0.8, 0.3, 6),
                                 1e3);
    c->sharpnr =
        (float)sim_round (star ? sim_normal (&fixed, -0.02, 0.03)
                               : sim_clipped (&fixed, 0.25, 0.2, -0.2, 0.9),
                          1e3);
}

static void
fill_flux (const sim_obs_t *obs, bool bogus, sim_rng_t *rng, sim_candidate_t *c)
{
    double snr = fabs ((double)obs->flux) / (double)obs->err;
    double off = bogus ? sim_normal (rng, 0, 0.35)
                       : sim_normal (rng, 0.02, 0.02 + 0.5 / snr);
    c->isdiffpos = obs->flux > 0 ? "t" : "f";
    c->magpsf = (float)sim_mag_of_flux (fabs ((double)obs->flux));
    c->sigmapsf = (float)(1.0857362047581294 / snr);
    c->magap = (float)sim_round ((double)c->magpsf + off, 1e4);
    c->sigmagap = (float)sim_round (1.1 * (double)c->sigmapsf, 1e4);
    c->magdiff = c->magap - c->magpsf;
    c->magapbig = (float)sim_round (
        (double)c->magap + sim_normal (rng, -0.02, 0.3 / snr), 1e4);
    c->sigmagapbig = (float)sim_round (1.4 * (double)c->sigmapsf, 1e4);
    c->magfromlim = c->diffmaglim - c->magap;
    c->scorr = sim_round (snr * sim_uniform (rng, 0.95, 1.1), 1e5);
}

//  Shape and cleanliness: round and clean if real, else what dipoles and
//  artefacts look like; some of each look like the other.
static void
fill_shape (bool bogus, float seeing, sim_rng_t *rng, sim_candidate_t *c)
{
    bool odd = sim_chance (rng, bogus ? ODD_BOGUS : ODD_REAL);
    bool bad = bogus != odd;
    double wide = bad ? sim_uniform (rng, 0.6, 3) : sim_normal (rng, 1.08, .1);
    double elong =
        bad ? sim_uniform (rng, 0, 0.8) : 0.08 * sim_exponential (rng);
    c->fwhm = (float)(wide * (double)seeing);
    c->elong = (float)(1 + elong);
    c->aimage = (float)(c->fwhm * 0.36f);
    c->bimage = c->aimage / c->elong;
    c->aimagerat = c->aimage / c->fwhm;
    c->bimagerat = c->bimage / c->fwhm;
    c->sky = (float)sim_normal (rng, 0, bad ? 2 : 0.6);
    c->seeratio = bad && sim_chance (rng, 0.4)
                      ? 2
                      : (float)sim_clipped (rng, 1.05, 0.12, 0.6, 2);
    c->chipsf = (float)(bad ? 1.5 + 8 * sim_exponential (rng)
                            : sim_clipped (rng, 1.3, 0.4, 0.7, 4));
    c->classtar =
        (float)(bad ? sim_uniform (rng, 0.05, 1) : 1 - 0.1 * sim_unit2 (rng));
    c->nneg = (int32_t)(bad ? 3 + sim_below (rng, 9) : sim_below (rng, 5));
    c->nbad =
        bad && sim_chance (rng, 0.2) ? 1 + (int32_t)sim_below (rng, 3) : 0;
    c->sumrat = (float)(bad ? sim_uniform (rng, 0.35, 0.95)
                            : 1 - 0.04 * sim_exponential (rng));
    c->dsnrms = (float)(8 * sim_exp (sim_normal (rng, bad ? 0.6 : 0, 0.5)));
    c->ssnrms = (float)(10 * sim_exp (sim_normal (rng, 0.2, 0.5)));
    c->dsdiff = c->dsnrms - c->ssnrms;
    c->tooflag = 0;
}

//  Real/bogus scores. Both kinds have tails into the other: a cut costs.
static void
fill_scores (bool bogus, sim_rng_t *rng, sim_candidate_t *c)
{
    bool odd = sim_chance (rng, bogus ? 0.06 : 0.03);
    if (bogus != odd) {
        double u = sim_unit (rng);
        c->drb = (float)(u * u * u * (odd ? 0.9 : 0.7));
        c->rb = (float)sim_clipped (rng, 0.35, 0.13, 0.02, 0.9);
    } else {
        c->drb = (float)(1 - sim_exp10 (-sim_uniform (rng, 0.8, 5)));
        c->rb = (float)sim_clipped (rng, 0.8, 0.12, 0.25, 0.99);
    }
    c->rb = (float)sim_round ((double)c->rb * 350, 1) / 350;
}

static void
fill_solar_system (sim_packet_maker_t *self,
                   const sim_object_t *object,
                   sim_rng_t *rng,
                   sim_candidate_t *c)
{
    sim_rng_t fixed = sim_rng (object->number, STREAM_MEASURE, 9);
    c->ssdistnr = c->ssmagnr = ABSENT;
    c->ssnamenr = "null";  //  the survey's word, a text
    bool known = sim_chance (&fixed, 0.75);
    if (object->source.class != SIM_ASTEROID || !known)
        return;
    snprintf (self->asteroid, sizeof self->asteroid, "%u",
              1000 + sim_below (&fixed, 500000));
    c->ssnamenr = self->asteroid;
    c->ssdistnr = (float)floor (3 * sim_unit (rng));
    c->ssmagnr = (float)sim_round (
        object->source.mag[SIM_R] + sim_normal (&fixed, 0.2, 0.2), 10);
}

static void
fill_neighbours (const sim_object_t *object, sim_candidate_t *c)
{
#define PS1(n)                                                                 \
    c->objectidps##n = object->ps1[n - 1].id;                                  \
    c->sgmag##n = object->ps1[n - 1].mag[0];                                   \
    c->srmag##n = object->ps1[n - 1].mag[1];                                   \
    c->simag##n = object->ps1[n - 1].mag[2];                                   \
    c->szmag##n = object->ps1[n - 1].mag[3];                                   \
    c->sgscore##n = object->ps1[n - 1].sg;                                     \
    c->distpsnr##n = object->ps1[n - 1].sep
    PS1 (1);
    PS1 (2);
    PS1 (3);
#undef PS1
    c->nmtchps = (int32_t)(object->number % 19 + 1);
    c->neargaia = object->gaia_sep;
    c->maggaia = object->gaia_mag;
    c->neargaiabright = object->bright_sep;
    c->maggaiabright = object->bright_mag;
}

//  The survey's own memory reaches back before the season and beyond the
//  packet.
static void
fill_memory (const sim_sky_t *sky,
             const sim_object_t *object,
             uint32_t at,
             sim_candidate_t *c)
{
    c->ndethist = (int32_t)object->obs[at].n_det;
    c->ncovhist = (int32_t)(object->n_cover + object->obs[at].visit + 1);
    c->ncovhist = WEFT_MAX (c->ncovhist, c->ndethist);
    c->jdendhist = c->jd;
    c->jdstarthist = object->first_jd;
    for (uint32_t i = 0; i <= at && isnan (c->jdstarthist); i++)
        if (object->obs[i].detected)
            c->jdstarthist = visit_of (sky, object, i)->jd;
}

static sim_rng_t
measure_rng (const sim_packet_maker_t *self,
             const sim_object_t *object,
             uint32_t at)
{
    uint64_t index = (uint64_t)object->number << 16 | object->obs[at].visit;
    return sim_rng (self->seed, STREAM_MEASURE, index);
}

void
sim_packet_exposure (sim_packet_maker_t *self,
                     const sim_object_t *object,
                     uint32_t at,
                     sim_candidate_t *c)
{
    const sim_visit_t *visit = visit_of (self->sky, object, at);
    sim_rng_t rng = measure_rng (self, object, at);
    fill_image (self, object, visit, c);
    fill_calibration (&rng, c);
    fill_no_reference (c);
    if (object->reference.sep >= 0)
        fill_reference (object, visit->band, c);
}

void
sim_packet_measure (sim_packet_maker_t *self,
                    const sim_object_t *object,
                    uint32_t at,
                    sim_candidate_t *c)
{
    const sim_obs_t *obs = &object->obs[at];
    const sim_visit_t *visit = visit_of (self->sky, object, at);
    bool bogus = is_bogus (object);
    sim_rng_t rng = measure_rng (self, object, at);
    double snr = fabs ((double)obs->flux) / (double)obs->err;
    fill_image (self, object, visit, c);
    fill_calibration (&rng, c);
    fill_place (object, snr, &rng, c);
    if (object->reference.sep >= 0)
        fill_reference (object, visit->band, c);
    fill_flux (obs, bogus, &rng, c);
    fill_shape (bogus, visit->fwhm, &rng, c);
    fill_scores (bogus, &rng, c);
    fill_solar_system (self, object, &rng, c);
    fill_neighbours (object, c);
    fill_memory (self->sky, object, at, c);
    c->candid = sim_packet_candid (self->sky, object, at);
    c->tblid = object->slot;
}

//  A second run of the pipeline: the same detection, a little different.
static void
run_again (sim_candidate_t *c)
{
    c->magpsf += 0.003f;
    c->sigmapsf *= 1.01f;
    c->rb *= 0.99f;
    c->drb = 1 - (1 - c->drb) * 0.97f;
    c->drbversion = "d6_m8";
}

void
sim_packet_fill (sim_packet_maker_t *self,
                 const sim_object_t *object,
                 uint32_t at,
                 bool reissued)
{
    static const char *const formats[SIM_N_STAMPS] = { "targ_sci", "ref",
                                                       "targ_refmsci" };
    sim_record_t *record = &self->record;
    //  History first: it uses the same texts.
    sim_packet_history (self, object, at);
    sim_packet_measure (self, object, at, &record->candidate);
    record->object_id = object->id;
    record->candid = record->candidate.candid;
    for (int i = 0; i < SIM_N_STAMPS; i++) {
        snprintf (self->stamp_names[i], sizeof self->stamp_names[i],
                  "candid%lld_pid%lld_%s.fits.gz", (long long)record->candid,
                  (long long)record->candidate.pid, formats[i]);
        record->stamps[i] = (sim_stamp_t){ .name = self->stamp_names[i] };
    }
    if (reissued)
        run_again (&record->candidate);
}

static double
to_dn (double flux, const sim_visit_t *visit)
{
    return flux * sim_exp10 (-0.4 * (31.4 - (double)visit->zp));
}

sim_scene_t
sim_packet_scene (const sim_packet_maker_t *self,
                  const sim_object_t *object,
                  uint32_t at)
{
    const sim_obs_t *obs = &object->obs[at];
    const sim_visit_t *visit = visit_of (self->sky, object, at);
    int band = visit->band;
    sim_scene_t scene = {
        .seed = (uint64_t)object->number << 16 | obs->visit,
        .reference = to_dn (object->source.ref[band], visit),
        .change = to_dn ((double)obs->flux, visit),
        .fwhm = (double)visit->fwhm,
        .dipole = is_bogus (object),
    };
    double lim = sim_flux_of_mag ((double)sim_object_limit (object, visit));
    scene.noise = to_dn (lim, visit) / 5 / (2.4 * scene.fwhm);
    if (object->host >= 0) {
        const sim_neighbour_t *host = &object->ps1[object->host];
        scene.host = to_dn (sim_flux_of_mag ((double)host->mag[1]), visit);
        double east = host->ra - object->ra;
        east -= 360 * floor (east / 360 + 0.5);
        scene.host_x = -east * 3600 * sim_cos (object->dec * SIM_PI / 180);
        scene.host_y = (host->dec - object->dec) * 3600;
    }
    return scene;
}
