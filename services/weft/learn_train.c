//  learn_train.c - from rows to a model, and how good that is.

#include <jansson.h>

#include "learn.h"

#include "weft_forest.h"
#include "weft_model_pack.h"
#include "weft_time.h"

#include <math.h>

#define CHECK_ROWS 2000  //  rows that XGBoost and our trees must agree on
#define WORST_DIFFERENCE 1e-6

static int
compare_names (const void *a, const void *b)
{
    return strcmp (*(const char *const *)a, *(const char *const *)b);
}

//  Classes in alphabetical order, whoever came first.
static void
order_classes (const learn_t *self, uint32_t *rank, const char **sorted)
{
    for (uint32_t k = 0; k < self->n_classes; k++)
        sorted[k] = self->classes[k];
    qsort (sorted, self->n_classes, sizeof (*sorted), compare_names);
    for (uint32_t k = 0; k < self->n_classes; k++)
        for (rank[k] = 0; sorted[rank[k]] != self->classes[k];)
            rank[k]++;
}

static int
fill_training (learn_t *self)
{
    uint32_t rank[LEARN_CLASSES];
    int32_t number[LEARN_CLASSES];
    const char *sorted[LEARN_CLASSES] = { NULL };
    uint32_t inputs = weft_feature_set_count (self->set);
    size_t used = 0;
    int rc = 0;
    order_classes (self, rank, sorted);
    weft_training_set_init (&self->training, inputs, self->n_classes,
                            self->options.trainer.seed);
    for (size_t i = 0; !rc && i < self->train.n; i++) {
        const learn_row_t *row = &self->train.rows[i];
        rc = weft_training_set_add_known (
            &self->training, row->object, row->object_size,
            self->train.values + i * inputs, rank[row->class]);
    }
    weft_training_set_compact (&self->training, number);
    for (uint32_t k = 0; k < self->n_classes; k++)
        if (number[k] >= 0)
            used += (size_t)snprintf (self->names + used,
                                      sizeof (self->names) - used, "%s%s",
                                      used ? "," : "", sorted[k]);
    return rc;
}

static int
fit_calibration (learn_t *self, const weft_forest_t *forest)
{
    weft_rows_of_truth_t rows =
        weft_training_set_rows (&self->training, WEFT_SPLIT_CALIBRATE);
    self->calibration = (weft_calibration_t){ 0 };
    if (!rows.rows)
        return 0;
    float *margins = malloc (rows.rows * rows.classes * sizeof (*margins));
    if (!margins)
        return WEFT_ENOMEM;
    weft_forest_margins (forest, rows.values, rows.rows, margins);
    weft_calibration_split_t split = {
        margins, rows.truth, rows.rows, rows.classes,
        self->training.splits[WEFT_SPLIT_CALIBRATE].objects
    };
    weft_calibration_fit (&self->calibration, &split);
    free (margins);
    return 0;
}

//  Our trees must say what XGBoost's say, or the model goes nowhere.
static int
check_trees (learn_t *self, const weft_rows_of_truth_t *rows)
{
    double worst = 0;
    weft_rows_of_truth_t some = *rows;
    some.rows = WEFT_MIN (some.rows, (size_t)CHECK_ROWS);
    int rc = weft_trainer_check (&self->ubj, &some, &worst, self->why);
    if (!rc && !(worst < WORST_DIFFERENCE)) {
        snprintf (self->why, LEARN_WHY,
                  "XGBoost's probabilities differ from ours by %g", worst);
        rc = WEFT_EBUG;
    }
    return rc;
}

int
learn_train (learn_t *self)
{
    char why[WEFT_FOREST_WHY] = "";
    int64_t start = weft_time_ms ();
    int rc = fill_training (self);
    if (rc)
        return rc;
    weft_rows_of_truth_t rows =
        weft_training_set_rows (&self->training, WEFT_SPLIT_TRAIN);
    rc = weft_trainer_train (&rows, &self->options.trainer, &self->ubj,
                             self->why);
    rc = rc ? rc : check_trees (self, &rows);
    if (rc)
        return rc;
    weft_forest_t *forest =
        weft_forest_new (self->ubj.data, self->ubj.size, why);
    if (!forest) {
        snprintf (self->why, LEARN_WHY, "%s", why);
        return WEFT_EBUG;
    }
    rc = fit_calibration (self, forest);
    weft_forest_destroy (&forest);
    self->seconds = (double)(weft_time_ms () - start) / 1000;
    return rc;
}

//  Place of a class among the model's, -1 if it does not know it.
static int
place_of (const weft_scorer_t *scorer, const char *class)
{
    int place = 0;
    size_t size = strlen (class);
    for (const char *at = weft_scorer_classes (scorer); *at; place++) {
        size_t n = strcspn (at, ",");
        if (n == size && !memcmp (at, class, n))
            return place;
        at += n + (at[n] == ',');
    }
    return -1;
}

static void
add_up (const learn_t *self,
        const weft_scorer_t *scorer,
        const float *p,
        learn_score_t *score)
{
    int place[LEARN_CLASSES] = { 0 };
    uint64_t rows[LEARN_CLASSES] = { 0 }, right[LEARN_CLASSES] = { 0 };
    uint32_t classes = weft_scorer_class_count (scorer), seen = 0;
    for (uint32_t k = 0; k < self->n_classes; k++)
        place[k] = place_of (scorer, self->classes[k]);
    for (size_t i = 0; i < self->test.n; i++, p += classes) {
        uint32_t best = 0, truth = self->test.rows[i].class;
        for (uint32_t k = 1; k < classes; k++)
            best = p[k] > p[best] ? k : best;
        double of_truth = place[truth] < 0 ? 0 : (double)p[place[truth]];
        score->log_loss -= log (fmax (of_truth, 1e-12));
        rows[truth]++;
        right[truth] += place[truth] == (int)best;
    }
    for (uint32_t k = 0; k < self->n_classes; k++)
        if (rows[k]) {
            score->right += right[k];
            score->balanced += (double)right[k] / (double)rows[k];
            seen++;
        }
    score->rows = self->test.n;
    score->accuracy = (double)score->right / (double)score->rows;
    score->balanced /= seen;
    score->log_loss /= (double)score->rows;
}

int
learn_score (const learn_t *self,
             const weft_scorer_t *scorer,
             learn_score_t *score)
{
    memset (score, 0, sizeof (*score));
    if (!self->test.n ||
        weft_scorer_set (scorer) != weft_feature_set_id (self->set))
        return WEFT_ERANGE;
    float *p =
        malloc (self->test.n * weft_scorer_class_count (scorer) * sizeof (*p));
    if (!p)
        return WEFT_ENOMEM;
    weft_scorer_score (scorer, self->test.values, self->test.n, p);
    add_up (self, scorer, p, score);
    free (p);
    return 0;
}

//  Six decimals, so that the card has the same bytes everywhere.
static json_t *
rounded (double value)
{
    return json_real (round (value * 1e6) / 1e6);
}

static json_t *
card_json (const learn_t *self, const learn_score_t *score)
{
    json_t *card = json_pack (
        "{s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, "
        "s:i, s:i}",
        "name", self->options.name, "weft", WEFT_VERSION, "feature_set",
        weft_feature_set_name (self->set), "seed",
        (json_int_t)self->options.trainer.seed, "labels",
        (json_int_t)self->options.labels, "base_sha256", self->base_sha,
        "test_sha256", self->test_sha, "test_rows", (json_int_t)self->test.n,
        "labelled_objects", (json_int_t)self->objects, "asked_rows",
        (json_int_t)self->asked, "held_out_objects", (json_int_t)self->held_out,
        "train", (json_int_t)self->training.splits[WEFT_SPLIT_TRAIN].n,
        "calibrate", (json_int_t)self->training.splits[WEFT_SPLIT_CALIBRATE].n,
        "rounds", (int)self->options.trainer.rounds, "depth",
        (int)self->options.trainer.depth);
    if (card && score) {
        json_object_set_new (card, "accuracy", rounded (score->accuracy));
        json_object_set_new (card, "balanced_accuracy",
                             rounded (score->balanced));
        json_object_set_new (card, "log_loss", rounded (score->log_loss));
    }
    return card;
}

int
learn_pack (learn_t *self, const learn_score_t *score)
{
    weft_model_parts_t parts = { .name = self->options.name,
                                 .set = self->set,
                                 .classes = self->names,
                                 .calibration = &self->calibration,
                                 .ubj = &self->ubj,
                                 .created_at = weft_time_mjd_tai () };
    json_t *card = card_json (self, score);
    char *text = card ? json_dumps (card, JSON_INDENT (1)) : NULL;
    json_decref (card);
    if (!text)
        return WEFT_ENOMEM;
    parts.card = text;
    int rc = weft_model_pack (&parts, &self->section, self->version);
    free (text);
    return rc;
}
