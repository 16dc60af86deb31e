//  weft_marks.h - which positions are done, and from where a restart goes on.
//
//  Positions are taken in rising order and end in any order. The low mark is
//  the first that has not ended: everything before it is booked. One thread.

#ifndef WEFT_MARKS_H_INCLUDED
#define WEFT_MARKS_H_INCLUDED

#include "weft_input.h"

typedef struct weft_marks weft_marks_t;

WEFT_NEW weft_marks_t *weft_marks_new (void);
void weft_marks_destroy (weft_marks_t **self_p);

//  A position is taken; `place` is that of its message. WEFT_ENOMEM.
WEFT_CHECK int
weft_marks_take (weft_marks_t *self, int64_t offset, const weft_place_t *place);

//  It has its outcome, and that is booked. Unknown ones are ignored.
void weft_marks_end (weft_marks_t *self, int64_t offset);

//  Positions that have not ended.
size_t weft_marks_open (const weft_marks_t *self);

//  Where a restart goes on: the place of the message of the low mark, and the
//  low mark itself. False if nothing was taken yet.
bool
weft_marks_low (const weft_marks_t *self, weft_place_t *place, int64_t *offset);

#endif
