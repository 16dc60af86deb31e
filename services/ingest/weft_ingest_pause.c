//  weft_ingest_pause.c - partitions that stand still for a schema.
//
//  The first message that is one too many is put aside, uncommitted, and its
//  partition with it; the others flow on. From then on its schema is convicted:
//  no message that is refused for it is dead-lettered any more, in whatever
//  partition, by whatever replica. That stands in Redis, so that neither a
//  restart nor a rebalance lets the few before the limit through once more, and
//  ends when a message that was put aside for it can be read. Every two seconds
//  the messages put aside are tried, and the convictions renewed.
//
//  An operator who deletes the key gives up what was put aside for it: it becomes
//  dead letters. So a conviction that ends otherwise leaves its key, empty, for
//  longer than another replica needs to find it and convict anew. And each has a
//  number: who finds another than the one it knew knows that this was given up,
//  although the schema has been convicted anew since.

#include "weft_ingest_parts.h"

#include "weft_log.h"

#define LOOK_MS 2000
#define LATE_MS 30000  //  without a renewal: what is gone may have run out
#define CONVICT_SECONDS "3600"
#define ACQUIT_SECONDS "60"  //  more than LATE_MS

//  KEYS: paused. ARGV: what stands still and why, its seconds, the number of the
//  conviction that it stands still for (0: whatever there is), "renew" or
//  "anew". Returns the number, or 0 if that one was given up. Its time makes it
//  unique.
static const char script[] =
    "local old = redis.call ('GET', KEYS[1])\n"
    "local there = old and string.match (old, '^(%d+) ')\n"
    "if ARGV[4] == 'renew' and (not old or\n"
    "    (there and ARGV[3] ~= '0' and there ~= ARGV[3])) then return 0 end\n"
    "local number = there or ARGV[3]\n"
    "if number == '0' then\n"
    "  local time = redis.call ('TIME')\n"
    "  number = time[1] .. string.format ('%06d', time[2])\n"
    "end\n"
    "redis.call ('SET', KEYS[1], number .. ' ' .. ARGV[1], 'EX', ARGV[2])\n"
    "return tonumber (number)\n";

int
weft_ingest_read_pauses (ingest_t *self)
{
    const char *text = self->options->pause_on_schema;
    self->pauses = *text ? !strcmp (text, "true") : *self->options->brokers;
    if (!*text || self->pauses || !strcmp (text, "false"))
        return 0;
    weft_log (WEFT_ERROR, "INGEST-PAUSE-BAD",
              "options.pause_on_schema is '%s', expected true, false or "
              "nothing",
              text);
    return WEFT_ECONFIG;
}

static void
name_schema (const char *schema, char *key, size_t room)
{
    snprintf (key, room, "paused:%s", *schema ? schema : "-");
}

static bool
is_held (const ingest_t *self, const char *schema)
{
    size_t at = 0;
    for (const weft_held_t *held; (held = weft_kafka_held (self->kafka, &at));)
        if (!held->waits && !strcmp (held->schema, schema))
            return true;
    return false;
}

//  0, 1, or why that is not known.
static int
is_convicted (ingest_t *self, const char *schema)
{
    char key[160];
    bool held = is_held (self, schema);
    if (held && self->convict_due)
        return 1;
    name_schema (schema, key, sizeof (key));
    weft_batch_t *batch = weft_batch_new (self->redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_words (batch, "GET", key);
    int rc = weft_batch_run (batch);
    const weft_reply_t *reply = rc ? NULL : weft_batch_reply (batch, 0);
    //  Without its key, what is put aside here has been given up.
    if (!rc && !weft_reply_nil (reply))
        rc = held || weft_reply_bytes (reply).n > 0;
    else if (rc && held)
        rc = 1;
    weft_batch_destroy (&batch);
    return rc;
}

static void
say_conviction (weft_batch_t *batch,
                const char *schema,
                const char *what,
                int64_t conviction,
                bool anew)
{
    char key[160];
    name_schema (schema, key, sizeof (key));
    weft_batch_script (batch, script, 1, 4);
    weft_batch_str (batch, key);
    weft_batch_str (batch, what);
    weft_batch_str (batch, CONVICT_SECONDS);
    weft_batch_int (batch, conviction);
    weft_batch_str (batch, anew ? "anew" : "renew");
}

//  Told to all replicas before anything more is read, or else as soon as Redis
//  answers.
static void
convict (ingest_t *self, const weft_taken_t *taken)
{
    char what[WEFT_AVRO_WHY + WEFT_LEDGER_SOURCE_MOST + 64];
    weft_batch_t *batch = weft_batch_new (self->redis, 0);
    snprintf (what, sizeof (what), "%s/%d/%lld: %s", taken->topic,
              taken->partition, (long long)taken->offset, taken->why);
    if (batch)
        say_conviction (batch, taken->schema, what, 0, true);
    int rc = batch ? weft_batch_run (batch) : WEFT_ENOMEM;
    size_t at = 0;
    for (weft_held_t *held; !rc && (held = weft_kafka_held (self->kafka, &at));)
        if (!held->waits && !held->conviction &&
            !strcmp (held->schema, taken->schema))
            held->conviction = weft_reply_int (weft_batch_reply (batch, 0), 0);
    if (rc)
        self->convict_due = true;
    weft_batch_destroy (&batch);
}

static void
acquit (ingest_t *self, const char *schema)
{
    char key[160];
    weft_batch_t *batch = weft_batch_new (self->redis, 0);
    name_schema (schema, key, sizeof (key));
    memset (&self->refusals, 0, sizeof (self->refusals));
    if (!batch)
        return;
    weft_batch_words (batch, "SET", key, "", "EX", ACQUIT_SECONDS, "XX");
    //  If it fails, its time ends it.
    (void)!weft_batch_run (batch);
    weft_batch_destroy (&batch);
}

static bool
put_aside (ingest_t *self,
           const weft_taken_t *taken,
           bool waits,
           const char *why)
{
    if (weft_kafka_hold (self->kafka, taken->item, waits, taken->schema, why))
        return false;
    weft_reader_put_aside (self->reader);
    self->n_held++;
    self->n_waits += waits;
    if (waits)
        weft_log (WEFT_ERROR, "INGEST-SCHEMA-WAITED",
                  "%s/%d stands still at offset %lld, uncommitted; other "
                  "partitions are read on: it %s",
                  taken->topic, taken->partition, (long long)taken->offset,
                  why);
    return true;
}

bool
weft_ingest_put_aside (ingest_t *self, const weft_taken_t *taken)
{
    return put_aside (self, taken, true, taken->why);
}

static bool
stand_still (ingest_t *self, const weft_taken_t *taken)
{
    if (!put_aside (self, taken, false, taken->why))
        return false;
    weft_log (WEFT_ERROR, "INGEST-SCHEMA-PAUSED",
              "%s/%d stands still at offset %lld, uncommitted; other "
              "partitions are read on. Schema '%s' is refused too often: %s. "
              "It goes on when that can be read: by a mapping file%s, or by "
              "the schema; or as dead letters, when the key paused:%s is "
              "deleted",
              taken->topic, taken->partition, (long long)taken->offset,
              taken->schema, taken->why,
              self->mappings ? " in the folder of options.mappings"
                             : " (options.mappings, at a restart)",
              *taken->schema ? taken->schema : "-");
    convict (self, taken);
    return true;
}

static bool
is_pardoned (const ingest_t *self, const weft_taken_t *taken)
{
    for (size_t i = 0; i < WEFT_MIN (self->n_pardons, WEFT_INGEST_PARDONS);
         i++) {
        const pardon_t *pardon = &self->pardons[i];
        //  Behind the first item of a message its topic is topic#n.
        size_t n = strlen (pardon->topic);
        if (pardon->partition == taken->partition &&
            pardon->offset == taken->offset &&
            !strncmp (pardon->topic, taken->topic, n) &&
            (!taken->topic[n] || taken->topic[n] == '#'))
            return true;
    }
    return false;
}

bool
weft_ingest_pause (ingest_t *self, const weft_taken_t *taken, bool often)
{
    if (is_pardoned (self, taken))
        return false;
    int rc = often ? 1 : is_convicted (self, taken->schema);
    if (rc < 0) {
        char why[WEFT_AVRO_WHY];
        snprintf (why, sizeof (why),
                  "waits for Redis to tell whether schema '%s' is refused too "
                  "often: %.200s",
                  taken->schema, weft_redis_why (self->redis));
        return put_aside (self, taken, true, why);
    }
    return rc && stand_still (self, taken);
}

//  Can it be read now? What is wrong with it else is found when it is read.
static bool
try_one (ingest_t *self, const weft_held_t *held)
{
    weft_taken_decode (&self->trial, self->replay_decoder, held->data,
                       held->size, held->item);
    return self->trial.rc != WEFT_ESCHEMA ||
           (held->waits && !self->trial.waits);
}

static void
go_on (ingest_t *self, const weft_held_t *held)
{
    weft_log (WEFT_INFO, "INGEST-SCHEMA-RESUMED",
              "%s/%d goes on at offset %lld; it stood still as: %s",
              held->topic, held->partition, (long long)held->offset, held->why);
    weft_kafka_go_on (self->kafka, held);
    //  Another schema of this name may still hold up a partition.
    if (!held->waits && !is_held (self, held->schema))
        acquit (self, held->schema);
}

static void
give_up (ingest_t *self, const weft_held_t *held)
{
    pardon_t *pardon = &self->pardons[self->n_pardons++ % WEFT_INGEST_PARDONS];
    snprintf (pardon->topic, sizeof (pardon->topic), "%s", held->topic);
    pardon->partition = held->partition;
    pardon->offset = held->offset;
    memset (&self->refusals, 0, sizeof (self->refusals));
    weft_log (WEFT_WARN, "INGEST-SCHEMA-GIVEN-UP",
              "%s/%d goes on at offset %lld, which becomes a dead letter, as "
              "the key paused:%s was deleted: %s",
              held->topic, held->partition, (long long)held->offset,
              *held->schema ? held->schema : "-", held->why);
    weft_kafka_go_on (self->kafka, held);
}

//  Renews the convictions, and gives up what is put aside for one whose key is
//  gone, or is another's. Without Redis nothing goes on.
static int
renew (ingest_t *self, weft_batch_t *batch, bool anew)
{
    char what[WEFT_INPUT_WHY + WEFT_LEDGER_SOURCE_MOST + 64];
    size_t at = 0, reply = 0;
    weft_batch_words (batch, "PING");
    for (const weft_held_t *held;
         (held = weft_kafka_held (self->kafka, &at));) {
        snprintf (what, sizeof (what), "%s/%d/%lld: %s", held->topic,
                  held->partition, (long long)held->offset, held->why);
        if (!held->waits)
            say_conviction (batch, held->schema, what, held->conviction, anew);
    }
    int rc = weft_batch_run (batch);
    at = 0;
    for (weft_held_t *held;
         !rc && (held = weft_kafka_held (self->kafka, &at));) {
        if (held->waits)
            continue;
        held->conviction =
            weft_reply_int (weft_batch_reply (batch, ++reply), 0);
        if (!held->conviction)
            give_up (self, held);
    }
    return rc;
}

static int
renew_all (ingest_t *self, int64_t now_ms)
{
    size_t at = 0;
    int rc = 0;
    if (weft_kafka_held (self->kafka, &at)) {
        //  A Redis that went away may have forgotten the newest keys.
        uint64_t generation = weft_redis_generation (self->redis);
        bool anew = self->convict_due || now_ms - self->renewed_ms > LATE_MS ||
                    generation != self->renewed_generation;
        weft_batch_t *batch = weft_batch_new (self->redis, 0);
        rc = batch ? renew (self, batch, anew) : WEFT_ENOMEM;
        weft_batch_destroy (&batch);
    }
    if (rc)
        return rc;
    self->convict_due = false;
    self->renewed_generation = weft_redis_generation (self->redis);
    self->renewed_ms = now_ms;
    return 0;
}

void
weft_ingest_try_aside (ingest_t *self, int64_t now_ms)
{
    if (!self->kafka)
        return;
    bool due = now_ms - self->trial_ms >= LOOK_MS;
    size_t at = 0, n = 0, waits = 0;
    if (due) {
        self->trial_ms = now_ms;
        due = !renew_all (self, now_ms);
    }
    for (const weft_held_t *held;
         (held = weft_kafka_held (self->kafka, &at));) {
        if (due && try_one (self, held)) {
            go_on (self, held);
            continue;
        }
        if (!n++)
            snprintf (self->held_why, sizeof (self->held_why),
                      "%s/%d stands still at offset %lld: %.160s", held->topic,
                      held->partition, (long long)held->offset, held->why);
        waits += held->waits;
    }
    self->n_held = n;
    self->n_waits = waits;
}
