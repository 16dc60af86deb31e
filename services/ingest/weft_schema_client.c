//  weft_schema_client.c - the table of ids, and what an answer means for it.

#include <jansson.h>

#include "weft_log.h"
#include "weft_schema_cache.h"
#include "weft_schema_http.h"
#include "weft_time.h"

#define PATH_ROOM 4200
#define UNKNOWN_ID 40403  //  Confluent's code

typedef struct {
    char *text;
    size_t size;
    uint64_t fingerprint;
} schema_t;

typedef struct {
    uint32_t id;
    schema_t schemas[WEFT_SCHEMA_RIVALS_MOST];
    size_t n;
    bool wanted;        //  to be asked
    int64_t absent_ms;  //  since when the registry does not know it, 0: does
    uint64_t used;      //  for the eviction of the least recently used
    uint64_t tried;     //  when it was asked last, by the clock; 0: never
    char why[WEFT_SCHEMA_WHY];  //  it is absent
} known_t;

struct weft_schema_client {
    weft_schema_http_t *http;
    char cache[PATH_ROOM];  //  "": none
    known_t *ids;
    size_t n;
    uint64_t clock;
    uint32_t asked;  //  the id of the request under way
    int64_t pause_ms, next_ms;
    char down[WEFT_SCHEMA_WHY];  //  why the last request failed
    weft_schema_stats_t stats;
};

static const char *
url_of (const weft_schema_client_t *self)
{
    return weft_schema_http_url (self->http);
}

weft_schema_client_t *
weft_schema_client_new (const weft_schema_client_config_t *config,
                        char why[WEFT_SCHEMA_WHY])
{
    snprintf (why, WEFT_SCHEMA_WHY, "out of memory");
    weft_schema_client_t *self = calloc (1, sizeof (*self));
    if (!self)
        return NULL;
    self->ids = calloc (WEFT_SCHEMA_IDS_MOST, sizeof (*self->ids));
    self->http = weft_schema_http_new (config, why);
    if (!self->ids || !self->http) {
        weft_schema_client_destroy (&self);
        return NULL;
    }
    *why = 0;
    if (config->cache && *config->cache &&
        weft_schema_cache_open (config->cache, url_of (self), self->cache,
                                sizeof (self->cache))) {
        snprintf (why, WEFT_SCHEMA_WHY, "%.200s: cannot be made or written",
                  config->cache);
        weft_schema_client_destroy (&self);
    }
    return self;
}

static void
free_known (known_t *known)
{
    for (size_t i = 0; i < known->n; i++)
        free (known->schemas[i].text);
    memset (known, 0, sizeof (*known));
}

void
weft_schema_client_destroy (weft_schema_client_t **self_p)
{
    weft_schema_client_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->n; i++)
        free_known (&self->ids[i]);
    free (self->ids);
    weft_schema_http_destroy (&self->http);
    free (self);
    *self_p = NULL;
}

//  Adds a schema to an id, takes `text`. False if it is no schema, or is there
//  already; *why says which (empty: there).
static bool
add_schema (known_t *known, char *text, size_t size, char *why)
{
    char reason[WEFT_AVRO_WHY] = "";
    *why = 0;
    weft_avro_schema_t *schema = weft_avro_schema_new (text, size, reason);
    uint64_t fingerprint = schema ? weft_avro_schema_fingerprint (schema) : 0;
    bool new = schema != NULL;
    weft_avro_schema_destroy (&schema);
    if (!new)
        snprintf (why, WEFT_SCHEMA_WHY, "%.300s", reason);
    for (size_t i = 0; new &&i < known->n; i++)
        new = known->schemas[i].fingerprint != fingerprint;
    if (new && known->n == WEFT_SCHEMA_RIVALS_MOST) {
        snprintf (why, WEFT_SCHEMA_WHY, "more than %d schemas for one id",
                  WEFT_SCHEMA_RIVALS_MOST);
        new = false;
    }
    if (!new) {
        free (text);
        return false;
    }
    known->schemas[known->n++] = (schema_t){ text, size, fingerprint };
    return true;
}

static void
load (weft_schema_client_t *self, known_t *known)
{
    for (size_t i = 0; *self->cache && i < WEFT_SCHEMA_RIVALS_MOST; i++) {
        char why[WEFT_SCHEMA_WHY];
        size_t size;
        char *text = weft_schema_cache_read (self->cache, known->id, i, &size);
        if (!text)
            return;
        if (!add_schema (known, text, size, why) && *why)
            weft_log (WEFT_WARN, "INGEST-SCHEMA-CACHE-BAD",
                      "schema id %u in %s is no schema: %s", known->id,
                      self->cache, why);
    }
}

static known_t *
find (const weft_schema_client_t *self, uint32_t id)
{
    for (size_t i = 0; i < self->n; i++)
        if (self->ids[i].id == id)
            return &self->ids[i];
    return NULL;
}

//  A place for one more id: the least recently used makes way, and ids come
//  from the wire, so one that is not known does so first.
static known_t *
take_place (weft_schema_client_t *self)
{
    if (self->n < WEFT_SCHEMA_IDS_MOST)
        return &self->ids[self->n++];
    known_t *out = &self->ids[0];
    for (size_t i = 1; i < self->n; i++) {
        known_t *other = &self->ids[i];
        bool worse = (out->n > 0) != (other->n > 0) ? out->n > 0
                                                    : other->used < out->used;
        if (worse)
            out = other;
    }
    free_known (out);
    return out;
}

weft_schema_state_t
weft_schema_client_ask (weft_schema_client_t *self, uint32_t id)
{
    known_t *known = find (self, id);
    if (!known) {
        known = take_place (self);
        known->id = id;
        known->wanted = true;
        load (self, known);
    }
    known->used = ++self->clock;
    if (known->absent_ms &&
        weft_time_ms () - known->absent_ms > WEFT_SCHEMA_ABSENT_MS)
        known->wanted = true;
    if (known->wanted)
        weft_schema_client_turn (self, weft_time_ms ());
    if (known->n)
        return WEFT_SCHEMA_KNOWN;
    return known->absent_ms ? WEFT_SCHEMA_ABSENT : WEFT_SCHEMA_COMING;
}

const char *
weft_schema_client_text (const weft_schema_client_t *self,
                         uint32_t id,
                         size_t i,
                         size_t *size)
{
    const known_t *known = find (self, id);
    if (!known || i >= known->n)
        return NULL;
    *size = known->schemas[i].size;
    return known->schemas[i].text;
}

const char *
weft_schema_client_why (const weft_schema_client_t *self, uint32_t id)
{
    const known_t *known = find (self, id);
    if (known && known->absent_ms)
        return known->why;
    return *self->down ? self->down : "the registry is being asked";
}

//  The registry is not there, or not well: again after a pause.
static void
fail (weft_schema_client_t *self, int64_t now_ms, const char *what)
{
    bool first = !self->stats.down;
    self->pause_ms = self->pause_ms ? WEFT_MIN (2 * self->pause_ms,
                                                WEFT_SCHEMA_PAUSE_MOST_MS)
                                    : WEFT_SCHEMA_PAUSE_MS;
    self->next_ms = now_ms + self->pause_ms;
    self->stats.failures++;
    self->stats.down = true;
    snprintf (self->down, sizeof (self->down), "%.200s: %.100s", url_of (self),
              what);
    if (first)
        weft_log (WEFT_WARN, "INGEST-REGISTRY-DOWN",
                  "schema registry %s; asked again with a growing pause; ids "
                  "that are known go on",
                  self->down);
}

static void
recover (weft_schema_client_t *self)
{
    if (self->stats.down)
        weft_log (WEFT_INFO, "INGEST-REGISTRY-BACK", "schema registry %s",
                  url_of (self));
    self->stats.down = false;
    self->pause_ms = self->next_ms = 0;
    *self->down = 0;
}

static void
keep (weft_schema_client_t *self, known_t *known)
{
    size_t i = known->n - 1;
    const schema_t *schema = &known->schemas[i];
    if (i)
        weft_log (WEFT_ERROR, "INGEST-SCHEMA-ID-LIES",
                  "schema id %u of %s was fingerprint %016llx and is now "
                  "%016llx; a packet with it is taken only if it fits one of "
                  "them, or both with the same values",
                  known->id, url_of (self),
                  (unsigned long long)known->schemas[0].fingerprint,
                  (unsigned long long)schema->fingerprint);
    else
        weft_log (WEFT_INFO, "INGEST-SCHEMA-LEARNED",
                  "schema id %u of %s, fingerprint %016llx", known->id,
                  url_of (self), (unsigned long long)schema->fingerprint);
    if (*self->cache && weft_schema_cache_write (self->cache, known->id, i,
                                                 schema->text, schema->size))
        weft_log (WEFT_WARN, "INGEST-SCHEMA-CACHE-BAD",
                  "schema id %u cannot be written to %s; the next start asks "
                  "the registry again",
                  known->id, self->cache);
}

//  The registry has something else than a schema that we read: by name.
static void
refuse (known_t *known, int64_t now_ms, const char *why)
{
    //  Said once: it is asked again each minute.
    bool said = known->absent_ms && !strcmp (known->why, why);
    known->absent_ms = now_ms;
    snprintf (known->why, sizeof (known->why), "%s", why);
    if (!known->n && !said)
        weft_log (WEFT_ERROR, "INGEST-SCHEMA-ABSENT", "schema id %u: %s",
                  known->id, why);
}

//  The schema of an answer 200: {"schema": "...", "schemaType": "AVRO"}. False
//  if it is no registry's answer.
static bool
take_schema (weft_schema_client_t *self,
             known_t *known,
             const json_t *json,
             int64_t now_ms)
{
    char why[WEFT_SCHEMA_WHY] = "";
    const char *text = json_string_value (json_object_get (json, "schema"));
    const char *type = json_string_value (json_object_get (json, "schemaType"));
    if (!text)
        return false;
    if (type && strcmp (type, "AVRO") != 0)
        snprintf (why, sizeof (why),
                  "the registry has a schema of type %.40s, not AVRO", type);
    else if (json_array_size (json_object_get (json, "references")))
        snprintf (why, sizeof (why),
                  "the registry's schema refers to others; put it whole as "
                  "%u.avsc into the folder of schemas",
                  known->id);
    else {
        char *copy = strdup (text);
        if (!copy)
            return false;
        if (add_schema (known, copy, strlen (text), why))
            keep (self, known);
    }
    if (*why)
        refuse (known, now_ms, why);
    else
        known->absent_ms = 0;
    return true;
}

//  What an answer says about the id. False: it is none, *what says why.
static bool
take_reply (weft_schema_client_t *self,
            known_t *known,
            const weft_schema_reply_t *reply,
            int64_t now_ms,
            char *what)
{
    json_t *json =
        reply->status ? json_loadb (reply->body, reply->size, 0, NULL) : NULL;
    json_int_t code = json_integer_value (json_object_get (json, "error_code"));
    bool good = false;
    if (!reply->status)
        snprintf (what, WEFT_SCHEMA_WHY, "%.200s", reply->error);
    else if (reply->status == 404 && (code == UNKNOWN_ID || code == 404)) {
        //  A 404 without such a code is another server's.
        refuse (known, now_ms, "the registry does not know it");
        good = true;
    } else if (reply->status != 200)
        snprintf (what, WEFT_SCHEMA_WHY, "HTTP status %ld%s", reply->status,
                  reply->status == 401 || reply->status == 403
                      ? ", see registry_login_file"
                      : "");
    else if (!(good = take_schema (self, known, json, now_ms)))
        snprintf (what, WEFT_SCHEMA_WHY,
                  "an answer without \"schema\": is it a registry?");
    json_decref (json);
    return good;
}

static void
judge (weft_schema_client_t *self,
       const weft_schema_reply_t *reply,
       int64_t now_ms)
{
    char what[WEFT_SCHEMA_WHY] = "";
    known_t *known = find (self, self->asked);
    if (!known)
        return;  //  it had to make way meanwhile
    if (!take_reply (self, known, reply, now_ms, what)) {
        fail (self, now_ms, what);
        return;
    }
    known->wanted = false;
    recover (self);
}

static bool
goes_before (const known_t *known, const known_t *other)
{
    if (known->tried != other->tried)
        return known->tried < other->tried;
    return other->n && !known->n;
}

//  The least recently asked one, so that an id that gets no answer holds up no
//  other. Of those never asked, ids without a schema: somebody waits for them.
static known_t *
next_wanted (weft_schema_client_t *self)
{
    known_t *found = NULL;
    for (size_t i = 0; i < self->n; i++) {
        known_t *known = &self->ids[i];
        if (known->wanted && (!found || goes_before (known, found)))
            found = known;
    }
    return found;
}

void
weft_schema_client_turn (weft_schema_client_t *self, int64_t now_ms)
{
    weft_schema_reply_t reply;
    known_t *next = weft_schema_http_busy (self->http) || now_ms < self->next_ms
                        ? NULL
                        : next_wanted (self);
    if (next) {
        self->asked = next->id;
        next->tried = ++self->clock;
        self->stats.requests++;
        if (!weft_schema_http_begin (self->http, next->id))
            fail (self, now_ms, "no request can be made");
    }
    if (weft_schema_http_turn (self->http, &reply))
        judge (self, &reply, now_ms);
}

void
weft_schema_client_wait (weft_schema_client_t *self, int timeout_ms)
{
    weft_schema_http_wait (self->http, timeout_ms);
    weft_schema_client_turn (self, weft_time_ms ());
}

weft_schema_stats_t
weft_schema_client_stats (const weft_schema_client_t *self)
{
    weft_schema_stats_t stats = self->stats;
    for (size_t i = 0; i < self->n; i++) {
        stats.known += self->ids[i].n > 0;
        stats.conflicts += self->ids[i].n > 1;
    }
    return stats;
}
