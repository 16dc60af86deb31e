//  weft_shadow_log.c - see weft_shadow_log.h.

#include "weft_shadow_log.h"

#include <stdatomic.h>

struct weft_shadow_log {
    atomic_size_t put, taken;  //  counted up for ever
    size_t room;
    weft_shadow_row_t *rows[];  //  owned from taken to put
};

weft_shadow_log_t *
weft_shadow_log_new (size_t room)
{
    weft_shadow_log_t *self =
        calloc (1, sizeof (*self) + room * sizeof (self->rows[0]));
    if (self)
        self->room = room;
    return self;
}

void
weft_shadow_log_destroy (weft_shadow_log_t **self_p)
{
    weft_shadow_row_t *row;
    if (!*self_p)
        return;
    while ((row = weft_shadow_log_take (*self_p)))
        free (row);
    free (*self_p);
    *self_p = NULL;
}

bool
weft_shadow_log_put (weft_shadow_log_t *self,
                     const char *version,
                     const char *key,
                     const void *section,
                     size_t size)
{
    size_t put = atomic_load_explicit (&self->put, memory_order_relaxed);
    if (put - atomic_load_explicit (&self->taken, memory_order_acquire) ==
        self->room)
        return false;
    weft_shadow_row_t *row = malloc (sizeof (*row) + size);
    if (!row)
        return false;
    snprintf (row->key, sizeof (row->key), "%s", key);
    snprintf (row->version, sizeof (row->version), "%s", version);
    row->size = size;
    memcpy (row->bytes, section, size);
    self->rows[put % self->room] = row;
    atomic_store_explicit (&self->put, put + 1, memory_order_release);
    return true;
}

weft_shadow_row_t *
weft_shadow_log_take (weft_shadow_log_t *self)
{
    size_t taken = atomic_load_explicit (&self->taken, memory_order_relaxed);
    if (taken == atomic_load_explicit (&self->put, memory_order_acquire))
        return NULL;
    weft_shadow_row_t *row = self->rows[taken % self->room];
    atomic_store_explicit (&self->taken, taken + 1, memory_order_release);
    return row;
}
