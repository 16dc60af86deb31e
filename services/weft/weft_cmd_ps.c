//  weft ps - which processes of the mesh are alive, by the registry.

#include <jansson.h>

#include "commands.h"
#include "weft_cli.h"
#include "weft_registry_store.h"
#include "weft_time.h"

static void
help (FILE *out)
{
    fprintf (out, "usage: weft ps [--json] [--redis ADDR]\n\n"
                  "Lists the processes that have registered within the last "
                  "6 seconds.\n\n"
                  "  --json         a list of the entries as they "
                  "are\n" WEFT_CLI_REDIS_HELP);
}

static void
gather (void *arg,
        const char *stage,
        const char *uuid,
        const char *json,
        size_t size)
{
    json_t *entry = json_loadb (json, size, 0, NULL);
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
    return text ? text : "-";
}

static long long
number_of (const json_t *entry, const char *key)
{
    return (long long)json_integer_value (json_object_get (entry, key));
}

static void
print_entry (const json_t *entry)
{
    double started = json_number_value (json_object_get (entry, "started"));
    double up = started > 0 ? weft_time_utc () - started : 0;
    printf ("%-16s %-16s %7lld %-9s %7.0f %9lld %11lld %11lld  %s\n",
            text_of (entry, "stage"), text_of (entry, "host"),
            number_of (entry, "pid"), text_of (entry, "state"), up,
            number_of (entry, "in_flight"), number_of (entry, "received"),
            number_of (entry, "settled"), text_of (entry, "endpoint"));
}

static int
print_table (json_t *entries)
{
    size_t i;
    json_t *entry;
    if (!json_array_size (entries)) {
        puts ("nobody has registered within the last 6 seconds");
        json_decref (entries);
        return 0;
    }
    printf ("%-16s %-16s %7s %-9s %7s %9s %11s %11s  %s\n", "stage", "host",
            "pid", "state", "up s", "in flight", "received", "settled",
            "endpoint");
    json_array_foreach (entries, i, entry) print_entry (entry);
    json_decref (entries);
    return 0;
}

static int
show (const char *address, bool json)
{
    int code = 0;
    weft_redis_t *redis = weft_cli_redis ("ps", address, &code);
    if (!redis)
        return code;
    json_t *entries = json_array ();
    int rc = weft_registry_list (redis, gather, entries);
    if (rc) {
        code = weft_cli_lost ("ps", "cannot read the registry", redis, rc);
        json_decref (entries);
    } else {
        code = json ? weft_cli_print (entries, JSON_INDENT (2))
                    : print_table (entries);
    }
    weft_redis_destroy (&redis);
    return code;
}

int
weft_cmd_ps (int argc, char *argv[])
{
    const char *address = NULL;
    bool json = false;
    int code = weft_cli_options (argc, argv, help, &address, &json);
    return code < 0 ? show (address, json) : code;
}
