//  weft_filters.c - users' filters: which of them want this alert?
//
//  Each filter is one statement that gives the number of the first condition
//  that does not hold, 0 if all do. A turn of SQLite costs about as much as a
//  condition, so all healthy filters are fused into one statement with a column
//  each. Only when that fails is each asked on its own, to find the culprit.

#include "weft_filters.h"

#include "weft_filter_sql.h"

typedef struct {
    char *name;
    sqlite3_stmt *statement;  //  its value alone, for explanations
} condition_t;

typedef struct {
    char *name, *owner;
    char **sinks;
    uint32_t n_sinks;
    condition_t *conditions;
    uint32_t n_conditions;
    sqlite3_stmt *statement;  //  first condition that does not hold
    char *expression;         //  of that statement
    uint32_t strikes;
    bool quarantined;
    char failure[200];
} filter_t;

struct weft_filters {
    weft_filter_view_t *view;
    weft_filter_sql_t *sql;
    weft_filter_limits_t limits;
    filter_t *filters;
    uint32_t n;
    sqlite3_stmt *fused;
    uint32_t n_fused;
    int64_t fused_budget;
    uint32_t fused_filter[WEFT_FILTERS_MOST];  //  filter of each column
};

static void
drop_filter (filter_t *filter)
{
    for (uint32_t i = 0; i < filter->n_conditions; i++) {
        free (filter->conditions[i].name);
        sqlite3_finalize (filter->conditions[i].statement);
    }
    for (uint32_t i = 0; i < filter->n_sinks; i++)
        free (filter->sinks[i]);
    free (filter->conditions);
    free (filter->sinks);
    free (filter->name);
    free (filter->owner);
    free (filter->expression);
    sqlite3_finalize (filter->statement);
}

void
weft_filters_destroy (weft_filters_t **self_p)
{
    weft_filters_t *self = *self_p;
    if (!self)
        return;
    sqlite3_finalize (self->fused);
    for (uint32_t i = 0; i < self->n; i++)
        drop_filter (&self->filters[i]);
    free (self->filters);
    weft_filter_sql_destroy (&self->sql);
    weft_filter_view_destroy (&self->view);
    free (self);
    *self_p = NULL;
}

static int
prepare_condition (weft_filters_t *self,
                   const weft_condition_option_t *option,
                   condition_t *condition,
                   char *why,
                   size_t room)
{
    condition->name = strdup (option->name);
    if (!condition->name)
        return WEFT_ENOMEM;
    int rc = weft_filter_sql_check (option->sql, why, room);
    if (rc)
        return rc;
    weft_buf_t sql;
    weft_buf_init (&sql, 2 * WEFT_FILTER_SQL_MOST);
    weft_buf_addf (&sql, "SELECT (%s) FROM alert", option->sql);
    weft_buf_add (&sql, "", 1);
    rc = sql.error;
    if (!rc)
        rc = weft_filter_sql_prepare (self->sql, (char *)sql.data,
                                      &condition->statement, why, room);
    weft_buf_fini (&sql);
    return rc;
}

static int
prepare_conditions (weft_filters_t *self,
                    const weft_filter_option_t *option,
                    filter_t *filter,
                    char *why,
                    size_t room)
{
    const weft_condition_option_t *conditions = option->conditions.items;
    char reason[300] = "";
    for (uint32_t i = 0; i < option->conditions.n; i++) {
        filter->n_conditions = i + 1;
        int rc =
            prepare_condition (self, &conditions[i], &filter->conditions[i],
                               reason, sizeof reason);
        if (!rc)
            continue;
        snprintf (why, room, "filter \"%s\", condition \"%s\": %s",
                  option->name, conditions[i].name, reason);
        return rc;
    }
    return 0;
}

//  CASE WHEN (c1) IS NOT TRUE THEN 1 WHEN (c2) IS NOT TRUE THEN 2 ... END
static int
write_expression (const weft_filter_option_t *option, filter_t *filter)
{
    const weft_condition_option_t *conditions = option->conditions.items;
    weft_buf_t sql;
    weft_buf_init (&sql, WEFT_CONDITIONS_MOST * (WEFT_FILTER_SQL_MOST + 40));
    weft_buf_addf (&sql, "CASE ");
    for (uint32_t i = 0; i < option->conditions.n; i++)
        weft_buf_addf (&sql, "WHEN (%s) IS NOT TRUE THEN %u ",
                       conditions[i].sql, i + 1);
    weft_buf_add (&sql, "ELSE 0 END", sizeof "ELSE 0 END");
    size_t size;
    int rc = sql.error;
    if (!rc)
        filter->expression = (char *)weft_buf_release (&sql, &size);
    weft_buf_fini (&sql);
    return rc;
}

static int
prepare_filter (weft_filters_t *self, filter_t *filter, char *why, size_t room)
{
    char reason[300] = "";
    weft_buf_t sql;
    weft_buf_init (&sql, strlen (filter->expression) + 40);
    weft_buf_addf (&sql, "SELECT %s FROM alert", filter->expression);
    weft_buf_add (&sql, "", 1);
    int rc = sql.error;
    if (!rc)
        rc =
            weft_filter_sql_prepare (self->sql, (char *)sql.data,
                                     &filter->statement, reason, sizeof reason);
    weft_buf_fini (&sql);
    if (rc)
        snprintf (why, room, "filter \"%s\": %s", filter->name, reason);
    return rc;
}

static int
copy_filter (const weft_filter_option_t *option, filter_t *filter)
{
    filter->name = strdup (option->name);
    filter->owner = strdup (option->owner ? option->owner : "");
    filter->sinks = calloc (option->sinks.n + 1, sizeof *filter->sinks);
    filter->conditions =
        calloc (option->conditions.n + 1, sizeof *filter->conditions);
    if (!filter->name || !filter->owner || !filter->sinks ||
        !filter->conditions)
        return WEFT_ENOMEM;
    for (uint32_t i = 0; i < option->sinks.n; i++) {
        filter->sinks[i] = strdup (option->sinks.items[i]);
        if (!filter->sinks[i])
            return WEFT_ENOMEM;
        filter->n_sinks = i + 1;
    }
    return 0;
}

//  Names stand in keys, metrics and file names as they are.
static bool
is_name (const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.+";
    return name && *name && strlen (name) <= 64 &&
           name[strspn (name, letters)] == 0;
}

static int
check_option (const weft_filters_t *self,
              const weft_filter_option_t *option,
              char *why,
              size_t room)
{
    const char *bad = NULL;
    if (!is_name (option->name))
        bad = "a name of at most 64 letters, digits and _-.+ is expected";
    else if (option->conditions.n == 0)
        bad = "at least one condition is expected";
    else if (option->conditions.n > WEFT_CONDITIONS_MOST)
        bad = "at most 64 conditions are expected";
    for (uint32_t i = 0; !bad && i < self->n; i++)
        if (!strcmp (self->filters[i].name, option->name))
            bad = "two filters have this name";
    if (!bad)
        return 0;
    snprintf (why, room, "filter \"%s\": %s", option->name ? option->name : "",
              bad);
    return WEFT_ECONFIG;
}

static int
add_filter (weft_filters_t *self,
            const weft_filter_option_t *option,
            char *why,
            size_t room)
{
    int rc = check_option (self, option, why, room);
    if (rc)
        return rc;
    filter_t *filter = &self->filters[self->n++];
    rc = copy_filter (option, filter);
    if (!rc)
        rc = prepare_conditions (self, option, filter, why, room);
    if (!rc)
        rc = write_expression (option, filter);
    if (!rc)
        rc = prepare_filter (self, filter, why, room);
    return rc;
}

//  Makes the one statement of all healthy filters. Without it (too long, say)
//  each is asked on its own: slower, not wrong.
static void
fuse (weft_filters_t *self)
{
    sqlite3_finalize (self->fused);
    self->fused = NULL;
    self->n_fused = 0;
    weft_buf_t sql;
    weft_buf_init (&sql, 4 << 20);
    weft_buf_addf (&sql, "SELECT ");
    for (uint32_t i = 0; i < self->n; i++) {
        if (self->filters[i].quarantined)
            continue;
        weft_buf_addf (&sql, "%s%s", self->n_fused ? "," : "",
                       self->filters[i].expression);
        self->fused_filter[self->n_fused++] = i;
    }
    weft_buf_addf (&sql, " FROM alert");
    weft_buf_add (&sql, "", 1);
    char why[200];
    if (!sql.error && self->n_fused > 1 &&
        weft_filter_sql_prepare (self->sql, (char *)sql.data, &self->fused, why,
                                 sizeof why))
        self->fused = NULL;
    weft_buf_fini (&sql);
}

int
weft_filters_new (weft_filters_t **out,
                  const weft_filter_option_t *options,
                  uint32_t n,
                  weft_filter_limits_t limits,
                  char *why,
                  size_t room)
{
    *out = NULL;
    if (n > WEFT_FILTERS_MOST) {
        snprintf (why, room, "filters: at most %d are expected",
                  WEFT_FILTERS_MOST);
        return WEFT_ECONFIG;
    }
    weft_filters_t *self = calloc (1, sizeof *self);
    if (!self)
        return WEFT_ENOMEM;
    self->limits = limits;
    self->fused_budget = limits.budget;
    self->view = weft_filter_view_new ();
    self->sql = self->view ? weft_filter_sql_new (self->view) : NULL;
    self->filters = calloc (n + 1, sizeof *self->filters);
    int rc = self->sql && self->filters ? 0 : WEFT_ENOMEM;
    for (uint32_t i = 0; i < n && !rc; i++)
        rc = add_filter (self, &options[i], why, room);
    if (rc) {
        weft_filters_destroy (&self);
        return rc;
    }
    fuse (self);
    *out = self;
    return 0;
}

uint32_t
weft_filters_count (const weft_filters_t *self)
{
    return self->n;
}

const char *
weft_filters_name (const weft_filters_t *self, uint32_t filter)
{
    return self->filters[filter].name;
}

const char *
weft_filters_owner (const weft_filters_t *self, uint32_t filter)
{
    return self->filters[filter].owner;
}

uint32_t
weft_filters_sinks (const weft_filters_t *self,
                    uint32_t filter,
                    char *const **sinks)
{
    *sinks = self->filters[filter].sinks;
    return self->filters[filter].n_sinks;
}

const char *
weft_filters_condition_name (const weft_filters_t *self,
                             uint32_t filter,
                             uint32_t condition)
{
    return self->filters[filter].conditions[condition].name;
}

const char *
weft_filters_failure (const weft_filters_t *self, uint32_t filter)
{
    return self->filters[filter].failure;
}

bool
weft_filters_quarantined (const weft_filters_t *self, uint32_t filter)
{
    return self->filters[filter].quarantined;
}

void
weft_filters_release (weft_filters_t *self, uint32_t filter)
{
    self->filters[filter].quarantined = false;
    self->filters[filter].strikes = 0;
    fuse (self);
}

static weft_filter_result_t
result_of (sqlite3_stmt *statement, int column)
{
    int failed = sqlite3_column_int (statement, column);
    if (failed == 0)
        return (weft_filter_result_t){ WEFT_VERDICT_TRUE, 0 };
    return (weft_filter_result_t){ WEFT_VERDICT_FALSE, (uint32_t)failed - 1 };
}

static void
strike (weft_filters_t *self, filter_t *filter, int code)
{
    if (code == SQLITE_INTERRUPT)
        snprintf (filter->failure, sizeof filter->failure,
                  "over its budget of %lld steps",
                  (long long)self->limits.budget);
    else
        snprintf (filter->failure, sizeof filter->failure, "%s",
                  weft_filter_sql_error (self->sql));
    if (++filter->strikes >= self->limits.strikes)
        filter->quarantined = true;
}

//  Asks one filter on its own.
static weft_filter_result_t
ask (weft_filters_t *self, filter_t *filter)
{
    if (filter->quarantined)
        return (weft_filter_result_t){ WEFT_VERDICT_QUARANTINED, 0 };
    int code = weft_filter_sql_step (self->sql, filter->statement,
                                     self->limits.budget);
    weft_filter_result_t result = { WEFT_VERDICT_FAILED, 0 };
    if (code == SQLITE_ROW) {
        result = result_of (filter->statement, 0);
        filter->strikes = 0;
    } else
        strike (self, filter, code);
    sqlite3_reset (filter->statement);
    return result;
}

//  Asks each filter on its own; those that fail have a strike.
static void
ask_each (weft_filters_t *self, weft_filter_result_t *results)
{
    bool lost = false, failed = false;
    for (uint32_t i = 0; i < self->n; i++) {
        bool before = self->filters[i].quarantined;
        results[i] = ask (self, &self->filters[i]);
        lost = lost || before != self->filters[i].quarantined;
        failed = failed || results[i].verdict == WEFT_VERDICT_FAILED;
    }
    //  All are within their budgets and only the sum was not: give it more.
    if (!failed && self->fused_budget < self->limits.budget * self->n)
        self->fused_budget *= 2;
    if (lost)
        fuse (self);
}

//  Asks all healthy filters in one turn; false if something failed.
static bool
ask_fused (weft_filters_t *self, weft_filter_result_t *results)
{
    if (!self->fused)
        return false;
    int code =
        weft_filter_sql_step (self->sql, self->fused, self->fused_budget);
    if (code == SQLITE_ROW) {
        for (uint32_t i = 0; i < self->n; i++)
            results[i] = (weft_filter_result_t){ WEFT_VERDICT_QUARANTINED, 0 };
        for (uint32_t k = 0; k < self->n_fused; k++) {
            results[self->fused_filter[k]] = result_of (self->fused, (int)k);
            self->filters[self->fused_filter[k]].strikes = 0;
        }
    }
    sqlite3_reset (self->fused);
    return code == SQLITE_ROW;
}

//  Without the alert's own section there is nothing to ask about.
static int
show (weft_filters_t *self, const weft_alert_t *alert)
{
    weft_filter_view_set (self->view, alert);
    if (weft_filter_view_alert (self->view))
        return 0;
    int rc = weft_filter_view_error (self->view);
    return rc ? rc : WEFT_EABSENT;
}

int
weft_filters_evaluate (weft_filters_t *self,
                       const weft_alert_t *alert,
                       weft_filter_result_t *results)
{
    int rc = show (self, alert);
    if (rc)
        return rc;
    if (!ask_fused (self, results))
        ask_each (self, results);
    return weft_filter_view_error (self->view);
}

static weft_verdict_t
ask_condition (weft_filters_t *self, condition_t *condition)
{
    int code = weft_filter_sql_step (self->sql, condition->statement,
                                     self->limits.budget);
    weft_verdict_t verdict = WEFT_VERDICT_FAILED;
    if (code == SQLITE_ROW) {
        sqlite3_stmt *row = condition->statement;
        if (sqlite3_column_type (row, 0) == SQLITE_NULL)
            verdict = WEFT_VERDICT_UNKNOWN;
        else
            verdict = sqlite3_column_double (row, 0) != 0 ? WEFT_VERDICT_TRUE
                                                          : WEFT_VERDICT_FALSE;
    }
    sqlite3_reset (condition->statement);
    return verdict;
}

int
weft_filters_explain (weft_filters_t *self,
                      const weft_alert_t *alert,
                      uint32_t filter,
                      weft_verdict_t *verdicts)
{
    int rc = show (self, alert);
    if (rc)
        return rc;
    filter_t *it = &self->filters[filter];
    for (uint32_t i = 0; i < it->n_conditions; i++)
        verdicts[i] = ask_condition (self, &it->conditions[i]);
    return weft_filter_view_error (self->view);
}

weft_filter_view_t *
weft_filters_view (weft_filters_t *self)
{
    return self->view;
}
