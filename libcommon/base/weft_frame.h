//  weft_frame.h - bytes that several holders share: a refcounted frame.
//
//  A section is written once and then forwarded by reference, held in custody
//  and perhaps sent again, so nobody copies it. ZeroMQ's I/O thread drops the
//  last reference of what it has sent, hence the atomic count; the bytes do
//  not change after the frame is made. Any thread.

#ifndef WEFT_FRAME_H_INCLUDED
#define WEFT_FRAME_H_INCLUDED

#include "weft_base.h"

typedef struct weft_frame weft_frame_t;

//  Returns new: a frame with a copy of the bytes, or NULL without memory.
WEFT_NEW weft_frame_t *weft_frame_copy (const void *data, size_t size);

//  Returns new: a frame of `size` bytes to be filled before it is shared.
WEFT_NEW weft_frame_t *weft_frame_new (size_t size);

//  Returns new: a frame around bytes that somebody else made; `release` is
//  called with `owner` when the last reference goes, from any thread.
//  Takes `owner`; on NULL (no memory) the caller still owns it.
WEFT_NEW weft_frame_t *weft_frame_wrap (const void *data,
                                        size_t size,
                                        void (*release) (void *owner),
                                        void *owner);

//  One more reference to the same frame.
WEFT_NEW weft_frame_t *weft_frame_ref (weft_frame_t *self);

//  Drops a reference and sets *self_p to NULL. Safe on NULL.
void weft_frame_unref (weft_frame_t **self_p);

//  The bytes. Borrows until the last reference goes.
const uint8_t *weft_frame_data (const weft_frame_t *self);
size_t weft_frame_size (const weft_frame_t *self);

//  The bytes to fill, only right after weft_frame_new.
uint8_t *weft_frame_fill (weft_frame_t *self);

#endif
