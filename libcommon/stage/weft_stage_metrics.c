//  weft_stage_metrics.c - what a stage tells about itself: metrics, readiness,
//  the registry's entry.

#include "weft_stage_parts.h"

#include "weft_clock.h"
#include "weft_time.h"

#include <math.h>
#include <unistd.h>

#include <jansson.h>

static const double stage_bounds[] = { 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4,
                                       1e-3, 2e-3, 5e-3, 1e-2, 5e-2, 0.1,
                                       0.5,  1,    5,    0 };
static const double age_bounds[] = { 0.001, 0.002, 0.005, 0.01, 0.02,  0.05,
                                     0.1,   0.2,   0.5,   1,    2,     5,
                                     10,    20,    30,    45,   60,    90,
                                     120,   300,   900,   3600, 86400, 0 };

static weft_metric_t *
with_label (weft_metric_t *(*make) (const char *, const char *),
            const char *name,
            const char *stage,
            const char *key,
            const char *value)
{
    char labels[160];
    snprintf (labels, sizeof labels, "stage=\"%s\",%s=\"%s\"", stage, key,
              value);
    return make (name, labels);
}

static void
open_counters (weft_stage_metrics_t *m, const char *stage)
{
    m->settled = with_label (weft_counter, "weft_alerts_total", stage,
                             "outcome", "settled");
    m->rejected = with_label (weft_counter, "weft_alerts_total", stage,
                              "outcome", "rejected");
    m->retried = with_label (weft_counter, "weft_alerts_total", stage,
                             "outcome", "retried");
    m->by_death = with_label (weft_counter, "weft_redelivered_total", stage,
                              "reason", "death");
    m->by_bye = with_label (weft_counter, "weft_redelivered_total", stage,
                            "reason", "bye");
    m->by_nack = with_label (weft_counter, "weft_redelivered_total", stage,
                             "reason", "nack");
    m->by_stall = with_label (weft_counter, "weft_redelivered_total", stage,
                              "reason", "stall");
    m->refused = with_label (weft_counter, "weft_link_refused_total", stage,
                             "reason", "hello");
    m->refused_stage = with_label (weft_counter, "weft_link_refused_total",
                                   stage, "reason", "stage");
    for (int i = 0; i < WEFT_REFUSED_REASONS; i++)
        m->refused_gate[i] =
            with_label (weft_counter, "weft_link_refused_total", stage,
                        "reason", weft_gate_reason ((weft_refused_t)i));
    m->isolated =
        with_label (weft_counter, "weft_isolated_total", stage, "by", "death");
}

static void
open_gauges (weft_stage_metrics_t *m, const char *stage)
{
    m->in_flight_up = with_label (weft_gauge, "weft_in_flight", stage,
                                  "direction", "upstream");
    m->in_flight_down = with_label (weft_gauge, "weft_in_flight", stage,
                                    "direction", "downstream");
    m->window_up =
        with_label (weft_gauge, "weft_window", stage, "direction", "upstream");
    m->window_down = with_label (weft_gauge, "weft_window", stage, "direction",
                                 "downstream");
    m->peers_up = with_label (weft_gauge, "weft_link_peers", stage, "direction",
                              "upstream");
    m->peers_down = with_label (weft_gauge, "weft_link_peers", stage,
                                "direction", "downstream");
}

static weft_metric_t *
open_age (const char *stage, const char *since)
{
    char labels[160];
    snprintf (labels, sizeof labels, "stage=\"%s\",since=\"%s\"", stage, since);
    return weft_histogram ("weft_alert_age_seconds", labels, age_bounds);
}

void
weft_stage_metrics_open (weft_stage_t *self)
{
    weft_stage_metrics_t *m = &self->metrics;
    const char *stage = self->spec->name;
    char labels[160];
    open_counters (m, stage);
    open_gauges (m, stage);
    snprintf (labels, sizeof labels, "stage=\"%s\"", stage);
    m->seconds = weft_histogram ("weft_stage_seconds", labels, stage_bounds);
    m->age_observed = open_age (stage, "observation");
    m->age_received = open_age (stage, "receipt");
    m->age_unsure = weft_counter ("weft_alert_age_unsure_total", labels);
    m->clock_ahead = weft_gauge ("weft_clock_ahead_seconds", labels);
    snprintf (labels, sizeof labels, "service=\"%s\"", stage);
    m->reload = weft_gauge ("weft_config_reload_success", labels);
    weft_metric_set (m->reload, 1);
    snprintf (labels, sizeof labels, "name=\"%s\",version=\"%s\"", stage,
              WEFT_VERSION);
    weft_metric_set (weft_gauge ("weft_build_info", labels), 1);
}

void
weft_stage_observe_age (weft_stage_t *self, const weft_alert_t *alert)
{
    const weft_envelope_v1_t *envelope = weft_alert_envelope (alert);
    double received_s = (self->mjd_now - envelope->t_received) * 86400.0;
    if (!weft_clock_may_be_age (received_s)) {
        weft_metric_add (self->metrics.age_unsure, 1);
        return;
    }
    weft_metric_observe (self->metrics.age_observed,
                         (self->mjd_now - envelope->t_obs) * 86400.0);
    weft_metric_observe (self->metrics.age_received, received_s);
}

void
weft_stage_count_dead (const char *stage, int code)
{
    weft_metric_add (with_label (weft_counter, "weft_dead_letters_total", stage,
                                 "reason", weft_error_name (code)),
                     1);
}

static void
count_worker (weft_stage_t *self)
{
    const weft_worker_stats_t *s = weft_worker_stats (self->worker);
    weft_stage_metrics_t *m = &self->metrics;
    weft_metric_set (m->settled, (double)s->settled);
    weft_metric_set (m->rejected, (double)s->rejected);
    weft_metric_set (m->retried, (double)s->retried);
    weft_metric_set (m->in_flight_up, (double)s->held);
    weft_metric_set (m->window_up, (double)self->settings->link.window);
    weft_metric_set (m->peers_up, (double)s->live);
}

static void
count_branches (weft_stage_t *self)
{
    const weft_upstream_stats_t *s = weft_upstream_stats (self->upstream);
    weft_stage_metrics_t *m = &self->metrics;
    uint64_t window = 0;
    const weft_settings_t *c = self->settings;
    for (uint32_t i = 0; i < c->link.outputs.n + c->link.samples.n; i++) {
        weft_branch_info_t info;
        weft_upstream_branch (self->upstream, i, &info);
        window += info.window;
    }
    weft_metric_set (m->in_flight_down, (double)s->alerts);
    weft_metric_set (m->window_down, (double)window);
    weft_metric_set (m->peers_down, (double)s->peers);
    weft_metric_set (m->by_death, (double)s->redelivered_death);
    weft_metric_set (m->by_bye, (double)s->redelivered_bye);
    weft_metric_set (m->by_nack, (double)s->redelivered_retry);
}

void
weft_stage_metrics_beat (weft_stage_t *self)
{
    if (self->worker)
        count_worker (self);
    if (self->upstream)
        count_branches (self);
    weft_metric_set (self->metrics.clock_ahead, weft_clock_ahead_s ());
}

//  A branch that holds alerts, by name.
static bool
branch_holds (weft_stage_t *self, char *why, size_t room)
{
    const weft_settings_t *c = self->settings;
    for (uint32_t i = 0; self->upstream && i < c->link.outputs.n; i++) {
        weft_branch_info_t info;
        weft_upstream_branch (self->upstream, i, &info);
        if (info.held)
            snprintf (why, room, "branch %s is held: it rejects too much",
                      info.stage);
        else if (info.peers == 0)
            snprintf (why, room, "branch %s has no worker, %llu alerts wait",
                      info.stage, (unsigned long long)info.queued);
        else
            continue;
        return true;
    }
    return false;
}

//  With what the resolver leaves out, as that may be why.
static void
nobody_welcomes (weft_stage_t *self, char *why, size_t room)
{
    char left_out[WEFT_LEFT_OUT_MOST];
    bool some = weft_resolver_left_out (self->resolver, left_out);
    snprintf (why, room, "no upstream has welcomed this worker%s%s",
              some ? "; left out: " : "", left_out);
}

static bool
links_hold (weft_stage_t *self, char *why, size_t room)
{
    const weft_worker_stats_t *s =
        self->worker ? weft_worker_stats (self->worker) : NULL;
    if (s && s->broken)
        snprintf (why, room, "the canary fails: this worker is broken");
    else if (s && s->down)
        snprintf (why, room, "a dependency is down, %llu alerts wait",
                  (unsigned long long)s->held);
    else if (s && self->spec->owner && !self->was_owner)
        snprintf (why, room, "standby: another instance is the owner");
    else if (s && s->live == 0)
        nobody_welcomes (self, why, room);
    else
        return branch_holds (self, why, room);
    return true;
}

static bool
source_waits (weft_stage_t *self, char *why, size_t room)
{
    const weft_stage_source_t *source = &self->source;
    if (source->pull_error)
        snprintf (why, room, "the source waits: %s",
                  weft_error_text (source->pull_error));
    else if (source->settle_error)
        snprintf (why, room, "outcomes cannot be booked: %s",
                  weft_error_text (source->settle_error));
    return source->pull_error || source->settle_error;
}

//  It works all the same: said where nothing else is.
static void
note_clock (char *why, size_t room)
{
    double ahead_s = weft_clock_ahead_s ();
    if (weft_clock_off () && !why[0])
        snprintf (why, room, "this host's clock is %.1f s %s Redis'",
                  fabs (ahead_s), ahead_s > 0 ? "ahead of" : "behind");
}

static bool
not_ready (weft_stage_t *self, char *why, size_t room)
{
    why[0] = '\0';
    if (self->state == WEFT_STAGE_DRAINING) {
        snprintf (why, room, "draining");
        return true;
    }
    if (self->spec->ready && !self->spec->ready (self->service, why, room))
        return true;
    note_clock (why, room);
    weft_health_note (self->health, why);
    why[0] = '\0';
    return weft_keeper_down (self->keeper, why, room) ||
           source_waits (self, why, room) || links_hold (self, why, room);
}

//  Over the last two seconds or so; a replica that has just started has none.
static double
settled_rate (weft_stage_t *self, uint64_t settled)
{
    weft_stage_metrics_t *m = &self->metrics;
    int64_t ms = self->now - m->rate_ms;
    if (m->rate_ms == 0 || settled < m->rate_settled)
        m->rate = 0;
    else if (ms < 2000)
        return m->rate;
    else
        m->rate = (double)(settled - m->rate_settled) * 1000 / (double)ms;
    m->rate_settled = settled;
    m->rate_ms = self->now;
    return m->rate;
}

static json_t *
names_json (const weft_texts_t *names)
{
    json_t *list = json_array ();
    for (uint32_t i = 0; i < names->n; i++)
        json_array_append_new (list, json_string (names->items[i]));
    return list;
}

//  What flows: as a worker counts it, or a source.
static void
add_flow (weft_stage_t *self, json_t *json)
{
    const weft_worker_stats_t *w =
        self->worker ? weft_worker_stats (self->worker) : NULL;
    const weft_upstream_stats_t *u =
        self->upstream ? weft_upstream_stats (self->upstream) : NULL;
    uint64_t settled = w ? w->settled : u ? u->settled : 0;
    uint64_t received = w ? w->received : u ? u->submitted : 0;
    uint64_t in_flight = w ? w->held : u ? u->alerts : 0;
    int64_t window =
        w ? self->settings->link.window : self->settings->link.custody;
    json_object_set_new (json, "in_flight",
                         json_integer ((json_int_t)in_flight));
    json_object_set_new (json, "window", json_integer (window));
    json_object_set_new (json, "received", json_integer ((json_int_t)received));
    json_object_set_new (json, "settled", json_integer ((json_int_t)settled));
    json_object_set_new (json, "rate",
                         json_real (settled_rate (self, settled)));
}

static void
register_self (weft_stage_t *self)
{
    static const char *const states[] = {
#define X(name) #name,
        WEFT_STAGE_STATES (X)
#undef X
    };
    char host[64] = "?";
    (void)gethostname (host, sizeof host - 1);
    const char *version =
        self->spec->version ? self->spec->version (self->service) : "";
    json_t *json = json_pack (
        "{s:s,s:s,s:i,s:s,s:s,s:s,s:b,s:s,s:s,s:s,s:f,s:o,s:o}", "stage",
        self->spec->name, "uuid", self->env->instance, "pid", (int)getpid (),
        "host", host, "endpoint",
        self->router ? weft_router_endpoint (self->router) : "", "tap",
        self->tap ? weft_tap_endpoint (self->tap) : "", "encrypted",
        self->keys != NULL, "version", version ? version : "", "state",
        states[self->state], "not_ready", self->not_ready, "started",
        weft_time_utc () - (double)(self->now - self->started_ms) / 1000.0,
        "outputs", names_json (&self->settings->link.outputs), "upstreams",
        names_json (&self->settings->link.upstreams));
    if (json)
        add_flow (self, json);
    char *text = json ? json_dumps (json, JSON_COMPACT) : NULL;
    if (text)
        weft_keeper_register (self->keeper, text);
    free (text);
    json_decref (json);
}

void
weft_stage_report (weft_stage_t *self)
{
    char why[sizeof self->not_ready];
    bool bad = not_ready (self, why, sizeof why);
    if (strcmp (why, self->not_ready) != 0) {
        //  Numbers in the reason change each beat; the log tells the change
        //  from ready to not ready and back.
        if (bad != (self->not_ready[0] != '\0'))
            weft_log (WEFT_INFO, bad ? "STAGE-NOT-READY" : "STAGE-IS-READY",
                      "%s", bad ? why : "everything is there");
        snprintf (self->not_ready, sizeof self->not_ready, "%s", why);
    }
    weft_health_ready (self->health, bad ? why : NULL);
    register_self (self);
}
