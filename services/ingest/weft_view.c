//  weft_view.c - from the stored rows to what the alert sees.
//
//  Select by time, sort by exposure, settle each exposure, sort by time, trim.
//  Rows come nearly sorted, so the sorts are cheap; nothing here depends on the
//  order of arrival, as the store is a function of the set of rows.

#include <math.h>

#include "weft_view_parts.h"

#define DEG (3.14159265358979323846 / 180)

weft_view_t *
weft_view_new (void)
{
    return calloc (1, sizeof (weft_view_t));
}

void
weft_view_destroy (weft_view_t **self_p)
{
    if (!*self_p)
        return;
    free ((*self_p)->rows);
    free ((*self_p)->at);
    free ((*self_p)->spare);
    free ((*self_p)->columns);
    free (*self_p);
    *self_p = NULL;
}

double
weft_view_separation (double ra1, double dec1, double ra2, double dec2)
{
    double dra = remainder (ra2 - ra1, 360), ddec = dec2 - dec1;
    if (fabs (dra) < 0.01 && fabs (ddec) < 0.01 && fabs (dec1) < 80)
        return hypot (dra * cos ((dec1 + dec2) * DEG / 2), ddec) * 3600;
    double a = sin (ddec * DEG / 2);
    double b = sin (dra * DEG / 2);
    double h = a * a + cos (dec1 * DEG) * cos (dec2 * DEG) * b * b;
    return 2 * asin (sqrt (fmin (h, 1))) / DEG * 3600;
}

static bool
is_trigger (const weft_view_t *self, const weft_point_t *point)
{
    return point->kind == WEFT_KIND_D && point->key == self->rule.trigger;
}

//  Only what was measured and known by then; the alert's own row always.
static bool
is_selected (const weft_view_t *self, const weft_point_t *point)
{
    if (is_trigger (self, point))
        return true;
    if (!(point->mjd <= self->rule.t_obs) ||
        point->known_at > self->rule.known_at)
        return false;
    if (point->flags & WEFT_FLAG_withdrawn)
        return false;
    return !self->rule.public_only || point->prog == 1;
}

static int
make_room (weft_view_t *self, size_t n)
{
    if (n <= self->room)
        return 0;
    row_t *rows = realloc (self->rows, n * sizeof (*rows));
    if (rows)
        self->rows = rows;
    row_t **at = realloc (self->at, n * sizeof (*at));
    if (at)
        self->at = at;
    row_t **spare = realloc (self->spare, n * sizeof (*spare));
    if (spare)
        self->spare = spare;
    if (!rows || !at || !spare)
        return WEFT_ENOMEM;
    self->room = n;
    return 0;
}

static int
select_rows (weft_view_t *self, const weft_curve_t *curve)
{
    int rc = make_room (self, curve->n);
    self->n = 0;
    for (size_t i = 0; !rc && i < curve->n; i++) {
        const weft_point_t *point = &curve->rows[i];
        if (!is_selected (self, point))
            continue;
        row_t *row = &self->rows[self->n];
        *row = (row_t){ .point = point,
                        .flags = point->flags,
                        .trigger = is_trigger (self, point) };
        self->at[self->n++] = row;
    }
    return rc;
}

//  Where the object is: as the survey says, else the mean of its detections,
//  taken as offsets from the alert so that the wrap of RA does no harm.
static void
place_object (weft_view_t *self)
{
    self->ra = self->rule.obj_ra;
    self->dec = self->rule.obj_dec;
    if (isfinite (self->ra) && isfinite (self->dec))
        return;
    double ra0 = NAN, dec0 = NAN, dra = 0, ddec = 0;
    size_t n = 0;
    for (size_t i = 0; i < self->n; i++)
        if (self->at[i]->trigger) {
            ra0 = self->at[i]->point->ra;
            dec0 = self->at[i]->point->dec;
        }
    for (size_t i = 0; i < self->n; i++) {
        const weft_point_t *point = self->at[i]->point;
        if (point->kind != WEFT_KIND_D || !isfinite (point->ra) ||
            !isfinite (point->dec))
            continue;
        dra += remainder (point->ra - ra0, 360);
        ddec += point->dec - dec0;
        n++;
    }
    self->ra = fmod (ra0 + dra / (double)n + 720, 360);
    self->dec = dec0 + ddec / (double)n;
}

//  Offset from the object; ZTF's forced rows tell that of the reference.
static void
measure_offsets (weft_view_t *self)
{
    for (size_t i = 0; i < self->n; i++) {
        row_t *row = self->at[i];
        const weft_point_t *point = row->point;
        if (isfinite (point->ra) && isfinite (self->ra))
            row->sep = (float)weft_view_separation (self->ra, self->dec,
                                                    point->ra, point->dec);
        else
            row->sep = point->kind == WEFT_KIND_F ? point->ref_sep : NAN;
    }
}

static int
compare_exposure (const row_t *x, const row_t *y)
{
    const weft_point_t *a = x->point, *b = y->point;
    if (a->expo != b->expo)
        return a->expo < b->expo ? -1 : 1;
    return weft_point_order (a, b);
}

static int
compare_time (const row_t *x, const row_t *y)
{
    const weft_point_t *a = x->point, *b = y->point;
    if (a->mjd != b->mjd)
        return a->mjd < b->mjd ? -1 : 1;
    return weft_point_order (a, b);
}

typedef int (order_t) (const row_t *x, const row_t *y);

//  End of the run of rising rows that begins at `i`.
static size_t
run_end (const weft_view_t *self, size_t i, order_t *order)
{
    for (i++; i < self->n && order (self->at[i - 1], self->at[i]) <= 0; i++)
        ;
    return i;
}

//  Merges two neighbouring runs into the spare list.
static void
merge_runs (
    weft_view_t *self, size_t begin, size_t middle, size_t end, order_t *order)
{
    size_t a = begin, b = middle;
    for (size_t to = begin; to < end; to++) {
        bool first =
            b == end || (a < middle && order (self->at[a], self->at[b]) <= 0);
        self->spare[to] = self->at[first ? a++ : b++];
    }
}

//  Rows come as a few rising runs (the kinds, each in order of its keys), so
//  merging the runs that are there takes a pass or two.
static void
sort_rows (weft_view_t *self, order_t *order)
{
    //  Runs at least halve with each pass.
    for (int pass = 0; pass < 32; pass++) {
        size_t runs = 0;
        for (size_t begin = 0, middle, end; begin < self->n; begin = end) {
            middle = run_end (self, begin, order);
            end = middle < self->n ? run_end (self, middle, order) : middle;
            merge_runs (self, begin, middle, end, order);
            runs += end > middle ? 2 : 1;
        }
        row_t **other = self->at;
        self->at = self->spare;
        self->spare = other;
        if (runs <= 2)
            return;
    }
}

//  Which of two detections of one exposure stands for it: the alert's own,
//  else the nearer to the object, else the higher score, else the lower id.
static bool
stands_before (const row_t *a, const row_t *b)
{
    if (a->trigger != b->trigger)
        return a->trigger;
    float near_a = isnan (a->sep) ? INFINITY : a->sep;
    float near_b = isnan (b->sep) ? INFINITY : b->sep;
    if (near_a != near_b)
        return near_a < near_b;
    float score_a = isnan (a->point->score) ? -INFINITY : a->point->score;
    float score_b = isnan (b->point->score) ? -INFINITY : b->point->score;
    if (score_a != score_b)
        return score_a > score_b;
    return a->point->id < b->point->id;
}

//  Several detections of one exposure: a split source, or a dipole if their
//  signs differ. One stands, the others stay in the store.
static row_t *
settle_detections (row_t **rows, size_t n)
{
    row_t *best = NULL;
    size_t several = 0;
    bool plus = false, minus = false;
    for (size_t i = 0; i < n; i++) {
        if (rows[i]->point->kind != WEFT_KIND_D)
            continue;
        several++;
        plus |= rows[i]->point->flux > 0;
        minus |= rows[i]->point->flux < 0;
        if (!best || stands_before (rows[i], best))
            best = rows[i];
    }
    for (size_t i = 0; several > 1 && i < n; i++)
        if (rows[i]->point->kind == WEFT_KIND_D)
            rows[i]->drop = rows[i] != best;
    if (several > 1)
        best->flags |= WEFT_FLAG_multi;
    if (plus && minus)
        best->flags |= WEFT_FLAG_dipole;
    return best;
}

//  Rows of another kind that share an exposure can only be an exposure number
//  that the survey uses twice: the better version stands.
static row_t *
settle_others (row_t **rows, size_t n, uint8_t kind)
{
    row_t *best = NULL;
    for (size_t i = 0; i < n; i++) {
        if (rows[i]->point->kind != kind)
            continue;
        bool first = !best || rows[i]->point->usable > best->point->usable ||
                     (rows[i]->point->usable == best->point->usable &&
                      weft_point_better (rows[i]->point, best->point));
        if (best)
            (first ? best : rows[i])->drop = true;
        if (first)
            best = rows[i];
    }
    return best;
}

//  One exposure: at most one row of each kind, no limit beside a measurement,
//  and which curve each belongs to.
static void
settle_exposure (row_t **rows, size_t n)
{
    row_t *detection = settle_detections (rows, n);
    row_t *forced = settle_others (rows, n, WEFT_KIND_F);
    row_t *limit = settle_others (rows, n, WEFT_KIND_L);
    bool usable = forced && forced->point->usable;
    if (limit && (detection || usable))
        limit->drop = true;
    if (detection)
        detection->use =
            (uint8_t)(WEFT_USE_DETECTION | (usable ? 0 : WEFT_USE_FORCED));
    if (limit)
        limit->use = WEFT_USE_DETECTION;
    if (usable)
        forced->use = WEFT_USE_FORCED;
    for (size_t i = 0; i < n; i++) {
        if (isfinite (rows[i]->point->tot))
            rows[i]->use |= WEFT_USE_TOTAL;
        if (rows[i]->point->prog == 1)
            rows[i]->use |= WEFT_USE_PUBLIC;
    }
}

static void
settle_exposures (weft_view_t *self)
{
    for (size_t i = 0, j; i < self->n; i = j) {
        int64_t expo = self->at[i]->point->expo;
        for (j = i + 1; j < self->n && self->at[j]->point->expo == expo; j++)
            ;
        settle_exposure (&self->at[i], j - i);
    }
}

static void
remove_dropped (weft_view_t *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->n; i++)
        if (!self->at[i]->drop)
            self->at[kept++] = self->at[i];
    self->n = kept;
}

//  Marks what is too old for the message; counts it.
static void
trim_by_age (weft_view_t *self)
{
    const weft_view_rule_t *rule = &self->rule;
    double first = INFINITY, last = -INFINITY;
    for (size_t i = 0; i < self->n; i++)
        if (self->at[i]->point->kind == WEFT_KIND_D) {
            first = fmin (first, self->at[i]->point->mjd);
            last = fmax (last, self->at[i]->point->mjd);
        }
    for (size_t i = 0; i < self->n; i++) {
        const weft_point_t *point = self->at[i]->point;
        double mjd = point->mjd;
        bool old = false;
        if (point->kind == WEFT_KIND_F && rule->forced_days > 0)
            old = mjd < rule->t_obs - rule->forced_days;
        if (point->kind == WEFT_KIND_L && rule->limit_days > 0)
            old = !(mjd >= last - rule->limit_days ||
                    (mjd <= first && mjd >= first - rule->limit_days));
        self->at[i]->drop = old;
        self->cut += old;
    }
    remove_dropped (self);
}

//  Over the most rows: the oldest limits go first, then the oldest forced
//  rows, then the oldest detections; never the alert's own.
static void
trim_by_number (weft_view_t *self)
{
    static const uint8_t turns[] = { WEFT_KIND_L, WEFT_KIND_F, WEFT_KIND_D };
    if (!self->rule.rows_most || self->n <= self->rule.rows_most)
        return;
    size_t over = self->n - self->rule.rows_most;
    self->cut += (uint32_t)over;
    for (size_t turn = 0; turn < WEFT_COUNT (turns); turn++)
        for (size_t i = 0; i < self->n && over; i++) {
            row_t *row = self->at[i];
            if (row->point->kind != turns[turn] || row->trigger)
                continue;
            row->drop = true;
            over--;
        }
    remove_dropped (self);
}

int
weft_view_make (weft_view_t *self,
                const weft_curve_t *curve,
                const weft_view_rule_t *rule)
{
    self->rule = *rule;
    self->cut = 0;
    int rc = select_rows (self, curve);
    if (rc)
        return rc;
    place_object (self);
    measure_offsets (self);
    sort_rows (self, compare_exposure);
    settle_exposures (self);
    remove_dropped (self);
    sort_rows (self, compare_time);
    trim_by_age (self);
    trim_by_number (self);
    for (size_t i = 0; i < self->n; i++)
        if (self->at[i]->trigger) {
            self->trigger = (uint32_t)i;
            return 0;
        }
    return WEFT_EABSENT;
}

size_t
weft_view_rows (const weft_view_t *self)
{
    return self->n;
}

const weft_point_t *
weft_view_row (const weft_view_t *self, size_t i)
{
    return self->at[i]->point;
}

uint32_t
weft_view_flags (const weft_view_t *self, size_t i)
{
    return self->at[i]->flags;
}

uint32_t
weft_view_trigger (const weft_view_t *self)
{
    return self->trigger;
}

uint32_t
weft_view_cut (const weft_view_t *self)
{
    return self->cut;
}

void
weft_view_position (const weft_view_t *self, double *ra, double *dec)
{
    *ra = self->ra;
    *dec = self->dec;
}
