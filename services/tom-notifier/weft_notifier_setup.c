//  weft_notifier_setup.c - filters and couriers out of the options.

#include "weft_filters_text.h"
#include "weft_notifier_parts.h"
#include "weft_sink.h"
#include "weft_time.h"

#define TEXT_MOST (8 << 20)  //  bytes of the filters' text

void
weft_notifier_setup_destroy (weft_notifier_setup_t **self_p)
{
    weft_notifier_setup_t *self = *self_p;
    if (!self)
        return;
    weft_filters_destroy (&self->filters);
    weft_buf_fini (&self->text);
    for (uint32_t i = 0; i < self->n_couriers; i++)
        weft_courier_destroy (&self->couriers[i]);
    free (self);
    *self_p = NULL;
}

weft_courier_t *
weft_notifier_courier (const weft_notifier_setup_t *setup, weft_str_t name)
{
    for (uint32_t i = 0; i < setup->n_couriers; i++)
        if (weft_str_is (name, weft_courier_name (setup->couriers[i])))
            return setup->couriers[i];
    return NULL;
}

//  Two sinks that write one file would find each other's keys in it, and cut
//  off each other's lines.
static bool
is_shared (const weft_sink_option_t *sinks, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (sinks[i].path[0] && !strcmp (sinks[i].path, sinks[k].path))
            return true;
    return false;
}

static int
make_couriers (weft_notifier_setup_t *self,
               const weft_notifier_options_t *options,
               char *why,
               size_t room)
{
    const weft_sink_option_t *sinks = options->sinks.items;
    if (options->sinks.n > WEFT_SINKS_MOST) {
        snprintf (why, room, "sinks: at most %d are expected", WEFT_SINKS_MOST);
        return WEFT_ECONFIG;
    }
    for (uint32_t i = 0; i < options->sinks.n; i++) {
        if (weft_notifier_courier (self, weft_str (sinks[i].name))) {
            snprintf (why, room, "sink \"%s\": two sinks have this name",
                      sinks[i].name);
            return WEFT_ECONFIG;
        }
        if (is_shared (sinks, i)) {
            snprintf (why, room,
                      "sink \"%s\": path %s is another sink's; a file of its "
                      "own is expected",
                      sinks[i].name, sinks[i].path);
            return WEFT_ECONFIG;
        }
        int rc = weft_courier_new (&self->couriers[i], &sinks[i], why, room);
        if (rc)
            return rc;
        self->n_couriers = i + 1;
        weft_courier_pause (self->couriers[i], options->paused);
    }
    return 0;
}

static bool
has_sink (const weft_notifier_options_t *options, const char *name)
{
    const weft_sink_option_t *sinks = options->sinks.items;
    for (uint32_t i = 0; i < options->sinks.n; i++)
        if (!strcmp (sinks[i].name, name))
            return true;
    return false;
}

//  Every sink that is named must be there; a filter that nobody hears of is a
//  mistake.
static int
check_sinks (const weft_notifier_options_t *options, char *why, size_t room)
{
    const weft_filter_option_t *filters = options->filters.items;
    for (uint32_t i = 0; i < options->filters.n; i++) {
        if (!filters[i].owner[strspn (filters[i].owner, " \t")]) {
            snprintf (why, room,
                      "filter \"%s\": owner: who is told if it fails is "
                      "expected",
                      filters[i].name);
            return WEFT_ECONFIG;
        }
        if (filters[i].sinks.n == 0) {
            snprintf (why, room, "filter \"%s\": at least one sink is expected",
                      filters[i].name);
            return WEFT_ECONFIG;
        }
        for (uint32_t k = 0; k < filters[i].sinks.n; k++) {
            const char *sink = filters[i].sinks.items[k];
            if (has_sink (options, sink))
                continue;
            snprintf (why, room, "filter \"%s\": there is no sink \"%s\"",
                      filters[i].name, sink);
            return WEFT_ECONFIG;
        }
    }
    for (uint32_t k = 0; k < options->query_sinks.n; k++) {
        if (has_sink (options, options->query_sinks.items[k]))
            continue;
        snprintf (why, room, "query_sinks: there is no sink \"%s\"",
                  options->query_sinks.items[k]);
        return WEFT_ECONFIG;
    }
    return 0;
}

//  A hash of what the filters say: part of HELLO, and of the record.
static int
set_version (weft_notifier_setup_t *self,
             const weft_notifier_options_t *options,
             weft_filter_limits_t limits)
{
    self->version_number = weft_filters_text (
        options->filters.items, options->filters.n, limits, &self->text);
    snprintf (self->version, sizeof self->version, "%016llx",
              (unsigned long long)self->version_number);
    return self->text.error;
}

//  An owner's name is free text; a label's value is not.
static void
make_metrics (weft_notifier_setup_t *self)
{
    char owner[64], labels[200];
    for (uint32_t i = 0; i < weft_filters_count (self->filters); i++) {
        snprintf (owner, sizeof owner, "%s",
                  weft_filters_owner (self->filters, i));
        for (char *p = owner; *p; p++)
            if (*p == '"' || *p == '\\' || (unsigned char)*p < ' ')
                *p = '_';
        snprintf (labels, sizeof labels, "filter=\"%s\",owner=\"%s\"",
                  weft_filters_name (self->filters, i), owner);
        self->passed[i] = weft_counter ("weft_filter_passed_total", labels);
        self->missed[i] = weft_counter ("weft_filter_missed_total", labels);
    }
}

int
weft_notifier_setup_new (weft_notifier_setup_t **out,
                         const weft_notifier_options_t *options,
                         bool isolated,
                         char *why,
                         size_t room)
{
    *out = NULL;
    weft_notifier_setup_t *self = calloc (1, sizeof *self);
    if (!self)
        return WEFT_ENOMEM;
    self->since = weft_time_utc ();
    self->keep_days = options->keep_days;
    self->keep_rows = options->keep_rows;
    self->flip_margin = options->flip_margin;
    self->paused = options->paused;
    self->record_nights = (int32_t)options->record_nights;
    self->record_bytes = options->record_mb << 20;
    weft_buf_init (&self->text, TEXT_MOST);
    weft_filter_limits_t limits = { options->budget,
                                    (uint32_t)options->strikes };
    int rc = check_sinks (options, why, room);
    if (!rc)
        rc = weft_filters_new (&self->filters, options->filters.items,
                               options->filters.n, limits, why, room);
    if (!rc)
        rc = set_version (self, options, limits);
    if (!rc && !isolated)
        rc = make_couriers (self, options, why, room);
    if (rc) {
        weft_notifier_setup_destroy (&self);
        return rc;
    }
    for (uint32_t k = 0; !isolated && k < options->query_sinks.n; k++)
        if (k < WEFT_SINKS_MOST)
            self->query_couriers[self->n_query_couriers++] =
                weft_notifier_courier (
                    self, weft_str (options->query_sinks.items[k]));
    make_metrics (self);
    *out = self;
    return 0;
}
