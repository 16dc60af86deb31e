//  weft_registry_store.c - entries with a time to live, and their index.
//
//  The index is a sorted set by the writer's clock; an entry is alive if its
//  own key is, so clocks decide nothing but when the index is swept.

#include "weft_registry_store.h"

#include "weft_time.h"

enum { SWEEP_SECONDS = 3600, LIST_MOST = 1024, NAME_MOST = 128 };

int
weft_registry_put (weft_redis_t *redis,
                   const char *stage,
                   const char *uuid,
                   const char *json)
{
    if (strlen (json) > WEFT_REGISTRY_JSON_MOST)
        return WEFT_ETOOBIG;
    if (strlen (stage) + strlen (uuid) >= NAME_MOST)
        return WEFT_ERANGE;
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    int64_t now = (int64_t)weft_time_utc ();
    weft_batch_begin (batch, 5);
    weft_batch_str (batch, "SET");
    weft_batch_argf (batch, "reg:%s:%s", stage, uuid);
    weft_batch_str (batch, json);
    weft_batch_str (batch, "EX");
    weft_batch_int (batch, WEFT_REGISTRY_SECONDS);
    weft_batch_begin (batch, 4);
    weft_batch_str (batch, "ZADD");
    weft_batch_str (batch, "reg:index");
    weft_batch_int (batch, now);
    weft_batch_argf (batch, "%s:%s", stage, uuid);
    weft_batch_begin (batch, 4);
    weft_batch_str (batch, "ZREMRANGEBYSCORE");
    weft_batch_str (batch, "reg:index");
    weft_batch_str (batch, "-inf");
    weft_batch_int (batch, now - SWEEP_SECONDS);
    int rc = weft_batch_run (batch);
    weft_batch_destroy (&batch);
    return rc;
}

int
weft_registry_remove (weft_redis_t *redis, const char *stage, const char *uuid)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_begin (batch, 2);
    weft_batch_str (batch, "DEL");
    weft_batch_argf (batch, "reg:%s:%s", stage, uuid);
    weft_batch_begin (batch, 3);
    weft_batch_str (batch, "ZREM");
    weft_batch_str (batch, "reg:index");
    weft_batch_argf (batch, "%s:%s", stage, uuid);
    int rc = weft_batch_run (batch);
    weft_batch_destroy (&batch);
    return rc;
}

static int
compare_names (const void *a, const void *b)
{
    return strcmp (a, b);
}

//  The index' names in order; the caller frees.
static int
read_names (weft_batch_t *batch, char (**names)[NAME_MOST], size_t *n)
{
    weft_batch_begin (batch, 4);
    weft_batch_str (batch, "ZRANGE");
    weft_batch_str (batch, "reg:index");
    weft_batch_str (batch, "0");
    weft_batch_int (batch, LIST_MOST - 1);
    int rc = weft_batch_run (batch);
    if (rc)
        return rc;
    const weft_reply_t *list = weft_batch_reply (batch, 0);
    *n = weft_reply_count (list);
    *names = calloc (*n + 1, sizeof **names);
    if (!*names)
        return WEFT_ENOMEM;
    for (size_t i = 0; i < *n; i++) {
        weft_bin_t name = weft_reply_bytes (weft_reply_at (list, i));
        weft_str_copy ((weft_str_t){ (const char *)name.p, name.n },
                       (*names)[i], NAME_MOST);
    }
    qsort (*names, *n, sizeof **names, compare_names);
    return 0;
}

int
weft_registry_list (weft_redis_t *redis,
                    void (*each) (void *arg,
                                  const char *stage,
                                  const char *uuid,
                                  const char *json,
                                  size_t size),
                    void *arg)
{
    char (*names)[NAME_MOST] = NULL;
    size_t n = 0;
    weft_batch_t *batch = weft_batch_new (redis, 0);
    int rc = batch ? read_names (batch, &names, &n) : WEFT_ENOMEM;
    if (rc == 0) {
        weft_batch_clear (batch);
        for (size_t i = 0; i < n; i++) {
            weft_batch_begin (batch, 2);
            weft_batch_str (batch, "GET");
            weft_batch_argf (batch, "reg:%s", names[i]);
        }
        rc = weft_batch_run (batch);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        weft_bin_t json = weft_reply_bytes (weft_batch_reply (batch, i));
        char *colon = strchr (names[i], ':');
        if (!json.p || !colon)
            continue;
        *colon = '\0';
        each (arg, names[i], colon + 1, (const char *)json.p, json.n);
    }
    free (names);
    weft_batch_destroy (&batch);
    return rc;
}
