//  weft_stage_source.c - the head of the mesh: takes alerts in, books their
//  outcomes.

#include "weft_stage_parts.h"

#include "weft_time.h"

enum {
    OVERTAKEN_WINDOWS = 20,  //  later settlements that make an alert stuck
    PULL_MOST = 64,    //  alerts in one turn, so that the loop goes on turning
    BOOK_SOON = 256,   //  outcomes that are booked at once
    BOOK_LATE_MS = 10  //  an outcome waits at most that long for others
};

struct weft_stage_tag {
    weft_stage_tag_t *next;                   //  parked, or free
    weft_stage_tag_t *open_prev, *open_next;  //  all that are not free
    void *token;
    weft_alert_t *alert;
    weft_keeper_replay_t *replay;  //  it is a dead letter that was put back
};

struct weft_intake {
    weft_stage_t *stage;
};

static weft_stage_tag_t *
new_tag (weft_stage_source_t *self, weft_alert_t *alert, void *token)
{
    weft_stage_tag_t *tag = self->free;
    if (tag)
        self->free = tag->next;
    else
        tag = malloc (sizeof *tag);
    assert (tag && "memory for one alert");
    *tag = (weft_stage_tag_t){ .token = token,
                               .alert = alert,
                               .open_next = self->open };
    if (self->open)
        self->open->open_prev = tag;
    self->open = tag;
    return tag;
}

static void
free_tag (weft_stage_source_t *self, weft_stage_tag_t *tag)
{
    if (tag->open_prev)
        tag->open_prev->open_next = tag->open_next;
    else
        self->open = tag->open_next;
    if (tag->open_next)
        tag->open_next->open_prev = tag->open_prev;
    tag->next = self->free;
    self->free = tag;
}

static int
submit (weft_stage_t *self, weft_stage_tag_t *tag)
{
    weft_item_t item = weft_stage_item (tag->alert);
    item.item = weft_alert_ref (tag->alert);
    int rc = weft_upstream_submit (self->upstream, self->now, &item, tag,
                                   WEFT_ALL_BRANCHES);
    weft_alert_t *extra = item.item;
    if (rc)
        weft_alert_unref (&extra);
    return rc;
}

static void
park (weft_stage_source_t *self, weft_stage_tag_t *tag)
{
    if (self->parked_last)
        self->parked_last->next = tag;
    else
        self->parked = tag;
    self->parked_last = tag;
    self->n_parked++;
}

void
weft_intake_add (weft_intake_t *self, weft_alert_t *alert, void *token)
{
    weft_stage_t *stage = self->stage;
    weft_stage_show (stage, alert);
    weft_stage_tag_t *tag = new_tag (&stage->source, alert, token);
    if (stage->source.parked || submit (stage, tag))
        park (&stage->source, tag);
}

static void
submit_parked (weft_stage_t *self)
{
    weft_stage_source_t *source = &self->source;
    while (source->parked) {
        //  Out of the list before: it may be settled, and used again, at once.
        weft_stage_tag_t *tag = source->parked, *next = tag->next;
        tag->next = NULL;
        if (submit (self, tag)) {
            tag->next = next;
            return;
        }
        source->parked = next;
        if (!next)
            source->parked_last = NULL;
        source->n_parked--;
    }
}

static void
grow_settled (weft_stage_source_t *self)
{
    size_t room = self->room_settled ? self->room_settled * 2 : 256;
    weft_settled_t *grown = realloc (self->settled, room * sizeof *grown);
    assert (grown && "memory for outcomes");
    self->settled = grown;
    self->room_settled = room;
}

static void
has_outcome (weft_stage_t *self, weft_stage_tag_t *tag, weft_outcome_t outcome)
{
    weft_stage_source_t *source = &self->source;
    if (tag->replay) {
        weft_keeper_replayed (self->keeper, tag->replay,
                              outcome == WEFT_OUTCOME_SETTLED);
        free_tag (source, tag);
        return;
    }
    if (source->n_settled == source->room_settled)
        grow_settled (source);
    if (source->n_settled == 0)
        source->settled_ms = self->now;
    source->settled[source->n_settled++] =
        (weft_settled_t){ tag->token, tag->alert, outcome };
    weft_metric_add (outcome == WEFT_OUTCOME_SETTLED ? self->metrics.settled
                                                     : self->metrics.rejected,
                     1);
    free_tag (source, tag);
}

void
weft_stage_source_settled (void *arg, void *tag, weft_outcome_t outcome)
{
    has_outcome (arg, tag, outcome);
}

static void
give_up (weft_stage_t *self, const weft_oldest_t *oldest)
{
    weft_stage_tag_t *tag = oldest->tag;
    weft_branch_info_t branch = { .stage = self->spec->name };
    char reason[WEFT_LINK_REASON_MAX];
    if (oldest->waiting)
        weft_upstream_branch (
            self->upstream, (uint32_t)__builtin_ctz (oldest->waiting), &branch);
    snprintf (reason, sizeof reason,
              "not settled for %lld s, %llu later alerts were",
              (long long)(oldest->age_ms / 1000),
              (unsigned long long)oldest->overtaken);
    //  The alert has a life of its own until its letter is durable.
    weft_alert_t *alert = weft_alert_ref (oldest->item);
    if (!weft_upstream_abandon_oldest (self->upstream, self->now)) {
        weft_log (WEFT_WARN, "STAGE-ALERT-STUCK", "%s", reason);
        weft_stage_count_dead (branch.stage, WEFT_ESTUCK);
        self->source.stuck = tag;
        if (weft_keeper_bury (self->keeper, (void *)tag, alert, branch.stage,
                              WEFT_ESTUCK, reason))
            weft_stage_note_fatal (self, WEFT_ENOMEM);
    }
    weft_alert_unref (&alert);
}

//  The source alone judges who is stuck: old, and overtaken by many. When
//  nothing is settled, nothing is stuck. One at a time, each beat.
void
weft_stage_source_judge (weft_stage_t *self)
{
    const weft_settings_t *s = self->settings;
    weft_oldest_t oldest;
    if (self->source.stuck ||
        !weft_upstream_oldest (self->upstream, self->now, &oldest))
        return;
    uint64_t most = (uint64_t)s->link.custody * OVERTAKEN_WINDOWS;
    if (oldest.age_ms > s->link.max_age_s * 1000 && oldest.overtaken >= most)
        give_up (self, &oldest);
}

//  Was this the letter of a stuck alert? Then its outcome is final now.
bool
weft_stage_source_buried (weft_stage_t *self, const void *grave)
{
    weft_stage_tag_t *tag = self->source.stuck;
    if (!tag || grave != tag)
        return false;
    self->source.stuck = NULL;
    has_outcome (self, tag, WEFT_OUTCOME_DEAD);
    return true;
}

//  Takes a replay into custody, for its branch alone.
int
weft_stage_source_replay (weft_stage_t *self,
                          weft_keeper_replay_t *replay,
                          const weft_item_t *item,
                          uint32_t branches)
{
    weft_stage_tag_t *tag = new_tag (&self->source, NULL, NULL);
    tag->replay = replay;
    int rc =
        weft_upstream_submit (self->upstream, self->now, item, tag, branches);
    if (rc)
        free_tag (&self->source, tag);
    return rc;
}

static void
book (weft_stage_t *self)
{
    weft_stage_source_t *source = &self->source;
    size_t n = source->n_settled;
    int rc = self->spec->source->settle (self->service, source->settled, n);
    self->now = weft_time_ms ();
    if (rc && rc != source->settle_error)
        weft_log (WEFT_WARN, "STAGE-BOOKING-HELD", "%s: %zu outcomes wait",
                  weft_error_text (rc), n);
    source->settle_error = rc;
    weft_stage_note_fatal (self, rc);
    if (rc) {
        //  The same ones again at the next beat.
        source->settled_ms = self->now + self->settings->link.beat_ms;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        weft_alert_t *alert =
            (weft_alert_t *)(uintptr_t)source->settled[i].alert;
        weft_alert_unref (&alert);
    }
    source->n_settled = 0;
}

static bool
book_due (const weft_stage_t *self)
{
    const weft_stage_source_t *source = &self->source;
    if (source->n_settled == 0 || self->now < source->settled_ms)
        return false;
    return (source->n_settled >= BOOK_SOON && !source->settle_error) ||
           self->now >= source->settled_ms + BOOK_LATE_MS;
}

//  How many more alerts may be in hand, those counted whose outcome is not
//  booked yet.
static size_t
room_for (const weft_stage_t *self)
{
    const weft_settings_t *s = self->settings;
    const weft_upstream_stats_t *stats = weft_upstream_stats (self->upstream);
    uint64_t most = (uint64_t)s->link.custody;
    uint64_t used = stats->alerts + self->source.n_parked;
    if (used >= most || stats->bytes >= (uint64_t)s->link.custody_bytes ||
        self->source.n_settled >= most)
        return 0;
    return (size_t)WEFT_MIN (most - used, PULL_MOST);
}

static void
pull (weft_stage_t *self, size_t room)
{
    weft_stage_source_t *source = &self->source;
    weft_intake_t intake = { self };
    int rc = self->spec->source->pull (self->service, &intake, room);
    self->now = weft_time_ms ();
    source->next_ms = self->now + WEFT_MAX (rc, 0);
    if (rc == -1) {
        //  WEFT_EAGAIN has the same number: "not now" never comes from pull.
        source->exhausted = true;
    } else if (rc < 0) {
        source->next_ms = self->now + self->settings->link.beat_ms;
        if (rc != source->pull_error)
            weft_log (WEFT_WARN, "STAGE-SOURCE-WAITS", "%s",
                      weft_error_text (rc));
    }
    source->pull_error = rc < -1 ? rc : 0;
    weft_stage_note_fatal (self, source->pull_error);
}

void
weft_stage_source_turn (weft_stage_t *self)
{
    weft_stage_source_t *source = &self->source;
    if (book_due (self))
        book (self);
    submit_parked (self);
    size_t room = room_for (self);
    if (self->state == WEFT_STAGE_DRAINING || source->exhausted ||
        source->parked || source->settle_error || room == 0 ||
        self->now < source->next_ms)
        return;
    pull (self, room);
}

static bool
pulls (const weft_stage_t *self)
{
    const weft_stage_source_t *source = &self->source;
    return self->state != WEFT_STAGE_DRAINING && !source->exhausted &&
           !source->parked && !source->settle_error && room_for (self) > 0;
}

//  What wakes the loop for a pull, -1 if nothing may.
int
weft_stage_source_fd (const weft_stage_t *self)
{
    const weft_source_t *source = self->spec->source;
    bool waits =
        source && source->fd && !self->source.pull_error && pulls (self);
    return waits ? source->fd (self->service) : -1;
}

//  It did.
void
weft_stage_source_woken (weft_stage_t *self)
{
    self->source.next_ms = self->now;
}

//  When the source wants its next turn, ms from now.
int64_t
weft_stage_source_wait (const weft_stage_t *self)
{
    const weft_stage_source_t *source = &self->source;
    int64_t wait = INT64_MAX;
    if (source->n_settled > 0)
        wait = source->settled_ms + BOOK_LATE_MS - self->now;
    if (pulls (self))
        wait = WEFT_MIN (wait, source->next_ms - self->now);
    return WEFT_MAX (wait, 0);
}

//  Is everything that was taken in booked?
bool
weft_stage_source_done (const weft_stage_t *self)
{
    return weft_upstream_stats (self->upstream)->alerts == 0 &&
           self->source.n_settled == 0 && !self->source.parked &&
           !self->source.stuck;
}

//  What has no outcome will be read again by the next life of the process.
void
weft_stage_source_close (weft_stage_t *self)
{
    weft_stage_source_t *source = &self->source;
    for (size_t i = 0; i < source->n_settled; i++) {
        weft_alert_t *alert =
            (weft_alert_t *)(uintptr_t)source->settled[i].alert;
        weft_alert_unref (&alert);
    }
    free (source->settled);
    for (weft_stage_tag_t *tag = source->open, *next; tag; tag = next) {
        next = tag->open_next;
        weft_alert_unref (&tag->alert);
        free (tag);
    }
    for (weft_stage_tag_t *tag = source->free, *next; tag; tag = next) {
        next = tag->next;
        free (tag);
    }
    *source = (weft_stage_source_t){ .free = NULL };
}
