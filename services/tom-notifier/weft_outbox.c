//  weft_outbox.c - what is to be sent, kept on disk until it is.

#include <sqlite3.h>
#include <sys/file.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weft_log.h"
#include "weft_outbox.h"
#include "weft_outbox_sql.h"

#define BUSY_MS 500      //  how long another writer is waited for
#define PRUNE_LOOK 2000  //  rows that one prune looks at
#define BODY_MOST 4096   //  bytes kept of a sink's answer

struct weft_outbox {
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    bool changing;
    char said[160];  //  the error that was told, "" when it is over
    int64_t data_version;
    int64_t pruned_to;  //  prune has looked at the rows up to this id
};

bool
weft_outbox_lock (const char *path)
{
    //  The lock belongs to the process and ends with it; a reload makes a new
    //  notifier in the same process, which must find itself the owner.
    static int held = -1;
    static char held_path[1024];
    char lock_path[1024];
    if (snprintf (lock_path, sizeof lock_path, "%s.lock", path) >=
        (int)sizeof lock_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    if (held >= 0 && !strcmp (held_path, lock_path))
        return true;
    int fd = open (lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    if (flock (fd, LOCK_EX | LOCK_NB)) {
        int why = errno;
        close (fd);
        errno = why;
        return false;
    }
    if (held >= 0)
        close (held);  //  the configuration names another outbox now
    held = fd;
    memcpy (held_path, lock_path, sizeof held_path);
    return true;
}

const char *
weft_row_state_text (weft_row_state_t state)
{
    static const char *const texts[] = { "queued", "inflight", "verify",
                                         "done",   "dead",     "skipped" };
    return state < WEFT_COUNT (texts) ? texts[state] : "?";
}

struct sqlite3 *
weft_outbox_db (weft_outbox_t *self)
{
    return self->db;
}

static int
prepare_all (weft_outbox_t *self)
{
    for (int i = 0; i < STATEMENTS; i++)
        if (sqlite3_prepare_v3 (self->db, sql_of[i], -1,
                                SQLITE_PREPARE_PERSISTENT, &self->statements[i],
                                NULL))
            return WEFT_EDOWN;
    return 0;
}

static int
read_version (weft_outbox_t *self, int *version)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2 (self->db, "PRAGMA user_version", -1, &statement,
                            NULL))
        return WEFT_EDOWN;
    int rc = sqlite3_step (statement) == SQLITE_ROW ? 0 : WEFT_EDOWN;
    if (!rc)
        *version = sqlite3_column_int (statement, 0);
    sqlite3_finalize (statement);
    return rc;
}

static int
exec (weft_outbox_t *self, const char *sql)
{
    return sqlite3_exec (self->db, sql, NULL, NULL, NULL) ? WEFT_EDOWN : 0;
}

//  Makes the tables, or those of an earlier version into them: whole or not at
//  all.
static int
make_tables (weft_outbox_t *self)
{
    int version = 0;
    int rc = exec (self, "BEGIN IMMEDIATE");
    rc = rc ? rc : read_version (self, &version);
    if (!rc && version > VERSION)
        rc = WEFT_ECONFIG;
    if (!rc && version == 1)
        rc = exec (self, set_aside);
    rc = rc ? rc : exec (self, schema);
    if (!rc && version == 1)
        rc = exec (self, bring_over);
    rc = rc ? rc : exec (self, "PRAGMA user_version=2; COMMIT");
    return rc;
}

static int
set_up (weft_outbox_t *self, const char *path)
{
    int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2 (path, &self->db, flags, NULL))
        return WEFT_EDOWN;
    sqlite3_busy_timeout (self->db, BUSY_MS);
    int rc = exec (self, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                         "PRAGMA journal_size_limit=67108864;"
                         "PRAGMA cache_size=-2000;"
                         "PRAGMA wal_autocheckpoint=1000;"
                         "PRAGMA secure_delete=OFF;");
    rc = rc ? rc : make_tables (self);
    rc = rc ? rc
            : exec (self, "UPDATE outbox SET state = 'verify'"
                          " WHERE state = 'inflight' AND " UNFINISHED);
    return rc ? rc : prepare_all (self);
}

int
weft_outbox_open (weft_outbox_t **out, const char *path, char *why, size_t room)
{
    *out = NULL;
    weft_outbox_t *self = calloc (1, sizeof *self);
    if (!self)
        return WEFT_ENOMEM;
    int rc = set_up (self, path);
    if (!rc) {
        *out = self;
        return 0;
    }
    snprintf (why, room, "outbox %s: %s", path,
              rc == WEFT_ECONFIG ? "made by a later version"
                                 : sqlite3_errmsg (self->db));
    weft_outbox_close (&self);
    return rc;
}

void
weft_outbox_close (weft_outbox_t **self_p)
{
    weft_outbox_t *self = *self_p;
    if (!self)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize (self->statements[i]);
    sqlite3_close (self->db);
    free (self);
    *self_p = NULL;
}

//  Busy and locked pass by themselves; the rest waits for somebody.
static int
error_of (int code)
{
    code &= 0xff;
    return code == SQLITE_BUSY || code == SQLITE_LOCKED ? WEFT_EAGAIN
                                                        : WEFT_EDOWN;
}

//  Runs a statement that gives no rows.
static int
run (weft_outbox_t *self, int which)
{
    sqlite3_stmt *statement = self->statements[which];
    int code = sqlite3_step (statement);
    sqlite3_reset (statement);
    return code == SQLITE_DONE ? 0 : error_of (code);
}

int
weft_outbox_begin (weft_outbox_t *self)
{
    assert (!self->changing);
    int rc = run (self, BEGIN);
    self->changing = !rc;
    return rc;
}

void
weft_outbox_rollback (weft_outbox_t *self)
{
    //  SQLite may have rolled back already; then there is nothing to do.
    if (!sqlite3_get_autocommit (self->db) && run (self, ROLLBACK))
        weft_log (WEFT_ERROR, "OUTBOX-ROLLBACK", "%s",
                  weft_outbox_error (self));
    self->changing = false;
}

//  Told once, not at each try.
static void
tell (weft_outbox_t *self)
{
    char text[sizeof self->said];
    snprintf (text, sizeof text, "%s", weft_outbox_error (self));
    if (!strcmp (text, self->said))
        return;
    memcpy (self->said, text, sizeof text);
    weft_log (WEFT_WARN, "OUTBOX-ERROR",
              "%s: %s; alerts wait, nothing is lost, and it is tried again: "
              "is there room on that disk, and may it be written to?",
              sqlite3_db_filename (self->db, "main"), text);
}

//  An error ends the transaction: what was half done is undone.
static int
checked (weft_outbox_t *self, int rc)
{
    if (rc) {
        tell (self);
        if (self->changing)
            weft_outbox_rollback (self);
    }
    return rc;
}

int
weft_outbox_commit (weft_outbox_t *self)
{
    assert (self->changing);
    int rc = checked (self, run (self, COMMIT));
    self->changing = false;
    if (!rc && *self->said) {
        weft_log (WEFT_INFO, "OUTBOX-WELL", "it is over: %s", self->said);
        *self->said = 0;
    }
    return rc;
}

bool
weft_outbox_changing (const weft_outbox_t *self)
{
    return self->changing;
}

int
weft_outbox_add (weft_outbox_t *self,
                 const char *sink,
                 weft_row_state_t state,
                 const weft_row_t *row,
                 int64_t *id)
{
    assert (self->changing);
    sqlite3_stmt *add = self->statements[ADD];
    sqlite3_bind_text (add, 1, sink, -1, SQLITE_STATIC);
    sqlite3_bind_text (add, 2, row->key, -1, SQLITE_STATIC);
    sqlite3_bind_text (add, 3, row->object, -1, SQLITE_STATIC);
    sqlite3_bind_text (add, 4, row->payload, (int)row->payload_size,
                       SQLITE_STATIC);
    sqlite3_bind_text (add, 5, weft_row_state_text (state), -1, SQLITE_STATIC);
    sqlite3_bind_int (add, 6, state == WEFT_ROW_INFLIGHT);
    sqlite3_bind_double (add, 7, row->created);
    sqlite3_bind_int64 (add, 8, row->alert_id);
    int rc = checked (self, run (self, ADD));
    *id = !rc && sqlite3_changes (self->db) > 0
              ? sqlite3_last_insert_rowid (self->db)
              : 0;
    return rc;
}

int
weft_outbox_move (weft_outbox_t *self,
                  int64_t id,
                  weft_row_state_t state,
                  double now,
                  double next_at,
                  int status,
                  const char *body)
{
    assert (self->changing);
    sqlite3_stmt *move = self->statements[MOVE];
    size_t size = body ? strlen (body) : 0;
    sqlite3_bind_int64 (move, 1, id);
    sqlite3_bind_text (move, 2, weft_row_state_text (state), -1, SQLITE_STATIC);
    sqlite3_bind_double (move, 3, now);
    sqlite3_bind_double (move, 4, next_at);
    sqlite3_bind_int (move, 5, state == WEFT_ROW_INFLIGHT);
    sqlite3_bind_int (move, 6, status);
    sqlite3_bind_text (move, 7, body, (int)WEFT_MIN (size, BODY_MOST),
                       SQLITE_STATIC);
    return checked (self, run (self, MOVE));
}

int
weft_outbox_forgive (weft_outbox_t *self, int64_t id)
{
    assert (self->changing);
    sqlite3_bind_int64 (self->statements[FORGIVE], 1, id);
    return checked (self, run (self, FORGIVE));
}

int
weft_outbox_list (weft_outbox_t *self,
                  const char *sink,
                  weft_row_state_t state,
                  double now,
                  uint32_t most,
                  void (*each) (void *arg, const weft_row_t *),
                  void *arg)
{
    sqlite3_stmt *list = self->statements[LIST];
    sqlite3_bind_text (list, 1, sink, -1, SQLITE_STATIC);
    sqlite3_bind_text (list, 2, weft_row_state_text (state), -1, SQLITE_STATIC);
    sqlite3_bind_double (list, 3, now);
    sqlite3_bind_int64 (list, 4, most);
    int code;
    while ((code = sqlite3_step (list)) == SQLITE_ROW) {
        weft_row_t row = {
            .id = sqlite3_column_int64 (list, 0),
            .key = (const char *)sqlite3_column_text (list, 1),
            .object = (const char *)sqlite3_column_text (list, 2),
            .payload = (const char *)sqlite3_column_text (list, 3),
            .payload_size = (size_t)sqlite3_column_bytes (list, 3),
            .attempts = (uint32_t)sqlite3_column_int (list, 4),
            .created = sqlite3_column_double (list, 5),
        };
        each (arg, &row);
    }
    sqlite3_reset (list);
    return code == SQLITE_DONE ? 0 : checked (self, error_of (code));
}

bool
weft_outbox_changed (weft_outbox_t *self)
{
    sqlite3_stmt *changed = self->statements[CHANGED];
    int64_t version = self->data_version;
    if (sqlite3_step (changed) == SQLITE_ROW)
        version = sqlite3_column_int64 (changed, 0);
    sqlite3_reset (changed);
    bool other = version != self->data_version;
    self->data_version = version;
    return other;
}

int
weft_outbox_waiting (weft_outbox_t *self, const char *sink, int64_t *n)
{
    sqlite3_stmt *waiting = self->statements[WAITING];
    sqlite3_bind_text (waiting, 1, sink, -1, SQLITE_STATIC);
    int code = sqlite3_step (waiting);
    *n = code == SQLITE_ROW ? sqlite3_column_int64 (waiting, 0) : 0;
    sqlite3_reset (waiting);
    return code == SQLITE_ROW ? 0 : checked (self, error_of (code));
}

int
weft_outbox_oldest (weft_outbox_t *self, const char *sink, double *created)
{
    sqlite3_stmt *oldest = self->statements[OLDEST];
    *created = 0;
    for (int state = WEFT_ROW_QUEUED; state <= WEFT_ROW_VERIFY; state++) {
        sqlite3_bind_text (oldest, 1, sink, -1, SQLITE_STATIC);
        sqlite3_bind_text (oldest, 2,
                           weft_row_state_text ((weft_row_state_t)state), -1,
                           SQLITE_STATIC);
        int code = sqlite3_step (oldest);
        double found =
            code == SQLITE_ROW ? sqlite3_column_double (oldest, 0) : 0;
        sqlite3_reset (oldest);
        if (code != SQLITE_ROW && code != SQLITE_DONE)
            return checked (self, error_of (code));
        if (found > 0 && (*created == 0 || found < *created))
            *created = found;
    }
    return 0;
}

static int
read_last (weft_outbox_t *self, int64_t *last)
{
    sqlite3_stmt *statement = self->statements[LAST];
    int code = sqlite3_step (statement);
    *last = code == SQLITE_ROW ? sqlite3_column_int64 (statement, 0) : 0;
    sqlite3_reset (statement);
    return code == SQLITE_ROW ? 0 : error_of (code);
}

//  The first row behind `id`; *next is 0 if there is none.
static int
read_next (weft_outbox_t *self, int64_t id, int64_t *next, double *created)
{
    sqlite3_stmt *statement = self->statements[NEXT];
    sqlite3_bind_int64 (statement, 1, id);
    int code = sqlite3_step (statement);
    bool found = code == SQLITE_ROW;
    *next = found ? sqlite3_column_int64 (statement, 0) : 0;
    *created = found ? sqlite3_column_double (statement, 1) : 0;
    sqlite3_reset (statement);
    return found || code == SQLITE_DONE ? 0 : error_of (code);
}

//  Deletes among the rows behind `from`. Ids and times grow together, so the
//  first row that is too young ends the search.
static int
prune_behind (weft_outbox_t *self, int64_t from, double before, int64_t surplus)
{
    sqlite3_stmt *prune = self->statements[PRUNE];
    sqlite3_bind_int64 (prune, 1, from);
    sqlite3_bind_int64 (prune, 2, PRUNE_LOOK);
    sqlite3_bind_double (prune, 3, before);
    sqlite3_bind_int64 (prune, 4, surplus);
    return run (self, PRUNE);
}

int
weft_outbox_prune (weft_outbox_t *self,
                   double before,
                   int64_t most,
                   uint32_t *deleted)
{
    int64_t last, next = 0;
    double created = 0;
    *deleted = 0;
    int rc = read_last (self, &last);
    if (!rc)
        rc = read_next (self, self->pruned_to, &next, &created);
    if (rc)
        return checked (self, rc);
    //  Ids grow with the rows, so the newest `most` rows are above this one
    //  and nothing needs counting.
    int64_t surplus = last - most;
    if (next == 0 || (next > surplus && created >= before)) {
        self->pruned_to = 0;  //  from the oldest again, next time
        return 0;
    }
    rc = checked (self, prune_behind (self, next - 1, before, surplus));
    if (rc)
        return rc;
    *deleted = (uint32_t)sqlite3_changes (self->db);
    self->pruned_to = next - 1 + PRUNE_LOOK;
    return 0;
}

const char *
weft_outbox_error (const weft_outbox_t *self)
{
    return sqlite3_errmsg (self->db);
}
