//  weft_kafka_end.c - a consumer's end, within seconds whatever happens.

#include <unistd.h>

#include "weft_kafka_parts.h"

#include "weft_log.h"
#include "weft_time.h"

#define DESTROY_MS 2000  //  that librdkafka may take to end after that
#define STORE_MS 1500    //  that what is settled may take to be safe
#define CLOSE_MS 3000    //  most that leaving the group may take

void
weft_kafka_close_until (rd_kafka_t *rk, int64_t until_ms)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new (rk);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue (rk, queue);
    while (!error && !rd_kafka_consumer_closed (rk) &&
           weft_time_ms () < until_ms) {
        rd_kafka_message_t *m = rd_kafka_consume_queue (queue, 50);
        if (m)
            rd_kafka_message_destroy (m);
    }
    rd_kafka_error_destroy (error);
    rd_kafka_queue_destroy (queue);
}

//  Leaves the group; the callback lets the partitions go at once.
void
weft_kafka_leave (weft_kafka_t *self)
{
    self->closing = true;
    weft_kafka_store (self, STORE_MS);
    //  From here: the store may have used all of its own time.
    int64_t until = weft_time_ms () + CLOSE_MS;
    //  A rebalance that waits for our word gets it.
    if (self->revoking || (self->given && self->search_at != INT64_MAX))
        (void)rd_kafka_assign (self->rk, NULL);
    weft_kafka_close_until (self->rk, until);
}

typedef struct {
    rd_kafka_t *rk;
    atomic_bool ended;
} ending_t;

static void *
destroy (void *arg)
{
    ending_t *ending = arg;
    rd_kafka_destroy (ending->rk);
    atomic_store (&ending->ended, true);
    return NULL;
}

//  Librdkafka 2.0.2 may wait for itself for ever when a topic went away: it is
//  ended by a thread, and left to the end of the process if that takes long.
void
weft_kafka_end_library (rd_kafka_t *rk)
{
    ending_t *ending = calloc (1, sizeof (*ending));
    pthread_t thread;
    if (!ending)
        return;
    ending->rk = rk;
    bool closed = rd_kafka_consumer_closed (rk);
    if (closed && !pthread_create (&thread, NULL, destroy, ending)) {
        int64_t until = weft_time_ms () + DESTROY_MS;
        while (weft_time_ms () < until && !atomic_load (&ending->ended))
            usleep (2000);
        if (atomic_load (&ending->ended)) {
            pthread_join (thread, NULL);
            free (ending);
            return;
        }
        pthread_detach (thread);
    } else {
        free (ending);
    }
    weft_log (WEFT_WARN, "KAFKA-LEFT",
              "librdkafka does not end; what is settled %s",
              closed ? "is committed"
                     : "may not be committed: it would be read again");
}
