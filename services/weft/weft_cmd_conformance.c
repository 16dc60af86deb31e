//  weft conformance - does a stage, in whatever language, keep to the link?

#include <getopt.h>

#include "commands.h"
#include "conform.h"
#include "conform_seat.h"
#include "conform_sink.h"
#include "weft_log.h"
#include "weft_time.h"

static void
help (FILE *out)
{
    fprintf (
        out,
        "usage: weft conformance ENDPOINT[,ENDPOINT2] [--contract NAME]\n"
        "                        [--sink ENDPOINT --outputs A,B]\n"
        "       weft conformance ENDPOINT --as worker --stage NAME\n"
        "                        [--contract NAME]\n\n"
        "Takes the place of an upstream: binds at ENDPOINT (host:port), the\n"
        "worker under test connects to it. Or takes the place of a worker of\n"
        "the upstream at ENDPOINT, which needs alerts to give. Checks every\n"
        "rule of proto/link.v1.md that can be seen from outside, and the\n"
        "sections' contracts. Alerts that it sends are real ones to the "
        "stage:\n"
        "never point it at one whose effects count.\n\n"
        "  --as SIDE        upstream (default) or worker\n"
        "  ENDPOINT2        a second upstream for the same worker, which is\n"
        "                   configured with both: the rule `window`\n"
        "  --sink ENDPOINT  where the worker under test binds: we stand "
        "behind\n"
        "                   it as its outputs, which a middle stage needs\n"
        "  --outputs A,B    their names\n"
        "  --contract NAME  what the stage writes, e.g. scores.v1\n"
        "  --stage NAME     which stage to be, with --as worker\n"
        "  --keys DIR       links are CURVE, by this folder's `operator` key; "
        "the\n"
        "                   place to connect to is then STAGE@host:port\n"
        "  --wait S         for somebody to come (default 30 s)\n"
        "  --patience S     for what must happen (default 20 s)\n\n"
        "Prints `conformance: ok`, or one line per broken rule:\n"
        "`rule NAME: what was seen; expected: what the rule wants`.\n"
        "Exit: 0 all kept, 1 failed or nobody came, 2 usage, 3 broken "
        "rules.\n");
}

static size_t
split (char *text, const char **out, size_t most)
{
    size_t n = 0;
    char *rest = NULL;
    for (char *word = strtok_r (text, ",", &rest); word && n < most;
         word = strtok_r (NULL, ",", &rest))
        out[n++] = word;
    return n;
}

static int
read_side (const char *text, conform_options_t *options)
{
    options->as_worker = strcmp (text, "worker") == 0;
    return options->as_worker || strcmp (text, "upstream") == 0 ? 0 : 2;
}

static int
read_option (int c, conform_options_t *options)
{
    switch (c) {
    case 'a':
        return read_side (optarg, options);
    case 'c':
        options->contract = optarg;
        return weft_contract_find (optarg) ? 0 : 2;
    case 's':
        options->sink = optarg;
        return 0;
    case 'o':
        options->n_outputs = split (optarg, options->outputs, CONFORM_OUTPUTS);
        return 0;
    case 'n':
        options->stage = optarg;
        return 0;
    case 'p':
        options->patience_ms = (int64_t)(strtod (optarg, NULL) * 1000);
        return options->patience_ms > 0 ? 0 : 2;
    case 'k':
        options->keys = optarg;
        return 0;
    case 'w':
        options->wait_ms = (int64_t)(strtod (optarg, NULL) * 1000);
        return options->wait_ms > 0 ? 0 : 2;
    default:
        return 2;
    }
}

//  -1 to go on, else an exit code.
static int
parse (int argc, char *argv[], conform_options_t *options)
{
    static const struct option longs[] = {
        { "as", required_argument, NULL, 'a' },
        { "contract", required_argument, NULL, 'c' },
        { "sink", required_argument, NULL, 's' },
        { "outputs", required_argument, NULL, 'o' },
        { "stage", required_argument, NULL, 'n' },
        { "wait", required_argument, NULL, 'w' },
        { "patience", required_argument, NULL, 'p' },
        { "keys", required_argument, NULL, 'k' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    for (int c; (c = getopt_long (argc, argv, "", longs, NULL)) != -1;) {
        if (c == 'h') {
            help (stdout);
            return 0;
        }
        if (read_option (c, options)) {
            help (stderr);
            return 2;
        }
    }
    if (optind == argc - 1)
        options->n_endpoints =
            split (argv[optind], options->endpoints, CONFORM_SEATS);
    bool whole = options->n_endpoints > 0 &&
                 (!options->as_worker || options->stage) &&
                 (options->sink != NULL) == (options->n_outputs > 0);
    if (!whole)
        help (stderr);
    return whole ? -1 : 2;
}

static void
close_all (conform_t *self)
{
    for (size_t i = 0; i < self->n_sinks; i++)
        conform_sink_destroy (&self->sinks[i]);
    for (size_t i = 0; i < self->n_seats; i++)
        conform_seat_destroy (&self->seats[i]);
    weft_mesh_destroy (&self->mesh);
}

static weft_mesh_t *
open_mesh (const conform_options_t *options)
{
    char why[512];
    weft_mesh_config_t config = { .largest = 64u << 20 };
    if (options->keys) {
        config.keys =
            weft_keys_load (options->keys, "operator", why, sizeof why);
        if (!config.keys) {
            fprintf (stderr, "weft conformance: %s\n", why);
            return NULL;
        }
    }
    weft_mesh_t *mesh = weft_mesh_new (&config);
    weft_keys_unref (&config.keys);
    return mesh;
}

static int
run (const conform_options_t *options)
{
    conform_t self = { .options = options, .step = "start" };
    weft_log_init ("weft", WEFT_ERROR);
    self.mesh = open_mesh (options);
    if (!self.mesh)
        return 1;
    self.now = self.last_turn = weft_time_ms ();
    int rc = options->as_worker ? conform_as_worker (&self)
                                : conform_as_upstream (&self);
    close_all (&self);
    if (rc == 0 && self.broken == 0)
        printf ("conformance: ok\n");
    return self.broken ? 3 : rc;
}

int
weft_cmd_conformance (int argc, char *argv[])
{
    conform_options_t options = { .wait_ms = 30000, .patience_ms = 20000 };
    int code = parse (argc, argv, &options);
    return code < 0 ? run (&options) : code;
}
