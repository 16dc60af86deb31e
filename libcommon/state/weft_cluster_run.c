//  weft_cluster_run.c - a batch over the masters of a cluster, in rounds.
//
//  A round sends every command that has no reply yet to whoever should have its
//  key, all masters at once, and then reads all replies. What was redirected
//  goes into the next round.

#include <time.h>

#include "weft_cluster_parts.h"

#include "weft_log.h"
#include "weft_time.h"

enum {
    ROUNDS_MOST = 32,
    WAIT_MOST_MS = 500,  //  for keys on their way, in one run
    STEP_MOST_MS = 32,
    REMAP_MS = 1000,  //  after MOVED, the map is read again that often
};

typedef struct {
    weft_cluster_t *cluster;
    redisReply **replies;
    size_t count;
    bool broke;  //  a connection was lost: all again
    bool down;   //  cannot go on: `why` of the connection says it
    bool wait;   //  keys are on their way
    int worst;   //  of the replies that stay
    uint8_t dirty[WEFT_SLOTS / 8];
} run_t;

static int
plan (run_t *run, const uint8_t *bytes, size_t size)
{
    weft_cluster_t *cluster = run->cluster;
    if (run->count > cluster->room) {
        weft_cluster_item_t *items =
            realloc (cluster->items, run->count * sizeof *items);
        if (!items)
            return WEFT_ENOMEM;
        cluster->items = items;
        cluster->room = run->count;
    }
    for (size_t i = 0; i < run->count; i++) {
        weft_slot_command_t command;
        if (weft_slot_command (bytes, size, &command) != 0)
            return WEFT_EBUG;
        cluster->items[i] = (weft_cluster_item_t){ .bytes = bytes,
                                                   .size = command.size,
                                                   .slot = command.slot,
                                                   .ask = WEFT_NODE_NONE };
        bytes += command.size;
        size -= command.size;
    }
    return 0;
}

void
weft_cluster_lose (weft_cluster_t *self, weft_node_t *node, const char *why)
{
    weft_redis_t *redis = self->redis;
    weft_redis_say (redis, "%s: %s", node->redis->address, why);
    weft_redis_disconnect (node->redis);
    self->stale = true;
    redis->reissue = redis->journals[0].first || redis->journals[1].first;
    redis->generation++;
}

//  Whom to send a command to: who has the slot, or who is to be asked once.
static int
target_of (run_t *run, const weft_cluster_item_t *item)
{
    const weft_cluster_t *cluster = run->cluster;
    if (item->ask != WEFT_NODE_NONE)
        return item->ask;
    if (item->slot != WEFT_SLOT_NONE)
        return cluster->owner[item->slot];
    for (int i = 0; i < cluster->n_nodes; i++)
        if (cluster->nodes[i].master)
            return i;
    return WEFT_NODE_NONE;
}

//  Finds the target of each command, and connects to it.
static void
aim (run_t *run)
{
    weft_cluster_t *cluster = run->cluster;
    for (int i = 0; i < cluster->n_nodes; i++)
        cluster->nodes[i].awaited = 0;
    for (size_t i = 0; i < run->count && !run->down; i++) {
        weft_cluster_item_t *item = &cluster->items[i];
        if (item->done)
            continue;
        item->to = target_of (run, item);
        if (item->to == WEFT_NODE_NONE) {
            weft_redis_say (cluster->redis, "slot %d has no master",
                            item->slot);
            run->down = cluster->stale = true;
            return;
        }
        weft_node_t *node = &cluster->nodes[item->to];
        if (weft_redis_connect (node->redis) != 0) {
            weft_redis_say (cluster->redis, "%s: %s", node->redis->address,
                            node->redis->why);
            run->down = cluster->stale = true;
            return;
        }
        node->awaited++;
    }
}

static void
send_all (run_t *run)
{
    static const char asking[] = "*1\r\n$6\r\nASKING\r\n";
    weft_cluster_t *cluster = run->cluster;
    for (size_t i = 0; i < run->count; i++) {
        const weft_cluster_item_t *item = &cluster->items[i];
        if (item->done)
            continue;
        //  Errors are found when the replies are read.
        weft_redis_t *redis = cluster->nodes[item->to].redis;
        if (item->ask != WEFT_NODE_NONE)
            weft_redis_append (redis, asking, sizeof asking - 1);
        weft_redis_append (redis, item->bytes, item->size);
    }
    for (int i = 0; i < cluster->n_nodes; i++)
        if (cluster->nodes[i].awaited)
            (void)weft_redis_flush (cluster->nodes[i].redis);
}

//  The next reply of a node; NULL if its connection is lost. A node that does
//  not answer in time ends the run: asking again would only double the wait.
static redisReply *
next_reply (run_t *run, weft_node_t *node)
{
    redisReply *reply = NULL;
    if (!node->redis->context)
        return NULL;
    int rc = weft_redis_next (node->redis, &reply);
    if (rc == 0)
        return reply;
    weft_cluster_lose (run->cluster, node, node->redis->why);
    run->broke = true;
    run->down |= rc == WEFT_EDOWN;
    return NULL;
}

static void
follow (run_t *run, weft_cluster_item_t *item, const weft_redirect_t *redirect)
{
    weft_cluster_t *cluster = run->cluster;
    const char *host =
        *redirect->host ? redirect->host : cluster->nodes[item->to].host;
    int node = weft_cluster_node (cluster, host, redirect->port);
    if (redirect->kind == WEFT_REDIRECT_ASK) {
        item->ask = node;
        cluster->counts.asked++;
        return;
    }
    //  A demoted master shows in the map only, and what it acknowledged last
    //  must be issued again.
    if (weft_time_ms () > cluster->read_ms + REMAP_MS)
        cluster->stale = true;
    if (node != WEFT_NODE_NONE && !cluster->nodes[node].master) {
        //  It is written to from now on, so its replicas are asked for, too. A
        //  map that does not name it is as one that names it no more.
        cluster->nodes[node].master = true;
        cluster->stale = true;
    }
    cluster->owner[redirect->slot] = (int16_t)node;
    cluster->counts.moved++;
    run->dirty[redirect->slot / 8] |= (uint8_t)(1u << redirect->slot % 8);
}

//  A script that touches keys which are just being moved away says so in words
//  of its own.
static bool
on_the_way (const char *error)
{
    return strstr (error, "non local key") != NULL;
}

static void
take_error (run_t *run, weft_cluster_item_t *item, redisReply *reply, size_t i)
{
    weft_cluster_t *cluster = run->cluster;
    weft_node_t *node = &cluster->nodes[item->to];
    weft_redirect_t redirect = weft_redirect_read (reply->str);
    item->ask = WEFT_NODE_NONE;
    if (redirect.kind == WEFT_REDIRECT_MOVED ||
        redirect.kind == WEFT_REDIRECT_ASK) {
        follow (run, item, &redirect);
    } else if (redirect.kind == WEFT_REDIRECT_AGAIN ||
               on_the_way (reply->str)) {
        weft_redis_say (cluster->redis, "%s: %s", node->redis->address,
                        reply->str);
        run->wait = true;
    } else {
        int rc = weft_redis_judge (reply);
        node->scriptless |= rc == 0;
        if (rc == WEFT_EDOWN)
            run->down = cluster->stale = true;
        if (rc)
            weft_redis_say (cluster->redis, "%s: %s", node->redis->address,
                            reply->str);
        if (rc == WEFT_EIO) {
            run->replies[i] = reply;
            run->worst = WEFT_EIO;
            item->done = true;
            return;
        }
    }
    freeReplyObject (reply);
}

static void
read_all (run_t *run)
{
    weft_cluster_t *cluster = run->cluster;
    for (size_t i = 0; i < run->count && !(run->broke && run->down); i++) {
        weft_cluster_item_t *item = &cluster->items[i];
        if (item->done)
            continue;
        weft_node_t *node = &cluster->nodes[item->to];
        if (item->ask != WEFT_NODE_NONE) {
            redisReply *asking = next_reply (run, node);
            if (asking)
                freeReplyObject (asking);
        }
        redisReply *reply = next_reply (run, node);
        if (!reply)
            continue;
        node->awaited--;
        if (reply->type == REDIS_REPLY_ERROR) {
            take_error (run, item, reply, i);
            continue;
        }
        run->replies[i] = reply;
        item->done = true;
    }
}

//  Replies that nobody will read must not be taken for those of the next run.
static void
cut_off (run_t *run)
{
    weft_cluster_t *cluster = run->cluster;
    for (int i = 0; i < cluster->n_nodes; i++) {
        weft_node_t *node = &cluster->nodes[i];
        if (!node->redis || !node->redis->context)
            continue;
        if (node->awaited)
            weft_redis_disconnect (node->redis);
        else
            weft_redis_served (node->redis);
    }
}

static void
load_scripts (run_t *run)
{
    weft_cluster_t *cluster = run->cluster;
    const weft_redis_t *redis = cluster->redis;
    for (int n = 0; n < cluster->n_nodes; n++) {
        weft_node_t *node = &cluster->nodes[n];
        int rc = 0;
        for (size_t i = 0; node->scriptless && rc == 0 && i < redis->n_scripts;
             i++)
            if (node->redis->context)
                rc = weft_redis_load (node->redis, redis->scripts[i].body);
        node->scriptless = false;
        if (rc && !node->redis->context)
            weft_cluster_lose (run->cluster, node, node->redis->why);
    }
}

//  All commands of a slot that has moved go again, also those with a reply.
static size_t
count_open (run_t *run)
{
    size_t open = 0;
    for (size_t i = 0; i < run->count; i++) {
        weft_cluster_item_t *item = &run->cluster->items[i];
        bool moved = item->slot != WEFT_SLOT_NONE &&
                     run->dirty[item->slot / 8] & 1u << item->slot % 8;
        if (moved && item->done) {
            freeReplyObject (run->replies[i]);
            run->replies[i] = NULL;
            item->done = false;
        }
        open += !item->done;
    }
    memset (run->dirty, 0, sizeof run->dirty);
    return open;
}

static void
forget_replies (run_t *run)
{
    for (size_t i = 0; i < run->count; i++) {
        if (run->replies[i])
            freeReplyObject (run->replies[i]);
        run->replies[i] = NULL;
    }
}

static void
sleep_ms (int ms)
{
    nanosleep (&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
}

//  Rounds until all is answered. WEFT_EAGAIN: a connection was lost, the batch
//  must be issued again.
static int
attempt (run_t *run, const uint8_t *bytes, size_t size)
{
    int rc = plan (run, bytes, size);
    if (rc)
        return rc;
    int waited = 0, step = 1;
    for (int round = 0; round < ROUNDS_MOST; round++) {
        run->wait = false;
        aim (run);
        if (run->down)
            return WEFT_EDOWN;
        send_all (run);
        read_all (run);
        cut_off (run);
        if (run->down || run->broke)
            return run->down ? WEFT_EDOWN : WEFT_EAGAIN;
        load_scripts (run);
        if (count_open (run) == 0)
            return run->worst;
        if (!run->wait)
            continue;
        if (waited >= WAIT_MOST_MS)
            return WEFT_EDOWN;
        run->cluster->counts.waited++;
        sleep_ms (step);
        waited += step;
        step = WEFT_MIN (2 * step, STEP_MOST_MS);
    }
    run->cluster->stale = true;
    return WEFT_EDOWN;
}

static int
issue (weft_cluster_t *self,
       const uint8_t *bytes,
       size_t size,
       size_t count,
       redisReply **replies)
{
    run_t run = { .cluster = self, .replies = replies, .count = count };
    int rc = attempt (&run, bytes, size);
    if (rc != 0 && rc != WEFT_EIO)
        forget_replies (&run);
    return rc;
}

static int
issue_kept_batch (weft_cluster_t *self, const weft_kept_t *kept)
{
    redisReply **replies = calloc (kept->count, sizeof (redisReply *));
    if (!replies)
        return WEFT_ENOMEM;
    run_t run = { .cluster = self, .replies = replies, .count = kept->count };
    int rc = issue (self, kept->bytes, kept->size, kept->count, replies);
    forget_replies (&run);
    free (replies);
    return rc == WEFT_EIO ? 0 : rc;
}

//  What a master that is gone may have taken with it.
static int
issue_kept (weft_cluster_t *self)
{
    weft_redis_t *redis = self->redis;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < WEFT_COUNT (redis->journals); i++)
        for (weft_kept_t *kept = redis->journals[i].first; rc == 0 && kept;
             kept = kept->next)
            rc = issue_kept_batch (self, kept);
    if (rc)
        return rc;
    for (size_t i = 0; i < WEFT_COUNT (redis->journals); i++)
        weft_journal_renew (&redis->journals[i], weft_time_ms ());
    redis->reissue = false;
    return 0;
}

int
weft_cluster_run (weft_cluster_t *self,
                  const uint8_t *bytes,
                  size_t size,
                  size_t count,
                  redisReply **replies)
{
    int rc = WEFT_EAGAIN;
    //  The first break may be an old connection; the second is an outage.
    for (int breaks = 0; rc == WEFT_EAGAIN && breaks < 2; breaks++) {
        rc = weft_cluster_map (self);
        if (rc == 0 && self->redis->reissue)
            rc = issue_kept (self);
        if (rc == 0)
            rc = issue (self, bytes, size, count, replies);
    }
    return rc == WEFT_EAGAIN ? WEFT_EDOWN : rc;
}
