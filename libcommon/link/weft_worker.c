//  weft_worker.c - the worker end: its links, its beats, what upstreams say.

#include "weft_worker_parts.h"

enum {
    SILENT_BEATS = 3,    //  an upstream that is not heard that long is gone
    REFUSED_BEATS = 20,  //  until a refused HELLO is tried again
    AWAY_BEATS = 4,      //  an absence that is told to the log
    TURN_BEATS = 4,      //  how long a turn lasts, where limits take turns
    PATIENCE_MOST = 16,  //  doublings of an upstream's silence
};

static void
set_defaults (weft_worker_config_t *config)
{
    if (!config->ceiling)
        config->ceiling = 256;
    if (!config->ceiling_bytes)
        config->ceiling_bytes = (size_t)64 << 20;
    if (!config->largest)
        config->largest = 64u << 20;
    if (!config->beat_ms)
        config->beat_ms = 250;
    if (!config->stall_ms)
        config->stall_ms = 10000;
    if (!config->max_links)
        config->max_links = 64;
}

static void
copy_names (weft_worker_t *self, const weft_worker_config_t *config)
{
    snprintf (self->stage, sizeof self->stage, "%s", config->stage);
    const char *const *name = config->contracts;
    for (; name && *name; name++) {
        assert (self->contract_count < WEFT_LINK_CONTRACTS_MAX);
        char *contract = self->contracts[self->contract_count++];
        snprintf (contract, sizeof self->contracts[0], "%s", *name);
    }
}

weft_worker_t *
weft_worker_new (const weft_worker_config_t *config,
                 const weft_worker_ops_t *ops,
                 void *arg,
                 int64_t now)
{
    weft_worker_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->config = *config;
    self->ops = *ops;
    self->arg = arg;
    set_defaults (&self->config);
    copy_names (self, config);
    self->links = calloc (self->config.max_links, sizeof *self->links);
    if (!self->links) {
        free (self);
        return NULL;
    }
    self->last_tick = now;
    self->next_beat = now + self->config.beat_ms;
    return self;
}

static void
free_runs (link_t *link)
{
    free (link->settles.runs);
    free (link->retries.runs);
    link->settles = link->retries = (runs_t){ 0 };
}

void
weft_worker_destroy (weft_worker_t **self_p)
{
    weft_worker_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;

    while (self->orphans.head)
        weft_worker_release (self, self->orphans.head);
    for (uint32_t i = 0; i < self->link_count; i++) {
        while (self->links[i].held.head)
            weft_worker_release (self, self->links[i].held.head);
        free_runs (&self->links[i]);
    }
    if (self->last_item)
        self->ops.unref (self->arg, self->last_item);
    weft_worker_free_helds (self);
    free (self->links);
    free (self);
}

static int
alloc_runs (runs_t *runs, uint32_t room)
{
    runs->room = room;
    runs->runs = calloc (room, sizeof *runs->runs);
    return runs->runs ? 0 : WEFT_ENOMEM;
}

int
weft_worker_open (weft_worker_t *self, int64_t now)
{
    uint32_t i = 0;
    while (i < self->link_count && self->links[i].open)
        i++;
    if (i == self->config.max_links)
        return WEFT_ETOOBIG;
    link_t *link = &self->links[i];
    *link = (link_t){ .number = i, .state = WEFT_LINK_IDLE };
    //  One more than the ceiling: an idle session may take one over it.
    if (alloc_runs (&link->settles, self->config.ceiling + 1) ||
        alloc_runs (&link->retries, self->config.ceiling + 1)) {
        free_runs (link);
        return WEFT_ENOMEM;
    }
    link->open = true;
    link->heard_at = now;
    link->silent_ms = SILENT_BEATS * self->config.beat_ms;
    if (i == self->link_count)
        self->link_count++;
    return (int)i;
}

void
weft_worker_end (weft_worker_t *self, link_t *link)
{
    if (link->state == WEFT_LINK_LIVE) {
        self->stats.live--;
        weft_worker_orphan_all (self, link);
        self->share_due = true;
    }
    link->settles.count = link->settles.alerts = 0;
    link->retries.count = link->retries.alerts = 0;
    link->limit = link->previous = (share_t){ 0, 0 };
    link->session = link->nonce = 0;
    link->state = WEFT_LINK_IDLE;
}

static link_t *
link_at (const weft_worker_t *self, uint32_t number)
{
    if (number >= self->link_count || !self->links[number].open)
        return NULL;
    return &self->links[number];
}

void
weft_worker_close (weft_worker_t *self, int64_t now, uint32_t number)
{
    (void)now;
    link_t *link = link_at (self, number);
    if (!link)
        return;
    weft_worker_end (self, link);
    free_runs (link);
    link->open = false;
}

//  Who was given up for silence and is there again in the same life was busy:
//  a single call may take up to stall_ms. Next time it is waited for longer.
static void
set_patience (const weft_worker_t *self,
              link_t *link,
              const weft_link_frame_t *frame)
{
    bool same = link->boot == frame->boot;
    if (same && link->given_up && link->patience < PATIENCE_MOST)
        link->patience++;
    else if (!same)
        link->patience = 0;
    link->given_up = false;
    uint32_t beat_ms = WEFT_MAX (frame->beat_ms, self->config.beat_ms);
    link->silent_ms = SILENT_BEATS * WEFT_MIN (beat_ms, 60000);
    int64_t most_ms = WEFT_MAX (link->silent_ms, self->config.stall_ms);
    int64_t waits_ms = (int64_t)link->silent_ms << link->patience;
    link->waits_ms = WEFT_MIN (waits_ms, most_ms);
}

static void
on_welcome (weft_worker_t *self,
            link_t *link,
            const weft_link_frame_t *frame,
            int64_t now)
{
    bool ours = frame->nonce == link->nonce || !WEFT_RULE (NONCE);
    if (link->state != WEFT_LINK_GREETING || !ours) {
        self->stats.strays++;
        return;
    }
    link->state = WEFT_LINK_LIVE;
    link->session = frame->session;
    set_patience (self, link, frame);
    link->boot = frame->boot;
    link->upstream_largest = frame->largest;
    link->heard_at = now;
    self->stats.live++;
    self->share_due = true;
    weft_worker_event (self, WEFT_LINK_EVENT_WELCOMED, link, self->stats.live,
                       0, "");
    //  What we compute may have changed after that HELLO.
    if (link->hash != self->config.hash && WEFT_RULE (REHASH))
        weft_worker_leave (self, link);
}

static void
on_refuse (weft_worker_t *self,
           link_t *link,
           const weft_link_frame_t *frame,
           int64_t now)
{
    if (link->state != WEFT_LINK_GREETING || frame->nonce != link->nonce) {
        self->stats.strays++;
        return;
    }
    char reason[WEFT_LINK_REASON_MAX + 1];
    memcpy (reason, frame->reason.data, frame->reason.size);
    reason[frame->reason.size] = 0;
    weft_worker_event (self, WEFT_LINK_EVENT_REFUSED, link, 0, frame->code,
                       reason);
    link->state = WEFT_LINK_REFUSED;
    link->retry_at = now + REFUSED_BEATS * (int64_t)self->config.beat_ms;
}

//  The upstream broke the protocol: we do not listen to it any more until its
//  silence makes us open a new socket.
static void
distrust (weft_worker_t *self, link_t *link, int rc)
{
    self->stats.malformed++;
    weft_worker_event (self, WEFT_LINK_EVENT_PEER_BAD, link,
                       link->held.sum.alerts, rc, weft_error_text (rc));
    weft_worker_end (self, link);
    link->state = WEFT_LINK_GREETING;
}

//  May the upstream send this? It acts by the limit that we told last or, as
//  long as that is unechoed, by the one before. What we could not tell it yet
//  is unsettled in its eyes, too. An idle session may take one alert of any
//  size.
static int
check_alert (const link_t *link,
             const weft_link_frame_t *frame,
             const weft_item_t *item)
{
    if (!item || frame->seq <= link->last_seq)
        return WEFT_EPROTO;
    share_t most = link->limit;
    if (link->echoed != link->version) {
        most.alerts = WEFT_MAX (most.alerts, link->previous.alerts);
        most.bytes = WEFT_MAX (most.bytes, link->previous.bytes);
    }
    uint64_t untold = (uint64_t)link->settles.alerts + link->retries.alerts;
    if (link->held.sum.alerts + untold + 1 > most.alerts)
        return WEFT_EPROTO;
    if (link->held.sum.alerts > 0 &&
        link->held.sum.bytes + item->bytes > most.bytes)
        return WEFT_EPROTO;
    return 0;
}

static void
read_echo (weft_worker_t *self, link_t *link, uint32_t echo, int64_t now)
{
    link->heard_at = now;
    if (echo == link->version && link->echoed != echo) {
        link->echoed = echo;
        self->share_due = true;
    }
}

//  A frame of this link's session. True if its item was taken.
static bool
on_frame (weft_worker_t *self,
          link_t *link,
          const weft_link_frame_t *frame,
          const weft_item_t *item,
          int64_t now)
{
    read_echo (self, link, frame->echo, now);
    switch (frame->type) {
    case WEFT_LINK_ALERT: {
        int rc = check_alert (link, frame, item);
        if (rc) {
            distrust (self, link, rc);
            return false;
        }
        weft_worker_accept (self, link, frame, item);
        return true;
    }
    case WEFT_LINK_RESET:
        self->stats.resets++;
        weft_worker_event (self, WEFT_LINK_EVENT_RESET, link,
                           link->held.sum.alerts, 0,
                           "does not know our session");
        weft_worker_end (self, link);
        return false;
    case WEFT_LINK_UP_BYE:
        //  Its process ends; the silence that follows opens a new socket.
        weft_worker_event (self, WEFT_LINK_EVENT_PEER_BYE, link,
                           link->held.sum.alerts, 0, "gone politely");
        weft_worker_end (self, link);
        link->state = WEFT_LINK_GREETING;
        return false;
    default:
        return false;
    }
}

static bool
is_ours (const link_t *link, const weft_link_frame_t *frame)
{
    if (frame->type == WEFT_LINK_RESET && !WEFT_RULE (NONCE))
        return true;
    if (link->state != WEFT_LINK_LIVE)
        return false;
    return frame->session == link->session || !WEFT_RULE (SESSION);
}

//  True if the item was taken.
static bool
receive (weft_worker_t *self,
         link_t *link,
         const weft_link_frame_t *frame,
         const weft_item_t *item,
         int64_t now)
{
    if (frame->type == WEFT_LINK_WELCOME) {
        on_welcome (self, link, frame, now);
        return false;
    }
    if (frame->type == WEFT_LINK_REFUSE) {
        on_refuse (self, link, frame, now);
        return false;
    }
    if (!is_ours (link, frame)) {
        self->stats.strays++;
        return false;
    }
    return on_frame (self, link, frame, item, now);
}

void
weft_worker_recv (weft_worker_t *self,
                  int64_t now,
                  uint32_t number,
                  const void *data,
                  size_t size,
                  const weft_item_t *item)
{
    link_t *link = link_at (self, number);
    bool taken = false;
    if (link) {
        weft_link_frame_t frame;
        int rc = weft_link_decode (&frame, data, size);
        if (!rc && weft_link_from_worker (frame.type))
            rc = WEFT_EPROTO;
        if (rc)
            distrust (self, link, rc);
        else
            taken = receive (self, link, &frame, item, now);
    }
    if (!taken && item && item->item)
        self->ops.unref (self->arg, item->item);
}

void
weft_worker_recv_unread (weft_worker_t *self,
                         int64_t now,
                         uint32_t number,
                         const void *data,
                         size_t size,
                         int rc)
{
    weft_item_t none = { .item = NULL };
    self->unread = rc;
    weft_worker_recv (self, now, number, data, size, &none);
    self->unread = 0;
}

static void
reopen (weft_worker_t *self, link_t *link, int64_t now)
{
    if (link->state == WEFT_LINK_LIVE) {
        weft_worker_event (self, WEFT_LINK_EVENT_SILENT, link,
                           link->held.sum.alerts, 0,
                           "not heard for 3 beats or longer");
        link->given_up = true;
    }
    weft_worker_end (self, link);
    link->heard_at = now;
    self->stats.reopened++;
    self->ops.reopen (self->arg, link->number);
}

static int64_t
silence_of (const link_t *link)
{
    return link->state == WEFT_LINK_LIVE ? link->waits_ms : link->silent_ms;
}

static void
judge_silent (weft_worker_t *self, link_t *link, int64_t now)
{
    if (link->state == WEFT_LINK_REFUSED) {
        if (now >= link->retry_at)
            reopen (self, link, now);
    } else if (now - link->heard_at > silence_of (link) && WEFT_RULE (REOPEN)) {
        reopen (self, link, now);
    }
}

//  The loop was away: whatever came meanwhile has been read by now.
static void
renew_deadlines (weft_worker_t *self, int64_t now)
{
    for (uint32_t i = 0; i < self->link_count; i++)
        self->links[i].heard_at = now;
    self->child_since = now;
    //  A turn that was a little long is not worth a line in the log.
    if (now - self->last_tick <= AWAY_BEATS * (int64_t)self->config.beat_ms)
        return;
    weft_worker_event (self, WEFT_LINK_EVENT_AWAY, NULL,
                       (uint64_t)(now - self->last_tick), 0, "worker end");
}

static void
beat (weft_worker_t *self, int64_t now)
{
    self->next_beat = now + self->config.beat_ms;
    self->canary_due = self->stats.broken;
    weft_worker_wake (self);
    if (++self->beats % TURN_BEATS == 0)
        self->turn++;
    weft_worker_share (self);
    for (uint32_t i = 0; i < self->link_count; i++) {
        link_t *link = &self->links[i];
        weft_link_frame_t frame = { .type = WEFT_LINK_BEAT };
        if (link->open && link->state == WEFT_LINK_LIVE)
            (void)!weft_worker_post (self, link, &frame);
    }
}

void
weft_worker_tick (weft_worker_t *self, int64_t now)
{
    if (now - self->last_tick > self->config.beat_ms && WEFT_RULE (AWAY))
        renew_deadlines (self, now);
    self->last_tick = now;
    weft_worker_watch_child (self, now);
    for (uint32_t i = 0; i < self->link_count; i++)
        if (self->links[i].open)
            judge_silent (self, &self->links[i], now);
    if (now >= self->next_beat)
        beat (self, now);
}

void
weft_worker_flush (weft_worker_t *self, int64_t now)
{
    if (self->share_due)
        weft_worker_share (self);
    for (uint32_t i = 0; i < self->link_count; i++)
        if (self->links[i].open)
            weft_worker_send_due (self, &self->links[i], now);
    weft_worker_start_child (self, now);
    self->stats.orphans = self->orphans.sum.alerts;
    self->stats.waiting = self->suspects.count;
    self->stats.verdicts = self->verdicts.count;
}

bool
weft_worker_link (const weft_worker_t *self,
                  uint32_t number,
                  weft_link_info_t *info)
{
    const link_t *link = link_at (self, number);
    if (!link)
        return false;
    *info = (weft_link_info_t){
        .state = link->state,
        .session = link->session,
        .upstream_boot = link->boot,
        .upstream_largest = link->upstream_largest,
        .limit = (uint32_t)link->limit.alerts,
        .limit_bytes = link->limit.bytes,
        .held = (uint32_t)link->held.sum.alerts,
        .held_bytes = link->held.sum.bytes,
    };
    return true;
}

const weft_worker_stats_t *
weft_worker_stats (const weft_worker_t *self)
{
    return &self->stats;
}
