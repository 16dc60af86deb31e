//  sim_world.c - the clock: events in order of time, one at a time, invariants
//  after each.

#include "sim_world.h"

#include <stdarg.h>

static bool
is_before (const event_t *a, const event_t *b)
{
    if (a->time != b->time)
        return a->time < b->time;
    return a->order < b->order;
}

void
sim_push (world_t *world,
          int32_t time,
          event_type_t type,
          unsigned subject,
          unsigned detail,
          uint32_t mark)
{
    if (world->heap_count == EVENTS_MAX) {
        sim_violate (world, "memory bounded", "too many events");
        return;
    }
    event_t event = { .time = time,
                      .order = world->order++,
                      .type = (uint8_t)type,
                      .subject = (uint8_t)subject,
                      .detail = (uint8_t)detail,
                      .mark = mark };
    uint32_t at = world->heap_count++;
    for (; at > 0; at = (at - 1) / 2) {
        event_t *parent = &world->heap[(at - 1) / 2];
        if (!is_before (&event, parent))
            break;
        world->heap[at] = *parent;
    }
    world->heap[at] = event;
}

static event_t
pop (world_t *world)
{
    event_t *heap = world->heap;
    event_t first = heap[0];
    event_t last = heap[--world->heap_count];
    uint32_t at = 0;
    for (;;) {
        uint32_t next = 2 * at + 1;
        if (next >= world->heap_count)
            break;
        if (next + 1 < world->heap_count &&
            is_before (&heap[next + 1], &heap[next]))
            next++;
        if (!is_before (&heap[next], &last))
            break;
        heap[at] = heap[next];
        at = next;
    }
    heap[at] = last;
    return first;
}

void
sim_violate (world_t *world, const char *what, const char *format, ...)
{
    if (world->violation)
        return;
    world->violation = what;
    va_list args;
    va_start (args, format);
    vsnprintf (world->detail, sizeof world->detail, format, args);
    va_end (args);
    sim_trace (world, "VIOLATION %s: %s", what, world->detail);
}

void
sim_trace (world_t *world, const char *format, ...)
{
    if (!world->trace)
        return;
    va_list args;
    va_start (args, format);
    printf ("%7d ", world->now);
    vprintf (format, args);
    printf ("\n");
    va_end (args);
}

static void
on_turn (proc_t *proc, const event_t *event)
{
    if (event->mark != proc->life || event->time != proc->wake)
        return;
    proc->wake = NEVER;
    sim_turn (proc);
    if (proc->running)
        sim_check_proc (proc);
}

static void
supervise (proc_t *proc, const event_t *event)
{
    if (proc->hung && event->mark == proc->life)
        sim_kill (proc);
}

static void
handle (world_t *world, const event_t *event)
{
    proc_t *proc = &world->procs[event->subject % PROCS_MAX];
    conn_t *conn = &world->conns[event->subject % CONNS_MAX];
    switch ((event_type_t)event->type) {
    case EVENT_TURN:
        on_turn (proc, event);
        break;
    case EVENT_CHILD:
        sim_on_child (proc, event->mark);
        break;
    case EVENT_CONNECT:
        sim_on_connect (conn);
        break;
    case EVENT_DROP:
        sim_on_drop (conn, event->detail, event->mark);
        break;
    case EVENT_RESTART:
        if (proc->wanted && !proc->running)
            sim_start (proc);
        break;
    case EVENT_SUPERVISE:
        supervise (proc, event);
        break;
    case EVENT_RESUME:
        if (proc->paused && event->mark == proc->pauses)
            sim_resume (proc);
        break;
    case EVENT_HEARTBEATS:
        if (proc->paused && event->mark == proc->pauses)
            sim_on_heartbeats (proc);
        break;
    case EVENT_FAULT:
        sim_fault (world, event->detail, event->mark);
        break;
    case EVENT_UNDO:
        sim_undo (world, event->detail, event->mark);
        break;
    case EVENT_CALM:
        sim_calm (world);
        break;
    }
}

//  Everything is settled, the faults are over, and nobody holds anything.
static bool
is_over (const world_t *world)
{
    return world->calm && world->open == 0 && sim_check_empty (world);
}

static void
free_world (world_t *world)
{
    for (unsigned i = 0; i < world->proc_count; i++) {
        proc_t *proc = &world->procs[i];
        if (proc->custody)
            weft_custody_destroy (&proc->custody);
        else
            weft_upstream_destroy (&proc->upstream);
    }
    for (unsigned i = 0; i < world->conn_count; i++)
        for (int end = 0; end < 2; end++)
            sim_clear (world, &world->conns[i].to[end]);
}

bool
sim_run (world_t *world, uint64_t seed)
{
    message_t *messages = world->free_messages;
    bool trace = world->trace;
    memset (world, 0, sizeof *world);
    world->free_messages = messages;
    world->trace = trace;
    world->seed = seed;
    world->rand.state = seed * UINT64_C (0xd1342543de82ef95) + 1;
    sim_plan (world);
    while (world->heap_count > 0 && !world->violation) {
        event_t event = pop (world);
        world->now = event.time;
        world->steps++;
        handle (world, &event);
        if (event.type == EVENT_TURN && is_over (world))
            break;
        if (world->now > world->calm_at + PROGRESS_MS)
            sim_violate (world, world->open ? "progress" : "custody",
                         "%u alerts without an outcome", world->open);
    }
    sim_check_end (world);
    free_world (world);
    for (unsigned i = 0; i < world->alert_count; i++)
        if (world->alerts[i].refs != 0)
            sim_violate (world, "memory bounded", "references of alert %u leak",
                         i);
    if (world->messages > 0)
        sim_violate (world, "memory bounded", "messages leak");
    return !world->violation;
}

void
sim_free (world_t *world)
{
    while (world->free_messages) {
        message_t *message = world->free_messages;
        world->free_messages = message->next;
        free (message);
    }
}
