//  weft_kafka_parts.h - the inside of the Kafka input; only weft_kafka*.c see
//  it, and librdkafka's header goes no further.

#ifndef WEFT_KAFKA_PARTS_H_INCLUDED
#define WEFT_KAFKA_PARTS_H_INCLUDED

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "weft_gaps.h"
#include "weft_kafka.h"
#include "weft_kafka_start.h"
#include "weft_ledger.h"
#include "weft_metrics.h"
#include "weft_watermark.h"

//  Messages of a partition behind its mark, 48 B each.
#define WEFT_KAFKA_BEHIND_MOST 65536

//  The lanes of a partition, oldest messages first: the one of the backlog, and
//  the group's.
enum { WEFT_LANE_BACK, WEFT_LANE_LIVE, WEFT_LANES };

//  A message put aside (weft_kafka_hold.c), a copy: one of librdkafka's would
//  keep all that was fetched with it.
typedef struct weft_aside {
    weft_held_t held;  //  first
    struct weft_part *part;
    uint32_t epoch;  //  of the assignment that it was read in
    int lane;
    bool ready;  //  to be read again
    double t_kafka;
    uint8_t data[];
} weft_aside_t;

//  One partition that was ever assigned to this member. Never freed before the
//  input: ledger entries and positions on their way borrow its names.
typedef struct weft_part {
    char *topic;
    char **names;  //  topic#1, topic#2, ... as they were asked for
    uint64_t n_names;
    int32_t partition;
    uint32_t epoch;  //  counts assignments
    bool assigned;
    bool paused;  //  its ring is full
    //  Two lanes (weft_kafka_lanes.c): offsets from `split` on are in `live`.
    bool behind, back_ended, back_paused;
    int64_t split;
    weft_watermark_t *live;
    int64_t start;   //  where this assignment began
    bool first;      //  the group had never read it then
    int64_t beyond;  //  committed when the end lay before that, -1: never
    int64_t stored;  //  last offset handed to the commit
    weft_watermark_t *mark;
    //  A lane stands still for the message `aside`, or while that is read again.
    bool stands[WEFT_LANES];
    bool missed;  //  messages came all the same: they have to be read again
    weft_aside_t *aside[WEFT_LANES];
    //  Offsets that cannot be read (weft_kafka_harm.c), -1: none. The highest
    //  that was tried once more, and by lane the one that failed again.
    int64_t bad, harmed[WEFT_LANES];
    uint32_t number;                    //  in the order they came, from 1
    weft_metric_t *lag, *stands_still;  //  NULL once it has gone
} weft_part_t;

//  Finds out where partitions begin, in a thread of its own: librdkafka has no
//  way to ask for that without waiting.
typedef struct {
    pthread_t thread;
    rd_kafka_t *rk;
    int fd;                                 //  written when it is done
    rd_kafka_topic_partition_list_t *list;  //  with the committed offsets
    struct {
        int64_t low, high;
        rd_kafka_resp_err_t err;
    } * ends;  //  one for each of the list
    rd_kafka_resp_err_t err;
    atomic_bool cancelled, done;
} weft_kafka_search_t;

//  What nobody in the group reads (weft_kafka_orphans.c).
typedef struct weft_kafka_look weft_kafka_look_t;
typedef struct {
    weft_kafka_look_t *look;     //  under way, or NULL
    struct weft_census *before;  //  of the look before, or NULL
    int64_t discover_ms;         //  between looks
    int64_t look_at;             //
    int64_t join_at, wait_ms;    //  when to join anew at the earliest
    uint32_t n;                  //  partitions that nobody has
    char text[440];              //
    bool said;                   //  that they cannot be seen
    weft_metric_t *unread;
} weft_kafka_orphans_t;

struct weft_kafka {
    weft_input_t input;  //  first: what weft_kafka_input gives
    rd_kafka_t *rk;
    rd_kafka_queue_t *events;  //  rebalances, errors, logs
    rd_kafka_queue_t *data;    //  messages
    int fd;                    //  an eventfd that both queues write
    weft_part_t **parts;       //  by their number
    weft_part_t **sought;      //  the same, those that are assigned first
    uint32_t n_parts, room_parts;
    rd_kafka_message_t *current;  //  the message that is open
    weft_aside_t *reopened;       //  or this one, that was put aside
    weft_part_t *open;            //  its partition
    uint32_t open_epoch;          //  of that, when the message was opened
    rd_kafka_message_t *stash;    //  came with an event
    bool any_ready;               //  something put aside is to be read again
    char path[320];
    int64_t served_ms;  //  when events were last served
    //  A rebalance that takes partitions away waits for what is in flight; one
    //  that gives some, for where they begin.
    bool revoking;
    bool again;  //  not the group's wish: the same partitions, found anew
    int64_t revoke_until;
    int64_t rebalance_ms;
    rd_kafka_topic_partition_list_t *given;
    weft_kafka_search_t *search;
    int64_t search_at;  //  when to try again
    bool from_end;      //  a partition's first time: only what is new
    bool closing;
    bool fatal;
    char group[128], member[128];
    char token_file[512], user[128];  //  of OAUTHBEARER; "" if not given
    char topics[256];                 //  as configured, for people
    char trouble[512];                //  why nothing comes, or ""
    bool trouble_stays;               //  until partitions are found anew
    int64_t troubled_ms, probed_ms;   //  its last event; the last question
    weft_kafka_search_t *probe;
    weft_kafka_orphans_t orphans;
    char cause[256];  //  why a connection failed last
    char said[160];   //  last line of the library that was logged
    int64_t said_ms, trouble_ms;
    int64_t stamp_said_ms;  //  when a stamp was said to lie ahead
    weft_metric_t *rebalances, *gaps, *strays;
    //  The second lane.
    rd_kafka_conf_t *back_conf;
    rd_kafka_t *back;             //  made when it is wanted first
    rd_kafka_queue_t *back_data;  //
    int64_t backlog_from;         //  so far behind, 0: never
    double backlog_share, credit;
    uint32_t n_behind;  //  partitions in two lanes
    //  How many of the backlog may be in flight for it to be read on.
    size_t back_most;
    bool held_back;        //  more are
    uint32_t looks;        //  since it was counted
    uint64_t ended, then;  //  positions, ever and at rate_ms
    int64_t rate_ms;
    double rate;     //  positions that end in a second
    bool from_back;  //  whence the last message came
    weft_metric_t *backlog, *read_live, *read_back;
    int (*kept) (void *arg, int64_t most_ms);  //  may be NULL
    void *kept_arg;
    int64_t store_at;     //  when offsets are handed on again
    bool forgotten;       //  what is settled may be gone: it is read again
    int64_t waits_since;  //  they may not be since then, 0: they may
    int64_t waits_said;   //  when that was logged last
    weft_gap_t *found;    //  gaps that nobody has listed yet
    size_t n_found;
};

//  weft_kafka_config.c. Returns new: librdkafka's configuration, or NULL with a
//  reason.
rd_kafka_conf_t *weft_kafka_configure (weft_kafka_t *self,
                                       const weft_kafka_config_t *config,
                                       char why[WEFT_INPUT_WHY]);

//  weft_kafka_group.c: the group's callback, and what it leaves to be done.
void weft_kafka_rebalance (rd_kafka_t *rk,
                           rd_kafka_resp_err_t err,
                           rd_kafka_topic_partition_list_t *list,
                           void *opaque);
void weft_kafka_group_beat (weft_kafka_t *self, int64_t now_ms);
void weft_kafka_group_close (weft_kafka_t *self);
void weft_kafka_store (weft_kafka_t *self, int64_t most_ms);
//  Positions and messages without their outcome.
size_t weft_kafka_in_flight (const weft_kafka_t *self);
//  Begins anew with the partitions that it has, from what is committed.
void weft_kafka_find_anew (weft_kafka_t *self);
weft_part_t *
weft_kafka_part (weft_kafka_t *self, const char *topic, int32_t partition);

//  weft_kafka_begin.c. What keeps a search's partitions from beginning, 0 if
//  nothing does; one that is not there any more does not.
rd_kafka_resp_err_t weft_kafka_search_error (const weft_kafka_search_t *search);
//  Messages that nobody has: kept until they stand beside the ledger.
WEFT_CHECK int weft_kafka_keep_gap (weft_kafka_t *self,
                                    const char *topic,
                                    int32_t partition,
                                    int64_t first,
                                    int64_t count);
void weft_kafka_drop_gauges (weft_part_t *part);
//  An assignment is complete: what is not of it stays behind.
void weft_kafka_leave_gone (weft_kafka_t *self);
//  Begins a search's partitions.
void weft_kafka_begin (weft_kafka_t *self, const weft_kafka_search_t *search);

//  weft_kafka_end.c.
void weft_kafka_leave (weft_kafka_t *self);
//  Until then at most.
void weft_kafka_close_until (rd_kafka_t *rk, int64_t until_ms);
void weft_kafka_end_library (rd_kafka_t *rk);

//  weft_kafka_lanes.c. Where the group's consumer begins a partition of which
//  `start` to `high` is unread: near `high` if the backlog gets a lane of its
//  own, which _assign then starts.
int64_t weft_kafka_lanes_start (weft_kafka_t *self,
                                weft_part_t *part,
                                int64_t start,
                                int64_t high);
void weft_kafka_lanes_assign (weft_kafka_t *self);
void weft_kafka_lanes_forget (weft_kafka_t *self);
void weft_kafka_lanes_beat (weft_kafka_t *self);
void weft_kafka_lanes_close (weft_kafka_t *self);
//  The next message of either lane; NULL if there is none now.
rd_kafka_message_t *weft_kafka_lanes_take (weft_kafka_t *self);
//  Does the message belong to its lane?
bool weft_kafka_lanes_want (const weft_kafka_t *self,
                            const weft_part_t *part,
                            const rd_kafka_message_t *m);
//  It was begun, or is no message of its lane: was it the backlog's last?
void weft_kafka_lanes_past (weft_kafka_t *self,
                            weft_part_t *part,
                            const rd_kafka_message_t *m);
//  The mark that an offset counts for.
weft_watermark_t *weft_kafka_ring (const weft_part_t *part, int64_t offset);
void weft_kafka_pause (rd_kafka_t *rk, const weft_part_t *part, bool pause);

//  weft_kafka_messages.c. The group's events, if any; their callbacks run in
//  here.
extern const weft_input_t weft_kafka_input_calls;
void weft_kafka_serve (weft_kafka_t *self, int64_t now_ms);
//  Kafka's time stamp of a message, MJD TAI; 0: none.
double weft_kafka_stamp (const rd_kafka_message_t *m);

//  weft_kafka_hold.c. Takes out what is to be read again; NULL if there is
//  nothing. It is open until _read_again ends it, or it is put aside once more.
weft_aside_t *weft_kafka_take_aside (weft_kafka_t *self);
void weft_kafka_read_again (weft_kafka_t *self);
//  The assignment is over.
void weft_kafka_forget_aside (weft_part_t *part);
//  Messages of the partition that are put aside: no settling ends them.
size_t weft_kafka_aside (const weft_part_t *part);
//  Fetches on, unless there is another reason to stand still.
void weft_kafka_resume (weft_kafka_t *self, weft_part_t *part, int lane);

//  weft_kafka_harm.c. What lies at `offset` cannot be read: it is tried once
//  more; if it was, true: the lane stands still there, or steps over it.
bool weft_kafka_harm (weft_kafka_t *self, weft_part_t *part, int64_t offset);
//  A message of the open lane has come: what could not be read before it is a
//  gap now. WEFT_ENOMEM: call again.
WEFT_CHECK int
weft_kafka_step_over (weft_kafka_t *self, weft_part_t *part, int64_t offset);
void weft_kafka_forget_harm (weft_part_t *part);

//  weft_kafka_token.c: librdkafka wants a token.
void weft_kafka_token (rd_kafka_t *rk, const char *config, void *opaque);

//  weft_kafka_search.c. Returns new: a search under way; borrows `rk` and `fd`
//  until it is destroyed, which waits for a second at most.
weft_kafka_search_t *weft_kafka_search_new (
    rd_kafka_t *rk, int fd, const rd_kafka_topic_partition_list_t *list);
void weft_kafka_search_destroy (weft_kafka_search_t **self_p);

//  weft_kafka_probe.c: looks, now and then, whether a trouble is over.
void weft_kafka_probe (weft_kafka_t *self, int64_t now_ms);

//  weft_kafka_orphans.c: looks for partitions that nobody in the group reads.
//  _close waits for a question at most, a second.
void weft_kafka_orphans_open (weft_kafka_t *self, int64_t discover_s);
void weft_kafka_orphans_beat (weft_kafka_t *self, int64_t now_ms);
void weft_kafka_orphans_close (weft_kafka_t *self);

//  weft_kafka_trouble.c: what librdkafka says, in words that help.
void
weft_kafka_error (rd_kafka_t *rk, int err, const char *reason, void *opaque);
void weft_kafka_log (const rd_kafka_t *rk,
                     int level,
                     const char *facility,
                     const char *text);
//  An error that came in the place of a message.
void weft_kafka_bad_message (weft_kafka_t *self, const rd_kafka_message_t *m);
//  A message's time stamp: has it come yet?
void weft_kafka_look_at_stamp (weft_kafka_t *self, const rd_kafka_message_t *m);
//  Whatever it was, it is over.
void weft_kafka_well (weft_kafka_t *self);

#endif
