//  weft_dlq_read.c - dead letters for the operator: list, show, put back, drop.
//
//  A queue may be large, so it is read in pieces (HSCAN): an entry that is
//  written or dropped meanwhile may or may not be seen, and while Redis
//  resizes its table one may be seen twice.

#include "weft_dlq.h"

enum { SCAN_COUNT = 32, BACK_MOST = 65 << 20 };

//  KEYS: dlq, bytes, samples, replay, gone. ARGV: key, "drop" or "replay",
//  sample's name or "", its bytes, the entry as it was read, the one that is put
//  back (empty: the same), seconds for which it is known to be gone. Removes the
//  entry if it is still that one. Returns 1 done, 0 there is none, 2 it has
//  changed.
static const char remove_script[] =
    "local entry = redis.call ('HGET', KEYS[1], ARGV[1])\n"
    "if not entry then\n"
    "  return ARGV[2] == 'replay' and redis.call ('HEXISTS', KEYS[4], ARGV[1])"
    " or 0\n"
    "end\n"
    "if entry ~= ARGV[5] then return 2 end\n"
    "if ARGV[2] == 'replay' then\n"
    "  local back = #ARGV[6] > 0 and ARGV[6] or entry\n"
    "  redis.call ('HSET', KEYS[4], ARGV[1], back)\n"
    "end\n"
    "redis.call ('HDEL', KEYS[1], ARGV[1])\n"
    "local now = redis.call ('TIME')[1]\n"
    "redis.call ('ZADD', KEYS[5], now, redis.sha1hex (entry))\n"
    "redis.call ('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - ARGV[7])\n"
    "redis.call ('EXPIRE', KEYS[5], ARGV[7])\n"
    "local bytes = tonumber (redis.call ('GET', KEYS[2]) or 0)\n"
    "bytes = math.max (0, bytes - #entry - #ARGV[1])\n"
    "redis.call ('SET', KEYS[2], bytes)\n"
    "local kept = tonumber (redis.call ('HGET', KEYS[3], ARGV[3]) or 0)\n"
    "if kept > tonumber (ARGV[4]) then\n"
    "  redis.call ('HSET', KEYS[3], ARGV[3], kept - ARGV[4])\n"
    "elseif kept > 0 and tonumber (ARGV[4]) > 0 then\n"
    "  redis.call ('HDEL', KEYS[3], ARGV[3])\n"
    "end\n"
    "return 1\n";

static void
give (weft_dlq_each_t *each,
      void *arg,
      const char *stage,
      weft_bin_t key,
      weft_bin_t entry)
{
    weft_dead_v1_t dead;
    weft_str_t name = { (const char *)key.p, key.n };
    bool good =
        weft_contract_decode (&weft_dead_v1, &dead, entry.p, entry.n) == 0;
    each (arg, stage, name, good ? &dead : NULL);
}

int
weft_dlq_list (weft_redis_t *redis,
               const char *stage,
               weft_dlq_each_t *each,
               void *arg)
{
    char cursor[32] = "0";
    weft_batch_t *batch = weft_batch_new (redis, 0);
    int rc = batch ? 0 : WEFT_ENOMEM;
    while (rc == 0) {
        weft_batch_clear (batch);
        weft_batch_begin (batch, 5);
        weft_batch_str (batch, "HSCAN");
        weft_batch_argf (batch, "dlq:%s", stage);
        weft_batch_str (batch, cursor);
        weft_batch_str (batch, "COUNT");
        weft_batch_int (batch, SCAN_COUNT);
        rc = weft_batch_run (batch);
        if (rc)
            break;
        const weft_reply_t *page = weft_batch_reply (batch, 0);
        if (weft_reply_count (page) != 2)
            break;
        weft_bin_t next = weft_reply_bytes (weft_reply_at (page, 0));
        const weft_reply_t *pairs = weft_reply_at (page, 1);
        for (size_t i = 0; i + 1 < weft_reply_count (pairs); i += 2)
            give (each, arg, stage, weft_reply_bytes (weft_reply_at (pairs, i)),
                  weft_reply_bytes (weft_reply_at (pairs, i + 1)));
        weft_str_copy ((weft_str_t){ (const char *)next.p, next.n }, cursor,
                       sizeof cursor);
        if (strcmp (cursor, "0") == 0)
            break;
    }
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_dlq_stages (weft_redis_t *redis, char (*names)[64], size_t room, size_t *n)
{
    *n = 0;
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_words (batch, "SORT", "dlq:stages", "ALPHA");
    int rc = weft_batch_run (batch);
    const weft_reply_t *list = rc ? NULL : weft_batch_reply (batch, 0);
    for (size_t i = 0; list && i < weft_reply_count (list) && *n < room; i++) {
        weft_bin_t name = weft_reply_bytes (weft_reply_at (list, i));
        weft_str_copy ((weft_str_t){ (const char *)name.p, name.n },
                       names[(*n)++], 64);
    }
    weft_batch_destroy (&batch);
    return rc;
}

//  Leaves the entry in the batch's reply 0; WEFT_ENOENT if there is none.
static int
fetch (weft_batch_t *batch,
       const char *stage,
       const char *key,
       weft_bin_t *entry)
{
    weft_batch_begin (batch, 3);
    weft_batch_str (batch, "HGET");
    weft_batch_argf (batch, "dlq:%s", stage);
    weft_batch_str (batch, key);
    int rc = weft_batch_run (batch);
    if (rc)
        return rc;
    *entry = weft_reply_bytes (weft_batch_reply (batch, 0));
    return entry->p ? 0 : WEFT_ENOENT;
}

int
weft_dlq_show (weft_redis_t *redis,
               const char *stage,
               const char *key,
               weft_dlq_each_t *each,
               void *arg)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_bin_t entry = { NULL, 0 };
    int rc = fetch (batch, stage, key, &entry);
    if (rc == 0)
        give (each, arg, stage,
              (weft_bin_t){ (const uint8_t *)key, (uint32_t)strlen (key) },
              entry);
    weft_batch_destroy (&batch);
    return rc;
}

static void
ask_remove (weft_batch_t *batch,
            const char *stage,
            const char *key,
            const char *how,
            weft_bin_t entry,
            const weft_buf_t *back)
{
    weft_dead_v1_t dead;
    if (weft_contract_decode (&weft_dead_v1, &dead, entry.p, entry.n) != 0)
        weft_contract_clear (&weft_dead_v1, &dead);
    bool sample = dead.packet.n > 0;
    uint32_t schema = WEFT_MIN (dead.schema.n, 128u);
    weft_batch_keep (batch);
    weft_batch_script (batch, remove_script, 5, 7);
    weft_batch_argf (batch, "dlq:%s", stage);
    weft_batch_argf (batch, "dlq:%s:bytes", stage);
    weft_batch_argf (batch, "dlq:%s:samples", stage);
    weft_batch_argf (batch, "replay:%s", stage);
    weft_batch_argf (batch, "dlq:%s:gone", stage);
    weft_batch_str (batch, key);
    weft_batch_str (batch, how);
    weft_batch_argf (batch, "%.*s|%d", (int)schema, schema ? dead.schema.p : "",
                     sample ? dead.code : 0);
    weft_batch_int (batch, sample ? dead.packet.n : 0);
    weft_batch_arg (batch, entry.p, entry.n);
    weft_batch_arg (batch, back->data, back->size);
    weft_batch_int (batch, WEFT_DLQ_GONE_SECONDS);
}

//  The entry with the packet's bytes, nothing if there are none to add.
static int
add_packet (weft_bin_t entry, weft_bin_t packet, weft_buf_t *back)
{
    weft_dead_v1_t dead;
    weft_buf_clear (back);
    if (!packet.n || !entry.p)
        return 0;
    int rc = weft_contract_decode (&weft_dead_v1, &dead, entry.p, entry.n);
    if (rc)
        return rc;
    WEFT_SET (dead_v1, &dead, packet, packet);
    return weft_contract_encode (&weft_dead_v1, &dead, back);
}

static int
take_out (weft_redis_t *redis,
          const char *stage,
          const char *key,
          const char *how,
          weft_bin_t packet)
{
    weft_buf_t back;
    weft_buf_init (&back, BACK_MOST);
    weft_batch_t *read = weft_batch_new (redis, 0);
    weft_batch_t *batch = weft_batch_new (redis, 0);
    int64_t done = 2;
    int rc = read && batch ? 0 : WEFT_ENOMEM;
    while (rc == 0 && done == 2) {
        weft_bin_t entry = { NULL, 0 };
        weft_batch_clear (read);
        weft_batch_clear (batch);
        rc = fetch (read, stage, key, &entry);
        if (rc && rc != WEFT_ENOENT)
            break;
        int bad = add_packet (entry, packet, &back);
        ask_remove (batch, stage, key, how, entry, &back);
        rc = bad ? bad : weft_batch_run (batch);
        if (rc == 0)
            done = weft_reply_int (weft_batch_reply (batch, 0), 0);
    }
    weft_batch_destroy (&read);
    weft_batch_destroy (&batch);
    weft_buf_fini (&back);
    return rc ? rc : done == 1 ? 0 : WEFT_ENOENT;
}

int
weft_dlq_replay (weft_redis_t *redis, const char *stage, const char *key)
{
    return take_out (redis, stage, key, "replay", (weft_bin_t){ NULL, 0 });
}

int
weft_dlq_replay_with (weft_redis_t *redis,
                      const char *stage,
                      const char *key,
                      weft_bin_t packet)
{
    return take_out (redis, stage, key, "replay", packet);
}

int
weft_dlq_drop (weft_redis_t *redis, const char *stage, const char *key)
{
    return take_out (redis, stage, key, "drop", (weft_bin_t){ NULL, 0 });
}

//  A number that one command tells.
static int
ask_number (weft_redis_t *redis,
            const char *command,
            const char *head,
            const char *stage,
            const char *tail,
            uint64_t *number)
{
    char key[128];
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    snprintf (key, sizeof key, "%s%.64s%s", head, stage, tail);
    weft_batch_words (batch, command, key);
    int rc = weft_batch_run (batch);
    if (rc == 0)
        *number = (uint64_t)weft_reply_int (weft_batch_reply (batch, 0), 0);
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_dlq_bytes (weft_redis_t *redis, const char *stage, uint64_t *bytes)
{
    return ask_number (redis, "GET", "dlq:", stage, ":bytes", bytes);
}

int
weft_dlq_waiting (weft_redis_t *redis, const char *stage, uint64_t *n)
{
    return ask_number (redis, "HLEN", "replay:", stage, "", n);
}
