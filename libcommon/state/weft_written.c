//  weft_written.c - see weft_written.h.

#include "weft_written.h"

#include "weft_cluster.h"
#include "weft_time.h"

#include <time.h>

#define STEP_MS 20
#define LOOK_MS 50              //  between looks of a connection at work
#define LOOK_BYTES (256 << 10)  //  remembered: less is not worth a look
#define NO_FILE (-1)

//  Bytes that wait for the file; of a cluster, none once replicas have them.
static int
ask (weft_redis_t *redis, int64_t *waiting)
{
    static const char key[] = "\naof_buffer_length:";
    *waiting = NO_FILE;
    if (redis->cluster)
        return weft_cluster_kept (redis->cluster);
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_words (batch, "INFO", "persistence");
    int rc = weft_batch_run (batch);
    if (!rc) {
        weft_bin_t info = weft_reply_bytes (weft_batch_reply (batch, 0));
        const char *at = info.p ? strstr ((const char *)info.p, key) : NULL;
        if (at)
            *waiting = strtoll (at + sizeof (key) - 1, NULL, 10);
    }
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_redis_written (weft_redis_t *redis, int64_t most_ms)
{
    const struct timespec pause = { .tv_nsec = STEP_MS * 1000000L };
    int64_t until = weft_time_ms () + most_ms;
    for (;;) {
        int64_t waiting = 0;
        //  A connection that had to be remade has issued its writes again
        //  before it asks.
        int rc = ask (redis, &waiting);
        if (rc == 0 && waiting <= 0)
            return 0;
        if ((rc && rc != WEFT_EDOWN) || weft_time_ms () >= until)
            return rc ? rc : WEFT_EDOWN;
        nanosleep (&pause, NULL);
    }
}

//  Redis answers a batch after it has run it, so an empty buffer in a later
//  answer means that all of it is in the file: before that time is over.
void
weft_redis_look_written (weft_redis_t *self)
{
    weft_journal_t *journals = self->journals;
    if (journals[0].size + journals[1].size < LOOK_BYTES)
        return;
    int64_t now = weft_time_ms (), waiting;
    if (now - self->looked_ms < LOOK_MS)
        return;
    self->looked_ms = now;
    if (ask (self, &waiting) || waiting)
        return;
    weft_journal_fini (&journals[0]);
    weft_journal_fini (&journals[1]);
}
