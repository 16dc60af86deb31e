//  weft_bundle.h - messages out of one run of bytes: archives, containers.
//
//  The run may be compressed. In it lie tar archives (a message an entry) and
//  Avro containers (a message each), one behind the other, with zeros between
//  them; anything else is one message up to the next container. What is damaged
//  costs no more than itself: it is one message, and the run is read on at the
//  next container. Which messages there are is a function of the bytes alone.
//  One thread at a time.

#ifndef WEFT_BUNDLE_H_INCLUDED
#define WEFT_BUNDLE_H_INCLUDED

#include "weft_input.h"

typedef struct weft_bundle weft_bundle_t;

typedef struct {
    const char *entry;    //  name in a tar archive, NULL: of none
    const uint8_t *data;  //  at most WEFT_MESSAGE_MOST; NULL with a `why`
    size_t size;          //  bytes
    const char *why;      //  it cannot be read, or is larger
} weft_piece_t;

//  Returns new: what is read from `fd`, which it borrows for life. NULL with a
//  reason.
WEFT_NEW weft_bundle_t *weft_bundle_new (int fd, char why[WEFT_INPUT_WHY]);

//  Sets *self_p to NULL. Safe on NULL.
void weft_bundle_destroy (weft_bundle_t **self_p);

//  The next message: true, and it is borrowed until the next call; false at the
//  end.
bool weft_bundle_next (weft_bundle_t *self, weft_piece_t *piece);

#endif
