//  weft_outbox_parts.h - what the files of the outbox share. One thread, the
//  outbox'.

#ifndef WEFT_OUTBOX_PARTS_H_INCLUDED
#define WEFT_OUTBOX_PARTS_H_INCLUDED

#include <sqlite3.h>

#include "weft_buf.h"
#include "weft_outbox.h"

//  Its statements: weft_outbox_sql.h.
enum {
    WEFT_OUTBOX_BEGIN,
    WEFT_OUTBOX_COMMIT,
    WEFT_OUTBOX_ROLLBACK,
    WEFT_OUTBOX_ADD,
    WEFT_OUTBOX_ADD_TEXTS,
    WEFT_OUTBOX_FIND_TEXTS,
    WEFT_OUTBOX_MOVE,
    WEFT_OUTBOX_MOVE_RUN,
    WEFT_OUTBOX_FORGIVE,
    WEFT_OUTBOX_LIST,
    WEFT_OUTBOX_WAITING,
    WEFT_OUTBOX_OLDEST,
    WEFT_OUTBOX_PRUNE,
    WEFT_OUTBOX_PRUNE_TEXTS,
    WEFT_OUTBOX_LAST,
    WEFT_OUTBOX_LAST_TEXTS,
    WEFT_OUTBOX_NEXT,
    WEFT_OUTBOX_CHANGED,
    WEFT_OUTBOX_STATEMENTS
};

struct weft_outbox {
    sqlite3 *db;
    sqlite3_stmt *statements[WEFT_OUTBOX_STATEMENTS];
    bool changing;
    char said[160];  //  the error that was told, "" when it is over
    int64_t data_version;
    int64_t pruned_to;    //  prune has looked at the rows up to this id
    int64_t next_id;      //  of the next row: no other process adds any
    int64_t texts_first;  //  rows from here on have their texts here, 0: none
    weft_buf_t texts;
};

//  What a code of SQLite means to the mesh.
int weft_outbox_error_of (int code);

//  Runs a statement that gives no rows.
WEFT_CHECK int weft_outbox_run (weft_outbox_t *self, int which);

//  The one number that a statement without parameters gives.
WEFT_CHECK int
weft_outbox_number (weft_outbox_t *self, int which, int64_t *out);

//  An error ends the transaction: what was half done is undone. Returns `rc`.
WEFT_CHECK int weft_outbox_checked (weft_outbox_t *self, int rc);

#endif
