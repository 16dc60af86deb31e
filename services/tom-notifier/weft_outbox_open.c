//  weft_outbox_open.c - the outbox' file: one owner, its tables, and those of
//  earlier versions.

#include <sys/file.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weft_outbox_sql.h"

#define BUSY_MS 500              //  how long another writer is waited for
#define TEXTS_MOST (256u << 20)  //  bytes of texts that wait for their row

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

static int
prepare_all (weft_outbox_t *self)
{
    for (int i = 0; i < WEFT_OUTBOX_STATEMENTS; i++)
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
    bool earlier = version == 1 || version == 2;
    if (!rc && earlier)
        rc = exec (self, set_aside);
    rc = rc ? rc : exec (self, schema);
    if (!rc && earlier)
        rc = exec (self, version == 1 ? bring_over_1 : bring_over_2);
    rc = rc ? rc : exec (self, "PRAGMA user_version=3; COMMIT");
    return rc;
}

//  Behind the texts, too: those of rows that are gone may still be there.
static int
read_next_id (weft_outbox_t *self)
{
    int64_t row, texts = 0;
    int rc = weft_outbox_number (self, WEFT_OUTBOX_LAST, &row);
    rc = rc ? rc : weft_outbox_number (self, WEFT_OUTBOX_LAST_TEXTS, &texts);
    self->next_id = WEFT_MAX (row, texts) + 1;
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
    //  Plans that do not depend on parameters; else each new value of a state
    //  has its statement compiled again.
    sqlite3_db_config (self->db, SQLITE_DBCONFIG_ENABLE_QPSG, 1, NULL);
    int rc = exec (self, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                         "PRAGMA journal_size_limit=67108864;"
                         "PRAGMA cache_size=-2000;"
                         "PRAGMA wal_autocheckpoint=4000;"
                         "PRAGMA secure_delete=OFF;");
    rc = rc ? rc : make_tables (self);
    rc = rc ? rc
            : exec (self, "UPDATE outbox SET state = 'verify'"
                          " WHERE state = 'inflight' AND " UNFINISHED);
    rc = rc ? rc : prepare_all (self);
    return rc ? rc : read_next_id (self);
}

int
weft_outbox_open (weft_outbox_t **out, const char *path, char *why, size_t room)
{
    *out = NULL;
    weft_outbox_t *self = calloc (1, sizeof *self);
    if (!self)
        return WEFT_ENOMEM;
    weft_buf_init (&self->texts, TEXTS_MOST);
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
    for (int i = 0; i < WEFT_OUTBOX_STATEMENTS; i++)
        sqlite3_finalize (self->statements[i]);
    sqlite3_close (self->db);
    weft_buf_fini (&self->texts);
    free (self);
    *self_p = NULL;
}
