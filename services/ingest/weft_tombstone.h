//  weft_tombstone.h - a row that has left an object's curve.
//
//  Merging never takes a row away, so what has moved to another object leaves a
//  row of its own in the place: key and version, nothing else. It beats every
//  copy of the version that has moved, and gives way to a later one, so the
//  merge stays a maximum over a total order. No view shows it.

#ifndef WEFT_TOMBSTONE_H_INCLUDED
#define WEFT_TOMBSTONE_H_INCLUDED

#include "weft_curve.h"

//  The tombstone of a row, whose version is then (`version`, above any copy).
weft_point_t weft_tombstone (const weft_point_t *row, int64_t version);

//  Withdrawn by us, not by the survey.
bool weft_is_tombstone (const weft_point_t *row);

//  What moving rows from one curve into another takes: `rows` to be merged into
//  the one and `stones` into the other, each with room for from->n. All rows, or
//  those of kind D with a key in `keys`. Returns how many.
size_t weft_curve_move (const weft_curve_t *from,
                        const weft_curve_t *into,
                        const int64_t *keys,
                        size_t n_keys,
                        bool all,
                        weft_point_t *rows,
                        weft_point_t *stones);

#endif
