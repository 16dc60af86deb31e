//  weft_filter_sql.c - a SQLite handle on which strangers may write SQL.

#include "weft_filter_sql.h"

#include <strings.h>

#include "weft_filter_functions.h"
#include "weft_filter_tables.h"

#define STEPS_BETWEEN 500  //  steps between two looks at the budget

struct weft_filter_sql {
    sqlite3 *db;
    int64_t left;  //  steps that the running statement may still take
};

//  What SQLite brings and conditions may use. Not here: clocks and random
//  numbers (a verdict must be repeatable), anything that reaches files, loads
//  code or makes big values.
static const char *const allowed[] = {
    //  values
    "abs", "coalesce", "ifnull", "iif", "nullif", "min", "max", "round", "sign",
    "typeof",
    //  text
    "length", "lower", "upper", "substr", "substring", "instr", "like", "glob",
    "trim", "ltrim", "rtrim",
    //  aggregates and windows
    "count", "sum", "total", "avg", "row_number", "rank", "dense_rank",
    "first_value", "last_value", "nth_value", "lag", "lead",
    //  mathematics
    "acos", "asin", "atan", "atan2", "ceil", "ceiling", "cos", "cosh",
    "degrees", "exp", "floor", "ln", "log", "log10", "log2", "mod", "pi", "pow",
    "power", "radians", "sin", "sinh", "sqrt", "tan", "tanh", "trunc"
};

static bool
may_call (const char *name)
{
    if (!name)
        return false;
    for (size_t i = 0; i < WEFT_COUNT (allowed); i++)
        if (!strcasecmp (allowed[i], name))
            return true;
    return weft_filter_functions_has (name);
}

//  Everything that is not named here is refused: writes, PRAGMA, ATTACH, the
//  schema, transactions and what later versions of SQLite may bring.
static int
authorize (void *arg WEFT_UNUSED,
           int action,
           const char *one,
           const char *two,
           const char *schema WEFT_UNUSED,
           const char *trigger WEFT_UNUSED)
{
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:  //  the budget ends it
        return SQLITE_OK;
    case SQLITE_READ:  //  no table: a name of the query's own
        return !one || !*one || weft_filter_tables_has (one) ? SQLITE_OK
                                                             : SQLITE_DENY;
    case SQLITE_FUNCTION:
        return may_call (two) ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

static int
count_steps (void *arg)
{
    weft_filter_sql_t *self = arg;
    self->left -= STEPS_BETWEEN;
    return self->left < 0;
}

static void
set_limits (sqlite3 *db)
{
    static const struct {
        int id, most;
    } limits[] = {
        { SQLITE_LIMIT_LENGTH, 100000 },
        { SQLITE_LIMIT_SQL_LENGTH, 4 << 20 },
        { SQLITE_LIMIT_COLUMN, 1000 },
        { SQLITE_LIMIT_EXPR_DEPTH, 100 },
        { SQLITE_LIMIT_COMPOUND_SELECT, 10 },
        { SQLITE_LIMIT_VDBE_OP, 250000 },
        { SQLITE_LIMIT_FUNCTION_ARG, 16 },
        { SQLITE_LIMIT_ATTACHED, 0 },
        { SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100 },
        { SQLITE_LIMIT_VARIABLE_NUMBER, 0 },
        { SQLITE_LIMIT_TRIGGER_DEPTH, 0 },
        { SQLITE_LIMIT_WORKER_THREADS, 0 },
    };
    for (size_t i = 0; i < WEFT_COUNT (limits); i++)
        sqlite3_limit (db, limits[i].id, limits[i].most);
}

//  Second walls behind the authorizer. Double quotes are names only, so that
//  a misspelt column is an error and not a text.
static void
harden (sqlite3 *db)
{
    static const struct {
        int id, value;
    } config[] = {
        { SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
        { SQLITE_DBCONFIG_DEFENSIVE, 1 },
        { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
        { SQLITE_DBCONFIG_DQS_DML, 0 },
        { SQLITE_DBCONFIG_DQS_DDL, 0 },
        { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
        { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
    };
    for (size_t i = 0; i < WEFT_COUNT (config); i++)
        sqlite3_db_config (db, config[i].id, config[i].value, NULL);
    set_limits (db);
}

static int
open_handle (weft_filter_sql_t *self, weft_filter_view_t *view)
{
    int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2 (":memory:", &self->db, flags, NULL))
        return WEFT_ENOMEM;
    if (sqlite3_exec (self->db,
                      "PRAGMA query_only=1; PRAGMA temp_store=memory;", NULL,
                      NULL, NULL))
        return WEFT_ENOMEM;
    int rc = weft_filter_tables_register (self->db, view);
    if (!rc)
        rc = weft_filter_functions_register (self->db);
    if (rc)
        return rc;
    harden (self->db);
    sqlite3_set_authorizer (self->db, authorize, NULL);
    sqlite3_progress_handler (self->db, STEPS_BETWEEN, count_steps, self);
    return 0;
}

weft_filter_sql_t *
weft_filter_sql_new (weft_filter_view_t *view)
{
    //  Nobody reads SQLite's memory statistics, and they cost a mutex per
    //  allocation. Refused if SQLite is in use already: then they stay.
    sqlite3_config (SQLITE_CONFIG_MEMSTATUS, 0);
    weft_filter_sql_t *self = calloc (1, sizeof *self);
    if (self && open_handle (self, view))
        weft_filter_sql_destroy (&self);
    return self;
}

void
weft_filter_sql_destroy (weft_filter_sql_t **self_p)
{
    if (!*self_p)
        return;
    sqlite3_close ((*self_p)->db);
    free (*self_p);
    *self_p = NULL;
}

//  Skips a quoted text or name that begins at `p`; NULL if it does not end.
static const char *
skip_quoted (const char *p)
{
    char end = *p == '[' ? ']' : *p;
    for (p++; *p; p++) {
        if (*p != end)
            continue;
        if (end != ']' && p[1] == end)
            p++;  //  doubled: stands for itself
        else
            return p;
    }
    return NULL;
}

//  Looks at one token; false with `why` if it must not stand in a condition.
static const char *
check_token (const char **p, int *depth)
{
    if (strchr ("'\"`[", **p)) {
        *p = skip_quoted (*p);
        return *p ? NULL : "a quote is not closed";
    }
    if ((**p == '-' && (*p)[1] == '-') || (**p == '/' && (*p)[1] == '*'))
        return "comments are not allowed";
    if (**p == ';')
        return "one expression is expected, not statements";
    if (strchr ("?:@$#", **p))
        return "parameters are not allowed";
    *depth += (**p == '(') - (**p == ')');
    return *depth < 0 ? "a bracket is closed that was not opened" : NULL;
}

int
weft_filter_sql_check (const char *sql, char *why, size_t room)
{
    const char *bad = NULL;
    int depth = 0;
    bool blank = true;
    if (strlen (sql) > WEFT_FILTER_SQL_MOST)
        bad = "longer than 4,096 bytes";
    for (const char *p = sql; *p && !bad; p++) {
        blank = blank && strchr (" \t\r\n", *p);
        bad = check_token (&p, &depth);
        if (bad)
            break;
    }
    if (!bad && blank)
        bad = "an expression is expected";
    if (!bad && depth > 0)
        bad = "a bracket is not closed";
    if (!bad)
        return 0;
    snprintf (why, room, "%s", bad);
    return WEFT_ECONFIG;
}

int
weft_filter_sql_prepare (weft_filter_sql_t *self,
                         const char *sql,
                         sqlite3_stmt **out,
                         char *why,
                         size_t room)
{
    const char *tail = NULL;
    *out = NULL;
    self->left = INT64_MAX / 2;  //  later SQLites count while preparing, too
    int rc = sqlite3_prepare_v3 (self->db, sql, -1, SQLITE_PREPARE_PERSISTENT,
                                 out, &tail);
    if (rc != SQLITE_OK) {
        snprintf (why, room, "%s", sqlite3_errmsg (self->db));
        return WEFT_ECONFIG;
    }
    if (*out && sqlite3_stmt_readonly (*out) && (!tail || !*tail))
        return 0;
    snprintf (why, room, "one expression is expected");
    sqlite3_finalize (*out);
    *out = NULL;
    return WEFT_ECONFIG;
}

int
weft_filter_sql_step (weft_filter_sql_t *self,
                      sqlite3_stmt *statement,
                      int64_t budget)
{
    self->left = budget;
    return sqlite3_step (statement);
}

const char *
weft_filter_sql_error (const weft_filter_sql_t *self)
{
    return sqlite3_errmsg (self->db);
}

void
weft_filter_sql_describe (FILE *out)
{
    fprintf (out, "\nFunctions of SQLite that conditions may use:");
    for (size_t i = 0; i < WEFT_COUNT (allowed); i++)
        fprintf (out, "%s `%s`", i ? "," : "", allowed[i]);
    fprintf (out, ".\n");
    weft_filter_functions_describe (out);
}
