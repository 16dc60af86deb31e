//  weft_models_move.c - the pointers to models, and how the live one moves.

#include "weft_models.h"
#include "weft_time.h"

//  KEYS: current, candidate, numbers, promotions.
static const char pointers_script[] =
    "local live = redis.call ('GET', KEYS[1]) or ''\n"
    "local next = redis.call ('GET', KEYS[2]) or ''\n"
    "return { live, next, redis.call ('HGET', KEYS[3], live) or 0,\n"
    "  redis.call ('HGET', KEYS[3], next) or 0,\n"
    "  redis.call ('GET', KEYS[4]) or 0 }\n";

//  KEYS: current, candidate, numbers, promotions, moves, the version's section.
//  ARGV: promotions as the caller has seen them, version, how, what is listed,
//  how many are. Returns 1 when it is done, 0 if `current` has moved since (or
//  there is another candidate), -1 if the version is not published, -2 if it
//  does not lie in the direction of `how`.
static const char move_script[] =
    "local count = tonumber (redis.call ('GET', KEYS[4]) or 0)\n"
    "local seen, now = tonumber (ARGV[1]), redis.call ('GET', KEYS[1]) or ''\n"
    "if now == ARGV[2] and (count == seen or count == seen + 1) then\n"
    "  return 1 end\n"
    "if count ~= seen then return 0 end\n"
    "local next = redis.call ('GET', KEYS[2])\n"
    "if ARGV[3] == 'candidate' and next ~= ARGV[2] then return 0 end\n"
    "local mine = tonumber (redis.call ('HGET', KEYS[3], ARGV[2]) or '')\n"
    "if not mine or redis.call ('EXISTS', KEYS[6]) == 0 then\n"
    "  return -1 end\n"
    "local theirs = tonumber (redis.call ('HGET', KEYS[3], now) or 0)\n"
    "if now ~= '' and (mine < theirs) ~= (ARGV[3] == 'back') then\n"
    "  return -2 end\n"
    "if ARGV[3] == 'back' and next == now then\n"
    "  redis.call ('DEL', KEYS[2]) end\n"
    "redis.call ('SET', KEYS[1], ARGV[2])\n"
    "redis.call ('SET', KEYS[4], count + 1)\n"
    "redis.call ('ZADD', KEYS[5], count + 1, (count + 1) .. ' ' .. ARGV[4])\n"
    "redis.call ('ZREMRANGEBYRANK', KEYS[5], 0, -1 - ARGV[5])\n"
    "return 1\n";

static void
key_of (weft_batch_t *batch, const char *name, const char *what)
{
    weft_batch_argf (batch, "model:%s:%s", name, what);
}

static void
copy_version (const weft_reply_t *reply, char version[WEFT_MODEL_VERSION_MOST])
{
    weft_bin_t from = weft_reply_bytes (reply);
    weft_str_t text = { (const char *)from.p, from.n };
    weft_str_copy (text, version, WEFT_MODEL_VERSION_MOST);
}

int
weft_model_pointers (weft_redis_t *redis,
                     const char *name,
                     weft_model_pointers_t *out)
{
    memset (out, 0, sizeof (*out));
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_script (batch, pointers_script, 4, 0);
    key_of (batch, name, "current");
    key_of (batch, name, "candidate");
    key_of (batch, name, "numbers");
    key_of (batch, name, "promotions");
    int rc = weft_batch_run (batch);
    const weft_reply_t *reply = rc ? NULL : weft_batch_reply (batch, 0);
    if (reply && weft_reply_count (reply) == 5) {
        copy_version (weft_reply_at (reply, 0), out->live);
        copy_version (weft_reply_at (reply, 1), out->candidate);
        out->live_number = weft_reply_int (weft_reply_at (reply, 2), 0);
        out->candidate_number = weft_reply_int (weft_reply_at (reply, 3), 0);
        out->promotions = weft_reply_int (weft_reply_at (reply, 4), 0);
    }
    weft_batch_destroy (&batch);
    return rc;
}

static void
ask_move (weft_batch_t *batch,
          const char *name,
          const weft_model_pointers_t *at,
          const char *version,
          const char *how,
          const char *who)
{
    weft_batch_script (batch, move_script, 6, 5);
    key_of (batch, name, "current");
    key_of (batch, name, "candidate");
    key_of (batch, name, "numbers");
    key_of (batch, name, "promotions");
    key_of (batch, name, "moves");
    key_of (batch, name, version);
    weft_batch_int (batch, at->promotions);
    weft_batch_str (batch, version);
    weft_batch_str (batch, how);
    weft_batch_argf (batch, "%s %.6f %.64s", version, weft_time_mjd_tai (),
                     who);
    weft_batch_int (batch, WEFT_MODEL_PROMOTIONS);
}

static int
move (weft_redis_t *redis,
      const char *name,
      const weft_model_pointers_t *at,
      const char *version,
      const char *how,
      const char *who)
{
    if (!version[0])
        return WEFT_ENOENT;
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_keep (batch);
    ask_move (batch, name, at, version, how, who);
    int rc = weft_batch_run (batch);
    if (rc == 0) {
        int64_t answer = weft_reply_int (weft_batch_reply (batch, 0), 0);
        rc = answer == 1    ? 0
             : answer == 0  ? WEFT_EEXIST
             : answer == -1 ? WEFT_ENOENT
                            : WEFT_ERANGE;
    }
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_model_move (weft_redis_t *redis,
                 const char *name,
                 const weft_model_pointers_t *at,
                 const char *version,
                 const char *who)
{
    return move (redis, name, at, version, "newer", who);
}

int
weft_model_move_candidate (weft_redis_t *redis,
                           const char *name,
                           const weft_model_pointers_t *at,
                           const char *who)
{
    return move (redis, name, at, at->candidate, "candidate", who);
}

int
weft_model_move_back (weft_redis_t *redis,
                      const char *name,
                      const weft_model_pointers_t *at,
                      const char *version,
                      const char *who)
{
    return move (redis, name, at, version, "back", who);
}

int
weft_model_promote (weft_redis_t *redis,
                    const char *name,
                    const char *expected,
                    const char *version)
{
    weft_model_pointers_t at;
    int rc = weft_model_pointers (redis, name, &at);
    if (rc)
        return rc;
    if (strcmp (at.live, version) && strcmp (at.live, expected ? expected : ""))
        return WEFT_EEXIST;
    return weft_model_move (redis, name, &at, version, "promote");
}

int
weft_model_current (weft_redis_t *redis,
                    const char *name,
                    char version[WEFT_MODEL_VERSION_MOST])
{
    weft_model_pointers_t at;
    int rc = weft_model_pointers (redis, name, &at);
    snprintf (version, WEFT_MODEL_VERSION_MOST, "%s", at.live);
    return rc ? rc : at.live[0] ? 0 : WEFT_ENOENT;
}

int
weft_model_promotions (weft_redis_t *redis,
                       const char *name,
                       void (*each) (void *arg,
                                     int64_t count,
                                     const char *version,
                                     double at,
                                     const char *who),
                       void *arg)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_begin (batch, 4);
    weft_batch_str (batch, "ZRANGE");
    key_of (batch, name, "moves");
    weft_batch_str (batch, "0");
    weft_batch_str (batch, "-1");
    int rc = weft_batch_run (batch);
    const weft_reply_t *list = rc ? NULL : weft_batch_reply (batch, 0);
    for (size_t i = 0; list && i < weft_reply_count (list); i++) {
        char text[256], version[WEFT_MODEL_VERSION_MOST], who[65] = "";
        long long count;
        double at;
        weft_bin_t bytes = weft_reply_bytes (weft_reply_at (list, i));
        weft_str_copy ((weft_str_t){ (const char *)bytes.p, bytes.n }, text,
                       sizeof (text));
        if (sscanf (text, "%lld %71s %lf %64[^\n]", &count, version, &at,
                    who) >= 3)
            each (arg, count, version, at, who);
    }
    weft_batch_destroy (&batch);
    return rc;
}
