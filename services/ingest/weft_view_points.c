//  weft_view_points.c - the rows of a view as the columns of points.v1.

#include <math.h>

#include "weft_view_parts.h"

//  Where each column comes from. `empty`: 1 a NaN column may be left out.
#define POINT(key) offsetof (weft_point_t, key)
#define VIEW(key) (1000 + offsetof (row_t, key))
static const struct {
    unsigned field;   //  of points.v1
    size_t offset;    //  in weft_point_t, or 1000 and that in row_t
    uint8_t size;     //
    uint8_t is_real;  //  1: wholly NaN is left out
    size_t column;    //  in weft_points_v1_t
} columns[] = {
#define C(key, from, size, real)                                               \
    {                                                                          \
        WEFT_points_v1_##key, from, size, real,                                \
            offsetof (weft_points_v1_t, key)                                   \
    }
    C (mjd, POINT (mjd), 8, 0),
    C (t_src, POINT (t_src), 8, 1),
    C (flux, POINT (flux), 4, 1),
    C (err, POINT (err), 4, 1),
    C (tot, POINT (tot), 4, 1),
    C (tot_err, POINT (tot_err), 4, 1),
    C (ref, POINT (ref), 4, 1),
    C (ref_err, POINT (ref_err), 4, 1),
    C (ref_sep, POINT (ref_sep), 4, 1),
    C (lim, POINT (lim), 4, 1),
    C (zp, POINT (zp), 4, 1),
    C (band, POINT (band), 1, 0),
    C (kind, POINT (kind), 1, 0),
    C (use, VIEW (use), 1, 0),
    C (prog, POINT (prog), 1, 0),
    C (flags, VIEW (flags), 4, 0),
    C (id, POINT (id), 8, 0),
    C (expo, POINT (expo), 8, 0),
    C (score, POINT (score), 4, 1),
    C (sep, VIEW (sep), 4, 1),
    C (known_at, POINT (known_at), 4, 0),
#undef C
};

static size_t
row_width (void)
{
    size_t width = 0;
    for (size_t c = 0; c < WEFT_COUNT (columns); c++)
        width += columns[c].size;
    return width;
}

//  Writes one column; false if no row fills it.
static bool
fill_column (const weft_view_t *self, size_t c, uint8_t *to)
{
    bool filled = !columns[c].is_real;
    size_t offset = columns[c].offset;
    for (size_t i = 0; i < self->n; i++) {
        const uint8_t *from =
            offset < 1000 ? (const uint8_t *)self->at[i]->point + offset
                          : (const uint8_t *)self->at[i] + offset - 1000;
        uint8_t *value = to + i * columns[c].size;
        if (columns[c].size == 8) {
            uint64_t bits;
            memcpy (&bits, from, 8);
            weft_put_u64 (value, bits);
            filled = filled || !isnan (weft_get_f64 (value));
        } else if (columns[c].size == 4) {
            uint32_t bits;
            memcpy (&bits, from, 4);
            weft_put_u32 (value, bits);
            filled = filled || !isnan (weft_get_f32 (value));
        } else {
            *value = *from;
        }
    }
    return filled;
}

int
weft_view_points (weft_view_t *self, weft_points_v1_t *points)
{
    size_t size = self->n * row_width ();
    if (size > self->columns_room) {
        uint8_t *moved = realloc (self->columns, size);
        if (!moved)
            return WEFT_ENOMEM;
        self->columns = moved;
        self->columns_room = size;
    }
    weft_contract_clear (&weft_points_v1, points);
    uint8_t *at = self->columns;
    for (size_t c = 0; c < WEFT_COUNT (columns); c++) {
        if (!fill_column (self, c, at))
            continue;
        weft_col_t *column =
            (weft_col_t *)(void *)((uint8_t *)points + columns[c].column);
        *column = (weft_col_t){ at, (uint32_t)self->n };
        weft_set_bit (points->has, columns[c].field);
        at += self->n * columns[c].size;
    }
    return 0;
}
