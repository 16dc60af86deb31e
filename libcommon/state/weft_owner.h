//  weft_owner.h - which object a source belongs to: that of its newest version.
//
//  A survey may associate a source anew: then it comes again, in a packet of
//  another object, with a later version. `own:{survey}:{night}:{bucket}` is a
//  hash of source id to version and object, bucket = hash of the id mod 64, kept
//  some days from the night's first source on. A move is pending until its
//  effects (the loser's tombstone, the event) are done: who claims the same again
//  is told of it again. Same thread as the connection.

#ifndef WEFT_OWNER_H_INCLUDED
#define WEFT_OWNER_H_INCLUDED

#include "weft_redis.h"

#define WEFT_OWNER_OBJECT_MOST 128
#define WEFT_OWNER_BUCKETS 64

typedef enum {
    WEFT_OWNER_OURS,   //  as far as anybody knows
    WEFT_OWNER_MOVED,  //  now ours, and was another's
    WEFT_OWNER_LOST,   //  another's, by a later version
} weft_owner_verdict_t;

typedef struct {
    weft_str_t survey;  //  borrowed until the answer is read, as `object`
    int32_t night;      //  of the source's exposure: floor (mjd)
    int64_t source;
    int64_t version;
    weft_str_t object;
    //  The answer.
    weft_owner_verdict_t verdict;
    char other[WEFT_OWNER_OBJECT_MOST];  //  moved from, or lost to
    int64_t other_version;               //  lost: the owner's
} weft_owner_t;

//  Claims sources, in one round trip; `batch` is cleared first. Of two objects
//  with the same version the one whose name sorts first owns it. WEFT_ERANGE on
//  a name that is too long.
WEFT_CHECK int weft_owner_claim (weft_batch_t *batch,
                                 weft_owner_t *items,
                                 size_t n,
                                 double keep_days);

//  Says so, whoever owned it before: an operator's word. `verdict` and what
//  follows are not looked at.
WEFT_CHECK int weft_owner_set (weft_batch_t *batch,
                               const weft_owner_t *items,
                               size_t n,
                               double keep_days);

//  The effects of a move are done.
WEFT_CHECK int weft_owner_done (weft_batch_t *batch, const weft_owner_t *item);

#endif
