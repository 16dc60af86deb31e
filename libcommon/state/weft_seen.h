//  weft_seen.h - which source position has won an alert id.
//
//  `seen:{survey}:{night}:{bucket}` is a hash of 8-byte alert id to 12-byte
//  position, bucket = hash of the id mod 1,024, kept 30 nights. Only the
//  ledger's script writes it, together with the outcome (weft_ledger.h); here
//  are its encodings and a look-up. Same thread as the connection.

#ifndef WEFT_SEEN_H_INCLUDED
#define WEFT_SEEN_H_INCLUDED

#include "weft_redis.h"

#define WEFT_SEEN_BUCKETS 1024
#define WEFT_SEEN_SECONDS (30 * 86400)
#define WEFT_SEEN_POSITION                                                     \
    12  //  bytes: u32 hash of topic/partition, u64 offset

//  Bucket of an alert id, 0 to 1023.
uint32_t weft_seen_bucket (int64_t alert_id);

//  The 12 bytes by which positions are compared.
void weft_seen_position (weft_str_t topic,
                         int32_t partition,
                         int64_t offset,
                         uint8_t out[WEFT_SEEN_POSITION]);

typedef struct {
    weft_str_t survey;
    int32_t night;
    int64_t alert_id;
    bool known;                            //  answer: it has an outcome
    uint8_t position[WEFT_SEEN_POSITION];  //  answer: whose
} weft_seen_t;

//  Looks up a batch of ids in one round trip. Clears `batch` first.
WEFT_CHECK int
weft_seen_look_up (weft_batch_t *batch, weft_seen_t *queries, size_t n);

#endif
