//  weft_cluster_kept.c - would the cluster still know what it acknowledged, if
//  any one master died now?
//
//  Redis copies to replicas after it has answered. So a small write goes to each
//  master, behind all that this connection and others have written there, and
//  WAIT says whether a replica has it. A master whom nobody could follow has
//  nobody to wait for, and WAIT would block for all its time; it is asked for its
//  ROLE, which names whoever has come to follow since the map was read.

#include "weft_cluster_parts.h"

#include "weft_time.h"

enum {
    KEY_MOST = 48,
    //  Of a master with a single slot, e^-32 of them find no key.
    KEY_TRIES = 32 * WEFT_SLOTS,
};

#define WAIT_TEXT "50"  //  ms that a master waits for its replicas
#define LIFE_TEXT "60"  //  s

static bool
has_slots (const weft_cluster_t *self, int node)
{
    for (int i = 0; i < WEFT_SLOTS; i++)
        if (self->owner[i] == node)
            return true;
    return false;
}

//  A key that this master has: the one of the last time, until that failed.
static bool
find_key (weft_cluster_t *self, int node, char key[KEY_MOST])
{
    unsigned *probe = &self->nodes[node].probe;
    if (!has_slots (self, node))
        return false;
    for (unsigned i = 0; i < KEY_TRIES; i++, (*probe)++) {
        int size = snprintf (key, KEY_MOST, "kept:%u", *probe % KEY_TRIES);
        if (self->owner[weft_slot_of (key, (size_t)size)] == node)
            return true;
    }
    return false;
}

static int
connect_all (weft_cluster_t *self)
{
    for (int i = 0; i < self->n_nodes; i++) {
        weft_node_t *node = &self->nodes[i];
        if (!node->master || !weft_redis_connect (node->redis))
            continue;
        weft_redis_say (self->redis, "%s: %s", node->redis->address,
                        node->redis->why);
        self->stale = true;
        return WEFT_EDOWN;
    }
    return 0;
}

//  WEFT_EDOWN: there is no key to ask by.
static int
send_question (weft_cluster_t *self, int i)
{
    static const char wait[] = "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n"
                               "$2\r\n" WAIT_TEXT "\r\n";
    static const char role[] = "*1\r\n$4\r\nROLE\r\n";
    weft_node_t *node = &self->nodes[i];
    char key[KEY_MOST], text[KEY_MOST + 128];
    if (!node->master)
        return 0;
    if (!find_key (self, i, key)) {
        weft_redis_say (self->redis, "%s: it has no key to be asked by",
                        node->redis->address);
        self->stale = true;
        return WEFT_EDOWN;
    }
    int size = snprintf (text, sizeof text,
                         "*5\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$1\r\n1\r\n"
                         "$2\r\nEX\r\n$2\r\n" LIFE_TEXT "\r\n%s",
                         strlen (key), key, node->followed ? wait : role);
    weft_redis_append (node->redis, text, (size_t)size);
    node->awaited = 2;
    return 0;
}

//  An integer, of a status 0, of a master's ROLE its replicas; else negative.
static int64_t
number_of (const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER)
        return reply->integer;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 &&
        reply->element[2]->type == REDIS_REPLY_ARRAY)
        return (int64_t)reply->element[2]->elements;
    return reply->type == REDIS_REPLY_STATUS ? 0 : -1;
}

//  Of the next reply of a node; negative: none, or an error.
static int64_t
next_number (weft_cluster_t *self, weft_node_t *node)
{
    redisReply *reply = NULL;
    if (weft_redis_next (node->redis, &reply)) {
        weft_cluster_lose (self, node, node->redis->why);
        node->awaited = 0;
        return -1;
    }
    int64_t number = number_of (reply);
    if (reply->type == REDIS_REPLY_ERROR) {
        weft_redis_say (self->redis, "%s: %s", node->redis->address,
                        reply->str);
        self->stale = true;
        node->probe++;  //  its slot may be stuck on its way
    }
    freeReplyObject (reply);
    node->awaited--;
    return number;
}

//  Somebody who follows by its ROLE and not by the map is behind, as far as is
//  known. WEFT_EDOWN if there is no answer.
static int
read_answer (weft_cluster_t *self, weft_node_t *node)
{
    int64_t written = next_number (self, node);
    int64_t n = node->awaited ? next_number (self, node) : -1;
    node->behind = node->followed ? n == 0 : n > 0;
    return written < 0 || n < 0 ? WEFT_EDOWN : 0;
}

//  Whether all masters were asked, and which of them nobody has caught up with.
static int
ask_all (weft_cluster_t *self, bool *behind)
{
    int rc = 0;
    *behind = false;
    for (int i = 0; i < self->n_nodes; i++)
        self->nodes[i].awaited = 0;
    for (int i = 0; i < self->n_nodes; i++)
        if (send_question (self, i))
            rc = WEFT_EDOWN;
    for (int i = 0; i < self->n_nodes; i++)
        if (self->nodes[i].awaited)
            (void)weft_redis_flush (self->nodes[i].redis);
    for (int i = 0; i < self->n_nodes; i++) {
        weft_node_t *node = &self->nodes[i];
        node->behind = false;
        if (!node->awaited)
            continue;
        if (read_answer (self, node))
            rc = WEFT_EDOWN;
        *behind |= node->behind;
    }
    return rc;
}

//  Of the masters that no replica has caught up with: could one take over?
static int
look_at_followers (weft_cluster_t *self)
{
    self->stale = true;
    self->read_ms = 0;
    int rc = weft_cluster_map (self);
    for (int i = 0; rc == 0 && i < self->n_nodes; i++) {
        const weft_node_t *node = &self->nodes[i];
        //  A map that has lost sight of it meanwhile proves nothing: next time
        //  its master says by ROLE whether it is there.
        if (!node->behind || !node->master)
            continue;
        weft_redis_say (self->redis,
                        "%s: its replica has not got what was written",
                        node->redis->address);
        rc = WEFT_EDOWN;
    }
    return rc;
}

static int
look (weft_cluster_t *self)
{
    bool behind = false;
    //  What is to be issued again may be nowhere.
    if (self->redis->reissue || weft_redis_paused (self->redis))
        return WEFT_EDOWN;
    //  One that stood alone may be followed by now: its replica may yet be
    //  fetching what it lacks, so that only the map knows of it.
    for (int i = 0; i < self->n_nodes; i++)
        if (self->nodes[i].master && !self->nodes[i].followed) {
            self->stale = true;
            self->read_ms = 0;
        }
    int rc = weft_cluster_map (self);
    //  One that could not be renewed says nothing.
    if (rc == 0 && self->stale)
        return WEFT_EDOWN;
    if (rc == 0)
        rc = connect_all (self);
    if (rc == 0)
        rc = ask_all (self, &behind);
    if (rc == 0 && behind)
        rc = look_at_followers (self);
    return rc == 0 && self->redis->reissue ? WEFT_EDOWN : rc;
}

int
weft_cluster_kept (weft_cluster_t *self)
{
    int64_t now = weft_time_ms ();
    int rc = look (self);
    if (self->lost)
        rc = WEFT_EAGAIN;
    //  What is lost is done again: it counts no more.
    if (rc == 0 || self->lost)
        self->kept_ms = now;
    self->lost = false;
    return rc;
}
