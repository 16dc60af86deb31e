//  train_options.c - the command line of weft train.

#include <errno.h>
#include <getopt.h>

#include "train.h"
#include "weft_cli.h"
#include "weft_model_file.h"
#include "weft_models.h"

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

//  What is being filled.
typedef struct {
    train_options_t *options;
    char **inputs;
} reading_t;

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
add_input (reading_t *self, char *path)
{
    if (self->options->n_inputs == TRAIN_INPUTS_MOST)
        return WEFT_EUSAGE;
    self->inputs[self->options->n_inputs++] = path;
    return 0;
}

static int
read_option (reading_t *self, int c, char *text)
{
    train_options_t *options = self->options;
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
check_options (const train_options_t *self)
{
    const char *wrong = NULL;
    if (!self->n_inputs || !self->truth)
        wrong = "--input and --truth must be given";
    else if (self->unless_live && !self->publish)
        wrong = "--unless-live goes with --publish";
    else if (!weft_model_name_ok (self->name))
        wrong = "--name: letters, digits, '_', '-', '.'";
    if (wrong)
        fprintf (stderr, "weft train: %s\n", wrong);
    return wrong ? WEFT_EUSAGE : 0;
}

//  0 go on, 1 help was asked for, WEFT_EUSAGE after saying what is wrong.
static int
read_options (reading_t *self, int argc, char *argv[])
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
    return check_options (self->options);
}

int
train_options_read (train_options_t *options,
                    char *inputs[TRAIN_INPUTS_MOST],
                    int argc,
                    char *argv[])
{
    reading_t self = { options, inputs };
    *options = (train_options_t){ .inputs = inputs,
                                  .survey = "ztf",
                                  .name = "demo",
                                  .trainer = weft_trainer_defaults };
    int rc = read_options (&self, argc, argv);
    if (rc)
        fputs (help, rc > 0 ? stdout : stderr);
    return rc > 0 ? 0 : rc ? 2 : -1;
}
