//  weft lightcurve - the merged light curve of each object in some packets.

#include <jansson.h>

#include "commands.h"
#include "weft_hash.h"
#include "weft_join.h"
#include "weft_packets.h"

static const char help[] =
    "usage: weft lightcurve [--schemas DIR] [--mappings DIR] PATH...\n\n"
    "Merges all packets under the paths and prints one JSON object per "
    "object,\n"
    "sorted by survey and name: `survey`, `object_id`, `alert_id` and `t_obs`\n"
    "of its newest alert, `alerts` (how many different ones), and `points` as\n"
    "that newest alert sees them: each measurement once, the best version of\n"
    "it, nothing after the alert. `kind` is D (detection), L (limit) or F\n"
    "(forced); `use` tells which curve a point belongs to: 1 detections and\n"
    "limits, 2 forced first, 4 total flux, 8 public. The order of the\n"
    "arguments and repeated packets make no difference. Refused packets are\n"
    "printed as {\"path\":..., \"refused\":\"why\"}, before the curves.\n\n"
    "  --schemas DIR   schemas of Confluent-framed packets (see weft peek)\n"
    "  --mappings DIR  mapping files (*.map) of surveys that are not built "
    "in\n\n"
    "Exit: 0 all decoded, 1 failed, 2 usage, 3 some were refused.\n";

//  One object: its curve, and its newest alert.
typedef struct {
    char survey[16];
    char object_id[WEFT_OBJECT_ID_MOST + 4];
    weft_curve_t curve;
    double t_obs;
    int64_t alert_id;
    uint32_t known_at;
    int64_t trigger;
    double obj_ra, obj_dec;
    int64_t *alerts;  //  ids, for counting different ones
    size_t n_alerts, room;
} object_t;

typedef struct {
    object_t **slots;  //  open addressing, a power of two
    size_t room;
    size_t n;
} objects_t;

static uint64_t
hash_name (const char *survey, const char *object_id)
{
    return weft_hash_u64 (weft_hash (object_id, strlen (object_id)) ^
                          weft_hash (survey, strlen (survey)));
}

static object_t **
find_slot (const objects_t *self, const char *survey, const char *object_id)
{
    size_t i = hash_name (survey, object_id) & (self->room - 1);
    while (self->slots[i] && (strcmp (self->slots[i]->survey, survey) ||
                              strcmp (self->slots[i]->object_id, object_id)))
        i = (i + 1) & (self->room - 1);
    return &self->slots[i];
}

static int
enlarge (objects_t *self)
{
    objects_t larger = { .room = self->room ? 2 * self->room : 1024,
                         .n = self->n };
    larger.slots = calloc (larger.room, sizeof (*larger.slots));
    if (!larger.slots)
        return WEFT_ENOMEM;
    for (size_t i = 0; i < self->room; i++)
        if (self->slots[i])
            *find_slot (&larger, self->slots[i]->survey,
                        self->slots[i]->object_id) = self->slots[i];
    free (self->slots);
    *self = larger;
    return 0;
}

static int
find_object (objects_t *self, const weft_normal_t *normal, object_t **out)
{
    char survey[16];
    int rc = self->n * 2 >= self->room ? enlarge (self) : 0;
    if (rc)
        return rc;
    weft_str_copy (normal->alert.survey, survey, sizeof (survey));
    object_t **slot = find_slot (self, survey, normal->object_id);
    if (!*slot) {
        *slot = calloc (1, sizeof (**slot));
        if (!*slot)
            return WEFT_ENOMEM;
        memcpy ((*slot)->survey, survey, sizeof (survey));
        memcpy ((*slot)->object_id, normal->object_id,
                sizeof ((*slot)->object_id));
        self->n++;
    }
    *out = *slot;
    return 0;
}

static int
count_alert (object_t *self, int64_t alert_id)
{
    for (size_t i = 0; i < self->n_alerts; i++)
        if (self->alerts[i] == alert_id)
            return 0;
    if (self->n_alerts == self->room) {
        size_t room = self->room ? 2 * self->room : 4;
        int64_t *moved = realloc (self->alerts, room * sizeof (*moved));
        if (!moved)
            return WEFT_ENOMEM;
        self->alerts = moved;
        self->room = room;
    }
    self->alerts[self->n_alerts++] = alert_id;
    return 0;
}

static void
note_newest (object_t *self, const weft_normal_t *normal)
{
    const weft_alert_v1_t *alert = &normal->alert;
    bool newer =
        !self->n_alerts || alert->t_obs > self->t_obs ||
        (alert->t_obs == self->t_obs && alert->alert_id > self->alert_id);
    if (!newer)
        return;
    self->t_obs = alert->t_obs;
    self->alert_id = alert->alert_id;
    self->known_at = normal->known_at;
    self->trigger = normal->trigger;
    self->obj_ra = normal->obj_ra;
    self->obj_dec = normal->obj_dec;
}

static int
gather (void *arg,
        const weft_message_t *message,
        const weft_decoded_t *item,
        const char *path)
{
    (void)message;
    objects_t *self = arg;
    object_t *object = NULL;
    if (item->rc) {
        weft_packets_refuse (path, item->why);
        return 0;
    }
    weft_normal_t *normal = item->normal;
    int rc = find_object (self, normal, &object);
    if (rc)
        return rc;
    note_newest (object, normal);
    rc = count_alert (object, normal->alert.alert_id);
    if (rc)
        return rc;
    return weft_curve_merge (&object->curve, normal->rows, normal->n_rows,
                             NULL);
}

static int
compare (const void *x, const void *y)
{
    const object_t *a = *(object_t *const *)x, *b = *(object_t *const *)y;
    int order = strcmp (a->survey, b->survey);
    return order ? order : strcmp (a->object_id, b->object_id);
}

//  The points as a JSON list: through the contract's own printer.
static json_t *
points_json (weft_view_t *view)
{
    weft_alert_v1_t alert;
    weft_contract_clear (&weft_alert_v1, &alert);
    if (weft_view_points (view, &alert.points))
        return NULL;
    WEFT_MARK (alert_v1, &alert, points);
    json_t *all = weft_contract_json (&weft_alert_v1, &alert);
    json_t *points = json_incref (json_object_get (all, "points"));
    json_decref (all);
    return points;
}

static int
print_object (const object_t *self, weft_view_t *view)
{
    const weft_view_rule_t rule = { .t_obs = self->t_obs,
                                    .known_at = self->known_at,
                                    .trigger = self->trigger,
                                    .obj_ra = self->obj_ra,
                                    .obj_dec = self->obj_dec };
    int rc = weft_view_make (view, &self->curve, &rule);
    if (rc)
        return rc;
    char id[24];
    snprintf (id, sizeof (id), "%lld", (long long)self->alert_id);
    json_t *line =
        json_pack ("{s:s, s:s, s:s, s:f, s:i, s:i, s:o}", "survey",
                   self->survey, "object_id", self->object_id, "alert_id", id,
                   "t_obs", self->t_obs, "alerts", (int)self->n_alerts, "trig",
                   (int)weft_view_trigger (view), "points", points_json (view));
    weft_packets_name_bands (line);
    return weft_packets_print (line);
}

static int
print_all (objects_t *self)
{
    weft_view_t *view = weft_view_new ();
    int rc = view ? 0 : WEFT_ENOMEM;
    size_t n = 0;
    for (size_t i = 0; i < self->room; i++)
        if (self->slots[i])
            self->slots[n++] = self->slots[i];
    if (n)
        qsort (self->slots, n, sizeof (*self->slots), compare);
    for (size_t i = 0; !rc && i < n; i++)
        rc = print_object (self->slots[i], view);
    for (size_t i = 0; i < n; i++) {
        weft_curve_fini (&self->slots[i]->curve);
        free (self->slots[i]->alerts);
        free (self->slots[i]);
    }
    free (self->slots);
    weft_view_destroy (&view);
    return rc;
}

int
weft_cmd_lightcurve (int argc, char *argv[])
{
    objects_t objects = { 0 };
    int code = weft_packets (argc, argv, help, gather, &objects);
    int rc = print_all (&objects);
    if (rc) {
        fprintf (stderr, "weft lightcurve: %s\n", weft_error_text (rc));
        return 1;
    }
    return code;
}
