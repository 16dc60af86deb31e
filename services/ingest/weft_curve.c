//  weft_curve.c - the merge: keys, versions, and nothing else.

#include "weft_curve.h"

_Static_assert(offsetof (weft_point_t, known_at) == 120,
               "rows are compared as bytes: no padding");

void
weft_curve_fini (weft_curve_t *self)
{
    free (self->rows);
    free (self->spare);
    *self = (weft_curve_t){ 0 };
}

void
weft_curve_clear (weft_curve_t *self)
{
    self->n = 0;
}

int
weft_point_order (const weft_point_t *a, const weft_point_t *b)
{
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    return 0;
}

bool
weft_point_better (const weft_point_t *a, const weft_point_t *b)
{
    if (a->ver[0] != b->ver[0])
        return a->ver[0] > b->ver[0];
    if (a->ver[1] != b->ver[1])
        return a->ver[1] > b->ver[1];
    //  Two rows of one version that differ: any total order will do.
    return memcmp (a, b, offsetof (weft_point_t, known_at)) > 0;
}

//  Order for sorting what is to be merged: the best of a key comes first.
static int
compare (const void *x, const void *y)
{
    const weft_point_t *a = x, *b = y;
    int order = weft_point_order (a, b);
    if (order)
        return order;
    if (weft_point_better (a, b))
        return -1;
    return weft_point_better (b, a) ? 1 : 0;
}

const weft_point_t *
weft_curve_find (const weft_curve_t *self, uint8_t kind, int64_t key)
{
    const weft_point_t wanted = { .kind = kind, .key = key };
    size_t low = 0, high = self->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = weft_point_order (&self->rows[middle], &wanted);
        if (!order)
            return &self->rows[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

//  One row for each key, in place. Returns how many are left.
static size_t
fold (weft_point_t *rows, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (kept && !weft_point_order (&rows[kept - 1], &rows[i])) {
            rows[kept - 1].known_at =
                WEFT_MIN (rows[kept - 1].known_at, rows[i].known_at);
            continue;
        }
        rows[kept++] = rows[i];
    }
    return kept;
}

static bool
is_sorted (const weft_point_t *rows, size_t n)
{
    for (size_t i = 1; i < n; i++)
        if (compare (&rows[i - 1], &rows[i]) > 0)
            return false;
    return true;
}

static int
make_spare (weft_curve_t *self, size_t n)
{
    if (n <= self->spare_room)
        return 0;
    size_t room = WEFT_MAX (n, (size_t)64);
    weft_point_t *moved = realloc (self->spare, room * sizeof (*moved));
    if (!moved)
        return WEFT_ENOMEM;
    self->spare = moved;
    self->spare_room = room;
    return 0;
}

//  The better of two rows with the same key, known since the earlier.
static bool
join (weft_point_t *out, const weft_point_t *old, const weft_point_t *new)
{
    bool better = weft_point_better (new, old);
    *out = better ? *new : *old;
    out->known_at = WEFT_MIN (old->known_at, new->known_at);
    return better || out->known_at != old->known_at;
}

static int
compare_age (const void *x, const void *y)
{
    const weft_point_t *a = x, *b = y;
    if (a->mjd != b->mjd)
        return a->mjd > b->mjd ? -1 : 1;  //  newest first
    return weft_point_order (a, b);
}

//  What is older than a span before the newest row. As the ceiling below, this
//  keeps the merge commutative: the newest of a union are those of its parts.
static void
drop_old (weft_curve_t *self)
{
    double newest = -1e300;
    size_t n = 0;
    for (size_t i = 0; i < self->n; i++)
        newest = self->rows[i].mjd > newest ? self->rows[i].mjd : newest;
    for (size_t i = 0; i < self->n; i++)
        if (self->rows[i].mjd >= newest - self->days)
            self->rows[n++] = self->rows[i];
    self->n = n;
}

static void
drop_oldest (weft_curve_t *self)
{
    size_t most = self->rows_most
                      ? WEFT_MIN (self->rows_most, (size_t)WEFT_CURVE_ROWS_MOST)
                      : WEFT_CURVE_ROWS_MOST;
    if (self->days > 0)
        drop_old (self);
    if (self->n <= most)
        return;
    qsort (self->rows, self->n, sizeof (*self->rows), compare_age);
    self->n = most;
    qsort (self->rows, self->n, sizeof (*self->rows), compare);
}

//  Packets bring again what had gone: then nothing has changed.
static bool
is_as_before (const weft_curve_t *self, size_t before)
{
    bool same = self->n == before;
    for (size_t i = 0; same && i < before; i++)
        same = self->rows[i].known_at == self->spare[i].known_at &&
               !memcmp (&self->rows[i], &self->spare[i],
                        offsetof (weft_point_t, known_at));
    return same;
}

int
weft_curve_merge (weft_curve_t *self,
                  weft_point_t *rows,
                  size_t n,
                  bool *changed)
{
    int rc = make_spare (self, self->n + n);
    if (rc)
        return rc;
    for (size_t i = 0; i < n; i++)
        weft_point_clean (&rows[i]);
    if (!is_sorted (rows, n))
        qsort (rows, n, sizeof (*rows), compare);
    n = fold (rows, n);
    bool differs = false;
    size_t a = 0, b = 0, m = 0;
    while (a < self->n || b < n) {
        int order = a == self->n ? 1
                    : b == n     ? -1
                                 : weft_point_order (&self->rows[a], &rows[b]);
        if (order < 0) {
            self->spare[m++] = self->rows[a++];
        } else if (order > 0) {
            self->spare[m++] = rows[b++];
            differs = true;
        } else {
            differs |= join (&self->spare[m++], &self->rows[a++], &rows[b++]);
        }
    }
    weft_point_t *other = self->rows;
    size_t room = self->room, before = self->n;
    self->rows = self->spare;
    self->room = self->spare_room;
    self->n = m;
    self->spare = other;
    self->spare_room = room;
    drop_oldest (self);
    if (self->n < m && differs)
        differs = !is_as_before (self, before);
    if (changed)
        *changed = differs;
    return 0;
}
