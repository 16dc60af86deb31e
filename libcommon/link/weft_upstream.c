//  weft_upstream.c - the upstream end: its life, its beats, and how it stands.

#include "weft_upstream_parts.h"

static void
set_defaults (weft_upstream_config_t *config)
{
    if (!config->beat_ms)
        config->beat_ms = 250;
    if (!config->max_alerts)
        config->max_alerts = 4096;
    if (!config->max_bytes)
        config->max_bytes = (size_t)256 << 20;
    if (!config->max_peers)
        config->max_peers = 64;
    if (!config->largest)
        config->largest = 64u << 20;
    if (!config->reject_ring)
        config->reject_ring = 200;
}

static int
open_branches (weft_upstream_t *self)
{
    for (uint32_t i = 0; i < self->config.branch_count; i++) {
        branch_t *branch = &self->branches[i];
        const weft_branch_config_t *config = &self->config.branches[i];
        snprintf (branch->stage, sizeof branch->stage, "%s", config->stage);
        branch->policy = config->policy;
        branch->ring = calloc (self->config.reject_ring, 1);
        if (!branch->ring)
            return WEFT_ENOMEM;
    }
    return 0;
}

static uint32_t
table_size (uint32_t alerts)
{
    uint32_t size = 16;
    while (size < alerts * 2 && size < 1u << 20)
        size *= 2;
    return size;
}

weft_upstream_t *
weft_upstream_new (const weft_upstream_config_t *config,
                   const weft_upstream_ops_t *ops,
                   void *arg,
                   int64_t now)
{
    assert (config->branch_count <= WEFT_BRANCHES_MAX);
    weft_upstream_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->config = *config;
    self->ops = *ops;
    self->arg = arg;
    set_defaults (&self->config);
    uint32_t size = table_size (self->config.max_alerts);
    self->table_mask = size - 1;
    self->table = calloc (size, sizeof (flight_t *));
    self->sessions = calloc (self->config.max_peers, sizeof (session_t *));
    if (!self->table || !self->sessions || open_branches (self)) {
        weft_upstream_destroy (&self);
        return NULL;
    }
    self->last_tick = now;
    self->next_beat = now + self->config.beat_ms;
    return self;
}

void
weft_upstream_destroy (weft_upstream_t **self_p)
{
    weft_upstream_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    while (self->sessions && self->stats.peers > 0)
        weft_upstream_end (self, self->sessions[0], false);
    weft_upstream_free_all (self);
    for (uint32_t i = 0; i < self->config.branch_count; i++)
        free (self->branches[i].ring);
    free (self->sessions);
    free (self->table);
    free (self);
}

//  A turn that was a little long is not worth a line in the log.
enum { AWAY_BEATS = 4 };

//  The loop was away: whatever came meanwhile has been read by now, but who
//  was only slow shall not pay for it. Of absences in a row each but the first
//  counts for a beat, or a loop that is always slow would never judge anybody.
static void
renew_deadlines (weft_upstream_t *self, int64_t now)
{
    int64_t away = now - self->last_tick;
    int64_t forgiven = self->was_away ? away - self->config.beat_ms : INT64_MAX;
    for (uint64_t i = 0; i < self->stats.peers; i++) {
        int64_t *alive_at = &self->sessions[i]->alive_at;
        *alive_at = forgiven < now - *alive_at ? *alive_at + forgiven : now;
    }
    if (now - self->last_tick <= AWAY_BEATS * (int64_t)self->config.beat_ms)
        return;
    weft_link_event_t event = { .id = WEFT_LINK_EVENT_AWAY,
                                .value = (uint64_t)(now - self->last_tick),
                                .text = "upstream end" };
    weft_upstream_event (self, &event);
}

//  A function that hangs is silent, since the beat comes from its thread. What
//  hangs may be an alert of another upstream: ours, at or below `done`, would
//  wait in that process for ever. So holding anything is enough to be judged.
static bool
is_hung (const session_t *session, int64_t now)
{
    return session->unsettled > 0 &&
           now - session->alive_at > session->stall_ms;
}

static void
judge_silent (weft_upstream_t *self, int64_t now)
{
    for (uint64_t i = self->stats.peers; i-- > 0;) {
        session_t *session = self->sessions[i];
        if (!WEFT_RULE (STALL) || !is_hung (session, now))
            continue;
        weft_link_event_t event = {
            .id = WEFT_LINK_EVENT_PEER_HUNG,
            .peer = session->peer,
            .stage = self->branches[session->branch].stage,
            .value = session->unsettled,
            .text = "silent with work in its hands",
        };
        weft_upstream_event (self, &event);
        self->stats.deaths++;
        weft_upstream_end (self, session, true);
    }
}

static void
beat (weft_upstream_t *self, session_t *session)
{
    weft_link_frame_t frame = { .type = WEFT_LINK_UP_BEAT };
    int rc = weft_upstream_post (self, session, &frame);
    if (rc == 0)
        session->echo_due = false;
    if (rc == WEFT_EDOWN)
        weft_upstream_gone (self, session);
}

void
weft_upstream_tick (weft_upstream_t *self, int64_t now)
{
    bool away = now - self->last_tick > self->config.beat_ms;
    if (away && WEFT_RULE (AWAY))
        renew_deadlines (self, now);
    self->was_away = away;
    self->last_tick = now;
    judge_silent (self, now);
    if (now < self->next_beat)
        return;
    self->next_beat = now + self->config.beat_ms;
    for (uint64_t i = self->stats.peers; i-- > 0;)
        beat (self, self->sessions[i]);
}

void
weft_upstream_flush (weft_upstream_t *self, int64_t now)
{
    for (uint32_t i = 0; i < self->config.branch_count; i++)
        if (self->branches[i].head)
            weft_upstream_pump (self, i, now);
    for (uint64_t i = self->stats.peers; i-- > 0;)
        if (self->sessions[i]->echo_due)
            beat (self, self->sessions[i]);
}

void
weft_upstream_release (weft_upstream_t *self, int64_t now, uint32_t branch)
{
    (void)now;
    branch_t *line = &self->branches[branch];
    if (!line->held)
        return;
    line->held = false;
    line->rejects = 0;
    memset (line->ring, 0, self->config.reject_ring);
    weft_link_event_t event = { .id = WEFT_LINK_EVENT_RELEASED,
                                .stage = line->stage,
                                .value = line->queued,
                                .text = "" };
    weft_upstream_event (self, &event);
}

void
weft_upstream_branch (const weft_upstream_t *self,
                      uint32_t branch,
                      weft_branch_info_t *info)
{
    const branch_t *line = &self->branches[branch];
    *info = (weft_branch_info_t){
        .stage = line->stage,
        .policy = line->policy,
        .peers = line->peers,
        .unsettled = line->unsettled,
        .queued = line->queued,
        .burying = line->burying,
        .held = line->held,
    };
    for (uint64_t i = 0; i < self->stats.peers; i++)
        if (self->sessions[i]->branch == branch)
            info->window += self->sessions[i]->limit;
}

bool
weft_upstream_session (const weft_upstream_t *self,
                       uint32_t index,
                       weft_session_info_t *info)
{
    if (index >= self->stats.peers)
        return false;
    const session_t *session = self->sessions[index];
    *info = (weft_session_info_t){
        .id = session->id,
        .peer = session->peer,
        .boot = session->boot,
        .hash = session->hash,
        .branch = session->branch,
        .limit = session->limit,
        .unsettled = session->unsettled,
        .unsettled_bytes = session->unsettled_bytes,
        .draining = session->draining,
    };
    return true;
}

const weft_upstream_stats_t *
weft_upstream_stats (const weft_upstream_t *self)
{
    return &self->stats;
}

bool
weft_upstream_alive (const weft_upstream_t *self)
{
    for (uint32_t i = 0; i < self->config.branch_count; i++) {
        const branch_t *branch = &self->branches[i];
        if (branch->burying > 0)
            return true;
        if (branch->peers > 0 && branch->unsettled > 0)
            return true;
        if (branch->peers > 0 && branch->queued > 0 && !branch->held)
            return true;
    }
    return false;
}
