//  replay_namespace.c - looks through all keys, of a database that is a replay's.
//
//  replay:namespace  string: the night that was replayed last

#include "replay_namespace.h"

#include "weft_log.h"

#define MARK "replay:namespace"

//  Models (and their classes) are published for the stages of a replay, and these
//  register before it begins.
static bool
stays (weft_bin_t key)
{
    static const char *const heads[] = { "model",       "label:classes",
                                         "reg:",        "notifier:places",
                                         "ledger:mark", MARK };
    for (size_t i = 0; i < WEFT_COUNT (heads); i++)
        if (key.n >= strlen (heads[i]) &&
            memcmp (key.p, heads[i], strlen (heads[i])) == 0)
            return true;
    return false;
}

//  One page of keys: removes those that go, or, if `spare`, finds that there is
//  one.
static int
sweep_page (weft_batch_t *batch,
            weft_batch_t *remove,
            bool spare,
            char cursor[32])
{
    weft_batch_clear (batch);
    weft_batch_clear (remove);
    weft_batch_words (batch, "SCAN", cursor, "COUNT", "1000");
    int rc = weft_batch_run (batch);
    if (rc)
        return rc;
    const weft_reply_t *page = weft_batch_reply (batch, 0);
    const weft_reply_t *keys = weft_reply_at (page, 1);
    weft_bin_t next = weft_reply_bytes (weft_reply_at (page, 0));
    for (size_t i = 0; i < weft_reply_count (keys); i++) {
        weft_bin_t key = weft_reply_bytes (weft_reply_at (keys, i));
        if (stays (key))
            continue;
        if (spare)
            return WEFT_EEXIST;
        weft_batch_begin (remove, 2);
        weft_batch_str (remove, "UNLINK");
        weft_batch_arg (remove, key.p, key.n);
    }
    weft_str_copy ((weft_str_t){ (const char *)next.p, next.n }, cursor, 32);
    return weft_batch_count (remove) ? weft_batch_run (remove) : 0;
}

static int
sweep (weft_batch_t *batch, weft_batch_t *remove, bool spare)
{
    char cursor[32] = "0";
    int rc;
    do
        rc = sweep_page (batch, remove, spare, cursor);
    while (!rc && strcmp (cursor, "0") != 0);
    return rc;
}

int
replay_namespace (weft_redis_t *redis, const char *night, bool resume)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_batch_t *remove = weft_batch_new (redis, 0);
    int rc = batch && remove ? 0 : WEFT_ENOMEM;
    if (!rc) {
        weft_batch_words (batch, "EXISTS", MARK);
        rc = weft_batch_run (batch);
    }
    bool ours = !rc && weft_reply_int (weft_batch_reply (batch, 0), 0) == 1;
    if (!rc && !(ours && resume))
        rc = sweep (batch, remove, !ours);
    if (!rc) {
        weft_batch_clear (batch);
        weft_batch_words (batch, "SET", MARK, night);
        rc = weft_batch_run (batch);
    }
    weft_batch_destroy (&batch);
    weft_batch_destroy (&remove);
    return rc;
}
