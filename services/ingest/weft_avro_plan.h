//  weft_avro_plan.h - a writer's schema compiled to a walk over its bytes.
//
//  Given a schema and the fields that are wanted, by name and type, the
//  compiler makes a flat list of operations: take this float, step over those
//  24 bytes, a union here, an array there. Walking checks every step against
//  the end of the bytes, copies nothing and allocates nothing; strings, bytes
//  and image stamps are pointers into the packet.
//
//  Unions are resolved by the type of the branch that the writer chose, never
//  by its number, so [null, float] and [float, null] are alike. A wanted field
//  of another type is absent, and the plan says so.
//
//  A plan does not change after it is made: any thread may walk with it.

#ifndef WEFT_AVRO_PLAN_H_INCLUDED
#define WEFT_AVRO_PLAN_H_INCLUDED

#include "weft_avro_layout.h"
#include "weft_avro_schema.h"

#define WEFT_AVRO_OPS_MOST 65536            //  operations of one plan
#define WEFT_AVRO_ELEMENTS_MOST (1u << 20)  //  array elements of one datum
#define WEFT_AVRO_EMPTY_MOST 4096           //  elements that take no bytes
#define WEFT_AVRO_GROUPS_MOST 16            //  groups of wanted fields

//  One value as it was found. `type` is a weft_avro_type_t: NULL is absent,
//  INT and LONG are in `i`, BOOLEAN too, FLOAT and DOUBLE in `f` (NaN is
//  absent), STRING, BYTES and FIXED in `p` and `n` (borrowed from the packet);
//  an enum is a STRING borrowed from the schema.
typedef struct {
    union {
        int64_t i;
        double f;
        const uint8_t *p;
    };
    uint32_t n;
    uint8_t type;
} weft_avro_value_t;

#define WEFT_AVRO_BIT(type) (1u << WEFT_AVRO_##type)
#define WEFT_AVRO_WHOLE (WEFT_AVRO_BIT (INT) | WEFT_AVRO_BIT (LONG))
#define WEFT_AVRO_REAL (WEFT_AVRO_BIT (FLOAT) | WEFT_AVRO_BIT (DOUBLE))
#define WEFT_AVRO_NUMBER (WEFT_AVRO_WHOLE | WEFT_AVRO_REAL)
#define WEFT_AVRO_TEXT (WEFT_AVRO_BIT (STRING) | WEFT_AVRO_BIT (ENUM))

//  A wanted field: the plan reads the first two, the rest is for the mapping.
typedef struct {
    const char *name;  //  the writer's
    uint16_t accept;   //  types that will do, WEFT_AVRO_BIT
    uint8_t role;      //  what core need it serves, 0 = none
    int16_t key;       //  field of alert.v1 that it fills as it is, or -1
} weft_avro_want_t;

//  Wanted fields of one record: "" for the top, "candidate" for the record in
//  that field, "prv_candidates[]" for each record of the array in it.
typedef struct {
    const char *path;
    const weft_avro_want_t *wants;
    size_t n_wants;
    const weft_avro_layout_t *layout;  //  of its rows; NULL: none
} weft_avro_group_t;

typedef struct weft_avro_plan weft_avro_plan_t;

//  Returns new: the plan, or NULL with a reason. Borrows `schema` and `groups`
//  for life.
WEFT_NEW weft_avro_plan_t *weft_avro_plan_new (const weft_avro_schema_t *schema,
                                               const weft_avro_group_t *groups,
                                               size_t n_groups,
                                               char why[WEFT_AVRO_WHY]);

void weft_avro_plan_destroy (weft_avro_plan_t **self_p);

//  Does the schema have this wanted field with a type that will do?
bool
weft_avro_plan_has (const weft_avro_plan_t *self, size_t group, size_t want);

//  Wanted fields that are there, but with another type.
size_t weft_avro_plan_retyped (const weft_avro_plan_t *self);

//  Values that a walk needs room for, and where a group's begin among them.
size_t weft_avro_plan_values (const weft_avro_plan_t *self);
size_t weft_avro_plan_base (const weft_avro_plan_t *self, size_t group);

//  What walks with a plan learn about the elements of its arrays, for the walks
//  after them (weft_avro_shape.h): one for each thread that walks with it.
typedef struct weft_avro_shapes weft_avro_shapes_t;

//  What a walk tells while it goes: a record of an array group is complete; its
//  values are valid until this returns. Not 0 ends the walk with that error.
typedef int (weft_avro_row_t) (void *arg,
                               size_t group,
                               const weft_avro_value_t *values);

//  Where the next rows of a group with a layout go: a place for up to *n, which
//  this may lower. Not 0 ends the walk.
typedef int (weft_avro_place_t) (void *arg,
                                 size_t group,
                                 size_t *n,
                                 void **rows);

//  `n` rows are filled there. Not 0 ends the walk.
typedef int (weft_avro_filled_t) (void *arg, size_t group, size_t n);

//  Fills a row from values, as its layout says.
void weft_avro_layout_fill (const weft_avro_layout_t *self,
                            const weft_avro_value_t *values,
                            void *row);

typedef struct {
    const uint8_t *data;        //  the datum, borrowed
    size_t size;                //
    weft_avro_value_t *values;  //  weft_avro_plan_values of them; cleared first
    weft_avro_row_t *row;       //  may be NULL
    weft_avro_place_t *place;   //  these may be NULL if `shapes` fill no rows
    weft_avro_filled_t *filled;  //
    void *arg;                   //
    weft_avro_shapes_t *shapes;  //  of this plan only; may be NULL
    uint32_t present;            //  answer: groups whose record was there, bits
    size_t used;                 //  answer: bytes of the datum
    const char *field;           //  answer on error: the field it stopped in
} weft_avro_walk_t;

//  Walks one datum. WEFT_ETRUNCATED if the bytes end inside it,
//  WEFT_EMALFORMED on impossible ones, WEFT_ETOOBIG over a ceiling, or what
//  `row` returned. After an error `used` is where it stopped.
WEFT_CHECK int weft_avro_plan_walk (const weft_avro_plan_t *self,
                                    weft_avro_walk_t *walk);

#endif
