//  weft_worker.h - the worker end of custody links: one ceiling over all
//  upstreams, in alerts and bytes.
//
//  A pure state machine: no socket, no clock. Time (monotonic milliseconds)
//  comes with every event; what is to be done goes out by the callbacks of
//  weft_worker_ops_t. One per process; each upstream instance is one link
//  with one DEALER socket. Belongs to the thread of the stage's loop, which
//  runs the stage's function, too. Stages use it inside a weft_custody_t.
//
//  What the shell must do around it (libcommon/mesh):
//  - one DEALER per link, IMMEDIATE, LINGER 0, MAXMSGSIZE = config.largest,
//    ZMTP heartbeats 500/1500 ms; every send DONTWAIT, EAGAIN is WEFT_EAGAIN.
//    Links are added by discovery and never removed by it.
//  - each poll turn: read all sockets dry (bounded by the ceiling: upstreams
//    cannot send more), one weft_worker_recv per message; run the function on
//    what was dispatched, in the order of dispatch, for a part of a beat (the
//    rest is for the next turn), and report each return; commit;
//    then tick, then flush (weft_custody_tick and _flush do both ends). A turn
//    at least each beat_ms / 4, and never wait for anything inside a turn:
//    the beat comes from this thread, so a function that hangs is silent.
//  - `reopen`: close that socket (its unread input goes with it), open a new
//    one to the same address. It may be done later, but no frame that was
//    read from the old socket may be given to the machine any more.
//  - the isolation child is the shell's; one job at a time; told to start by
//    `isolate` and `canary`, to be killed by `kill_child` (after stall_ms).
//    The answer is weft_worker_isolated or weft_worker_canary, always one per
//    job, at once or later, after a kill as well (WEFT_CHILD_HUNG).
//  - at the end: weft_worker_bye, then up to 100 ms of linger.
//  - no callback may call back into the machine.

#ifndef WEFT_WORKER_H_INCLUDED
#define WEFT_WORKER_H_INCLUDED

#include "weft_link_event.h"
#include "weft_link_frame.h"

typedef struct weft_worker weft_worker_t;

//  One alert in this process's custody, from its arrival until it is settled
//  upstream. The machine owns it; the shell borrows it between `dispatch` (or
//  `isolate`) and the report of the return.
typedef struct weft_held weft_held_t;

typedef struct {
    const char *stage;             //  copied
    const char *const *contracts;  //  NULL-terminated, copied; or NULL
    uint64_t boot;                 //  random, new in each life of the process
    uint64_t hash;                 //  of build, model and configuration
    uint32_t ceiling;              //  alerts in this process; 0: 256
    size_t ceiling_bytes;          //  bytes in this process; 0: 64 MiB
    uint32_t largest;              //  our MAXMSGSIZE; 0: 64 MiB
    uint32_t beat_ms;              //  interval of beats; 0: 250
    uint32_t stall_ms;             //  a function may take that long; 0: 10000
    uint32_t max_links;            //  upstream instances; 0: 64
} weft_worker_config_t;

//  How a job of the isolation child ended.
typedef enum {
    WEFT_CHILD_RETURNED,  //  the function returned
    WEFT_CHILD_CRASHED,   //  died of its own signal, or exited
    WEFT_CHILD_HUNG,      //  we killed it
    WEFT_CHILD_KILLED,    //  somebody else did (SIGKILL, SIGTERM)
} weft_child_t;

typedef struct {
    //  Sends one frame upstream (borrowed until it returns). 0, or WEFT_EAGAIN
    //  (or any error): that upstream is gone, nothing was sent.
    int (*send) (void *arg, uint32_t link, const void *header, size_t size);
    //  Closes the link's socket and opens a new one to the same address.
    void (*reopen) (void *arg, uint32_t link);
    //  Run the function on this alert, in the order of dispatch, in this turn
    //  or (what tick dispatches again) in the next; report by weft_custody_returned. `item` is borrowed until then.
    void (*dispatch) (void *arg, weft_held_t *held, void *item);
    //  Run the function on this alert in the isolation child; report by
    //  weft_custody_isolated. `item` is borrowed until then.
    void (*isolate) (void *arg, weft_held_t *held, void *item);
    //  Run the canary in the isolation child: `item` is the last alert that
    //  this process finished (borrowed until the result), NULL before there
    //  is one: use the stage's golden vector. Report by weft_worker_canary.
    void (*canary) (void *arg, void *item);
    //  The child has had stall_ms: kill it. Its job still gets its report,
    //  WEFT_CHILD_HUNG (or what it was a moment before the kill).
    void (*kill_child) (void *arg);
    //  Drops the machine's reference to an item.
    void (*unref) (void *arg, void *item);
    //  For the log; may be NULL.
    void (*event) (void *arg, const weft_link_event_t *event);
} weft_worker_ops_t;

//  Returns new: a worker end without links, or NULL without memory. Copies
//  both structs; borrows `arg` for life.
WEFT_NEW weft_worker_t *weft_worker_new (const weft_worker_config_t *config,
                                         const weft_worker_ops_t *ops,
                                         void *arg,
                                         int64_t now);

//  Drops all items, those in the shell's hands, too. Sends nothing:
//  weft_worker_bye first, to be polite.
void weft_worker_destroy (weft_worker_t **self_p);

//  A new upstream instance whose socket the shell has just opened: the link's
//  number, or WEFT_ETOOBIG when there are max_links. HELLO goes out at the
//  next flush.
WEFT_CHECK int weft_worker_open (weft_worker_t *self, int64_t now);

//  The shell has closed this link's socket for good. Its number is reused.
void weft_worker_close (weft_worker_t *self, int64_t now, uint32_t link);

//  One message from an upstream: its first frame and, behind an ALERT, the
//  frames after it as one item. Takes item->item, whatever the frame is;
//  `item` is NULL if there was only the first frame.
void weft_worker_recv (weft_worker_t *self,
                       int64_t now,
                       uint32_t link,
                       const void *data,
                       size_t size,
                       const weft_item_t *item);

//  The same for a message whose parts behind the header are no alert: if it is
//  an ALERT, the upstream is not at fault. Rc of class REJECT: a verdict, after
//  the canary; else it is given back.
void weft_worker_recv_unread (weft_worker_t *self,
                              int64_t now,
                              uint32_t link,
                              const void *data,
                              size_t size,
                              int rc);

//  The function returned for an alert that was dispatched, or isolated. True
//  if `rc` was 0 and the alert is now to be forwarded or committed and later
//  settled by weft_worker_settle; false if the machine has dealt with it (it
//  is held, given back, judged or forgotten) and `held` is gone for the
//  caller. Rc by class: 0; WEFT_EDOWN and WEFT_EAGAIN: held and dispatched
//  again at the next beat, limits are 0 meanwhile; other retries: RETRY;
//  reject: a verdict, after the canary; fatal codes count as retries (the
//  shell ends the process).
WEFT_CHECK bool weft_worker_returned (weft_worker_t *self,
                                      int64_t now,
                                      weft_held_t *held,
                                      int rc);

//  The isolation child's job ended; `rc` counts if `how` is RETURNED. The
//  result is as of weft_worker_returned; *held_p is the alert it was about.
WEFT_CHECK bool weft_worker_isolated (weft_worker_t *self,
                                      int64_t now,
                                      weft_child_t how,
                                      int rc,
                                      weft_held_t **held_p);

//  The canary's job ended: did the function return 0 in the child?
void weft_worker_canary (weft_worker_t *self, int64_t now, bool passed);

//  All that is downstream of this alert is settled: it goes up with the next
//  flush, and `held` is gone.
void weft_worker_settle (weft_worker_t *self,
                         weft_held_t *held,
                         weft_outcome_t outcome);

//  Instead: what was to come of it cannot be. A verdict with `reason`
//  (borrowed), after the canary; `held` is gone. `code` is one of class REJECT.
void weft_worker_refuse (weft_worker_t *self,
                         weft_held_t *held,
                         int code,
                         const char *reason);

//  A dependency of the loop itself is down (`down` true) or back: limits are
//  0 meanwhile, alerts are held, nothing is given back.
void weft_worker_depend (weft_worker_t *self, int64_t now, bool down);

//  Beats, watches the child, judges silent upstreams.
void weft_worker_tick (weft_worker_t *self, int64_t now);

//  Sends HELLOs, settlements, verdicts, changed limits; starts the child's
//  next job.
void weft_worker_flush (weft_worker_t *self, int64_t now);

//  No new work from anybody, from now on (SIGTERM).
void weft_worker_drain (weft_worker_t *self, int64_t now);

//  What this process computes has changed (another model, another
//  configuration): says BYE on every link, and HELLO with the new hash at the
//  next flush, so that an upstream that holds for our rejects may release.
//  What is in hand is handed back by that. Nothing happens if the hash is the
//  same.
void weft_worker_rehash (weft_worker_t *self, uint64_t hash);

//  Says BYE on every link, and HELLO at the next flush: the shell opens new
//  sockets. What is in hand is handed back by that.
void weft_worker_part (weft_worker_t *self);

//  Flushes, says BYE on every link and ends all sessions: what is unsettled
//  is handed back by that. Nothing may follow but destroy.
void weft_worker_bye (weft_worker_t *self, int64_t now);

typedef enum {
    WEFT_LINK_IDLE,      //  HELLO not yet sent
    WEFT_LINK_GREETING,  //  HELLO sent
    WEFT_LINK_LIVE,      //  welcomed
    WEFT_LINK_REFUSED,   //  refused; tried again after 20 beats
} weft_link_state_t;

typedef struct {
    weft_link_state_t state;
    uint64_t session;
    uint64_t upstream_boot;
    uint32_t upstream_largest;
    uint32_t limit;  //  the last one told
    size_t limit_bytes;
    uint32_t held;  //  alerts of this session in our custody
    size_t held_bytes;
} weft_link_info_t;

//  False if there is no such link.
bool weft_worker_link (const weft_worker_t *self,
                       uint32_t link,
                       weft_link_info_t *info);

typedef struct {
    uint64_t held;        //  gauge: alerts in custody, of ended sessions too
    uint64_t held_bytes;  //  gauge
    uint64_t orphans;     //  gauge: those of ended sessions
    uint64_t live;        //  gauge: welcomed links
    uint64_t waiting;     //  gauge: suspects in the isolation queue
    uint64_t verdicts;    //  gauge: waiting for the canary
    uint64_t forwarded;   //  gauge: waiting for downstream or the commit
    bool broken;          //  the canary failed
    bool down;            //  a dependency is down
    bool draining;
    uint64_t received;  //  counters from here on
    uint64_t settled;
    uint64_t dead;
    uint64_t retried;
    uint64_t rejected;
    uint64_t isolated;  //  jobs of suspects
    uint64_t convicted;
    uint64_t canaries;
    uint64_t reopened;
    uint64_t resets;
    uint64_t strays;  //  frames of another session
    uint64_t malformed;
} weft_worker_stats_t;

const weft_worker_stats_t *weft_worker_stats (const weft_worker_t *self);

//  The alert that is held (borrowed) and which session and number it has.
void *weft_held_item (const weft_held_t *held);
bool weft_held_orphan (const weft_held_t *held);

//  Why the function rejects this alert, for the dead letter: copied, cut at
//  240 bytes. Without it the error's own text is sent.
void weft_held_set_reason (weft_held_t *held, const char *reason);

#endif
