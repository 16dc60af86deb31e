//  weft_courier_send.c - rows out to the sink, and what its answers mean.

#include <math.h>

#include "weft_courier_parts.h"
#include "weft_hash.h"
#include "weft_log.h"
#include "weft_time.h"

#define BACKOFF_FIRST_MS 250  //  the first pause is up to this long
#define BAD_ROWS 8            //  failures in a row that are the sink's

static void
batch_swap (weft_courier_batch_t *a, weft_courier_batch_t *b)
{
    weft_courier_batch_t t = *a;
    *a = *b;
    *b = t;
}

//  The next pause: anything up to a bound that doubles with each failure, so
//  that many senders do not come back at the same moment; at least what the
//  peer asked for.
static void
fail (weft_courier_t *self,
      int64_t now_ms,
      int status,
      const char *words,
      double wish_s)
{
    if (weft_courier_open (self, now_ms))
        return;  //  of the same burst
    double bound = BACKOFF_FIRST_MS * pow (2, WEFT_MIN (self->failures, 20));
    bound = fmin (bound, (double)self->kind->backoff_most_ms);
    uint64_t dice = weft_hash_u64 ((uint64_t)weft_time_ns ());
    double pause = (double)(dice >> 11) * 0x1p-53 * bound;
    self->open_until_ms = now_ms + 1 + (int64_t)fmax (pause, 1000 * wish_s);
    if (!*words)
        words = status / 100 == 3
                    ? "it redirects; name the address that it redirects to"
                    : "it answers without a word why";
    if (self->failures++ == 0)
        weft_log (WEFT_WARN, "SINK-DOWN", "sink %s: %s (%d); %lld rows wait",
                  self->name, words, status, (long long)self->waiting);
}

static void
succeed (weft_courier_t *self)
{
    if (self->failures > 0)
        weft_log (WEFT_INFO, "SINK-UP", "sink %s takes rows again, %lld wait",
                  self->name, (long long)self->waiting);
    self->failures = self->bad_rows = 0;
}

//  Does the sink as a whole fail? Then no row is to blame.
static bool
is_failing (const weft_courier_t *self)
{
    return self->failures > 0 || self->bad_rows >= BAD_ROWS;
}

//  What an answer says about the sink.
static void
learn (weft_courier_t *self, const weft_answer_t *answer, int64_t now_ms)
{
    bool bad = answer->sent == WEFT_SENT_RETRY ||
               answer->sent == WEFT_SENT_VERIFY || answer->tired;
    //  One that was under way when the others failed does not end the pause.
    if (!bad && weft_courier_open (self, now_ms))
        return;
    if (!bad)
        succeed (self);
    else if (!answer->row_only)
        fail (self, now_ms, answer->status, answer->body, answer->wait_s);
    else if (!answer->unsent && ++self->bad_rows >= BAD_ROWS)
        fail (self, now_ms, answer->status, answer->body, 0);
}

//  Takes in the answers that have come.
void
weft_courier_gather (weft_courier_t *self, int64_t now_ms)
{
    int64_t id;
    weft_answer_t answer;
    while (self->under_way > 0 && self->answered.n < WEFT_COURIER_BATCH &&
           self->kind->collect (self->sink, &id, &answer)) {
        self->under_way--;
        learn (self, &answer, now_ms);
        if (answer.tired && is_failing (self))
            answer.sent = WEFT_SENT_RETRY;
        //  Attempts count while the sink works, and if they reached it.
        if (answer.sent == WEFT_SENT_RETRY && is_failing (self))
            answer.unsent = true;
        if (!answer.unsent)
            weft_metric_add (self->sent[answer.sent], 1);
        //  Without memory it stays in flight, and is verified at the next start.
        if (weft_courier_batch_answer (&self->answered, id, &answer))
            weft_log (WEFT_ERROR, "SINK-ANSWER-LOST", "sink %s: row %lld",
                      self->name, (long long)id);
    }
}

static const weft_row_state_t states[] = { WEFT_ROW_DONE, WEFT_ROW_QUEUED,
                                           WEFT_ROW_VERIFY, WEFT_ROW_DEAD };

static int
write_one (weft_outbox_t *outbox,
           int64_t id,
           const weft_answer_t *answer,
           double now)
{
    int rc = weft_outbox_move (outbox, id, states[answer->sent], now,
                               answer->wait_s > 0 ? now + answer->wait_s : 0,
                               answer->status,
                               answer->body[0] ? answer->body : NULL);
    if (!rc && answer->unsent)
        rc = weft_outbox_forgive (outbox, id);
    return rc;
}

//  How many rows from `i` on were in flight and are done, without a word from
//  the peer. Of a sink that answers at once no other rows are in flight, so they
//  are told by their first and last id.
static uint32_t
count_done (const weft_courier_t *self,
            const weft_courier_batch_t *batch,
            uint32_t i)
{
    uint32_t n = 0;
    if (self->kind->collect || self->one_by_one || batch != &self->answered)
        return 0;
    for (; i + n < batch->n; n++) {
        const weft_answer_t *answer = &batch->answers[i + n];
        if (answer->sent != WEFT_SENT_DONE || answer->status ||
            answer->body[0] || answer->unsent)
            break;
        if (n > 0 && batch->rows[i + n].id <= batch->rows[i + n - 1].id)
            break;
    }
    return n;
}

int
weft_courier_move_run (weft_courier_t *self,
                       weft_outbox_t *outbox,
                       const weft_run_t *run,
                       weft_row_state_t state,
                       double now)
{
    int rc = weft_outbox_move_run (outbox, self->name, run, state, now);
    self->one_by_one = rc == WEFT_EBUG;
    return rc;
}

//  Writes answers to the outbox, within the running transaction.
int
weft_courier_write (weft_courier_t *self,
                    weft_outbox_t *outbox,
                    const weft_courier_batch_t *batch,
                    double now)
{
    for (uint32_t i = 0; i < batch->n;) {
        const weft_answer_t *answer = &batch->answers[i];
        weft_row_state_t state = states[answer->sent];
        uint32_t n = count_done (self, batch, i);
        int rc;
        if (n > 1) {
            weft_run_t run = { WEFT_ROW_INFLIGHT, batch->rows[i].id,
                               batch->rows[i + n - 1].id, n };
            rc = weft_courier_move_run (self, outbox, &run, state, now);
        } else {
            rc = write_one (outbox, batch->rows[i].id, answer, now);
            n = 1;
        }
        if (rc)
            return rc;
        self->finished +=
            state == WEFT_ROW_DONE || state == WEFT_ROW_DEAD ? n : 0;
        self->queued_change += state == WEFT_ROW_QUEUED;
        self->to_verify += state == WEFT_ROW_VERIFY;
        i += n;
    }
    return 0;
}

static int
verify_batch (weft_courier_t *self,
              weft_outbox_t *outbox,
              weft_courier_batch_t *batch,
              int64_t now_ms,
              double now)
{
    weft_courier_batch_fix (batch);
    int rc =
        self->kind->verify (self->sink, batch->rows, batch->n, batch->answers);
    if (rc) {
        fail (self, now_ms, rc, "cannot be asked what it has", 0);
        return 0;
    }
    rc = weft_outbox_begin (outbox);
    if (!rc)
        rc = weft_courier_write (self, outbox, batch, now);
    if (!rc)
        rc = weft_outbox_commit (outbox);
    if (rc) {
        weft_courier_rolled_back (self);
        return rc;
    }
    weft_log (WEFT_INFO, "SINK-VERIFIED",
              "sink %s: of %u rows in doubt it had %lld", self->name, batch->n,
              (long long)self->finished);
    if (self->kind->collect)
        weft_metric_add (self->resent, (double)batch->n);
    self->verify -= batch->n;
    weft_courier_committed (self);
    return 0;
}

int
weft_courier_verify (weft_courier_t *self,
                     weft_outbox_t *outbox,
                     int64_t now_ms,
                     double now)
{
    if (self->verify == 0 || self->mode != MODE_LIVE ||
        weft_courier_open (self, now_ms) ||
        (self->answered.n > 0 && !self->kind->collect))
        return 0;
    weft_courier_batch_t batch;
    weft_courier_batch_init (&batch);
    int rc =
        weft_outbox_list (outbox, self->name, WEFT_ROW_VERIFY, INFINITY,
                          WEFT_COURIER_VERIFY, weft_courier_batch_take, &batch);
    if (!rc)
        rc = batch.error;
    if (!rc)
        rc = verify_batch (self, outbox, &batch, now_ms, now);
    weft_courier_batch_fini (&batch);
    return rc;
}

//  Rows that are answered later go out of our hands; what was refused is
//  answered already.
static void
hand_over (weft_courier_t *self, int64_t now_ms)
{
    weft_courier_batch_t *batch = &self->taken;
    self->kind->send (self->sink, batch->rows, batch->n, batch->answers);
    for (uint32_t i = 0; i < batch->n; i++) {
        const weft_answer_t *answer = &batch->answers[i];
        if (answer->sent == WEFT_SENT_LATER) {
            self->under_way++;
            continue;
        }
        learn (self, answer, now_ms);
        if (weft_courier_batch_answer (&self->answered, batch->rows[i].id,
                                       answer))
            weft_log (WEFT_ERROR, "SINK-ANSWER-LOST", "sink %s: row %lld",
                      self->name, (long long)batch->rows[i].id);
    }
    weft_courier_batch_clear (batch);
}

//  Rows that are answered at once: one failure is that of the batch.
static void
send_now (weft_courier_t *self, int64_t now_ms)
{
    assert (self->answered.n == 0);
    weft_courier_batch_t *batch = &self->taken;
    int64_t start = weft_time_ns ();
    self->kind->send (self->sink, batch->rows, batch->n, batch->answers);
    weft_metric_observe (self->seconds,
                         (double)(weft_time_ns () - start) / 1e9);
    const weft_answer_t *bad = NULL;
    for (uint32_t i = 0; i < batch->n; i++) {
        const weft_answer_t *answer = &batch->answers[i];
        weft_metric_add (self->sent[answer->sent], 1);
        if (!bad && (answer->sent == WEFT_SENT_RETRY ||
                     answer->sent == WEFT_SENT_VERIFY))
            bad = answer;
    }
    if (bad)
        fail (self, now_ms, bad->status, bad->body, bad->wait_s);
    else
        succeed (self);
    batch_swap (&self->taken, &self->answered);
    weft_courier_batch_clear (&self->taken);
}

void
weft_courier_send (weft_courier_t *self, int64_t now_ms)
{
    if (self->taken.n == 0)
        return;
    weft_courier_batch_fix (&self->taken);
    if (self->kind->collect)
        hand_over (self, now_ms);
    else
        send_now (self, now_ms);
}

uint32_t
weft_courier_hold (weft_courier_t *self)
{
    weft_courier_gather (self, weft_time_ms ());
    if (self->under_way > 0)
        (void)self->kind->hold (self->sink);
    return self->under_way;
}

void
weft_courier_rest (weft_courier_t *self)
{
    if (self->kind->rest)
        self->kind->rest (self->sink);
}
