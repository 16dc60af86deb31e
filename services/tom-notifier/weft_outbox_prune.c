//  weft_outbox_prune.c - old rows go, and texts of which no row is left.

#include "weft_outbox_parts.h"

#define PRUNE_LOOK 2000  //  rows that one prune looks at

//  The first row behind `id`; *next is 0 if there is none.
static int
read_next (weft_outbox_t *self, int64_t id, int64_t *next, double *created)
{
    sqlite3_stmt *statement = self->statements[WEFT_OUTBOX_NEXT];
    sqlite3_bind_int64 (statement, 1, id);
    int code = sqlite3_step (statement);
    bool found = code == SQLITE_ROW;
    *next = found ? sqlite3_column_int64 (statement, 0) : 0;
    *created = found ? sqlite3_column_double (statement, 1) : 0;
    sqlite3_reset (statement);
    return found || code == SQLITE_DONE ? 0 : weft_outbox_error_of (code);
}

//  Deletes among the rows behind `from`, and texts of which no row is left. Ids
//  and times grow together, so the first row that is too young ends the search.
static int
prune_behind (weft_outbox_t *self,
              int64_t from,
              double before,
              int64_t surplus,
              uint32_t *deleted)
{
    sqlite3_stmt *rows = self->statements[WEFT_OUTBOX_PRUNE];
    sqlite3_bind_int64 (rows, 1, from);
    sqlite3_bind_int64 (rows, 2, PRUNE_LOOK);
    sqlite3_bind_double (rows, 3, before);
    sqlite3_bind_int64 (rows, 4, surplus);
    sqlite3_stmt *texts = self->statements[WEFT_OUTBOX_PRUNE_TEXTS];
    sqlite3_bind_int64 (texts, 1, from);
    sqlite3_bind_int64 (texts, 2, PRUNE_LOOK);
    int rc = weft_outbox_begin (self);
    rc = rc ? rc
            : weft_outbox_checked (self,
                                   weft_outbox_run (self, WEFT_OUTBOX_PRUNE));
    *deleted = rc ? 0 : (uint32_t)sqlite3_changes (self->db);
    if (*deleted > 0)
        rc = weft_outbox_checked (
            self, weft_outbox_run (self, WEFT_OUTBOX_PRUNE_TEXTS));
    return rc ? rc : weft_outbox_commit (self);
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
    int rc = weft_outbox_number (self, WEFT_OUTBOX_LAST, &last);
    if (!rc)
        rc = read_next (self, self->pruned_to, &next, &created);
    if (rc)
        return weft_outbox_checked (self, rc);
    //  Ids grow with the rows, so the newest `most` rows are above this one
    //  and nothing needs counting.
    int64_t surplus = last - most;
    if (next == 0 || (next > surplus && created >= before)) {
        self->pruned_to = 0;  //  from the oldest again, next time
        return 0;
    }
    rc = prune_behind (self, next - 1, before, surplus, deleted);
    if (rc)
        return rc;
    self->pruned_to = next - 1 + PRUNE_LOOK;
    return 0;
}
