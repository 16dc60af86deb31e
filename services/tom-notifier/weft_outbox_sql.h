//  weft_outbox_sql.h - the outbox's tables and statements. Only weft_outbox.c
//  includes this.

#ifndef WEFT_OUTBOX_SQL_H_INCLUDED
#define WEFT_OUTBOX_SQL_H_INCLUDED

#define VERSION 2  //  of the schema

//  Seconds. No row is put off for longer (weft_webhook_rules.c: an hour): one
//  that seems to be was put off before the clock was set back.
#define WAIT_MOST "3700"

//  Unfinished rows have an index of their own, so that a day's finished ones
//  cost nothing. Queries repeat these words exactly, or it is not used.
#define UNFINISHED "state IN ('queued', 'inflight', 'verify')"

enum {
    BEGIN,
    COMMIT,
    ROLLBACK,
    ADD,
    MOVE,
    FORGIVE,
    LIST,
    WAITING,
    OLDEST,
    PRUNE,
    LAST,
    NEXT,
    CHANGED,
    STATEMENTS
};

static const char *const sql_of[STATEMENTS] = {
    [BEGIN] = "BEGIN IMMEDIATE",
    [COMMIT] = "COMMIT",
    [ROLLBACK] = "ROLLBACK",
    [ADD] = "INSERT OR IGNORE INTO outbox (sink, key, object_id, payload_json,"
            " state, attempts, next_at, created, updated, alert_id)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, ?7, ?7, ?8)",
    [MOVE] = "UPDATE outbox SET state = ?2, updated = ?3, next_at = ?4,"
             " attempts = attempts + ?5, last_status = ?6, last_body = ?7"
             " WHERE id = ?1",
    [FORGIVE] = "UPDATE outbox SET attempts = max(attempts - 1, 0)"
                " WHERE id = ?1",
    [LIST] = "SELECT id, key, object_id, payload_json, attempts, created"
             " FROM outbox WHERE sink = ?1 AND state = ?2"
             " AND (next_at <= ?3 OR next_at > ?3 + " WAIT_MOST ")"
             " AND " UNFINISHED " ORDER BY id LIMIT ?4",
    [WAITING] = "SELECT count(*) FROM outbox WHERE sink = ?1 AND " UNFINISHED,
    [OLDEST] = "SELECT created FROM outbox WHERE sink = ?1 AND state = ?2"
               " AND " UNFINISHED " ORDER BY id LIMIT 1",
    [PRUNE] = "DELETE FROM outbox WHERE id > ?1 AND id <= ?1 + ?2"
              " AND NOT " UNFINISHED " AND (updated < ?3 OR id <= ?4)",
    [LAST] = "SELECT coalesce(max(id), 0) FROM outbox",
    [NEXT] = "SELECT id, created FROM outbox WHERE id > ?1"
             " ORDER BY id LIMIT 1",
    [CHANGED] = "PRAGMA data_version",
};

//  Surveys number their alerts in the order of time. With that number in front,
//  new keys go to the end of the index; by key alone each would go to another
//  page of it, to be read, written and synced.
static const char schema[] =
    "CREATE TABLE IF NOT EXISTS outbox ("
    " id INTEGER PRIMARY KEY,"
    " sink TEXT NOT NULL,"
    " key TEXT NOT NULL,"
    " object_id TEXT NOT NULL,"
    " payload_json TEXT NOT NULL,"
    " state TEXT NOT NULL CHECK (state IN"
    "  ('queued', 'inflight', 'verify', 'done', 'dead', 'skipped')),"
    " attempts INTEGER NOT NULL DEFAULT 0,"
    " next_at REAL NOT NULL DEFAULT 0,"
    " last_status INTEGER,"
    " last_body TEXT,"
    " remote_id TEXT,"
    " created REAL NOT NULL,"
    " updated REAL NOT NULL,"
    " alert_id INTEGER NOT NULL,"
    " UNIQUE (alert_id, sink, key));"
    "CREATE INDEX IF NOT EXISTS outbox_unfinished ON outbox (sink, state, id)"
    " WHERE " UNFINISHED ";";

//  Version 1 had UNIQUE (sink, key) and no alert_id.
static const char set_aside[] =
    "ALTER TABLE outbox RENAME TO outbox_1; DROP INDEX outbox_unfinished;";
static const char bring_over[] =
    "INSERT INTO outbox SELECT *,"
    " coalesce(json_extract(payload_json, '$.alert_id'), 0) FROM outbox_1;"
    "DROP TABLE outbox_1;";

#endif
