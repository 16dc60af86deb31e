//  weft_avro_walk.c - runs a plan over the bytes of one datum.
//
//  Every step is checked against the end; nothing is allocated. Counts are
//  checked against what is left before a loop begins, so that a few hostile
//  bytes cannot ask for much work. Arrays are the only recursion, and the
//  schema's depth bounds it.

#include "weft_avro_shape.h"

typedef struct {
    const weft_avro_plan_t *plan;
    weft_avro_walk_t *walk;
    const uint8_t *at;
    const uint8_t *end;
    uint32_t elements;                //  of all arrays so far
    const weft_avro_shape_t *filled;  //  whose values are in the slots
} walker_t;

static inline size_t
left (const walker_t *self)
{
    return (size_t)(self->end - self->at);
}

//  A zigzag number of more than one byte, or one that is cut off.
static int
take_long_slow (walker_t *self, int64_t *value)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < 10; i++) {
        if (self->at + i >= self->end)
            return WEFT_ETRUNCATED;
        uint8_t byte = self->at[i];
        if (i == 9 && byte > 1)
            return WEFT_EMALFORMED;
        bits |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            self->at += i + 1;
            *value = (int64_t)(bits >> 1 ^ (0 - (bits & 1)));
            return 0;
        }
    }
    return WEFT_EMALFORMED;
}

static inline int
take_long (walker_t *self, int64_t *value)
{
    if (self->at < self->end && *self->at < 0x80) {
        uint8_t byte = *self->at++;
        *value = (int64_t)(byte >> 1) ^ -(int64_t)(byte & 1);
        return 0;
    }
    return take_long_slow (self, value);
}

static int
take_int (walker_t *self, weft_avro_value_t *value)
{
    int rc = take_long (self, &value->i);
    if (rc)
        return rc;
    if (value->i < INT32_MIN || value->i > INT32_MAX)
        return WEFT_EMALFORMED;
    value->type = WEFT_AVRO_INT;
    return 0;
}

static int
take_boolean (walker_t *self, weft_avro_value_t *value)
{
    if (self->at == self->end)
        return WEFT_ETRUNCATED;
    if (*self->at > 1)
        return WEFT_EMALFORMED;
    value->i = *self->at++;
    value->type = WEFT_AVRO_BOOLEAN;
    return 0;
}

//  NaN is one of the ways in which writers say that there is nothing.
static inline uint8_t
real_type (double number, weft_avro_type_t type)
{
    return number == number ? (uint8_t)type : WEFT_AVRO_NULL;
}

static inline int
take_float (walker_t *self, weft_avro_value_t *value)
{
    if (left (self) < 4)
        return WEFT_ETRUNCATED;
    value->f = (double)weft_get_f32 (self->at);
    value->type = real_type (value->f, WEFT_AVRO_FLOAT);
    self->at += 4;
    return 0;
}

static inline int
take_double (walker_t *self, weft_avro_value_t *value)
{
    if (left (self) < 8)
        return WEFT_ETRUNCATED;
    value->f = weft_get_f64 (self->at);
    value->type = real_type (value->f, WEFT_AVRO_DOUBLE);
    self->at += 8;
    return 0;
}

static inline int
skip (walker_t *self, size_t size)
{
    if (left (self) < size)
        return WEFT_ETRUNCATED;
    self->at += size;
    return 0;
}

static inline int
take_run (walker_t *self, size_t size, uint8_t type, weft_avro_value_t *value)
{
    if (left (self) < size)
        return WEFT_ETRUNCATED;
    value->p = self->at;
    value->n = (uint32_t)size;
    value->type = type;
    self->at += size;
    return 0;
}

static int
take_bytes (walker_t *self, uint8_t type, weft_avro_value_t *value)
{
    int64_t size;
    int rc = take_long (self, &size);
    if (rc)
        return rc;
    if (size < 0 || size > UINT32_MAX)
        return WEFT_EMALFORMED;
    return take_run (self, (size_t)size, type, value);
}

static int
take_enum (walker_t *self,
           const weft_avro_node_t *node,
           weft_avro_value_t *value)
{
    int64_t index;
    int rc = take_long (self, &index);
    if (rc)
        return rc;
    if (index < 0 || index >= node->n)
        return WEFT_EMALFORMED;
    value->p = (const uint8_t *)node->names[index];
    value->n = (uint32_t)strlen (node->names[index]);
    value->type = WEFT_AVRO_STRING;
    return 0;
}

//  The header of a block: its element count, and its end if it tells. A
//  negative count is followed by the block's size in bytes.
static int
take_block (walker_t *self,
            const op_t *op,
            uint64_t *count,
            const uint8_t **block_end)
{
    int64_t n, size = -1;
    int rc = take_long (self, &n);
    if (rc)
        return rc;
    if (n < 0) {
        if (n == INT64_MIN)
            return WEFT_EMALFORMED;
        n = -n;
        rc = take_long (self, &size);
        if (rc)
            return rc;
        if (size < 0)
            return WEFT_EMALFORMED;
        if ((uint64_t)size > left (self))
            return WEFT_ETRUNCATED;
    }
    *block_end = size < 0 ? NULL : self->at + size;
    *count = (uint64_t)n;
    if (op->n ? *count > left (self) / op->n : *count > WEFT_AVRO_EMPTY_MOST)
        return op->n ? WEFT_ETRUNCATED : WEFT_ETOOBIG;
    if (*count > WEFT_AVRO_ELEMENTS_MOST - self->elements)
        return WEFT_ETOOBIG;
    self->elements += (uint32_t)*count;
    return 0;
}

static int run (walker_t *self, uint32_t pc);

static int
tell_row (const walker_t *self, size_t group)
{
    const weft_avro_walk_t *walk = self->walk;
    return walk->row ? walk->row (walk->arg, group,
                                  walk->values + self->plan->base[group])
                     : 0;
}

//  Rows that are filled without looking at their values: as many as come.
static int
fill_rows (walker_t *self, uint32_t pc, uint64_t most, size_t *n)
{
    weft_avro_walk_t *walk = self->walk;
    int group =
        walk->shapes ? weft_avro_shapes_fill_group (walk->shapes, pc) : -1;
    *n = 0;
    if (group < 0)
        return 0;
    void *rows = NULL;
    size_t room = (size_t)most;
    int rc = walk->place (walk->arg, (size_t)group, &room, &rows);
    if (rc)
        return rc;
    *n = weft_avro_shapes_fill (walk->shapes, pc, &self->at, self->end, rows,
                                room);
    if (!*n)
        return 0;
    walk->present |= 1u << group;
    return walk->filled (walk->arg, (size_t)group, *n);
}

//  One element of an array: by its shape where it has one that is known.
static int
take_element (walker_t *self, uint32_t pc)
{
    weft_avro_walk_t *walk = self->walk;
    const uint8_t *start = self->at;
    const weft_avro_shape_t *shape =
        walk->shapes
            ? weft_avro_shapes_find (walk->shapes, pc, start, self->end)
            : NULL;
    if (!shape) {
        self->filled = NULL;
        int rc = run (self, pc);
        if (!rc && walk->shapes)
            weft_avro_shapes_learn (walk->shapes, self->plan, pc, start,
                                    self->at);
        return rc;
    }
    int group = weft_avro_shape_group (shape);
    weft_avro_shape_take (walk->shapes, shape, start, walk->values,
                          self->filled == shape);
    self->filled = shape;
    self->at += weft_avro_shape_size (shape);
    if (group < 0)
        return 0;
    walk->present |= 1u << group;
    return tell_row (self, (size_t)group);
}

//  All elements of a block.
static int
take_elements (walker_t *self, uint32_t pc, uint64_t count)
{
    while (count) {
        size_t n;
        int rc = fill_rows (self, pc, count, &n);
        count -= n;
        if (!rc && count) {
            rc = take_element (self, pc);
            count--;
        }
        if (rc)
            return rc;
    }
    return 0;
}

static int
take_pairs (walker_t *self, uint32_t pc, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        weft_avro_value_t key;
        int rc = take_bytes (self, WEFT_AVRO_STRING, &key);
        rc = rc ? rc : run (self, pc);
        if (rc)
            return rc;
    }
    return 0;
}

//  All blocks of an array or a map; the element's operations begin at `pc`.
static int
take_items (walker_t *self, const op_t *op, uint32_t pc)
{
    for (;;) {
        const uint8_t *block_end;
        uint64_t count;
        int rc = take_block (self, op, &count, &block_end);
        if (rc || !count)
            return rc;
        rc = op->code == OP_PAIRS ? take_pairs (self, pc, count)
                                  : take_elements (self, pc, count);
        if (rc)
            return rc;
        if (block_end && self->at != block_end)
            return WEFT_EMALFORMED;
    }
}

static void
clear_group (const walker_t *self, size_t group)
{
    const weft_avro_plan_t *plan = self->plan;
    weft_avro_value_t *values = self->walk->values + plan->base[group];
    for (size_t i = 0; i < plan->groups[group].n_wants; i++)
        values[i].type = WEFT_AVRO_NULL;
}

//  Where a union goes on: the beginning of the branch that was chosen.
static int
take_branch (walker_t *self, const op_t *op, uint32_t *pc)
{
    int64_t branch;
    int rc = take_long (self, &branch);
    if (rc)
        return rc;
    if (branch < 0 || branch >= op->n)
        return WEFT_EMALFORMED;
    *pc = self->plan->targets[op->arg + (uint32_t)branch];
    return 0;
}

//  A union of null and a scalar: is it null?
static inline int
take_null (walker_t *self, const op_t *op, bool *null)
{
    int64_t branch;
    int rc = take_long (self, &branch);
    if (rc)
        return rc;
    if (branch < 0 || branch > 1)
        return WEFT_EMALFORMED;
    *null = branch == op->null_branch;
    return 0;
}

#define ENDED INT32_MAX  //  no error, nor what a callback returns

//  One operation; `pc` is the next one. Has one caller, so that the compiler
//  makes one loop of both: callgrind counts no more for it.
static inline int
step (walker_t *self, const op_t *op, weft_avro_value_t *value, uint32_t *pc)
{
    uint32_t here = *pc;
    switch (op->code & ~OP_NULLABLE) {
    case OP_END:
        return ENDED;
    case OP_SKIP:
        return skip (self, op->arg);
    case OP_NULL:
        value->type = WEFT_AVRO_NULL;
        return 0;
    case OP_BOOLEAN:
        return take_boolean (self, value);
    case OP_INT:
        return take_int (self, value);
    case OP_LONG:
        value->type = WEFT_AVRO_LONG;
        return take_long (self, &value->i);
    case OP_FLOAT:
        return take_float (self, value);
    case OP_DOUBLE:
        return take_double (self, value);
    case OP_BYTES:
        return take_bytes (self, (uint8_t)op->arg, value);
    case OP_FIXED:
        return take_run (self, op->arg, WEFT_AVRO_FIXED, value);
    case OP_ENUM:
        return take_enum (self, self->plan->enums[op->arg], value);
    case OP_UNION:
        return take_branch (self, op, pc);
    case OP_JUMP:
        *pc = op->arg;
        return 0;
    case OP_ITEMS:
    case OP_PAIRS:
        *pc = op->arg;
        return take_items (self, op, here);
    case OP_GROUP:
        self->walk->present |= 1u << op->slot;
        clear_group (self, op->slot);
        return 0;
    case OP_ROW:
        return tell_row (self, op->slot);
    default:
        return WEFT_EBUG;
    }
}

//  The interpreter: operations up to END.
static int
run (walker_t *self, uint32_t pc)
{
    for (;;) {
        const op_t *op = &self->plan->ops[pc++];
        weft_avro_value_t *value = &self->walk->values[op->slot];
        bool null = false;
        int rc = 0;
        if (op->code & OP_NULLABLE)
            rc = take_null (self, op, &null);
        if (null)
            value->type = WEFT_AVRO_NULL;
        else if (!rc)
            rc = step (self, op, value, &pc);
        if (!rc)
            continue;
        if (rc == ENDED)
            return 0;
        //  The innermost field is named, not those around it.
        if (!self->walk->field)
            self->walk->field = self->plan->fields[op->field];
        return rc;
    }
}

int
weft_avro_plan_walk (const weft_avro_plan_t *self, weft_avro_walk_t *walk)
{
    walker_t walker = { .plan = self,
                        .walk = walk,
                        .at = walk->data,
                        .end = walk->data + walk->size };
    walk->present = 0;
    walk->field = NULL;
    for (size_t i = 0; i < self->values; i++)
        walk->values[i].type = WEFT_AVRO_NULL;
    int rc = run (&walker, 0);
    walk->used = (size_t)(walker.at - walk->data);
    return rc;
}
