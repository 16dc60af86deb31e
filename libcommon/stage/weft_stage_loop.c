//  weft_stage_loop.c - the loop of a stage: read, work, commit, beat, flush.

#include "weft_stage_parts.h"

#include "weft_time.h"
#include "weft_watchdog.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { LINGER_MS = 100 };

static void
start_drain (weft_stage_t *self, const char *why)
{
    if (self->state == WEFT_STAGE_DRAINING)
        return;
    weft_log (WEFT_INFO, "STAGE-DRAIN", "%s", why);
    weft_stage_set_state (self, WEFT_STAGE_DRAINING);
    self->drain_until = self->now + self->settings->link.drain_ms;
    if (self->custody)
        weft_custody_drain (self->custody, self->now);
}

static void
handle_signals (weft_stage_t *self)
{
    struct signalfd_siginfo info;
    while (read (self->signal_fd, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            start_drain (self,
                         info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGINT");
        else if (info.ssi_signo == SIGHUP) {
            weft_stage_renew_keys (self);
            weft_stage_reload (self);
        }
        //  SIGCHLD only wakes the loop: the isolation child is reaped there.
    }
}

//  Dead letters that are durable now.
static void
collect_graves (weft_stage_t *self)
{
    for (weft_grave_t *grave; (grave = weft_keeper_buried (self->keeper));)
        if (!weft_stage_source_buried (self, grave))
            weft_upstream_buried (self->upstream, self->now, grave);
}

//  The operator's word on held branches.
static void
release_branches (weft_stage_t *self)
{
    uint32_t mask = weft_keeper_releases (self->keeper);
    for (uint32_t i = 0; mask; i++, mask >>= 1)
        if (mask & 1)
            weft_upstream_release (self->upstream, self->now, i);
}

static int
submit_replay (weft_stage_t *self)
{
    weft_item_t item = weft_stage_item (weft_alert_ref (self->replay_alert));
    uint32_t branches = 1u << self->replay_branch;
    int rc = self->custody ? weft_custody_replay (self->custody, self->now,
                                                  &item, self->replay, branches)
                           : weft_stage_source_replay (self, self->replay,
                                                       &item, branches);
    weft_alert_t *extra = item.item;
    if (rc)
        weft_alert_unref (&extra);
    return rc;
}

//  Dead letters that were put back go into custody like any other alert; what
//  there is no room for waits.
static void
take_replays (weft_stage_t *self)
{
    while (self->state != WEFT_STAGE_DRAINING) {
        if (!self->replay)
            self->replay = weft_keeper_replay (
                self->keeper, &self->replay_branch, &self->replay_alert);
        if (!self->replay || submit_replay (self))
            return;
        self->replay = NULL;
    }
}

static void
set_running (weft_stage_t *self)
{
    bool live = self->worker ? weft_worker_stats (self->worker)->live > 0
                             : weft_upstream_stats (self->upstream)->peers > 0;
    if (live && self->state == WEFT_STAGE_READY)
        weft_stage_set_state (self, WEFT_STAGE_RUNNING);
}

static void
beat (weft_stage_t *self)
{
    if (self->now < self->next_beat)
        return;
    self->next_beat = self->now + self->settings->link.beat_ms;
    self->commit_blocked = false;
    if (self->spec->beat)
        self->spec->beat (self->service, self->now);
    weft_stage_reload_turn (self);
    weft_stage_keys_beat (self);
    weft_stage_tap_beat (self);
    if (self->worker) {
        weft_stage_connect (self);
        weft_worker_rehash (self->worker, weft_stage_hash (self));
    }
    if (self->upstream)
        release_branches (self);
    if (self->spec->source)
        weft_stage_source_judge (self);
    set_running (self);
    weft_stage_metrics_beat (self);
    weft_stage_report (self);
    self->now = weft_time_ms ();
}

static int
wait_ms (const weft_stage_t *self)
{
    if (self->n_work > 0 || self->canary_due)
        return 0;
    int64_t wait = self->settings->link.beat_ms / 4;
    wait = WEFT_MIN (wait, WEFT_MAX (self->next_beat - self->now, 0));
    if (self->spec->source)
        wait = WEFT_MIN (wait, weft_stage_source_wait (self));
    return (int)wait;
}

static bool
drained (const weft_stage_t *self)
{
    if (self->now >= self->drain_until)
        return true;
    if (self->custody)
        return weft_custody_drained (self->custody);
    //  What has its outcome is booked in any case, within moments.
    return weft_stage_source_done (self) ||
           (!weft_upstream_alive (self->upstream) &&
            self->source.n_settled == 0);
}

static void
check_end (weft_stage_t *self)
{
    if (self->spec->source && self->spec->source->finished &&
        self->spec->source->finished (self->service) &&
        weft_stage_source_done (self))
        start_drain (self, "the source is at its end");
    if (self->state == WEFT_STAGE_DRAINING && drained (self))
        self->over = true;
}

static void
tick_and_flush (weft_stage_t *self)
{
    if (self->custody) {
        weft_custody_tick (self->custody, self->now);
        weft_custody_flush (self->custody, self->now);
    } else {
        weft_upstream_tick (self->upstream, self->now);
        weft_upstream_flush (self->upstream, self->now);
    }
}

static void
turn (weft_stage_t *self)
{
    weft_poll_item_t items[WEFT_POLL_MOST];
    size_t n = weft_stage_poll_items (self, items, WEFT_COUNT (items) - 1);
    int source_fd = weft_stage_source_fd (self);
    if (source_fd >= 0)
        items[n++] = (weft_poll_item_t){ .fd = source_fd };
    (void)weft_poll (items, n, wait_ms (self));
    self->now = weft_time_ms ();
    self->mjd_now = weft_time_mjd_tai ();
    weft_health_turned (self->health, self->now);
    //  The first ones are the signals, the keeper, and the resolver if any.
    if (items[0].ready)
        handle_signals (self);
    if (self->resolver && items[2].ready)
        weft_stage_connect (self);
    weft_stage_read (self);
    bool woken = items[1].ready && weft_keeper_woken (self->keeper);
    if (self->upstream && woken)
        collect_graves (self);
    if (self->upstream && (woken || self->replay))
        take_replays (self);
    if (source_fd >= 0 && items[n - 1].ready)
        weft_stage_source_woken (self);
    weft_stage_isolated_turn (self);
    weft_stage_work (self);
    weft_stage_commit (self);
    if (self->spec->source)
        weft_stage_source_turn (self);
    beat (self);
    tick_and_flush (self);
    check_end (self);
}

//  Why the service cannot be opened yet, if it has left somebody to ask.
static void
note_waiting (weft_stage_t *self)
{
    char why[512] = "";
    if (!self->service || !self->spec->ready ||
        self->spec->ready (self->service, why, sizeof why) || !*why)
        snprintf (why, sizeof why, "waits for what it depends on");
    weft_health_ready (self->health, why);
}

//  Opens the service; waits for what it depends on. Nonzero: an exit code.
static int
open_service (weft_stage_t *self)
{
    weft_health_loading (self->health, true);
    int rc;
    long pause_ms = 100;
    while ((rc = self->spec->open ? self->spec->open (&self->service, self->env)
                                  : 0) == WEFT_EDOWN) {
        struct timespec beat = { .tv_nsec = pause_ms * 1000000 };
        pause_ms = WEFT_MIN (2 * pause_ms, 999);
        sigset_t ends;
        sigemptyset (&ends);
        sigaddset (&ends, SIGTERM);
        sigaddset (&ends, SIGINT);
        note_waiting (self);
        if (sigtimedwait (&ends, NULL, &beat) > 0)
            return -1;
    }
    weft_health_loading (self->health, false);
    if (rc)
        weft_log (WEFT_ERROR, "STAGE-OPEN-FAILED", "%s", weft_error_text (rc));
    return rc == WEFT_ECONFIG || rc == WEFT_EUSAGE ? 2 : rc ? 1 : 0;
}

static int
open_keeper (weft_stage_t *self)
{
    const weft_settings_t *s = self->settings;
    char why[512];
    weft_keeper_config_t config = {
        .address = s->redis.address,
        .bulk = s->bulk,
        .ephemeral = s->redis.ephemeral,
        .login = weft_settings_login (s),
        .stage = self->spec->name,
        .instance = self->env->instance,
        .dead_letter_bytes = (size_t)s->redis.dead_letter_bytes,
        .branches = (const char *const *)s->link.outputs.items,
        .n_branches = s->link.outputs.n,
        .beat_ms = (int)s->link.beat_ms,
    };
    self->keeper = weft_keeper_new (&config, why, sizeof why);
    if (!self->keeper)
        weft_log (WEFT_ERROR, "STAGE-REDIS-REFUSED", "%s", why);
    return self->keeper ? 0 : 2;
}

static int
open_http (weft_stage_t *self)
{
    char why[256];
    const char *address = self->settings->http.address;
    if (!address[0])
        return 0;
    self->http = weft_http_new (address, self->health, why, sizeof why);
    if (!self->http)
        weft_log (WEFT_ERROR, "STAGE-HTTP-FAILED", "%s", why);
    return self->http ? 0 : 2;
}

void
weft_stage_signals (sigset_t *set)
{
    sigemptyset (set);
    sigaddset (set, SIGTERM);
    sigaddset (set, SIGINT);
    sigaddset (set, SIGHUP);
    sigaddset (set, SIGCHLD);
}

//  Signals come by a descriptor; they are blocked since weft_stage_main.
static int
open_signals (weft_stage_t *self)
{
    sigset_t set;
    weft_stage_signals (&set);
    signal (SIGPIPE, SIG_IGN);
    self->signal_fd = signalfd (-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return self->signal_fd < 0 ? 1 : 0;
}

static int
open_sections (weft_stage_t *self)
{
    size_t n = self->spec->fn ? 1 : 1024;
    self->sections = calloc (n, sizeof *self->sections);
    for (size_t i = 0; self->sections && i < n; i++)
        weft_buf_init (&self->sections[i], WEFT_SECTION_MOST);
    return self->sections ? 0 : 1;
}

static int
open_all (weft_stage_t *self)
{
    char why[512];
    self->now = self->started_ms = weft_time_ms ();
    self->health = self->env->health = weft_health_new ();
    weft_stage_metrics_open (self);
    if (!self->health)
        return 1;
    int code = open_signals (self);
    if (!code)
        code = open_sections (self);
    if (!code)
        code = open_http (self);
    if (!code)
        code = open_keeper (self);
    if (!code)
        code = open_service (self);
    if (code)
        return code;
    self->now = weft_time_ms ();
    if (weft_stage_open_links (self, why, sizeof why)) {
        weft_log (WEFT_ERROR, "STAGE-LINKS-FAILED", "%s", why);
        return 2;
    }
    weft_stage_set_state (self, WEFT_STAGE_READY);
    self->watchdog =
        weft_watchdog_new (self->health, 2 * self->settings->link.stall_ms);
    return self->watchdog ? 0 : 1;
}

//  Says goodbye and gives the sockets a moment to say it.
static void
part (weft_stage_t *self)
{
    if (self->custody)
        weft_custody_bye (self->custody, self->now);
    else if (self->upstream)
        weft_upstream_bye (self->upstream, self->now);
    if (self->mesh)
        usleep (LINGER_MS * 1000);
}

static void
close_all (weft_stage_t *self)
{
    weft_watchdog_destroy (&self->watchdog);
    weft_keeper_destroy (&self->keeper);
    weft_stage_close_links (self);
    weft_stage_source_close (self);
    weft_isolation_destroy (&self->isolation);
    weft_stage_reload_close (self);
    weft_http_destroy (&self->http);
    if (self->service && self->spec->close)
        self->spec->close (&self->service);
    weft_health_destroy (&self->health);
    for (size_t i = 0; self->sections && i < (self->spec->fn ? 1 : 1024); i++)
        weft_buf_fini (&self->sections[i]);
    free (self->sections);
    free (self->work);
    if (self->signal_fd >= 0)
        close (self->signal_fd);
}

int
weft_stage_loop (weft_stage_t *self)
{
    self->signal_fd = -1;
    int code = open_all (self);
    if (code > 0)
        weft_stage_set_state (self, WEFT_STAGE_ERROR);
    while (code == 0 && !self->over)
        turn (self);
    part (self);
    if (code == 0)
        code = self->exit_code;
    close_all (self);
    if (code <= 0)
        weft_stage_set_state (self, WEFT_STAGE_STOPPED);
    return WEFT_MAX (code, 0);
}
