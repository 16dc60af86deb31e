//  weft train - trains a classifier from packets and what is true about them.

#include <errno.h>
#include <getopt.h>

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

#define INPUTS_MOST 1024

static const char help[] =
    "usage: weft train --input PATH... --truth FILE [OPTION...]\n\n"
    "Decodes the packets in order, merges each object's history as ingest\n"
    "does, computes the features of every alert, and trains boosted trees on\n"
    "the classes in the truth (CSV with a header: alert_id, class). Objects\n"
    "are split in three: six tenths to train, two to calibrate, two to test.\n"
    "The same input and seed give the same model.\n\n"
    "  --input PATH     packet, folder of packets or tar archive; may be\n"
    "                   repeated, and further paths may follow\n"
    "  --truth FILE     the classes\n"
    "  --schemas DIR    schemas of Confluent-framed packets (see weft peek)\n"
    "  --survey NAME    ztf or lsst: whose feature set (ztf)\n"
    "  --name NAME      of the model (demo)\n"
    "  --seed N         random seed (1)\n"
    "  --trees N        trees of each class (150)\n"
    "  --depth N        deepest tree (3)\n"
    "  --threads N      (1); more may change the last bits, and on\n"
    "                   a busy machine are slower\n"
    "  --out DIR        writes the model there: model.ubj, features.txt,\n"
    "                   classes.txt, calib.json, card.json, model.v1\n"
    "  --examples DIR   trains nothing, writes what it would train with:\n"
    "                   DIR/base.csv, and DIR/test.csv of the objects that "
    "are\n"
    "                   held out (see weft learn)\n"
    "  --publish        publishes it in Redis and makes it the live one\n"
    "  --unless-live    with --publish: only if no model of that name is live\n"
    "                   (else there is nothing to do)\n"  //
    WEFT_CLI_REDIS_HELP "  --json FILE      writes the results\n\n"
    "Exit: 0 done, 1 failed, 2 usage, 3 done but some packets were refused.\n";

//  Everything of one run.
typedef struct {
    train_options_t options;
    train_report_t report;
    weft_training_set_t set;
    weft_truth_t *truth;
    weft_buf_t ubj, card, section;
    weft_forest_t *forest;
    char *inputs[INPUTS_MOST];
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

//  A whole number in [low, high].
static int
read_number (const char *text, uint64_t low, uint64_t high, uint64_t *value)
{
    char *end;
    errno = 0;
    *value = strtoull (text, &end, 10);
    return errno || end == text || *end || text[0] == '-' || *value < low ||
                   *value > high
               ? WEFT_EUSAGE
               : 0;
}

static int
read_trainer_option (weft_trainer_options_t *self, int c, const char *text)
{
    uint64_t value = 0;
    int rc;
    switch (c) {
    case 's':
        return read_number (text, 0, INT64_MAX, &self->seed);
    case 'T':
        rc = read_number (text, 1, 5000, &value);
        self->rounds = (uint32_t)value;
        return rc;
    case 'd':
        rc = read_number (text, 1, 16, &value);
        self->depth = (uint32_t)value;
        return rc;
    case 'p':
        rc = read_number (text, 1, 256, &value);
        self->threads = (uint32_t)value;
        return rc;
    default:
        return WEFT_EUSAGE;
    }
}

static int
add_input (run_t *self, char *path)
{
    if (self->options.n_inputs == INPUTS_MOST)
        return WEFT_EUSAGE;
    self->inputs[self->options.n_inputs++] = path;
    return 0;
}

static int
read_option (run_t *self, int c, char *text)
{
    train_options_t *options = &self->options;
    const struct {
        int letter;
        const char **into;
    } texts[] = {
        { 't', &options->truth },  { 'S', &options->schemas },
        { 'v', &options->survey }, { 'n', &options->name },
        { 'o', &options->out },    { 'r', &options->redis },
        { 'j', &options->json },   { 'e', &options->examples },
    };
    for (size_t i = 0; i < WEFT_COUNT (texts); i++)
        if (texts[i].letter == c) {
            *texts[i].into = text;
            return 0;
        }
    if (c == 'P' || c == 'u') {
        *(c == 'P' ? &options->publish : &options->unless_live) = true;
        return 0;
    }
    return c == 'i' ? add_input (self, text)
                    : read_trainer_option (&options->trainer, c, text);
}

static int
check_options (const run_t *self)
{
    const char *wrong = NULL;
    if (!self->options.n_inputs || !self->options.truth)
        wrong = "--input and --truth must be given";
    else if (self->options.unless_live && !self->options.publish)
        wrong = "--unless-live goes with --publish";
    else if (!weft_model_name_ok (self->options.name))
        wrong = "--name: letters, digits, '_', '-', '.'";
    if (wrong)
        fprintf (stderr, "weft train: %s\n", wrong);
    return wrong ? WEFT_EUSAGE : 0;
}

//  0 go on, 1 help was asked for, WEFT_EUSAGE after saying what is wrong.
static int
read_options (run_t *self, int argc, char *argv[])
{
    static const struct option table[] = {
        { "input", required_argument, NULL, 'i' },
        { "truth", required_argument, NULL, 't' },
        { "schemas", required_argument, NULL, 'S' },
        { "survey", required_argument, NULL, 'v' },
        { "name", required_argument, NULL, 'n' },
        { "seed", required_argument, NULL, 's' },
        { "trees", required_argument, NULL, 'T' },
        { "depth", required_argument, NULL, 'd' },
        { "threads", required_argument, NULL, 'p' },
        { "out", required_argument, NULL, 'o' },
        { "redis", required_argument, NULL, 'r' },
        { "publish", no_argument, NULL, 'P' },
        { "unless-live", no_argument, NULL, 'u' },
        { "json", required_argument, NULL, 'j' },
        { "examples", required_argument, NULL, 'e' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    for (int c; (c = getopt_long (argc, argv, "", table, NULL)) != -1;) {
        if (c == 'h')
            return 1;
        if (c == '?' || read_option (self, c, optarg)) {
            if (c != '?')
                fprintf (stderr, "weft train: '%s' is out of range\n", optarg);
            return WEFT_EUSAGE;
        }
    }
    for (; optind < argc; optind++)
        if (add_input (self, argv[optind]))
            return WEFT_EUSAGE;
    return check_options (self);
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
    self->options.survey = "ztf";
    self->options.name = "demo";
    self->options.trainer = weft_trainer_defaults;
    self->options.inputs = self->inputs;
    self->report.options = &self->options;
    weft_buf_init (&self->ubj, WEFT_MODEL_SECTION_MOST);
    weft_buf_init (&self->card, 1u << 20);
    weft_buf_init (&self->section, WEFT_MODEL_SECTION_MOST);
    int rc = read_options (self, argc, argv);
    int code = rc > 0 ? 0 : 2;
    if (rc)
        fputs (help, rc > 0 ? stdout : stderr);
    else
        code = run (self);
    clean_up (self);
    return code;
}
