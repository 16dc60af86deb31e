//  weft_mark.c - was the Redis that has the ledger emptied behind our back?

#include "weft_mark.h"

#include "weft_hash.h"
#include "weft_time.h"

#include <unistd.h>

#define KEY "ledger:mark"

//  The mark that is there now, whoever wrote it.
static int
read_or_write (weft_redis_t *redis, const char *ours, weft_mark_t *found)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_words (batch, "SETNX", KEY, ours);
    weft_batch_words (batch, "GET", KEY);
    int rc = weft_batch_run (batch);
    if (!rc) {
        weft_bin_t text = weft_reply_bytes (weft_batch_reply (batch, 1));
        weft_str_copy ((weft_str_t){ (const char *)text.p, text.n },
                       found->text, sizeof found->text);
        if (!found->text[0])
            rc = WEFT_EMALFORMED;
    }
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_mark_look (weft_mark_t *self, weft_redis_t *redis)
{
    char ours[sizeof self->text];
    weft_mark_t found = { "" };
    uint64_t number = (uint64_t)weft_time_ns () ^ (uint64_t)getpid () << 48;
    snprintf (ours, sizeof ours, "%.3f %016llx", weft_time_utc (),
              (unsigned long long)weft_hash_u64 (number));
    int rc = read_or_write (redis, ours, &found);
    if (rc)
        return rc;
    bool gone = self->text[0] && strcmp (self->text, found.text) != 0;
    *self = found;
    return gone ? WEFT_ENOENT : 0;
}
