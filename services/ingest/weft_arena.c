//  weft_arena.c - chunks of memory, handed out from front to back.

#include "weft_arena.h"

#define CHUNK 16384
#define ALIGN _Alignof(max_align_t)

struct weft_arena_chunk {
    weft_arena_chunk_t *next;
    size_t used;
    size_t room;
    max_align_t bytes[];
};

void
weft_arena_init (weft_arena_t *self, size_t ceiling)
{
    *self = (weft_arena_t){ .ceiling = ceiling };
}

void
weft_arena_fini (weft_arena_t *self)
{
    while (self->chunks) {
        weft_arena_chunk_t *next = self->chunks->next;
        free (self->chunks);
        self->chunks = next;
    }
    self->used = 0;
}

static bool
add_chunk (weft_arena_t *self, size_t size)
{
    size_t room = WEFT_MAX (size, (size_t)CHUNK);
    weft_arena_chunk_t *chunk = calloc (1, sizeof (*chunk) + room);
    if (!chunk)
        return false;
    chunk->room = room;
    chunk->next = self->chunks;
    self->chunks = chunk;
    return true;
}

void *
weft_arena_take (weft_arena_t *self, size_t size)
{
    if (size > self->ceiling - self->used)
        return NULL;
    size_t whole = (size + ALIGN - 1) / ALIGN * ALIGN;
    weft_arena_chunk_t *chunk = self->chunks;
    if (!chunk || chunk->room - chunk->used < whole) {
        if (!add_chunk (self, whole))
            return NULL;
        chunk = self->chunks;
    }
    uint8_t *at = (uint8_t *)chunk->bytes + chunk->used;
    chunk->used += whole;
    self->used += size;
    return at;
}

char *
weft_arena_text (weft_arena_t *self, const char *text)
{
    size_t size = strlen (text) + 1;
    char *copy = weft_arena_take (self, size);
    if (copy)
        memcpy (copy, text, size);
    return copy;
}
