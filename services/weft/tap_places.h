//  tap_places.h - the taps of a stage: found in the registry, listened to.
//
//  One thread.

#ifndef TAP_PLACES_H_INCLUDED
#define TAP_PLACES_H_INCLUDED

#include "weft_alert.h"
#include "weft_mesh.h"
#include "weft_redis.h"

typedef struct tap_places tap_places_t;

typedef struct {
    const char *stage;
    weft_keys_t *keys;  //  NULL: plaintext. Borrowed for life.
    uint64_t every;     //  show alerts whose number is divisible by it; 0: any
    double rate;        //  at most so many are wanted per second; 0: any
} tap_wish_t;

//  Returns new, NULL without memory. `wish` is copied, its stage borrowed.
WEFT_NEW tap_places_t *tap_places_new (const tap_wish_t *wish);
void tap_places_destroy (tap_places_t **self_p);

//  Reads the registry and listens to every process of the stage that is not
//  listened to yet. WEFT_ENOENT with `why` if none can be: nobody is there, it
//  is a stage in Python, its tap is off, or it needs keys. WEFT_EDOWN: no Redis.
WEFT_CHECK int tap_places_find (tap_places_t *self,
                                weft_redis_t *redis,
                                char *why,
                                size_t room);

//  Waits at most `ms` until something comes or `fd` can be written (-1: none);
//  true if it can. Reads everything that has come; what is wished for is kept,
//  32 alerts at most.
bool tap_places_turn (tap_places_t *self, int ms, int fd);

//  The oldest alert that is kept, *returns new*, its number and the process that
//  it is of (borrowed); NULL: there is none now.
WEFT_NEW weft_alert_t *
tap_places_next (tap_places_t *self, uint64_t *number, const char **process);

//  How many alerts were dropped because this end was too slow; and how many
//  processes are listened to.
uint64_t tap_places_missed (const tap_places_t *self);
size_t tap_places_count (const tap_places_t *self);

#endif
