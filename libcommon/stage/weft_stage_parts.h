//  weft_stage_parts.h - what the files of the stage runtime share.
//
//  One weft_stage_t per process: the service, its sockets, its custody, and
//  the work in hand. Private to weft_stage*.c; belongs to the loop's thread.

#ifndef WEFT_STAGE_PARTS_H_INCLUDED
#define WEFT_STAGE_PARTS_H_INCLUDED

#include <signal.h>

#include "weft_custody.h"
#include "weft_dealer.h"
#include "weft_http.h"
#include "weft_isolation.h"
#include "weft_keeper.h"
#include "weft_log.h"
#include "weft_resolver.h"
#include "weft_router.h"
#include "weft_settings.h"
#include "weft_tap.h"

#define WEFT_STAGE_STATES(X)                                                   \
    X (INIT)     /* loads configuration, data, models */                       \
    X (READY)    /* sockets are open, nobody has welcomed us */                \
    X (RUNNING)  /* alerts may flow */                                         \
    X (DRAINING) /* SIGTERM, or a source at its end */                         \
    X (STOPPED)                                                                \
    X (ERROR)

typedef enum {
#define X(name) WEFT_STAGE_##name,
    WEFT_STAGE_STATES (X)
#undef X
} weft_stage_state_t;

struct weft_stage_env {
    const weft_settings_t *settings;
    char instance[80];
    bool isolated;
    weft_health_t *health;  //  NULL in the isolation child
};

//  One upstream instance. A free slot has no endpoint.
typedef struct {
    weft_dealer_t *dealer;  //  NULL: could not be opened, tried each beat
    char endpoint[WEFT_ENDPOINT_MOST];
    char stage[WEFT_STAGE_ROOM];  //  whose key it must have
    size_t key;                   //  which of that stage's keys is tried
    bool used;
    bool listed;        //  in the newest list of the resolver
    bool reopen;        //  the machine wants a new socket
    bool said;          //  that its handshake fails, since it was live
    int64_t open_ms;    //  no new socket before
    int64_t listed_ms;  //  when it was listed or live for the last time
} weft_stage_link_t;

//  An alert that waits for its function.
typedef struct {
    weft_held_t *held;
    weft_alert_t *alert;  //  borrowed until the return is reported
} weft_stage_work_t;

typedef struct {
    weft_metric_t *settled, *rejected, *retried;
    weft_metric_t *in_flight_up, *in_flight_down;
    weft_metric_t *window_up, *window_down;
    weft_metric_t *peers_up, *peers_down;
    weft_metric_t *by_death, *by_bye, *by_nack, *by_stall;
    weft_metric_t *refused, *refused_stage;
    weft_metric_t *refused_gate[WEFT_REFUSED_REASONS];
    weft_metric_t *seconds, *age_observed, *age_received, *age_unsure;
    weft_metric_t *clock_ahead;
    weft_metric_t *isolated, *reload;
    double rate;  //  alerts settled per second, for the registry
    uint64_t rate_settled;
    int64_t rate_ms;  //  when rate_settled was read
} weft_stage_metrics_t;

//  What a source's alert carries through custody.
typedef struct weft_stage_tag weft_stage_tag_t;

typedef struct weft_stage weft_stage_t;

typedef struct {
    weft_stage_tag_t *open;    //  tags in custody
    weft_stage_tag_t *free;    //  tags to be used again
    weft_stage_tag_t *parked;  //  no room in custody: oldest, next in line
    weft_stage_tag_t *parked_last;
    size_t n_parked;
    weft_stage_tag_t *stuck;  //  given up, its dead letter not yet durable
    weft_settled_t *settled;  //  outcomes that are not booked yet
    size_t n_settled, room_settled;
    int64_t settled_ms;  //  when the oldest of them came
    int64_t next_ms;     //  ask the source not before
    bool exhausted;      //  nothing more will come
    int pull_error;      //  why it cannot be asked now
    int settle_error;
} weft_stage_source_t;

struct weft_stage {
    const weft_stage_spec_t *spec;
    const char *config_path;  //  NULL: none
    char **argv;
    weft_settings_t *settings;
    weft_stage_env_t *env;  //  of the service that is live
    void *service;
    weft_stage_state_t state;
    int exit_code;
    bool over;  //  leave the loop
    uint64_t boot;
    int64_t now;  //  of this turn, ms
    int64_t started_ms;
    int64_t next_beat;
    int64_t drain_until;
    int signal_fd;
    char not_ready[256];
    weft_health_t *health;
    struct weft_watchdog *watchdog;
    weft_http_t *http;
    weft_mesh_t *mesh;
    weft_keys_t *keys;            //  NULL: plaintext
    weft_router_t *router;        //  NULL: a last stage
    uint64_t reading_peer;        //  whose message is being read; 0: nobody's
    bool router_due;              //  it must be bound anew, with another key
    weft_log_quota_t refusals;    //  lines about stages that a key has not
    weft_log_quota_t bad_peers;   //  and about refused or broken HELLOs
    weft_tap_t *tap;              //  NULL: switched off, or not yet anew
    weft_resolver_t *resolver;    //  NULL: a source
    weft_endpoints_t *endpoints;  //  newest list; NULL before the first
    weft_stage_link_t links[WEFT_ENDPOINTS_MOST];
    weft_custody_t *custody;    //  NULL: a source
    weft_worker_t *worker;      //  custody's; NULL: a source
    weft_upstream_t *upstream;  //  custody's or a source's; NULL: a last stage
    weft_keeper_t *keeper;      //  Redis, in a side thread
    weft_keeper_replay_t *replay;  //  taken, and no room for it in custody
    weft_alert_t *replay_alert;
    uint32_t replay_branch;
    weft_isolation_t *isolation;
    weft_held_t *isolated;  //  the child's alert; NULL: a canary
    weft_alert_t *isolated_alert;
    bool canary;      //  the child's job is one
    bool canary_due;  //  it passed without a child: there is no golden vector
    bool was_owner;
    weft_stage_work_t *work;  //  ring; n_work from first_work on
    size_t room_work, first_work, n_work;
    weft_buf_t *sections;  //  batch_most of them
    bool commit_blocked;   //  until the next beat
    size_t alone;          //  effects that are to be committed one by one
    size_t alone_failed;   //  of that batch
    bool alone_good;       //  one of that batch could be committed
    int alone_rc;          //  why the last one could not
    double cost_us;        //  of one alert in the function, moving mean
    double last_us;        //  of the last one
    double mjd_now;        //  TAI, of this turn
    weft_stage_source_t source;
    weft_stage_metrics_t metrics;
    struct weft_stage_opening *opening;  //  a reload that is under way
};

//  weft_stage.c
void weft_stage_set_state (weft_stage_t *self, weft_stage_state_t state);

//  weft_stage_work.c: the service's functions.
void weft_stage_note_fatal (weft_stage_t *self, int rc);
void weft_stage_clear_reason (void);
const char *weft_stage_last_reason (void);
int weft_stage_call (const weft_stage_spec_t *spec,
                     void *service,
                     const weft_alert_t *alert,
                     weft_buf_t *section);
void weft_stage_push_work (weft_stage_t *self,
                           weft_held_t *held,
                           weft_alert_t *alert);
void weft_stage_work (weft_stage_t *self);
void weft_stage_isolated_turn (weft_stage_t *self);
WEFT_CHECK int weft_stage_make_output (const weft_stage_t *self,
                                       const weft_alert_t *alert,
                                       weft_frame_t *section,
                                       weft_item_t *out);
weft_item_t weft_stage_item (weft_alert_t *alert);

//  weft_stage_commit.c: effects.
void weft_stage_commit (weft_stage_t *self);

//  weft_stage_links.c: sockets and machines.
WEFT_CHECK int
weft_stage_open_links (weft_stage_t *self, char *why, size_t room);
void weft_stage_close_links (weft_stage_t *self);
//  Of all that decides what this process computes, for HELLO.
uint64_t weft_stage_hash (const weft_stage_t *self);
void weft_stage_read (weft_stage_t *self);
void weft_stage_connect (weft_stage_t *self);
size_t weft_stage_poll_items (const weft_stage_t *self,
                              weft_poll_item_t *items,
                              size_t room);

//  weft_stage_keys.c: CURVE.
WEFT_CHECK int
weft_stage_load_keys (weft_stage_t *self, char *why, size_t room);
//  SIGHUP: the folder again, whole or not at all.
void weft_stage_renew_keys (weft_stage_t *self);
//  Once a turn: handshakes that failed.
void weft_stage_keys_turn (weft_stage_t *self);
//  Once a beat: who was refused, a router that could not be bound anew yet.
void weft_stage_keys_beat (weft_stage_t *self);
//  May who has just sent HELLO be this stage?
bool weft_stage_may_be (weft_stage_t *self, weft_link_text_t stage);

//  weft_stage_ops.c: what the machines call.
extern const weft_worker_ops_t weft_stage_worker_ops;
extern const weft_upstream_ops_t weft_stage_upstream_ops;

//  weft_stage_source.c
void weft_stage_source_turn (weft_stage_t *self);
void weft_stage_source_settled (void *arg, void *tag, weft_outcome_t outcome);
WEFT_CHECK int weft_stage_source_replay (weft_stage_t *self,
                                         weft_keeper_replay_t *replay,
                                         const weft_item_t *item,
                                         uint32_t branches);
void weft_stage_source_judge (weft_stage_t *self);
bool weft_stage_source_buried (weft_stage_t *self, const void *grave);
int64_t weft_stage_source_wait (const weft_stage_t *self);
int weft_stage_source_fd (const weft_stage_t *self);
void weft_stage_source_woken (weft_stage_t *self);
bool weft_stage_source_done (const weft_stage_t *self);
void weft_stage_source_close (weft_stage_t *self);

//  weft_stage_tap.c: the side channel.
WEFT_CHECK int weft_stage_open_tap (weft_stage_t *self, char *why, size_t room);
void weft_stage_renew_tap (weft_stage_t *self);
void weft_stage_tap_beat (weft_stage_t *self);
void weft_stage_show (weft_stage_t *self, const weft_alert_t *alert);

//  weft_stage_metrics.c
void weft_stage_metrics_open (weft_stage_t *self);
void weft_stage_metrics_beat (weft_stage_t *self);
void weft_stage_observe_age (weft_stage_t *self, const weft_alert_t *alert);
void weft_stage_count_dead (const char *stage, int code);
void weft_stage_report (weft_stage_t *self);  //  registry, readiness

//  weft_stage_reload.c
void weft_stage_reload (weft_stage_t *self);
void weft_stage_reload_turn (weft_stage_t *self);
//  Does not wait: if `opening` is still there, its thread still runs, and the
//  process ends by _exit.
void weft_stage_reload_close (weft_stage_t *self);

//  weft_stage_loop.c, weft_stage_child.c: two ways to run a service.
int weft_stage_loop (weft_stage_t *self);
void weft_stage_signals (sigset_t *set);  //  those that the loop reads
int weft_stage_child (weft_stage_t *self);

#endif
