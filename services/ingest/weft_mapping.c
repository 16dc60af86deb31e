//  weft_mapping.c - reads mapping files and makes surveys of them.

#include <ctype.h>
#include <math.h>
#include <sys/stat.h>

#include "weft_hash.h"
#include "weft_mapping.h"
#include "weft_paths.h"

#define LINE_ROOM 512
#define NAME_ROOM 128

//  One file: a survey with tables of its own.
typedef struct {
    weft_survey_t survey;
    const weft_survey_t *like;
    char name[24], schemas[NAME_ROOM];
    weft_avro_group_t groups[WEFT_AVRO_GROUPS_MOST];
    weft_avro_want_t *wants[WEFT_AVRO_GROUPS_MOST];
    weft_unit_t *units;
    size_t n_units;
    char **texts;  //  names that the tables point to
    size_t n_texts;
} mapping_t;

struct weft_mappings {
    mapping_t *items[WEFT_MAPPINGS_MOST];
    size_t n;
    char *folder;
    uint64_t seen;              //  of the folder, when it was read
    struct weft_mappings *old;  //  alerts under way borrow names of it
};

typedef struct {
    mapping_t *mapping;
    const char *path;
    int line;
    char *why;
} reader_t;

static int
fail (const reader_t *self, const char *what)
{
    snprintf (self->why, WEFT_AVRO_WHY, "%.200s:%d: %.200s", self->path,
              self->line, what);
    return WEFT_ECONFIG;
}

static void
free_mapping (mapping_t *self)
{
    for (size_t g = 0; g < WEFT_AVRO_GROUPS_MOST; g++)
        free (self->wants[g]);
    for (size_t i = 0; i < self->n_texts; i++)
        free (self->texts[i]);
    free (self->texts);
    free (self->units);
    free (self);
}

static const char *
keep_text (mapping_t *self, const char *text)
{
    char *copy = strdup (text);
    char **moved =
        copy ? realloc (self->texts, (self->n_texts + 1) * sizeof (*moved))
             : NULL;
    if (!moved) {
        free (copy);
        return NULL;
    }
    self->texts = moved;
    self->texts[self->n_texts++] = copy;
    return copy;
}

//  The tables of the survey that it is like, to be changed.
static int
begin (const reader_t *self, const char *like)
{
    mapping_t *mapping = self->mapping;
    mapping->like = weft_survey_named (like);
    if (!mapping->like)
        return fail (self, "expected: like ztf, or like lsst");
    mapping->survey = *mapping->like;
    mapping->survey.name = mapping->name;
    mapping->survey.like = mapping->like;
    mapping->survey.groups = mapping->groups;
    for (size_t g = 0; g < mapping->like->n_groups; g++) {
        const weft_avro_group_t *from = &mapping->like->groups[g];
        weft_avro_want_t *wants = calloc (from->n_wants, sizeof (*wants));
        if (!wants)
            return WEFT_ENOMEM;
        memcpy (wants, from->wants, from->n_wants * sizeof (*wants));
        mapping->wants[g] = wants;
        mapping->groups[g] = *from;
        mapping->groups[g].wants = wants;
    }
    return 0;
}

//  The group by the name it has in the survey that it is like, without [].
static size_t
find_group (const mapping_t *self, const char *name, size_t size)
{
    size_t g = 0;
    for (; g < self->like->n_groups; g++) {
        const char *path = self->like->groups[g].path;
        size_t n = strcspn (path, "[");
        if (n == size && !strncmp (path, name, n))
            break;
    }
    return g;
}

static int
add_unit (mapping_t *self, size_t group, size_t want, double times, double plus)
{
    weft_unit_t *moved =
        realloc (self->units, (self->n_units + 1) * sizeof (*moved));
    if (!moved)
        return WEFT_ENOMEM;
    self->units = moved;
    moved[self->n_units++] = (weft_unit_t){ .group = (uint16_t)group,
                                            .want = (uint16_t)want,
                                            .times = times,
                                            .plus = plus };
    self->survey.units = moved;
    self->survey.n_units = self->n_units;
    return 0;
}

//  "prvDiaSources = history": an array stays an array.
static int
rename_group (const reader_t *self, size_t group, const char *theirs)
{
    mapping_t *mapping = self->mapping;
    char path[NAME_ROOM + 4];
    if (mapping->groups[group].path != mapping->like->groups[group].path)
        return fail (self, "a second line for this record");
    snprintf (path, sizeof (path), "%s%s", theirs,
              strchr (mapping->like->groups[group].path, '[') ? "[]" : "");
    mapping->groups[group].path = keep_text (mapping, path);
    return mapping->groups[group].path ? 0 : WEFT_ENOMEM;
}

//  "; did you mean diaSource.diaObjectId?" if one field alone ends so, else "".
static void
say_meant (const weft_survey_t *like, const char *name, char *out, size_t room)
{
    size_t found = 0;
    *out = 0;
    for (size_t g = 0; g < like->n_groups; g++)
        for (size_t w = 0; w < like->groups[g].n_wants; w++) {
            const char *path = like->groups[g].path;
            if (strcmp (like->groups[g].wants[w].name, name) != 0)
                continue;
            snprintf (out, room, "; did you mean %.*s%s%s?",
                      (int)strcspn (path, "["), path, *path ? "." : "", name);
            found++;
        }
    if (found != 1)
        *out = 0;
}

static int
fail_field (const reader_t *self, const char *ours, const char *name)
{
    char what[LINE_ROOM], meant[LINE_ROOM];
    const weft_survey_t *like = self->mapping->like;
    say_meant (like, name, meant, sizeof (meant));
    snprintf (what, sizeof (what), "%s has no field %.100s%.100s", like->name,
              ours, meant);
    return fail (self, what);
}

static int
rename_field (const reader_t *self,
              const char *ours,
              const char *theirs,
              double times,
              double plus)
{
    mapping_t *mapping = self->mapping;
    const char *dot = strrchr (ours, '.');
    const char *name = dot ? dot + 1 : ours;
    size_t group = find_group (mapping, ours, dot ? (size_t)(dot - ours) : 0);
    size_t want = 0, n = 0;
    if (group < mapping->like->n_groups)
        n = mapping->like->groups[group].n_wants;
    while (want < n &&
           strcmp (mapping->like->groups[group].wants[want].name, name) != 0)
        want++;
    if (want == n)
        return fail_field (self, ours, name);
    if (mapping->wants[group][want].name !=
        mapping->like->groups[group].wants[want].name)
        return fail (self, "a second line for this field");
    const char *last = strrchr (theirs, '.');
    const char *kept = keep_text (mapping, last ? last + 1 : theirs);
    if (!kept)
        return WEFT_ENOMEM;
    mapping->wants[group][want].name = kept;
    return times == 1 && plus == 0
               ? 0
               : add_unit (mapping, group, want, times, plus);
}

//  "* 1000 - 3": numbers behind a name, each with its sign.
static int
read_unit (const reader_t *self, const char *text, double *times, double *plus)
{
    *times = 1;
    *plus = 0;
    for (;;) {
        text += strspn (text, " \t");
        char op = *text;
        if (!op)
            return 0;
        char *end;
        double value = strtod (text + 1, &end);
        if (!strchr ("*/+-", op) || end == text + 1 || !isfinite (value) ||
            (value == 0 && (op == '*' || op == '/')))
            return fail (self, "expected * NUMBER, / NUMBER, + NUMBER or "
                               "- NUMBER behind the field");
        if (op == '*' || op == '/') {
            *times *= op == '*' ? value : 1 / value;
            *plus *= op == '*' ? value : 1 / value;
        } else
            *plus += op == '+' ? value : -value;
        text = end;
    }
}

static int
read_rule (const reader_t *self, char *ours, char *theirs)
{
    double times, plus;
    mapping_t *mapping = self->mapping;
    if (!mapping->like)
        return fail (self, "`like` has to come before the fields");
    theirs += strspn (theirs, " \t");
    size_t size = strcspn (theirs, " \t");
    const char *unit = theirs + size;
    char name[NAME_ROOM];
    if (!size || size >= sizeof (name))
        return fail (self, "expected: OURS = THEIRS");
    snprintf (name, sizeof (name), "%.*s", (int)size, theirs);
    int rc = read_unit (self, unit, &times, &plus);
    if (rc)
        return rc;
    size_t group = find_group (mapping, ours, strlen (ours));
    if (*ours && group < mapping->like->n_groups)
        return rename_group (self, group, name);
    return rename_field (self, ours, name, times, plus);
}

static int
read_word (const reader_t *self, const char *word, const char *value)
{
    mapping_t *mapping = self->mapping;
    if (!strcmp (word, "like"))
        return mapping->like ? fail (self, "a second `like`")
                             : begin (self, value);
    char *to = NULL;
    size_t room = 0;
    if (!strcmp (word, "survey")) {
        to = mapping->name;
        room = sizeof (mapping->name);
    } else if (!strcmp (word, "schemas")) {
        to = mapping->schemas;
        room = sizeof (mapping->schemas);
    }
    if (!to)
        return fail (self, "expected survey, like, schemas, or OURS = THEIRS");
    if (!*value || strlen (value) >= room)
        return fail (self, "there is no value, or it is too long");
    if (*to)
        return fail (self, "a second `survey` or `schemas`");
    snprintf (to, room, "%s", value);
    return 0;
}

static char *
trim (char *text)
{
    text += strspn (text, " \t");
    size_t n = strlen (text);
    while (n && isspace ((unsigned char)text[n - 1]))
        text[--n] = 0;
    return text;
}

static int
read_line (const reader_t *self, char *line)
{
    line[strcspn (line, "#")] = 0;
    line = trim (line);
    if (!*line)
        return 0;
    char *equals = strchr (line, '=');
    if (equals) {
        *equals = 0;
        return read_rule (self, trim (line), trim (equals + 1));
    }
    size_t n = strcspn (line, " \t");
    char *value = line + n;
    if (*value)
        *value++ = 0;
    return read_word (self, line, trim (value));
}

static int
read_lines (reader_t *self, FILE *file)
{
    char line[LINE_ROOM];
    while (fgets (line, sizeof (line), file)) {
        if (++self->line > WEFT_MAPPING_LINES_MOST ||
            (!strchr (line, '\n') && !feof (file)))
            return fail (self, "too many lines, or a line too long");
        int rc = read_line (self, line);
        if (rc)
            return rc;
    }
    const mapping_t *mapping = self->mapping;
    if (!*mapping->name || !*mapping->schemas || !mapping->like)
        return fail (self, "it lacks survey, like or schemas");
    return 0;
}

static bool
is_taken (const weft_mappings_t *self, const mapping_t *mapping)
{
    for (size_t i = 0; i < self->n; i++)
        if (!strcmp (self->items[i]->schemas, mapping->schemas))
            return true;
    return false;
}

static int
read_file (weft_mappings_t *self, const char *path, char *why)
{
    if (self->n == WEFT_MAPPINGS_MOST) {
        snprintf (why, WEFT_AVRO_WHY, "more than %d mappings",
                  WEFT_MAPPINGS_MOST);
        return WEFT_ECONFIG;
    }
    FILE *file = fopen (path, "r");
    reader_t reader = { .mapping = calloc (1, sizeof (mapping_t)),
                        .path = path,
                        .why = why };
    int rc = reader.mapping && file ? read_lines (&reader, file)
                                    : fail (&reader, "cannot be read");
    if (file)
        (void)fclose (file);
    if (!rc && is_taken (self, reader.mapping))
        rc = fail (&reader, "another file is for the same `schemas`");
    if (!rc)
        self->items[self->n++] = reader.mapping;
    else if (reader.mapping)
        free_mapping (reader.mapping);
    return rc;
}

//  They are read all or none: a part would be another set.
static int
name_first_bad (const weft_paths_t *paths, char why[WEFT_AVRO_WHY])
{
    for (size_t i = 0; i < paths->n; i++) {
        const char *reason = weft_paths_why (paths, i);
        if (!reason)
            continue;
        snprintf (why, WEFT_AVRO_WHY, "%.300s: %.100s", paths->items[i],
                  reason);
        return WEFT_EIO;
    }
    return 0;
}

//  Names, sizes and times of the files.
static uint64_t
look (const char *folder, weft_paths_t *paths, int *rc)
{
    uint64_t seen = 0;
    *rc = weft_paths_add (paths, folder, ".map");
    for (size_t i = 0; !*rc && i < paths->n; i++) {
        struct stat is;
        char line[4400];
        if (stat (paths->items[i], &is))
            continue;
        snprintf (line, sizeof (line), "%s %lld %lld.%09ld", paths->items[i],
                  (long long)is.st_size, (long long)is.st_mtim.tv_sec,
                  is.st_mtim.tv_nsec);
        uint8_t sum[32];
        weft_sha256 (line, strlen (line), sum);
        seen = seen * 31 + weft_get_u64 (sum);
    }
    return seen;
}

weft_mappings_t *
weft_mappings_new (const char *folder, char why[WEFT_AVRO_WHY])
{
    weft_mappings_t *self = calloc (1, sizeof (*self));
    weft_paths_t paths = { 0 };
    int rc = WEFT_ENOMEM;
    snprintf (why, WEFT_AVRO_WHY, "out of memory");
    if (self && (self->folder = strdup (folder))) {
        self->seen = look (folder, &paths, &rc);
        if (rc)
            snprintf (why, WEFT_AVRO_WHY, "folder of mappings %.300s: %s",
                      folder, weft_error_text (rc));
        else
            rc = name_first_bad (&paths, why);
    }
    for (size_t i = 0; !rc && i < paths.n; i++)
        rc = read_file (self, paths.items[i], why);
    weft_paths_fini (&paths);
    if (rc)
        weft_mappings_destroy (&self);
    else
        *why = 0;
    return self;
}

void
weft_mappings_destroy (weft_mappings_t **self_p)
{
    weft_mappings_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->n; i++)
        free_mapping (self->items[i]);
    weft_mappings_destroy (&self->old);
    free (self->folder);
    free (self);
    *self_p = NULL;
}

int
weft_mappings_renew (weft_mappings_t **self_p, char why[WEFT_AVRO_WHY])
{
    weft_paths_t paths = { 0 };
    int rc;
    uint64_t seen = look ((*self_p)->folder, &paths, &rc);
    weft_paths_fini (&paths);
    if (rc || seen == (*self_p)->seen)
        return 0;
    (*self_p)->seen = seen;
    weft_mappings_t *next = weft_mappings_new ((*self_p)->folder, why);
    if (!next)
        return WEFT_ECONFIG;
    next->old = *self_p;
    *self_p = next;
    return 1;
}

size_t
weft_mappings_count (const weft_mappings_t *self)
{
    return self->n;
}

const weft_survey_t *
weft_mappings_find (const weft_mappings_t *self, const char *schema_name)
{
    const mapping_t *best = NULL;
    for (size_t i = 0; self && i < self->n; i++) {
        const mapping_t *mapping = self->items[i];
        size_t n = strlen (mapping->schemas);
        if (!strncmp (mapping->schemas, schema_name, n) &&
            (!best || n > strlen (best->schemas)))
            best = mapping;
    }
    return best ? &best->survey : NULL;
}
