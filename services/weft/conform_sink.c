//  conform_sink.c - see conform_sink.h.

#include "conform_sink.h"

#include "conform_seat.h"
#include "weft_dealer.h"
#include "weft_hash.h"

enum {
    KEPT_MOST = 4096,
    SILENT_MS = 12 * CONFORM_BEAT_MS,
    GREET_MS = 1000,
    RUNS = 256,
};

#define NOBODY INT64_MIN  //  the id of no alert

typedef struct {
    uint64_t seq;
    int64_t id;
    size_t bytes;
} kept_t;

struct conform_sink {
    conform_t *top;
    weft_dealer_t *dealer;
    const char *stage;
    const char *key;  //  that the upstream has, NULL: plaintext
    char endpoint[256];
    conform_sink_info_t info;
    bool hold, greeting, quiet;
    const char *contract;
    uint64_t nonce, boot, session, seq, done;
    uint32_t limit, version, echo;
    uint64_t limit_bytes, most_bytes, bytes;
    uint32_t most;  //  the larger limit, until the change is echoed
    int64_t hello_ms, heard_ms, next_beat, changed_ms;
    int64_t dead_id, retry_id;
    kept_t kept[KEPT_MOST];
    int64_t died[KEPT_MOST];  //  ids, in order
    uint32_t n_died, died_done;
};

static void
open_socket (conform_sink_t *self)
{
    weft_dealer_destroy (&self->dealer);
    self->dealer = weft_dealer_new (self->top->mesh, self->endpoint, self->key);
    self->info.live = self->greeting = false;
}

//  "[stage@]host:port"
static void
set_place (conform_sink_t *self, const char *place)
{
    char stage[WEFT_LINK_NAME_MAX + 1] = "*";
    const char *at = strchr (place, '@');
    weft_keys_t *keys = weft_mesh_keys (self->top->mesh);
    if (at)
        snprintf (stage, sizeof stage, "%.*s", (int)(at - place), place);
    self->key = keys ? weft_keys_of (keys, stage, 0) : NULL;
    snprintf (self->endpoint, sizeof self->endpoint, "tcp://%s",
              at ? at + 1 : place);
}

conform_sink_t *
conform_sink_new (conform_t *top, const char *endpoint, const char *stage)
{
    conform_sink_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->top = top;
    self->stage = stage;
    self->dead_id = self->retry_id = NOBODY;
    self->limit = self->most = 1024;
    self->limit_bytes = self->most_bytes = 256u << 20;
    self->boot =
        weft_hash_u64 ((uint64_t)(uintptr_t)self ^ (uint64_t)top->now) | 1;
    set_place (self, endpoint);
    open_socket (self);
    if (!self->dealer)
        conform_sink_destroy (&self);
    return self;
}

void
conform_sink_destroy (conform_sink_t **self_p)
{
    conform_sink_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    weft_dealer_destroy (&self->dealer);
    free (self);
}

void *
conform_sink_socket (const conform_sink_t *self)
{
    return self->dealer ? weft_dealer_socket (self->dealer) : NULL;
}

const conform_sink_info_t *
conform_sink_info (const conform_sink_t *self)
{
    return &self->info;
}

bool
conform_sink_has (const conform_sink_t *self, int64_t id)
{
    for (uint32_t i = 0; i < self->info.kept; i++)
        if (self->kept[i].id == id)
            return true;
    return false;
}

static int
say (conform_sink_t *self, weft_link_frame_t *frame)
{
    uint8_t header[WEFT_LINK_HEADER_MAX];
    frame->done = self->done;
    frame->limit = self->limit;
    frame->limit_version = self->version;
    frame->limit_bytes = self->limit_bytes;
    if (frame->type == WEFT_LINK_HELLO)
        frame->session = 0;
    else if (!frame->session)
        frame->session = self->session;
    int size = weft_link_encode (frame, header, sizeof header);
    assert (size > 0);
    return self->dealer ? weft_dealer_send (self->dealer, header, (size_t)size)
                        : WEFT_EAGAIN;
}

void
conform_sink_hello (conform_sink_t *self, const char *contract, bool fresh)
{
    if (fresh)
        self->boot = weft_hash_u64 (self->boot) | 1;
    self->contract = contract;
    self->nonce =
        weft_hash_u64 (self->boot ^ (uint64_t)self->top->now ^ self->nonce) | 1;
    self->seq = self->done = self->bytes = 0;
    self->version = self->echo = 1;
    self->most = self->limit;
    self->most_bytes = self->limit_bytes;
    self->info.kept = 0;
    self->info.live = false;
    self->info.refused = false;
    self->info.suspects = self->info.from_died = 0;
    self->info.died_above = self->info.bad_blame = 0;
    weft_link_frame_t frame = { .type = WEFT_LINK_HELLO,
                                .nonce = self->nonce,
                                .boot = self->boot,
                                .largest = 16u << 20,
                                .beat_ms = CONFORM_BEAT_MS,
                                .stall_ms = 10000,
                                .stage = weft_link_text (self->stage) };
    if (contract)
        frame.contracts[frame.contract_count++] = weft_link_text (contract);
    if (say (self, &frame))
        return;
    self->greeting = true;
    self->hello_ms = self->top->now;
}

void
conform_sink_limit (conform_sink_t *self, uint32_t alerts, uint64_t bytes)
{
    self->most = WEFT_MAX (alerts, self->limit);
    self->most_bytes = WEFT_MAX (bytes, self->limit_bytes);
    self->limit = alerts;
    self->limit_bytes = bytes;
    self->changed_ms = self->top->now;
    if (!self->info.live)
        return;
    self->version++;
    weft_link_frame_t frame = { .type = WEFT_LINK_BEAT };
    (void)!say (self, &frame);
}

void
conform_sink_hold (conform_sink_t *self, bool hold)
{
    self->hold = hold;
}

void
conform_sink_dead (conform_sink_t *self, int64_t id)
{
    self->dead_id = id;
}

static void
tell (conform_sink_t *self,
      weft_link_type_t type,
      const kept_t *kept,
      uint32_t n,
      uint64_t session)
{
    uint8_t runs[RUNS * WEFT_LINK_RUN_SIZE];
    for (uint32_t i = 0; i < n; i++) {
        bool dead = type == WEFT_LINK_SETTLE && kept[i].id == self->dead_id;
        weft_link_run_t run = { kept[i].seq, 1,
                                dead ? WEFT_OUTCOME_DEAD
                                     : WEFT_OUTCOME_SETTLED };
        weft_link_put_run (runs + (size_t)i * WEFT_LINK_RUN_SIZE, &run);
    }
    weft_link_frame_t frame = {
        .type = type, .run_count = n, .runs = runs, .session = session
    };
    (void)!say (self, &frame);
}

static void
settle_all (conform_sink_t *self)
{
    while (self->info.kept > 0) {
        uint32_t n = WEFT_MIN (self->info.kept, RUNS);
        self->done = self->seq;
        tell (self, WEFT_LINK_SETTLE, self->kept, n, 0);
        for (uint32_t i = 0; i < n; i++)
            self->bytes -= self->kept[i].bytes;
        memmove (self->kept, self->kept + n,
                 (self->info.kept - n) * sizeof self->kept[0]);
        self->info.kept -= n;
    }
}

void
conform_sink_retry (conform_sink_t *self)
{
    if (self->info.kept == 0)
        return;
    kept_t first = self->kept[0];
    tell (self, WEFT_LINK_RETRY, &first, 1, 0);
    self->bytes -= first.bytes;
    memmove (self->kept, self->kept + 1,
             --self->info.kept * sizeof self->kept[0]);
    self->retry_id = first.id;
    self->info.retried_ms = self->top->now;
    self->info.retried_back_ms = 0;
}

void
conform_sink_stranger (conform_sink_t *self, uint64_t session)
{
    weft_link_frame_t frame = { .type = WEFT_LINK_BEAT, .session = session };
    (void)!say (self, &frame);
}

void
conform_sink_foreign (conform_sink_t *self)
{
    uint32_t n = WEFT_MIN (self->info.kept, RUNS);
    if (n > 0)
        tell (self, WEFT_LINK_SETTLE, self->kept, n,
              (self->session ^ 0xff0) | 1);
}

void
conform_sink_die (conform_sink_t *self, uint32_t n)
{
    self->n_died = self->info.kept;
    self->died_done = n;
    for (uint32_t i = 0; i < self->info.kept; i++)
        self->died[i] = self->kept[i].id;
    self->done = n ? self->kept[n - 1].seq : 0;
    weft_link_frame_t frame = { .type = WEFT_LINK_BEAT };
    (void)!say (self, &frame);
    conform_for (self->top, 2 * CONFORM_BEAT_MS);
    open_socket (self);
    self->boot = weft_hash_u64 (self->boot) | 1;
}

void
conform_sink_bye (conform_sink_t *self)
{
    weft_link_frame_t frame = { .type = WEFT_LINK_BYE };
    if (self->info.live)
        (void)!say (self, &frame);
    self->info.live = false;
    self->quiet = true;
}

//  Was it in our hands when we died, and above `done` then?
static void
check_blame (conform_sink_t *self, int64_t id, const weft_link_frame_t *frame)
{
    self->info.suspects += frame->suspect;
    for (uint32_t i = 0; i < self->n_died; i++) {
        if (self->died[i] != id)
            continue;
        self->info.from_died++;
        self->info.died_above += i >= self->died_done;
        self->info.bad_blame += frame->suspect != (i >= self->died_done);
    }
}

//  Against what our own seats have sent.
static void
check_forward (conform_sink_t *self, int64_t id, const weft_alert_t *alert)
{
    const weft_alert_t *sent = NULL;
    for (size_t i = 0; i < self->top->n_seats && !sent; i++)
        sent = conform_seat_find (self->top->seats[i], id);
    if (!sent)
        return;
    const char *why = conform_forwarded (sent, alert);
    if (why)
        conform_broken (self->top, CONFORM_forward, "%s", why);
}

static void
check_sections (conform_sink_t *self, const weft_alert_t *alert)
{
    const conform_options_t *options = self->top->options;
    size_t n = weft_alert_frames (alert);
    const char *why = n < 2 ? "there is none"
                            : conform_section (weft_alert_frame (alert, n - 1),
                                               options->contract);
    if (why)
        conform_broken (self->top,
                        options->as_worker ? CONFORM_up_alert : CONFORM_section,
                        "its section: %s", why);
}

static void
check_window (conform_sink_t *self, const weft_link_frame_t *frame)
{
    if (frame->seq != self->seq + 1)
        conform_broken (self->top, CONFORM_up_seq, "number %llu after %llu",
                        (unsigned long long)frame->seq,
                        (unsigned long long)self->seq);
    uint32_t most = self->echo == self->version ? self->limit : self->most;
    if (self->info.kept + 1 > most)
        conform_broken (self->top, CONFORM_up_window,
                        "%u alerts with a limit of %u", self->info.kept + 1,
                        most);
    uint64_t bytes =
        self->echo == self->version ? self->limit_bytes : self->most_bytes;
    if (self->info.kept > 0 && self->bytes > bytes)
        conform_broken (
            self->top, CONFORM_up_bytes, "%llu bytes with a limit of %llu",
            (unsigned long long)self->bytes, (unsigned long long)bytes);
}

static void
on_alert (conform_sink_t *self,
          const weft_link_frame_t *frame,
          const weft_alert_t *alert)
{
    if (!alert) {
        conform_broken (self->top, CONFORM_up_alert,
                        "an ALERT without envelope.v1 behind it");
        return;
    }
    int64_t id = weft_alert_envelope (alert)->alert_id;
    kept_t kept = { frame->seq, id, weft_alert_size (alert) };
    self->bytes += kept.bytes;
    check_window (self, frame);
    check_blame (self, id, frame);
    check_forward (self, id, alert);
    check_sections (self, alert);
    if (id == self->retry_id) {
        self->info.retried_back_ms = self->top->now;
        self->retry_id = NOBODY;
    }
    self->seq = frame->seq;
    self->info.received++;
    if (self->info.kept < KEPT_MOST)
        self->kept[self->info.kept++] = kept;
}

static void
on_welcome (conform_sink_t *self, const weft_link_frame_t *frame)
{
    self->info.wrong_nonce |= frame->nonce != self->nonce;
    if (!self->greeting || frame->nonce != self->nonce)
        return;
    self->session = frame->session;
    self->greeting = false;
    self->info.live = true;
    self->heard_ms = self->changed_ms = self->top->now;
}

static void
on_refuse (conform_sink_t *self, const weft_link_frame_t *frame)
{
    self->info.wrong_nonce |= frame->nonce != self->nonce;
    self->info.refused = true;
    self->info.refuse_code = frame->code;
    self->greeting = false;
}

static void
on_reset (conform_sink_t *self, const weft_link_frame_t *frame)
{
    if (self->info.live && frame->session == self->session) {
        self->info.resets++;
        self->info.live = false;
    } else {
        self->info.reset_named = frame->session;
    }
}

static void
on_frame (conform_sink_t *self,
          const weft_link_frame_t *frame,
          const weft_alert_t *alert)
{
    if (frame->type == WEFT_LINK_WELCOME) {
        on_welcome (self, frame);
    } else if (frame->type == WEFT_LINK_REFUSE) {
        on_refuse (self, frame);
    } else if (frame->type == WEFT_LINK_RESET) {
        on_reset (self, frame);
    } else if (self->info.live && frame->session == self->session) {
        self->heard_ms = self->top->now;
        self->echo = frame->echo;
        if (frame->type == WEFT_LINK_ALERT)
            on_alert (self, frame, alert);
        else if (frame->type == WEFT_LINK_UP_BYE)
            self->info.live = false;
    } else if (self->info.live && !self->top->away) {
        conform_broken (self->top, CONFORM_up_session, "%s of session %llx",
                        weft_link_type_name (frame->type),
                        (unsigned long long)frame->session);
    }
}

static void
read_all (conform_sink_t *self)
{
    const void *data;
    size_t size;
    weft_alert_t *alert;
    while (self->dealer &&
           !weft_dealer_recv (self->dealer, &data, &size, &alert)) {
        weft_link_frame_t frame;
        int rc = weft_link_decode (&frame, data, size);
        if (rc || weft_link_from_worker (frame.type))
            conform_broken (self->top, CONFORM_up_header, "%zu bytes: %s", size,
                            rc ? weft_error_text (rc) : "a worker's");
        else
            on_frame (self, &frame, alert);
        weft_alert_unref (&alert);
    }
}

static void
judge (conform_sink_t *self)
{
    int64_t now = self->top->now;
    int64_t absent = self->top->absent;
    self->heard_ms = WEFT_MIN (now, self->heard_ms + absent);
    self->changed_ms = WEFT_MIN (now, self->changed_ms + absent);
    if (self->top->away)
        return;
    if (now - self->heard_ms > SILENT_MS) {
        conform_broken (self->top, CONFORM_up_beat, "nothing for %lld ms",
                        (long long)(now - self->heard_ms));
        self->heard_ms = now;
    }
    if (self->echo != self->version && now - self->changed_ms > SILENT_MS) {
        conform_broken (self->top, CONFORM_up_echo, "echo %u of version %u",
                        self->echo, self->version);
        self->changed_ms = now;
    }
}

void
conform_sink_turn (conform_sink_t *self)
{
    int64_t now = self->top->now;
    read_all (self);
    if (self->quiet)
        return;
    if (!self->info.live) {
        if (self->greeting && now - self->hello_ms > GREET_MS)
            open_socket (self);
        if (!self->greeting && !self->info.refused)
            conform_sink_hello (self, self->contract, false);
        return;
    }
    judge (self);
    if (!self->hold)
        settle_all (self);
    if (now < self->next_beat)
        return;
    self->next_beat = now + CONFORM_BEAT_MS;
    weft_link_frame_t frame = { .type = WEFT_LINK_BEAT };
    (void)!say (self, &frame);
}
