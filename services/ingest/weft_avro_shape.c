//  weft_avro_shape.c - compares with shapes, takes values by them.

#include "weft_avro_shape_parts.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static inline void
put_real (weft_avro_value_t *value, double number, uint8_t type)
{
    value->f = number;
    //  NaN is one of the ways in which writers say that there is nothing.
    value->type = number == number ? type : WEFT_AVRO_NULL;
}

//  The row has been made of "nothing" before.
static inline void
put_f32 (uint8_t *to, float number)
{
    if (number == number)
        memcpy (to, &number, sizeof (number));
}

static inline void
put_i64 (uint8_t *to, int64_t number)
{
    memcpy (to, &number, sizeof (number));
}

static inline void
put_f64 (uint8_t *to, double number)
{
    if (number == number)
        memcpy (to, &number, sizeof (number));
}

#define BODY(name) name##_plain
#define BODY_TARGET
#include "weft_avro_shape_body.h"
#undef BODY
#undef BODY_TARGET

#if defined(__x86_64__)
#define BODY(name) name##_wide
#define BODY_TARGET __attribute__ ((target ("avx2,bmi,bmi2")))
#define BODY_WIDE
#include "weft_avro_shape_body.h"

static bool
is_wide (void)
{
    return __builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("bmi") &&
           __builtin_cpu_supports ("bmi2");
}
#else
#define find_wide find_plain
#define take_wide take_plain
#define fill_rows_wide fill_rows_plain

static bool
is_wide (void)
{
    return false;
}
#endif

weft_avro_shapes_t *
weft_avro_shapes_new (bool rows)
{
    weft_avro_shapes_t *self = calloc (1, sizeof (*self));
    if (!self)
        return NULL;
    self->credit = CREDIT_BEGIN;
    self->rows = rows;
    self->wide = is_wide ();
    return self;
}

void
weft_avro_shapes_destroy (weft_avro_shapes_t **self_p)
{
    weft_avro_shapes_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < self->n; i++)
        weft_avro_shape_free (self->items[i]);
    free (self);
    *self_p = NULL;
}

void
weft_avro_shapes_narrow (weft_avro_shapes_t *self)
{
    self->wide = false;
}

//  Elements that fit pay for learning.
static void
earn (weft_avro_shapes_t *self, size_t n)
{
    self->credit = (int)WEFT_MIN (CREDIT, (size_t)self->credit + n);
}

const weft_avro_shape_t *
weft_avro_shapes_find (weft_avro_shapes_t *self,
                       uint32_t pc,
                       const uint8_t *data,
                       const uint8_t *end)
{
    size_t left = (size_t)(end - data);
    const weft_avro_shape_t *shape = self->wide
                                         ? find_wide (self, pc, data, left)
                                         : find_plain (self, pc, data, left);
    if (shape)
        earn (self, 1);
    return shape;
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

void
weft_avro_shape_take (const weft_avro_shapes_t *shapes,
                      const weft_avro_shape_t *self,
                      const uint8_t *data,
                      weft_avro_value_t *values,
                      bool again)
{
    if (shapes->wide)
        take_wide (self, data, values);
    else
        take_plain (self, data, values);
    for (size_t i = 0; !again && i < self->n_nulls; i++)
        values[self->nulls[i]].type = WEFT_AVRO_NULL;
}

int
weft_avro_shapes_fill_group (const weft_avro_shapes_t *self, uint32_t pc)
{
    for (size_t i = 0; self->fills && i < self->n; i++)
        if (self->items[i]->pc == pc && self->items[i]->layout)
            return self->items[i]->group;
    return -1;
}

size_t
weft_avro_shapes_fill (weft_avro_shapes_t *self,
                       uint32_t pc,
                       const uint8_t **data,
                       const uint8_t *end,
                       void *rows,
                       size_t most)
{
    size_t n = self->wide ? fill_rows_wide (self, pc, data, end, rows, most)
                          : fill_rows_plain (self, pc, data, end, rows, most);
    earn (self, n);
    return n;
}
