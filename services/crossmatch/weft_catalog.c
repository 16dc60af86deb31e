//  weft_catalog.c - one catalogue: its file, its columns, its index.
//
//  Positions lie in the index, the rest in rows of 24 bytes; texts in one pool,
//  where a type that was met before is not stored again.

#include "weft_catalog.h"

#include <errno.h>
#include <math.h>
#include <strings.h>

#include "weft_angle.h"
#include "weft_csv.h"
#include "weft_hash.h"

#define TYPES 1024  //  types that are remembered, by hash
#define FIRST_ROWS 1024

typedef struct {
    uint32_t id_at, type_at;  //  in the pool
    uint8_t id_n, type_n;
    float mag, z;
} row_t;

struct weft_catalog {
    weft_sky_t *sky;
    row_t *rows;
    double *ra, *dec;
    uint32_t n, room;
    char *pool;
    size_t pool_n, pool_room;
    uint64_t bad;
    uint64_t bad_lines[WEFT_CATALOG_BAD];
    char version[WEFT_CATALOG_VERSION];
};

//  Where the columns are, -1 for none.
typedef struct {
    int ra, dec, id, type, mag, z;
} columns_t;

typedef struct {
    weft_catalog_t *self;
    const weft_catalog_plan_t *plan;
    columns_t columns;
    row_t types[TYPES];  //  type_at and type_n of the last with this hash
    weft_csv_t csv;
} loader_t;

static void *
grow (void *items, size_t size, size_t n)
{
    return n > SIZE_MAX / size ? NULL : realloc (items, size * n);
}

static int
make_room (weft_catalog_t *self)
{
    if (self->n < self->room)
        return 0;
    if (self->room > UINT32_MAX / 2)
        return WEFT_ETOOBIG;
    uint32_t room = self->room ? 2 * self->room : FIRST_ROWS;
    row_t *rows = grow (self->rows, sizeof *rows, room);
    self->rows = rows ? rows : self->rows;
    double *ra = grow (self->ra, sizeof *ra, room);
    self->ra = ra ? ra : self->ra;
    double *dec = grow (self->dec, sizeof *dec, room);
    self->dec = dec ? dec : self->dec;
    if (!rows || !ra || !dec)
        return WEFT_ENOMEM;
    self->room = room;
    return 0;
}

//  Puts a text into the pool; too long ones are cut.
static int
pool_text (weft_catalog_t *self, weft_str_t text, uint32_t *at, uint8_t *n)
{
    uint32_t size = WEFT_MIN (text.n, WEFT_CATALOG_TEXT);
    if (self->pool_n + size > self->pool_room) {
        size_t room = WEFT_MAX (self->pool_room * 2, 1u << 16);
        char *pool = room > UINT32_MAX ? NULL : realloc (self->pool, room);
        if (pool == NULL)
            return room > UINT32_MAX ? WEFT_ETOOBIG : WEFT_ENOMEM;
        self->pool = pool;
        self->pool_room = room;
    }
    if (size)
        memcpy (self->pool + self->pool_n, text.p, size);
    *at = (uint32_t)self->pool_n;
    *n = (uint8_t)size;
    self->pool_n += size;
    return 0;
}

//  A type is one of few texts: looked up by hash, and stored anew only if
//  another one has taken its place.
static int
pool_type (loader_t *loader, weft_str_t text, row_t *row)
{
    text.n = WEFT_MIN (text.n, WEFT_CATALOG_TEXT);
    row_t *seen = &loader->types[weft_hash (text.p, text.n) % TYPES];
    const char *pool = loader->self->pool;
    if (seen->type_n != text.n || text.n == 0 ||
        memcmp (pool + seen->type_at, text.p, text.n) != 0) {
        int rc = pool_text (loader->self, text, &seen->type_at, &seen->type_n);
        if (rc)
            return rc;
    }
    row->type_at = seen->type_at;
    row->type_n = seen->type_n;
    return 0;
}

static weft_str_t
field_of (const weft_csv_t *csv, int column)
{
    if (column < 0 || (uint32_t)column >= csv->n_fields)
        return (weft_str_t){ "", 0 };
    return csv->fields[column];
}

static float
number_of (const weft_csv_t *csv, int column)
{
    double value;
    if (!weft_angle_number (field_of (csv, column), &value))
        return NAN;
    return (float)value;
}

static bool
position_of (const loader_t *loader, double *ra, double *dec)
{
    weft_str_t ra_text = field_of (&loader->csv, loader->columns.ra);
    weft_str_t dec_text = field_of (&loader->csv, loader->columns.dec);
    if (loader->plan->sexagesimal) {
        if (!weft_angle_sexagesimal (ra_text, ra) ||
            !weft_angle_sexagesimal (dec_text, dec))
            return false;
        *ra *= 15;
    } else if (!weft_angle_number (ra_text, ra) ||
               !weft_angle_number (dec_text, dec))
        return false;
    return weft_sky_valid (*ra, *dec);
}

static int
add_row (loader_t *loader)
{
    weft_catalog_t *self = loader->self;
    const columns_t *columns = &loader->columns;
    double ra, dec;
    if (!position_of (loader, &ra, &dec)) {
        if (self->bad < WEFT_CATALOG_BAD)
            self->bad_lines[self->bad] = loader->csv.line;
        self->bad++;
        return 0;
    }
    int rc = make_room (self);
    if (rc)
        return rc;
    row_t *row = &self->rows[self->n];
    memset (row, 0, sizeof *row);
    rc = pool_text (self, field_of (&loader->csv, columns->id), &row->id_at,
                    &row->id_n);
    if (rc == 0)
        rc = pool_type (loader, field_of (&loader->csv, columns->type), row);
    row->mag = number_of (&loader->csv, columns->mag);
    row->z = number_of (&loader->csv, columns->z);
    self->ra[self->n] = ra;
    self->dec[self->n] = dec;
    self->n += rc == 0;
    return rc;
}

//  "#3" is the third column; else the header's name, whatever its case.
static int
find_column (const loader_t *loader, const char *name, int *column)
{
    const weft_csv_t *csv = &loader->csv;
    *column = -1;
    if (name == NULL || *name == 0)
        return 0;
    if (*name == '#') {
        long n = strtol (name + 1, NULL, 10);
        if (n < 1 || n > WEFT_CSV_FIELDS)
            return WEFT_ECONFIG;
        *column = (int)n - 1;
        return 0;
    }
    for (uint32_t i = 0; loader->plan->header && i < csv->n_fields; i++) {
        weft_str_t field = csv->fields[i];
        if (field.n == strlen (name) &&
            strncasecmp (field.p, name, field.n) == 0) {
            *column = (int)i;
            return 0;
        }
    }
    return WEFT_ECONFIG;
}

static int
find_columns (loader_t *loader, char *why, size_t room)
{
    const weft_catalog_plan_t *plan = loader->plan;
    columns_t *columns = &loader->columns;
    const struct {
        const char *role, *name;
        int *column;
    } wanted[] = {
        { "ra", plan->ra, &columns->ra },
        { "dec", plan->dec, &columns->dec },
        { "id", plan->id, &columns->id },
        { "type", plan->type, &columns->type },
        { "mag", plan->mag, &columns->mag },
        { "z", plan->z, &columns->z },
    };
    for (size_t i = 0; i < WEFT_COUNT (wanted); i++) {
        if (find_column (loader, wanted[i].name, wanted[i].column)) {
            snprintf (why, room, "no column \"%s\" for %s", wanted[i].name,
                      wanted[i].role);
            return WEFT_ECONFIG;
        }
    }
    if (columns->ra < 0 || columns->dec < 0) {
        snprintf (why, room, "a catalogue needs columns for ra and dec");
        return WEFT_ECONFIG;
    }
    return 0;
}

static int
read_rows (loader_t *loader, char *why, size_t room)
{
    int rc = 1;
    if (loader->plan->header) {
        rc = weft_csv_next (&loader->csv);
        if (rc == 0) {
            snprintf (why, room, "the file is empty");
            return WEFT_EMALFORMED;
        }
    }
    if (rc > 0 && (rc = find_columns (loader, why, room)))
        return rc;
    while (rc >= 0 && (rc = weft_csv_next (&loader->csv)) > 0)
        rc = add_row (loader);
    if (rc < 0)
        snprintf (why, room, "line %llu: %s",
                  (unsigned long long)loader->csv.line, weft_error_text (rc));
    return rc;
}

static void
set_version (weft_catalog_t *self, const char *data, size_t size)
{
    uint8_t sum[32];
    weft_sha256 (data, size, sum);
    weft_hex (sum, (WEFT_CATALOG_VERSION - 1) / 2, self->version);
}

//  The positions are in the index now; rows are not added any more.
static int
finish (weft_catalog_t *self, const weft_catalog_plan_t *plan)
{
    self->sky = weft_sky_new (self->ra, self->dec, self->n, plan->radius);
    return self->sky ? 0 : WEFT_ENOMEM;
}

int
weft_catalog_parse (weft_catalog_t **self_p,
                    const weft_catalog_plan_t *plan,
                    char *data,
                    size_t size,
                    char *why,
                    size_t room)
{
    *self_p = NULL;
    *why = 0;
    loader_t *loader = calloc (1, sizeof *loader);
    weft_catalog_t *self = calloc (1, sizeof *self);
    int rc = loader && self ? 0 : WEFT_ENOMEM;
    if (rc == 0) {
        loader->self = self;
        loader->plan = plan;
        set_version (self, data, size);
        weft_csv_init (&loader->csv, data, size, plan->delimiter);
        rc = read_rows (loader, why, room);
    }
    if (rc == 0)
        rc = finish (self, plan);
    if (rc && *why == 0)
        snprintf (why, room, "%s", weft_error_text (rc));
    free (loader);
    if (rc)
        weft_catalog_destroy (&self);
    *self_p = self;
    return rc;
}

//  Returns new: the whole file.
static int
read_file (FILE *in, char **data, size_t *size)
{
    size_t room = 0;
    *size = 0;
    for (;;) {
        if (*size == room) {
            room = room ? 2 * room : 1u << 20;
            char *more =
                room > WEFT_CATALOG_FILE ? NULL : realloc (*data, room);
            if (more == NULL)
                return room > WEFT_CATALOG_FILE ? WEFT_ETOOBIG : WEFT_ENOMEM;
            *data = more;
        }
        size_t n = fread (*data + *size, 1, room - *size, in);
        *size += n;
        if (n == 0)
            return ferror (in) ? WEFT_EIO : 0;
    }
}

int
weft_catalog_load (weft_catalog_t **self_p,
                   const weft_catalog_plan_t *plan,
                   const char *path,
                   char *why,
                   size_t room)
{
    *self_p = NULL;
    FILE *in = fopen (path, "rb");
    if (in == NULL) {
        snprintf (why, room, "%s", strerror (errno));
        return WEFT_ENOENT;
    }
    char *data = NULL;
    size_t size;
    int rc = read_file (in, &data, &size);
    fclose (in);
    if (rc == 0)
        rc = weft_catalog_parse (self_p, plan, data, size, why, room);
    else
        snprintf (why, room, "%s", weft_error_text (rc));
    free (data);
    return rc;
}

void
weft_catalog_destroy (weft_catalog_t **self_p)
{
    weft_catalog_t *self = *self_p;
    if (self == NULL)
        return;
    weft_sky_destroy (&self->sky);
    free (self->rows);
    free (self->ra);
    free (self->dec);
    free (self->pool);
    free (self);
    *self_p = NULL;
}

uint32_t
weft_catalog_rows (const weft_catalog_t *self)
{
    return self->n;
}

uint64_t
weft_catalog_bad (const weft_catalog_t *self, uint64_t lines[WEFT_CATALOG_BAD])
{
    memcpy (lines, self->bad_lines, sizeof self->bad_lines);
    return self->bad;
}

const char *
weft_catalog_version (const weft_catalog_t *self)
{
    return self->version;
}

const weft_sky_t *
weft_catalog_sky (const weft_catalog_t *self)
{
    return self->sky;
}

void
weft_catalog_row (const weft_catalog_t *self,
                  uint32_t row,
                  weft_catalog_row_t *out)
{
    const row_t *at = &self->rows[row];
    *out = (weft_catalog_row_t){
        .ra = self->ra[row],
        .dec = self->dec[row],
        .id = { self->pool + at->id_at, at->id_n },
        .type = { self->pool + at->type_at, at->type_n },
        .mag = at->mag,
        .z = at->z,
    };
}
