//  weft_journal.c - a list of recent batches, oldest first.

#include "weft_journal.h"

static void
drop_first (weft_journal_t *self)
{
    weft_kept_t *first = self->first;
    self->first = first->next;
    self->gone = WEFT_MAX (self->gone, first->when);
    if (!self->first)
        self->last = NULL;
    self->size -= first->size;
    free (first);
}

void
weft_journal_prune (weft_journal_t *self, int64_t now)
{
    while (self->first && self->first->when < now - WEFT_JOURNAL_MS)
        drop_first (self);
}

void
weft_journal_add (weft_journal_t *self,
                  int64_t now,
                  const void *bytes,
                  size_t size,
                  size_t count)
{
    weft_journal_prune (self, now);
    while (size <= self->ceiling && self->first &&
           self->size + size > self->ceiling)
        drop_first (self);
    weft_kept_t *kept =
        size <= self->ceiling ? malloc (sizeof *kept + size) : NULL;
    if (!kept) {
        self->gone = now;
        return;
    }
    *kept = (weft_kept_t){ .when = now, .count = count, .size = size };
    memcpy (kept->bytes, bytes, size);
    if (self->last)
        self->last->next = kept;
    else
        self->first = kept;
    self->last = kept;
    self->size += size;
}

void
weft_journal_renew (weft_journal_t *self, int64_t now)
{
    for (weft_kept_t *kept = self->first; kept; kept = kept->next)
        kept->when = now;
}

void
weft_journal_fini (weft_journal_t *self)
{
    while (self->first)
        drop_first (self);
}
