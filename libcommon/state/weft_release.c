//  weft_release.c - the operator lets a held branch go on.

#include "weft_release.h"

int
weft_release_set (weft_redis_t *redis, const char *stage)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_begin (batch, 5);
    weft_batch_str (batch, "SET");
    weft_batch_argf (batch, "release:%s", stage);
    weft_batch_str (batch, "1");
    weft_batch_str (batch, "EX");
    weft_batch_int (batch, WEFT_RELEASE_SECONDS);
    int rc = weft_batch_run (batch);
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_release_get (weft_redis_t *redis, const char *stage, bool *released)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_begin (batch, 2);
    weft_batch_str (batch, "EXISTS");
    weft_batch_argf (batch, "release:%s", stage);
    int rc = weft_batch_run (batch);
    *released = !rc && weft_reply_int (weft_batch_reply (batch, 0), 0) == 1;
    weft_batch_destroy (&batch);
    return rc;
}
