//  weft_worker_limit.c - one ceiling shared over all upstreams by limits.
//
//  A session's limit is absolute: how many alerts (and bytes) it may have
//  unsettled. Until the upstream echoes a change it may still act by the limit
//  before, so each session counts with the largest of what it holds, its limit
//  and the one before (when that is unechoed); the sum never exceeds the
//  ceiling. One change at a time is under way per session.

#include "weft_worker_parts.h"

static bool
is_unechoed (const link_t *link)
{
    return link->echoed != link->version;
}

static uint64_t
largest_of (uint64_t held, uint64_t limit, uint64_t previous)
{
    if (!WEFT_RULE (ECHO))
        previous = 0;
    if (!WEFT_RULE (HELDS))
        held = 0;
    return WEFT_MAX (held, WEFT_MAX (limit, previous));
}

static share_t
counted (const link_t *link)
{
    share_t none = { 0, 0 };
    const share_t *previous = is_unechoed (link) ? &link->previous : &none;
    return (share_t){
        largest_of (link->held.sum.alerts, link->limit.alerts,
                    previous->alerts),
        largest_of (link->held.sum.bytes, link->limit.bytes, previous->bytes),
    };
}

static uint64_t
less (uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

//  The ceiling less alerts of ended sessions.
static share_t
room (const weft_worker_t *self)
{
    if (!WEFT_RULE (ORPHANS))
        return (share_t){ self->config.ceiling, self->config.ceiling_bytes };
    return (share_t){
        less (self->config.ceiling, self->orphans.sum.alerts),
        less (self->config.ceiling_bytes, self->orphans.sum.bytes),
    };
}

//  What the n-th of all live sessions should have. Where there is less than
//  one alert for each, turns are taken.
static share_t
target (const weft_worker_t *self, uint64_t n)
{
    uint64_t live = self->stats.live;
    if (self->stats.broken || self->stats.down || self->stats.draining ||
        self->waiting.count > 0)
        return (share_t){ 0, 0 };
    share_t all = room (self);
    //  An idle session may take one alert of any size, but orphans that fill
    //  the bytes must not be joined by more and more of those.
    if (all.bytes == 0)
        return (share_t){ 0, 0 };
    share_t even = { all.alerts / live, all.bytes / live };
    uint64_t turn = WEFT_RULE (TURNS) ? self->turn : 0;
    //  Only then: limits that change for nothing cost frames.
    if (even.alerts > 0)
        turn = 0;
    if ((n + turn) % live < all.alerts % live)
        even.alerts++;
    return even;
}

static void
set_limit (link_t *link, share_t limit)
{
    if (limit.alerts == link->limit.alerts && limit.bytes == link->limit.bytes)
        return;
    link->previous = link->limit;
    link->limit = limit;
    link->version++;
}

//  First those that fall, for what they will free; then those that rise, by
//  what is free now.
static void
lower (weft_worker_t *self)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < self->link_count; i++) {
        link_t *link = &self->links[i];
        if (!link->open || link->state != WEFT_LINK_LIVE)
            continue;
        share_t want = target (self, n++);
        if (is_unechoed (link))
            continue;
        share_t limit = { WEFT_MIN (want.alerts, link->limit.alerts),
                          WEFT_MIN (want.bytes, link->limit.bytes) };
        set_limit (link, limit);
    }
}

static share_t
unclaimed (const weft_worker_t *self)
{
    share_t left = room (self);
    for (uint32_t i = 0; i < self->link_count; i++) {
        const link_t *link = &self->links[i];
        if (!link->open || link->state != WEFT_LINK_LIVE)
            continue;
        share_t claim = counted (link);
        left.alerts = less (left.alerts, claim.alerts);
        left.bytes = less (left.bytes, claim.bytes);
    }
    return left;
}

//  A limit may rise to its target, as far as what it counts already and what
//  nobody claims allow; takes that from `left`.
static uint64_t
risen (uint64_t limit, uint64_t want, uint64_t claim, uint64_t *left)
{
    uint64_t top = WEFT_MIN (want, claim + *left);
    if (top <= limit)
        return limit;
    *left -= less (top, claim);
    return top;
}

static void
raise_limits (weft_worker_t *self)
{
    share_t left = unclaimed (self);
    uint64_t n = 0;
    for (uint32_t i = 0; i < self->link_count; i++) {
        link_t *link = &self->links[i];
        if (!link->open || link->state != WEFT_LINK_LIVE)
            continue;
        share_t want = target (self, n++);
        if (is_unechoed (link))
            continue;
        share_t claim = counted (link);
        share_t limit = {
            risen (link->limit.alerts, want.alerts, claim.alerts, &left.alerts),
            risen (link->limit.bytes, want.bytes, claim.bytes, &left.bytes),
        };
        set_limit (link, limit);
    }
}

void
weft_worker_share (weft_worker_t *self)
{
    self->share_due = false;
    if (self->stats.live == 0)
        return;
    lower (self);
    raise_limits (self);
}
