//  weft_written.h - waits until Redis has written what it acknowledged.
//
//  With `appendfsync everysec` Redis answers before it writes its file while an
//  fsync is under way (docs/STATE.md). A service's connection remembers such
//  writes until it has seen that buffer empty, or for four seconds, and issues
//  them again; a command that ends at once does not live
//  that long, so it waits here, mostly for one round trip.
//  Same thread as the connection.

#ifndef WEFT_WRITTEN_H_INCLUDED
#define WEFT_WRITTEN_H_INCLUDED

#include "weft_redis.h"

//  Waits until the buffer of the append-only file has been seen empty, at most
//  `most_ms`; at once if there is no such file. WEFT_EDOWN if the time is over.
WEFT_CHECK int weft_redis_written (weft_redis_t *redis, int64_t most_ms);

#endif
