//  weft_avro_check.c - walks a schema's JSON as the specification has it.

#include <jansson.h>

#include "weft_avro_check.h"

#define NAME_MOST 256     //  bytes of a full name
#define FIELDS_MOST 4096  //  of one record, and symbols of one enum

typedef struct {
    json_t *known;  //  full name -> true when complete, false while open
    char *why;
} checker_t;

static int check (checker_t *self, json_t *type, const char *space, int depth);

static int
refuse (checker_t *self, const char *what, const char *name)
{
    snprintf (self->why, WEFT_AVRO_WHY, "schema: %s%s%.*s", what,
              name ? " " : "", NAME_MOST, name ? name : "");
    return WEFT_ESCHEMA;
}

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

//  Letters, digits and underscores, not beginning with a digit; dots between
//  the parts of a full name.
static bool
is_name (const char *name, bool dots)
{
    bool first = true;
    if (!*name || strlen (name) >= NAME_MOST)
        return false;
    for (; *name; name++) {
        bool letter = (*name >= 'a' && *name <= 'z') ||
                      (*name >= 'A' && *name <= 'Z') || *name == '_';
        bool digit = *name >= '0' && *name <= '9';
        if (*name == '.' && dots && !first) {
            first = true;
            continue;
        }
        if (!letter && !(digit && !first))
            return false;
        first = false;
    }
    return !first;
}

static void
full_name (const char *name, const char *space, char out[2 * NAME_MOST])
{
    if (space && *space && !strchr (name, '.'))
        snprintf (out, 2 * NAME_MOST, "%.255s.%.255s", space, name);
    else
        snprintf (out, 2 * NAME_MOST, "%.255s", name);
}

static int
check_reference (checker_t *self, const char *name, const char *space)
{
    char full[2 * NAME_MOST];
    if (is_primitive (name))
        return 0;
    full_name (name, space, full);
    const json_t *known = json_object_get (self->known, full);
    if (!known)
        return refuse (self, "there is no type", full);
    if (json_is_false (known))
        return refuse (self, "contains itself: type", full);
    return 0;
}

static int
check_union (checker_t *self, json_t *branches, const char *space, int depth)
{
    size_t i;
    json_t *branch;
    if (!json_array_size (branches))
        return refuse (self, "a union without branches", NULL);
    json_array_foreach (branches, i, branch)
    {
        if (json_is_array (branch))
            return refuse (self, "a union in a union", NULL);
        int rc = check (self, branch, space, depth + 1);
        if (rc)
            return rc;
    }
    return 0;
}

//  Names in a list (fields of a record, symbols of an enum) are there once.
static int
check_once (checker_t *self, json_t *names, const char *name)
{
    if (!name || !is_name (name, false))
        return refuse (self, "not a name:", name ? name : "(none)");
    if (json_object_get (names, name))
        return refuse (self, "defined twice: field", name);
    return json_object_set_new (names, name, json_true ()) ? WEFT_ENOMEM : 0;
}

static int
check_fields (checker_t *self, json_t *record, const char *space, int depth)
{
    size_t i;
    json_t *field, *fields = json_object_get (record, "fields");
    if (!json_is_array (fields) || json_array_size (fields) > FIELDS_MOST)
        return refuse (self, "a record without fields, or with too many", NULL);
    json_t *names = json_object ();
    int rc = names ? 0 : WEFT_ENOMEM;
    json_array_foreach (fields, i, field)
    {
        if (!rc)
            rc = check_once (
                self, names,
                json_string_value (json_object_get (field, "name")));
        if (!rc)
            rc =
                check (self, json_object_get (field, "type"), space, depth + 1);
    }
    json_decref (names);
    return rc;
}

static int
check_symbols (checker_t *self, json_t *type)
{
    size_t i;
    json_t *symbol, *symbols = json_object_get (type, "symbols");
    if (!json_array_size (symbols) || json_array_size (symbols) > FIELDS_MOST)
        return refuse (self, "an enum without symbols, or with too many", NULL);
    json_t *names = json_object ();
    int rc = names ? 0 : WEFT_ENOMEM;
    json_array_foreach (symbols, i, symbol)
    {
        if (!rc)
            rc = check_once (self, names, json_string_value (symbol));
    }
    json_decref (names);
    return rc;
}

//  record, enum and fixed: they have a name, and others may refer to it.
static int
check_named (checker_t *self,
             json_t *type,
             const char *kind,
             const char *space,
             int depth)
{
    char full[2 * NAME_MOST], own[2 * NAME_MOST];
    const char *name = json_string_value (json_object_get (type, "name"));
    const char *given = json_string_value (json_object_get (type, "namespace"));
    if (!name || !is_name (name, true) ||
        (given && *given && !is_name (given, true)))
        return refuse (self, "not a name:", name ? name : "(none)");
    full_name (name, given ? given : space, full);
    if (json_object_get (self->known, full))
        return refuse (self, "defined twice: type", full);
    if (json_object_set_new (self->known, full, json_false ()))
        return WEFT_ENOMEM;
    memcpy (own, full, sizeof (own));
    char *dot = strrchr (own, '.');
    *(dot ? dot : own) = 0;
    int rc = 0;
    if (!strcmp (kind, "record")) {
        rc = check_fields (self, type, own, depth);
    } else if (!strcmp (kind, "enum")) {
        rc = check_symbols (self, type);
    } else {
        const json_t *size = json_object_get (type, "size");
        if (!json_is_integer (size) || json_integer_value (size) < 0 ||
            json_integer_value (size) > INT32_MAX)
            rc = refuse (self, "a fixed type of impossible size", full);
    }
    if (!rc && json_object_set_new (self->known, full, json_true ()))
        rc = WEFT_ENOMEM;
    return rc;
}

static int
check_object (checker_t *self, json_t *type, const char *space, int depth)
{
    json_t *inner = json_object_get (type, "type");
    const char *kind = json_string_value (inner);
    if (!kind)
        return inner ? check (self, inner, space, depth + 1)
                     : refuse (self, "a type is missing", NULL);
    if (!strcmp (kind, "array"))
        return check (self, json_object_get (type, "items"), space, depth + 1);
    if (!strcmp (kind, "map"))
        return check (self, json_object_get (type, "values"), space, depth + 1);
    if (!strcmp (kind, "record") || !strcmp (kind, "enum") ||
        !strcmp (kind, "fixed"))
        return check_named (self, type, kind, space, depth);
    return check_reference (self, kind, space);
}

static int
check (checker_t *self, json_t *type, const char *space, int depth)
{
    if (depth > 2 * WEFT_AVRO_DEPTH)
        return refuse (self, "nested too deeply", NULL);
    if (json_is_string (type))
        return check_reference (self, json_string_value (type), space);
    if (json_is_array (type))
        return check_union (self, type, space, depth);
    if (json_is_object (type))
        return check_object (self, type, space, depth);
    return refuse (self, "a type is missing", NULL);
}

int
weft_avro_check (const char *json, size_t size, char why[WEFT_AVRO_WHY])
{
    json_error_t error;
    json_t *root = json_loadb (json, size, JSON_DECODE_ANY, &error);
    if (!root) {
        snprintf (why, WEFT_AVRO_WHY, "schema: not JSON, line %d: %s",
                  error.line, error.text);
        return WEFT_ESCHEMA;
    }
    checker_t checker = { .known = json_object (), .why = why };
    int rc = checker.known ? check (&checker, root, "", 0) : WEFT_ENOMEM;
    json_decref (checker.known);
    json_decref (root);
    return rc;
}
