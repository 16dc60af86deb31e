//  weft_ingest_schemas.c - the schema registry and the mappings beside the loop,
//  waiting for a schema, and noticing one that is refused too often (what a
//  stream does then is weft_ingest_pause.c).
//
//  While the schema of the next packet is on its way nothing more is read: the
//  source is the queue. That is said, and so is its end.

#include "weft_ingest_parts.h"

#include "weft_log.h"
#include "weft_time.h"

#define TIMEOUT_MS 5000
#define MINUTE_MS 60000
#define SAY_MS 2000   //  a wait that is worth a line
#define LOOK_MS 2000  //  between looks at the folder of mappings

int
weft_ingest_open_registry (ingest_t *self, const char *data_dir)
{
    const weft_ingest_options_t *options = self->options;
    char cache[4096], why[WEFT_SCHEMA_WHY];
    if (!*options->registry)
        return 0;
    snprintf (cache, sizeof (cache), "%s/schemas",
              data_dir && *data_dir ? data_dir : ".");
    self->client = weft_schema_client_new (
        &(weft_schema_client_config_t){
            .url = options->registry,
            .login_file = options->registry_login_file,
            .ca_file = options->registry_ca_file,
            .cache = cache,
            .timeout_ms = TIMEOUT_MS,
        },
        why);
    if (!self->client) {
        weft_log (WEFT_ERROR, "INGEST-REGISTRY-BAD", "%s", why);
        return WEFT_ECONFIG;
    }
    weft_decoder_ask (self->decoder, self->client);
    weft_decoder_ask (self->replay_decoder, self->client);
    self->registry_down = weft_gauge ("weft_ingest_registry_down", "");
    self->registry_failures = weft_gauge ("weft_ingest_registry_failures", "");
    self->schemas_known = weft_gauge ("weft_ingest_schemas_known", "");
    self->schema_conflicts = weft_gauge ("weft_ingest_schema_conflicts", "");
    return 0;
}

void
weft_ingest_turn_registry (ingest_t *self, int64_t now_ms)
{
    if (!self->client)
        return;
    weft_schema_client_turn (self->client, now_ms);
    weft_schema_stats_t stats = weft_schema_client_stats (self->client);
    weft_metric_set (self->registry_down, stats.down);
    weft_metric_set (self->registry_failures, (double)stats.failures);
    weft_metric_set (self->schemas_known, stats.known);
    weft_metric_set (self->schema_conflicts, stats.conflicts);
}

static void
end_wait (ingest_t *self)
{
    if (self->waits_ms < 0 && *self->waits)
        weft_log (WEFT_INFO, "INGEST-SCHEMA-CAME",
                  "the input goes on; it stood still as it %s", self->waits);
    *self->waits = 0;
    self->waits_ms = 0;
}

bool
weft_ingest_wait_schema (ingest_t *self, const weft_taken_t *taken)
{
    int64_t now_ms = weft_time_ms ();
    bool said = self->waits_ms < 0;
    if (!taken) {
        end_wait (self);
        return false;
    }
    snprintf (self->waits, sizeof (self->waits), "%s", taken->why);
    if (!self->waits_ms)
        self->waits_ms = now_ms;
    bool lasts = !said && now_ms - self->waits_ms >= SAY_MS;
    //  Where one waits the next need not find out how long.
    if (self->kafka && (lasts || self->n_waits) &&
        weft_ingest_put_aside (self, taken)) {
        *self->waits = 0;
        self->waits_ms = 0;
        return true;
    }
    if (!lasts)
        return false;
    weft_log (WEFT_ERROR, "INGEST-SCHEMA-WAITED",
              "the input stands still, nothing is lost: it %s", taken->why);
    self->waits_ms = -1;
    return false;
}

int
weft_ingest_open_mappings (ingest_t *self)
{
    char why[WEFT_AVRO_WHY];
    const char *folder = self->options->mappings;
    self->paused_gauge = weft_gauge ("weft_ingest_paused", "");
    if (!*folder)
        return 0;
    self->mappings = weft_mappings_new (folder, why);
    if (!self->mappings) {
        weft_log (WEFT_ERROR, "INGEST-MAPPING-BAD", "%s", why);
        return WEFT_ECONFIG;
    }
    weft_decoder_map (self->decoder, self->mappings);
    weft_decoder_map (self->replay_decoder, self->mappings);
    return 0;
}

void
weft_ingest_renew_mappings (ingest_t *self, int64_t now_ms)
{
    char why[WEFT_AVRO_WHY];
    weft_metric_set (self->paused_gauge,
                     self->paused ? 1 : (double)self->n_held);
    if (!self->mappings || now_ms - self->mappings_ms < LOOK_MS)
        return;
    self->mappings_ms = now_ms;
    int rc = weft_mappings_renew (&self->mappings, why);
    if (rc < 0)
        weft_log (WEFT_ERROR, "INGEST-MAPPING-BAD",
                  "%s; the mappings stay as they were", why);
    if (rc != 1)
        return;
    weft_decoder_map (self->decoder, self->mappings);
    weft_decoder_map (self->replay_decoder, self->mappings);
    weft_log (WEFT_INFO, "INGEST-MAPPINGS-READ", "%zu mappings%s",
              weft_mappings_count (self->mappings),
              self->paused ? ", the input goes on" : "");
    memset (&self->refusals, 0, sizeof (self->refusals));
    self->refused_ms = 0;
    self->paused = false;
    self->trial_ms = 0;
}

//  Files, or a stream that is told not to stop: said, and perhaps the end.
static void
say_refused (ingest_t *self, const weft_taken_t *taken, int64_t now_ms)
{
    //  Without a pause it is said once a minute, not for every packet.
    if (self->paused ||
        (self->refused_ms && now_ms - self->refused_ms < MINUTE_MS))
        return;
    self->refused_ms = now_ms;
    self->paused = self->pauses && !self->kafka;
    weft_log (WEFT_ERROR,
              self->paused ? "INGEST-SCHEMA-PAUSED" : "INGEST-SCHEMA-REFUSED",
              "schema '%s' is refused too often, last at %s: %s%s%s",
              taken->schema, taken->path, taken->why,
              self->paused ? "; nothing more is read until it can be: by a "
                             "mapping file"
                           : "",
              !self->paused    ? ""
              : self->mappings ? " in the folder of options.mappings"
                               : " (options.mappings), or a restart");
}

bool
weft_ingest_watch_schema (ingest_t *self,
                          const weft_taken_t *taken,
                          int64_t now_ms)
{
    bool refused = taken->rc == WEFT_ESCHEMA;
    bool often = weft_refusals_count (
        &self->refusals, refused ? taken->schema : NULL, taken->size, now_ms);
    if (refused && self->kafka && self->pauses &&
        weft_ingest_pause (self, taken, often))
        return true;
    if (often)
        say_refused (self, taken, now_ms);
    return false;
}
