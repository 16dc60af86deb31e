//  weft_claim.c - who sets a key first.

#include "weft_claim.h"

static const char release_script[] =
    "if redis.call ('GET', KEYS[1]) == ARGV[1] then\n"
    "  redis.call ('DEL', KEYS[1])\n"
    "end\n"
    "return 1\n";

static const char renew_script[] =
    "if redis.call ('GET', KEYS[1]) ~= ARGV[1] then return 0 end\n"
    "redis.call ('EXPIRE', KEYS[1], ARGV[2])\n"
    "return 1\n";

static void
ask (weft_batch_t *batch, const char *key, const char *value, int64_t seconds)
{
    weft_batch_begin (batch, seconds > 0 ? 6 : 4);
    weft_batch_str (batch, "SET");
    weft_batch_argf (batch, "claim:%s", key);
    weft_batch_str (batch, value);
    weft_batch_str (batch, "NX");
    if (seconds > 0) {
        weft_batch_str (batch, "EX");
        weft_batch_int (batch, seconds);
    }
    weft_batch_begin (batch, 2);
    weft_batch_str (batch, "GET");
    weft_batch_argf (batch, "claim:%s", key);
}

int
weft_claim (weft_redis_t *redis,
            const char *key,
            const char *value,
            int64_t seconds,
            bool *won,
            char *holder,
            size_t room)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_keep (batch);
    ask (batch, key, value, seconds);
    int rc = weft_batch_run (batch);
    if (rc == 0) {
        weft_bin_t now = weft_reply_bytes (weft_batch_reply (batch, 1));
        weft_str_t standing = { (const char *)now.p, now.n };
        *won = weft_str_is (standing, value);
        if (holder)
            weft_str_copy (standing, holder, room);
        if (!now.p)  //  it ran out between the two commands
            rc = WEFT_EAGAIN;
    }
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_claim_release (weft_redis_t *redis, const char *key, const char *value)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_keep (batch);
    weft_batch_script (batch, release_script, 1, 1);
    weft_batch_argf (batch, "claim:%s", key);
    weft_batch_str (batch, value);
    int rc = weft_batch_run (batch);
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_claim_renew (weft_redis_t *redis,
                  const char *key,
                  const char *value,
                  int64_t seconds,
                  bool *held)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_script (batch, renew_script, 1, 2);
    weft_batch_argf (batch, "claim:%s", key);
    weft_batch_str (batch, value);
    weft_batch_int (batch, seconds);
    int rc = weft_batch_run (batch);
    if (!rc)
        *held = weft_reply_int (weft_batch_reply (batch, 0), 0) == 1;
    weft_batch_destroy (&batch);
    return rc;
}
