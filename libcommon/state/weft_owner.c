//  weft_owner.c - a version and a name; the larger version wins, in one script.

#include "weft_owner.h"

#include <inttypes.h>

#include "weft_hash.h"

enum { VERSION_TEXT = 16 };

//  KEYS: own. ARGV: source, version (16 hexadecimal digits), object, seconds to
//  keep. The value is version, object, '|', where it has moved from. Returns
//  verdict, the other object, its version.
static const char claim_script[] =
    "local now = redis.call ('HGET', KEYS[1], ARGV[1])\n"
    "if not now then\n"
    "  redis.call ('HSET', KEYS[1], ARGV[1], ARGV[2] .. ARGV[3] .. '|')\n"
    "  if redis.call ('TTL', KEYS[1]) < 0 then\n"
    "    redis.call ('EXPIRE', KEYS[1], ARGV[4])\n"
    "  end\n"
    "  return {0, '', ''}\n"
    "end\n"
    "local version = string.sub (now, 1, 16)\n"
    "local bar = string.find (now, '|', 17, true)\n"
    "local object = string.sub (now, 17, bar - 1)\n"
    "local from = string.sub (now, bar + 1)\n"
    "if object ~= ARGV[3] then\n"
    "  if version > ARGV[2] or (version == ARGV[2] and object < ARGV[3]) then\n"
    "    return {2, object, version}\n"
    "  end\n"
    "  from = object\n"
    "end\n"
    "if version > ARGV[2] then ARGV[2] = version end\n"
    "redis.call ('HSET', KEYS[1], ARGV[1], ARGV[2] .. ARGV[3] .. '|' .. from)\n"
    "return {from == '' and 0 or 1, from, ''}\n";

//  KEYS: own. ARGV: source, object, where it has moved from.
static const char done_script[] =
    "local now = redis.call ('HGET', KEYS[1], ARGV[1])\n"
    "if now and string.sub (now, 17) == ARGV[2] .. '|' .. ARGV[3] then\n"
    "  redis.call ('HSET', KEYS[1], ARGV[1], string.sub (now, 1, 16) ..\n"
    "    ARGV[2] .. '|')\n"
    "end\n"
    "return 1\n";

//  KEYS: own. ARGV: source, version, object, seconds to keep.
static const char set_script[] =
    "redis.call ('HSET', KEYS[1], ARGV[1], ARGV[2] .. ARGV[3] .. '|')\n"
    "if redis.call ('TTL', KEYS[1]) < 0 then\n"
    "  redis.call ('EXPIRE', KEYS[1], ARGV[4])\n"
    "end\n"
    "return 1\n";

//  So that texts sort as the numbers do.
static void
version_text (int64_t version, char text[VERSION_TEXT + 1])
{
    snprintf (text, VERSION_TEXT + 1, "%016" PRIx64,
              (uint64_t)version ^ UINT64_C (1) << 63);
}

static int64_t
version_of (weft_bin_t text)
{
    char copy[VERSION_TEXT + 1] = "";
    if (text.n == VERSION_TEXT)
        memcpy (copy, text.p, VERSION_TEXT);
    return (int64_t)(strtoull (copy, NULL, 16) ^ UINT64_C (1) << 63);
}

static void
add_key (weft_batch_t *batch, const weft_owner_t *item)
{
    uint64_t hash = weft_hash_u64 ((uint64_t)item->source);
    weft_batch_argf (batch, "own:%.*s:%d:%u", (int)item->survey.n,
                     item->survey.p, item->night,
                     (unsigned)(hash % WEFT_OWNER_BUCKETS));
}

static void
add_source (weft_batch_t *batch, const weft_owner_t *item)
{
    uint8_t source[8];
    weft_put_u64 (source, (uint64_t)item->source);
    weft_batch_arg (batch, source, sizeof source);
}

static void
read_answer (weft_owner_t *item, const weft_reply_t *reply)
{
    weft_bin_t other = weft_reply_bytes (weft_reply_at (reply, 1));
    int64_t verdict = weft_reply_int (weft_reply_at (reply, 0), 0);
    item->verdict = verdict == 1   ? WEFT_OWNER_MOVED
                    : verdict == 2 ? WEFT_OWNER_LOST
                                   : WEFT_OWNER_OURS;
    weft_str_copy ((weft_str_t){ (const char *)other.p, other.n }, item->other,
                   sizeof item->other);
    item->other_version =
        version_of (weft_reply_bytes (weft_reply_at (reply, 2)));
}

static int
ask (weft_batch_t *batch,
     const char *script,
     const weft_owner_t *items,
     size_t n,
     double keep_days)
{
    char text[VERSION_TEXT + 1];
    weft_batch_clear (batch);
    weft_batch_keep (batch);
    for (size_t i = 0; i < n; i++) {
        if (items[i].object.n == 0 ||
            items[i].object.n >= WEFT_OWNER_OBJECT_MOST)
            return WEFT_ERANGE;
        version_text (items[i].version, text);
        weft_batch_script (batch, script, 1, 4);
        add_key (batch, &items[i]);
        add_source (batch, &items[i]);
        weft_batch_str (batch, text);
        weft_batch_arg (batch, items[i].object.p, items[i].object.n);
        weft_batch_int (batch, (int64_t)(keep_days * 86400));
    }
    return n ? weft_batch_run (batch) : 0;
}

int
weft_owner_set (weft_batch_t *batch,
                const weft_owner_t *items,
                size_t n,
                double keep_days)
{
    return ask (batch, set_script, items, n, keep_days);
}

int
weft_owner_claim (weft_batch_t *batch,
                  weft_owner_t *items,
                  size_t n,
                  double keep_days)
{
    int rc = ask (batch, claim_script, items, n, keep_days);
    for (size_t i = 0; !rc && i < n; i++)
        read_answer (&items[i], weft_batch_reply (batch, i));
    return rc;
}

int
weft_owner_done (weft_batch_t *batch, const weft_owner_t *item)
{
    weft_batch_clear (batch);
    weft_batch_keep (batch);
    weft_batch_script (batch, done_script, 1, 3);
    add_key (batch, item);
    add_source (batch, item);
    weft_batch_arg (batch, item->object.p, item->object.n);
    weft_batch_str (batch, item->other);
    return weft_batch_run (batch);
}
