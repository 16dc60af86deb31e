//  weft object - what is known of an object, and rows moved between objects.

#include <getopt.h>
#include <jansson.h>
#include <math.h>

#include "commands.h"
#include "object_move.h"
#include "weft_cli.h"
#include "weft_survey.h"

enum { KEYS_MOST = 4096 };

typedef struct {
    const char *address, *reason;
    bool rows;
    weft_redis_t *redis, *bulk;
} object_cmd_t;

static void
help (FILE *out)
{
    fprintf (
        out,
        "usage: weft object show SURVEY OBJECT [--rows]\n"
        "       weft object merge SURVEY FROM INTO [--reason TEXT]\n"
        "       weft object split SURVEY OBJECT NEW ID... [--reason TEXT]\n\n"
        "The history of an object, as ingest keeps it in Redis.\n\n"
        "  show    how many rows of which kind, from when to when, its bytes, "
        "and what\n          has left it (tombstones)\n"
        "  merge   moves all rows of FROM into INTO, which has some, versions "
        "kept; an event\n          `merged`\n"
        "  split   moves the detections with these ids into NEW; an event "
        "`reassociated`\n          of each\n\n"
        "What has moved leaves a tombstone: a copy of it in a later packet "
        "stays away,\na later version of it comes back. Running it again does "
        "no harm.\n\n"
        "  --rows         show: every row\n"
        "  --reason TEXT  for the event\n" WEFT_CLI_REDIS_HELP
        "\nExit: 0 ok, 1 failed, 2 usage, 3 there is no such history.\n");
}

static json_t *
number (double value)
{
    return isfinite (value) ? json_real (value) : json_null ();
}

static json_t *
row_json (const weft_point_t *row)
{
    static const char *const kinds[] = { "?", "D", "L", "F" };
    char id[24];
    snprintf (id, sizeof id, "%lld", (long long)row->id);
    return json_pack ("{s:s, s:s, s:o, s:i, s:o, s:o, s:i, s:i, s:b, s:i}",
                      "kind", kinds[row->kind & 3], "id", id, "mjd",
                      number (row->mjd), "band", row->band, "flux",
                      number ((double)row->flux), "err",
                      number ((double)row->err), "flags", (int)row->flags,
                      "program", row->prog, "tombstone",
                      weft_is_tombstone (row), "known_at", (int)row->known_at);
}

static int
show (object_cmd_t *self, int argc, char *argv[])
{
    object_t object;
    if (argc != 2)
        return 2;
    int rc = object_open (&object, self->bulk, argv[0], argv[1]);
    if (rc)
        return weft_cli_failed ("object", "cannot read the history", rc);
    const weft_curve_t *curve = object_curve (&object);
    if (!curve->n) {
        object_close (&object);
        fprintf (stderr, "weft object: there is no history of %s %s\n", argv[0],
                 argv[1]);
        return 3;
    }
    size_t kinds[4] = { 0 }, stones = 0;
    double first = NAN, last = NAN;
    json_t *rows = json_array ();
    for (size_t i = 0; i < curve->n; i++) {
        const weft_point_t *row = &curve->rows[i];
        stones += weft_is_tombstone (row);
        kinds[row->kind & 3] += !weft_is_tombstone (row);
        first = row->mjd > first ? first : row->mjd;
        last = row->mjd < last ? last : row->mjd;
        if (self->rows)
            json_array_append_new (rows, row_json (row));
    }
    json_t *json = json_pack (
        "{s:s, s:s, s:I, s:I, s:I, s:I, s:o, s:o, s:I}", "survey", argv[0],
        "object_id", argv[1], "detections", (json_int_t)kinds[1], "limits",
        (json_int_t)kinds[2], "forced", (json_int_t)kinds[3], "tombstones",
        (json_int_t)stones, "first_mjd", number (first), "last_mjd",
        number (last), "bytes", (json_int_t)object_bytes (&object));
    if (self->rows)
        json_object_set (json, "rows", rows);
    json_decref (rows);
    object_close (&object);
    return weft_cli_print (json, JSON_INDENT (2));
}

//  Ids as text; false with the first that is none.
static bool
read_keys (int n, char *texts[], int64_t *keys)
{
    for (int i = 0; i < n; i++) {
        char *end;
        keys[i] = strtoll (texts[i], &end, 10);
        if (end == texts[i] || *end) {
            fprintf (stderr, "weft object: '%s' is no id\n", texts[i]);
            return false;
        }
    }
    return true;
}

static bool
is_known (object_cmd_t *self, const char *survey, const char *id)
{
    object_t object;
    if (object_open (&object, self->bulk, survey, id))
        return true;  //  what is wrong is said by the move
    bool known = object_curve (&object)->n > 0;
    object_close (&object);
    return known;
}

static int
move (object_cmd_t *self, bool all, int argc, char *argv[])
{
    static int64_t keys[KEYS_MOST];
    size_t moved = 0;
    if (argc < (all ? 3 : 4) || argc > (all ? 3 : KEYS_MOST) ||
        strcmp (argv[1], argv[2]) == 0 || !read_keys (argc - 3, argv + 3, keys))
        return 2;
    const object_move_t order = { .redis = self->redis,
                                  .bulk = self->bulk,
                                  .survey = argv[0],
                                  .from = argv[1],
                                  .into = argv[2],
                                  .keys = keys,
                                  .n_keys = (size_t)(argc - 3),
                                  .all = all,
                                  .reason = self->reason };
    if (strlen (argv[2]) > WEFT_OBJECT_ID_MOST || strpbrk (argv[2], " \t\n:")) {
        fprintf (stderr,
                 "weft object: '%.60s' is no object id: %d bytes at most, "
                 "without spaces and colons\n",
                 argv[2], WEFT_OBJECT_ID_MOST);
        return 1;
    }
    if (all && !is_known (self, argv[0], argv[2])) {
        fprintf (stderr,
                 "weft object: %s %s has no history that rows could be merged "
                 "into; `split` moves detections into a new object\n",
                 argv[0], argv[2]);
        return 3;
    }
    int rc = object_move (&order, &moved);
    if (rc)
        return weft_cli_failed ("object", "cannot move the rows", rc);
    printf ("%zu rows moved from %s into %s\n", moved, argv[1], argv[2]);
    return moved ? 0 : 3;
}

static int
run (object_cmd_t *self, int argc, char *argv[])
{
    int code = 2;
    self->redis = weft_cli_redis ("object", self->address, &code);
    self->bulk = self->redis
                     ? weft_cli_redis_bulk ("object", self->address, &code)
                     : NULL;
    if (self->bulk && strcmp (argv[0], "show") == 0)
        code = show (self, argc - 1, argv + 1);
    else if (self->bulk && strcmp (argv[0], "merge") == 0)
        code = move (self, true, argc - 1, argv + 1);
    else if (self->bulk && strcmp (argv[0], "split") == 0)
        code = move (self, false, argc - 1, argv + 1);
    else if (self->bulk)
        code = 2;
    if (code == 2)
        help (stderr);
    weft_redis_destroy (&self->bulk);
    weft_redis_destroy (&self->redis);
    return code;
}

int
weft_cmd_object (int argc, char *argv[])
{
    static const struct option options[] = {
        { "rows", no_argument, NULL, 'w' },
        { "reason", required_argument, NULL, 't' },
        { "redis", required_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    object_cmd_t self = { .reason = "an operator said so" };
    for (int c; (c = getopt_long (argc, argv, "", options, NULL)) != -1;) {
        if (c == 'w')
            self.rows = true;
        else if (c == 't')
            self.reason = optarg;
        else if (c == 'r')
            self.address = optarg;
        else {
            help (c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : 2;
        }
    }
    if (argc - optind < 3) {
        help (stderr);
        return 2;
    }
    return run (&self, argc - optind, argv + optind);
}
