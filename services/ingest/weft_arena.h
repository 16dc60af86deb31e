//  weft_arena.h - small allocations that all go at once, under a ceiling.
//
//  A parsed schema is a few thousand little nodes that live and die together.
//  One thread at a time.

#ifndef WEFT_ARENA_H_INCLUDED
#define WEFT_ARENA_H_INCLUDED

#include "weft_base.h"

typedef struct weft_arena_chunk weft_arena_chunk_t;

typedef struct {
    weft_arena_chunk_t *chunks;
    size_t used;     //  bytes handed out
    size_t ceiling;  //  bytes that it may ever hand out
} weft_arena_t;

//  An empty arena of at most `ceiling` bytes.
void weft_arena_init (weft_arena_t *self, size_t ceiling);

//  Frees everything that came from it. Safe on zeros.
void weft_arena_fini (weft_arena_t *self);

//  Zeroed bytes, aligned for anything; NULL at the ceiling or without memory.
//  Borrows until fini.
WEFT_NEW void *weft_arena_take (weft_arena_t *self, size_t size);

//  A terminated copy of a C string; NULL as above.
WEFT_NEW char *weft_arena_text (weft_arena_t *self, const char *text);

#endif
