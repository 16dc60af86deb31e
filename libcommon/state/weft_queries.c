//  weft_queries.c - see weft_queries.h.

#include "weft_queries.h"

#include <inttypes.h>

#define OPEN_KEY "query:{q}:open"
#define NIGHTS_KEY "query:{q}:nights"
#define KEEP_SECONDS "34560000"  //  400 days

//  One tag in braces: all keys live in one slot of a cluster, as a script's
//  keys must. KEYS: night, open, nights. ARGV: rank, budget, object, query id,
//  now, expires_at, section, seconds to keep, night.
static const char issue_script[] =
    "local open = redis.call('HGET', KEYS[2], ARGV[3]) "
    "if open then "
    "  local at, id = string.match(open, '^(%S+) (.*)$') "
    "  if id == ARGV[4] then "
    "    local there = redis.call('HGET', KEYS[1], ARGV[1]) "
    "    if there == ARGV[7] then return 1 end "
    "  end "
    "  if tonumber(at) > tonumber(ARGV[5]) then return 3 end "
    "end "
    "local n = redis.call('HLEN', KEYS[1]) "
    "if n >= tonumber(ARGV[2]) then return 4 end "
    "if n + 1 ~= tonumber(ARGV[1]) then return 2 end "
    "redis.call('HSET', KEYS[1], ARGV[1], ARGV[7]) "
    "redis.call('EXPIRE', KEYS[1], ARGV[8]) "
    "redis.call('HSET', KEYS[2], ARGV[3], ARGV[6] .. ' ' .. ARGV[4]) "
    "redis.call('ZADD', KEYS[3], ARGV[9], ARGV[9]) "
    "return 1";

//  KEYS: open. ARGV: now. Removes what is over; says how many stay.
static const char expire_script[] =
    "local all = redis.call('HGETALL', KEYS[1]) "
    "local left = #all / 2 "
    "for i = 1, #all, 2 do "
    "  local at = tonumber(string.match(all[i + 1], '^(%S+)')) "
    "  if not at or at <= tonumber(ARGV[1]) then "
    "    redis.call('HDEL', KEYS[1], all[i]) "
    "    left = left - 1 "
    "  end "
    "end "
    "return left";

static void
add_night_key (weft_batch_t *batch, int32_t night)
{
    weft_batch_argf (batch, "query:{q}:%" PRId32, night);
}

static void
add_issue (weft_batch_t *batch, const weft_query_ask_t *ask)
{
    weft_batch_keep (batch);
    weft_batch_script (batch, issue_script, 3, 9);
    add_night_key (batch, ask->night);
    weft_batch_str (batch, OPEN_KEY);
    weft_batch_str (batch, NIGHTS_KEY);
    weft_batch_int (batch, ask->rank);
    weft_batch_int (batch, ask->budget);
    weft_batch_str (batch, ask->object);
    weft_batch_str (batch, ask->query_id);
    weft_batch_argf (batch, "%.9f", ask->now);
    weft_batch_argf (batch, "%.9f", ask->expires_at);
    weft_batch_arg (batch, ask->section, ask->size);
    weft_batch_str (batch, KEEP_SECONDS);
    weft_batch_int (batch, ask->night);
}

int
weft_query_issue (weft_redis_t *redis,
                  const weft_query_ask_t *ask,
                  weft_query_verdict_t *verdict)
{
    if (!ask->rank || ask->night <= 0)
        return WEFT_ERANGE;
    if (ask->size > WEFT_QUERY_MOST)
        return WEFT_ETOOBIG;
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    add_issue (batch, ask);
    int rc = weft_batch_run (batch);
    if (!rc) {
        int64_t code = weft_reply_int (weft_batch_reply (batch, 0), 0);
        if (code < WEFT_QUERY_ISSUED || code > WEFT_QUERY_SPENT)
            rc = WEFT_EIO;
        else
            *verdict = (weft_query_verdict_t)code;
    }
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_query_count (weft_redis_t *redis, int32_t night, uint32_t *count)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_begin (batch, 2);
    weft_batch_str (batch, "HLEN");
    add_night_key (batch, night);
    int rc = weft_batch_run (batch);
    if (!rc)
        *count = (uint32_t)weft_reply_int (weft_batch_reply (batch, 0), 0);
    weft_batch_destroy (&batch);
    return rc;
}

//  Ranks have no holes: a rank is only ever the count plus one.
static int
read_ranks (weft_batch_t *batch,
            int32_t night,
            uint32_t first,
            uint32_t last,
            void (*each) (void *arg, uint32_t rank, weft_bin_t section),
            void *arg)
{
    weft_batch_begin (batch, 2 + last - first + 1);
    weft_batch_str (batch, "HMGET");
    add_night_key (batch, night);
    for (uint32_t rank = first; rank <= last; rank++)
        weft_batch_int (batch, rank);
    int rc = weft_batch_run (batch);
    if (rc)
        return rc;
    const weft_reply_t *reply = weft_batch_reply (batch, 0);
    for (uint32_t rank = first; rank <= last; rank++) {
        weft_bin_t section =
            weft_reply_bytes (weft_reply_at (reply, rank - first));
        if (section.p)
            each (arg, rank, section);
    }
    return 0;
}

int
weft_query_night (weft_redis_t *redis,
                  int32_t night,
                  uint32_t first,
                  void (*each) (void *arg, uint32_t rank, weft_bin_t section),
                  void *arg)
{
    uint32_t last;
    int rc = weft_query_count (redis, night, &last);
    first = WEFT_MAX (first, 1);
    while (!rc && first <= last) {
        uint32_t upto = WEFT_MIN (last, first + 255);
        weft_batch_t *batch = weft_batch_new (redis, 0);
        rc = batch ? read_ranks (batch, night, first, upto, each, arg)
                   : WEFT_ENOMEM;
        weft_batch_destroy (&batch);
        first = upto + 1;
    }
    return rc;
}

int
weft_query_nights (weft_redis_t *redis, int32_t *nights, size_t *n)
{
    size_t room = WEFT_MIN (*n, WEFT_QUERY_NIGHTS_MOST);
    *n = 0;
    if (!room)
        return 0;
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_begin (batch, 4);
    weft_batch_str (batch, "ZREVRANGE");
    weft_batch_str (batch, NIGHTS_KEY);
    weft_batch_int (batch, 0);
    weft_batch_int (batch, (int64_t)room - 1);
    int rc = weft_batch_run (batch);
    const weft_reply_t *reply = rc ? NULL : weft_batch_reply (batch, 0);
    for (size_t i = 0; !rc && i < weft_reply_count (reply); i++)
        nights[(*n)++] = (int32_t)weft_reply_int (weft_reply_at (reply, i), 0);
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_query_expire (weft_redis_t *redis, double now, uint32_t *left)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_keep (batch);
    weft_batch_script (batch, expire_script, 1, 1);
    weft_batch_str (batch, OPEN_KEY);
    weft_batch_argf (batch, "%.9f", now);
    int rc = weft_batch_run (batch);
    if (!rc)
        *left = (uint32_t)weft_reply_int (weft_batch_reply (batch, 0), 0);
    weft_batch_destroy (&batch);
    return rc;
}

//  "expires_at query_id"
static void
copy_id (weft_bin_t entry, char *id, size_t room)
{
    const void *blank = entry.p ? memchr (entry.p, ' ', entry.n) : NULL;
    id[0] = 0;
    if (!blank)
        return;
    uint32_t at = (uint32_t)((const uint8_t *)blank - entry.p) + 1;
    weft_str_copy ((weft_str_t){ (const char *)entry.p + at, entry.n - at }, id,
                   room);
}

int
weft_queries_open_of (weft_redis_t *redis,
                      const char *const *objects,
                      size_t n,
                      char *const *ids,
                      size_t room)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    for (size_t i = 0; i < n; i++)
        weft_batch_words (batch, "HGET", OPEN_KEY, objects[i]);
    int rc = n ? weft_batch_run (batch) : 0;
    for (size_t i = 0; !rc && i < n; i++)
        copy_id (weft_reply_bytes (weft_batch_reply (batch, i)), ids[i], room);
    weft_batch_destroy (&batch);
    return rc;
}
