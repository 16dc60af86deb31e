//  weft tap - alerts as a stage has just finished them, without touching them.

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <unistd.h>

#include "commands.h"
#include "tap_places.h"
#include "weft_cli.h"
#include "weft_time.h"

enum { WAIT_MS = 100, FIND_MS = 2000 };

typedef struct {
    tap_wish_t wish;
    const char *redis;
    const char *keys;
    uint64_t n;       //  so many, then it ends; 0: for ever
    int64_t wait_ms;  //  for the next one
    bool json;
} options_t;

static void
help (FILE *out)
{
    fprintf (
        out,
        "usage: weft tap STAGE [--count N] [--every K | --rate R] [--json]\n"
        "                [--keys DIR] [--wait S] [--redis ADDR]\n\n"
        "Shows alerts as a stage has just finished them: the envelope and all\n"
        "sections, its own the last; of a last stage, as they came in. All\n"
        "processes of the stage in the registry are listened to. Nothing "
        "waits\n"
        "for this: what it is too slow for is dropped and counted at the end.\n"
        "\n"
        "  --count N    N alerts, then it ends (0: until Ctrl-C); also --n\n"
        "  --every K    one in K of each process\n"
        "  --rate R     at most R per second (5 without --every; 0: all)\n"
        "  --json       one object a line\n"
        "  --keys DIR   for encrypted links, by this folder's `operator` key\n"
        "  --wait S     ends with 1 if none comes for so long (30; 0: "
        "never)\n" WEFT_CLI_REDIS_HELP "\nStages in Python have no tap: they "
        "are not in the registry. Tap the\n"
        "stage before such a one. Exit: 0, 1 failed or nothing came, 2 "
        "usage.\n");
}

//  2 if a number is none, or out of range.
static int
read_number (const char *text, double most, double *out)
{
    char *end;
    *out = strtod (text, &end);
    return end != text && *end == '\0' && *out >= 0 && *out <= most ? 0 : 2;
}

static int
read_option (int c, options_t *self)
{
    double number = 0;
    int code = strchr ("nevw", c) ? read_number (optarg, 1e15, &number) : 0;
    if (c == 'n')
        self->n = (uint64_t)number;
    else if (c == 'e')
        self->wish.every = (uint64_t)number;
    else if (c == 'v')
        self->wish.rate = number;
    else if (c == 'w')
        self->wait_ms = (int64_t)(WEFT_MIN (number, 1e9) * 1000);
    else if (c == 'j')
        self->json = true;
    else if (c == 'k')
        self->keys = optarg;
    else if (c == 'r')
        self->redis = optarg;
    else
        return 2;
    return code || (c == 'e' && self->wish.every == 0) ? 2 : 0;
}

//  -1 to go on, else an exit code.
static int
parse (int argc, char *argv[], options_t *self)
{
    static const struct option longs[] = {
        { "count", required_argument, NULL, 'n' },
        { "n", required_argument, NULL, 'n' },
        { "every", required_argument, NULL, 'e' },
        { "rate", required_argument, NULL, 'v' },
        { "wait", required_argument, NULL, 'w' },
        { "json", no_argument, NULL, 'j' },
        { "keys", required_argument, NULL, 'k' },
        { "redis", required_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    self->wish.rate = -1;
    for (int c; (c = getopt_long (argc, argv, "", longs, NULL)) != -1;)
        if (c == 'h' || read_option (c, self))
            return help (c == 'h' ? stdout : stderr), c == 'h' ? 0 : 2;
    bool both = self->wish.every && self->wish.rate >= 0;
    if (self->wish.rate < 0)
        self->wish.rate = self->wish.every ? 0 : 5;
    if (optind != argc - 1 || both)
        return help (stderr), 2;
    self->wish.stage = argv[optind];
    return -1;
}

//  A section by its contract's names; of one that is not in proto/, its size.
static json_t *
section_json (weft_frame_t *frame)
{
    const void *data = weft_frame_data (frame);
    size_t size = weft_frame_size (frame);
    weft_str_t name = { NULL, 0 };
    char text[64] = "?";
    if (!weft_contract_name (data, size, &name))
        weft_str_copy (name, text, sizeof text);
    const weft_contract_t *contract = weft_contract_find (text);
    void *record = contract ? calloc (1, contract->size) : NULL;
    json_t *json = NULL;
    if (record && !weft_contract_decode (contract, record, data, size))
        json = weft_contract_json (contract, record);
    free (record);
    if (!json)
        json = json_pack ("{s:I}", "bytes", (json_int_t)size);
    if (json)
        json_object_set_new (json, "contract", json_string (text));
    return json;
}

//  Returns new: the text of one alert; NULL without memory.
static char *
alert_text (const options_t *self,
            const weft_alert_t *alert,
            uint64_t number,
            const char *process)
{
    json_t *sections = json_array ();
    for (size_t i = 1; i < weft_alert_frames (alert); i++)
        json_array_append_new (sections,
                               section_json (weft_alert_frame (alert, i)));
    json_t *json = json_pack (
        "{s:s, s:s, s:I, s:o, s:o}", "stage", self->wish.stage, "process",
        process, "number", (json_int_t)number, "envelope",
        weft_contract_json (&weft_envelope_v1, weft_alert_envelope (alert)),
        "sections", sections);
    char *text =
        json ? json_dumps (json, self->json ? JSON_COMPACT : JSON_INDENT (2))
             : NULL;
    json_decref (json);
    return text;
}

//  Writes piece by piece, as much as stdout takes without waiting, and reads on
//  in between: a slow reader costs samples, and nothing else.
static int
put (tap_places_t *places, const char *text, size_t size)
{
    while (size > 0) {
        if (!tap_places_turn (places, WAIT_MS, STDOUT_FILENO))
            continue;
        ssize_t n = write (STDOUT_FILENO, text, WEFT_MIN (size, PIPE_BUF));
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            return 1;
        text += WEFT_MAX (n, 0);
        size -= (size_t)WEFT_MAX (n, 0);
    }
    return 0;
}

//  Shows what is kept; counts it in *shown. Nonzero: it cannot be printed.
static int
show_all (const options_t *self, tap_places_t *places, uint64_t *shown)
{
    uint64_t number;
    const char *process;
    weft_alert_t *alert;
    while ((self->n == 0 || *shown < self->n) &&
           (alert = tap_places_next (places, &number, &process))) {
        char *text = alert_text (self, alert, number, process);
        weft_alert_unref (&alert);
        int code =
            !text || put (places, text, strlen (text)) || put (places, "\n", 1);
        free (text);
        if (code)
            return code;
        ++*shown;
    }
    return 0;
}

//  Until there were enough; looks for new processes now and then.
static int
watch (const options_t *self, tap_places_t *places, weft_redis_t *redis)
{
    int64_t last = weft_time_ms (), find = last + FIND_MS;
    char why[256];
    for (uint64_t shown = 0, before = 0; self->n == 0 || shown < self->n;) {
        if (show_all (self, places, &shown))
            return 1;
        int64_t now = weft_time_ms ();
        if (shown > before)
            last = now;
        before = shown;
        if (self->wait_ms && now - last > self->wait_ms) {
            fprintf (stderr, "weft tap: nothing came from %s for %lld s\n",
                     self->wish.stage, (long long)(self->wait_ms / 1000));
            return 1;
        }
        if (now > find) {
            find = now + FIND_MS;
            (void)!tap_places_find (places, redis, why, sizeof why);
        }
        (void)tap_places_turn (places, WAIT_MS, -1);
    }
    return 0;
}

static int
run (const options_t *self, weft_redis_t *redis)
{
    char why[256];
    tap_places_t *places = tap_places_new (&self->wish);
    if (!places)
        return 1;
    int code = 1;
    if (tap_places_find (places, redis, why, sizeof why))
        fprintf (stderr, "weft tap: %s\n", why);
    else
        code = watch (self, places, redis);
    if (tap_places_missed (places) > 0)
        fprintf (stderr,
                 "weft tap: %llu alerts of %zu processes were not shown: this "
                 "end was too slow\n",
                 (unsigned long long)tap_places_missed (places),
                 tap_places_count (places));
    tap_places_destroy (&places);
    return code;
}

int
weft_cmd_tap (int argc, char *argv[])
{
    options_t self = { .wait_ms = 30000 };
    char why[512];
    int code = parse (argc, argv, &self);
    if (code >= 0)
        return code;
    if (self.keys) {
        self.wish.keys =
            weft_keys_load (self.keys, "operator", why, sizeof why);
        if (!self.wish.keys) {
            fprintf (stderr, "weft tap: %s\n", why);
            return 1;
        }
    }
    weft_redis_t *redis = weft_cli_redis ("tap", self.redis, &code);
    if (redis)
        code = run (&self, redis);
    weft_redis_destroy (&redis);
    weft_keys_unref (&self.wish.keys);
    return code;
}
