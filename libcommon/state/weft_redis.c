//  weft_redis.c - the connection: made when needed, remade when broken.
//
//  Pauses between connects double from 20 ms to the ceiling; while one lasts,
//  every batch fails at once, so that a loop that asks each turn still turns.

#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/random.h>

#include "weft_redis_private.h"

#include "weft_cluster.h"
#include "weft_hash.h"
#include "weft_log.h"
#include "weft_time.h"

enum { BACKOFF_FIRST_MS = 20, OUT_MOST = 1 << 30 };

static void
ignore_sigpipe (void)
{
    struct sigaction old;
    if (sigaction (SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
        (void)signal (SIGPIPE, SIG_IGN);
}

//  Cuts "?db=N" off.
static int
cut_db (weft_redis_t *self, char *address)
{
    char *mark = strstr (address, "?db="), *end = NULL;
    if (!mark)
        return 0;
    long db = strtol (mark + 4, &end, 10);
    if (end == mark + 4 || *end || db < 0 || db > 9999)
        return WEFT_ECONFIG;
    self->db = (int)db;
    *mark = '\0';
    return 0;
}

//  "host:port" in its parts; IPv6 in brackets.
static int
parse_host (weft_redis_t *self, const char *address)
{
    const char *colon = strrchr (address, ':');
    if (!colon || colon == address)
        return WEFT_ECONFIG;
    char *end = NULL;
    long port = strtol (colon + 1, &end, 10);
    if (end == colon + 1 || *end || port < 1 || port > 65535)
        return WEFT_ECONFIG;
    self->port = (int)port;
    size_t size = (size_t)(colon - address);
    if (address[0] == '[' && address[size - 1] == ']') {
        address++;
        size -= 2;
    }
    self->host = strndup (address, size);
    return self->host ? 0 : WEFT_ENOMEM;
}

//  "unix:/path" or "host:port", and which database.
static int
parse_place (weft_redis_t *self, const char *address)
{
    char *place = strdup (address);
    int rc = place ? cut_db (self, place) : WEFT_ENOMEM;
    if (!rc && strncmp (place, "unix:", 5) != 0) {
        rc = parse_host (self, place);
    } else if (!rc) {
        self->path = place[5] ? strdup (place + 5) : NULL;
        rc = self->path ? 0 : WEFT_ECONFIG;
    }
    free (place);
    return rc;
}

//  The first line of the file, read once. It is never logged.
static int
read_password (weft_redis_t *self, const char *path)
{
    char line[512];
    FILE *file = fopen (path, "re");
    bool read = file && fgets (line, sizeof line, file);
    if (file)
        fclose (file);
    if (!read) {
        weft_log (WEFT_ERROR, "REDIS-PASSWORD-FILE", "cannot read %s", path);
        return WEFT_ECONFIG;
    }
    line[strcspn (line, "\r\n")] = '\0';
    self->password = strdup (line);
    return self->password ? 0 : WEFT_ENOMEM;
}

static int
open_tls (weft_redis_t *self, const weft_redis_config_t *config)
{
    char why[256];
    self->tls = weft_tls_new (config->tls_ca, config->tls_certificate,
                              config->tls_key, why, sizeof why);
    if (!self->tls)
        weft_log (WEFT_ERROR, "REDIS-TLS-FILES", "%s", why);
    return self->tls ? 0 : WEFT_ECONFIG;
}

static int
configure (weft_redis_t *self,
           const char *address,
           const weft_redis_config_t *config)
{
    static const weft_redis_config_t none;
    const weft_redis_config_t *c = config ? config : &none;
    self->connect_ms = c->connect_ms > 0 ? c->connect_ms : 500;
    self->command_ms = c->command_ms > 0 ? c->command_ms : 2000;
    self->backoff_ms = c->backoff_ms > 0 ? c->backoff_ms : 1000;
    bool user = c->user && c->user[0];
    self->user = user ? strdup (c->user) : NULL;
    self->password = c->password ? strdup (c->password) : NULL;
    self->address = strdup (address);
    if (getrandom (&self->id, sizeof self->id, 0) != sizeof self->id)
        return WEFT_EIO;
    int rc = 0;
    weft_buf_init (&self->out, OUT_MOST);
    self->journals[0].ceiling = 32u << 20;
    self->journals[1].ceiling = 16u << 20;
    if (!self->address || (user && !self->user) ||
        (c->password && !self->password))
        return WEFT_ENOMEM;
    if (!c->password && c->password_file && c->password_file[0]) {
        rc = read_password (self, c->password_file);
        if (rc)
            return rc;
    }
    if (c->tls && (rc = open_tls (self, c)) != 0)
        return rc;
    if (strncmp (address, "cluster:", 8) == 0) {
        self->cluster = weft_cluster_new (self, address + 8);
        return self->cluster ? 0 : WEFT_ECONFIG;
    }
    if (c->tls && strncmp (address, "unix:", 5) == 0)
        return WEFT_ECONFIG;
    return parse_place (self, address);
}

weft_redis_t *
weft_redis_new (const char *address, const weft_redis_config_t *config)
{
    ignore_sigpipe ();
    weft_redis_t *self = calloc (1, sizeof *self);
    if (self && configure (self, address, config) != 0)
        weft_redis_destroy (&self);
    return self;
}

void
weft_redis_destroy (weft_redis_t **self_p)
{
    weft_redis_t *self = *self_p;
    if (!self)
        return;
    weft_redis_disconnect (self);
    weft_cluster_destroy (&self->cluster);
    if (!self->tls_borrowed)
        weft_tls_destroy (&self->tls);
    weft_buf_fini (&self->out);
    weft_journal_fini (&self->journals[0]);
    weft_journal_fini (&self->journals[1]);
    free (self->address);
    free (self->host);
    free (self->path);
    free (self->user);
    free (self->password);
    free (self);
    *self_p = NULL;
}

const char *
weft_redis_address (const weft_redis_t *self)
{
    return self->address;
}

uint64_t
weft_redis_generation (const weft_redis_t *self)
{
    return self->generation;
}

const char *
weft_redis_why (const weft_redis_t *self)
{
    return self->why;
}

void
weft_redis_say (weft_redis_t *self, const char *format, ...)
{
    va_list ap;
    va_start (ap, format);
    vsnprintf (self->why, sizeof self->why, format, ap);
    va_end (ap);
}

void
weft_redis_disconnect (weft_redis_t *self)
{
    weft_tls_link_destroy (&self->link);
    if (self->context)
        redisFree (self->context);
    self->context = NULL;
    self->reissue = self->journals[0].first || self->journals[1].first;
}

//  Notes a failed connect: the next one waits. Logged once per outage.
static int
put_off (weft_redis_t *self)
{
    if (self->context)
        weft_redis_disconnect (self);
    int next = self->pause_ms ? self->pause_ms * 2 : BACKOFF_FIRST_MS;
    self->pause_ms = WEFT_MIN (next, self->backoff_ms);
    self->not_before = weft_time_ms () + self->pause_ms;
    if (!self->down)
        weft_log (WEFT_WARN, "REDIS-DOWN", "%s: %s", self->address, self->why);
    self->down = true;
    return WEFT_EDOWN;
}

static int
authenticate (weft_redis_t *self)
{
    if (!self->password)
        return 0;
    const char *argv[3] = { "AUTH", self->user, self->password };
    int argc = 3;
    if (!self->user) {
        argv[1] = self->password;
        argc = 2;
    }
    redisReply *reply = weft_redis_call (self, argc, argv);
    bool ok = reply && reply->type == REDIS_REPLY_STATUS;
    if (!ok && reply && reply->str)
        weft_redis_say (self, "AUTH: %s", reply->str);
    if (reply)
        freeReplyObject (reply);
    return ok ? 0 : WEFT_EDOWN;
}

static int
select_db (weft_redis_t *self)
{
    char number[16];
    const char *argv[] = { "SELECT", number };
    if (!self->db)
        return 0;
    snprintf (number, sizeof number, "%d", self->db);
    redisReply *reply = weft_redis_call (self, 2, argv);
    bool ok = reply && reply->type == REDIS_REPLY_STATUS;
    if (!ok && reply && reply->str)
        weft_redis_say (self, "SELECT %s: %s", number, reply->str);
    if (reply)
        freeReplyObject (reply);
    return ok ? 0 : WEFT_EDOWN;
}

static struct timeval
timeval_of_ms (int ms)
{
    return (struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };
}

static int
open_context (weft_redis_t *self)
{
    struct timeval limit = timeval_of_ms (self->connect_ms);
    self->context =
        self->host ? redisConnectWithTimeout (self->host, self->port, limit)
                   : redisConnectUnixWithTimeout (self->path, limit);
    if (!self->context || self->context->err) {
        weft_redis_say (self, "%s",
                        self->context ? self->context->errstr
                                      : "out of memory");
        return put_off (self);
    }
    if (redisSetTimeout (self->context, timeval_of_ms (self->command_ms)) !=
        REDIS_OK) {
        weft_redis_say (self, "%s", self->context->errstr);
        return put_off (self);
    }
    return weft_redis_secure (self) == 0 && authenticate (self) == 0 &&
                   select_db (self) == 0
               ? 0
               : put_off (self);
}

static int
send_kept (weft_redis_t *self, const weft_kept_t *kept)
{
    int rc = 0;
    weft_redis_append (self, kept->bytes, kept->size);
    for (size_t i = 0; rc == 0 && i < kept->count; i++) {
        redisReply *reply = NULL;
        rc = weft_redis_next (self, &reply);
        if (rc)
            break;
        if (reply->type == REDIS_REPLY_ERROR &&
            weft_redis_judge (reply) == WEFT_EDOWN) {
            weft_redis_say (self, "%s", reply->str);
            rc = WEFT_EIO;
        }
        freeReplyObject (reply);
    }
    return rc ? WEFT_EIO : 0;
}

//  Issues again what Redis may have forgotten when it ended.
static int
issue_kept (weft_redis_t *self)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < self->n_scripts; i++)
        rc = weft_redis_load (self, self->scripts[i].body);
    for (size_t i = 0; rc == 0 && i < WEFT_COUNT (self->journals); i++) {
        for (weft_kept_t *kept = self->journals[i].first; rc == 0 && kept;
             kept = kept->next)
            rc = send_kept (self, kept);
        weft_journal_renew (&self->journals[i], weft_time_ms ());
    }
    if (rc)
        return rc;
    self->reissue = false;
    return 0;
}

bool
weft_redis_paused (const weft_redis_t *self)
{
    return self->pause_ms && weft_time_ms () < self->not_before;
}

int
weft_redis_connect (weft_redis_t *self)
{
    if (self->context)
        return 0;
    if (weft_redis_paused (self))
        return WEFT_EDOWN;
    int rc = open_context (self);
    if (rc)
        return rc;
    self->generation++;
    if (self->reissue && issue_kept (self) != 0)
        return put_off (self);
    return 0;
}

void
weft_redis_served (weft_redis_t *self)
{
    if (self->down)
        weft_log (WEFT_INFO, "REDIS-UP", "%s answers again", self->address);
    self->down = false;
    self->pause_ms = 0;
}

int
weft_redis_unserved (weft_redis_t *self)
{
    return put_off (self);
}

const char *
weft_redis_sha (weft_redis_t *self, const char *body)
{
    for (size_t i = 0; i < self->n_scripts; i++)
        if (self->scripts[i].body == body)
            return self->scripts[i].sha;
    if (self->n_scripts == WEFT_COUNT (self->scripts))
        self->n_scripts = 0;  //  cannot be: there are fewer scripts in Weft
    weft_script_t *script = &self->scripts[self->n_scripts++];
    uint8_t digest[20];
    weft_sha1 (body, strlen (body), digest);
    script->body = body;
    weft_hex (digest, sizeof digest, script->sha);
    return script->sha;
}

int
weft_redis_load (weft_redis_t *self, const char *body)
{
    const char *argv[] = { "SCRIPT", "LOAD", body };
    redisReply *reply = weft_redis_call (self, 3, argv);
    if (!reply) {
        weft_redis_disconnect (self);
        return WEFT_EIO;
    }
    int rc = 0;
    if (reply->type == REDIS_REPLY_ERROR) {
        weft_redis_say (self, "%s", reply->str);
        rc = weft_redis_judge (reply);
    }
    freeReplyObject (reply);
    return rc;
}

int
weft_redis_ping (weft_redis_t *self)
{
    if (self->cluster)
        return weft_cluster_ping (self->cluster);
    weft_batch_t *batch = weft_batch_new (self, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_words (batch, "PING");
    int rc = weft_batch_run (batch);
    weft_batch_destroy (&batch);
    return rc;
}

//  Finds "\r\nkey:" in what INFO said and compares the value behind it.
static bool
info_says (weft_bin_t info, const char *key, const char *value)
{
    size_t n_key = strlen (key), n_value = strlen (value);
    for (size_t i = 0; i + n_key + n_value + 2 <= info.n; i++) {
        const char *at = (const char *)info.p + i;
        if ((i == 0 || at[-1] == '\n') && strncmp (at, key, n_key) == 0)
            return strncmp (at + n_key, value, n_value) == 0 &&
                   at[n_key + n_value] == '\r';
    }
    return false;
}

int
weft_redis_check_safe (weft_redis_t *self,
                       bool ephemeral,
                       char *why,
                       size_t room)
{
    if (self->cluster)
        return weft_cluster_check_safe (self->cluster, ephemeral, why, room);
    weft_batch_t *batch = weft_batch_new (self, 0);
    if (!batch)
        return WEFT_ENOMEM;
    weft_batch_words (batch, "INFO");
    int rc = weft_batch_run (batch);
    if (rc == 0 && !ephemeral) {
        weft_bin_t info = weft_reply_bytes (weft_batch_reply (batch, 0));
        bool kept = info_says (info, "aof_enabled:", "1");
        bool whole = info_says (info, "maxmemory_policy:", "noeviction");
        snprintf (why, room, "%s: %s%s%s; set ephemeral: true to allow it",
                  self->address, kept ? "" : "appendonly is not yes",
                  kept || whole ? "" : ", ",
                  whole ? "" : "maxmemory-policy is not noeviction");
        rc = kept && whole ? 0 : WEFT_ECONFIG;
    } else if (rc != 0) {
        snprintf (why, room, "%s: %s", self->address, self->why);
    }
    weft_batch_destroy (&batch);
    return rc;
}
