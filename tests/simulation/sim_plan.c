//  sim_plan.c - which mesh, which alerts, which bad luck; and how it ends.

#include "sim_world.h"

typedef enum {
    FAULT_KILL,
    FAULT_KILL_AFTER_COMMIT,
    FAULT_TERM,
    FAULT_PAUSE,
    FAULT_CUT,
    FAULT_CUT_SILENTLY,
    FAULT_SCALE_DOWN,
    FAULT_BRANCH_DOWN,
    FAULT_SLOW,
    FAULT_DEPENDENCY,
    FAULT_BAD_REPLICA,
    FAULT_BAD_AT_CANARY,
    FAULT_REJECTING,
    FAULT_CHILD_KILLED,
    FAULT_SLOW_NET,
    FAULT_RESTART_LOOP,
    FAULT_REPLAY,
    FAULT_RELINK,
    FAULT_RELOAD,
    FAULT_COUNT,
} fault_t;

typedef enum {
    UNDO_PROC,
    UNDO_SLOW,
    UNDO_DEPENDENCY,
    UNDO_QUALITY,
    UNDO_REJECTING,
    UNDO_RELEASE,
    UNDO_KILL,
} undo_t;

static unsigned
pick (world_t *world, const uint8_t *values, unsigned count)
{
    return values[rand_in (&world->rand, 0, (int)count - 1)];
}

static void
plan_stage (world_t *world, unsigned index, int parent)
{
    static const uint8_t ceilings[] = { 1, 2, 3, 4, 6, 8, 16, 16 };
    static const uint8_t kilobytes[] = { 3, 6, 12, 50, 50 };
    static const uint8_t windows[] = { 2, 4, 8, 16, 64 };
    static const uint8_t costs[] = { 0, 0, 0, 1, 2 };
    stage_t *stage = &world->stages[index];
    stage->parent = parent;
    stage->replicas = (uint8_t)rand_in (&world->rand, 1, REPLICAS_MAX);
    stage->leaf = true;
    snprintf (stage->name, sizeof stage->name, "s%u", index);
    stage->ceiling = (uint16_t)pick (world, ceilings, WEFT_COUNT (ceilings));
    stage->ceiling_bytes =
        (uint16_t)(100 * pick (world, kilobytes, WEFT_COUNT (kilobytes)));
    stage->largest = 3000;
    stage->max_alerts = (uint16_t)pick (world, windows, WEFT_COUNT (windows));
    stage->cost = (uint8_t)pick (world, costs, WEFT_COUNT (costs));
    stage->bury = rand_hit (&world->rand, 30) ? 120 : 0;
    stage->hash = world->hashes = 1;
    stage->unattended = rand_hit (&world->rand, 50);
    if (parent < 0)
        return;
    stage_t *before = &world->stages[parent];
    before->leaf = false;
    before->children[before->child_count++] = (uint8_t)index;
}

//  A chain with fan-outs: mostly each stage hangs on the one before.
static void
plan_stages (world_t *world)
{
    unsigned count = (unsigned)rand_in (&world->rand, 2, 5);
    for (unsigned i = 0; i < count; i++) {
        int parent = (int)i - 1;
        if (i > 1 && rand_hit (&world->rand, 30))
            parent = rand_in (&world->rand, 0, (int)i - 1);
        plan_stage (world, i, parent);
    }
    world->stages[0].replicas = (uint8_t)rand_in (&world->rand, 1, 2);
    world->stage_count = (uint8_t)count;
    if (!rand_hit (&world->rand, 20))
        return;
    //  A tap beside the first stage's branches.
    plan_stage (world, count, rand_in (&world->rand, 0, (int)count - 2));
    stage_t *tap = &world->stages[count];
    if (world->stages[tap->parent].child_count == 1) {
        //  It must not be the only one: that stage would be a last one.
        world->stages[tap->parent].child_count = 0;
        world->stages[tap->parent].leaf = true;
        return;
    }
    tap->tap = true;
    tap->leaf = false;
    tap->absent = rand_hit (&world->rand, 50);
    world->stage_count++;
}

static void
plan_conns (world_t *world, proc_t *worker, const stage_t *parent)
{
    for (unsigned i = 0; i < world->proc_count; i++) {
        proc_t *upstream = &world->procs[i];
        if (upstream->stage != parent)
            continue;
        conn_t *conn = &world->conns[world->conn_count++];
        conn->ends[END_WORKER] = worker;
        conn->ends[END_UPSTREAM] = upstream;
        conn->delay = (uint8_t)rand_in (&world->rand, 0, 4);
        worker->conns[worker->conn_count++] = conn;
        upstream->downs[upstream->down_count++] = conn;
    }
}

static void
plan_procs (world_t *world)
{
    for (unsigned s = 0; s < world->stage_count; s++) {
        stage_t *stage = &world->stages[s];
        for (unsigned r = 0; r < stage->replicas; r++) {
            proc_t *proc = &world->procs[world->proc_count];
            proc->world = world;
            proc->index = world->proc_count++;
            proc->stage = stage;
            proc->replica = (uint8_t)r;
            proc->wanted = !stage->absent;
            proc->wake = NEVER;
            if (s > 0)
                plan_conns (world, proc, &world->stages[stage->parent]);
        }
    }
    for (unsigned i = 0; i < world->proc_count; i++)
        sim_push (world, rand_in (&world->rand, 0, 50), EVENT_RESTART, i, 0, 0);
}

static unsigned
pick_stage (world_t *world)
{
    unsigned stage;
    do
        stage = (unsigned)rand_in (&world->rand, 1, world->stage_count - 1);
    while (world->stages[stage].tap);
    return stage;
}

static void
plan_alerts (world_t *world)
{
    int percent =
        rand_hit (&world->rand, 50) ? 0 : rand_in (&world->rand, 3, 25);
    int most = rand_hit (&world->rand, 70) ? 16 : ALERTS_MAX;
    world->alert_count = (uint8_t)rand_in (&world->rand, 3, most);
    world->open = world->alert_count;
    for (unsigned i = 0; i < world->alert_count; i++) {
        alert_t *alert = &world->alerts[i];
        alert->outcome = -1;
        alert->source =
            (uint8_t)rand_in (&world->rand, 0, world->stages[0].replicas - 1);
        alert->bytes = (uint16_t)rand_in (&world->rand, 50, 400);
        alert->largest = alert->bytes;
        if (!rand_hit (&world->rand, percent))
            continue;
        alert->kind =
            (kind_t)rand_in (&world->rand, ALERT_CRASHES, ALERT_TOO_BIG);
        alert->stage = (uint8_t)pick_stage (world);
        if (alert->kind != ALERT_TOO_BIG)
            continue;
        world->stages[alert->stage].largest = 1000;
        alert->largest = 2000;
    }
}

static void
plan_faults (world_t *world)
{
    int window = rand_in (&world->rand, 200, 2500);
    int count = rand_in (&world->rand, 0, 10);
    //  Some schedules have one kind of bad luck only, again and again.
    bool same = rand_hit (&world->rand, 25);
    unsigned only = (unsigned)rand_in (&world->rand, 0, FAULT_COUNT - 1);
    for (int i = 0; i < count; i++) {
        unsigned kind =
            same ? only : (unsigned)rand_in (&world->rand, 0, FAULT_COUNT - 1);
        sim_push (world, rand_in (&world->rand, 20, window), EVENT_FAULT, 0,
                  kind, (uint32_t)rand_next (&world->rand));
    }
    world->calm_at = window + (count ? 100 : 0);
    sim_push (world, world->calm_at, EVENT_CALM, 0, 0, 0);
}

void
sim_plan (world_t *world)
{
    world->reject_ring = (uint8_t)rand_in (&world->rand, 6, 20);
    world->pace = rand_hit (&world->rand, 30)
                      ? (uint8_t)rand_in (&world->rand, 5, 60)
                      : 0;
    world->sliced = rand_hit (&world->rand, 50);
    world->max_age = rand_hit (&world->rand, 15)
                         ? (uint8_t)rand_in (&world->rand, 5, 20)
                         : 0;
    world->again = rand_hit (&world->rand, 10)
                       ? (uint8_t)rand_in (&world->rand, 1, 20)
                       : 0;
    world->loss = rand_hit (&world->rand, 15)
                      ? (uint8_t)rand_in (&world->rand, 2, 30)
                      : 0;
    plan_stages (world);
    plan_alerts (world);
    plan_procs (world);
    plan_faults (world);
}

static void
undo_later (world_t *world, int delay, undo_t what, unsigned param)
{
    sim_push (world, world->now + delay, EVENT_UNDO, 0, (unsigned)what, param);
}

static void
branch_down (world_t *world, unsigned stage, int duration)
{
    for (unsigned i = 0; i < world->proc_count; i++) {
        proc_t *proc = &world->procs[i];
        if (proc->stage != &world->stages[stage])
            continue;
        proc->wanted = false;
        sim_kill (proc);
        undo_later (world, duration, UNDO_PROC, i);
    }
}

static void
scale_down (world_t *world, proc_t *proc, int duration)
{
    if (proc->stage->replicas < 2 || !proc->custody)
        return;
    proc->wanted = false;
    sim_stop (proc);
    undo_later (world, duration, UNDO_PROC, proc->index);
}

static void
hit_proc (world_t *world, fault_t fault, proc_t *proc, int duration)
{
    switch (fault) {
    case FAULT_KILL:
        sim_kill (proc);
        break;
    case FAULT_KILL_AFTER_COMMIT:
        proc->dies = proc->running && proc->stage->leaf;
        break;
    case FAULT_TERM:
        sim_stop (proc);
        break;
    case FAULT_PAUSE:
        sim_pause (proc, duration);
        break;
    case FAULT_SCALE_DOWN:
        scale_down (world, proc, duration);
        break;
    case FAULT_BAD_REPLICA:
        proc->quality =
            rand_hit (&world->rand, 50) ? REPLICA_REJECTS : REPLICA_CRASHES;
        undo_later (world, duration, UNDO_QUALITY, proc->index);
        break;
    case FAULT_BAD_AT_CANARY:
        proc->turns_bad = true;
        undo_later (world, duration, UNDO_QUALITY, proc->index);
        break;
    case FAULT_CHILD_KILLED:
        sim_kill_child (proc, WEFT_CHILD_KILLED);
        break;
    case FAULT_RESTART_LOOP:
        for (int at = 0; at < duration; at += 150)
            undo_later (world, at, UNDO_KILL, proc->index);
        break;
    case FAULT_REPLAY:
        sim_put_back (proc, (unsigned)duration);
        break;
    case FAULT_RELOAD:
        proc->hash = proc->stage->hash = ++world->hashes;
        break;
    default:
        break;
    }
}

static void
hit_stage (world_t *world, fault_t fault, unsigned s, int duration)
{
    stage_t *stage = &world->stages[s];
    switch (fault) {
    case FAULT_BRANCH_DOWN:
        branch_down (world, s, duration);
        break;
    case FAULT_SLOW:
        stage->slow = (uint8_t)rand_in (&world->rand, 5, 150);
        undo_later (world, duration, UNDO_SLOW, s);
        break;
    case FAULT_DEPENDENCY:
        stage->dependency_down = true;
        undo_later (world, duration, UNDO_DEPENDENCY, s);
        break;
    case FAULT_REJECTING:
        stage->rejecting = !stage->tap;
        stage->has_rejected |= stage->rejecting;
        undo_later (world, duration, UNDO_REJECTING, s);
        break;
    default:
        break;
    }
}

static void
hit_conn (world_t *world, fault_t fault, conn_t *conn, int duration)
{
    if (fault == FAULT_CUT)
        sim_cut (conn);
    else if (fault == FAULT_CUT_SILENTLY)
        sim_cut_silently (conn, duration);
    else if (fault == FAULT_RELINK)
        sim_relink (conn);
    else if (fault == FAULT_SLOW_NET)
        conn->delay = (uint8_t)rand_in (&world->rand, 10, 200);
}

void
sim_fault (world_t *world, unsigned kind, unsigned param)
{
    if (world->calm)
        return;
    int duration = rand_in (&world->rand, 20, 1200);
    sim_trace (world, "fault %u on %u for %d", kind, param, duration);
    fault_t fault = (fault_t)kind;
    hit_proc (world, fault, &world->procs[param % world->proc_count], duration);
    hit_stage (world, fault, 1 + param % (world->stage_count - 1u), duration);
    hit_conn (world, fault, &world->conns[param % world->conn_count], duration);
}

static void
repair (proc_t *proc)
{
    proc->turns_bad = false;
    if (proc->quality == REPLICA_GOOD)
        return;
    proc->quality = REPLICA_GOOD;
    sim_kill (proc);
}

//  A new build is rolled out: another hash, all replicas start again. Or their
//  configuration was wrong, and they read another one.
static void
stop_rejecting (world_t *world, unsigned s)
{
    if (!world->stages[s].rejecting)
        return;
    bool reload = rand_hit (&world->rand, 50);
    world->stages[s].rejecting = false;
    world->stages[s].hash = ++world->hashes;
    for (unsigned i = 0; i < world->proc_count; i++) {
        proc_t *proc = &world->procs[i];
        if (proc->stage != &world->stages[s])
            continue;
        proc->hash = world->hashes;
        if (!reload)
            sim_kill (proc);
    }
}

//  The operator looks at held branches; real rejects can hold one, too.
static void
release_all (world_t *world)
{
    world->operator_acts = true;
    for (unsigned i = 0; i < world->proc_count; i++) {
        proc_t *proc = &world->procs[i];
        if (!proc->running || !proc->upstream)
            continue;
        for (unsigned b = 0; b < proc->stage->child_count; b++)
            weft_upstream_release (proc->upstream, world->now, b);
    }
    world->operator_acts = false;
    if (world->now < world->calm_at + PROGRESS_MS)
        undo_later (world, 300, UNDO_RELEASE, 0);
}

void
sim_undo (world_t *world, unsigned what, unsigned param)
{
    proc_t *proc = &world->procs[param % PROCS_MAX];
    stage_t *stage = &world->stages[param % STAGES_MAX];
    switch ((undo_t)what) {
    case UNDO_PROC:
        proc->wanted = !proc->stage->absent;
        if (!proc->running && proc->wanted)
            sim_start (proc);
        break;
    case UNDO_SLOW:
        stage->slow = 0;
        break;
    case UNDO_DEPENDENCY:
        stage->dependency_down = false;
        break;
    case UNDO_QUALITY:
        repair (proc);
        break;
    case UNDO_REJECTING:
        stop_rejecting (world, param);
        break;
    case UNDO_RELEASE:
        release_all (world);
        break;
    case UNDO_KILL:
        if (!world->calm)
            sim_kill (proc);
        break;
    }
}

void
sim_calm (world_t *world)
{
    sim_trace (world, "calm");
    world->calm = true;
    for (unsigned s = 1; s < world->stage_count; s++) {
        world->stages[s].slow = 0;
        world->stages[s].dependency_down = false;
        stop_rejecting (world, s);
    }
    for (unsigned i = 0; i < world->proc_count; i++) {
        proc_t *proc = &world->procs[i];
        proc->wanted = !proc->stage->absent;
        if (proc->paused)
            sim_resume (proc);
        repair (proc);
        if (!proc->running)
            sim_push (world, world->now + 50, EVENT_RESTART, i, 0, 0);
    }
    for (unsigned i = 0; i < world->conn_count; i++) {
        conn_t *conn = &world->conns[i];
        conn->delay = WEFT_MIN (conn->delay, 5);
        conn->heal_at = world->now;
    }
    undo_later (world, 300, UNDO_RELEASE, 0);
}
