//  sim.c - a season of simulated alerts, packet by packet.

#include "sim_season.h"

#define PACKET_CEILING (1 << 20)
#define MALFORMED_MOST 1000000

const sim_options_t sim_defaults = {
    .seed = 1,
    .alerts = 5000,
    .nights = 100,
    .duplicates = 0.01,
    .reissued = 0.003,
    .stamps = SIM_STAMPS_SMALL,
};

static bool
options_are_good (const sim_options_t *options)
{
    return options->alerts > 0 && options->alerts <= SIM_ALERTS_MOST &&
           options->nights >= 10 && options->nights <= SIM_NIGHTS_MOST &&
           options->malformed <= MALFORMED_MOST && options->duplicates >= 0 &&
           options->duplicates <= 1 && options->reissued >= 0 &&
           options->reissued <= 1;
}

static int
make_tools (sim_t *self)
{
    weft_buf_init (&self->schema, PACKET_CEILING);
    weft_buf_init (&self->header, PACKET_CEILING);
    weft_buf_init (&self->scratch, PACKET_CEILING);
    weft_buf_init (&self->out, PACKET_CEILING);
    bool lsst = self->options.survey == SIM_LSST;
    if (lsst)
        sim_lsst_schema (&self->schema);
    else
        sim_record_schema (&self->schema);
    weft_buf_add (&self->schema, "", 1);
    if (self->schema.error)
        return self->schema.error;
    sim_record_header (sim_schema (self), &self->header);
    self->maker = calloc (1, sizeof *self->maker);
    if (!self->maker)
        return WEFT_ENOMEM;
    self->maker->sky = &self->sky;
    self->maker->seed = self->options.seed;
    self->lsst = lsst ? sim_lsst_new (self->maker) : NULL;
    if (lsst && !self->lsst)
        return WEFT_ENOMEM;
    if (self->options.stamps == SIM_STAMPS_NONE)
        return self->header.error;
    bool full = self->options.stamps == SIM_STAMPS_FULL;
    self->stamper = sim_stamper_new (full ? 63 : 15);
    return self->stamper ? self->header.error : WEFT_ENOMEM;
}

sim_t *
sim_new (const sim_options_t *options)
{
    if (!options_are_good (options))
        return NULL;
    sim_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->options = *options;
    int rc = make_tools (self);
    if (!rc)
        rc = sim_populate (self);
    if (!rc)
        rc = sim_arrange (self);
    if (rc)
        sim_destroy (&self);
    return self;
}

void
sim_destroy (sim_t **self_p)
{
    sim_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->n_objects; i++)
        sim_object_fini (&self->objects[i]);
    free (self->objects);
    free (self->alerts);
    free (self->issues);
    sim_sky_fini (&self->sky);
    sim_stamper_destroy (&self->stamper);
    sim_lsst_destroy (&self->lsst);
    free (self->maker);
    weft_buf_fini (&self->schema);
    weft_buf_fini (&self->header);
    weft_buf_fini (&self->scratch);
    weft_buf_fini (&self->out);
    free (self);
    *self_p = NULL;
}

uint32_t
sim_packets (const sim_t *self)
{
    return self->n_issues;
}

int32_t
sim_last_night (const sim_t *self)
{
    const sim_alert_t *last = &self->alerts[self->n_alerts - 1];
    return SIM_NIGHT0 + (int32_t)(last->jd - SIM_JD0);
}

const char *
sim_schema (const sim_t *self)
{
    return (const char *)self->schema.data;
}

int64_t
sim_alert_id (const sim_t *self, const sim_alert_t *alert)
{
    const sim_object_t *object = &self->objects[alert->object];
    return self->lsst ? sim_lsst_source_id (&self->sky, object, alert->at)
                      : sim_packet_candid (&self->sky, object, alert->at);
}

const char *
sim_object_name (const sim_t *self, const sim_object_t *object, char text[32])
{
    if (!self->lsst)
        return object->id;
    snprintf (text, 32, "%lld", (long long)sim_lsst_object_id (object));
    return text;
}

static int
encode (sim_t *self, const sim_alert_t *alert, bool reissued)
{
    const sim_object_t *object = &self->objects[alert->object];
    sim_record_t *record = &self->maker->record;
    sim_packet_fill (self->maker, object, alert->at, reissued);
    if (self->stamper) {
        sim_scene_t scene = sim_packet_scene (self->maker, object, alert->at);
        int rc = sim_stamper_make (self->stamper, &scene, record->stamps);
        if (rc)
            return rc;
    }
    weft_buf_clear (&self->out);
    if (self->lsst)
        sim_lsst_encode (self->lsst, object, alert->at, reissued,
                         record->stamps, &self->out);
    else
        sim_record_encode (record, &self->header, &self->scratch, &self->out);
    return self->out.error;
}

int
sim_next (sim_t *self, sim_packet_t *packet)
{
    if (self->next == self->n_issues)
        return WEFT_ENOENT;
    const sim_issue_t *issue = &self->issues[self->next];
    const sim_alert_t *alert = &self->alerts[issue->alert];
    int rc = encode (self, alert, issue->kind == SIM_PACKET_REISSUED);
    if (rc)
        return rc;
    const sim_record_t *record = &self->maker->record;
    *packet = (sim_packet_t){
        .kind = issue->kind,
        .night = record->candidate.nid,
        .position = self->next++,
        .alert = issue->alert,
        .alert_id = sim_alert_id (self, alert),
    };
    if (issue->kind == SIM_PACKET_MALFORMED) {
        uint32_t which = self->kinds[SIM_PACKET_MALFORMED];
        self->damages[which % SIM_DAMAGES]++;
        packet->damage =
            sim_damage (&self->out, self->lsst ? 0 : self->header.size, which);
    }
    self->kinds[issue->kind]++;
    packet->data = self->out.data;
    packet->size = self->out.size;
    return 0;
}
