//  weft_written.h - waits until Redis keeps what it acknowledged, also if its
//  process dies: of one Redis it is in the file, of a cluster a replica has it.
//
//  With `appendfsync everysec` Redis answers before it writes its file while an
//  fsync is under way (docs/STATE.md). A service's connection remembers such
//  writes until it has seen that buffer empty, or for four seconds, and issues
//  them again; a command that ends at once does not live
//  that long, so it waits here, mostly for one round trip. And whoever tells
//  others that something is done (an offset that is committed) asks before:
//  service and Redis may die together. Same thread as the connection.

#ifndef WEFT_WRITTEN_H_INCLUDED
#define WEFT_WRITTEN_H_INCLUDED

#include "weft_redis.h"

//  Waits until the buffer of the append-only file has been seen empty, or each
//  master of a cluster has a replica that is in step (or none that could take
//  over), at most `most_ms`, 0: one look; at once if there is no such file.
//  WEFT_EDOWN if the time is over. WEFT_EAGAIN, at once and once only: something
//  of what was written since the last 0 may be gone with a master of a cluster,
//  and is not remembered here: it must be done again.
WEFT_CHECK int weft_redis_written (weft_redis_t *redis, int64_t most_ms);

#endif
