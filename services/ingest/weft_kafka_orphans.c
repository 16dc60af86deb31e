//  weft_kafka_orphans.c - partitions that nobody in the group reads.
//
//  A member with a static name that comes back within its session gets its old
//  partitions: the broker asks nobody to share them out anew, so a topic that
//  came meanwhile, or was added to the list, would wait for the next rebalance.
//  So the group is counted at the start and every discover_s, by a thread, as
//  librdkafka has no way to ask without waiting. What nobody has in two counts
//  in a row is a reason to join anew, which makes the broker share out if we
//  lead the group; whoever leads it does the same. Rarely, and never without
//  that reason: each time all of the group stands still for a moment.

#include "weft_kafka_parts.h"

#include "weft_kafka_census.h"
#include "weft_log.h"
#include "weft_time.h"

#define ASK_MS 1000                //  each question
#define JOIN_MS 60000              //  between two times
#define JOIN_MOST_MS (16 * 60000)  //  if it changes nothing

struct weft_kafka_look {
    pthread_t thread;
    rd_kafka_t *rk;
    const char *group;
    weft_census_t *census;  //  NULL: not known
    bool unasked;           //  nobody answered; else the group is not at rest
    char why[160];
    atomic_bool cancelled, done;
};

static int
count_members (weft_census_t *census, const struct rd_kafka_group_info *group)
{
    int rc = 0;
    for (int i = 0; !rc && i < group->member_cnt; i++) {
        const struct rd_kafka_group_member_info *member = &group->members[i];
        int reads = WEFT_MAX (member->member_metadata_size, 0);
        int has = WEFT_MAX (member->member_assignment_size, 0);
        rc = weft_census_subscription (census, member->member_metadata,
                                       (size_t)reads);
        if (!rc)
            rc = weft_census_assignment (census, member->member_assignment,
                                         (size_t)has);
    }
    return rc;
}

static void
not_known (weft_kafka_look_t *self, bool unasked, const char *why)
{
    weft_census_destroy (&self->census);
    self->unasked = unasked;
    snprintf (self->why, sizeof (self->why), "%s", why);
}

static void
ask_group (weft_kafka_look_t *self)
{
    const struct rd_kafka_group_list *list = NULL;
    rd_kafka_resp_err_t err =
        rd_kafka_list_groups (self->rk, self->group, &list, ASK_MS);
    //  Of several brokers some may not answer: the group's own has to.
    const struct rd_kafka_group_info *group =
        list && list->group_cnt == 1 ? &list->groups[0] : NULL;
    if (group && group->err)
        err = group->err;
    if (!group || group->err)
        not_known (self, true,
                   err ? rd_kafka_err2str (err) : "no broker knows the group");
    else if (strcmp (group->state, "Stable") ||
             strcmp (group->protocol_type, "consumer"))
        not_known (self, false, group->state);
    else {
        int rc = count_members (self->census, group);
        if (rc)
            not_known (self, true, weft_error_text (rc));
    }
    if (list)
        rd_kafka_group_list_destroy (list);
}

//  All topics, as patterns have the library ask, too: those of others' lists
//  are not known here.
static void
ask_topics (weft_kafka_look_t *self)
{
    const struct rd_kafka_metadata *all;
    rd_kafka_resp_err_t err =
        rd_kafka_metadata (self->rk, 1, NULL, &all, ASK_MS);
    if (err) {
        not_known (self, true, rd_kafka_err2str (err));
        return;
    }
    for (int i = 0; i < all->topic_cnt; i++)
        if (!all->topics[i].err)
            weft_census_topic (self->census, all->topics[i].topic,
                               all->topics[i].partition_cnt);
    rd_kafka_metadata_destroy (all);
}

static void *
look (void *arg)
{
    weft_kafka_look_t *self = arg;
    ask_group (self);
    if (self->census && !atomic_load (&self->cancelled))
        ask_topics (self);
    atomic_store (&self->done, true);
    return NULL;
}

//  Returns new: a look under way; borrows the consumer until it is destroyed.
static weft_kafka_look_t *
look_new (const weft_kafka_t *kafka)
{
    weft_kafka_look_t *self = calloc (1, sizeof (*self));
    if (!self)
        return NULL;
    self->rk = kafka->rk;
    self->group = kafka->group;
    self->census = weft_census_new ();
    if (self->census && !pthread_create (&self->thread, NULL, look, self))
        return self;
    weft_census_destroy (&self->census);
    free (self);
    return NULL;
}

static void
look_destroy (weft_kafka_look_t **self_p)
{
    weft_kafka_look_t *self = *self_p;
    if (!self)
        return;
    pthread_join (self->thread, NULL);
    weft_census_destroy (&self->census);
    free (self);
    *self_p = NULL;
}

//  Gives up what it has and joins as the member that it is; the callback does
//  the rest, as in any rebalance.
static void
join_anew (weft_kafka_t *self)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    rd_kafka_resp_err_t err = rd_kafka_subscription (self->rk, &list);
    if (!err)
        err = rd_kafka_subscribe (self->rk, list);
    if (list)
        rd_kafka_topic_partition_list_destroy (list);
    if (err)
        weft_log (WEFT_WARN, "KAFKA-REBALANCE-FAILED", "%s",
                  rd_kafka_err2str (err));
}

static void
all_is_read (weft_kafka_t *self)
{
    weft_kafka_orphans_t *orphans = &self->orphans;
    if (orphans->n)
        weft_log (WEFT_INFO, "KAFKA-ALL-READ",
                  "each partition of the group's topics has a reader again");
    orphans->n = 0;
    orphans->wait_ms = JOIN_MS;
    weft_metric_set (orphans->unread, 0);
}

//  So many that nobody has, `topic`/`partition` among them.
static void
nobody_reads (weft_kafka_t *self,
              uint32_t n,
              const char *topic,
              int32_t partition,
              int64_t now_ms)
{
    weft_kafka_orphans_t *orphans = &self->orphans;
    orphans->n = n;
    char more[64] = " is";
    if (n > 1)
        snprintf (more, sizeof (more), " and %u more are", n - 1);
    snprintf (orphans->text, sizeof (orphans->text),
              "%s/%d%s read by nobody in group '%s'", topic, partition, more,
              self->group);
    weft_metric_set (orphans->unread, n);
    if (now_ms < orphans->join_at)
        return;
    weft_log (WEFT_WARN, "KAFKA-NOBODY-READS",
              "%s: a topic came, or was added to options.topics, while a "
              "member was away for less than its session; the group is joined "
              "anew, so that it is shared out",
              orphans->text);
    orphans->join_at = now_ms + orphans->wait_ms;
    orphans->wait_ms = WEFT_MIN (2 * orphans->wait_ms, JOIN_MOST_MS);
    join_anew (self);
}

//  At rest with what the group has given it: a rebalance shares out anyway.
static bool
may_look (const weft_kafka_t *self)
{
    return self->given && !self->revoking && self->search_at == INT64_MAX;
}

//  Brokers that do not answer, or not us, are left alone.
static void
say_unasked (weft_kafka_t *self, const weft_kafka_look_t *done)
{
    if (done->unasked && !self->orphans.said)
        weft_log (WEFT_DEBUG, "KAFKA-NOT-COUNTED",
                  "which partitions the group's members have cannot be seen: "
                  "%s",
                  done->why);
    self->orphans.said |= done->unasked;
}

static void
compare (weft_kafka_t *self, const weft_census_t *now, int64_t now_ms)
{
    const weft_census_t *before = self->orphans.before;
    const char *topic = "";
    int32_t partition = 0;
    if (!weft_census_unread (now, NULL, &topic, &partition)) {
        all_is_read (self);
        return;
    }
    uint32_t n =
        before ? weft_census_unread (now, before, &topic, &partition) : 0;
    if (n)
        nobody_reads (self, n, topic, partition, now_ms);
}

static void
end_look (weft_kafka_t *self, int64_t now_ms)
{
    weft_kafka_look_t *done = self->orphans.look;
    if (done->census && may_look (self))
        compare (self, done->census, now_ms);
    else
        say_unasked (self, done);
    weft_census_destroy (&self->orphans.before);
    if (may_look (self)) {
        self->orphans.before = done->census;
        done->census = NULL;
    }
    look_destroy (&self->orphans.look);
}

void
weft_kafka_orphans_open (weft_kafka_t *self, int64_t discover_s)
{
    self->orphans.discover_ms = discover_s * 1000;
    self->orphans.wait_ms = JOIN_MS;
    self->orphans.unread = weft_gauge ("weft_kafka_unread", "");
}

void
weft_kafka_orphans_beat (weft_kafka_t *self, int64_t now_ms)
{
    weft_kafka_orphans_t *orphans = &self->orphans;
    if (orphans->look) {
        if (atomic_load (&orphans->look->done))
            end_look (self, now_ms);
        return;
    }
    if (!may_look (self)) {
        weft_census_destroy (&orphans->before);
        return;
    }
    if (now_ms < orphans->look_at)
        return;
    orphans->look_at = now_ms + orphans->discover_ms;
    orphans->look = look_new (self);
}

void
weft_kafka_orphans_close (weft_kafka_t *self)
{
    if (self->orphans.look)
        atomic_store (&self->orphans.look->cancelled, true);
    look_destroy (&self->orphans.look);
    weft_census_destroy (&self->orphans.before);
}

void
weft_kafka_unread (const weft_kafka_t *self, char *why, size_t room)
{
    if (self->orphans.n)
        snprintf (why, room, "%s; see KAFKA-NOBODY-READS", self->orphans.text);
}
