//  mesh_view.c - the mesh as the registry knows it, stage by stage.

#include <jansson.h>

#include "mesh_view.h"
#include "weft_registry_store.h"

static void
gather (void *arg,
        const char *stage,
        const char *uuid,
        const char *text,
        size_t size)
{
    json_t *entry = json_loadb (text, size, 0, NULL);
    if (!json_is_object (entry)) {
        json_decref (entry);
        entry = json_object ();
    }
    json_object_set_new (entry, "stage", json_string (stage));
    json_object_set_new (entry, "uuid", json_string (uuid));
    json_array_append_new (arg, entry);
}

static const char *
text_of (const json_t *entry, const char *key)
{
    const char *text = json_string_value (json_object_get (entry, key));
    return text ? text : "";
}

//  The stage of that name, or NULL.
static json_t *
find (const json_t *stages, const char *name)
{
    size_t i;
    json_t *stage;
    json_array_foreach (stages, i, stage)
    {
        if (!strcmp (text_of (stage, "stage"), name))
            return stage;
    }
    return NULL;
}

//  Adds the texts to a list that has each once.
static void
add_once (json_t *list, const json_t *text)
{
    size_t i;
    json_t *one;
    json_array_foreach (list, i, one) if (json_equal (one, text)) return;
    json_array_append (list, (json_t *)text);
}

static void
add_number (json_t *stage, const json_t *entry, const char *key)
{
    double sum = json_number_value (json_object_get (stage, key)) +
                 json_number_value (json_object_get (entry, key));
    json_object_set_new (stage, key, json_real (sum));
}

static void
add_entry (json_t *stage, json_t *entry)
{
    static const char *const sums[] = { "rate", "in_flight", "window" };
    size_t i;
    json_t *output, *version = json_object_get (entry, "version");
    json_int_t replicas =
        json_integer_value (json_object_get (stage, "replicas"));
    json_int_t ready = json_integer_value (json_object_get (stage, "ready"));
    json_object_set_new (stage, "replicas", json_integer (replicas + 1));
    if (!text_of (entry, "not_ready")[0])
        json_object_set_new (stage, "ready", json_integer (ready + 1));
    for (i = 0; i < WEFT_COUNT (sums); i++)
        add_number (stage, entry, sums[i]);
    json_array_foreach (json_object_get (entry, "outputs"), i, output)
        add_once (json_object_get (stage, "outputs"), output);
    if (json_string_length (version) > 0)
        add_once (json_object_get (stage, "versions"), version);
    json_array_append (json_object_get (stage, "processes"), entry);
}

static json_t *
group (const json_t *entries)
{
    json_t *stages = json_array (), *entry;
    size_t i;
    json_array_foreach (entries, i, entry)
    {
        const char *name = text_of (entry, "stage");
        json_t *stage = find (stages, name);
        if (!stage) {
            stage = json_pack (
                "{s:s, s:i, s:i, s:f, s:f, s:f, s:[], s:[], s:[]}", "stage",
                name, "replicas", 0, "ready", 0, "rate", 0.0, "in_flight", 0.0,
                "window", 0.0, "outputs", "versions", "processes");
            json_array_append_new (stages, stage);
        }
        add_entry (stage, entry);
    }
    return stages;
}

//  Does a stage that is not in `placed` yet send to this one?
static bool
is_fed (const json_t *stages, const json_t *placed, const char *name)
{
    size_t i, o;
    json_t *stage, *output;
    json_array_foreach (stages, i, stage)
    {
        if (find (placed, text_of (stage, "stage")))
            continue;
        json_array_foreach (json_object_get (stage, "outputs"), o, output)
        {
            if (!strcmp (json_string_value (output), name) &&
                strcmp (text_of (stage, "stage"), name) != 0)
                return true;
        }
    }
    return false;
}

//  Along the flow; what is left in a ring goes as it came.
static json_t *
order (const json_t *stages)
{
    json_t *placed = json_array (), *stage;
    size_t i, before;
    do {
        before = json_array_size (placed);
        json_array_foreach (stages, i, stage)
        {
            const char *name = text_of (stage, "stage");
            if (!find (placed, name) && !is_fed (stages, placed, name))
                json_array_append (placed, stage);
        }
    } while (json_array_size (placed) > before);
    json_array_foreach (stages, i, stage)
    {
        if (!find (placed, text_of (stage, "stage")))
            json_array_append (placed, stage);
    }
    return placed;
}

int
mesh_view_read (weft_redis_t *redis, json_t **out)
{
    json_t *entries = json_array ();
    int rc = weft_registry_list (redis, gather, entries);
    if (rc == 0) {
        json_t *stages = group (entries);
        *out = order (stages);
        json_decref (stages);
    }
    json_decref (entries);
    return rc;
}

static void
print_list (const json_t *list, const char *before, FILE *out)
{
    size_t i;
    json_t *text;
    json_array_foreach (list, i, text)
        fprintf (out, "%s%s", i ? ", " : before, json_string_value (text));
}

static void
print_stage (const json_t *stage, FILE *out)
{
    size_t i;
    json_t *entry;
    fprintf (
        out, "%-16s %3lld %6lld %10.1f %10.0f %8.0f", text_of (stage, "stage"),
        (long long)json_integer_value (json_object_get (stage, "replicas")),
        (long long)json_integer_value (json_object_get (stage, "ready")),
        json_number_value (json_object_get (stage, "rate")),
        json_number_value (json_object_get (stage, "in_flight")),
        json_number_value (json_object_get (stage, "window")));
    print_list (json_object_get (stage, "outputs"), "  -> ", out);
    print_list (json_object_get (stage, "versions"), "  ", out);
    fputc ('\n', out);
    json_array_foreach (json_object_get (stage, "processes"), i, entry)
    {
        if (text_of (entry, "not_ready")[0])
            fprintf (
                out, "  %s pid %lld: %s\n", text_of (entry, "host"),
                (long long)json_integer_value (json_object_get (entry, "pid")),
                text_of (entry, "not_ready"));
    }
}

void
mesh_view_print (const json_t *stages, FILE *out)
{
    size_t i;
    json_t *stage;
    fprintf (out, "%-16s %3s %6s %10s %10s %8s  %s\n", "stage", "n", "ready",
             "alerts/s", "in flight", "window", "to, version");
    json_array_foreach (stages, i, stage) print_stage (stage, out);
    if (json_array_size (stages) == 0)
        fprintf (out, "nobody has registered within the last 6 seconds\n");
}
