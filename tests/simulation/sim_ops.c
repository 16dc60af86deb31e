//  sim_ops.c - what the machines ask for: the callbacks of both ends.

#include "sim_world.h"

static int
send_up (void *arg, uint32_t link, const void *header, size_t size)
{
    proc_t *proc = arg;
    for (unsigned i = 0; i < proc->conn_count; i++)
        if (proc->conns[i]->link == link)
            return sim_send (proc->conns[i], END_WORKER,
                             proc->conns[i]->generation, header, size, NULL);
    return WEFT_EAGAIN;
}

static int
send_down (
    void *arg, uint64_t peer, const void *header, size_t size, void *item)
{
    proc_t *proc = arg;
    conn_t *conn = &proc->world->conns[peer & 255];
    if (item && proc->world->again && !proc->world->calm &&
        rand_hit (&proc->world->rand, proc->world->again))
        return WEFT_EAGAIN;
    return sim_send (conn, END_UPSTREAM, (uint32_t)(peer >> 8), header, size,
                     item);
}

static void
reopen (void *arg, uint32_t link)
{
    proc_t *proc = arg;
    sim_trace (proc->world, "proc %u: reopens link %u", proc->index, link);
    for (unsigned i = 0; i < proc->conn_count; i++)
        if (proc->conns[i]->link == link)
            sim_reopen (proc->conns[i]);
}

static void
dispatch (void *arg, weft_held_t *held, void *item)
{
    proc_t *proc = arg;
    if (proc->hand_count == HAND_MAX) {
        sim_violate (proc->world, "window", "too much in one hand");
        return;
    }
    sim_check_dispatch (proc, item);
    proc->hand[proc->hand_count++] = (job_t){ held, item, proc->reading };
}

static void
start_child (proc_t *proc, child_kind_t kind, int duration)
{
    world_t *world = proc->world;
    proc->child = kind;
    proc->child_ready = false;
    proc->child_job++;
    if (duration < NEVER)
        sim_push (world, world->now + duration, EVENT_CHILD, proc->index, 0,
                  proc->child_job);
}

static unsigned
stage_named (const world_t *world, const char *name)
{
    unsigned i = 0;
    while (i < world->stage_count && strcmp (world->stages[i].name, name) != 0)
        i++;
    return i;
}

//  What the function does with this alert in the child.
static void
isolate (void *arg, weft_held_t *held, void *item)
{
    proc_t *proc = arg;
    world_t *world = proc->world;
    alert_t *alert = item;
    unsigned stage = stage_index (world, proc->stage);
    bool bad = alert->kind != ALERT_GOOD && alert->stage == stage;
    int duration = rand_in (&world->rand, 1, 5);
    proc->child_held = held;
    proc->child_alert = alert;
    proc->child_how = WEFT_CHILD_RETURNED;
    proc->child_rc = 0;
    if (proc->quality == REPLICA_CRASHES ||
        (bad && alert->kind == ALERT_CRASHES))
        proc->child_how = WEFT_CHILD_CRASHED;
    else if (proc->quality == REPLICA_REJECTS || proc->stage->rejecting ||
             (bad && alert->kind == ALERT_REJECTED))
        proc->child_rc = WEFT_EREJECT;
    else if (bad && alert->kind == ALERT_HANGS)
        duration = NEVER;
    start_child (proc, CHILD_RUNS_ALERT, duration);
}

static void
canary (void *arg, void *item)
{
    proc_t *proc = arg;
    (void)item;
    proc->child_rc = proc->quality == REPLICA_GOOD ? 0 : WEFT_EREJECT;
    proc->child_how = proc->quality == REPLICA_CRASHES ? WEFT_CHILD_CRASHED
                                                       : WEFT_CHILD_RETURNED;
    start_child (proc, CHILD_RUNS_CANARY, rand_in (&proc->world->rand, 1, 20));
    if (proc->turns_bad)
        proc->quality = REPLICA_REJECTS;
    proc->turns_bad = false;
}

static void
kill_child (void *arg)
{
    sim_kill_child (arg, WEFT_CHILD_HUNG);
}

static void
unref (void *arg, void *item)
{
    proc_t *proc = arg;
    alert_t *alert = item;
    if (--alert->refs < 0)
        sim_violate (proc->world, "custody", "a reference of alert %u too few",
                     alert_index (proc->world, alert));
}

//  A source's own: the alert is settled for good.
static void
settled (void *arg, void *tag, weft_outcome_t outcome)
{
    proc_t *proc = arg;
    alert_t *alert = tag;
    if (proc->custody || (uintptr_t)tag & REPLAY_BIT) {
        tag = (void *)((uintptr_t)tag & ~(uintptr_t)REPLAY_BIT);
        sim_check_replayed (proc, tag, (int)outcome);
        return;
    }
    proc->settled[alert_index (proc->world, alert)] = true;
    sim_check_outcome (proc->world, alert, (int)outcome);
}

static void
bury (void *arg,
      weft_grave_t *grave,
      void *tag,
      const char *stage,
      void *item,
      int code,
      const char *reason)
{
    (void)tag, (void)reason;
    proc_t *proc = arg;
    world_t *world = proc->world;
    sim_check_grave (proc, stage_named (world, stage), item, code);
    if (proc->stage->bury == 0 || proc->grave_count == GRAVES_MAX) {
        weft_upstream_buried (proc->upstream, world->now, grave);
        return;
    }
    int due = world->now + rand_in (&world->rand, 1, proc->stage->bury);
    proc->graves[proc->grave_count] = grave;
    proc->grave_due[proc->grave_count++] = due;
}

static void
on_event (proc_t *proc, const weft_link_event_t *event, bool is_worker)
{
    if (event->id == WEFT_LINK_EVENT_RELEASED)
        proc->innocents[stage_named (proc->world, event->stage)] = 0;
    sim_trace (proc->world, "proc %u: %s %s value %llu code %d (%s)",
               proc->index, weft_link_event_name (event->id),
               event->stage ? event->stage : "",
               (unsigned long long)event->value, event->code, event->text);
    sim_check_event (proc, event, is_worker);
}

static void
on_worker_event (void *arg, const weft_link_event_t *event)
{
    on_event (arg, event, true);
}

static void
on_upstream_event (void *arg, const weft_link_event_t *event)
{
    on_event (arg, event, false);
}

static weft_upstream_config_t
upstream_config (proc_t *proc)
{
    const world_t *world = proc->world;
    const stage_t *stage = proc->stage;
    weft_upstream_config_t config = {
        .boot = rand_next (&proc->world->rand) | 1,
        .branch_count = stage->child_count,
        .beat_ms = BEAT_MS,
        .max_alerts = stage->max_alerts,
        .max_bytes = 60000,
        .max_peers = 16,
        .reject_ring = world->reject_ring,
    };
    for (unsigned i = 0; i < stage->child_count; i++) {
        const stage_t *child = &world->stages[stage->children[i]];
        config.branches[i] =
            (weft_branch_config_t){ child->name,
                                    child->tap ? WEFT_SAMPLE : WEFT_LOSSLESS };
    }
    return config;
}

static weft_worker_config_t
worker_config (proc_t *proc)
{
    const stage_t *stage = proc->stage;
    return (weft_worker_config_t){
        .stage = stage->name,
        .boot = rand_next (&proc->world->rand) | 1,
        .hash = proc->hash,
        .ceiling = stage->ceiling,
        .ceiling_bytes = stage->ceiling_bytes,
        .largest = stage->largest,
        .beat_ms = BEAT_MS,
        .stall_ms = STALL_MS,
        .max_links = REPLICAS_MAX,
    };
}

static void
open_links (proc_t *proc)
{
    world_t *world = proc->world;
    weft_worker_t *worker = weft_custody_worker (proc->custody);
    for (unsigned i = 0; i < proc->conn_count; i++) {
        conn_t *conn = proc->conns[i];
        conn->link = (uint32_t)weft_worker_open (worker, world->now);
        sim_connect_later (conn, rand_in (&world->rand, 1, 20));
    }
}

void
sim_open (proc_t *proc)
{
    int64_t now = proc->world->now;
    weft_worker_ops_t worker = { .send = send_up,
                                 .reopen = reopen,
                                 .dispatch = dispatch,
                                 .isolate = isolate,
                                 .canary = canary,
                                 .kill_child = kill_child,
                                 .unref = unref,
                                 .event = on_worker_event };
    weft_upstream_ops_t upstream = { .send = send_down,
                                     .settled = settled,
                                     .bury = bury,
                                     .unref = unref,
                                     .event = on_upstream_event };
    weft_custody_config_t config = { .upstream = upstream_config (proc),
                                     .commits = proc->stage->leaf };
    if (proc->conn_count == 0) {
        proc->upstream =
            weft_upstream_new (&config.upstream, &upstream, proc, now);
        return;
    }
    proc->said = proc->hash = proc->stage->hash;
    config.worker = worker_config (proc);
    proc->custody = weft_custody_new (&config, &worker, &upstream, proc, now);
    proc->upstream = weft_custody_upstream (proc->custody);
    open_links (proc);
}

//  Discovery forgets an upstream and finds it again.
void
sim_relink (conn_t *conn)
{
    proc_t *proc = conn->ends[END_WORKER];
    world_t *world = proc->world;
    if (!proc->running || proc->paused || proc->hung || proc->draining)
        return;
    weft_worker_t *worker = weft_custody_worker (proc->custody);
    weft_worker_close (worker, world->now, conn->link);
    sim_reopen (conn);
    conn->link = (uint32_t)weft_worker_open (worker, world->now);
}
