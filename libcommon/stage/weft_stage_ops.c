//  weft_stage_ops.c - what the custody machines ask of the shell.

#include "weft_stage_parts.h"

static int
worker_send (void *arg, uint32_t link, const void *header, size_t size)
{
    weft_stage_t *self = arg;
    weft_stage_link_t *slot = &self->links[link];
    if (!slot->dealer || slot->reopen)
        return WEFT_EAGAIN;
    return weft_dealer_send (slot->dealer, header, size);
}

//  Later, at the start of the next turn: the machine may be looking at a frame
//  of the old socket.
static void
worker_reopen (void *arg, uint32_t link)
{
    weft_stage_t *self = arg;
    self->links[link].reopen = true;
}

static void
worker_dispatch (void *arg, weft_held_t *held, void *item)
{
    weft_stage_push_work (arg, held, item);
}

static void
start_job (weft_stage_t *self, weft_alert_t *alert)
{
    int rc = weft_isolation_run (self->isolation, alert);
    if (rc)
        weft_log (WEFT_ERROR, "STAGE-ISOLATION-FAILED", "no job: %s",
                  weft_error_text (rc));
}

static void
worker_isolate (void *arg, weft_held_t *held, void *item)
{
    weft_stage_t *self = arg;
    self->canary = false;
    self->isolated = held;
    self->isolated_alert = item;
    start_job (self, item);
}

static void
worker_canary (void *arg, void *item)
{
    weft_stage_t *self = arg;
    self->canary = true;
    if (!item && !self->spec->golden)
        self->canary_due = true;
    else
        start_job (self, item);
}

static void
worker_kill_child (void *arg)
{
    weft_stage_t *self = arg;
    weft_isolation_kill (self->isolation);
}

static void
drop_alert (void *arg, void *item)
{
    (void)arg;
    weft_alert_t *alert = item;
    weft_alert_unref (&alert);
}

//  `where` is the peer's address, if it is known.
static void
log_event (weft_stage_t *self,
           const weft_link_event_t *event,
           const char *where)
{
    //  A refusal has a code of its own, which its text says in words.
    bool refused = event->id == WEFT_LINK_EVENT_REFUSED;
    int code = refused ? 0 : event->code;
    if (refused && event->code != WEFT_REFUSE_KEY)
        weft_metric_add (self->metrics.refused, 1);
    if (event->id == WEFT_LINK_EVENT_PEER_HUNG)
        weft_metric_add (self->metrics.by_stall, (double)event->value);
    //  Who is refused or ignored comes again as fast as it likes.
    if ((refused || event->id == WEFT_LINK_EVENT_PEER_BAD) &&
        !weft_log_may (&self->bad_peers, "LINK-PEERS-REFUSED", self->now))
        return;
    char measure[WEFT_LINK_EVENT_MEASURE];
    weft_link_event_measure (event, measure);
    weft_log (
        weft_link_event_level (event->id), weft_link_event_name (event->id),
        "peer %llx%s%s, stage %s%s%s%s%s%s%s", (unsigned long long)event->peer,
        where ? " at " : "", where ? where : "",
        event->stage ? event->stage : "-", *measure ? ", " : "", measure,
        code ? ", " : "", code ? weft_error_name (code) : "",
        event->text && event->text[0] ? ": " : "",
        event->text ? event->text : "");
}

//  A worker's peer is the number of a link, if there is one.
static void
worker_event (void *arg, const weft_link_event_t *event)
{
    weft_stage_t *self = arg;
    const char *where = NULL;
    if (event->id <= WEFT_LINK_EVENT_RESET &&
        event->peer < WEFT_COUNT (self->links) && self->links[event->peer].used)
        where = self->links[event->peer].endpoint;
    log_event (self, event, where);
}

//  ZeroMQ knows the address of the message that is being read, no other.
static void
upstream_event (void *arg, const weft_link_event_t *event)
{
    weft_stage_t *self = arg;
    bool known = event->peer && event->peer == self->reading_peer;
    log_event (self, event, known ? weft_router_address (self->router) : NULL);
}

const weft_worker_ops_t weft_stage_worker_ops = {
    .send = worker_send,
    .reopen = worker_reopen,
    .dispatch = worker_dispatch,
    .isolate = worker_isolate,
    .canary = worker_canary,
    .kill_child = worker_kill_child,
    .unref = drop_alert,
    .event = worker_event,
};

static int
upstream_send (
    void *arg, uint64_t peer, const void *header, size_t size, void *item)
{
    weft_stage_t *self = arg;
    return weft_router_send (self->router, peer, header, size, item);
}

static void
upstream_bury (void *arg,
               weft_grave_t *grave,
               void *tag,
               const char *stage,
               void *item,
               int code,
               const char *reason)
{
    (void)tag;
    weft_stage_t *self = arg;
    weft_stage_count_dead (stage, code);
    if (weft_keeper_bury (self->keeper, grave, item, stage, code, reason))
        weft_log (WEFT_ERROR, "STAGE-DEAD-LETTER-HELD",
                  "no memory for a dead letter, it waits for a restart");
}

//  A replayed dead letter has its outcome.
static void
replay_settled (void *arg, void *tag, weft_outcome_t outcome)
{
    weft_stage_t *self = arg;
    weft_keeper_replayed (self->keeper, tag, outcome == WEFT_OUTCOME_SETTLED);
}

static bool
is_same (const char *ours, weft_link_text_t theirs)
{
    return theirs.size == strlen (ours) &&
           memcmp (ours, theirs.data, theirs.size) == 0;
}

//  "features.v1" and "features.v2": the same contract in two versions?
static bool
is_version (const char *ours, weft_link_text_t theirs)
{
    size_t base = strcspn (ours, ".");
    return theirs.size > base && memcmp (ours, theirs.data, base) == 0 &&
           theirs.data[base] == '.';
}

//  It reads our contract, but none of the versions that it names is ours.
static bool
reads_others_only (const char *ours, const weft_link_frame_t *hello)
{
    bool others = false;
    for (uint32_t i = 0; i < hello->contract_count; i++) {
        if (is_same (ours, hello->contracts[i]))
            return false;
        others = others || is_version (ours, hello->contracts[i]);
    }
    return others;
}

//  A worker that reads what we write must read our version of it.
static int
upstream_admit (void *arg, const weft_link_frame_t *hello, const char **why)
{
    weft_stage_t *self = arg;
    const char *writes = self->spec->writes;
    if (!weft_stage_may_be (self, hello->stage)) {
        *why = "this key is not one of that stage";
        return WEFT_REFUSE_KEY;
    }
    if (!writes || !reads_others_only (writes, hello))
        return 0;
    *why = "reads another version of what this stage writes";
    return WEFT_REFUSE_CONTRACT;
}

const weft_upstream_ops_t weft_stage_upstream_ops = {
    .send = upstream_send,
    .settled = replay_settled,
    .bury = upstream_bury,
    .admit = upstream_admit,
    .unref = drop_alert,
    .event = upstream_event,
};
