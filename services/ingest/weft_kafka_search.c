//  weft_kafka_search.c - committed offsets and ends of partitions, by a thread.

#include <unistd.h>

#include "weft_kafka_parts.h"

#define ASK_MS 1000  //  each question; so long may the end of a search take

weft_start_t
weft_kafka_start (
    int64_t committed, int64_t beyond, int64_t low, int64_t high, bool from_end)
{
    weft_start_t start = { .kind = WEFT_START_COMMITTED, .offset = committed };
    if (committed < 0) {
        start.kind = WEFT_START_FIRST;
        start.offset = from_end ? high : low;
    } else if (committed > high || committed == beyond) {
        start.kind = WEFT_START_BEYOND;
    } else if (committed < low) {
        start.kind = WEFT_START_GAP;
        start.offset = low;
        start.gap = low - committed;
    }
    return start;
}

static void
find_ends (weft_kafka_search_t *self)
{
    for (int i = 0; i < self->list->cnt && !self->cancelled; i++) {
        const rd_kafka_topic_partition_t *at = &self->list->elems[i];
        self->ends[i].err = rd_kafka_query_watermark_offsets (
            self->rk, at->topic, at->partition, &self->ends[i].low,
            &self->ends[i].high, ASK_MS);
    }
}

static void *
search (void *arg)
{
    weft_kafka_search_t *self = arg;
    const uint64_t one = 1;
    self->err = rd_kafka_committed (self->rk, self->list, ASK_MS);
    if (!self->err)
        find_ends (self);
    atomic_store (&self->done, true);
    //  A full counter wakes the loop as well.
    (void)!write (self->fd, &one, sizeof (one));
    return NULL;
}

weft_kafka_search_t *
weft_kafka_search_new (rd_kafka_t *rk,
                       int fd,
                       const rd_kafka_topic_partition_list_t *list)
{
    weft_kafka_search_t *self = calloc (1, sizeof (*self));
    if (!self)
        return NULL;
    self->rk = rk;
    self->fd = fd;
    self->list = rd_kafka_topic_partition_list_copy (list);
    self->ends = calloc ((size_t)list->cnt, sizeof (*self->ends));
    if (self->ends && !pthread_create (&self->thread, NULL, search, self))
        return self;
    rd_kafka_topic_partition_list_destroy (self->list);
    free (self->ends);
    free (self);
    return NULL;
}

void
weft_kafka_search_destroy (weft_kafka_search_t **self_p)
{
    weft_kafka_search_t *self = *self_p;
    if (!self)
        return;
    atomic_store (&self->cancelled, true);
    pthread_join (self->thread, NULL);
    rd_kafka_topic_partition_list_destroy (self->list);
    free (self->ends);
    free (self);
    *self_p = NULL;
}
