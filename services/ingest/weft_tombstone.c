//  weft_tombstone.c - versions that beat what has moved.

#include "weft_tombstone.h"

#define ABOVE ((int64_t)1 << 32)  //  above every ver[1] that a survey gives

weft_point_t
weft_tombstone (const weft_point_t *row, int64_t version)
{
    weft_point_t tombstone = weft_point_none ();
    tombstone.mjd = row->mjd;
    tombstone.kind = row->kind;
    tombstone.key = row->key;
    tombstone.ver[0] = version;
    tombstone.ver[1] = row->ver[1] % ABOVE + (row->ver[1] / ABOVE + 1) * ABOVE;
    tombstone.flags = WEFT_FLAG_withdrawn;
    tombstone.prog = row->prog;
    tombstone.known_at = row->known_at;
    return tombstone;
}

bool
weft_is_tombstone (const weft_point_t *row)
{
    //  A limit's ver[1] is below 0, by more than `above`; no survey withdraws it.
    return row->flags & WEFT_FLAG_withdrawn && row->expo == 0 &&
           row->flux != row->flux &&
           (row->ver[1] >= ABOVE || row->kind == WEFT_KIND_L);
}

static bool
is_listed (const weft_point_t *row, const int64_t *keys, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (row->kind == WEFT_KIND_D && row->key == keys[i])
            return true;
    return false;
}

//  A row that comes back to where its tombstone is must beat that, too.
static void
rise (weft_point_t *row, const weft_curve_t *into)
{
    const weft_point_t *there = weft_curve_find (into, row->kind, row->key);
    if (there && weft_is_tombstone (there) && there->ver[0] == row->ver[0])
        row->ver[1] = there->ver[1] + 1;
}

size_t
weft_curve_move (const weft_curve_t *from,
                 const weft_curve_t *into,
                 const int64_t *keys,
                 size_t n_keys,
                 bool all,
                 weft_point_t *rows,
                 weft_point_t *stones)
{
    size_t n = 0;
    for (size_t i = 0; i < from->n; i++) {
        const weft_point_t *row = &from->rows[i];
        if (weft_is_tombstone (row) || !(all || is_listed (row, keys, n_keys)))
            continue;
        rows[n] = *row;
        rise (&rows[n], into);
        stones[n++] = weft_tombstone (row, row->ver[0]);
    }
    return n;
}
