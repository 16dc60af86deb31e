//  weft_stage_commit.c - carries out effects, and finds the alert whose effect
//  cannot be.
//
//  A batch that fails is committed again one by one: the alert that fails by
//  itself goes behind the others, and is a dead letter after a few tries, if
//  meanwhile others could be committed or if the service says that it never
//  can be. What fails for everybody is no alert's fault: it is held.

#include "weft_stage_parts.h"

#include "weft_time.h"

enum {
    COMMIT_MOST = 256,
    //  So many may fail, and nothing else be there to commit, before the
    //  service is taken to be down and nothing more is let in.
    ALONE_MOST = 3,
};

//  The effect of an alert is its last frame.
static weft_section_t
effect_of (const weft_alert_t *alert)
{
    weft_frame_t *last =
        weft_alert_frame (alert, weft_alert_frames (alert) - 1);
    return (weft_section_t){
        .data = (uint8_t *)(uintptr_t)weft_frame_data (last),
        .size = weft_frame_size (last),
        .room = weft_frame_size (last),
        .ceiling = weft_frame_size (last),
    };
}

//  Alerts without an effect are in line, too; nothing is carried out for them.
static int
commit_some (weft_stage_t *self, void **items, size_t n)
{
    const weft_alert_t *alerts[COMMIT_MOST];
    weft_section_t effects[COMMIT_MOST];
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        if (items[i]) {
            alerts[count] = items[i];
            effects[count++] = effect_of (items[i]);
        }
    return count ? self->spec->commit (self->service, alerts, effects, count)
                 : 0;
}

static const char *
why (int rc)
{
    const char *reason = weft_stage_last_reason ();
    return reason[0] ? reason : weft_error_text (rc);
}

//  Until the next beat; as long as it is not over, nothing more is let in.
static void
hold (weft_stage_t *self, int rc)
{
    if (!self->commit_blocked)
        weft_log (WEFT_WARN, "STAGE-COMMIT-HELD", "%s: %s",
                  weft_error_name (rc), why (rc));
    self->commit_blocked = true;
    weft_worker_depend (self->worker, self->now, true);
    weft_stage_note_fatal (self, rc);
}

//  It failed by itself.
static void
put_behind (weft_stage_t *self, const weft_alert_t *alert, int rc)
{
    char reason[WEFT_LINK_REASON_MAX + 1];
    long long id = (long long)weft_alert_envelope (alert)->alert_id;
    snprintf (reason, sizeof reason, "its effect cannot be committed: %s: %s",
              weft_error_name (rc), why (rc));
    unsigned tries = weft_custody_uncommitted (self->custody, rc, reason);
    if (tries == 0)
        weft_log (WEFT_ERROR, "STAGE-COMMIT-REFUSED", "alert %lld: %s", id,
                  reason);
    else if (tries == 1)
        weft_log (WEFT_WARN, "STAGE-COMMIT-ALONE", "alert %lld: %s", id,
                  reason);
}

//  All of a batch that failed have been tried by themselves.
static void
end_pass (weft_stage_t *self, int rc)
{
    bool retry = weft_error_class (rc) == WEFT_CLASS_RETRY;
    if (!self->alone_good && self->alone_failed > ALONE_MOST && retry)
        hold (self, rc);
    self->commit_blocked = self->commit_blocked || self->alone_failed > 0;
}

//  The first `n` were tried. False: no more before the next beat.
static bool
tried (weft_stage_t *self, void **items, size_t n, int rc)
{
    if (rc && self->alone == 0) {
        self->alone = n;
        self->alone_failed = 0;
        self->alone_good = false;
        if (n > 1)
            return true;
    }
    if (rc) {
        self->alone_failed++;
        self->alone_rc = rc;
        put_behind (self, items[0], rc);
    } else {
        self->alone_good = self->alone_good || items[0];
        weft_custody_committed (self->custody, self->now, n);
    }
    if (self->alone > 0 && --self->alone == 0)
        end_pass (self, self->alone_rc);
    return !self->commit_blocked;
}

//  For a dependency, or for ever.
static bool
is_held (int rc)
{
    return rc == WEFT_EDOWN || rc == WEFT_EAGAIN ||
           (rc && weft_error_class (rc) == WEFT_CLASS_FATAL);
}

void
weft_stage_commit (weft_stage_t *self)
{
    void *items[COMMIT_MOST];
    while (self->spec->commit && !self->commit_blocked && !self->over) {
        size_t n = weft_custody_effects (self->custody, items, COMMIT_MOST);
        n = WEFT_MIN (n, self->alone ? 1 : (size_t)COMMIT_MOST);
        int rc = 0;
        weft_stage_clear_reason ();
        if (n > 0)
            rc = commit_some (self, items, n);
        self->now = weft_time_ms ();
        if (is_held (rc)) {
            hold (self, rc);
            return;
        }
        if (!rc)
            weft_worker_depend (self->worker, self->now, false);
        if (n == 0 || !tried (self, items, n, rc))
            return;
    }
}
