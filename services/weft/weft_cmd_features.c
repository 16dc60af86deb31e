//  weft features - what the feature stage would say about alert packets.

#include <jansson.h>
#include <math.h>

#include "commands.h"
#include "weft_cli.h"
#include "weft_features.h"
#include "weft_join.h"
#include "weft_packets.h"

static const char help[] =
    "usage: weft features [--schemas DIR] [--mappings DIR] PATH...\n"
    "       weft features --list [SET]\n\n"
    "Prints one JSON object per alert, in input order: `path`, `object_id`,\n"
    "`alert_id`, `set`, `set_id`, and `features` by name. A value that is not\n"
    "defined is null. The light curve is that of the packet alone, cut as\n"
    "ingest cuts it. Where features make no sense `note` says why. A packet\n"
    "that cannot be read is {\"path\":..., \"refused\":\"why\"}.\n\n"
    "  --schemas DIR   schemas of Confluent-framed packets, as of weft peek\n"
    "  --mappings DIR  mapping files (*.map) of surveys that are not built "
    "in\n"
    "  --list          print the features of a set (or of all): name, unit,\n"
    "                  what it is of, fewest points, meaning\n\n"
    "Exit: 0 all decoded, 1 failed, 2 usage, 3 some were refused.\n";

typedef struct {
    weft_curve_t curve;
    weft_view_t *view;
    weft_feature_work_t *work;
    float values[WEFT_FEATURES_MOST];
} features_t;

static json_t *
values_json (const weft_feature_set_t *set, const float *values)
{
    json_t *out = json_object ();
    for (uint32_t i = 0; i < weft_feature_set_count (set); i++) {
        double value = (double)values[i];
        json_object_set_new (out, weft_feature_set_feature (set, i)->name,
                             isfinite (value) ? json_real (value)
                                              : json_null ());
    }
    return out;
}

static int
print_features (features_t *self,
                const weft_alert_v1_t *alert,
                const char *path)
{
    char id[24];
    json_t *line = json_object ();
    const char *why = weft_features_applicable (alert);
    snprintf (id, sizeof id, "%lld", (long long)alert->alert_id);
    json_object_set_new (line, "path", weft_cli_text (path, strlen (path)));
    json_object_set_new (line, "object_id",
                         json_stringn (alert->object_id.p, alert->object_id.n));
    json_object_set_new (line, "alert_id", json_string (id));
    if (why) {
        json_object_set_new (line, "note", json_string (why));
        return weft_packets_print (line);
    }
    const weft_feature_set_t *set = weft_feature_set_for (alert->survey);
    int rc = weft_features_compute (set, alert, self->work, self->values);
    if (rc) {
        json_decref (line);
        return rc;
    }
    json_object_set_new (line, "set",
                         json_string (weft_feature_set_name (set)));
    json_object_set_new (line, "set_id",
                         json_integer (weft_feature_set_id (set)));
    json_object_set_new (line, "features", values_json (set, self->values));
    return weft_packets_print (line);
}

static int
describe (void *arg,
          const weft_message_t *message,
          const weft_decoded_t *item,
          const char *path)
{
    features_t *self = arg;
    (void)message;
    if (item->rc) {
        weft_packets_refuse (path, item->why);
        return 0;
    }
    weft_normal_t *normal = item->normal;
    const weft_view_rule_t limits = { .forced_days = WEFT_VIEW_FORCED_DAYS,
                                      .limit_days = WEFT_VIEW_LIMIT_DAYS,
                                      .rows_most = WEFT_VIEW_ROWS_MOST };
    weft_curve_clear (&self->curve);
    int rc =
        weft_curve_merge (&self->curve, normal->rows, normal->n_rows, NULL);
    if (!rc)
        rc = weft_join (normal, &self->curve, &limits, self->view);
    return rc ? rc : print_features (self, &normal->alert, path);
}

static void
list_set (const weft_feature_set_t *set)
{
    printf ("%s: id 0x%08x, %u features\n\n", weft_feature_set_name (set),
            weft_feature_set_id (set), weft_feature_set_count (set));
    printf ("| place | name | unit | of | fewest points | meaning |\n"
            "| --- | --- | --- | --- | --- | --- |\n");
    for (uint32_t i = 0; i < weft_feature_set_count (set); i++) {
        const weft_feature_t *f = weft_feature_set_feature (set, i);
        printf ("| %u | %s | %s | %s | %u | %s |\n", i, f->name, f->unit, f->of,
                f->min_n, f->meaning);
    }
    printf ("\n");
}

static int
list_sets (const char *name)
{
    const weft_feature_set_t *set;
    if (name) {
        set = weft_feature_set_named (name);
        if (set == NULL) {
            fprintf (stderr, "weft features: there is no set '%s'\n", name);
            return 2;
        }
        list_set (set);
        return 0;
    }
    for (size_t i = 0; (set = weft_feature_set_at (i)); i++)
        list_set (set);
    return 0;
}

int
weft_cmd_features (int argc, char *argv[])
{
    if (argc > 1 && strcmp (argv[1], "--list") == 0)
        return list_sets (argc > 2 ? argv[2] : NULL);
    features_t *self = calloc (1, sizeof *self);
    if (self == NULL)
        return 1;
    self->view = weft_view_new ();
    self->work = weft_feature_work_new ();
    int code = 1;
    if (self->view && self->work)
        code = weft_packets (argc, argv, help, describe, self);
    weft_view_destroy (&self->view);
    weft_curve_fini (&self->curve);
    weft_feature_work_destroy (&self->work);
    free (self);
    return code;
}
