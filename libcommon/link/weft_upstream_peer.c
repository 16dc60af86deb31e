//  weft_upstream_peer.c - sessions: who is there, what their frames mean, and
//  what happens to the alerts of those who go.

#include "weft_upstream_parts.h"

#include "weft_hash.h"

void
weft_upstream_event (const weft_upstream_t *self,
                     const weft_link_event_t *event)
{
    if (self->ops.event)
        self->ops.event (self->arg, event);
}

void
weft_upstream_tell (const weft_upstream_t *self,
                    weft_link_event_id_t id,
                    const session_t *session,
                    uint64_t value,
                    const char *text)
{
    weft_link_event_t event = {
        .id = id,
        .peer = session->peer,
        .stage = self->branches[session->branch].stage,
        .value = value,
        .text = text,
    };
    weft_upstream_event (self, &event);
}

session_t *
weft_upstream_peer (const weft_upstream_t *self, uint64_t peer)
{
    for (uint64_t i = 0; i < self->stats.peers; i++)
        if (self->sessions[i]->peer == peer)
            return self->sessions[i];
    return NULL;
}

static session_t *
session_of_boot (const weft_upstream_t *self, uint64_t boot)
{
    for (uint64_t i = 0; i < self->stats.peers; i++)
        if (self->sessions[i]->boot == boot)
            return self->sessions[i];
    return NULL;
}

int
weft_upstream_post (weft_upstream_t *self,
                    const session_t *session,
                    weft_link_frame_t *frame)
{
    uint8_t header[512];
    frame->session = session->id;
    frame->echo = session->limit_version;
    int size = weft_link_encode (frame, header, sizeof header);
    assert (size > 0);
    return self->ops.send (self->arg, session->peer, header, (size_t)size,
                           NULL);
}

void
weft_upstream_hand_back (weft_upstream_t *self, flight_t *flight, bool suspect)
{
    copy_t *copy = weft_upstream_land (self, flight);
    if (!copy)
        return;
    if (copy->attempt < UINT16_MAX)
        copy->attempt++;
    if (suspect && WEFT_RULE (SUSPECT)) {
        copy->suspect = true;
        self->stats.suspects++;
    }
    if (WEFT_RULE (REDELIVER))
        weft_upstream_queue (self, copy, true);
}

void
weft_upstream_end (weft_upstream_t *self, session_t *session, bool death)
{
    uint64_t *redelivered =
        death ? &self->stats.redelivered_death : &self->stats.redelivered_bye;
    *redelivered += session->unsettled;
    while (session->tail) {
        bool suspect = death && session->tail->seq > session->done;
        weft_upstream_hand_back (self, session->tail, suspect);
    }
    self->branches[session->branch].peers--;
    self->stats.peers--;
    session_t *last = self->sessions[self->stats.peers];
    self->sessions[session->index] = last;
    last->index = session->index;
    free (session);
}

static void
lose (weft_upstream_t *self,
      session_t *session,
      weft_link_event_id_t id,
      const char *text)
{
    self->stats.deaths++;
    weft_upstream_tell (self, id, session, session->unsettled, text);
    weft_upstream_end (self, session, true);
}

void
weft_upstream_gone (weft_upstream_t *self, session_t *session)
{
    lose (self, session, WEFT_LINK_EVENT_PEER_LOST, "unreachable");
}

void
weft_upstream_lost (weft_upstream_t *self, int64_t now, uint64_t peer)
{
    (void)now;
    session_t *session = weft_upstream_peer (self, peer);
    if (session)
        weft_upstream_gone (self, session);
}

//  A peer that breaks the protocol is dropped and not answered any more.
static void
ban (weft_upstream_t *self, uint64_t peer, int rc)
{
    self->stats.malformed++;
    session_t *session = weft_upstream_peer (self, peer);
    weft_link_event_t event = {
        .id = WEFT_LINK_EVENT_PEER_BAD,
        .peer = peer,
        .stage = session ? self->branches[session->branch].stage : NULL,
        .value = session ? session->unsettled : 0,
        .code = rc,
        .text = weft_error_text (rc),
    };
    weft_upstream_event (self, &event);
    if (session) {
        self->stats.deaths++;
        weft_upstream_end (self, session, true);
    }
    self->banned[self->banned_at++ % BANNED_MAX] = peer;
}

static bool
is_banned (const weft_upstream_t *self, uint64_t peer)
{
    for (uint32_t i = 0; i < WEFT_MIN (self->banned_at, BANNED_MAX); i++)
        if (self->banned[i] == peer)
            return true;
    return false;
}

static uint32_t
find_branch (const weft_upstream_t *self, weft_link_text_t stage)
{
    uint32_t i = 0;
    for (; i < self->config.branch_count; i++) {
        const char *name = self->branches[i].stage;
        if (strlen (name) == stage.size &&
            memcmp (name, stage.data, stage.size) == 0)
            break;
    }
    return i;
}

static void
refuse (weft_upstream_t *self,
        uint64_t peer,
        const weft_link_frame_t *hello,
        int32_t code,
        const char *reason)
{
    char stage[WEFT_LINK_NAME_MAX + 1];
    snprintf (stage, sizeof stage, "%.*s", (int)hello->stage.size,
              (const char *)hello->stage.data);
    self->stats.refused++;
    weft_link_event_t event = { .id = WEFT_LINK_EVENT_REFUSED,
                                .peer = peer,
                                .stage = stage,
                                .code = code,
                                .text = reason };
    weft_upstream_event (self, &event);
    weft_link_frame_t frame = { .type = WEFT_LINK_REFUSE,
                                .nonce = hello->nonce,
                                .code = code,
                                .reason = weft_link_text (reason) };
    uint8_t header[512];
    int size = weft_link_encode (&frame, header, sizeof header);
    if (size > 0)
        (void)self->ops.send (self->arg, peer, header, (size_t)size, NULL);
}

//  Another build or configuration is what a held branch waits for.
static void
release_by_hash (weft_upstream_t *self, session_t *session, int64_t now)
{
    branch_t *branch = &self->branches[session->branch];
    if (!branch->held)
        return;
    for (uint32_t i = 0; i < branch->hash_count; i++)
        if (branch->hashes[i] == session->hash && WEFT_RULE (KNOWN))
            return;
    if (WEFT_RULE (RELEASE))
        weft_upstream_release (self, now, session->branch);
}

static int
begin (weft_upstream_t *self,
       int64_t now,
       uint64_t peer,
       uint32_t branch,
       const weft_link_frame_t *hello)
{
    session_t *session = calloc (1, sizeof *session);
    if (!session)
        return WEFT_ENOMEM;
    self->session_count++;
    session->id = weft_hash_u64 (self->config.boot ^ self->session_count) | 1;
    session->peer = peer;
    session->boot = hello->boot;
    session->hash = hello->hash;
    session->branch = branch;
    session->limit = hello->limit;
    session->limit_version = hello->limit_version;
    session->limit_bytes = hello->limit_bytes;
    session->largest = hello->largest;
    session->stall_ms = hello->stall_ms;
    session->alive_at = now;
    session->index = (uint32_t)self->stats.peers++;
    self->sessions[session->index] = session;
    self->branches[branch].peers++;
    weft_upstream_tell (self, WEFT_LINK_EVENT_WELCOMED, session,
                        self->stats.peers, "");
    release_by_hash (self, session, now);
    weft_link_frame_t welcome = { .type = WEFT_LINK_WELCOME,
                                  .nonce = hello->nonce,
                                  .boot = self->config.boot,
                                  .largest = self->config.largest,
                                  .beat_ms = self->config.beat_ms };
    if (weft_upstream_post (self, session, &welcome))
        weft_upstream_end (self, session, false);
    return 0;
}

static void
on_hello (weft_upstream_t *self,
          int64_t now,
          uint64_t peer,
          const weft_link_frame_t *hello)
{
    const char *reason = NULL;
    int code =
        self->ops.admit ? self->ops.admit (self->arg, hello, &reason) : 0;
    if (code == WEFT_REFUSE_KEY) {
        //  Who only claims to be somebody ends nobody's session.
        refuse (self, peer, hello, code, reason);
        return;
    }
    //  Who says HELLO lives, so what its old session held is nobody's fault;
    //  another process behind the same routing id cannot be.
    session_t *old = session_of_boot (self, hello->boot);
    if (old && WEFT_RULE (HELLO))
        weft_upstream_end (self, old, false);
    old = weft_upstream_peer (self, peer);
    if (old)
        weft_upstream_end (self, old, true);
    uint32_t branch = find_branch (self, hello->stage);
    if (branch == self->config.branch_count) {
        code = WEFT_REFUSE_STAGE;
        reason = "not one of this stage's outputs";
    }
    if (!code && (self->stats.peers >= self->config.max_peers ||
                  begin (self, now, peer, branch, hello))) {
        code = WEFT_REFUSE_FULL;
        reason = "as many workers as there may be";
    }
    if (code)
        refuse (self, peer, hello, code, reason);
}

//  A frame from nobody we know: it shall say HELLO.
static void
on_stranger (weft_upstream_t *self,
             uint64_t peer,
             const weft_link_frame_t *frame)
{
    self->stats.strays++;
    if (frame->type == WEFT_LINK_BYE)
        return;
    weft_link_frame_t reset = { .type = WEFT_RULE (RESET) ? WEFT_LINK_RESET
                                                          : WEFT_LINK_UP_BEAT,
                                .session = frame->session };
    uint8_t header[WEFT_LINK_UPSTREAM_SIZE];
    int size = weft_link_encode (&reset, header, sizeof header);
    assert (size > 0);
    (void)self->ops.send (self->arg, peer, header, (size_t)size, NULL);
}

//  What every frame of a worker carries.
static void
read_fixed (session_t *session, const weft_link_frame_t *frame, int64_t now)
{
    session->alive_at = now;
    if (frame->done > session->done)
        session->done = frame->done;
    if ((int32_t)(frame->limit_version - session->limit_version) > 0) {
        session->limit = frame->limit;
        session->limit_bytes = frame->limit_bytes;
        session->limit_version = frame->limit_version;
        session->echo_due = true;
    }
}

static void
on_frame (weft_upstream_t *self,
          session_t *session,
          const weft_link_frame_t *frame,
          int64_t now)
{
    uint64_t found = 1;
    if (frame->type == WEFT_LINK_SETTLE || frame->type == WEFT_LINK_RETRY)
        found = weft_upstream_runs (self, session, frame, now);
    else if (frame->type == WEFT_LINK_REJECT)
        found = weft_upstream_reject (self, session, frame, now);
    if (found == 0) {
        self->stats.not_held += frame->type == WEFT_LINK_REJECT;
        return;
    }
    read_fixed (session, frame, now);
    if (frame->type == WEFT_LINK_DRAIN)
        session->draining = true;
    if (frame->type == WEFT_LINK_BYE) {
        weft_upstream_tell (self, WEFT_LINK_EVENT_PEER_BYE, session,
                            session->unsettled, "gone politely");
        weft_upstream_end (self, session, false);
    }
}

void
weft_upstream_recv (weft_upstream_t *self,
                    int64_t now,
                    uint64_t peer,
                    const void *data,
                    size_t size)
{
    weft_link_frame_t frame;
    if (is_banned (self, peer))
        return;
    int rc = weft_link_decode (&frame, data, size);
    if (!rc && !weft_link_from_worker (frame.type))
        rc = WEFT_EPROTO;
    if (rc) {
        ban (self, peer, rc);
        return;
    }
    if (frame.type == WEFT_LINK_HELLO) {
        on_hello (self, now, peer, &frame);
        return;
    }
    session_t *session = weft_upstream_peer (self, peer);
    if (!session && !WEFT_RULE (SESSION) && self->stats.peers > 0)
        session = self->sessions[0];
    if (!session)
        on_stranger (self, peer, &frame);
    else if (session->id != frame.session && WEFT_RULE (SESSION))
        self->stats.strays++;
    else if (frame.done > session->last_seq && WEFT_RULE (SESSION))
        ban (self, peer, WEFT_EPROTO);
    else
        on_frame (self, session, &frame, now);
}

void
weft_upstream_bye (weft_upstream_t *self, int64_t now)
{
    (void)now;
    while (self->stats.peers > 0) {
        session_t *session = self->sessions[self->stats.peers - 1];
        weft_link_frame_t bye = { .type = WEFT_LINK_UP_BYE };
        if (weft_upstream_post (self, session, &bye))
            weft_upstream_gone (self, session);
        else
            weft_upstream_end (self, session, false);
    }
}
