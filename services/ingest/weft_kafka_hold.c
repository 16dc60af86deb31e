//  weft_kafka_hold.c - messages put aside, and lanes that stand still for them.
//
//  A message that cannot be read yet stays open in its mark, so nothing past it
//  is committed. Its bytes are kept here and its lane is paused, so reading it
//  again asks no broker: the lane is fetched on only when it has been read. An
//  assignment that ends takes it along; who has the partition then reads it
//  from Kafka.

#include "weft_kafka_parts.h"

static rd_kafka_t *
consumer (const weft_kafka_t *self, int lane)
{
    return lane == WEFT_LANE_BACK ? self->back : self->rk;
}

static void
stand (weft_part_t *part, int lane, bool still)
{
    part->stands[lane] = still;
    if (part->stands_still)
        weft_metric_set (part->stands_still, part->stands[WEFT_LANE_LIVE] ||
                                                 part->stands[WEFT_LANE_BACK]);
}

//  Returns new: a copy of the message that is open.
static weft_aside_t *
copy_open (const weft_kafka_t *self)
{
    const rd_kafka_message_t *m = self->current;
    size_t size = m->payload ? m->len : 0;
    weft_aside_t *aside = calloc (1, sizeof (*aside) + size);
    if (!aside)
        return NULL;
    aside->part = self->open;
    aside->epoch = self->open_epoch;
    aside->lane = self->from_back ? WEFT_LANE_BACK : WEFT_LANE_LIVE;
    aside->t_kafka = weft_kafka_stamp (m);
    if (size)
        memcpy (aside->data, m->payload, size);
    aside->held = (weft_held_t){ .topic = self->open->topic,
                                 .partition = self->open->partition,
                                 .offset = m->offset,
                                 .data = aside->data,
                                 .size = size };
    return aside;
}

int
weft_kafka_hold (weft_kafka_t *self,
                 uint32_t item,
                 bool waits,
                 const char *schema,
                 const char *why)
{
    weft_aside_t *aside = self->reopened ? self->reopened : copy_open (self);
    if (!aside)
        return WEFT_ENOMEM;
    weft_part_t *part = aside->part;
    aside->ready = false;
    aside->held.item = item;
    aside->held.waits = waits;
    aside->held.conviction = 0;
    snprintf (aside->held.schema, sizeof (aside->held.schema), "%s", schema);
    snprintf (aside->held.why, sizeof (aside->held.why), "%s", why);
    self->reopened = NULL;
    if (self->current)
        rd_kafka_message_destroy (self->current);
    self->current = NULL;
    if (aside->epoch != part->epoch) {
        free (aside);  //  the partition has gone meanwhile
        return 0;
    }
    part->aside[aside->lane] = aside;
    if (!part->stands[aside->lane])
        weft_kafka_pause (consumer (self, aside->lane), part, true);
    stand (part, aside->lane, true);
    return 0;
}

weft_held_t *
weft_kafka_held (const weft_kafka_t *self, size_t *at)
{
    while (*at < (size_t)self->n_parts * WEFT_LANES) {
        size_t i = (*at)++;
        weft_aside_t *aside =
            self->parts[i / WEFT_LANES]->aside[i % WEFT_LANES];
        if (aside && !aside->ready)
            return &aside->held;
    }
    return NULL;
}

void
weft_kafka_go_on (weft_kafka_t *self, const weft_held_t *held)
{
    for (uint32_t i = 0; i < self->n_parts; i++)
        for (int lane = 0; lane < WEFT_LANES; lane++) {
            weft_aside_t *aside = self->parts[i]->aside[lane];
            if (aside && &aside->held == held)
                aside->ready = self->any_ready = true;
        }
}

weft_aside_t *
weft_kafka_take_aside (weft_kafka_t *self)
{
    if (!self->any_ready || self->revoking)
        return NULL;
    for (uint32_t i = 0; i < self->n_parts; i++)
        for (int lane = 0; lane < WEFT_LANES; lane++) {
            weft_aside_t *aside = self->parts[i]->aside[lane];
            if (!aside || !aside->ready)
                continue;
            self->parts[i]->aside[lane] = NULL;
            return aside;
        }
    self->any_ready = false;
    return NULL;
}

void
weft_kafka_resume (weft_kafka_t *self, weft_part_t *part, int lane)
{
    bool back = lane == WEFT_LANE_BACK;
    if (part->stands[lane] || (back ? part->back_paused : part->paused) ||
        (back && part->back_ended))
        return;
    weft_kafka_pause (consumer (self, lane), part, false);
}

void
weft_kafka_read_again (weft_kafka_t *self)
{
    weft_aside_t *aside = self->reopened;
    weft_part_t *part = aside->part;
    self->reopened = NULL;
    if (aside->epoch == part->epoch) {
        weft_watermark_end (weft_kafka_ring (part, aside->held.offset),
                            aside->held.offset);
        stand (part, aside->lane, false);
        if (part->missed)
            weft_kafka_find_anew (self);
        else
            weft_kafka_resume (self, part, aside->lane);
    }
    free (aside);
}

void
weft_kafka_forget_aside (weft_part_t *part)
{
    part->missed = false;
    for (int lane = 0; lane < WEFT_LANES; lane++) {
        free (part->aside[lane]);
        part->aside[lane] = NULL;
        stand (part, lane, false);
    }
}

size_t
weft_kafka_aside (const weft_part_t *part)
{
    return (size_t)(part->aside[WEFT_LANE_LIVE] != NULL) +
           (size_t)(part->aside[WEFT_LANE_BACK] != NULL);
}
