//  weft_rows.c - immutable rows with a number each.

#include "weft_rows.h"

//  KEYS: row, index, open, seq. ARGV: id, row. The counter moves only for a
//  row that is not there, so issuing it again changes nothing.
static const char put_script[] =
    "if redis.call ('EXISTS', KEYS[1]) == 1 then return 0 end\n"
    "local number = redis.call ('INCR', KEYS[4])\n"
    "redis.call ('SET', KEYS[1], ARGV[2])\n"
    "redis.call ('ZADD', KEYS[2], number, ARGV[1])\n"
    "redis.call ('ZADD', KEYS[3], number, ARGV[1])\n"
    "return 1\n";

//  KEYS: index or open. ARGV: after, most, prefix of rows. Returns id, number,
//  row of each.
static const char list_script[] =
    "local ids = redis.call ('ZRANGE', KEYS[1], '(' .. ARGV[1], '+inf',\n"
    "  'BYSCORE', 'LIMIT', 0, ARGV[2], 'WITHSCORES')\n"
    "local out = {}\n"
    "for i = 1, #ids, 2 do\n"
    "  out[#out + 1] = ids[i]\n"
    "  out[#out + 1] = ids[i + 1]\n"
    "  out[#out + 1] = redis.call ('GET', ARGV[3] .. ids[i])\n"
    "end\n"
    "return out\n";

//  KEYS: index, open. ARGV: how many stay, how many go at most, prefix of rows.
static const char trim_script[] =
    "local over = redis.call ('ZCARD', KEYS[1]) - ARGV[1]\n"
    "if over <= 0 then return 0 end\n"
    "local ids = redis.call ('ZRANGE', KEYS[1], 0,\n"
    "  math.min (over, tonumber (ARGV[2])) - 1)\n"
    "for _, id in ipairs (ids) do\n"
    "  redis.call ('DEL', ARGV[3] .. id)\n"
    "  redis.call ('ZREM', KEYS[1], id)\n"
    "  redis.call ('ZREM', KEYS[2], id)\n"
    "end\n"
    "return #ids\n";

static void
ask_put (weft_batch_t *batch, const char *kind, const weft_row_put_t *row)
{
    weft_batch_script (batch, put_script, 4, 2);
    weft_batch_argf (batch, "%s:row:%.*s", kind, (int)row->id.n, row->id.p);
    weft_batch_argf (batch, "%s:index", kind);
    weft_batch_argf (batch, "%s:open", kind);
    weft_batch_argf (batch, "%s:seq", kind);
    weft_batch_arg (batch, row->id.p, row->id.n);
    weft_batch_arg (batch, row->row, row->size);
}

int
weft_rows_put (weft_redis_t *redis,
               const char *kind,
               weft_row_put_t *rows,
               size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].id.n == 0 || rows[i].id.n > WEFT_ROW_ID_MOST)
            return WEFT_ERANGE;
        if (rows[i].size > WEFT_ROW_MOST)
            return WEFT_ETOOBIG;
    }
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_keep (batch);
    for (size_t i = 0; i < n; i++)
        ask_put (batch, kind, &rows[i]);
    int rc = weft_batch_run (batch);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rows[i].fresh = weft_reply_int (weft_batch_reply (batch, i), 0) == 1;
    weft_batch_destroy (&batch);
    return rc;
}

static int
list (weft_redis_t *redis,
      const char *kind,
      const char *index,
      uint64_t after,
      size_t most,
      weft_row_each_t *each,
      void *arg,
      uint64_t *last)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_script (batch, list_script, 1, 3);
    weft_batch_argf (batch, "%s:%s", kind, index);
    weft_batch_int (batch, (int64_t)after);
    weft_batch_int (batch, (int64_t)most);
    weft_batch_argf (batch, "%s:row:", kind);
    int rc = weft_batch_run (batch);
    const weft_reply_t *rows = rc ? NULL : weft_batch_reply (batch, 0);
    for (size_t i = 0; rows && i + 2 < weft_reply_count (rows); i += 3) {
        weft_bin_t id = weft_reply_bytes (weft_reply_at (rows, i));
        int64_t number = weft_reply_int (weft_reply_at (rows, i + 1), 0);
        weft_bin_t row = weft_reply_bytes (weft_reply_at (rows, i + 2));
        if (id.p && row.p)
            each (arg, (uint64_t)number,
                  (weft_str_t){ (const char *)id.p, id.n }, row);
        if (last)
            *last = (uint64_t)number;
    }
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_rows_since (weft_redis_t *redis,
                 const char *kind,
                 uint64_t after,
                 size_t most,
                 weft_row_each_t *each,
                 void *arg,
                 uint64_t *last)
{
    if (last)
        *last = after;
    return list (redis, kind, "index", after, most, each, arg, last);
}

int
weft_rows_open (weft_redis_t *redis,
                const char *kind,
                size_t most,
                weft_row_each_t *each,
                void *arg)
{
    return list (redis, kind, "open", 0, most, each, arg, NULL);
}

int
weft_rows_close (weft_redis_t *redis, const char *kind, weft_str_t id)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_keep (batch);
    weft_batch_begin (batch, 3);
    weft_batch_str (batch, "ZREM");
    weft_batch_argf (batch, "%s:open", kind);
    weft_batch_arg (batch, id.p, id.n);
    int rc = weft_batch_run (batch);
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_rows_trim (weft_redis_t *redis, const char *kind, int64_t keep)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_script (batch, trim_script, 2, 3);
    weft_batch_argf (batch, "%s:index", kind);
    weft_batch_argf (batch, "%s:open", kind);
    weft_batch_int (batch, keep);
    weft_batch_int (batch, 256);
    weft_batch_argf (batch, "%s:row:", kind);
    int rc = weft_batch_run (batch);
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_rows_get (weft_redis_t *redis,
               const char *kind,
               weft_str_t id,
               weft_row_each_t *each,
               void *arg)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_begin (batch, 2);
    weft_batch_str (batch, "GET");
    weft_batch_argf (batch, "%s:row:%.*s", kind, (int)id.n, id.p);
    int rc = weft_batch_run (batch);
    if (rc == 0) {
        weft_bin_t row = weft_reply_bytes (weft_batch_reply (batch, 0));
        if (row.p)
            each (arg, 0, id, row);
        else
            rc = WEFT_ENOENT;
    }
    weft_batch_destroy (&batch);
    return rc;
}
