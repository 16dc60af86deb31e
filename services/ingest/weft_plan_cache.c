//  weft_plan_cache.c - compiles schemas for their surveys, and walks with them.

#include "weft_plan_cache.h"
#include "weft_avro_shape.h"

struct weft_plan_cache {
    weft_planned_t entries[WEFT_PLANS_MOST];
    size_t n;
    uint64_t clock;
    const weft_mappings_t *mappings;
};

weft_plan_cache_t *
weft_plan_cache_new (void)
{
    return calloc (1, sizeof (weft_plan_cache_t));
}

static void
free_entry (weft_planned_t *entry)
{
    weft_avro_shapes_destroy (&entry->shapes);
    weft_avro_plan_destroy (&entry->plan);
    weft_avro_schema_destroy (&entry->schema);
    free (entry->values);
    free (entry->text);
    memset (entry, 0, sizeof (*entry));
}

void
weft_plan_cache_destroy (weft_plan_cache_t **self_p)
{
    weft_plan_cache_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->n; i++)
        free_entry (&self->entries[i]);
    free (self);
    *self_p = NULL;
}

//  Does the schema have something for each role of the core?
static int
check_core (weft_planned_t *entry)
{
    const weft_survey_t *survey = entry->survey;
    for (size_t role = 1; role <= survey->n_roles; role++) {
        bool found = false;
        for (size_t g = 0; g < survey->n_groups; g++)
            for (size_t w = 0; w < survey->groups[g].n_wants; w++)
                found |= survey->groups[g].wants[w].role == role &&
                         weft_avro_plan_has (entry->plan, g, w);
        if (found)
            continue;
        weft_plan_say_core (entry, role);
        return WEFT_ESCHEMA;
    }
    return 0;
}

void
weft_plan_cache_map (weft_plan_cache_t *self, const weft_mappings_t *mappings)
{
    for (size_t i = 0; i < self->n; i++)
        free_entry (&self->entries[i]);
    self->n = 0;
    self->mappings = mappings;
}

//  Compiles for one survey; its core has to be there.
static int
plan (weft_planned_t *entry, const weft_survey_t *survey)
{
    entry->survey = survey;
    entry->plan = weft_avro_plan_new (entry->schema, survey->groups,
                                      survey->n_groups, entry->why);
    if (!entry->plan)
        return WEFT_ESCHEMA;
    entry->values =
        calloc (weft_avro_plan_values (entry->plan), sizeof (*entry->values));
    //  Units have to be converted before a row is filled.
    entry->shapes = weft_avro_shapes_new (!survey->n_units);
    if (!entry->values || !entry->shapes)
        return WEFT_ENOMEM;
    for (size_t g = 0; g < survey->n_groups; g++)
        entry->groups[g] = entry->values + weft_avro_plan_base (entry->plan, g);
    return check_core (entry);
}

static void
drop_plan (weft_planned_t *entry)
{
    weft_avro_shapes_destroy (&entry->shapes);
    weft_avro_plan_destroy (&entry->plan);
    free (entry->values);
    entry->values = NULL;
}

//  A mapping's survey, then one that is built in: all of a survey's schemas may
//  have one name, and a mapping be for the newest only.
static int
plan_one (weft_planned_t *entry,
          const weft_survey_t *mapped,
          const weft_survey_t *built_in)
{
    char why[WEFT_AVRO_WHY];
    int rc = mapped ? plan (entry, mapped) : 0;
    if (mapped && !rc)
        weft_plan_say_rows (entry);
    if (mapped && (!rc || !built_in))
        return rc;
    memcpy (why, entry->why, sizeof (why));
    drop_plan (entry);
    rc = plan (entry, built_in);
    if (rc && mapped)
        snprintf (entry->why, sizeof (entry->why), "%.400s (mapping of %s)",
                  why, mapped->name);
    return rc;
}

static int
compile (weft_planned_t *entry, const weft_mappings_t *mappings)
{
    static const weft_avro_node_t nothing = { .type = WEFT_AVRO_NULL };
    weft_avro_schema_peek_name (entry->text, entry->size, entry->name,
                                sizeof (entry->name));
    entry->schema = weft_avro_schema_new (entry->text, entry->size, entry->why);
    const weft_avro_node_t *root =
        entry->schema ? weft_avro_schema_root (entry->schema) : NULL;
    const weft_survey_t *mapped = weft_mappings_find (mappings, entry->name);
    const weft_survey_t *built_in =
        weft_survey_find (entry->name, root ? root : &nothing);
    if (!mapped && !built_in) {
        snprintf (entry->why, sizeof (entry->why),
                  "schema %s is of no survey that Weft knows, and no mapping "
                  "file says whose fields it has",
                  *entry->name ? entry->name : "without a name");
        return WEFT_ESCHEMA;
    }
    if (!entry->schema) {
        char why[WEFT_AVRO_WHY];
        memcpy (why, entry->why, sizeof (why));
        snprintf (entry->why, sizeof (entry->why), "%.100s: %.380s",
                  entry->name, why);
        return WEFT_ESCHEMA;
    }
    entry->fingerprint = weft_avro_schema_fingerprint (entry->schema);
    return plan_one (entry, mapped, built_in);
}

//  A free place for one more schema: the least recently used makes way.
static weft_planned_t *
take_place (weft_plan_cache_t *self)
{
    if (self->n < WEFT_PLANS_MOST)
        return &self->entries[self->n++];
    weft_planned_t *oldest = &self->entries[0];
    for (size_t i = 1; i < self->n; i++)
        if (self->entries[i].used < oldest->used)
            oldest = &self->entries[i];
    free_entry (oldest);
    return oldest;
}

weft_planned_t *
weft_plan_cache_find (weft_plan_cache_t *self, const char *text, size_t size)
{
    for (size_t i = 0; i < self->n; i++) {
        weft_planned_t *entry = &self->entries[i];
        if (entry->size == size && !memcmp (entry->text, text, size)) {
            entry->used = ++self->clock;
            return entry;
        }
    }
    char *copy = malloc (size + 1);
    if (!copy)
        return NULL;
    memcpy (copy, text, size);
    copy[size] = 0;
    weft_planned_t *entry = take_place (self);
    entry->text = copy;
    entry->size = size;
    entry->used = ++self->clock;
    entry->rc = compile (entry, self->mappings);
    return entry;
}

typedef struct {
    weft_planned_t *planned;
    weft_normal_t *normal;
} row_arg_t;

//  Units of a mapping: numbers become the survey's.
static void
convert (weft_planned_t *self, size_t group)
{
    const weft_survey_t *survey = self->survey;
    weft_avro_value_t *values =
        self->values + weft_avro_plan_base (self->plan, group);
    for (size_t i = 0; i < survey->n_units; i++) {
        const weft_unit_t *unit = &survey->units[i];
        //  A want is an index within its own group only.
        if (unit->group != group)
            continue;
        weft_avro_value_t *value = &values[unit->want];
        double number = weft_value_real (value);
        if (number != number)
            continue;
        value->f = number * unit->times + unit->plus;
        value->type = WEFT_AVRO_DOUBLE;
    }
}

static int
place_rows (void *arg, size_t group, size_t *n, void **rows)
{
    const row_arg_t *to = arg;
    weft_point_t *next;
    (void)group;
    int rc = weft_normal_room (to->normal, n, &next);
    *rows = rc ? NULL : next;
    return rc;
}

static int
rows_filled (void *arg, size_t group, size_t n)
{
    const row_arg_t *to = arg;
    (void)group;
    to->planned->survey->rows (to->normal, n);
    return 0;
}

static int
tell_row (void *arg, size_t group, const weft_avro_value_t *values)
{
    const row_arg_t *to = arg;
    if (to->planned->survey->n_units)
        convert (to->planned, group);
    return to->planned->survey->row (to->normal, group, values);
}

static bool
is_rows (const weft_avro_group_t *group)
{
    return strchr (group->path, '[') != NULL;
}

static int
finish (weft_planned_t *self, weft_normal_t *normal, uint32_t present)
{
    const weft_survey_t *survey = self->survey;
    for (size_t g = 0; survey->n_units && g < survey->n_groups; g++)
        if (!is_rows (&survey->groups[g]))
            convert (self, g);
    int rc = survey->finish (normal, self->groups, present, self->name);
    WEFT_SET (alert_v1, &normal->alert, survey, weft_str (survey->name));
    WEFT_SET (alert_v1, &normal->alert, schema_fp, self->fingerprint);
    return rc;
}

int
weft_planned_decode (weft_planned_t *self,
                     weft_normal_t *normal,
                     const uint8_t *data,
                     size_t size,
                     bool whole,
                     size_t *used)
{
    row_arg_t arg = { self, normal };
    weft_avro_walk_t walk = { .data = data,
                              .size = size,
                              .values = self->values,
                              .shapes = self->shapes,
                              .row = tell_row,
                              .place = place_rows,
                              .filled = rows_filled,
                              .arg = &arg };
    weft_normal_clear (normal);
    int rc = weft_avro_plan_walk (self->plan, &walk);
    *used = walk.used;
    if (rc && !*normal->why)
        snprintf (normal->why, sizeof (normal->why),
                  "%s in field '%s' at byte %zu of %zu (schema %s)",
                  weft_error_text (rc), walk.field ? walk.field : "", walk.used,
                  size, self->name);
    if (rc)
        return rc;
    if (whole && walk.used != size) {
        snprintf (normal->why, sizeof (normal->why),
                  "%zu bytes are left after the record (schema %s)",
                  size - walk.used, self->name);
        return WEFT_EMALFORMED;
    }
    return finish (self, normal, walk.present);
}
