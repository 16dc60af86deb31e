//  weft_custody.h - a stage's two ends coupled: nothing is settled upstream
//  before all that is downstream of it.
//
//  A stage process is one worker end (its upstreams) and one upstream end
//  (its branches). This object owns both and carries alerts between them:
//
//    recv -> dispatch -> FUNCTION -> returned -+-> submit to the branches
//                                              +-> effect -> COMMIT
//    settle upstream <- all branches settled, worst outcome / commit durable
//
//  The runtime and the simulation use exactly this code. Pure, like its
//  parts; belongs to the thread of the stage's loop. Ingest has no worker
//  end and uses a weft_upstream_t alone.
//
//  One turn of the loop, as the shell writes it:
//
//    read every socket dry: weft_worker_recv / weft_upstream_recv
//    run the function on what was dispatched, for a part of a beat at most;
//    weft_custody_returned for each
//    commit what weft_custody_effects says; weft_custody_committed
//    weft_custody_tick (now); weft_custody_flush (now)
//
//  Drain (SIGTERM): weft_custody_drain, go on turning until
//  weft_custody_drained or drain_ms, then weft_custody_bye, linger, exit 0.

#ifndef WEFT_CUSTODY_H_INCLUDED
#define WEFT_CUSTODY_H_INCLUDED

#include "weft_upstream.h"
#include "weft_worker.h"

typedef struct weft_custody weft_custody_t;

typedef struct {
    weft_worker_config_t worker;
    weft_upstream_config_t upstream;  //  branch_count 0: a last stage
    bool commits;  //  the stage has effects: settle only after the commit
} weft_custody_config_t;

//  Returns new: both ends, or NULL without memory. `upstream->settled` is
//  called for what weft_custody_replay put in, and may be NULL without that;
//  `upstream` itself may be NULL without branches.
//  The upstream end's ceilings should not be below the worker's; at them,
//  what the function returned waits here. Borrows `arg` for life.
WEFT_NEW weft_custody_t *weft_custody_new (const weft_custody_config_t *config,
                                           const weft_worker_ops_t *worker,
                                           const weft_upstream_ops_t *upstream,
                                           void *arg,
                                           int64_t now);

void weft_custody_destroy (weft_custody_t **self_p);

//  The two ends, for events that concern one of them. Borrows for life. The
//  upstream end is NULL for a last stage.
weft_worker_t *weft_custody_worker (weft_custody_t *self);
weft_upstream_t *weft_custody_upstream (weft_custody_t *self);

//  The function returned for a dispatched alert; with rc 0, `out` is what is
//  forwarded (input frames and the new section) or, in a stage that commits,
//  its effect. Takes out->item, whatever rc is; `out` may be NULL: settled
//  with nothing to forward. `held` is gone for the caller.
void weft_custody_returned (weft_custody_t *self,
                            int64_t now,
                            weft_held_t *held,
                            int rc,
                            const weft_item_t *out);

//  The isolation child's job (by `isolate`) ended. As above.
void weft_custody_isolated (weft_custody_t *self,
                            int64_t now,
                            weft_child_t how,
                            int rc,
                            const weft_item_t *out);

//  Puts an alert that came by no link, a replayed dead letter, into the custody
//  of the upstream end, for the branches of the mask. As weft_upstream_submit;
//  its outcome comes by `settled`. `tag` is at an even address.
WEFT_CHECK int weft_custody_replay (weft_custody_t *self,
                                    int64_t now,
                                    const weft_item_t *item,
                                    void *tag,
                                    uint32_t branches);

//  Effects that wait for their commit, oldest first: their number, and up to
//  `room` of their items (borrowed until committed).
size_t
weft_custody_effects (const weft_custody_t *self, void **items, size_t room);

//  The first `count` effects are durable: they are settled (or forwarded, if
//  the stage has branches, too). If the commit could not be done (WEFT_EDOWN,
//  WEFT_EAGAIN), call weft_worker_depend instead and try again next turn.
void weft_custody_committed (weft_custody_t *self, int64_t now, size_t count);

//  The first effect, tried by itself, failed with `rc`, which is another one:
//  it goes behind the others. After WEFT_COMMIT_TRIES such it is a verdict
//  with `reason` (borrowed), as if the function had rejected it, if another
//  effect became durable since the first of them or if the class of `rc` is
//  REJECT. Returns 0 then, else its tries so far.
enum { WEFT_COMMIT_TRIES = 3 };
unsigned
weft_custody_uncommitted (weft_custody_t *self, int rc, const char *reason);

void weft_custody_tick (weft_custody_t *self, int64_t now);
void weft_custody_flush (weft_custody_t *self, int64_t now);

//  SIGTERM: no new work.
void weft_custody_drain (weft_custody_t *self, int64_t now);

//  Nothing is unsettled, or nothing more can be settled because no worker is
//  left downstream.
bool weft_custody_drained (const weft_custody_t *self);

//  BYE to all upstreams (hands the rest back) and to all workers.
void weft_custody_bye (weft_custody_t *self, int64_t now);

#endif
