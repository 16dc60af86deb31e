//  weft_ingest.c - opens everything that ingest works with, and closes it.

#include <errno.h>
#include <unistd.h>

#include "weft_ingest_parts.h"

#include "weft_log.h"
#include "weft_time.h"

#define PROGRESS_MS 5000

static bool
finished (void *arg)
{
    const ingest_t *self = arg;
    return self->exhausted && !self->options->stay && !self->n_slots &&
           !weft_watermark_open (self->mark) &&
           !weft_flights_count (self->flights);
}

static int
stream_fd (void *arg)
{
    const ingest_t *self = arg;
    //  Only where the next pull reads it: else the loop would not sleep.
    bool reads = self->kafka && !self->paused && self->options->rate <= 0 &&
                 self->step == STEP_READ &&
                 !weft_kafka_rebalancing (self->kafka);
    return reads ? weft_kafka_fd (self->kafka) : -1;
}

const weft_source_t weft_ingest_source = {
    .pull = weft_ingest_pull,
    .settle = weft_ingest_settle,
    .finished = finished,
    .fd = stream_fd,
};

//  "2/3": the second of three.
static int
read_share (ingest_t *self)
{
    unsigned share, shares;
    char rest;
    if (sscanf (self->options->share, "%5u/%5u%c", &share, &shares, &rest) !=
            2 ||
        !share || share > shares) {
        weft_log (WEFT_ERROR, "INGEST-SHARE-BAD",
                  "options.share is '%s', expected i/n with 1 <= i <= n",
                  self->options->share);
        return WEFT_ECONFIG;
    }
    self->share = (int32_t)share;
    self->shares = (int32_t)shares;
    return 0;
}

//  A member's name must outlive its process; the host's does, where a host has
//  one replica.
static const char *
name_member (const weft_ingest_options_t *options, char *host, size_t room)
{
    if (*options->member)
        return options->member;
    host[0] = host[room - 1] = 0;
    return gethostname (host, room - 1) ? "" : host;
}

//  Would Redis still know what was booked, if it died now?
static int
kept (void *arg, int64_t most_ms)
{
    return weft_ingest_written (arg, most_ms);
}

static int
open_kafka (ingest_t *self, char why[WEFT_INPUT_WHY])
{
    const weft_ingest_options_t *o = self->options;
    char host[128];
    const weft_kafka_config_t config = {
        .brokers = o->brokers,
        .topics = o->topics,
        .group = o->group,
        .member = name_member (o, host, sizeof (host)),
        .start = o->start,
        .security = o->security,
        .sasl = o->sasl,
        .user = o->user,
        .password_file = o->password_file,
        .token_file = o->token_file,
        .ca_file = o->ca_file,
        .prefetch_mb = o->prefetch_mb,
        .backlog_from = o->backlog_from,
        .backlog_share = o->backlog_share,
        .rebalance_ms = o->rebalance_ms,
        .discover_s = o->discover_s,
        .properties = o->kafka,
        .secret_files = o->kafka_files,
        .kept = kept,
        .kept_arg = self,
    };
    if (o->inputs.n) {
        snprintf (why, WEFT_INPUT_WHY,
                  "options.inputs and options.brokers: expected one of them");
        return WEFT_ECONFIG;
    }
    //  What is no share of this process would count as settled.
    if (self->shares != 1) {
        snprintf (why, WEFT_INPUT_WHY,
                  "options.share is '%s', expected 1/1 with options.brokers: "
                  "the replicas of a group share its partitions by themselves",
                  o->share);
        return WEFT_ECONFIG;
    }
    self->kafka = weft_kafka_new (&config, why);
    if (self->kafka)
        self->input = weft_kafka_input (self->kafka);
    return self->kafka ? 0 : WEFT_ECONFIG;
}

static int
open_files (ingest_t *self, char why[WEFT_INPUT_WHY])
{
    const weft_texts_t *inputs = &self->options->inputs;
    self->exact =
        inputs->n == 1 && strncmp (inputs->items[0], WEFT_INPUT_PACKETS,
                                   strlen (WEFT_INPUT_PACKETS)) == 0;
    if (self->exact)
        self->input = weft_input_packets (inputs->items[0], why);
    else if (inputs->n == 1 && strcmp (inputs->items[0], "-") == 0)
        self->input = weft_input_stdin (STDIN_FILENO, why);
    else if (inputs->n)
        self->input = weft_input_files (inputs->items, inputs->n, why);
    else
        snprintf (why, WEFT_INPUT_WHY,
                  "options.inputs is empty, expected files or folders (or "
                  "options.brokers for Kafka)");
    return self->input ? 0 : WEFT_ECONFIG;
}

static int
open_input (ingest_t *self)
{
    char why[WEFT_INPUT_WHY] = "";
    int rc = *self->options->brokers ? open_kafka (self, why)
                                     : open_files (self, why);
    if (rc) {
        weft_log (WEFT_ERROR, "INGEST-INPUT-BAD", "%s", why);
        return rc;
    }
    self->decoder = weft_decoder_new (self->options->schemas, why);
    self->replay_decoder = weft_decoder_new (self->options->schemas, why);
    if (!self->decoder || !self->replay_decoder) {
        weft_log (WEFT_ERROR, "INGEST-SCHEMAS-BAD", "%s", why);
        return WEFT_ECONFIG;
    }
    if (self->kafka) {
        snprintf (self->topic, sizeof (self->topic), "%s", "Kafka");
        return 0;
    }
    //  Another list of files is another source: its positions are its own.
    snprintf (self->topic, sizeof (self->topic), "%.64s-%08x",
              self->options->name,
              (unsigned)(self->input->identity (self->input) & UINT32_MAX));
    return 0;
}

static int
open_hand (ingest_t *self, const char *data_dir)
{
    char path[4096];
    const char *folder = data_dir && *data_dir ? data_dir : ".";
    char host[128];
    if (self->kafka)
        snprintf (path, sizeof (path), "%s/ingest-%s.hand", folder,
                  name_member (self->options, host, sizeof (host)));
    else
        snprintf (path, sizeof (path), "%s/ingest-%d-of-%d.hand", folder,
                  self->share, self->shares);
    self->hand = weft_hand_new (path, self->input->identity (self->input));
    if (self->hand)
        return 0;
    bool full = errno == ENOSPC || errno == EDQUOT;
    weft_log (WEFT_ERROR, "INGEST-HAND-BAD", "%s cannot be written: %s; %s",
              path, strerror (errno),
              full ? "make room on that disk, or let service.data_dir be a "
                     "folder on another one"
                   : "is service.data_dir there, and ours?");
    return WEFT_ECONFIG;
}

//  Why opening waits. Always `rc`.
static int
note_down (ingest_t *self, const weft_redis_t *redis, int rc)
{
    if (rc == WEFT_EDOWN)
        snprintf (self->down, sizeof (self->down), "Redis at %s: %s",
                  weft_redis_address (redis), weft_redis_why (redis));
    return rc;
}

static int
ping_redis (ingest_t *self)
{
    int rc = note_down (self, self->redis, weft_redis_ping (self->redis));
    if (!rc && self->bulk != self->redis)
        rc = note_down (self, self->bulk, weft_redis_ping (self->bulk));
    return rc;
}

//  Before anything that takes time: while Redis is down this is all that is
//  tried again, by the connections of the first try. These know that they have
//  said so, and pause between connects.
static int
open_redis (ingest_t *self, const weft_stage_env_t *env)
{
    if (self->redis)
        return ping_redis (self);
    weft_redis_config_t login = weft_stage_redis_patience (env);
    const char *address = weft_stage_redis_address (env);
    const char *bulk = weft_stage_redis_bulk (env);
    self->letters_most = weft_stage_letters_most (env);
    self->redis = weft_redis_new (address, &login);
    self->bulk = strcmp (bulk, address) == 0 ? self->redis
                                             : weft_redis_new (bulk, &login);
    return self->redis && self->bulk ? ping_redis (self) : WEFT_ENOMEM;
}

static int
open_parts (ingest_t *self, const weft_stage_env_t *env)
{
    self->batch = weft_batch_new (self->bulk, 0);
    self->replay = weft_replay_new (self->redis, self->bulk, "ingest",
                                    weft_stage_instance (env));
    self->objects = weft_objects_new ();
    self->losers = weft_objects_new ();
    self->flights = weft_flights_new ();
    self->mark = weft_watermark_new (0);
    self->view = weft_view_new ();
    self->reader =
        weft_reader_new (self->input, self->decoder, self->hand,
                         (uint32_t)self->share, (uint32_t)self->shares);
    weft_buf_init (&self->buf, WEFT_INGEST_ALERT_MOST);
    bool good = self->batch && self->replay && self->objects && self->losers &&
                self->flights && self->mark && self->view && self->reader;
    if (!good)
        return WEFT_ENOMEM;
    const weft_ingest_options_t *o = self->options;
    weft_objects_limit (self->objects, (size_t)o->history_rows, o->history_days,
                        o->idle_days);
    weft_objects_limit (self->losers, (size_t)o->history_rows, o->history_days,
                        o->idle_days);
    return 0;
}

static void
open_metrics (ingest_t *self)
{
    static const double bounds[] = { 10,  20,   50,   100,   200,
                                     500, 1000, 5000, 20000, 0 };
    self->read_total = weft_counter ("weft_ingest_read_total", "");
    self->refused_total = weft_counter ("weft_ingest_refused_total", "");
    self->moved_total = weft_counter ("weft_ingest_moved_total", "");
    self->duplicate_total = weft_counter ("weft_ingest_duplicate_total", "");
    self->decode_us = weft_histogram ("weft_ingest_decode_us", "", bounds);
    weft_ingest_open_cluster (self);
}

//  Everything but the connections.
static void
close_parts (ingest_t *self)
{
    for (size_t i = 0; i < WEFT_INGEST_BATCH; i++) {
        weft_taken_fini (&self->slots[i].taken);
        weft_alert_unref (&self->slots[i].alert);
    }
    weft_taken_fini (&self->trial);
    weft_ingest_close_store (self);
    weft_buf_fini (&self->buf);
    weft_view_destroy (&self->view);
    weft_watermark_destroy (&self->mark);
    weft_flights_destroy (&self->flights);
    weft_objects_destroy (&self->objects);
    weft_objects_destroy (&self->losers);
    free (self->claims);
    weft_replay_destroy (&self->replay);
    if (self->reader)
        weft_reader_destroy (&self->reader);
    weft_hand_destroy (&self->hand);
    weft_decoder_destroy (&self->decoder);
    weft_decoder_destroy (&self->replay_decoder);
    weft_schema_client_destroy (&self->client);
    weft_mappings_destroy (&self->mappings);
    weft_input_destroy (&self->input);
    //  Its last commit asks Redis.
    weft_kafka_destroy (&self->kafka);
    if (self->batch)
        weft_batch_destroy (&self->batch);
    free (self->bookings);
}

//  Redis is down: what the next try begins with.
static int
wait_for_redis (ingest_t *self)
{
    close_parts (self);
    ingest_t left = { .redis = self->redis,
                      .bulk = self->bulk,
                      .letters_most = self->letters_most };
    memcpy (left.down, self->down, sizeof (left.down));
    *self = left;
    return WEFT_EDOWN;
}

static int
open_all (ingest_t *self, const weft_stage_env_t *env)
{
    int rc = read_share (self);
    if (!rc)
        rc = weft_ingest_read_pauses (self);
    if (!rc)
        rc = open_redis (self, env);
    if (!rc)
        rc = open_input (self);
    if (!rc)
        rc = weft_ingest_open_registry (self, weft_stage_data_dir (env));
    if (!rc)
        rc = weft_ingest_open_mappings (self);
    if (!rc)
        rc = open_hand (self, weft_stage_data_dir (env));
    if (!rc)
        rc = open_parts (self, env);
    if (!rc)
        rc = weft_ingest_open_store (self, env);
    if (!rc)
        rc = note_down (self, self->bulk, weft_ingest_load_place (self));
    return rc;
}

int
weft_ingest_open (void **self_p, const weft_stage_env_t *env)
{
    ingest_t *self = *self_p ? *self_p : calloc (1, sizeof (*self));
    if (!self)
        return WEFT_ENOMEM;
    *self_p = self;
    self->options = weft_stage_options (env);
    self->isolated = weft_stage_isolated (env);
    if (self->isolated)
        return 0;
    int rc = open_all (self, env);
    if (rc == WEFT_EDOWN)
        return wait_for_redis (self);
    if (rc) {
        weft_ingest_close (self_p);
        return rc;
    }
    self->down[0] = '\0';
    open_metrics (self);
    self->start_ms = weft_time_ms ();
    weft_log (WEFT_INFO, "INGEST-OPEN", "%s, share %d of %d", self->topic,
              self->share, self->shares);
    return 0;
}

void
weft_ingest_close (void **self_p)
{
    ingest_t *self = *self_p;
    if (!self)
        return;
    close_parts (self);
    if (self->bulk != self->redis)
        weft_redis_destroy (&self->bulk);
    weft_redis_destroy (&self->redis);
    free (self);
    *self_p = NULL;
}

//  A gap is listed before anything behind it is read.
static int
beat_stream (ingest_t *self, int64_t now_ms)
{
    size_t n = 0;
    int rc = weft_kafka_beat (self->kafka, now_ms);
    const weft_gap_t *gaps = weft_kafka_gaps (self->kafka, &n);
    if (n && weft_gaps_add (self->batch, gaps, n) == 0)
        weft_kafka_gaps_listed (self->kafka);
    return rc;
}

//  A line of progress, while there is any.
void
weft_ingest_beat (void *arg, int64_t now_ms)
{
    ingest_t *self = arg;
    counts_t *now = &self->counts, *last = &self->last_counts;
    if (self->isolated)
        return;
    weft_ingest_beat_store (self, now_ms);
    weft_ingest_beat_cluster (self);
    weft_ingest_save_place (self, now_ms);
    if (self->kafka)
        self->stream_error = beat_stream (self, now_ms);
    weft_ingest_turn_registry (self, now_ms);
    weft_ingest_renew_mappings (self, now_ms);
    weft_ingest_try_aside (self, now_ms);
    if (now_ms - self->progress_ms < PROGRESS_MS ||
        !memcmp (now, last, sizeof (*now)))
        return;
    double seconds = (double)(now_ms - self->progress_ms) / 1000;
    weft_log (
        WEFT_INFO, "INGEST-PROGRESS",
        "read %llu, settled %llu, duplicate %llu, dead %llu, read again "
        "%llu, in flight %zu, %.0f/s",
        (unsigned long long)now->read, (unsigned long long)now->settled,
        (unsigned long long)now->duplicate, (unsigned long long)now->dead,
        (unsigned long long)now->again, weft_flights_count (self->flights),
        self->progress_ms ? (double)(now->read - last->read) / seconds : 0.0);
    self->progress_ms = now_ms;
    *last = *now;
}

bool
weft_ingest_ready (void *arg, char *why, size_t room)
{
    const ingest_t *self = arg;
    if (self->isolated)
        return true;
    if (*self->down) {
        snprintf (why, room, "%s", self->down);
        return false;
    }
    if (self->paused)
        snprintf (why, room,
                  "a schema is refused too often; see INGEST-SCHEMA-PAUSED");
    else if (self->kafka && !weft_kafka_ready (self->kafka, why, room))
        return false;
    else if (self->unkept)
        return weft_ingest_ready_store (self, why, room);
    else if (*self->waits)
        snprintf (why, room, "it %s", self->waits);
    else if (self->letters_full)
        snprintf (why, room,
                  "the dead letters of ingest have reached "
                  "redis.dead_letter_bytes (%zu): it waits until weft dlq drop "
                  "or replay makes room",
                  self->letters_most);
    else if (self->error)
        snprintf (why, room, "%s: %s%s%s", weft_error_text (self->error),
                  weft_redis_why (self->redis),
                  self->bulk != self->redis ? "; cluster: " : "",
                  self->bulk != self->redis ? weft_redis_why (self->bulk) : "");
    else if (!weft_ingest_ready_store (self, why, room))
        return false;
    else {
        //  Other partitions flow on, so it is ready; but it says so.
        if (self->n_held)
            snprintf (why, room, "%s", self->held_why);
        else if (self->kafka)
            weft_kafka_unread (self->kafka, why, room);
        return true;
    }
    return false;
}
