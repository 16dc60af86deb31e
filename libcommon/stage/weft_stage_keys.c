//  weft_stage_keys.c - the keys of a service, and what happens to its links when
//  they change.
//
//  Old and new keys stand side by side in the allow-list, so that services
//  change one after the other. Connections stay when only lines were added. A
//  service whose own key is another one says BYE downstream and binds anew; one
//  whose list has lost a line lets everybody in again, by the new list. Either
//  way what was in flight is sent again, to nobody's blame.

#include "weft_stage_parts.h"

//  Between two rounds through the keys of an upstream.
enum { PAUSE_MS = 500 };

//  A link to a stage that has no key could never be.
static int
check_upstreams (const weft_stage_t *self,
                 const weft_keys_t *keys,
                 char *why,
                 size_t room)
{
    const weft_texts_t *names = &self->settings->link.upstreams;
    for (uint32_t i = 0; !self->spec->source && i < names->n; i++) {
        char stage[WEFT_STAGE_ROOM];
        weft_resolver_stage (names->items[i], stage);
        if (weft_keys_of (keys, stage, 0))
            continue;
        snprintf (why, room,
                  "link.upstreams: \"%s\": %s/allow has no key of a stage "
                  "\"%s\", expected STAGE@HOST:PORT with one that it has",
                  names->items[i], self->settings->link.keys, stage);
        return WEFT_ECONFIG;
    }
    return 0;
}

static weft_keys_t *
load (const weft_stage_t *self, char *why, size_t room)
{
    char inner[384];
    weft_keys_t *keys = weft_keys_load (self->settings->link.keys,
                                        self->spec->name, inner, sizeof inner);
    if (!keys)
        snprintf (why, room, "link.keys: %s", inner);
    else if (check_upstreams (self, keys, why, room))
        weft_keys_unref (&keys);
    return keys;
}

int
weft_stage_load_keys (weft_stage_t *self, char *why, size_t room)
{
    if (!self->settings->link.keys[0])
        return 0;
    self->keys = load (self, why, room);
    return self->keys ? 0 : WEFT_ECONFIG;
}

static void
bind_anew (weft_stage_t *self)
{
    if (!self->router_due || weft_router_renew (self->router))
        return;
    self->router_due = false;
    weft_log (WEFT_INFO, "MESH-LISTENING", "%s, with another key",
              weft_router_endpoint (self->router));
}

//  Everybody comes in again, by the keys of now.
static void
part_downstream (weft_stage_t *self, bool bind)
{
    if (!self->router)
        return;
    weft_upstream_bye (self->upstream, self->now);
    self->router_due = self->router_due || bind;
    bind_anew (self);
}

static void
part_upstream (weft_stage_t *self)
{
    if (!self->worker)
        return;
    weft_worker_part (self->worker);
    for (size_t i = 0; i < WEFT_COUNT (self->links); i++)
        self->links[i].reopen = true;
}

void
weft_stage_renew_keys (weft_stage_t *self)
{
    char why[512];
    if (!self->keys)
        return;
    weft_keys_t *old = self->keys, *next = load (self, why, sizeof why);
    if (!next) {
        weft_log (WEFT_ERROR, "LINK-KEYS-REFUSED",
                  "%s; the old keys stay as they were", why);
        return;
    }
    bool other = strcmp (weft_keys_public (old), weft_keys_public (next)) != 0;
    bool lost = weft_keys_lost (old, next);
    weft_mesh_renew_keys (self->mesh, next);
    self->keys = next;
    for (size_t i = 0; i < WEFT_COUNT (self->links); i++) {
        self->links[i].key = 0;
        self->links[i].open_ms = 0;
    }
    if (other || lost) {
        part_downstream (self, other);
        weft_stage_renew_tap (self);
    }
    if (lost)
        part_upstream (self);
    weft_log (WEFT_INFO, "LINK-KEYS-READ", "own key %s, %s%s",
              weft_keys_public (next), other ? "a new one" : "as before",
              lost ? "; keys were taken from the list" : "");
    weft_keys_unref (&old);
}

static void
say_once (weft_stage_link_t *link,
          weft_level_t level,
          const char *id,
          const char *what,
          const char *name)
{
    if (!link->said)
        weft_log (level, id, "%s: %s %s", link->endpoint, what, name);
    link->said = true;
}

//  The next of the keys that this upstream may have; one after the other is the
//  new one while they are rotated.
static void
try_next_key (weft_stage_t *self, weft_stage_link_t *link)
{
    link->reopen = true;
    if (weft_keys_of (self->keys, link->stage, ++link->key))
        return;
    link->key = 0;
    link->open_ms = self->now + PAUSE_MS;
    say_once (link, WEFT_WARN, "LINK-SERVER-KEY",
              "it speaks no CURVE, or has no key that we know of stage",
              link->stage);
}

static void
look_at_handshake (weft_stage_t *self, weft_stage_link_t *link)
{
    weft_handshake_t how = weft_dealer_handshake (link->dealer);
    if (how == WEFT_HANDSHAKE_FAILED) {
        try_next_key (self, link);
    } else if (how == WEFT_HANDSHAKE_REFUSED) {
        link->reopen = true;
        link->open_ms = self->now + PAUSE_MS;
        say_once (link, WEFT_ERROR, "LINK-KEY-UNKNOWN",
                  "its allow-list lacks our key, or it has not read it again "
                  "(SIGHUP):",
                  weft_keys_public (self->keys));
    }
}

void
weft_stage_keys_turn (weft_stage_t *self)
{
    for (size_t i = 0; self->keys && i < WEFT_COUNT (self->links); i++)
        if (self->links[i].used && self->links[i].dealer)
            look_at_handshake (self, &self->links[i]);
}

void
weft_stage_keys_beat (weft_stage_t *self)
{
    if (!self->keys)
        return;
    bind_anew (self);
    for (int i = 0; i < WEFT_REFUSED_REASONS; i++)
        weft_metric_set (self->metrics.refused_gate[i],
                         (double)weft_gate_refused (weft_mesh_gate (self->mesh),
                                                    (weft_refused_t)i));
}

bool
weft_stage_may_be (weft_stage_t *self, weft_link_text_t stage)
{
    if (!self->keys)
        return true;
    const char *key = weft_router_key (self->router);
    const char *address = weft_router_address (self->router);
    if (weft_keys_may (self->keys, key, stage.data, stage.size))
        return true;
    weft_metric_add (self->metrics.refused_stage, 1);
    if (!weft_log_may (&self->refusals, "LINK-PEERS-REFUSED", self->now))
        return false;
    weft_log (WEFT_WARN, "LINK-PEER-REFUSED",
              "stage from %s, key %s of stage %s: it claims to be %.*s",
              address ? address : "?", key ? key : "-",
              weft_keys_stage (self->keys, key), (int)stage.size,
              (const char *)stage.data);
    return false;
}
