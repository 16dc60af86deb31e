//  weft_release.h - the operator lets a held branch go on.
//
//  A branch that rejects over half of what it gets is held by its upstream
//  until its workers change, or until somebody says that the rejects are right:
//  `weft dlq release STAGE` sets `release:{stage}` for some seconds, and every
//  upstream of the stage that sees it releases. Same thread as the connection.

#ifndef WEFT_RELEASE_H_INCLUDED
#define WEFT_RELEASE_H_INCLUDED

#include "weft_redis.h"

#define WEFT_RELEASE_SECONDS 10

//  Tells every upstream of a stage to release it.
WEFT_CHECK int weft_release_set (weft_redis_t *redis, const char *stage);

//  Was it told within the last seconds?
WEFT_CHECK int
weft_release_get (weft_redis_t *redis, const char *stage, bool *released);

#endif
