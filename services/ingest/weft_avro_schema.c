//  weft_avro_schema.c - from avro-c's schema to our nodes, and its fingerprint.

#include <avro.h>
#include <jansson.h>

#include "weft_arena.h"
#include "weft_avro_check.h"
#include "weft_avro_schema.h"
#include "weft_buf.h"

#define NODES_BYTES (8u << 20)  //  ceiling of one tree
#define TYPES_MOST 4096         //  named types of one schema

struct weft_avro_schema {
    weft_arena_t arena;
    const weft_avro_node_t *root;
    uint64_t fingerprint;
};

//  A named type that was met before: avro-c's record and our node of it; the
//  node is NULL while its fields are being read.
typedef struct {
    avro_schema_t avro;
    weft_avro_node_t *node;
} known_t;

typedef struct {
    weft_arena_t *arena;
    known_t *known;
    size_t n_known;
    weft_buf_t form;  //  the Parsing Canonical Form, as it grows
    char *why;
} builder_t;

static int
build (builder_t *self, avro_schema_t avro, int depth, weft_avro_node_t **out);

static int
refuse (builder_t *self, const char *what, const char *name)
{
    snprintf (self->why, WEFT_AVRO_WHY, "schema: %s%s%s", what,
              name ? " in type " : "", name ? name : "");
    return WEFT_ESCHEMA;
}

static weft_avro_node_t *
make_node (builder_t *self, weft_avro_type_t type, uint32_t n, bool children)
{
    weft_avro_node_t *node = weft_arena_take (self->arena, sizeof (*node));
    if (!node)
        return NULL;
    node->type = type;
    node->n = n;
    if (children) {
        node->children =
            weft_arena_take (self->arena, (n + 1) * sizeof (*node->children));
        if (!node->children)
            return NULL;
    }
    return node;
}

static bool
make_names (builder_t *self, weft_avro_node_t *node)
{
    node->names =
        weft_arena_take (self->arena, (node->n + 1) * sizeof (*node->names));
    return node->names != NULL;
}

//  "space.name" of a named type. A name may carry its space itself.
static const char *
full_name (builder_t *self, avro_schema_t avro)
{
    const char *name = avro_schema_name (avro);
    const char *space = avro_schema_namespace (avro);
    char text[512];
    if (!name)
        name = "";
    if (!space || !*space || strchr (name, '.'))
        return weft_arena_text (self->arena, name);
    snprintf (text, sizeof (text), "%s.%s", space, name);
    return weft_arena_text (self->arena, text);
}

static known_t *
find_known (builder_t *self, avro_schema_t avro)
{
    for (size_t i = 0; i < self->n_known; i++)
        if (self->known[i].avro == avro)
            return &self->known[i];
    return NULL;
}

static known_t *
add_known (builder_t *self, avro_schema_t avro)
{
    if (self->n_known == TYPES_MOST)
        return NULL;
    known_t *known = &self->known[self->n_known++];
    known->avro = avro;
    known->node = NULL;
    return known;
}

static uint32_t
add_least (uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

//  Primitive types: their canonical name and the fewest bytes they take.
static const struct {
    avro_type_t avro;
    weft_avro_type_t type;
    uint32_t least;
    const char *name;
} primitives[] = {
    { AVRO_NULL, WEFT_AVRO_NULL, 0, "null" },
    { AVRO_BOOLEAN, WEFT_AVRO_BOOLEAN, 1, "boolean" },
    { AVRO_INT32, WEFT_AVRO_INT, 1, "int" },
    { AVRO_INT64, WEFT_AVRO_LONG, 1, "long" },
    { AVRO_FLOAT, WEFT_AVRO_FLOAT, 4, "float" },
    { AVRO_DOUBLE, WEFT_AVRO_DOUBLE, 8, "double" },
    { AVRO_BYTES, WEFT_AVRO_BYTES, 1, "bytes" },
    { AVRO_STRING, WEFT_AVRO_STRING, 1, "string" },
};

static int
build_primitive (builder_t *self, avro_schema_t avro, weft_avro_node_t **out)
{
    for (size_t i = 0; i < WEFT_COUNT (primitives); i++) {
        if (primitives[i].avro != avro_typeof (avro))
            continue;
        *out = make_node (self, primitives[i].type, 0, false);
        if (!*out)
            return refuse (self, "too large", NULL);
        (*out)->least = primitives[i].least;
        weft_buf_addf (&self->form, "\"%s\"", primitives[i].name);
        return 0;
    }
    return refuse (self, "a type that Weft does not know", NULL);
}

static int
build_fixed (builder_t *self, avro_schema_t avro, weft_avro_node_t **out)
{
    int64_t size = avro_schema_fixed_size (avro);
    if (size < 0 || size > UINT32_MAX)
        return refuse (self, "a fixed type of impossible size", NULL);
    weft_avro_node_t *node =
        make_node (self, WEFT_AVRO_FIXED, (uint32_t)size, false);
    known_t *known = add_known (self, avro);
    if (!node || !known || !(node->name = full_name (self, avro)))
        return refuse (self, "too large", NULL);
    node->least = node->n;
    known->node = *out = node;
    weft_buf_addf (&self->form,
                   "{\"name\":\"%s\",\"type\":\"fixed\",\"size\":%u}",
                   node->name, node->n);
    return 0;
}

static int
build_enum (builder_t *self, avro_schema_t avro, weft_avro_node_t **out)
{
    int symbols = avro_schema_enum_number_of_symbols (avro);
    if (symbols < 0)
        symbols = 0;
    weft_avro_node_t *node =
        make_node (self, WEFT_AVRO_ENUM, (uint32_t)symbols, false);
    known_t *known = add_known (self, avro);
    if (!node || !known || !make_names (self, node) ||
        !(node->name = full_name (self, avro)))
        return refuse (self, "too large", NULL);
    node->least = 1;
    known->node = *out = node;
    weft_buf_addf (&self->form,
                   "{\"name\":\"%s\",\"type\":\"enum\",\"symbols\":[",
                   node->name);
    for (int i = 0; i < symbols; i++) {
        const char *symbol = avro_schema_enum_get (avro, i);
        node->names[i] = weft_arena_text (self->arena, symbol ? symbol : "");
        if (!node->names[i])
            return refuse (self, "too large", node->name);
        weft_buf_addf (&self->form, "%s\"%s\"", i ? "," : "", node->names[i]);
    }
    weft_buf_addf (&self->form, "]}");
    return 0;
}

static int
build_field (builder_t *self,
             avro_schema_t avro,
             int depth,
             uint32_t i,
             weft_avro_node_t *node)
{
    const char *name = avro_schema_record_field_name (avro, (int)i);
    node->names[i] = name ? weft_arena_text (self->arena, name) : NULL;
    if (!node->names[i])
        return refuse (self, "a field without a name", node->name);
    weft_buf_addf (&self->form, "%s{\"name\":\"%s\",\"type\":", i ? "," : "",
                   name);
    int rc = build (self, avro_schema_record_field_get_by_index (avro, (int)i),
                    depth + 1, &node->children[i]);
    if (rc)
        return rc;
    weft_buf_addf (&self->form, "}");
    node->least = add_least (node->least, node->children[i]->least);
    return 0;
}

static int
build_record (builder_t *self,
              avro_schema_t avro,
              int depth,
              weft_avro_node_t **out)
{
    size_t fields = avro_schema_record_size (avro);
    weft_avro_node_t *node =
        make_node (self, WEFT_AVRO_RECORD, (uint32_t)fields, true);
    known_t *known = add_known (self, avro);
    if (!node || !known || !make_names (self, node) ||
        !(node->name = full_name (self, avro)))
        return refuse (self, "too large", NULL);
    weft_buf_addf (&self->form,
                   "{\"name\":\"%s\",\"type\":\"record\",\"fields\":[",
                   node->name);
    for (uint32_t i = 0; i < node->n; i++) {
        int rc = build_field (self, avro, depth, i, node);
        if (rc)
            return rc;
    }
    weft_buf_addf (&self->form, "]}");
    known->node = *out = node;
    return 0;
}

static int
build_union (builder_t *self,
             avro_schema_t avro,
             int depth,
             weft_avro_node_t **out)
{
    size_t branches = avro_schema_union_size (avro);
    weft_avro_node_t *node =
        make_node (self, WEFT_AVRO_UNION, (uint32_t)branches, true);
    if (!node)
        return refuse (self, "too large", NULL);
    if (!branches)
        return refuse (self, "a union without branches", NULL);
    uint32_t least = UINT32_MAX;
    weft_buf_addf (&self->form, "[");
    for (uint32_t i = 0; i < node->n; i++) {
        if (i)
            weft_buf_addf (&self->form, ",");
        int rc = build (self, avro_schema_union_branch (avro, (int)i),
                        depth + 1, &node->children[i]);
        if (rc)
            return rc;
        least = WEFT_MIN (least, node->children[i]->least);
    }
    weft_buf_addf (&self->form, "]");
    node->least = add_least (least, 1);
    *out = node;
    return 0;
}

static int
build_items (builder_t *self,
             avro_schema_t avro,
             int depth,
             weft_avro_node_t **out)
{
    bool map = avro_typeof (avro) == AVRO_MAP;
    weft_avro_node_t *node =
        make_node (self, map ? WEFT_AVRO_MAP : WEFT_AVRO_ARRAY, 1, true);
    if (!node)
        return refuse (self, "too large", NULL);
    weft_buf_addf (&self->form, map ? "{\"type\":\"map\",\"values\":"
                                    : "{\"type\":\"array\",\"items\":");
    int rc = build (self,
                    map ? avro_schema_map_values (avro)
                        : avro_schema_array_items (avro),
                    depth + 1, &node->children[0]);
    if (rc)
        return rc;
    weft_buf_addf (&self->form, "}");
    node->least = 1;
    *out = node;
    return 0;
}

//  A named type that is used again: the same node, unless it is still open,
//  that is, contains itself.
static int
build_known (builder_t *self, const known_t *known, weft_avro_node_t **out)
{
    if (!known->node)
        return refuse (self, "a type that contains itself",
                       avro_schema_name (known->avro));
    *out = known->node;
    weft_buf_addf (&self->form, "\"%s\"", known->node->name);
    return 0;
}

static int
build (builder_t *self, avro_schema_t avro, int depth, weft_avro_node_t **out)
{
    if (!avro)
        return refuse (self, "a type is missing", NULL);
    if (depth > WEFT_AVRO_DEPTH)
        return refuse (self, "nested too deeply", NULL);
    if (avro_typeof (avro) == AVRO_LINK)
        return build (self, avro_schema_link_target (avro), depth + 1, out);
    const known_t *known = find_known (self, avro);
    if (known)
        return build_known (self, known, out);
    switch (avro_typeof (avro)) {
    case AVRO_FIXED:
        return build_fixed (self, avro, out);
    case AVRO_ENUM:
        return build_enum (self, avro, out);
    case AVRO_RECORD:
        return build_record (self, avro, depth, out);
    case AVRO_UNION:
        return build_union (self, avro, depth, out);
    case AVRO_ARRAY:
    case AVRO_MAP:
        return build_items (self, avro, depth, out);
    default:
        return build_primitive (self, avro, out);
    }
}

//  CRC-64-AVRO, as the specification gives it.
static uint64_t
fingerprint (const uint8_t *data, size_t size)
{
    const uint64_t empty = UINT64_C (0xc15d213aa4d7a795);
    uint64_t table[256], crc = empty;
    for (unsigned i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? empty : 0);
    }
    for (size_t i = 0; i < size; i++)
        crc = crc >> 8 ^ table[(crc ^ data[i]) & 0xff];
    return crc;
}

static int
build_tree (weft_avro_schema_t *self, avro_schema_t avro, char *why)
{
    builder_t builder = { .arena = &self->arena, .why = why };
    weft_buf_init (&builder.form, 2 * WEFT_AVRO_TEXT_MOST);
    builder.known = calloc (TYPES_MOST, sizeof (*builder.known));
    weft_avro_node_t *root = NULL;
    int rc = builder.known ? build (&builder, avro, 0, &root) : WEFT_ENOMEM;
    if (!rc && builder.form.error)
        rc = refuse (&builder, "too large", NULL);
    if (!rc) {
        self->root = root;
        self->fingerprint = fingerprint (builder.form.data, builder.form.size);
    }
    free (builder.known);
    weft_buf_fini (&builder.form);
    return rc;
}

weft_avro_schema_t *
weft_avro_schema_new (const char *json, size_t size, char why[WEFT_AVRO_WHY])
{
    if (size > WEFT_AVRO_TEXT_MOST) {
        snprintf (why, WEFT_AVRO_WHY, "schema: larger than %u bytes",
                  WEFT_AVRO_TEXT_MOST);
        return NULL;
    }
    if (weft_avro_check (json, size, why))
        return NULL;
    avro_schema_t avro = NULL;
    if (avro_schema_from_json_length (json, size, &avro)) {
        snprintf (why, WEFT_AVRO_WHY, "schema: %s", avro_strerror ());
        return NULL;
    }
    weft_avro_schema_t *self = calloc (1, sizeof (*self));
    if (!self) {
        snprintf (why, WEFT_AVRO_WHY, "out of memory");
    } else {
        weft_arena_init (&self->arena, NODES_BYTES);
        if (build_tree (self, avro, why))
            weft_avro_schema_destroy (&self);
    }
    avro_schema_decref (avro);
    return self;
}

void
weft_avro_schema_destroy (weft_avro_schema_t **self_p)
{
    if (!*self_p)
        return;
    weft_arena_fini (&(*self_p)->arena);
    free (*self_p);
    *self_p = NULL;
}

const weft_avro_node_t *
weft_avro_schema_root (const weft_avro_schema_t *self)
{
    return self->root;
}

const char *
weft_avro_schema_name (const weft_avro_schema_t *self)
{
    return self->root->name ? self->root->name : "";
}

uint64_t
weft_avro_schema_fingerprint (const weft_avro_schema_t *self)
{
    return self->fingerprint;
}

void
weft_avro_schema_peek_name (const char *json,
                            size_t size,
                            char *name,
                            size_t room)
{
    *name = 0;
    json_t *root = json_loadb (json, size, 0, NULL);
    const char *text = json_string_value (json_object_get (root, "name"));
    const char *space = json_string_value (json_object_get (root, "namespace"));
    if (text && space && *space && !strchr (text, '.'))
        snprintf (name, room, "%s.%s", space, text);
    else if (text)
        snprintf (name, room, "%s", text);
    json_decref (root);
}

const weft_avro_node_t *
weft_avro_node_field (const weft_avro_node_t *self, const char *name)
{
    for (uint32_t i = 0; self->type == WEFT_AVRO_RECORD && i < self->n; i++)
        if (!strcmp (self->names[i], name))
            return self->children[i];
    return NULL;
}
