//  weft_worker_send.c - what goes upstream: HELLO, settlements in runs,
//  verdicts, beats. Every frame tells `done` and the current limit.

#include "weft_worker_parts.h"

#include "weft_hash.h"

void
weft_worker_event (const weft_worker_t *self,
                   weft_link_event_id_t id,
                   const link_t *link,
                   uint64_t value,
                   int code,
                   const char *text)
{
    weft_link_event_t event = { .id = id,
                                .peer = link ? link->number : 0,
                                .stage = self->stage,
                                .value = value,
                                .code = code,
                                .text = text };
    if (self->ops.event)
        self->ops.event (self->arg, &event);
}

int
weft_worker_post (weft_worker_t *self, link_t *link, weft_link_frame_t *frame)
{
    uint8_t header[WEFT_LINK_HEADER_MAX];
    frame->done = link->done;
    frame->limit = (uint32_t)link->limit.alerts;
    frame->limit_version = link->version;
    frame->limit_bytes = link->limit.bytes;
    if (frame->type != WEFT_LINK_HELLO)
        frame->session = link->session;
    int size = weft_link_encode (frame, header, sizeof header);
    assert (size > 0);
    int rc = self->ops.send (self->arg, link->number, header, (size_t)size);
    if (rc)
        return WEFT_EAGAIN;
    link->told = link->version;
    return 0;
}

static void
send_hello (weft_worker_t *self, link_t *link, int64_t now)
{
    link->nonce = weft_hash_u64 (self->config.boot ^ ++self->nonces) | 1;
    link->limit = link->previous = (share_t){ 0, 0 };
    link->version = link->echoed = 1;
    link->done = link->last_seq = 0;
    weft_link_frame_t hello = {
        .type = WEFT_LINK_HELLO,
        .nonce = link->nonce,
        .boot = self->config.boot,
        .hash = self->config.hash,
        .largest = self->config.largest,
        .beat_ms = self->config.beat_ms,
        .stall_ms = self->config.stall_ms,
        .stage = weft_link_text (self->stage),
        .contract_count = self->contract_count,
    };
    for (uint32_t i = 0; i < self->contract_count; i++)
        hello.contracts[i] = weft_link_text (self->contracts[i]);
    if (weft_worker_post (self, link, &hello))
        return;
    link->hash = self->config.hash;
    link->state = WEFT_LINK_GREETING;
    link->heard_at = now;
}

//  Sends runs, as many as a frame takes at a time.
static int
send_runs (weft_worker_t *self,
           link_t *link,
           weft_link_type_t type,
           runs_t *runs)
{
    while (runs->count > 0) {
        uint8_t body[WEFT_LINK_RUNS_MAX * WEFT_LINK_RUN_SIZE];
        uint32_t count = WEFT_MIN (runs->count, WEFT_LINK_RUNS_MAX);
        for (uint32_t i = 0; i < count; i++)
            weft_link_put_run (body + (size_t)i * WEFT_LINK_RUN_SIZE,
                               &runs->runs[i]);
        weft_link_frame_t frame = { .type = type,
                                    .run_count = count,
                                    .runs = body };
        if (weft_worker_post (self, link, &frame))
            return WEFT_EAGAIN;
        for (uint32_t i = 0; i < count; i++)
            runs->alerts -= runs->runs[i].count;
        runs->count -= count;
        memmove (runs->runs, runs->runs + count,
                 runs->count * sizeof *runs->runs);
    }
    return 0;
}

static int
send_verdicts (weft_worker_t *self, link_t *link)
{
    for (held_t *held = self->judged.head, *next; held; held = next) {
        next = held->next;
        if (held->link != link)
            continue;
        weft_link_frame_t frame = {
            .type = WEFT_LINK_REJECT,
            .seq = held->seq,
            .code = held->code,
            .reason = weft_link_text (
                held->reason ? held->reason : weft_error_text (held->code)),
        };
        if (weft_worker_post (self, link, &frame))
            return WEFT_EAGAIN;
        self->stats.rejected++;
        weft_worker_release (self, held);
    }
    return 0;
}

void
weft_worker_send_due (weft_worker_t *self, link_t *link, int64_t now)
{
    if (link->state == WEFT_LINK_IDLE && !self->stats.draining)
        send_hello (self, link, now);
    if (link->state != WEFT_LINK_LIVE)
        return;
    if (send_runs (self, link, WEFT_LINK_SETTLE, &link->settles) ||
        send_runs (self, link, WEFT_LINK_RETRY, &link->retries) ||
        send_verdicts (self, link))
        return;
    weft_link_frame_t beat = { .type = WEFT_LINK_BEAT };
    if (link->told != link->version && weft_worker_post (self, link, &beat))
        return;
}

//  There is always room: what is gathered is unsettled in the upstream's
//  eyes, so there is never more of it than the ceiling.
static void
append (runs_t *runs, uint64_t seq, uint8_t code)
{
    weft_link_run_t *last = runs->count ? &runs->runs[runs->count - 1] : NULL;
    runs->alerts++;
    if (last && last->code == code && last->first + last->count == seq) {
        last->count++;
        return;
    }
    assert (runs->runs && runs->count < runs->room);
    runs->runs[runs->count++] = (weft_link_run_t){ seq, 1, code };
}

void
weft_worker_gather (weft_worker_t *self,
                    link_t *link,
                    bool settle,
                    uint64_t seq,
                    weft_outcome_t outcome)
{
    if (!settle) {
        append (&link->retries, seq, 0);
        return;
    }
    append (&link->settles, seq, (uint8_t)outcome);
    uint64_t half = WEFT_MAX (link->limit.alerts, 16) / 2;
    if (link->settles.alerts >= half && link->state == WEFT_LINK_LIVE)
        (void)!send_runs (self, link, WEFT_LINK_SETTLE, &link->settles);
}
