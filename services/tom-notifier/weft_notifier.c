//  weft_notifier.c - filters, outbox and couriers as one terminal stage.

#include "weft_effect.h"
#include "weft_log.h"
#include "weft_notifier_parts.h"
#include "weft_payload.h"
#include "weft_time.h"

#include <errno.h>
#include <malloc.h>
#include <unistd.h>

#define BEAT_MS 25     //  most time that one beat spends on a backlog
#define TELL_MS 1000   //  how often the gauges are set
#define PRUNE_MS 1000  //  how often old rows are looked for
#define PRUNE_TURN_MS 10
#define REST_MS 400           //  that requests under way get before the end
#define HEAP_KEPT (16 << 20)  //  bytes free at its end

static void
find_outbox (weft_notifier_t *self,
             const weft_notifier_options_t *options,
             const weft_notifier_place_t *place)
{
    bool given = options->outbox && *options->outbox;
    snprintf (self->outbox_path, sizeof self->outbox_path, "%s%s",
              given ? options->outbox : place->data_dir,
              given ? "" : "/outbox.db");
}

static int
start_couriers (weft_notifier_setup_t *setup, weft_outbox_t *outbox)
{
    int rc = 0;
    for (uint32_t i = 0; i < setup->n_couriers && !rc; i++)
        rc = weft_courier_start (setup->couriers[i], outbox);
    return rc;
}

static void
close_outbox (weft_notifier_t *self)
{
    weft_record_close (&self->record);
    weft_flips_destroy (&self->flips);
    weft_outbox_close (&self->outbox);
}

//  Opens the outbox and reads from it what is kept in memory. All of it may take
//  long, and SQLite has no word on the way: dropping a table and the checkpoint
//  of a commit are one step each.
static int
open_outbox (weft_notifier_t *self, char *why, size_t room)
{
    if (self->loading)
        self->loading (self->loading_arg, true);
    int rc = weft_outbox_open (&self->outbox, self->outbox_path, why, room);
    if (!rc)
        rc = start_couriers (self->setup, self->outbox);
    if (!rc)
        rc = weft_flips_new (&self->flips, self->outbox);
    if (self->loading)
        self->loading (self->loading_arg, false);
    return rc;
}

//  Becomes the owner if nobody else is. What stands in the way is said once.
static void
take_over (weft_notifier_t *self)
{
    char why[sizeof self->why_not] = "another instance owns the outbox";
    bool locked = self->locked || weft_outbox_lock (self->outbox_path);
    bool standby = !locked && errno == EWOULDBLOCK;
    if (!locked && !standby)
        snprintf (why, sizeof why, "options.outbox: %s.lock: %s",
                  self->outbox_path, strerror (errno));
    int rc = locked ? open_outbox (self, why, sizeof why) : WEFT_EAGAIN;
    if (!rc) {
        weft_log (WEFT_INFO, "OUTBOX-OWNER", "owner of %s", self->outbox_path);
        weft_notifier_open_record (self);
        self->why_not[0] = 0;
    } else {
        close_outbox (self);
        if (strcmp (why, self->why_not) != 0)
            weft_log (standby ? WEFT_INFO : WEFT_ERROR,
                      standby ? "OUTBOX-STANDBY" : "OUTBOX-UNUSABLE", "%s",
                      why);
        snprintf (self->why_not, sizeof self->why_not, "%s", why);
    }
    self->locked = locked;
}

int
weft_notifier_new (weft_notifier_t **out,
                   const weft_notifier_options_t *options,
                   const weft_notifier_place_t *place,
                   char *why,
                   size_t room)
{
    *out = NULL;
    weft_notifier_t *self = calloc (1, sizeof *self);
    if (!self)
        return WEFT_ENOMEM;
    //  SQLite allocates and frees a page cache with each statement that needs
    //  a table of its own. At the end of the heap that memory would go back to
    //  the kernel and be faulted in again each time: 35 us an alert.
    mallopt (M_TRIM_THRESHOLD, HEAP_KEPT);
    weft_buf_init (&self->payload, WEFT_PAYLOAD_MOST);
    weft_buf_init (&self->row, 2 * WEFT_PAYLOAD_MOST);
    self->isolated = place->isolated;
    self->loading = place->loading;
    self->loading_arg = place->arg;
    find_outbox (self, options, place);
    int rc = weft_notifier_setup_new (&self->setup, options, place->isolated,
                                      why, room);
    if (rc) {
        weft_notifier_destroy (&self);
        return rc;
    }
    if (!place->isolated) {
        weft_redis_config_t patience = place->login;
        patience.connect_ms = 200;
        patience.command_ms = 500;
        if (place->redis && *place->redis)
            self->queries.redis = weft_redis_new (place->redis, &patience);
        take_over (self);
    }
    *out = self;
    return 0;
}

static void
pause_all (weft_notifier_setup_t *setup, bool paused)
{
    for (uint32_t i = 0; i < setup->n_couriers; i++)
        weft_courier_pause (setup->couriers[i], paused);
}

//  Gives requests under way a moment to end; what does not is in doubt.
static void
await_answers (weft_notifier_setup_t *setup)
{
    uint32_t left = 1;
    for (int64_t end = weft_time_ms () + REST_MS;
         left > 0 && weft_time_ms () < end;) {
        left = 0;
        for (uint32_t i = 0; i < setup->n_couriers; i++)
            left += weft_courier_hold (setup->couriers[i]);
        if (left > 0)
            usleep (5000);
    }
    for (uint32_t i = 0; i < setup->n_couriers; i++)
        weft_courier_rest (setup->couriers[i]);
}

//  Writes down what the sinks have answered and puts nothing new in flight:
//  whoever comes after these couriers knows nothing of what they have sent.
static int
come_to_rest (weft_notifier_t *self)
{
    if (!self->outbox)
        return 0;
    pause_all (self->setup, true);
    await_answers (self->setup);
    int rc = weft_notifier_turn (self, NULL, NULL);
    pause_all (self->setup, self->setup->paused);
    return rc;
}

void
weft_notifier_destroy (weft_notifier_t **self_p)
{
    weft_notifier_t *self = *self_p;
    if (!self)
        return;
    //  If it fails the rows are verified at the next start.
    if (come_to_rest (self))
        weft_log (WEFT_WARN, "OUTBOX-LATE", "answers are asked for again");
    close_outbox (self);
    weft_notifier_setup_destroy (&self->setup);
    weft_redis_destroy (&self->queries.redis);
    weft_buf_fini (&self->payload);
    weft_buf_fini (&self->row);
    free (self);
    *self_p = NULL;
}

int
weft_notifier_reload (weft_notifier_t *self,
                      const weft_notifier_options_t *options,
                      char *why,
                      size_t room)
{
    weft_notifier_setup_t *setup;
    int rc =
        weft_notifier_setup_new (&setup, options, self->isolated, why, room);
    if (rc)
        return rc;
    rc = come_to_rest (self);
    if (!rc && self->outbox)
        rc = start_couriers (setup, self->outbox);
    if (rc) {
        snprintf (why, room, "the outbox is busy: %s", weft_error_text (rc));
        weft_notifier_setup_destroy (&setup);
        return rc;
    }
    weft_notifier_setup_destroy (&self->setup);
    self->setup = setup;
    weft_notifier_record_setup (self);
    //  A sink that is new here may want queries that others have had.
    self->queries.night = 0;
    return 0;
}

int
weft_notifier_evaluate (weft_notifier_t *self,
                        const weft_alert_t *alert,
                        weft_buf_t *effect)
{
    bool wanted;
    weft_filters_t *filters = self->setup->filters;
    int rc = weft_filters_evaluate (filters, alert, self->results);
    //  Flips and the record are the business of commit: it must see every
    //  alert then.
    if (rc ||
        (!weft_effect_needed (filters, self->results, &wanted) &&
         !weft_notifier_flips_on (self) && self->setup->record_bytes == 0))
        return rc;
    weft_buf_clear (&self->payload);
    if (wanted)
        rc = weft_payload_write (weft_filters_view (filters), &self->payload);
    if (!rc)
        rc = weft_filter_view_error (weft_filters_view (filters));
    return rc ? rc
              : weft_effect_write (self->setup->version_number, filters,
                                   self->results, &self->payload, effect);
}

static int
settle_all (weft_notifier_t *self, double now)
{
    int rc = 0;
    for (uint32_t i = 0; i < self->setup->n_couriers && !rc; i++)
        rc = weft_courier_settle (self->setup->couriers[i], self->outbox, now);
    return rc;
}

static int
claim_all (weft_notifier_t *self, int64_t now_ms, double now)
{
    int rc = 0;
    for (uint32_t i = 0; i < self->setup->n_couriers && !rc; i++)
        rc = weft_courier_claim (self->setup->couriers[i], self->outbox, now_ms,
                                 now);
    return rc;
}

static void
end_turn (weft_notifier_t *self, int rc, int64_t now_ms)
{
    weft_notifier_setup_t *setup = self->setup;
    for (uint32_t i = 0; i < setup->n_couriers; i++) {
        if (rc) {
            weft_courier_rolled_back (setup->couriers[i]);
            continue;
        }
        weft_courier_committed (setup->couriers[i]);
        weft_courier_send (setup->couriers[i], now_ms);
    }
}

static int
try_turn (weft_notifier_t *self,
          int (*add) (void *arg, int64_t now_ms, double now),
          void *arg)
{
    int64_t now_ms = weft_time_ms ();
    double now = weft_time_utc ();
    int rc = weft_outbox_begin (self->outbox);
    if (!rc)
        rc = settle_all (self, now);
    if (!rc && add)
        rc = add (arg, now_ms, now);
    if (!rc)
        rc = claim_all (self, now_ms, now);
    if (!rc)
        rc = weft_outbox_commit (self->outbox);
    if (rc && weft_outbox_changing (self->outbox))
        weft_outbox_rollback (self->outbox);
    end_turn (self, rc, now_ms);
    return rc;
}

int
weft_notifier_turn (weft_notifier_t *self,
                    int (*add) (void *arg, int64_t now_ms, double now),
                    void *arg)
{
    int rc = try_turn (self, add, arg);
    //  Each time another sink's rows are not as they were left.
    for (uint32_t i = 0; rc == WEFT_EBUG && i < self->setup->n_couriers; i++) {
        self->recount = true;
        rc = try_turn (self, add, arg);
    }
    return rc;
}

//  The effects of one poll turn, for weft_notifier_turn.
typedef struct {
    weft_notifier_t *self;
    const weft_alert_t *const *alerts;
    const weft_buf_t *effects;
    size_t n;
} effects_t;

static int
add_effects (void *arg, int64_t now_ms, double now)
{
    const effects_t *it = arg;
    int rc = 0;
    for (size_t i = 0; i < it->n && !rc; i++)
        rc = weft_notifier_add_effect (it->self, it->alerts[i], &it->effects[i],
                                       now_ms, now);
    return rc;
}

int
weft_notifier_commit (weft_notifier_t *self,
                      const weft_alert_t *const *alerts,
                      const weft_buf_t *effects,
                      size_t n)
{
    if (!self->outbox)
        return WEFT_EAGAIN;
    bool needed = false;
    for (size_t i = 0; i < n && !needed; i++)
        needed = !weft_effect_idle (effects[i].data, effects[i].size) ||
                 weft_notifier_concerns (self, alerts[i]);
    effects_t turn = { self, alerts, effects, n };
    //  If nobody wants any of them there is nothing to do.
    int rc = needed ? weft_notifier_turn (self, add_effects, &turn) : 0;
    if (!rc)
        weft_notifier_note_seen (self, alerts, effects, n);
    return rc;
}

static bool
is_busy (const weft_notifier_t *self, int64_t now_ms)
{
    for (uint32_t i = 0; i < self->setup->n_couriers; i++)
        if (weft_courier_busy (self->setup->couriers[i], now_ms))
            return true;
    return false;
}

static void
verify_all (weft_notifier_t *self, int64_t now_ms)
{
    int rc = 0;
    for (uint32_t i = 0; i < self->setup->n_couriers && !rc; i++)
        rc = weft_courier_verify (self->setup->couriers[i], self->outbox,
                                  now_ms, weft_time_utc ());
}

//  Turns until nothing is left to do or the beat's time is over.
static void
work_off (weft_notifier_t *self)
{
    int64_t start = weft_time_ms (), now_ms = start;
    if (weft_outbox_changed (self->outbox))
        self->recount = true;
    if (self->recount && start_couriers (self->setup, self->outbox))
        return;
    self->recount = false;
    verify_all (self, now_ms);
    while (is_busy (self, now_ms) && now_ms - start < BEAT_MS) {
        if (weft_notifier_turn (self, NULL, NULL))
            return;
        now_ms = weft_time_ms ();
    }
}

static void
tell (weft_notifier_t *self, int64_t now_ms)
{
    if (now_ms < self->next_tell_ms)
        return;
    self->next_tell_ms = now_ms + TELL_MS;
    for (uint32_t i = 0; i < self->setup->n_couriers; i++) {
        weft_courier_t *courier = self->setup->couriers[i];
        double oldest = 0;
        if (weft_courier_waiting (courier) > 0 &&
            weft_outbox_oldest (self->outbox, weft_courier_name (courier),
                                &oldest))
            oldest = 0;
        weft_courier_tell (courier, oldest, weft_time_utc ());
    }
}

static void
prune (weft_notifier_t *self, int64_t now_ms)
{
    if (now_ms < self->next_prune_ms)
        return;
    self->next_prune_ms = now_ms + PRUNE_MS;
    uint32_t deleted = 1;
    double before = weft_time_utc () - (double)self->setup->keep_days * 86400;
    while (deleted > 0 && weft_time_ms () - now_ms < PRUNE_TURN_MS)
        if (weft_outbox_prune (self->outbox, before, self->setup->keep_rows,
                               &deleted))
            return;
}

void
weft_notifier_beat (weft_notifier_t *self, int64_t now_ms)
{
    if (self->isolated)
        return;
    if (!self->outbox)
        take_over (self);
    if (!self->outbox)
        return;
    weft_notifier_read_queries (self, now_ms);
    weft_notifier_beat_flips (self, now_ms);
    weft_notifier_beat_record (self, now_ms);
    work_off (self);
    tell (self, now_ms);
    prune (self, weft_time_ms ());
}

bool
weft_notifier_owner (const weft_notifier_t *self)
{
    return self->isolated || self->outbox;
}

bool
weft_notifier_ready (const weft_notifier_t *self, char *why, size_t room)
{
    if (weft_notifier_owner (self))
        return true;
    snprintf (why, room, "%s", self->why_not);
    return false;
}

const char *
weft_notifier_version (const weft_notifier_t *self)
{
    return self->setup->version;
}
