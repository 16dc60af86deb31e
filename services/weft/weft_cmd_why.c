//  weft why - why an alert was sent by a filter, or was not.

#include <errno.h>
#include <getopt.h>
#include <jansson.h>

#include "commands.h"
#include "notifier_place.h"
#include "weft_cli.h"
#include "weft_why.h"

typedef struct {
    const notifier_place_t *place;
    weft_asker_t *asker;
    const char *filter;
    bool json;
    size_t format;  //  of the JSON
} question_t;

static void
help (FILE *out)
{
    fprintf (
        out,
        "usage: weft why FILTER ALERT... [--json]\n\n"
        "What each condition of a filter said of an alert of the last nights: "
        "the filter\nas it stood when the alert came, asked again of what it "
        "saw then. ALERT is the\nalert's id, or SURVEY/ID. `then` is what the "
        "filter did: sent (yes), not sent\n(no), failed, or quarantined.\n\n"
        "  --json         for programs\n" NOTIFIER_PLACE_HELP
            WEFT_CLI_REDIS_HELP
        "\nExit: 0 explained, 1 failed, 2 usage, 3 an alert was not seen, or "
        "not by this\nfilter.\n");
}

//  "ztf/123" or "123".
static bool
read_alert (const char *text, char survey[32], int64_t *id)
{
    const char *slash = strrchr (text, '/');
    char *end;
    survey[0] = 0;
    if (slash && (slash == text || slash - text >= 32))
        return false;
    if (slash)
        snprintf (survey, 32, "%.*s", (int)(slash - text), text);
    const char *number = slash ? slash + 1 : text;
    errno = 0;
    *id = strtoll (number, &end, 10);
    return *number && !*end && !errno;
}

static json_t *
condition_json (const weft_why_condition_t *condition)
{
    json_t *value = json_loads (condition->value, JSON_DECODE_ANY, NULL);
    return json_pack ("{s:s, s:s, s:o, s:s}", "name", condition->name, "sql",
                      condition->sql, "value", value ? value : json_null (),
                      "verdict", weft_verdict_text (condition->verdict));
}

static int
print_json (const char *filter,
            int64_t id,
            const weft_why_t *answer,
            size_t format)
{
    char text[24], version[20];
    snprintf (text, sizeof text, "%lld", (long long)id);
    snprintf (version, sizeof version, "%016llx",
              (unsigned long long)answer->entry.version);
    json_t *out =
        json_pack ("{s:s, s:s, s:b, s:b}", "filter", filter, "alert_id", text,
                   "seen", answer->seen, "known", answer->known);
    if (answer->seen)
        json_object_update_new (
            out, json_pack ("{s:s, s:s, s:i, s:i, s:s}", "survey",
                            answer->survey, "object_id", answer->object,
                            "night", answer->entry.night, "times",
                            (int)answer->times, "version", version));
    if (answer->known) {
        json_t *list = json_array ();
        for (uint32_t i = 0; i < answer->n; i++)
            json_array_append_new (list,
                                   condition_json (&answer->conditions[i]));
        json_object_update_new (
            out,
            json_pack ("{s:s, s:b, s:s, s:s, s:o}", "owner", answer->owner,
                       "current", answer->current, "then",
                       weft_said_text (answer->said), "verdict",
                       weft_said_text (answer->verdict), "conditions", list));
    }
    return weft_cli_print (out, format);
}

static void
print_conditions (const weft_why_t *answer)
{
    bool decided = false;
    for (uint32_t i = 0; i < answer->n; i++) {
        const weft_why_condition_t *one = &answer->conditions[i];
        bool holds = one->verdict == WEFT_VERDICT_TRUE;
        printf ("  %-8s %-16s %s   [%s]%s\n", weft_verdict_text (one->verdict),
                one->name, one->sql, one->value,
                !holds && !decided ? "   <- this one decided" : "");
        decided = decided || !holds;
    }
}

//  A name that was misspelt is no filter now, either; where their state cannot
//  be read, nobody knows.
static void
print_unknown (const question_t *self)
{
    char why[PATH_MAX + 300];
    json_t *state = notifier_place_state (self->place, why, sizeof why);
    printf ("those filters had no %s", self->filter);
    if (state && !notifier_place_has (state, self->filter))
        printf ("; there is no filter %s now (weft filters)", self->filter);
    putchar ('\n');
    json_decref (state);
}

static int
print_text (const question_t *self, int64_t id, const weft_why_t *answer)
{
    static const char *const then[] = {
        "not sent", "sent", "not seen: the filter failed",
        "not seen: the filter was in quarantine"
    };
    if (!answer->seen) {
        printf ("alert %lld was not seen in the nights that are recorded\n",
                (long long)id);
        return 0;
    }
    printf ("alert %s/%lld of %s, night %d, filters %016llx\n", answer->survey,
            (long long)id, answer->object, answer->entry.night,
            (unsigned long long)answer->entry.version);
    if (!answer->known) {
        print_unknown (self);
        return 0;
    }
    printf ("filter %s of %s%s\n", self->filter, answer->owner,
            answer->current ? "" : ", which has changed since");
    print_conditions (answer);
    printf ("then: %s\n", then[answer->said]);
    if (answer->said != answer->verdict)
        printf ("asked again: %s\n", then[answer->verdict]);
    return 0;
}

//  One question: 0, or an exit code.
static int
explain (const question_t *self, const char *text)
{
    char survey[32], why[300] = "";
    int64_t id;
    static weft_why_t answer;
    if (!read_alert (text, survey, &id)) {
        fprintf (stderr,
                 "weft why: '%s' is neither ID nor SURVEY/ID; ALERT is the "
                 "alert's id (alert_id in the sink's rows), not the object's\n",
                 text);
        return 2;
    }
    int rc = weft_asker_why (self->asker, self->filter, *survey ? survey : NULL,
                             id, &answer, why, sizeof why);
    if (rc) {
        fprintf (stderr, "weft why: %s\n", why);
        return 1;
    }
    if (answer.known)
        weft_asker_values (self->asker, &answer);
    int code = self->json ? print_json (self->filter, id, &answer, self->format)
                          : print_text (self, id, &answer);
    return code ? code : answer.known ? 0 : 3;
}

//  The worst of what was said: an alert that was not seen stops nothing.
static int
explain_lines (const question_t *self, FILE *in)
{
    char line[128];
    int code = 0;
    while ((code == 0 || code == 3) && fgets (line, sizeof line, in)) {
        line[strcspn (line, "\r\n")] = 0;
        int one = *line ? explain (self, line) : 0;
        code = one ? one : code;
    }
    return code;
}

static int
show (const notifier_place_t *place, char *words[], int n)
{
    bool several = n > 2 || strcmp (words[1], "-") == 0;
    question_t self = { .place = place,
                        .filter = words[0],
                        .json = place->json,
                        .format = several ? JSON_COMPACT : JSON_INDENT (1) };
    int rc = weft_asker_new (&self.asker, place->record);
    if (rc)
        return weft_cli_failed ("why", place->record, rc);
    int code = 0;
    for (int i = 1; i < n && (code == 0 || code == 3); i++) {
        int one = strcmp (words[i], "-") == 0 ? explain_lines (&self, stdin)
                                              : explain (&self, words[i]);
        code = one ? one : code;
    }
    weft_asker_destroy (&self.asker);
    return code;
}

int
weft_cmd_why (int argc, char *argv[])
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { "outbox", required_argument, NULL, 'o' },
        { "redis", required_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    static notifier_place_t place;
    for (int c; (c = getopt_long (argc, argv, "", options, NULL)) != -1;) {
        if (c == 'j')
            place.json = true;
        else if (c == 'o')
            place.outbox = optarg;
        else if (c == 'r')
            place.redis = optarg;
        else {
            help (c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : 2;
        }
    }
    if (argc - optind < 2) {
        help (stderr);
        return 2;
    }
    int code = notifier_place_find (&place, "why");
    return code ? code : show (&place, argv + optind, argc - optind);
}
