//  weft_kafka_begin.c - partitions that begin, from what a search has found.
//
//  Each begins at what the group has committed, or at what the broker still has,
//  or at the topic's beginning or end if the group has never been there. In the
//  thread of the beat.

#include "weft_kafka_parts.h"

#include "weft_log.h"

#define PART_MOST 65536

static int
make_room (weft_kafka_t *self)
{
    uint32_t room = self->room_parts ? 2 * self->room_parts : 16;
    if (self->n_parts < self->room_parts)
        return 0;
    weft_part_t **moved = realloc (self->parts, room * sizeof (*self->parts));
    if (!moved)
        return WEFT_ENOMEM;
    self->parts = moved;
    moved = realloc (self->sought, room * sizeof (*self->sought));
    if (!moved)
        return WEFT_ENOMEM;
    self->sought = moved;
    self->room_parts = room;
    return 0;
}

static weft_part_t *
add_part (weft_kafka_t *self, const char *topic, int32_t partition)
{
    if (self->n_parts == PART_MOST || make_room (self))
        return NULL;
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
    part->partition = partition;
    part->bad = part->beyond = -1;
    weft_kafka_forget_harm (part);
    self->sought[self->n_parts] = self->parts[self->n_parts] = part;
    part->number = ++self->n_parts;
    return part;
}

static void
open_gauges (weft_part_t *part)
{
    char labels[400];
    if (part->lag)
        return;
    snprintf (labels, sizeof (labels), "topic=\"%s\",partition=\"%d\"",
              part->topic, part->partition);
    part->lag = weft_gauge ("weft_kafka_lag", labels);
    part->stands_still = weft_gauge ("weft_kafka_paused", labels);
}

void
weft_kafka_drop_gauges (weft_part_t *part)
{
    weft_metric_drop (&part->lag);
    weft_metric_drop (&part->stands_still);
}

//  Surveys make a topic a night: those of before have no gauges, and are not in
//  the way of who looks for a message's partition.
void
weft_kafka_leave_gone (weft_kafka_t *self)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < self->n_parts; i++)
        if (self->parts[i]->assigned)
            self->sought[n++] = self->parts[i];
    for (uint32_t i = 0; i < self->n_parts; i++) {
        if (self->parts[i]->assigned)
            continue;
        self->sought[n++] = self->parts[i];
        weft_kafka_drop_gauges (self->parts[i]);
    }
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

int
weft_kafka_keep_gap (weft_kafka_t *self,
                     const char *topic,
                     int32_t partition,
                     int64_t first,
                     int64_t count)
{
    weft_gap_t *moved =
        realloc (self->found, (self->n_found + 1) * sizeof (*moved));
    if (!moved)
        return WEFT_ENOMEM;
    self->found = moved;
    weft_gap_t *gap = &moved[self->n_found++];
    *gap =
        (weft_gap_t){ .partition = partition, .first = first, .count = count };
    snprintf (gap->topic, sizeof (gap->topic), "%s", topic);
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
                  "%s/%d: offset %lld is committed, but the partition ended "
                  "before that (now at %lld): the topic was made anew; use "
                  "another options.group, or reset the group's offsets",
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

//  A partition that was found: into the assignment, from where it begins; into
//  `first` too if the group has never read it.
static int
admit (weft_kafka_t *self,
       const rd_kafka_topic_partition_t *at,
       int64_t low,
       int64_t high,
       rd_kafka_topic_partition_list_t *list,
       rd_kafka_topic_partition_list_t *first)
{
    weft_part_t *part = weft_kafka_part (self, at->topic, at->partition);
    if (!part)
        part = add_part (self, at->topic, at->partition);
    if (!part)
        return WEFT_ENOMEM;
    weft_start_t start =
        weft_kafka_start (at->offset, part->beyond, low, high, self->from_end);
    say_start (self, at, &start, high);
    part->beyond = start.kind == WEFT_START_BEYOND ? at->offset : -1;
    part->first = start.kind == WEFT_START_FIRST;
    if (start.kind == WEFT_START_BEYOND)
        return 0;
    if (start.kind == WEFT_START_GAP &&
        weft_kafka_keep_gap (self, at->topic, at->partition, at->offset,
                             start.gap))
        return WEFT_ENOMEM;
    open_gauges (part);
    weft_watermark_reset (part->mark);
    weft_kafka_forget_aside (part);
    part->epoch++;
    part->assigned = true;
    part->paused = false;
    part->start = part->stored = start.offset;
    weft_metric_set (part->lag, (double)(high - start.offset));
    forward (self, part);
    if (part->first)
        rd_kafka_topic_partition_list_add (first, at->topic, at->partition)
            ->offset = start.offset;
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

//  Without an answer of its own a partition would count as never read.
rd_kafka_resp_err_t
weft_kafka_search_error (const weft_kafka_search_t *search)
{
    rd_kafka_resp_err_t err = search->err;
    for (int i = 0; !err && i < search->list->cnt; i++)
        if (!is_gone (search->ends[i].err))
            err = search->ends[i].err ? search->ends[i].err
                                      : search->list->elems[i].err;
    return err;
}

//  Where a partition begins that the group has never read is the group's from
//  now on: else whoever looks next would begin at another end, and what came
//  meanwhile would be lost. The commit that follows at times tries again what
//  fails here.
static void
commit_first (weft_kafka_t *self, rd_kafka_topic_partition_list_t *first)
{
    if (first->cnt && !rd_kafka_offsets_store (self->rk, first))
        (void)rd_kafka_commit (self->rk, NULL, 1);
}

void
weft_kafka_begin (weft_kafka_t *self, const weft_kafka_search_t *search)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new (
                                        search->list->cnt),
                                    *first = rd_kafka_topic_partition_list_new (
                                        search->list->cnt);
    int rc = 0;
    weft_kafka_well (self);
    for (int i = 0; !rc && i < search->list->cnt; i++) {
        const rd_kafka_topic_partition_t *at = &search->list->elems[i];
        if (search->ends[i].err)
            weft_log (WEFT_ERROR, "KAFKA-TOPIC-GONE", "%s/%d: %s", at->topic,
                      at->partition, rd_kafka_err2str (search->ends[i].err));
        else
            rc = admit (self, at, search->ends[i].low, search->ends[i].high,
                        list, first);
    }
    if (rc)
        self->fatal = true;
    weft_kafka_leave_gone (self);
    (void)rd_kafka_assign (self->rk, list);
    //  One that stood still when it was taken away would go on doing so.
    (void)rd_kafka_resume_partitions (self->rk, list);
    commit_first (self, first);
    weft_kafka_lanes_assign (self);
    rd_kafka_topic_partition_list_destroy (first);
    rd_kafka_topic_partition_list_destroy (list);
}
