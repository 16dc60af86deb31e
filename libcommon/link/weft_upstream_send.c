//  weft_upstream_send.c - which alert goes to whom: windows are the only flow
//  control, and the most free window is served first.

#include "weft_upstream_parts.h"

//  How many more alerts this session may be sent. Its limit is its own word,
//  so it never counts for more than our own ceiling.
static uint32_t
free_window (const weft_upstream_t *self, const session_t *session)
{
    uint32_t limit = WEFT_MIN (session->limit, self->config.max_alerts);
    if (!WEFT_RULE (LIMIT))
        limit = self->config.max_alerts;
    if (session->draining || session->unsettled >= limit)
        return 0;
    return limit - session->unsettled;
}

//  An idle peer may take one alert, whatever its bytes.
static bool
has_bytes (const session_t *session, size_t bytes)
{
    if ((session->unsettled == 0 && WEFT_RULE (IDLE)) || !WEFT_RULE (LIMIT))
        return true;
    return bytes <= session->limit_bytes &&
           session->unsettled_bytes <= session->limit_bytes - bytes;
}

static bool
can_receive (const session_t *session, const weft_item_t *item)
{
    return item->largest <= session->largest || !WEFT_RULE (TOO_BIG);
}

//  Why an alert cannot go to anybody now.
typedef enum {
    GO,       //  it can
    NOBODY,   //  no window is open: neither can the ones behind it
    BLOCKED,  //  it waits for bytes: those behind it must not overtake
    LATER,    //  only for who gave it back, or cannot receive it: skip it
} verdict_t;

static bool
is_avoided (const copy_t *copy, const session_t *session, int64_t now)
{
    if (now >= copy->avoid_until)
        return false;
    for (unsigned i = 0; i < WEFT_MIN (copy->avoid_count, AVOID_MAX); i++)
        if (copy->avoid[i] == session->id)
            return true;
    return false;
}

static verdict_t
choose (const weft_upstream_t *self,
        const copy_t *copy,
        int64_t now,
        session_t **best)
{
    verdict_t verdict = NOBODY;
    uint32_t most = 0;
    for (uint64_t i = 0; i < self->stats.peers; i++) {
        session_t *session = self->sessions[i];
        if (session->branch != copy->branch)
            continue;
        uint32_t window = free_window (self, session);
        if (window == 0)
            continue;
        if (is_avoided (copy, session, now) ||
            !can_receive (session, &copy->entry->item)) {
            verdict = verdict == NOBODY ? LATER : verdict;
        } else if (!has_bytes (session, copy->entry->item.bytes)) {
            verdict = BLOCKED;
        } else if (window > most) {
            most = window;
            *best = session;
        }
    }
    return most > 0 ? GO : verdict;
}

//  Every worker of the branch has told a smaller largest frame than this
//  alert's: libzmq would drop the connection for good.
static bool
is_too_big (const weft_upstream_t *self, const copy_t *copy)
{
    if (self->branches[copy->branch].peers == 0)
        return false;
    for (uint64_t i = 0; i < self->stats.peers; i++)
        if (self->sessions[i]->branch == copy->branch &&
            can_receive (self->sessions[i], &copy->entry->item))
            return false;
    return true;
}

static void
bury_too_big (weft_upstream_t *self, copy_t *copy)
{
    const char *reason = "too-big";
    weft_upstream_unqueue (self, copy);
    self->stats.too_big++;
    weft_link_event_t event = { .id = WEFT_LINK_EVENT_TOO_BIG,
                                .stage = self->branches[copy->branch].stage,
                                .value = copy->entry->item.largest,
                                .code = WEFT_ETOOBIG,
                                .text = reason };
    weft_upstream_event (self, &event);
    weft_upstream_copy_bury (self, copy, WEFT_ETOOBIG, reason);
}

//  Sends one alert under the number that its flight will get. Nothing has
//  changed unless it returns 0.
static int
send_alert (weft_upstream_t *self,
            session_t *session,
            copy_t *copy,
            const weft_item_t *item)
{
    weft_link_frame_t alert = {
        .type = WEFT_LINK_ALERT,
        .session = session->id,
        .echo = session->limit_version,
        .seq = session->last_seq + 1,
        .attempt = copy ? copy->attempt : 0,
        .suspect = copy && copy->suspect,
    };
    uint8_t header[WEFT_LINK_UPSTREAM_SIZE];
    int size = weft_link_encode (&alert, header, sizeof header);
    assert (size > 0);
    int rc = self->ops.send (self->arg, session->peer, header, (size_t)size,
                             item->item);
    if (rc)
        return rc;
    self->stats.sent++;
    session->echo_due = false;
    return 0;
}

//  Sends and books. What could not be sent was never sent: the caller has
//  the copy where it was.
static int
deliver (weft_upstream_t *self,
         session_t *session,
         copy_t *copy,
         const weft_item_t *item,
         int64_t now)
{
    bool idle = session->unsettled == 0;
    if (!weft_upstream_can_fly (self))
        return WEFT_ENOMEM;
    int rc = send_alert (self, session, copy, item);
    if (rc && WEFT_RULE (FAILED))
        return rc;
    if (copy)
        weft_upstream_unqueue (self, copy);
    weft_upstream_fly (self, session, copy, item->bytes);
    if (idle && now > session->alive_at)
        session->alive_at = now;
    return 0;
}

void
weft_upstream_tap (weft_upstream_t *self,
                   uint32_t branch,
                   const weft_item_t *item)
{
    for (uint64_t i = self->stats.peers; i-- > 0;) {
        session_t *session = self->sessions[i];
        if (session->branch != branch || free_window (self, session) == 0 ||
            !has_bytes (session, item->bytes) || !can_receive (session, item))
            continue;
        int rc = deliver (self, session, NULL, item, session->alive_at);
        if (rc == 0)
            return;
        if (rc == WEFT_EDOWN)
            weft_upstream_gone (self, session);
    }
    self->stats.sampled_out++;
}

void
weft_upstream_pump (weft_upstream_t *self, uint32_t branch, int64_t now)
{
    branch_t *line = &self->branches[branch];
    copy_t *copy = line->head;
    while (copy && !line->held) {
        copy_t *next = copy->next;
        session_t *session = NULL;
        verdict_t verdict = choose (self, copy, now, &session);
        if (verdict == NOBODY || verdict == BLOCKED)
            return;
        if (verdict == LATER) {
            if (is_too_big (self, copy))
                bury_too_big (self, copy);
            copy = next;
            continue;
        }
        int rc = deliver (self, session, copy, &copy->entry->item, now);
        if (rc && rc != WEFT_EDOWN)
            return;
        if (rc)
            weft_upstream_gone (self, session);
        //  What the lost peer held now stands before everything else.
        copy = rc ? line->head : next;
    }
}
