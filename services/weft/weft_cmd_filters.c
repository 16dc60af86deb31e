//  weft filters - the notifier's filters: their state, a dry run, a release.

#include <getopt.h>
#include <jansson.h>

#include "commands.h"
#include "notifier_place.h"
#include "weft_cli.h"
#include "weft_notifier.h"
#include "weft_release.h"
#include "weft_settings.h"
#include "weft_time.h"
#include "weft_why.h"

typedef struct {
    notifier_place_t place;
    const char *night;
} filters_t;

static void
help (FILE *out)
{
    fprintf (
        out,
        "usage: weft filters [ls] [--json]\n"
        "       weft filters try FILE --night N [--json]\n"
        "       weft filters release NAME\n\n"
        "Users' filters of the notifier.\n\n"
        "  ls         each with its owner, what it has passed and missed since "
        "the last\n             load, and why it is in quarantine\n"
        "  try        asks the filters in FILE (options: filters: as in the "
        "notifier's\n             file) of a night of the record: how many "
        "alerts each condition lets\n             through. Nothing is sent\n"
        "  release    ends a quarantine, within seconds\n\n"
        "  --night N      number of the night, as in weft ledger\n"
        "  --json         for programs\n" NOTIFIER_PLACE_HELP
            WEFT_CLI_REDIS_HELP
        "\nExit: 0 ok, 1 failed, 2 usage, 3 FILE is refused, there is no such "
        "filter, or\nnothing is recorded of that night.\n");
}

static const char *
text_of (json_t *json, const char *key)
{
    const char *text = json_string_value (json_object_get (json, key));
    return text ? text : "";
}

//  NULL after saying why.
static json_t *
read_state (const notifier_place_t *place)
{
    char why[PATH_MAX + 300];
    json_t *state = notifier_place_state (place, why, sizeof why);
    if (!state)
        fprintf (stderr, "weft filters: %s\n", why);
    return state;
}

//  "since 2026-...": from when on is counted; of an older notifier nothing.
static void
print_since (json_t *state)
{
    char since[40];
    double time = json_number_value (json_object_get (state, "since"));
    if (time <= 0)
        return;
    weft_time_iso (time, since, sizeof since);
    printf ("passed and missed since %s\n", since);
}

static int
list (filters_t *self)
{
    size_t i;
    json_t *one;
    int code = notifier_place_find (&self->place, "filters");
    json_t *state = code ? NULL : read_state (&self->place);
    if (!state)
        return code ? code : 1;
    if (self->place.json)
        return weft_cli_print (state, JSON_INDENT (1));
    print_since (state);
    printf ("%-20s %-12s %-12s %10s %10s  %s\n", "filter", "owner", "state",
            "passed", "missed", "last failure");
    json_array_foreach (json_object_get (state, "filters"), i, one)
        printf ("%-20s %-12s %-12s %10lld %10lld  %s\n", text_of (one, "name"),
                text_of (one, "owner"), text_of (one, "state"),
                (long long)json_integer_value (json_object_get (one, "passed")),
                (long long)json_integer_value (json_object_get (one, "missed")),
                text_of (one, "failure"));
    json_decref (state);
    return 0;
}

static bool
is_known (const notifier_place_t *place, const char *name)
{
    json_t *state = read_state (place);
    bool found = notifier_place_has (state, name);
    json_decref (state);
    return found;
}

static int
release (filters_t *self, const char *name)
{
    char key[120];
    int code = notifier_place_find (&self->place, "filters");
    if (code)
        return code;
    if (!is_known (&self->place, name)) {
        fprintf (stderr, "weft filters: there is no filter %s\n", name);
        return 3;
    }
    weft_redis_t *redis = weft_cli_redis ("filters", self->place.redis, &code);
    if (!redis)
        return code;
    snprintf (key, sizeof key, "filter/%s", name);
    int rc = weft_release_set (redis, key);
    code = rc ? weft_cli_lost ("filters", "cannot tell the notifier", redis, rc)
              : 0;
    weft_redis_destroy (&redis);
    return code;
}

static json_t *
try_json (const weft_try_filter_t *filter)
{
    json_t *conditions = json_array ();
    for (uint32_t i = 0; i < filter->n; i++) {
        const weft_try_condition_t *one = &filter->conditions[i];
        json_array_append_new (
            conditions,
            json_pack ("{s:s, s:s, s:I, s:I, s:I, s:I, s:I}", "name", one->name,
                       "sql", one->sql, "true", (json_int_t)one->holds, "false",
                       (json_int_t)one->fails, "unknown",
                       (json_int_t)one->unknown, "failed",
                       (json_int_t)one->failed, "left", (json_int_t)one->left));
    }
    return json_pack ("{s:s, s:I, s:I, s:o}", "filter", filter->name, "passed",
                      (json_int_t)filter->passed, "failed",
                      (json_int_t)filter->failed, "conditions", conditions);
}

static int
print_try (const filters_t *self,
           const weft_try_filter_t *filters,
           uint32_t n,
           uint64_t alerts)
{
    json_t *list = json_array ();
    for (uint32_t f = 0; f < n && self->place.json; f++)
        json_array_append_new (list, try_json (&filters[f]));
    if (self->place.json)
        return weft_cli_print (json_pack ("{s:I, s:o}", "alerts",
                                          (json_int_t)alerts, "filters", list),
                               JSON_INDENT (1));
    json_decref (list);
    printf ("%llu alerts\n", (unsigned long long)alerts);
    for (uint32_t f = 0; f < n; f++) {
        printf ("\n%s: %llu would pass, %llu would fail it\n", filters[f].name,
                (unsigned long long)filters[f].passed,
                (unsigned long long)filters[f].failed);
        printf ("  %-16s %9s %9s %9s %9s %9s\n", "condition", "true", "false",
                "unknown", "failed", "left");
        for (uint32_t i = 0; i < filters[f].n; i++) {
            const weft_try_condition_t *one = &filters[f].conditions[i];
            printf ("  %-16s %9llu %9llu %9llu %9llu %9llu  %s\n", one->name,
                    (unsigned long long)one->holds,
                    (unsigned long long)one->fails,
                    (unsigned long long)one->unknown,
                    (unsigned long long)one->failed,
                    (unsigned long long)one->left, one->sql);
        }
    }
    return 0;
}

//  Names and texts borrow from the options.
static void
name_counts (weft_try_filter_t *counts, const weft_filter_option_t *option)
{
    const weft_condition_option_t *conditions = option->conditions.items;
    counts->name = option->name;
    counts->n = option->conditions.n;
    for (uint32_t i = 0; i < counts->n; i++) {
        counts->conditions[i].name = conditions[i].name;
        counts->conditions[i].sql = conditions[i].sql;
    }
}

static int
count (filters_t *self,
       weft_filters_t *asked,
       const weft_list_t *options,
       int32_t night)
{
    uint64_t alerts = 0;
    weft_asker_t *asker = NULL;
    weft_try_filter_t *counts = calloc (options->n + 1, sizeof *counts);
    int rc = counts ? weft_asker_new (&asker, self->place.record) : WEFT_ENOMEM;
    const weft_filter_option_t *items = options->items;
    for (uint32_t i = 0; i < options->n && !rc; i++)
        name_counts (&counts[i], &items[i]);
    if (!rc)
        rc = weft_asker_try (asker, asked, night, counts, &alerts);
    int code = rc ? weft_cli_failed ("filters", self->place.record, rc)
                  : print_try (self, counts, options->n, alerts);
    if (!code && alerts == 0) {
        fprintf (stderr,
                 "weft filters: nothing is recorded of night %ld, expected the "
                 "number of a night as weft ledger lists them, one of the last "
                 "that options.record_nights keeps\n",
                 (long)night);
        code = 3;
    }
    weft_asker_destroy (&asker);
    free (counts);
    return code;
}

static int
try_file (filters_t *self, const char *path)
{
    //  A source needs no upstream: neither does a file of filters alone.
    static const weft_source_t alone = { 0 };
    static const weft_stage_spec_t spec = {
        .name = "tom-notifier",
        .about = "",
        .reads = "",
        .options = weft_notifier_option_table,
        .options_size = sizeof (weft_notifier_options_t),
        .source = &alone,
    };
    char why[600] = "", *end;
    long night = strtol (self->night, &end, 10);
    if (!*self->night || *end || labs (night) > INT32_MAX) {
        fprintf (stderr, "weft filters: '%s' is no night\n", self->night);
        return 2;
    }
    int code = notifier_place_find (&self->place, "filters");
    if (code)
        return code;
    weft_settings_t *settings =
        weft_settings_load (&spec, path, why, sizeof why);
    const weft_notifier_options_t *options =
        settings ? settings->options : NULL;
    weft_filters_t *asked = NULL;
    weft_filter_limits_t limits = { options ? options->budget : 0, UINT32_MAX };
    int rc =
        options ? weft_filters_new (&asked, options->filters.items,
                                    options->filters.n, limits, why, sizeof why)
                : WEFT_ECONFIG;
    if (rc)
        fprintf (stderr, "weft filters: %s\n", why);
    code = rc ? 3 : count (self, asked, &options->filters, (int32_t)night);
    weft_filters_destroy (&asked);
    weft_settings_destroy (&settings);
    return code;
}

static int
usage (FILE *out)
{
    help (out);
    return out == stdout ? 0 : 2;
}

int
weft_cmd_filters (int argc, char *argv[])
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { "night", required_argument, NULL, 'n' },
        { "outbox", required_argument, NULL, 'o' },
        { "redis", required_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    static filters_t self;
    for (int c; (c = getopt_long (argc, argv, "", options, NULL)) != -1;) {
        if (c == 'j')
            self.place.json = true;
        else if (c == 'n')
            self.night = optarg;
        else if (c == 'o')
            self.place.outbox = optarg;
        else if (c == 'r')
            self.place.redis = optarg;
        else
            return usage (c == 'h' ? stdout : stderr);
    }
    const char *what = optind < argc ? argv[optind] : "ls";
    int left = argc - optind;
    if (!strcmp (what, "ls") && left <= 1 && !self.night)
        return list (&self);
    if (!strcmp (what, "try") && left == 2 && self.night)
        return try_file (&self, argv[optind + 1]);
    if (!strcmp (what, "release") && left == 2 && !self.night)
        return release (&self, argv[optind + 1]);
    return usage (stderr);
}
