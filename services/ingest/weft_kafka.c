//  weft_kafka.c - a consumer's life, and its messages one by one.

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "weft_kafka_parts.h"

#include "weft_hash.h"
#include "weft_log.h"
#include "weft_time.h"

#define EVENTS_MS 100    //  events are served that often while messages come
#define NAMES_MOST 4096  //  items of one message that have names of their own

//  One event of the group, if any; its callbacks run in here.
static void
serve_events (weft_kafka_t *self, int64_t now_ms)
{
    self->served_ms = now_ms;
    while (!self->stash && !self->fatal) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll (self->rk, 0);
        if (!m)
            return;
        if (m->err) {
            weft_kafka_bad_message (self, m);
            rd_kafka_message_destroy (m);
        } else {
            self->stash = m;
        }
    }
}

//  Empties the eventfd: true if something was written since it last was.
static bool
was_woken (weft_kafka_t *self)
{
    uint64_t n;
    return read (self->fd, &n, sizeof (n)) == sizeof (n);
}

//  The next message as it comes; NULL if there is none now.
static rd_kafka_message_t *
take_message (weft_kafka_t *self)
{
    int64_t now_ms = weft_time_ms ();
    if (now_ms >= self->served_ms + EVENTS_MS)
        serve_events (self, now_ms);
    for (;;) {
        if (self->revoking)
            return NULL;
        rd_kafka_message_t *m = self->stash;
        self->stash = NULL;
        self->from_back = false;
        if (!m)
            m = weft_kafka_lanes_take (self);
        if (m)
            return m;
        //  Its queues write the descriptor when they are no longer empty, so
        //  it is emptied before the last look.
        if (!was_woken (self))
            return NULL;
        serve_events (self, now_ms);
    }
}

//  Its ring is full: one message holds up all that were read behind it.
static void
pause_part (weft_kafka_t *self, weft_part_t *part)
{
    weft_kafka_pause (self->from_back ? self->back : self->rk, part, true);
    if (self->from_back)
        part->back_paused = true;
    else
        part->paused = true;
    weft_log (WEFT_WARN, "KAFKA-PARTITION-WAITS",
              "%s/%d: %d messages wait for one that is not settled",
              part->topic, part->partition, WEFT_KAFKA_BEHIND_MOST);
}

//  Is this message ours, and new? It is open then.
static bool
admit (weft_kafka_t *self, const rd_kafka_message_t *m)
{
    weft_part_t *part =
        m->rkt
            ? weft_kafka_part (self, rd_kafka_topic_name (m->rkt), m->partition)
            : NULL;
    bool ours = part && weft_kafka_lanes_want (self, part, m);
    if (m->err)
        return false;
    int rc = ours ? weft_watermark_begin (weft_kafka_ring (part, m->offset),
                                          m->offset, NULL)
                  : WEFT_ENOENT;
    if (rc == WEFT_EAGAIN)
        //  Came although it is paused: read again when there is room.
        weft_kafka_find_anew (self);
    //  The backlog's lane may see the beginning of the live one.
    if (rc && !self->from_back)
        weft_metric_add (self->strays, 1);
    if (rc)
        return false;
    if (weft_watermark_full (weft_kafka_ring (part, m->offset)))
        pause_part (self, part);
    weft_metric_add (self->from_back ? self->read_back : self->read_live, 1);
    self->open = part;
    return true;
}

static uint32_t
number_of (const weft_kafka_t *self, const weft_part_t *part)
{
    for (uint32_t i = 0; i < self->n_parts; i++)
        if (self->parts[i] == part)
            return i + 1;
    return 0;
}

static void
fill (weft_kafka_t *self, weft_message_t *message)
{
    const rd_kafka_message_t *m = self->current;
    const weft_part_t *part = self->open;
    rd_kafka_timestamp_type_t type;
    int64_t stamp_ms = rd_kafka_message_timestamp (m, &type);
    snprintf (self->path, sizeof (self->path), "%s/%d/%lld", part->topic,
              part->partition, (long long)m->offset);
    *message = (weft_message_t){
        .place = { .offset = m->offset },
        .path = self->path,
        .data = m->payload ? m->payload : (const uint8_t *)"",
        .size = m->payload ? m->len : 0,
        .at = { .part = number_of (self, part),
                .epoch = part->epoch,
                .offset = m->offset },
        .partition = part->partition,
    };
    if (type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE)
        message->t_kafka =
            weft_time_tai_of_utc ((double)stamp_ms / 86400e3 + WEFT_MJD_UNIX);
}

static int
kafka_next (weft_input_t *input, weft_message_t *message)
{
    weft_kafka_t *self = (weft_kafka_t *)(void *)input;
    while (!self->fatal) {
        rd_kafka_message_t *m = take_message (self);
        if (!m)
            return WEFT_EAGAIN;
        if (admit (self, m)) {
            self->current = m;
            fill (self, message);
            return 1;
        }
        if (m->err && m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
            weft_kafka_bad_message (self, m);
        rd_kafka_message_destroy (m);
    }
    return WEFT_EAGAIN;
}

//  The message has been read whole: its hold goes.
static void
kafka_advance (weft_input_t *input, uint64_t items)
{
    weft_kafka_t *self = (weft_kafka_t *)(void *)input;
    (void)items;
    if (!self->current)
        return;
    //  In another epoch it is not there.
    weft_watermark_end (weft_kafka_ring (self->open, self->current->offset),
                        self->current->offset);
    rd_kafka_message_destroy (self->current);
    self->current = NULL;
}

static int
kafka_seek (weft_input_t *input, const weft_place_t *place)
{
    (void)input;
    (void)place;
    return WEFT_ENOENT;  //  the group knows where it is
}

static uint64_t
kafka_identity (const weft_input_t *input)
{
    const weft_kafka_t *self = (const weft_kafka_t *)(const void *)input;
    return weft_hash (self->group, strlen (self->group)) ^
           weft_hash (self->member, strlen (self->member));
}

//  "topic#item", made once.
static const char *
name_of_item (weft_part_t *part, uint64_t item)
{
    if (item > NAMES_MOST)
        return NULL;
    if (item > part->n_names) {
        char **moved = realloc (part->names, item * sizeof (*moved));
        if (!moved)
            return NULL;
        memset (moved + part->n_names, 0,
                (item - part->n_names) * sizeof (*moved));
        part->names = moved;
        part->n_names = item;
    }
    char **name = &part->names[item - 1];
    if (!*name) {
        size_t room = strlen (part->topic) + 24;
        *name = malloc (room);
        if (*name)
            snprintf (*name, room, "%s#%llu", part->topic,
                      (unsigned long long)item);
    }
    return *name;
}

static const char *
kafka_topic (weft_input_t *input, uint32_t number, uint64_t item)
{
    weft_kafka_t *self = (weft_kafka_t *)(void *)input;
    if (!number || number > self->n_parts)
        return NULL;
    weft_part_t *part = self->parts[number - 1];
    return item ? name_of_item (part, item) : part->topic;
}

static void
kafka_input_destroy (weft_input_t **self_p)
{
    *self_p = NULL;  //  weft_kafka_destroy does it
}

//  The partition that a position belongs to, if it still does.
static weft_part_t *
part_of (const weft_kafka_t *self, const weft_position_t *at)
{
    if (!at->part || at->part > self->n_parts)
        return NULL;
    weft_part_t *part = self->parts[at->part - 1];
    return part->epoch == at->epoch ? part : NULL;
}

void
weft_kafka_take (weft_kafka_t *self, const weft_position_t *at)
{
    weft_part_t *part = part_of (self, at);
    if (part)
        weft_watermark_take (weft_kafka_ring (part, at->offset), at->offset);
}

void
weft_kafka_end (weft_kafka_t *self, const weft_position_t *at)
{
    weft_part_t *part = part_of (self, at);
    if (part)
        weft_watermark_end (weft_kafka_ring (part, at->offset), at->offset);
}

int
weft_kafka_beat (weft_kafka_t *self, int64_t now_ms)
{
    serve_events (self, now_ms);
    weft_kafka_group_beat (self, now_ms);
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
    self->input = (weft_input_t){ .next = kafka_next,
                                  .advance = kafka_advance,
                                  .seek = kafka_seek,
                                  .identity = kafka_identity,
                                  .topic = kafka_topic,
                                  .destroy = kafka_input_destroy };
    self->rebalance_ms = config->rebalance_ms;
    self->backlog_from = config->backlog_from;
    self->backlog_share = config->backlog_share;
    self->from_end = !strcmp (config->start, "latest");
    snprintf (self->group, sizeof (self->group), "%s", config->group);
    snprintf (self->member, sizeof (self->member), "%s", config->member);
    open_metrics (self);
    self->fd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->fd < 0 || open_consumer (self, config, why))
        weft_kafka_destroy (&self);
    return self;
}

void
weft_kafka_destroy (weft_kafka_t **self_p)
{
    weft_kafka_t *self = *self_p;
    if (!self)
        return;
    weft_kafka_search_destroy (&self->search);
    if (self->current)
        rd_kafka_message_destroy (self->current);
    self->current = NULL;
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
