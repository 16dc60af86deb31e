//  sim_lsst.c - the same alerts in LSST's shape.

#include "sim_lsst.h"

#include "weft_time.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

enum { STREAM_LSST = 0x1557, STREAM_LSST_FORCED };

//  Brings our 19 digits to the survey's 18, and keeps them apart from those of
//  the same season in ZTF's shape.
#define SOURCE_LESS INT64_C (2600000000000000000)
#define OBJECT_FIRST INT64_C (313800000000000000)
#define FORCED_MORE 500000  //  beyond any slot of a quadrant

#define MIDDLE_D (15.0 / 86400)  //  half of the exposure
#define AGAIN_D 1.0              //  a second run of the pipeline comes later
#define PIXEL_DEG (1.01 / 3600)

#define FIELD(kind, name) sim_##kind##_t name;
//  NOLINTBEGIN(clang-analyzer-optin.performance.Padding)
typedef struct {
#include "sim_lsst_source.def"
} source_t;
typedef struct {
#include "sim_lsst_forced.def"
} forced_t;
typedef struct {
#include "sim_lsst_object.def"
} object_t;
//  NOLINTEND(clang-analyzer-optin.performance.Padding)
#undef FIELD

#define FIELD(kind, name) { #name, offsetof (STRUCT, name), SIM_KIND_##kind },
#define STRUCT source_t
static const sim_avro_field_t source_fields[] = {
#include "sim_lsst_source.def"
};
#undef STRUCT
#define STRUCT forced_t
static const sim_avro_field_t forced_fields[] = {
#include "sim_lsst_forced.def"
};
#undef STRUCT
#define STRUCT object_t
static const sim_avro_field_t object_fields[] = {
#include "sim_lsst_object.def"
};
#undef STRUCT
#undef FIELD

struct sim_lsst {
    sim_packet_maker_t *maker;
    source_t source;
    source_t prv[SIM_LSST_ROWS_MOST];
    uint32_t n_prv;
    forced_t forced[SIM_LSST_ROWS_MOST];
    uint32_t n_forced;
    object_t object;
};

sim_lsst_t *
sim_lsst_new (sim_packet_maker_t *maker)
{
    sim_lsst_t *self = calloc (1, sizeof *self);
    if (self)
        self->maker = maker;
    return self;
}

void
sim_lsst_destroy (sim_lsst_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

int64_t
sim_lsst_source_id (const sim_sky_t *sky,
                    const sim_object_t *object,
                    uint32_t at)
{
    return sim_packet_candid (sky, object, at) - SOURCE_LESS;
}

int64_t
sim_lsst_object_id (const sim_object_t *object)
{
    return OBJECT_FIRST + object->number;
}

static void
add_type (weft_buf_t *out,
          const char *name,
          const sim_avro_field_t *fields,
          size_t n)
{
    weft_buf_addf (out, "{\"type\":\"record\",\"name\":\"%s\",\"fields\":[",
                   name);
    sim_avro_fields (out, fields, n);
    sim_avro_text (out, "]}");
}

//  Types that are always null here; a name is all that a reader asks them for.
static void
add_named_type (weft_buf_t *out, const char *name)
{
    weft_buf_addf (out,
                   "{\"name\":\"%s\",\"type\":[\"null\",{\"type\":\"record\","
                   "\"name\":\"%s\",\"fields\":[{\"name\":\"designation\","
                   "\"type\":[\"null\",\"string\"]}]}]},",
                   name, name);
}

void
sim_lsst_schema (weft_buf_t *out)
{
    sim_avro_text (
        out, "{\"type\":\"record\",\"name\":\"alert\",\"namespace\":"
             "\"lsst.v11_0\",\"doc\":\"simulated alerts; the fields of the "
             "survey's schema that are read\",\"fields\":["
             "{\"name\":\"diaSourceId\",\"type\":\"long\"},"
             "{\"name\":\"observation_reason\",\"type\":[\"null\",\"string\"]},"
             "{\"name\":\"target_name\",\"type\":[\"null\",\"string\"]},"
             "{\"name\":\"diaSource\",\"type\":");
    add_type (out, "diaSource", source_fields, WEFT_COUNT (source_fields));
    sim_avro_text (out, "},{\"name\":\"prvDiaSources\",\"type\":[\"null\","
                        "{\"type\":\"array\",\"items\":\"diaSource\"}]},"
                        "{\"name\":\"prvDiaForcedSources\",\"type\":[\"null\","
                        "{\"type\":\"array\",\"items\":");
    add_type (out, "diaForcedSource", forced_fields,
              WEFT_COUNT (forced_fields));
    sim_avro_text (out, "}]},{\"name\":\"diaObject\",\"type\":[\"null\",");
    add_type (out, "diaObject", object_fields, WEFT_COUNT (object_fields));
    sim_avro_text (out, "]},");
    add_named_type (out, "ssSource");
    add_named_type (out, "mpc_orbits");
    sim_avro_text (
        out, "{\"name\":\"cutoutDifference\",\"type\":[\"null\",\"bytes\"]},"
             "{\"name\":\"cutoutScience\",\"type\":[\"null\",\"bytes\"]},"
             "{\"name\":\"cutoutTemplate\",\"type\":[\"null\",\"bytes\"]}]}");
}

static const sim_visit_t *
visit_of (const sim_lsst_t *self, const sim_object_t *object, uint32_t at)
{
    return &self->maker->sky->fields[object->field]
                .visits[object->obs[at].visit];
}

static double
middle_of (const sim_visit_t *visit)
{
    return weft_time_tai_of_utc (visit->jd - WEFT_MJD_OF_JD) + MIDDLE_D;
}

//  YYYYMMDDnnnnn: the day that the night began on, and its exposure, here the
//  time since noon.
static int64_t
visit_id (const sim_visit_t *visit)
{
    int year, month, day;
    sim_packet_date (visit->jd - 0.5, &year, &month, &day);
    double since = visit->jd - floor (visit->jd);
    return ((int64_t)year * 10000 + month * 100 + day) * 100000 +
           (int64_t)(since * 1e5);
}

static const char *
band_of (const sim_visit_t *visit)
{
    return visit->band == SIM_G ? "g" : "r";
}

static sim_rng_t
rng_of (const sim_lsst_t *self,
        uint64_t stream,
        const sim_object_t *object,
        uint32_t at)
{
    uint64_t index = (uint64_t)object->number << 16 | object->obs[at].visit;
    return sim_rng (self->maker->seed, stream, index);
}

//  Ixx, iyy, ixy in px^2 from the full width at half maximum.
static void
fill_moments (const sim_candidate_t *c, float seeing, source_t *s)
{
    float wide = c->fwhm / 2.355f, psf = seeing / 2.355f;
    s->ixx = wide * wide * c->elong;
    s->iyy = wide * wide / c->elong;
    s->ixy = 0;
    s->ixxPSF = s->iyyPSF = psf * psf;
    s->ixyPSF = 0;
}

static void
fill_flags (const sim_candidate_t *c, const sim_obs_t *obs, source_t *s)
{
    s->isNegative = obs->flux < 0;
    s->centroid_flag = s->apFlux_flag = s->psfFlux_flag = 0;
    s->psfFlux_flag_noGoodPixels = s->shape_flag = 0;
    s->psfFlux_flag_edge = s->pixelFlags_edge = c->mindtoedge < 10;
    s->pixelFlags_bad = c->nbad > 0;
    s->pixelFlags_cr = s->pixelFlags_nodata = s->pixelFlags_saturated = 0;
    s->pixelFlags_streak = s->glint_trail = 0;
    s->pixelFlags = s->pixelFlags_bad || s->pixelFlags_edge;
    s->dipoleFitAttempted = c->nneg > 4;
    s->isDipole = c->nneg > 8;
}

static void
fill_place (const sim_candidate_t *c, double snr, source_t *s)
{
    s->ra = c->ra;
    s->dec = c->dec;
    s->raErr = s->decErr = (float)((0.06 + 0.9 / snr) / 3600);
    s->ra_dec_Cov = 0;
    s->x = c->xpos;
    s->y = c->ypos;
    s->xErr = s->yErr = s->raErr / (float)PIXEL_DEG;
}

static void
fill_fluxes (const sim_object_t *object,
             const sim_obs_t *obs,
             int band,
             const sim_candidate_t *c,
             source_t *s)
{
    double reference = object->source.ref[band];
    s->psfFlux = obs->flux;
    s->psfFluxErr = obs->err;
    s->snr = fabsf (obs->flux) / obs->err;
    double aperture = sim_flux_of_mag ((double)c->magap);
    s->apFlux = (float)(obs->flux < 0 ? -aperture : aperture);
    s->apFluxErr = obs->err * 1.1f;
    s->templateFlux = (float)reference;
    s->templateFluxErr = obs->err * 0.3f;
    s->scienceFlux = (float)(reference + (double)obs->flux);
    s->scienceFluxErr = obs->err * 1.05f;
    s->psfNdata = 41 * 41;
    s->psfChi2 = c->chipsf * (float)s->psfNdata;
    s->bboxSize = 20;
}

static void
fill_source (sim_lsst_t *self,
             const sim_object_t *object,
             uint32_t at,
             source_t *s)
{
    const sim_visit_t *visit = visit_of (self, object, at);
    sim_rng_t rng = rng_of (self, STREAM_LSST, object, at);
    sim_candidate_t c;
    sim_packet_measure (self->maker, object, at, &c);
    sim_avro_clear (s, source_fields, WEFT_COUNT (source_fields));
    s->diaSourceId = sim_lsst_source_id (self->maker->sky, object, at);
    s->diaObjectId = sim_lsst_object_id (object);
    s->visit = visit_id (visit);
    s->detector = object->quadrant;
    s->midpointMjdTai = middle_of (visit);
    s->timeProcessedMjdTai =
        s->midpointMjdTai + sim_uniform (&rng, 40, 120) / 86400;
    s->band = band_of (visit);
    fill_fluxes (object, &object->obs[at], visit->band, &c, s);
    fill_place (&c, (double)s->snr, s);
    fill_moments (&c, visit->fwhm, s);
    fill_flags (&c, &object->obs[at], s);
    s->extendedness = 1 - c.classtar;
    s->reliability = c.drb;
}

static void
fill_forced (sim_lsst_t *self,
             const sim_object_t *object,
             uint32_t at,
             forced_t *f)
{
    const sim_obs_t *obs = &object->obs[at];
    const sim_visit_t *visit = visit_of (self, object, at);
    sim_rng_t rng = rng_of (self, STREAM_LSST_FORCED, object, at);
    double truth = (double)obs->truth, err = (double)obs->err;
    double flux = truth + 0.75 * ((double)obs->flux - truth) +
                  sim_normal (&rng, 0, 0.6 * err);
    sim_avro_clear (f, forced_fields, WEFT_COUNT (forced_fields));
    f->diaForcedSourceId =
        sim_lsst_source_id (self->maker->sky, object, at) + FORCED_MORE;
    f->diaObjectId = sim_lsst_object_id (object);
    f->ra = object->ra;
    f->dec = object->dec;
    f->visit = visit_id (visit);
    f->detector = object->quadrant;
    f->psfFlux = (float)flux;
    f->psfFluxErr = obs->err;
    f->midpointMjdTai = middle_of (visit);
    f->scienceFlux = (float)(object->source.ref[visit->band] + flux);
    f->scienceFluxErr = obs->err * 1.05f;
    f->band = band_of (visit);
    f->timeProcessedMjdTai = f->midpointMjdTai + sim_uniform (&rng, 0.5, 1.5);
}

//  Weighted mean of the detections of one band up to this one.
static void
fill_mean (const sim_lsst_t *self,
           const sim_object_t *object,
           uint32_t at,
           int band,
           float *mean,
           float *err,
           int32_t *n)
{
    double sum = 0, weights = 0;
    *n = 0;
    for (uint32_t i = 0; i <= at; i++) {
        const sim_obs_t *obs = &object->obs[i];
        if (!obs->detected || visit_of (self, object, i)->band != band)
            continue;
        double weight = 1 / ((double)obs->err * (double)obs->err);
        sum += weight * (double)obs->flux;
        weights += weight;
        ++*n;
    }
    if (*n > 0) {
        *mean = (float)(sum / weights);
        *err = (float)sqrt (1 / weights);
    }
}

static void
fill_object (sim_lsst_t *self, const sim_object_t *object, uint32_t at)
{
    object_t *o = &self->object;
    sim_avro_clear (o, object_fields, WEFT_COUNT (object_fields));
    o->diaObjectId = sim_lsst_object_id (object);
    o->validityStartMjdTai = self->source.timeProcessedMjdTai;
    o->ra = object->ra;
    o->dec = object->dec;
    o->raErr = o->decErr = self->source.raErr;
    fill_mean (self, object, at, SIM_G, &o->g_psfFluxMean, &o->g_psfFluxMeanErr,
               &o->g_psfFluxNdata);
    fill_mean (self, object, at, SIM_R, &o->r_psfFluxMean, &o->r_psfFluxMeanErr,
               &o->r_psfFluxNdata);
    o->nDiaSources = (int32_t)object->obs[at].n_det;
    o->lastDiaSourceMjdTai = self->source.midpointMjdTai;
    o->firstDiaSourceMjdTai =
        self->n_prv ? self->prv[0].midpointMjdTai : self->source.midpointMjdTai;
    if (!isnan (object->first_jd))
        o->firstDiaSourceMjdTai =
            weft_time_tai_of_utc (object->first_jd - WEFT_MJD_OF_JD) + MIDDLE_D;
}

//  Everything before the detection: sources, and forced photometry once there
//  is a source. The oldest rows go if there are too many.
static void
fill_history (sim_lsst_t *self, const sim_object_t *object, uint32_t at)
{
    uint32_t detections = 0;
    for (uint32_t i = 0; i < at; i++)
        detections += object->obs[i].detected;
    uint32_t skip = detections - WEFT_MIN (detections, SIM_LSST_ROWS_MOST);
    self->n_prv = self->n_forced = 0;
    for (uint32_t i = 0; i < at; i++) {
        bool late = at - i <= SIM_LSST_ROWS_MOST;
        if (late && detections > 0)
            fill_forced (self, object, i, &self->forced[self->n_forced++]);
        if (!object->obs[i].detected)
            continue;
        if (skip > 0)
            skip--;
        else
            fill_source (self, object, i, &self->prv[self->n_prv++]);
    }
}

static void
run_again (source_t *s)
{
    s->psfFlux *= 1.003f;
    s->psfFluxErr *= 1.01f;
    s->reliability = 1 - (1 - s->reliability) * 0.97f;
    s->timeProcessedMjdTai += AGAIN_D;
}

static void
add_cutout (const sim_stamp_t *stamp, weft_buf_t *out)
{
    sim_avro_long (out, stamp->data != NULL);
    if (stamp->data)
        sim_avro_bytes (out, stamp->data, stamp->size);
}

static void
add_datum (const sim_lsst_t *self,
           const sim_stamp_t stamps[SIM_N_STAMPS],
           weft_buf_t *out)
{
    sim_avro_long (out, self->source.diaSourceId);
    sim_avro_long (out, 0);
    sim_avro_long (out, 0);
    sim_avro_record (out, &self->source, source_fields,
                     WEFT_COUNT (source_fields));
    sim_avro_rows (out, self->prv, self->n_prv, sizeof self->prv[0],
                   source_fields, WEFT_COUNT (source_fields));
    sim_avro_rows (out, self->forced, self->n_forced, sizeof self->forced[0],
                   forced_fields, WEFT_COUNT (forced_fields));
    sim_avro_long (out, 1);
    sim_avro_record (out, &self->object, object_fields,
                     WEFT_COUNT (object_fields));
    sim_avro_long (out, 0);
    sim_avro_long (out, 0);
    add_cutout (&stamps[SIM_DIFFERENCE], out);
    add_cutout (&stamps[SIM_SCIENCE], out);
    add_cutout (&stamps[SIM_TEMPLATE], out);
}

void
sim_lsst_encode (sim_lsst_t *self,
                 const sim_object_t *object,
                 uint32_t at,
                 bool reissued,
                 const sim_stamp_t stamps[SIM_N_STAMPS],
                 weft_buf_t *out)
{
    //  Confluent's frame: a zero, the schema's id with the high byte first.
    static const uint8_t header[SIM_LSST_HEADER] = {
        0, 0, 0, SIM_LSST_SCHEMA_ID >> 8, SIM_LSST_SCHEMA_ID & 0xff
    };
    fill_source (self, object, at, &self->source);
    if (reissued)
        run_again (&self->source);
    fill_history (self, object, at);
    fill_object (self, object, at);
    weft_buf_add (out, header, sizeof header);
    add_datum (self, stamps, out);
}
