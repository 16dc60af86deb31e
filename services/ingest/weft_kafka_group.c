//  weft_kafka_group.c - partitions that come and go.
//
//  Taken away: nothing more is read, what is in flight has a second to settle,
//  what is settled is committed, the epoch goes up. Given: where each begins is
//  looked up first, so that a gap is known by its size before anything is read
//  (weft_kafka_begin.c). Both are left to the beat: the callback only notes
//  them, and librdkafka waits until it is told that they are done.

#include "weft_kafka_parts.h"

#include "weft_log.h"
#include "weft_time.h"

#define SEARCH_AGAIN_MS 1000
#define STORE_MS 250    //  between looks whether what is settled is safe
#define LET_GO_MS 500   //  that a rebalance waits for that
#define WAITS_MS 10000  //  that are worth a line

weft_part_t *
weft_kafka_part (weft_kafka_t *self, const char *topic, int32_t partition)
{
    for (uint32_t i = 0; i < self->n_parts; i++)
        if (self->sought[i]->partition == partition &&
            !strcmp (self->sought[i]->topic, topic))
            return self->sought[i];
    return NULL;
}

//  What is settled beyond what was handed on: `low`, if there is any.
static bool
has_news (const weft_part_t *part, int64_t *low)
{
    return part->assigned && weft_watermark_low (part->mark, low, NULL) &&
           *low > part->stored;
}

//  Who dies together with a Redis must not have told Kafka what only that Redis
//  knew: it would not be read again, and nobody would know what became of it.
static bool
may_store (weft_kafka_t *self, int64_t most_ms)
{
    int rc = self->kept && !self->forgotten
                 ? self->kept (self->kept_arg, most_ms)
                 : 0;
    if (rc == WEFT_EAGAIN) {
        self->forgotten = true;
        weft_log (WEFT_WARN, "KAFKA-BOOKED-ANEW",
                  "a master of Redis was replaced that may have taken bookings "
                  "along: what is not committed is read again");
    }
    if (self->forgotten) {
        weft_kafka_find_anew (self);
        return false;
    }
    if (!rc) {
        self->waits_since = 0;
        return true;
    }
    int64_t now = weft_time_ms ();
    if (!self->waits_since)
        self->waits_since = self->waits_said = now;
    if (now - self->waits_said >= WAITS_MS) {
        self->waits_said = now;
        weft_log (WEFT_WARN, "KAFKA-COMMIT-WAITS",
                  "nothing is committed for %lld s: Redis might forget what is "
                  "settled; it would be read again",
                  (long long)(now - self->waits_since) / 1000);
    }
    return false;
}

//  Hands what is settled to the next commit, but not what lies behind a gap that
//  nobody has listed yet. An error says that the partition is another member's
//  by now: normal.
void
weft_kafka_store (weft_kafka_t *self, int64_t most_ms)
{
    bool news = false;
    int64_t low;
    for (uint32_t i = 0; !news && i < self->n_parts; i++)
        news = has_news (self->parts[i], &low);
    if (!news || self->n_found || !may_store (self, most_ms))
        return;
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new ((int)self->n_parts);
    for (uint32_t i = 0; i < self->n_parts; i++) {
        weft_part_t *part = self->parts[i];
        if (!has_news (part, &low))
            continue;
        rd_kafka_topic_partition_list_add (list, part->topic, part->partition)
            ->offset = low;
        part->stored = low;
    }
    (void)rd_kafka_offsets_store (self->rk, list);
    rd_kafka_topic_partition_list_destroy (list);
}

static void
store_at_times (weft_kafka_t *self, int64_t now_ms)
{
    if (now_ms < self->store_at)
        return;
    self->store_at = now_ms + STORE_MS;
    weft_kafka_store (self, 0);
}

size_t
weft_kafka_in_flight (const weft_kafka_t *self)
{
    size_t open = 0;
    for (uint32_t i = 0; i < self->n_parts; i++) {
        const weft_part_t *part = self->parts[i];
        if (!part->assigned)
            continue;
        size_t n = weft_watermark_open (part->mark), aside;
        if (part->behind)
            n += weft_watermark_open (part->live);
        aside = weft_kafka_aside (part);
        open += n > aside ? n - aside : 0;
    }
    return open;
}

//  Nothing that is on its way moves a mark any more.
static void
forget_assigned (weft_kafka_t *self)
{
    for (uint32_t i = 0; i < self->n_parts; i++) {
        weft_part_t *part = self->parts[i];
        if (!part->assigned)
            continue;
        part->assigned = part->paused = false;
        part->epoch++;
        weft_watermark_reset (part->mark);
        weft_kafka_forget_aside (part);
        weft_kafka_forget_harm (part);
        weft_metric_set (part->lag, 0);
    }
    self->forgotten = false;
    weft_kafka_lanes_forget (self);
    if (self->stash)
        rd_kafka_message_destroy (self->stash);
    self->stash = NULL;
}

//  Stored offsets are committed by librdkafka before it lets go; those of an
//  assignment that is lost are another member's. Nothing is found anew now.
static void
let_go (weft_kafka_t *self)
{
    size_t open = weft_kafka_in_flight (self);
    self->revoking = true;
    if (!rd_kafka_assignment_lost (self->rk))
        weft_kafka_store (self, LET_GO_MS);
    forget_assigned (self);
    (void)rd_kafka_assign (self->rk, NULL);
    self->revoking = false;
    self->search_at = 0;
    if (self->search)
        atomic_store (&self->search->cancelled, true);
    if (!self->closing)
        weft_log (
            WEFT_INFO, "KAFKA-RELEASED", "%zu alerts were in flight%s", open,
            open ? ": whoever has their partitions reads them again" : "");
    if (!self->again && self->given) {
        rd_kafka_topic_partition_list_destroy (self->given);
        self->given = NULL;
    }
    self->again = false;
}

static void
take_away (weft_kafka_t *self)
{
    self->again = false;
    if (self->closing || rd_kafka_assignment_lost (self->rk)) {
        let_go (self);
        return;
    }
    self->revoking = true;
    self->revoke_until = weft_time_ms () + self->rebalance_ms;
}

void
weft_kafka_find_anew (weft_kafka_t *self)
{
    if (self->revoking || !self->given)
        return;
    self->revoking = self->again = true;
    self->revoke_until = weft_time_ms () + self->rebalance_ms;
}

void
weft_kafka_rebalance (rd_kafka_t *rk,
                      rd_kafka_resp_err_t err,
                      rd_kafka_topic_partition_list_t *list,
                      void *opaque)
{
    weft_kafka_t *self = opaque;
    weft_metric_add (self->rebalances, 1);
    if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !self->closing) {
        if (self->given)
            rd_kafka_topic_partition_list_destroy (self->given);
        self->given = rd_kafka_topic_partition_list_copy (list);
        self->search_at = 0;
        if (self->search)
            atomic_store (&self->search->cancelled, true);
        return;
    }
    if (err == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
        take_away (self);
        return;
    }
    if (err != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
        weft_log (WEFT_ERROR, "KAFKA-REBALANCE-FAILED", "%s",
                  rd_kafka_err2str (err));
    forget_assigned (self);
    (void)rd_kafka_assign (rk, NULL);
}

//  One step of: look up where the given partitions begin, then begin.
static void
search_step (weft_kafka_t *self, int64_t now_ms)
{
    weft_kafka_search_t *search = self->search;
    if (!search && !self->given->cnt) {
        (void)rd_kafka_assign (self->rk, self->given);
        weft_kafka_leave_gone (self);
        self->search_at = INT64_MAX;
        weft_log (WEFT_INFO, "KAFKA-NO-PARTITIONS",
                  "the group has given this member none: there are more "
                  "members than partitions, or no topic matches");
        return;
    }
    if (!search) {
        if (now_ms >= self->search_at)
            self->search =
                weft_kafka_search_new (self->rk, self->fd, self->given);
        return;
    }
    if (!atomic_load (&search->done))
        return;
    rd_kafka_resp_err_t err = weft_kafka_search_error (search);
    if (atomic_load (&search->cancelled)) {
        self->search_at = now_ms;
    } else if (err) {
        snprintf (self->trouble, sizeof (self->trouble),
                  "cannot find where partitions begin: %s",
                  rd_kafka_err2str (err));
        self->search_at = now_ms + SEARCH_AGAIN_MS;
    } else {
        weft_kafka_begin (self, search);
        self->search_at = INT64_MAX;
    }
    weft_kafka_search_destroy (&self->search);
}

static void
look_at_parts (weft_kafka_t *self)
{
    for (uint32_t i = 0; i < self->n_parts; i++) {
        weft_part_t *part = self->parts[i];
        int64_t low, high, mark = part->start;
        if (!part->assigned)
            continue;
        (void)weft_watermark_low (part->mark, &mark, NULL);
        if (!rd_kafka_get_watermark_offsets (self->rk, part->topic,
                                             part->partition, &low, &high) &&
            high >= mark)
            weft_metric_set (part->lag, (double)(high - mark));
        if (part->paused &&
            !weft_watermark_full (part->behind ? part->live : part->mark)) {
            part->paused = false;
            weft_kafka_resume (self, part, WEFT_LANE_LIVE);
        }
    }
}

void
weft_kafka_group_beat (weft_kafka_t *self, int64_t now_ms)
{
    store_at_times (self, now_ms);
    weft_kafka_lanes_beat (self);
    look_at_parts (self);
    if (self->revoking &&
        (now_ms >= self->revoke_until || !weft_kafka_in_flight (self)))
        let_go (self);
    if (self->given && !self->revoking && self->search_at != INT64_MAX)
        search_step (self, now_ms);
}

void
weft_kafka_group_close (weft_kafka_t *self)
{
    if (self->given)
        rd_kafka_topic_partition_list_destroy (self->given);
    self->given = NULL;
    for (uint32_t i = 0; i < self->n_parts; i++) {
        weft_part_t *part = self->parts[i];
        for (uint64_t k = 0; k < part->n_names; k++)
            free (part->names[k]);
        free (part->names);
        weft_kafka_forget_aside (part);
        weft_kafka_drop_gauges (part);
        weft_watermark_destroy (&part->mark);
        weft_watermark_destroy (&part->live);
        free (part->topic);
        free (part);
    }
    free (self->parts);
    free (self->sought);
    free (self->found);
}
