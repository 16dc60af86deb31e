//  sim_proc.c - a process: its loop, its function, its child, its supervisor.
//
//  The loop is the one that weft_custody.h prescribes: read dry, run the
//  function, commit, tick, flush.

#include "sim_world.h"

void
sim_wake (proc_t *proc, int32_t time)
{
    if (!proc->running || proc->paused || proc->hung || proc->busy ||
        time >= proc->wake)
        return;
    proc->wake = time;
    sim_push (proc->world, time, EVENT_TURN, proc->index, 0, proc->life);
}

void
sim_start (proc_t *proc)
{
    world_t *world = proc->world;
    proc->life++;
    proc->running = true;
    proc->paused = proc->hung = proc->busy = proc->draining = false;
    proc->dies = false;
    proc->wake = NEVER;
    proc->hand_count = proc->grave_count = 0;
    memset (proc->innocents, 0, sizeof proc->innocents);
    memset (proc->held, 0, sizeof proc->held);
    memset (proc->taken, 0, sizeof proc->taken);
    proc->child = CHILD_NONE;
    proc->child_ready = false;
    proc->child_job++;
    proc->position = 0;
    memset (proc->settled, 0, sizeof proc->settled);
    //  A source starts again from its watermark.
    for (unsigned i = 0; i < world->alert_count; i++) {
        const alert_t *alert = &world->alerts[i];
        if (alert->source == proc->replica && alert->outcome < 0)
            break;
        proc->position++;
    }
    sim_trace (world, "proc %u (%s.%u): starts, life %u", proc->index,
               proc->stage->name, proc->replica, proc->life);
    sim_open (proc);
    sim_wake (proc, world->now + rand_in (&world->rand, 0, 10));
}

static void
close_proc (proc_t *proc)
{
    proc->running = proc->paused = proc->hung = proc->busy = false;
    if (proc->custody)
        weft_custody_destroy (&proc->custody);
    else
        weft_upstream_destroy (&proc->upstream);
    proc->upstream = NULL;
    sim_gone (proc);
}

static void
restart_later (proc_t *proc)
{
    world_t *world = proc->world;
    if (proc->wanted)
        sim_push (world, world->now + rand_in (&world->rand, 20, 400),
                  EVENT_RESTART, proc->index, 0, 0);
}

void
sim_kill (proc_t *proc)
{
    if (!proc->running)
        return;
    sim_trace (proc->world, "proc %u: killed", proc->index);
    close_proc (proc);
    restart_later (proc);
}

//  SIGTERM.
void
sim_stop (proc_t *proc)
{
    world_t *world = proc->world;
    if (!proc->running || proc->draining)
        return;
    sim_trace (world, "proc %u: SIGTERM", proc->index);
    proc->draining = true;
    proc->drain_at = world->now + DRAIN_MS;
    if (proc->custody && !proc->hung)
        weft_custody_drain (proc->custody, world->now);
}

static void
leave (proc_t *proc)
{
    world_t *world = proc->world;
    sim_trace (world, "proc %u: leaves", proc->index);
    if (proc->custody)
        weft_custody_bye (proc->custody, world->now);
    else
        weft_upstream_bye (proc->upstream, world->now);
    close_proc (proc);
    restart_later (proc);
}

void
sim_pause (proc_t *proc, int duration)
{
    world_t *world = proc->world;
    if (!proc->running || proc->paused)
        return;
    sim_trace (world, "proc %u: SIGSTOP", proc->index);
    proc->paused = true;
    proc->pauses++;
    proc->wake = NEVER;
    if (duration > HEARTBEAT_MS)
        sim_push (world, world->now + HEARTBEAT_MS, EVENT_HEARTBEATS,
                  proc->index, 0, proc->pauses);
    sim_push (world, world->now + duration, EVENT_RESUME, proc->index, 0,
              proc->pauses);
}

//  Its I/O thread learns in a moment which connections are gone.
void
sim_resume (proc_t *proc)
{
    world_t *world = proc->world;
    sim_trace (world, "proc %u: SIGCONT", proc->index);
    proc->paused = false;
    proc->wake = NEVER;
    for (unsigned i = 0; i < world->conn_count; i++) {
        conn_t *conn = &world->conns[i];
        for (int end = 0; end < 2; end++)
            if (conn->ends[end] == proc && conn->up[end] && !conn->up[!end])
                sim_push (world, world->now + rand_in (&world->rand, 0, 10),
                          EVENT_DROP, i, (unsigned)end, conn->generation);
    }
    bool busy = proc->busy;
    proc->busy = false;
    sim_wake (proc, world->now + rand_in (&world->rand, 0, 2));
    proc->busy = busy;
}

void
sim_on_child (proc_t *proc, uint32_t job)
{
    if (!proc->running || proc->child == CHILD_NONE || job != proc->child_job)
        return;
    proc->child_ready = true;
    sim_wake (proc, proc->world->now);
}

void
sim_kill_child (proc_t *proc, weft_child_t how)
{
    world_t *world = proc->world;
    if (!proc->running || proc->child == CHILD_NONE || proc->child_ready)
        return;
    proc->child_how = how;
    proc->child_job++;
    sim_push (world, world->now + 1, EVENT_CHILD, proc->index, 0,
              proc->child_job);
}

static void
read_upstream (proc_t *proc, conn_t *conn)
{
    world_t *world = proc->world;
    message_t *message;
    proc->reading = conn;
    while ((message = sim_read (conn, END_WORKER))) {
        weft_item_t item = { message->item, 0, 0 };
        if (message->item) {
            item.bytes = message->item->bytes;
            item.largest = message->item->largest;
        }
        weft_worker_recv (weft_custody_worker (proc->custody), world->now,
                          conn->link, message->data, message->size,
                          message->item ? &item : NULL);
        message->item = NULL;
        sim_free_message (world, message);
    }
    proc->reading = NULL;
}

static void
read_worker (proc_t *proc, conn_t *conn)
{
    world_t *world = proc->world;
    message_t *message;
    while ((message = sim_read (conn, END_UPSTREAM))) {
        uint64_t peer =
            (uint64_t)message->generation << 8 | conn_index (world, conn);
        weft_upstream_recv (proc->upstream, world->now, peer, message->data,
                            message->size);
        sim_free_message (world, message);
    }
}

static void
read_dry (proc_t *proc)
{
    for (unsigned i = 0; i < proc->conn_count; i++)
        read_upstream (proc, proc->conns[i]);
    for (unsigned i = 0; i < proc->down_count; i++)
        read_worker (proc, proc->downs[i]);
}

//  How many alerts this turn's functions take: a shell reads and beats in
//  between, one that does not must be borne, too.
static unsigned
slice (const proc_t *proc)
{
    int cost = proc->stage->cost + proc->stage->slow;
    if (!proc->world->sliced || cost == 0)
        return proc->hand_count;
    unsigned most = (unsigned)WEFT_MAX (BEAT_MS / 2 / cost, 1);
    return WEFT_MIN (most, proc->hand_count);
}

static int
work_ms (const proc_t *proc)
{
    return (int)slice (proc) * (proc->stage->cost + proc->stage->slow);
}

//  Is there another process of the stage that does not hang, too?
static bool
has_other (const proc_t *proc)
{
    const world_t *world = proc->world;
    for (unsigned i = 0; i < world->proc_count; i++) {
        const proc_t *other = &world->procs[i];
        if (other != proc && other->stage == proc->stage && other->wanted &&
            !other->hung)
            return true;
    }
    return false;
}

//  What the function says to one alert; false if the process is gone.
static bool
run_one (proc_t *proc, const job_t *job)
{
    world_t *world = proc->world;
    alert_t *alert = job->alert;
    unsigned stage = stage_index (world, proc->stage);
    bool bad = alert->kind != ALERT_GOOD && alert->stage == stage;
    int rc = 0;
    if ((bad && alert->kind == ALERT_CRASHES) ||
        proc->quality == REPLICA_CRASHES) {
        sim_trace (world, "proc %u: crashes on %u", proc->index,
                   alert_index (world, alert));
        sim_kill (proc);
        return false;
    }
    if (bad && alert->kind == ALERT_HANGS) {
        sim_trace (world, "proc %u: hangs", proc->index);
        proc->hung = true;
        if (!proc->stage->unattended || !has_other (proc))
            sim_push (world, world->now + SUPERVISOR_MS, EVENT_SUPERVISE,
                      proc->index, 0, proc->life);
        return false;
    }
    if (proc->quality == REPLICA_REJECTS || proc->stage->rejecting ||
        (bad && alert->kind == ALERT_REJECTED))
        rc = WEFT_EREJECT;
    else if (world->loss && !world->calm &&
             rand_hit (&world->rand, world->loss))
        rc = rand_hit (&world->rand, 50) ? WEFT_EDOWN : WEFT_EIO;
    if (rc == WEFT_EIO)
        sim_check_given (proc, alert, job->conn);
    alert->refs++;
    weft_item_t out = { alert, alert->bytes, alert->largest };
    weft_custody_returned (proc->custody, world->now, job->held, rc, &out);
    return true;
}

static bool
run_hand (proc_t *proc)
{
    //  What is dispatched meanwhile is for the next turn.
    unsigned count = slice (proc);
    for (unsigned i = 0; i < count; i++)
        if (!run_one (proc, &proc->hand[i]))
            return false;
    proc->hand_count = (uint8_t)(proc->hand_count - count);
    memmove (proc->hand, proc->hand + count,
             proc->hand_count * sizeof proc->hand[0]);
    return true;
}

static void
report_child (proc_t *proc)
{
    world_t *world = proc->world;
    child_kind_t kind = proc->child;
    weft_child_t how = proc->child_how;
    proc->child = CHILD_NONE;
    proc->child_ready = false;
    if (kind == CHILD_RUNS_CANARY) {
        bool passed = how == WEFT_CHILD_RETURNED && proc->child_rc == 0;
        weft_worker_canary (weft_custody_worker (proc->custody), world->now,
                            passed);
        return;
    }
    alert_t *alert = proc->child_alert;
    alert->refs++;
    weft_item_t out = { alert, alert->bytes, alert->largest };
    weft_custody_isolated (proc->custody, world->now, how, proc->child_rc,
                           &out);
}

//  Effects carry a key, so a sink counts each alert once; with the rule
//  switched off it counts commits.
static void
commit (proc_t *proc)
{
    world_t *world = proc->world;
    void *items[HAND_MAX];
    unsigned stage = stage_index (world, proc->stage);
    size_t count = weft_custody_effects (proc->custody, items, HAND_MAX);
    bool down = proc->stage->dependency_down;
    weft_worker_depend (weft_custody_worker (proc->custody), world->now, down);
    if (down || count == 0)
        return;
    count = WEFT_MIN (count, (size_t)HAND_MAX);
    for (size_t i = 0; i < count; i++) {
        alert_t *alert = items[i];
        uint8_t *effects = &alert->effects[stage];
        *effects = WEFT_RULE (EFFECTS) ? 1 : (uint8_t)(*effects + 1);
    }
    if (proc->dies)
        return;
    weft_custody_committed (proc->custody, world->now, count);
}

//  Ingest's judgement: old, and overtaken by several windows of others.
static void
judge_stuck (proc_t *proc)
{
    world_t *world = proc->world;
    weft_oldest_t oldest;
    if (!world->max_age ||
        !weft_upstream_oldest (proc->upstream, world->now, &oldest) ||
        oldest.age_ms < world->max_age * BEAT_MS || oldest.overtaken < 3 ||
        weft_upstream_abandon_oldest (proc->upstream, world->now))
        return;
    if ((uintptr_t)oldest.tag & REPLAY_BIT)
        sim_check_replayed (proc, (char *)oldest.tag - REPLAY_BIT,
                            WEFT_OUTCOME_DEAD);
    else
        sim_check_abandoned (proc, oldest.tag);
}

//  A source reads its log as far as its upstream end has room.
static void
feed (proc_t *proc)
{
    world_t *world = proc->world;
    while (proc->position < world->alert_count && !proc->draining) {
        unsigned index = proc->position;
        alert_t *alert = &world->alerts[index];
        if (alert->source != proc->replica) {
            proc->position++;
            continue;
        }
        if (world->pace && world->now < (int32_t)(index * world->pace))
            return;
        weft_item_t item = { alert, alert->bytes, alert->largest };
        alert->refs++;
        if (weft_upstream_submit (proc->upstream, world->now, &item, alert,
                                  WEFT_ALL_BRANCHES)) {
            alert->refs--;
            return;
        }
        proc->position++;
    }
}

static void
bury_due (proc_t *proc)
{
    for (unsigned i = 0; i < proc->grave_count;) {
        if (proc->grave_due[i] > proc->world->now) {
            i++;
            continue;
        }
        weft_grave_t *grave = proc->graves[i];
        proc->grave_count--;
        proc->graves[i] = proc->graves[proc->grave_count];
        proc->grave_due[i] = proc->grave_due[proc->grave_count];
        weft_upstream_buried (proc->upstream, proc->world->now, grave);
    }
}

static bool
is_drained (const proc_t *proc)
{
    if (!proc->draining)
        return false;
    if (proc->world->now >= proc->drain_at)
        return true;
    if (proc->custody)
        return weft_custody_drained (proc->custody);
    return weft_upstream_stats (proc->upstream)->alerts == 0 ||
           !weft_upstream_alive (proc->upstream);
}

//  Has a process of the stage that is not lost this letter in its custody?
static bool
is_taken (const proc_t *proc, unsigned alert, unsigned stage)
{
    const world_t *world = proc->world;
    for (unsigned i = 0; i < world->proc_count; i++) {
        const proc_t *other = &world->procs[i];
        if (other->stage == proc->stage && other->running && !other->hung &&
            other->taken[alert] & 1u << stage)
            return true;
    }
    return false;
}

static int
take_letter (proc_t *proc, unsigned branch, alert_t *alert)
{
    world_t *world = proc->world;
    unsigned stage = proc->stage->children[branch];
    weft_item_t item = { alert, alert->bytes, alert->largest };
    char *tag = (char *)&alert->seats[stage];
    uint8_t *taken = &proc->taken[alert_index (world, alert)];
    alert->refs++;
    *taken |= (uint8_t)(1u << stage);
    int rc = proc->custody
                 ? weft_custody_replay (proc->custody, world->now, &item, tag,
                                        1u << branch)
                 : weft_upstream_submit (proc->upstream, world->now, &item,
                                         tag + REPLAY_BIT, 1u << branch);
    if (rc) {
        *taken &= (uint8_t) ~(1u << stage);
        alert->refs--;
    }
    return rc;
}

//  Letters that were put back are taken into custody while there is room; each
//  stays a letter until it has an outcome.
static void
take_letters (proc_t *proc)
{
    world_t *world = proc->world;
    if (!proc->upstream || proc->draining)
        return;
    for (unsigned b = 0; b < proc->stage->child_count; b++) {
        unsigned stage = proc->stage->children[b];
        for (unsigned i = 0; i < world->alert_count; i++)
            if (world->alerts[i].letters & 1u << stage &&
                !is_taken (proc, i, stage) &&
                take_letter (proc, b, &world->alerts[i]))
                return;
    }
}

//  The end of a turn, in a stage and in a source.
static void
finish_turn (proc_t *proc)
{
    int64_t now = proc->world->now;
    take_letters (proc);
    if (proc->custody) {
        proc->said = proc->hash;
        weft_worker_rehash (weft_custody_worker (proc->custody), proc->said);
        weft_custody_tick (proc->custody, now);
        weft_custody_flush (proc->custody, now);
    } else {
        judge_stuck (proc);
        feed (proc);
        weft_upstream_tick (proc->upstream, now);
        weft_upstream_flush (proc->upstream, now);
    }
}

//  True if the process is still there and not stuck in its function.
static bool
do_stage (proc_t *proc)
{
    world_t *world = proc->world;
    if (!proc->busy) {
        read_dry (proc);
        int cost = work_ms (proc);
        if (cost > 0) {
            sim_wake (proc, world->now + cost);
            proc->busy = true;
            return false;
        }
    }
    proc->busy = false;
    if (!run_hand (proc))
        return false;
    if (proc->child_ready)
        report_child (proc);
    if (proc->stage->leaf)
        commit (proc);
    if (proc->dies) {
        sim_kill (proc);
        return false;
    }
    return true;
}

//  An operator puts a dead letter of one of its branches back.
void
sim_put_back (proc_t *proc, unsigned param)
{
    world_t *world = proc->world;
    if (proc->stage->child_count == 0)
        return;
    unsigned stage = proc->stage->children[param % proc->stage->child_count];
    for (unsigned i = 0; i < world->alert_count; i++) {
        alert_t *alert = &world->alerts[i];
        if (!(alert->dead & ~alert->letters & 1u << stage))
            continue;
        sim_trace (world, "alert %u: put back for stage %u", i, stage);
        alert->letters |= (uint8_t)(1u << stage);
        alert->replayed = true;
        return;
    }
}

void
sim_turn (proc_t *proc)
{
    world_t *world = proc->world;
    if (!proc->running || proc->paused || proc->hung)
        return;
    if (!proc->custody)
        read_dry (proc);
    else if (!do_stage (proc))
        return;
    if (proc->upstream)
        bury_due (proc);
    finish_turn (proc);
    if (is_drained (proc)) {
        leave (proc);
        return;
    }
    int32_t next = WEFT_MIN (world->now + BEAT_MS / 2, NEVER);
    if (proc->hand_count > 0 || proc->child_ready)
        next = world->now + 1;
    next = WEFT_MIN (next, sim_next_arrival (proc));
    sim_wake (proc, WEFT_MAX (next, world->now + 1));
}
