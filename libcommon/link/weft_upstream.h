//  weft_upstream.h - the upstream end of custody links: holds every alert
//  until all its branches have settled it.
//
//  A pure state machine: no socket, no clock. Time (monotonic milliseconds)
//  comes with every event; what is to be done goes out by the callbacks of
//  weft_upstream_ops_t. One per process, behind one ROUTER socket; its
//  branches are the stages listed under `outputs`, its peers their workers.
//  Belongs to the thread of the stage's loop. Proto/link.v1.md is the text.
//
//  What the shell must do around it (libcommon/mesh):
//  - ROUTER with ROUTER_MANDATORY, LINGER 0, SNDHWM 0, MAXMSGSIZE, ZMTP
//    heartbeats 500/1500 ms; every send DONTWAIT. `peer` is the routing id as
//    a number (libzmq makes 5 bytes: 0 and 32 bits), never reused in a life.
//  - each poll turn: read the socket dry, one weft_upstream_recv per message
//    (its first frame; workers send nothing else), then the work of the turn,
//    then weft_upstream_tick, then weft_upstream_flush. A turn at least each
//    beat_ms / 4. Reading dry before the tick is what makes the machine fair
//    after an absence; it renews all deadlines itself when a tick is late (of
//    late ticks in a row each but the first counts as one beat of silence).
//  - EHOSTUNREACH is the return value WEFT_EDOWN of `send`.
//  - no callback may call back into the machine, `settled` and `bury` may
//    call weft_upstream_buried and nothing else.

#ifndef WEFT_UPSTREAM_H_INCLUDED
#define WEFT_UPSTREAM_H_INCLUDED

#include "weft_link_event.h"
#include "weft_link_frame.h"

typedef struct weft_upstream weft_upstream_t;

//  One alert on one branch that waits for its dead letter to be durable.
typedef struct weft_copy weft_grave_t;

enum {
    WEFT_BRANCHES_MAX = 8,
    WEFT_ALL_BRANCHES = (1 << WEFT_BRANCHES_MAX) - 1,
};

typedef enum {
    WEFT_LOSSLESS,  //  holds the alert until it is settled
    WEFT_SAMPLE,    //  a tap: gets what its window has room for, never holds
} weft_policy_t;

typedef struct {
    const char *stage;  //  copied
    weft_policy_t policy;
} weft_branch_config_t;

typedef struct {
    uint64_t boot;  //  random, new in each life of the process
    uint32_t branch_count;
    weft_branch_config_t branches[WEFT_BRANCHES_MAX];
    uint32_t beat_ms;      //  interval of beats; 0: 250
    uint32_t max_alerts;   //  alerts in custody; 0: 4096
    size_t max_bytes;      //  bytes in custody; 0: 256 MiB
    uint32_t max_peers;    //  sessions at a time; 0: 64
    uint32_t largest;      //  our own MAXMSGSIZE, told in WELCOME; 0: 64 MiB
    uint32_t reject_ring;  //  verdicts that are looked back on; 0: 200
} weft_upstream_config_t;

typedef struct {
    //  Sends a header, and after it the frames of `item` unless NULL (both
    //  borrowed until it returns; frames go out by reference). 0; WEFT_EDOWN
    //  for EHOSTUNREACH: the peer is gone and nothing was sent; WEFT_EAGAIN:
    //  nothing was sent, try again next turn.
    int (*send) (
        void *arg, uint64_t peer, const void *header, size_t size, void *item);
    //  Every lossless branch has settled the alert that was submitted with
    //  `tag`; `outcome` is the worst of theirs. The machine forgets the alert
    //  and drops its item right after.
    void (*settled) (void *arg, void *tag, weft_outcome_t outcome);
    //  A verdict on `item` (borrowed until weft_upstream_buried) by `stage`:
    //  write it to dlq:{stage}, then call weft_upstream_buried, at once or
    //  later. Until then the alert stays in custody. `reason` is borrowed
    //  until the callback returns. `tag` is the one of the submit.
    void (*bury) (void *arg,
                  weft_grave_t *grave,
                  void *tag,
                  const char *stage,
                  void *item,
                  int code,
                  const char *reason);
    //  May this worker come in? 0 or a weft_refuse_t with a static reason.
    //  NULL: every worker of a listed stage may.
    int (*admit) (void *arg,
                  const weft_link_frame_t *hello,
                  const char **reason);
    //  Drops the machine's reference to an item.
    void (*unref) (void *arg, void *item);
    //  For the log; may be NULL.
    void (*event) (void *arg, const weft_link_event_t *event);
} weft_upstream_ops_t;

//  Returns new: an upstream end without alerts or peers, or NULL without
//  memory. Copies both structs; borrows `arg` for life.
WEFT_NEW weft_upstream_t *
weft_upstream_new (const weft_upstream_config_t *config,
                   const weft_upstream_ops_t *ops,
                   void *arg,
                   int64_t now);

//  Drops all items. Sends nothing: weft_upstream_bye first, to be polite.
void weft_upstream_destroy (weft_upstream_t **self_p);

//  Puts one alert into custody, to go to the branches of the mask (bit i is
//  branch i; WEFT_ALL_BRANCHES for all; a replayed dead letter goes to one).
//  Takes item->item on 0. WEFT_EAGAIN at the ceiling: the caller keeps it and
//  comes again after a `settled`. An empty upstream takes any alert. With no
//  lossless branch in the mask it is settled before this returns.
WEFT_CHECK int weft_upstream_submit (weft_upstream_t *self,
                                     int64_t now,
                                     const weft_item_t *item,
                                     void *tag,
                                     uint32_t branches);

//  One message from a peer: its first frame.
void weft_upstream_recv (weft_upstream_t *self,
                         int64_t now,
                         uint64_t peer,
                         const void *data,
                         size_t size);

//  The shell knows that a peer is gone without having sent (ZMTP monitor,
//  ZAP). Optional: the next beat finds it out.
void weft_upstream_lost (weft_upstream_t *self, int64_t now, uint64_t peer);

//  Beats, and judges who is silent.
void weft_upstream_tick (weft_upstream_t *self, int64_t now);

//  Sends what windows have room for, and due echoes.
void weft_upstream_flush (weft_upstream_t *self, int64_t now);

//  The dead letter is durable (or the alert could not be kept: say so in the
//  log). May be called inside `bury`.
void
weft_upstream_buried (weft_upstream_t *self, int64_t now, weft_grave_t *grave);

//  Tells every peer BYE and ends all sessions; what they held is queued again.
void weft_upstream_bye (weft_upstream_t *self, int64_t now);

//  The operator releases a branch that is held for its rejects.
void
weft_upstream_release (weft_upstream_t *self, int64_t now, uint32_t branch);

//  The alert that is longest in custody, for who judges what is stuck.
typedef struct {
    void *tag;
    void *item;          //  borrowed until the next event
    int64_t age_ms;      //  since submit
    uint64_t overtaken;  //  alerts submitted later that are settled: at least
    uint32_t waiting;    //  mask of branches that have not settled it
} weft_oldest_t;

//  False if nothing is in custody.
bool weft_upstream_oldest (const weft_upstream_t *self,
                           int64_t now,
                           weft_oldest_t *oldest);

//  The judge's verdict (rule `stuck`): the oldest alert is forgotten without
//  a `settled`; its caller has made a dead letter of it and knows its tag.
//  What workers still do with it settles nothing any more. WEFT_EAGAIN while
//  a dead letter of it is being written.
WEFT_CHECK int weft_upstream_abandon_oldest (weft_upstream_t *self,
                                             int64_t now);

//  How a branch stands, for /readyz, metrics and `weft ps`.
typedef struct {
    const char *stage;
    weft_policy_t policy;
    uint32_t peers;      //  live sessions
    uint64_t window;     //  sum of their limits
    uint64_t unsettled;  //  sent and not settled
    uint64_t queued;     //  in custody and not sent
    uint64_t burying;    //  dead letters being written
    bool held;           //  too many rejects: page somebody
} weft_branch_info_t;

void weft_upstream_branch (const weft_upstream_t *self,
                           uint32_t branch,
                           weft_branch_info_t *info);

//  One of the sessions (stats->peers of them), for `weft ps` and tests.
typedef struct {
    uint64_t id;
    uint64_t peer;  //  routing id
    uint64_t boot;
    uint64_t hash;  //  what its worker computes, as it said at HELLO
    uint32_t branch;
    uint32_t limit;      //  that its worker told
    uint32_t unsettled;  //  alerts that it has
    uint64_t unsettled_bytes;
    bool draining;
} weft_session_info_t;

//  False if there are not so many.
bool weft_upstream_session (const weft_upstream_t *self,
                            uint32_t index,
                            weft_session_info_t *info);

typedef struct {
    uint64_t alerts;     //  gauge: in custody
    uint64_t bytes;      //  gauge
    uint64_t peers;      //  gauge
    uint64_t submitted;  //  counters from here on
    uint64_t settled;    //  with outcome settled
    uint64_t dead;       //  with outcome dead
    uint64_t sent;       //  ALERT frames
    uint64_t redelivered_death;
    uint64_t redelivered_bye;
    uint64_t redelivered_retry;
    uint64_t suspects;  //  alerts that came back from a death as suspects
    uint64_t rejected;  //  verdicts taken
    uint64_t too_big;
    uint64_t sampled_out;  //  what taps did not get
    uint64_t strays;       //  frames of a session that is not the peer's
    uint64_t not_held;     //  settles of what their session does not hold
    uint64_t malformed;
    uint64_t deaths;
    uint64_t refused;
} weft_upstream_stats_t;

const weft_upstream_stats_t *weft_upstream_stats (const weft_upstream_t *self);

//  Could some alert in custody still be settled by the peers that are there?
//  False ends a drain.
bool weft_upstream_alive (const weft_upstream_t *self);

#endif
