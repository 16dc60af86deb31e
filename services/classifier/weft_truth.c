//  weft_truth.c - see weft_truth.h.

#include "weft_truth.h"

#include <errno.h>

#define LINE_MOST 8192

typedef struct {
    int64_t alert_id;
    uint32_t class;
} row_t;

struct weft_truth {
    row_t *rows;  //  sorted by alert_id
    size_t n, room;
    char names[WEFT_TRUTH_CLASSES_MOST][WEFT_TRUTH_CLASS_SIZE];
    uint32_t classes;
    int id_column, class_column;
};

void
weft_truth_destroy (weft_truth_t **self_p)
{
    weft_truth_t *self = *self_p;
    if (!self)
        return;
    free (self->rows);
    free (self);
    *self_p = NULL;
}

//  The column's text in a line, cut out into `out`; false if it is not there
//  or too long.
static bool
cut_column (const char *line, int column, char *out, size_t room)
{
    for (; column > 0; column--) {
        line = strchr (line, ',');
        if (!line)
            return false;
        line++;
    }
    size_t size = strcspn (line, ",\r\n");
    if (size >= room)
        return false;
    memcpy (out, line, size);
    out[size] = 0;
    return true;
}

static bool
read_header (weft_truth_t *self, const char *line)
{
    char name[64];
    self->id_column = self->class_column = -1;
    for (int i = 0; cut_column (line, i, name, sizeof (name)); i++) {
        if (!strcmp (name, "alert_id"))
            self->id_column = i;
        if (!strcmp (name, "class"))
            self->class_column = i;
    }
    return self->id_column >= 0 && self->class_column >= 0;
}

//  Number of a class name, new ones added; -1 if there are too many.
static int
number_class (weft_truth_t *self, const char *name)
{
    uint32_t k = 0;
    while (k < self->classes && strcmp (self->names[k], name))
        k++;
    if (k == WEFT_TRUTH_CLASSES_MOST)
        return -1;
    if (k == self->classes)
        snprintf (self->names[self->classes++], WEFT_TRUTH_CLASS_SIZE, "%s",
                  name);
    return (int)k;
}

static int
add_row (weft_truth_t *self, int64_t alert_id, uint32_t class)
{
    if (self->n == self->room) {
        size_t room = self->room ? 2 * self->room : 4096;
        if (room > WEFT_TRUTH_ROWS_MOST)
            return WEFT_ETOOBIG;
        row_t *rows = realloc (self->rows, room * sizeof (*rows));
        if (!rows)
            return WEFT_ENOMEM;
        self->rows = rows;
        self->room = room;
    }
    self->rows[self->n++] = (row_t){ alert_id, class };
    return 0;
}

static int
read_row (weft_truth_t *self, const char *line)
{
    char id[32], name[WEFT_TRUTH_CLASS_SIZE];
    char *end;
    if (!cut_column (line, self->id_column, id, sizeof (id)) ||
        !cut_column (line, self->class_column, name, sizeof (name)) || !name[0])
        return WEFT_EMALFORMED;
    errno = 0;
    int64_t alert_id = strtoll (id, &end, 10);
    if (errno || end == id || *end)
        return WEFT_EMALFORMED;
    int class = number_class (self, name);
    return class < 0 ? WEFT_ETOOBIG
                     : add_row (self, alert_id, (uint32_t) class);
}

static int
read_lines (weft_truth_t *self, FILE *file, size_t *number)
{
    char line[LINE_MOST];
    int rc = 0;
    for (*number = 1; !rc && fgets (line, sizeof (line), file); ++*number) {
        if (!strchr (line, '\n') && !feof (file))
            rc = WEFT_ETOOBIG;
        else if (*number == 1)
            rc = read_header (self, line) ? 0 : WEFT_EABSENT;
        else if (line[0] != '\n' && line[0] != '\r')
            rc = read_row (self, line);
    }
    if (rc)
        --*number;
    return rc ? rc : ferror (file) ? WEFT_EIO : self->n ? 0 : WEFT_EABSENT;
}

static int
compare_names (const void *a, const void *b)
{
    return strcmp (a, b);
}

//  Numbers in alphabetical order: they do not depend on the file's.
static void
renumber (weft_truth_t *self)
{
    char before[WEFT_TRUTH_CLASSES_MOST][WEFT_TRUTH_CLASS_SIZE];
    uint32_t number[WEFT_TRUTH_CLASSES_MOST] = { 0 };
    memcpy (before, self->names, sizeof (before));
    qsort (self->names, self->classes, sizeof (before[0]), compare_names);
    for (uint32_t k = 0; k < self->classes; k++)
        for (number[k] = 0; strcmp (self->names[number[k]], before[k]) != 0;)
            number[k]++;
    for (size_t i = 0; i < self->n; i++)
        self->rows[i].class = number[self->rows[i].class];
}

static int
compare_rows (const void *a, const void *b)
{
    int64_t x = ((const row_t *)a)->alert_id;
    int64_t y = ((const row_t *)b)->alert_id;
    return (x > y) - (x < y);
}

weft_truth_t *
weft_truth_new (const char *path, char why[WEFT_TRUTH_WHY])
{
    size_t line = 0;
    weft_truth_t *self = calloc (1, sizeof (*self));
    FILE *file = self ? fopen (path, "r") : NULL;
    int rc = file ? read_lines (self, file, &line) : WEFT_EIO;
    if (file)
        fclose (file);
    if (rc) {
        if (file)
            snprintf (why, WEFT_TRUTH_WHY,
                      "%s, line %zu: %s (columns alert_id and class are "
                      "needed)",
                      path, line, weft_error_text (rc));
        else
            snprintf (why, WEFT_TRUTH_WHY, "%s: %s", path, strerror (errno));
        weft_truth_destroy (&self);
        return NULL;
    }
    renumber (self);
    qsort (self->rows, self->n, sizeof (*self->rows), compare_rows);
    return self;
}

int
weft_truth_class (const weft_truth_t *self, int64_t alert_id)
{
    row_t key = { .alert_id = alert_id };
    const row_t *row =
        bsearch (&key, self->rows, self->n, sizeof (*self->rows), compare_rows);
    return row ? (int)row->class : -1;
}

size_t
weft_truth_rows (const weft_truth_t *self)
{
    return self->n;
}

uint32_t
weft_truth_classes (const weft_truth_t *self)
{
    return self->classes;
}

const char *
weft_truth_class_name (const weft_truth_t *self, uint32_t class)
{
    return self->names[class];
}
