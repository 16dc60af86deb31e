//  weft learn - trains a candidate from labels. The active learner runs it as
//  a process of its own; an operator may, too.

#include <errno.h>
#include <getopt.h>
#include <math.h>

#include "commands.h"
#include "learn.h"
#include "weft_candidates.h"
#include "weft_cli.h"
#include "weft_model_file.h"
#include "weft_models.h"
#include "weft_written.h"

#define WRITTEN_MS 10000
#define DECLINED 3  //  exit code

static const char help[] =
    "usage: weft learn --base FILE --test FILE [OPTION...]\n\n"
    "Trains a classifier on base examples and on the labels in Redis, each "
    "with\n"
    "the features that its object had when it was asked for; tests it on the\n"
    "frozen test set against the live model; and offers it as the candidate.\n"
    "A label set becomes one version, whoever trains it, and an older one "
    "never\n"
    "overtakes a newer one. See docs/STATE.md.\n\n"
    "  --base FILE      examples to begin with (weft train --examples)\n"
    "  --test FILE      the frozen test set; the first one that a model is\n"
    "                   offered with is the only one it ever has\n"
    "  --name NAME      of the model (demo)\n"
    "  --survey NAME    ztf or lsst: whose feature set (ztf)\n"
    "  --labels N       labels 1 to N count (all)\n"
    "  --max-drop X     how much less accurate than the live model it may be "
    "on\n"
    "                   the test set (0.02)\n"
    "  --seed N         random seed (1)\n"
    "  --trees N        trees of each class (150)\n"
    "  --depth N        deepest tree (3)\n" WEFT_CLI_REDIS_HELP
    "\nExit: 0 the label set has its version, 1 failed, 2 usage, 3 declined "
    "by\n"
    "the test.\n";

static int
say (learn_t *self, const char *what, int rc)
{
    fprintf (stderr, "weft learn: %s: %s\n", what,
             self->why[0] ? self->why : weft_error_text (rc));
    return 1;
}

//  The live model's score; false if none is live or it cannot be compared.
static int
score_live (learn_t *self, learn_score_t *score, bool *live)
{
    char version[WEFT_MODEL_VERSION_MOST], why[WEFT_SCORER_WHY];
    weft_buf_t section;
    *live = false;
    int rc = weft_model_current (self->redis, self->options.name, version);
    if (rc)
        return rc == WEFT_ENOENT ? 0 : rc;
    weft_buf_init (&section, WEFT_MODEL_MOST);
    rc = weft_model_get (self->redis, self->options.name, version, &section);
    if (!rc) {
        weft_scorer_t *scorer =
            weft_scorer_new (section.data, section.size, why);
        *live = scorer && !learn_score (self, scorer, score);
        weft_scorer_destroy (&scorer);
    }
    weft_buf_fini (&section);
    return rc == WEFT_ENOENT ? 0 : rc;
}

//  What is tested is the section as a classifier would load it; then its card
//  says how it did.
static int
test (learn_t *self, learn_score_t *score)
{
    char why[WEFT_SCORER_WHY] = "";
    int rc = learn_pack (self, NULL);
    if (rc)
        return rc;
    weft_scorer_t *scorer =
        weft_scorer_new (self->section.data, self->section.size, why);
    if (!scorer) {
        snprintf (self->why, LEARN_WHY, "%s", why);
        return WEFT_EBUG;
    }
    rc = learn_score (self, scorer, score);
    weft_scorer_destroy (&scorer);
    return rc ? rc : learn_pack (self, score);
}

static int
offer (learn_t *self, const char *declined, weft_offer_verdict_t *verdict)
{
    weft_offer_t what = { .labels = (uint64_t)self->options.labels,
                          .test = self->test_sha,
                          .section = declined ? NULL : self->section.data,
                          .size = declined ? 0 : self->section.size,
                          .declined = declined };
    int rc =
        weft_candidate_offer (self->redis, self->options.name, &what, verdict);
    return rc ? rc : weft_redis_written (self->redis, WRITTEN_MS);
}

static int
report (learn_t *self,
        const learn_score_t *score,
        const char *declined,
        weft_offer_verdict_t verdict)
{
    printf ("labels 1 to %lld of %llu objects (%llu rows asked for, %llu held "
            "out): %zu rows, trained in %.1f s, accuracy %.4f, balanced %.4f "
            "on %llu frozen rows; version %.16s: %s%s%s\n",
            (long long)self->options.labels, (unsigned long long)self->objects,
            (unsigned long long)self->asked, (unsigned long long)self->held_out,
            self->train.n, self->seconds, score->accuracy, score->balanced,
            (unsigned long long)score->rows, self->version,
            weft_offer_text (verdict), declined ? ", declined: " : "",
            declined ? declined : "");
    if (verdict == WEFT_OFFER_TEST) {
        snprintf (self->why, LEARN_WHY,
                  "%s is not the test set that this model began with",
                  self->options.test);
        return say (self, "refused", WEFT_EVERSION);
    }
    return declined ? DECLINED : 0;
}

static int
judge (learn_t *self)
{
    learn_score_t score, live_score = { 0 };
    weft_offer_verdict_t verdict = WEFT_OFFER_TAKEN;
    bool live = false;
    char reason[128];
    int rc = test (self, &score);
    rc = rc ? rc : score_live (self, &live_score, &live);
    if (rc)
        return say (self, "testing", rc);
    bool worse =
        live && score.accuracy < live_score.accuracy - self->options.max_drop;
    snprintf (reason, sizeof (reason),
              "accuracy %.4f, the live model's is %.4f", score.accuracy,
              live_score.accuracy);
    rc = offer (self, worse ? reason : NULL, &verdict);
    if (rc)
        return say (self, "offering", rc);
    return report (self, &score, worse ? reason : NULL, verdict);
}

static int
run (learn_t *self)
{
    int code = 0;
    self->set = weft_feature_set_for (weft_str (self->options.survey));
    if (!self->set) {
        snprintf (self->why, LEARN_WHY, "no feature set for this survey");
        return say (self, self->options.survey, WEFT_EUSAGE);
    }
    self->redis = weft_cli_redis ("learn", self->options.redis, &code);
    if (!self->redis)
        return code;
    int rc = learn_read_examples (self);
    if (rc) {
        fprintf (stderr, "weft learn: %s\n",
                 self->why[0] ? self->why : weft_error_text (rc));
        return 1;
    }
    rc = learn_read_labels (self);
    if (rc)
        return say (self, "labels", rc);
    rc = learn_train (self);
    return rc ? say (self, "training", rc) : judge (self);
}

static int
read_number (const char *text, double low, double high, double *value)
{
    char *end;
    errno = 0;
    *value = strtod (text, &end);
    bool bad =
        errno || end == text || *end || !(*value >= low) || !(*value <= high);
    if (bad)
        fprintf (stderr, "weft learn: '%s' is out of range\n", text);
    return bad ? WEFT_EUSAGE : 0;
}

static int
read_option (learn_options_t *self, int c, const char *text)
{
    const struct {
        int letter;
        const char **into;
    } texts[] = { { 'b', &self->base },
                  { 't', &self->test },
                  { 'n', &self->name },
                  { 'v', &self->survey },
                  { 'r', &self->redis } };
    double value = 0;
    int rc = 0;
    for (size_t i = 0; i < WEFT_COUNT (texts); i++)
        if (texts[i].letter == c) {
            *texts[i].into = text;
            return 0;
        }
    switch (c) {
    case 'l':
        rc = read_number (text, 0, 1e15, &value);
        self->labels = (int64_t)value;
        return rc;
    case 'm':
        return read_number (text, 0, 1, &self->max_drop);
    case 's':
        rc = read_number (text, 0, 1e15, &value);
        self->trainer.seed = (uint64_t)value;
        return rc;
    case 'T':
        rc = read_number (text, 1, 5000, &value);
        self->trainer.rounds = (uint32_t)value;
        return rc;
    case 'd':
        rc = read_number (text, 1, 16, &value);
        self->trainer.depth = (uint32_t)value;
        return rc;
    default:
        return WEFT_EUSAGE;
    }
}

//  0 go on, 1 help was asked for, WEFT_EUSAGE.
static int
read_options (learn_options_t *self, int argc, char *argv[])
{
    static const struct option table[] = {
        { "base", required_argument, NULL, 'b' },
        { "test", required_argument, NULL, 't' },
        { "name", required_argument, NULL, 'n' },
        { "survey", required_argument, NULL, 'v' },
        { "labels", required_argument, NULL, 'l' },
        { "max-drop", required_argument, NULL, 'm' },
        { "seed", required_argument, NULL, 's' },
        { "trees", required_argument, NULL, 'T' },
        { "depth", required_argument, NULL, 'd' },
        { "redis", required_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    for (int c; (c = getopt_long (argc, argv, "", table, NULL)) != -1;) {
        int rc = c == 'h' ? 1 : read_option (self, c, optarg);
        if (rc)
            return rc;
    }
    bool whole = optind == argc && self->base && self->test &&
                 weft_model_name_ok (self->name);
    return whole ? 0 : WEFT_EUSAGE;
}

static void
clean_up (learn_t *self)
{
    weft_redis_destroy (&self->redis);
    weft_training_set_fini (&self->training);
    free (self->train.rows);
    free (self->train.values);
    free (self->test.rows);
    free (self->test.values);
    weft_buf_fini (&self->ubj);
    weft_buf_fini (&self->section);
    free (self);
}

int
weft_cmd_learn (int argc, char *argv[])
{
    learn_t *self = calloc (1, sizeof (*self));
    if (!self)
        return 1;
    self->options = (learn_options_t){ .name = "demo",
                                       .survey = "ztf",
                                       .labels = -1,
                                       .max_drop = 0.02,
                                       .trainer = weft_trainer_defaults };
    weft_buf_init (&self->ubj, WEFT_MODEL_SECTION_MOST);
    weft_buf_init (&self->section, WEFT_MODEL_SECTION_MOST);
    int rc = read_options (&self->options, argc, argv);
    int code = rc > 0 ? 0 : 2;
    if (rc)
        fputs (help, rc > 0 ? stdout : stderr);
    else
        code = run (self);
    clean_up (self);
    return code;
}
