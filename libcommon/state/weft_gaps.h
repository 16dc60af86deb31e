//  weft_gaps.h - what a source has lost before anybody read it.
//
//  Retention deletes messages of a topic; nobody has them, so they have no
//  outcome and are in no night of the ledger (weft_ledger.h). They are listed
//  beside it: hash `gaps`, "topic/partition/first offset" to how many. The same
//  gap found again is the same entry. The connection is the ledger's. Same
//  thread as the connection.

#ifndef WEFT_GAPS_H_INCLUDED
#define WEFT_GAPS_H_INCLUDED

#include "weft_redis.h"

#define WEFT_GAPS_TOPIC_MOST 256  //  bytes of a topic's name with its end
#define WEFT_GAPS_MOST 10000      //  that are read

typedef struct {
    char topic[WEFT_GAPS_TOPIC_MOST];
    int32_t partition;
    int64_t first;  //  offset
    int64_t count;  //  messages, at least 1
} weft_gap_t;

//  Lists gaps, on a batch that is cleared first. WEFT_EDOWN: call again.
WEFT_CHECK int
weft_gaps_add (weft_batch_t *batch, const weft_gap_t *gaps, size_t n);

//  Returns new in *gaps: all of them, by topic, partition and offset, for the
//  caller to free; NULL and 0 if there are none.
WEFT_CHECK int
weft_gaps_read (weft_redis_t *redis, weft_gap_t **gaps, size_t *n);

#endif
