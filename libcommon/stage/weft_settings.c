//  weft_settings.c - the options that every service has.

#define _GNU_SOURCE  //  memfd_create

#include "weft_settings.h"

#include "weft_buf.h"
#include "weft_hash.h"
#include "weft_slot.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

typedef weft_settings_t settings_t;

static const weft_option_t service_options[] = {
    WEFT_OPT_TEXT (settings_t,
                   service.name,
                   "",
                   "name of this instance; empty: the stage and a number"),
    WEFT_OPT_TEXT (
        settings_t, service.log_level, "info", "debug, info, warn or error"),
    WEFT_OPT_TEXT (
        settings_t, service.data_dir, ".", "folder for what it keeps on disk"),
    WEFT_OPT_END,
};

static const weft_option_t http_options[] = {
    WEFT_OPT_TEXT (settings_t,
                   http.address,
                   "",
                   "host:port of /metrics, /healthz, /readyz; empty: off"),
    WEFT_OPT_BOOL (settings_t,
                   http.insecure,
                   "false",
                   "serve beyond loopback in plain text"),
    WEFT_OPT_END,
};

static const weft_option_t redis_options[] = {
    WEFT_OPT_TEXT (settings_t,
                   redis.address,
                   "127.0.0.1:6379",
                   "host:port or unix:/path; empty: none, dead letters wait"),
    WEFT_OPT_TEXTS (settings_t,
                    redis.cluster,
                    "host:port of some nodes of a Redis Cluster: histories, "
                    "seen and the ledger are spread over it; empty: they are "
                    "in redis.address"),
    WEFT_OPT_BOOL (settings_t,
                   redis.ephemeral,
                   "false",
                   "accept a Redis that forgets (no append-only file)"),
    WEFT_OPT_TEXT (settings_t, redis.user, "", "ACL user; empty: default"),
    WEFT_OPT_TEXT (settings_t,
                   redis.password_file,
                   "",
                   "file with its password; empty: none"),
    WEFT_OPT_BOOL (settings_t,
                   redis.tls,
                   "false",
                   "encrypted connections; who Redis is, is checked"),
    WEFT_OPT_TEXT (settings_t,
                   redis.tls_ca,
                   "",
                   "file of the authorities (PEM); empty: the system's"),
    WEFT_OPT_TEXT (settings_t,
                   redis.tls_certificate,
                   "",
                   "file of our own certificate; empty: none"),
    WEFT_OPT_TEXT (
        settings_t, redis.tls_key, "", "file of its key; empty: none"),
    WEFT_OPT_INT (settings_t,
                  redis.dead_letter_bytes,
                  "268435456",
                  65536,
                  1e12,
                  "bytes",
                  "ceiling of dead letters per stage; then the link holds"),
    WEFT_OPT_END,
};

static const weft_option_t link_options[] = {
    WEFT_OPT_TEXTS (settings_t,
                    link.upstreams,
                    "[stage@]host:port of each upstream; a name is resolved "
                    "again and again, each of its addresses is one upstream; "
                    "stage: whose key it has, the host if it is not given"),
    WEFT_OPT_TEXT (settings_t,
                   link.bind,
                   "127.0.0.1:0",
                   "host:port where the outputs connect to"),
    WEFT_OPT_BOOL (settings_t,
                   link.insecure,
                   "false",
                   "bind beyond loopback in plain text"),
    WEFT_OPT_TEXT (settings_t,
                   link.keys,
                   "",
                   "folder of CURVE keys, made by weft keys: all links of this "
                   "service are encrypted; empty: plain text"),
    WEFT_OPT_TEXTS (
        settings_t, link.outputs, "stages that must settle every alert"),
    WEFT_OPT_TEXTS (settings_t,
                    link.samples,
                    "taps: stages that get what they have room for"),
    WEFT_OPT_TEXT (settings_t,
                   link.tap,
                   "",
                   "host:port where weft tap listens to samples; empty: any "
                   "port of the host of link.bind; off: nowhere"),
    WEFT_OPT_INT (settings_t,
                  link.window,
                  "256",
                  1,
                  65536,
                  "alerts",
                  "most in custody, over all upstreams"),
    WEFT_OPT_INT (settings_t,
                  link.window_bytes,
                  "67108864",
                  65536,
                  1e12,
                  "bytes",
                  "most in custody, over all upstreams"),
    WEFT_OPT_INT (settings_t,
                  link.custody,
                  "1024",
                  1,
                  1e6,
                  "alerts",
                  "a source's most in custody"),
    WEFT_OPT_INT (settings_t,
                  link.custody_bytes,
                  "268435456",
                  65536,
                  1e12,
                  "bytes",
                  "a source's most in custody"),
    WEFT_OPT_INT (
        settings_t,
        link.max_age_s,
        "900",
        1,
        1e6,
        "s",
        "a source's alert that is older, and overtaken by 20 windows, "
        "is stuck: a dead letter"),
    WEFT_OPT_INT (
        settings_t, link.beat_ms, "250", 20, 10000, "ms", "interval of beats"),
    WEFT_OPT_INT (settings_t,
                  link.stall_ms,
                  "10000",
                  100,
                  3600000,
                  "ms",
                  "a function that takes longer hangs"),
    WEFT_OPT_INT (settings_t,
                  link.drain_ms,
                  "3000",
                  0,
                  600000,
                  "ms",
                  "longest drain after SIGTERM"),
    WEFT_OPT_INT (settings_t,
                  link.largest,
                  "16777216",
                  65536,
                  1e9,
                  "bytes",
                  "largest frame that is received"),
    WEFT_OPT_INT (settings_t,
                  link.max_peers,
                  "64",
                  1,
                  1000,
                  "",
                  "most workers at a time"),
    WEFT_OPT_INT (settings_t,
                  link.io_threads,
                  "1",
                  1,
                  16,
                  "",
                  "threads of ZeroMQ; one carries 1 GB/s"),
    WEFT_OPT_END,
};

enum { SECTIONS = 5 };

//  Keys in the tables are written as members ("service.name") so that the
//  compiler checks them; the file has them without the section.
static weft_option_t *
strip (const weft_option_t *options)
{
    size_t n = 0;
    while (options[n].key)
        n++;
    weft_option_t *copy = calloc (n + 1, sizeof *copy);
    for (size_t i = 0; copy && i < n; i++) {
        copy[i] = options[i];
        copy[i].key = strchr (options[i].key, '.') + 1;
    }
    return copy;
}

typedef struct {
    weft_config_section_t sections[SECTIONS];
    weft_option_t *tables[SECTIONS - 1];
    settings_t *parts;  //  one whole struct per section, for the offsets
} layout_t;

static int
lay_out (layout_t *self, const weft_stage_spec_t *spec, void *options)
{
    static const weft_option_t none[] = { WEFT_OPT_END };
    static const char *const names[] = { "service", "http", "redis", "link" };
    const weft_option_t *const tables[] = { service_options, http_options,
                                            redis_options, link_options };
    *self = (layout_t){ .parts = calloc (SECTIONS - 1, sizeof *self->parts) };
    bool good = self->parts != NULL;
    for (size_t i = 0; good && i < SECTIONS - 1; i++) {
        self->tables[i] = strip (tables[i]);
        good = self->tables[i] != NULL;
        self->sections[i] =
            (weft_config_section_t){ names[i], self->tables[i], &self->parts[i],
                                     sizeof *self->parts };
    }
    self->sections[SECTIONS - 1] =
        (weft_config_section_t){ "options",
                                 spec->options ? spec->options : none, options,
                                 spec->options ? spec->options_size : 0 };
    return good ? 0 : WEFT_ENOMEM;
}

static void
clear_layout (layout_t *self)
{
    for (size_t i = 0; i < SECTIONS - 1; i++)
        free (self->tables[i]);
    free (self->parts);
}

static bool
is_loopback (const char *address)
{
    return strncmp (address, "127.", 4) == 0 ||
           strncmp (address, "localhost:", 10) == 0 ||
           strncmp (address, "[::1]:", 6) == 0 || address[0] == '\0';
}

//  One address of all nodes, or that of the one Redis.
static int
name_bulk (settings_t *self)
{
    weft_buf_t buf;
    size_t size;
    const weft_texts_t *nodes = &self->redis.cluster;
    weft_buf_init (&buf, 1u << 20);
    if (nodes->n == 0)
        weft_buf_addf (&buf, "%s", self->redis.address);
    for (uint32_t i = 0; i < nodes->n; i++)
        weft_buf_addf (&buf, "%s%s", i ? "," : "cluster:", nodes->items[i]);
    weft_buf_add (&buf, "", 1);
    int rc = buf.error;
    self->bulk = (char *)weft_buf_release (&buf, &size);
    return rc ? rc : 0;
}

static bool
is_place (const char *text)
{
    char host[WEFT_SLOT_HOST_MOST];
    int port;
    return weft_slot_place (text, host, &port) == 0 && *host;
}

//  What no single option can say.
static int
check (settings_t *self, char *why, size_t room)
{
    const char *said = NULL;
    if (weft_log_level (self->service.log_level, &self->level))
        said = "service.log_level: expected debug, info, warn or error";
    else if (!self->link.insecure && !self->link.keys[0] &&
             !is_loopback (self->link.bind))
        said = "link.bind: beyond loopback links are encrypted, expected "
               "link.keys (a folder made by weft keys), a loopback address, or "
               "link.insecure: true for plain text";
    else if (!self->link.insecure && !self->link.keys[0] &&
             strcmp (self->link.tap, "off") != 0 &&
             !is_loopback (self->link.tap))
        said = "link.tap: beyond loopback it is encrypted, expected "
               "link.keys, a loopback address, or link.insecure: true";
    else if (!self->http.insecure && !is_loopback (self->http.address))
        said = "http.address: expected a loopback address or http.insecure: "
               "true";
    else if (!self->spec->source && self->link.upstreams.n == 0)
        said = "link.upstreams: expected at least one host:port";
    else if (self->link.outputs.n + self->link.samples.n > 8)
        said = "link.outputs: expected at most 8 outputs and samples";
    for (uint32_t i = 0; !said && i < self->redis.cluster.n; i++)
        if (!is_place (self->redis.cluster.items[i]))
            said = "redis.cluster: expected a list of host:port";
    if (!said && self->redis.cluster.n && !self->redis.address[0])
        said = "redis.cluster: expected redis.address too: the cluster has the "
               "histories, seen and the ledger, one Redis has the rest";
    if (!said && self->redis.tls &&
        strncmp (self->redis.address, "unix:", 5) == 0)
        said = "redis.tls: expected false with a Unix socket, or redis.address "
               "as host:port";
    if (said)
        snprintf (why, room, "%s", said);
    return said ? WEFT_ECONFIG : 0;
}

//  Keeps what the file is now: it may be another one, and a bad one, when the
//  isolation child is spawned.
static int
keep_copy (settings_t *self, const char *path)
{
    char text[4096];
    int from = open (path, O_RDONLY | O_CLOEXEC);
    self->copy_fd = memfd_create ("weft-config", MFD_CLOEXEC);
    //  Not one of the numbers that the child gets.
    int low = self->copy_fd;
    self->copy_fd = low < 0 ? -1 : fcntl (low, F_DUPFD_CLOEXEC, 10);
    if (low >= 0)
        close (low);
    ssize_t n = -1;
    while (from >= 0 && self->copy_fd >= 0 &&
           (n = read (from, text, sizeof text)) > 0) {
        self->hash = weft_hash_u64 (self->hash) ^ weft_hash (text, (size_t)n);
        if (write (self->copy_fd, text, (size_t)n) != n)
            break;
    }
    if (from >= 0)
        close (from);
    return n == 0 ? 0 : WEFT_EIO;
}

settings_t *
weft_settings_load (const weft_stage_spec_t *spec,
                    const char *path,
                    char *why,
                    size_t room)
{
    snprintf (why, room, "out of memory");
    settings_t *self = calloc (1, sizeof *self);
    void *options = calloc (1, WEFT_MAX (spec->options_size, 1));
    layout_t layout = { .parts = NULL };
    if (!self || !options || lay_out (&layout, spec, options) ||
        weft_config_load (path, layout.sections, SECTIONS, why, room)) {
        clear_layout (&layout);
        free (options);
        free (self);
        return NULL;
    }
    self->service = layout.parts[0].service;
    self->http = layout.parts[1].http;
    self->redis = layout.parts[2].redis;
    self->link = layout.parts[3].link;
    self->options = options;
    self->spec = spec;
    self->copy_fd = -1;
    clear_layout (&layout);
    char said[512] = "";
    int rc = check (self, said, sizeof said);
    if (rc)
        snprintf (why, room, "%s%s%s", path ? path : "", path ? ": " : "",
                  said);
    if (!rc && (rc = name_bulk (self)))
        snprintf (why, room, "redis.cluster: %s", weft_error_text (rc));
    if (!rc && path && (rc = keep_copy (self, path)))
        snprintf (why, room, "%s: cannot be read", path);
    if (rc)
        weft_settings_destroy (&self);
    return self;
}

void
weft_settings_destroy (settings_t **self_p)
{
    settings_t *self = *self_p;
    *self_p = NULL;
    layout_t layout;
    if (!self)
        return;
    if (!lay_out (&layout, self->spec, self->options)) {
        layout.parts[0].service = self->service;
        layout.parts[1].http = self->http;
        layout.parts[2].redis = self->redis;
        layout.parts[3].link = self->link;
        weft_config_free (layout.sections, SECTIONS);
    }
    clear_layout (&layout);
    if (self->copy_fd >= 0)
        close (self->copy_fd);
    free (self->options);
    free (self->bulk);
    free (self);
}

weft_redis_config_t
weft_settings_login (const settings_t *self)
{
    return (weft_redis_config_t){
        .user = self->redis.user,
        .password_file = self->redis.password_file,
        .tls = self->redis.tls,
        .tls_ca = self->redis.tls_ca,
        .tls_certificate = self->redis.tls_certificate,
        .tls_key = self->redis.tls_key,
    };
}

static bool
same_texts (const weft_texts_t *a, const weft_texts_t *b)
{
    bool same = a->n == b->n;
    for (uint32_t i = 0; same && i < a->n; i++)
        same = strcmp (a->items[i], b->items[i]) == 0;
    return same;
}

static bool
same (const char *a, const char *b)
{
    return strcmp (a, b) == 0;
}

const char *
weft_settings_fixed (const settings_t *self, const settings_t *next)
{
    const struct {
        const char *name;
        bool same;
    } fixed[] = {
        { "service.name", same (self->service.name, next->service.name) },
        { "service.data_dir",
          same (self->service.data_dir, next->service.data_dir) },
        { "http.address", same (self->http.address, next->http.address) },
        { "redis.address", same (self->redis.address, next->redis.address) },
        { "redis.cluster",
          same_texts (&self->redis.cluster, &next->redis.cluster) },
        { "redis.ephemeral", self->redis.ephemeral == next->redis.ephemeral },
        { "redis.user", same (self->redis.user, next->redis.user) },
        { "redis.password_file",
          same (self->redis.password_file, next->redis.password_file) },
        { "redis.tls", self->redis.tls == next->redis.tls },
        { "redis.tls_ca", same (self->redis.tls_ca, next->redis.tls_ca) },
        { "redis.tls_certificate",
          same (self->redis.tls_certificate, next->redis.tls_certificate) },
        { "redis.tls_key", same (self->redis.tls_key, next->redis.tls_key) },
        { "redis.dead_letter_bytes",
          self->redis.dead_letter_bytes == next->redis.dead_letter_bytes },
        { "link.upstreams",
          same_texts (&self->link.upstreams, &next->link.upstreams) },
        { "link.bind", same (self->link.bind, next->link.bind) },
        { "link.keys", same (self->link.keys, next->link.keys) },
        { "link.outputs",
          same_texts (&self->link.outputs, &next->link.outputs) },
        { "link.samples",
          same_texts (&self->link.samples, &next->link.samples) },
        { "link.tap", same (self->link.tap, next->link.tap) },
        { "link.window", self->link.window == next->link.window },
        { "link.window_bytes",
          self->link.window_bytes == next->link.window_bytes },
        { "link.custody", self->link.custody == next->link.custody },
        { "link.custody_bytes",
          self->link.custody_bytes == next->link.custody_bytes },
        { "link.beat_ms", self->link.beat_ms == next->link.beat_ms },
        { "link.stall_ms", self->link.stall_ms == next->link.stall_ms },
        { "link.largest", self->link.largest == next->link.largest },
        { "link.max_peers", self->link.max_peers == next->link.max_peers },
        { "link.io_threads", self->link.io_threads == next->link.io_threads },
    };
    for (size_t i = 0; i < WEFT_COUNT (fixed); i++)
        if (!fixed[i].same)
            return fixed[i].name;
    return NULL;
}

void
weft_settings_describe (const weft_stage_spec_t *spec, FILE *out)
{
    layout_t layout;
    if (!lay_out (&layout, spec, NULL))
        weft_config_describe (layout.sections, SECTIONS, out);
    clear_layout (&layout);
}
