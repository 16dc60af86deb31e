//  weft_dlq.h - dead letters: kept, shown, put back, dropped.
//
//  `dlq:{stage}` is a hash by alert key of entries in dead.v1: the alert's
//  frames in one run, why it died, when, and where it came from. There is a
//  byte ceiling and nothing is ever trimmed: at the ceiling the writer gets
//  WEFT_ETOOBIG and holds the alert unsettled. What `weft dlq replay` puts
//  back goes to `replay:{stage}`, from where the upstream of that stage takes
//  it under custody (weft_replay.h). A connection that breaks issues the writes
//  of its last seconds again (weft_journal.h): a letter that was put back or
//  dropped meanwhile does not return by that. Same thread as the connection.

#ifndef WEFT_DLQ_H_INCLUDED
#define WEFT_DLQ_H_INCLUDED

#include "weft_alert.h"
#include "weft_redis.h"

#define WEFT_DLQ_CEILING (256u << 20)     //  default, bytes per stage
#define WEFT_DLQ_SAMPLES_MOST (1u << 20)  //  per (schema, reason), ingest
#define WEFT_DLQ_KEY_MOST 320             //  room for a key, terminated
#define WEFT_DLQ_REASON_MOST 512          //  longer reasons are cut
#define WEFT_DLQ_GONE_SECONDS 600  //  a letter that was taken out is known

//  "ztf:123456", the key of an alert in queues, logs and sinks.
void weft_dlq_key (const weft_envelope_v1_t *envelope, char *key, size_t room);

//  Writes the dead letter of an alert that `stage` has rejected with `code`.
//  Writing it again replaces it. Durable when it returns 0. WEFT_ETOOBIG: the
//  queue is full, hold the alert; WEFT_EDOWN: hold it, too.
WEFT_CHECK int weft_dlq_put (weft_redis_t *redis,
                             const char *stage,
                             const weft_alert_t *alert,
                             int code,
                             const char *reason,
                             size_t ceiling);

//  A packet that ingest could not turn into an alert.
typedef struct {
    weft_str_t survey;  //  may be empty
    weft_str_t topic;
    int32_t partition;
    int64_t offset;
    weft_str_t path;  //  path#n of a file source, or empty
    int32_t night;
    uint32_t item;       //  number of the alert in its packet
    weft_str_t schema;   //  name or id of its schema, or empty
    const void *packet;  //  kept while (schema, reason) has room for samples
    size_t size;
    const weft_raw_ref_v1_t *raw_ref;  //  in the packet store, NULL: it is not
    int code;
    const char *reason;
} weft_dead_packet_t;

//  Writes the dead letter of a packet to dlq:ingest under the key
//  "topic/partition@offset". As weft_dlq_put; writing again changes nothing.
//  Samples are counted by (schema, code), so that reasons that quote values
//  do not each get a megabyte.
WEFT_CHECK int weft_dlq_put_packet (weft_redis_t *redis,
                                    const weft_dead_packet_t *dead,
                                    size_t ceiling);

//  Calls `each` with every dead letter of a stage, in no order (seldom twice); `dead` and the
//  bytes borrow until it returns. Entries that do not decode are given with
//  `dead` NULL.
typedef void (weft_dlq_each_t) (void *arg,
                                const char *stage,
                                weft_str_t key,
                                const weft_dead_v1_t *dead);
WEFT_CHECK int weft_dlq_list (weft_redis_t *redis,
                              const char *stage,
                              weft_dlq_each_t *each,
                              void *arg);

//  Stages that ever had a dead letter: up to `room` names; returns in *n.
WEFT_CHECK int weft_dlq_stages (weft_redis_t *redis,
                                char (*names)[64],
                                size_t room,
                                size_t *n);

//  One dead letter: calls `each` once; WEFT_ENOENT if there is none.
WEFT_CHECK int weft_dlq_show (weft_redis_t *redis,
                              const char *stage,
                              const char *key,
                              weft_dlq_each_t *each,
                              void *arg);

//  Moves a dead letter to replay:{stage}. Repeating it is a success while it
//  waits there; WEFT_ENOENT if it is in neither.
WEFT_CHECK int
weft_dlq_replay (weft_redis_t *redis, const char *stage, const char *key);

//  The same with the packet's bytes, of a letter that only kept its place.
WEFT_CHECK int weft_dlq_replay_with (weft_redis_t *redis,
                                     const char *stage,
                                     const char *key,
                                     weft_bin_t packet);

//  How many wait in replay:{stage}.
WEFT_CHECK int
weft_dlq_waiting (weft_redis_t *redis, const char *stage, uint64_t *n);

//  Removes a dead letter for good. WEFT_ENOENT if there is none (or if only the
//  reply was lost). The ledger keeps it as dead.
WEFT_CHECK int
weft_dlq_drop (weft_redis_t *redis, const char *stage, const char *key);

//  Bytes that a stage's queue holds now.
WEFT_CHECK int
weft_dlq_bytes (weft_redis_t *redis, const char *stage, uint64_t *bytes);

#endif
