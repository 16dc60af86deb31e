//  weft_stage_work.c - runs the service's functions on what has arrived.

#include "weft_stage_parts.h"

#include "weft_time.h"

#include <stdarg.h>

//  How long one turn may run functions: sockets are read and settlements sent
//  in between, so that the stages before and behind work at the same time.
enum { TURN_MS = 5, BATCH = 64 };

static _Thread_local char reason[WEFT_LINK_REASON_MAX + 1];

void
weft_stage_reason (const char *format, ...)
{
    va_list args;
    va_start (args, format);
    vsnprintf (reason, sizeof reason, format, args);
    va_end (args);
}

void
weft_stage_clear_reason (void)
{
    reason[0] = '\0';
}

const char *
weft_stage_last_reason (void)
{
    return reason;
}

int
weft_stage_call (const weft_stage_spec_t *spec,
                 void *service,
                 const weft_alert_t *alert,
                 weft_buf_t *section)
{
    int rc = 0;
    if (spec->fn)
        rc = spec->fn (service, alert, section);
    else
        spec->fn_batch (service, &alert, section, &rc, 1);
    return rc ? rc : section->error;
}

static weft_stage_work_t *
work_at (const weft_stage_t *self, size_t index)
{
    return &self->work[(self->first_work + index) & (self->room_work - 1)];
}

//  What the machine dispatches is bounded by its window; the ring grows as far.
void
weft_stage_push_work (weft_stage_t *self,
                      weft_held_t *held,
                      weft_alert_t *alert)
{
    if (self->n_work == self->room_work) {
        size_t room = self->room_work ? self->room_work * 2 : 256;
        weft_stage_work_t *ring = calloc (room, sizeof *ring);
        assert (ring && "memory for the window");
        for (size_t i = 0; i < self->n_work; i++)
            ring[i] = *work_at (self, i);
        free (self->work);
        self->work = ring;
        self->room_work = room;
        self->first_work = 0;
    }
    *work_at (self, self->n_work++) = (weft_stage_work_t){ held, alert };
}

weft_item_t
weft_stage_item (weft_alert_t *alert)
{
    weft_item_t item = { .item = alert, .bytes = weft_alert_size (alert) };
    for (size_t i = 0; i < weft_alert_frames (alert); i++)
        item.largest = WEFT_MAX (item.largest,
                                 weft_frame_size (weft_alert_frame (alert, i)));
    return item;
}

//  The alert with the new section behind it. Takes `section`. Nothing at all
//  (item NULL) if a last stage has no effect to carry out.
int
weft_stage_make_output (const weft_stage_t *self,
                        const weft_alert_t *alert,
                        weft_frame_t *section,
                        weft_item_t *out)
{
    bool empty = !section || weft_frame_size (section) == 0;
    *out = (weft_item_t){ .item = NULL };
    if (empty) {
        weft_frame_unref (&section);
        if (!self->upstream)
            return 0;
    }
    weft_alert_t *fork = weft_alert_fork (alert);
    if (!fork) {
        weft_frame_unref (&section);
        return WEFT_EAGAIN;
    }
    int rc = empty ? 0 : weft_alert_append (fork, section);
    if (rc)
        weft_alert_unref (&fork);
    else
        *out = weft_stage_item (fork);
    return rc;
}

void
weft_stage_note_fatal (weft_stage_t *self, int rc)
{
    if (rc == 0 || weft_error_class (rc) != WEFT_CLASS_FATAL)
        return;
    weft_log (WEFT_ERROR, "STAGE-FATAL", "%s: %s", weft_error_name (rc),
              reason[0] ? reason : weft_error_text (rc));
    weft_stage_set_state (self, WEFT_STAGE_ERROR);
    self->exit_code = 1;
    self->over = true;
}

//  Alerts that ingest has sampled tell where they are. The envelope is frozen,
//  so a stage's span has the trace's id and the stage's name.
static void
trace (const weft_stage_t *self, const weft_alert_t *alert, int rc)
{
    const weft_envelope_v1_t *e = weft_alert_envelope (alert);
    if (!WEFT_HAS (envelope_v1, e, traceparent))
        return;
    weft_log (WEFT_INFO, "STAGE-TRACE",
              "%.*s alert %lld stage %s %.0f us age %.3f s%s%s",
              (int)e->traceparent.n, e->traceparent.p, (long long)e->alert_id,
              self->spec->name, self->last_us,
              (self->mjd_now - e->t_received) * 86400.0, rc ? " " : "",
              rc ? weft_error_name (rc) : "");
}

//  One alert is through its function.
static void
returned (weft_stage_t *self,
          const weft_stage_work_t *work,
          int rc,
          const weft_buf_t *section)
{
    weft_item_t out = { .item = NULL };
    if (!rc) {
        weft_frame_t *frame =
            section->size ? weft_frame_copy (section->data, section->size)
                          : NULL;
        rc = section->size && !frame
                 ? WEFT_EAGAIN
                 : weft_stage_make_output (self, work->alert, frame, &out);
    }
    weft_stage_note_fatal (self, rc);
    if (rc && reason[0] && !weft_held_orphan (work->held))
        weft_held_set_reason (work->held, reason);
    if (!rc)
        weft_stage_observe_age (self, work->alert);
    trace (self, work->alert, rc);
    if (!rc)
        weft_stage_show (self, self->upstream ? out.item : work->alert);
    weft_custody_returned (self->custody, self->now, work->held, rc, &out);
}

static void
account (weft_stage_t *self, int64_t from_ns, int64_t to_ns, size_t n)
{
    double us = (double)(to_ns - from_ns) / 1000.0 / (double)n;
    self->last_us = us;
    self->cost_us += (us - self->cost_us) * 0.1;
    for (size_t i = 0; i < n; i++)
        weft_metric_observe (self->metrics.seconds, us * 1e-6);
}

static void
drop_first (weft_stage_t *self, size_t n)
{
    self->first_work = (self->first_work + n) & (self->room_work - 1);
    self->n_work -= n;
}

static void
run_one (weft_stage_t *self)
{
    weft_stage_work_t work = *work_at (self, 0);
    drop_first (self, 1);
    weft_buf_t *section = &self->sections[0];
    weft_buf_clear (section);
    weft_stage_clear_reason ();
    int64_t from = weft_time_ns ();
    int rc =
        weft_held_orphan (work.held)
            ? WEFT_EAGAIN
            : weft_stage_call (self->spec, self->service, work.alert, section);
    account (self, from, weft_time_ns (), 1);
    returned (self, &work, rc, section);
}

//  As many as have arrived, yet not more than get done within a beat.
static size_t
batch_size (const weft_stage_t *self)
{
    size_t most = self->spec->batch_most ? self->spec->batch_most : BATCH;
    double beat_us = (double)self->settings->link.beat_ms * 1000.0;
    double fits = beat_us / WEFT_MAX (self->cost_us, 1.0);
    size_t n = WEFT_MIN (most, self->n_work);
    return fits < (double)n ? (size_t)WEFT_MAX (fits, 1.0) : n;
}

static void
run_batch (weft_stage_t *self)
{
    enum { MOST = 1024 };
    const weft_alert_t *alerts[MOST];
    weft_stage_work_t work[MOST];
    int results[MOST] = { 0 };
    size_t n = WEFT_MIN (batch_size (self), MOST);
    for (size_t i = 0; i < n; i++) {
        work[i] = *work_at (self, i);
        alerts[i] = work[i].alert;
        weft_buf_clear (&self->sections[i]);
    }
    drop_first (self, n);
    weft_stage_clear_reason ();
    int64_t from = weft_time_ns ();
    self->spec->fn_batch (self->service, alerts, self->sections, results, n);
    account (self, from, weft_time_ns (), n);
    for (size_t i = 0; i < n; i++) {
        int rc = results[i] ? results[i] : self->sections[i].error;
        returned (self, &work[i], rc, &self->sections[i]);
    }
}

void
weft_stage_work (weft_stage_t *self)
{
    int64_t until = self->now + TURN_MS;
    while (self->n_work > 0 && self->now <= until && !self->over) {
        if (self->spec->fn)
            run_one (self);
        else
            run_batch (self);
        self->now = weft_time_ms ();
    }
}

//  The child has ended its job.
static void
report_isolated (weft_stage_t *self, weft_isolated_t *ended)
{
    if (self->canary) {
        bool passed = ended->how == WEFT_CHILD_RETURNED && ended->rc == 0;
        if (!passed)
            weft_log (WEFT_ERROR, "STAGE-CANARY-FAILED", "%s",
                      ended->reason[0] ? ended->reason
                                       : weft_error_text (ended->rc));
        weft_frame_unref (&ended->section);
        weft_worker_canary (self->worker, self->now, passed);
        return;
    }
    weft_held_t *held = self->isolated;
    weft_item_t out = { .item = NULL };
    int rc = ended->rc;
    if (ended->how == WEFT_CHILD_RETURNED && !rc) {
        rc = weft_stage_make_output (self, self->isolated_alert, ended->section,
                                     &out);
        ended->section = NULL;
        if (!rc)
            weft_stage_show (self,
                             self->upstream ? out.item : self->isolated_alert);
    }
    if (ended->reason[0] && !weft_held_orphan (held))
        weft_held_set_reason (held, ended->reason);
    self->isolated = NULL;
    weft_metric_add (self->metrics.isolated, 1);
    weft_custody_isolated (self->custody, self->now, ended->how, rc, &out);
}

void
weft_stage_isolated_turn (weft_stage_t *self)
{
    weft_isolated_t ended;
    if (self->canary_due) {
        self->canary_due = false;
        weft_worker_canary (self->worker, self->now, true);
    }
    if (self->isolation &&
        weft_isolation_turn (self->isolation, self->now, &ended))
        report_isolated (self, &ended);
}
