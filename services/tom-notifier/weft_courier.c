//  weft_courier.c - takes one sink's rows out of the outbox to the sink.

#include <math.h>

#include "weft_courier_parts.h"
#include "weft_log.h"
#include "weft_time.h"

#define QUIET_MS 50  //  rest when no row's time has come

static int
read_mode (const char *text, sink_mode_t *mode)
{
    static const char *const texts[] = { "off", "dry_run", "live" };
    for (size_t i = 0; i < WEFT_COUNT (texts); i++)
        if (!strcmp (texts[i], text)) {
            *mode = (sink_mode_t)i;
            return 0;
        }
    return WEFT_ECONFIG;
}

static void
make_metrics (weft_courier_t *self)
{
    static const char *const classes[] = { "done", "retry", "verify", "dead" };
    static const double bounds[] = { 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 60, 0 };
    char labels[160];
    snprintf (labels, sizeof labels, "sink=\"%s\"", self->name);
    self->queue = weft_gauge ("weft_sink_queue", labels);
    self->oldest = weft_gauge ("weft_sink_oldest_seconds", labels);
    self->open = weft_gauge ("weft_sink_open", labels);
    self->resent = weft_counter ("weft_sink_resent_total", labels);
    self->seconds = weft_histogram ("weft_sink_seconds", labels, bounds);
    for (size_t i = 0; i < WEFT_COUNT (classes); i++) {
        snprintf (labels, sizeof labels, "sink=\"%s\",class=\"%s\"", self->name,
                  classes[i]);
        self->sent[i] = weft_counter ("weft_sink_sent_total", labels);
    }
}

static int
set_up (weft_courier_t *self,
        const weft_sink_option_t *option,
        char *why,
        size_t room)
{
    char reason[200] = "";
    self->name = strdup (option->name);
    if (!self->name)
        return WEFT_ENOMEM;
    int rc = read_mode (option->mode, &self->mode);
    if (rc)
        snprintf (reason, sizeof reason,
                  "mode \"%s\": off, dry_run or live is expected",
                  option->mode);
    self->kind = weft_sink_kind (option->kind);
    if (!rc && !self->kind) {
        rc = WEFT_ECONFIG;
        snprintf (reason, sizeof reason,
                  "kind \"%s\": jsonl or webhook is expected", option->kind);
    }
    if (!rc)
        rc = self->kind->open (&self->sink, option, reason, sizeof reason);
    if (rc)
        snprintf (why, room, "sink \"%s\": %s", option->name, reason);
    return rc;
}

int
weft_courier_new (weft_courier_t **out,
                  const weft_sink_option_t *option,
                  char *why,
                  size_t room)
{
    *out = NULL;
    weft_courier_t *self = calloc (1, sizeof *self);
    if (!self)
        return WEFT_ENOMEM;
    weft_courier_batch_init (&self->taken);
    weft_courier_batch_init (&self->answered);
    weft_courier_batch_init (&self->lost);
    int rc = set_up (self, option, why, room);
    if (rc) {
        weft_courier_destroy (&self);
        return rc;
    }
    make_metrics (self);
    *out = self;
    return 0;
}

void
weft_courier_destroy (weft_courier_t **self_p)
{
    weft_courier_t *self = *self_p;
    if (!self)
        return;
    if (self->sink)
        self->kind->close (&self->sink);
    weft_courier_batch_fini (&self->taken);
    weft_courier_batch_fini (&self->answered);
    weft_courier_batch_fini (&self->lost);
    free (self->name);
    free (self);
    *self_p = NULL;
}

void
weft_courier_pause (weft_courier_t *self, bool paused)
{
    self->paused = paused;
}

const char *
weft_courier_name (const weft_courier_t *self)
{
    return self->name;
}

static void
count_row (void *arg, const weft_row_t *row WEFT_UNUSED)
{
    (*(int64_t *)arg)++;
}

int
weft_courier_start (weft_courier_t *self, weft_outbox_t *outbox)
{
    self->verify = 0;
    int rc = weft_outbox_waiting (outbox, self->name, &self->waiting);
    if (!rc)
        rc = weft_outbox_list (outbox, self->name, WEFT_ROW_VERIFY, INFINITY,
                               WEFT_COURIER_VERIFY, count_row, &self->verify);
    self->queued =
        self->waiting - self->verify - self->under_way - self->answered.n;
    self->quiet_until_ms = 0;
    return rc;
}

bool
weft_courier_open (const weft_courier_t *self, int64_t now_ms)
{
    return self->failures > 0 && now_ms < self->open_until_ms;
}

//  May rows be put in flight now?
static bool
is_free (const weft_courier_t *self, int64_t now_ms)
{
    return self->mode == MODE_LIVE && !self->paused &&
           self->verify + self->to_verify == 0 &&
           !weft_courier_open (self, now_ms);
}

//  Rows that may be put in flight: after failures one tries the way for the
//  others.
static uint32_t
room_of (const weft_courier_t *self)
{
    uint32_t room = WEFT_COURIER_BATCH;
    if (self->kind->room)
        room = WEFT_MIN (room, self->kind->room (self->sink));
    if (self->failures > 0)
        room = self->under_way > 0 ? 0 : WEFT_MIN (room, 1);
    return room > self->taken.n ? room - self->taken.n : 0;
}

bool
weft_courier_busy (weft_courier_t *self, int64_t now_ms)
{
    weft_courier_gather (self, now_ms);
    return self->answered.n > 0 ||
           (self->queued > 0 && is_free (self, now_ms) &&
            now_ms >= self->quiet_until_ms && room_of (self) > 0);
}

int
weft_courier_settle (weft_courier_t *self, weft_outbox_t *outbox, double now)
{
    weft_courier_gather (self, weft_time_ms ());
    self->settling = true;
    return weft_courier_write (self, outbox, &self->answered, now);
}

int
weft_courier_add (weft_courier_t *self,
                  weft_outbox_t *outbox,
                  const weft_row_t *row,
                  int64_t now_ms)
{
    weft_row_state_t state = WEFT_ROW_QUEUED;
    weft_row_t mine = *row;
    if (self->mode != MODE_LIVE)
        state = WEFT_ROW_SKIPPED;
    else if (is_free (self, now_ms) && self->failures == 0 &&
             self->queued + self->queued_change == 0 && room_of (self) > 0)
        state = WEFT_ROW_INFLIGHT;
    int rc = weft_outbox_add (outbox, self->name, state, row, &mine.id);
    if (rc || mine.id == 0)
        return rc;
    if (self->mode == MODE_DRY_RUN)
        weft_log (WEFT_DEBUG, "SINK-DRY-RUN", "sink %s: %s", self->name,
                  row->key);
    self->added += state != WEFT_ROW_SKIPPED;
    self->queued_change += state == WEFT_ROW_QUEUED;
    if (state == WEFT_ROW_INFLIGHT)
        weft_courier_batch_take (&self->taken, &mine);
    return self->taken.error ? WEFT_EAGAIN : 0;
}

//  Takes those that have lost their texts out of the rows from `first` on: there
//  is nothing to send, and the others need not wait for them.
static int
bury_lost (weft_courier_t *self,
           weft_outbox_t *outbox,
           uint32_t first,
           double now)
{
    weft_courier_batch_t *taken = &self->taken;
    const weft_answer_t dead = { .sent = WEFT_SENT_DEAD,
                                 .body = "lost its text" };
    uint32_t n = first;
    int rc = 0;
    for (uint32_t i = first; i < taken->n && !rc; i++) {
        if (taken->rows[i].lost)
            rc = weft_courier_batch_answer (&self->lost, taken->rows[i].id,
                                            &dead);
        else
            taken->rows[n++] = taken->rows[i];
    }
    taken->n = n;
    self->queued_change -= self->lost.n;
    return rc ? WEFT_EAGAIN
              : weft_courier_write (self, outbox, &self->lost, now);
}

//  Puts the rows from `first` on in flight.
static int
claim_taken (weft_courier_t *self,
             weft_outbox_t *outbox,
             uint32_t first,
             double now)
{
    const weft_row_t *rows = self->taken.rows;
    uint32_t n = self->taken.n - first;
    int rc = 0;
    if (n > 0 && !self->one_by_one) {
        weft_run_t run = { WEFT_ROW_QUEUED, rows[first].id,
                           rows[first + n - 1].id, n };
        return weft_courier_move_run (self, outbox, &run, WEFT_ROW_INFLIGHT,
                                      now);
    }
    for (uint32_t i = first; i < self->taken.n && !rc; i++)
        rc = weft_outbox_move (outbox, rows[i].id, WEFT_ROW_INFLIGHT, now, 0, 0,
                               NULL);
    return rc;
}

int
weft_courier_claim (weft_courier_t *self,
                    weft_outbox_t *outbox,
                    int64_t now_ms,
                    double now)
{
    uint32_t room = room_of (self);
    if (!is_free (self, now_ms) || self->queued + self->queued_change <= 0 ||
        room == 0 ||
        (now_ms < self->quiet_until_ms && self->queued_change <= 0))
        return 0;
    uint32_t first = self->taken.n;
    int rc = weft_outbox_list (outbox, self->name, WEFT_ROW_QUEUED, now, room,
                               weft_courier_batch_take, &self->taken);
    if (!rc && self->taken.error)
        rc = WEFT_EAGAIN;
    if (!rc)
        rc = bury_lost (self, outbox, first, now);
    if (!rc)
        rc = claim_taken (self, outbox, first, now);
    self->queued_change -= self->taken.n - first;
    if (!rc && self->taken.n == first)
        self->quiet_until_ms = now_ms + QUIET_MS;
    return rc;
}

//  Said when it is so for good, thus once.
static void
tell_lost (const weft_courier_t *self)
{
    for (uint32_t i = 0; i < self->lost.n; i++)
        weft_log (WEFT_ERROR, "OUTBOX-TEXT",
                  "sink %s: row %lld has lost its text, it is dead", self->name,
                  (long long)self->lost.rows[i].id);
    weft_metric_add (self->sent[WEFT_SENT_DEAD], (double)self->lost.n);
}

static void
forget_changes (weft_courier_t *self)
{
    weft_courier_batch_clear (&self->lost);
    self->settling = false;
    self->added = self->finished = self->to_verify = self->queued_change = 0;
}

void
weft_courier_committed (weft_courier_t *self)
{
    tell_lost (self);
    if (self->settling)
        weft_courier_batch_clear (&self->answered);
    self->waiting += self->added - self->finished;
    self->verify += self->to_verify;
    self->queued += self->queued_change;
    self->one_by_one = false;
    forget_changes (self);
}

void
weft_courier_rolled_back (weft_courier_t *self)
{
    weft_courier_batch_clear (&self->taken);
    forget_changes (self);
}

void
weft_courier_tell (weft_courier_t *self, double oldest, double now)
{
    weft_metric_set (self->queue, (double)self->waiting);
    weft_metric_set (self->oldest, oldest > 0 ? fmax (0, now - oldest) : 0);
    weft_metric_set (self->open, self->failures > 0);
}

int64_t
weft_courier_waiting (const weft_courier_t *self)
{
    return self->waiting;
}
