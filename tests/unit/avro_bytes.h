//  avro_bytes.h - writes Avro by hand, right or wrong, for tests.

#ifndef AVRO_BYTES_H_INCLUDED
#define AVRO_BYTES_H_INCLUDED

#include "weft_buf.h"

static inline void
put_long (weft_buf_t *out, int64_t value)
{
    uint64_t bits = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    while (bits > 0x7f) {
        weft_buf_add (out, &(uint8_t){ (uint8_t)(bits | 0x80) }, 1);
        bits >>= 7;
    }
    weft_buf_add (out, &(uint8_t){ (uint8_t)bits }, 1);
}

static inline void
put_float (weft_buf_t *out, float value)
{
    weft_put_f32 (weft_buf_grow (out, 4), value);
}

static inline void
put_double (weft_buf_t *out, double value)
{
    uint64_t bits;
    memcpy (&bits, &value, 8);
    weft_put_u64 (weft_buf_grow (out, 8), bits);
}

static inline void
put_text (weft_buf_t *out, const char *text)
{
    put_long (out, (int64_t)strlen (text));
    weft_buf_add (out, text, strlen (text));
}

//  A container of one block; `packed` is the block as it stands in the file.
static inline void
put_container (weft_buf_t *out,
               const char *schema,
               const char *codec,
               int64_t records,
               const void *packed,
               size_t size)
{
    static const uint8_t sync[16] = "0123456789abcdef";
    weft_buf_add (out, "Obj\x01", 4);
    put_long (out, codec ? 2 : 1);
    put_text (out, "avro.schema");
    put_text (out, schema);
    if (codec) {
        put_text (out, "avro.codec");
        put_text (out, codec);
    }
    put_long (out, 0);
    weft_buf_add (out, sync, 16);
    if (records < 0)
        return;
    put_long (out, records);
    put_long (out, (int64_t)size);
    weft_buf_add (out, packed, size);
    weft_buf_add (out, sync, 16);
}

#endif
