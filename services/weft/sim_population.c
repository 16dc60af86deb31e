//  sim_population.c - who is in the season, and in which order they speak.

#include <math.h>

#include "sim_season.h"

#ifdef __clang__
#pragma STDC FP_CONTRACT OFF
#endif

enum { STREAM_ISSUE = 0x155e };

#define FIELDS_MOST 600
#define ALERTS_PER_FIELD 350
#define TRIES_MOST 200  //  draws of one object before its class is given up

//  Packets that come again come up to so many places later.
#define AGAIN_WITHIN 300

//  Fewest detections that make an object of a class worth having.
static uint32_t
least_detections (sim_class_t class)
{
    switch (class) {
    case SIM_ULENS:
        return 3;
    case SIM_SNIA:
    case SIM_SNII:
    case SIM_PERIODIC:
    case SIM_AGN:
        return 2;
    default:
        return 1;
    }
}

//  The class that is furthest behind its share of the alerts.
static sim_class_t
wanted_class (const sim_t *self)
{
    sim_class_t best = 0;
    double worst = -INFINITY;
    for (sim_class_t i = 0; i < SIM_N_CLASSES; i++) {
        double lack = sim_class_share (i) * (self->n_alerts + 40.0) -
                      self->class_alerts[i];
        if (lack > worst) {
            worst = lack;
            best = i;
        }
    }
    return best;
}

static sim_object_t *
more_room (sim_t *self)
{
    if (self->n_objects == self->room_objects) {
        uint32_t room = self->room_objects * 2 + 64;
        sim_object_t *more = realloc (self->objects, room * sizeof *more);
        if (!more)
            return NULL;
        self->objects = more;
        self->room_objects = room;
    }
    return &self->objects[self->n_objects];
}

//  Draws until the survey sees enough of the object. `number` goes on with
//  each try, so that no two objects share their random numbers.
static int
draw_object (sim_t *self, uint32_t *number, uint16_t *slots)
{
    sim_object_t *object = more_room (self);
    sim_class_t class = wanted_class (self);
    if (!object)
        return WEFT_ENOMEM;
    for (int i = 0; i < TRIES_MOST; i++) {
        int rc = sim_object_init (object, &self->sky, self->options.seed,
                                  (*number)++, class, self->options.nights);
        if (rc)
            return rc;
        uint16_t *slot = &slots[object->quadrant];
        if (object->n_detected >= least_detections (class) && *slot < 9999) {
            object->slot = (*slot)++;
            self->n_objects++;
            return 0;
        }
        sim_object_fini (object);
    }
    return WEFT_ERANGE;  //  a season without nights
}

static int
compare_alerts (const void *a, const void *b)
{
    const sim_alert_t *x = a, *y = b;
    if (x->jd != y->jd)
        return x->jd < y->jd ? -1 : 1;
    return x->object < y->object ? -1 : x->object > y->object;
}

//  Takes the object's detections as alerts, as many as are still wanted.
static void
take_alerts (sim_t *self, uint32_t number)
{
    const sim_object_t *object = &self->objects[number];
    const sim_visit_t *visits = self->sky.fields[object->field].visits;
    self->class_objects[object->source.class]++;
    for (uint32_t i = 0; i < object->n_obs; i++) {
        if (!object->obs[i].detected || self->n_alerts == self->options.alerts)
            continue;
        self->alerts[self->n_alerts++] = (sim_alert_t){
            .jd = visits[object->obs[i].visit].jd, .object = number, .at = i
        };
        self->class_alerts[object->source.class]++;
    }
}

int
sim_populate (sim_t *self)
{
    uint32_t fields = self->options.alerts / ALERTS_PER_FIELD + 4;
    fields = WEFT_MIN (fields, FIELDS_MOST);
    int rc = sim_sky_init (&self->sky, self->options.seed, fields,
                           self->options.nights);
    if (rc)
        return rc;
    //  Ids count within a quadrant, over all fields: two fields may share the
    //  second in which an exposure starts.
    uint16_t slots[SIM_QUADRANTS] = { 0 };
    self->alerts = calloc (self->options.alerts, sizeof *self->alerts);
    if (!self->alerts)
        rc = WEFT_ENOMEM;
    uint32_t number = 0;
    while (!rc && self->n_alerts < self->options.alerts) {
        rc = draw_object (self, &number, slots);
        if (!rc)
            take_alerts (self, self->n_objects - 1);
    }
    if (!rc)
        qsort (self->alerts, self->n_alerts, sizeof *self->alerts,
               compare_alerts);
    return rc;
}

//  A packet and the place in the stream after which it comes.
typedef struct {
    uint32_t after;
    uint32_t order;
    sim_issue_t issue;
} planned_t;

static int
compare_planned (const void *a, const void *b)
{
    const planned_t *x = a, *y = b;
    if (x->after != y->after)
        return x->after < y->after ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void
plan (planned_t *all, uint32_t *n, uint32_t after, uint32_t alert, int kind)
{
    all[*n] = (planned_t){ .after = after,
                           .order = *n,
                           .issue = { alert, (uint8_t)kind } };
    (*n)++;
}

//  Every alert once; some again a little later; damaged ones spread evenly.
static uint32_t
plan_packets (const sim_t *self, planned_t *all)
{
    uint32_t n = 0, last = self->n_alerts - 1;
    sim_rng_t rng = sim_rng (self->options.seed, STREAM_ISSUE, 0);
    for (uint32_t i = 0; i < self->n_alerts; i++) {
        plan (all, &n, i, i, SIM_PACKET_FRESH);
        uint32_t later = i + 1 + sim_below (&rng, AGAIN_WITHIN);
        later = WEFT_MIN (later, last);
        if (sim_chance (&rng, self->options.duplicates))
            plan (all, &n, later, i, SIM_PACKET_DUPLICATE);
        if (sim_chance (&rng, self->options.reissued))
            plan (all, &n, later, i, SIM_PACKET_REISSUED);
    }
    for (uint32_t i = 0; i < self->options.malformed; i++) {
        uint64_t at = (2 * (uint64_t)i + 1) * self->n_alerts;
        uint32_t after =
            (uint32_t)(at / (2 * (uint64_t)self->options.malformed));
        after = WEFT_MIN (after, last);
        plan (all, &n, after, after, SIM_PACKET_MALFORMED);
    }
    return n;
}

int
sim_arrange (sim_t *self)
{
    size_t most = 3 * (size_t)self->n_alerts + self->options.malformed;
    planned_t *all = malloc (most * sizeof *all);
    if (!all)
        return WEFT_ENOMEM;
    uint32_t n = plan_packets (self, all);
    qsort (all, n, sizeof *all, compare_planned);
    self->issues = malloc (n * sizeof *self->issues);
    if (self->issues) {
        for (uint32_t i = 0; i < n; i++)
            self->issues[i] = all[i].issue;
        self->n_issues = n;
    }
    free (all);
    return self->issues ? 0 : WEFT_ENOMEM;
}
