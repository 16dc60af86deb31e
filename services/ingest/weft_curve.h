//  weft_curve.h - the light curve of one object: a map from key to best row.
//
//  Merging takes, for each key, the row of the highest version, and the
//  earliest `known_at`: a maximum and a minimum over total orders. So the
//  result is the same bytes in whatever order packets arrive, and however
//  often (CONTRACT.md, section 2). Rows are kept sorted by kind and key.
//
//  The packed form is what Redis keeps: columns that no row fills are left out.
//  Behind it may stand more of the same, pieces with the rows that came later,
//  and then room for such pieces, which is zeros. One thread at a time.

#ifndef WEFT_CURVE_H_INCLUDED
#define WEFT_CURVE_H_INCLUDED

#include "weft_buf.h"
#include "weft_point.h"

#define WEFT_CURVE_ROWS_MOST 16384  //  beyond it the oldest rows go

typedef struct {
    weft_point_t *rows;  //  sorted by kind and key, borrowed until a change
    size_t n;
    size_t room;
    weft_point_t *news;  //  rows that are new or better by the last merge, as
    size_t n_news;       //  they are now, sorted; borrowed until the next
    size_t news_room;
    weft_point_t *added;  //  rows of the pieces that the last unpack has read,
    size_t n_added;       //  in any order, some of them beaten by others
    size_t added_room;
    size_t first;      //  bytes of its first piece,
    size_t packed;     //  and of all, without the room behind
    size_t rows_most;  //  0: WEFT_CURVE_ROWS_MOST; beyond it the oldest rows go
    double days;  //  rows that are so much older than the newest go, 0: none
} weft_curve_t;

//  Zeros are an empty curve.
void weft_curve_fini (weft_curve_t *self);

//  Forgets the rows, keeps the memory.
void weft_curve_clear (weft_curve_t *self);

//  Merges rows, which are cleaned and sorted in place; those without a date are
//  left out. *changed (may be NULL): does the
//  curve differ from before? WEFT_ENOMEM leaves it as it was.
WEFT_CHECK int weft_curve_merge (weft_curve_t *self,
                                 weft_point_t *rows,
                                 size_t n,
                                 bool *changed);

//  Merges one row, which stays however many there are and however old it is: for
//  a curve that is not stored. WEFT_ENOMEM leaves it as it was.
WEFT_CHECK int weft_curve_add (weft_curve_t *self, const weft_point_t *row);

//  The row of a kind and key, NULL if there is none. Borrows until a change.
const weft_point_t *
weft_curve_find (const weft_curve_t *self, uint8_t kind, int64_t key);

//  Appends the packed form.
void weft_curve_pack (const weft_curve_t *self, weft_buf_t *out);

//  Appends room for pieces, `n` zeros, to a packed curve that is all of `blob`.
void weft_curve_add_room (weft_buf_t *blob, size_t n);

//  Replaces the rows by packed ones, with the pieces behind them. WEFT_ETRUNCATED
//  or WEFT_EMALFORMED on bytes that are no packed curve: it has the rows of the
//  pieces before these then, which are `packed` bytes. WEFT_EVERSION on a layout
//  that only a later version of this code knows, WEFT_ENOMEM: it is empty then.
WEFT_CHECK int
weft_curve_unpack (weft_curve_t *self, const void *data, size_t size);

//  Makes every NaN of a row the same NaN, as rows are compared by their bytes:
//  arithmetic and wires give NaNs of several kinds.
void weft_point_clean (weft_point_t *row);

//  Room for `n` rows; WEFT_ENOMEM leaves what there is.
WEFT_CHECK int weft_point_room (weft_point_t **rows, size_t *room, size_t n);

//  The order of kinds and keys: negative, 0 or positive.
int weft_point_order (const weft_point_t *a, const weft_point_t *b);

//  Does it tell when? Any time between 1858 and a survey's dummies, whose seconds
//  stand where days should.
bool weft_point_is_dated (const weft_point_t *row);

//  Is `a` a better version of the same row than `b`? A total order.
bool weft_point_better (const weft_point_t *a, const weft_point_t *b);

#endif
