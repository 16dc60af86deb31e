//  weft_notifier.h - filters, outbox and couriers as one terminal stage.
//
//  evaluate is pure and may run in the isolation child: alert in, effect out.
//  commit writes the effects of a poll turn to the outbox in one transaction
//  and sends what can be sent at once. beat does what is left over: answers,
//  backlog, doubts, the learner's queries, pruning, the lock.
//
//  Apart from weft_stage, so that tests and benchmarks use it as it is. One
//  thread.

#ifndef WEFT_NOTIFIER_H_INCLUDED
#define WEFT_NOTIFIER_H_INCLUDED

#include "weft_config.h"
#include "weft_filters.h"
#include "weft_redis.h"

//  The "options:" part of the configuration; the table is
//  weft_notifier_option_table.
typedef struct {
    char *outbox;  //  "": outbox.db in the service's data folder
    int64_t keep_days;
    int64_t keep_rows;
    int64_t budget;
    int64_t strikes;
    double flip_margin;  //  0: nobody is told of class flips
    int64_t record_nights;
    int64_t record_mb;    //  0: nothing is recorded
    bool paused;          //  the kill switch: rows wait, nothing is sent
    weft_list_t filters;  //  of weft_filter_option_t
    weft_list_t sinks;    //  of weft_sink_option_t
    weft_texts_t query_sinks;
} weft_notifier_options_t;

extern const weft_option_t weft_notifier_option_table[];

//  Where things are. All texts are copied.
typedef struct {
    const char *data_dir;
    const char *redis;  //  address, NULL: the learner's queries are not read
    weft_redis_config_t login;
    bool isolated;  //  in the isolation child: filters only
    //  Told that taking over begins or ends: an outbox of an earlier version, or
    //  a large one, takes longer than a beat. NULL: nobody is.
    void (*loading) (const void *arg, bool loading);
    const void *arg;  //  borrows until destroy
} weft_notifier_place_t;

typedef struct weft_notifier weft_notifier_t;

//  Returns new in *out: a notifier that tries at once to become the owner of
//  its outbox. WEFT_ECONFIG with `why` naming what is wrong.
WEFT_CHECK int weft_notifier_new (weft_notifier_t **out,
                                  const weft_notifier_options_t *options,
                                  const weft_notifier_place_t *place,
                                  char *why,
                                  size_t room);
//  Writes down what sinks have answered and ends. Safe on NULL.
void weft_notifier_destroy (weft_notifier_t **self_p);

//  Takes over other filters, sinks and limits, or none of them: WEFT_ECONFIG
//  with `why`, WEFT_EAGAIN if the outbox is busy. The outbox' path stays.
WEFT_CHECK int weft_notifier_reload (weft_notifier_t *self,
                                     const weft_notifier_options_t *options,
                                     char *why,
                                     size_t room);

//  Pure: appends the effect of an alert, nothing if nobody wants it.
WEFT_CHECK int weft_notifier_evaluate (weft_notifier_t *self,
                                       const weft_alert_t *alert,
                                       weft_buf_t *effect);

//  Durable when it returns 0. WEFT_EAGAIN, WEFT_EDOWN: nothing has happened,
//  call again.
WEFT_CHECK int weft_notifier_commit (weft_notifier_t *self,
                                     const weft_alert_t *const *alerts,
                                     const weft_buf_t *effects,
                                     size_t n);

void weft_notifier_beat (weft_notifier_t *self, int64_t now_ms);

bool weft_notifier_owner (const weft_notifier_t *self);
bool weft_notifier_ready (const weft_notifier_t *self, char *why, size_t room);

//  A hash of the filters in force. Borrows until reload.
const char *weft_notifier_version (const weft_notifier_t *self);

#endif
