//  weft_avro_shape.c - learns shapes, compares with them, takes values by them.

#include "weft_avro_shape.h"

#define LANE 16           //  bytes compared at a time
#define CREDIT 256        //  at most; an element that fits earns one
#define CREDIT_BEGIN 128  //
#define PRICE 8           //  of learning one

typedef uint8_t lane_t __attribute__ ((vector_size (LANE)));

//  Kinds of values, each taken in a loop of its own.
typedef enum { F32, F64, WHOLE, TRUTH, RUN, KINDS } take_kind_t;

typedef struct {
    uint16_t at;
    uint16_t slot;
    uint16_t size;  //  WHOLE: bytes of the number; RUN: bytes
    uint8_t type;
} take_t;

struct weft_avro_shape {
    uint32_t pc;
    uint32_t size, lanes;
    int group;
    lane_t *mask, *want;
    take_t takes[WEFT_SHAPE_TAKES_MOST];  //  by kind
    uint16_t first[KINDS + 1];            //  of a kind in `takes`
    uint16_t nulls[WEFT_SHAPE_TAKES_MOST];
    size_t n_nulls;
    uint64_t used;
};

struct weft_avro_shapes {
    weft_avro_shape_t *items[WEFT_SHAPES_MOST];
    size_t n, last;
    uint64_t clock;
    int credit;
};

//  An element being looked at.
typedef struct {
    const weft_avro_plan_t *plan;
    const uint8_t *data, *at, *end;
    uint8_t mask[WEFT_SHAPE_SIZE_MOST + LANE];
    uint8_t want[WEFT_SHAPE_SIZE_MOST + LANE];
    take_t takes[KINDS][WEFT_SHAPE_TAKES_MOST];
    size_t n[KINDS], all;
    int group;
} learner_t;

weft_avro_shapes_t *
weft_avro_shapes_new (void)
{
    weft_avro_shapes_t *self = calloc (1, sizeof (*self));
    if (self)
        self->credit = CREDIT_BEGIN;
    return self;
}

static void
free_shape (weft_avro_shape_t *shape)
{
    if (!shape)
        return;
    free (shape->mask);
    free (shape->want);
    free (shape);
}

void
weft_avro_shapes_destroy (weft_avro_shapes_t **self_p)
{
    weft_avro_shapes_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->n; i++)
        free_shape (self->items[i]);
    free (self);
    *self_p = NULL;
}

static inline bool
is_zero (lane_t lane)
{
    uint64_t halves[2];
    memcpy (halves, &lane, LANE);
    return !(halves[0] | halves[1]);
}

static inline bool
fits (const weft_avro_shape_t *self, const uint8_t *data)
{
    lane_t differ = { 0 };
    for (uint32_t i = 0; i < self->lanes; i++) {
        lane_t lane;
        memcpy (&lane, data + (size_t)i * LANE, LANE);
        differ |= (lane ^ self->want[i]) & self->mask[i];
        //  Most that do not fit differ early.
        if ((i & 3) == 3 && !is_zero (differ))
            return false;
    }
    return is_zero (differ);
}

const weft_avro_shape_t *
weft_avro_shapes_find (weft_avro_shapes_t *self,
                       uint32_t pc,
                       const uint8_t *data,
                       const uint8_t *end)
{
    size_t left = (size_t)(end - data);
    for (size_t k = 0; k < self->n; k++) {
        size_t i = self->last + k;
        i -= i >= self->n ? self->n : 0;
        weft_avro_shape_t *shape = self->items[i];
        if (shape->pc != pc ||
            left < (size_t)shape->lanes * LANE + WEFT_SHAPE_MARGIN ||
            !fits (shape, data))
            continue;
        self->last = i;
        shape->used = ++self->clock;
        self->credit += self->credit < CREDIT;
        return shape;
    }
    return NULL;
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
make_shape (const learner_t *self, uint32_t pc)
{
    weft_avro_shape_t *shape = calloc (1, sizeof (*shape));
    if (!shape)
        return NULL;
    shape->pc = pc;
    shape->size = (uint32_t)(self->end - self->data);
    shape->lanes = (shape->size + LANE - 1) / LANE;
    shape->group = self->group;
    size_t bytes = (size_t)shape->lanes * LANE;
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
        free_shape (shape);
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
    for (size_t i = 1; i < self->n; i++)
        if (self->items[i]->used < self->items[out]->used)
            out = i;
    free_shape (self->items[out]);
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
    weft_avro_shape_t *shape = make_shape (&learner, pc);
    if (!shape)
        return;
    shape->used = ++self->clock;
    *take_place (self) = shape;
}

size_t
weft_avro_shape_size (const weft_avro_shape_t *self)
{
    return self->size;
}

int
weft_avro_shape_group (const weft_avro_shape_t *self)
{
    return self->group;
}

//  A number of a known count of bytes: their low seven bits side by side.
static inline int64_t
whole (const uint8_t *data, uint16_t size)
{
    uint64_t x = weft_get_u64 (data);
    if (size < 8)
        x &= (UINT64_C (1) << (8 * size)) - 1;
    x &= UINT64_C (0x7f7f7f7f7f7f7f7f);
    x = (x & UINT64_C (0x007f007f007f007f)) |
        (x & UINT64_C (0x7f007f007f007f00)) >> 1;
    x = (x & UINT64_C (0x00003fff00003fff)) |
        (x & UINT64_C (0x3fff00003fff0000)) >> 2;
    x = (x & UINT64_C (0x000000000fffffff)) |
        (x & UINT64_C (0x0fffffff00000000)) >> 4;
    if (size == 9)
        x |= (uint64_t)data[8] << 56;
    return (int64_t)(x >> 1 ^ (0 - (x & 1)));
}

static inline void
put_real (weft_avro_value_t *value, double number, uint8_t type)
{
    value->f = number;
    //  NaN is one of the ways in which writers say that there is nothing.
    value->type = number == number ? type : WEFT_AVRO_NULL;
}

void
weft_avro_shape_take (const weft_avro_shape_t *self,
                      const uint8_t *data,
                      weft_avro_value_t *values,
                      bool again)
{
    const take_t *take = self->takes;
    for (; take < self->takes + self->first[F64]; take++)
        put_real (&values[take->slot], (double)weft_get_f32 (data + take->at),
                  WEFT_AVRO_FLOAT);
    for (; take < self->takes + self->first[WHOLE]; take++)
        put_real (&values[take->slot], weft_get_f64 (data + take->at),
                  WEFT_AVRO_DOUBLE);
    for (; take < self->takes + self->first[TRUTH]; take++) {
        values[take->slot].i = whole (data + take->at, take->size);
        values[take->slot].type = take->type;
    }
    for (; take < self->takes + self->first[RUN]; take++) {
        values[take->slot].i = data[take->at];
        values[take->slot].type = WEFT_AVRO_BOOLEAN;
    }
    for (; take < self->takes + self->first[KINDS]; take++) {
        values[take->slot].p = data + take->at;
        values[take->slot].n = take->size;
        values[take->slot].type = take->type;
    }
    for (size_t i = 0; !again && i < self->n_nulls; i++)
        values[self->nulls[i]].type = WEFT_AVRO_NULL;
}
