//  weft_avro_shape_row.c - where the values of a shape go in a row.

#include "weft_avro_shape_parts.h"

//  Moves by kind, before it is sure that every value has one.
typedef struct {
    move_t items[MOVES][WEFT_SHAPE_TAKES_MOST];
    size_t n[MOVES], all;
} moves_t;

//  The take of a slot; its kind is KINDS if there is none.
static const take_t *
find_take (const learner_t *learner, size_t slot, take_kind_t *kind)
{
    for (size_t k = 0; k < KINDS; k++)
        for (size_t i = 0; i < learner->n[k]; i++)
            if (learner->takes[k][i].slot == slot) {
                *kind = (take_kind_t)k;
                return &learner->takes[k][i];
            }
    *kind = KINDS;
    return NULL;
}

//  Two values for one member: which counts may depend on them (NaN is none).
static bool
is_filled (const moves_t *self, uint16_t to)
{
    for (size_t k = 0; k < MOVES; k++)
        for (size_t i = 0; i < self->n[k]; i++)
            if (self->items[k][i].to == to)
                return true;
    return false;
}

//  How a value that is so in the packet gets there; MOVES: it does not.
static move_kind_t
way_of (weft_avro_move_kind_t to, take_kind_t from, const take_t *take)
{
    switch (to) {
    case WEFT_MOVE_F64:
        return from == F64 ? F64_F64 : from == F32 ? F32_F64 : MOVES;
    case WEFT_MOVE_F32:
        return from == F64 ? F64_F32 : from == F32 ? F32_F32 : MOVES;
    case WEFT_MOVE_I64:
        return from == WHOLE ? NUMBERS : MOVES;
    case WEFT_MOVE_LETTER:
        return from == RUN && take->type == WEFT_AVRO_STRING && take->size == 1
                   ? LETTERS
                   : MOVES;
    default:
        return MOVES;
    }
}

static bool
add (moves_t *self, move_kind_t way, const take_t *take, uint16_t to)
{
    if (way == MOVES || self->all == WEFT_SHAPE_TAKES_MOST)
        return false;
    self->all++;
    self->items[way][self->n[way]++] = (move_t){ take->at, to, take->size };
    return true;
}

static bool
find_moves (moves_t *self,
            const learner_t *learner,
            const weft_avro_layout_t *layout,
            size_t base)
{
    take_kind_t kind;
    for (size_t i = 0; i < layout->n_moves; i++) {
        const weft_avro_move_t *move = &layout->moves[i];
        const take_t *take = find_take (learner, base + move->want, &kind);
        if (take &&
            (is_filled (self, move->to) ||
             !add (self, way_of (move->kind, kind, take), take, move->to)))
            return false;
    }
    return true;
}

//  One more boolean: takes come in the order of their bytes.
static bool
add_truth (weft_avro_shape_t *shape, uint16_t at, uint32_t bit)
{
    size_t n = (size_t)(shape->truths_end - shape->truths);
    truths_t *last = n ? &shape->truths[n - 1] : NULL;
    if (!last || at - last->at >= 8) {
        if (n == WEFT_COUNT (shape->truths))
            return false;
        last = &shape->truths[n];
        last->at = at;
        shape->truths_end = last + 1;
    }
    unsigned byte = at - last->at;
    last->mask |= UINT64_C (1) << 8 * byte;
    last->bits[byte] |= bit;
    return true;
}

static bool
find_truths (weft_avro_shape_t *shape,
             const learner_t *learner,
             const weft_avro_layout_t *layout,
             size_t base)
{
    for (size_t t = 0; t < learner->n[TRUTH]; t++) {
        const take_t *take = &learner->takes[TRUTH][t];
        bool found = false;
        for (size_t i = 0; i < layout->n_flags; i++) {
            if (base + layout->flags[i].want != take->slot)
                continue;
            found = add_truth (shape, take->at, layout->flags[i].bit);
        }
        if (!found)
            return false;
    }
    return true;
}

static bool
is_of (const weft_avro_layout_t *layout, size_t want)
{
    for (size_t i = 0; i < layout->n_moves; i++)
        if (layout->moves[i].want == want)
            return true;
    for (size_t i = 0; i < layout->n_flags; i++)
        if (layout->flags[i].want == want)
            return true;
    return false;
}

//  Is every value of the element in the layout?
static bool
covers (const weft_avro_layout_t *layout, const learner_t *learner, size_t base)
{
    for (size_t k = 0; k < KINDS; k++)
        for (size_t i = 0; i < learner->n[k]; i++)
            if (!is_of (layout, learner->takes[k][i].slot - base))
                return false;
    return true;
}

void
weft_avro_shape_move (const learner_t *learner, weft_avro_shape_t *shape)
{
    if (learner->group < 0)
        return;
    const weft_avro_plan_t *plan = learner->plan;
    const weft_avro_layout_t *layout = plan->groups[learner->group].layout;
    size_t base = plan->base[learner->group];
    shape->truths_end = shape->truths;
    moves_t moves = { .all = 0 };
    if (!layout || !covers (layout, learner, base) ||
        !find_moves (&moves, learner, layout, base) ||
        !find_truths (shape, learner, layout, base))
        return;
    uint16_t n = 0;
    for (size_t k = 0; k < MOVES; k++) {
        for (size_t i = 0; i < moves.n[k]; i++)
            shape->moves[n++] = moves.items[k][i];
        shape->ends[k] = &shape->moves[n];
    }
    shape->layout = layout;
}
