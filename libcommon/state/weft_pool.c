//  weft_pool.c - candidates by score, newest entry per object.

#include "weft_pool.h"

#include <math.h>

//  KEYS: pool, rank. ARGV: ceiling, then order, score, object, entry of each.
//  A stored entry begins with its order, 8 bytes of a double; Lua's struct
//  library reads it. Scores come as text with 17 digits: exact.
static const char put_script[] =
    "local most = tonumber (ARGV[1])\n"
    "for i = 2, #ARGV, 4 do\n"
    "  local order, object = ARGV[i], ARGV[i + 2]\n"
    "  local now = redis.call ('HGET', KEYS[1], object)\n"
    "  if not now or struct.unpack ('<d', now) <= struct.unpack ('<d', order)"
    " then\n"
    "    redis.call ('HSET', KEYS[1], object, order .. ARGV[i + 3])\n"
    "    redis.call ('ZADD', KEYS[2], ARGV[i + 1], object)\n"
    "  end\n"
    "end\n"
    "local over = redis.call ('ZCARD', KEYS[2]) - most\n"
    "if over > 0 then\n"
    "  for _, object in ipairs (redis.call ('ZRANGE', KEYS[2], 0, over - 1))\n"
    "  do\n"
    "    redis.call ('HDEL', KEYS[1], object)\n"
    "    redis.call ('ZREM', KEYS[2], object)\n"
    "  end\n"
    "end\n"
    "return 1\n";

//  KEYS: pool, rank. ARGV: how many. Returns object, score, entry of each.
static const char top_script[] =
    "local out = {}\n"
    "local best = redis.call ('ZRANGE', KEYS[2], 0, ARGV[1] - 1, 'REV',\n"
    "  'WITHSCORES')\n"
    "for i = 1, #best, 2 do\n"
    "  local entry = redis.call ('HGET', KEYS[1], best[i])\n"
    "  if entry then\n"
    "    out[#out + 1] = best[i]\n"
    "    out[#out + 1] = best[i + 1]\n"
    "    out[#out + 1] = entry\n"
    "  end\n"
    "end\n"
    "return out\n";

enum { ORDER = 8, PUTS_IN_SCRIPT = 256 };

static void
add_keys (weft_batch_t *batch, const char *name)
{
    weft_batch_argf (batch, "pool:%s", name);
    weft_batch_argf (batch, "pool:%s:rank", name);
}

static int
check (const weft_pool_put_t *puts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!isfinite (puts[i].score) || !isfinite (puts[i].order))
            return WEFT_ERANGE;
        if (puts[i].size > WEFT_POOL_ENTRY_MOST)
            return WEFT_ETOOBIG;
    }
    return 0;
}

static void
ask_put (weft_batch_t *batch,
         const char *name,
         const weft_pool_put_t *puts,
         size_t n,
         uint64_t ceiling)
{
    weft_batch_script (batch, put_script, 2, (uint32_t)(1 + 4 * n));
    add_keys (batch, name);
    weft_batch_int (batch, (int64_t)ceiling);
    for (size_t i = 0; i < n; i++) {
        uint8_t order[ORDER];
        weft_put_f64 (order, puts[i].order);
        weft_batch_arg (batch, order, ORDER);
        weft_batch_argf (batch, "%.17g", puts[i].score);
        weft_batch_arg (batch, puts[i].object.p, puts[i].object.n);
        weft_batch_arg (batch, puts[i].entry, puts[i].size);
    }
}

int
weft_pool_put (weft_redis_t *redis,
               const char *name,
               const weft_pool_put_t *puts,
               size_t n,
               uint64_t ceiling)
{
    int rc = check (puts, n);
    if (rc || n == 0)
        return rc;
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_keep (batch);
    for (size_t i = 0; i < n; i += PUTS_IN_SCRIPT)
        ask_put (batch, name, puts + i,
                 WEFT_MIN (n - i, (size_t)PUTS_IN_SCRIPT), ceiling);
    rc = weft_batch_run (batch);
    weft_batch_destroy (&batch);
    return rc;
}

static void
give (const weft_reply_t *list,
      size_t at,
      void (*each) (void *, weft_str_t, double, weft_bin_t),
      void *arg)
{
    weft_bin_t object = weft_reply_bytes (weft_reply_at (list, at));
    weft_bin_t score = weft_reply_bytes (weft_reply_at (list, at + 1));
    weft_bin_t entry = weft_reply_bytes (weft_reply_at (list, at + 2));
    if (!object.p || !score.p || entry.n < ORDER)
        return;
    entry.p += ORDER;
    entry.n -= ORDER;
    each (arg, (weft_str_t){ (const char *)object.p, object.n },
          strtod ((const char *)score.p, NULL), entry);
}

int
weft_pool_top (weft_redis_t *redis,
               const char *name,
               size_t most,
               void (*each) (void *, weft_str_t, double, weft_bin_t),
               void *arg)
{
    if (most == 0)
        return 0;
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_script (batch, top_script, 2, 1);
    add_keys (batch, name);
    weft_batch_int (batch, (int64_t)most);
    int rc = weft_batch_run (batch);
    if (rc == 0) {
        const weft_reply_t *list = weft_batch_reply (batch, 0);
        for (size_t i = 0; i + 2 < weft_reply_count (list); i += 3)
            give (list, i, each, arg);
    }
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_pool_remove (weft_redis_t *redis,
                  const char *name,
                  const weft_str_t *objects,
                  size_t n)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_keep (batch);
    for (size_t i = 0; i < n; i++) {
        weft_batch_begin (batch, 3);
        weft_batch_str (batch, "HDEL");
        weft_batch_argf (batch, "pool:%s", name);
        weft_batch_arg (batch, objects[i].p, objects[i].n);
        weft_batch_begin (batch, 3);
        weft_batch_str (batch, "ZREM");
        weft_batch_argf (batch, "pool:%s:rank", name);
        weft_batch_arg (batch, objects[i].p, objects[i].n);
    }
    int rc = weft_batch_run (batch);
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_pool_size (weft_redis_t *redis, const char *name, uint64_t *size)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_begin (batch, 2);
    weft_batch_str (batch, "ZCARD");
    weft_batch_argf (batch, "pool:%s:rank", name);
    int rc = weft_batch_run (batch);
    if (rc == 0)
        *size = (uint64_t)weft_reply_int (weft_batch_reply (batch, 0), 0);
    weft_batch_destroy (&batch);
    return rc;
}
