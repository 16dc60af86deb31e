//  weft_why_value.c - what a condition compared, for people.

#include <ctype.h>
#include <math.h>
#include <strings.h>

#include "weft_filter_sql.h"
#include "weft_json_text.h"
#include "weft_why_value.h"

#define BUDGET 10000000

struct weft_why_value {
    weft_filter_sql_t *sql;
};

weft_why_value_t *
weft_why_value_new (weft_filter_view_t *view)
{
    weft_why_value_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->sql = weft_filter_sql_new (view);
    if (!self->sql)
        weft_why_value_destroy (&self);
    return self;
}

void
weft_why_value_destroy (weft_why_value_t **self_p)
{
    weft_why_value_t *self = *self_p;
    if (!self)
        return;
    weft_filter_sql_destroy (&self->sql);
    free (self);
    *self_p = NULL;
}

//  Words that make more than one comparison of a condition.
static bool
is_word_that_joins (const char *at, size_t n)
{
    static const char *const words[] = { "and",  "or",    "not",  "between",
                                         "in",   "is",    "like", "glob",
                                         "case", "exists" };
    for (size_t i = 0; i < WEFT_COUNT (words); i++)
        if (strlen (words[i]) == n && !strncasecmp (at, words[i], n))
            return true;
    return false;
}

//  The end of a text or name in quotes; of the whole if it does not end.
static const char *
skip_quoted (const char *at)
{
    char quote = *at == '[' ? ']' : *at;
    const char *end = strchr (at + 1, quote);
    return end ? end : at + strlen (at) - 1;
}

size_t
weft_why_value_left (const char *sql)
{
    size_t found = 0;
    int depth = 0;
    for (const char *p = sql; *p; p++) {
        if (strchr ("'\"`[", *p))
            p = skip_quoted (p);
        else if (*p == '(')
            depth++;
        else if (*p == ')')
            depth--;
        else if (depth > 0)
            continue;
        else if (isalpha ((unsigned char)*p) || *p == '_') {
            size_t n = 1;
            while (isalnum ((unsigned char)p[n]) || p[n] == '_')
                n++;
            if (is_word_that_joins (p, n))
                return 0;
            p += n - 1;
        } else if (strchr ("<>=!", *p)) {
            if (found || !strncmp (p, "<<", 2) || !strncmp (p, ">>", 2))
                return 0;
            found = (size_t)(p - sql);
            p += p[1] && strchr ("=>", p[1]) ? 1 : 0;
        }
    }
    return found;
}

static void
write_value (sqlite3_stmt *row, weft_buf_t *out)
{
    const char *text;
    switch (sqlite3_column_type (row, 0)) {
    case SQLITE_INTEGER:
        weft_json_add_int (out, sqlite3_column_int64 (row, 0));
        return;
    case SQLITE_FLOAT:
        if (isfinite (sqlite3_column_double (row, 0)))
            weft_buf_addf (out, "%.9g", sqlite3_column_double (row, 0));
        else
            weft_buf_addf (out, "null");
        return;
    case SQLITE_TEXT:
        text = (const char *)sqlite3_column_text (row, 0);
        weft_json_add_text (
            out, (weft_str_t){ text, (uint32_t)WEFT_MIN (
                                         sqlite3_column_bytes (row, 0), 60) });
        return;
    default:
        weft_buf_addf (out, "null");
    }
}

void
weft_why_value_read (weft_why_value_t *self,
                     const char *sql,
                     char *out,
                     size_t room)
{
    char why[200];
    sqlite3_stmt *statement = NULL;
    size_t left = weft_why_value_left (sql);
    weft_buf_t text;
    weft_buf_init (&text, 2 * WEFT_FILTER_SQL_MOST);
    weft_buf_addf (&text, "SELECT (%.*s) FROM alert",
                   left ? (int)left : (int)strlen (sql), sql);
    weft_buf_add (&text, "", 1);
    snprintf (out, room, "null");
    if (!text.error &&
        !weft_filter_sql_prepare (self->sql, (char *)text.data, &statement, why,
                                  sizeof why) &&
        weft_filter_sql_step (self->sql, statement, BUDGET) == SQLITE_ROW) {
        weft_buf_clear (&text);
        write_value (statement, &text);
        weft_buf_add (&text, "", 1);
        if (!text.error && text.size <= room)
            memcpy (out, text.data, text.size);
    }
    sqlite3_finalize (statement);
    weft_buf_fini (&text);
}
