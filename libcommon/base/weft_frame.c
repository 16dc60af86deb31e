//  weft_frame.c - a refcounted frame.

#include "weft_frame.h"

#include <stdatomic.h>

struct weft_frame {
    atomic_uint refs;
    size_t size;
    const uint8_t *data;            //  inside `own`, or somebody else's
    void (*release) (void *owner);  //  NULL when the bytes are our own
    void *owner;
    uint8_t own[];
};

weft_frame_t *
weft_frame_new (size_t size)
{
    weft_frame_t *self = malloc (sizeof *self + size);
    if (!self)
        return NULL;
    atomic_init (&self->refs, 1);
    self->size = size;
    self->data = self->own;
    self->release = NULL;
    self->owner = NULL;
    return self;
}

weft_frame_t *
weft_frame_copy (const void *data, size_t size)
{
    weft_frame_t *self = weft_frame_new (size);
    if (self && size > 0)
        memcpy (self->own, data, size);
    return self;
}

weft_frame_t *
weft_frame_wrap (const void *data,
                 size_t size,
                 void (*release) (void *owner),
                 void *owner)
{
    weft_frame_t *self = weft_frame_new (0);
    if (!self)
        return NULL;
    self->size = size;
    self->data = data;
    self->release = release;
    self->owner = owner;
    return self;
}

weft_frame_t *
weft_frame_ref (weft_frame_t *self)
{
    atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
    return self;
}

void
weft_frame_unref (weft_frame_t **self_p)
{
    weft_frame_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (self->release)
        self->release (self->owner);
    free (self);
}

const uint8_t *
weft_frame_data (const weft_frame_t *self)
{
    return self->data;
}

size_t
weft_frame_size (const weft_frame_t *self)
{
    return self->size;
}

uint8_t *
weft_frame_fill (weft_frame_t *self)
{
    assert (!self->release);
    return self->own;
}
