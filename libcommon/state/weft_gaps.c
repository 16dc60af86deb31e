//  weft_gaps.c - what a source has lost before anybody read it.

#include "weft_gaps.h"

int
weft_gaps_add (weft_batch_t *batch, const weft_gap_t *gaps, size_t n)
{
    weft_batch_clear (batch);
    weft_batch_keep (batch);
    for (size_t i = 0; i < n; i++) {
        weft_batch_begin (batch, 4);
        weft_batch_str (batch, "HSET");
        weft_batch_str (batch, "gaps");
        weft_batch_argf (batch, "%s/%d/%lld", gaps[i].topic,
                         (int)gaps[i].partition, (long long)gaps[i].first);
        weft_batch_int (batch, gaps[i].count);
    }
    return n ? weft_batch_run (batch) : 0;
}

//  "topic/partition/first offset"; names of topics have no slash.
static bool
take (const weft_reply_t *name, const weft_reply_t *count, weft_gap_t *gap)
{
    char text[WEFT_GAPS_TOPIC_MOST + 40];
    weft_bin_t place = weft_reply_bytes (name), most = weft_reply_bytes (count);
    int partition = 0, end = 0;
    long long first = 0, n = 0;
    snprintf (text, sizeof (text), "%.*s", (int)most.n, (const char *)most.p);
    if (sscanf (text, "%lld", &n) != 1 || n < 1)
        return false;
    snprintf (text, sizeof (text), "%.*s", (int)place.n, (const char *)place.p);
    char *slash = strchr (text, '/');
    if (!slash || (size_t)(slash - text) >= sizeof (gap->topic) ||
        sscanf (slash, "/%d/%lld%n", &partition, &first, &end) != 2 ||
        slash[end])
        return false;
    *slash = 0;
    *gap = (weft_gap_t){ .partition = partition, .first = first, .count = n };
    snprintf (gap->topic, sizeof (gap->topic), "%s", text);
    return true;
}

static int
by_place (const void *x, const void *y)
{
    const weft_gap_t *a = x, *b = y;
    int order = strcmp (a->topic, b->topic);
    if (order)
        return order;
    if (a->partition != b->partition)
        return a->partition < b->partition ? -1 : 1;
    return a->first < b->first ? -1 : a->first > b->first;
}

static int
take_all (const weft_reply_t *reply, weft_gap_t **gaps, size_t *n)
{
    size_t most =
        WEFT_MIN (weft_reply_count (reply) / 2, (size_t)WEFT_GAPS_MOST);
    weft_gap_t *list = calloc (most + 1, sizeof (*list));
    if (!list)
        return WEFT_ENOMEM;
    *n = 0;
    for (size_t i = 0; i < most; i++)
        *n += take (weft_reply_at (reply, 2 * i),
                    weft_reply_at (reply, 2 * i + 1), &list[*n]);
    qsort (list, *n, sizeof (*list), by_place);
    if (!*n) {
        free (list);
        list = NULL;
    }
    *gaps = list;
    return 0;
}

int
weft_gaps_read (weft_redis_t *redis, weft_gap_t **gaps, size_t *n)
{
    *gaps = NULL;
    *n = 0;
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_words (batch, "HGETALL", "gaps");
    int rc = weft_batch_run (batch);
    if (!rc)
        rc = take_all (weft_batch_reply (batch, 0), gaps, n);
    weft_batch_destroy (&batch);
    return rc;
}
