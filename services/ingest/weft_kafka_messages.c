//  weft_kafka_messages.c - a consumer's messages one by one.

#include <unistd.h>

#include "weft_kafka_parts.h"

#include "weft_hash.h"
#include "weft_log.h"
#include "weft_time.h"

#define EVENTS_MS 100  //  events are served that often while messages come

void
weft_kafka_serve (weft_kafka_t *self, int64_t now_ms)
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
        weft_kafka_serve (self, now_ms);
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
        weft_kafka_serve (self, now_ms);
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

//  Its lane stands still, and the message came all the same: to be read again.
static bool
is_early (const weft_kafka_t *self, weft_part_t *part)
{
    bool early =
        part->stands[self->from_back ? WEFT_LANE_BACK : WEFT_LANE_LIVE];
    part->missed |= early;
    return early;
}

//  Begins a message that is wanted. WEFT_ENOENT: it is none of its lane's,
//  WEFT_EEXIST: begun before, WEFT_EAGAIN: has to be read again.
static int
begin (weft_kafka_t *self, weft_part_t *part, const rd_kafka_message_t *m)
{
    int rc = WEFT_ENOENT;
    if (!m->err && part->assigned &&
        weft_kafka_step_over (self, part, m->offset)) {
        weft_kafka_find_anew (self);
        return WEFT_EAGAIN;
    }
    if (weft_kafka_lanes_want (self, part, m)) {
        if (is_early (self, part))
            return WEFT_EAGAIN;
        rc = weft_watermark_begin (weft_kafka_ring (part, m->offset), m->offset,
                                   NULL);
    }
    if (rc == WEFT_EAGAIN || rc == WEFT_ENOMEM) {
        //  Came although it is paused: read again when there is room.
        weft_kafka_find_anew (self);
        return WEFT_EAGAIN;
    }
    weft_kafka_lanes_past (self, part, m);
    return rc;
}

//  Is this message ours, and new? It is open then.
static bool
admit (weft_kafka_t *self, const rd_kafka_message_t *m)
{
    weft_part_t *part =
        m->rkt
            ? weft_kafka_part (self, rd_kafka_topic_name (m->rkt), m->partition)
            : NULL;
    int rc = part ? begin (self, part, m) : WEFT_ENOENT;
    if (m->err)
        return false;
    //  The backlog's lane may see the beginning of the live one.
    if (rc && rc != WEFT_EAGAIN && !self->from_back)
        weft_metric_add (self->strays, 1);
    if (rc || !part)
        return false;
    if (weft_watermark_full (weft_kafka_ring (part, m->offset)))
        pause_part (self, part);
    weft_metric_add (self->from_back ? self->read_back : self->read_live, 1);
    self->open = part;
    return true;
}

static void
fill_place (weft_kafka_t *self, int64_t offset, weft_message_t *message)
{
    const weft_part_t *part = self->open;
    self->open_epoch = part->epoch;
    snprintf (self->path, sizeof (self->path), "%s/%d/%lld", part->topic,
              part->partition, (long long)offset);
    *message = (weft_message_t){
        .place = { .offset = offset },
        .path = self->path,
        .at = { .part = part->number, .epoch = part->epoch, .offset = offset },
        .partition = part->partition,
    };
}

double
weft_kafka_stamp (const rd_kafka_message_t *m)
{
    rd_kafka_timestamp_type_t type;
    int64_t stamp_ms = rd_kafka_message_timestamp (m, &type);
    if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE)
        return 0;
    return weft_time_tai_of_utc ((double)stamp_ms / 86400e3 + WEFT_MJD_UNIX);
}

static void
fill (weft_kafka_t *self, weft_message_t *message)
{
    const rd_kafka_message_t *m = self->current;
    fill_place (self, m->offset, message);
    message->data = m->payload ? m->payload : (const uint8_t *)"";
    message->size = m->payload ? m->len : 0;
    message->t_kafka = weft_kafka_stamp (m);
    if (message->t_kafka)
        weft_kafka_look_at_stamp (self, m);
}

//  One that was put aside, and is in its mark already.
static void
fill_again (weft_kafka_t *self, weft_message_t *message)
{
    const weft_aside_t *aside = self->reopened;
    self->open = aside->part;
    fill_place (self, aside->held.offset, message);
    message->data = aside->data;
    message->size = aside->held.size;
    message->t_kafka = aside->t_kafka;
}

static int
kafka_next (weft_input_t *input, weft_message_t *message)
{
    weft_kafka_t *self = (weft_kafka_t *)(void *)input;
    self->reopened = weft_kafka_take_aside (self);
    if (self->reopened) {
        fill_again (self, message);
        return 1;
    }
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
    if (self->reopened)
        weft_kafka_read_again (self);
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
    if (item > WEFT_INPUT_ITEMS_MOST)
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
    self->ended++;
    if (part)
        weft_watermark_end (weft_kafka_ring (part, at->offset), at->offset);
}

void
weft_kafka_again (weft_kafka_t *self, const weft_position_t *at)
{
    weft_part_t *part = part_of (self, at);
    if (!part || !part->first)
        return;
    part->first = false;
    weft_log (WEFT_ERROR, "KAFKA-BOOKED-BEFORE",
              "%s/%d at %lld: the ledger has an outcome for this position, but "
              "group '%s' had not read this partition. That is right if "
              "another group had, or its offsets were deleted; if the topic "
              "was made anew, its alerts are taken for those of before and "
              "dropped: give it another name",
              part->topic, part->partition, (long long)at->offset, self->group);
}

const weft_input_t weft_kafka_input_calls = {
    .next = kafka_next,
    .advance = kafka_advance,
    .seek = kafka_seek,
    .identity = kafka_identity,
    .topic = kafka_topic,
    .destroy = kafka_input_destroy,
};
