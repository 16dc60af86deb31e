//  weft_effect.c - what the stage function hands to commit.

#include "weft_effect.h"

#include "weft_pack.h"

static bool
has_missed (weft_filter_result_t result)
{
    return result.verdict == WEFT_VERDICT_FAILED ||
           result.verdict == WEFT_VERDICT_QUARANTINED;
}

bool
weft_effect_needed (const weft_filters_t *filters,
                    const weft_filter_result_t *results,
                    bool *wanted)
{
    bool missed = false;
    *wanted = false;
    for (uint32_t i = 0; i < weft_filters_count (filters); i++) {
        *wanted = *wanted || results[i].verdict == WEFT_VERDICT_TRUE;
        missed = missed || has_missed (results[i]);
    }
    return *wanted || missed;
}

static void
write_passes (const weft_filters_t *filters,
              const weft_filter_result_t *results,
              weft_buf_t *out)
{
    char *const *sinks;
    uint32_t count = 0, n = weft_filters_count (filters);
    for (uint32_t i = 0; i < n; i++)
        if (results[i].verdict == WEFT_VERDICT_TRUE)
            count += weft_filters_sinks (filters, i, &sinks);
    weft_pack_array (out, count);
    for (uint32_t i = 0; i < n; i++) {
        if (results[i].verdict != WEFT_VERDICT_TRUE)
            continue;
        uint32_t n_sinks = weft_filters_sinks (filters, i, &sinks);
        for (uint32_t k = 0; k < n_sinks; k++) {
            weft_pack_array (out, 2);
            weft_pack_cstr (out, weft_filters_name (filters, i));
            weft_pack_cstr (out, sinks[k]);
        }
    }
}

static void
write_misses (const weft_filters_t *filters,
              const weft_filter_result_t *results,
              weft_buf_t *out)
{
    uint32_t count = 0, n = weft_filters_count (filters);
    for (uint32_t i = 0; i < n; i++)
        count += has_missed (results[i]);
    weft_pack_array (out, count);
    for (uint32_t i = 0; i < n; i++) {
        if (!has_missed (results[i]))
            continue;
        weft_pack_array (out, 4);
        weft_pack_cstr (out, weft_filters_name (filters, i));
        weft_pack_cstr (out, weft_filters_owner (filters, i));
        weft_pack_cstr (out, weft_filters_failure (filters, i));
        weft_pack_bool (out, weft_filters_quarantined (filters, i));
    }
}

static void
write_said (const weft_filters_t *filters,
            const weft_filter_result_t *results,
            weft_buf_t *out)
{
    uint8_t said[WEFT_FILTERS_MOST];
    uint32_t n = weft_filters_count (filters);
    for (uint32_t i = 0; i < n; i++)
        said[i] = results[i].verdict == WEFT_VERDICT_TRUE     ? WEFT_SAID_YES
                  : results[i].verdict == WEFT_VERDICT_FAILED ? WEFT_SAID_FAILED
                  : results[i].verdict == WEFT_VERDICT_QUARANTINED
                      ? WEFT_SAID_QUARANTINED
                      : WEFT_SAID_NO;
    weft_pack_bin (out, said, n);
}

int
weft_effect_write (uint64_t version,
                   const weft_filters_t *filters,
                   const weft_filter_result_t *results,
                   const weft_buf_t *payload,
                   weft_buf_t *out)
{
    weft_pack_array (out, 5);
    weft_pack_u64 (out, version);
    write_said (filters, results, out);
    weft_pack_str (out, (const char *)payload->data, payload->size);
    write_passes (filters, results, out);
    write_misses (filters, results, out);
    return payload->error ? payload->error : out->error;
}

int
weft_effect_open (weft_effect_t *self, const void *data, size_t size)
{
    uint32_t count;
    memset (self, 0, sizeof *self);
    weft_cursor_init (&self->at, data, size);
    if (size == 0)
        return 0;
    int rc = weft_cursor_array (&self->at, &count);
    if (!rc && count != 5)
        rc = WEFT_EMALFORMED;
    if (!rc)
        rc = weft_cursor_u64 (&self->at, &self->version);
    if (!rc)
        rc = weft_cursor_bin (&self->at, &self->said);
    if (!rc)
        rc = weft_cursor_str (&self->at, &self->payload);
    return rc ? rc : weft_cursor_array (&self->at, &self->passes);
}

bool
weft_effect_idle (const void *data, size_t size)
{
    weft_effect_t effect;
    weft_effect_pass_t pass;
    return size == 0 || (!weft_effect_open (&effect, data, size) &&
                         weft_effect_pass (&effect, &pass) == WEFT_EABSENT &&
                         effect.misses == 0);
}

int
weft_effect_pass (weft_effect_t *self, weft_effect_pass_t *pass)
{
    uint32_t count;
    int rc = 0;
    if (self->passes == 0) {
        if (weft_cursor_left (&self->at) > 0)
            rc = weft_cursor_array (&self->at, &self->misses);
        return rc ? rc : WEFT_EABSENT;
    }
    self->passes--;
    rc = weft_cursor_array (&self->at, &count);
    if (!rc && count != 2)
        rc = WEFT_EMALFORMED;
    if (!rc)
        rc = weft_cursor_str (&self->at, &pass->filter);
    return rc ? rc : weft_cursor_str (&self->at, &pass->sink);
}

int
weft_effect_miss (weft_effect_t *self, weft_effect_miss_t *miss)
{
    uint32_t count;
    if (self->misses == 0)
        return WEFT_EABSENT;
    self->misses--;
    int rc = weft_cursor_array (&self->at, &count);
    if (!rc && count != 4)
        rc = WEFT_EMALFORMED;
    if (!rc)
        rc = weft_cursor_str (&self->at, &miss->filter);
    if (!rc)
        rc = weft_cursor_str (&self->at, &miss->owner);
    if (!rc)
        rc = weft_cursor_str (&self->at, &miss->why);
    return rc ? rc : weft_cursor_bool (&self->at, &miss->quarantined);
}
