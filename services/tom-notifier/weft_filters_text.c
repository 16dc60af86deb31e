//  weft_filters_text.c - filters as a JSON text, and back.

#include <jansson.h>

#include "weft_filters_text.h"
#include "weft_hash.h"
#include "weft_json_text.h"

static void
add_pair (weft_buf_t *out, const char *name, const char *text)
{
    weft_json_add_raw (out, name);
    weft_json_add_text (out, weft_str (text ? text : ""));
}

static void
add_filter (weft_buf_t *out, const weft_filter_option_t *filter)
{
    const weft_condition_option_t *conditions = filter->conditions.items;
    add_pair (out, "{\"name\":", filter->name);
    add_pair (out, ",\"owner\":", filter->owner);
    weft_json_add_raw (out, ",\"sinks\":[");
    for (uint32_t i = 0; i < filter->sinks.n; i++)
        add_pair (out, i ? "," : "", filter->sinks.items[i]);
    weft_json_add_raw (out, "],\"conditions\":[");
    for (uint32_t i = 0; i < filter->conditions.n; i++) {
        add_pair (out, i ? ",{\"name\":" : "{\"name\":", conditions[i].name);
        add_pair (out, ",\"sql\":", conditions[i].sql);
        weft_json_add_raw (out, "}");
    }
    weft_json_add_raw (out, "]}");
}

uint64_t
weft_filters_text (const weft_filter_option_t *options,
                   uint32_t n,
                   weft_filter_limits_t limits,
                   weft_buf_t *out)
{
    size_t start = out->size;
    weft_json_add_raw (out, "{\"budget\":");
    weft_json_add_int (out, limits.budget);
    weft_json_add_raw (out, ",\"filters\":[");
    for (uint32_t i = 0; i < n; i++) {
        weft_json_add_raw (out, i ? ",\n" : "\n");
        add_filter (out, &options[i]);
    }
    weft_json_add_raw (out, "]}\n");
    return out->error ? 0 : weft_hash (out->data + start, out->size - start);
}

static char *
text_of (json_t *json, const char *key)
{
    const char *text = json_string_value (json_object_get (json, key));
    return (char *)(uintptr_t)(text ? text : "");
}

//  Borrows its texts from the JSON. The conditions are allocated.
static int
read_filter (json_t *json, weft_filter_option_t *option)
{
    json_t *conditions = json_object_get (json, "conditions");
    size_t n = json_array_size (conditions);
    *option = (weft_filter_option_t){ .name = text_of (json, "name"),
                                      .owner = text_of (json, "owner") };
    weft_condition_option_t *items = calloc (n + 1, sizeof *items);
    if (!items)
        return WEFT_ENOMEM;
    for (size_t i = 0; i < n; i++) {
        json_t *one = json_array_get (conditions, i);
        items[i].name = text_of (one, "name");
        items[i].sql = text_of (one, "sql");
    }
    option->conditions = (weft_list_t){ items, (uint32_t)n };
    return 0;
}

static int
read_filters (weft_filters_parsed_t *self, char *why, size_t room)
{
    json_t *list = json_object_get (self->json, "filters");
    size_t n = json_array_size (list), made = 0;
    weft_filter_limits_t limits = {
        json_integer_value (json_object_get (self->json, "budget")), UINT32_MAX
    };
    weft_filter_option_t *options = calloc (n + 1, sizeof *options);
    int rc = options ? 0 : WEFT_ENOMEM;
    for (; made < n && !rc; made++)
        rc = read_filter (json_array_get (list, made), &options[made]);
    if (!rc)
        rc = weft_filters_new (&self->filters, options, (uint32_t)n, limits,
                               why, room);
    for (size_t i = 0; i < made; i++)
        free (options[i].conditions.items);
    free (options);
    return rc;
}

int
weft_filters_parse (weft_filters_parsed_t *self,
                    const char *text,
                    char *why,
                    size_t room)
{
    json_error_t error;
    self->filters = NULL;
    self->json = json_loads (text, 0, &error);
    if (!self->json) {
        snprintf (why, room, "line %d: %s", error.line, error.text);
        return WEFT_ECONFIG;
    }
    int rc = read_filters (self, why, room);
    if (rc)
        weft_filters_parsed_fini (self);
    return rc;
}

void
weft_filters_parsed_fini (weft_filters_parsed_t *self)
{
    weft_filters_destroy (&self->filters);
    json_decref (self->json);
    self->json = NULL;
}

uint32_t
weft_filters_find (const weft_filters_t *filters, weft_str_t name)
{
    uint32_t n = weft_filters_count (filters);
    for (uint32_t i = 0; i < n; i++)
        if (weft_str_is (name, weft_filters_name (filters, i)))
            return i;
    return n;
}
