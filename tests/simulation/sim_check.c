//  sim_check.c - the invariants of the custody link.
//
//  Custody, one final outcome, no settle of what is not held, window and
//  bytes within their ceilings, memory bounded, no innocent dead letter; and
//  progress, which sim_run watches.

#include "sim_world.h"

enum { BYTES_MAX = 400 };  //  of the largest alert in any plan

//  What a worker holds by a session, its upstream has sent by it.
static void
check_link (proc_t *proc, const conn_t *conn)
{
    const proc_t *upstream = conn->ends[END_UPSTREAM];
    weft_link_info_t link;
    weft_session_info_t session;
    if (!upstream->running ||
        !weft_worker_link (weft_custody_worker (proc->custody), conn->link,
                           &link) ||
        !link.session)
        return;
    for (uint32_t i = 0;
         weft_upstream_session (upstream->upstream, i, &session); i++)
        if (session.id != link.session)
            continue;
        else if (session.hash != proc->said)
            sim_violate (proc->world, "the hash that was said last",
                         "proc %u computes %u, its upstream knows %u",
                         proc->index, proc->said, (unsigned)session.hash);
        else if (session.unsettled < link.held ||
                 session.unsettled_bytes < link.held_bytes)
            sim_violate (proc->world, "custody",
                         "proc %u holds %u by a session that has %u",
                         proc->index, link.held, session.unsettled);
}

static void
check_worker (proc_t *proc)
{
    world_t *world = proc->world;
    const stage_t *stage = proc->stage;
    const weft_worker_stats_t *stats =
        weft_worker_stats (weft_custody_worker (proc->custody));
    if (stats->held > stage->ceiling)
        sim_violate (world, "window", "proc %u holds %u of %u alerts",
                     proc->index, (unsigned)stats->held, stage->ceiling);
    //  An idle session may take one alert, whatever its bytes; so may the next
    //  one of that link, until ended sessions' alerts fill the ceiling.
    unsigned most = stage->ceiling_bytes + proc->conn_count * BYTES_MAX;
    if (stats->orphans > 0)
        most += stage->ceiling_bytes + BYTES_MAX;
    if (stats->held_bytes > most)
        sim_violate (world, "bytes", "proc %u holds %u of %u bytes",
                     proc->index, (unsigned)stats->held_bytes, most);
    if (stats->malformed)
        sim_violate (world, "window", "proc %u: its upstream broke a limit",
                     proc->index);
    for (unsigned i = 0; i < proc->conn_count; i++)
        check_link (proc, proc->conns[i]);
}

static void
check_upstream (proc_t *proc)
{
    world_t *world = proc->world;
    const weft_upstream_stats_t *stats = weft_upstream_stats (proc->upstream);
    if (stats->alerts > proc->stage->max_alerts)
        sim_violate (world, "memory bounded",
                     "proc %u has %u alerts in custody", proc->index,
                     (unsigned)stats->alerts);
    if (stats->malformed)
        sim_violate (world, "protocol", "proc %u read a bad frame",
                     proc->index);
    if (stats->not_held)
        sim_violate (world, "no settle of what is not held",
                     "proc %u was told so", proc->index);
}

//  A session belongs to one boot id.
static void
check_sessions (proc_t *proc)
{
    uint64_t boots[16];
    weft_session_info_t info;
    for (uint32_t i = 0; weft_upstream_session (proc->upstream, i, &info);
         i++) {
        boots[i] = info.boot;
        for (uint32_t j = 0; j < i; j++)
            if (boots[j] == info.boot)
                sim_violate (proc->world, "one session per boot", "proc %u",
                             proc->index);
    }
}

//  Did the branch get a worker that computes something else than those who
//  were there when it was held?
static bool
has_another (const proc_t *proc, unsigned branch)
{
    const held_t *held = &proc->held[proc->stage->children[branch]];
    weft_session_info_t info;
    for (uint32_t i = 0; weft_upstream_session (proc->upstream, i, &info); i++)
        if (info.branch == branch &&
            !memchr (held->hashes, (int)info.hash, held->count))
            return true;
    return false;
}

//  A branch is held until a worker comes that computes something else.
static void
check_held (proc_t *proc)
{
    for (unsigned b = 0; b < proc->stage->child_count; b++) {
        weft_branch_info_t info;
        weft_upstream_branch (proc->upstream, b, &info);
        if (info.held && has_another (proc, b))
            sim_violate (proc->world, "another hash releases", "proc %u, %s",
                         proc->index, info.stage);
    }
}

void
sim_check_proc (proc_t *proc)
{
    if (proc->custody)
        check_worker (proc);
    if (proc->upstream) {
        check_upstream (proc);
        check_sessions (proc);
        check_held (proc);
    }
}

//  Is this stage, or one before it, where the alert died?
static bool
is_cut_off (const world_t *world, const alert_t *alert, unsigned stage)
{
    for (int s = (int)stage; s > 0; s = world->stages[s].parent)
        if (alert->dead & 1u << s)
            return true;
    return false;
}

static void
check_effects (world_t *world, const alert_t *alert)
{
    for (unsigned s = 1; s < world->stage_count; s++) {
        if (!world->stages[s].leaf)
            continue;
        if (alert->effects[s] > 1)
            sim_violate (world, "effects once", "alert %u twice at stage %u",
                         alert_index (world, alert), s);
        if (alert->effects[s] == 0 && !alert->abandoned &&
            !is_cut_off (world, alert, s))
            sim_violate (world, "custody",
                         "alert %u is settled, stage %u never had it",
                         alert_index (world, alert), s);
    }
}

//  A source has given an alert up: a dead letter of its own, whatever the
//  stages still do with it.
void
sim_check_abandoned (proc_t *proc, alert_t *alert)
{
    world_t *world = proc->world;
    sim_trace (world, "alert %u: stuck", alert_index (world, alert));
    proc->settled[alert_index (world, alert)] = true;
    alert->excused = alert->abandoned = true;
    if (alert->outcome >= 0)
        return;
    alert->outcome = WEFT_OUTCOME_DEAD;
    world->open--;
}

void
sim_check_outcome (world_t *world, alert_t *alert, int outcome)
{
    unsigned index = alert_index (world, alert);
    sim_trace (world, "alert %u: outcome %d", index, outcome);
    check_effects (world, alert);
    if (outcome == WEFT_OUTCOME_DEAD && !alert->dead)
        sim_violate (world, "custody", "alert %u died nowhere", index);
    int expected =
        alert->kind == ALERT_GOOD ? WEFT_OUTCOME_SETTLED : WEFT_OUTCOME_DEAD;
    if (outcome != expected && !alert->excused)
        sim_violate (world, "one final outcome", "alert %u has the wrong one",
                     index);
    if (alert->outcome >= 0) {
        if (alert->outcome != outcome && !alert->excused)
            sim_violate (world, "one final outcome", "alert %u has two", index);
        return;
    }
    alert->outcome = (int8_t)outcome;
    world->open--;
}

//  A letter that was put back has its outcome: all last stages behind its
//  branch have had it, or it is a letter again.
void
sim_check_replayed (proc_t *proc, void *tag, int outcome)
{
    world_t *world = proc->world;
    size_t at = (size_t)((char *)tag - (char *)world->alerts);
    unsigned index = (unsigned)(at / sizeof (alert_t));
    alert_t *alert = &world->alerts[index];
    unsigned stage = (unsigned)((uint32_t *)tag - alert->seats);
    sim_trace (world, "alert %u: put back for stage %u, outcome %d", index,
               stage, outcome);
    if (!(proc->taken[index] & 1u << stage))
        sim_violate (world, "no outcome of what was not taken",
                     "alert %u, stage %u", index, stage);
    proc->taken[index] &= (uint8_t) ~(1u << stage);
    alert->letters &= (uint8_t) ~(1u << stage);
    for (unsigned s = stage; s < world->stage_count; s++) {
        int up = (int)s;
        while (up > (int)stage)
            up = world->stages[up].parent;
        if (outcome == WEFT_OUTCOME_SETTLED && up == (int)stage &&
            world->stages[s].leaf && alert->effects[s] == 0)
            sim_violate (world, "custody",
                         "alert %u was put back, stage %u never had it", index,
                         s);
    }
}

//  Does it deserve this verdict?
static bool
is_guilty (const world_t *world, unsigned stage, const alert_t *alert, int code)
{
    switch (alert->kind) {
    case ALERT_CRASHES:
        return stage == alert->stage && code == WEFT_ECRASHED;
    case ALERT_HANGS:
        return stage == alert->stage && code == WEFT_EHUNG;
    case ALERT_REJECTED:
        return stage == alert->stage && code == WEFT_EREJECT;
    case ALERT_TOO_BIG:
        return alert->largest > world->stages[stage].largest &&
               code == WEFT_ETOOBIG;
    default:
        return false;
    }
}

//  A stage that rejects everything and passes its canary may take innocents
//  with it, until its upstream holds the link.
static bool
is_excused (proc_t *proc, unsigned stage, int code)
{
    if (!proc->world->stages[stage].has_rejected || code != WEFT_EREJECT)
        return false;
    return ++proc->innocents[stage] <= proc->world->reject_ring;
}

void
sim_check_grave (proc_t *proc, unsigned stage, alert_t *alert, int code)
{
    world_t *world = proc->world;
    unsigned index = alert_index (world, alert);
    sim_trace (world, "alert %u: dead at stage %u, code %d", index, stage,
               code);
    alert->dead |= (uint8_t)(1u << stage);
    if (is_guilty (world, stage, alert, code))
        return;
    alert->excused = true;
    if (!is_excused (proc, stage, code))
        sim_violate (world, "no innocent dead letter",
                     "alert %u at stage %u, code %d", index, stage, code);
}

static uint64_t
session_of (const conn_t *conn)
{
    weft_link_info_t info = { 0 };
    (void)weft_worker_link (
        weft_custody_worker (conn->ends[END_WORKER]->custody), conn->link,
        &info);
    return info.session;
}

//  A worker gives an alert back.
void
sim_check_given (proc_t *proc, alert_t *alert, conn_t *conn)
{
    world_t *world = proc->world;
    //  A stage, also one that has died since, may have the same alert twice after
    //  a death: a source has not.
    if (!conn || conn->ends[END_UPSTREAM]->stage->parent >= 0)
        return;
    given_t *given =
        &world->given[alert_index (world, alert)][conn_index (world, conn)];
    *given = (given_t){ world->now, session_of (conn) };
}

//  It must not come back in the same session before the next beat.
void
sim_check_dispatch (proc_t *proc, alert_t *alert)
{
    world_t *world = proc->world;
    if (!proc->reading || alert->replayed)
        return;
    unsigned conn = conn_index (world, proc->reading);
    const given_t *given = &world->given[alert_index (world, alert)][conn];
    if (given->session && given->session == session_of (proc->reading) &&
        world->now - given->time < BEAT_MS)
        sim_violate (world, "given back to another first",
                     "alert %u comes back after %d ms",
                     alert_index (world, alert), world->now - given->time);
}

//  Who is declared dead for his silence must not have written long ago.
static void
check_hung (proc_t *proc, uint64_t peer)
{
    world_t *world = proc->world;
    const conn_t *conn = &world->conns[peer & 255];
    const message_t *unread = conn->to[END_UPSTREAM].head;
    if (unread && unread->generation == peer >> 8 &&
        world->now - unread->arrival > BEAT_MS + 1)
        sim_violate (world, "no death of who is heard",
                     "conn %u has an unread frame of %d ms",
                     conn_index (world, conn), world->now - unread->arrival);
}

//  The session that an upstream has with this connection's worker, 0: none.
static uint64_t
session_at (const conn_t *conn)
{
    const world_t *world = conn->ends[0]->world;
    const proc_t *upstream = conn->ends[END_UPSTREAM];
    uint64_t peer = (uint64_t)conn->generation << 8 | conn_index (world, conn);
    weft_session_info_t info;
    if (!upstream->running)
        return 0;
    for (uint32_t i = 0; weft_upstream_session (upstream->upstream, i, &info);
         i++)
        if (info.peer == peer)
            return info.id;
    return 0;
}

//  A worker takes up a session: the upstream must not have another one. It
//  gives one up by RESET: the upstream must not have it.
static void
check_session (proc_t *proc, uint64_t link, bool begins)
{
    world_t *world = proc->world;
    for (unsigned i = 0; i < proc->conn_count; i++) {
        const conn_t *conn = proc->conns[i];
        if (conn->link != link)
            continue;
        uint64_t theirs = session_at (conn);
        bool same = theirs == session_of (conn);
        if (theirs && same != begins)
            sim_violate (world, "both ends have the same session", "conn %u",
                         conn_index (world, conn));
    }
}

//  Which branch of it that stage is.
static unsigned
branch_of (const proc_t *proc, const char *stage)
{
    unsigned b = 0;
    while (strcmp (proc->world->stages[proc->stage->children[b]].name, stage))
        b++;
    return b;
}

static void
note_held (proc_t *proc, unsigned branch)
{
    held_t *held = &proc->held[proc->stage->children[branch]];
    weft_session_info_t info;
    held->count = 0;
    for (uint32_t i = 0; weft_upstream_session (proc->upstream, i, &info); i++)
        if (info.branch == branch && held->count < PROCS_MAX)
            held->hashes[held->count++] = (uint8_t)info.hash;
}

static void
check_released (proc_t *proc, unsigned branch)
{
    if (!proc->world->operator_acts && !has_another (proc, branch))
        sim_violate (proc->world, "nobody else releases", "proc %u, branch %u",
                     proc->index, branch);
}

void
sim_check_event (proc_t *proc, const weft_link_event_t *event, bool is_worker)
{
    if (event->id == WEFT_LINK_EVENT_HELD)
        note_held (proc, branch_of (proc, event->stage));
    if (event->id == WEFT_LINK_EVENT_RELEASED)
        check_released (proc, branch_of (proc, event->stage));
    if (event->id == WEFT_LINK_EVENT_PEER_HUNG)
        check_hung (proc, event->peer);
    if (event->id == WEFT_LINK_EVENT_RESET)
        check_session (proc, event->peer, false);
    if (event->id == WEFT_LINK_EVENT_WELCOMED && is_worker)
        check_session (proc, event->peer, true);
}

static bool
is_empty (const proc_t *proc)
{
    if (proc->stage->absent || proc->hung)
        return true;
    if (!proc->running)
        return false;
    if (proc->upstream && weft_upstream_stats (proc->upstream)->alerts > 0)
        return false;
    return !proc->custody ||
           weft_worker_stats (weft_custody_worker (proc->custody))->held == 0;
}

bool
sim_check_empty (const world_t *world)
{
    for (unsigned i = 0; i < world->alert_count; i++)
        if (world->alerts[i].letters)
            return false;
    for (unsigned i = 0; i < world->proc_count; i++)
        if (!is_empty (&world->procs[i]))
            return false;
    return true;
}

void
sim_check_end (world_t *world)
{
    if (world->violation)
        return;
    if (world->open > 0)
        sim_violate (world, "progress", "%u alerts without an outcome",
                     world->open);
    for (unsigned i = 0; i < world->alert_count; i++)
        check_effects (world, &world->alerts[i]);
}
