//  weft_kafka.h - Kafka as an input: a member of a consumer group.
//
//  The group gives this member partitions; their messages come through the
//  input (weft_input.h) in the order of each partition. Every message that was
//  read counts as open until each of its items has been taken and ended; only
//  the offset below which everything has ended is committed (weft_watermark.h),
//  once the caller says that what it knows of it would survive (`kept`).
//  A position belongs to one assignment: what ends after its partition went to
//  another member moves nothing here.
//
//  Back-pressure is not calling `next`: messages have a queue of their own,
//  which librdkafka fills to its ceiling and no further, while rebalances and
//  errors are served by `beat`, however long nothing is read. All functions in
//  one thread, callbacks of librdkafka too (they run in `next` and `beat`).

#ifndef WEFT_KAFKA_H_INCLUDED
#define WEFT_KAFKA_H_INCLUDED

#include "weft_config.h"
#include "weft_gaps.h"
#include "weft_input.h"

//  All texts borrowed for the call of new only. Empty ones: not given.
typedef struct {
    const char *brokers;  //  "host:port,host:port"
    weft_texts_t topics;  //  names, or patterns that begin with ^
    const char *group;
    const char *member;    //  static name of this member (group.instance.id)
    const char *start;     //  "earliest" or "latest": a partition's first time
    const char *security;  //  plaintext, ssl, sasl_plaintext, sasl_ssl
    const char *sasl;      //  SCRAM-SHA-512, OAUTHBEARER, ...
    const char *user;
    const char *password_file;
    const char *token_file;  //  for OAUTHBEARER: read whenever one is wanted
    const char *ca_file;
    int64_t backlog_from;  //  messages behind from which on a partition is read
                           //  from both ends, 0: never
    double backlog_share;  //  of what is read then, while both have messages
    int64_t prefetch_mb;   //  MB that wait in memory for being read
    int64_t rebalance_ms;  //  most that a rebalance waits for alerts
    int64_t discover_s;    //  how often new topics are looked for
    weft_texts_t properties;    //  of librdkafka, name=value
    weft_texts_t secret_files;  //  of librdkafka, name=FILE: the value is there
    //  Is what was booked up to now safe? Asked before an offset is committed,
    //  in the caller's thread, and may take `most_ms`. NULL: always. 0: yes;
    //  WEFT_EAGAIN: some of it may be gone, and what is not committed is read
    //  again; anything else: not yet.
    int (*kept) (void *arg, int64_t most_ms);
    void *kept_arg;  //  borrowed for life
} weft_kafka_config_t;

typedef struct weft_kafka weft_kafka_t;

//  A message that cannot be read yet and was put aside. Its lane of its
//  partition stands still: nothing behind it is read, and its offset is not
//  committed past.
typedef struct {
    const char *topic;
    int32_t partition;
    int64_t offset;
    const uint8_t *data;
    size_t size;
    uint32_t item;     //  of it, that could not be read
    bool waits;        //  for a schema that is on its way
    char schema[128];  //
    char why[WEFT_INPUT_WHY];
    int64_t conviction;  //  the caller's, 0 when it is put aside
} weft_held_t;

//  Returns new: a member that joins in the background, or NULL with a reason
//  that names the option.
WEFT_NEW weft_kafka_t *weft_kafka_new (const weft_kafka_config_t *config,
                                       char why[WEFT_INPUT_WHY]);

//  Commits what is settled, leaves, and sets *self_p to NULL: at once as a rule,
//  within 9 s, and what a command of Redis may take, if all of them hang. A
//  member with a static name keeps its partitions until its session ends. Safe
//  on NULL.
void weft_kafka_destroy (weft_kafka_t **self_p);

//  The messages. Lives as long as this; its `destroy` does nothing.
weft_input_t *weft_kafka_input (weft_kafka_t *self);

//  Readable when there is something to read (or an event to serve).
int weft_kafka_fd (const weft_kafka_t *self);

//  One item of a message was taken in; it has its outcome, and that is booked.
void weft_kafka_take (weft_kafka_t *self, const weft_position_t *at);
void weft_kafka_end (weft_kafka_t *self, const weft_position_t *at);

//  What was read there had its outcome before. In a partition that the group has
//  never read that is said: it may be another topic of the same name.
void weft_kafka_again (weft_kafka_t *self, const weft_position_t *at);

//  Puts the message that is open aside instead of advancing, because of its
//  item `item`: it comes again after weft_kafka_go_on, or to whoever has its
//  partition then. Other partitions flow on. WEFT_ENOMEM: nothing has happened.
WEFT_CHECK int weft_kafka_hold (weft_kafka_t *self,
                                uint32_t item,
                                bool waits,
                                const char *schema,
                                const char *why);

//  The messages put aside, one after the other; *at is 0 at first. NULL: no
//  more. Borrows until the next `next`, beat or go_on.
weft_held_t *weft_kafka_held (const weft_kafka_t *self, size_t *at);

//  This one can be read: it comes with the next `next`, and what is behind it
//  when that has been read whole.
void weft_kafka_go_on (weft_kafka_t *self, const weft_held_t *held);

//  Serves rebalances and errors, hands the settled offsets to the next commit,
//  keeps the metrics. At least every second, whether anything is read or not.
//  WEFT_ECONFIG when the member can never go on: it has been logged why.
WEFT_CHECK int weft_kafka_beat (weft_kafka_t *self, int64_t now_ms);

//  Messages that were deleted unread, found since weft_kafka_gaps_listed. Borrows
//  until the next call.
const weft_gap_t *weft_kafka_gaps (const weft_kafka_t *self, size_t *n);
void weft_kafka_gaps_listed (weft_kafka_t *self);

//  Is the stream coming? If not, one sentence why.
bool weft_kafka_ready (const weft_kafka_t *self, char *why, size_t room);

//  Partitions of the group's topics that no member has, one sentence; leaves
//  `why` alone if there are none.
void weft_kafka_unread (const weft_kafka_t *self, char *why, size_t room);

//  Does a backlog wait until less is in flight? Nothing wakes the loop then.
bool weft_kafka_holds_back (const weft_kafka_t *self);

//  Does a rebalance wait for what is in flight? Then nothing is read.
bool weft_kafka_rebalancing (const weft_kafka_t *self);

#endif
