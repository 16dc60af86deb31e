//  weft_packet_number.h - the number of a packet store, which nobody else has.
//
//  A number is a file `store-0001` in the folder, locked for life, that holds
//  the owner's random 64 bits; a restart takes a file that nobody has locked.
//  Where several hosts share a Redis, store:numbers there says whose a number
//  is, so that a reference means one place. Loop's thread.

#ifndef WEFT_PACKET_NUMBER_H_INCLUDED
#define WEFT_PACKET_NUMBER_H_INCLUDED

#include "weft_redis.h"

typedef struct {
    uint32_t number;  //  from 1 to WEFT_PACKET_STORES
    uint64_t owner;
    int lock;  //  descriptor that holds the lock
} weft_packet_number_t;

//  Takes a number in `folder`, which is there. `redis` may be NULL: unique in
//  this folder only. With `why`: WEFT_EDOWN, Redis does not answer; WEFT_EIO, the
//  disk has no room; WEFT_ECONFIG.
WEFT_CHECK int weft_packet_number_take (const char *folder,
                                        weft_redis_t *redis,
                                        weft_packet_number_t *number,
                                        char *why,
                                        size_t room);

void weft_packet_number_release (weft_packet_number_t *number);

//  Says in Redis where this store's packets are served: "host:port".
WEFT_CHECK int weft_packet_number_publish (weft_redis_t *redis,
                                           uint32_t number,
                                           const char *address);

//  Where a store's packets are served. WEFT_ENOENT: nobody has said so.
WEFT_CHECK int weft_packet_number_place (weft_redis_t *redis,
                                         uint32_t number,
                                         char *address,
                                         size_t room);

#endif
