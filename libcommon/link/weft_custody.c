//  weft_custody.c - the two ends of a stage coupled (rule 1).

#include "weft_custody.h"

#include "weft_link_mutation.h"

//  An alert whose function has returned, on its way to its commit or into the
//  upstream end.
typedef struct {
    weft_held_t *held;
    weft_item_t out;
    unsigned tries;  //  to commit its effect by itself that failed
    uint64_t since;  //  effects that were durable at the first of them
} passed_t;

//  First in, first out; grows by doubling as far as the worker's ceiling.
typedef struct {
    passed_t *ring;
    size_t room;  //  a power of two
    size_t first;
    size_t count;
} line_t;

struct weft_custody {
    weft_worker_t *worker;
    weft_upstream_t *upstream;  //  NULL: a last stage
    weft_worker_ops_t worker_ops;
    weft_upstream_ops_t upstream_ops;
    void *arg;
    bool commits;
    line_t effects;    //  wait for the commit
    uint64_t durable;  //  effects that were committed
    line_t blocked;    //  wait for room in the upstream end
};

static passed_t *
line_at (const line_t *line, size_t index)
{
    return &line->ring[(line->first + index) & (line->room - 1)];
}

static int
line_push (line_t *line, const passed_t *passed)
{
    if (line->count == line->room) {
        size_t room = line->room ? line->room * 2 : 16;
        passed_t *ring = calloc (room, sizeof *ring);
        if (!ring)
            return WEFT_ENOMEM;
        for (size_t i = 0; i < line->count; i++)
            ring[i] = *line_at (line, i);
        free (line->ring);
        *line = (line_t){ ring, room, 0, line->count };
    }
    line->count++;
    *line_at (line, line->count - 1) = *passed;
    return 0;
}

static passed_t
line_pop (line_t *line)
{
    passed_t passed = *line_at (line, 0);
    line->first = (line->first + 1) & (line->room - 1);
    line->count--;
    return passed;
}

//  The upstream end's callbacks, passed on with the shell's own argument.

static int
up_send (void *arg, uint64_t peer, const void *header, size_t size, void *item)
{
    weft_custody_t *self = arg;
    return self->upstream_ops.send (self->arg, peer, header, size, item);
}

//  The lowest bit of a tag tells replays from what the worker end holds.
enum { REPLAY_BIT = 1 };

static bool
is_replay (const void *tag)
{
    return ((uintptr_t)tag & REPLAY_BIT) != 0;
}

static void *
without_bit (void *tag)
{
    return (void *)((uintptr_t)tag & ~(uintptr_t)REPLAY_BIT);
}

static void
up_settled (void *arg, void *tag, weft_outcome_t outcome)
{
    weft_custody_t *self = arg;
    if (is_replay (tag)) {
        if (WEFT_RULE (REPLAY))
            self->upstream_ops.settled (self->arg, without_bit (tag), outcome);
        return;
    }
    if (WEFT_RULE (CUSTODY))
        weft_worker_settle (self->worker, tag, outcome);
}

static void
up_bury (void *arg,
         weft_grave_t *grave,
         void *tag,
         const char *stage,
         void *item,
         int code,
         const char *reason)
{
    weft_custody_t *self = arg;
    self->upstream_ops.bury (self->arg, grave, without_bit (tag), stage, item,
                             code, reason);
}

static int
up_admit (void *arg, const weft_link_frame_t *hello, const char **reason)
{
    weft_custody_t *self = arg;
    return self->upstream_ops.admit (self->arg, hello, reason);
}

static void
up_unref (void *arg, void *item)
{
    weft_custody_t *self = arg;
    self->upstream_ops.unref (self->arg, item);
}

static void
up_event (void *arg, const weft_link_event_t *event)
{
    weft_custody_t *self = arg;
    if (self->upstream_ops.event)
        self->upstream_ops.event (self->arg, event);
}

static int
open_upstream (weft_custody_t *self,
               const weft_upstream_config_t *config,
               int64_t now)
{
    if (config->branch_count == 0)
        return 0;
    weft_upstream_ops_t ops = {
        .send = up_send,
        .settled = up_settled,
        .bury = up_bury,
        .admit = self->upstream_ops.admit ? up_admit : NULL,
        .unref = up_unref,
        .event = up_event,
    };
    self->upstream = weft_upstream_new (config, &ops, self, now);
    return self->upstream ? 0 : WEFT_ENOMEM;
}

weft_custody_t *
weft_custody_new (const weft_custody_config_t *config,
                  const weft_worker_ops_t *worker,
                  const weft_upstream_ops_t *upstream,
                  void *arg,
                  int64_t now)
{
    weft_custody_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->arg = arg;
    self->commits = config->commits;
    self->worker_ops = *worker;
    if (upstream)
        self->upstream_ops = *upstream;
    self->worker = weft_worker_new (&config->worker, worker, arg, now);
    if (!self->worker || open_upstream (self, &config->upstream, now)) {
        weft_custody_destroy (&self);
        return NULL;
    }
    return self;
}

static void
drop_line (weft_custody_t *self, line_t *line)
{
    while (line->count > 0) {
        passed_t passed = line_pop (line);
        if (passed.out.item)
            self->worker_ops.unref (self->arg, passed.out.item);
    }
    free (line->ring);
}

void
weft_custody_destroy (weft_custody_t **self_p)
{
    weft_custody_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    drop_line (self, &self->effects);
    drop_line (self, &self->blocked);
    weft_upstream_destroy (&self->upstream);
    weft_worker_destroy (&self->worker);
    free (self);
}

weft_worker_t *
weft_custody_worker (weft_custody_t *self)
{
    return self->worker;
}

weft_upstream_t *
weft_custody_upstream (weft_custody_t *self)
{
    return self->upstream;
}

static void
settle (weft_custody_t *self, weft_held_t *held)
{
    if (held || WEFT_RULE (DURABLE))
        weft_worker_settle (self->worker, held, WEFT_OUTCOME_SETTLED);
}

//  Into the upstream end's custody, or settled where there is none.
static int
forward (weft_custody_t *self, int64_t now, const passed_t *passed)
{
    if (!self->upstream || !passed->out.item) {
        settle (self, passed->held);
        if (passed->out.item)
            self->worker_ops.unref (self->arg, passed->out.item);
        return 0;
    }
    int rc = weft_upstream_submit (self->upstream, now, &passed->out,
                                   passed->held, WEFT_ALL_BRANCHES);
    if (!rc && !WEFT_RULE (CUSTODY))
        settle (self, passed->held);
    return rc;
}

//  What the upstream end has no room for waits here, in order.
static void
forward_or_wait (weft_custody_t *self, int64_t now, const passed_t *passed)
{
    int rc =
        self->blocked.count > 0 ? WEFT_EAGAIN : forward (self, now, passed);
    if (rc)
        rc = line_push (&self->blocked, passed);
    assert (!rc && "memory for one alert");
}

static void
pass (weft_custody_t *self,
      int64_t now,
      weft_held_t *held,
      const weft_item_t *out)
{
    passed_t passed = { .held = held };
    if (out)
        passed.out = *out;
    if (!self->commits) {
        forward_or_wait (self, now, &passed);
        return;
    }
    if (!WEFT_RULE (DURABLE)) {
        weft_worker_settle (self->worker, held, WEFT_OUTCOME_SETTLED);
        passed.held = NULL;
    }
    int rc = line_push (&self->effects, &passed);
    assert (!rc && "memory for one effect");
}

static void
drop (weft_custody_t *self, const weft_item_t *out)
{
    if (out && out->item)
        self->worker_ops.unref (self->arg, out->item);
}

void
weft_custody_returned (weft_custody_t *self,
                       int64_t now,
                       weft_held_t *held,
                       int rc,
                       const weft_item_t *out)
{
    if (weft_worker_returned (self->worker, now, held, rc))
        pass (self, now, held, out);
    else
        drop (self, out);
}

void
weft_custody_isolated (weft_custody_t *self,
                       int64_t now,
                       weft_child_t how,
                       int rc,
                       const weft_item_t *out)
{
    weft_held_t *held;
    if (weft_worker_isolated (self->worker, now, how, rc, &held))
        pass (self, now, held, out);
    else
        drop (self, out);
}

int
weft_custody_replay (weft_custody_t *self,
                     int64_t now,
                     const weft_item_t *item,
                     void *tag,
                     uint32_t branches)
{
    assert (self->upstream && self->upstream_ops.settled && !is_replay (tag));
    int rc =
        weft_upstream_submit (self->upstream, now, item,
                              (void *)((uintptr_t)tag | REPLAY_BIT), branches);
    if (!rc && !WEFT_RULE (PUT_BACK))
        self->upstream_ops.settled (self->arg, tag, WEFT_OUTCOME_SETTLED);
    return rc;
}

size_t
weft_custody_effects (const weft_custody_t *self, void **items, size_t room)
{
    for (size_t i = 0; i < WEFT_MIN (room, self->effects.count); i++)
        items[i] = line_at (&self->effects, i)->out.item;
    return self->effects.count;
}

void
weft_custody_committed (weft_custody_t *self, int64_t now, size_t count)
{
    assert (count <= self->effects.count);
    for (; count > 0; count--) {
        passed_t passed = line_pop (&self->effects);
        self->durable += passed.out.item != NULL;
        forward_or_wait (self, now, &passed);
    }
}

unsigned
weft_custody_uncommitted (weft_custody_t *self, int rc, const char *reason)
{
    assert (self->effects.count > 0);
    passed_t passed = line_pop (&self->effects);
    if (passed.tries == 0)
        passed.since = self->durable;
    if (passed.tries < WEFT_COMMIT_TRIES)
        passed.tries++;
    bool reject = weft_error_class (rc) == WEFT_CLASS_REJECT;
    if (passed.tries < WEFT_COMMIT_TRIES || !passed.held ||
        !(reject || self->durable > passed.since)) {
        //  There is room: it was in this line.
        (void)!line_push (&self->effects, &passed);
        return passed.tries;
    }
    drop (self, &passed.out);
    weft_worker_refuse (self->worker, passed.held, reject ? rc : WEFT_EREJECT,
                        reason);
    return 0;
}

void
weft_custody_tick (weft_custody_t *self, int64_t now)
{
    if (self->upstream)
        weft_upstream_tick (self->upstream, now);
    weft_worker_tick (self->worker, now);
}

void
weft_custody_flush (weft_custody_t *self, int64_t now)
{
    while (self->blocked.count > 0) {
        passed_t passed = *line_at (&self->blocked, 0);
        if (forward (self, now, &passed))
            break;
        (void)line_pop (&self->blocked);
    }
    if (self->upstream)
        weft_upstream_flush (self->upstream, now);
    weft_worker_flush (self->worker, now);
}

void
weft_custody_drain (weft_custody_t *self, int64_t now)
{
    weft_worker_drain (self->worker, now);
}

bool
weft_custody_drained (const weft_custody_t *self)
{
    const weft_worker_stats_t *stats = weft_worker_stats (self->worker);
    if (stats->held == 0)
        return true;
    if (stats->held > stats->forwarded || self->effects.count > 0 ||
        self->blocked.count > 0)
        return false;
    return !self->upstream || !weft_upstream_alive (self->upstream);
}

void
weft_custody_bye (weft_custody_t *self, int64_t now)
{
    weft_worker_bye (self->worker, now);
    if (self->upstream)
        weft_upstream_bye (self->upstream, now);
}
