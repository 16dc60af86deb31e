//  link_rig.h - one upstream end and some workers on a table, wired by hand.
//
//  A test moves time and frames itself: nothing happens between two calls.
//  Workers are whole custody objects (of a last stage, or with branches of
//  their own); what their function and child answer is the test's choice.

#ifndef LINK_RIG_H_INCLUDED
#define LINK_RIG_H_INCLUDED

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
//  cmocka wants the ones above first.
#include <cmocka.h>

#include "weft_custody.h"

enum {
    RIG_WORKERS = 4,
    RIG_ROOM = 256,
    RIG_FRAME = 1024,
    RIG_BEAT = 100,
    RIG_STALL = 1000
};

typedef struct rig rig_t;

//  An alert on the table.
typedef struct {
    int id;
    int refs;
    size_t bytes;
} rig_item_t;

typedef struct {
    uint8_t data[RIG_FRAME];
    size_t size;
    void *item;
} rig_message_t;

typedef struct {
    rig_message_t ring[RIG_ROOM];
    unsigned head, count;
} rig_queue_t;

typedef struct {
    rig_t *rig;
    weft_custody_t *custody;
    uint32_t link;
    uint64_t peer;     //  its routing id; 0: not connected
    bool unreachable;  //  the upstream's sends to it fail
    bool cut;          //  its own sends fail
    rig_queue_t in;
    rig_queue_t out;
    weft_held_t *hand[RIG_ROOM];  //  dispatched
    unsigned hand_count;
    weft_held_t *isolated;  //  with the child
    bool canary;            //  the canary runs
    unsigned canaries, kills, reopened;
    uint64_t down_peer[4];  //  who sits on our own branches
} rig_worker_t;

struct rig {
    int64_t now;
    weft_upstream_t *up;
    rig_worker_t workers[RIG_WORKERS];
    uint64_t peers;
    //  What came out of the upstream end.
    int outcome[RIG_ROOM];  //  by id: -1 open, else weft_outcome_t
    int settles[RIG_ROOM];  //  how often
    int buried[RIG_ROOM];   //  the code of its dead letter
    weft_grave_t *graves[RIG_ROOM];
    unsigned grave_count;
    bool slow_grave;  //  the test buries by hand
    unsigned events[64];
};

static rig_item_t *
rig_item (int id, size_t bytes)
{
    rig_item_t *item = malloc (sizeof *item);
    *item = (rig_item_t){ id, 1, bytes };
    return item;
}

static weft_item_t
rig_ref (rig_item_t *item)
{
    item->refs++;
    return (weft_item_t){ item, item->bytes, item->bytes };
}

static void
rig_unref (void *arg, void *item)
{
    (void)arg;
    rig_item_t *self = item;
    if (--self->refs == 0)
        free (self);
}

static void
rig_put (rig_queue_t *queue, const void *data, size_t size, void *item)
{
    assert_true (queue->count < RIG_ROOM && size <= RIG_FRAME);
    rig_message_t *message =
        &queue->ring[(queue->head + queue->count++) % RIG_ROOM];
    memcpy (message->data, data, size);
    message->size = size;
    message->item = item;
    if (item)
        ((rig_item_t *)item)->refs++;
}

static rig_message_t *
rig_take (rig_queue_t *queue)
{
    if (queue->count == 0)
        return NULL;
    rig_message_t *message = &queue->ring[queue->head++ % RIG_ROOM];
    queue->count--;
    return message;
}

static void
rig_clear (rig_queue_t *queue)
{
    for (rig_message_t *message; (message = rig_take (queue));)
        if (message->item)
            rig_unref (NULL, message->item);
}

//  The type of the last frame in a queue, or 0.
WEFT_UNUSED static weft_link_type_t
rig_last (const rig_queue_t *queue)
{
    weft_link_frame_t frame;
    const rig_message_t *message =
        &queue->ring[(queue->head + queue->count - 1) % RIG_ROOM];
    if (queue->count == 0 ||
        weft_link_decode (&frame, message->data, message->size))
        return 0;
    return frame.type;
}

static int
rig_up_send (
    void *arg, uint64_t peer, const void *header, size_t size, void *item)
{
    rig_t *rig = arg;
    for (unsigned i = 0; i < RIG_WORKERS; i++) {
        rig_worker_t *worker = &rig->workers[i];
        if (worker->peer != peer || worker->unreachable)
            continue;
        rig_put (&worker->in, header, size, item);
        return 0;
    }
    return WEFT_EDOWN;
}

static void
rig_up_settled (void *arg, void *tag, weft_outcome_t outcome)
{
    rig_t *rig = arg;
    int id = (int)(intptr_t)tag;
    rig->outcome[id] = (int)outcome;
    rig->settles[id]++;
}

static void
rig_up_bury (void *arg,
             weft_grave_t *grave,
             void *tag,
             const char *stage,
             void *item,
             int code,
             const char *reason)
{
    (void)tag, (void)stage, (void)reason;
    rig_t *rig = arg;
    rig->buried[((rig_item_t *)item)->id] = code;
    if (rig->slow_grave)
        rig->graves[rig->grave_count++] = grave;
    else
        weft_upstream_buried (rig->up, rig->now, grave);
}

static void
rig_up_event (void *arg, const weft_link_event_t *event)
{
    rig_t *rig = arg;
    rig->events[event->id]++;
}

static int
rig_send (void *arg, uint32_t link, const void *header, size_t size)
{
    rig_worker_t *worker = arg;
    (void)link;
    if (worker->cut || worker->peer == 0)
        return WEFT_EAGAIN;
    rig_put (&worker->out, header, size, NULL);
    return 0;
}

//  The new socket has a new routing id.
static void
rig_reopen (void *arg, uint32_t link)
{
    rig_worker_t *worker = arg;
    (void)link;
    worker->reopened++;
    worker->peer = ++worker->rig->peers;
    worker->unreachable = false;
    rig_clear (&worker->in);
    rig_clear (&worker->out);
}

static void
rig_dispatch (void *arg, weft_held_t *held, void *item)
{
    rig_worker_t *worker = arg;
    (void)item;
    assert_true (worker->hand_count < RIG_ROOM);
    worker->hand[worker->hand_count++] = held;
}

static void
rig_isolate (void *arg, weft_held_t *held, void *item)
{
    rig_worker_t *worker = arg;
    (void)item;
    assert_null (worker->isolated);
    worker->isolated = held;
}

static void
rig_canary (void *arg, void *item)
{
    rig_worker_t *worker = arg;
    (void)item;
    assert_false (worker->canary);
    worker->canary = true;
    worker->canaries++;
}

static void
rig_kill_child (void *arg)
{
    rig_worker_t *worker = arg;
    worker->kills++;
}

//  Alerts that a worker forwards to its own branches go nowhere by themselves.
static int
rig_down_send (
    void *arg, uint64_t peer, const void *header, size_t size, void *item)
{
    (void)arg, (void)peer, (void)header, (void)size, (void)item;
    return 0;
}

static void
rig_down_bury (void *arg,
               weft_grave_t *grave,
               void *tag,
               const char *stage,
               void *item,
               int code,
               const char *reason)
{
    (void)tag, (void)stage, (void)item, (void)code, (void)reason;
    rig_worker_t *worker = arg;
    weft_upstream_buried (weft_custody_upstream (worker->custody),
                          worker->rig->now, grave);
}

WEFT_UNUSED static weft_upstream_config_t
rig_up_config (void)
{
    return (weft_upstream_config_t){
        .boot = 77,
        .branch_count = 1,
        .branches = { { "stage", WEFT_LOSSLESS } },
        .beat_ms = RIG_BEAT,
        .max_alerts = 512,
    };
}

static void
rig_up (rig_t *rig, const weft_upstream_config_t *config)
{
    weft_upstream_ops_t ops = { .send = rig_up_send,
                                .settled = rig_up_settled,
                                .bury = rig_up_bury,
                                .unref = rig_unref,
                                .event = rig_up_event };
    weft_upstream_destroy (&rig->up);
    rig->up = weft_upstream_new (config, &ops, rig, rig->now);
}

static rig_t *
rig_new (const weft_upstream_config_t *config)
{
    rig_t *rig = calloc (1, sizeof *rig);
    rig->now = 10000;
    for (unsigned i = 0; i < RIG_ROOM; i++)
        rig->outcome[i] = -1;
    rig_up (rig, config);
    return rig;
}

WEFT_UNUSED static weft_custody_config_t
rig_worker_config (uint64_t boot)
{
    return (weft_custody_config_t){
        .worker = { .stage = "stage",
                    .boot = boot,
                    .hash = 1,
                    .ceiling = 8,
                    .ceiling_bytes = 8000,
                    .largest = 5000,
                    .beat_ms = RIG_BEAT,
                    .stall_ms = RIG_STALL,
                    .max_links = 4 },
    };
}

//  Starts a worker with one open link to the upstream.
static rig_worker_t *
rig_worker (rig_t *rig, unsigned index, const weft_custody_config_t *config)
{
    rig_worker_t *worker = &rig->workers[index];
    weft_worker_ops_t ops = { .send = rig_send,
                              .reopen = rig_reopen,
                              .dispatch = rig_dispatch,
                              .isolate = rig_isolate,
                              .canary = rig_canary,
                              .kill_child = rig_kill_child,
                              .unref = rig_unref };
    weft_upstream_ops_t down = { .send = rig_down_send,
                                 .bury = rig_down_bury,
                                 .unref = rig_unref };
    worker->rig = rig;
    worker->custody = weft_custody_new (config, &ops, &down, worker, rig->now);
    worker->peer = ++rig->peers;
    worker->link = (uint32_t)weft_worker_open (
        weft_custody_worker (worker->custody), rig->now);
    return worker;
}

//  The process is gone: its connection with it.
WEFT_UNUSED static void
rig_kill (rig_worker_t *worker)
{
    //  What is in the function's hands dies with the process.
    for (unsigned i = 0; i < worker->hand_count; i++)
        weft_custody_returned (worker->custody, worker->rig->now,
                               worker->hand[i], WEFT_EIO, NULL);
    if (worker->isolated)
        weft_custody_isolated (worker->custody, worker->rig->now,
                               WEFT_CHILD_RETURNED, WEFT_EIO, NULL);
    weft_custody_destroy (&worker->custody);
    rig_clear (&worker->in);
    rig_clear (&worker->out);
    rig_t *rig = worker->rig;
    memset (worker, 0, sizeof *worker);
    worker->rig = rig;
}

static void
rig_free (rig_t *rig)
{
    for (unsigned i = 0; i < RIG_WORKERS; i++)
        if (rig->workers[i].custody)
            rig_kill (&rig->workers[i]);
    weft_upstream_destroy (&rig->up);
    free (rig);
}

static void
rig_deliver_to_worker (rig_worker_t *worker)
{
    for (rig_message_t *message; (message = rig_take (&worker->in));) {
        weft_item_t item = { message->item, 0, 0 };
        if (message->item)
            item.bytes = item.largest = ((rig_item_t *)message->item)->bytes;
        weft_worker_recv (weft_custody_worker (worker->custody),
                          worker->rig->now, worker->link, message->data,
                          message->size, message->item ? &item : NULL);
    }
}

static void
rig_deliver_to_up (rig_worker_t *worker)
{
    for (rig_message_t *message; (message = rig_take (&worker->out));)
        weft_upstream_recv (worker->rig->up, worker->rig->now, worker->peer,
                            message->data, message->size);
}

//  One turn of every loop, and all frames arrive.
static void
rig_turn (rig_t *rig)
{
    for (unsigned i = 0; i < RIG_WORKERS; i++) {
        rig_worker_t *worker = &rig->workers[i];
        if (!worker->custody)
            continue;
        rig_deliver_to_worker (worker);
        weft_custody_tick (worker->custody, rig->now);
        weft_custody_flush (worker->custody, rig->now);
        rig_deliver_to_up (worker);
    }
    weft_upstream_tick (rig->up, rig->now);
    weft_upstream_flush (rig->up, rig->now);
}

//  Turns until nothing moves any more.
WEFT_UNUSED static void
rig_run (rig_t *rig)
{
    for (unsigned i = 0; i < 6; i++)
        rig_turn (rig);
}

//  Time goes on in steps of half a beat, with turns in between.
WEFT_UNUSED static void
rig_wait (rig_t *rig, int64_t ms)
{
    for (int64_t end = rig->now + ms; rig->now < end;) {
        rig->now += RIG_BEAT / 2;
        rig_turn (rig);
    }
    rig_run (rig);
}

WEFT_UNUSED static void
rig_submit (rig_t *rig, int id, size_t bytes)
{
    weft_item_t item = { rig_item (id, bytes), bytes, bytes };
    assert_int_equal (weft_upstream_submit (rig->up, rig->now, &item,
                                            (void *)(intptr_t)id,
                                            WEFT_ALL_BRANCHES),
                      0);
}

//  The function returns for the oldest alert in its hands; returns its id.
WEFT_UNUSED static int
rig_return (rig_worker_t *worker, int rc)
{
    assert_true (worker->hand_count > 0);
    weft_held_t *held = worker->hand[0];
    memmove (worker->hand, worker->hand + 1,
             --worker->hand_count * sizeof worker->hand[0]);
    rig_item_t *item = weft_held_item (held);
    int id = item->id;
    weft_item_t out = rig_ref (item);
    weft_custody_returned (worker->custody, worker->rig->now, held, rc, &out);
    return id;
}

WEFT_UNUSED static void
rig_return_all (rig_worker_t *worker, int rc)
{
    while (worker->hand_count > 0)
        (void)rig_return (worker, rc);
}

//  The child's job ends.
WEFT_UNUSED static int
rig_child (rig_worker_t *worker, weft_child_t how, int rc)
{
    assert_non_null (worker->isolated);
    rig_item_t *item = weft_held_item (worker->isolated);
    int id = item->id;
    weft_item_t out = rig_ref (item);
    worker->isolated = NULL;
    weft_custody_isolated (worker->custody, worker->rig->now, how, rc, &out);
    return id;
}

WEFT_UNUSED static void
rig_canary_ends (rig_worker_t *worker, bool passed)
{
    assert_true (worker->canary);
    worker->canary = false;
    weft_worker_canary (weft_custody_worker (worker->custody), worker->rig->now,
                        passed);
}

WEFT_UNUSED static const weft_worker_stats_t *
rig_stats (const rig_worker_t *worker)
{
    return weft_worker_stats (weft_custody_worker (worker->custody));
}

//  A peer written by hand: frames of a worker that is no object, into any
//  upstream end.
typedef struct {
    weft_upstream_t *up;
    uint64_t peer;
    uint64_t boot;
    uint64_t done;
    uint32_t limit, version;
} rig_hand_t;

WEFT_UNUSED static uint64_t
rig_session (const weft_upstream_t *up, uint64_t peer)
{
    weft_session_info_t info;
    for (uint32_t i = 0; weft_upstream_session (up, i, &info); i++)
        if (info.peer == peer)
            return info.id;
    return 0;
}

WEFT_UNUSED static void
rig_say (const rig_hand_t *hand, int64_t now, weft_link_frame_t frame)
{
    uint8_t bytes[WEFT_LINK_HEADER_MAX];
    frame.done = hand->done;
    frame.limit = hand->limit;
    frame.limit_version = hand->version;
    frame.limit_bytes = 1000000;
    if (!frame.session && frame.type != WEFT_LINK_HELLO)
        frame.session = rig_session (hand->up, hand->peer);
    int size = weft_link_encode (&frame, bytes, sizeof bytes);
    assert_true (size > 0);
    weft_upstream_recv (hand->up, now, hand->peer, bytes, (size_t)size);
}

WEFT_UNUSED static void
rig_hello (const rig_hand_t *hand,
           int64_t now,
           const char *stage,
           uint64_t hash)
{
    rig_say (hand, now,
             (weft_link_frame_t){ .type = WEFT_LINK_HELLO,
                                  .nonce = 5,
                                  .boot = hand->boot,
                                  .hash = hash,
                                  .largest = 5000,
                                  .beat_ms = RIG_BEAT,
                                  .stall_ms = RIG_STALL,
                                  .stage = weft_link_text (stage) });
}

//  SETTLE or RETRY of `count` numbers from `first`.
WEFT_UNUSED static void
rig_runs (const rig_hand_t *hand,
          int64_t now,
          weft_link_type_t type,
          uint64_t session,
          weft_link_run_t run)
{
    uint8_t bytes[WEFT_LINK_RUN_SIZE];
    weft_link_put_run (bytes, &run);
    rig_say (
        hand, now,
        (weft_link_frame_t){
            .type = type, .session = session, .run_count = 1, .runs = bytes });
}

#endif
