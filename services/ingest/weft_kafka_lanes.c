//  weft_kafka_lanes.c - live before backlog.
//
//  A partition that is far behind is read in two lanes: the group's consumer
//  begins at its end, and a second one, of no group, reads what lies between the
//  committed offset and there. Each lane has a mark of its own, and only the
//  backlog's is committed until all of it is settled: whoever takes over, or
//  starts again, begins there, and the ledger knows what the live lane has done
//  by then. So nothing is lost and nothing is told twice, wherever it is cut.

#include "weft_kafka_parts.h"

#include "weft_log.h"
#include "weft_time.h"

#define CREDIT_MOST 2.0
//  A new alert goes behind what is in flight, so the backlog fills no more than
//  this much of the mesh: what it settles in half a second.
#define FLIGHT_S 0.5
#define FLIGHT_LEAST 256
#define RATE_MS 500   //  the rate is that of so long, at least
#define CLOSE_MS 500  //  most that its consumer may take to close
#define LOOKS 16      //  messages between counts of what is in flight
#define RECENT 20     //  a part of backlog_from that counts as new: 1 / this

weft_watermark_t *
weft_kafka_ring (const weft_part_t *part, int64_t offset)
{
    return part->behind && offset >= part->split ? part->live : part->mark;
}

static int
open_back (weft_kafka_t *self)
{
    static const uint64_t one = 1;
    char text[256] = "";
    if (self->back)
        return 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_dup (self->back_conf);
    self->back = rd_kafka_new (RD_KAFKA_CONSUMER, conf, text, sizeof (text));
    if (!self->back) {
        rd_kafka_conf_destroy (conf);
        weft_log (WEFT_ERROR, "KAFKA-NO-BACKLOG",
                  "no second consumer, so all is read in the order of its "
                  "offsets: %s",
                  text);
        return WEFT_ENOMEM;
    }
    (void)rd_kafka_poll_set_consumer (self->back);
    (void)rd_kafka_set_log_queue (self->back, NULL);
    self->back_data = rd_kafka_queue_get_consumer (self->back);
    rd_kafka_queue_io_event_enable (self->back_data, self->fd, &one,
                                    sizeof (one));
    return 0;
}

int64_t
weft_kafka_lanes_start (weft_kafka_t *self,
                        weft_part_t *part,
                        int64_t start,
                        int64_t high)
{
    part->behind = false;
    if (!self->backlog_from || high - start < self->backlog_from ||
        open_back (self))
        return start;
    if (!part->live)
        part->live = weft_watermark_new (WEFT_KAFKA_BEHIND_MOST);
    if (!part->live)
        return start;
    part->behind = true;
    part->back_ended = part->back_paused = false;
    //  What came while nobody read is new too: the last seconds of it.
    part->split = WEFT_MAX (start, high - self->backlog_from / RECENT);
    self->n_behind++;
    weft_log (WEFT_WARN, "KAFKA-BACKLOG",
              "%s/%d: %lld messages behind: new ones are read from offset "
              "%lld on, and the backlog beside them",
              part->topic, part->partition, (long long)(high - start),
              (long long)part->split);
    return part->split;
}

void
weft_kafka_lanes_assign (weft_kafka_t *self)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new ((int)self->n_behind + 1);
    for (uint32_t i = 0; i < self->n_parts; i++) {
        const weft_part_t *part = self->parts[i];
        if (part->assigned && part->behind)
            rd_kafka_topic_partition_list_add (list, part->topic,
                                               part->partition)
                ->offset = part->start;
    }
    if (self->back) {
        (void)rd_kafka_assign (self->back, list->cnt ? list : NULL);
        //  One whose backlog had ended was paused then.
        (void)rd_kafka_resume_partitions (self->back, list);
    }
    rd_kafka_topic_partition_list_destroy (list);
}

void
weft_kafka_lanes_forget (weft_kafka_t *self)
{
    for (uint32_t i = 0; i < self->n_parts; i++) {
        weft_part_t *part = self->parts[i];
        part->behind = false;
        if (part->live)
            weft_watermark_reset (part->live);
    }
    self->n_behind = 0;
    weft_metric_set (self->backlog, 0);
    if (self->back)
        (void)rd_kafka_assign (self->back, NULL);
}

void
weft_kafka_pause (rd_kafka_t *rk, const weft_part_t *part, bool pause)
{
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new (1);
    rd_kafka_topic_partition_list_add (list, part->topic, part->partition);
    if (pause)
        (void)rd_kafka_pause_partitions (rk, list);
    else
        (void)rd_kafka_resume_partitions (rk, list);
    rd_kafka_topic_partition_list_destroy (list);
}

//  All of the backlog has come.
static void
end_back (weft_kafka_t *self, weft_part_t *part)
{
    if (part->back_ended)
        return;
    part->back_ended = true;
    weft_kafka_pause (self->back, part, true);
}

//  Everything before the split is settled: one lane is left, and its mark is
//  the one that counts.
static void
join (weft_kafka_t *self, weft_part_t *part)
{
    weft_watermark_t *mark = part->mark;
    part->mark = part->live;
    part->live = mark;
    weft_watermark_reset (part->live);
    part->behind = false;
    if (!--self->n_behind)
        (void)rd_kafka_assign (self->back, NULL);
    weft_log (WEFT_INFO, "KAFKA-BACKLOG-DONE",
              "%s/%d: all before offset %lld is settled", part->topic,
              part->partition, (long long)part->split);
}

//  Not while it is given up: what was missed would lie below the new mark.
static bool
may_join (const weft_kafka_t *self, const weft_part_t *part)
{
    return part->back_ended && !weft_watermark_open (part->mark) &&
           !part->missed && !self->revoking;
}

//  How fast the mesh is, and what that lets the backlog have in flight.
static void
measure (weft_kafka_t *self)
{
    int64_t now_ms = weft_time_ms (), ms = now_ms - self->rate_ms;
    if (ms < RATE_MS)
        return;
    double rate = (double)(self->ended - self->then) * 1000 / (double)ms;
    self->rate = self->rate_ms ? (self->rate + rate) / 2 : 0;
    self->rate_ms = now_ms;
    self->then = self->ended;
    self->back_most = (size_t)WEFT_MAX (FLIGHT_LEAST, self->rate * FLIGHT_S);
}

//  Without a backlog nobody reads its consumer's queue, where errors, lines of
//  its log and requests for tokens come in all the same.
static void
serve_idle (weft_kafka_t *self)
{
    rd_kafka_message_t *m;
    while (self->back_data && !self->n_behind &&
           (m = rd_kafka_consume_queue (self->back_data, 0)))
        rd_kafka_message_destroy (m);
}

void
weft_kafka_lanes_beat (weft_kafka_t *self)
{
    int64_t left = 0;
    measure (self);
    serve_idle (self);
    for (uint32_t i = 0; i < self->n_parts; i++) {
        weft_part_t *part = self->parts[i];
        int64_t low = part->start;
        if (!part->assigned || !part->behind)
            continue;
        (void)weft_watermark_low (part->mark, &low, NULL);
        if (may_join (self, part)) {
            join (self, part);
            continue;
        }
        left += part->split - low;
        if (part->back_paused && !weft_watermark_full (part->mark)) {
            part->back_paused = false;
            weft_kafka_resume (self, part, WEFT_LANE_BACK);
        }
    }
    weft_metric_set (self->backlog, (double)left);
}

static rd_kafka_message_t *
take_live (weft_kafka_t *self)
{
    rd_kafka_message_t *m = rd_kafka_consume_queue (self->data, 0);
    self->from_back = false;
    if (m && self->n_behind)
        self->credit = WEFT_MIN (self->credit + self->backlog_share /
                                                    (1 - self->backlog_share),
                                 CREDIT_MOST);
    return m;
}

static rd_kafka_message_t *
take_back (weft_kafka_t *self)
{
    rd_kafka_message_t *m = rd_kafka_consume_queue (self->back_data, 0);
    self->from_back = true;
    if (m)
        self->credit = WEFT_MAX (self->credit - 1, 0.0);
    return m;
}

//  Of the backlog alone: live messages that settle slowly must not stop it.
static size_t
back_in_flight (const weft_kafka_t *self)
{
    size_t open = 0;
    for (uint32_t i = 0; i < self->n_parts; i++) {
        const weft_part_t *part = self->parts[i];
        if (part->assigned && part->behind)
            open += weft_watermark_open (part->mark) -
                    (part->aside[WEFT_LANE_BACK] != NULL);
    }
    return open;
}

static bool
may_take_back (weft_kafka_t *self)
{
    if (self->held_back || ++self->looks >= LOOKS) {
        self->looks = 0;
        self->held_back = back_in_flight (self) >= self->back_most;
    }
    return !self->held_back;
}

//  Each lane has its share where both have messages, else who has some.
rd_kafka_message_t *
weft_kafka_lanes_take (weft_kafka_t *self)
{
    if (!self->n_behind)
        return take_live (self);
    bool back = may_take_back (self), back_first = back && self->credit >= 1;
    rd_kafka_message_t *m = back_first ? take_back (self) : take_live (self);
    if (!m && back)
        m = back_first ? take_live (self) : take_back (self);
    return m;
}

bool
weft_kafka_lanes_want (const weft_kafka_t *self,
                       const weft_part_t *part,
                       const rd_kafka_message_t *m)
{
    if (m->err || !part->assigned)
        return false;
    if (!self->from_back)
        return m->offset >= (part->behind ? part->split : part->start);
    return part->behind && m->offset >= part->start && m->offset < part->split;
}

void
weft_kafka_lanes_past (weft_kafka_t *self,
                       weft_part_t *part,
                       const rd_kafka_message_t *m)
{
    //  With a message of it missed, its end says nothing: it begins anew.
    if (!self->from_back || !part->assigned || !part->behind || part->missed)
        return;
    //  An end below the split is that of a broker that lags.
    int64_t next = m->err ? m->offset : m->offset + 1;
    if ((!m->err || m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) &&
        next >= part->split)
        end_back (self, part);
}

void
weft_kafka_lanes_close (weft_kafka_t *self)
{
    if (self->back_data)
        rd_kafka_queue_destroy (self->back_data);
    self->back_data = NULL;
    if (self->back)
        weft_kafka_close_until (self->back, weft_time_ms () + CLOSE_MS);
    if (self->back_conf)
        rd_kafka_conf_destroy (self->back_conf);
    self->back_conf = NULL;
}
