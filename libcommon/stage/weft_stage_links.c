//  weft_stage_links.c - sockets of a stage and the machines behind them.

#include "weft_stage_parts.h"

#include "weft_hash.h"
#include "weft_time.h"

enum {
    //  An upstream that nobody lists any more and that is silent that long is
    //  forgotten; its address may be somebody else's now.
    FORGET_MS = 60000,
    //  Messages of all workers, or of one upstream, in one turn; more are read
    //  in the next one.
    READ_MOST = 16384,
};

static void
set_branches (const weft_settings_t *settings, weft_upstream_config_t *config)
{
    const weft_texts_t *lists[] = { &settings->link.outputs,
                                    &settings->link.samples };
    for (size_t k = 0; k < 2; k++)
        for (uint32_t i = 0; i < lists[k]->n; i++)
            config->branches[config->branch_count++] =
                (weft_branch_config_t){ lists[k]->items[i],
                                        k == 0 ? WEFT_LOSSLESS : WEFT_SAMPLE };
}

//  The upstream end holds what the worker end holds, and one that is over it.
static weft_upstream_config_t
upstream_config (const weft_stage_t *self)
{
    const weft_settings_t *s = self->settings;
    bool source = self->spec->source != NULL;
    weft_upstream_config_t config = {
        .boot = self->boot,
        .beat_ms = (uint32_t)s->link.beat_ms,
        .max_alerts =
            (uint32_t)(source ? s->link.custody : s->link.window * 2 + 64),
        .max_bytes =
            (size_t)(source ? s->link.custody_bytes : s->link.window_bytes * 2),
        .max_peers = (uint32_t)s->link.max_peers,
        .largest = weft_mesh_largest (self->mesh),
    };
    set_branches (s, &config);
    return config;
}

uint64_t
weft_stage_hash (const weft_stage_t *self)
{
    const char *science = self->spec->hash ? self->spec->hash : "";
    uint64_t hash = self->settings->hash ^
                    weft_hash (WEFT_VERSION, strlen (WEFT_VERSION)) ^
                    weft_hash_u64 (weft_hash (science, strlen (science)));
    const char *version =
        self->spec->version ? self->spec->version (self->service) : NULL;
    if (version)
        hash = weft_hash_u64 (hash) ^ weft_hash (version, strlen (version));
    return hash;
}

static int
open_custody (weft_stage_t *self)
{
    const weft_settings_t *s = self->settings;
    const char *contracts[] = { self->spec->reads, NULL };
    bool reads = self->spec->reads && self->spec->reads[0];
    weft_custody_config_t config = {
        .worker = {
            .stage = self->spec->name,
            .contracts = reads ? contracts : NULL,
            .boot = self->boot,
            .hash = weft_stage_hash (self),
            .ceiling = (uint32_t)s->link.window,
            .ceiling_bytes = (size_t)s->link.window_bytes,
            .largest = weft_mesh_largest (self->mesh),
            .beat_ms = (uint32_t)s->link.beat_ms,
            .stall_ms = (uint32_t)s->link.stall_ms,
            .max_links = WEFT_ENDPOINTS_MOST,
        },
        .upstream = upstream_config (self),
        .commits = self->spec->commit != NULL,
    };
    self->custody =
        weft_custody_new (&config, &weft_stage_worker_ops,
                          &weft_stage_upstream_ops, self, self->now);
    if (!self->custody)
        return WEFT_ENOMEM;
    self->worker = weft_custody_worker (self->custody);
    self->upstream = weft_custody_upstream (self->custody);
    return 0;
}

static int
open_source (weft_stage_t *self)
{
    weft_upstream_config_t config = upstream_config (self);
    weft_upstream_ops_t ops = weft_stage_upstream_ops;
    ops.settled = weft_stage_source_settled;
    self->upstream = weft_upstream_new (&config, &ops, self, self->now);
    return self->upstream ? 0 : WEFT_ENOMEM;
}

int
weft_stage_open_links (weft_stage_t *self, char *why, size_t room)
{
    const weft_settings_t *s = self->settings;
    int rc = weft_stage_load_keys (self, why, room);
    if (rc)
        return rc;
    weft_mesh_config_t config = { .largest = (uint32_t)s->link.largest,
                                  .io_threads = (int)s->link.io_threads,
                                  .keys = self->keys };
    snprintf (why, room, "out of resources for links");
    self->mesh = weft_mesh_new (&config);
    if (!self->mesh)
        return WEFT_ENOMEM;
    if (s->link.outputs.n + s->link.samples.n > 0) {
        self->router = weft_router_new (self->mesh, s->link.bind, why, room);
        if (!self->router)
            return WEFT_ECONFIG;
        weft_log (WEFT_INFO, "MESH-LISTENING", "%s, %s",
                  weft_router_endpoint (self->router),
                  self->keys ? "encrypted" : "plain text");
    }
    if (weft_stage_open_tap (self, why, room))
        return WEFT_ECONFIG;
    if (self->spec->source)
        return open_source (self);
    self->resolver =
        weft_resolver_new ((const char *const *)s->link.upstreams.items,
                           s->link.upstreams.n, why, room);
    return self->resolver ? open_custody (self) : WEFT_ECONFIG;
}

void
weft_stage_close_links (weft_stage_t *self)
{
    weft_resolver_destroy (&self->resolver);
    if (self->custody)
        weft_custody_destroy (&self->custody);
    else
        weft_upstream_destroy (&self->upstream);
    self->worker = NULL;
    self->upstream = NULL;
    for (size_t i = 0; i < WEFT_COUNT (self->links); i++)
        weft_dealer_destroy (&self->links[i].dealer);
    weft_tap_destroy (&self->tap);
    weft_router_destroy (&self->router);
    weft_mesh_destroy (&self->mesh);
    weft_keys_unref (&self->keys);
    free (self->endpoints);
    self->endpoints = NULL;
}

static bool
is_listed (const weft_stage_t *self, const char *endpoint)
{
    for (uint32_t i = 0; self->endpoints && i < self->endpoints->n; i++)
        if (strcmp (self->endpoints->endpoints[i], endpoint) == 0)
            return true;
    return false;
}

static bool
is_linked (const weft_stage_t *self, const char *endpoint)
{
    for (size_t i = 0; i < WEFT_COUNT (self->links); i++)
        if (self->links[i].used &&
            strcmp (self->links[i].endpoint, endpoint) == 0)
            return true;
    return false;
}

static void
add_link (weft_stage_t *self, const char *endpoint, const char *stage)
{
    int number = weft_worker_open (self->worker, self->now);
    if (number < 0) {
        weft_log (WEFT_WARN, "MESH-TOO-MANY-UPSTREAMS", "%s is left out",
                  endpoint);
        return;
    }
    weft_stage_link_t *link = &self->links[number];
    *link = (weft_stage_link_t){ .used = true,
                                 .listed_ms = self->now,
                                 .reopen = true };
    snprintf (link->endpoint, sizeof link->endpoint, "%s", endpoint);
    snprintf (link->stage, sizeof link->stage, "%s", stage);
    weft_log (WEFT_INFO, "MESH-UPSTREAM-ADDED", "%s", endpoint);
}

static void
judge_link (weft_stage_t *self, uint32_t number)
{
    weft_stage_link_t *link = &self->links[number];
    weft_link_info_t info;
    bool live = weft_worker_link (self->worker, number, &info) &&
                info.state == WEFT_LINK_LIVE;
    link->said = link->said && !live;
    if (live || is_listed (self, link->endpoint))
        link->listed_ms = self->now;
    if (self->now - link->listed_ms <= FORGET_MS)
        return;
    weft_log (WEFT_INFO, "MESH-UPSTREAM-FORGOTTEN", "%s", link->endpoint);
    weft_worker_close (self->worker, self->now, number);
    weft_dealer_destroy (&link->dealer);
    link->used = false;
}

//  Discovery only adds: a link goes when its address is listed no more and
//  nothing has been heard there for a minute. A standby has no links.
static void
take_list (weft_stage_t *self)
{
    weft_endpoints_t *fresh = weft_resolver_take (self->resolver);
    if (fresh) {
        free (self->endpoints);
        self->endpoints = fresh;
    }
    bool owner = !self->spec->owner || self->spec->owner (self->service);
    if (!owner || self->state == WEFT_STAGE_DRAINING || !self->endpoints)
        return;
    if (!self->was_owner && self->spec->owner)
        weft_log (WEFT_INFO, "STAGE-OWNER", "this instance takes alerts");
    self->was_owner = true;
    for (uint32_t i = 0; i < self->endpoints->n; i++)
        if (!is_linked (self, self->endpoints->endpoints[i]))
            add_link (self, self->endpoints->endpoints[i],
                      self->endpoints->stages[i]);
}

//  Once a beat, and when the resolver has news.
void
weft_stage_connect (weft_stage_t *self)
{
    take_list (self);
    for (uint32_t i = 0; i < WEFT_COUNT (self->links); i++)
        if (self->links[i].used)
            judge_link (self, i);
}

//  New sockets for links whose upstream is silent or has forgotten us.
static void
reopen_links (weft_stage_t *self)
{
    for (size_t i = 0; i < WEFT_COUNT (self->links); i++) {
        weft_stage_link_t *link = &self->links[i];
        if (!link->used || (link->dealer && !link->reopen))
            continue;
        weft_dealer_destroy (&link->dealer);
        if (self->now < link->open_ms)
            continue;
        const char *key =
            self->keys ? weft_keys_of (self->keys, link->stage, link->key)
                       : NULL;
        link->dealer = weft_dealer_new (self->mesh, link->endpoint, key);
        link->reopen = false;
        if (!link->dealer)
            weft_log (WEFT_ERROR, "MESH-CONNECT-FAILED", "%s", link->endpoint);
    }
}

static void
read_link (weft_stage_t *self, uint32_t number)
{
    weft_stage_link_t *link = &self->links[number];
    const void *data;
    size_t size;
    weft_alert_t *alert;
    for (int i = 0; i < READ_MOST && link->dealer && !link->reopen &&
                    !weft_dealer_recv (link->dealer, &data, &size, &alert);
         i++) {
        int rc = weft_dealer_parts (link->dealer);
        weft_item_t item = { .item = NULL };
        if (alert)
            item = weft_stage_item (alert);
        if (rc)
            weft_worker_recv_unread (self->worker, self->now, number, data,
                                     size, rc);
        else
            weft_worker_recv (self->worker, self->now, number, data, size,
                              alert ? &item : NULL);
    }
}

static void
read_router (weft_stage_t *self)
{
    uint64_t peer;
    const void *data;
    size_t size;
    for (int i = 0; i < READ_MOST; i++) {
        if (weft_router_recv (self->router, &peer, &data, &size))
            return;
        self->reading_peer = peer;
        weft_upstream_recv (self->upstream, self->now, peer, data, size);
        self->reading_peer = 0;
    }
}

//  Reads all sockets dry, before anybody is judged.
void
weft_stage_read (weft_stage_t *self)
{
    if (self->router)
        read_router (self);
    if (!self->worker)
        return;
    weft_stage_keys_turn (self);
    reopen_links (self);
    for (uint32_t i = 0; i < WEFT_COUNT (self->links); i++)
        if (self->links[i].used)
            read_link (self, i);
}

size_t
weft_stage_poll_items (const weft_stage_t *self,
                       weft_poll_item_t *items,
                       size_t room)
{
    size_t n = 0;
    assert (room >= 5 + WEFT_COUNT (self->links));
    items[n++] = (weft_poll_item_t){ .fd = self->signal_fd };
    items[n++] = (weft_poll_item_t){ .fd = weft_keeper_fd (self->keeper) };
    if (self->resolver)
        items[n++] =
            (weft_poll_item_t){ .fd = weft_resolver_fd (self->resolver) };
    if (self->isolation && weft_isolation_fd (self->isolation) >= 0)
        items[n++] = (weft_poll_item_t){
            .fd = weft_isolation_fd (self->isolation),
            .wants_write = weft_isolation_wants_write (self->isolation)
        };
    if (self->router)
        items[n++] =
            (weft_poll_item_t){ .socket = weft_router_socket (self->router) };
    for (size_t i = 0; i < WEFT_COUNT (self->links); i++)
        if (self->links[i].dealer)
            items[n++] = (weft_poll_item_t){ .socket = weft_dealer_socket (
                                                 self->links[i].dealer) };
    return n;
}
