//  weft_plan_words.c - what a schema lacks, in words that help to mend it.

#include "weft_log.h"
#include "weft_plan_cache.h"

//  "candidate" or "prv_candidates", without [].
static int
path_size (const weft_avro_group_t *group)
{
    return (int)strcspn (group->path, "[");
}

//  Adds ", candidate.jd": where it was looked for.
static void
add_place (char *out, size_t room, const weft_avro_group_t *group, size_t want)
{
    size_t n = strlen (out);
    snprintf (out + n, room - n, "%s%.*s%s%s", n ? ", " : "", path_size (group),
              group->path, *group->path ? "." : "", group->wants[want].name);
}

void
weft_plan_say_core (weft_planned_t *entry, size_t role)
{
    char places[256] = "";
    const weft_survey_t *survey = entry->survey;
    for (size_t g = 0; g < survey->n_groups; g++)
        for (size_t w = 0; w < survey->groups[g].n_wants; w++)
            if (survey->groups[g].wants[w].role == role)
                add_place (places, sizeof (places), &survey->groups[g], w);
    snprintf (entry->why, sizeof (entry->why),
              "schema %.120s lacks %s (or has it with another type); looked "
              "for: %s",
              entry->name, survey->roles[role - 1], places);
}

static bool
has_any (const weft_planned_t *entry, size_t group)
{
    for (size_t w = 0; w < entry->survey->groups[group].n_wants; w++)
        if (weft_avro_plan_has (entry->plan, group, w))
            return true;
    return false;
}

//  Has a group that is no array a field of this name by another one?
static bool
is_renamed (const weft_survey_t *survey, const char *name)
{
    for (size_t g = 0; g < survey->n_groups; g++) {
        const weft_avro_group_t *ours = &survey->like->groups[g];
        for (size_t w = 0; !strchr (ours->path, '[') && w < ours->n_wants; w++)
            if (!strcmp (ours->wants[w].name, name) &&
                strcmp (survey->groups[g].wants[w].name, name) != 0)
                return true;
    }
    return false;
}

//  Does an alert need a field of this name?
static bool
is_core (const weft_survey_t *like, const char *name)
{
    for (size_t g = 0; g < like->n_groups; g++)
        for (size_t w = 0; w < like->groups[g].n_wants; w++)
            if (like->groups[g].wants[w].role &&
                !strcmp (like->groups[g].wants[w].name, name))
                return true;
    return false;
}

//  Fields of an array, of the core or not, that the mapping names in the alert's
//  own record only: how many; where they were looked for goes to `names`.
static size_t
list_lacking (const weft_planned_t *entry,
              size_t group,
              bool core,
              char *names,
              size_t room)
{
    const weft_survey_t *survey = entry->survey;
    const weft_avro_group_t *ours = &survey->like->groups[group];
    size_t n = 0;
    *names = 0;
    for (size_t w = 0; w < ours->n_wants; w++) {
        const char *name = ours->wants[w].name;
        if (weft_avro_plan_has (entry->plan, group, w) ||
            !is_renamed (survey, name) || is_core (survey->like, name) != core)
            continue;
        add_place (names, room, ours, w);
        n++;
    }
    return n;
}

static void
say_lacking (const weft_planned_t *entry, size_t group, bool core)
{
    char names[256];
    const weft_avro_group_t *theirs = &entry->survey->groups[group];
    size_t n = list_lacking (entry, group, core, names, sizeof (names));
    if (!n)
        return;
    weft_log (WEFT_WARN, "MAPPING-LACKS",
              "mapping of %s: no line for %s, and %.*s of schema %s does not "
              "have %s; %s",
              entry->survey->name, names, path_size (theirs), theirs->path,
              entry->name, n > 1 ? "them by these names" : "it by this name",
              core    ? "rows that lack their time or flux are left out"
              : n > 1 ? "its rows are taken without them"
                      : "its rows are taken without it");
}

static void
say_group (const weft_planned_t *entry, size_t group)
{
    const weft_survey_t *survey = entry->survey;
    const weft_avro_group_t *ours = &survey->like->groups[group],
                            *theirs = &survey->groups[group];
    if (has_any (entry, group)) {
        say_lacking (entry, group, true);
        say_lacking (entry, group, false);
    } else if (strcmp (ours->path, theirs->path) != 0)
        weft_log (WEFT_WARN, "MAPPING-LACKS",
                  "mapping of %s: schema %s has no field of %.*s that the "
                  "mapping tells; its rows are left out",
                  survey->name, entry->name, path_size (theirs), theirs->path);
}

void
weft_plan_say_rows (const weft_planned_t *entry)
{
    for (size_t g = 0; entry->survey->like && g < entry->survey->n_groups; g++)
        if (strchr (entry->survey->like->groups[g].path, '['))
            say_group (entry, g);
}
