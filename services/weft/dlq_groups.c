//  dlq_groups.c - dead letters counted by stage, reason and schema.

#include <jansson.h>

#include "dlq_groups.h"

#include "weft_cli.h"
#include "weft_time.h"

enum { PLAIN_ROOM = 1024 };

static const char *
text_of (const json_t *group, const char *key)
{
    const char *text = json_string_value (json_object_get (group, key));
    return text ? text : "";
}

static json_int_t
number_of (const json_t *group, const char *key)
{
    return json_integer_value (json_object_get (group, key));
}

static json_t *
find (json_t *groups, const char *stage, const char *code, const char *schema)
{
    size_t i;
    json_t *group;
    json_array_foreach (groups, i, group)
    {
        if (!strcmp (text_of (group, "stage"), stage) &&
            !strcmp (text_of (group, "code"), code) &&
            !strcmp (text_of (group, "schema"), schema))
            return group;
    }
    group = json_pack ("{s:s, s:s, s:s, s:i, s:i, s:s, s:s}", "stage", stage,
                       "code", code, "schema", schema, "count", 0, "bytes", 0,
                       "first", "", "last", "");
    json_array_append_new (groups, group);
    return group;
}

static void
set_text (json_t *group, const char *key, weft_str_t text)
{
    json_object_set_new (group, key,
                         json_stringn (text.p ? text.p : "", text.n));
}

void
dlq_group (void *arg,
           const char *stage,
           weft_str_t key,
           const weft_dead_v1_t *dead)
{
    char schema[200] = "", when[40] = "";
    if (dead) {
        weft_str_copy (dead->schema, schema, sizeof schema);
        weft_time_iso ((weft_time_utc_of_tai (dead->at) - WEFT_MJD_UNIX) *
                           86400,
                       when, sizeof when);
    }
    json_t *group =
        find (arg, stage, weft_error_name (dead ? dead->code : WEFT_EMALFORMED),
              schema);
    bool bytes = dead && (dead->packet.n > 0 || dead->frames.n > 0);
    json_object_set_new (group, "count",
                         json_integer (number_of (group, "count") + 1));
    json_object_set_new (group, "bytes",
                         json_integer (number_of (group, "bytes") + bytes));
    if (!text_of (group, "first")[0] ||
        strcmp (when, text_of (group, "first")) < 0)
        json_object_set_new (group, "first", json_string (when));
    if (strcmp (when, text_of (group, "last")) < 0)
        return;
    json_object_set_new (group, "last", json_string (when));
    set_text (group, "key", key);
    set_text (group, "reason",
              dead ? dead->reason : weft_str ("(does not decode)"));
}

//  The largest group from `from` on goes there.
static void
bring_largest (json_t *groups, size_t from)
{
    size_t largest = from;
    for (size_t i = from; i < json_array_size (groups); i++)
        if (number_of (json_array_get (groups, i), "count") >
            number_of (json_array_get (groups, largest), "count"))
            largest = i;
    json_t *group = json_incref (json_array_get (groups, largest));
    json_array_remove (groups, largest);
    json_array_insert_new (groups, from, group);
}

//  Names in it were chosen by whoever wrote the packet.
static const char *
plain (char out[PLAIN_ROOM], const json_t *group, const char *key)
{
    const char *text = text_of (group, key);
    return weft_cli_plain (out, PLAIN_ROOM, text, strlen (text));
}

void
dlq_groups_print (json_t *groups, FILE *out)
{
    fprintf (out, "%7s %-14s %-16s %-24s %-24s %s\n", "letters", "stage",
             "code", "schema", "last", "newest");
    for (size_t i = 0; i < json_array_size (groups); i++) {
        bring_largest (groups, i);
        const json_t *group = json_array_get (groups, i);
        char texts[3][PLAIN_ROOM];
        fprintf (out, "%7lld %-14s %-16s %-24s %-24s %s: %s\n",
                 (long long)number_of (group, "count"),
                 text_of (group, "stage"), text_of (group, "code"),
                 plain (texts[0], group, "schema"), text_of (group, "last"),
                 plain (texts[1], group, "key"),
                 plain (texts[2], group, "reason"));
    }
}
