//  weft_watermark.c - a ring of messages, oldest first.

#include "weft_watermark.h"

typedef struct {
    int64_t offset;
    uint32_t holds;  //  its own and its items'; 0: settled
    weft_place_t place;
} entry_t;

struct weft_watermark {
    entry_t *ring;
    size_t room;   //  a power of two
    size_t first;  //  index of the oldest, counted without end
    size_t next;   //  index behind the newest
    size_t open;
    size_t most;
    int64_t last;  //  newest offset, -1: none yet
    weft_place_t last_place;
};

weft_watermark_t *
weft_watermark_new (size_t most)
{
    weft_watermark_t *self = calloc (1, sizeof (*self));
    if (!self)
        return NULL;
    self->last = -1;
    self->most = most ? most : SIZE_MAX;
    return self;
}

void
weft_watermark_destroy (weft_watermark_t **self_p)
{
    if (!*self_p)
        return;
    free ((*self_p)->ring);
    free (*self_p);
    *self_p = NULL;
}

void
weft_watermark_reset (weft_watermark_t *self)
{
    free (self->ring);
    *self = (weft_watermark_t){ .last = -1, .most = self->most };
}

static entry_t *
at (const weft_watermark_t *self, size_t index)
{
    return &self->ring[index & (self->room - 1)];
}

static int
enlarge (weft_watermark_t *self)
{
    size_t room = self->room ? 2 * self->room : 64;
    entry_t *ring = malloc (room * sizeof (*ring));
    if (!ring)
        return WEFT_ENOMEM;
    for (size_t i = self->first; i < self->next; i++)
        ring[i & (room - 1)] = *at (self, i);
    free (self->ring);
    self->ring = ring;
    self->room = room;
    return 0;
}

int
weft_watermark_begin (weft_watermark_t *self,
                      int64_t offset,
                      const weft_place_t *place)
{
    if (offset <= self->last)
        return WEFT_EEXIST;
    if (weft_watermark_full (self))
        return WEFT_EAGAIN;
    if (self->next - self->first == self->room) {
        int rc = enlarge (self);
        if (rc)
            return rc;
    }
    self->last = offset;
    self->last_place = place ? *place : (weft_place_t){ 0 };
    *at (self, self->next++) =
        (entry_t){ .offset = offset, .holds = 1, .place = self->last_place };
    self->open++;
    return 0;
}

static entry_t *
find (const weft_watermark_t *self, int64_t offset)
{
    size_t low = self->first, high = self->next;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        entry_t *entry = at (self, middle);
        if (entry->offset == offset)
            return entry;
        if (entry->offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void
weft_watermark_take (weft_watermark_t *self, int64_t offset)
{
    entry_t *entry = find (self, offset);
    if (entry && entry->holds)
        entry->holds++;
}

void
weft_watermark_end (weft_watermark_t *self, int64_t offset)
{
    entry_t *entry = find (self, offset);
    if (!entry || !entry->holds || --entry->holds)
        return;
    self->open--;
    while (self->first < self->next && !at (self, self->first)->holds)
        self->first++;
}

bool
weft_watermark_low (const weft_watermark_t *self,
                    int64_t *offset,
                    weft_place_t *place)
{
    if (self->last < 0)
        return false;
    bool any = self->first < self->next;
    *offset = any ? at (self, self->first)->offset : self->last + 1;
    if (place)
        *place = any ? at (self, self->first)->place : self->last_place;
    return true;
}

size_t
weft_watermark_open (const weft_watermark_t *self)
{
    return self->open;
}

bool
weft_watermark_full (const weft_watermark_t *self)
{
    return self->next - self->first >= self->most;
}
