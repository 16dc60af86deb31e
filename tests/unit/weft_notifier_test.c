//  The notifier: every key reaches the file exactly once, whatever dies.

#include "unit/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "unit/notifier_alert.h"
#include "unit/notifier_folder.h"
#include "weft_effect.h"
#include "weft_golden.h"
#include "weft_log.h"
#include "weft_notifier.h"
#include "weft_outbox.h"
#include "weft_sink.h"
#include "weft_time.h"

//  Two filters, two sinks: everything to "all", the likely ones to both.
typedef struct {
    weft_condition_option_t conditions[2];
    weft_filter_option_t filters[2];
    weft_sink_option_t sinks[2];
    char *names[3];
    char all[160], some[160];
    weft_notifier_options_t options;
    weft_notifier_place_t place;
} config_t;

static void
configure (config_t *c)
{
    snprintf (c->all, sizeof c->all, "%s", path_in ("all.jsonl"));
    snprintf (c->some, sizeof c->some, "%s", path_in ("some.jsonl"));
    c->names[0] = (char *)"all";
    c->names[1] = (char *)"all";
    c->names[2] = (char *)"some";
    c->conditions[0] =
        (weft_condition_option_t){ (char *)"always", (char *)"1" };
    c->conditions[1] =
        (weft_condition_option_t){ (char *)"odd", (char *)"alert_id % 2" };
    c->filters[0] = (weft_filter_option_t){ (char *)"everything",
                                            (char *)"me",
                                            { &c->names[0], 1 },
                                            { &c->conditions[0], 1 } };
    c->filters[1] = (weft_filter_option_t){ (char *)"odd",
                                            (char *)"me",
                                            { &c->names[1], 2 },
                                            { &c->conditions[1], 1 } };
    c->sinks[0] = jsonl_option ("all", c->all);
    c->sinks[1] = jsonl_option ("some", c->some);
    c->options = (weft_notifier_options_t){
        .outbox = (char *)"",
        .keep_days = 30,
        .keep_rows = 1000000,
        .budget = 100000,
        .strikes = 3,
        .filters = { c->filters, 2 },
        .sinks = { c->sinks, 2 },
    };
    c->place = (weft_notifier_place_t){ .data_dir = folder };
}

static weft_notifier_t *
start (const config_t *c)
{
    char why[400] = "";
    weft_notifier_t *self;
    int rc = weft_notifier_new (&self, &c->options, &c->place, why, sizeof why);
    if (rc)
        fail_msg ("%s", why);
    return self;
}

static weft_alert_t *
alert_of (int64_t id)
{
    alert_spec_t spec = {
        .id = id, .rows = 8, .ra = 10, .dec = 20, .drb = 0.9f, .p_ia = 0.8f
    };
    return make_full_alert (&spec);
}

//  Evaluates and commits alerts [first, first + n).
static int
process (weft_notifier_t *self, int64_t first, uint32_t n)
{
    weft_alert_t *alerts[64] = { NULL };
    weft_buf_t effects[64] = { { 0 } };
    for (uint32_t i = 0; i < n; i++) {
        alerts[i] = alert_of (first + i);
        weft_buf_init (&effects[i], 1 << 20);
        int rc = weft_notifier_evaluate (self, alerts[i], &effects[i]);
        if (rc)
            fail_msg ("evaluate: %s", weft_error_text (rc));
    }
    int rc = weft_notifier_commit (self, (const weft_alert_t *const *)alerts,
                                   effects, n);
    for (uint32_t i = 0; i < n; i++) {
        weft_alert_unref (&alerts[i]);
        weft_buf_fini (&effects[i]);
    }
    return rc;
}

//  Reads a file of lines; counts[id] is raised for each line's alert_id if its
//  filter is the one asked for (NULL: any). Returns the lines, -1 if one is
//  broken.
static long
count_lines (const char *path, const char *filter, int *counts, int64_t most)
{
    FILE *file = fopen (path, "r");
    if (!file)
        return errno == ENOENT ? 0 : -1;
    char *line = NULL;
    size_t room = 0;
    long lines = 0;
    ssize_t size;
    while (lines >= 0 && (size = getline (&line, &room, file)) > 0) {
        json_t *json = json_loadb (line, (size_t)size, 0, NULL);
        const char *id = json_string_value (json_object_get (json, "alert_id"));
        const char *name = json_string_value (json_object_get (json, "filter"));
        if (!id || !name || line[size - 1] != '\n') {
            lines = -1;
        } else {
            lines++;
            int64_t n = strtoll (id, NULL, 10);
            if (n >= 0 && n < most && (!filter || !strcmp (filter, name)))
                counts[n]++;
        }
        json_decref (json);
    }
    free (line);
    fclose (file);
    return lines;
}

static void
each_key_is_there_once (int64_t n)
{
    int *counts = calloc ((size_t)n, sizeof *counts);
    assert_true (count_lines (path_in ("all.jsonl"), "everything", counts, n) >=
                 0);
    for (int64_t i = 0; i < n; i++)
        if (counts[i] != 1)
            fail_msg ("all: alert %lld is there %d times", (long long)i,
                      counts[i]);
    memset (counts, 0, (size_t)n * sizeof *counts);
    assert_true (count_lines (path_in ("some.jsonl"), "odd", counts, n) >= 0);
    for (int64_t i = 0; i < n; i++)
        if (counts[i] != i % 2)
            fail_msg ("some: alert %lld is there %d times", (long long)i,
                      counts[i]);
    free (counts);
}

static int64_t
number_of (const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal (sqlite3_open (path_in ("outbox.db"), &db), 0);
    assert_int_equal (sqlite3_prepare_v2 (db, sql, -1, &statement, NULL), 0);
    assert_int_equal (sqlite3_step (statement), SQLITE_ROW);
    int64_t n = sqlite3_column_int64 (statement, 0);
    sqlite3_finalize (statement);
    sqlite3_close (db);
    return n;
}

static void
change_by_hand (const char *sql)
{
    sqlite3 *db;
    assert_int_equal (sqlite3_open (path_in ("outbox.db"), &db), 0);
    sqlite3_busy_timeout (db, 10000);
    assert_int_equal (sqlite3_exec (db, sql, NULL, NULL, NULL), 0);
    sqlite3_close (db);
}

//  Logs into a file from here on; returns what stderr was.
static int
log_to (const char *path)
{
    fflush (stderr);
    int file = open (path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    int before = dup (STDERR_FILENO);
    assert_true (file >= 0 && before >= 0);
    assert_true (dup2 (file, STDERR_FILENO) >= 0);
    close (file);
    weft_log_set_level (WEFT_WARN);
    return before;
}

//  Ends that; returns how often `id` was logged.
static int
logged (int before, const char *path, const char *id)
{
    weft_log_set_level (WEFT_ERROR);
    assert_true (dup2 (before, STDERR_FILENO) >= 0);
    close (before);
    FILE *file = fopen (path, "r");
    assert_non_null (file);
    char line[4096];
    int n = 0;
    while (fgets (line, sizeof line, file))
        n += strstr (line, id) != NULL;
    fclose (file);
    return n;
}

static int64_t
rows_in (const char *state)
{
    char sql[100];
    snprintf (sql, sizeof sql, "SELECT count(*) FROM outbox WHERE state = '%s'",
              state);
    return number_of (sql);
}

static void
an_alert_is_in_the_file_when_commit_returns (void **state)
{
    (void)state;
    config_t c;
    configure (&c);
    weft_notifier_t *self = start (&c);
    assert_true (weft_notifier_owner (self));
    assert_int_equal (process (self, 0, 10), 0);
    each_key_is_there_once (10);
    assert_int_equal (process (self, 0, 10), 0);  //  redelivered
    assert_int_equal (process (self, 10, 1), 0);
    each_key_is_there_once (11);
    weft_notifier_destroy (&self);
    assert_int_equal (rows_in ("done"), 11 + 2 * 5);
}

static void
the_payload_says_what_people_need (void **state)
{
    (void)state;
    config_t c;
    configure (&c);
    weft_notifier_t *self = start (&c);
    assert_int_equal (process (self, 7, 1), 0);
    weft_notifier_destroy (&self);
    json_t *json = json_load_file (path_in ("some.jsonl"), 0, NULL);
    assert_non_null (json);
    const char *key = json_string_value (json_object_get (json, "key"));
    assert_string_equal (key, "ztf/ZTF187/odd/7");
    assert_string_equal (json_string_value (json_object_get (json, "filter")),
                         "odd");
    assert_non_null (json_object_get (json, "passed_at"));
    assert_true (json_is_number (json_object_get (json, "latency_s")));
    json_t *score = json_array_get (json_object_get (json, "scores"), 0);
    assert_string_equal (json_string_value (json_object_get (score, "class")),
                         "SN Ia");
    assert_int_equal (json_array_size (json_object_get (json, "scores")), 1);
    json_t *match = json_array_get (json_object_get (json, "matches"), 0);
    assert_true (json_real_value (json_object_get (match, "sep")) == 3.5);
    json_t *mag = json_array_get (json_object_get (json, "mags"), 0);
    assert_string_equal (json_string_value (json_object_get (mag, "kind")),
                         "D");
    assert_true (json_is_number (json_object_get (mag, "mag")));
    json_t *name = json_array_get (json_object_get (json, "names"), 0);
    assert_string_equal (json_string_value (json_object_get (name, "id")),
                         "2026abc");
    json_decref (json);
}

//  What the killed child and its parent share.
typedef struct {
    volatile int64_t settled;  //  alerts below this are settled upstream
    volatile int turns;        //  of the child that runs
} shared_t;

//  A child that takes alerts until it is killed; redelivers some.
static void
run_until_killed (shared_t *shared, unsigned seed)
{
    config_t c;
    configure (&c);
    weft_notifier_t *self = start (&c);
    for (;;) {
        uint32_t n = (uint32_t)(rand_r (&seed) % 32) + 1;
        int64_t back = rand_r (&seed) % 4 ? 0 : rand_r (&seed) % 8;
        int64_t first = WEFT_MAX (0, shared->settled - back);
        if (!process (self, first, n) && first + n > shared->settled)
            shared->settled = first + n;
        shared->turns++;
        if (rand_r (&seed) % 3 == 0)
            weft_notifier_beat (self, weft_time_ms ());
    }
}

static void
nothing_is_lost_or_doubled_by_kill_9 (void **state)
{
    (void)state;
    shared_t *shared = mmap (NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true (shared != MAP_FAILED);
    shared->settled = 0;
    unsigned seed = 20260301;
    for (int round = 0; round < 80; round++) {
        shared->turns = 0;
        pid_t child = fork ();
        assert_true (child >= 0);
        if (child == 0)
            run_until_killed (shared, seed + (unsigned)round);
        //  Some die while they start, most in the middle of their work.
        struct timespec tick = { 0, 1000000 };
        while (round % 4 > 0 && shared->turns < 3)
            nanosleep (&tick, NULL);
        struct timespec rest = { 0, (rand_r (&seed) % 30000) * 1000L };
        nanosleep (&rest, NULL);
        kill (child, SIGKILL);
        int status;
        assert_int_equal (waitpid (child, &status, 0), child);
        assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
    }
    config_t c;
    configure (&c);
    weft_notifier_t *self = start (&c);
    //  What the last one had in hand comes again, then everything is sent.
    int64_t settled = shared->settled;
    assert_true (settled > 100);
    for (int64_t k = 0; k < 32; k++)
        while (process (self, settled + k, 1))
            ;
    for (int k = 0; k < 100; k++)
        weft_notifier_beat (self, weft_time_ms () + k * 1000);
    weft_notifier_destroy (&self);
    each_key_is_there_once (settled + 32);
    assert_int_equal (
        rows_in ("verify") + rows_in ("inflight") + rows_in ("queued"), 0);
    munmap (shared, sizeof *shared);
}

static void
beat_until (weft_notifier_t *self, const char *state, int64_t rows)
{
    for (int i = 0; i < 60000 && rows_in (state) != rows; i++) {
        weft_notifier_beat (self, weft_time_ms ());
        struct timespec pause = { 0, 2000000 };
        nanosleep (&pause, NULL);
    }
    assert_int_equal (rows_in (state), rows);
}

static void
a_sink_that_is_down_keeps_only_its_own_rows (void **state)
{
    (void)state;
    config_t c;
    configure (&c);
    snprintf (c.some, sizeof c.some, "%s", path_in ("later/x.jsonl"));
    weft_notifier_t *self = start (&c);
    assert_int_equal (process (self, 0, 20), 0);
    assert_int_equal (process (self, 20, 20), 0);
    int counts[40] = { 0 };
    assert_int_equal (count_lines (c.all, "everything", counts, 40), 60);
    assert_int_equal (rows_in ("queued") + rows_in ("inflight"), 20 + 30);
    weft_notifier_beat (self, weft_time_ms ());
    assert_int_equal (rows_in ("queued") + rows_in ("inflight"), 20);
    assert_int_equal (mkdir (path_in ("later"), 0755), 0);
    beat_until (self, "done", 80);
    assert_int_equal (process (self, 40, 1), 0);
    memset (counts, 0, sizeof counts);
    assert_int_equal (count_lines (c.some, NULL, counts, 40), 20);
    weft_notifier_destroy (&self);
}

static void
a_full_disk_settles_nothing_and_loses_nothing (void **state)
{
    (void)state;
    pid_t child = fork ();
    if (child == 0) {
        config_t c;
        configure (&c);
        signal (SIGXFSZ, SIG_IGN);
        weft_notifier_t *self = start (&c);
        struct rlimit limit = { 200000, RLIM_INFINITY };
        int64_t next = 0;
        int rc = setrlimit (RLIMIT_FSIZE, &limit);
        while (!rc && next < 2000)
            if (!(rc = process (self, next, 10)))
                next += 10;
        if (rc != WEFT_EDOWN || next == 0)
            _exit (1);
        weft_notifier_beat (self, weft_time_ms ());
        if (process (self, next, 10) != WEFT_EDOWN)
            _exit (2);
        limit.rlim_cur = RLIM_INFINITY;
        if (setrlimit (RLIMIT_FSIZE, &limit) || process (self, next, 10))
            _exit (3);
        //  Those that the sink could not take meanwhile.
        for (int i = 0; i < 60000; i++) {
            weft_notifier_beat (self, weft_time_ms ());
            usleep (2000);
            if (i % 20 == 0 && rows_in ("queued") + rows_in ("inflight") +
                                       rows_in ("verify") ==
                                   0)
                break;
        }
        weft_notifier_destroy (&self);
        each_key_is_there_once (next + 10);
        _exit (0);
    }
    int status;
    assert_int_equal (waitpid (child, &status, 0), child);
    assert_true (WIFEXITED (status));
    assert_int_equal (WEXITSTATUS (status), 0);
}

static void
a_standby_takes_over_when_the_owner_dies (void **state)
{
    (void)state;
    config_t c;
    configure (&c);
    int ready[2];
    assert_int_equal (pipe (ready), 0);
    pid_t child = fork ();
    if (child == 0) {
        weft_notifier_t *first = start (&c);
        if (process (first, 0, 10) || write (ready[1], "x", 1) != 1)
            _exit (1);
        for (;;)
            pause ();
    }
    char byte;
    assert_int_equal (read (ready[0], &byte, 1), 1);
    char why[100] = "";
    weft_notifier_t *self = start (&c);
    weft_notifier_beat (self, weft_time_ms ());
    assert_false (weft_notifier_owner (self));
    assert_false (weft_notifier_ready (self, why, sizeof why));
    assert_string_equal (why, "another instance owns the outbox");
    assert_int_equal (process (self, 10, 1), WEFT_EAGAIN);
    kill (child, SIGKILL);
    assert_int_equal (waitpid (child, NULL, 0), child);
    weft_notifier_beat (self, weft_time_ms ());
    assert_true (weft_notifier_owner (self));
    assert_int_equal (process (self, 8, 6), 0);
    weft_notifier_beat (self, weft_time_ms ());
    weft_notifier_beat (self, weft_time_ms ());
    weft_notifier_destroy (&self);
    each_key_is_there_once (14);
    close (ready[0]);
    close (ready[1]);
}

//  What the outbox' version was when taking over began and when it ended.
static void
note_version (const void *arg, bool loading)
{
    int64_t *versions = *(int64_t *const *)arg;
    versions[loading ? 0 : 1] = number_of ("PRAGMA user_version");
    versions[2] += loading ? 1 : -1;
}

//  An outbox of an earlier version may take longer than the watchdog waits.
static void
taking_over_says_that_it_loads (void **state)
{
    (void)state;
    config_t c;
    configure (&c);
    int64_t versions[3] = { 0 }, *place = versions;
    c.place.loading = note_version;
    c.place.arg = &place;
    change_by_hand (
        "CREATE TABLE outbox (id INTEGER PRIMARY KEY, sink TEXT NOT NULL,"
        " key TEXT NOT NULL, object_id TEXT NOT NULL,"
        " payload_json TEXT NOT NULL, state TEXT NOT NULL,"
        " attempts INTEGER NOT NULL DEFAULT 0,"
        " next_at REAL NOT NULL DEFAULT 0, last_status INTEGER,"
        " last_body TEXT, created REAL NOT NULL, updated REAL NOT NULL,"
        " alert_id INTEGER NOT NULL, UNIQUE (alert_id, sink, key));"
        "CREATE INDEX outbox_unfinished ON outbox (sink, state, id);"
        "PRAGMA user_version=2;");
    weft_notifier_t *self = start (&c);
    assert_true (weft_notifier_owner (self));
    assert_int_equal (versions[0], 2);
    assert_int_equal (versions[1], 3);
    assert_int_equal (versions[2], 0);
    weft_notifier_destroy (&self);
}

static void
a_reload_is_whole_or_not_at_all (void **state)
{
    (void)state;
    config_t c;
    configure (&c);
    char why[400] = "";
    weft_notifier_t *self = start (&c);
    char version[20];
    snprintf (version, sizeof version, "%s", weft_notifier_version (self));
    assert_int_equal (process (self, 0, 4), 0);
    c.conditions[1].sql = (char *)"alert_id % 2 AND nosuch > 1";
    assert_int_equal (weft_notifier_reload (self, &c.options, why, sizeof why),
                      WEFT_ECONFIG);
    assert_string_equal (
        why, "filter \"odd\", condition \"odd\": no such column: nosuch");
    assert_string_equal (weft_notifier_version (self), version);
    assert_int_equal (process (self, 4, 4), 0);
    each_key_is_there_once (8);
    c.conditions[1].sql = (char *)"0";
    assert_int_equal (weft_notifier_reload (self, &c.options, why, sizeof why),
                      0);
    assert_string_not_equal (weft_notifier_version (self), version);
    assert_int_equal (process (self, 8, 4), 0);
    int counts[12] = { 0 };
    assert_int_equal (count_lines (c.some, NULL, counts, 12), 4);
    c.names[1] = (char *)"nowhere";
    assert_int_equal (weft_notifier_reload (self, &c.options, why, sizeof why),
                      WEFT_ECONFIG);
    assert_string_equal (why, "filter \"odd\": there is no sink \"nowhere\"");
    weft_notifier_destroy (&self);
}

static void
a_reload_amid_a_backlog_leaves_no_row_behind (void **state)
{
    (void)state;
    config_t c;
    configure (&c);
    char why[400] = "";
    c.options.paused = true;
    weft_notifier_t *self = start (&c);
    for (int64_t i = 0; i < 60; i++)
        assert_int_equal (process (self, i * 60, 60), 0);
    c.options.paused = false;
    assert_int_equal (weft_notifier_reload (self, &c.options, why, sizeof why),
                      0);
    assert_int_equal (process (self, 3600, 1), 0);
    assert_int_equal (weft_notifier_reload (self, &c.options, why, sizeof why),
                      0);
    beat_until (self, "done", 2 * 3600 + 1);
    weft_notifier_destroy (&self);
    each_key_is_there_once (3601);
}

static void
modes_and_the_kill_switch_send_nothing (void **state)
{
    (void)state;
    config_t c;
    configure (&c);
    c.sinks[0].mode = (char *)"dry_run";
    c.options.paused = true;
    weft_notifier_t *self = start (&c);
    assert_int_equal (process (self, 0, 10), 0);
    weft_notifier_beat (self, weft_time_ms ());
    assert_int_equal (rows_in ("skipped"), 15);
    assert_int_equal (rows_in ("queued"), 5);
    int counts[10] = { 0 };
    assert_int_equal (count_lines (c.all, NULL, counts, 10), 0);
    assert_int_equal (count_lines (c.some, NULL, counts, 10), 0);
    char why[400];
    c.options.paused = false;
    assert_int_equal (weft_notifier_reload (self, &c.options, why, sizeof why),
                      0);
    beat_until (self, "done", 5);
    assert_int_equal (count_lines (c.some, NULL, counts, 10), 5);
    weft_notifier_destroy (&self);
}

//  Rows in flight that are changed by hand: what the sinks took is done all the
//  same, a row that was only called in flight is not, and both sinks go on.
static void
rows_in_flight_may_be_changed_by_hand (void **state)
{
    (void)state;
    config_t c;
    configure (&c);
    char why[400] = "";
    c.options.paused = true;
    weft_notifier_t *self = start (&c);
    assert_int_equal (process (self, 1, 9), 0);
    change_by_hand ("UPDATE outbox SET state = 'skipped' WHERE id ="
                    " (SELECT min(id) + 3 FROM outbox WHERE sink = 'all')");
    c.options.paused = false;
    assert_int_equal (weft_notifier_reload (self, &c.options, why, sizeof why),
                      0);
    assert_int_equal (process (self, 10, 1), 0);
    assert_int_equal (rows_in ("inflight"), 9 + 5 - 1 + 5 + 1);
    change_by_hand ("UPDATE outbox SET state = 'inflight'"
                    " WHERE state = 'skipped';"
                    "UPDATE outbox SET state = 'queued' WHERE id ="
                    " (SELECT min(id) FROM outbox WHERE sink = 'some');"
                    "UPDATE outbox SET state = 'done' WHERE id ="
                    " (SELECT max(id) FROM outbox WHERE sink = 'some')");
    int before = log_to (path_in ("log"));
    for (int i = 0; i < 3; i++)
        weft_notifier_beat (self, weft_time_ms ());
    assert_int_equal (logged (before, path_in ("log"), "OUTBOX-RUN"), 2);
    assert_int_equal (rows_in ("inflight"), 1);
    assert_int_equal (rows_in ("done"), 9 + 5 - 1 + 5 + 1);
    //  No row is left behind by a wrong count.
    assert_int_equal (process (self, 11, 1), 0);
    weft_notifier_beat (self, weft_time_ms ());
    weft_notifier_beat (self, weft_time_ms ());
    assert_int_equal (rows_in ("queued"), 0);
    assert_int_equal (rows_in ("done"), 9 + 5 - 1 + 5 + 1 + 3);
    weft_notifier_destroy (&self);
    int counts[12] = { 0 };
    assert_int_equal (count_lines (c.some, NULL, counts, 12), 5 + 1);
    assert_int_equal (count_lines (c.all, NULL, counts, 12), 9 + 5 - 1 + 1 + 2);
    for (int i = 1; i < 12; i++)
        assert_int_equal (counts[i], i == 2 ? 0 : i % 2 ? 3 : 1);
}

//  A row whose text the file has lost is dead, and told of once; no other row
//  waits for it, nor does another sink.
static void
a_row_that_has_lost_its_text_is_dead (void **state)
{
    (void)state;
    config_t c;
    configure (&c);
    char why[400] = "";
    c.options.paused = true;
    weft_notifier_t *self = start (&c);
    for (int64_t i = 0; i < 6; i++)
        assert_int_equal (process (self, 2 * i, 1), 0);
    assert_int_equal (rows_in ("queued"), 6);
    change_by_hand ("DELETE FROM texts WHERE last IN (1, 4)");
    c.options.paused = false;
    int before = log_to (path_in ("log"));
    assert_int_equal (weft_notifier_reload (self, &c.options, why, sizeof why),
                      0);
    for (int i = 0; i < 5; i++)
        weft_notifier_beat (self, weft_time_ms ());
    int rc = process (self, 13, 1);
    assert_int_equal (logged (before, path_in ("log"), "OUTBOX-TEXT"), 2);
    assert_int_equal (rc, 0);
    weft_notifier_destroy (&self);
    assert_int_equal (
        number_of ("SELECT count(*) FROM outbox WHERE id IN (1, 4)"
                   " AND state = 'dead' AND attempts = 0"
                   " AND last_body = 'lost its text'"),
        2);
    assert_int_equal (rows_in ("done"), 4 + 3);
    int counts[14] = { 0 };
    assert_int_equal (count_lines (c.all, "everything", counts, 14), 4 + 2);
    assert_int_equal (counts[0] + counts[6], 0);
}

static void
wrong_options_are_named (void **state)
{
    (void)state;
    static const struct {
        const char *kind, *mode, *path, *why;
    } cases[] = {
        { "smoke", "live", "x",
          "sink \"all\": kind \"smoke\": jsonl or webhook is expected" },
        { "jsonl", "on", "x",
          "sink \"all\": mode \"on\": off, dry_run or live is expected" },
        { "jsonl", "live", "", "sink \"all\": a path is expected" },
        { "webhook", "live", "", "sink \"all\": url or url_file is expected" },
    };
    for (size_t i = 0; i < WEFT_COUNT (cases); i++) {
        config_t c;
        configure (&c);
        c.sinks[0] = jsonl_option ("all", cases[i].path);
        c.sinks[0].kind = (char *)(uintptr_t)cases[i].kind;
        c.sinks[0].mode = (char *)(uintptr_t)cases[i].mode;
        char why[400] = "";
        weft_notifier_t *self;
        assert_int_equal (
            weft_notifier_new (&self, &c.options, &c.place, why, sizeof why),
            WEFT_ECONFIG);
        assert_string_equal (why, cases[i].why);
    }
}

static void
the_golden_alert_passes_the_function (void **state)
{
    (void)state;
    config_t c;
    configure (&c);
    c.place.isolated = true;
    weft_notifier_t *self = start (&c);
    weft_alert_t *golden = weft_golden_alert ();
    assert_non_null (golden);
    weft_buf_t effect;
    weft_buf_init (&effect, 1 << 20);
    assert_int_equal (weft_notifier_evaluate (self, golden, &effect), 0);
    assert_true (effect.size > 0);
    //  Every cut of an effect is refused, not read beyond.
    for (size_t n = 1; n < effect.size; n++) {
        weft_effect_t it;
        weft_effect_pass_t pass;
        weft_effect_miss_t miss;
        uint8_t *copy = malloc (n);
        memcpy (copy, effect.data, n);
        int rc = weft_effect_open (&it, copy, n);
        while (!rc)
            rc = weft_effect_pass (&it, &pass);
        if (rc == WEFT_EABSENT)
            rc = 0;
        while (!rc)
            rc = weft_effect_miss (&it, &miss);
        assert_int_not_equal (rc, 0);
        free (copy);
    }
    weft_buf_fini (&effect);
    weft_alert_unref (&golden);
    weft_notifier_destroy (&self);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER (an_alert_is_in_the_file_when_commit_returns),
        IN_FOLDER (the_payload_says_what_people_need),
        IN_FOLDER (nothing_is_lost_or_doubled_by_kill_9),
        IN_FOLDER (a_sink_that_is_down_keeps_only_its_own_rows),
        IN_FOLDER (a_full_disk_settles_nothing_and_loses_nothing),
        IN_FOLDER (a_standby_takes_over_when_the_owner_dies),
        IN_FOLDER (taking_over_says_that_it_loads),
        IN_FOLDER (a_reload_is_whole_or_not_at_all),
        IN_FOLDER (a_reload_amid_a_backlog_leaves_no_row_behind),
        IN_FOLDER (modes_and_the_kill_switch_send_nothing),
        IN_FOLDER (rows_in_flight_may_be_changed_by_hand),
        IN_FOLDER (a_row_that_has_lost_its_text_is_dead),
        IN_FOLDER (wrong_options_are_named),
        IN_FOLDER (the_golden_alert_passes_the_function),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
