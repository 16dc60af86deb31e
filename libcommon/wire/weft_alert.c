//  weft_alert.c - one alert on its way: an envelope and its sections.

#include "weft_alert.h"

#include <stdatomic.h>

struct weft_alert {
    atomic_uint refs;
    uint32_t n_frames;
    size_t size;
    weft_frame_t *frames[1 + WEFT_ALERT_SECTIONS];
    weft_envelope_v1_t envelope;  //  borrows from frames[0]
};

weft_alert_t *
weft_alert_new (weft_frame_t *envelope)
{
    weft_alert_t *self = calloc (1, sizeof *self);
    if (!self) {
        weft_frame_unref (&envelope);
        return NULL;
    }
    atomic_init (&self->refs, 1);
    self->frames[0] = envelope;
    self->n_frames = 1;
    self->size = weft_frame_size (envelope);
    if (weft_contract_decode (&weft_envelope_v1, &self->envelope,
                              weft_frame_data (envelope), self->size))
        weft_alert_unref (&self);
    return self;
}

weft_alert_t *
weft_alert_ref (weft_alert_t *self)
{
    atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
    return self;
}

void
weft_alert_unref (weft_alert_t **self_p)
{
    weft_alert_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < self->n_frames; i++)
        weft_frame_unref (&self->frames[i]);
    free (self);
}

const weft_envelope_v1_t *
weft_alert_envelope (const weft_alert_t *self)
{
    return &self->envelope;
}

int
weft_alert_append (weft_alert_t *self, weft_frame_t *section)
{
    if (self->n_frames == WEFT_COUNT (self->frames)) {
        weft_frame_unref (&section);
        return WEFT_ETOOBIG;
    }
    self->frames[self->n_frames++] = section;
    self->size += weft_frame_size (section);
    return 0;
}

weft_alert_t *
weft_alert_fork (const weft_alert_t *self)
{
    weft_alert_t *copy = malloc (sizeof *copy);
    if (!copy)
        return NULL;
    memcpy (copy, self, sizeof *copy);
    atomic_init (&copy->refs, 1);
    for (uint32_t i = 0; i < copy->n_frames; i++)
        copy->frames[i] = weft_frame_ref (copy->frames[i]);
    return copy;
}

size_t
weft_alert_frames (const weft_alert_t *self)
{
    return self->n_frames;
}

weft_frame_t *
weft_alert_frame (const weft_alert_t *self, size_t index)
{
    assert (index < self->n_frames);
    return self->frames[index];
}

size_t
weft_alert_size (const weft_alert_t *self)
{
    return self->size;
}

static bool
frame_is (const weft_frame_t *frame, const weft_contract_t *contract)
{
    weft_str_t name;
    return !weft_contract_name (weft_frame_data (frame),
                                weft_frame_size (frame), &name) &&
           weft_str_is (name, contract->name);
}

int
weft_alert_read (const weft_alert_t *self,
                 const weft_contract_t *contract,
                 void *record)
{
    for (uint32_t i = self->n_frames; i-- > 1;)
        if (frame_is (self->frames[i], contract))
            return weft_contract_decode (contract, record,
                                         weft_frame_data (self->frames[i]),
                                         weft_frame_size (self->frames[i]));
    return WEFT_EABSENT;
}

void
weft_alert_flatten (const weft_alert_t *self, weft_buf_t *out)
{
    uint8_t number[4];
    weft_put_u32 (number, self->n_frames);
    weft_buf_add (out, number, 4);
    for (uint32_t i = 0; i < self->n_frames; i++) {
        weft_put_u32 (number, (uint32_t)weft_frame_size (self->frames[i]));
        weft_buf_add (out, number, 4);
        weft_buf_add (out, weft_frame_data (self->frames[i]),
                      weft_frame_size (self->frames[i]));
    }
}

//  Takes one frame off the front; NULL if the bytes do not hold it.
static weft_frame_t *
take_frame (const uint8_t **at, size_t *left)
{
    if (*left < 4)
        return NULL;
    uint32_t size = weft_get_u32 (*at);
    if (size > *left - 4 || size > WEFT_SECTION_MOST)
        return NULL;
    weft_frame_t *frame = weft_frame_copy (*at + 4, size);
    *at += 4 + (size_t)size;
    *left -= 4 + (size_t)size;
    return frame;
}

weft_alert_t *
weft_alert_parse (const void *data, size_t size)
{
    const uint8_t *at = data;
    if (size < 4)
        return NULL;
    uint32_t count = weft_get_u32 (at);
    if (count < 1 || count > 1 + WEFT_ALERT_SECTIONS)
        return NULL;
    at += 4;
    size -= 4;
    weft_frame_t *frame = take_frame (&at, &size);
    weft_alert_t *self = frame ? weft_alert_new (frame) : NULL;
    for (uint32_t i = 1; self && i < count; i++) {
        frame = take_frame (&at, &size);
        if (!frame || weft_alert_append (self, frame))
            weft_alert_unref (&self);
    }
    if (self && size > 0)
        weft_alert_unref (&self);
    return self;
}
