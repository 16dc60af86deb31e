//  weft_filter_tables.c - the tables that users' conditions are written on.
//
//  One virtual-table module serves all tables. Comparisons with constants are
//  taken from SQLite and checked here first, row by row in C: a condition that
//  counts 3 rows of 1,000 then costs 3 turns of SQLite's machine. SQLite checks
//  them again, so here it is enough never to leave out a row that could match.

#include "weft_filter_tables.h"

#include "weft_filter_cell.h"

#define BOUNDS_MOST 6  //  comparisons that are taken from SQLite

typedef struct {
    sqlite3_vtab vtab;  //  first: SQLite's part
    const weft_filter_table_t *table;
    weft_filter_view_t *view;
} vtab_t;

typedef struct {
    uint8_t column;
    char op;  //  '=', '<' (at most), '>' (at least) or '#' (code is)
    uint32_t code;
    weft_cell_t value;
} bound_t;

typedef struct {
    sqlite3_vtab_cursor cursor;  //  first: SQLite's part
    const void *base;
    uint32_t row, rows;
    uint32_t n_bounds;
    bound_t bounds[BOUNDS_MOST];
    char *text[BOUNDS_MOST];  //  owned copies of text bounds
} cursor_t;

static const weft_filter_table_t *
find_table (const char *name)
{
    size_t n;
    const weft_filter_table_t *tables = weft_filter_tables (&n);
    for (size_t i = 0; i < n; i++)
        if (!strcmp (tables[i].name, name))
            return &tables[i];
    return NULL;
}

bool
weft_filter_tables_has (const char *name)
{
    return find_table (name) != NULL;
}

static const char *
type_text (const weft_filter_column_t *column)
{
    static const char *const names[] = { "", "INTEGER", "REAL", "TEXT" };
    return names[weft_filter_column_type (column)];
}

static int
declare (sqlite3 *db, const weft_filter_table_t *table)
{
    weft_buf_t sql;
    weft_buf_init (&sql, 1 << 16);
    weft_buf_addf (&sql, "CREATE TABLE x (");
    for (uint32_t i = 0; i < table->n_columns; i++)
        weft_buf_addf (&sql, "%s\"%s\" %s", i ? "," : "",
                       table->columns[i].name, type_text (&table->columns[i]));
    weft_buf_add (&sql, ")", 2);
    int rc =
        sql.error ? SQLITE_NOMEM : sqlite3_declare_vtab (db, (char *)sql.data);
    weft_buf_fini (&sql);
    return rc;
}

typedef struct {
    const weft_filter_table_t *table;
    weft_filter_view_t *view;
} module_t;

static int
vtab_connect (sqlite3 *db,
              void *aux,
              int argc WEFT_UNUSED,
              const char *const *argv WEFT_UNUSED,
              sqlite3_vtab **out,
              char **error WEFT_UNUSED)
{
    const module_t *module = aux;
    int rc = declare (db, module->table);
    if (rc != SQLITE_OK)
        return rc;
    vtab_t *self = sqlite3_malloc (sizeof *self);
    if (!self)
        return SQLITE_NOMEM;
    memset (self, 0, sizeof *self);
    self->table = module->table;
    self->view = module->view;
    *out = &self->vtab;
    return SQLITE_OK;
}

static int
vtab_disconnect (sqlite3_vtab *vtab)
{
    sqlite3_free (vtab);
    return SQLITE_OK;
}

//  The bound that a comparison becomes, 0 if it is none of ours.
static char
bound_op (unsigned char op)
{
    switch (op) {
    case SQLITE_INDEX_CONSTRAINT_EQ:
        return '=';
    case SQLITE_INDEX_CONSTRAINT_GT:
    case SQLITE_INDEX_CONSTRAINT_GE:
        return '>';
    case SQLITE_INDEX_CONSTRAINT_LT:
    case SQLITE_INDEX_CONSTRAINT_LE:
        return '<';
    default:
        return 0;
    }
}

static bool
takes_bound (const vtab_t *self, sqlite3_index_info *info, int i, char op)
{
    int column = info->aConstraint[i].iColumn;
    if (!info->aConstraint[i].usable || !op || column < 0)
        return false;
    if (weft_filter_column_type (&self->table->columns[column]) !=
        WEFT_CELL_TEXT)
        return true;
    return op == '=' && !strcmp (sqlite3_vtab_collation (info, i), "BINARY");
}

static int
vtab_best_index (sqlite3_vtab *vtab, sqlite3_index_info *info)
{
    vtab_t *self = (vtab_t *)vtab;
    bool one_row = !strcmp (self->table->name, "alert");
    char plan[2 * BOUNDS_MOST + 1];
    int n = 0;
    for (int i = 0; !one_row && i < info->nConstraint && n < BOUNDS_MOST; i++) {
        char op = bound_op (info->aConstraint[i].op);
        if (!takes_bound (self, info, i, op))
            continue;
        plan[2 * n] = op;
        //  Columns are few: one printable byte each, from '0' on.
        plan[2 * n + 1] = (char)('0' + info->aConstraint[i].iColumn);
        info->aConstraintUsage[i].argvIndex = ++n;
    }
    plan[2 * n] = 0;
    info->estimatedCost = one_row ? 1 : 200.0 / (1 + 4 * n);
    info->estimatedRows = one_row ? 1 : 100 / (1 + 4 * n);
    if (one_row)
        info->idxFlags = SQLITE_INDEX_SCAN_UNIQUE;
    if (n == 0)
        return SQLITE_OK;
    info->idxStr = sqlite3_mprintf ("%s", plan);
    info->needToFreeIdxStr = 1;
    return info->idxStr ? SQLITE_OK : SQLITE_NOMEM;
}

static int
vtab_open (sqlite3_vtab *vtab WEFT_UNUSED, sqlite3_vtab_cursor **out)
{
    cursor_t *self = sqlite3_malloc (sizeof *self);
    if (!self)
        return SQLITE_NOMEM;
    memset (self, 0, sizeof *self);
    *out = &self->cursor;
    return SQLITE_OK;
}

static void
drop_bounds (cursor_t *self)
{
    for (uint32_t i = 0; i < self->n_bounds; i++) {
        sqlite3_free (self->text[i]);
        self->text[i] = NULL;
    }
    self->n_bounds = 0;
}

static int
vtab_close (sqlite3_vtab_cursor *cursor)
{
    drop_bounds ((cursor_t *)cursor);
    sqlite3_free (cursor);
    return SQLITE_OK;
}

//  Adds a bound if the value is of the column's own type; SQLite alone judges
//  comparisons between types.
static int
add_bound (cursor_t *self,
           const weft_filter_column_t *column,
           bound_t bound,
           sqlite3_value *value)
{
    int type = sqlite3_value_type (value);
    bool is_text = weft_filter_column_type (column) == WEFT_CELL_TEXT;
    if (type == SQLITE_TEXT && weft_filter_column_coded (column)) {
        bound.op = '#';
        bound.code =
            weft_filter_code (column, (const char *)sqlite3_value_text (value));
    } else if (is_text && type == SQLITE_TEXT) {
        char *copy = sqlite3_mprintf ("%s", sqlite3_value_text (value));
        if (!copy)
            return SQLITE_NOMEM;
        self->text[self->n_bounds] = copy;
        bound.value =
            (weft_cell_t){ .type = WEFT_CELL_TEXT, .s = weft_str (copy) };
    } else if (!is_text && (type == SQLITE_INTEGER || type == SQLITE_FLOAT))
        bound.value = (weft_cell_t){ .type = WEFT_CELL_REAL,
                                     .d = sqlite3_value_double (value) };
    else
        return SQLITE_OK;
    self->bounds[self->n_bounds++] = bound;
    return SQLITE_OK;
}

static bool
in_bound (const bound_t *bound, const weft_cell_t *cell)
{
    if (cell->type == WEFT_CELL_NULL)
        return false;  //  no comparison with NULL holds
    if (bound->value.type == WEFT_CELL_TEXT)
        return cell->s.n == bound->value.s.n &&
               !memcmp (cell->s.p, bound->value.s.p, cell->s.n);
    double d = cell->type == WEFT_CELL_INT ? (double)cell->i : cell->d;
    switch (bound->op) {
    case '=':
        return d == bound->value.d;
    case '<':
        return d <= bound->value.d;
    default:
        return d >= bound->value.d;
    }
}

static bool
row_in_bounds (const cursor_t *self, const weft_filter_table_t *table)
{
    for (uint32_t i = 0; i < self->n_bounds; i++) {
        const bound_t *bound = &self->bounds[i];
        if (bound->op == '#') {
            if (weft_filter_code_at (table, self->base, self->row,
                                     bound->column) != bound->code)
                return false;
            continue;
        }
        weft_cell_t cell =
            weft_filter_cell (table, self->base, self->row, bound->column);
        if (!in_bound (bound, &cell))
            return false;
    }
    return true;
}

//  On to the next row that could match, beginning with this one.
static void
seek (cursor_t *self, const weft_filter_table_t *table)
{
    while (self->row < self->rows && !row_in_bounds (self, table))
        self->row++;
}

static int
vtab_filter (sqlite3_vtab_cursor *cursor,
             int plan WEFT_UNUSED,
             const char *plan_text,
             int argc,
             sqlite3_value **argv)
{
    cursor_t *self = (cursor_t *)cursor;
    const vtab_t *vtab = (const vtab_t *)cursor->pVtab;
    drop_bounds (self);
    int rc = SQLITE_OK;
    for (int i = 0; i < argc && rc == SQLITE_OK; i++) {
        bound_t bound = { .op = plan_text[2 * i],
                          .column = (uint8_t)(plan_text[2 * i + 1] - '0') };
        rc = add_bound (self, &vtab->table->columns[bound.column], bound,
                        argv[i]);
    }
    self->rows = vtab->table->rows (vtab->view, &self->base);
    self->row = 0;
    seek (self, vtab->table);
    return rc;
}

static int
vtab_next (sqlite3_vtab_cursor *cursor)
{
    cursor_t *self = (cursor_t *)cursor;
    self->row++;
    seek (self, ((const vtab_t *)cursor->pVtab)->table);
    return SQLITE_OK;
}

static int
vtab_eof (sqlite3_vtab_cursor *cursor)
{
    const cursor_t *self = (const cursor_t *)cursor;
    return self->row >= self->rows;
}

static int
vtab_column (sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column)
{
    const cursor_t *self = (const cursor_t *)cursor;
    const vtab_t *vtab = (const vtab_t *)cursor->pVtab;
    weft_cell_t cell =
        weft_filter_cell (vtab->table, self->base, self->row, (uint32_t)column);
    switch (cell.type) {
    case WEFT_CELL_INT:
        sqlite3_result_int64 (context, cell.i);
        break;
    case WEFT_CELL_REAL:
        sqlite3_result_double (context, cell.d);
        break;
    case WEFT_CELL_TEXT:
        //  The alert outlives the statement's turn: no copy.
        sqlite3_result_text (context, cell.s.p, (int)cell.s.n, SQLITE_STATIC);
        break;
    default:
        sqlite3_result_null (context);
    }
    return SQLITE_OK;
}

static int
vtab_rowid (sqlite3_vtab_cursor *cursor, sqlite3_int64 *rowid)
{
    *rowid = ((const cursor_t *)cursor)->row;
    return SQLITE_OK;
}

//  No xCreate: the tables are just there (eponymous). No xUpdate: read only.
static const sqlite3_module module = {
    .iVersion = 1,
    .xConnect = vtab_connect,
    .xBestIndex = vtab_best_index,
    .xDisconnect = vtab_disconnect,
    .xOpen = vtab_open,
    .xClose = vtab_close,
    .xFilter = vtab_filter,
    .xNext = vtab_next,
    .xEof = vtab_eof,
    .xColumn = vtab_column,
    .xRowid = vtab_rowid,
};

//  SQLite declares a table when it is first named: now, while it may.
static int
name_table (sqlite3 *db, const weft_filter_table_t *table)
{
    char sql[64];
    snprintf (sql, sizeof sql, "SELECT 1 FROM %s", table->name);
    return sqlite3_exec (db, sql, NULL, NULL, NULL) ? WEFT_EBUG : 0;
}

int
weft_filter_tables_register (sqlite3 *db, weft_filter_view_t *view)
{
    size_t n;
    const weft_filter_table_t *tables = weft_filter_tables (&n);
    for (size_t i = 0; i < n; i++) {
        module_t *aux = malloc (sizeof *aux);
        if (!aux)
            return WEFT_ENOMEM;
        *aux = (module_t){ &tables[i], view };
        if (sqlite3_create_module_v2 (db, tables[i].name, &module, aux, free))
            return WEFT_ENOMEM;
        int rc = name_table (db, &tables[i]);
        if (rc)
            return rc;
    }
    return 0;
}

void
weft_filter_tables_describe (FILE *out)
{
    size_t n;
    const weft_filter_table_t *tables = weft_filter_tables (&n);
    for (size_t i = 0; i < n; i++) {
        fprintf (out, "\n### `%s`: %s\n\n", tables[i].name, tables[i].about);
        fprintf (out, "| column | type | unit | meaning |\n");
        fprintf (out, "| --- | --- | --- | --- |\n");
        for (uint32_t k = 0; k < tables[i].n_columns; k++) {
            const weft_filter_column_t *column = &tables[i].columns[k];
            fprintf (out, "| `%s` | %s | %s | %s |\n", column->name,
                     type_text (column), column->unit, column->meaning);
        }
    }
}
