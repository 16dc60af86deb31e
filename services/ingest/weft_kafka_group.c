//  weft_kafka_group.c - partitions that come and go.
//
//  Taken away: nothing more is read, what is in flight has a second to settle,
//  what is settled is committed, the epoch goes up. Given: where each begins is
//  looked up first, so that a gap is known by its size before anything is read.
//  Both are left to the beat: the callback only notes them, and librdkafka
//  waits until it is told that they are done.

#include "weft_kafka_parts.h"

#include "weft_log.h"
#include "weft_time.h"

#define SEARCH_AGAIN_MS 1000
#define STORE_MS 250    //  between looks whether what is settled is safe
#define LET_GO_MS 500   //  that a rebalance waits for that
#define WAITS_MS 10000  //  that are worth a line
#define PART_MOST 65536

static weft_part_t *
add_part (weft_kafka_t *self, const char *topic, int32_t partition)
{
    if (self->n_parts == self->room_parts) {
        uint32_t room = self->room_parts ? 2 * self->room_parts : 16;
        weft_part_t **moved =
            realloc (self->parts, room * sizeof (*self->parts));
        if (!moved)
            return NULL;
        self->parts = moved;
        self->room_parts = room;
    }
    weft_part_t *part = calloc (1, sizeof (*part));
    if (!part)
        return NULL;
    part->topic = strdup (topic);
    part->mark = weft_watermark_new (WEFT_KAFKA_BEHIND_MOST);
    if (!part->topic || !part->mark) {
        free (part->topic);
        weft_watermark_destroy (&part->mark);
        free (part);
        return NULL;
    }
    char labels[400];
    snprintf (labels, sizeof (labels), "topic=\"%s\",partition=\"%d\"", topic,
              partition);
    part->partition = partition;
    part->lag = weft_gauge ("weft_kafka_lag", labels);
    part->stands_still = weft_gauge ("weft_kafka_paused", labels);
    self->parts[self->n_parts++] = part;
    return part;
}

weft_part_t *
weft_kafka_part (weft_kafka_t *self, const char *topic, int32_t partition)
{
    for (uint32_t i = 0; i < self->n_parts; i++)
        if (self->parts[i]->partition == partition &&
            !strcmp (self->parts[i]->topic, topic))
            return self->parts[i];
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

//  Hands what is settled to the next commit. An error says that the partition
//  is another member's by now: normal.
void
weft_kafka_store (weft_kafka_t *self, int64_t most_ms)
{
    bool news = false;
    int64_t low;
    for (uint32_t i = 0; !news && i < self->n_parts; i++)
        news = has_news (self->parts[i], &low);
    if (!news || !may_store (self, most_ms))
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

//  Its messages go to our own queue, so that events can be served while nothing
//  is read.
static void
forward (weft_kafka_t *self, const weft_part_t *part)
{
    rd_kafka_queue_t *queue =
        rd_kafka_queue_get_partition (self->rk, part->topic, part->partition);
    if (!queue)
        return;
    rd_kafka_queue_forward (queue, self->data);
    rd_kafka_queue_destroy (queue);
}

//  Kept until it stands beside the ledger.
static int
keep_gap (weft_kafka_t *self,
          const rd_kafka_topic_partition_t *at,
          const weft_start_t *start)
{
    weft_gap_t *moved =
        realloc (self->found, (self->n_found + 1) * sizeof (*moved));
    if (!moved)
        return WEFT_ENOMEM;
    self->found = moved;
    weft_gap_t *gap = &moved[self->n_found++];
    *gap = (weft_gap_t){ .partition = at->partition,
                         .first = at->offset,
                         .count = start->gap };
    snprintf (gap->topic, sizeof (gap->topic), "%s", at->topic);
    return 0;
}

const weft_gap_t *
weft_kafka_gaps (const weft_kafka_t *self, size_t *n)
{
    *n = self->n_found;
    return self->found;
}

void
weft_kafka_gaps_listed (weft_kafka_t *self)
{
    self->n_found = 0;
}

static void
say_start (weft_kafka_t *self,
           const rd_kafka_topic_partition_t *at,
           const weft_start_t *start,
           int64_t high)
{
    long long from = start->offset, end = high;
    if (start->kind == WEFT_START_GAP) {
        weft_metric_add (self->gaps, (double)start->gap);
        weft_log (WEFT_ERROR, "KAFKA-GAP",
                  "%s/%d: %lld messages from offset %lld on were deleted by "
                  "the broker's retention before they were read; going on at "
                  "%lld. They are lost to this group: see retention.ms of the "
                  "topic, or read them from the survey's archive",
                  at->topic, at->partition, (long long)start->gap,
                  (long long)at->offset, from);
    } else if (start->kind == WEFT_START_BEYOND) {
        snprintf (self->trouble, sizeof (self->trouble),
                  "%s/%d: offset %lld is committed, but the partition ends at "
                  "%lld: the topic was made anew; use another options.group, "
                  "or reset the group's offsets",
                  at->topic, at->partition, (long long)at->offset, end);
        self->trouble_stays = true;
        weft_log (WEFT_ERROR, "KAFKA-BEYOND-END", "%s", self->trouble);
    } else {
        weft_log (WEFT_INFO, "KAFKA-STARTS", "%s/%d at %lld, its end is %lld%s",
                  at->topic, at->partition, from, end,
                  start->kind == WEFT_START_FIRST
                      ? "; the group has never read it"
                      : "");
    }
}

//  A partition that was found: into the assignment, from where it begins.
static int
admit (weft_kafka_t *self,
       const rd_kafka_topic_partition_t *at,
       int64_t low,
       int64_t high,
       rd_kafka_topic_partition_list_t *list)
{
    weft_start_t start =
        weft_kafka_start (at->offset, low, high, self->from_end);
    say_start (self, at, &start, high);
    if (start.kind == WEFT_START_BEYOND)
        return 0;
    if (start.kind == WEFT_START_GAP && keep_gap (self, at, &start))
        return WEFT_ENOMEM;
    weft_part_t *part = weft_kafka_part (self, at->topic, at->partition);
    if (!part && self->n_parts < PART_MOST)
        part = add_part (self, at->topic, at->partition);
    if (!part)
        return WEFT_ENOMEM;
    weft_watermark_reset (part->mark);
    weft_kafka_forget_aside (part);
    part->epoch++;
    part->assigned = true;
    part->paused = false;
    part->start = part->stored = start.offset;
    weft_metric_set (part->lag, (double)(high - start.offset));
    forward (self, part);
    rd_kafka_topic_partition_list_add (list, at->topic, at->partition)->offset =
        weft_kafka_lanes_start (self, part, start.offset, high);
    return 0;
}

//  A partition that is not there any more is left out and said; any other error
//  is a reason to ask again.
static bool
is_gone (rd_kafka_resp_err_t err)
{
    return err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
           err == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION ||
           err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
}

static rd_kafka_resp_err_t
search_error (const weft_kafka_search_t *search)
{
    rd_kafka_resp_err_t err = search->err;
    for (int i = 0; !err && i < search->list->cnt; i++)
        if (!is_gone (search->ends[i].err))
            err = search->ends[i].err;
    return err;
}

static void
begin (weft_kafka_t *self, weft_kafka_search_t *search)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new (search->list->cnt);
    int rc = 0;
    weft_kafka_well (self);
    for (int i = 0; !rc && i < search->list->cnt; i++) {
        const rd_kafka_topic_partition_t *at = &search->list->elems[i];
        if (search->ends[i].err)
            weft_log (WEFT_ERROR, "KAFKA-TOPIC-GONE", "%s/%d: %s", at->topic,
                      at->partition, rd_kafka_err2str (search->ends[i].err));
        else
            rc = admit (self, at, search->ends[i].low, search->ends[i].high,
                        list);
    }
    if (rc)
        self->fatal = true;
    (void)rd_kafka_assign (self->rk, list);
    //  One that stood still when it was taken away would go on doing so.
    (void)rd_kafka_resume_partitions (self->rk, list);
    weft_kafka_lanes_assign (self);
    rd_kafka_topic_partition_list_destroy (list);
}

//  One step of: look up where the given partitions begin, then begin.
static void
search_step (weft_kafka_t *self, int64_t now_ms)
{
    weft_kafka_search_t *search = self->search;
    if (!search && !self->given->cnt) {
        (void)rd_kafka_assign (self->rk, self->given);
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
    rd_kafka_resp_err_t err = search_error (search);
    if (atomic_load (&search->cancelled)) {
        self->search_at = now_ms;
    } else if (err) {
        snprintf (self->trouble, sizeof (self->trouble),
                  "cannot find where partitions begin: %s",
                  rd_kafka_err2str (err));
        self->search_at = now_ms + SEARCH_AGAIN_MS;
    } else {
        begin (self, search);
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
        weft_watermark_destroy (&part->mark);
        weft_watermark_destroy (&part->live);
        free (part->topic);
        free (part);
    }
    free (self->parts);
    free (self->found);
}
