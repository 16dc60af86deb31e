//  conform_judge.c - what a worker's frames say about the rules.

#include "conform_seat_parts.h"

enum { SILENT_MS = 12 * CONFORM_BEAT_MS };

//  A contract of ours in a version that proto/ does not have.
static bool
is_other_version (weft_link_text_t name)
{
    char text[WEFT_LINK_NAME_MAX + 1];
    memcpy (text, name.data, name.size);
    text[name.size] = 0;
    if (weft_contract_find (text))
        return false;
    size_t base = strcspn (text, ".");
    for (size_t i = 0; weft_contract_at (i); i++) {
        const char *ours = weft_contract_at (i)->name;
        if (strcspn (ours, ".") == base && !memcmp (ours, text, base))
            return true;
    }
    return false;
}

static void
read_contracts (conform_seat_t *self, const weft_link_frame_t *hello)
{
    self->info.reads[0] = 0;
    for (uint32_t i = 0; i < hello->contract_count; i++) {
        weft_link_text_t name = hello->contracts[i];
        if (is_other_version (name))
            conform_broken (self->top, CONFORM_contract, "it reads %.*s",
                            (int)name.size, name.data);
        else
            snprintf (self->info.reads, sizeof self->info.reads, "%.*s",
                      (int)name.size, name.data);
    }
}

//  A new session begins: what the old one had not ended is queued again.
static void
begin (conform_seat_t *self)
{
    size_t kept = 0;
    for (uint64_t i = 1; i <= self->seq; i++) {
        conform_item_t *item = &self->sent[i];
        if (item->ended || !item->alert || self->n_queue == CONFORM_SEQS)
            weft_alert_unref (&item->alert);
        else
            self->queue[self->n_queue++] = *item, kept++;
    }
    memset (self->sent, 0, sizeof self->sent);
    self->seq = self->done = 0;
    self->unsettled = 0;
    self->deaf = false;
    self->before = 0;
    (void)kept;
}

static void
on_hello (conform_seat_t *self, uint64_t peer, const weft_link_frame_t *hello)
{
    begin (self);
    self->info.hellos++;
    self->info.sockets += peer != self->peer;
    self->peer = peer;
    self->nonce = hello->nonce;
    self->boot = hello->boot;
    self->info.limit = hello->limit;
    self->limit_bytes = hello->limit_bytes;
    self->version = self->echoed = hello->limit_version;
    self->info.largest = hello->largest;
    self->info.live = false;
    self->session = 0;
    snprintf (self->info.stage, sizeof self->info.stage, "%.*s",
              (int)hello->stage.size, hello->stage.data);
    read_contracts (self, hello);
    if (hello->limit_version != 1 || hello->done != 0)
        conform_broken (self->top, CONFORM_limit_version,
                        "HELLO with version %u and done %llu",
                        hello->limit_version, (unsigned long long)hello->done);
    self->greeted = true;
    if (self->answer)
        conform_seat_welcome (self);
}

static void
end_alert (conform_seat_t *self, conform_item_t *item, int outcome)
{
    conform_seat_info_t *info = &self->info;
    item->ended = true;
    self->unsettled--;
    if (outcome == 3) {  //  given back: not to it within a beat
        conform_item_t again = *item;
        again.ended = false;
        if (self->n_queue < CONFORM_SEQS)
            self->queue[self->n_queue++] = again;
        item->alert = NULL;
        info->retried++;
        self->pause_until = self->top->now + CONFORM_BEAT_MS;
        return;
    }
    info->ended++;
    info->open--;
    info->settled += outcome == WEFT_OUTCOME_SETTLED;
    info->dead += outcome == WEFT_OUTCOME_DEAD;
    info->rejected += outcome == 2;
    self->outcomes[(item->id - self->first_id) % CONFORM_SEQS] =
        (uint8_t)(outcome + 1);
    info->suspects += item->suspect;
    if (!item->suspect)
        for (uint64_t i = 1; i <= self->seq; i++)
            info->overtaken |= self->sent[i].suspect && !self->sent[i].ended;
    weft_alert_unref (&item->alert);
}

static void
end_seq (conform_seat_t *self,
         uint64_t seq,
         const weft_link_frame_t *frame,
         int outcome)
{
    const char *what = weft_link_type_name (frame->type);
    if (seq == 0 || seq > self->seq) {
        conform_broken (self->top, CONFORM_not_held,
                        "%s of number %llu, the last sent was %llu", what,
                        (unsigned long long)seq, (unsigned long long)self->seq);
        return;
    }
    conform_item_t *item = &self->sent[seq];
    if (item->ended) {
        conform_broken (self->top, CONFORM_twice,
                        "%s of number %llu, which has ended before", what,
                        (unsigned long long)seq);
        return;
    }
    if (outcome != 3 && seq > frame->done)
        conform_broken (
            self->top, CONFORM_done, "%s of number %llu with done %llu", what,
            (unsigned long long)seq, (unsigned long long)frame->done);
    if (outcome == 2 && item->kind != CONFORM_POISON)
        conform_broken (self->top, CONFORM_canary,
                        "REJECT of a good alert: %.*s", (int)frame->reason.size,
                        frame->reason.data);
    end_alert (self, item, outcome);
}

static void
on_runs (conform_seat_t *self, const weft_link_frame_t *frame)
{
    for (uint32_t i = 0; i < frame->run_count; i++) {
        weft_link_run_t run = weft_link_run (frame, i);
        uint32_t count = WEFT_MIN (run.count, CONFORM_SEQS);
        for (uint32_t k = 0; k < count; k++)
            end_seq (self, run.first + k, frame,
                     frame->type == WEFT_LINK_RETRY ? 3 : run.code);
    }
}

static void
read_limits (conform_seat_t *self, const weft_link_frame_t *frame)
{
    uint32_t grown = frame->limit_version - self->version;
    bool same = frame->limit == self->info.limit &&
                frame->limit_bytes == self->limit_bytes;
    if (grown > 1 || (grown == 0) != same)
        conform_broken (self->top, CONFORM_limit_version,
                        "version %u after %u, limit %u after %u",
                        frame->limit_version, self->version, frame->limit,
                        self->info.limit);
    else if (grown == 1 && self->echoed != self->version)
        conform_broken (self->top, CONFORM_limit_echo,
                        "version %u before an echo of %u", frame->limit_version,
                        self->version);
    if (grown)
        self->before = self->info.limit;
    self->info.limit = frame->limit;
    self->limit_bytes = frame->limit_bytes;
    self->version = frame->limit_version;
    self->info.claim = WEFT_MAX (self->info.limit, self->before);
}

static void
on_frame (conform_seat_t *self, const weft_link_frame_t *frame)
{
    self->heard_ms = self->top->now;
    if (frame->done > self->seq || frame->done < self->done)
        conform_broken (self->top, CONFORM_done,
                        "done %llu after %llu, the last sent was %llu",
                        (unsigned long long)frame->done,
                        (unsigned long long)self->done,
                        (unsigned long long)self->seq);
    self->done = frame->done;
    read_limits (self, frame);
    if (frame->type == WEFT_LINK_SETTLE || frame->type == WEFT_LINK_RETRY)
        on_runs (self, frame);
    else if (frame->type == WEFT_LINK_REJECT)
        end_seq (self, frame->seq, frame, 2);
    else if (frame->type == WEFT_LINK_BYE)
        self->info.live = false;
}

//  A frame that names no session of this socket. What an old socket had on
//  its way is nobody's fault.
static void
on_stray (conform_seat_t *self, uint64_t peer, const weft_link_frame_t *frame)
{
    if (peer != self->peer)
        return;
    if (frame->session == self->wrong_session)
        conform_broken (self->top, CONFORM_nonce,
                        "%s in the session of a WELCOME of another nonce",
                        weft_link_type_name (frame->type));
    else
        conform_broken (self->top, CONFORM_session,
                        "%s of session %llx, it has %llx",
                        weft_link_type_name (frame->type),
                        (unsigned long long)frame->session,
                        (unsigned long long)self->session);
}

static void
on_bytes (conform_seat_t *self, uint64_t peer, const void *data, size_t size)
{
    weft_link_frame_t frame;
    int rc = weft_link_decode (&frame, data, size);
    if (size > WEFT_LINK_HEADER_MAX)
        conform_broken (self->top, CONFORM_frame_size, "%zu bytes", size);
    else if (rc)
        conform_broken (self->top, CONFORM_header, "%zu bytes: %s", size,
                        weft_error_text (rc));
    else if (!weft_link_from_worker (frame.type))
        conform_broken (self->top, CONFORM_header, "a worker that says %s",
                        weft_link_type_name (frame.type));
    else if (frame.type == WEFT_LINK_HELLO)
        on_hello (self, peer, &frame);
    else if (!self->session || frame.session != self->session ||
             peer != self->peer)
        on_stray (self, peer, &frame);
    else if (self->deaf && frame.type != WEFT_LINK_BEAT &&
             frame.type != WEFT_LINK_BYE)
        conform_broken (self->top, CONFORM_malformed, "%s after it",
                        weft_link_type_name (frame.type));
    else
        on_frame (self, &frame);
}

void
conform_seat_read (conform_seat_t *self)
{
    uint64_t peer;
    const void *data;
    size_t size;
    while (!weft_router_recv (self->router, &peer, &data, &size))
        on_bytes (self, peer, data, size);
}

void
conform_seat_silence (conform_seat_t *self)
{
    int64_t now = self->top->now;
    if (!self->info.live || self->deaf || self->mute) {
        self->heard_ms = now;
        return;
    }
    //  On a busy machine we are late again and again: what was silent before
    //  still was.
    self->heard_ms = WEFT_MIN (now, self->heard_ms + self->top->absent);
    if (self->top->away || now - self->heard_ms <= SILENT_MS)
        return;
    conform_broken (self->top, CONFORM_beat,
                    "nothing heard for %lld ms, %u alerts in its hands",
                    (long long)(now - self->heard_ms), self->unsettled);
    self->heard_ms = now;
}
