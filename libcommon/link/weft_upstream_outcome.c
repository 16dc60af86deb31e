//  weft_upstream_outcome.c - what workers say of alerts: settled, given back,
//  rejected.

#include "weft_upstream_parts.h"

//  Remembers a verdict; true if the branch is held for its rejects.
static bool
look_back (weft_upstream_t *self, session_t *session, bool reject)
{
    branch_t *branch = &self->branches[session->branch];
    if (branch->held || !WEFT_RULE (HOLD))
        return branch->held;
    uint32_t size = self->config.reject_ring;
    uint8_t *slot = &branch->ring[branch->ring_at];
    branch->ring_at = (branch->ring_at + 1) % size;
    branch->rejects += (uint32_t)reject - *slot;
    *slot = reject;
    if (branch->rejects <= size / 2)
        return false;
    branch->held = true;
    branch->hash_count = 0;
    for (uint64_t i = 0; i < self->stats.peers; i++)
        if (self->sessions[i]->branch == session->branch &&
            branch->hash_count < HASHES_MAX)
            branch->hashes[branch->hash_count++] = self->sessions[i]->hash;
    weft_upstream_tell (self, WEFT_LINK_EVENT_HELD, session, branch->rejects,
                        "rejects over half of its alerts");
    return true;
}

//  Given back without blame: to another peer first, to this one not before
//  the next beat.
static void
give_back (weft_upstream_t *self,
           session_t *session,
           flight_t *flight,
           int64_t now)
{
    copy_t *copy = flight->copy;
    if (copy && WEFT_RULE (OTHER_PEER)) {
        if (now >= copy->avoid_until)
            copy->avoid_count = 0;
        copy->avoid[copy->avoid_count++ % AVOID_MAX] = session->id;
        copy->avoid_until = now + self->config.beat_ms;
    }
    self->stats.redelivered_retry++;
    weft_upstream_hand_back (self, flight, false);
}

static void
on_settled (weft_upstream_t *self,
            session_t *session,
            flight_t *flight,
            uint8_t outcome)
{
    copy_t *copy = weft_upstream_land (self, flight);
    (void)look_back (self, session, false);
    if (copy)
        weft_upstream_copy_done (self, copy, outcome);
}

static void
on_run_member (weft_upstream_t *self,
               session_t *session,
               flight_t *flight,
               const weft_link_frame_t *frame,
               uint8_t code,
               int64_t now)
{
    if (frame->type == WEFT_LINK_SETTLE)
        on_settled (self, session, flight, code);
    else
        give_back (self, session, flight, now);
}

//  One run: by number when it is short, else along the session's list, so
//  that a hostile count costs no more than the window. Returns how many
//  alerts it named that this session holds.
static uint64_t
on_run (weft_upstream_t *self,
        session_t *session,
        const weft_link_frame_t *frame,
        weft_link_run_t run,
        int64_t now)
{
    uint64_t found = 0;
    if (!WEFT_RULE (ORDER) && session->head) {
        run.count += (uint32_t)(run.first - session->head->seq);
        run.first = session->head->seq;
    }
    if (run.count <= session->unsettled) {
        for (uint32_t i = 0; i < run.count; i++) {
            flight_t *flight =
                weft_upstream_flight (self, session, run.first + i);
            if (!flight)
                continue;
            found++;
            on_run_member (self, session, flight, frame, run.code, now);
        }
        return found;
    }
    for (flight_t *flight = session->head, *next; flight; flight = next) {
        next = flight->next;
        if (flight->seq < run.first || flight->seq - run.first >= run.count)
            continue;
        found++;
        on_run_member (self, session, flight, frame, run.code, now);
    }
    return found;
}

uint64_t
weft_upstream_runs (weft_upstream_t *self,
                    session_t *session,
                    const weft_link_frame_t *frame,
                    int64_t now)
{
    uint64_t found = 0;
    for (uint32_t i = 0; i < frame->run_count; i++) {
        weft_link_run_t run = weft_link_run (frame, i);
        uint64_t held = on_run (self, session, frame, run, now);
        self->stats.not_held += run.count - held;
        found += held;
    }
    return found;
}

//  A branch that is held for its rejects cannot give a verdict: the alert waits
//  in the queue like the others.
uint64_t
weft_upstream_reject (weft_upstream_t *self,
                      session_t *session,
                      const weft_link_frame_t *frame,
                      int64_t now)
{
    flight_t *flight = weft_upstream_flight (self, session, frame->seq);
    if (!flight)
        return 0;
    if (flight->copy && look_back (self, session, true)) {
        give_back (self, session, flight, now);
        return 1;
    }
    copy_t *copy = weft_upstream_land (self, flight);
    if (!copy)
        return 1;
    self->stats.rejected++;
    char reason[WEFT_LINK_REASON_MAX + 1];
    memcpy (reason, frame->reason.data, frame->reason.size);
    reason[frame->reason.size] = 0;
    weft_link_event_t event = { .id = WEFT_LINK_EVENT_REJECTED,
                                .peer = session->peer,
                                .stage = self->branches[copy->branch].stage,
                                .value = 1,
                                .code = frame->code,
                                .text = reason };
    weft_upstream_event (self, &event);
    weft_upstream_copy_bury (self, copy, frame->code, reason);
    return 1;
}
