//  weft_avro_registry.c - finds .avsc files and puts their types together.

#include <jansson.h>
#include <libgen.h>

#include "weft_avro_registry.h"
#include "weft_paths.h"

#define PATH_MOST 4096
#define FOLDER_DEPTH 16  //  nested folders, and nested types

typedef struct {
    char *name;  //  full name of its record
    char *text;  //  self-contained JSON
    size_t size;
    uint32_t id;       //  by its file's name or the convention; 0 = none
    uint64_t version;  //  major and minor, for the order
} entry_t;

struct weft_avro_registry {
    entry_t entries[WEFT_REGISTRY_MOST];
    size_t n;
};

//  Types that have been given already, while one schema is put together.
typedef struct {
    const char *folder;
    json_t *known;  //  object: full name -> true
    int depth;
    char *why;
} assembler_t;

static int
assemble (assembler_t *self, json_t *type, const char *space, json_t **out);

static bool
is_primitive (const char *name)
{
    static const char *const names[] = {
        "null", "boolean", "int", "long", "float", "double", "bytes", "string"
    };
    for (size_t i = 0; i < WEFT_COUNT (names); i++)
        if (!strcmp (names[i], name))
            return true;
    return false;
}

//  "space.name", unless the name has its space in it.
static void
full_name (const char *name, const char *space, char *out, size_t room)
{
    if (space && *space && !strchr (name, '.'))
        snprintf (out, room, "%s.%s", space, name);
    else
        snprintf (out, room, "%s", name);
}

//  Reads FOLDER/NAME.avsc, or with the last part of the name only.
static json_t *
load_sibling (const assembler_t *self, const char *name)
{
    char path[PATH_MOST];
    const char *dot = strrchr (name, '.');
    if (strchr (name, '/'))
        return NULL;
    snprintf (path, sizeof (path), "%s/%s.avsc", self->folder, name);
    json_t *json = json_load_file (path, 0, NULL);
    if (json || !dot)
        return json;
    snprintf (path, sizeof (path), "%s/%s.avsc", self->folder, dot + 1);
    return json_load_file (path, 0, NULL);
}

//  A type by its name: primitive, given before, or in a sibling file.
static int
assemble_name (assembler_t *self,
               const char *name,
               const char *space,
               json_t **out)
{
    char full[512];
    if (is_primitive (name)) {
        *out = json_string (name);
        return *out ? 0 : WEFT_ENOMEM;
    }
    full_name (name, space, full, sizeof (full));
    if (json_object_get (self->known, full)) {
        *out = json_string (full);
        return *out ? 0 : WEFT_ENOMEM;
    }
    json_t *sibling = load_sibling (self, full);
    if (!sibling) {
        snprintf (
            self->why, WEFT_AVRO_WHY,
            "type %.400s is neither in the schema nor in a file beside it",
            full);
        return WEFT_ESCHEMA;
    }
    int rc = assemble (self, sibling, NULL, out);
    json_decref (sibling);
    return rc;
}

static int
assemble_list (assembler_t *self, json_t *list, const char *space, json_t **out)
{
    size_t i;
    json_t *item;
    *out = json_array ();
    json_array_foreach (list, i, item)
    {
        json_t *done = NULL;
        int rc = assemble (self, item, space, &done);
        if (rc || json_array_append_new (*out, done)) {
            json_decref (*out);
            return rc ? rc : WEFT_ENOMEM;
        }
    }
    return 0;
}

static int
assemble_member (assembler_t *self,
                 json_t *object,
                 const char *key,
                 const char *space)
{
    json_t *done = NULL;
    json_t *member = json_object_get (object, key);
    if (!member)
        return 0;
    int rc = assemble (self, member, space, &done);
    if (rc)
        return rc;
    return json_object_set_new (object, key, done) ? WEFT_ENOMEM : 0;
}

static int
assemble_fields (assembler_t *self, json_t *record, const char *space)
{
    size_t i;
    json_t *field;
    json_array_foreach (json_object_get (record, "fields"), i, field)
    {
        int rc = assemble_member (self, field, "type", space);
        if (rc)
            return rc;
    }
    return 0;
}

//  A type in full. Its name is known before its fields are read, as they may
//  not refer to what comes later; its space is theirs.
static int
assemble_object (assembler_t *self,
                 json_t *object,
                 const char *space,
                 json_t **out)
{
    char full[512] = "", own[512] = "";
    const char *name = json_string_value (json_object_get (object, "name"));
    const char *given =
        json_string_value (json_object_get (object, "namespace"));
    if (given)
        space = given;
    json_t *copy = json_deep_copy (object);
    if (!copy)
        return WEFT_ENOMEM;
    if (name) {
        full_name (name, space, full, sizeof (full));
        snprintf (own, sizeof (own), "%s", full);
        char *dot = strrchr (own, '.');
        *(dot ? dot : own) = 0;
        space = own;
        json_object_set_new (self->known, full, json_true ());
    }
    int rc = 0;
    const char *type = json_string_value (json_object_get (object, "type"));
    if (type && (!strcmp (type, "array") || !strcmp (type, "map")))
        rc = 0;
    else if (type && name)
        rc = assemble_fields (self, copy, space);
    else
        rc = assemble_member (self, copy, "type", space);
    if (!rc)
        rc = assemble_member (self, copy, "items", space);
    if (!rc)
        rc = assemble_member (self, copy, "values", space);
    if (rc)
        json_decref (copy);
    else
        *out = copy;
    return rc;
}

static int
assemble (assembler_t *self, json_t *type, const char *space, json_t **out)
{
    if (self->depth == 2 * FOLDER_DEPTH) {
        snprintf (self->why, WEFT_AVRO_WHY, "types are nested too deeply");
        return WEFT_ETOODEEP;
    }
    self->depth++;
    int rc = WEFT_ESCHEMA;
    if (json_is_string (type))
        rc = assemble_name (self, json_string_value (type), space, out);
    else if (json_is_array (type))
        rc = assemble_list (self, type, space, out);
    else if (json_is_object (type))
        rc = assemble_object (self, type, space, out);
    self->depth--;
    return rc;
}

static uint32_t
id_of_file (const char *path)
{
    const char *slash = strrchr (path, '/');
    char *end;
    unsigned long id = strtoul (slash ? slash + 1 : path, &end, 10);
    return !strcmp (end, ".avsc") && id <= UINT32_MAX ? (uint32_t)id : 0;
}

static void
name_entry (entry_t *entry, const char *path)
{
    unsigned major = 0, minor = 0;
    const char *at = strstr (entry->name, ".v");
    if (at && sscanf (at, ".v%4u_%4u", &major, &minor) == 2)
        entry->version = (uint64_t)major << 32 | minor;
    entry->id = id_of_file (path);
    if (!entry->id && !strncmp (entry->name, "lsst.", 5))
        entry->id = 100 * major + minor;
}

//  Takes `whole`: adds it as text.
static int
add_entry (weft_avro_registry_t *self,
           const char *path,
           const char *name,
           json_t *whole)
{
    entry_t *entry = &self->entries[self->n];
    entry->text = json_dumps (whole, JSON_COMPACT);
    entry->name = strdup (name);
    json_decref (whole);
    if (!entry->text || !entry->name) {
        free (entry->text);
        free (entry->name);
        return WEFT_ENOMEM;
    }
    entry->size = strlen (entry->text);
    name_entry (entry, path);
    self->n++;
    return 0;
}

//  Does a file hold the schema of whole alerts, not that of a part?
static bool
is_alert (const char *path, const char *name)
{
    const char *dot = strrchr (name, '.');
    return id_of_file (path) || !strcmp (dot ? dot + 1 : name, "alert");
}

static void
read_file (weft_avro_registry_t *self, const char *path, char *why)
{
    char name[256], folder[PATH_MOST];
    json_t *json = json_load_file (path, 0, NULL);
    const char *own = json_string_value (json_object_get (json, "name"));
    if (own)
        full_name (own, json_string_value (json_object_get (json, "namespace")),
                   name, sizeof (name));
    if (own && is_alert (path, name) && self->n < WEFT_REGISTRY_MOST) {
        snprintf (folder, sizeof (folder), "%s", path);
        assembler_t assembler = { .folder = dirname (folder),
                                  .known = json_object (),
                                  .why = why };
        json_t *whole = NULL;
        if (!assemble (&assembler, json, NULL, &whole) &&
            add_entry (self, path, name, whole))
            snprintf (why, WEFT_AVRO_WHY, "out of memory");
        json_decref (assembler.known);
    }
    json_decref (json);
}

static int
compare (const void *x, const void *y)
{
    const entry_t *a = x, *b = y;
    if (a->version != b->version)
        return a->version < b->version ? -1 : 1;
    int order = strcmp (a->name, b->name);
    return order ? order : strcmp (a->text, b->text);
}

weft_avro_registry_t *
weft_avro_registry_new (const char *folder, char why[WEFT_AVRO_WHY])
{
    weft_avro_registry_t *self = calloc (1, sizeof (*self));
    if (!self) {
        snprintf (why, WEFT_AVRO_WHY, "out of memory");
        return NULL;
    }
    *why = 0;
    weft_paths_t paths = { 0 };
    int rc = weft_paths_add (&paths, folder, ".avsc");
    if (rc || paths.n > WEFT_REGISTRY_FILES_MOST)
        snprintf (why, WEFT_AVRO_WHY, "folder of schemas %s: %s", folder,
                  rc ? weft_error_text (rc) : "too many files");
    for (size_t i = 0; !rc && i < paths.n; i++) {
        const char *bad = weft_paths_why (&paths, i);
        if (bad)
            snprintf (why, WEFT_AVRO_WHY, "%.300s: %.100s", paths.items[i],
                      bad);
        rc = bad ? WEFT_EIO : 0;
        if (!bad)
            read_file (self, paths.items[i], why);
    }
    weft_paths_fini (&paths);
    if (!self->n && !*why)
        snprintf (why, WEFT_AVRO_WHY,
                  "folder of schemas %s: no alert schema (*.avsc) in it",
                  folder);
    if (rc || !self->n)
        weft_avro_registry_destroy (&self);
    else
        qsort (self->entries, self->n, sizeof (*self->entries), compare);
    return self;
}

void
weft_avro_registry_destroy (weft_avro_registry_t **self_p)
{
    weft_avro_registry_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->n; i++) {
        free (self->entries[i].name);
        free (self->entries[i].text);
    }
    free (self);
    *self_p = NULL;
}

size_t
weft_avro_registry_count (const weft_avro_registry_t *self)
{
    return self->n;
}

const char *
weft_avro_registry_text (const weft_avro_registry_t *self,
                         size_t i,
                         size_t *size)
{
    *size = self->entries[i].size;
    return self->entries[i].text;
}

bool
weft_avro_registry_suits (const weft_avro_registry_t *self,
                          size_t i,
                          uint32_t id)
{
    return id && self->entries[i].id == id;
}
