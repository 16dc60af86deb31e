//  weft replay - a past night once more, in a namespace of its own.
//
//  Packets of a packet store, or files and archives that become one first, are
//  read in the order and with the pace in which they came. What they leave in
//  Redis goes into another database of the server than the live night's, and
//  their topic is a name of its own, so nothing of the live night is touched.
//  The work is ingest's: this command prepares it and becomes it.

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <libgen.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "replay_import.h"
#include "replay_namespace.h"
#include "weft_cli.h"
#include "weft_input.h"

extern char **environ;

enum { OUTPUTS_MOST = 16, PATH_MOST = 2048 };

typedef struct {
    const char *night;  //  number, or "all"
    const char *store, *rate, *redis, *bind, *data, *schemas, *http;
    const char *outputs[OUTPUTS_MOST];
    size_t n_outputs;
    bool resume;
    char address[512];  //  of Redis with its database
    char folder[PATH_MOST];
    char packets[PATH_MOST];
} replay_t;

static void
help (FILE *out)
{
    fprintf (
        out,
        "usage: weft replay NIGHT [--store DIR | PATH...] [--rate FACTOR]\n"
        "                   [--redis ADDR?db=N] [--bind HOST:PORT] [--output "
        "STAGE]...\n"
        "                   [--data DIR] [--schemas DIR] [--http HOST:PORT] "
        "[--resume]\n\n"
        "Reads a night's packets again, in the order and with the pace in "
        "which they\ncame, one after the other: each alert sees the history "
        "that the ones before it\nleft, so two replays give the same alerts. "
        "NIGHT is a number of the survey (one\nbelow zero behind all options "
        "and --), or `all`. Stages of their own take them,\nwith the same "
        "Redis database and the upstream of --bind.\n\n"
        "  --store DIR      a packet store (ingest's `packets` folder)\n"
        "  PATH             files, folders and tar archives instead: they are "
        "copied\n                   into a packet store in --data first; the "
        "pace is that of the\n                   observations\n"
        "  --rate FACTOR    0.1x to 1000x of the pace, or max (default 1x)\n"
        "  --redis ADDR     unix:/path?db=N or host:port?db=N, N from 1: it is "
        "emptied\n                   first, but for models, and must have held "
        "a replay or nothing\n                   (default: that of "
        "WEFT__REDIS__ADDRESS, else 127.0.0.1:6379,\n                   with "
        "?db=9)\n"
        "  --bind ADDR      where the stages connect to (default "
        "127.0.0.1:5660)\n"
        "  --output STAGE   who takes the alerts (default crossmatch)\n"
        "  --data DIR       for its own files (default ./replay-NIGHT)\n"
        "  --schemas DIR    schemas of Confluent-framed packets\n"
        "  --http ADDR      /metrics, /readyz (default: none)\n"
        "  --resume         goes on where a replay was stopped\n\n"
        "Exit: 0 all was read and has its outcome (`weft ledger`, `weft dlq` "
        "tell "
        "which),\n1 failed, or there is no packet of that night, 2 usage.\n");
}

static int
complain (const char *what, const char *value)
{
    fprintf (stderr, "weft replay: %s%s%s%s\n", what, value ? " '" : "",
             value ? value : "", value ? "'" : "");
    return 2;
}

//  "10x", "0.1" or "max" (0); false if it is none.
static bool
read_rate (const char *text, double *rate)
{
    char *end;
    *rate = 0;
    if (strcmp (text, "max") == 0)
        return true;
    *rate = strtod (text, &end);
    return end != text && (!*end || strcmp (end, "x") == 0) && *rate >= 0.1 &&
           *rate <= 1000;
}

static bool
is_night (const char *text)
{
    if (strcmp (text, "all") == 0)
        return true;
    text += *text == '-';
    return strlen (text) < 10 && *text && *text != '0' &&
           strspn (text, "0123456789") == strlen (text);
}

//  The address with a database that is not the live one; false if it is 0.
static bool
name_database (replay_t *self)
{
    const char *address = self->redis;
    if (!address)
        address = getenv ("WEFT__REDIS__ADDRESS");
    if (!address || !*address)
        address = "127.0.0.1:6379";
    const char *mark = strstr (address, "?db=");
    snprintf (self->address, sizeof self->address, "%s%s", address,
              mark ? "" : "?db=9");
    return !mark || strtol (mark + 4, NULL, 10) > 0;
}

//  Ours alone, and empty; an exit code.
static int
take_database (const replay_t *self)
{
    int code = 1;
    weft_redis_t *redis = weft_cli_redis ("replay", self->address, &code);
    if (!redis)
        return code;
    int rc = replay_namespace (redis, self->night, self->resume);
    code = rc == WEFT_EEXIST
               ? complain ("the database holds something that is no replay:",
                           self->address)
           : rc ? weft_cli_failed ("replay", self->address, rc)
                : 0;
    weft_redis_destroy (&redis);
    return code;
}

static json_t *
outputs_json (const replay_t *self)
{
    json_t *list = json_array ();
    for (size_t i = 0; i < self->n_outputs; i++)
        json_array_append_new (list, json_string (self->outputs[i]));
    return list;
}

//  Ingest's configuration; JSON is YAML.
static int
write_config (const replay_t *self, double rate, const char *path)
{
    char input[PATH_MOST + 64], name[64];
    bool all = strcmp (self->night, "all") == 0;
    snprintf (input, sizeof input, "packets:%s?night=%s&rate=%g", self->packets,
              all ? "0" : self->night, rate);
    snprintf (name, sizeof name, "replay-%s", self->night);
    json_t *json = json_pack (
        "{s:{s:s}, s:{s:s, s:o}, s:{s:s}, s:{s:s},"
        " s:{s:[s], s:s, s:s, s:s}}",
        "service", "data_dir", self->folder, "link", "bind", self->bind,
        "outputs", outputs_json (self), "redis", "address", self->address,
        "http", "address", self->http, "options", "inputs", input, "name", name,
        "store", "off", "schemas", self->schemas);
    int bad = json ? json_dump_file (json, path, JSON_INDENT (1)) : -1;
    json_decref (json);
    if (bad)
        fprintf (stderr, "weft replay: cannot write %s\n", path);
    return bad ? 1 : 0;
}

//  Options of the environment come before those of the file, and may be those of
//  the live mesh: only how to log in, and keys of links, are left.
static void
forget_live (void)
{
    static const char *const names[] = {
        "WEFT__SERVICE__",  "WEFT__REDIS__ADDRESS", "WEFT__REDIS__CLUSTER",
        "WEFT__LINK__BIND", "WEFT__LINK__OUTPUTS",  "WEFT__HTTP__",
        "WEFT__OPTIONS__",
    };
    for (char **at = environ; *at;) {
        char name[256];
        bool ours = false;
        size_t n = strcspn (*at, "=");
        for (size_t i = 0; i < WEFT_COUNT (names); i++)
            ours |= !strncmp (*at, names[i], strlen (names[i]));
        snprintf (name, sizeof name, "%.*s", (int)n, *at);
        //  The next one takes its place.
        if (!ours || n >= sizeof name || unsetenv (name))
            at++;
    }
}

//  The weft-ingest that lies beside this program.
static int
become_ingest (const char *config)
{
    char self[PATH_MOST], program[PATH_MOST + 32];
    ssize_t n = readlink ("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    snprintf (program, sizeof program, "%s/weft-ingest", dirname (self));
    char *argv[] = { program, "--config", (char *)(uintptr_t)config, NULL };
    fflush (NULL);
    forget_live ();
    execv (program, argv);
    fprintf (stderr, "weft replay: %s: %s\n", program, strerror (errno));
    return 1;
}

//  An exit code: a night that is not in the store is no empty night.
static int
has_packets (const replay_t *self)
{
    char folder[PATH_MOST + 64], why[WEFT_INPUT_WHY] = "";
    weft_message_t message;
    bool all = strcmp (self->night, "all") == 0;
    snprintf (folder, sizeof folder, "packets:%s?night=%s&rate=0",
              self->packets, all ? "0" : self->night);
    weft_input_t *input = weft_input_packets (folder, why);
    if (!input) {
        fprintf (stderr, "weft replay: %s\n", why);
        return 1;
    }
    int rc = input->next (input, &message);
    input->destroy (&input);
    if (rc == 1)
        return 0;
    fprintf (stderr, "weft replay: %s has no packet of night %s\n",
             self->packets, self->night);
    return 1;
}

static int
run (replay_t *self, double rate, int n_paths, char *paths[])
{
    char config[PATH_MOST + 32];
    if (self->data)
        snprintf (self->folder, sizeof self->folder, "%s", self->data);
    else
        snprintf (self->folder, sizeof self->folder, "replay-%s", self->night);
    if (mkdir (self->folder, 0750) && errno != EEXIST) {
        fprintf (stderr, "weft replay: %s: %s\n", self->folder,
                 strerror (errno));
        return 1;
    }
    snprintf (self->packets, sizeof self->packets, "%s%s",
              self->store ? self->store : self->folder,
              self->store ? "" : "/packets");
    int code =
        self->store || self->resume
            ? 0
            : replay_import (self->packets, self->schemas, n_paths, paths);
    if (!code)
        code = has_packets (self);
    if (!code)
        code = take_database (self);
    snprintf (config, sizeof config, "%s/ingest.yaml", self->folder);
    if (!code)
        code = write_config (self, rate, config);
    return code ? code : become_ingest (config);
}

static const struct option options[] = {
    { "store", required_argument, NULL, 's' },
    { "rate", required_argument, NULL, 'x' },
    { "redis", required_argument, NULL, 'r' },
    { "bind", required_argument, NULL, 'b' },
    { "output", required_argument, NULL, 'o' },
    { "data", required_argument, NULL, 'd' },
    { "schemas", required_argument, NULL, 'c' },
    { "http", required_argument, NULL, 'h' },
    { "resume", no_argument, NULL, 'g' },
    { "help", no_argument, NULL, '?' + 128 },
    { NULL, 0, NULL, 0 },
};

//  False: it is none of ours.
static bool
take_option (replay_t *self, int c)
{
    const char **texts[] = {
        ['s'] = &self->store,   ['x'] = &self->rate, ['r'] = &self->redis,
        ['b'] = &self->bind,    ['d'] = &self->data, ['h'] = &self->http,
        ['c'] = &self->schemas,
    };
    if (c == 'g')
        self->resume = true;
    else if (c == 'o' && self->n_outputs < OUTPUTS_MOST)
        self->outputs[self->n_outputs++] = optarg;
    else if (c > 0 && c < (int)WEFT_COUNT (texts) && texts[c])
        *texts[c] = optarg;
    else
        return false;
    return true;
}

int
weft_cmd_replay (int argc, char *argv[])
{
    replay_t self = {
        .rate = "1x", .bind = "127.0.0.1:5660", .http = "", .schemas = ""
    };
    double rate;
    for (int c; (c = getopt_long (argc, argv, "", options, NULL)) != -1;)
        if (!take_option (&self, c)) {
            help (c == '?' + 128 ? stdout : stderr);
            return c == '?' + 128 ? 0 : 2;
        }
    int n_paths = argc - optind - 1;
    if (n_paths < 0) {
        help (stderr);
        return 2;
    }
    self.night = argv[optind];
    if (self.store ? n_paths > 0 : n_paths < 1)
        return complain (self.store ? "say --store DIR or PATH, not both, for"
                                    : "say --store DIR or PATH for night",
                         self.night);
    if (!self.n_outputs)
        self.outputs[self.n_outputs++] = "crossmatch";
    if (!is_night (self.night))
        return complain ("expected a night's number or all, not", self.night);
    if (!read_rate (self.rate, &rate))
        return complain ("expected a rate of 0.1x to 1000x, or max, not",
                         self.rate);
    if (!name_database (&self))
        return complain ("database 0 is the live night's:", self.redis);
    return run (&self, rate, n_paths, argv + optind + 1);
}
