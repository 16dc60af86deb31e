//  weft train - trains a classifier from packets and what is true about them.

#include "commands.h"
#include "examples.h"
#include "train.h"
#include "weft_cli.h"
#include "weft_forest.h"
#include "weft_labels.h"
#include "weft_model_file.h"
#include "weft_model_pack.h"
#include "weft_models.h"
#include "weft_time.h"

//  Everything of one run.
typedef struct {
    train_options_t options;
    train_report_t report;
    weft_training_set_t set;
    weft_truth_t *truth;
    weft_buf_t ubj, card, section;
    weft_forest_t *forest;
    char *inputs[TRAIN_INPUTS_MOST];
    char why[TRAIN_WHY];
} run_t;

static int
say (run_t *self, const char *what, int rc)
{
    fprintf (stderr, "weft train: %s: %s\n", what,
             self->why[0] ? self->why : weft_error_text (rc));
    return rc;
}

//  Margins of a split by our own trees. Returns new.
static float *
margins_of (run_t *self, const weft_rows_of_truth_t *rows)
{
    float *margins =
        malloc ((rows->rows * rows->classes + 1) * sizeof (*margins));
    if (margins)
        weft_forest_margins (self->forest, rows->values, rows->rows, margins);
    return margins;
}

static int
fit_calibration (run_t *self)
{
    weft_rows_of_truth_t rows =
        weft_training_set_rows (&self->set, WEFT_SPLIT_CALIBRATE);
    float *margins = margins_of (self, &rows);
    if (!margins)
        return WEFT_ENOMEM;
    weft_calibration_split_t split = {
        margins, rows.truth, rows.rows, rows.classes,
        self->set.splits[WEFT_SPLIT_CALIBRATE].objects
    };
    weft_calibration_fit (&self->report.calibration, &split);
    free (margins);
    return 0;
}

static int
evaluate_with (run_t *self,
               const weft_calibration_t *calibration,
               weft_evaluation_t *result)
{
    weft_rows_of_truth_t rows =
        weft_training_set_rows (&self->set, WEFT_SPLIT_TEST);
    float *p = margins_of (self, &rows);
    if (!p)
        return WEFT_ENOMEM;
    for (size_t i = 0; i < rows.rows; i++)
        weft_calibration_apply (calibration, p + i * rows.classes,
                                rows.classes);
    weft_predictions_t predictions = {
        p, rows.truth, self->set.splits[WEFT_SPLIT_TEST].objects, rows.rows,
        rows.classes
    };
    int rc = weft_evaluation_make (result, &predictions);
    free (p);
    return rc;
}

static int
evaluate (run_t *self)
{
    const weft_calibration_t none = { 0 };
    int rc = evaluate_with (self, &none, &self->report.plain);
    return rc ? rc
              : evaluate_with (self, &self->report.calibration,
                               &self->report.result);
}

//  Names of the classes that are left, in order.
static void
name_classes (run_t *self)
{
    int32_t number[WEFT_TRUTH_CLASSES_MOST];
    size_t used = 0;
    train_report_t *report = &self->report;
    weft_training_set_compact (&self->set, number);
    for (uint32_t k = 0; k < weft_truth_classes (self->truth); k++) {
        if (number[k] < 0)
            continue;
        const char *name = weft_truth_class_name (self->truth, k);
        snprintf (report->names[number[k]], WEFT_TRUTH_CLASS_SIZE, "%s", name);
        used += (size_t)snprintf (report->classes + used,
                                  sizeof (report->classes) - used, "%s%s",
                                  used ? "," : "", name);
    }
    for (int i = 0; i < WEFT_SPLITS; i++)
        report->rows[i] = self->set.splits[i].n;
    weft_training_set_hash (&self->set, report->data_hash);
}

static int
read_data (run_t *self)
{
    train_report_t *report = &self->report;
    report->set = weft_feature_set_for (weft_str (self->options.survey));
    if (!report->set) {
        snprintf (self->why, TRAIN_WHY, "no feature set for this survey");
        return say (self, self->options.survey, WEFT_EUSAGE);
    }
    self->truth = weft_truth_new (self->options.truth, self->why);
    if (!self->truth)
        return say (self, "truth", WEFT_EIO);
    weft_training_set_init (&self->set, weft_feature_set_count (report->set),
                            weft_truth_classes (self->truth),
                            self->options.trainer.seed);
    int rc = train_read (&self->options, report->set, self->truth, &self->set,
                         &report->counts, self->why);
    if (rc)
        return say (self, "input", rc);
    name_classes (self);
    return 0;
}

//  Our trees must say what XGBoost's say, or the model is not published.
static int
check_trees (run_t *self)
{
    weft_rows_of_truth_t rows =
        weft_training_set_rows (&self->set, WEFT_SPLIT_TRAIN);
    rows.rows = WEFT_MIN (rows.rows, (size_t)2000);
    int rc =
        weft_trainer_check (&self->ubj, &rows, &self->report.worst, self->why);
    if (!rc && !(self->report.worst < 1e-6)) {
        snprintf (self->why, TRAIN_WHY,
                  "XGBoost's probabilities differ from ours by %g",
                  self->report.worst);
        rc = WEFT_EBUG;
    }
    return rc;
}

static int
train (run_t *self)
{
    weft_rows_of_truth_t rows =
        weft_training_set_rows (&self->set, WEFT_SPLIT_TRAIN);
    char why[WEFT_FOREST_WHY] = "";
    int64_t start = weft_time_ms ();
    int rc = weft_trainer_train (&rows, &self->options.trainer, &self->ubj,
                                 self->why);
    self->report.seconds = (double)(weft_time_ms () - start) / 1000;
    rc = rc ? rc : check_trees (self);
    if (rc)
        return say (self, "training", rc);
    self->forest = weft_forest_new (self->ubj.data, self->ubj.size, why);
    if (!self->forest)
        return say (self, why, WEFT_EBUG);
    rc = fit_calibration (self);
    rc = rc ? rc : evaluate (self);
    return rc ? say (self, "evaluation", rc) : 0;
}

static int
pack (run_t *self)
{
    weft_model_parts_t parts = { .name = self->options.name,
                                 .set = self->report.set,
                                 .classes = self->report.classes,
                                 .calibration = &self->report.calibration,
                                 .ubj = &self->ubj,
                                 .created_at = weft_time_mjd_tai () };
    int rc = train_card (&self->report, &self->card);
    parts.card = (const char *)self->card.data;
    rc = rc ? rc
            : weft_model_pack (&parts, &self->section, self->report.version);
    if (rc)
        return say (self, "packing", rc);
    if (!self->options.out)
        return 0;
    rc = weft_model_write_dir (&parts, &self->section, self->options.out,
                               self->why, TRAIN_WHY);
    return rc ? say (self, "cannot write", rc) : 0;
}

//  Makes it live whatever older version is live now: compare and set, again if
//  another training was faster in between. With --unless-live, that one stays.
static int
promote (run_t *self, weft_redis_t *redis)
{
    char live[WEFT_MODEL_VERSION_MOST];
    int rc = WEFT_EEXIST;
    if (self->options.unless_live) {
        rc = weft_model_promote (redis, self->options.name, NULL,
                                 self->report.version);
        return rc == WEFT_EEXIST ? 0 : rc;
    }
    for (int i = 0; i < 8 && rc == WEFT_EEXIST; i++) {
        rc = weft_model_current (redis, self->options.name, live);
        if (rc && rc != WEFT_ENOENT)
            return rc;
        rc = weft_model_promote (redis, self->options.name, rc ? NULL : live,
                                 self->report.version);
    }
    return rc;
}

static int
publish (run_t *self)
{
    int code = 0;
    weft_redis_t *redis = weft_cli_redis ("train", self->options.redis, &code);
    if (!redis)
        return WEFT_EDOWN;
    int rc = weft_model_publish (redis, self->section.data, self->section.size);
    rc = rc ? rc : weft_labels_allow (redis, self->report.classes);
    rc = rc ? rc : promote (self, redis);
    self->why[0] = 0;
    if (rc == WEFT_ERANGE)
        snprintf (self->why, TRAIN_WHY,
                  "a newer version is live; weft model rollback %s %.16s "
                  "makes this one live again",
                  self->options.name, self->report.version);
    if (rc)
        (void)say (self, "publishing", rc);
    weft_redis_destroy (&redis);
    return rc;
}

//  1 if a model of that name is live, 0 if not.
static int
find_live (run_t *self)
{
    int code = 0;
    char live[WEFT_MODEL_VERSION_MOST];
    weft_redis_t *redis = weft_cli_redis ("train", self->options.redis, &code);
    if (!redis)
        return WEFT_EDOWN;
    int rc = weft_model_current (redis, self->options.name, live);
    weft_redis_destroy (&redis);
    if (!rc)
        printf ("model %s %.16s is live: nothing to do\n", self->options.name,
                live);
    else if (rc != WEFT_ENOENT)
        (void)say (self, "asking for the live model", rc);
    return rc == WEFT_ENOENT ? 0 : rc ? rc : 1;
}

//  --examples: the rows as files, no model.
static int
write_examples (run_t *self)
{
    const char *dir = self->options.examples;
    const weft_feature_set_t *set =
        weft_feature_set_for (weft_str (self->options.survey));
    self->options.writer =
        set ? examples_writer_new (dir, set, self->why) : NULL;
    if (!self->options.writer)
        return say (self, dir, set ? WEFT_EIO : WEFT_EUSAGE), 1;
    int rc = read_data (self);
    int closed = examples_writer_close (&self->options.writer);
    rc = rc ? rc : closed;
    if (rc)
        return say (self, dir, rc), 1;
    printf ("%llu alerts of %llu objects in %s\n",
            (unsigned long long)self->report.counts.used,
            (unsigned long long)self->report.counts.objects, dir);
    return self->report.counts.refused ? 3 : 0;
}

static int
run (run_t *self)
{
    if (self->options.examples)
        return write_examples (self);
    int rc = self->options.unless_live ? find_live (self) : 0;
    if (rc)
        return rc < 0;
    rc = read_data (self);
    rc = rc ? rc : train (self);
    rc = rc ? rc : pack (self);
    if (rc)
        return 1;
    train_print (&self->report, stdout);
    if (self->options.json &&
        train_write_json (&self->report, self->options.json)) {
        (void)say (self, self->options.json, WEFT_EIO);
        return 1;
    }
    if (self->options.publish && publish (self))
        return 1;
    return self->report.counts.refused ? 3 : 0;
}

static void
clean_up (run_t *self)
{
    weft_forest_destroy (&self->forest);
    weft_training_set_fini (&self->set);
    weft_truth_destroy (&self->truth);
    weft_buf_fini (&self->ubj);
    weft_buf_fini (&self->card);
    weft_buf_fini (&self->section);
    free (self);
}

int
weft_cmd_train (int argc, char *argv[])
{
    run_t *self = calloc (1, sizeof (*self));
    if (!self)
        return 1;
    self->report.options = &self->options;
    weft_buf_init (&self->ubj, WEFT_MODEL_SECTION_MOST);
    weft_buf_init (&self->card, 1u << 20);
    weft_buf_init (&self->section, WEFT_MODEL_SECTION_MOST);
    int code = train_options_read (&self->options, self->inputs, argc, argv);
    if (code < 0)
        code = run (self);
    clean_up (self);
    return code;
}
