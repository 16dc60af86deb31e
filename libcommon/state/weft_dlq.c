//  weft_dlq.c - writes dead letters, under a ceiling that trims nothing.
//
//  dlq:{stage}          hash of key to entry in dead.v1
//  dlq:{stage}:bytes    bytes of keys and entries, kept by the scripts
//  dlq:{stage}:samples  hash of schema|code to bytes of packets kept
//  dlq:stages           set of stages
//  dlq:{stage}:gone     sorted set of the SHA-1 of entries that were taken out,
//                       by when: the same write, issued again, does not bring
//                       them back

#include "weft_dlq.h"

#include "weft_buf.h"
#include "weft_log.h"
#include "weft_time.h"

#define SAY_FULL_MS 30000

enum {
    SCHEMA_MOST = 128,
    FRAMES_MOST = 32 << 20,  //  larger alerts are kept without frames
    ENTRY_MOST = FRAMES_MOST + (1 << 20),
};

//  KEYS: dlq, bytes, stages, gone. ARGV: stage, key, entry, ceiling. Replaces an
//  entry of the same key. Returns 1, or 0 if it does not fit.
static const char put_script[] =
    "if redis.call ('EXISTS', KEYS[4]) == 1 and redis.call ('ZSCORE',\n"
    "    KEYS[4], redis.sha1hex (ARGV[3])) then return 1 end\n"
    "local old = redis.call ('HSTRLEN', KEYS[1], ARGV[2])\n"
    "local grow = #ARGV[3] - old\n"
    "if old == 0 then grow = grow + #ARGV[2] end\n"
    "local bytes = tonumber (redis.call ('GET', KEYS[2]) or 0)\n"
    "if grow > 0 and bytes + grow > tonumber (ARGV[4]) then return 0 end\n"
    "redis.call ('HSET', KEYS[1], ARGV[2], ARGV[3])\n"
    "redis.call ('SET', KEYS[2], bytes + grow)\n"
    "redis.call ('SADD', KEYS[3], ARGV[1])\n"
    "return 1\n";

//  KEYS: dlq, bytes, stages, gone, samples. ARGV: stage, key, entry with the
//  packet, entry without, ceiling, sample's name, its bytes, most of them. An
//  entry that is there stays. Returns 1, or 0 if it does not fit.
static const char packet_script[] =
    "for i = 3, redis.call ('EXISTS', KEYS[4]) == 1 and 4 or 0 do\n"
    "  if redis.call ('ZSCORE', KEYS[4], redis.sha1hex (ARGV[i]))\n"
    "    then return 1 end\n"
    "end\n"
    "if redis.call ('HEXISTS', KEYS[1], ARGV[2]) == 1 then return 1 end\n"
    "local kept = tonumber (redis.call ('HGET', KEYS[5], ARGV[6]) or 0)\n"
    "local size = tonumber (ARGV[7])\n"
    "local whole = size > 0 and kept + size <= tonumber (ARGV[8])\n"
    "local entry = whole and ARGV[3] or ARGV[4]\n"
    "local bytes = tonumber (redis.call ('GET', KEYS[2]) or 0)\n"
    "bytes = bytes + #entry + #ARGV[2]\n"
    "if bytes > tonumber (ARGV[5]) then return 0 end\n"
    "redis.call ('HSET', KEYS[1], ARGV[2], entry)\n"
    "redis.call ('SET', KEYS[2], bytes)\n"
    "redis.call ('SADD', KEYS[3], ARGV[1])\n"
    "if whole then redis.call ('HSET', KEYS[5], ARGV[6], kept + size) end\n"
    "return 1\n";

void
weft_dlq_key (const weft_envelope_v1_t *envelope, char *key, size_t room)
{
    snprintf (key, room, "%.*s:%lld", (int)envelope->survey.n,
              envelope->survey.p, (long long)envelope->alert_id);
}

static weft_str_t
cut_reason (const char *reason)
{
    weft_str_t text = weft_str (reason);
    text.n = WEFT_MIN (text.n, (uint32_t)WEFT_DLQ_REASON_MOST);
    //  Not in the middle of a character.
    while (text.n == WEFT_DLQ_REASON_MOST && text.n > 0 &&
           ((uint8_t)reason[text.n] & 0xc0) == 0x80)
        text.n--;
    return text;
}

static void
fill_from_envelope (weft_dead_v1_t *dead, const weft_envelope_v1_t *envelope)
{
    WEFT_SET (dead_v1, dead, survey, envelope->survey);
    WEFT_SET (dead_v1, dead, alert_id, envelope->alert_id);
    WEFT_SET (dead_v1, dead, night, envelope->night);
    WEFT_SET (dead_v1, dead, topic, envelope->topic);
    WEFT_SET (dead_v1, dead, partition, envelope->partition);
    WEFT_SET (dead_v1, dead, offset, envelope->offset);
    if (envelope->path.p)
        WEFT_SET (dead_v1, dead, path, envelope->path);
}

static void
fill_verdict (weft_dead_v1_t *dead,
              const char *stage,
              const char *key,
              int code,
              const char *reason)
{
    WEFT_SET (dead_v1, dead, stage, weft_str (stage));
    WEFT_SET (dead_v1, dead, key, weft_str (key));
    WEFT_SET (dead_v1, dead, code, code);
    WEFT_SET (dead_v1, dead, reason, cut_reason (reason ? reason : ""));
    WEFT_SET (dead_v1, dead, at, weft_time_mjd_tai ());
}

static void
add_keys (weft_batch_t *batch, const char *stage)
{
    weft_batch_argf (batch, "dlq:%s", stage);
    weft_batch_argf (batch, "dlq:%s:bytes", stage);
    weft_batch_str (batch, "dlq:stages");
    weft_batch_argf (batch, "dlq:%s:gone", stage);
}

//  Runs a script that answers 1 for kept and 0 for full.
static int
run_put (weft_redis_t *redis, weft_batch_t *batch, const char *stage)
{
    //  It is tried again as long as it lasts.
    static _Atomic int64_t said_ms;
    int64_t now_ms = weft_time_ms (), last_ms = said_ms;
    int rc = weft_batch_run (batch);
    if (rc || weft_reply_int (weft_batch_reply (batch, 0), 0) == 1)
        return rc;
    if (!last_ms || now_ms - last_ms >= SAY_FULL_MS) {
        said_ms = now_ms;
        weft_log (WEFT_ERROR, "DLQ-FULL",
                  "dlq:%s at %s is at its ceiling (redis.dead_letter_bytes): "
                  "the alert is held until `weft dlq drop` or `replay` makes "
                  "room; `weft dlq groups` says what fills it",
                  stage, weft_redis_address (redis));
    }
    return WEFT_ETOOBIG;
}

static int
store (weft_redis_t *redis,
       const char *stage,
       const char *key,
       const weft_buf_t *entry,
       size_t ceiling)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_keep (batch);
    weft_batch_script (batch, put_script, 4, 4);
    add_keys (batch, stage);
    weft_batch_str (batch, stage);
    weft_batch_str (batch, key);
    weft_batch_arg (batch, entry->data, entry->size);
    weft_batch_int (batch, (int64_t)(ceiling ? ceiling : WEFT_DLQ_CEILING));
    int rc = run_put (redis, batch, stage);
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_dlq_put (weft_redis_t *redis,
              const char *stage,
              const weft_alert_t *alert,
              int code,
              const char *reason,
              size_t ceiling)
{
    char key[WEFT_DLQ_KEY_MOST];
    weft_dead_v1_t dead;
    weft_buf_t frames, entry;
    weft_buf_init (&frames, FRAMES_MOST);
    weft_buf_init (&entry, ENTRY_MOST);
    weft_dlq_key (weft_alert_envelope (alert), key, sizeof key);
    weft_contract_clear (&weft_dead_v1, &dead);
    fill_from_envelope (&dead, weft_alert_envelope (alert));
    fill_verdict (&dead, stage, key, code, reason);
    weft_alert_flatten (alert, &frames);
    weft_bin_t bytes = { frames.data, (uint32_t)frames.size };
    if (frames.error == 0)
        WEFT_SET (dead_v1, &dead, frames, bytes);
    int rc = frames.error == WEFT_ENOMEM ? WEFT_ENOMEM : 0;
    if (rc == 0)
        rc = weft_contract_encode (&weft_dead_v1, &dead, &entry);
    if (rc == 0)
        rc = store (redis, stage, key, &entry, ceiling);
    weft_buf_fini (&frames);
    weft_buf_fini (&entry);
    return rc;
}

static void
fill_from_packet (weft_dead_v1_t *dead, const weft_dead_packet_t *packet)
{
    WEFT_SET (dead_v1, dead, night, packet->night);
    WEFT_SET (dead_v1, dead, topic, packet->topic);
    WEFT_SET (dead_v1, dead, partition, packet->partition);
    WEFT_SET (dead_v1, dead, offset, packet->offset);
    WEFT_SET (dead_v1, dead, item, packet->item);
    if (packet->survey.n)
        WEFT_SET (dead_v1, dead, survey, packet->survey);
    if (packet->path.n)
        WEFT_SET (dead_v1, dead, path, packet->path);
    if (packet->schema.n)
        WEFT_SET (dead_v1, dead, schema, packet->schema);
    if (packet->raw_ref)
        WEFT_SET (dead_v1, dead, raw_ref, *packet->raw_ref);
}

static void
ask_packet (weft_batch_t *batch,
            const char *key,
            const weft_dead_packet_t *dead,
            const weft_buf_t *whole,
            const weft_buf_t *bare,
            size_t ceiling)
{
    uint32_t schema = WEFT_MIN (dead->schema.n, (uint32_t)SCHEMA_MOST);
    weft_batch_keep (batch);
    weft_batch_script (batch, packet_script, 5, 8);
    add_keys (batch, "ingest");
    weft_batch_str (batch, "dlq:ingest:samples");
    weft_batch_str (batch, "ingest");
    weft_batch_str (batch, key);
    weft_batch_arg (batch, whole->data, whole->size);
    weft_batch_arg (batch, bare->data, bare->size);
    weft_batch_int (batch, (int64_t)(ceiling ? ceiling : WEFT_DLQ_CEILING));
    weft_batch_argf (batch, "%.*s|%d", (int)schema,
                     schema ? dead->schema.p : "", dead->code);
    weft_batch_int (batch, whole->size ? (int64_t)dead->size : 0);
    weft_batch_int (batch, WEFT_DLQ_SAMPLES_MOST);
}

int
weft_dlq_put_packet (weft_redis_t *redis,
                     const weft_dead_packet_t *packet,
                     size_t ceiling)
{
    char key[WEFT_DLQ_KEY_MOST];
    weft_dead_v1_t dead;
    weft_buf_t whole, bare;
    weft_buf_init (&whole, ENTRY_MOST);
    weft_buf_init (&bare, ENTRY_MOST);
    snprintf (key, sizeof key, "%.*s/%d@%lld",
              (int)WEFT_MIN (packet->topic.n, 250u), packet->topic.p,
              packet->partition, (long long)packet->offset);
    weft_contract_clear (&weft_dead_v1, &dead);
    fill_from_packet (&dead, packet);
    fill_verdict (&dead, "ingest", key, packet->code, packet->reason);
    int rc = weft_contract_encode (&weft_dead_v1, &dead, &bare);
    if (rc == 0 && packet->size > 0 && packet->size <= WEFT_DLQ_SAMPLES_MOST) {
        weft_bin_t bytes = { packet->packet, (uint32_t)packet->size };
        WEFT_SET (dead_v1, &dead, packet, bytes);
        rc = weft_contract_encode (&weft_dead_v1, &dead, &whole);
    }
    weft_batch_t *batch = rc == 0 ? weft_batch_new (redis, 0) : NULL;
    if (batch) {
        ask_packet (batch, key, packet, &whole, &bare, ceiling);
        rc = run_put (redis, batch, "ingest");
    } else if (rc == 0) {
        rc = WEFT_ENOMEM;
    }
    weft_batch_destroy (&batch);
    weft_buf_fini (&whole);
    weft_buf_fini (&bare);
    return rc;
}
