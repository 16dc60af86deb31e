//  weft_ingest_cluster.c - what the Redis Cluster does to this ingest, as metrics.
//
//  The connection counts; here the counts become numbers that /metrics shows.
//  Loop's thread.

#include "weft_ingest_parts.h"

static uint64_t
value_of (const weft_redis_counts_t *counts, size_t which)
{
    const uint64_t values[WEFT_INGEST_CLUSTER] = {
        counts->masters, counts->moved, counts->asked,
        counts->waited,  counts->maps,  counts->replaced,
    };
    return values[which];
}

void
weft_ingest_open_cluster (ingest_t *self)
{
    static const char *const totals[WEFT_INGEST_CLUSTER - 1] = {
        "weft_redis_moved_total",    "weft_redis_asked_total",
        "weft_redis_waited_total",   "weft_redis_maps_total",
        "weft_redis_replaced_total",
    };
    if (self->bulk == self->redis)
        return;
    self->cluster[0] = weft_gauge ("weft_redis_masters", "");
    for (size_t i = 1; i < WEFT_INGEST_CLUSTER; i++)
        self->cluster[i] = weft_counter (totals[i - 1], "");
}

void
weft_ingest_beat_cluster (ingest_t *self)
{
    if (self->bulk == self->redis)
        return;
    weft_redis_counts_t counts = weft_redis_counts (self->bulk);
    for (size_t i = 0; i < WEFT_INGEST_CLUSTER; i++)
        weft_metric_set (self->cluster[i], (double)value_of (&counts, i));
}
