//  weft_decoder_framed.c - a Confluent-framed datum, and the choice of a schema
//  by its id.
//
//  The order is that of weft_avro_registry.h, with the registry behind the
//  folder. An id is never believed: what decodes has to fit to the last byte,
//  and where there is more than one candidate they have to agree.

#include "weft_decoder_parts.h"

#define HEADER 5            //  00, id
#define CANDIDATES_MOST 16  //  schemas that go by one id

typedef struct {
    weft_planned_t *items[CANDIDATES_MOST];
    size_t n;
    bool rivals;  //  the registry and what was known before differ
} candidates_t;

//  Same alert and rows, but for the name of the schema?
static bool
same_content (weft_normal_t *a, weft_normal_t *b)
{
    weft_buf_t one, two;
    weft_buf_init (&one, WEFT_MESSAGE_MOST);
    weft_buf_init (&two, WEFT_MESSAGE_MOST);
    WEFT_SET (alert_v1, &a->alert, schema, weft_str (""));
    WEFT_SET (alert_v1, &b->alert, schema, weft_str (""));
    WEFT_SET (alert_v1, &a->alert, schema_fp, 0);
    WEFT_SET (alert_v1, &b->alert, schema_fp, 0);
    bool same = !weft_contract_encode (&weft_alert_v1, &a->alert, &one) &&
                !weft_contract_encode (&weft_alert_v1, &b->alert, &two) &&
                one.size == two.size && !memcmp (one.data, two.data, one.size);
    same = same && a->n_rows == b->n_rows &&
           (!a->n_rows ||
            !memcmp (a->rows, b->rows, a->n_rows * sizeof (*a->rows)));
    weft_buf_fini (&one);
    weft_buf_fini (&two);
    return same;
}

static void
add_candidate (weft_decoder_t *self,
               candidates_t *candidates,
               const char *text,
               size_t size,
               bool registered)
{
    weft_planned_t *entry = weft_plan_cache_find (self->plans, text, size);
    if (!entry || candidates->n == CANDIDATES_MOST)
        return;
    for (size_t i = 0; i < candidates->n; i++) {
        weft_planned_t *other = candidates->items[i];
        if (other == entry ||
            (entry->fingerprint && other->fingerprint == entry->fingerprint))
            return;
        candidates->rivals |= registered;
    }
    candidates->items[candidates->n++] = entry;
}

//  The schemas that go by the id: of the folder, then of the registry.
static void
find_candidates (weft_decoder_t *self, uint32_t id, candidates_t *candidates)
{
    size_t size;
    const char *text;
    size_t n = self->registry ? weft_avro_registry_count (self->registry) : 0;
    for (size_t i = 0; i < n; i++)
        if (weft_avro_registry_suits (self->registry, i, id)) {
            text = weft_avro_registry_text (self->registry, i, &size);
            add_candidate (self, candidates, text, size, false);
        }
    for (size_t i = 0;
         self->client &&
         (text = weft_schema_client_text (self->client, id, i, &size));
         i++)
        add_candidate (self, candidates, text, size, true);
}

static int
try_entry (weft_decoder_t *self, weft_planned_t *entry, weft_normal_t *to)
{
    size_t used;
    return weft_planned_decode (entry, to, self->data + HEADER,
                                self->size - HEADER, true, &used);
}

//  One that fits, or several that all read the same; else it would be a guess.
//  `first` is the one that fits, NULL before. 0, or WEFT_ESCHEMA.
static int
try_rival (weft_decoder_t *self,
           weft_planned_t *entry,
           weft_planned_t **first,
           uint32_t id)
{
    if (!entry || entry->rc || entry == *first ||
        try_entry (self, entry, *first ? &self->other : self->normal))
        return 0;
    if (!*first) {
        *first = entry;
        return 0;
    }
    if (same_content (self->normal, &self->other))
        return 0;
    snprintf (self->why, sizeof (self->why),
              "schema id %u is not sure, and the bytes fit both %.120s and "
              "%.120s (fingerprints %016llx, %016llx) with different values",
              id, (*first)->name, entry->name,
              (unsigned long long)(*first)->fingerprint,
              (unsigned long long)entry->fingerprint);
    return WEFT_ESCHEMA;
}

//  What has been found to fit is decoded again: comparing has spoilt it.
static int
settle (weft_decoder_t *self, weft_planned_t *entry)
{
    self->entry = entry;
    return try_entry (self, entry, self->normal);
}

//  By the id: the first candidate that fits, or rivals that agree. *found tells
//  whether that is the last word.
static int
decode_by_id (weft_decoder_t *self,
              const candidates_t *candidates,
              uint32_t id,
              bool *found)
{
    weft_planned_t *first = NULL;
    int rc = 0;
    *found = false;
    for (size_t i = 0; i < candidates->n; i++) {
        weft_planned_t *entry = candidates->items[i];
        self->entry = entry;
        if (candidates->rivals && try_rival (self, entry, &first, id)) {
            *found = true;
            return WEFT_ESCHEMA;
        }
        if (candidates->rivals)
            continue;
        rc = entry->rc ? entry->rc : try_entry (self, entry, self->normal);
        *found = !rc;
        if (!rc)
            return 0;
        snprintf (self->why, sizeof (self->why), "%s",
                  entry->rc ? entry->why : self->normal->why);
    }
    *found = first != NULL;
    return first ? settle (self, first) : rc;
}

//  The schemas of the folder that the bytes fit, whatever the id.
static int
decode_by_trial (weft_decoder_t *self, uint32_t id)
{
    weft_planned_t *first = NULL;
    size_t n = self->registry ? weft_avro_registry_count (self->registry) : 0;
    for (size_t i = 0; i < n; i++) {
        size_t size;
        const char *text = weft_avro_registry_text (self->registry, i, &size);
        int rc = try_rival (
            self, weft_plan_cache_find (self->plans, text, size), &first, id);
        if (rc)
            return rc;
    }
    if (first)
        return settle (self, first);
    if (!*self->why)
        snprintf (self->why, sizeof (self->why),
                  "schema id %u is not known%s%.200s, and the bytes fit none "
                  "of the %zu schemas given",
                  id, self->client ? ": " : "",
                  self->client ? weft_schema_client_why (self->client, id) : "",
                  n);
    return WEFT_ESCHEMA;
}

int
weft_decoder_framed (weft_decoder_t *self)
{
    uint32_t id = (uint32_t)self->data[1] << 24 |
                  (uint32_t)self->data[2] << 16 | (uint32_t)self->data[3] << 8 |
                  self->data[4];
    candidates_t candidates = { .n = 0 };
    bool found;
    snprintf (self->named, sizeof (self->named), "id:%u", id);
    if (!self->registry && !self->client) {
        snprintf (self->why, sizeof (self->why),
                  "a Confluent-framed message with schema id %u: say where "
                  "the schemas are (--schemas DIR; options.schemas or "
                  "options.registry of ingest)",
                  id);
        return WEFT_ESCHEMA;
    }
    weft_schema_state_t state = self->client
                                    ? weft_schema_client_ask (self->client, id)
                                    : WEFT_SCHEMA_ABSENT;
    find_candidates (self, id, &candidates);
    if (!candidates.n && state == WEFT_SCHEMA_COMING) {
        snprintf (self->why, sizeof (self->why), "waits for schema id %u: %s",
                  id, weft_schema_client_why (self->client, id));
        return WEFT_EAGAIN;
    }
    *self->why = 0;
    int by_id = decode_by_id (self, &candidates, id, &found);
    if (found)
        return by_id;
    int rc = decode_by_trial (self, id);
    return rc && by_id ? by_id : rc;
}
