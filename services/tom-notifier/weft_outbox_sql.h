//  weft_outbox_sql.h - the outbox's tables and statements. Only
//  weft_outbox_open.c includes this.

#ifndef WEFT_OUTBOX_SQL_H_INCLUDED
#define WEFT_OUTBOX_SQL_H_INCLUDED

#include "weft_outbox_parts.h"

#define VERSION 3  //  of the schema

//  Seconds. No row is put off for longer (weft_webhook_rules.c: an hour): one
//  that seems to be was put off before the clock was set back.
#define WAIT_MOST "3700"
#define DUE "(next_at <= ?3 OR next_at > ?3 + " WAIT_MOST ")"

//  Unfinished rows have an index of their own, so that a day's finished ones
//  cost nothing. Queries repeat these words exactly, or it is not used. IN with
//  more than two values makes SQLite build a table of them for each statement
//  that writes a row.
#define UNFINISHED                                                             \
    "(state = 'queued' OR state = 'inflight' OR state = 'verify')"

static const char *const sql_of[WEFT_OUTBOX_STATEMENTS] = {
    [WEFT_OUTBOX_BEGIN] = "BEGIN IMMEDIATE",
    [WEFT_OUTBOX_COMMIT] = "COMMIT",
    [WEFT_OUTBOX_ROLLBACK] = "ROLLBACK",
    //  An id that is taken is an error, not a row that is known.
    [WEFT_OUTBOX_ADD] =
        "INSERT INTO outbox (id, sink, key, object_id, state, attempts,"
        " created, updated, alert_id, text_at, text_size)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9, ?10)"
        " ON CONFLICT (alert_id, sink, key) DO NOTHING",
    [WEFT_OUTBOX_ADD_TEXTS] =
        "INSERT INTO texts (last, first, bytes) VALUES (?1, ?2, ?3)",
    [WEFT_OUTBOX_FIND_TEXTS] =
        "SELECT last, first, bytes FROM texts WHERE last >= ?1"
        " ORDER BY last LIMIT 1",
    [WEFT_OUTBOX_MOVE] =
        "UPDATE outbox SET state = ?2, updated = ?3, next_at = ?4,"
        " attempts = attempts + ?5, last_status = ?6, last_body = ?7"
        " WHERE id = ?1",
    [WEFT_OUTBOX_MOVE_RUN] =
        "UPDATE outbox INDEXED BY outbox_unfinished"
        " SET state = ?6, updated = ?3, next_at = 0,"
        " attempts = attempts + ?7, last_status = 0, last_body = NULL"
        " WHERE sink = ?1 AND state = ?2 AND id >= ?4 AND id <= ?5"
        " AND " DUE " AND " UNFINISHED,
    [WEFT_OUTBOX_FORGIVE] = "UPDATE outbox SET attempts = max(attempts - 1, 0)"
                            " WHERE id = ?1",
    [WEFT_OUTBOX_LIST] =
        "SELECT id, key, object_id, text_at, text_size, attempts, created"
        " FROM outbox WHERE sink = ?1 AND state = ?2 AND " DUE
        " AND " UNFINISHED " ORDER BY id LIMIT ?4",
    [WEFT_OUTBOX_WAITING] =
        "SELECT count(*) FROM outbox WHERE sink = ?1 AND " UNFINISHED,
    [WEFT_OUTBOX_OLDEST] =
        "SELECT created FROM outbox WHERE sink = ?1 AND state = ?2"
        " AND " UNFINISHED " ORDER BY id LIMIT 1",
    [WEFT_OUTBOX_PRUNE] =
        "DELETE FROM outbox WHERE id > ?1 AND id <= ?1 + ?2"
        " AND NOT " UNFINISHED " AND (updated < ?3 OR id <= ?4)",
    //  Those of which some row was among these, the last one included.
    [WEFT_OUTBOX_PRUNE_TEXTS] = "DELETE FROM texts WHERE last > ?1 AND last <="
                                " coalesce((SELECT min(last) FROM texts"
                                "  WHERE last >= ?1 + ?2), ?1 + ?2)"
                                " AND NOT EXISTS (SELECT 1 FROM outbox"
                                "  WHERE id BETWEEN first AND last)",
    [WEFT_OUTBOX_LAST] = "SELECT coalesce(max(id), 0) FROM outbox",
    [WEFT_OUTBOX_LAST_TEXTS] = "SELECT coalesce(max(last), 0) FROM texts",
    [WEFT_OUTBOX_NEXT] = "SELECT id, created FROM outbox WHERE id > ?1"
                         " ORDER BY id LIMIT 1",
    [WEFT_OUTBOX_CHANGED] = "PRAGMA data_version",
};

//  Surveys number their alerts in the order of time. With that number in front,
//  new keys go to the end of the index; by key alone each would go to another
//  page of it, to be read, written and synced.
//
//  A row is written twice or more, its text once: the texts of one transaction
//  stand together in one row of `texts`, that of the outbox' rows `first` to
//  `last`; text_at and text_size say which bytes. outbox_json shows
//  both together to whoever looks into the file by hand.
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS outbox ("
    " id INTEGER PRIMARY KEY,"
    " sink TEXT NOT NULL,"
    " key TEXT NOT NULL,"
    " object_id TEXT NOT NULL,"
    " state TEXT NOT NULL CHECK (" UNFINISHED
    "  OR state = 'done' OR state = 'dead' OR state = 'skipped'),"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " next_at REAL NOT NULL DEFAULT 0,"
    " last_status INTEGER,"
    " last_body TEXT,"
    " created REAL NOT NULL,"
    " updated REAL NOT NULL,"
    " alert_id INTEGER NOT NULL,"
    " text_at INTEGER NOT NULL,"
    " text_size INTEGER NOT NULL,"
    " UNIQUE (alert_id, sink, key));"
    "CREATE INDEX IF NOT EXISTS outbox_unfinished ON outbox (sink, state)"
    " WHERE " UNFINISHED ";"
    "CREATE TABLE IF NOT EXISTS texts ("
    " last INTEGER PRIMARY KEY,"
    " first INTEGER NOT NULL,"
    " bytes BLOB NOT NULL);"
    "CREATE VIEW IF NOT EXISTS outbox_json AS SELECT outbox.*,"
    " CAST(substr(bytes, text_at + 1, text_size) AS TEXT) AS payload_json"
    " FROM outbox JOIN texts"
    " ON last = (SELECT min(last) FROM texts WHERE last >= id);";

//  Versions 1 and 2 had the text in the row; version 1 had UNIQUE (sink, key)
//  and no alert_id.
static const char set_aside[] =
    "ALTER TABLE outbox RENAME TO outbox_old; DROP INDEX outbox_unfinished;";
#define BRING_OVER(alert_id)                                                   \
    "INSERT INTO texts SELECT id, id, CAST(payload_json AS BLOB)"              \
    " FROM outbox_old ORDER BY id;"                                            \
    "INSERT INTO outbox SELECT id, sink, key, object_id, state, attempts,"     \
    " next_at, last_status, last_body, created, updated, " alert_id            \
    ", 0, length(CAST(payload_json AS BLOB)) FROM outbox_old ORDER BY id;"     \
    "DROP TABLE outbox_old;"
static const char bring_over_1[] =
    BRING_OVER ("coalesce(json_extract(payload_json, '$.alert_id'), 0)");
static const char bring_over_2[] = BRING_OVER ("alert_id");

#endif
