//  weft_batch.c - a list of commands in Redis' wire form, and their replies.
//
//  Commands are written as they will go over the wire, so a batch is issued
//  again by sending the same bytes. Belongs to the thread of its connection.

#include <hiredis/hiredis.h>
#include <stdarg.h>

#include "weft_redis_private.h"

#include "weft_cluster.h"
#include "weft_hash.h"
#include "weft_log.h"
#include "weft_time.h"

enum {
    CEILING = 64 << 20,
    SCRIPTS_IN_BATCH = 16,
    LOADS_MOST = 3,  //  script loads in one run: Redis may restart between
    KEEP_ROOM = 4 << 20,
};

struct weft_batch {
    weft_redis_t *redis;
    weft_buf_t bytes;
    size_t count;      //  commands
    uint32_t missing;  //  arguments that the last command still lacks
    const char *scripts[SCRIPTS_IN_BATCH];
    size_t n_scripts;
    int keep;              //  WEFT_KEEP_...
    redisReply **replies;  //  `count` of them after a run
    size_t n_replies;
    size_t room;  //  of `replies`
};

weft_batch_t *
weft_batch_new (weft_redis_t *redis, size_t ceiling)
{
    weft_batch_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->redis = redis;
    weft_buf_init (&self->bytes, ceiling ? ceiling : CEILING);
    return self;
}

void
weft_batch_relied (const weft_batch_t *self)
{
    self->redis->journals[0].gone = weft_time_ms ();
}

bool
weft_batch_spread (const weft_batch_t *self)
{
    return self->redis->cluster != NULL;
}

static void
drop_replies (weft_batch_t *self)
{
    for (size_t i = 0; i < self->n_replies; i++)
        if (self->replies[i])
            freeReplyObject (self->replies[i]);
    self->n_replies = 0;
}

void
weft_batch_destroy (weft_batch_t **self_p)
{
    weft_batch_t *self = *self_p;
    if (!self)
        return;
    drop_replies (self);
    free (self->replies);
    weft_buf_fini (&self->bytes);
    free (self);
    *self_p = NULL;
}

void
weft_batch_clear (weft_batch_t *self)
{
    drop_replies (self);
    if (self->bytes.room > KEEP_ROOM) {  //  one huge batch is not kept for life
        size_t ceiling = self->bytes.ceiling;
        weft_buf_fini (&self->bytes);
        weft_buf_init (&self->bytes, ceiling);
    }
    weft_buf_clear (&self->bytes);
    self->count = 0;
    self->missing = 0;
    self->n_scripts = 0;
    self->keep = WEFT_KEEP_NO;
}

void
weft_batch_keep (weft_batch_t *self)
{
    self->keep = WEFT_KEEP_ALL;
}

void
weft_batch_keep_if_room (weft_batch_t *self)
{
    if (self->keep == WEFT_KEEP_NO)
        self->keep = WEFT_KEEP_ROOM;
}

uint64_t
weft_batch_unique (weft_batch_t *self)
{
    weft_redis_t *redis = self->redis;
    uint64_t number = 0;
    while (number == 0)
        number = weft_hash_u64 (redis->id + redis->n_unique++);
    return number;
}

size_t
weft_batch_count (const weft_batch_t *self)
{
    return self->count;
}

//  '*' or '$', a number, and the end of the line.
static void
add_header (weft_batch_t *self, char kind, size_t value)
{
    char text[24];
    char *at = text + sizeof text;
    *--at = '\n';
    *--at = '\r';
    do
        *--at = (char)('0' + value % 10);
    while (value /= 10);
    *--at = kind;
    weft_buf_add (&self->bytes, at, (size_t)(text + sizeof text - at));
}

size_t
weft_batch_begin (weft_batch_t *self, uint32_t argc)
{
    assert (self->missing == 0 && argc > 0);
    add_header (self, '*', argc);
    self->missing = argc;
    return self->count++;
}

void
weft_batch_arg2 (weft_batch_t *self,
                 const void *head,
                 size_t head_size,
                 const void *tail,
                 size_t tail_size)
{
    assert (self->missing > 0);
    self->missing--;
    add_header (self, '$', head_size + tail_size);
    weft_buf_add (&self->bytes, head, head_size);
    weft_buf_add (&self->bytes, tail, tail_size);
    weft_buf_add (&self->bytes, "\r\n", 2);
}

void
weft_batch_arg (weft_batch_t *self, const void *data, size_t size)
{
    weft_batch_arg2 (self, data, size, NULL, 0);
}

void
weft_batch_str (weft_batch_t *self, const char *text)
{
    weft_batch_arg (self, text, strlen (text));
}

void
weft_batch_int (weft_batch_t *self, int64_t value)
{
    weft_batch_argf (self, "%lld", (long long)value);
}

void
weft_batch_argf (weft_batch_t *self, const char *format, ...)
{
    char text[512];
    va_list ap;
    va_start (ap, format);
    int size = vsnprintf (text, sizeof text, format, ap);
    va_end (ap);
    bool whole = size >= 0 && (size_t)size < sizeof text;
    if (!whole)  //  a cut key would be another key
        self->bytes.error = WEFT_ETOOBIG;
    weft_batch_arg (self, text, whole ? (size_t)size : 0);
}

size_t
weft_batch_list (weft_batch_t *self, const char *const *words)
{
    uint32_t argc = 0;
    while (words[argc])
        argc++;
    size_t index = weft_batch_begin (self, argc);
    for (uint32_t i = 0; i < argc; i++)
        weft_batch_str (self, words[i]);
    return index;
}

size_t
weft_batch_script (weft_batch_t *self,
                   const char *body,
                   uint32_t n_keys,
                   uint32_t n_args)
{
    bool known = false;
    for (size_t i = 0; i < self->n_scripts && !known; i++)
        known = self->scripts[i] == body;
    assert (known || self->n_scripts < SCRIPTS_IN_BATCH);
    if (!known)
        self->scripts[self->n_scripts++] = body;
    size_t index = weft_batch_begin (self, 3 + n_keys + n_args);
    weft_batch_str (self, "EVALSHA");
    weft_batch_str (self, weft_redis_sha (self->redis, body));
    weft_batch_int (self, n_keys);
    return index;
}

//  One exchange over a live connection; on error the connection is gone. A
//  Redis that does not answer in time is down (WEFT_EDOWN): asking it again at
//  once would only double how long the caller's loop is away.
static int
exchange (weft_batch_t *self)
{
    weft_redis_t *redis = self->redis;
    drop_replies (self);
    int rc = 0;
    weft_redis_append (redis, self->bytes.data, self->bytes.size);
    for (size_t i = 0; rc == 0 && i < self->count; i++) {
        rc = weft_redis_next (redis, &self->replies[self->n_replies]);
        self->n_replies += rc == 0;
    }
    if (rc)
        weft_redis_disconnect (redis);
    return rc;
}

static bool
begins (const redisReply *reply, const char *word)
{
    return strncmp (reply->str, word, strlen (word)) == 0;
}

int
weft_redis_judge (const redisReply *reply)
{
    static const char *const passing[] = {
        "LOADING",    "BUSY ",    "OOM ",        "MISCONF",
        "READONLY",   "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN",
        "NOREPLICAS", "NOAUTH",   "UNKILLABLE",
    };
    if (begins (reply, "NOSCRIPT"))
        return 0;
    for (size_t i = 0; i < WEFT_COUNT (passing); i++)
        if (begins (reply, passing[i]))
            return WEFT_EDOWN;
    //  A script that ran into one of them says so in the middle of its text.
    if (strstr (reply->str, "OOM command not allowed") ||
        strstr (reply->str, "MISCONF") || strstr (reply->str, "-OOM"))
        return WEFT_EDOWN;
    return WEFT_EIO;
}

//  Looks at all replies: the worst of their errors, and if a script is missing.
static int
review (weft_batch_t *self, bool *missing)
{
    int worst = 0;
    *missing = false;
    for (size_t i = 0; i < self->n_replies; i++) {
        const redisReply *reply = self->replies[i];
        if (reply->type != REDIS_REPLY_ERROR)
            continue;
        int rc = weft_redis_judge (reply);
        if (rc == 0) {
            *missing = true;
            continue;
        }
        if (worst != WEFT_EDOWN) {
            weft_redis_say (self->redis, "%s", reply->str);
            worst = rc;
        }
    }
    return worst;
}

static int
load_scripts (weft_batch_t *self)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < self->n_scripts; i++)
        rc = weft_redis_load (self->redis, self->scripts[i]);
    return rc;
}

static int
make_room (weft_batch_t *self)
{
    if (self->count <= self->room)
        return 0;
    redisReply **replies =
        realloc (self->replies, self->count * sizeof (redisReply *));
    if (!replies)
        return WEFT_ENOMEM;
    self->replies = replies;
    self->room = self->count;
    return 0;
}

//  Issues the batch over the connection that there is; loads scripts that this
//  Redis does not know. WEFT_EIO with the connection gone: it broke.
static int
issue (weft_batch_t *self)
{
    for (int loads = 0; loads < LOADS_MOST; loads++) {
        bool missing = false;
        int rc = exchange (self);
        if (rc == 0)
            rc = review (self, &missing);
        if (rc == 0 && missing)
            rc = load_scripts (self);
        if (rc != 0 || !missing)
            return rc;
    }
    return WEFT_EDOWN;
}

//  Writes that Redis has acknowledged and may yet forget.
static void
remember (weft_batch_t *self)
{
    weft_journal_t *journals = self->redis->journals;
    bool any = journals[0].first || journals[1].first;
    int64_t now = any || self->keep ? weft_time_ms () : 0;
    if (self->keep)
        weft_journal_add (&journals[self->keep - 1], now, self->bytes.data,
                          self->bytes.size, self->count);
    if (any) {
        weft_journal_prune (&journals[0], now);
        weft_journal_prune (&journals[1], now);
    }
}

//  The same over the masters of a cluster: what breaks and moves is its affair.
static int
run_spread (weft_batch_t *self)
{
    weft_redis_t *redis = self->redis;
    drop_replies (self);
    if (weft_redis_paused (redis))
        return WEFT_EDOWN;
    self->n_replies = self->count;
    memset (self->replies, 0, self->count * sizeof (redisReply *));
    int rc = weft_cluster_run (redis->cluster, self->bytes.data,
                               self->bytes.size, self->count, self->replies);
    if (rc == 0)
        remember (self);
    if (rc == 0 || rc == WEFT_EIO)
        weft_redis_served (redis);
    else
        drop_replies (self);
    if (rc == WEFT_EIO)
        weft_log (WEFT_ERROR, "REDIS-REFUSED", "%s", redis->why);
    return rc == WEFT_EDOWN ? weft_redis_unserved (redis) : rc;
}

int
weft_batch_run (weft_batch_t *self)
{
    weft_redis_t *redis = self->redis;
    assert (self->missing == 0);
    if (self->bytes.error)
        return self->bytes.error;
    if (self->count == 0)
        return 0;
    int rc = make_room (self);
    if (rc == 0 && redis->cluster)
        return run_spread (self);
    //  The first break may be an old connection to a Redis that is back by
    //  now; the second is an outage.
    for (int breaks = 0; rc == 0 && breaks < 2; breaks++) {
        rc = weft_redis_connect (redis);
        if (rc != 0)
            return rc;
        rc = issue (self);
        if (rc == 0) {
            remember (self);
            weft_redis_served (redis);
            weft_redis_look_written (redis);
            return 0;
        }
        if (rc == WEFT_EDOWN)
            return weft_redis_unserved (redis);
        if (redis->context) {
            weft_log (WEFT_ERROR, "REDIS-REFUSED", "%s", redis->why);
            return WEFT_EIO;
        }
        rc = 0;
    }
    return rc ? rc : weft_redis_unserved (redis);
}

const weft_reply_t *
weft_batch_reply (const weft_batch_t *self, size_t index)
{
    assert (index < self->n_replies);
    return (const weft_reply_t *)self->replies[index];
}

static const redisReply *
reply_of (const weft_reply_t *self)
{
    return (const redisReply *)self;
}

bool
weft_reply_nil (const weft_reply_t *self)
{
    return reply_of (self)->type == REDIS_REPLY_NIL;
}

bool
weft_reply_error (const weft_reply_t *self)
{
    return reply_of (self)->type == REDIS_REPLY_ERROR;
}

int64_t
weft_reply_int (const weft_reply_t *self, int64_t fallback)
{
    const redisReply *reply = reply_of (self);
    if (reply->type == REDIS_REPLY_INTEGER)
        return reply->integer;
    if (reply->type != REDIS_REPLY_STRING || reply->len == 0)
        return fallback;
    char *end = NULL;  //  hiredis terminates its strings
    long long value = strtoll (reply->str, &end, 10);
    return end == reply->str + reply->len ? (int64_t)value : fallback;
}

weft_bin_t
weft_reply_bytes (const weft_reply_t *self)
{
    const redisReply *reply = reply_of (self);
    weft_bin_t bytes = { NULL, 0 };
    if (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS)
        return bytes;
    bytes.p = (const uint8_t *)reply->str;
    bytes.n = (uint32_t)reply->len;
    return bytes;
}

size_t
weft_reply_count (const weft_reply_t *self)
{
    const redisReply *reply = reply_of (self);
    return reply->type == REDIS_REPLY_ARRAY ? reply->elements : 0;
}

const weft_reply_t *
weft_reply_at (const weft_reply_t *self, size_t index)
{
    if (index >= weft_reply_count (self))
        return NULL;
    return (const weft_reply_t *)reply_of (self)->element[index];
}
