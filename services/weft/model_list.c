//  model_list.c - weft model ls and show: what each version says of itself.

#include <jansson.h>

#include "model.h"
#include "weft_cli.h"
#include "weft_contracts.h"
#include "weft_features.h"
#include "weft_time.h"

static json_t *
text_json (weft_str_t text)
{
    json_t *json = text.p ? json_stringn (text.p, text.n) : NULL;
    return json ? json : json_string ("");
}

static json_t *
time_json (double mjd_tai)
{
    char when[40];
    if (mjd_tai <= 0)
        return json_null ();
    double utc = weft_time_utc_of_tai (mjd_tai);
    weft_time_iso ((utc - WEFT_MJD_UNIX) * 86400, when, sizeof (when));
    return json_string (when);
}

static json_t *
classes_json (weft_str_t classes)
{
    json_t *list = json_array ();
    for (uint32_t from = 0, i = 0; classes.p && i <= classes.n; i++)
        if (i == classes.n || classes.p[i] == ',') {
            json_array_append_new (list,
                                   json_stringn (classes.p + from, i - from));
            from = i + 1;
        }
    return list;
}

//  The numbers that a card gives, of its own object "metrics" if it has one.
static json_t *
metrics_json (const json_t *card)
{
    static const char *const keys[] = { "accuracy", "macro_f1", "log_loss",
                                        "brier", "ece" };
    json_t *metrics = json_object_get (card, "metrics");
    if (json_is_object (metrics))
        return json_incref (metrics);
    metrics = json_object ();
    for (size_t i = 0; i < WEFT_COUNT (keys); i++) {
        json_t *value = json_object_get (card, keys[i]);
        if (json_is_number (value))
            json_object_set (metrics, keys[i], value);
    }
    return metrics;
}

static json_t *
card_json (const weft_model_v1_t *model)
{
    size_t size = WEFT_HAS (model_v1, model, card) ? model->card.n : 0;
    while (size > 0 && !model->card.p[size - 1])
        size--;  //  it may end with a NUL
    json_t *card = size ? json_loadb (model->card.p, size, 0, NULL) : NULL;
    return card ? card : json_object ();
}

static void
add_model (json_t *json, const weft_model_v1_t *model, bool whole)
{
    char id[16];
    const weft_feature_set_t *set = weft_feature_set_find (model->set);
    json_t *card = card_json (model);
    json_t *labels = json_object_get (card, "labels");
    snprintf (id, sizeof (id), "%08x", model->set);
    json_object_set_new (json, "set", json_string (id));
    json_object_set_new (json, "feature_set",
                         set ? json_string (weft_feature_set_name (set))
                             : json_null ());
    json_object_set_new (json, "classes", classes_json (model->classes));
    json_object_set_new (json, "calibration", text_json (model->calibration));
    json_object_set_new (json, "created", time_json (model->created_at));
    json_object_set_new (json, "created_mjd_tai",
                         json_real (model->created_at));
    json_object_set (json, "labels",
                     json_is_integer (labels) ? labels : json_null ());
    json_object_set_new (json, "metrics", metrics_json (card));
    if (whole)
        json_object_set (json, "card", card);
    json_decref (card);
}

//  What the section says, null where it does not decode.
static void
add_section (model_t *self,
             const char *name,
             const char *version,
             json_t *json,
             bool whole)
{
    static const char *const keys[] = { "set",     "feature_set",
                                        "classes", "calibration",
                                        "created", "created_mjd_tai",
                                        "labels",  "metrics" };
    weft_model_v1_t model;
    int rc = weft_model_get (self->redis, name, version, &self->section);
    if (!rc)
        rc = weft_contract_decode (&weft_model_v1, &model, self->section.data,
                                   self->section.size);
    if (!rc)
        add_model (json, &model, whole);
    for (size_t i = 0; rc && i < WEFT_COUNT (keys); i++)
        json_object_set_new (json, keys[i], json_null ());
    json_object_set_new (json, "bytes",
                         json_integer ((json_int_t)self->section.size));
}

typedef struct {
    model_t *model;
    const char *name;
    json_t *list;
} listing_t;

static const char *
state_of (const weft_model_row_t *row)
{
    return row->refused     ? "refused"
           : row->live      ? "live"
           : row->candidate ? "candidate"
                            : "retired";
}

static void
add_row (void *arg, const weft_model_row_t *row)
{
    listing_t *self = arg;
    const char *pointer = row->live        ? "live"
                          : row->candidate ? "candidate"
                                           : NULL;
    json_array_append_new (
        self->list, json_pack ("{s:s, s:s, s:I, s:s, s:s?, s:s?}", "name",
                               self->name, "version", row->version, "number",
                               (json_int_t)row->number, "state", state_of (row),
                               "pointer", pointer, "reason", row->refused));
}

static int
add_name (model_t *self, const char *name, json_t *out)
{
    listing_t listing = { self, name, json_array () };
    int rc = weft_model_list (self->redis, name, add_row, &listing);
    size_t i;
    json_t *row;
    json_array_foreach (listing.list, i, row) add_section (
        self, name, json_string_value (json_object_get (row, "version")), row,
        false);
    json_array_extend (out, listing.list);
    json_decref (listing.list);
    return rc;
}

static void
gather_name (void *arg, const char *name)
{
    json_t *names = arg;
    if (json_array_size (names) < MODEL_NAMES_MOST)
        json_array_append_new (names, json_string (name));
}

int
model_rows (model_t *self, const char *name, json_t **out)
{
    json_t *names = json_array (), *one;
    size_t i;
    int rc = 0;
    if (name)
        json_array_append_new (names, json_string (name));
    else
        rc = weft_model_names (self->redis, gather_name, names);
    *out = json_array ();
    json_array_foreach (names, i, one) if (!rc) rc =
        add_name (self, json_string_value (one), *out);
    json_decref (names);
    if (rc) {
        json_decref (*out);
        *out = NULL;
    }
    return rc;
}

//  What may be said for a version.
typedef struct {
    const char *text;
    char version[WEFT_MODEL_VERSION_MOST];
    size_t found;
} finding_t;

static void
look_at (void *arg, const weft_model_row_t *row)
{
    finding_t *self = arg;
    size_t size = strlen (self->text);
    bool meant = !strcmp (self->text, "live")        ? row->live
                 : !strcmp (self->text, "candidate") ? row->candidate
                 : size >= MODEL_PREFIX_LEAST
                     ? !strncmp (row->version, self->text, size)
                     : !strcmp (row->version, self->text);
    if (!meant)
        return;
    //  The whole version is not ambiguous.
    self->found = strcmp (row->version, self->text) ? self->found + 1 : 1;
    snprintf (self->version, sizeof (self->version), "%s", row->version);
}

int
model_find (model_t *self,
            const char *name,
            const char *text,
            char version[WEFT_MODEL_VERSION_MOST])
{
    finding_t finding = { .text = text };
    int rc = weft_model_list (self->redis, name, look_at, &finding);
    if (rc) {
        (void)weft_cli_lost ("model", "cannot read the models", self->redis,
                             rc);
        return rc;
    }
    if (finding.found == 1) {
        snprintf (version, WEFT_MODEL_VERSION_MOST, "%s", finding.version);
        return 0;
    }
    if (!strcmp (text, "live") || !strcmp (text, "candidate"))
        fprintf (stderr, "weft model: no version of %s is %s; weft model ls\n",
                 name, strcmp (text, "live") ? "a candidate" : "live");
    else
        fprintf (stderr,
                 "weft model: %s has %s version '%s'; see weft model ls\n",
                 name, finding.found ? "more than one" : "no", text);
    return WEFT_ENOENT;
}

static const char *
text_of (const json_t *row, const char *key)
{
    const char *text = json_string_value (json_object_get (row, key));
    return text ? text : "";
}

static void
print_row (const json_t *row)
{
    const json_t *metrics = json_object_get (row, "metrics");
    const json_t *labels = json_object_get (row, "labels");
    const json_t *accuracy = json_object_get (metrics, "accuracy");
    char count[24] = "-", right[16] = "-";
    if (json_is_integer (labels))
        snprintf (count, sizeof (count), "%lld",
                  (long long)json_integer_value (labels));
    if (json_is_number (accuracy))
        snprintf (right, sizeof (right), "%.3f", json_number_value (accuracy));
    printf ("%-16s %4lld %-16.16s %-9s %-8s %-19.19s %7s %8s  %s\n",
            text_of (row, "name"),
            (long long)json_integer_value (json_object_get (row, "number")),
            text_of (row, "version"), text_of (row, "state"),
            text_of (row, "feature_set"), text_of (row, "created"), count,
            right, text_of (row, "reason"));
}

int
model_ls (model_t *self, int argc, char *argv[])
{
    json_t *rows, *row;
    size_t i;
    int rc = model_rows (self, argc ? argv[0] : NULL, &rows);
    if (rc)
        return weft_cli_lost ("model", "cannot read the models", self->redis,
                              rc);
    if (self->json)
        return weft_cli_print (rows,
                               JSON_INDENT (2) | JSON_REAL_PRECISION (12));
    printf ("%-16s %4s %-16s %-9s %-8s %-19s %7s %8s  %s\n", "name", "no.",
            "version", "state", "features", "created", "labels", "accuracy",
            "reason");
    json_array_foreach (rows, i, row) print_row (row);
    json_decref (rows);
    return 0;
}

static void
add_move (
    void *arg, int64_t count, const char *version, double at, const char *who)
{
    json_array_append_new (
        arg, json_pack ("{s:I, s:s, s:o, s:s}", "count", (json_int_t)count,
                        "version", version, "at", time_json (at), "who", who));
}

int
model_show (model_t *self, int argc, char *argv[])
{
    char version[WEFT_MODEL_VERSION_MOST];
    listing_t listing = { self, argv[0], json_array () };
    json_t *row, *found = NULL, *moves = json_array ();
    size_t i;
    int rc = model_find (self, argv[0], argc > 1 ? argv[1] : "live", version);
    if (!rc)
        rc = weft_model_list (self->redis, argv[0], add_row, &listing);
    json_array_foreach (listing.list, i,
                        row) if (!strcmp (text_of (row, "version"), version))
        found = row;
    if (!rc && found) {
        add_section (self, argv[0], version, found, true);
        rc = weft_model_promotions (self->redis, argv[0], add_move, moves);
        json_object_set (found, "moves", moves);
    }
    int code = rc == WEFT_ENOENT ? 3 : rc || !found ? 1 : 0;
    if (!code)
        code = weft_cli_print (json_incref (found),
                               JSON_INDENT (2) | JSON_REAL_PRECISION (12));
    json_decref (moves);
    json_decref (listing.list);
    return code;
}
