//  weft_worker_leave.c - a worker that pauses, drains, or says goodbye.

#include "weft_worker_parts.h"

void
weft_worker_leave (weft_worker_t *self, link_t *link)
{
    weft_link_frame_t frame = { .type = WEFT_LINK_BYE };
    (void)!weft_worker_post (self, link, &frame);
    weft_worker_end (self, link);
}

void
weft_worker_depend (weft_worker_t *self, int64_t now, bool down)
{
    (void)now;
    if (self->stats.down == down)
        return;
    self->stats.down = down;
    self->share_due = true;
}

void
weft_worker_drain (weft_worker_t *self, int64_t now)
{
    (void)now;
    if (self->stats.draining)
        return;
    self->stats.draining = true;
    self->share_due = true;
    for (uint32_t i = 0; i < self->link_count; i++) {
        link_t *link = &self->links[i];
        weft_link_frame_t frame = { .type = WEFT_LINK_DRAIN };
        if (link->open && link->state == WEFT_LINK_LIVE)
            (void)!weft_worker_post (self, link, &frame);
    }
}

static void
say_bye (weft_worker_t *self)
{
    for (uint32_t i = 0; i < self->link_count; i++)
        if (self->links[i].open && self->links[i].state == WEFT_LINK_LIVE)
            weft_worker_leave (self, &self->links[i]);
}

void
weft_worker_rehash (weft_worker_t *self, uint64_t hash)
{
    if (hash == self->config.hash)
        return;
    self->config.hash = hash;
    if (WEFT_RULE (REHASH))
        say_bye (self);
}

void
weft_worker_part (weft_worker_t *self)
{
    say_bye (self);
}

void
weft_worker_bye (weft_worker_t *self, int64_t now)
{
    weft_worker_drain (self, now);
    weft_worker_flush (self, now);
    say_bye (self);
}
