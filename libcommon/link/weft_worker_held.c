//  weft_worker_held.c - alerts in this process's custody and what becomes of
//  them: forwarded, held for a dependency, given back, judged.

#include "weft_worker_parts.h"

void
weft_worker_enlist (list_t *list, held_t *held, bool front)
{
    held->prev = front ? NULL : list->tail;
    held->next = front ? list->head : NULL;
    if (held->prev)
        held->prev->next = held;
    else
        list->head = held;
    if (held->next)
        held->next->prev = held;
    else
        list->tail = held;
    list->count++;
}

void
weft_worker_unlist (list_t *list, held_t *held)
{
    if (held->prev)
        held->prev->next = held->next;
    else
        list->head = held->next;
    if (held->next)
        held->next->prev = held->prev;
    else
        list->tail = held->prev;
    held->prev = held->next = NULL;
    list->count--;
}

static void
join (chain_t *chain, held_t *held)
{
    held->link_next = NULL;
    held->link_prev = chain->tail;
    if (chain->tail)
        chain->tail->link_next = held;
    else
        chain->head = held;
    chain->tail = held;
    chain->sum.alerts++;
    chain->sum.bytes += held->bytes;
}

static void
part (chain_t *chain, held_t *held)
{
    if (held->link_prev)
        held->link_prev->link_next = held->link_next;
    else
        chain->head = held->link_next;
    if (held->link_next)
        held->link_next->link_prev = held->link_prev;
    else
        chain->tail = held->link_prev;
    chain->sum.alerts--;
    chain->sum.bytes -= held->bytes;
}

static list_t *
list_of (weft_worker_t *self, const held_t *held)
{
    switch ((held_state_t)held->state) {
    case HELD_WAITING:
        return &self->waiting;
    case HELD_SUSPECT:
        return &self->suspects;
    case HELD_VERDICT:
        return &self->verdicts;
    case HELD_JUDGED:
        return &self->judged;
    default:
        return NULL;
    }
}

static void
set_state (weft_worker_t *self, held_t *held, held_state_t state)
{
    list_t *list = list_of (self, held);
    if (list)
        weft_worker_unlist (list, held);
    self->stats.forwarded -= held->state == HELD_FORWARDED;
    held->state = (uint8_t)state;
    list = list_of (self, held);
    if (list)
        weft_worker_enlist (list, held, false);
    self->stats.forwarded += state == HELD_FORWARDED;
}

static void
drop_item (weft_worker_t *self, held_t *held)
{
    if (held->item)
        self->ops.unref (self->arg, held->item);
    held->item = NULL;
}

void
weft_worker_release (weft_worker_t *self, held_t *held)
{
    set_state (self, held, HELD_DISPATCHED);
    part (held->link ? &held->link->held : &self->orphans, held);
    self->stats.held--;
    self->stats.held_bytes -= held->bytes;
    drop_item (self, held);
    free (held->reason);
    held->next = self->free_helds;
    self->free_helds = held;
}

static void
give_back (weft_worker_t *self, held_t *held)
{
    self->stats.retried++;
    weft_worker_gather (self, held->link, false, held->seq, 0);
    weft_worker_release (self, held);
}

static void
judge (weft_worker_t *self, held_t *held, int code)
{
    if (self->stats.broken) {
        give_back (self, held);
        return;
    }
    held->code = code;
    held->epoch = self->canary_epoch;
    set_state (self, held, WEFT_RULE (CANARY) ? HELD_VERDICT : HELD_JUDGED);
}

static void
dispatch (weft_worker_t *self, held_t *held)
{
    if (self->stats.broken) {
        give_back (self, held);
    } else if (held->suspect) {
        set_state (self, held, HELD_SUSPECT);
    } else {
        set_state (self, held, HELD_DISPATCHED);
        self->ops.dispatch (self->arg, held, held->item);
    }
}

static held_t *
new_held (weft_worker_t *self)
{
    held_t *held = self->free_helds;
    if (!held)
        return calloc (1, sizeof *held);
    self->free_helds = held->next;
    memset (held, 0, sizeof *held);
    return held;
}

//  The function will never see it, and so has returned.
static void
judge_unread (weft_worker_t *self, held_t *held, int rc)
{
    held->link->done = WEFT_MAX (held->link->done, held->seq);
    if (weft_error_class (rc) == WEFT_CLASS_REJECT) {
        weft_held_set_reason (held,
                              "its envelope or its frames cannot be read");
        judge (self, held, rc);
    } else {
        give_back (self, held);
    }
}

void
weft_worker_accept (weft_worker_t *self,
                    link_t *link,
                    const weft_link_frame_t *frame,
                    const weft_item_t *item)
{
    link->last_seq = frame->seq;
    held_t *held = new_held (self);
    if (!held) {
        weft_worker_gather (self, link, false, frame->seq, 0);
        if (item->item)
            self->ops.unref (self->arg, item->item);
        return;
    }
    held->item = item->item;
    held->bytes = item->bytes;
    held->seq = frame->seq;
    held->suspect = frame->suspect;
    held->link = link;
    join (&link->held, held);
    self->stats.held++;
    self->stats.held_bytes += held->bytes;
    self->stats.received++;
    if (self->unread)
        judge_unread (self, held, self->unread);
    else
        dispatch (self, held);
}

//  What somebody has in his hands is an orphan until he is through with it;
//  the rest is dropped: the upstream has it and sends it again.
void
weft_worker_orphan_all (weft_worker_t *self, link_t *link)
{
    while (link->held.head) {
        held_t *held = link->held.head;
        part (&link->held, held);
        held->link = NULL;
        join (&self->orphans, held);
        if (held->state != HELD_DISPATCHED && held->state != HELD_ISOLATED &&
            held->state != HELD_FORWARDED)
            weft_worker_release (self, held);
    }
}

void
weft_worker_give_back_all (weft_worker_t *self)
{
    while (self->waiting.head)
        give_back (self, self->waiting.head);
    while (self->suspects.head)
        give_back (self, self->suspects.head);
    while (self->verdicts.head)
        give_back (self, self->verdicts.head);
}

void
weft_worker_wake (weft_worker_t *self)
{
    for (uint64_t n = self->waiting.count; n > 0; n--)
        dispatch (self, self->waiting.head);
}

//  The item becomes the next canary; what was forwarded has its own
//  references.
static void
finish (weft_worker_t *self, held_t *held)
{
    if (self->last_item)
        self->ops.unref (self->arg, self->last_item);
    self->last_item = held->item;
    held->item = NULL;
    set_state (self, held, HELD_FORWARDED);
}

//  Is this code one of "not now": the alert is held, not given back?
static bool
is_waiting (int rc)
{
    return rc == WEFT_EDOWN || rc == WEFT_EAGAIN;
}

bool
weft_worker_returned (weft_worker_t *self,
                      int64_t now,
                      weft_held_t *held,
                      int rc)
{
    (void)now;
    if (!held->link) {
        weft_worker_release (self, held);
        return false;
    }
    if (held->seq > held->link->done)
        held->link->done = held->seq;
    if (rc == 0) {
        finish (self, held);
        return true;
    }
    if (weft_error_class (rc) == WEFT_CLASS_REJECT) {
        judge (self, held, rc);
    } else if (is_waiting (rc) && !self->stats.broken) {
        set_state (self, held, HELD_WAITING);
        self->share_due = true;
    } else {
        give_back (self, held);
    }
    return false;
}

//  A child killed from outside says nothing about the alert: three tries,
//  then another worker may have it.
static void
try_again (weft_worker_t *self, held_t *held)
{
    if (++held->kills >= 3 || self->stats.broken) {
        give_back (self, held);
        return;
    }
    set_state (self, held, HELD_SUSPECT);
}

static void
convict (weft_worker_t *self, held_t *held, int code)
{
    self->stats.convicted++;
    weft_worker_event (self, WEFT_LINK_EVENT_CONVICTED, held->link, held->seq,
                       code, weft_error_text (code));
    judge (self, held, code);
}

bool
weft_worker_isolated (weft_worker_t *self,
                      int64_t now,
                      weft_child_t how,
                      int rc,
                      weft_held_t **held_p)
{
    held_t *held = self->child_held;
    assert (self->child == CHILD_ALERT && held);
    self->child = CHILD_IDLE;
    self->child_held = NULL;
    *held_p = held;
    if (how == WEFT_CHILD_RETURNED || !held->link)
        return weft_worker_returned (self, now, held, rc);
    if (held->seq > held->link->done)
        held->link->done = held->seq;
    if (how == WEFT_CHILD_KILLED && WEFT_RULE (OUTSIDE))
        try_again (self, held);
    else
        convict (self, held,
                 how == WEFT_CHILD_HUNG ? WEFT_EHUNG : WEFT_ECRASHED);
    return false;
}

void
weft_worker_settle (weft_worker_t *self,
                    weft_held_t *held,
                    weft_outcome_t outcome)
{
    assert (held->state == HELD_FORWARDED);
    if (held->link) {
        self->stats.settled += outcome == WEFT_OUTCOME_SETTLED;
        self->stats.dead += outcome == WEFT_OUTCOME_DEAD;
        weft_worker_gather (self, held->link, true, held->seq, outcome);
    }
    weft_worker_release (self, held);
}

void
weft_worker_refuse (weft_worker_t *self,
                    weft_held_t *held,
                    int code,
                    const char *reason)
{
    assert (held->state == HELD_FORWARDED);
    if (!held->link) {
        weft_worker_release (self, held);
        return;
    }
    weft_held_set_reason (held, reason);
    judge (self, held, code);
}

void *
weft_held_item (const weft_held_t *held)
{
    return held->item;
}

bool
weft_held_orphan (const weft_held_t *held)
{
    return !held->link;
}

void
weft_held_set_reason (weft_held_t *held, const char *reason)
{
    free (held->reason);
    held->reason = strndup (reason, WEFT_LINK_REASON_MAX);
}

void
weft_worker_free_helds (weft_worker_t *self)
{
    while (self->free_helds) {
        held_t *held = self->free_helds;
        self->free_helds = held->next;
        free (held);
    }
}
