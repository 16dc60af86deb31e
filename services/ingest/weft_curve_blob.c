//  weft_curve_blob.c - a light curve as one run of bytes, and back.
//
//  u8 'C', u8 layout (1, or 2 with room), u16 0, u32 rows, u32 columns (bits), then each column
//  that is there, all of its rows, little-endian. A column in which every row
//  has its empty value (NaN, 0) is left out, so a survey pays only for what it
//  tells. Equal curves are equal bytes.
//
//  A writer who has little to add puts it behind, as a piece of the same form;
//  rows that are in several pieces are merged. Zeros behind the last piece are
//  room for more. A first piece with room has layout 2, so that a reader who
//  knows no pieces does not take it for a broken one.

#include "weft_curve.h"

#define LAYOUT 1
#define LAYOUT_ROOM 2
#define HEADER 12
#define AT_ONCE 32  //  rows

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

//  The bits of a value; the loops that call it are there for each width.
static inline uint64_t
bits_of (const weft_point_t *row, const column_t *column)
{
    const uint8_t *from = (const uint8_t *)row + column->offset;
    uint64_t wide;
    uint32_t narrow;
    if (column->size == 1)
        return *from;
    if (column->size == 4) {
        memcpy (&narrow, from, 4);
        return narrow;
    }
    memcpy (&wide, from, 8);
    return wide;
}

static uint32_t
filled_columns (const weft_curve_t *self)
{
    weft_point_t none = weft_point_none ();
    uint32_t mask = 0;
    for (size_t c = 0; c < WEFT_COUNT (columns); c++) {
        uint64_t empty = columns[c].empty ? bits_of (&none, &columns[c]) : 0;
        for (size_t i = 0; i < self->n; i++)
            if (bits_of (&self->rows[i], &columns[c]) != empty) {
                mask |= 1u << c;
                break;
            }
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

void
weft_curve_add_room (weft_buf_t *blob, size_t n)
{
    uint8_t *room = n && !blob->error ? weft_buf_grow (blob, n) : NULL;
    if (!room)
        return;
    memset (room, 0, n);
    blob->data[1] = LAYOUT_ROOM;
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

//  Of `n` rows behind the `*kept` first, whose columns have been read. One without
//  a date is left out: nothing can be made of it, and it is no reason to lose the
//  others.
static int
keep_rows (weft_point_t *rows, size_t *kept, size_t n)
{
    size_t to = *kept;
    for (size_t i = *kept; i < *kept + n; i++) {
        weft_point_clean (&rows[i]);
        if (rows[i].kind < WEFT_KIND_D || rows[i].kind > WEFT_KIND_F)
            return WEFT_EMALFORMED;
        if (!weft_point_is_dated (&rows[i]))
            continue;
        if (to && weft_point_order (&rows[to - 1], &rows[i]) >= 0)
            return WEFT_EMALFORMED;
        if (to != i)
            rows[to] = rows[i];
        to++;
    }
    *kept = to;
    return 0;
}

//  A piece, taken apart.
typedef struct {
    size_t n;
    uint32_t mask;
    const uint8_t *data;  //  the first column
    size_t size;          //  with the header
} piece_t;

static int
open_piece (const uint8_t *bytes, size_t size, piece_t *piece)
{
    if (size < HEADER)
        return WEFT_ETRUNCATED;
    if (bytes[0] != 'C' || bytes[1] < LAYOUT)
        return WEFT_EMALFORMED;
    if (bytes[1] > LAYOUT_ROOM)
        return WEFT_EVERSION;
    piece->n = weft_get_u32 (bytes + 4);
    piece->mask = weft_get_u32 (bytes + 8);
    piece->data = bytes + HEADER;
    if (piece->n > WEFT_CURVE_ROWS_MOST || piece->mask >> WEFT_COUNT (columns))
        return WEFT_EMALFORMED;
    piece->size = HEADER + piece->n * row_width (piece->mask);
    return size < piece->size ? WEFT_ETRUNCATED : 0;
}

//  Some rows at a time, which the processor has at hand while their columns are
//  written one after the other. *kept: how many there are.
static int
read_rows (const piece_t *piece, weft_point_t *rows, size_t *kept)
{
    weft_point_t none = weft_point_none ();
    int rc = 0;
    *kept = 0;
    none.band = 0;  //  a column that was left out is 0
    for (size_t i = 0; !rc && i < piece->n; i += AT_ONCE) {
        size_t n = WEFT_MIN (piece->n - i, (size_t)AT_ONCE);
        const uint8_t *column = piece->data;
        for (size_t k = 0; k < n; k++)
            memcpy (&rows[*kept + k], &none, sizeof (none));
        for (size_t c = 0; c < WEFT_COUNT (columns); c++) {
            if (!(piece->mask >> c & 1))
                continue;
            get_column (rows + *kept, column + i * columns[c].size, n, c);
            column += piece->n * columns[c].size;
        }
        rc = keep_rows (rows, kept, n);
    }
    return rc;
}

static bool
is_room (const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

//  The rows of the pieces behind the first, up to one that cannot be read.
static int
read_more (weft_curve_t *self, const uint8_t *bytes, size_t size)
{
    piece_t piece;
    size_t kept;
    while (self->packed < size && bytes[self->packed]) {
        int rc = open_piece (bytes + self->packed, size - self->packed, &piece);
        if (!rc && self->n_added + piece.n > WEFT_CURVE_ROWS_MOST)
            rc = WEFT_EMALFORMED;
        if (!rc)
            rc = weft_point_room (&self->added, &self->added_room,
                                  self->n_added + piece.n);
        if (!rc)
            rc = read_rows (&piece, self->added + self->n_added, &kept);
        if (rc)
            return rc;
        self->n_added += kept;
        self->packed += piece.size;
    }
    return is_room (bytes + self->packed, size - self->packed)
               ? 0
               : WEFT_ETRUNCATED;
}

//  They are merged as one more packet, also those before one that is broken.
static int
read_all (weft_curve_t *self, const uint8_t *bytes, size_t size)
{
    piece_t piece;
    size_t kept;
    int rc = open_piece (bytes, size, &piece);
    if (!rc)
        rc = weft_point_room (&self->rows, &self->room, piece.n);
    if (!rc)
        rc = read_rows (&piece, self->rows, &kept);
    if (rc)
        return rc;
    self->n = kept;
    self->first = self->packed = piece.size;
    rc = read_more (self, bytes, size);
    int merged = self->n_added
                     ? weft_curve_merge (self, self->added, self->n_added, NULL)
                     : 0;
    return merged ? merged : rc;
}

int
weft_curve_unpack (weft_curve_t *self, const void *data, size_t size)
{
    self->n = self->n_added = self->first = self->packed = 0;
    int rc = read_all (self, data, size);
    if (rc == WEFT_EVERSION || rc == WEFT_ENOMEM)
        self->n = self->n_added = self->first = self->packed = 0;
    return rc;
}
