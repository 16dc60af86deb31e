//  weft_worker_parts.h - what the files of the worker end share.
//
//  An alert in this process is a `held`; it belongs to the link (session) it
//  came by until it is settled, given back or judged, or until that session
//  ends: then it is an orphan, finished by whoever has it in hands and told to
//  nobody. Private to weft_worker*.c. The thread of the worker, which is the
//  loop's.

#ifndef WEFT_WORKER_PARTS_H_INCLUDED
#define WEFT_WORKER_PARTS_H_INCLUDED

#include "weft_link_mutation.h"
#include "weft_worker.h"

typedef struct weft_held held_t;
typedef struct weft_link link_t;

typedef enum {
    HELD_DISPATCHED,  //  with the function, in this or the next turn
    HELD_WAITING,     //  for a dependency: dispatched again at the next beat
    HELD_SUSPECT,     //  in the isolation queue
    HELD_ISOLATED,    //  with the child
    HELD_VERDICT,     //  a reject that no canary has confirmed yet
    HELD_JUDGED,      //  a confirmed reject that is not sent yet
    HELD_FORWARDED,   //  with the branches, or before its commit
} held_state_t;

struct weft_held {
    held_t *prev;  //  in the list of its state; `next` links free ones, too
    held_t *next;
    held_t *link_prev;  //  in its link's chain, or the orphans'
    held_t *link_next;
    link_t *link;  //  NULL: an orphan
    void *item;
    size_t bytes;
    uint64_t seq;
    uint64_t epoch;  //  VERDICT: canaries started when it came
    char *reason;
    int code;
    uint8_t kills;  //  times that its child was killed from outside
    uint8_t state;
    bool suspect;
};

typedef struct {
    held_t *head;
    held_t *tail;
    uint64_t count;
} list_t;

//  Sequence numbers that wait to be told, in runs.
typedef struct {
    weft_link_run_t *runs;
    uint32_t count;
    uint32_t room;
    uint32_t alerts;  //  in all runs
} runs_t;

//  A number of alerts and their bytes: a limit, or what is held.
typedef struct {
    uint64_t alerts;
    uint64_t bytes;
} share_t;

//  The alerts of one session, or all orphans, oldest first.
typedef struct {
    held_t *head;
    held_t *tail;
    share_t sum;
} chain_t;

struct weft_link {
    bool open;  //  the slot is in use
    uint32_t number;
    weft_link_state_t state;
    uint64_t session;
    uint64_t nonce;
    uint64_t hash;  //  that its last HELLO told
    uint64_t boot;  //  the upstream's
    uint32_t upstream_largest;
    uint32_t silent_ms;  //  silence that means gone: 3 beats of the slower end
    uint32_t patience;   //  doublings of it: it was busy, not gone
    int64_t waits_ms;    //  the silence, so doubled, of one that is LIVE
    bool given_up;       //  for silence, since it was LIVE
    int64_t heard_at;    //  or since when we wait
    int64_t retry_at;    //  after a REFUSE
    uint64_t done;
    uint64_t last_seq;

    share_t limit;     //  the current one, `version`
    share_t previous;  //  the one before, counts until the echo
    uint32_t version;  //  of limit
    uint32_t told;     //  the last version that a frame carried
    uint32_t echoed;   //  the last version that the upstream has read
    chain_t held;      //  alerts of this session in our custody
    runs_t settles;
    runs_t retries;
};

typedef enum { CHILD_IDLE, CHILD_ALERT, CHILD_CANARY } child_state_t;

struct weft_worker {
    weft_worker_config_t config;
    weft_worker_ops_t ops;
    void *arg;
    weft_worker_stats_t stats;
    char stage[WEFT_LINK_NAME_MAX + 1];
    char contracts[WEFT_LINK_CONTRACTS_MAX][WEFT_LINK_NAME_MAX + 1];
    uint32_t contract_count;

    link_t *links;        //  max_links
    uint32_t link_count;  //  slots ever used
    uint64_t nonces;
    chain_t orphans;
    list_t waiting;
    list_t suspects;
    list_t verdicts;
    list_t judged;
    held_t *free_helds;
    bool share_due;  //  limits are to be worked out anew
    uint32_t beats;
    uint32_t turn;  //  who gets what cannot be shared evenly

    child_state_t child;
    held_t *child_held;
    int64_t child_since;
    bool child_killed;
    bool child_canary_last;  //  the child's last job was a canary
    bool canary_due;         //  broken: again at this beat
    uint64_t canary_epoch;   //  canaries started
    void *last_item;         //  the last alert finished: the next canary

    int unread;  //  what is wrong with the alert that comes; 0: it is one

    int64_t last_tick;
    int64_t next_beat;
};

//  weft_worker_held.c: alerts in custody and what becomes of them.

void weft_worker_accept (weft_worker_t *self,
                         link_t *link,
                         const weft_link_frame_t *frame,
                         const weft_item_t *item);
void weft_worker_orphan_all (weft_worker_t *self, link_t *link);

//  Gives back by RETRY all that the function has not been asked about, and
//  all verdicts: it is the worker that is broken.
void weft_worker_give_back_all (weft_worker_t *self);

//  Dispatches what waited for a dependency.
void weft_worker_wake (weft_worker_t *self);

//  A verdict was sent: the alert is gone.
void weft_worker_release (weft_worker_t *self, held_t *held);
void weft_worker_unlist (list_t *list, held_t *held);
void weft_worker_enlist (list_t *list, held_t *held, bool front);
void weft_worker_free_helds (weft_worker_t *self);

//  weft_worker_child.c: the isolation child's jobs.

void weft_worker_start_child (weft_worker_t *self, int64_t now);
void weft_worker_watch_child (weft_worker_t *self, int64_t now);

//  weft_worker_limit.c: one ceiling, shared.

void weft_worker_share (weft_worker_t *self);

//  weft_worker_send.c: frames out.

//  Adds a number to what is to be told; sends early when that is half a
//  window.
void weft_worker_gather (weft_worker_t *self,
                         link_t *link,
                         bool settle,
                         uint64_t seq,
                         weft_outcome_t outcome);

//  Sends everything that is due on a link. Stops at the first failure: that
//  upstream is gone, and what was not sent waits for its silence to end it.
void weft_worker_send_due (weft_worker_t *self, link_t *link, int64_t now);

//  Sends a frame that has no body beyond what it says; 0 or WEFT_EAGAIN.
WEFT_CHECK int
weft_worker_post (weft_worker_t *self, link_t *link, weft_link_frame_t *frame);
void weft_worker_event (const weft_worker_t *self,
                        weft_link_event_id_t id,
                        const link_t *link,
                        uint64_t value,
                        int code,
                        const char *text);

//  weft_worker_leave.c: BYE, and what is in hand is handed back.
void weft_worker_leave (weft_worker_t *self, link_t *link);

//  weft_worker.c: the session ended; what it held is orphaned or dropped.
void weft_worker_end (weft_worker_t *self, link_t *link);

#endif
