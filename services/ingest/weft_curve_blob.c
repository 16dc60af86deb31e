//  weft_curve_blob.c - a light curve as one run of bytes, and back.
//
//  u8 'C', u8 layout (1), u16 0, u32 rows, u32 columns (bits), then each column
//  that is there, all of its rows, little-endian. A column in which every row
//  has its empty value (NaN, 0) is left out, so a survey pays only for what it
//  tells. Equal curves are equal bytes.

#include "weft_curve.h"

#define LAYOUT 1
#define HEADER 12

typedef struct {
    uint16_t offset;
    uint8_t size;   //  bytes of one value
    uint8_t empty;  //  its empty value: 0 zero, 1 NaN
} column_t;

#define COLUMN(member, empty)                                                  \
    {                                                                          \
        offsetof (weft_point_t, member), sizeof (((weft_point_t *)0)->member), \
            empty                                                              \
    }

static const column_t columns[] = {
    COLUMN (kind, 0),     COLUMN (key, 0),     COLUMN (mjd, 1),
    COLUMN (t_src, 1),    COLUMN (ra, 1),      COLUMN (dec, 1),
    COLUMN (id, 0),       COLUMN (expo, 0),    COLUMN (ver[0], 0),
    COLUMN (ver[1], 0),   COLUMN (flux, 1),    COLUMN (err, 1),
    COLUMN (tot, 1),      COLUMN (tot_err, 1), COLUMN (ref, 1),
    COLUMN (ref_err, 1),  COLUMN (ref_sep, 1), COLUMN (lim, 1),
    COLUMN (zp, 1),       COLUMN (score, 1),   COLUMN (flags, 0),
    COLUMN (band, 0),     COLUMN (prog, 0),    COLUMN (usable, 0),
    COLUMN (known_at, 0),
};

static bool
is_empty (const weft_point_t *row, const weft_point_t *none, size_t c)
{
    const column_t *column = &columns[c];
    const uint8_t *value = (const uint8_t *)row + column->offset;
    const uint8_t *empty = (const uint8_t *)none + column->offset;
    static const uint8_t zeros[8];
    return !memcmp (value, column->empty ? empty : zeros, column->size);
}

static uint32_t
filled_columns (const weft_curve_t *self)
{
    weft_point_t none = weft_point_none ();
    uint32_t mask = 0;
    for (size_t c = 0; c < WEFT_COUNT (columns); c++)
        for (size_t i = 0; i < self->n; i++)
            if (!is_empty (&self->rows[i], &none, c)) {
                mask |= 1u << c;
                break;
            }
    return mask;
}

//  One column out of the rows, and back; a loop for each width.
static void
put_column (uint8_t *to, const weft_point_t *rows, size_t n, size_t c)
{
    const uint8_t *from = (const uint8_t *)rows + columns[c].offset;
    for (size_t i = 0; columns[c].size == 8 && i < n; i++) {
        uint64_t value;
        memcpy (&value, from + i * sizeof (*rows), 8);
        weft_put_u64 (to + 8 * i, value);
    }
    for (size_t i = 0; columns[c].size == 4 && i < n; i++) {
        uint32_t value;
        memcpy (&value, from + i * sizeof (*rows), 4);
        weft_put_u32 (to + 4 * i, value);
    }
    for (size_t i = 0; columns[c].size == 1 && i < n; i++)
        to[i] = from[i * sizeof (*rows)];
}

static void
get_column (weft_point_t *rows, const uint8_t *from, size_t n, size_t c)
{
    uint8_t *to = (uint8_t *)rows + columns[c].offset;
    for (size_t i = 0; columns[c].size == 8 && i < n; i++) {
        uint64_t value = weft_get_u64 (from + 8 * i);
        memcpy (to + i * sizeof (*rows), &value, 8);
    }
    for (size_t i = 0; columns[c].size == 4 && i < n; i++) {
        uint32_t value = weft_get_u32 (from + 4 * i);
        memcpy (to + i * sizeof (*rows), &value, 4);
    }
    for (size_t i = 0; columns[c].size == 1 && i < n; i++)
        to[i * sizeof (*rows)] = from[i];
}

void
weft_curve_pack (const weft_curve_t *self, weft_buf_t *out)
{
    uint32_t mask = filled_columns (self);
    uint8_t *header = weft_buf_grow (out, HEADER);
    if (!header)
        return;
    memset (header, 0, HEADER);
    header[0] = 'C';
    header[1] = LAYOUT;
    weft_put_u32 (header + 4, (uint32_t)self->n);
    weft_put_u32 (header + 8, mask);
    for (size_t c = 0; c < WEFT_COUNT (columns); c++) {
        if (!(mask >> c & 1))
            continue;
        uint8_t *to = weft_buf_grow (out, self->n * columns[c].size);
        if (to)
            put_column (to, self->rows, self->n, c);
    }
}

static size_t
row_width (uint32_t mask)
{
    size_t width = 0;
    for (size_t c = 0; c < WEFT_COUNT (columns); c++)
        if (mask >> c & 1)
            width += columns[c].size;
    return width;
}

static inline void
clean_wide (double *value)
{
    if (*value != *value)
        *value = __builtin_nan ("");
}

static inline void
clean_narrow (float *value)
{
    if (*value != *value)
        *value = __builtin_nanf ("");
}

void
weft_point_clean (weft_point_t *row)
{
    clean_wide (&row->mjd);
    clean_wide (&row->t_src);
    clean_wide (&row->ra);
    clean_wide (&row->dec);
    clean_narrow (&row->flux);
    clean_narrow (&row->err);
    clean_narrow (&row->tot);
    clean_narrow (&row->tot_err);
    clean_narrow (&row->ref);
    clean_narrow (&row->ref_err);
    clean_narrow (&row->ref_sep);
    clean_narrow (&row->lim);
    clean_narrow (&row->zp);
    clean_narrow (&row->score);
}

static int
make_room (weft_curve_t *self, size_t n)
{
    if (n <= self->room)
        return 0;
    weft_point_t *moved = realloc (self->rows, n * sizeof (*moved));
    if (!moved)
        return WEFT_ENOMEM;
    self->rows = moved;
    self->room = n;
    return 0;
}

static int
check_rows (weft_curve_t *self)
{
    for (size_t i = 0; i < self->n; i++) {
        weft_point_t *row = &self->rows[i];
        weft_point_clean (row);
        if (row->kind < WEFT_KIND_D || row->kind > WEFT_KIND_F ||
            !__builtin_isfinite (row->mjd))
            return WEFT_EMALFORMED;
        if (i && weft_point_order (row - 1, row) >= 0)
            return WEFT_EMALFORMED;
    }
    return 0;
}

static void
read_columns (weft_curve_t *self, const uint8_t *at, uint32_t mask)
{
    weft_point_t none = weft_point_none ();
    none.band = 0;  //  a column that was left out is 0
    for (size_t i = 0; i < self->n; i++)
        self->rows[i] = none;
    for (size_t c = 0; c < WEFT_COUNT (columns); c++) {
        if (!(mask >> c & 1))
            continue;
        get_column (self->rows, at, self->n, c);
        at += self->n * columns[c].size;
    }
}

int
weft_curve_unpack (weft_curve_t *self, const void *data, size_t size)
{
    const uint8_t *bytes = data;
    self->n = 0;
    if (size < HEADER)
        return WEFT_ETRUNCATED;
    if (bytes[0] != 'C' || bytes[1] != LAYOUT)
        return WEFT_EVERSION;
    uint32_t n = weft_get_u32 (bytes + 4);
    uint32_t mask = weft_get_u32 (bytes + 8);
    if (n > WEFT_CURVE_ROWS_MOST || mask >> WEFT_COUNT (columns))
        return WEFT_EMALFORMED;
    if (size - HEADER != n * row_width (mask))
        return WEFT_ETRUNCATED;
    int rc = make_room (self, n);
    if (rc)
        return rc;
    self->n = n;
    read_columns (self, bytes + HEADER, mask);
    rc = check_rows (self);
    if (rc)
        self->n = 0;
    return rc;
}
