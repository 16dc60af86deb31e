//  weft_cluster.c - the nodes of a cluster and the map of its slots.

#include "weft_cluster_parts.h"

#include "weft_log.h"
#include "weft_time.h"

enum { REREAD_MS = 20 };  //  the map is read at most that often

//  Places of nodes that are no masters any more are used again.
static int
free_place (weft_cluster_t *self)
{
    for (int i = 0; i < self->n_nodes; i++)
        if (!self->nodes[i].redis)
            return i;
    return self->n_nodes < WEFT_NODES_MOST ? self->n_nodes++ : WEFT_NODE_NONE;
}

static void
drop_idle (weft_cluster_t *self)
{
    for (int i = 0; i < self->n_nodes; i++) {
        weft_node_t *node = &self->nodes[i];
        if (!node->seed && !node->master) {
            weft_redis_destroy (&node->redis);
            *node = (weft_node_t){ 0 };
        }
    }
}

static weft_redis_t *
connection_to (const weft_cluster_t *self, const char *host, int port)
{
    const weft_redis_config_t config = {
        .connect_ms = self->redis->connect_ms,
        .command_ms = self->redis->command_ms,
        .backoff_ms = self->redis->backoff_ms,
        .user = self->redis->user,
        .password = self->redis->password,
    };
    char address[WEFT_SLOT_HOST_MOST + 16];
    bool v6 = strchr (host, ':') != NULL;
    snprintf (address, sizeof address, v6 ? "[%s]:%d" : "%s:%d", host, port);
    weft_redis_t *redis = weft_redis_new (address, &config);
    if (redis) {
        redis->tls = self->redis->tls;
        redis->tls_borrowed = true;
    }
    return redis;
}

int
weft_cluster_node (weft_cluster_t *self, const char *host, int port)
{
    for (int i = 0; i < self->n_nodes; i++)
        if (self->nodes[i].port == port &&
            strcmp (self->nodes[i].host, host) == 0)
            return i;
    int place = *host ? free_place (self) : WEFT_NODE_NONE;
    if (place == WEFT_NODE_NONE)
        return WEFT_NODE_NONE;
    weft_node_t *node = &self->nodes[place];
    *node = (weft_node_t){ .port = port };
    snprintf (node->host, sizeof node->host, "%s", host);
    node->redis = connection_to (self, host, port);
    return node->redis ? place : WEFT_NODE_NONE;
}

//  "host:port,host:port"
static int
add_seeds (weft_cluster_t *self, const char *seeds)
{
    char host[WEFT_SLOT_HOST_MOST], text[WEFT_SLOT_HOST_MOST + 16];
    int port = 0;
    while (*seeds) {
        size_t size = strcspn (seeds, ",");
        snprintf (text, sizeof text, "%.*s", (int)size, seeds);
        int rc = weft_slot_place (text, host, &port);
        int at = rc || size >= sizeof text
                     ? WEFT_NODE_NONE
                     : weft_cluster_node (self, host, port);
        if (at == WEFT_NODE_NONE)
            return WEFT_ECONFIG;
        self->nodes[at].seed = true;
        seeds += size;
        seeds += *seeds == ',';
    }
    return self->n_nodes ? 0 : WEFT_ECONFIG;
}

weft_cluster_t *
weft_cluster_new (weft_redis_t *redis, const char *seeds)
{
    weft_cluster_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->redis = redis;
    for (int i = 0; i < WEFT_SLOTS; i++)
        self->owner[i] = WEFT_NODE_NONE;
    if (add_seeds (self, seeds) != 0)
        weft_cluster_destroy (&self);
    return self;
}

void
weft_cluster_destroy (weft_cluster_t **self_p)
{
    weft_cluster_t *self = *self_p;
    if (!self)
        return;
    for (int i = 0; i < self->n_nodes; i++)
        weft_redis_destroy (&self->nodes[i].redis);
    free (self->items);
    free (self);
    *self_p = NULL;
}

weft_redis_counts_t
weft_redis_counts (const weft_redis_t *self)
{
    weft_redis_counts_t none = { 0 };
    return self->cluster ? self->cluster->counts : none;
}

//  One element of CLUSTER SLOTS: first slot, last slot, master, replicas; a
//  node is its host (empty: the one that was asked), its port, and more.
static bool
take_range (weft_cluster_t *self, const char *asked, const redisReply *range)
{
    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3)
        return false;
    const redisReply *first = range->element[0], *last = range->element[1];
    const redisReply *master = range->element[2];
    if (first->type != REDIS_REPLY_INTEGER ||
        last->type != REDIS_REPLY_INTEGER || first->integer < 0 ||
        last->integer >= WEFT_SLOTS || master->type != REDIS_REPLY_ARRAY ||
        master->elements < 2 ||
        master->element[1]->type != REDIS_REPLY_INTEGER ||
        master->element[1]->integer < 1 || master->element[1]->integer > 65535)
        return false;
    const redisReply *name = master->element[0];
    bool named = name->type == REDIS_REPLY_STRING && name->len > 0 &&
                 strcmp (name->str, "?") != 0;
    int node = weft_cluster_node (self, named ? name->str : asked,
                                  (int)master->element[1]->integer);
    if (node == WEFT_NODE_NONE)
        return false;
    self->nodes[node].wanted = true;
    //  Replicas that have failed or have nothing yet are not listed.
    self->nodes[node].followed = range->elements > 3;
    for (int slot = (int)first->integer; slot <= last->integer; slot++)
        self->next[slot] = (int16_t)node;
    return true;
}

//  Has anything been forgotten of which no replica was seen to have it? It is
//  not to be had again from here.
static bool
is_past_help (const weft_cluster_t *self)
{
    const weft_journal_t *journals = self->redis->journals;
    int64_t gone = WEFT_MAX (journals[0].gone, journals[1].gone);
    return gone && gone >= self->kept_ms;
}

//  The map that was read is the map. A master that is none any more may have
//  acknowledged what its replica never got.
static void
take_over (weft_cluster_t *self, int covered)
{
    bool changed = false;
    uint64_t before = self->counts.masters;
    self->counts.masters = 0;
    for (int i = 0; i < self->n_nodes; i++) {
        weft_node_t *node = &self->nodes[i];
        changed |= node->master != node->wanted;
        if (node->master && !node->wanted) {
            self->counts.replaced++;
            self->lost |= is_past_help (self);
            weft_redis_disconnect (node->redis);
            self->redis->reissue = self->redis->journals[0].first ||
                                   self->redis->journals[1].first;
        }
        node->master = node->wanted;
        self->counts.masters += node->master;
    }
    memcpy (self->owner, self->next, sizeof self->owner);
    self->mapped = true;
    self->stale = false;
    if (changed || self->counts.masters != before)
        weft_log (WEFT_INFO, "REDIS-CLUSTER", "%s: %d masters, %d of %d slots",
                  self->redis->address, (int)self->counts.masters, covered,
                  WEFT_SLOTS);
}

static bool
take_map (weft_cluster_t *self, const char *asked, const redisReply *reply)
{
    int covered = 0;
    for (int i = 0; i < self->n_nodes; i++)
        self->nodes[i].wanted = false;
    for (int i = 0; i < WEFT_SLOTS; i++)
        self->next[i] = WEFT_NODE_NONE;
    for (size_t i = 0; i < reply->elements; i++)
        if (!take_range (self, asked, reply->element[i]))
            return false;
    for (int i = 0; i < WEFT_SLOTS; i++)
        covered += self->next[i] != WEFT_NODE_NONE;
    if (covered == 0)
        return false;
    take_over (self, covered);
    return true;
}

static bool
read_map (weft_cluster_t *self, const weft_node_t *node)
{
    weft_redis_t *redis = node->redis;
    char asked[WEFT_SLOT_HOST_MOST];
    if (weft_redis_connect (redis) != 0) {
        weft_redis_say (self->redis, "%s: %s", redis->address, redis->why);
        return false;
    }
    snprintf (asked, sizeof asked, "%s", node->host);
    const char *words[] = { "CLUSTER", "SLOTS" };
    redisReply *reply = weft_redis_call (redis, 2, words);
    bool good = reply && reply->type == REDIS_REPLY_ARRAY &&
                take_map (self, asked, reply);
    if (!good)
        weft_redis_say (self->redis, "%s: %s", redis->address,
                        !reply ? redis->why
                        : reply->type == REDIS_REPLY_ERROR
                            ? reply->str
                            : "knows no map of the slots");
    if (!reply)
        weft_redis_disconnect (redis);
    else
        freeReplyObject (reply);
    return good;
}

//  Who is connected is asked first: others may cost a time-out.
static bool
read_any_map (weft_cluster_t *self)
{
    int n = self->n_nodes;
    self->turn++;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < n; i++) {
            const weft_node_t *node = &self->nodes[(i + self->turn) % n];
            bool connected = node->redis && node->redis->context;
            if (node->redis && connected == (pass == 0) &&
                read_map (self, node))
                return true;
        }
    return false;
}

int
weft_cluster_map (weft_cluster_t *self)
{
    int64_t now = weft_time_ms ();
    if (self->mapped && (!self->stale || now < self->read_ms + REREAD_MS))
        return 0;
    self->read_ms = now;
    self->counts.maps++;
    if (read_any_map (self)) {
        drop_idle (self);
        self->redis->generation++;
    }
    return self->mapped ? 0 : WEFT_EDOWN;
}

//  Has every slot a master, and does each answer?
static int
look_at_all (weft_cluster_t *self)
{
    self->stale = true;
    int rc = weft_cluster_map (self);
    for (int i = 0; rc == 0 && i < WEFT_SLOTS; i++)
        if (self->owner[i] == WEFT_NODE_NONE) {
            weft_redis_say (self->redis, "slot %d has no master", i);
            rc = WEFT_EDOWN;
        }
    for (int i = 0; rc == 0 && i < self->n_nodes; i++) {
        const weft_node_t *node = &self->nodes[i];
        rc = node->master ? weft_redis_ping (node->redis) : 0;
        if (rc)
            weft_redis_say (self->redis, "%s: %s", node->redis->address,
                            node->redis->why);
    }
    return rc;
}

int
weft_cluster_ping (weft_cluster_t *self)
{
    if (weft_redis_paused (self->redis))
        return WEFT_EDOWN;
    int rc = look_at_all (self);
    if (rc)
        return weft_redis_unserved (self->redis);
    weft_redis_served (self->redis);
    return 0;
}

int
weft_cluster_check_safe (weft_cluster_t *self,
                         bool ephemeral,
                         char *why,
                         size_t room)
{
    int rc = weft_cluster_map (self);
    if (rc)
        snprintf (why, room, "%s", self->redis->why);
    for (int i = 0; rc == 0 && i < self->n_nodes; i++)
        if (self->nodes[i].master)
            rc = weft_redis_check_safe (self->nodes[i].redis, ephemeral, why,
                                        room);
    return rc;
}
