//  weft_history.c - one blob per object, set only if nobody was faster.

#include "weft_history.h"

#include "weft_log.h"

enum { VERSION = 8, SURVEY_MOST = 32 };

//  A blob does not go through Lua, that would copy it twice more: it is set
//  under a name of our own, which the script then gives to the object. If the
//  script never runs, the name runs out.
enum { PARKED_SECONDS = 60 };

//  KEYS: object, parked blob. ARGV: expected version, new version, seconds to
//  keep it or 0. Returns 1
//  when the new blob stands there (also by an earlier call), else what does.
static const char put_script[] =
    "local now = redis.call ('GETRANGE', KEYS[1], 0, 7)\n"
    "if #now < 8 then now = string.rep ('\\0', 8) end\n"
    "if now == ARGV[1] then\n"
    "  redis.call ('RENAME', KEYS[2], KEYS[1])\n"
    "  if ARGV[3] == '0' then redis.call ('PERSIST', KEYS[1])\n"
    "  else redis.call ('EXPIRE', KEYS[1], ARGV[3]) end\n"
    "  return 1\n"
    "end\n"
    "redis.call ('UNLINK', KEYS[2])\n"
    "return now == ARGV[2] and 1 or redis.call ('GET', KEYS[1])\n";

//  In a cluster the blob does go through Lua: two keys would have to be in one
//  slot, and could not be written while that is on its way. KEYS: object. ARGV:
//  expected version, new version, new blob, seconds to keep it or 0.
static const char put_one_script[] =
    "local now = redis.call ('GETRANGE', KEYS[1], 0, 7)\n"
    "if #now < 8 then now = string.rep ('\\0', 8) end\n"
    "if now == ARGV[1] then\n"
    "  redis.call ('SET', KEYS[1], ARGV[3])\n"
    "  if ARGV[4] ~= '0' then redis.call ('EXPIRE', KEYS[1], ARGV[4]) end\n"
    "  return 1\n"
    "end\n"
    "return now == ARGV[2] and 1 or redis.call ('GET', KEYS[1])\n";

//  A part of a blob, written into it. KEYS: object. ARGV: expected version, new
//  version, where, the part, seconds to keep it or 0.
static const char put_part_script[] =
    "local now = redis.call ('GETRANGE', KEYS[1], 0, 7)\n"
    "if now == ARGV[1] then\n"
    "  redis.call ('SETRANGE', KEYS[1], ARGV[3], ARGV[4])\n"
    "  redis.call ('SETRANGE', KEYS[1], 0, ARGV[2])\n"
    "  if ARGV[5] == '0' then redis.call ('PERSIST', KEYS[1])\n"
    "  else redis.call ('EXPIRE', KEYS[1], ARGV[5]) end\n"
    "  return 1\n"
    "end\n"
    "return now == ARGV[2] and 1 or redis.call ('GET', KEYS[1])\n";

static int
check (const weft_history_t *items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (items[i].object_id.n == 0 || items[i].survey.n == 0 ||
            items[i].survey.n > SURVEY_MOST ||
            items[i].object_id.n > WEFT_HISTORY_OBJECT_MOST)
            return WEFT_ERANGE;
    return 0;
}

static void
add_key (weft_batch_t *batch, const weft_history_t *item)
{
    weft_batch_argf (batch, "lc:%.*s:%.*s", (int)item->survey.n, item->survey.p,
                     (int)item->object_id.n, item->object_id.p);
}

int
weft_history_get_ask (weft_batch_t *batch,
                      const weft_history_t *items,
                      size_t n,
                      size_t *first)
{
    int rc = check (items, n);
    if (rc)
        return rc;
    *first = weft_batch_count (batch);
    for (size_t i = 0; i < n; i++) {
        weft_batch_begin (batch, 2);
        weft_batch_str (batch, "GET");
        add_key (batch, &items[i]);
    }
    return 0;
}

//  Takes a stored value apart. What is too short counts as none.
static void
unpack (weft_history_t *item, weft_bin_t stored)
{
    item->version = 0;
    item->blob = NULL;
    item->size = 0;
    if (!stored.p || stored.n == 0)
        return;
    if (stored.n < VERSION) {
        weft_log (WEFT_ERROR, "HISTORY-BROKEN",
                  "lc:%.*s:%.*s has %u bytes: begun anew", (int)item->survey.n,
                  item->survey.p, (int)item->object_id.n, item->object_id.p,
                  stored.n);
        return;
    }
    item->version = weft_get_u64 (stored.p);
    item->blob = stored.p + VERSION;
    item->size = stored.n - VERSION;
}

int
weft_history_get_answer (const weft_batch_t *batch,
                         size_t first,
                         weft_history_t *items,
                         size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const weft_reply_t *reply = weft_batch_reply (batch, first + i);
        if (weft_reply_error (reply))
            return WEFT_EIO;
        unpack (&items[i], weft_reply_bytes (reply));
    }
    return 0;
}

static void
add_parked (weft_batch_t *batch, const weft_history_t *item)
{
    weft_batch_argf (batch, "lc+:%016llx", (unsigned long long)item->next);
}

//  A script of `args` arguments, up to its second: the version that has to be
//  there, and the `next` one.
static void
begin_put (weft_batch_t *batch,
           weft_history_t *item,
           const char *script,
           uint32_t args,
           uint8_t next[VERSION])
{
    uint8_t expected[VERSION];
    item->next = weft_batch_unique (batch);
    weft_put_u64 (expected, item->version);
    weft_put_u64 (next, item->next);
    weft_batch_script (batch, script, 1, args);
    add_key (batch, item);
    weft_batch_arg (batch, expected, VERSION);
    weft_batch_arg (batch, next, VERSION);
}

static void
ask_put_one (weft_batch_t *batch, weft_history_t *item)
{
    uint8_t next[VERSION];
    begin_put (batch, item, put_one_script, 4, next);
    weft_batch_arg2 (batch, next, VERSION, item->blob, item->size);
    weft_batch_int (batch, (int64_t)item->keep_s);
}

static void
ask_put_part (weft_batch_t *batch, weft_history_t *item)
{
    uint8_t next[VERSION];
    begin_put (batch, item, put_part_script, 5, next);
    weft_batch_int (batch, (int64_t)(VERSION + item->at));
    weft_batch_arg (batch, item->blob, item->size);
    weft_batch_int (batch, (int64_t)item->keep_s);
}

//  Two commands: the second one's reply is the answer.
static void
ask_put (weft_batch_t *batch, weft_history_t *item)
{
    uint8_t expected[VERSION], next[VERSION];
    item->next = weft_batch_unique (batch);
    weft_put_u64 (expected, item->version);
    weft_put_u64 (next, item->next);
    weft_batch_begin (batch, 5);
    weft_batch_str (batch, "SET");
    add_parked (batch, item);
    weft_batch_arg2 (batch, next, VERSION, item->blob, item->size);
    weft_batch_str (batch, "EX");
    weft_batch_int (batch, PARKED_SECONDS);
    weft_batch_script (batch, put_script, 2, 3);
    add_key (batch, item);
    add_parked (batch, item);
    weft_batch_arg (batch, expected, VERSION);
    weft_batch_arg (batch, next, VERSION);
    weft_batch_int (batch, (int64_t)item->keep_s);
}

int
weft_history_put_ask (weft_batch_t *batch,
                      weft_history_t *items,
                      size_t n,
                      size_t *first)
{
    int rc = check (items, n);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (items[i].size > WEFT_HISTORY_MOST ||
            items[i].at > WEFT_HISTORY_MOST - items[i].size)
            rc = WEFT_ETOOBIG;
        else if (items[i].at && !items[i].version)
            rc = WEFT_ERANGE;  //  a part of nothing
    if (rc)
        return rc;
    *first = weft_batch_count (batch);
    weft_batch_keep_if_room (batch);
    bool spread = weft_batch_spread (batch);
    for (size_t i = 0; i < n; i++)
        if (items[i].at)
            ask_put_part (batch, &items[i]);
        else if (spread)
            ask_put_one (batch, &items[i]);
        else
            ask_put (batch, &items[i]);
    return 0;
}

int
weft_history_put_answer (const weft_batch_t *batch,
                         size_t first,
                         weft_history_t *items,
                         size_t n)
{
    size_t next = first;
    for (size_t i = 0; i < n; i++) {
        weft_history_t *item = &items[i];
        next += item->at || weft_batch_spread (batch) ? 1 : 2;
        const weft_reply_t *reply = weft_batch_reply (batch, next - 1);
        if (weft_reply_error (reply))
            return WEFT_EIO;
        weft_bin_t stored = weft_reply_bytes (reply);
        item->lost = stored.p != NULL || weft_reply_nil (reply);
        if (item->lost)
            unpack (item, stored);
        else
            item->version = item->next;
    }
    return 0;
}

int
weft_history_get (weft_batch_t *batch, weft_history_t *items, size_t n)
{
    size_t first = 0;
    weft_batch_clear (batch);
    int rc = weft_history_get_ask (batch, items, n, &first);
    if (rc == 0)
        rc = weft_batch_run (batch);
    return rc ? rc : weft_history_get_answer (batch, first, items, n);
}

int
weft_history_put (weft_batch_t *batch, weft_history_t *items, size_t n)
{
    size_t first = 0;
    weft_batch_clear (batch);
    int rc = weft_history_put_ask (batch, items, n, &first);
    if (rc == 0)
        rc = weft_batch_run (batch);
    return rc ? rc : weft_history_put_answer (batch, first, items, n);
}
