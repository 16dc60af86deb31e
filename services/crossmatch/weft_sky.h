//  weft_sky.h - finds the rows of a catalogue that lie within a radius.
//
//  Rows are sorted into declination zones, about two search radii high, and
//  by right ascension within each. A cone touches two or three zones; in each
//  a binary search finds the range of right ascension that the cone can
//  touch, cut at 0/360 where it wraps and all around where it holds a pole.
//  What lies in there is measured by the haversine, which keeps all digits at
//  small distances. So the answer is exact everywhere and whatever the density,
//  without pixels whose corners need care.
//
//  The index is read-only once made: any thread may search. Angles in degrees.

#ifndef WEFT_SKY_H_INCLUDED
#define WEFT_SKY_H_INCLUDED

#include "weft_base.h"

typedef struct weft_sky weft_sky_t;

typedef struct {
    double separation;  //  degrees
    uint32_t row;       //  as counted by the caller of weft_sky_new
} weft_sky_hit_t;

//  Great-circle distance, degrees.
double weft_sky_separation (double ra1, double dec1, double ra2, double dec2);

//  Is this a place on the sky? ra in [-180, 360], dec in [-90, 90].
bool weft_sky_valid (double ra, double dec);

//  Returns new: an index over n valid positions, made for cones of about
//  `radius` (any other radius works, too). Copies the positions. NULL without
//  memory.
WEFT_NEW weft_sky_t *
weft_sky_new (const double *ra, const double *dec, uint32_t n, double radius);

//  Destroys the index and sets *self_p to NULL. Safe on NULL.
void weft_sky_destroy (weft_sky_t **self_p);

//  The nearest rows at most `radius` from a valid place, nearest first and by
//  row where distances are equal: at most `most` of them into `hits`. *found
//  counts all within the radius. Returns the number of hits.
uint32_t weft_sky_cone (const weft_sky_t *self,
                        double ra,
                        double dec,
                        double radius,
                        weft_sky_hit_t *hits,
                        uint32_t most,
                        uint32_t *found);

#endif
