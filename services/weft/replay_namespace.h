//  replay_namespace.h - a database of Redis for a replay alone.

#ifndef REPLAY_NAMESPACE_H_INCLUDED
#define REPLAY_NAMESPACE_H_INCLUDED

#include "weft_redis.h"

//  Marks the database of this connection as a replay's and empties it, but for
//  models and who is registered; `resume`: leaves it as it is. WEFT_EEXIST:
//  somebody else's keys are there, nothing was changed.
WEFT_CHECK int
replay_namespace (weft_redis_t *redis, const char *night, bool resume);

#endif
