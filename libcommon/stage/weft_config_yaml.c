//  weft_config_yaml.c - option tables to a libcyaml schema, and its errors to
//  one line with the place.

#include <cyaml/cyaml.h>
#include <yaml.h>

#include "weft_config_yaml.h"

#include <limits.h>

enum {
    FILE_MOST = 1 << 20,
    PARTS_MOST = 1024,
    KEYS_MOST = 128,  //  that are told where an unknown one stands
    KEY_MOST = 32,    //  characters of them that are compared
    KEYS_ROOM = 64,   //  least that they need
};

//  What libcyaml says of an error: the first line is what, the line of the
//  backtrace that comes first is where.
typedef struct {
    char what[160];
    char field[64];
    uint32_t line;
} complaint_t;

struct weft_yaml {
    const weft_config_section_t *sections;
    size_t n_sections;
    uint8_t *text;
    size_t size;
    cyaml_schema_value_t root;
    void *parts[PARTS_MOST];  //  the schema's memory
    size_t n_parts;
    void *data;  //  weft_raw_t * per section
    //  Second pass: this option is made one that no text fits, to learn the
    //  line where libcyaml stumbles over it.
    const weft_option_t *trap;
    size_t trap_section;
    cyaml_strval_t *fine;  //  texts that the trap lets pass
    size_t n_fine;
    complaint_t complaint;
};

static const cyaml_schema_value_t text_value = {
    .type = CYAML_STRING,
    .flags = CYAML_FLAG_POINTER,
    .data_size = 1,
    .string = { .min = 0, .max = UINT32_MAX },
};

static void
copy_field (complaint_t *self, const char *line)
{
    const char *from = strchr (line, '\'');
    const char *to = from ? strchr (from + 1, '\'') : NULL;
    if (!to || self->field[0] || !strstr (line, "mapping field"))
        return;
    snprintf (self->field, sizeof self->field, "%.*s", (int)(to - from - 1),
              from + 1);
}

static void
on_log (cyaml_log_t level, void *arg, const char *format, va_list args)
{
    complaint_t *self = arg;
    char line[256];
    if (level < CYAML_LOG_ERROR)
        return;
    vsnprintf (line, sizeof line, format, args);
    line[strcspn (line, "\n")] = '\0';
    const char *at = strstr (line, "(line: ");
    if (at && self->line == 0)
        self->line = (uint32_t)strtoul (at + 7, NULL, 10);
    if (at)
        copy_field (self, line);
    else if (!self->what[0])
        snprintf (self->what, sizeof self->what, "%.150s",
                  strncmp (line, "Load: ", 6) == 0 ? line + 6 : line);
}

static void *
part (weft_yaml_t *self, size_t count, size_t size)
{
    void *memory = self->n_parts < PARTS_MOST ? calloc (count, size) : NULL;
    if (memory)
        self->parts[self->n_parts++] = memory;
    return memory;
}

static size_t
count_options (const weft_option_t *options)
{
    size_t n = 0;
    while (options && options[n].key)
        n++;
    return n;
}

static const cyaml_schema_field_t *
build_fields (weft_yaml_t *self, const weft_option_t *options, size_t section);

//  The schema of one option's value.
static int
build_value (weft_yaml_t *self,
             const weft_option_t *option,
             size_t section,
             cyaml_schema_value_t *value)
{
    *value = text_value;
    value->flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL;
    if (option == self->trap && section == self->trap_section)
        *value = (cyaml_schema_value_t){
            .type = CYAML_ENUM,
            .flags = CYAML_FLAG_OPTIONAL | CYAML_FLAG_STRICT,
            .data_size = 4,
            .enumeration = { .strings = self->fine,
                             .count = (uint32_t)self->n_fine },
        };
    if (option->kind != WEFT_OPTION_TEXTS && option->kind != WEFT_OPTION_LIST)
        return 0;
    cyaml_schema_value_t *entry = part (self, 1, sizeof *entry);
    if (!entry)
        return WEFT_ENOMEM;
    *entry = text_value;
    size_t size = sizeof (char *);
    if (option->kind == WEFT_OPTION_LIST) {
        size = count_options (option->sub) * sizeof (weft_raw_t);
        *entry = (cyaml_schema_value_t){
            .type = CYAML_MAPPING,
            .data_size = (uint32_t)size,
            .mapping = { .fields = build_fields (self, option->sub, section) },
        };
        if (!entry->mapping.fields)
            return WEFT_ENOMEM;
    }
    *value = (cyaml_schema_value_t){
        .type = CYAML_SEQUENCE,
        .flags = CYAML_FLAG_POINTER_NULL | CYAML_FLAG_OPTIONAL,
        .data_size = (uint32_t)size,
        .sequence = { .entry = entry, .min = 0, .max = UINT32_MAX },
    };
    return 0;
}

static const cyaml_schema_field_t *
build_fields (weft_yaml_t *self, const weft_option_t *options, size_t section)
{
    size_t n = count_options (options);
    cyaml_schema_field_t *fields = part (self, n + 1, sizeof *fields);
    for (size_t i = 0; fields && i < n; i++) {
        uint32_t at = (uint32_t)(i * sizeof (weft_raw_t));
        fields[i].key = options[i].key;
        fields[i].data_offset = at;
        fields[i].count_offset = at + (uint32_t)offsetof (weft_raw_t, n);
        fields[i].count_size = sizeof (uint32_t);
        if (build_value (self, &options[i], section, &fields[i].value))
            return NULL;
    }
    return fields;
}

static int
build_schema (weft_yaml_t *self)
{
    cyaml_schema_field_t *fields =
        part (self, self->n_sections + 1, sizeof *fields);
    if (!fields)
        return WEFT_ENOMEM;
    for (size_t i = 0; i < self->n_sections; i++) {
        const weft_option_t *options = self->sections[i].options;
        size_t size = count_options (options) * sizeof (weft_raw_t);
        fields[i].key = self->sections[i].name;
        fields[i].data_offset = (uint32_t)(i * sizeof (void *));
        fields[i].value = (cyaml_schema_value_t){
            .type = CYAML_MAPPING,
            .flags = CYAML_FLAG_POINTER_NULL | CYAML_FLAG_OPTIONAL,
            .data_size = (uint32_t)WEFT_MAX (size, 1),
            .mapping = { .fields = build_fields (self, options, i) },
        };
        if (!fields[i].value.mapping.fields)
            return WEFT_ENOMEM;
    }
    self->root = (cyaml_schema_value_t){
        .type = CYAML_MAPPING,
        .flags = CYAML_FLAG_POINTER_NULL,
        .data_size = (uint32_t)(self->n_sections * sizeof (void *)),
        .mapping = { .fields = fields },
    };
    return 0;
}

static int
read_file (weft_yaml_t *self, const char *path)
{
    FILE *file = fopen (path, "r");
    if (!file)
        return WEFT_ENOENT;
    self->text = malloc (FILE_MOST);
    if (self->text)
        self->size = fread (self->text, 1, FILE_MOST, file);
    int rc = !self->text                 ? WEFT_ENOMEM
             : ferror (file)             ? WEFT_EIO
             : (self->size == FILE_MOST) ? WEFT_ETOOBIG
                                         : 0;
    fclose (file);
    return rc;
}

static cyaml_config_t
cyaml_config (weft_yaml_t *self)
{
    return (cyaml_config_t){
        .log_fn = on_log,
        .log_ctx = &self->complaint,
        .mem_fn = cyaml_mem,
        .log_level = CYAML_LOG_ERROR,
        .flags = CYAML_CFG_NO_ALIAS,
    };
}

static int
parse (weft_yaml_t *self)
{
    cyaml_config_t config = cyaml_config (self);
    self->complaint = (complaint_t){ .line = 0 };
    return cyaml_load_data (self->text, self->size, &config, &self->root,
                            &self->data, NULL) == CYAML_OK
               ? 0
               : WEFT_ECONFIG;
}

//  The line on which libyaml cannot read on, which libcyaml does not tell; the
//  first one if it can.
static uint32_t
broken_line (const weft_yaml_t *self)
{
    yaml_parser_t parser;
    yaml_event_t event;
    uint32_t line = 1;
    bool more = true;
    if (!yaml_parser_initialize (&parser))
        return line;
    yaml_parser_set_input_string (&parser, self->text, self->size);
    while (more && yaml_parser_parse (&parser, &event)) {
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete (&event);
    }
    if (parser.error == YAML_READER_ERROR)  //  has a place, but no line
        for (size_t i = 0; i < parser.problem_offset && i < self->size; i++)
            line += self->text[i] == '\n';
    else if (parser.error != YAML_NO_ERROR) {
        //  What is never closed is wrong where it was opened.
        bool open = parser.context && strstr (parser.problem, "end of stream");
        yaml_mark_t mark = open ? parser.context_mark : parser.problem_mark;
        line = (uint32_t)mark.line + 1;
    }
    yaml_parser_delete (&parser);
    return line;
}

//  Keys that are known where an unknown one stands: of the sections, of a
//  section, or of the elements of a list in one.
static size_t
known_keys (const weft_yaml_t *self, const char *keys[KEYS_MOST])
{
    const char *field = self->complaint.field;
    const weft_option_t *of = NULL;
    size_t n = 0;
    for (size_t i = 0; i < self->n_sections; i++) {
        const weft_option_t *options = self->sections[i].options;
        if (!field[0] && n < KEYS_MOST)
            keys[n++] = self->sections[i].name;
        else if (strcmp (self->sections[i].name, field) == 0)
            of = options;
        for (; !of && options && options->key; options++)
            if (options->sub && strcmp (options->key, field) == 0)
                of = options->sub;
    }
    for (; of && of->key && n < KEYS_MOST; of++)
        keys[n++] = of->key;
    return n;
}

//  How many characters differ: insertions, deletions, replacements (Levenshtein
//  1966), of the first KEY_MOST.
static unsigned
distance (const char *a, const char *b)
{
    unsigned row[KEY_MOST + 1];
    size_t n = WEFT_MIN (strlen (b), KEY_MOST);
    for (unsigned i = 0; i <= n; i++)
        row[i] = i;
    for (unsigned at = 1; *a && at <= KEY_MOST; a++, at++) {
        unsigned before = row[0];
        row[0] = at;
        for (size_t i = 1; i <= n; i++) {
            unsigned change = before + (*a != b[i - 1]);
            before = row[i];
            row[i] = WEFT_MIN (change, WEFT_MIN (row[i], row[i - 1]) + 1);
        }
    }
    return row[n];
}

//  Takes out the key that is most like `to`, the first of several.
static const char *
take_nearest (const char *keys[], size_t n, const char *to)
{
    size_t best = n;
    unsigned least = UINT_MAX;
    for (size_t i = 0; i < n; i++) {
        unsigned d = keys[i] ? distance (keys[i], to) : UINT_MAX;
        if (d < least) {
            least = d;
            best = i;
        }
    }
    const char *key = best < n ? keys[best] : NULL;
    if (key)
        keys[best] = NULL;
    return key;
}

//  The keys, in `room` bytes of `why`, KEYS_ROOM or more: all as the tables have them, or, if they
//  are too many, those most like the unknown one. Never a part of one.
static void
add_keys (const weft_yaml_t *self, char *why, size_t room)
{
    static const char some[] = "; expected one of:", more[] = " ...";
    const char *keys[KEYS_MOST], *key;
    const char *colon = strrchr (self->complaint.what, ':');
    size_t n = known_keys (self, keys), size = sizeof some;
    for (size_t i = 0; i < n; i++)
        size += strlen (keys[i]) + 1;
    bool all = size <= room;
    size = (size_t)snprintf (why, room, "%s",
                             n ? some : "; this section takes none");
    for (size_t i = 0; i < n; i++) {
        key = all ? keys[i] : take_nearest (keys, n, colon ? colon + 2 : "");
        size_t left = room - size;
        if (left <= strlen (key) + 1 + (all ? 0 : sizeof more - 1)) {
            snprintf (why + size, left, "%s", more);
            return;
        }
        size += (size_t)snprintf (why + size, left, " %s", key);
    }
}

static void
explain (weft_yaml_t *self, const char *path, char *why, size_t room)
{
    const complaint_t *c = &self->complaint;
    uint32_t line = strncmp (c->what, "libyaml:", 8) != 0 && c->line
                        ? c->line
                        : broken_line (self);
    int size = snprintf (why, room, "%s:%u: %s%s%s", path, line, c->field,
                         c->field[0] ? ": " : "", c->what);
    if (strncmp (c->what, "Unexpected key", 14) == 0 && size > 0 &&
        (size_t)size + KEYS_ROOM < room)
        add_keys (self, why + size, room - (size_t)size);
}

weft_yaml_t *
weft_yaml_load (const char *path,
                const weft_config_section_t *sections,
                size_t n_sections,
                char *why,
                size_t room)
{
    weft_yaml_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->sections = sections;
    self->n_sections = n_sections;
    int rc = read_file (self, path);
    if (!rc)
        rc = build_schema (self);
    if (rc)
        snprintf (why, room, "%s: cannot be read: %s", path,
                  weft_error_text (rc));
    if (!rc && (rc = parse (self)))
        explain (self, path, why, room);
    if (rc)
        weft_yaml_destroy (&self);
    return self;
}

void
weft_yaml_destroy (weft_yaml_t **self_p)
{
    weft_yaml_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    if (self->data) {
        cyaml_config_t config = cyaml_config (self);
        (void)cyaml_free (&config, &self->root, self->data, 0);
    }
    for (size_t i = 0; i < self->n_parts; i++)
        free (self->parts[i]);
    free (self->text);
    free (self);
}

const weft_raw_t *
weft_yaml_section (const weft_yaml_t *self, size_t section)
{
    const weft_raw_t *const *data = self->data;
    return data ? data[section] : NULL;
}

static int
let_pass (weft_yaml_t *self, const weft_raw_t *fine, size_t stride, size_t n)
{
    self->fine = part (self, n + 1, sizeof *self->fine);
    for (size_t i = 0; self->fine && i < n; i++)
        if (fine[i * stride].p)
            self->fine[self->n_fine++].str = fine[i * stride].p;
    return self->fine ? 0 : WEFT_ENOMEM;
}

uint32_t
weft_yaml_line (const weft_yaml_t *self,
                size_t section,
                const weft_option_t *option,
                const weft_raw_t *fine,
                size_t stride,
                size_t n_fine)
{
    weft_yaml_t *again = calloc (1, sizeof *again);
    if (!again)
        return 0;
    again->sections = self->sections;
    again->n_sections = self->n_sections;
    again->trap = option;
    again->trap_section = section;
    again->text = self->text;
    again->size = self->size;
    uint32_t line = 0;
    if (!let_pass (again, fine, stride, n_fine) && !build_schema (again) &&
        parse (again))
        line = again->complaint.line;
    again->text = NULL;
    weft_yaml_destroy (&again);
    return line;
}
