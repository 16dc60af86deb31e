//  weft_sky.c - finds the rows of a catalogue that lie within a radius.

#include "weft_sky.h"

#include <math.h>

#define DEG (M_PI / 180)
//  Rounding of the bounds, 4 micro-arcsec: the box may only be too wide.
#define SLACK 1e-9
#define ZONE_LEAST (20.0 / 3600)  //  lowest zone, degrees: at most 32,400
#define ZONE_MOST 10.0

typedef struct {
    double ra, dec;
} place_t;

struct weft_sky {
    double zone_height;
    uint32_t n_zones;
    uint32_t n;
    uint32_t *starts;  //  first place of each zone, n_zones + 1
    place_t *places;   //  by zone, then by right ascension
    uint32_t *rows;    //  the caller's row of each place
};

bool
weft_sky_valid (double ra, double dec)
{
    return ra >= -180 && ra <= 360 && dec >= -90 && dec <= 90;
}

static double
normal_ra (double ra)
{
    ra = ra < 0 ? ra + 360 : ra;
    return ra >= 360 ? ra - 360 : ra;
}

//  Haversine: Sinnott 1984, Sky and Telescope 68, 159.
static double
separation (double dra, double dec1, double dec2, double cos_dec1)
{
    //  Across the wrap sin would lose digits.
    dra = dra > 180 ? dra - 360 : dra < -180 ? dra + 360 : dra;
    double a = sin ((dec2 - dec1) * (DEG / 2)), b = sin (dra * (DEG / 2));
    double h = a * a + cos_dec1 * cos (dec2 * DEG) * b * b;
    return 2 * asin (sqrt (fmin (1, h))) / DEG;
}

double
weft_sky_separation (double ra1, double dec1, double ra2, double dec2)
{
    return separation (ra2 - ra1, dec1, dec2, cos (dec1 * DEG));
}

static uint32_t
zone_of (const weft_sky_t *self, double dec)
{
    double zone = floor ((dec + 90) / self->zone_height);
    zone = fmax (0, fmin (self->n_zones - 1.0, zone));
    return (uint32_t)zone;
}

typedef struct {
    place_t place;
    uint32_t row;
} sortable_t;

static int
compare_ra (const void *a, const void *b)
{
    const sortable_t *x = a, *y = b;
    if (x->place.ra != y->place.ra)
        return x->place.ra < y->place.ra ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

//  Counting sort by zone, then each zone by right ascension.
static void
sort_places (weft_sky_t *self,
             const double *ra,
             const double *dec,
             sortable_t *sorted)
{
    uint32_t *starts = self->starts;
    for (uint32_t i = 0; i < self->n; i++)
        starts[zone_of (self, dec[i]) + 1]++;
    for (uint32_t z = 0; z < self->n_zones; z++)
        starts[z + 1] += starts[z];
    for (uint32_t i = 0; i < self->n; i++) {
        place_t place = { normal_ra (ra[i]), dec[i] };
        sorted[starts[zone_of (self, dec[i])]++] = (sortable_t){ place, i };
    }
    //  Each start has moved to its zone's end: move them all back.
    memmove (starts + 1, starts, self->n_zones * sizeof *starts);
    starts[0] = 0;
    for (uint32_t z = 0; z < self->n_zones; z++)
        qsort (sorted + starts[z], starts[z + 1] - starts[z], sizeof *sorted,
               compare_ra);
    for (uint32_t i = 0; i < self->n; i++) {
        self->places[i] = sorted[i].place;
        self->rows[i] = sorted[i].row;
    }
}

weft_sky_t *
weft_sky_new (const double *ra, const double *dec, uint32_t n, double radius)
{
    weft_sky_t *self = calloc (1, sizeof *self);
    if (self == NULL)
        return NULL;
    //  No more zones than rows: most would be empty.
    double height = fmax (fmax (ZONE_LEAST, 180 / (n + 1.0)), 2 * radius);
    height = fmin (ZONE_MOST, height);
    self->n = n;
    self->n_zones = (uint32_t)ceil (180 / height);
    self->zone_height = height;
    self->starts = calloc (self->n_zones + 1, sizeof *self->starts);
    self->places = calloc (n + 1, sizeof *self->places);
    self->rows = calloc (n + 1, sizeof *self->rows);
    sortable_t *sorted = calloc (n + 1, sizeof *sorted);
    bool room = self->starts && self->places && self->rows && sorted;
    if (room)
        sort_places (self, ra, dec, sorted);
    else
        weft_sky_destroy (&self);
    free (sorted);
    return self;
}

void
weft_sky_destroy (weft_sky_t **self_p)
{
    weft_sky_t *self = *self_p;
    if (self == NULL)
        return;
    free (self->starts);
    free (self->places);
    free (self->rows);
    free (self);
    *self_p = NULL;
}

typedef struct {
    double ra, dec, radius, cos_dec;
    weft_sky_hit_t *hits;
    uint32_t most, n, found;
} search_t;

static bool
is_before (const weft_sky_hit_t *a, const weft_sky_hit_t *b)
{
    if (a->separation != b->separation)
        return a->separation < b->separation;
    return a->row < b->row;
}

//  Keeps the nearest in order: `most` is small.
static void
keep_hit (search_t *search, weft_sky_hit_t hit)
{
    search->found++;
    uint32_t i = search->n;
    if (i == search->most) {
        if (i == 0 || !is_before (&hit, &search->hits[i - 1]))
            return;
        i--;
    } else
        search->n++;
    for (; i > 0 && is_before (&hit, &search->hits[i - 1]); i--)
        search->hits[i] = search->hits[i - 1];
    search->hits[i] = hit;
}

//  First place in [from, to) whose right ascension is not below ra.
static uint32_t
lower_bound (const weft_sky_t *self, uint32_t from, uint32_t to, double ra)
{
    while (from < to) {
        uint32_t mid = from + (to - from) / 2;
        if (self->places[mid].ra < ra)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static void
search_range (const weft_sky_t *self,
              search_t *search,
              uint32_t zone,
              double low,
              double high)
{
    uint32_t end = self->starts[zone + 1];
    uint32_t i = lower_bound (self, self->starts[zone], end, low);
    for (; i < end && self->places[i].ra <= high; i++) {
        place_t place = self->places[i];
        if (fabs (place.dec - search->dec) > search->radius + SLACK)
            continue;
        double sep = separation (place.ra - search->ra, search->dec, place.dec,
                                 search->cos_dec);
        if (sep <= search->radius)
            keep_hit (search, (weft_sky_hit_t){ sep, self->rows[i] });
    }
}

//  Half the width in right ascension of a cone: sin w = sin r / cos dec. Half
//  a turn if it holds a pole.
static double
half_width (double dec, double radius)
{
    if (fabs (dec) + radius + SLACK >= 90)
        return 180;
    double s = sin (radius * DEG) / cos (dec * DEG);
    return s < 1 ? asin (s) / DEG + SLACK / cos (dec * DEG) : 180;
}

uint32_t
weft_sky_cone (const weft_sky_t *self,
               double ra,
               double dec,
               double radius,
               weft_sky_hit_t *hits,
               uint32_t most,
               uint32_t *found)
{
    ra = normal_ra (ra);
    search_t search = { ra, dec, radius, cos (dec * DEG), hits, most, 0, 0 };
    double width = half_width (dec, radius);
    uint32_t last = zone_of (self, dec + radius + SLACK);
    for (uint32_t z = zone_of (self, dec - radius - SLACK); z <= last; z++) {
        if (width >= 180) {
            search_range (self, &search, z, 0, 360);
            continue;
        }
        double low = ra - width, high = ra + width;
        search_range (self, &search, z, fmax (0, low), fmin (360, high));
        if (low < 0)
            search_range (self, &search, z, low + 360, 360);
        if (high >= 360)
            search_range (self, &search, z, 0, high - 360);
    }
    *found = search.found;
    return search.n;
}
