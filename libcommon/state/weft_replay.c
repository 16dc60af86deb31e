//  weft_replay.c - leases on what is put back, and its outcome.
//
//  replay:{stage}         hash of key to entry in dead.v1
//  replay:{stage}:lease   sorted set of key by end of its lease (Redis' clock)
//  replay:{stage}:owner   hash of key to who holds the lease

#include "weft_replay.h"

#include "weft_ledger.h"
#include "weft_log.h"

enum { SUM = 40 };  //  characters of a SHA-1

struct weft_replay {
    weft_redis_t *redis;
    char *stage;
    char *owner;
    weft_batch_t *batch;
    weft_batch_t *ledger;
    char held[WEFT_REPLAY_HELD_MOST][WEFT_DLQ_KEY_MOST];
    char sums[WEFT_REPLAY_HELD_MOST][SUM + 1];  //  of the entries as taken
    size_t n_held;
};

//  KEYS: replay, lease, owner. ARGV: owner, lease in ms, how many to take, then
//  the keys that are held. Renews those; takes what has no lease, or an old
//  one, or one of ours whose reply was lost. Returns key, entry, its
//  SHA-1 of each.
static const char take_script[] =
    "local time = redis.call ('TIME')\n"
    "local now = time[1] * 1000 + math.floor (time[2] / 1000)\n"
    "local most, held, out = tonumber (ARGV[3]), {}, {}\n"
    "for i = 4, #ARGV do\n"
    "  held[ARGV[i]] = true\n"
    "  if redis.call ('HGET', KEYS[3], ARGV[i]) == ARGV[1] then\n"
    "    redis.call ('ZADD', KEYS[2], now + ARGV[2], ARGV[i])\n"
    "  end\n"
    "end\n"
    "if most == 0 then return out end\n"
    "local cursor = '0'\n"
    "repeat\n"
    "  local page = redis.call ('HSCAN', KEYS[1], cursor, 'COUNT', 16)\n"
    "  cursor = page[1]\n"
    "  for i = 1, #page[2], 2 do\n"
    "    local key = page[2][i]\n"
    "    local ends = tonumber (redis.call ('ZSCORE', KEYS[2], key) or 0)\n"
    "    if #out < 3 * most and not held[key] and (ends < now or\n"
    "        redis.call ('HGET', KEYS[3], key) == ARGV[1]) then\n"
    "      held[key] = true\n"
    "      redis.call ('ZADD', KEYS[2], now + ARGV[2], key)\n"
    "      redis.call ('HSET', KEYS[3], key, ARGV[1])\n"
    "      out[#out + 1] = key\n"
    "      out[#out + 1] = page[2][i + 1]\n"
    "      out[#out + 1] = redis.sha1hex (page[2][i + 1])\n"
    "    end\n"
    "  end\n"
    "until cursor == '0' or #out >= 3 * most\n"
    "return out\n";

//  KEYS: replay, lease, owner. ARGV: key, SHA-1. Removes the entry, if it is that
//  one: what died again may have been put back meanwhile, by an operator who was
//  quicker, or before this was issued again on another connection. That one is
//  ours to take next.
static const char done_script[] =
    "local entry = redis.call ('HGET', KEYS[1], ARGV[1])\n"
    "if entry and redis.sha1hex (entry) ~= ARGV[2] then return 0 end\n"
    "redis.call ('HDEL', KEYS[1], ARGV[1])\n"
    "redis.call ('ZREM', KEYS[2], ARGV[1])\n"
    "redis.call ('HDEL', KEYS[3], ARGV[1])\n"
    "return 1\n";

weft_replay_t *
weft_replay_new (weft_redis_t *redis,
                 weft_redis_t *bulk,
                 const char *stage,
                 const char *owner)
{
    weft_replay_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->redis = redis;
    self->stage = strdup (stage);
    self->owner = strdup (owner);
    self->batch = weft_batch_new (redis, 0);
    self->ledger = weft_batch_new (bulk, 0);
    if (!self->stage || !self->owner || !self->batch || !self->ledger)
        weft_replay_destroy (&self);
    return self;
}

void
weft_replay_destroy (weft_replay_t **self_p)
{
    weft_replay_t *self = *self_p;
    if (!self)
        return;
    weft_batch_destroy (&self->batch);
    weft_batch_destroy (&self->ledger);
    free (self->stage);
    free (self->owner);
    free (self);
    *self_p = NULL;
}

size_t
weft_replay_held (const weft_replay_t *self)
{
    return self->n_held;
}

static void
add_keys (weft_batch_t *batch, const char *stage)
{
    weft_batch_argf (batch, "replay:%s", stage);
    weft_batch_argf (batch, "replay:%s:lease", stage);
    weft_batch_argf (batch, "replay:%s:owner", stage);
}

//  Takes one entry into custody. What does not decode is logged and left: its
//  lease runs out, and `weft dlq` can look at it no better.
static void
give (
    weft_replay_t *self,
    weft_bin_t key,
    weft_bin_t entry,
    weft_bin_t sum,
    void (*take) (void *, const char *, const weft_dead_v1_t *, weft_alert_t *),
    void *arg)
{
    weft_dead_v1_t dead;
    if (key.n >= WEFT_DLQ_KEY_MOST || self->n_held == WEFT_REPLAY_HELD_MOST)
        return;
    char *held = self->held[self->n_held];
    weft_str_copy ((weft_str_t){ (const char *)key.p, key.n }, held,
                   WEFT_DLQ_KEY_MOST);
    weft_str_copy ((weft_str_t){ (const char *)sum.p, sum.n },
                   self->sums[self->n_held], SUM + 1);
    weft_alert_t *alert = NULL;
    bool good =
        weft_contract_decode (&weft_dead_v1, &dead, entry.p, entry.n) == 0;
    if (good && dead.frames.n)
        alert = weft_alert_parse (dead.frames.p, dead.frames.n);
    if (!good || (dead.frames.n && !alert)) {
        weft_log (WEFT_ERROR, "REPLAY-BROKEN",
                  "replay:%s %s does not decode: left there", self->stage,
                  held);
        return;
    }
    self->n_held++;
    take (arg, held, &dead, alert);
}

int
weft_replay_take (
    weft_replay_t *self,
    size_t most,
    void (*take) (void *, const char *, const weft_dead_v1_t *, weft_alert_t *),
    void *arg)
{
    most = WEFT_MIN (most, WEFT_REPLAY_HELD_MOST - self->n_held);
    weft_batch_clear (self->batch);
    weft_batch_script (self->batch, take_script, 3,
                       (uint32_t)(3 + self->n_held));
    add_keys (self->batch, self->stage);
    weft_batch_str (self->batch, self->owner);
    weft_batch_int (self->batch, WEFT_REPLAY_LEASE_MS);
    weft_batch_int (self->batch, (int64_t)most);
    for (size_t i = 0; i < self->n_held; i++)
        weft_batch_str (self->batch, self->held[i]);
    int rc = weft_batch_run (self->batch);
    if (rc)
        return rc;
    const weft_reply_t *list = weft_batch_reply (self->batch, 0);
    for (size_t i = 0; i + 2 < weft_reply_count (list); i += 3)
        give (self, weft_reply_bytes (weft_reply_at (list, i)),
              weft_reply_bytes (weft_reply_at (list, i + 1)),
              weft_reply_bytes (weft_reply_at (list, i + 2)), take, arg);
    return 0;
}

//  Reads the entry, to know its position.
static int
fetch (weft_replay_t *self, const char *key, weft_dead_v1_t *dead)
{
    weft_batch_clear (self->batch);
    weft_batch_begin (self->batch, 3);
    weft_batch_str (self->batch, "HGET");
    weft_batch_argf (self->batch, "replay:%s", self->stage);
    weft_batch_str (self->batch, key);
    int rc = weft_batch_run (self->batch);
    if (rc)
        return rc;
    const weft_reply_t *reply = weft_batch_reply (self->batch, 0);
    if (weft_reply_nil (reply))
        return WEFT_ENOENT;
    weft_bin_t entry = weft_reply_bytes (reply);
    return weft_contract_decode (&weft_dead_v1, dead, entry.p, entry.n);
}

static weft_booking_t
booking_of (const weft_dead_v1_t *dead)
{
    weft_booking_t booking = {
        .survey = dead->survey,
        .topic = dead->topic,
        .partition = dead->partition,
        .offset = dead->offset,
        .night = dead->night,
        .has_id = WEFT_HAS (dead_v1, dead, alert_id),
        .alert_id = dead->alert_id,
        .replayed = true,
        .outcome = WEFT_BOOKED_SETTLED,
    };
    return booking;
}

//  Its place among what is held; n_held: it is not.
static size_t
place_of (const weft_replay_t *self, const char *key)
{
    size_t i = 0;
    while (i < self->n_held && strcmp (self->held[i], key) != 0)
        i++;
    return i;
}

//  Books and removes, in this order: if anything breaks between the two, the
//  entry is taken again and ends the same.
static int
finish (weft_replay_t *self, size_t place, weft_booking_t *booking)
{
    int rc = booking ? weft_ledger_book (self->ledger, booking, 1) : 0;
    if (rc)
        return rc;
    weft_batch_t *batch = weft_batch_new (self->redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_keep (batch);
    weft_batch_script (batch, done_script, 3, 2);
    add_keys (batch, self->stage);
    weft_batch_str (batch, self->held[place]);
    weft_batch_str (batch, self->sums[place]);
    rc = weft_batch_run (batch);
    weft_batch_destroy (&batch);
    return rc;
}

static void
let_go (weft_replay_t *self, size_t place)
{
    size_t last = --self->n_held;
    memmove (self->held[place], self->held[last], WEFT_DLQ_KEY_MOST);
    memmove (self->sums[place], self->sums[last], SUM + 1);
}

int
weft_replay_done (weft_replay_t *self, const char *key, bool settled)
{
    weft_dead_v1_t dead;
    size_t place = place_of (self, key);
    if (place == self->n_held)
        return 0;  //  ended before
    int rc = fetch (self, key, &dead);
    if (rc == 0) {
        weft_booking_t booking = booking_of (&dead);
        rc = finish (self, place, settled ? &booking : NULL);
    }
    if (rc && rc != WEFT_ENOENT)
        return rc;
    let_go (self, place);
    return 0;
}
