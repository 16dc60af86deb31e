//  sim_net.c - connections, as libzmq over TCP makes them: ordered, cut with
//  or without notice, connected again under a new routing id.
//
//  Each end has its own view of whether the pipe is there. What one end sends
//  while the other's view is gone is lost; what arrived before may still be
//  read after.

#include "sim_world.h"

static message_t *
new_message (world_t *world)
{
    message_t *message = world->free_messages;
    if (message)
        world->free_messages = message->next;
    else
        message = malloc (sizeof *message);
    world->messages++;
    return message;
}

void
sim_free_message (world_t *world, message_t *message)
{
    if (message->item)
        message->item->refs--;
    message->next = world->free_messages;
    world->free_messages = message;
    world->messages--;
}

void
sim_clear (world_t *world, queue_t *queue)
{
    while (queue->head) {
        message_t *message = queue->head;
        queue->head = message->next;
        sim_free_message (world, message);
    }
    queue->tail = NULL;
}

//  What has not arrived when a connection breaks never does.
static void
lose_in_flight (conn_t *conn)
{
    world_t *world = conn->ends[0]->world;
    for (int end = 0; end < 2; end++) {
        queue_t *queue = &conn->to[end];
        message_t **slot = &queue->head;
        queue->tail = NULL;
        while (*slot) {
            message_t *message = *slot;
            if (message->arrival > world->now &&
                message->generation == conn->generation) {
                *slot = message->next;
                sim_free_message (world, message);
            } else {
                queue->tail = message;
                slot = &message->next;
            }
        }
    }
}

static void
enqueue (conn_t *conn,
         int to,
         uint32_t generation,
         const void *data,
         size_t size,
         alert_t *item)
{
    world_t *world = conn->ends[0]->world;
    message_t *message = new_message (world);
    assert (size <= FRAME_MAX);
    memcpy (message->data, data, size);
    message->size = (uint16_t)size;
    message->item = item;
    if (item)
        item->refs++;
    message->generation = generation;
    message->next = NULL;
    int32_t arrival = world->now + 1 + rand_in (&world->rand, 0, conn->delay);
    arrival = WEFT_MAX (arrival, conn->hold_until);
    arrival = WEFT_MAX (arrival, conn->last[to]);
    conn->last[to] = arrival;
    message->arrival = arrival;
    queue_t *queue = &conn->to[to];
    if (queue->tail)
        queue->tail->next = message;
    else
        queue->head = message;
    queue->tail = message;
    sim_wake (conn->ends[to], arrival);
}

//  Libzmq drops the connection of a frame that is over MAXMSGSIZE, and the
//  DEALER does not come back.
static void
drop_oversized (conn_t *conn)
{
    world_t *world = conn->ends[0]->world;
    sim_trace (world, "conn %u: oversized", conn_index (world, conn));
    conn->dead_socket = true;
    lose_in_flight (conn);
    conn->up[END_WORKER] = conn->up[END_UPSTREAM] = false;
}

int
sim_send (conn_t *conn,
          int from,
          uint32_t generation,
          const void *data,
          size_t size,
          alert_t *item)
{
    world_t *world = conn->ends[0]->world;
    if (from == END_UPSTREAM && generation != conn->generation) {
        bool ghost =
            generation == conn->ghost && world->now < conn->ghost_until;
        return ghost ? 0 : WEFT_EDOWN;
    }
    if (!conn->up[from])
        return from == END_UPSTREAM ? WEFT_EDOWN : WEFT_EAGAIN;
    if (!conn->up[!from] || conn->lost)
        return 0;
    if (item && item->largest > conn->ends[END_WORKER]->stage->largest) {
        drop_oversized (conn);
        return 0;
    }
    enqueue (conn, !from, generation, data, size, item);
    return 0;
}

message_t *
sim_read (conn_t *conn, int end)
{
    queue_t *queue = &conn->to[end];
    message_t *message = queue->head;
    if (!message || message->arrival > conn->ends[0]->world->now)
        return NULL;
    queue->head = message->next;
    if (!queue->head)
        queue->tail = NULL;
    return message;
}

void
sim_connect_later (conn_t *conn, int delay)
{
    world_t *world = conn->ends[0]->world;
    if (conn->connecting)
        return;
    conn->connecting = true;
    sim_push (world, world->now + delay, EVENT_CONNECT,
              conn_index (world, conn), 0, 0);
}

static bool
is_turning (const proc_t *proc)
{
    return proc->running && !proc->paused;
}

void
sim_on_connect (conn_t *conn)
{
    world_t *world = conn->ends[0]->world;
    conn->connecting = false;
    if (!conn->ends[END_WORKER]->running || conn->up[END_WORKER] ||
        conn->dead_socket)
        return;
    if (!is_turning (conn->ends[END_WORKER]) ||
        !is_turning (conn->ends[END_UPSTREAM]) || world->now < conn->heal_at) {
        sim_connect_later (conn, rand_in (&world->rand, 30, 80));
        return;
    }
    if (conn->up[END_UPSTREAM]) {
        conn->ghost = conn->generation;
        conn->ghost_until =
            world->now + rand_in (&world->rand, 0, HEARTBEAT_MS);
    }
    conn->generation++;
    conn->lost = false;
    conn->up[END_WORKER] = conn->up[END_UPSTREAM] = true;
    conn->last[0] = conn->last[1] = 0;
    sim_trace (world, "conn %u: up, generation %u", conn_index (world, conn),
               conn->generation);
}

void
sim_on_drop (conn_t *conn, int end, uint32_t generation)
{
    world_t *world = conn->ends[0]->world;
    if (generation != conn->generation || !conn->up[end])
        return;
    conn->up[end] = false;
    if (end == END_WORKER)
        sim_connect_later (conn, rand_in (&world->rand, 5, 50));
}

static void
drop_later (conn_t *conn, int end, int delay)
{
    world_t *world = conn->ends[0]->world;
    if (conn->up[end])
        sim_push (world, world->now + delay, EVENT_DROP,
                  conn_index (world, conn), (unsigned)end, conn->generation);
}

//  A reset: both ends know at once or in a moment.
void
sim_cut (conn_t *conn)
{
    world_t *world = conn->ends[0]->world;
    lose_in_flight (conn);
    conn->lost = true;
    drop_later (conn, END_WORKER, rand_in (&world->rand, 0, 5));
    drop_later (conn, END_UPSTREAM, rand_in (&world->rand, 0, 5));
}

//  Nobody is told. TCP makes good a short one; after a long one the heartbeats
//  have given up.
void
sim_cut_silently (conn_t *conn, int duration)
{
    world_t *world = conn->ends[0]->world;
    if (duration < HEARTBEAT_MS) {
        conn->hold_until = world->now + duration;
        return;
    }
    lose_in_flight (conn);
    conn->lost = true;
    conn->heal_at = world->now + duration;
    for (int end = 0; end < 2; end++)
        drop_later (conn, end, HEARTBEAT_MS + rand_in (&world->rand, 0, 100));
}

//  A process is gone, kill -9 or not: what it sent still arrives, its peers
//  learn of it in milliseconds.
void
sim_gone (proc_t *proc)
{
    world_t *world = proc->world;
    for (unsigned i = 0; i < world->conn_count; i++) {
        conn_t *conn = &world->conns[i];
        for (int end = 0; end < 2; end++) {
            if (conn->ends[end] != proc)
                continue;
            drop_later (conn, !end, rand_in (&world->rand, 1, 8));
            conn->up[end] = false;
            sim_clear (world, &conn->to[end]);
            if (end == END_WORKER)
                conn->dead_socket = false;
        }
    }
}

//  A process has been stopped for so long that its peers' heartbeats gave up.
void
sim_on_heartbeats (proc_t *proc)
{
    world_t *world = proc->world;
    for (unsigned i = 0; i < world->conn_count; i++) {
        conn_t *conn = &world->conns[i];
        for (int end = 0; end < 2; end++)
            if (conn->ends[end] == proc && conn->up[!end])
                sim_on_drop (conn, !end, conn->generation);
    }
}

void
sim_reopen (conn_t *conn)
{
    world_t *world = conn->ends[0]->world;
    drop_later (conn, END_UPSTREAM, rand_in (&world->rand, 0, 5));
    conn->up[END_WORKER] = false;
    conn->dead_socket = false;
    sim_clear (world, &conn->to[END_WORKER]);
    sim_connect_later (conn, rand_in (&world->rand, 1, 20));
}

int32_t
sim_next_arrival (const proc_t *proc)
{
    int32_t next = NEVER;
    for (unsigned i = 0; i < proc->conn_count; i++) {
        const message_t *head = proc->conns[i]->to[END_WORKER].head;
        if (head)
            next = WEFT_MIN (next, head->arrival);
    }
    for (unsigned i = 0; i < proc->down_count; i++) {
        const message_t *head = proc->downs[i]->to[END_UPSTREAM].head;
        if (head)
            next = WEFT_MIN (next, head->arrival);
    }
    return next;
}
