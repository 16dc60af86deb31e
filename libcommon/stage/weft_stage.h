//  weft_stage.h - everything about a service that is not its science.
//
//  A service fills in a weft_stage_spec_t and calls weft_stage_main. The
//  runtime does the rest: configuration, links, custody, batches, isolation of
//  suspects, dead letters, drain, reload, metrics and health.
//
//  Stage functions are PURE: they read the alert and write a section, and touch
//  nothing else (no Redis, no file, no socket, no waiting). So they can run in
//  the isolation child as well. Effects belong in `commit`.
//  All callbacks run in the loop's thread, unless said otherwise.

#ifndef WEFT_STAGE_H_INCLUDED
#define WEFT_STAGE_H_INCLUDED

#include "weft_alert.h"
#include "weft_buf.h"
#include "weft_config.h"
#include "weft_link_frame.h"
#include "weft_metrics.h"
#include "weft_redis.h"

//  What a stage function writes: one section in the contract that the spec
//  names, or, in a terminal stage, the effect that `commit` will carry out.
typedef weft_buf_t weft_section_t;

//  What the runtime offers to a service. Borrows until close.
typedef struct weft_stage_env weft_stage_env_t;

//  The service's filled options struct (spec->options).
const void *weft_stage_options (const weft_stage_env_t *env);
//  Where Redis is: "unix:/path" or "host:port", for weft_redis_new.
const char *weft_stage_redis_address (const weft_stage_env_t *env);
//  Where histories, seen and the ledger are: the same, or the cluster that is
//  listed, "cluster:host:port,..."; for weft_redis_new.
const char *weft_stage_redis_bulk (const weft_stage_env_t *env);
//  And as whom, for weft_redis_new; time-outs are the caller's. Borrows.
weft_redis_config_t weft_stage_redis_login (const weft_stage_env_t *env);
//  The same for a loop that has workers: it waits for a Redis that hangs no
//  longer than two beats, as workers give an upstream up after three.
weft_redis_config_t weft_stage_redis_patience (const weft_stage_env_t *env);
//  Where /metrics is served: "host:port", "" if it is not. Borrows.
const char *weft_stage_http_address (const weft_stage_env_t *env);
//  Name of this instance, unique and stable for the process: "feature-1f3a".
const char *weft_stage_instance (const weft_stage_env_t *env);
//  True in the isolation child: no sockets, no Redis, no side threads there.
bool weft_stage_isolated (const weft_stage_env_t *env);
//  The loop's thread begins or ends something that may take longer than
//  stall_ms, as a standby does that takes over: until it ends nobody expects the
//  loop to turn. While `open` runs nobody does anyway.
void weft_stage_loading (const weft_stage_env_t *env, bool loading);
//  Bytes that the dead letters of a stage may have.
size_t weft_stage_letters_most (const weft_stage_env_t *env);
//  Folder for what the service keeps on disk (its last good model, its outbox).
const char *weft_stage_data_dir (const weft_stage_env_t *env);

//  Where a source puts what it takes in (see weft_source_t).
typedef struct weft_intake weft_intake_t;

//  Hands an alert to the mesh. `token` comes back with its outcome. Takes
//  `alert`.
void weft_intake_add (weft_intake_t *self, weft_alert_t *alert, void *token);

typedef struct {
    void *token;  //  as given to weft_intake_add
    const weft_alert_t *alert;
    weft_outcome_t outcome;  //  of the link: the worst of all branches
} weft_settled_t;

//  The head of the mesh: a service without an upstream.
typedef struct {
    //  Takes in up to `room` alerts (64 at most: the loop must turn). Returns
    //  how many milliseconds it may sleep before it asks again (0 = at once,
    //  there is more; -1 = nothing more will come, for ever), or WEFT_EIO or
    //  WEFT_EDOWN to be asked again at the next beat (readyz says why; not
    //  WEFT_EAGAIN, which is -1), or a fatal error, which ends the process.
    //  Called each turn while there is room in custody.
    int (*pull) (void *self, weft_intake_t *intake, size_t room);
    //  Books outcomes, gathered for at most 10 ms. Durable when it returns 0;
    //  WEFT_EDOWN: held, called again at the next beat with the same ones and
    //  perhaps more, and nothing is pulled meanwhile.
    int (*settle) (void *self, const weft_settled_t *settled, size_t n);
    //  True when everything is read and booked: the runtime drains and ends
    //  with exit 0. NULL: never.
    bool (*finished) (void *self);
    //  A descriptor that is readable when there is something to pull before the
    //  sleep is over; pull must read it. Polled only while pull would be
    //  called. -1 or NULL: none.
    int (*fd) (void *self);
} weft_source_t;

typedef struct {
    const char *name;    //  "feature": also its name in outputs and HELLO
    const char *about;   //  one sentence for --help and --describe
    const char *reads;   //  contract that must be there, "" for none
    const char *writes;  //  contract of the section it appends; NULL = terminal
    const char *hash;    //  build + science version, part of HELLO; may be NULL

    const weft_option_t
        *options;  //  the "options:" part of its file; may be NULL
    size_t options_size;

    //  Makes the service from its options: loads catalogues and models. Also
    //  called in the isolation child (see weft_stage_isolated), and in a side
    //  thread when a pure stage is reloaded. On error it logs what and where.
    //  WEFT_EDOWN: the runtime stays in INIT and tries again, at last each
    //  second. What *self_p holds then is given to the next try; until that,
    //  `ready` is asked why, and `close` may be called.
    int (*open) (void **self_p, const weft_stage_env_t *env);
    void (*close) (void **self_p);

    //  One alert, one section. 0: the section is taken; errors by class:
    //  RETRY gives the alert back, REJECT is a verdict (after a canary),
    //  FATAL ends the process. `why` in weft_stage_reason is the reason shown.
    int (*fn) (void *self, const weft_alert_t *in, weft_section_t *out);
    //  Or a batch of what has arrived: results[i] as fn's. One of the two.
    void (*fn_batch) (void *self,
                      const weft_alert_t *const *in,
                      weft_section_t *out,
                      int *results,
                      size_t n);
    size_t batch_most;  //  largest batch, 0 = 64

    //  Terminal stages: carries out the effects of this poll turn, durably, in
    //  one go (256 at most). Must be idempotent by alert key. An alert whose
    //  function wrote nothing has no effect and is not among them. WEFT_EAGAIN
    //  / WEFT_EDOWN: a dependency is down, held and called again each beat;
    //  do not wait for it here, the beats come from this thread.
    int (*commit) (void *self,
                   const weft_alert_t *const *in,
                   const weft_section_t *effects,
                   size_t n);

    //  Once per beat: side work that is not tied to an alert (sending an
    //  outbox, taking over a model that a side thread has loaded). May be NULL.
    void (*beat) (void *self, int64_t now_ms);
    //  Is the service ready? If not, one sentence why; if so, `why` may say
    //  what is not as it should be all the same. May be NULL.
    bool (*ready) (void *self, char *why, size_t room);
    //  Says which model or data version is live, for HELLO's hash and
    //  --describe; called after open and each beat. A new value ends the
    //  sessions and says HELLO anew, so it changes only when what is computed
    //  does. May be NULL.
    const char *(*version) (void *self);

    //  Takes over new options on SIGHUP, whole or not at all: an error keeps the
    //  old ones. `env` replaces the one of open. NULL: a pure stage (no commit,
    //  owner or source) is opened anew in a side thread and swapped between
    //  batches; the others keep their options until they are restarted.
    int (*reload) (void *self, const weft_stage_env_t *env);

    //  May this instance take alerts yet? A standby says false until it has
    //  its lock; then no HELLO is said. May be NULL (always).
    bool (*owner) (void *self);

    //  An alert for the canary when none has been finished yet: one that this
    //  stage must be able to process. Returns new. Called in the isolation
    //  child. If it is missing, a stage that has finished nothing passes.
    weft_alert_t *(*golden) (void);

    const weft_source_t *source;  //  only ingest
} weft_stage_spec_t;

//  Says in words why the current alert is rejected; kept with the dead letter.
//  Only inside fn / fn_batch (there: for the alert being worked on).
void weft_stage_reason (const char *format, ...) WEFT_PRINTF (1, 2);

//  The whole program: parses the command line (--config FILE, --describe,
//  --probe, --help, --version, --isolated), runs until drained. Returns the
//  exit code: 0 drained, 1 failed, 2 usage or configuration.
WEFT_CHECK int
weft_stage_main (int argc, char *argv[], const weft_stage_spec_t *spec);

#endif
