//  weft_avro_layout.c - rows from values; the short way is in
//  weft_avro_shape.c.

#include "weft_avro_plan.h"

//  NaN if there is no number.
static double
number_of (const weft_avro_value_t *value)
{
    if (value->type == WEFT_AVRO_FLOAT || value->type == WEFT_AVRO_DOUBLE)
        return value->f;
    if (value->type == WEFT_AVRO_INT || value->type == WEFT_AVRO_LONG)
        return (double)value->i;
    return __builtin_nan ("");
}

//  The one letter of a text, else 0.
static uint8_t
letter_of (const weft_avro_value_t *value)
{
    const uint8_t *p = value->p;
    uint32_t n = value->n;
    for (; n && p[n - 1] == ' '; n--)
        ;
    for (; n && *p == ' '; p++)
        n--;
    return n == 1 ? *p : 0;
}

static void
move_real (const weft_avro_move_t *move,
           const weft_avro_value_t *value,
           uint8_t *row)
{
    double number = number_of (value);
    float narrow = (float)number;
    if (number != number)
        return;
    if (move->kind == WEFT_MOVE_F64)
        memcpy (row + move->to, &number, sizeof (number));
    else
        memcpy (row + move->to, &narrow, sizeof (narrow));
}

static void
move_value (const weft_avro_move_t *move,
            const weft_avro_value_t *value,
            uint8_t *row)
{
    switch (move->kind) {
    case WEFT_MOVE_I64:
        if (value->type == WEFT_AVRO_INT || value->type == WEFT_AVRO_LONG)
            memcpy (row + move->to, &value->i, sizeof (value->i));
        break;
    case WEFT_MOVE_LETTER:
        if (value->type == WEFT_AVRO_STRING)
            row[move->to] = letter_of (value);
        break;
    default:
        move_real (move, value, row);
        break;
    }
}

void
weft_avro_layout_fill (const weft_avro_layout_t *self,
                       const weft_avro_value_t *values,
                       void *row)
{
    uint32_t bits = 0;
    memcpy (row, self->none, self->size);
    //  Backwards, so that of several the first stays.
    for (size_t i = self->n_moves; i-- > 0;)
        move_value (&self->moves[i], &values[self->moves[i].want], row);
    for (size_t i = 0; i < self->n_flags; i++) {
        const weft_avro_value_t *value = &values[self->flags[i].want];
        if (value->type == WEFT_AVRO_BOOLEAN && value->i)
            bits |= self->flags[i].bit;
    }
    memcpy ((uint8_t *)row + self->flags_to, &bits, sizeof (bits));
}
