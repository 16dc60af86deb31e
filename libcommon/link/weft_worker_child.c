//  weft_worker_child.c - the isolation child's jobs: suspects, one at a time
//  beside the flow, and canaries before verdicts.

#include "weft_worker_parts.h"

static void
start_canary (weft_worker_t *self, int64_t now)
{
    self->child = CHILD_CANARY;
    self->child_since = now;
    self->child_killed = false;
    self->child_canary_last = true;
    self->canary_due = false;
    self->canary_epoch++;
    self->stats.canaries++;
    self->ops.canary (self->arg, self->last_item);
}

static void
start_suspect (weft_worker_t *self, int64_t now)
{
    held_t *held = self->suspects.head;
    weft_worker_unlist (&self->suspects, held);
    held->state = HELD_ISOLATED;
    self->child = CHILD_ALERT;
    self->child_held = held;
    self->child_since = now;
    self->child_killed = false;
    self->child_canary_last = false;
    self->stats.isolated++;
    self->ops.isolate (self->arg, held, held->item);
}

//  A verdict needs a canary that started after it came. Verdicts and suspects
//  take turns, so that neither starves.
void
weft_worker_start_child (weft_worker_t *self, int64_t now)
{
    if (self->child != CHILD_IDLE)
        return;
    bool canary = self->verdicts.head || self->canary_due;
    bool suspect = self->suspects.head && !self->stats.broken;
    if (canary && !(suspect && self->child_canary_last))
        start_canary (self, now);
    else if (suspect)
        start_suspect (self, now);
}

void
weft_worker_watch_child (weft_worker_t *self, int64_t now)
{
    if (self->child == CHILD_IDLE || self->child_killed ||
        now - self->child_since <= self->config.stall_ms)
        return;
    self->child_killed = true;
    self->ops.kill_child (self->arg);
}

//  Verdicts that came before the canary started are confirmed by it.
static void
confirm (weft_worker_t *self)
{
    while (self->verdicts.head &&
           (self->verdicts.head->epoch < self->canary_epoch ||
            !WEFT_RULE (AFTER))) {
        held_t *held = self->verdicts.head;
        weft_worker_unlist (&self->verdicts, held);
        held->state = HELD_JUDGED;
        weft_worker_enlist (&self->judged, held, false);
    }
}

void
weft_worker_canary (weft_worker_t *self, int64_t now, bool passed)
{
    (void)now;
    assert (self->child == CHILD_CANARY);
    self->child = CHILD_IDLE;
    if (passed || !WEFT_RULE (GIVE_BACK)) {
        confirm (self);
        if (self->stats.broken) {
            self->stats.broken = false;
            self->share_due = true;
            weft_worker_event (self, WEFT_LINK_EVENT_REPAIRED, NULL, 0, 0,
                               "works again");
        }
        return;
    }
    if (!self->stats.broken)
        weft_worker_event (self, WEFT_LINK_EVENT_BROKEN, NULL,
                           self->verdicts.count, 0,
                           "no verdict, no intake until it passes");
    self->stats.broken = true;
    self->share_due = true;
    weft_worker_give_back_all (self);
}
