//  weft_outbox.c - what is to be sent, kept on disk until it is.

#include "weft_log.h"
#include "weft_outbox_parts.h"

#define BODY_MOST 4096      //  bytes kept of a sink's answer
#define TEXTS (128u << 10)  //  bytes that one row of `texts` aims at

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

//  Busy and locked pass by themselves; the rest waits for somebody.
int
weft_outbox_error_of (int code)
{
    code &= 0xff;
    return code == SQLITE_BUSY || code == SQLITE_LOCKED ? WEFT_EAGAIN
                                                        : WEFT_EDOWN;
}

int
weft_outbox_run (weft_outbox_t *self, int which)
{
    sqlite3_stmt *statement = self->statements[which];
    int code = sqlite3_step (statement);
    sqlite3_reset (statement);
    return code == SQLITE_DONE ? 0 : weft_outbox_error_of (code);
}

int
weft_outbox_number (weft_outbox_t *self, int which, int64_t *out)
{
    sqlite3_stmt *statement = self->statements[which];
    int code = sqlite3_step (statement);
    *out = code == SQLITE_ROW ? sqlite3_column_int64 (statement, 0) : 0;
    sqlite3_reset (statement);
    return code == SQLITE_ROW ? 0 : weft_outbox_error_of (code);
}

static void
clear_texts (weft_outbox_t *self)
{
    weft_buf_clear (&self->texts);
    self->texts_first = 0;
}

int
weft_outbox_begin (weft_outbox_t *self)
{
    assert (!self->changing);
    int rc = weft_outbox_run (self, WEFT_OUTBOX_BEGIN);
    self->changing = !rc;
    clear_texts (self);
    return rc;
}

void
weft_outbox_rollback (weft_outbox_t *self)
{
    //  SQLite may have rolled back already; then there is nothing to do.
    if (!sqlite3_get_autocommit (self->db) &&
        weft_outbox_run (self, WEFT_OUTBOX_ROLLBACK))
        weft_log (WEFT_ERROR, "OUTBOX-ROLLBACK", "%s",
                  weft_outbox_error (self));
    self->changing = false;
    clear_texts (self);
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

int
weft_outbox_checked (weft_outbox_t *self, int rc)
{
    if (rc) {
        tell (self);
        if (self->changing)
            weft_outbox_rollback (self);
    }
    return rc;
}

//  Writes the texts of the rows that were added.
static int
add_texts (weft_outbox_t *self)
{
    sqlite3_stmt *add = self->statements[WEFT_OUTBOX_ADD_TEXTS];
    if (self->texts.error || self->texts_first == 0)
        return self->texts.error;
    sqlite3_bind_int64 (add, 1, self->next_id - 1);
    sqlite3_bind_int64 (add, 2, self->texts_first);
    sqlite3_bind_blob64 (add, 3, self->texts.data, self->texts.size,
                         SQLITE_STATIC);
    int rc = weft_outbox_run (self, WEFT_OUTBOX_ADD_TEXTS);
    sqlite3_clear_bindings (add);
    clear_texts (self);
    return rc;
}

int
weft_outbox_commit (weft_outbox_t *self)
{
    assert (self->changing);
    int rc = weft_outbox_checked (self, add_texts (self));
    rc = rc ? rc
            : weft_outbox_checked (self,
                                   weft_outbox_run (self, WEFT_OUTBOX_COMMIT));
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

//  A row is new: its text is written with those of its neighbours.
static int
keep_text (weft_outbox_t *self, const weft_row_t *row, int64_t *id)
{
    if (self->texts_first == 0)
        self->texts_first = self->next_id;
    weft_buf_add (&self->texts, row->payload, row->payload_size);
    *id = self->next_id++;
    return self->texts.size < TEXTS ? self->texts.error : add_texts (self);
}

int
weft_outbox_add (weft_outbox_t *self,
                 const char *sink,
                 weft_row_state_t state,
                 const weft_row_t *row,
                 int64_t *id)
{
    assert (self->changing);
    sqlite3_stmt *add = self->statements[WEFT_OUTBOX_ADD];
    *id = 0;
    sqlite3_bind_int64 (add, 1, self->next_id);
    sqlite3_bind_text (add, 2, sink, -1, SQLITE_STATIC);
    sqlite3_bind_text (add, 3, row->key, -1, SQLITE_STATIC);
    sqlite3_bind_text (add, 4, row->object, -1, SQLITE_STATIC);
    sqlite3_bind_text (add, 5, weft_row_state_text (state), -1, SQLITE_STATIC);
    sqlite3_bind_int (add, 6, state == WEFT_ROW_INFLIGHT);
    sqlite3_bind_double (add, 7, row->created);
    sqlite3_bind_int64 (add, 8, row->alert_id);
    sqlite3_bind_int64 (add, 9, (int64_t)self->texts.size);
    sqlite3_bind_int64 (add, 10, (int64_t)row->payload_size);
    int rc = weft_outbox_run (self, WEFT_OUTBOX_ADD);
    if (!rc && sqlite3_changes (self->db) > 0)
        rc = keep_text (self, row, id);
    return weft_outbox_checked (self, rc);
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
    sqlite3_stmt *move = self->statements[WEFT_OUTBOX_MOVE];
    size_t size = body ? strlen (body) : 0;
    sqlite3_bind_int64 (move, 1, id);
    sqlite3_bind_text (move, 2, weft_row_state_text (state), -1, SQLITE_STATIC);
    sqlite3_bind_double (move, 3, now);
    sqlite3_bind_double (move, 4, next_at);
    sqlite3_bind_int (move, 5, state == WEFT_ROW_INFLIGHT);
    sqlite3_bind_int (move, 6, status);
    sqlite3_bind_text (move, 7, body, (int)WEFT_MIN (size, BODY_MOST),
                       SQLITE_STATIC);
    return weft_outbox_checked (self, weft_outbox_run (self, WEFT_OUTBOX_MOVE));
}

int
weft_outbox_move_run (weft_outbox_t *self,
                      const char *sink,
                      const weft_run_t *from,
                      weft_row_state_t state,
                      double now)
{
    assert (self->changing);
    sqlite3_stmt *move = self->statements[WEFT_OUTBOX_MOVE_RUN];
    sqlite3_bind_text (move, 1, sink, -1, SQLITE_STATIC);
    sqlite3_bind_text (move, 2, weft_row_state_text (from->state), -1,
                       SQLITE_STATIC);
    sqlite3_bind_double (move, 3, now);
    sqlite3_bind_int64 (move, 4, from->first);
    sqlite3_bind_int64 (move, 5, from->last);
    sqlite3_bind_text (move, 6, weft_row_state_text (state), -1, SQLITE_STATIC);
    sqlite3_bind_int (move, 7, state == WEFT_ROW_INFLIGHT);
    int rc = weft_outbox_checked (self,
                                  weft_outbox_run (self, WEFT_OUTBOX_MOVE_RUN));
    if (rc || sqlite3_changes (self->db) == (int)from->n)
        return rc;
    weft_log (WEFT_WARN, "OUTBOX-RUN",
              "sink %s: %d %s rows from %lld to %lld,"
              " %u are expected; they are noted one by one",
              sink, sqlite3_changes (self->db),
              weft_row_state_text (from->state), (long long)from->first,
              (long long)from->last, from->n);
    weft_outbox_rollback (self);
    return WEFT_EBUG;
}

int
weft_outbox_forgive (weft_outbox_t *self, int64_t id)
{
    assert (self->changing);
    sqlite3_bind_int64 (self->statements[WEFT_OUTBOX_FORGIVE], 1, id);
    return weft_outbox_checked (self,
                                weft_outbox_run (self, WEFT_OUTBOX_FORGIVE));
}

//  Finds a row's text, or that it is lost; it stands until the statement goes on
//  or is reset. Rows come in order, so most find the texts of the one before.
static int
find_text (weft_outbox_t *self, weft_row_t *row, int64_t at, int64_t size)
{
    sqlite3_stmt *find = self->statements[WEFT_OUTBOX_FIND_TEXTS];
    bool known = sqlite3_stmt_busy (find) &&
                 row->id <= sqlite3_column_int64 (find, 0) &&
                 row->id >= sqlite3_column_int64 (find, 1);
    if (!known) {
        sqlite3_reset (find);
        sqlite3_bind_int64 (find, 1, row->id);
        int code = sqlite3_step (find);
        if (code != SQLITE_ROW && code != SQLITE_DONE)
            return weft_outbox_error_of (code);
        known = code == SQLITE_ROW && row->id >= sqlite3_column_int64 (find, 1);
    }
    const char *bytes = known ? sqlite3_column_blob (find, 2) : NULL;
    int64_t bytes_size = bytes ? sqlite3_column_bytes (find, 2) : 0;
    row->lost = !bytes || at < 0 || at > bytes_size || size < 0 ||
                size > bytes_size - at;
    row->payload = row->lost ? "" : bytes + at;
    row->payload_size = row->lost ? 0 : (size_t)size;
    return 0;
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
    sqlite3_stmt *list = self->statements[WEFT_OUTBOX_LIST];
    //  Rows of this very transaction may be among them.
    int code,
        rc = self->changing ? weft_outbox_checked (self, add_texts (self)) : 0;
    sqlite3_bind_text (list, 1, sink, -1, SQLITE_STATIC);
    sqlite3_bind_text (list, 2, weft_row_state_text (state), -1, SQLITE_STATIC);
    sqlite3_bind_double (list, 3, now);
    sqlite3_bind_int64 (list, 4, most);
    while (!rc && (code = sqlite3_step (list)) != SQLITE_DONE) {
        if (code != SQLITE_ROW) {
            rc = weft_outbox_error_of (code);
            break;
        }
        weft_row_t row = {
            .id = sqlite3_column_int64 (list, 0),
            .key = (const char *)sqlite3_column_text (list, 1),
            .object = (const char *)sqlite3_column_text (list, 2),
            .attempts = (uint32_t)sqlite3_column_int (list, 5),
            .created = sqlite3_column_double (list, 6),
        };
        rc = find_text (self, &row, sqlite3_column_int64 (list, 3),
                        sqlite3_column_int64 (list, 4));
        if (!rc)
            each (arg, &row);
    }
    sqlite3_reset (list);
    sqlite3_reset (self->statements[WEFT_OUTBOX_FIND_TEXTS]);
    return weft_outbox_checked (self, rc);
}

bool
weft_outbox_changed (weft_outbox_t *self)
{
    sqlite3_stmt *changed = self->statements[WEFT_OUTBOX_CHANGED];
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
    sqlite3_stmt *waiting = self->statements[WEFT_OUTBOX_WAITING];
    sqlite3_bind_text (waiting, 1, sink, -1, SQLITE_STATIC);
    int code = sqlite3_step (waiting);
    *n = code == SQLITE_ROW ? sqlite3_column_int64 (waiting, 0) : 0;
    sqlite3_reset (waiting);
    return code == SQLITE_ROW
               ? 0
               : weft_outbox_checked (self, weft_outbox_error_of (code));
}

int
weft_outbox_oldest (weft_outbox_t *self, const char *sink, double *created)
{
    sqlite3_stmt *oldest = self->statements[WEFT_OUTBOX_OLDEST];
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
            return weft_outbox_checked (self, weft_outbox_error_of (code));
        if (found > 0 && (*created == 0 || found < *created))
            *created = found;
    }
    return 0;
}

const char *
weft_outbox_error (const weft_outbox_t *self)
{
    return sqlite3_errmsg (self->db);
}
