//  weft_notifier_flips.c - a class flip becomes rows of the outbox and an event.

#include <jansson.h>

#include "weft_contracts.h"
#include "weft_log.h"
#include "weft_notifier_parts.h"
#include "weft_payload.h"
#include "weft_time.h"

#define LOOK_MS 500     //  how often events are published
#define PRUNE_MS 60000  //  how often what was told is forgotten
#define EVENT_MOST 4096

typedef struct {
    weft_notifier_t *self;
    const weft_alert_t *alert;
    int64_t now_ms;
    double now;
} telling_t;

static bool
has_filter (const weft_notifier_setup_t *setup, weft_str_t name)
{
    for (uint32_t i = 0; i < weft_filters_count (setup->filters); i++)
        if (weft_str_is (name, weft_filters_name (setup->filters, i)))
            return true;
    return false;
}

static json_t *
text (weft_str_t from)
{
    json_t *json = json_stringn (from.p ? from.p : "", from.n);
    return json ? json : json_string ("?");
}

//  What people get: the object, the alert, both classes.
static int
write_row (const telling_t *it, const weft_flip_t *flip, const char *key)
{
    char id[24];
    weft_notifier_t *self = it->self;
    const weft_envelope_v1_t *envelope = weft_alert_envelope (it->alert);
    snprintf (id, sizeof id, "%lld", (long long)envelope->alert_id);
    json_t *json = json_pack (
        "{s:s, s:o, s:o, s:s, s:f, s:o, s:o, s:f, s:f, s:o, s:o}", "event",
        "class_flip", "survey", text (envelope->survey), "object_id",
        text (envelope->object_id), "alert_id", id, "t_obs", envelope->t_obs,
        "from", text (flip->from), "to", text (flip->to), "p_from",
        (double)flip->p_from, "p_to", (double)flip->p_to, "model",
        text (flip->model), "version", text (flip->version));
    char *body =
        json ? json_dumps (json, JSON_COMPACT | JSON_REAL_PRECISION (15))
             : NULL;
    json_decref (json);
    if (!body)
        return WEFT_ENOMEM;
    weft_buf_clear (&self->row);
    weft_payload_address (weft_str (body), key, flip->filter,
                          envelope->t_received, it->now, &self->row);
    free (body);
    return self->row.error;
}

//  For everybody else: an event.v1, once for an alert and a former class.
static int
leave_event (const telling_t *it, const weft_flip_t *flip)
{
    char id[WEFT_KEY_MOST], reason[160];
    const weft_envelope_v1_t *envelope = weft_alert_envelope (it->alert);
    weft_event_v1_t event;
    weft_buf_t out;
    snprintf (id, sizeof id, "flip/%.*s/%.*s/%lld/%.*s",
              (int)envelope->survey.n, envelope->survey.p,
              (int)envelope->object_id.n, envelope->object_id.p,
              (long long)envelope->alert_id, (int)flip->from.n, flip->from.p);
    snprintf (reason, sizeof reason, "%.*s %.16s: %.3f against %.3f",
              (int)flip->model.n, flip->model.p,
              flip->version.n >= 16 ? flip->version.p : "", (double)flip->p_to,
              (double)flip->p_from);
    weft_contract_clear (&weft_event_v1, &event);
    WEFT_SET (event_v1, &event, event_id, weft_str (id));
    WEFT_SET (event_v1, &event, kind, weft_str ("class_flip"));
    WEFT_SET (event_v1, &event, survey, envelope->survey);
    WEFT_SET (event_v1, &event, object_id, envelope->object_id);
    WEFT_SET (event_v1, &event, alert_id, envelope->alert_id);
    WEFT_SET (event_v1, &event, from, flip->from);
    WEFT_SET (event_v1, &event, to, flip->to);
    WEFT_SET (event_v1, &event, at, weft_time_mjd_tai ());
    WEFT_SET (event_v1, &event, reason, weft_str (reason));
    weft_buf_init (&out, EVENT_MOST);
    int rc = weft_contract_encode (&weft_event_v1, &event, &out);
    rc = rc ? rc : weft_flips_event (it->self->flips, id, &out);
    weft_buf_fini (&out);
    return rc;
}

//  A filter or sink that is not configured any more hears nothing.
static int
tell_flip (void *arg, const weft_flip_t *flip)
{
    const telling_t *it = arg;
    char bare[WEFT_KEY_MOST], key[WEFT_KEY_MOST + 8], object[64];
    const weft_envelope_v1_t *envelope = weft_alert_envelope (it->alert);
    weft_courier_t *courier =
        weft_notifier_courier (it->self->setup, flip->sink);
    if (!courier || !has_filter (it->self->setup, flip->filter))
        return 0;
    weft_payload_key (envelope, flip->filter, bare);
    snprintf (key, sizeof key, "flip/%s", bare);
    weft_str_copy (envelope->object_id, object, sizeof object);
    int rc = write_row (it, flip, key);
    weft_row_t row = { .key = key,
                       .object = object,
                       .payload = (const char *)it->self->row.data,
                       .payload_size = it->self->row.size,
                       .created = it->now,
                       .alert_id = envelope->alert_id };
    if (!rc)
        rc = weft_courier_add (courier, it->self->outbox, &row, it->now_ms);
    rc = rc ? rc : leave_event (it, flip);
    if (!rc)
        weft_metric_add (weft_counter ("weft_class_flips_total", ""), 1);
    return rc;
}

bool
weft_notifier_flips_on (const weft_notifier_t *self)
{
    return self->setup->flip_margin > 0;
}

bool
weft_notifier_concerns (const weft_notifier_t *self, const weft_alert_t *alert)
{
    return weft_notifier_flips_on (self) &&
           weft_flips_concern (self->flips, weft_alert_envelope (alert));
}

int
weft_notifier_add_flips (weft_notifier_t *self,
                         const weft_alert_t *alert,
                         int64_t now_ms,
                         double now)
{
    if (!weft_notifier_flips_on (self))
        return 0;
    telling_t it = { self, alert, now_ms, now };
    return weft_flips_check (self->flips, alert, self->setup->flip_margin, now,
                             tell_flip, &it);
}

int
weft_notifier_note_told (weft_notifier_t *self,
                         const weft_alert_t *alert,
                         weft_str_t filter,
                         weft_str_t sink,
                         double now)
{
    return weft_notifier_flips_on (self)
               ? weft_flips_told (self->flips, alert, filter, sink, now)
               : 0;
}

void
weft_notifier_beat_flips (weft_notifier_t *self, int64_t now_ms)
{
    uint32_t n = 0;
    if (now_ms >= self->next_flips_ms && self->queries.redis) {
        int rc = weft_flips_publish (self->flips, self->queries.redis, &n);
        self->next_flips_ms = now_ms + (n && !rc ? 0 : LOOK_MS);
        if (rc && rc != WEFT_EDOWN && rc != WEFT_EAGAIN)
            weft_log (WEFT_WARN, "FLIPS-UNTOLD",
                      "events of flips cannot be written to Redis: %s",
                      weft_error_text (rc));
    }
    if (now_ms < self->next_forget_ms)
        return;
    self->next_forget_ms = now_ms + PRUNE_MS;
    double before = weft_time_utc () - (double)self->setup->keep_days * 86400;
    int rc = weft_flips_prune (self->flips, before);
    if (rc)
        weft_log (WEFT_WARN, "FLIPS-UNPRUNED",
                  "old rows of `told` cannot be deleted: %s",
                  weft_error_text (rc));
}
