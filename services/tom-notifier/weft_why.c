//  weft_why.c - why was this alert sent by that filter, or was not?

#include <jansson.h>

#include "weft_filters_text.h"
#include "weft_json_text.h"
#include "weft_why.h"
#include "weft_why_value.h"

#define VERSIONS_MOST 64  //  of filters that are kept ready

typedef struct {
    uint64_t version;
    weft_filters_parsed_t parsed;
    weft_why_value_t *value;
} version_t;

struct weft_asker {
    char *folder;
    weft_record_entry_t *entries;
    size_t n;
    uint64_t newest;  //  version that saw an alert last
    version_t versions[VERSIONS_MOST];
    uint32_t n_versions;
    weft_record_entry_t entry;  //  of the last question
    weft_alert_t *alert;        //  and its alert
    bool evaluated;             //  results are of that alert
    uint8_t said[UINT16_MAX];
    weft_filter_result_t results[WEFT_FILTERS_MOST];
    weft_verdict_t verdicts[WEFT_CONDITIONS_MOST];
};

const char *
weft_said_text (weft_said_t said)
{
    static const char *const texts[] = { "no", "yes", "failed", "quarantined" };
    return said < WEFT_COUNT (texts) ? texts[said] : "?";
}

const char *
weft_verdict_text (weft_verdict_t verdict)
{
    static const char *const texts[] = { "skipped", "true",   "false",
                                         "unknown", "failed", "quarantined" };
    return verdict < WEFT_COUNT (texts) ? texts[verdict] : "?";
}

static bool
is_newer (const weft_record_entry_t *a, const weft_record_entry_t *b)
{
    return a->segment != b->segment ? a->segment > b->segment
                                    : a->offset > b->offset;
}

//  By alert, the newest first.
static int
compare (const void *a, const void *b)
{
    const weft_record_entry_t *x = a, *y = b;
    if (x->alert_id != y->alert_id)
        return x->alert_id < y->alert_id ? -1 : 1;
    if (x->survey != y->survey)
        return x->survey < y->survey ? -1 : 1;
    return is_newer (x, y) ? -1 : is_newer (y, x);
}

int
weft_asker_new (weft_asker_t **out, const char *folder)
{
    *out = NULL;
    weft_asker_t *self = calloc (1, sizeof *self);
    if (!self)
        return WEFT_ENOMEM;
    self->folder = strdup (folder);
    int rc = self->folder ? weft_record_list (folder, &self->entries, &self->n)
                          : WEFT_ENOMEM;
    if (rc) {
        weft_asker_destroy (&self);
        return rc;
    }
    if (self->n > 0) {
        self->newest = self->entries[self->n - 1].version;
        qsort (self->entries, self->n, sizeof *self->entries, compare);
    }
    *out = self;
    return 0;
}

static void
drop_version (version_t *version)
{
    weft_why_value_destroy (&version->value);
    weft_filters_parsed_fini (&version->parsed);
}

void
weft_asker_destroy (weft_asker_t **self_p)
{
    weft_asker_t *self = *self_p;
    if (!self)
        return;
    for (uint32_t i = 0; i < self->n_versions; i++)
        drop_version (&self->versions[i]);
    weft_alert_unref (&self->alert);
    free (self->entries);
    free (self->folder);
    free (self);
    *self_p = NULL;
}

bool
weft_asker_nights (const weft_asker_t *self, int32_t *first, int32_t *last)
{
    for (size_t i = 0; i < self->n; i++) {
        int32_t night = self->entries[i].night;
        *first = i ? WEFT_MIN (*first, night) : night;
        *last = i ? WEFT_MAX (*last, night) : night;
    }
    return self->n > 0;
}

//  The filters of a version, made ready once. NULL with `why`.
static version_t *
find_version (weft_asker_t *self, uint64_t number, char *why, size_t room)
{
    for (uint32_t i = 0; i < self->n_versions; i++)
        if (self->versions[i].version == number)
            return &self->versions[i];
    if (self->n_versions == VERSIONS_MOST)
        drop_version (&self->versions[--self->n_versions]);
    version_t *version = &self->versions[self->n_versions];
    char *text = weft_record_filters_text (self->folder, number);
    if (!text) {
        snprintf (why, room, "the filters of version %016llx are gone",
                  (unsigned long long)number);
        return NULL;
    }
    char wrong[300] = "";
    int rc = weft_filters_parse (&version->parsed, text, wrong, sizeof wrong);
    free (text);
    if (rc) {
        snprintf (why, room, "%s/%016llx.json: %s", self->folder,
                  (unsigned long long)number, wrong);
        return NULL;
    }
    version->version = number;
    version->value =
        weft_why_value_new (weft_filters_view (version->parsed.filters));
    if (!version->value) {
        weft_filters_parsed_fini (&version->parsed);
        return NULL;
    }
    self->n_versions++;
    return version;
}

static json_t *
filter_json (const version_t *version, uint32_t filter)
{
    json_t *list = json_object_get (version->parsed.json, "filters");
    return json_array_get (list, filter);
}

//  Does the newest version that has seen an alert ask the same conditions?
static bool
is_current (const weft_asker_t *self, const char *name, json_t *then)
{
    const version_t *newest = &self->versions[0];
    uint32_t i = weft_filters_find (newest->parsed.filters, weft_str (name));
    return i < weft_filters_count (newest->parsed.filters) &&
           json_equal (json_object_get (filter_json (newest, i), "conditions"),
                       json_object_get (then, "conditions"));
}

//  The newest entry of an alert.
static bool
find_entry (const weft_asker_t *self,
            const char *survey,
            int64_t alert_id,
            weft_why_t *out)
{
    uint32_t hash = survey ? weft_record_survey (weft_str (survey)) : 0;
    size_t low = 0, high = self->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (self->entries[middle].alert_id < alert_id)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i < self->n && self->entries[i].alert_id == alert_id;
         i++) {
        const weft_record_entry_t *entry = &self->entries[i];
        if (survey && entry->survey != hash)
            continue;
        if (out->times++ == 0 || is_newer (entry, &out->entry))
            out->entry = *entry;
    }
    out->seen = out->times > 0;
    return out->seen;
}

static weft_said_t
said_of (weft_verdict_t verdict)
{
    switch (verdict) {
    case WEFT_VERDICT_TRUE:
        return WEFT_SAID_YES;
    case WEFT_VERDICT_FAILED:
        return WEFT_SAID_FAILED;
    default:
        return WEFT_SAID_NO;
    }
}

static int
explain (weft_asker_t *self,
         version_t *version,
         uint32_t filter,
         weft_why_t *out)
{
    weft_filters_t *filters = version->parsed.filters;
    int rc = 0;
    if (!self->evaluated)
        rc = weft_filters_evaluate (filters, self->alert, self->results);
    if (rc)
        return rc;
    self->evaluated = true;
    out->verdict = said_of (self->results[filter].verdict);
    rc = weft_filters_explain (filters, self->alert, filter, self->verdicts);
    json_t *conditions =
        json_object_get (filter_json (version, filter), "conditions");
    out->n = (uint32_t)json_array_size (conditions);
    for (uint32_t i = 0; i < out->n && !rc; i++) {
        weft_why_condition_t *to = &out->conditions[i];
        json_t *from = json_array_get (conditions, i);
        to->name = json_string_value (json_object_get (from, "name"));
        to->sql = json_string_value (json_object_get (from, "sql"));
        to->verdict = self->verdicts[i];
    }
    return rc;
}

//  Reads an alert, unless the last question was of it.
static int
load (weft_asker_t *self, const weft_record_entry_t *entry)
{
    if (self->alert && self->entry.segment == entry->segment &&
        self->entry.offset == entry->offset)
        return 0;
    weft_alert_unref (&self->alert);
    self->evaluated = false;
    self->entry = *entry;
    return weft_record_read (self->folder, entry, &self->alert, self->said);
}

int
weft_asker_why (weft_asker_t *self,
                const char *name,
                const char *survey,
                int64_t alert_id,
                weft_why_t *out,
                char *why,
                size_t room)
{
    memset (out, 0, sizeof *out);
    if (!find_entry (self, survey, alert_id, out))
        return 0;
    //  The newest ones come first and are never dropped.
    version_t *version = find_version (self, self->newest, why, room);
    if (version)
        version = find_version (self, out->entry.version, why, room);
    if (!version)
        return WEFT_EDOWN;
    uint32_t filter =
        weft_filters_find (version->parsed.filters, weft_str (name));
    int rc = load (self, &out->entry);
    if (rc) {
        snprintf (why, room, "the record: %s", weft_error_text (rc));
        return WEFT_EDOWN;
    }
    const weft_envelope_v1_t *envelope = weft_alert_envelope (self->alert);
    weft_str_copy (envelope->survey, out->survey, sizeof out->survey);
    weft_str_copy (envelope->object_id, out->object, sizeof out->object);
    out->known = filter < out->entry.filters &&
                 filter < weft_filters_count (version->parsed.filters);
    if (!out->known)
        return 0;
    out->owner = weft_filters_owner (version->parsed.filters, filter);
    out->said = self->said[filter];
    rc = explain (self, version, filter, out);
    if (rc)
        snprintf (why, room, "the alert: %s", weft_error_text (rc));
    else
        out->current = is_current (self, name, filter_json (version, filter));
    return rc ? WEFT_EDOWN : 0;
}

void
weft_asker_values (weft_asker_t *self, weft_why_t *out)
{
    char why[200];
    version_t *version =
        find_version (self, out->entry.version, why, sizeof why);
    for (uint32_t i = 0; version && i < out->n; i++)
        weft_why_value_read (version->value, out->conditions[i].sql,
                             out->conditions[i].value,
                             sizeof out->conditions[i].value);
}

static void
count_alert (weft_try_filter_t *filter, const weft_verdict_t *verdicts)
{
    bool so_far = true;
    for (uint32_t i = 0; i < filter->n; i++) {
        weft_try_condition_t *condition = &filter->conditions[i];
        condition->holds += verdicts[i] == WEFT_VERDICT_TRUE;
        condition->fails += verdicts[i] == WEFT_VERDICT_FALSE;
        condition->unknown += verdicts[i] == WEFT_VERDICT_UNKNOWN;
        condition->failed += verdicts[i] == WEFT_VERDICT_FAILED;
        so_far = so_far && verdicts[i] == WEFT_VERDICT_TRUE;
        condition->left += so_far;
    }
}

static int
try_alert (weft_asker_t *self,
           weft_filters_t *asked,
           weft_try_filter_t *filters)
{
    uint32_t n = weft_filters_count (asked);
    int rc = weft_filters_evaluate (asked, self->alert, self->results);
    for (uint32_t i = 0; i < n && !rc; i++) {
        filters[i].passed += self->results[i].verdict == WEFT_VERDICT_TRUE;
        filters[i].failed += self->results[i].verdict == WEFT_VERDICT_FAILED;
        rc = weft_filters_explain (asked, self->alert, i, self->verdicts);
        if (!rc)
            count_alert (&filters[i], self->verdicts);
    }
    return rc;
}

int
weft_asker_try (weft_asker_t *self,
                weft_filters_t *asked,
                int32_t night,
                weft_try_filter_t *filters,
                uint64_t *alerts)
{
    int rc = 0;
    *alerts = 0;
    for (size_t i = 0; i < self->n && !rc; i++) {
        const weft_record_entry_t *entry = &self->entries[i];
        bool again = i > 0 && entry->alert_id == entry[-1].alert_id &&
                     entry->survey == entry[-1].survey;
        if (entry->night != night || again)
            continue;
        rc = load (self, entry);
        self->evaluated = false;
        if (!rc)
            rc = try_alert (self, asked, filters);
        *alerts += !rc;
    }
    return rc;
}
