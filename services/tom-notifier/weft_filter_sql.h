//  weft_filter_sql.h - a SQLite handle on which strangers may write SQL.
//
//  Users' conditions run on an in-memory handle that holds nothing, cannot be
//  written to, reaches no file and no clock, knows only our tables and a list
//  of harmless functions, and stops after a budget of steps of SQLite's
//  machine. Steps, not time: a verdict must be the same on a busy machine.
//  One thread.

#ifndef WEFT_FILTER_SQL_H_INCLUDED
#define WEFT_FILTER_SQL_H_INCLUDED

#include <sqlite3.h>

#include "weft_filter_view.h"

#define WEFT_FILTER_SQL_MOST 4096  //  most bytes of one condition

typedef struct weft_filter_sql weft_filter_sql_t;

//  Returns new: a guarded handle whose tables show `view`, or NULL. Borrows
//  `view` until it is destroyed.
WEFT_NEW weft_filter_sql_t *weft_filter_sql_new (weft_filter_view_t *view);
void weft_filter_sql_destroy (weft_filter_sql_t **self_p);

//  Is `sql` one expression and nothing else? It must not close a bracket that
//  it has not opened, nor hide the rest of the statement around it. Otherwise
//  WEFT_ECONFIG and `why`.
WEFT_CHECK int weft_filter_sql_check (const char *sql, char *why, size_t room);

//  Returns new (by sqlite3_finalize) a prepared statement in *out.
//  WEFT_ECONFIG with SQLite's words in `why`.
WEFT_CHECK int weft_filter_sql_prepare (weft_filter_sql_t *self,
                                        const char *sql,
                                        sqlite3_stmt **out,
                                        char *why,
                                        size_t room);

//  Runs a statement to its first row, within `budget` steps. SQLITE_ROW,
//  SQLITE_DONE (no row), SQLITE_INTERRUPT (over budget) or SQLite's error.
//  The caller reads the row and resets the statement.
WEFT_CHECK int weft_filter_sql_step (weft_filter_sql_t *self,
                                     sqlite3_stmt *statement,
                                     int64_t budget);

//  SQLite's words for the last error. Borrows until the next call.
const char *weft_filter_sql_error (const weft_filter_sql_t *self);

//  Writes the functions that conditions may use, for --describe.
void weft_filter_sql_describe (FILE *out);

#endif
