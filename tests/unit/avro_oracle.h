//  avro_oracle.h - does a walk read what avro-c reads, and do rows that are
//  filled right from the bytes hold the values that it read?
//
//  The oracle sees only bytes that the walk has accepted: avro-c trusts what it
//  reads. Its value interface resolves unions by the wire's branch number, as
//  the writer meant it.

#ifndef AVRO_ORACLE_H_INCLUDED
#define AVRO_ORACLE_H_INCLUDED

#include <avro.h>

#include "weft_avro_shape.h"

#define ORACLE_VALUES_MOST (1u << 18)  //  of all rows of a datum

//  A row as the walk told it: its values begin at `first`.
typedef struct {
    size_t group, first;
} oracle_told_t;

typedef struct {
    weft_avro_schema_t *schema;
    weft_avro_plan_t *plan;
    weft_avro_shapes_t *shapes;
    weft_avro_shapes_t
        *filling[2];  //  fill rows: as the processor can, plainly
    const weft_avro_group_t *groups;
    size_t n_groups;
    weft_avro_value_t *values;
    avro_schema_t their_schema;
    avro_value_iface_t *iface;
    avro_value_t theirs;
    oracle_told_t *rows;
    weft_avro_value_t *row_values;
    size_t n_rows, n_values;
    size_t used;         //  bytes that the walk took
    size_t n_filled;     //  of them, in the walk that fills rows
    uint8_t place[320];  //  where it fills them
    size_t ever_filled;  //  without values in between
    const char *fault;   //  what differed, or NULL
} oracle_t;

static void
oracle_fini (oracle_t *self)
{
    if (self->iface)
        avro_value_iface_decref (self->iface);
    if (self->their_schema)
        avro_schema_decref (self->their_schema);
    free (self->values);
    free (self->rows);
    free (self->row_values);
    weft_avro_shapes_destroy (&self->shapes);
    weft_avro_shapes_destroy (&self->filling[0]);
    weft_avro_shapes_destroy (&self->filling[1]);
    weft_avro_plan_destroy (&self->plan);
    weft_avro_schema_destroy (&self->schema);
    memset (self, 0, sizeof (*self));
}

static bool
oracle_rooms (oracle_t *self)
{
    self->shapes = weft_avro_shapes_new (false);
    self->filling[0] = weft_avro_shapes_new (true);
    self->filling[1] = weft_avro_shapes_new (true);
    self->values =
        calloc (weft_avro_plan_values (self->plan) + 1, sizeof (*self->values));
    self->rows = calloc (ORACLE_VALUES_MOST, sizeof (*self->rows));
    self->row_values = calloc (ORACLE_VALUES_MOST, sizeof (*self->row_values));
    if (!self->shapes || !self->filling[0] || !self->filling[1] ||
        !self->values || !self->rows || !self->row_values)
        return false;
    weft_avro_shapes_narrow (self->filling[1]);
    return true;
}

//  `self` is zeros before. False, and zeros again, for a schema that one of the
//  two cannot read.
static bool
oracle_init_sized (oracle_t *self,
                   const char *text,
                   size_t size,
                   const weft_avro_group_t *groups,
                   size_t n_groups)
{
    char why[WEFT_AVRO_WHY];
    self->groups = groups;
    self->n_groups = n_groups;
    self->schema = weft_avro_schema_new (text, size, why);
    if (self->schema)
        self->plan = weft_avro_plan_new (self->schema, groups, n_groups, why);
    if (self->plan && oracle_rooms (self) &&
        !avro_schema_from_json_length (text, size, &self->their_schema))
        self->iface = avro_generic_class_from_schema (self->their_schema);
    if (self->iface)
        return true;
    oracle_fini (self);
    return false;
}

static bool
oracle_init (oracle_t *self,
             const char *text,
             const weft_avro_group_t *groups,
             size_t n_groups)
{
    return oracle_init_sized (self, text, strlen (text), groups, n_groups);
}

static int
oracle_row (void *arg, size_t group, const weft_avro_value_t *values)
{
    oracle_t *self = arg;
    size_t n = self->groups[group].n_wants;
    if (self->n_rows == ORACLE_VALUES_MOST ||
        n > ORACLE_VALUES_MOST - self->n_values)
        return WEFT_ETOOBIG;
    self->rows[self->n_rows++] = (oracle_told_t){ group, self->n_values };
    memcpy (self->row_values + self->n_values, values, n * sizeof (*values));
    self->n_values += n;
    return 0;
}

//  The values of the next row of the first walk; NULL if it is of another group,
//  or there was none.
static const weft_avro_value_t *
oracle_next (oracle_t *self, size_t group)
{
    if (self->n_filled == self->n_rows ||
        self->rows[self->n_filled].group != group)
        return NULL;
    return self->row_values + self->rows[self->n_filled++].first;
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
    size_t n = 0, at = 0;
    if (avro_value_get_type (array) == AVRO_ARRAY)
        (void)avro_value_get_size (array, &n);
    for (size_t i = 0; i < self->n_rows; i++) {
        avro_value_t record;
        if (self->rows[i].group != group)
            continue;
        if (at == n || avro_value_get_by_index (array, at++, &record, NULL)) {
            self->fault = "more rows than elements";
            return;
        }
        enter_union (&record);
        compare_record (self, &record, &self->groups[group],
                        self->row_values + self->rows[i].first);
    }
    if (at != n)
        self->fault = "fewer rows than elements";
}

//  Of a record that is not there nothing is read.
static void
compare_nothing (oracle_t *self,
                 const weft_avro_group_t *group,
                 const weft_avro_value_t *ours)
{
    for (size_t w = 0; w < group->n_wants; w++)
        if (ours[w].type != WEFT_AVRO_NULL)
            self->fault = group->wants[w].name;
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
        const weft_avro_value_t *ours =
            self->values + weft_avro_plan_base (self->plan, g);
        if (strchr (path, '['))
            compare_rows (self, &field, g);
        else if (avro_value_get_type (&field) == AVRO_RECORD)
            compare_record (self, &field, &self->groups[g], ours);
        else
            compare_nothing (self, &self->groups[g], ours);
    }
}

//  Few at a time, so that a walk goes on after a full place.
static int
oracle_place (void *arg, size_t group, size_t *n, void **rows)
{
    oracle_t *self = arg;
    size_t most = sizeof (self->place) / self->groups[group].layout->size;
    *n = WEFT_MIN (*n, most);
    *rows = self->place;
    return 0;
}

//  Rows of the second walk, that were filled: the first walk's values say what
//  has to be there.
static int
oracle_filled (void *arg, size_t group, size_t n)
{
    oracle_t *self = arg;
    const weft_avro_layout_t *layout = self->groups[group].layout;
    uint8_t want[256];
    self->ever_filled += n;
    for (size_t i = 0; i < n; i++) {
        const weft_avro_value_t *first = oracle_next (self, group);
        if (!first || layout->size > sizeof (want))
            return WEFT_EBUG;
        weft_avro_layout_fill (layout, first, want);
        if (memcmp (want, self->place + i * layout->size, layout->size))
            return WEFT_EBUG;
    }
    return 0;
}

static bool
same_value (const weft_avro_value_t *a, const weft_avro_value_t *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case WEFT_AVRO_NULL:
        return true;
    case WEFT_AVRO_FLOAT:
    case WEFT_AVRO_DOUBLE:
        return a->f == b->f;
    case WEFT_AVRO_STRING:
    case WEFT_AVRO_BYTES:
    case WEFT_AVRO_FIXED:
        return a->p == b->p && a->n == b->n;
    default:
        return a->i == b->i;
    }
}

//  A row of the second walk that comes as values.
static int
oracle_again (void *arg, size_t group, const weft_avro_value_t *values)
{
    oracle_t *self = arg;
    const weft_avro_value_t *first = oracle_next (self, group);
    if (!first)
        return WEFT_EBUG;
    for (size_t i = 0; i < self->groups[group].n_wants; i++)
        if (!same_value (&first[i], &values[i]))
            return WEFT_EBUG;
    return 0;
}

//  Walks once more, filling rows.
static void
compare_filled (oracle_t *self, weft_avro_walk_t walk)
{
    for (size_t i = 0; i < 2; i++) {
        size_t used = walk.used;
        walk.shapes = self->filling[i];
        walk.row = oracle_again;
        walk.place = oracle_place;
        walk.filled = oracle_filled;
        self->n_filled = 0;
        if (weft_avro_plan_walk (self->plan, &walk) || walk.used != used ||
            self->n_filled != self->n_rows)
            self->fault = "rows filled from the bytes differ";
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
    self->n_rows = self->n_values = 0;
    self->fault = NULL;
    if (weft_avro_plan_walk (self->plan, &walk))
        return 0;
    self->used = walk.used;
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
    if (!self->fault)
        compare_filled (self, walk);
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
//  Every kind of move: reals as wide as the member, narrower, wider; whole
//  numbers, letters, bits.
typedef struct {
    double jd, err;
    int64_t id, n;
    float mag, jd_narrow;
    uint32_t bits;
    uint8_t band;
} oracle_row_t;
static const oracle_row_t oracle_none = { .jd = -1, .err = -2, .mag = -3 };
static const weft_avro_move_t oracle_moves[] = {
    { 0, offsetof (oracle_row_t, id), WEFT_MOVE_I64 },
    { 1, offsetof (oracle_row_t, jd), WEFT_MOVE_F64 },
    { 1, offsetof (oracle_row_t, jd_narrow), WEFT_MOVE_F32 },
    { 2, offsetof (oracle_row_t, mag), WEFT_MOVE_F32 },
    { 3, offsetof (oracle_row_t, err), WEFT_MOVE_F64 },
    { 6, offsetof (oracle_row_t, n), WEFT_MOVE_I64 },
    { 5, offsetof (oracle_row_t, band), WEFT_MOVE_LETTER },
};
static const weft_avro_flag_t oracle_flags[] = { { 7, 1 << 3 }, { 8, 1 } };
static const weft_avro_layout_t oracle_layout = {
    .none = &oracle_none,
    .size = sizeof (oracle_row_t),
    .moves = oracle_moves,
    .n_moves = WEFT_COUNT (oracle_moves),
    .flags = oracle_flags,
    .n_flags = WEFT_COUNT (oracle_flags),
    .flags_to = offsetof (oracle_row_t, bits),
};
static const weft_avro_group_t oracle_groups[] = {
    { "", oracle_top, WEFT_COUNT (oracle_top), NULL },
    { "own", oracle_rows, WEFT_COUNT (oracle_rows), NULL },
    { "rows[]", oracle_rows, WEFT_COUNT (oracle_rows), &oracle_layout },
};

#endif
