//  dlq_release.h - a stage that is held because it rejects so much goes on. One
//  thread.

#ifndef DLQ_RELEASE_H_INCLUDED
#define DLQ_RELEASE_H_INCLUDED

#include "weft_redis.h"

//  The exit code: 0 or 1. Says why, and if no such stage is known.
int dlq_release (weft_redis_t *redis, const char *stage);

#endif
