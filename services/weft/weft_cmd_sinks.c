//  weft sinks - what waits in the notifier's outbox, and what is dead there.

#include <getopt.h>
#include <jansson.h>
#include <sqlite3.h>

#include "commands.h"
#include "notifier_place.h"
#include "weft_cli.h"
#include "weft_time.h"

#define BUSY_MS 10000

typedef struct {
    notifier_place_t place;
    sqlite3 *db;
    bool all;
    const char *state;
    int64_t limit;
} sinks_t;

static void
help (FILE *out)
{
    fprintf (
        out,
        "usage: weft sinks [ls] [--json]\n"
        "       weft sinks rows SINK [--state STATE] [--limit N] [--json]\n"
        "       weft sinks retry SINK (KEY... | --all)\n\n"
        "The notifier's outbox: what is to be sent to each sink, and how far "
        "it got.\n\n"
        "  ls         rows of each sink by state\n"
        "  rows       the newest rows, with the sink's last answer (default: "
        "dead ones)\n"
        "  retry      puts dead rows back: they are sent again, with the same "
        "key\n\n"
        "  --state STATE  queued, inflight, verify, done, dead or skipped\n"
        "  --limit N      at most so many (default 20)\n"
        "  --all          every dead row of the sink\n"
        "  --json         for programs\n" NOTIFIER_PLACE_HELP
            WEFT_CLI_REDIS_HELP
        "\nExit: 0 ok, 1 failed, 2 usage, 3 some keys were no dead rows.\n");
}

static int
failed (const sinks_t *self)
{
    fprintf (stderr, "weft sinks: %s: %s\n", self->place.path,
             self->db ? sqlite3_errmsg (self->db) : "no memory");
    return 1;
}

static int
open_outbox (sinks_t *self, int flags)
{
    int code = notifier_place_find (&self->place, "sinks");
    if (code)
        return code;
    if (sqlite3_open_v2 (self->place.path, &self->db, flags, NULL))
        return failed (self);
    sqlite3_busy_timeout (self->db, BUSY_MS);
    return 0;
}

static const char *
column (sqlite3_stmt *row, int at)
{
    const char *text = (const char *)sqlite3_column_text (row, at);
    return text ? text : "";
}

//  One row as JSON: names from the statement.
static json_t *
row_json (sqlite3_stmt *row)
{
    json_t *out = json_object ();
    for (int i = 0; i < sqlite3_column_count (row); i++) {
        int type = sqlite3_column_type (row, i);
        json_t *value = type == SQLITE_INTEGER
                            ? json_integer (sqlite3_column_int64 (row, i))
                        : type == SQLITE_FLOAT
                            ? json_real (sqlite3_column_double (row, i))
                        : type == SQLITE_TEXT ? json_string (column (row, i))
                                              : json_null ();
        json_object_set_new (out, sqlite3_column_name (row, i),
                             value ? value : json_null ());
    }
    return out;
}

//  Prints all rows of a statement, and ends it; `none` tells people that there
//  was no row.
static int
print (sinks_t *self,
       sqlite3_stmt *rows,
       void (*line) (sqlite3_stmt *row),
       const char *none)
{
    json_t *list = json_array ();
    int code, n = 0;
    for (; (code = sqlite3_step (rows)) == SQLITE_ROW; n++)
        if (self->place.json)
            json_array_append_new (list, row_json (rows));
        else
            line (rows);
    sqlite3_finalize (rows);
    if (code != SQLITE_DONE) {
        json_decref (list);
        return failed (self);
    }
    if (self->place.json)
        return weft_cli_print (list, JSON_INDENT (1));
    json_decref (list);
    if (n == 0)
        fprintf (stderr, "weft sinks: %s\n", none);
    return 0;
}

static void
print_sink (sqlite3_stmt *row)
{
    char when[40];
    weft_time_iso (sqlite3_column_double (row, 3), when, sizeof when);
    printf ("%-20s %-10s %10lld  %s %10lld\n", column (row, 0), column (row, 1),
            (long long)sqlite3_column_int64 (row, 2), when,
            (long long)sqlite3_column_int64 (row, 4));
}

static int
list (sinks_t *self)
{
    sqlite3_stmt *rows;
    int code = open_outbox (self, SQLITE_OPEN_READONLY);
    if (code)
        return code;
    if (sqlite3_prepare_v2 (
            self->db,
            "SELECT sink, state, count(*) AS rows, min(created) AS oldest,"
            " sum(max(attempts - 1, 0)) AS resent FROM outbox"
            " GROUP BY sink, state ORDER BY sink, state",
            -1, &rows, NULL))
        return failed (self);
    if (!self->place.json)
        printf ("%-20s %-10s %10s  %-24s %10s\n", "sink", "state", "rows",
                "oldest", "resent");
    return print (self, rows, print_sink, "the outbox is empty");
}

static void
print_row (sqlite3_stmt *row)
{
    char when[40];
    weft_time_iso (sqlite3_column_double (row, 5), when, sizeof when);
    printf ("%s %-8s %3lld tries, %3lld %.60s  %s\n", when, column (row, 1),
            (long long)sqlite3_column_int64 (row, 2),
            (long long)sqlite3_column_int64 (row, 3), column (row, 4),
            column (row, 0));
}

//  A misspelt name must not look like a sink that is well.
static int
is_sink (sinks_t *self, const char *sink)
{
    sqlite3_stmt *row;
    if (sqlite3_prepare_v2 (self->db,
                            "SELECT 1 FROM outbox WHERE sink = ?1 LIMIT 1", -1,
                            &row, NULL))
        return failed (self);
    sqlite3_bind_text (row, 1, sink, -1, SQLITE_STATIC);
    int code = sqlite3_step (row);
    sqlite3_finalize (row);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return failed (self);
    if (code == SQLITE_DONE)
        fprintf (stderr,
                 "weft sinks: the outbox has no row of a sink %s; weft sinks "
                 "lists those it has\n",
                 sink);
    return code == SQLITE_ROW ? 0 : 3;
}

static int
show_rows (sinks_t *self, const char *sink)
{
    sqlite3_stmt *rows;
    int code = open_outbox (self, SQLITE_OPEN_READONLY);
    if (code)
        return code;
    if (sqlite3_prepare_v2 (
            self->db,
            "SELECT key, state, attempts, last_status, last_body, updated,"
            " created, next_at FROM outbox WHERE sink = ?1 AND state = ?2"
            " ORDER BY id DESC LIMIT ?3",
            -1, &rows, NULL))
        return failed (self);
    code = is_sink (self, sink);
    if (code) {
        sqlite3_finalize (rows);
        return code;
    }
    sqlite3_bind_text (rows, 1, sink, -1, SQLITE_STATIC);
    sqlite3_bind_text (rows, 2, self->state ? self->state : "dead", -1,
                       SQLITE_STATIC);
    sqlite3_bind_int64 (rows, 3, self->limit);
    return print (self, rows, print_row,
                  "the sink has no row of that state (dead, unless --state "
                  "names another)");
}

//  Puts one dead row back, or all (key NULL). Returns how many, -1: failed.
static int
put_back (sinks_t *self, const char *sink, const char *key)
{
    sqlite3_stmt *update;
    if (sqlite3_prepare_v2 (self->db,
                            "UPDATE outbox SET state = 'queued', attempts = 0,"
                            " next_at = 0, updated = ?3 WHERE sink = ?1"
                            " AND state = 'dead' AND (?2 IS NULL OR key = ?2)",
                            -1, &update, NULL))
        return -1;
    sqlite3_bind_text (update, 1, sink, -1, SQLITE_STATIC);
    sqlite3_bind_text (update, 2, key, -1, SQLITE_STATIC);
    sqlite3_bind_double (update, 3, weft_time_utc ());
    int code = sqlite3_step (update);
    sqlite3_finalize (update);
    return code == SQLITE_DONE ? sqlite3_changes (self->db) : -1;
}

static int
retry (sinks_t *self, const char *sink, char *const keys[], int n)
{
    int code = open_outbox (self, SQLITE_OPEN_READWRITE), back = 0;
    for (int i = 0; i < (self->all ? 1 : n) && code != 1 && code != 2; i++) {
        int moved = put_back (self, sink, self->all ? NULL : keys[i]);
        if (moved < 0)
            return failed (self);
        if (moved == 0 && !self->all) {
            fprintf (stderr, "weft sinks: no dead row %s\n", keys[i]);
            code = 3;
        }
        back += moved;
    }
    if (code == 0 || code == 3)
        printf ("%d rows are sent again\n", back);
    return code;
}

static bool
is_state (const char *text)
{
    static const char *const states[] = { "queued", "inflight", "verify",
                                          "done",   "dead",     "skipped" };
    for (size_t i = 0; i < WEFT_COUNT (states); i++)
        if (!strcmp (text, states[i]))
            return true;
    return false;
}

static int
usage (FILE *out)
{
    help (out);
    return out == stdout ? 0 : 2;
}

static int
run (sinks_t *self, char *const argv[], int left)
{
    const char *what = left > 0 ? argv[0] : "ls";
    if (!strcmp (what, "ls") && left <= 1)
        return list (self);
    if (!strcmp (what, "rows") && left == 2)
        return show_rows (self, argv[1]);
    if (!strcmp (what, "retry") && left >= 2 && self->all == (left == 2))
        return retry (self, argv[1], argv + 2, left - 2);
    return usage (stderr);
}

int
weft_cmd_sinks (int argc, char *argv[])
{
    static const struct option options[] = {
        { "all", no_argument, NULL, 'a' },
        { "json", no_argument, NULL, 'j' },
        { "limit", required_argument, NULL, 'l' },
        { "outbox", required_argument, NULL, 'o' },
        { "redis", required_argument, NULL, 'r' },
        { "state", required_argument, NULL, 's' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    static sinks_t self = { .limit = 20 };
    for (int c; (c = getopt_long (argc, argv, "", options, NULL)) != -1;) {
        if (c == 'a')
            self.all = true;
        else if (c == 'j')
            self.place.json = true;
        else if (c == 'l' && (self.limit = strtoll (optarg, NULL, 10)) > 0)
            continue;
        else if (c == 'o')
            self.place.outbox = optarg;
        else if (c == 'r')
            self.place.redis = optarg;
        else if (c == 's' && is_state (optarg))
            self.state = optarg;
        else
            return usage (c == 'h' ? stdout : stderr);
    }
    int code = run (&self, argv + optind, argc - optind);
    sqlite3_close (self.db);
    return code;
}
