//  weft_kafka_probe.c - is a trouble over?
//
//  Librdkafka says what goes wrong, each time it does, and nothing when it is
//  well again; at night's end no message says so either. So, when nothing has
//  gone wrong for longer than it waits between its attempts, the brokers are
//  asked something that they must answer.

#include "weft_kafka_parts.h"

#include "weft_time.h"

#define QUIET_MS 15000  //  a token that is lacking is asked for each 10 s

static bool
has_answered (const weft_kafka_search_t *probe)
{
    for (int i = 0; i < probe->list->cnt; i++)
        if (probe->ends[i].err)
            return false;
    return !probe->err;
}

static void
end_probe (weft_kafka_t *self, int64_t now_ms)
{
    bool well =
        has_answered (self->probe) && self->troubled_ms < self->probed_ms;
    weft_kafka_search_destroy (&self->probe);
    self->probed_ms = now_ms;
    if (well && !self->trouble_stays)
        weft_kafka_well (self);
}

//  Of partitions that it has: before that, the search for where they begin tells.
static bool
may_ask (const weft_kafka_t *self)
{
    return *self->trouble && !self->trouble_stays && !self->revoking &&
           self->given && self->search_at == INT64_MAX;
}

void
weft_kafka_probe (weft_kafka_t *self, int64_t now_ms)
{
    if (self->probe) {
        if (atomic_load (&self->probe->done))
            end_probe (self, now_ms);
        return;
    }
    if (!may_ask (self) || now_ms < self->troubled_ms + QUIET_MS ||
        now_ms < self->probed_ms + QUIET_MS)
        return;
    self->probed_ms = now_ms;
    self->probe = weft_kafka_search_new (self->rk, self->fd, self->given);
}
