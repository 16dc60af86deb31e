//  sim_history.c - the last thirty days as a packet repeats them.
//
//  Here are the survey's habits that a reader must survive: values rounded to
//  four decimals, other words for the sign, no drb, limits without magnitudes,
//  the neighbouring quadrant's limit of the same exposure, forced photometry
//  with sentinels, gaps and another value in each packet.

#include <math.h>

#include "sim_packet.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

enum { STREAM_FORCED = 0xf0, STREAM_FORCED_AGAIN, STREAM_TWIN };

#define BAD -99999.0f
#define EDGE_OBJECTS 20     //  one object in so many lies in two quadrants
#define FORCED_ARCSEC 5.0f  //  beyond it forced rows know no reference

//  Tiny numbers keep their digits, as the survey's do.
static float
coarse_of32 (float x)
{
    double value = (double)x;
    return fabs (value) < 0.001 ? x : (float)sim_round (value, 1e4);
}

#define COARSE_f64(x) (x)
#define COARSE_of64(x) (x)
#define COARSE_of32(x) coarse_of32 (x)
#define COARSE_i32(x) (x)
#define COARSE_oi32(x) (x)
#define COARSE_i64(x) (x)
#define COARSE_oi64(x) (x)
#define COARSE_str(x) (x)
#define COARSE_ostr(x) (x)

static void
detection_row (const sim_candidate_t *candidate, sim_prv_t *row)
{
#define FIELD(kind, name) row->name = COARSE_##kind (candidate->name);
#include "sim_prv.def"
#undef FIELD
    row->isdiffpos = candidate->isdiffpos[0] == 't' ? "1" : "0";
}

static void
limit_row (const sim_sky_t *sky,
           const sim_object_t *object,
           const sim_visit_t *visit,
           sim_prv_t *row)
{
    sim_prv_clear (row);
    row->jd = visit->jd;
    row->fid = visit->band + 1;
    row->pid = sim_sky_pid (visit, object->quadrant);
    row->diffmaglim = coarse_of32 (sim_object_limit (object, visit));
    row->programid = 1;
    row->nid = visit->night;
    row->rcid = object->quadrant;
    row->field = sky->fields[object->field].id;
    row->magzpsci = coarse_of32 (visit->zp);
    row->rbversion = "t17_f5_c3";
}

//  The same exposure, seen by the quadrant next door: another pid, another
//  limit.
static void
twin_row (const sim_object_t *object,
          const sim_visit_t *visit,
          sim_rng_t *rng,
          sim_prv_t *row)
{
    int twin = object->quadrant ^ 1;
    row->rcid = twin;
    row->pid = sim_sky_pid (visit, twin);
    row->diffmaglim =
        coarse_of32 (row->diffmaglim + (float)sim_normal (rng, 0, 0.15));
}

//  Forced flux of one exposure: mostly the detection's own noise, a part of
//  its own, and a little more that changes from packet to packet.
static double
forced_flux (const sim_packet_maker_t *self,
             const sim_object_t *object,
             const sim_obs_t *obs,
             uint32_t trigger,
             sim_rng_t *rng)
{
    sim_rng_t again = sim_rng (self->seed, STREAM_FORCED_AGAIN,
                               ((uint64_t)object->number << 32) +
                                   obs->visit * 4096u + trigger);
    double err = (double)obs->err, truth = (double)obs->truth;
    return truth + 0.75 * ((double)obs->flux - truth) +
           sim_normal (rng, 0, 0.6 * err) + sim_normal (&again, 0, 0.05 * err);
}

//  One in fifteen forced points is not to be used: most of those hold
//  sentinels, some a warning beside a value.
static void
forced_status (sim_rng_t *rng, sim_fp_t *row)
{
    double u = sim_unit (rng);
    row->procstatus = "0";
    if (u < 0.04) {
        row->forcediffimflux = row->forcediffimfluxunc = BAD;
        row->procstatus = u < 0.02 ? "61" : u < 0.03 ? "55" : "55,61";
    } else if (u < 0.055)
        row->procstatus = "56";
    else if (u < 0.065)
        row->procstatus = "57";
}

static void
forced_reference (const sim_candidate_t *c, float sep, sim_fp_t *row)
{
    bool none = sep < 0 || sep > FORCED_ARCSEC;
    row->distnr = none ? BAD : sep;
    row->magnr = none ? BAD : c->magnr;
    row->sigmagnr = none ? BAD : c->sigmagnr;
    row->ranr = none ? (double)BAD : c->ranr;
    row->decnr = none ? (double)BAD : c->decnr;
}

static void
forced_row (sim_packet_maker_t *self,
            const sim_object_t *object,
            uint32_t at,
            uint32_t trigger,
            sim_rng_t *rng,
            sim_fp_t *row)
{
    const sim_obs_t *obs = &object->obs[at];
    const sim_visit_t *visit =
        &self->sky->fields[object->field].visits[obs->visit];
    sim_candidate_t c;
    sim_packet_exposure (self, object, at, &c);
    double scale = sim_exp10 (-0.4 * (31.4 - (double)visit->zp));
    double flux = forced_flux (self, object, obs, trigger, rng);
    *row = (sim_fp_t){ 0 };
    row->field = c.field;
    row->rcid = c.rcid;
    row->fid = c.fid;
    row->pid = c.pid;
    row->rfid = c.rfid;
    row->sciinpseeing = visit->fwhm;
    row->magzpsci = c.magzpsci;
    row->exptime = 30;
    row->diffmaglim = c.diffmaglim;
    row->programid = 1;
    row->jd = c.jd;
    row->forcediffimflux = (float)(flux * scale);
    row->forcediffimfluxunc = (float)((double)obs->err * scale);
    forced_reference (&c, object->reference.sep, row);
    forced_status (rng, row);
}

static void
add_row (sim_packet_maker_t *self,
         const sim_object_t *object,
         const sim_visit_t *visit,
         uint32_t at)
{
    sim_record_t *record = &self->record;
    if (record->n_prv + 2 > SIM_ROWS_MOST)
        return;
    sim_prv_t *row = &record->prv[record->n_prv++];
    if (object->obs[at].detected) {
        sim_candidate_t c;
        sim_packet_measure (self, object, at, &c);
        detection_row (&c, row);
        return;
    }
    limit_row (self->sky, object, visit, row);
    sim_rng_t rng =
        sim_rng (self->seed, STREAM_TWIN,
                 (uint64_t)object->number << 16 | object->obs[at].visit);
    if (object->number % EDGE_OBJECTS == 0 && sim_chance (&rng, 0.4)) {
        record->prv[record->n_prv] = *row;
        twin_row (object, visit, &rng, &record->prv[record->n_prv++]);
    }
}

void
sim_packet_history (sim_packet_maker_t *self,
                    const sim_object_t *object,
                    uint32_t at)
{
    sim_record_t *record = &self->record;
    const sim_visit_t *visits = self->sky->fields[object->field].visits;
    double now = visits[object->obs[at].visit].jd;
    uint32_t first = at;
    while (first > 0 &&
           now - visits[object->obs[first - 1].visit].jd <= SIM_HISTORY_DAYS)
        first--;
    record->n_prv = record->n_fp = 0;
    for (uint32_t i = first; i < at; i++)
        add_row (self, object, &visits[object->obs[i].visit], i);
    //  Forced rows come newest first; one in 25 exposures is missing.
    for (uint32_t i = at; i-- > first && record->n_fp < SIM_ROWS_MOST;) {
        sim_rng_t rng =
            sim_rng (self->seed, STREAM_FORCED,
                     (uint64_t)object->number << 16 | object->obs[i].visit);
        if (sim_chance (&rng, 0.96))
            forced_row (self, object, i, object->obs[at].visit, &rng,
                        &record->fp[record->n_fp++]);
    }
}
