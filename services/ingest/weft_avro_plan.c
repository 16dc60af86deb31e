//  weft_avro_plan.c - compiles a schema and a list of wants to operations.

#include "weft_avro_ops.h"

#define NO_GROUP SIZE_MAX

typedef struct {
    weft_avro_plan_t *plan;
    const weft_avro_node_t *root;
    char *why;
    uint32_t barrier;  //  operations before this one are jumped to
    uint32_t field;    //  whose bytes are being compiled
    int error;
} compiler_t;

//  Where a node stands: which group it opens, or which value it fills.
typedef struct {
    size_t group;     //  the group that this node's record is, or NO_GROUP
    bool rows;        //  the group's records are the elements of an array
    uint16_t slot;    //  0: nobody wants it
    uint16_t accept;  //  types that the slot takes
} place_t;

static const place_t nowhere = { .group = NO_GROUP };

static void
compile (compiler_t *self, const weft_avro_node_t *node, place_t place);

//  Room for one more element of a growing array; NULL at the ceiling.
static void *
grow (compiler_t *self, void **items, uint32_t *n, uint32_t *room, size_t size)
{
    if (self->error)
        return NULL;
    if (*n == WEFT_AVRO_OPS_MOST) {
        self->error = WEFT_ETOOBIG;
        return NULL;
    }
    if (*n == *room) {
        uint32_t more = *room ? 2 * *room : 64;
        void *moved = realloc (*items, more * size);
        if (!moved) {
            self->error = WEFT_ENOMEM;
            return NULL;
        }
        *items = moved;
        *room = more;
    }
    return (uint8_t *)*items + size * (*n)++;
}

static op_t *
emit (compiler_t *self, op_code_t code, uint16_t slot, uint32_t arg)
{
    weft_avro_plan_t *plan = self->plan;
    op_t *op = grow (self, (void **)&plan->ops, &plan->n_ops, &plan->room_ops,
                     sizeof (*op));
    if (op)
        *op = (op_t){ .code = (uint8_t)code,
                      .slot = slot,
                      .arg = arg,
                      .field = self->field };
    return op;
}

//  Steps over a fixed number of bytes; neighbours become one operation.
static void
emit_skip (compiler_t *self, uint32_t size)
{
    weft_avro_plan_t *plan = self->plan;
    op_t *last = plan->n_ops ? &plan->ops[plan->n_ops - 1] : NULL;
    if (!size || self->error)
        return;
    if (last && plan->n_ops > self->barrier && last->code == OP_SKIP &&
        last->arg <= UINT32_MAX - size)
        last->arg += size;
    else
        (void)emit (self, OP_SKIP, 0, size);
}

static uint32_t
name_field (compiler_t *self, const char *name)
{
    weft_avro_plan_t *plan = self->plan;
    const char **field = grow (self, (void **)&plan->fields, &plan->n_fields,
                               &plan->room_fields, sizeof (*field));
    if (field)
        *field = name;
    return plan->n_fields ? plan->n_fields - 1 : 0;
}

static bool
is_scalar (const weft_avro_node_t *node)
{
    return node->type <= WEFT_AVRO_ENUM;
}

static uint32_t
enum_index (compiler_t *self, const weft_avro_node_t *node)
{
    weft_avro_plan_t *plan = self->plan;
    const weft_avro_node_t **slot =
        grow (self, (void **)&plan->enums, &plan->n_enums, &plan->room_enums,
              sizeof (*slot));
    if (slot)
        *slot = node;
    return plan->n_enums ? plan->n_enums - 1 : 0;
}

//  A scalar. `nullable`: the union of it and null, which is branch `null`.
static void
compile_scalar (compiler_t *self,
                const weft_avro_node_t *node,
                place_t place,
                bool nullable,
                uint8_t null)
{
    static const op_code_t codes[] = {
        [WEFT_AVRO_NULL] = OP_NULL,   [WEFT_AVRO_BOOLEAN] = OP_BOOLEAN,
        [WEFT_AVRO_INT] = OP_INT,     [WEFT_AVRO_LONG] = OP_LONG,
        [WEFT_AVRO_FLOAT] = OP_FLOAT, [WEFT_AVRO_DOUBLE] = OP_DOUBLE,
        [WEFT_AVRO_BYTES] = OP_BYTES, [WEFT_AVRO_STRING] = OP_BYTES,
        [WEFT_AVRO_FIXED] = OP_FIXED, [WEFT_AVRO_ENUM] = OP_ENUM,
    };
    static const uint8_t sizes[] = {
        [WEFT_AVRO_FLOAT] = 4, [WEFT_AVRO_DOUBLE] = 8, [WEFT_AVRO_ENUM] = 0
    };
    bool wanted = place.slot && (place.accept >> node->type & 1);
    uint32_t size = node->type == WEFT_AVRO_FIXED ? node->n : sizes[node->type];
    if (!wanted && size && !place.slot && !nullable) {
        emit_skip (self, size);
        return;
    }
    //  A type that will not do is stepped over and leaves the slot absent.
    if (!wanted && place.slot)
        (void)emit (self, OP_NULL, place.slot, 0);
    if (node->type == WEFT_AVRO_NULL && !wanted && !nullable)
        return;
    op_t *op = emit (self, codes[node->type], wanted ? place.slot : 0, size);
    if (!op)
        return;
    if (node->type == WEFT_AVRO_BYTES || node->type == WEFT_AVRO_STRING)
        op->arg = node->type;
    if (node->type == WEFT_AVRO_ENUM) {
        uint32_t index = enum_index (self, node);
        if (self->error)
            return;
        self->plan->ops[self->plan->n_ops - 1].arg = index;
        op = &self->plan->ops[self->plan->n_ops - 1];
    }
    if (nullable) {
        op->code |= OP_NULLABLE;
        op->null_branch = null;
        //  Without the value the bytes are still stepped over.
    }
}

//  [null, T] and [T, null] of a scalar T are one operation.
static bool
compile_nullable (compiler_t *self, const weft_avro_node_t *node, place_t place)
{
    if (node->n != 2)
        return false;
    uint8_t null = node->children[0]->type == WEFT_AVRO_NULL ? 0 : 1;
    const weft_avro_node_t *other = node->children[1 - null];
    if (node->children[null]->type != WEFT_AVRO_NULL ||
        other->type == WEFT_AVRO_NULL || !is_scalar (other))
        return false;
    compile_scalar (self, other, place, true, null);
    return true;
}

static uint32_t
reserve_targets (compiler_t *self, uint32_t n)
{
    weft_avro_plan_t *plan = self->plan;
    uint32_t first = plan->n_targets;
    for (uint32_t i = 0; i < n; i++)
        if (!grow (self, (void **)&plan->targets, &plan->n_targets,
                   &plan->room_targets, sizeof (*plan->targets)))
            return 0;
    return first;
}

//  Any union: a table of where each branch begins; each ends with a jump.
static void
compile_union (compiler_t *self, const weft_avro_node_t *node, place_t place)
{
    if (compile_nullable (self, node, place))
        return;
    weft_avro_plan_t *plan = self->plan;
    uint32_t first = reserve_targets (self, node->n);
    op_t *op = emit (self, OP_UNION, 0, first);
    if (!op)
        return;
    op->n = node->n;
    uint32_t *ends = calloc (node->n, sizeof (*ends));
    if (!ends) {
        self->error = WEFT_ENOMEM;
        return;
    }
    for (uint32_t i = 0; i < node->n && !self->error; i++) {
        plan->targets[first + i] = self->barrier = plan->n_ops;
        compile (self, node->children[i], place);
        ends[i] = plan->n_ops;
        (void)emit (self, OP_JUMP, 0, 0);
    }
    self->barrier = plan->n_ops;
    for (uint32_t i = 0; i < node->n && !self->error; i++)
        plan->ops[ends[i]].arg = plan->n_ops;
    free (ends);
}

static void
compile_items (compiler_t *self, const weft_avro_node_t *node, place_t place)
{
    weft_avro_plan_t *plan = self->plan;
    bool map = node->type == WEFT_AVRO_MAP;
    uint32_t begin = plan->n_ops;
    op_t *op = emit (self, map ? OP_PAIRS : OP_ITEMS, 0, 0);
    if (!op)
        return;
    op->n = node->children[0]->least;
    if (map && op->n < UINT32_MAX)
        op->n++;  //  the key's length
    self->barrier = plan->n_ops;
    compile (self, node->children[0], place.rows && !map ? place : nowhere);
    (void)emit (self, OP_END, 0, 0);
    self->barrier = plan->n_ops;
    if (!self->error)
        plan->ops[begin].arg = plan->n_ops;
}

//  What is wanted of a field of the top record: a group of its own?
static place_t
place_of_top (const compiler_t *self, const char *name)
{
    place_t place = nowhere;
    size_t size = strlen (name);
    for (size_t g = 0; g < self->plan->n_groups; g++) {
        const char *path = self->plan->groups[g].path;
        if (strncmp (path, name, size))
            continue;
        if (!path[size] || !strcmp (path + size, "[]")) {
            place.group = g;
            place.rows = path[size] != 0;
        }
    }
    return place;
}

//  Could a node be a value of an accepted type?
static bool
fits (const weft_avro_node_t *node, uint16_t accept)
{
    if (node->type != WEFT_AVRO_UNION)
        return accept >> node->type & 1;
    for (uint32_t i = 0; i < node->n; i++)
        if (accept >> node->children[i]->type & 1)
            return true;
    return false;
}

//  A wanted field of a group: its slot, and a note of how it was found.
static void
place_in_group (compiler_t *self,
                size_t group,
                const char *name,
                const weft_avro_node_t *node,
                place_t *place)
{
    weft_avro_plan_t *plan = self->plan;
    const weft_avro_group_t *wanted = &plan->groups[group];
    for (size_t w = 0; w < wanted->n_wants; w++) {
        if (strcmp (wanted->wants[w].name, name))
            continue;
        size_t slot = plan->base[group] + w;
        place->slot = (uint16_t)slot;
        place->accept = wanted->wants[w].accept;
        plan->found[slot] = fits (node, place->accept) ? 1 : 2;
    }
}

static void
compile_record (compiler_t *self, const weft_avro_node_t *node, place_t place)
{
    size_t group = place.group;
    if (group != NO_GROUP)
        (void)emit (self, OP_GROUP, (uint16_t)group, 0);
    for (uint32_t i = 0; i < node->n && !self->error; i++) {
        bool top = node == self->root;
        place_t inner = top ? place_of_top (self, node->names[i]) : nowhere;
        if (group != NO_GROUP && inner.group == NO_GROUP)
            place_in_group (self, group, node->names[i], node->children[i],
                            &inner);
        uint32_t outer = self->field;
        self->field = name_field (self, node->names[i]);
        compile (self, node->children[i], inner);
        self->field = outer;
    }
    if (group != NO_GROUP && place.rows)
        (void)emit (self, OP_ROW, (uint16_t)group, 0);
}

static void
compile (compiler_t *self, const weft_avro_node_t *node, place_t place)
{
    if (self->error)
        return;
    if (node->type == WEFT_AVRO_UNION)
        compile_union (self, node, place);
    else if (node->type == WEFT_AVRO_RECORD)
        compile_record (self, node, place);
    else if (is_scalar (node))
        compile_scalar (self, node, place, false, 0);
    else
        compile_items (self, node, place);
}

//  Slots: 0 is for what nobody wants, then the groups one after the other.
static int
lay_out (weft_avro_plan_t *self)
{
    size_t values = 1;
    for (size_t g = 0; g < self->n_groups; g++) {
        self->base[g] = values;
        values += self->groups[g].n_wants;
    }
    self->values = values;
    self->found = calloc (values, 1);
    return self->found && values < UINT16_MAX ? 0 : WEFT_ENOMEM;
}

static size_t
top_group (const weft_avro_plan_t *self)
{
    for (size_t g = 0; g < self->n_groups; g++)
        if (!*self->groups[g].path)
            return g;
    return NO_GROUP;
}

weft_avro_plan_t *
weft_avro_plan_new (const weft_avro_schema_t *schema,
                    const weft_avro_group_t *groups,
                    size_t n_groups,
                    char why[WEFT_AVRO_WHY])
{
    assert (n_groups <= WEFT_AVRO_GROUPS_MOST);
    weft_avro_plan_t *self = calloc (1, sizeof (*self));
    if (!self) {
        snprintf (why, WEFT_AVRO_WHY, "out of memory");
        return NULL;
    }
    self->groups = groups;
    self->n_groups = n_groups;
    compiler_t compiler = { .plan = self,
                            .root = weft_avro_schema_root (schema),
                            .why = why,
                            .error = lay_out (self) };
    compiler.field = name_field (&compiler, "");
    place_t top = { .group = top_group (self) };
    compile (&compiler, compiler.root, top);
    (void)emit (&compiler, OP_END, 0, 0);
    if (compiler.error) {
        snprintf (why, WEFT_AVRO_WHY, "schema %s: %s",
                  weft_avro_schema_name (schema),
                  weft_error_text (compiler.error));
        weft_avro_plan_destroy (&self);
        return NULL;
    }
    for (size_t i = 0; i < self->values; i++)
        self->retyped += self->found[i] == 2;
    return self;
}

void
weft_avro_plan_destroy (weft_avro_plan_t **self_p)
{
    weft_avro_plan_t *self = *self_p;
    if (!self)
        return;
    free (self->ops);
    free (self->targets);
    free (self->enums);
    free (self->fields);
    free (self->found);
    free (self);
    *self_p = NULL;
}

bool
weft_avro_plan_has (const weft_avro_plan_t *self, size_t group, size_t want)
{
    return self->found[self->base[group] + want] == 1;
}

size_t
weft_avro_plan_retyped (const weft_avro_plan_t *self)
{
    return self->retyped;
}

size_t
weft_avro_plan_values (const weft_avro_plan_t *self)
{
    return self->values;
}

size_t
weft_avro_plan_base (const weft_avro_plan_t *self, size_t group)
{
    return self->base[group];
}
