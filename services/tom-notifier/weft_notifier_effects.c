//  weft_notifier_effects.c - from an effect to rows in the outbox.

#include "weft_effect.h"
#include "weft_filters_text.h"
#include "weft_log.h"
#include "weft_notifier_parts.h"
#include "weft_payload.h"

static int
add_row (weft_notifier_t *self,
         const weft_alert_t *alert,
         const weft_effect_t *effect,
         const weft_effect_pass_t *pass,
         int64_t now_ms,
         double now)
{
    weft_courier_t *courier = weft_notifier_courier (self->setup, pass->sink);
    if (!courier) {
        weft_log (WEFT_WARN, "SINK-GONE", "sink %.*s: not configured any more",
                  (int)pass->sink.n, pass->sink.p);
        return 0;
    }
    char key[WEFT_KEY_MOST], object[64];
    const weft_envelope_v1_t *envelope = weft_alert_envelope (alert);
    weft_payload_key (envelope, pass->filter, key);
    weft_str_copy (envelope->object_id, object, sizeof object);
    weft_buf_clear (&self->row);
    weft_payload_address (effect->payload, key, pass->filter,
                          envelope->t_received, now, &self->row);
    if (self->row.error)
        return WEFT_EBUG;
    weft_row_t row = { .key = key,
                       .object = object,
                       .payload = (const char *)self->row.data,
                       .payload_size = self->row.size,
                       .created = now,
                       .alert_id = envelope->alert_id };
    return weft_courier_add (courier, self->outbox, &row, now_ms);
}

static void
count_pass (weft_notifier_setup_t *setup, uint32_t filter)
{
    weft_metric_add (setup->passed[filter], 1);
    setup->n_passed[filter]++;
}

//  A filter that did not see an alert: counted each time, said once.
static void
note_miss (weft_notifier_setup_t *setup, const weft_effect_miss_t *miss)
{
    uint32_t i = weft_filters_find (setup->filters, miss->filter);
    if (i == weft_filters_count (setup->filters))
        return;
    weft_metric_add (setup->missed[i], 1);
    setup->n_missed[i]++;
    bool *told = miss->quarantined ? &setup->told_out[i] : &setup->told[i];
    if (*told)
        return;
    *told = true;
    weft_log (WEFT_ERROR,
              miss->quarantined ? "FILTER-QUARANTINED" : "FILTER-FAILED",
              "filter %.*s of %.*s: %.*s; it has not seen the alert",
              (int)miss->filter.n, miss->filter.p, (int)miss->owner.n,
              miss->owner.p, (int)miss->why.n, miss->why.p);
}

int
weft_notifier_add_effect (weft_notifier_t *self,
                          const weft_alert_t *alert,
                          const weft_buf_t *bytes,
                          int64_t now_ms,
                          double now)
{
    weft_effect_t effect;
    weft_effect_pass_t pass;
    weft_effect_miss_t miss;
    //  Flips first: who is told of this alert knows its class then.
    int rc = weft_notifier_add_flips (self, alert, now_ms, now);
    rc = rc ? rc : weft_effect_open (&effect, bytes->data, bytes->size);
    while (!rc && !(rc = weft_effect_pass (&effect, &pass))) {
        rc = add_row (self, alert, &effect, &pass, now_ms, now);
        if (!rc)
            rc = weft_notifier_note_told (self, alert, pass.filter, pass.sink,
                                          now);
        uint32_t i = weft_filters_find (self->setup->filters, pass.filter);
        if (!rc && i < weft_filters_count (self->setup->filters))
            count_pass (self->setup, i);
    }
    if (rc == WEFT_EABSENT)
        rc = 0;
    while (!rc && !(rc = weft_effect_miss (&effect, &miss)))
        note_miss (self->setup, &miss);
    if (rc == WEFT_EABSENT || rc == 0)
        return 0;
    if (weft_error_class (rc) != WEFT_CLASS_REJECT)
        return rc;
    //  Our own function wrote it: not the alert's fault, nor to be dropped.
    weft_log (WEFT_ERROR, "EFFECT-MALFORMED",
              "what our own function wrote of an alert cannot be read: %s",
              weft_error_text (rc));
    return WEFT_EBUG;
}
