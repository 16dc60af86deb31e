//  weft_queries.h - the spectra that the learner asks for, within a budget.
//
//  `query:{q}:YYYYMMDD` is a hash of rank (1, 2, ...) to a section in query.v1:
//  what was asked for in one night, kept 400 days, as the features frozen in it
//  are what labels are trained with. `query:{q}:open` is a hash of object to
//  "expires_at query_id": no object is asked for twice while it is open.
//  `query:{q}:nights` lists the nights. Issuing is one script, so that neither
//  a kill nor a second learner can spend a rank twice or leave half of it.
//
//  The learner writes, the notifier and the portal read. Same thread as the
//  connection.

#ifndef WEFT_QUERIES_H_INCLUDED
#define WEFT_QUERIES_H_INCLUDED

#include "weft_redis.h"

#define WEFT_QUERY_MOST 65536      //  bytes of one section
#define WEFT_QUERY_NIGHTS_MOST 64  //  nights that one call reads

typedef enum {
    WEFT_QUERY_ISSUED = 1,  //  it stands in Redis now, under this rank
    WEFT_QUERY_TAKEN = 2,   //  another query has this rank: count again
    WEFT_QUERY_OPEN = 3,    //  this object is asked for already
    WEFT_QUERY_SPENT = 4,   //  the night's budget is spent
} weft_query_verdict_t;

typedef struct {
    int32_t night;         //  YYYYMMDD, whose budget pays
    uint32_t rank;         //  the next one: weft_query_count + 1
    uint32_t budget;       //  most queries of this night
    const char *object;    //  "survey:object_id"
    const char *query_id;  //  idempotency key; asking it again is one query
    double now;            //  MJD TAI
    double expires_at;     //  MJD TAI; until then the object is open
    const void *section;   //  query.v1, of the same rank
    size_t size;
} weft_query_ask_t;

//  Issues one query, all or nothing. A query of the same id under the same
//  rank (the answer was lost) is ISSUED again.
WEFT_CHECK int weft_query_issue (weft_redis_t *redis,
                                 const weft_query_ask_t *ask,
                                 weft_query_verdict_t *verdict);

//  How many queries a night has.
WEFT_CHECK int
weft_query_count (weft_redis_t *redis, int32_t night, uint32_t *count);

//  Calls `each` with the queries of one night, by rank from `first` on.
//  `section` borrows until `each` returns.
WEFT_CHECK int
weft_query_night (weft_redis_t *redis,
                  int32_t night,
                  uint32_t first,
                  void (*each) (void *arg, uint32_t rank, weft_bin_t section),
                  void *arg);

//  The latest nights with queries, newest first; *n is the room and then how
//  many there are (at most WEFT_QUERY_NIGHTS_MOST).
WEFT_CHECK int
weft_query_nights (weft_redis_t *redis, int32_t *nights, size_t *n);

//  Closes what has expired at `now` (MJD TAI). *left counts what stays open.
WEFT_CHECK int
weft_query_expire (weft_redis_t *redis, double now, uint32_t *left);

//  Which query is open for each object ("survey:object_id"): its id into
//  ids[i], which has `room` bytes, or "".
WEFT_CHECK int weft_queries_open_of (weft_redis_t *redis,
                                     const char *const *objects,
                                     size_t n,
                                     char *const *ids,
                                     size_t room);

#endif
