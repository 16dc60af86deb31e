//  weft_asking.h - spends a night's budget of queries, once in the mesh.
//
//  Every replica has one and calls `turn` each interval; a claim in Redis gives
//  each interval to one of them. The claim only saves work: what keeps the
//  budget, and an object from being asked for twice, is the script of
//  weft_queries.h, so a kill at any point does no harm.
//
//  A share of the ranks is filled by random picks: labels of what the model
//  asked for alone are a biased sample. Loop's thread.

#ifndef WEFT_ASKING_H_INCLUDED
#define WEFT_ASKING_H_INCLUDED

#include "weft_redis.h"

#define WEFT_POOL_NAME_MOST 64

typedef struct {
    const char *requester;  //  who asks; also names the pools
    const char *instance;   //  of this process, for the claim
    uint32_t budget;        //  queries a night, all replicas together
    uint32_t batch;         //  most in one interval
    int64_t interval_ms;
    double random_share;  //  0 to 1
    double expires_d;     //  a query is open that long, days
    double max_age_d;     //  since the object's last detection, days
    double noon_utc_h;    //  when nights change, UTC hours
} weft_asking_t;

typedef struct {
    bool claimed;     //  this interval was ours
    uint32_t asked;   //  issued now
    uint32_t random;  //  of these at random
    uint32_t stale;   //  thrown out: too old
    uint32_t spent;   //  queries of tonight, all replicas
    uint32_t open;    //  objects asked for and not expired
    int32_t night;
} weft_asked_t;

//  One interval. `utc` is now (seconds since 1970), `newest` the time of the
//  newest alert (MJD TAI) from which ages count. WEFT_EDOWN: nothing is lost,
//  the next interval goes on.
WEFT_CHECK int weft_asking_turn (const weft_asking_t *self,
                                 weft_redis_t *redis,
                                 double utc,
                                 double newest,
                                 weft_asked_t *asked);

//  The night of a time as YYYYMMDD of its evening.
int32_t weft_asking_night (double utc, double noon_utc_h);

//  Names of the two pools: by score, and a uniform sample of objects.
void weft_asking_pools (const char *requester,
                        char ranked[WEFT_POOL_NAME_MOST],
                        char random[WEFT_POOL_NAME_MOST]);

#endif
