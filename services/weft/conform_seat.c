//  conform_seat.c - see conform_seat.h. What is sent; conform_judge.c looks at
//  what comes.

#include "conform_seat_parts.h"

#include "weft_hash.h"

conform_seat_t *
conform_seat_new (conform_t *top, const char *endpoint)
{
    char why[256];
    conform_seat_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->top = top;
    self->answer = true;
    self->first_id = self->next_id =
        (int64_t)(weft_hash_u64 ((uint64_t)top->now) >> 4);
    self->router = weft_router_new (top->mesh, endpoint, why, sizeof why);
    if (self->router)
        return self;
    fprintf (stderr, "weft conformance: %s\n", why);
    conform_seat_destroy (&self);
    return NULL;
}

void
conform_seat_forget (conform_seat_t *self)
{
    for (size_t i = 0; i < self->n_queue; i++)
        weft_alert_unref (&self->queue[i].alert);
    for (uint64_t i = 0; i <= self->seq; i++)
        weft_alert_unref (&self->sent[i].alert);
    memset (self->sent, 0, sizeof self->sent);
    self->n_queue = 0;
    self->unsettled = 0;
    self->info.open = 0;
}

void
conform_seat_destroy (conform_seat_t **self_p)
{
    conform_seat_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    conform_seat_forget (self);
    weft_router_destroy (&self->router);
    free (self);
}

void *
conform_seat_socket (const conform_seat_t *self)
{
    return weft_router_socket (self->router);
}

void
conform_seat_answer (conform_seat_t *self, bool on)
{
    self->answer = on;
    if (on && self->greeted)
        conform_seat_welcome (self);
}

void
conform_seat_mute (conform_seat_t *self, bool on)
{
    self->mute = on;
}

const conform_seat_info_t *
conform_seat_info (const conform_seat_t *self)
{
    return &self->info;
}

size_t
conform_seat_queued (const conform_seat_t *self)
{
    return self->n_queue;
}

int64_t
conform_seat_next_id (const conform_seat_t *self)
{
    return self->next_id;
}

const weft_alert_t *
conform_seat_find (const conform_seat_t *self, int64_t id)
{
    for (uint64_t i = 1; i <= self->seq; i++)
        if (self->sent[i].id == id && !self->sent[i].ended)
            return self->sent[i].alert;
    return NULL;
}

int
conform_seat_outcome (const conform_seat_t *self, int64_t id)
{
    return self->outcomes[(id - self->first_id) % CONFORM_SEQS] - 1;
}

int
conform_seat_feed (conform_seat_t *self,
                   uint32_t n,
                   conform_kind_t kind,
                   bool suspect)
{
    const char *reads = self->info.reads[0] ? self->info.reads : NULL;
    size_t large = self->info.largest > 65536
                       ? WEFT_MIN (self->info.largest - 4096, 1u << 20)
                       : 16384;
    for (uint32_t i = 0; i < n && self->n_queue < CONFORM_SEQS; i++) {
        int64_t id = self->next_id++;
        conform_item_t item = {
            .alert = conform_alert (id, reads, kind, large),
            .id = id,
            .kind = kind,
            .suspect = suspect,
        };
        if (!item.alert)
            return WEFT_ENOMEM;
        self->queue[self->n_queue++] = item;
        self->info.open++;
    }
    return 0;
}

//  Sends one frame of ours with the session's id and the echo.
int
conform_seat_say (conform_seat_t *self,
                  weft_link_frame_t *frame,
                  const weft_alert_t *alert)
{
    uint8_t header[512];
    frame->echo = self->version;
    int size = weft_link_encode (frame, header, sizeof header);
    assert (size > 0);
    int rc = weft_router_send (self->router, self->peer, header, (size_t)size,
                               alert);
    if (!rc && self->info.live) {
        self->echoed = self->version;
        self->before = 0;
        self->info.claim = self->info.limit;
    }
    return rc;
}

void
conform_seat_welcome (conform_seat_t *self)
{
    self->greeted = false;
    self->session = weft_hash_u64 (self->nonce ^ ++self->sessions) | 1;
    weft_link_frame_t frame = { .type = WEFT_LINK_WELCOME,
                                .session = self->session,
                                .nonce = self->nonce,
                                .boot = 1,
                                .largest = 16u << 20,
                                .beat_ms = CONFORM_BEAT_MS };
    (void)!conform_seat_say (self, &frame, NULL);
    self->info.live = true;
    self->welcomed_ms = self->heard_ms = self->top->now;
}

void
conform_seat_wrong_welcome (conform_seat_t *self)
{
    self->wrong_session = self->nonce ^ 0x5a5a5a5a5a5au;
    weft_link_frame_t frame = { .type = WEFT_LINK_WELCOME,
                                .session = self->wrong_session | 1,
                                .nonce = self->nonce + 1,
                                .boot = 1,
                                .largest = 16u << 20,
                                .beat_ms = CONFORM_BEAT_MS };
    self->wrong_session |= 1;
    (void)!conform_seat_say (self, &frame, NULL);
}

void
conform_seat_reset (conform_seat_t *self, bool foreign)
{
    weft_link_frame_t frame = {
        .type = WEFT_LINK_RESET,
        .session = foreign ? (self->session ^ 0xff00) | 1 : self->session,
    };
    (void)!conform_seat_say (self, &frame, NULL);
}

void
conform_seat_garbage (conform_seat_t *self)
{
    static const uint8_t bytes[] = "WL\x01\x84 this is no header";
    self->deaf = true;
    (void)!weft_router_send (self->router, self->peer, bytes, sizeof bytes - 1,
                             NULL);
}

void
conform_seat_refuse (conform_seat_t *self)
{
    weft_link_frame_t frame = { .type = WEFT_LINK_REFUSE,
                                .nonce = self->nonce,
                                .code = WEFT_REFUSE_FULL,
                                .reason = weft_link_text ("conformance") };
    (void)!conform_seat_say (self, &frame, NULL);
    self->greeted = false;
}

void
conform_seat_bye (conform_seat_t *self)
{
    weft_link_frame_t frame = { .type = WEFT_LINK_UP_BYE,
                                .session = self->session };
    if (self->info.live)
        (void)!conform_seat_say (self, &frame, NULL);
}

static int
send_one (conform_seat_t *self)
{
    conform_item_t *item = &self->queue[0];
    weft_link_frame_t frame = { .type = WEFT_LINK_ALERT,
                                .session = self->session,
                                .seq = self->seq + 1,
                                .suspect = item->suspect,
                                .attempt = item->suspect };
    if (conform_seat_say (self, &frame, item->alert))
        return WEFT_EDOWN;
    if (self->unsettled == 0)
        self->heard_ms = self->top->now;
    self->seq++;
    self->sent[self->seq] = *item;
    self->unsettled++;
    memmove (self->queue, self->queue + 1,
             --self->n_queue * sizeof self->queue[0]);
    return 0;
}

//  As the window allows: what is unechoed does not count for us, as we echo in
//  the turn in which we read.
static void
pump (conform_seat_t *self)
{
    while (self->info.live && self->n_queue > 0 &&
           self->unsettled < self->info.limit && self->seq + 1 < CONFORM_SEQS &&
           self->top->now >= self->pause_until)
        if (send_one (self))
            return;
}

static void
beat (conform_seat_t *self)
{
    weft_link_frame_t frame = { .type = WEFT_LINK_UP_BEAT,
                                .session = self->session };
    if (!self->info.live || self->mute)
        return;
    bool due = self->top->now >= self->next_beat;
    if (!due && self->echoed == self->version)
        return;
    if (due)
        self->next_beat = self->top->now + CONFORM_BEAT_MS;
    (void)!conform_seat_say (self, &frame, NULL);
}

void
conform_seat_turn (conform_seat_t *self)
{
    conform_seat_read (self);
    conform_seat_silence (self);
    pump (self);
    beat (self);
}
