//  weft_kafka.c - a consumer's life.

#include <sys/eventfd.h>
#include <unistd.h>

#include "weft_kafka_parts.h"

#include "weft_time.h"

int
weft_kafka_beat (weft_kafka_t *self, int64_t now_ms)
{
    weft_kafka_serve (self, now_ms);
    weft_kafka_group_beat (self, now_ms);
    weft_kafka_probe (self, now_ms);
    weft_kafka_orphans_beat (self, now_ms);
    return self->fatal ? WEFT_ECONFIG : 0;
}

bool
weft_kafka_rebalancing (const weft_kafka_t *self)
{
    return self->revoking;
}

bool
weft_kafka_ready (const weft_kafka_t *self, char *why, size_t room)
{
    if (*self->trouble)
        snprintf (why, room, "Kafka: %s", self->trouble);
    else if (!self->given)
        snprintf (why, room, "Kafka: group '%s' has given no partition of %s",
                  self->group, self->topics);
    else if (self->search_at != INT64_MAX)
        snprintf (why, room, "Kafka: looks up where partitions begin");
    else
        return true;
    return false;
}

bool
weft_kafka_holds_back (const weft_kafka_t *self)
{
    return self->n_behind && self->held_back;
}

int
weft_kafka_fd (const weft_kafka_t *self)
{
    return self->fd;
}

weft_input_t *
weft_kafka_input (weft_kafka_t *self)
{
    return &self->input;
}

static int
subscribe (weft_kafka_t *self,
           const weft_texts_t *topics,
           char why[WEFT_INPUT_WHY])
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new ((int)topics->n);
    size_t at = 0;
    for (uint32_t i = 0; i < topics->n; i++) {
        rd_kafka_topic_partition_list_add (list, topics->items[i],
                                           RD_KAFKA_PARTITION_UA);
        at += (size_t)snprintf (self->topics + at, sizeof (self->topics) - at,
                                "%s%s", i ? ", " : "", topics->items[i]);
        at = WEFT_MIN (at, sizeof (self->topics) - 1);
    }
    rd_kafka_resp_err_t err = rd_kafka_subscribe (self->rk, list);
    rd_kafka_topic_partition_list_destroy (list);
    if (err)
        snprintf (why, WEFT_INPUT_WHY, "options.topics: %s: %s", self->topics,
                  rd_kafka_err2str (err));
    return err ? WEFT_ECONFIG : 0;
}

//  Both queues wake the loop through one descriptor.
static int
open_queues (weft_kafka_t *self)
{
    static const uint64_t one = 1;
    (void)rd_kafka_poll_set_consumer (self->rk);
    (void)rd_kafka_set_log_queue (self->rk, NULL);
    self->events = rd_kafka_queue_get_consumer (self->rk);
    self->data = rd_kafka_queue_new (self->rk);
    if (!self->events || !self->data)
        return WEFT_ENOMEM;
    rd_kafka_queue_io_event_enable (self->events, self->fd, &one, sizeof (one));
    rd_kafka_queue_io_event_enable (self->data, self->fd, &one, sizeof (one));
    return 0;
}

static int
check (const weft_kafka_config_t *config, char why[WEFT_INPUT_WHY])
{
    const char *problem = NULL;
    if (!config->topics.n)
        problem = "options.topics is empty, expected topics or ^patterns";
    else if (!*config->group)
        problem = "options.group is empty, expected a group's name";
    else if (strcmp (config->start, "earliest") &&
             strcmp (config->start, "latest"))
        problem = "options.start: expected earliest or latest";
    if (problem)
        snprintf (why, WEFT_INPUT_WHY, "%s", problem);
    return problem ? WEFT_ECONFIG : 0;
}

static void
open_metrics (weft_kafka_t *self)
{
    self->rebalances = weft_counter ("weft_kafka_rebalances_total", "");
    self->gaps = weft_counter ("weft_kafka_gap_total", "");
    self->strays = weft_counter ("weft_kafka_stray_total", "");
    self->backlog = weft_gauge ("weft_kafka_backlog", "");
    self->read_live = weft_counter ("weft_kafka_read_total", "lane=\"live\"");
    self->read_back =
        weft_counter ("weft_kafka_read_total", "lane=\"backlog\"");
}

static int
open_consumer (weft_kafka_t *self,
               const weft_kafka_config_t *config,
               char why[WEFT_INPUT_WHY])
{
    char text[256];
    rd_kafka_conf_t *conf = weft_kafka_configure (self, config, why);
    if (!conf)
        return WEFT_ECONFIG;
    self->back_conf = rd_kafka_conf_dup (conf);
    (void)rd_kafka_conf_set (self->back_conf, "enable.auto.commit", "false",
                             text, sizeof (text));
    (void)rd_kafka_conf_set (self->back_conf, "enable.partition.eof", "true",
                             text, sizeof (text));
    self->rk = rd_kafka_new (RD_KAFKA_CONSUMER, conf, text, sizeof (text));
    if (!self->rk) {
        rd_kafka_conf_destroy (conf);
        snprintf (why, WEFT_INPUT_WHY, "options: %s", text);
        return WEFT_ECONFIG;
    }
    int rc = open_queues (self);
    return rc ? rc : subscribe (self, &config->topics, why);
}

weft_kafka_t *
weft_kafka_new (const weft_kafka_config_t *config, char why[WEFT_INPUT_WHY])
{
    snprintf (why, WEFT_INPUT_WHY, "out of memory");
    if (check (config, why))
        return NULL;
    weft_kafka_t *self = calloc (1, sizeof (*self));
    if (!self)
        return NULL;
    self->input = weft_kafka_input_calls;
    self->kept = config->kept;
    self->kept_arg = config->kept_arg;
    self->rebalance_ms = config->rebalance_ms;
    self->backlog_from = config->backlog_from;
    self->backlog_share = config->backlog_share;
    self->from_end = !strcmp (config->start, "latest");
    snprintf (self->group, sizeof (self->group), "%s", config->group);
    snprintf (self->member, sizeof (self->member), "%s", config->member);
    snprintf (self->token_file, sizeof (self->token_file), "%s",
              config->token_file);
    snprintf (self->user, sizeof (self->user), "%s", config->user);
    open_metrics (self);
    weft_kafka_orphans_open (self, config->discover_s);
    self->fd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->fd < 0 || open_consumer (self, config, why))
        weft_kafka_destroy (&self);
    return self;
}

//  Threads that ask the brokers. All are told first, so that they wait for
//  their questions side by side.
static void
end_threads (weft_kafka_t *self)
{
    if (self->search)
        atomic_store (&self->search->cancelled, true);
    if (self->probe)
        atomic_store (&self->probe->cancelled, true);
    weft_kafka_orphans_close (self);
    weft_kafka_search_destroy (&self->search);
    weft_kafka_search_destroy (&self->probe);
}

void
weft_kafka_destroy (weft_kafka_t **self_p)
{
    weft_kafka_t *self = *self_p;
    if (!self)
        return;
    end_threads (self);
    if (self->current)
        rd_kafka_message_destroy (self->current);
    self->current = NULL;
    free (self->reopened);
    self->reopened = NULL;
    if (self->rk && self->data)
        weft_kafka_leave (self);
    weft_kafka_lanes_close (self);
    if (self->stash)
        rd_kafka_message_destroy (self->stash);
    if (self->data)
        rd_kafka_queue_destroy (self->data);
    if (self->events)
        rd_kafka_queue_destroy (self->events);
    if (self->back)
        weft_kafka_end_library (self->back);
    if (self->rk)
        weft_kafka_end_library (self->rk);
    weft_kafka_group_close (self);
    if (self->fd >= 0)
        close (self->fd);
    free (self);
    *self_p = NULL;
}
