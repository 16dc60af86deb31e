//  weft_watermark.h - below which offset everything is settled.
//
//  Of a partition, or of a list of files whose items are numbered throughout.
//  Messages are read in rising order and their items end in any order; what may
//  be committed is the offset below which everything has ended, and no more:
//  the highest ended offset would skip what is still on its way. Offsets may
//  have holes (compaction, transactions). A message is open from `begin` until
//  its hold and each of its items have been given an `end`. Pure: no clock, no
//  socket. One thread.

#ifndef WEFT_WATERMARK_H_INCLUDED
#define WEFT_WATERMARK_H_INCLUDED

#include "weft_input.h"

typedef struct weft_watermark weft_watermark_t;

//  Returns new: empty, for at most `most` messages behind the mark, 48 B each;
//  0: as many as there are. NULL without memory.
WEFT_NEW weft_watermark_t *weft_watermark_new (size_t most);
void weft_watermark_destroy (weft_watermark_t **self_p);

//  Forgets everything, as when the partition goes to another member.
void weft_watermark_reset (weft_watermark_t *self);

//  A message was read: it is held open. `place` is where a file can be read
//  again from, NULL if the offset is enough. WEFT_EEXIST if its offset is not
//  beyond the last one's, WEFT_ENOMEM, WEFT_EAGAIN if it is full.
WEFT_CHECK int weft_watermark_begin (weft_watermark_t *self,
                                     int64_t offset,
                                     const weft_place_t *place);

//  One more item of an open message.
void weft_watermark_take (weft_watermark_t *self, int64_t offset);

//  An item has its outcome, or the message has no more items (its hold).
//  Unknown offsets are ignored.
void weft_watermark_end (weft_watermark_t *self, int64_t offset);

//  The offset to commit: the first that is not settled; `place` (may be NULL) is
//  that of its message, or of the last one if all are settled. False if nothing
//  was read yet.
bool weft_watermark_low (const weft_watermark_t *self,
                         int64_t *offset,
                         weft_place_t *place);

//  Messages that are open.
size_t weft_watermark_open (const weft_watermark_t *self);

//  No more may be read: one message holds up that many.
bool weft_watermark_full (const weft_watermark_t *self);

#endif
