//  weft_hand.h - which position ingest had in hand when it died.
//
//  A packet may crash the decoder. Before a position is worked on, its number
//  goes into a small file in shared memory, which outlives the process; after,
//  it is taken out. A start that finds a number there counts it; one that was
//  found three times is not touched again: it becomes a dead letter undecoded.
//  One thread.

#ifndef WEFT_HAND_H_INCLUDED
#define WEFT_HAND_H_INCLUDED

#include "weft_base.h"

#define WEFT_HAND_STARTS 3  //  found so often: it is the packet

typedef struct weft_hand weft_hand_t;

//  Returns new: the file `path`, made if it is not there; another `identity`
//  (of the input) begins anew. NULL if it cannot be mapped, or its disk has no
//  room for it: errno says why.
WEFT_NEW weft_hand_t *weft_hand_new (const char *path, uint64_t identity);

//  Unmaps it and sets *self_p to NULL. Safe on NULL.
void weft_hand_destroy (weft_hand_t **self_p);

//  Takes a position in hand. False if it has crashed too many starts.
bool weft_hand_take (weft_hand_t *self, int64_t offset);

//  Lays it down: it did no harm.
void weft_hand_lay_down (weft_hand_t *self);

//  It is not counted against a position any more how often it was found.
void weft_hand_forget (weft_hand_t *self, int64_t offset);

//  How often a position was found in hand at a start.
uint32_t weft_hand_found (const weft_hand_t *self, int64_t offset);

#endif
