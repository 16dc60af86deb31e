//  weft_candidates.c - see weft_candidates.h.

#include "weft_candidates.h"

#include "weft_contracts.h"

#include <inttypes.h>

//  KEYS: trained, test, candidate, numbers, versions, names, the section.
//  ARGV: label set, test set, version or "declined: ...", section ("": declined),
//  created_at, name. An answer of 1 finds itself when it is issued again.
static const char offer_script[] =
    "local test = redis.call ('GET', KEYS[2])\n"
    "if test and test ~= ARGV[2] then return 4 end\n"
    "local stands = redis.call ('HGET', KEYS[1], ARGV[1])\n"
    "if stands then return stands == ARGV[3] and 1 or 2 end\n"
    "local last = tonumber (redis.call ('HGET', KEYS[1], 'last') or -1)\n"
    "if tonumber (ARGV[1]) < last then return 3 end\n"
    "redis.call ('SET', KEYS[2], ARGV[2])\n"
    "redis.call ('HSET', KEYS[1], ARGV[1], ARGV[3], 'last', ARGV[1])\n"
    "if ARGV[4] == '' then return 1 end\n"
    "redis.call ('SET', KEYS[7], ARGV[4], 'NX')\n"
    "if redis.call ('HEXISTS', KEYS[4], ARGV[3]) == 0 then\n"
    "  redis.call ('HSET', KEYS[4], ARGV[3],\n"
    "    redis.call ('HLEN', KEYS[4]) + 1)\n"
    "end\n"
    "redis.call ('ZADD', KEYS[5], 'NX', ARGV[5], ARGV[3])\n"
    "redis.call ('SADD', KEYS[6], ARGV[6])\n"
    "redis.call ('SET', KEYS[3], ARGV[3])\n"
    "return 1\n";

static const char *const verdicts[] = {
    [WEFT_OFFER_TAKEN] = "taken",
    [WEFT_OFFER_DONE] = "done",
    [WEFT_OFFER_OLDER] = "older",
    [WEFT_OFFER_TEST] = "another test set",
};

const char *
weft_offer_text (weft_offer_verdict_t verdict)
{
    return verdicts[verdict];
}

static void
ask_offer (weft_batch_t *batch,
           const char *name,
           const weft_offer_t *offer,
           const char *outcome,
           double created_at)
{
    static const char *const keys[] = { "trained", "test", "candidate",
                                        "numbers", "versions" };
    weft_batch_keep (batch);
    weft_batch_script (batch, offer_script, 7, 6);
    for (size_t i = 0; i < WEFT_COUNT (keys); i++)
        weft_batch_argf (batch, "model:%s:%s", name, keys[i]);
    weft_batch_str (batch, "models");
    weft_batch_argf (batch, "model:%s:%s", name, outcome);
    weft_batch_argf (batch, "%" PRIu64, offer->labels);
    weft_batch_str (batch, offer->test);
    weft_batch_str (batch, outcome);
    weft_batch_arg (batch, offer->section ? offer->section : "", offer->size);
    weft_batch_argf (batch, "%.17g", created_at);
    weft_batch_str (batch, name);
}

//  The version that the section states, which must be this model's.
static int
read_version (const char *name,
              const weft_offer_t *offer,
              char outcome[WEFT_MODEL_REASON_MOST],
              double *created_at)
{
    weft_model_v1_t model;
    int rc = weft_contract_decode (&weft_model_v1, &model, offer->section,
                                   offer->size);
    if (rc)
        return rc;
    //  A SHA-256, so it is none of a model's other keys.
    if (!weft_str_is (model.name, name) || model.version.n != 64)
        return WEFT_EMALFORMED;
    weft_str_copy (model.version, outcome, WEFT_MODEL_REASON_MOST);
    *created_at = model.created_at;
    return 0;
}

int
weft_candidate_offer (weft_redis_t *redis,
                      const char *name,
                      const weft_offer_t *offer,
                      weft_offer_verdict_t *verdict)
{
    char outcome[WEFT_MODEL_REASON_MOST];
    double created_at = 0;
    int rc = offer->size > WEFT_MODEL_MOST ? WEFT_ETOOBIG : 0;
    if (!rc && offer->section)
        rc = read_version (name, offer, outcome, &created_at);
    else
        snprintf (outcome, sizeof (outcome), "declined: %s", offer->declined);
    if (rc)
        return rc;
    weft_batch_t *batch = weft_batch_new (redis, WEFT_MODEL_MOST + 4096);
    if (!batch)
        return WEFT_ENOMEM;
    ask_offer (batch, name, offer, outcome, created_at);
    weft_model_retain (batch, weft_str (name));
    rc = weft_batch_run (batch);
    if (!rc) {
        int64_t code = weft_reply_int (weft_batch_reply (batch, 0), 0);
        if (code < WEFT_OFFER_TAKEN || code > WEFT_OFFER_TEST)
            rc = WEFT_EIO;
        else
            *verdict = (weft_offer_verdict_t)code;
    }
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_candidate_last (weft_redis_t *redis, const char *name, int64_t *labels)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_begin (batch, 3);
    weft_batch_str (batch, "HGET");
    weft_batch_argf (batch, "model:%s:trained", name);
    weft_batch_str (batch, "last");
    int rc = weft_batch_run (batch);
    if (!rc)
        *labels = weft_reply_int (weft_batch_reply (batch, 0), -1);
    weft_batch_destroy (&batch);
    return rc;
}
