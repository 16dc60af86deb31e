//  weft_notifier_parts.h - what the files of the notifier share. One thread,
//  the loop's.

#ifndef WEFT_NOTIFIER_PARTS_H_INCLUDED
#define WEFT_NOTIFIER_PARTS_H_INCLUDED

#include "weft_courier.h"
#include "weft_flips.h"
#include "weft_metrics.h"
#include "weft_notifier.h"
#include "weft_queries.h"
#include "weft_record.h"

#define WEFT_SINKS_MOST 64

//  What a reload replaces as a whole.
typedef struct {
    weft_filters_t *filters;
    weft_metric_t *passed[WEFT_FILTERS_MOST];
    weft_metric_t *missed[WEFT_FILTERS_MOST];
    uint64_t n_passed[WEFT_FILTERS_MOST], n_missed[WEFT_FILTERS_MOST];
    double since;                      //  UTC, when these began
    bool told[WEFT_FILTERS_MOST];      //  its failure has been logged
    bool told_out[WEFT_FILTERS_MOST];  //  its quarantine has been logged
    weft_courier_t *couriers[WEFT_SINKS_MOST];
    uint32_t n_couriers;
    weft_courier_t *query_couriers[WEFT_SINKS_MOST];
    uint32_t n_query_couriers;
    int64_t keep_days, keep_rows;
    double flip_margin;  //  0: nobody is told of flips
    bool paused;
    int64_t record_bytes;  //  0: nothing is recorded
    int32_t record_nights;
    weft_buf_t text;  //  the filters, see weft_filters_text.h
    uint64_t version_number;
    char version[20];  //  the same in hexadecimal
} weft_notifier_setup_t;

//  Where reading the learner's queries has got to.
typedef struct {
    weft_redis_t *redis;
    int32_t night;  //  of the next one
    uint32_t next_rank;
    int64_t next_ms;  //  when to look again
} weft_notifier_queries_t;

struct weft_notifier {
    weft_notifier_setup_t *setup;
    char outbox_path[1024];
    weft_outbox_t *outbox;  //  NULL: a standby, or it cannot be opened
    weft_flips_t *flips;    //  as long as there is an outbox
    weft_record_t *record;  //  as long as there is an outbox; may be NULL
    bool record_failing;
    int64_t next_state_ms, next_place_ms;
    bool isolated, locked;
    void (*loading) (const void *arg, bool loading);
    const void *loading_arg;
    bool recount;       //  somebody else has changed rows
    char why_not[300];  //  why there is no outbox
    weft_filter_result_t results[WEFT_FILTERS_MOST];
    weft_buf_t payload;  //  of the alert being worked on
    weft_buf_t row;      //  of the row being added
    int64_t next_prune_ms, next_tell_ms, next_flips_ms, next_forget_ms;
    weft_notifier_queries_t queries;
};

//  Returns new in *out: filters and couriers, checked against each other.
WEFT_CHECK int weft_notifier_setup_new (weft_notifier_setup_t **out,
                                        const weft_notifier_options_t *options,
                                        bool isolated,
                                        char *why,
                                        size_t room);
void weft_notifier_setup_destroy (weft_notifier_setup_t **self_p);

//  The courier of that name, NULL if there is none.
weft_courier_t *weft_notifier_courier (const weft_notifier_setup_t *setup,
                                       weft_str_t name);

//  Adds what an alert's effect asks for, within the running transaction.
WEFT_CHECK int weft_notifier_add_effect (weft_notifier_t *self,
                                         const weft_alert_t *alert,
                                         const weft_buf_t *effect,
                                         int64_t now_ms,
                                         double now);

//  One turn: answers in, rows added by `add`, waiting rows claimed, all in one
//  transaction; then what is in flight is sent.
WEFT_CHECK int
weft_notifier_turn (weft_notifier_t *self,
                    int (*add) (void *arg, int64_t now_ms, double now),
                    void *arg);

//  The record (weft_record.h): opened with the outbox; what turns add to it; what
//  a reload changes; and what goes with it: the state of the filters, their
//  release, and where all this is.
void weft_notifier_open_record (weft_notifier_t *self);
void weft_notifier_note_seen (weft_notifier_t *self,
                              const weft_alert_t *const *alerts,
                              const weft_buf_t *effects,
                              size_t n);
void weft_notifier_record_setup (weft_notifier_t *self);
void weft_notifier_beat_record (weft_notifier_t *self, int64_t now_ms);

//  Class flips (weft_flips.h). Are they told at all? May this alert be one?
bool weft_notifier_flips_on (const weft_notifier_t *self);
bool weft_notifier_concerns (const weft_notifier_t *self,
                             const weft_alert_t *alert);

//  Within the running transaction: tells those who were told otherwise; notes
//  what a filter's sink is told.
WEFT_CHECK int weft_notifier_add_flips (weft_notifier_t *self,
                                        const weft_alert_t *alert,
                                        int64_t now_ms,
                                        double now);
WEFT_CHECK int weft_notifier_note_told (weft_notifier_t *self,
                                        const weft_alert_t *alert,
                                        weft_str_t filter,
                                        weft_str_t sink,
                                        double now);

//  Publishes events and forgets what was told long ago, when it is time.
void weft_notifier_beat_flips (weft_notifier_t *self, int64_t now_ms);

//  Reads the learner's new queries into the outbox, when it is time.
void weft_notifier_read_queries (weft_notifier_t *self, int64_t now_ms);

#endif
