//  weft_claim.h - what must happen once in the whole mesh.
//
//  A night's budget, a retrain, a promotion: whoever sets `claim:{key}` first
//  does it. The value says who and what; asking again with the same value is
//  the same claim, so a lost reply does no harm. Same thread as the connection.

#ifndef WEFT_CLAIM_H_INCLUDED
#define WEFT_CLAIM_H_INCLUDED

#include "weft_redis.h"

//  Claims `key` with `value` for `seconds` (0: for ever). *won says whether
//  the claim is ours now; `holder` (may be NULL) gets the standing value.
WEFT_CHECK int weft_claim (weft_redis_t *redis,
                           const char *key,
                           const char *value,
                           int64_t seconds,
                           bool *won,
                           char *holder,
                           size_t room);

//  Makes a claim last `seconds` from now, if `value` still holds it: *held.
WEFT_CHECK int weft_claim_renew (weft_redis_t *redis,
                                 const char *key,
                                 const char *value,
                                 int64_t seconds,
                                 bool *held);

//  Gives a claim back, if `value` still holds it.
WEFT_CHECK int
weft_claim_release (weft_redis_t *redis, const char *key, const char *value);

#endif
