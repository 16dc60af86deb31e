//  weft_config.c - defaults, file and overrides into a service's structs.

#include "weft_config.h"

#include "weft_buf.h"
#include "weft_config_yaml.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <strings.h>

extern char **environ;

enum { NAME_MOST = 160, TEXTS_MOST = 256, ITEMS_MOST = 1024 };

//  What is being loaded, for conversions and their complaints.
typedef struct {
    const char *path;
    weft_yaml_t *yaml;  //  NULL: no file
    char *why;
    size_t room;
    size_t section;
    const char *section_name;
    //  Inside a list: the list's key, the element, and where it stands.
    const char *list;
    uint32_t index;
    const weft_raw_t *column;  //  this option in the first element
    size_t stride;
} loading_t;

//  Where a value comes from.
typedef enum { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT } from_t;

static void
override_name (const char *section, const char *key, char out[NAME_MOST])
{
    snprintf (out, NAME_MOST, "WEFT__%s__%s", section, key);
    for (char *c = out; *c; c++)
        *c = (char)toupper ((unsigned char)*c);
}

static void
field_name (const loading_t *self, const char *key, char out[NAME_MOST])
{
    if (self->list)
        snprintf (out, NAME_MOST, "%s.%s[%u].%s", self->section_name,
                  self->list, self->index, key);
    else
        snprintf (out, NAME_MOST, "%s.%s", self->section_name, key);
}

static void
expectation (const weft_option_t *option, char *out, size_t room)
{
    const char *unit = option->unit ? option->unit : "";
    const char *space = unit[0] ? " " : "";
    switch (option->kind) {
    case WEFT_OPTION_BOOL:
        snprintf (out, room, "true or false");
        break;
    case WEFT_OPTION_INT:
        snprintf (out, room, "an integer from %.0f to %.0f%s%s", option->min,
                  option->max, space, unit);
        break;
    case WEFT_OPTION_REAL:
        snprintf (out, room, "a number from %g to %g%s%s", option->min,
                  option->max, space, unit);
        break;
    case WEFT_OPTION_TEXT:
        snprintf (out, room, "text: %s", option->meaning);
        break;
    default:
        snprintf (out, room, "a list: %s", option->meaning);
    }
}

//  One sentence: where, which field, what it is, what was expected.
static int
complain (loading_t *self,
          const weft_option_t *option,
          const char *value,
          from_t from)
{
    char where[NAME_MOST + 32], field[NAME_MOST], expected[200];
    field_name (self, option->key, field);
    expectation (option, expected, sizeof expected);
    const char *path = self->path ? self->path : "(no file)";
    snprintf (where, sizeof where, "%s", path);
    if (from == FROM_ENVIRONMENT)
        override_name (self->section_name, option->key, where);
    else if (from == FROM_FILE) {
        uint32_t line =
            weft_yaml_line (self->yaml, self->section, option, self->column,
                            self->stride, self->list ? self->index : 0);
        snprintf (where, sizeof where, "%s:%u", path, line);
    }
    if (value)
        snprintf (self->why, self->room, "%s: %s: \"%.60s\", expected %s",
                  where, field, value, expected);
    else
        snprintf (self->why, self->room, "%s: %s: is missing, expected %s",
                  where, field, expected);
    return WEFT_ECONFIG;
}

static int
convert_bool (const char *text, bool *out)
{
    static const char *const yes[] = { "true", "yes", "on", "1" };
    static const char *const no[] = { "false", "no", "off", "0" };
    for (size_t i = 0; i < WEFT_COUNT (yes); i++) {
        if (strcasecmp (text, yes[i]) == 0)
            return *out = true, 0;
        if (strcasecmp (text, no[i]) == 0)
            return *out = false, 0;
    }
    return WEFT_ECONFIG;
}

static int
convert_int (const weft_option_t *option, const char *text, int64_t *out)
{
    char *end;
    errno = 0;
    long long value = strtoll (text, &end, 10);
    if (errno || end == text || *end != '\0' || (double)value < option->min ||
        (double)value > option->max)
        return WEFT_ECONFIG;
    *out = value;
    return 0;
}

static int
convert_real (const weft_option_t *option, const char *text, double *out)
{
    char *end;
    double value = strtod (text, &end);
    if (end == text || *end != '\0' || !isfinite (value) ||
        value < option->min || value > option->max)
        return WEFT_ECONFIG;
    *out = value;
    return 0;
}

static int
add_text (weft_texts_t *texts, const char *text, size_t size)
{
    if (texts->n == TEXTS_MOST)
        return WEFT_ETOOBIG;
    if (!texts->items)
        texts->items = calloc (TEXTS_MOST, sizeof *texts->items);
    char *copy = texts->items ? strndup (text, size) : NULL;
    if (!copy)
        return WEFT_ENOMEM;
    texts->items[texts->n++] = copy;
    return 0;
}

//  "a, b,c" to its parts, without the blanks around them.
static int
split_texts (const char *text, weft_texts_t *texts)
{
    int rc = 0;
    while (*text && !rc) {
        text += strspn (text, " \t,");
        size_t size = strcspn (text, ",");
        const char *next = text + size;
        while (size > 0 && isspace ((unsigned char)text[size - 1]))
            size--;
        if (size > 0)
            rc = add_text (texts, text, size);
        text = next;
    }
    return rc;
}

static int
convert_scalar (loading_t *self,
                const weft_option_t *option,
                const char *text,
                void *into,
                from_t from)
{
    int rc = 0;
    if (option->kind == WEFT_OPTION_BOOL)
        rc = convert_bool (text, into);
    else if (option->kind == WEFT_OPTION_INT)
        rc = convert_int (option, text, into);
    else if (option->kind == WEFT_OPTION_REAL)
        rc = convert_real (option, text, into);
    else if (option->kind == WEFT_OPTION_TEXTS)
        rc = split_texts (text, into);
    else if (option->kind == WEFT_OPTION_TEXT)
        rc = (*(char **)into = strdup (text)) ? 0 : WEFT_ENOMEM;
    return rc ? complain (self, option, text, from) : 0;
}

static int
copy_texts (loading_t *self,
            const weft_option_t *option,
            const weft_raw_t *raw,
            weft_texts_t *into)
{
    char **items = raw->p;
    for (uint32_t i = 0; i < raw->n; i++)
        if (add_text (into, items[i], strlen (items[i])))
            return complain (self, option, "too many", FROM_FILE);
    return 0;
}

static int fill_struct (loading_t *self,
                        const weft_option_t *options,
                        const weft_raw_t *raws,
                        void *into);

static size_t
count_options (const weft_option_t *options)
{
    size_t n = 0;
    while (options && options[n].key)
        n++;
    return n;
}

static int
fill_list (const loading_t *outer,
           const weft_option_t *option,
           const weft_raw_t *raw,
           weft_list_t *into)
{
    loading_t self = *outer;
    if (raw->n > ITEMS_MOST)
        return complain (&self, option, "too many", FROM_FILE);
    into->items = calloc (raw->n, option->sub_size);
    if (!into->items)
        return raw->n ? WEFT_ENOMEM : 0;
    into->n = raw->n;
    self.list = option->key;
    self.stride = count_options (option->sub);
    for (uint32_t i = 0; i < raw->n; i++) {
        const weft_raw_t *first = raw->p;
        self.index = i;
        self.column = first;
        int rc = fill_struct (&self, option->sub, first + i * self.stride,
                              (char *)into->items + i * option->sub_size);
        if (rc)
            return rc;
    }
    return 0;
}

//  One option: the environment wins over the file, the file over the default.
static int
fill_option (loading_t *self,
             const weft_option_t *option,
             const weft_raw_t *raw,
             void *into)
{
    char name[NAME_MOST];
    override_name (self->section_name, option->key, name);
    const char *text = self->list ? NULL : getenv (name);
    bool is_list = option->kind == WEFT_OPTION_LIST;
    if (text && !is_list)
        return convert_scalar (self, option, text, into, FROM_ENVIRONMENT);
    if (text)
        return complain (self, option, text, FROM_ENVIRONMENT);
    if (raw && raw->p && is_list)
        return fill_list (self, option, raw, into);
    if (raw && raw->p && option->kind == WEFT_OPTION_TEXTS)
        return copy_texts (self, option, raw, into);
    if (raw && raw->p)
        return convert_scalar (self, option, raw->p, into, FROM_FILE);
    if (!option->fallback)
        return complain (self, option, NULL, FROM_DEFAULT);
    return convert_scalar (self, option, option->fallback, into, FROM_DEFAULT);
}

static int
fill_struct (loading_t *self,
             const weft_option_t *options,
             const weft_raw_t *raws,
             void *into)
{
    const weft_raw_t *elements = self->column;
    int rc = 0;
    for (size_t i = 0; !rc && options && options[i].key; i++) {
        self->column = elements ? elements + i : NULL;
        rc = fill_option (self, &options[i], raws ? raws + i : NULL,
                          (char *)into + options[i].offset);
    }
    return rc;
}

static void
free_struct (const weft_option_t *options, void *from)
{
    for (; options && options->key; options++) {
        void *at = (char *)from + options->offset;
        if (options->kind == WEFT_OPTION_TEXT)
            free (*(char **)at);
        weft_texts_t *texts = at;
        if (options->kind == WEFT_OPTION_TEXTS) {
            for (uint32_t i = 0; i < texts->n; i++)
                free (texts->items[i]);
            free (texts->items);
        }
        weft_list_t *list = at;
        if (options->kind == WEFT_OPTION_LIST) {
            for (uint32_t i = 0; i < list->n; i++)
                free_struct (options->sub,
                             (char *)list->items + i * options->sub_size);
            free (list->items);
        }
    }
}

//  Is "SECTION__KEY" (up to '=') an option that we have?
static bool
known_override (const weft_config_section_t *sections,
                size_t n,
                const char *name,
                size_t size)
{
    char known[NAME_MOST];
    for (size_t i = 0; i < n; i++)
        for (const weft_option_t *o = sections[i].options; o && o->key; o++) {
            override_name (sections[i].name, o->key, known);
            if (strlen (known) == size && memcmp (known, name, size) == 0)
                return true;
        }
    return false;
}

static int
check_overrides (loading_t *self,
                 const weft_config_section_t *sections,
                 size_t n)
{
    for (char **e = environ; e && *e; e++) {
        size_t size = strcspn (*e, "=");
        if (strncmp (*e, "WEFT__", 6) != 0 ||
            known_override (sections, n, *e, size))
            continue;
        snprintf (self->why, self->room,
                  "%.*s: no such option, expected WEFT__SECTION__KEY of a "
                  "section and key that --describe lists",
                  (int)size, *e);
        return WEFT_ECONFIG;
    }
    return 0;
}

static int
fill_sections (loading_t *self,
               const weft_config_section_t *sections,
               void **structs,
               size_t n)
{
    int rc = check_overrides (self, sections, n);
    for (size_t i = 0; !rc && i < n; i++) {
        self->section = i;
        self->section_name = sections[i].name;
        structs[i] = calloc (1, WEFT_MAX (sections[i].size, 1));
        const weft_raw_t *raws =
            self->yaml ? weft_yaml_section (self->yaml, i) : NULL;
        rc = structs[i]
                 ? fill_struct (self, sections[i].options, raws, structs[i])
                 : WEFT_ENOMEM;
    }
    return rc;
}

int
weft_config_load (const char *path,
                  weft_config_section_t *sections,
                  size_t n_sections,
                  char *why,
                  size_t room)
{
    loading_t self = { .path = path, .why = why, .room = room };
    snprintf (why, room, "out of memory");
    if (path) {
        self.yaml = weft_yaml_load (path, sections, n_sections, why, room);
        if (!self.yaml)
            return WEFT_ECONFIG;
    }
    void **structs = calloc (n_sections + 1, sizeof *structs);
    int rc = structs ? fill_sections (&self, sections, structs, n_sections)
                     : WEFT_ENOMEM;
    for (size_t i = 0; structs && i < n_sections; i++) {
        if (structs[i] && !rc && sections[i].size > 0)
            memcpy (sections[i].into, structs[i], sections[i].size);
        else if (structs[i])
            free_struct (sections[i].options, structs[i]);
        free (structs[i]);
    }
    free (structs);
    weft_yaml_destroy (&self.yaml);
    return rc ? WEFT_ECONFIG : 0;
}

void
weft_config_free (weft_config_section_t *sections, size_t n_sections)
{
    for (size_t i = 0; i < n_sections; i++) {
        if (sections[i].size == 0)
            continue;
        free_struct (sections[i].options, sections[i].into);
        memset (sections[i].into, 0, sections[i].size);
    }
}

static void
describe_option (const weft_option_t *option, const char *prefix, FILE *out)
{
    char expected[200] = "";
    if (option->kind != WEFT_OPTION_TEXT && option->kind != WEFT_OPTION_TEXTS &&
        option->kind != WEFT_OPTION_LIST)
        expectation (option, expected, sizeof expected);
    else
        snprintf (expected, sizeof expected, "%s",
                  option->kind == WEFT_OPTION_TEXT ? "text" : "list");
    const char *fallback = option->fallback;
    fprintf (out, "| `%s%s` | %s | %s%s%s | %s |\n", prefix, option->key,
             expected, fallback && fallback[0] ? "`" : "",
             !fallback     ? "must be given"
             : fallback[0] ? fallback
                           : "(empty)",
             fallback && fallback[0] ? "`" : "", option->meaning);
}

//  A list's elements stand behind it, however deep.
static void
describe_options (const weft_option_t *options, const char *prefix, FILE *out)
{
    for (const weft_option_t *o = options; o && o->key; o++) {
        char inner[NAME_MOST];
        describe_option (o, prefix, out);
        snprintf (inner, sizeof inner, "%s%s[].", prefix, o->key);
        if (o->kind == WEFT_OPTION_LIST)
            describe_options (o->sub, inner, out);
    }
}

void
weft_config_describe (const weft_config_section_t *sections,
                      size_t n_sections,
                      FILE *out)
{
    fprintf (out, "| option | value | default | meaning |\n"
                  "| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < n_sections; i++) {
        char prefix[NAME_MOST];
        snprintf (prefix, sizeof prefix, "%s.", sections[i].name);
        describe_options (sections[i].options, prefix, out);
    }
}
