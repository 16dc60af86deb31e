//  weft_pool.h - the active learner's candidates, best score first.
//
//  `pool:{name}` is a hash of object to entry, `pool:{name}:rank` a sorted set
//  by score. Order of arrival does not matter: of two entries of one object the
//  one of the larger `order` (time of the alert) stays, and at the ceiling the
//  lowest scores go. Putting twice changes nothing. Same thread as the
//  connection.

#ifndef WEFT_POOL_H_INCLUDED
#define WEFT_POOL_H_INCLUDED

#include "weft_redis.h"

#define WEFT_POOL_ENTRY_MOST 65536

typedef struct {
    weft_str_t object;  //  key, e.g. "ztf:ZTF18abc"
    double order;       //  the larger one stays, e.g. t_obs (MJD TAI)
    double score;       //  larger is wanted more; finite
    const void *entry;  //  any bytes, e.g. a section in query.v1
    size_t size;
} weft_pool_put_t;

//  Puts a batch of candidates, at most `ceiling` of them stay in the pool.
//  One round trip; WEFT_ERANGE if a score is not finite, WEFT_ETOOBIG.
WEFT_CHECK int weft_pool_put (weft_redis_t *redis,
                              const char *name,
                              const weft_pool_put_t *puts,
                              size_t n,
                              uint64_t ceiling);

//  Calls `each` with the best `most` candidates, best first.
WEFT_CHECK int weft_pool_top (
    weft_redis_t *redis,
    const char *name,
    size_t most,
    void (*each) (void *arg, weft_str_t object, double score, weft_bin_t entry),
    void *arg);

//  Takes objects out of the pool.
WEFT_CHECK int weft_pool_remove (weft_redis_t *redis,
                                 const char *name,
                                 const weft_str_t *objects,
                                 size_t n);

WEFT_CHECK int
weft_pool_size (weft_redis_t *redis, const char *name, uint64_t *size);

#endif
