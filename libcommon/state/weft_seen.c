//  weft_seen.c - encodings of `seen`, and its look-up.

#include "weft_seen.h"

#include "weft_hash.h"

uint32_t
weft_seen_bucket (int64_t alert_id)
{
    return (uint32_t)(weft_hash_u64 ((uint64_t)alert_id) % WEFT_SEEN_BUCKETS);
}

void
weft_seen_position (weft_str_t topic,
                    int32_t partition,
                    int64_t offset,
                    uint8_t out[WEFT_SEEN_POSITION])
{
    //  32 bits name the source: two sources that share them matter only if
    //  the same alert stands at the same offset of both.
    uint64_t hash = weft_hash (topic.p, topic.n);
    hash = weft_hash_u64 (hash ^ (uint64_t)(uint32_t)partition);
    weft_put_u32 (out, (uint32_t)hash);
    weft_put_u64 (out + 4, (uint64_t)offset);
}

static void
ask (weft_batch_t *batch, const weft_seen_t *query)
{
    uint8_t id[8];
    weft_put_u64 (id, (uint64_t)query->alert_id);
    weft_batch_begin (batch, 3);
    weft_batch_str (batch, "HGET");
    weft_batch_argf (batch, "seen:%.*s:%d:%u", (int)query->survey.n,
                     query->survey.p, query->night,
                     weft_seen_bucket (query->alert_id));
    weft_batch_arg (batch, id, sizeof id);
}

int
weft_seen_look_up (weft_batch_t *batch, weft_seen_t *queries, size_t n)
{
    weft_batch_clear (batch);
    for (size_t i = 0; i < n; i++)
        ask (batch, &queries[i]);
    int rc = weft_batch_run (batch);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        weft_bin_t position = weft_reply_bytes (weft_batch_reply (batch, i));
        queries[i].known = position.n == WEFT_SEEN_POSITION;
        if (queries[i].known)
            memcpy (queries[i].position, position.p, position.n);
    }
    return rc;
}
