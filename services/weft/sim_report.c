//  sim_report.c - truth.csv, catalog.csv and night.json of a season.

#include <math.h>

#include "sim_season.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

enum { STREAM_CATALOG = 0xca7 };

#define KNOWN_TYPE 0.5   //  variables and AGN whose type a catalogue knows
#define KNOWN_HOST 0.85  //  hosts with a redshift
#define FIELD_SOURCES 3  //  unrelated sources per object

//  A number with a fixed count of decimals, whatever the locale; nothing if
//  it is NaN. `out` holds 32.
static const char *
fixed (char *out, double value, int decimals)
{
    static const int64_t powers[] = { 1,     10,     100,     1000,
                                      10000, 100000, 1000000, 10000000 };
    out[0] = '\0';
    if (isnan (value))
        return out;
    int64_t scale = powers[decimals];
    int64_t n = (int64_t)floor (fabs (value) * (double)scale + 0.5);
    snprintf (out, 32, "%s%lld.%0*lld", value < 0 && n ? "-" : "",
              (long long)(n / scale), decimals, (long long)(n % scale));
    return out;
}

static void
truth_row (const sim_t *self, const sim_alert_t *alert, FILE *file)
{
    const sim_object_t *object = &self->objects[alert->object];
    const sim_source_t *s = &object->source;
    const sim_obs_t *obs = &object->obs[alert->at];
    const sim_visit_t *visit =
        &self->sky.fields[object->field].visits[obs->visit];
    char text[32], name[32];
    fprintf (
        file, "%lld,%s,%s,%s,%d,%s,%d", (long long)sim_alert_id (self, alert),
        sim_object_name (self, object, name), sim_class_name (s->class),
        s->subtype, visit->night, fixed (text, visit->jd, 7), visit->band + 1);
    const double values[] = { (double)obs->truth, (double)obs->flux,
                              (double)obs->err };
    for (size_t i = 0; i < WEFT_COUNT (values); i++)
        fprintf (file, ",%s", fixed (text, values[i], 2));
    const double parameters[] = { s->z,          s->t0,      s->mag[SIM_G],
                                  s->mag[SIM_R], s->stretch, s->colour,
                                  s->period,     s->amp,     s->te,
                                  s->u0,         s->blend,   s->tau,
                                  s->slope };
    for (size_t i = 0; i < WEFT_COUNT (parameters); i++)
        fprintf (file, ",%s", fixed (text, parameters[i], 6));
    fputc ('\n', file);
}

int
sim_write_truth (const sim_t *self, FILE *file)
{
    fputs ("alert_id,object_id,class,subtype,night,jd,fid,true_flux_njy,"
           "flux_njy,err_njy,z,t0_jd,mag_g,mag_r,stretch,colour,period_d,amp,"
           "te_d,u0,blend,tau_d,slope\n",
           file);
    for (uint32_t i = 0; i < self->n_alerts; i++)
        truth_row (self, &self->alerts[i], file);
    return fflush (file) || ferror (file) ? WEFT_EIO : 0;
}

static void
catalog_row (FILE *file,
             const sim_neighbour_t *source,
             const char *type,
             double z)
{
    char text[4][32];
    double mag =
        source->mag[SIM_R] > 0 ? (double)source->mag[SIM_R] : (double)NAN;
    fprintf (file, "%s,%s,%lld,%s,%s,%s\n", fixed (text[0], source->ra, 7),
             fixed (text[1], source->dec, 7), (long long)source->id, type,
             fixed (text[2], z, 5), fixed (text[3], mag, 3));
}

//  What a catalogue says of the source at the object's place. Half of the
//  variables are known as such: the type alone must not give them all away.
static void
catalog_object (const sim_object_t *object, sim_rng_t *rng, FILE *file)
{
    const sim_neighbour_t *near = &object->ps1[0];
    bool known = sim_chance (rng, KNOWN_TYPE);
    bool measured = sim_chance (rng, KNOWN_HOST);
    switch (object->source.class) {
    case SIM_SNIA:
    case SIM_SNII:
        if (object->host >= 0)
            catalog_row (file, &object->ps1[object->host], "galaxy",
                         measured ? object->source.z : (double)NAN);
        break;
    case SIM_PERIODIC:
        catalog_row (file, near, known ? object->source.subtype : "star", NAN);
        break;
    case SIM_AGN:
        if (known)
            catalog_row (file, near, object->source.subtype, object->source.z);
        else
            catalog_row (file, near, near->sg > 0.5f ? "star" : "galaxy", NAN);
        break;
    case SIM_ULENS:
    case SIM_BOGUS:
        if (object->source.ref[SIM_R] > 0)
            catalog_row (file, near, "star", NAN);
        break;
    default:
        break;
    }
}

//  Sources of the field that no alert belongs to.
static void
catalog_field (const sim_t *self,
               const sim_object_t *object,
               sim_rng_t *rng,
               FILE *file)
{
    const sim_field_t *field = &self->sky.fields[object->field];
    for (int i = 0; i < FIELD_SOURCES; i++) {
        sim_neighbour_t source = { .mag = { 0 } };
        sim_sky_place (field, (int)sim_below (rng, SIM_QUADRANTS), rng,
                       &source.ra, &source.dec);
        source.id =
            INT64_C (9000000000) + (int64_t)object->number * FIELD_SOURCES + i;
        source.mag[SIM_R] = (float)sim_clipped (rng, 19, 1.5, 12, 22);
        bool galaxy = sim_chance (rng, 0.4);
        double z = sim_uniform (rng, 0.01, 0.4);
        bool measured = galaxy && sim_chance (rng, 0.5);
        catalog_row (file, &source, galaxy ? "galaxy" : "star",
                     measured ? z : (double)NAN);
    }
}

int
sim_write_catalog (const sim_t *self, FILE *file)
{
    fputs ("ra,dec,id,type,z,mag\n", file);
    for (uint32_t i = 0; i < self->n_objects; i++) {
        const sim_object_t *object = &self->objects[i];
        sim_rng_t rng =
            sim_rng (self->options.seed, STREAM_CATALOG, object->number);
        catalog_object (object, &rng, file);
        catalog_field (self, object, &rng, file);
    }
    return fflush (file) || ferror (file) ? WEFT_EIO : 0;
}

static void
summary_classes (const sim_t *self, FILE *file)
{
    fputs ("  \"classes\": {\n", file);
    for (sim_class_t i = 0; i < SIM_N_CLASSES; i++)
        fprintf (file, "    \"%s\": {\"objects\": %u, \"alerts\": %u}%s\n",
                 sim_class_name (i), self->class_objects[i],
                 self->class_alerts[i], i + 1 < SIM_N_CLASSES ? "," : "");
    fputs ("  },\n", file);
}

static void
summary_damages (const sim_t *self, FILE *file)
{
    fputs ("  \"damages\": {", file);
    const char *comma = "";
    for (uint32_t i = 0; i < SIM_DAMAGES; i++)
        if (self->damages[i]) {
            fprintf (file, "%s\"%s\": %u", comma,
                     sim_damage_text (i, self->lsst != NULL), self->damages[i]);
            comma = ", ";
        }
    fputs ("}\n}\n", file);
}

int
sim_write_summary (const sim_t *self, FILE *file)
{
    int first_night = (int)floor (self->alerts[0].jd - SIM_JD0) + SIM_NIGHT0;
    fprintf (file,
             "{\n  \"seed\": \"%llu\",\n  \"alerts\": %u,\n"
             "  \"objects\": %u,\n  \"packets\": %u,\n"
             "  \"duplicates\": %u,\n  \"reissued\": %u,\n"
             "  \"malformed\": %u,\n  \"first_night\": %d,\n"
             "  \"last_night\": %d,\n",
             (unsigned long long)self->options.seed, self->n_alerts,
             self->n_objects, self->n_issues, self->kinds[SIM_PACKET_DUPLICATE],
             self->kinds[SIM_PACKET_REISSUED],
             self->kinds[SIM_PACKET_MALFORMED], first_night,
             (int)sim_last_night (self));
    summary_classes (self, file);
    summary_damages (self, file);
    return fflush (file) || ferror (file) ? WEFT_EIO : 0;
}
