//  weft_avro_shape_body.h - the loops of weft_avro_shape.c, which compiles them
//  twice: as they are, and for processors with AVX2 and BMI2 (BODY_WIDE). BODY
//  names a function, BODY_TARGET is its attribute.

static BODY_TARGET inline bool
BODY (differ) (const weft_avro_shape_t *self,
               const uint8_t *data,
               uint32_t begin,
               uint32_t end)
{
    lane_t differ = { 0 };
    uint64_t part[LANE / 8];
    for (uint32_t i = begin; i < end; i++) {
        lane_t lane;
        memcpy (&lane, data + (size_t)i * LANE, LANE);
        differ |= (lane ^ self->want[i]) & self->mask[i];
    }
    memcpy (part, &differ, LANE);
    return part[0] | part[1] | part[2] | part[3];
}

//  Most that do not fit differ early.
static BODY_TARGET inline bool
BODY (fits) (const weft_avro_shape_t *self, const uint8_t *data)
{
    return !BODY (differ) (self, data, 0, 1) &&
           !BODY (differ) (self, data, 1, self->lanes);
}

static BODY_TARGET inline bool
BODY (is_shape) (const weft_avro_shape_t *self,
                 uint32_t pc,
                 const uint8_t *data,
                 size_t left)
{
    return self->pc == pc && left >= self->needs && BODY (fits) (self, data);
}

//  The shape that fits, or NULL: most often the last one's.
static BODY_TARGET inline weft_avro_shape_t *
BODY (find) (weft_avro_shapes_t *self,
             uint32_t pc,
             const uint8_t *data,
             size_t left)
{
    weft_avro_shape_t *shape = self->last;
    if (shape && BODY (is_shape) (shape, pc, data, left))
        return shape;
    for (size_t i = 0; i < self->n; i++) {
        shape = self->items[i];
        if (shape == self->last || !BODY (is_shape) (shape, pc, data, left))
            continue;
        self->last = shape;
        shape->used = ++self->clock;
        return shape;
    }
    return NULL;
}

//  A number of a known count of bytes: their low seven bits side by side.
static BODY_TARGET inline int64_t
BODY (whole) (const uint8_t *data, uint16_t size)
{
    uint64_t x = weft_get_u64 (data);
#ifdef BODY_WIDE
    x = _pext_u64 (x, _bzhi_u64 (UINT64_C (0x7f7f7f7f7f7f7f7f), 8u * size));
#else
    if (size < 8)
        x &= (UINT64_C (1) << (8 * size)) - 1;
    x &= UINT64_C (0x7f7f7f7f7f7f7f7f);
    x = (x & UINT64_C (0x007f007f007f007f)) |
        (x & UINT64_C (0x7f007f007f007f00)) >> 1;
    x = (x & UINT64_C (0x00003fff00003fff)) |
        (x & UINT64_C (0x3fff00003fff0000)) >> 2;
    x = (x & UINT64_C (0x000000000fffffff)) |
        (x & UINT64_C (0x0fffffff00000000)) >> 4;
#endif
    if (size == 9)
        x |= (uint64_t)data[8] << 56;
    return (int64_t)(x >> 1 ^ (0 - (x & 1)));
}

static BODY_TARGET void
BODY (take) (const weft_avro_shape_t *self,
             const uint8_t *data,
             weft_avro_value_t *values)
{
    const take_t *take = self->takes;
    for (; take < self->takes + self->first[F64]; take++)
        put_real (&values[take->slot], (double)weft_get_f32 (data + take->at),
                  WEFT_AVRO_FLOAT);
    for (; take < self->takes + self->first[WHOLE]; take++)
        put_real (&values[take->slot], weft_get_f64 (data + take->at),
                  WEFT_AVRO_DOUBLE);
    for (; take < self->takes + self->first[TRUTH]; take++) {
        values[take->slot].i = BODY (whole) (data + take->at, take->size);
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
}

//  Loops end where local variables say: a write to the row might change what the
//  shape says, for all that the compiler knows.
static BODY_TARGET inline void
BODY (fill_reals) (const weft_avro_shape_t *self,
                   const uint8_t *data,
                   uint8_t *row)
{
    const move_t *move = self->moves;
    const move_t *f32 = self->ends[F32_F32], *f64 = self->ends[F64_F64];
    const move_t *wider = self->ends[F32_F64];
    const move_t *narrower = self->ends[F64_F32];
    for (; move < f32; move++)
        put_f32 (row + move->to, weft_get_f32 (data + move->at));
    for (; move < f64; move++)
        put_f64 (row + move->to, weft_get_f64 (data + move->at));
    for (; move < wider; move++)
        put_f64 (row + move->to, (double)weft_get_f32 (data + move->at));
    for (; move < narrower; move++)
        put_f32 (row + move->to, (float)weft_get_f64 (data + move->at));
}

static BODY_TARGET inline void
BODY (fill) (const weft_avro_shape_t *self, const uint8_t *data, uint8_t *row)
{
    const move_t *move = self->ends[F64_F32];
    const move_t *numbers = self->ends[NUMBERS], *letters = self->ends[LETTERS];
    const truths_t *truths = self->truths, *end = self->truths_end;
    uint32_t bits = 0;
    BODY (fill_reals) (self, data, row);
    for (; move < numbers; move++)
        put_i64 (row + move->to, BODY (whole) (data + move->at, move->size));
    for (; move < letters; move++)
        row[move->to] = data[move->at] == ' ' ? 0 : data[move->at];
    //  Few are true, so eight bytes are looked at together.
    for (; truths < end; truths++) {
        uint64_t set = weft_get_u64 (data + truths->at) & truths->mask;
        for (; set; set &= set - 1)
            bits |= truths->bits[__builtin_ctzll (set) / 8];
    }
    memcpy (row + self->layout->flags_to, &bits, sizeof (bits));
}

static BODY_TARGET inline void
BODY (copy) (uint8_t *to, const uint8_t *from, size_t size)
{
    size_t at = 0;
    lane_t lane;
    for (; at + LANE <= size; at += LANE) {
        memcpy (&lane, from + at, LANE);
        memcpy (to + at, &lane, LANE);
    }
    if (at < size)
        memcpy (to + at, from + at, size - at);
}

static BODY_TARGET size_t
BODY (fill_rows) (weft_avro_shapes_t *self,
                  uint32_t pc,
                  const uint8_t **data,
                  const uint8_t *end,
                  uint8_t *row,
                  size_t most)
{
    const uint8_t *at = *data;
    size_t n = 0;
    for (; n < most; n++) {
        const weft_avro_shape_t *shape =
            BODY (find) (self, pc, at, (size_t)(end - at));
        if (!shape || !shape->layout)
            break;
        BODY (copy) (row, shape->layout->none, shape->layout->size);
        BODY (fill) (shape, at, row);
        row += shape->layout->size;
        at += shape->size;
    }
    *data = at;
    return n;
}
