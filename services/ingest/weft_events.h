//  weft_events.h - event.v1: what has changed about something that was told.
//
//  A row of kind "event" (weft_rows.h), told once by its id. Same thread as the
//  connection.

#ifndef WEFT_EVENTS_H_INCLUDED
#define WEFT_EVENTS_H_INCLUDED

#include "weft_contracts.h"
#include "weft_redis.h"

#define WEFT_EVENTS_KEPT 100000

typedef struct {
    const char *kind;  //  withdrawn, reassociated, merged
    weft_str_t survey;
    weft_str_t object_id;
    int64_t source;         //  0: none
    const char *from, *to;  //  NULL: neither
    int64_t version;        //  of the source: part of the id
    const char *reason;
    double at;  //  MJD TAI, 0: now
} weft_event_t;

//  Writes it, unless its id is there. WEFT_EDOWN: call again.
WEFT_CHECK int weft_events_put (weft_redis_t *redis, const weft_event_t *event);

#endif
