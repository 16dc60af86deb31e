//  weft_marks.c - a ring of positions, oldest first.

#include "weft_marks.h"

typedef struct {
    int64_t offset;
    weft_place_t place;
    bool ended;
} mark_t;

struct weft_marks {
    mark_t *ring;
    size_t room;   //  a power of two
    size_t first;  //  index of the oldest, counted without end
    size_t next;   //  index behind the newest
    size_t open;
    mark_t last;  //  newest that was dropped from the ring
    bool any;
};

weft_marks_t *
weft_marks_new (void)
{
    return calloc (1, sizeof (weft_marks_t));
}

void
weft_marks_destroy (weft_marks_t **self_p)
{
    if (!*self_p)
        return;
    free ((*self_p)->ring);
    free (*self_p);
    *self_p = NULL;
}

static mark_t *
at (const weft_marks_t *self, size_t index)
{
    return &self->ring[index & (self->room - 1)];
}

static int
enlarge (weft_marks_t *self)
{
    size_t room = self->room ? 2 * self->room : 256;
    mark_t *ring = malloc (room * sizeof (*ring));
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
weft_marks_take (weft_marks_t *self, int64_t offset, const weft_place_t *place)
{
    if (self->next - self->first == self->room) {
        int rc = enlarge (self);
        if (rc)
            return rc;
    }
    *at (self, self->next++) = (mark_t){ .offset = offset, .place = *place };
    self->open++;
    return 0;
}

static mark_t *
find (const weft_marks_t *self, int64_t offset)
{
    size_t low = self->first, high = self->next;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        mark_t *mark = at (self, middle);
        if (mark->offset == offset)
            return mark;
        if (mark->offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void
weft_marks_end (weft_marks_t *self, int64_t offset)
{
    mark_t *mark = find (self, offset);
    if (!mark || mark->ended)
        return;
    mark->ended = true;
    self->open--;
    while (self->first < self->next && at (self, self->first)->ended) {
        self->last = *at (self, self->first++);
        self->any = true;
    }
}

size_t
weft_marks_open (const weft_marks_t *self)
{
    return self->open;
}

bool
weft_marks_low (const weft_marks_t *self, weft_place_t *place, int64_t *offset)
{
    if (self->first < self->next) {
        const mark_t *oldest = at (self, self->first);
        *place = oldest->place;
        *offset = oldest->offset;
        return true;
    }
    if (!self->any)
        return false;
    *place = self->last.place;
    *offset = self->last.offset + 1;
    return true;
}
