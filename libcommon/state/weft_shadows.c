//  weft_shadows.c - see weft_shadows.h.

#include "weft_shadows.h"

//  KEYS: rows, candidates. ARGV: most rows, seconds, number, version, most
//  candidates, prefix of rows, then field and value of each row. Returns how
//  many rows are there.
static const char put_script[] =
    "local have = redis.call ('HLEN', KEYS[1])\n"
    "for i = 7, #ARGV, 2 do\n"
    "  if have >= tonumber (ARGV[1]) then break end\n"
    "  have = have + redis.call ('HSETNX', KEYS[1], ARGV[i], ARGV[i + 1])\n"
    "end\n"
    "if #ARGV < 7 then return have end\n"
    "redis.call ('EXPIRE', KEYS[1], ARGV[2])\n"
    "redis.call ('ZADD', KEYS[2], ARGV[3], ARGV[4])\n"
    "for _, old in ipairs (redis.call ('ZRANGE', KEYS[2], 0,\n"
    "    -1 - ARGV[5])) do\n"
    "  redis.call ('DEL', ARGV[6] .. old)\n"
    "  redis.call ('ZREM', KEYS[2], old)\n"
    "end\n"
    "return have\n";

int
weft_shadows_put (weft_redis_t *redis,
                  const char *name,
                  const char *version,
                  int64_t number,
                  weft_shadow_row_t *const *rows,
                  size_t n,
                  int64_t *count)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_script (batch, put_script, 2, (uint32_t)(6 + 2 * n));
    weft_batch_argf (batch, "shadow:%s:%s", name, version);
    weft_batch_argf (batch, "model:%s:shadows", name);
    weft_batch_int (batch, WEFT_SHADOWS_MOST);
    weft_batch_int (batch, WEFT_SHADOWS_SECONDS);
    weft_batch_int (batch, number);
    weft_batch_str (batch, version);
    weft_batch_int (batch, WEFT_SHADOWS_VERSIONS);
    weft_batch_argf (batch, "shadow:%s:", name);
    for (size_t i = 0; i < n; i++) {
        weft_batch_str (batch, rows[i]->key);
        weft_batch_arg (batch, rows[i]->bytes, rows[i]->size);
    }
    int rc = weft_batch_run (batch);
    if (rc == 0 && count)
        *count = weft_reply_int (weft_batch_reply (batch, 0), 0);
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_shadows_each (weft_redis_t *redis,
                   const char *name,
                   const char *version,
                   void (*each) (void *arg, weft_str_t key, weft_bin_t section),
                   void *arg)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_begin (batch, 2);
    weft_batch_str (batch, "HGETALL");
    weft_batch_argf (batch, "shadow:%s:%s", name, version);
    int rc = weft_batch_run (batch);
    const weft_reply_t *list = rc ? NULL : weft_batch_reply (batch, 0);
    for (size_t i = 0; list && i + 1 < weft_reply_count (list); i += 2) {
        weft_bin_t key = weft_reply_bytes (weft_reply_at (list, i));
        weft_bin_t row = weft_reply_bytes (weft_reply_at (list, i + 1));
        if (key.p && row.p)
            each (arg, (weft_str_t){ (const char *)key.p, key.n }, row);
    }
    weft_batch_destroy (&batch);
    return rc;
}
