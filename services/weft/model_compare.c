//  model_compare.c - weft model compare: two versions on the same alerts.
//
//  The rows are what the classifier has recorded of a candidate beside the
//  version that was live (weft_shadows.h): a sample, one row an alert. Where
//  the object has a label, both are held against it.

#include <jansson.h>

#include "model.h"
#include "weft_cli.h"
#include "weft_contracts.h"
#include "weft_rows.h"
#include "weft_shadows.h"

#include <math.h>

#define LABELS_PAGE 1000
#define P_LEAST 1e-12  //  of a logarithm

enum { LIVE, CANDIDATE, SIDES };

typedef struct {
    json_t *labels;  //  "survey/object" -> class
    json_t *rows;    //  live version -> what was counted against it
    uint64_t broken;
} comparison_t;

//  Later rows stand behind earlier ones: the last word on an object counts.
static void
note_label (void *arg, uint64_t number, weft_str_t id, weft_bin_t row)
{
    comparison_t *self = arg;
    weft_label_v1_t label;
    char key[WEFT_SHADOW_KEY_MOST];
    (void)number;
    (void)id;
    if (weft_contract_decode (&weft_label_v1, &label, row.p, row.n))
        return;
    snprintf (key, sizeof (key), "%.*s/%.*s", (int)label.survey.n,
              label.survey.p, (int)label.object_id.n, label.object_id.p);
    if (WEFT_HAS (label_v1, &label, retracted) && label.retracted)
        json_object_del (self->labels, key);
    else
        json_object_set_new (self->labels, key,
                             json_stringn (label.class.p, label.class.n));
}

static int
read_labels (model_t *model, comparison_t *self)
{
    uint64_t after = 0, last = 0;
    int rc;
    do {
        after = last;
        rc = weft_rows_since (model->redis, "label", after, LABELS_PAGE,
                              note_label, self, &last);
    } while (!rc && last > after);
    return rc;
}

//  The next name of "a,b,c".
static bool
next_name (weft_str_t *list, weft_str_t *name)
{
    if (!list->n)
        return false;
    const char *comma = memchr (list->p, ',', list->n);
    name->p = list->p;
    name->n = comma ? (uint32_t)(comma - list->p) : list->n;
    uint32_t step = WEFT_MIN (name->n + 1, list->n);
    list->p += step;
    list->n -= step;
    return true;
}

//  The likeliest class, and the probability of `truth` (NULL: none).
static weft_str_t
read_score (const weft_score_v1_t *score, const char *truth, double *p_true)
{
    weft_str_t list = score->classes, name, top = weft_str ("");
    float best = -1;
    *p_true = 0;
    for (uint32_t k = 0; k < score->p.n && next_name (&list, &name); k++) {
        float p = weft_col_f32 (score->p, k);
        if (p > best) {
            best = p;
            top = name;
        }
        if (truth && weft_str_is (name, truth))
            *p_true = p;
    }
    return top;
}

static void
add_to (json_t *json, const char *key, double n)
{
    double now = json_number_value (json_object_get (json, key));
    json_object_set_new (json, key, json_real (now + n));
}

//  The counts of rows beside one live version, made if need be.
static json_t *
counts_of (comparison_t *self, weft_str_t version)
{
    char key[WEFT_MODEL_VERSION_MOST];
    weft_str_copy (version, key, sizeof (key));
    json_t *counts = json_object_get (self->rows, key);
    if (!counts) {
        counts = json_pack ("{s:{}, s:{}}", "flips", "objects");
        json_object_set_new (self->rows, key, counts);
    }
    return counts;
}

static void
count_truth (json_t *counts, const char *truth, weft_str_t *top, double *p)
{
    static const char *const right[] = { "live right", "candidate right" };
    static const char *const loss[] = { "live loss", "candidate loss" };
    add_to (counts, "labelled", 1);
    for (int i = 0; i < SIDES; i++) {
        add_to (counts, right[i], weft_str_is (top[i], truth));
        add_to (counts, loss[i], -log (fmax (p[i], P_LEAST)));
    }
}

static void
count_row (void *arg, weft_str_t key, weft_bin_t section)
{
    comparison_t *self = arg;
    weft_scores_v1_t scores;
    weft_str_t top[SIDES];
    double p[SIDES];
    char object[WEFT_SHADOW_KEY_MOST], flip[256];
    if (weft_contract_decode (&weft_scores_v1, &scores, section.p, section.n) ||
        scores.n_models != SIDES) {
        self->broken++;
        return;
    }
    weft_str_copy (key, object, sizeof (object));
    char *slash = strrchr (object, '/');
    if (slash)
        *slash = 0;
    const char *truth =
        json_string_value (json_object_get (self->labels, object));
    json_t *counts = counts_of (self, scores.models[LIVE].version);
    for (int i = 0; i < SIDES; i++)
        top[i] = read_score (&scores.models[i], truth, &p[i]);
    snprintf (flip, sizeof (flip), "%.*s,%.*s", (int)top[LIVE].n, top[LIVE].p,
              (int)top[CANDIDATE].n, top[CANDIDATE].p);
    bool same = top[LIVE].n == top[CANDIDATE].n &&
                !memcmp (top[LIVE].p, top[CANDIDATE].p, top[LIVE].n);
    add_to (counts, "alerts", 1);
    if (same)
        add_to (counts, "agree", 1);
    else
        add_to (json_object_get (counts, "flips"), flip, 1);
    if (!truth)
        return;
    json_object_set_new (json_object_get (counts, "objects"), object,
                         json_true ());
    count_truth (counts, truth, top, p);
}

static double
value_of (const json_t *counts, const char *key)
{
    return json_number_value (json_object_get (counts, key));
}

static json_t *
side_json (const json_t *counts, const char *right, const char *loss)
{
    double n = value_of (counts, "labelled");
    return json_pack ("{s:f, s:f}", "accuracy", value_of (counts, right) / n,
                      "log_loss", value_of (counts, loss) / n);
}

static json_t *
flips_json (json_t *flips)
{
    json_t *list = json_array (), *n;
    const char *key;
    json_object_foreach (flips, key, n)
    {
        const char *comma = strchr (key, ',');
        json_array_append_new (
            list,
            json_pack ("{s:o, s:s, s:I}", "from",
                       json_stringn (key, (size_t)(comma - key)), "to",
                       comma + 1, "alerts", (json_int_t)json_number_value (n)));
    }
    return list;
}

//  One live version against the candidate.
static json_t *
result_json (const char *name,
             const char *version,
             const char *live,
             const json_t *counts)
{
    double alerts = value_of (counts, "alerts");
    json_t *labelled = json_null ();
    if (value_of (counts, "labelled") > 0)
        labelled = json_pack (
            "{s:I, s:I, s:o, s:o}", "alerts",
            (json_int_t)value_of (counts, "labelled"), "objects",
            (json_int_t)json_object_size (json_object_get (counts, "objects")),
            "live", side_json (counts, "live right", "live loss"), "candidate",
            side_json (counts, "candidate right", "candidate loss"));
    return json_pack (
        "{s:s, s:s, s:s, s:I, s:f, s:o, s:o}", "name", name, "live", live,
        "candidate", version, "alerts", (json_int_t)alerts, "agreement",
        value_of (counts, "agree") / alerts, "flips",
        flips_json (json_object_get (counts, "flips")), "labelled", labelled);
}

static void
print_result (const json_t *result)
{
    const json_t *labelled = json_object_get (result, "labelled");
    json_t *flip, *flips = json_object_get (result, "flips");
    const char *live = NULL, *candidate = NULL;
    json_int_t alerts = 0, n = 0, objects = 0;
    double agreement = 0, right[SIDES], loss[SIDES];
    size_t i;
    (void)json_unpack ((json_t *)result, "{s:s, s:s, s:I, s:f}", "live", &live,
                       "candidate", &candidate, "alerts", &alerts, "agreement",
                       &agreement);
    printf ("live %.16s, candidate %.16s: %lld alerts, the same class in "
            "%.1f %%\n",
            live, candidate, (long long)alerts, 100 * agreement);
    json_array_foreach (flips, i, flip)
    {
        const char *from = NULL, *to = NULL;
        (void)json_unpack (flip, "{s:s, s:s, s:I}", "from", &from, "to", &to,
                           "alerts", &n);
        printf ("  %-16s -> %-16s %8lld\n", from, to, (long long)n);
    }
    if (json_unpack ((json_t *)labelled,
                     "{s:I, s:I, s:{s:f, s:f}, s:{s:f, s:f}}", "alerts", &n,
                     "objects", &objects, "live", "accuracy", &right[LIVE],
                     "log_loss", &loss[LIVE], "candidate", "accuracy",
                     &right[CANDIDATE], "log_loss", &loss[CANDIDATE]))
        printf ("  none of them has a label\n");
    else
        printf ("  %lld alerts of %lld labelled objects: accuracy %.3f live, "
                "%.3f candidate; log-loss %.3f, %.3f\n",
                (long long)n, (long long)objects, right[LIVE], right[CANDIDATE],
                loss[LIVE], loss[CANDIDATE]);
}

static int
print_all (model_t *model,
           comparison_t *self,
           const char *name,
           const char *version)
{
    json_t *list = json_array (), *counts, *result;
    const char *live;
    size_t i;
    json_object_foreach (self->rows, live, counts)
        json_array_append_new (list, result_json (name, version, live, counts));
    if (self->broken)
        fprintf (stderr, "weft model: %llu rows cannot be read\n",
                 (unsigned long long)self->broken);
    if (model->json)
        return weft_cli_print (list,
                               JSON_INDENT (2) | JSON_REAL_PRECISION (12));
    if (!json_array_size (list))
        printf ("%s %.16s has scored no alert as a shadow\n", name, version);
    json_array_foreach (list, i, result) print_result (result);
    json_decref (list);
    return 0;
}

//  The candidate, or, once it is live, that version: its rows are still there.
static const char *
default_version (model_t *model, const char *name)
{
    weft_model_pointers_t at;
    return weft_model_pointers (model->redis, name, &at) || at.candidate[0]
               ? "candidate"
               : "live";
}

int
model_compare (model_t *model, int argc, char *argv[])
{
    char version[WEFT_MODEL_VERSION_MOST];
    const char *name = argv[0];
    int rc = model_find (model, name,
                         argc > 1 ? argv[1] : default_version (model, name),
                         version);
    if (rc)
        return rc == WEFT_ENOENT ? 3 : 1;
    comparison_t self = { json_object (), json_object (), 0 };
    rc = read_labels (model, &self);
    rc = rc ? rc
            : weft_shadows_each (model->redis, name, version, count_row, &self);
    int code =
        rc ? weft_cli_lost ("model", "cannot read the rows", model->redis, rc)
           : print_all (model, &self, name, version);
    json_decref (self.labels);
    json_decref (self.rows);
    return code;
}
