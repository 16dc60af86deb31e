//  weft_avro_shape_learn.c - what one element was like.

#include "weft_avro_shape_parts.h"

void
weft_avro_shape_free (weft_avro_shape_t *self)
{
    if (!self)
        return;
    free (self->mask);
    free (self->want);
    free (self);
}

//  The next `size` bytes have to have these bits.
static void
demand (learner_t *self, size_t size, uint8_t mask)
{
    size_t at = (size_t)(self->at - self->data);
    memset (self->mask + at, mask, size);
    memcpy (self->want + at, self->at, size);
}

//  Bytes of a variable number; 0 if it has too many.
static size_t
number_size (const learner_t *self)
{
    size_t n = 1;
    while (n < 10 && self->at[n - 1] & 0x80)
        n++;
    return n < 10 ? n : 0;
}

//  A value that nobody wants (slot 0) only takes its bytes.
static bool
add_take (learner_t *self,
          take_kind_t kind,
          const op_t *op,
          weft_avro_type_t type,
          size_t size)
{
    if (op->slot) {
        if (self->all == WEFT_SHAPE_TAKES_MOST)
            return false;
        self->all++;
        self->takes[kind][self->n[kind]++] =
            (take_t){ .at = (uint16_t)(self->at - self->data),
                      .slot = op->slot,
                      .size = (uint16_t)size,
                      .type = (uint8_t)type };
    }
    self->at += size;
    return true;
}

static bool
learn_number (learner_t *self, const op_t *op, bool wide)
{
    size_t n = number_size (self);
    if (!n || (!wide && n > 5))
        return false;
    demand (self, n, 0x80);
    //  Five bytes hold more than an int: the interpreter has to look at them.
    if (!wide && n == 5)
        self->mask[self->at + 4 - self->data] = 0xf0;
    return add_take (self, WHOLE, op, wide ? WEFT_AVRO_LONG : WEFT_AVRO_INT, n);
}

//  A text or bytes: the length is demanded as it is.
static bool
learn_bytes (learner_t *self, const op_t *op)
{
    size_t n = number_size (self);
    uint64_t bits = 0;
    if (!n || n > 2)
        return false;
    for (size_t i = 0; i < n; i++)
        bits |= (uint64_t)(self->at[i] & 0x7f) << (7 * i);
    size_t size = (size_t)(bits >> 1);
    if (bits & 1 || size > WEFT_SHAPE_SIZE_MOST)
        return false;
    demand (self, n, 0xff);
    self->at += n;
    return add_take (self, RUN, op, (weft_avro_type_t)op->arg, size);
}

static bool
learn_scalar (learner_t *self, const op_t *op)
{
    size_t n;
    switch (op->code & ~OP_NULLABLE) {
    case OP_SKIP:
        self->at += op->arg;
        return true;
    case OP_BOOLEAN:
        demand (self, 1, 0xfe);
        return add_take (self, TRUTH, op, WEFT_AVRO_BOOLEAN, 1);
    case OP_INT:
        return learn_number (self, op, false);
    case OP_LONG:
        return learn_number (self, op, true);
    case OP_FLOAT:
        return add_take (self, F32, op, WEFT_AVRO_FLOAT, 4);
    case OP_DOUBLE:
        return add_take (self, F64, op, WEFT_AVRO_DOUBLE, 8);
    case OP_BYTES:
        return learn_bytes (self, op);
    case OP_FIXED:
        return add_take (self, RUN, op, WEFT_AVRO_FIXED, op->arg);
    case OP_ENUM:
        n = number_size (self);
        if (!n || op->slot)
            return false;
        demand (self, n, 0xff);
        self->at += n;
        return true;
    default:
        return false;
    }
}

//  One operation. 1: go on, 0: the element's end, -1: it has no shape.
static int
learn_op (learner_t *self, const op_t *op)
{
    switch (op->code) {
    case OP_END:
        return 0;
    case OP_NULL:
    case OP_ROW:
        return 1;
    case OP_GROUP:
        if (self->group >= 0)
            return -1;
        self->group = op->slot;
        return 1;
    default:
        break;
    }
    if (op->code & OP_NULLABLE) {
        uint8_t branch = *self->at;
        if (branch != 0 && branch != 2)
            return -1;
        demand (self, 1, 0xff);
        self->at++;
        if (branch >> 1 == op->null_branch)
            return 1;
    }
    return learn_scalar (self, op) ? 1 : -1;
}

static bool
learn_element (learner_t *self, uint32_t pc)
{
    for (;;) {
        const op_t *op = &self->plan->ops[pc++];
        int rc = learn_op (self, op);
        if (rc <= 0)
            return !rc && self->at == self->end;
    }
}

//  Slots of the group that the shape does not fill.
static bool
find_nulls (const learner_t *self, weft_avro_shape_t *shape)
{
    const weft_avro_plan_t *plan = self->plan;
    if (self->group < 0)
        return self->all == 0;
    size_t n = plan->groups[self->group].n_wants;
    for (size_t w = 0; w < n; w++) {
        uint16_t slot = (uint16_t)(plan->base[self->group] + w);
        bool taken = false;
        for (size_t i = 0; i < self->all; i++)
            taken |= shape->takes[i].slot == slot;
        if (taken)
            continue;
        if (shape->n_nulls == WEFT_SHAPE_TAKES_MOST)
            return false;
        shape->nulls[shape->n_nulls++] = slot;
    }
    return true;
}

static weft_avro_shape_t *
make_shape (const learner_t *self, uint32_t pc, bool rows)
{
    weft_avro_shape_t *shape = calloc (1, sizeof (*shape));
    if (!shape)
        return NULL;
    shape->pc = pc;
    shape->size = (uint32_t)(self->end - self->data);
    shape->lanes = (shape->size + LANE - 1) / LANE;
    shape->group = self->group;
    if (rows)
        weft_avro_shape_move (self, shape);
    size_t bytes = (size_t)shape->lanes * LANE;
    shape->needs = bytes + WEFT_SHAPE_MARGIN;
    shape->mask = aligned_alloc (LANE, bytes);
    shape->want = aligned_alloc (LANE, bytes);
    uint16_t n = 0;
    for (size_t kind = 0; kind < KINDS; kind++) {
        shape->first[kind] = n;
        for (size_t i = 0; i < self->n[kind]; i++)
            shape->takes[n++] = self->takes[kind][i];
    }
    shape->first[KINDS] = n;
    if (!shape->mask || !shape->want || !find_nulls (self, shape)) {
        weft_avro_shape_free (shape);
        return NULL;
    }
    memcpy (shape->mask, self->mask, bytes);
    memcpy (shape->want, self->want, bytes);
    return shape;
}

//  A place for one more; the least recently used makes way.
static weft_avro_shape_t **
take_place (weft_avro_shapes_t *self)
{
    if (self->n < WEFT_SHAPES_MOST)
        return &self->items[self->n++];
    size_t out = 0;
    //  `used` is only kept when another shape has its turn.
    if (self->last)
        self->last->used = ++self->clock;
    for (size_t i = 1; i < self->n; i++)
        if (self->items[i]->used < self->items[out]->used)
            out = i;
    weft_avro_shape_free (self->items[out]);
    return &self->items[out];
}

void
weft_avro_shapes_learn (weft_avro_shapes_t *self,
                        const weft_avro_plan_t *plan,
                        uint32_t pc,
                        const uint8_t *data,
                        const uint8_t *end)
{
    size_t size = (size_t)(end - data);
    if (self->credit < PRICE || !size || size > WEFT_SHAPE_SIZE_MOST)
        return;
    self->credit -= PRICE;
    learner_t learner = {
        .plan = plan, .data = data, .at = data, .end = end, .group = -1
    };
    if (!learn_element (&learner, pc))
        return;
    weft_avro_shape_t *shape = make_shape (&learner, pc, self->rows);
    if (!shape)
        return;
    shape->used = ++self->clock;
    self->fills |= shape->layout != NULL;
    *take_place (self) = shape;
}
