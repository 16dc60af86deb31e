//  avro_oracle.h - does a walk read what avro-c reads?
//
//  The oracle sees only bytes that the walk has accepted: avro-c trusts what it
//  reads. Its value interface resolves unions by the wire's branch number, as
//  the writer meant it.

#ifndef AVRO_ORACLE_H_INCLUDED
#define AVRO_ORACLE_H_INCLUDED

#include <avro.h>

#include "weft_avro_shape.h"

#define ORACLE_ROWS_MOST 4096
#define ORACLE_WANTS_MOST 16

typedef struct {
    weft_avro_schema_t *schema;
    weft_avro_plan_t *plan;
    weft_avro_shapes_t *shapes;
    const weft_avro_group_t *groups;
    size_t n_groups;
    weft_avro_value_t values[256];
    avro_schema_t their_schema;
    avro_value_iface_t *iface;
    avro_value_t theirs;
    //  Rows of the one group that has them.
    weft_avro_value_t rows[ORACLE_ROWS_MOST][ORACLE_WANTS_MOST];
    size_t n_rows;
    const char *fault;  //  what differed, or NULL
} oracle_t;

static bool
oracle_init (oracle_t *self,
             const char *text,
             const weft_avro_group_t *groups,
             size_t n_groups)
{
    char why[WEFT_AVRO_WHY];
    self->groups = groups;
    self->n_groups = n_groups;
    self->schema = weft_avro_schema_new (text, strlen (text), why);
    if (!self->schema)
        return false;
    self->plan = weft_avro_plan_new (self->schema, groups, n_groups, why);
    self->shapes = weft_avro_shapes_new ();
    if (!self->plan || !self->shapes ||
        avro_schema_from_json_length (text, strlen (text), &self->their_schema))
        return false;
    self->iface = avro_generic_class_from_schema (self->their_schema);
    return true;
}

static void
oracle_fini (oracle_t *self)
{
    avro_value_iface_decref (self->iface);
    avro_schema_decref (self->their_schema);
    weft_avro_shapes_destroy (&self->shapes);
    weft_avro_plan_destroy (&self->plan);
    weft_avro_schema_destroy (&self->schema);
}

static int
oracle_row (void *arg, size_t group, const weft_avro_value_t *values)
{
    oracle_t *self = arg;
    if (self->n_rows == ORACLE_ROWS_MOST)
        return WEFT_ETOOBIG;
    memcpy (self->rows[self->n_rows++], values,
            self->groups[group].n_wants * sizeof (*values));
    return 0;
}

static bool
same_run (const weft_avro_value_t *ours,
          weft_avro_type_t type,
          const void *data,
          size_t size)
{
    return ours->type == type && ours->n == size &&
           (!size || !memcmp (ours->p, data, size));
}

static bool
same_number (const weft_avro_value_t *ours,
             weft_avro_type_t type,
             double theirs)
{
    return theirs != theirs ? ours->type == WEFT_AVRO_NULL
                            : ours->type == type && ours->f == theirs;
}

//  A value of theirs that is no union, against ours.
static bool
same_scalar (const avro_value_t *theirs, const weft_avro_value_t *ours)
{
    int32_t i32 = 0;
    int64_t i64 = 0;
    float f32 = 0;
    double f64 = 0;
    int truth = 0;
    const char *text = NULL;
    const void *data = NULL;
    size_t size = 0;
    switch (avro_value_get_type (theirs)) {
    case AVRO_NULL:
        return ours->type == WEFT_AVRO_NULL;
    case AVRO_BOOLEAN:
        return !avro_value_get_boolean (theirs, &truth) &&
               ours->type == WEFT_AVRO_BOOLEAN && ours->i == truth;
    case AVRO_INT32:
        return !avro_value_get_int (theirs, &i32) &&
               ours->type == WEFT_AVRO_INT && ours->i == i32;
    case AVRO_INT64:
        return !avro_value_get_long (theirs, &i64) &&
               ours->type == WEFT_AVRO_LONG && ours->i == i64;
    case AVRO_FLOAT:
        return !avro_value_get_float (theirs, &f32) &&
               same_number (ours, WEFT_AVRO_FLOAT, (double)f32);
    case AVRO_DOUBLE:
        return !avro_value_get_double (theirs, &f64) &&
               same_number (ours, WEFT_AVRO_DOUBLE, f64);
    case AVRO_STRING:
        //  Its size counts the zero byte at the end.
        return !avro_value_get_string (theirs, &text, &size) && size &&
               same_run (ours, WEFT_AVRO_STRING, text, size - 1);
    case AVRO_BYTES:
        return !avro_value_get_bytes (theirs, &data, &size) &&
               same_run (ours, WEFT_AVRO_BYTES, data, size);
    case AVRO_FIXED:
        return !avro_value_get_fixed (theirs, &data, &size) &&
               same_run (ours, WEFT_AVRO_FIXED, data, size);
    case AVRO_ENUM:
        if (avro_value_get_enum (theirs, &truth))
            return false;
        text = avro_schema_enum_get (avro_value_get_schema (theirs), truth);
        return same_run (ours, WEFT_AVRO_STRING, text, strlen (text));
    default:
        return ours->type == WEFT_AVRO_NULL;
    }
}

static weft_avro_type_t
type_of (const avro_value_t *theirs)
{
    static const weft_avro_type_t types[] = {
        [AVRO_STRING] = WEFT_AVRO_STRING,   [AVRO_BYTES] = WEFT_AVRO_BYTES,
        [AVRO_INT32] = WEFT_AVRO_INT,       [AVRO_INT64] = WEFT_AVRO_LONG,
        [AVRO_FLOAT] = WEFT_AVRO_FLOAT,     [AVRO_DOUBLE] = WEFT_AVRO_DOUBLE,
        [AVRO_BOOLEAN] = WEFT_AVRO_BOOLEAN, [AVRO_NULL] = WEFT_AVRO_NULL,
        [AVRO_RECORD] = WEFT_AVRO_RECORD,   [AVRO_ENUM] = WEFT_AVRO_ENUM,
        [AVRO_FIXED] = WEFT_AVRO_FIXED,     [AVRO_MAP] = WEFT_AVRO_MAP,
        [AVRO_ARRAY] = WEFT_AVRO_ARRAY,     [AVRO_UNION] = WEFT_AVRO_UNION,
    };
    return types[avro_value_get_type (theirs)];
}

static void
enter_union (avro_value_t *theirs)
{
    avro_value_t branch;
    while (avro_value_get_type (theirs) == AVRO_UNION &&
           !avro_value_get_current_branch (theirs, &branch))
        *theirs = branch;
}

//  All wants of a group against a record of theirs.
static void
compare_record (oracle_t *self,
                const avro_value_t *record,
                const weft_avro_group_t *group,
                const weft_avro_value_t *ours)
{
    for (size_t w = 0; w < group->n_wants; w++) {
        const weft_avro_want_t *want = &group->wants[w];
        avro_value_t field;
        if (avro_value_get_by_name (record, want->name, &field, NULL))
            continue;
        enter_union (&field);
        bool wanted = want->accept >> type_of (&field) & 1;
        if (wanted ? !same_scalar (&field, &ours[w])
                   : ours[w].type != WEFT_AVRO_NULL)
            self->fault = want->name;
    }
}

static void
compare_rows (oracle_t *self, const avro_value_t *array, size_t group)
{
    size_t n = 0;
    if (avro_value_get_type (array) == AVRO_ARRAY)
        (void)avro_value_get_size (array, &n);
    if (n != self->n_rows) {
        self->fault = "the number of rows";
        return;
    }
    for (size_t i = 0; i < n; i++) {
        avro_value_t record;
        (void)avro_value_get_by_index (array, i, &record, NULL);
        compare_record (self, &record, &self->groups[group], self->rows[i]);
    }
}

static void
compare_all (oracle_t *self)
{
    for (size_t g = 0; g < self->n_groups; g++) {
        char name[64];
        avro_value_t field = self->theirs;
        const char *path = self->groups[g].path;
        snprintf (name, sizeof name, "%.*s", (int)strcspn (path, "["), path);
        if (*name && avro_value_get_by_name (&self->theirs, name, &field, NULL))
            continue;
        enter_union (&field);
        if (strchr (path, '['))
            compare_rows (self, &field, g);
        else
            compare_record (self, &field, &self->groups[g],
                            self->values + weft_avro_plan_base (self->plan, g));
    }
}

//  Walks the bytes. 1: accepted and avro-c reads the same; 0: refused; -1: a
//  difference, self->fault says where.
static int
oracle_check (oracle_t *self, const uint8_t *data, size_t size)
{
    weft_avro_walk_t walk = { .data = data,
                              .size = size,
                              .values = self->values,
                              .row = oracle_row,
                              .arg = self,
                              .shapes = self->shapes };
    self->n_rows = 0;
    self->fault = NULL;
    if (weft_avro_plan_walk (self->plan, &walk))
        return 0;
    avro_reader_t reader =
        avro_reader_memory ((const char *)data, (int64_t)walk.used);
    //  A new value each time: one that is used again leaks (avro-c 1.11).
    if (avro_generic_value_new (self->iface, &self->theirs)) {
        avro_reader_free (reader);
        return 0;
    }
    //  The bytes that the walk took, no more: one too few would fail, and one
    //  too many be left.
    if (avro_value_read (reader, &self->theirs))
        self->fault = "avro-c refuses it";
    else if (avro_skip (reader, 1) == 0)
        self->fault = "avro-c takes fewer bytes";
    else
        compare_all (self);
    avro_value_decref (&self->theirs);
    avro_reader_free (reader);
    return self->fault ? -1 : 1;
}

//  A schema with all that a walk knows, and what is wanted of it.
// clang-format off
#define ORACLE_F(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define ORACLE_ROW                                                             \
    ORACLE_F ("id", "\"long\"") "," ORACLE_F ("jd", "\"double\"") ","          \
    ORACLE_F ("mag", "[\"null\",\"float\"]") ","                               \
    ORACLE_F ("err", "[\"float\",\"null\"]") ","                               \
    ORACLE_F ("skipped", "[\"null\",\"double\"]") ","                          \
    ORACLE_F ("also", "\"float\"") "," ORACLE_F ("band", "\"string\"") ","     \
    ORACLE_F ("n", "[\"null\",\"int\"]") ","                                   \
    ORACLE_F ("good", "[\"null\",\"boolean\"]") ","                            \
    ORACLE_F ("flag", "\"boolean\"")
static const char oracle_text[] =
    "{\"type\":\"record\",\"name\":\"a\",\"fields\":["
    ORACLE_F ("name", "\"string\"") ","
    ORACLE_F ("mix", "[\"null\",\"int\",\"double\",\"bytes\",\"string\"]") ","
    ORACLE_F ("e", "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":"
                   "[\"A\",\"BC\"]}") ","
    ORACLE_F ("f", "{\"type\":\"fixed\",\"name\":\"f\",\"size\":3}") ","
    ORACLE_F ("own", "[\"null\",{\"type\":\"record\",\"name\":\"row\","
                     "\"fields\":[" ORACLE_ROW "]}]") ","
    ORACLE_F ("rows", "[\"null\",{\"type\":\"array\",\"items\":\"row\"}]") ","
    ORACLE_F ("m", "{\"type\":\"map\",\"values\":[\"null\",\"long\"]}") ","
    ORACLE_F ("deep", "{\"type\":\"array\",\"items\":{\"type\":\"array\","
                      "\"items\":\"e\"}}") ","
    ORACLE_F ("last", "[\"null\",\"bytes\"]")
    "]}";
// clang-format on

static const weft_avro_want_t oracle_top[] = {
    { "name", WEFT_AVRO_TEXT, 0, -1 },
    { "mix", WEFT_AVRO_NUMBER | WEFT_AVRO_TEXT, 0, -1 },
    { "e", WEFT_AVRO_TEXT, 0, -1 },
    { "f", WEFT_AVRO_BIT (FIXED), 0, -1 },
    { "last", WEFT_AVRO_BIT (BYTES), 0, -1 },
};
static const weft_avro_want_t oracle_rows[] = {
    { "id", WEFT_AVRO_WHOLE, 0, -1 },
    { "jd", WEFT_AVRO_NUMBER, 0, -1 },
    { "mag", WEFT_AVRO_NUMBER, 0, -1 },
    { "err", WEFT_AVRO_NUMBER, 0, -1 },
    { "also", WEFT_AVRO_WHOLE, 0, -1 },  //  of another type: absent
    { "band", WEFT_AVRO_TEXT, 0, -1 },
    { "n", WEFT_AVRO_WHOLE, 0, -1 },
    { "good", WEFT_AVRO_BIT (BOOLEAN), 0, -1 },
    { "flag", WEFT_AVRO_BIT (BOOLEAN), 0, -1 },
};
static const weft_avro_group_t oracle_groups[] = {
    { "", oracle_top, WEFT_COUNT (oracle_top) },
    { "own", oracle_rows, WEFT_COUNT (oracle_rows) },
    { "rows[]", oracle_rows, WEFT_COUNT (oracle_rows) },
};

#endif
