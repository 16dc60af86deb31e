//  weft_notifier_queries.c - the learner's queries, from Redis to the outbox.
//
//  The learner leaves queries under night and rank and never changes one, so
//  reading on from the last rank finds each. After a start all of the latest
//  nights are read again; the outbox knows those that it has.

#include <jansson.h>

#include "weft_log.h"
#include "weft_notifier_parts.h"
#include "weft_payload.h"

#define LOOK_MS 500    //  how often we look for new queries
#define NIGHTS_BACK 3  //  nights that are read after a start

typedef struct {
    weft_notifier_t *self;
    int64_t now_ms;
    double now;
    int32_t night;
    uint32_t next_rank;
    int rc;
} reading_t;

static int
write_query (weft_notifier_t *self,
             const weft_query_v1_t *query,
             const char *key,
             double now)
{
    json_t *json = weft_contract_json (&weft_query_v1, query);
    char *text =
        json ? json_dumps (json, JSON_COMPACT | JSON_REAL_PRECISION (15))
             : NULL;
    json_decref (json);
    if (!text)
        return WEFT_ENOMEM;
    weft_buf_clear (&self->row);
    weft_payload_address (weft_str (text), key, weft_str (""), query->asked_at,
                          now, &self->row);
    free (text);
    return self->row.error;
}

static void
add_query (void *arg, uint32_t rank, weft_bin_t section)
{
    reading_t *reading = arg;
    weft_notifier_t *self = reading->self;
    weft_query_v1_t query;
    if (reading->rc)
        return;
    if (rank >= reading->next_rank)
        reading->next_rank = rank + 1;
    int rc =
        weft_contract_decode (&weft_query_v1, &query, section.p, section.n);
    char key[WEFT_KEY_MOST], object[64];
    if (!rc) {
        weft_payload_query_key (&query, key);
        weft_str_copy (query.object_id, object, sizeof object);
        rc = write_query (self, &query, key, reading->now);
    }
    if (rc) {
        weft_log (WEFT_ERROR, "QUERY-MALFORMED", "night %d, rank %u: %s",
                  reading->night, rank, weft_error_text (rc));
        return;  //  it will be no better the next time
    }
    weft_row_t row = { .key = key,
                       .object = object,
                       .payload = (const char *)self->row.data,
                       .payload_size = self->row.size,
                       .created = reading->now };
    for (uint32_t i = 0; i < self->setup->n_query_couriers && !reading->rc; i++)
        reading->rc = weft_courier_add (self->setup->query_couriers[i],
                                        self->outbox, &row, reading->now_ms);
}

//  The queries of one night, for weft_notifier_turn.
static int
add_night (void *arg, int64_t now_ms, double now)
{
    reading_t *reading = arg;
    reading->now_ms = now_ms;
    reading->now = now;
    int rc = weft_query_night (reading->self->queries.redis, reading->night,
                               reading->next_rank, add_query, reading);
    return rc ? rc : reading->rc;
}

static int
read_night (weft_notifier_t *self, int32_t night, uint32_t first)
{
    uint32_t count;
    int rc = weft_query_count (self->queries.redis, night, &count);
    if (rc || count < first)
        return rc;
    reading_t reading = { .self = self, .night = night, .next_rank = first };
    rc = weft_notifier_turn (self, add_night, &reading);
    if (!rc && night >= self->queries.night) {
        self->queries.night = night;
        self->queries.next_rank = reading.next_rank;
    }
    return rc;
}

void
weft_notifier_read_queries (weft_notifier_t *self, int64_t now_ms)
{
    if (!self->queries.redis || self->setup->n_query_couriers == 0 ||
        now_ms < self->queries.next_ms)
        return;
    self->queries.next_ms = now_ms + LOOK_MS;
    int32_t nights[NIGHTS_BACK];
    size_t n = NIGHTS_BACK;
    int rc = weft_query_nights (self->queries.redis, nights, &n);
    n = WEFT_MIN (n, NIGHTS_BACK);
    //  Oldest first; a night before the one we are in has been read.
    for (size_t i = n; i-- > 0 && !rc;) {
        if (nights[i] < self->queries.night)
            continue;
        bool same = nights[i] == self->queries.night;
        rc = read_night (self, nights[i], same ? self->queries.next_rank : 1);
    }
    if (rc && rc != WEFT_EDOWN && rc != WEFT_EAGAIN)
        weft_log (WEFT_WARN, "QUERIES-UNREAD",
                  "the learner's queries cannot be read from Redis: %s",
                  weft_error_text (rc));
}
