//  weft_notifier_record.c - what filters saw and said, kept for questions.

#include <jansson.h>
#include <limits.h>
#include <unistd.h>

#include "weft_effect.h"
#include "weft_log.h"
#include "weft_notifier_parts.h"
#include "weft_release.h"
#include "weft_time.h"

#define STATE_MS 2000   //  how often the state of the filters is written
#define PLACE_MS 60000  //  how often Redis is told where all this is

void
weft_notifier_open_record (weft_notifier_t *self)
{
    char folder[sizeof self->outbox_path + 8], why[300] = "";
    const weft_notifier_setup_t *setup = self->setup;
    snprintf (folder, sizeof folder, "%s.record", self->outbox_path);
    int rc = weft_record_open (&self->record, folder, setup->record_bytes,
                               setup->record_nights, why, sizeof why);
    if (!rc)
        rc = weft_record_filters (self->record, setup->version_number,
                                  &setup->text);
    //  Alerts go on: this is for questions only.
    if (rc)
        weft_log (WEFT_ERROR, "RECORD-UNUSABLE", "%s: %s",
                  why[0] ? why : folder, weft_error_text (rc));
    self->next_state_ms = self->next_place_ms = 0;
}

void
weft_notifier_record_setup (weft_notifier_t *self)
{
    const weft_notifier_setup_t *setup = self->setup;
    self->next_state_ms = 0;
    if (!self->record)
        return;
    weft_record_limit (self->record, setup->record_bytes, setup->record_nights);
    if (weft_record_filters (self->record, setup->version_number, &setup->text))
        weft_log (WEFT_ERROR, "RECORD-UNUSABLE", "the filters' text");
}

void
weft_notifier_note_seen (weft_notifier_t *self,
                         const weft_alert_t *const *alerts,
                         const weft_buf_t *effects,
                         size_t n)
{
    uint64_t lost = 0;
    if (!self->record || self->setup->record_bytes == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        weft_effect_t effect;
        if (effects[i].size == 0 ||
            weft_effect_open (&effect, effects[i].data, effects[i].size))
            continue;
        weft_record_add (self->record, alerts[i], effect.version, effect.said.p,
                         effect.said.n);
    }
    if (!weft_record_flush (self->record, &lost))
        return;
    weft_metric_add (weft_counter ("weft_record_lost_total", ""), (double)lost);
    if (!self->record_failing)
        weft_log (WEFT_ERROR, "RECORD-LOST", "%llu alerts cannot be explained",
                  (unsigned long long)lost);
    self->record_failing = true;
}

static json_t *
filter_state (const weft_notifier_setup_t *setup, uint32_t i)
{
    const weft_filters_t *filters = setup->filters;
    const char *failure = weft_filters_failure (filters, i);
    return json_pack (
        "{s:s, s:s, s:s, s:s, s:I, s:I}", "name",
        weft_filters_name (filters, i), "owner",
        weft_filters_owner (filters, i), "state",
        weft_filters_quarantined (filters, i) ? "quarantined" : "live",
        "failure", failure, "passed", (json_int_t)setup->n_passed[i], "missed",
        (json_int_t)setup->n_missed[i]);
}

//  filters.json beside the record: `weft filters` shows it.
static void
write_state (weft_notifier_t *self)
{
    char path[PATH_MAX], made[PATH_MAX];
    const weft_notifier_setup_t *setup = self->setup;
    snprintf (path, sizeof path, "%s.record/filters.json", self->outbox_path);
    snprintf (made, sizeof made, "%s.new", path);
    json_t *list = json_array ();
    for (uint32_t i = 0; i < weft_filters_count (setup->filters); i++)
        json_array_append_new (list, filter_state (setup, i));
    json_t *state =
        json_pack ("{s:s, s:f, s:f, s:o}", "version", setup->version, "at",
                   weft_time_utc (), "since", setup->since, "filters", list);
    if (!state || json_dump_file (state, made, JSON_INDENT (1)) ||
        rename (made, path))
        weft_log (WEFT_WARN, "FILTERS-UNTOLD",
                  "%s cannot be written: weft filters shows an old state",
                  path);
    json_decref (state);
}

//  Where the outbox and the record are, for commands on this machine.
static void
tell_place (weft_notifier_t *self)
{
    char host[256] = "", path[PATH_MAX];
    weft_batch_t *batch = weft_batch_new (self->queries.redis, 0);
    if (!batch || gethostname (host, sizeof host - 1) ||
        !realpath (self->outbox_path, path)) {
        weft_batch_destroy (&batch);
        return;
    }
    weft_batch_begin (batch, 4);
    weft_batch_str (batch, "HSET");
    weft_batch_str (batch, "notifier:places");
    weft_batch_str (batch, path);
    weft_batch_str (batch, host);
    if (weft_batch_run (batch))
        self->next_place_ms = 0;
    weft_batch_destroy (&batch);
}

//  Filters that an operator lets go on.
static void
release_some (weft_notifier_t *self)
{
    weft_notifier_setup_t *setup = self->setup;
    for (uint32_t i = 0; i < weft_filters_count (setup->filters); i++) {
        char name[80];
        bool released = false;
        if (!weft_filters_quarantined (setup->filters, i))
            continue;
        snprintf (name, sizeof name, "filter/%s",
                  weft_filters_name (setup->filters, i));
        if (weft_release_get (self->queries.redis, name, &released))
            return;
        if (!released)
            continue;
        weft_filters_release (setup->filters, i);
        setup->told[i] = setup->told_out[i] = false;
        weft_log (WEFT_INFO, "FILTER-RELEASED", "filter %s of %s",
                  weft_filters_name (setup->filters, i),
                  weft_filters_owner (setup->filters, i));
    }
}

void
weft_notifier_beat_record (weft_notifier_t *self, int64_t now_ms)
{
    self->record_failing = false;
    if (self->queries.redis && now_ms >= self->next_place_ms) {
        self->next_place_ms = now_ms + PLACE_MS;
        tell_place (self);
    }
    if (now_ms < self->next_state_ms)
        return;
    self->next_state_ms = now_ms + STATE_MS;
    if (self->queries.redis)
        release_some (self);
    if (self->record)
        write_state (self);
}
