//  weft_curve.c - the merge: keys, versions, and nothing else.

#include "weft_curve.h"

//  MJD from which on it is no day but a dummy's seconds.
#define NO_DAY 1e5

#define FEW 32  //  rows that are sooner found one by one than by sorting all

_Static_assert(offsetof (weft_point_t, known_at) == 120,
               "rows are compared as bytes: no padding");

void
weft_curve_fini (weft_curve_t *self)
{
    free (self->rows);
    free (self->news);
    free (self->added);
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

//  The first row from `at` on that is not before the wanted one. Looks near
//  `at` first, as a packet's rows stand together.
static size_t
lower_bound (const weft_curve_t *self, size_t at, const weft_point_t *wanted)
{
    size_t low = at, step = 1;
    while (low + step <= self->n &&
           weft_point_order (&self->rows[low + step - 1], wanted) < 0) {
        low += step;
        step *= 2;
    }
    size_t high = WEFT_MIN (low + step - 1, self->n);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (weft_point_order (&self->rows[middle], wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool
is_at (const weft_curve_t *self, size_t at, const weft_point_t *wanted)
{
    return at < self->n && !weft_point_order (&self->rows[at], wanted);
}

const weft_point_t *
weft_curve_find (const weft_curve_t *self, uint8_t kind, int64_t key)
{
    const weft_point_t wanted = { .kind = kind, .key = key };
    size_t at = lower_bound (self, 0, &wanted);
    return is_at (self, at, &wanted) ? &self->rows[at] : NULL;
}

bool
weft_point_is_dated (const weft_point_t *row)
{
    return row->mjd > 0 && row->mjd < 2e9;
}

//  Those that have a date, cleaned, in place. Returns how many.
static size_t
clean_dated (weft_point_t *rows, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (!weft_point_is_dated (&rows[i]))
            continue;
        if (kept != i)
            rows[kept] = rows[i];
        weft_point_clean (&rows[kept++]);
    }
    return kept;
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

int
weft_point_room (weft_point_t **rows, size_t *room, size_t n)
{
    if (n <= *room)
        return 0;
    size_t more = WEFT_MAX (n + n / 8, (size_t)16);
    weft_point_t *moved = realloc (*rows, more * sizeof (*moved));
    if (!moved)
        return WEFT_ENOMEM;
    *rows = moved;
    *room = more;
    return 0;
}

//  Makes a row the better of itself and a new one with the same key, known since
//  the earlier. Has it changed?
static bool
join (weft_point_t *row, const weft_point_t *new)
{
    bool better = weft_point_better (new, row);
    uint32_t known_at = WEFT_MIN (row->known_at, new->known_at);
    bool changed = better || known_at != row->known_at;
    if (better)
        *row = *new;
    row->known_at = known_at;
    return changed;
}

static int
compare_age (const void *x, const void *y)
{
    const weft_point_t *a = x, *b = y;
    if (a->mjd != b->mjd)
        return a->mjd > b->mjd ? -1 : 1;  //  newest first
    return weft_point_order (a, b);
}

//  What is older than a span before the newest row that has a day. As the ceiling below, this
//  keeps the merge commutative: the newest of a union are those of its parts.
static void
drop_old (weft_curve_t *self)
{
    double newest = 0;
    size_t n = 0;
    for (size_t i = 0; i < self->n; i++)
        if (self->rows[i].mjd > newest && self->rows[i].mjd < NO_DAY)
            newest = self->rows[i].mjd;
    for (size_t i = 0; i < self->n; i++)
        if (self->rows[i].mjd >= newest - self->days)
            self->rows[n++] = self->rows[i];
    self->n = n;
}

//  The oldest one.
static void
drop_one (weft_curve_t *self)
{
    size_t oldest = 0;
    for (size_t i = 1; i < self->n; i++)
        if (compare_age (&self->rows[i], &self->rows[oldest]) > 0)
            oldest = i;
    self->n--;
    memmove (&self->rows[oldest], &self->rows[oldest + 1],
             (self->n - oldest) * sizeof (*self->rows));
}

static void
drop_oldest (weft_curve_t *self)
{
    size_t most = self->rows_most
                      ? WEFT_MIN (self->rows_most, (size_t)WEFT_CURVE_ROWS_MOST)
                      : WEFT_CURVE_ROWS_MOST;
    if (self->days > 0)
        drop_old (self);
    while (self->n > most && self->n - most <= FEW)
        drop_one (self);
    if (self->n <= most)
        return;
    qsort (self->rows, self->n, sizeof (*self->rows), compare_age);
    self->n = most;
    qsort (self->rows, self->n, sizeof (*self->rows), compare);
}

//  Joins rows with those of the same key. News are what has changed by that and
//  what is not there yet; returns how many of the latter.
static size_t
join_all (weft_curve_t *self, const weft_point_t *rows, size_t n)
{
    size_t at = 0, missing = 0;
    self->n_news = 0;
    for (size_t i = 0; i < n; i++) {
        at = lower_bound (self, at, &rows[i]);
        bool there = is_at (self, at, &rows[i]);
        if (there && !join (&self->rows[at], &rows[i]))
            continue;
        self->news[self->n_news++] = there ? self->rows[at] : rows[i];
        missing += !there;
    }
    return missing;
}

//  Puts the news that are missing where they belong, the last first, so that
//  each row that is there moves once.
static void
insert_news (weft_curve_t *self, size_t missing)
{
    weft_curve_t rest = { .rows = self->rows, .n = self->n };
    self->n += missing;
    for (size_t i = self->n_news; missing; i--) {
        const weft_point_t *row = &self->news[i - 1];
        size_t at = lower_bound (&rest, 0, row);
        if (is_at (&rest, at, row))
            continue;
        memmove (&self->rows[at + missing], &self->rows[at],
                 (rest.n - at) * sizeof (*row));
        self->rows[at + --missing] = *row;
        rest.n = at;
    }
}

//  What the limits have left of the news. Packets bring again what had gone.
static void
drop_gone (weft_curve_t *self)
{
    size_t n = 0;
    for (size_t i = 0; i < self->n_news; i++)
        if (weft_curve_find (self, self->news[i].kind, self->news[i].key))
            self->news[n++] = self->news[i];
    self->n_news = n;
}

//  Merges without limits: *missing, how many rows were not there.
static int
take (weft_curve_t *self, weft_point_t *rows, size_t n, size_t *missing)
{
    int rc = weft_point_room (&self->rows, &self->room, self->n + n);
    if (!rc)
        rc = weft_point_room (&self->news, &self->news_room, n);
    if (rc)
        return rc;
    n = clean_dated (rows, n);
    if (!is_sorted (rows, n))
        qsort (rows, n, sizeof (*rows), compare);
    *missing = join_all (self, rows, fold (rows, n));
    insert_news (self, *missing);
    return 0;
}

int
weft_curve_merge (weft_curve_t *self,
                  weft_point_t *rows,
                  size_t n,
                  bool *changed)
{
    size_t before = self->n, missing;
    int rc = take (self, rows, n, &missing);
    if (rc)
        return rc;
    size_t news = self->n_news;
    drop_oldest (self);
    if (self->n < before + missing)
        drop_gone (self);
    if (changed)
        *changed = self->n_news || (news && self->n != before);
    return 0;
}

int
weft_curve_add (weft_curve_t *self, const weft_point_t *row)
{
    weft_point_t copy = *row;
    size_t missing;
    return take (self, &copy, 1, &missing);
}
