//  weft_flips_sql.h - the tables and statements of who was told what. Only
//  weft_flips.c includes this.

#ifndef WEFT_FLIPS_SQL_H_INCLUDED
#define WEFT_FLIPS_SQL_H_INCLUDED

enum {
    LOOK,
    TELL,
    TELL_AGAIN,
    KNOW,
    LEAVE,
    LEFT,
    GONE,
    OLD,
    COUNT,
    STATEMENTS
};

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS told ("
    " object TEXT NOT NULL, filter TEXT NOT NULL, sink TEXT NOT NULL,"
    " model TEXT NOT NULL, class TEXT NOT NULL,"
    " t_obs REAL NOT NULL, alert_id INTEGER NOT NULL, at REAL NOT NULL,"
    " PRIMARY KEY (object, filter, sink)) WITHOUT ROWID;"
    "CREATE INDEX IF NOT EXISTS told_at ON told (at);"
    "CREATE TABLE IF NOT EXISTS flip_event ("
    " id TEXT PRIMARY KEY, section BLOB NOT NULL) WITHOUT ROWID;";

static const char *const sql_of[STATEMENTS] = {
    [LOOK] = "SELECT filter, sink, model, class, at FROM told WHERE object = ?1"
             " AND (t_obs, alert_id) < (?2, ?3) ORDER BY filter, sink",
    [TELL] = "INSERT INTO told (object, filter, sink, model, class, t_obs,"
             " alert_id, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
             " ON CONFLICT DO UPDATE SET model = ?4, class = ?5, t_obs = ?6,"
             " alert_id = ?7, at = ?8"
             " WHERE (t_obs, alert_id) < (?6, ?7)",
    //  As TELL, for a row that was there and is of this week: the index stays.
    [TELL_AGAIN] = "UPDATE told SET model = ?4, class = ?5, t_obs = ?6,"
                   " alert_id = ?7 WHERE object = ?1 AND filter = ?2"
                   " AND sink = ?3 AND (t_obs, alert_id) < (?6, ?7)",
    [KNOW] = "UPDATE told SET class = ?4, t_obs = ?5, alert_id = ?6, at = ?7"
             " WHERE object = ?1 AND filter = ?2 AND sink = ?3",
    [LEAVE] = "INSERT OR IGNORE INTO flip_event (id, section) VALUES (?1, ?2)",
    [LEFT] = "SELECT id, section FROM flip_event LIMIT ?1",
    [GONE] = "DELETE FROM flip_event WHERE id = ?1",
    [OLD] = "DELETE FROM told WHERE (object, filter, sink) IN (SELECT object,"
            " filter, sink FROM told WHERE at < ?1 ORDER BY at LIMIT ?2)",
    [COUNT] = "SELECT count(*) FROM told",
};

#endif
