//  sim_avro.c - tables of fields to schemas and bytes.

#include "sim_avro.h"

//  The type's JSON, and whether null comes first in a union.
static const struct {
    const char *json;
    bool nullable;
} kinds[] = {
    { "\"double\"", false },
    { "[\"null\",\"double\"]", true },
    { "\"float\"", false },
    { "[\"null\",\"float\"]", true },
    { "\"int\"", false },
    { "[\"null\",\"int\"]", true },
    { "\"long\"", false },
    { "[\"null\",\"long\"]", true },
    { "\"string\"", false },
    { "[\"null\",\"string\"]", true },
    { "[\"null\",\"boolean\"]", true },
};

static void
clear_field (void *at, uint8_t kind)
{
    bool null = kinds[kind].nullable;
    switch (kind) {
    case SIM_KIND_f64:
    case SIM_KIND_of64:
        *(double *)at = null ? (double)NAN : 0;
        break;
    case SIM_KIND_f32:
    case SIM_KIND_of32:
        *(float *)at = null ? NAN : 0;
        break;
    case SIM_KIND_i32:
    case SIM_KIND_oi32:
        *(int32_t *)at = null ? SIM_NULL_i32 : 0;
        break;
    case SIM_KIND_i64:
    case SIM_KIND_oi64:
        *(int64_t *)at = null ? SIM_NULL_i64 : 0;
        break;
    case SIM_KIND_ob:
        *(uint8_t *)at = SIM_NULL_bool;
        break;
    default:
        *(const char **)at = null ? NULL : "";
        break;
    }
}

void
sim_avro_clear (void *record, const sim_avro_field_t *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        clear_field ((char *)record + fields[i].offset, fields[i].kind);
}

void
sim_avro_fields (weft_buf_t *out, const sim_avro_field_t *fields, size_t n)
{
    for (size_t i = 0; i < n; i++)
        weft_buf_addf (out, "%s{\"name\":\"%s\",\"type\":%s}", i ? "," : "",
                       fields[i].name, kinds[fields[i].kind].json);
}

void
sim_avro_text (weft_buf_t *out, const char *text)
{
    weft_buf_add (out, text, strlen (text));
}

//  Zigzag, then seven bits a byte, the low ones first.
static uint8_t *
put_long (uint8_t *at, int64_t value)
{
    uint64_t bits = (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
    while (bits > 127) {
        *at++ = (uint8_t)(bits | 128);
        bits >>= 7;
    }
    *at++ = (uint8_t)bits;
    return at;
}

void
sim_avro_long (weft_buf_t *out, int64_t value)
{
    uint8_t bytes[10];
    weft_buf_add (out, bytes, (size_t)(put_long (bytes, value) - bytes));
}

void
sim_avro_bytes (weft_buf_t *out, const void *data, size_t size)
{
    sim_avro_long (out, (int64_t)size);
    weft_buf_add (out, data, size);
}

static bool
is_null (const void *at, uint8_t kind)
{
    switch (kind) {
    case SIM_KIND_of64:
        return isnan (*(const double *)at);
    case SIM_KIND_of32:
        return isnan (*(const float *)at);
    case SIM_KIND_oi32:
        return *(const int32_t *)at == SIM_NULL_i32;
    case SIM_KIND_oi64:
        return *(const int64_t *)at == SIM_NULL_i64;
    case SIM_KIND_ob:
        return *(const uint8_t *)at == SIM_NULL_bool;
    case SIM_KIND_ostr:
        return *(const char *const *)at == NULL;
    default:
        return false;
    }
}

//  One value; a nullable one takes a byte more for its branch, 0 null.
static void
add_field (weft_buf_t *out, const void *at, uint8_t kind)
{
    uint8_t bytes[11], *end = bytes;
    const char *text = NULL;
    bool null = is_null (at, kind);
    if (kinds[kind].nullable)
        *end++ = null ? 0 : 2;
    if (null)
        goto done;
    switch (kind) {
    case SIM_KIND_f64:
    case SIM_KIND_of64:
        weft_put_f64 (end, *(const double *)at);
        end += 8;
        break;
    case SIM_KIND_f32:
    case SIM_KIND_of32:
        weft_put_f32 (end, *(const float *)at);
        end += 4;
        break;
    case SIM_KIND_i32:
    case SIM_KIND_oi32:
        end = put_long (end, *(const int32_t *)at);
        break;
    case SIM_KIND_i64:
    case SIM_KIND_oi64:
        end = put_long (end, *(const int64_t *)at);
        break;
    case SIM_KIND_ob:
        *end++ = *(const uint8_t *)at;
        break;
    default:
        text = *(const char *const *)at;
        end = put_long (end, (int64_t)strlen (text));
        break;
    }
done:
    weft_buf_add (out, bytes, (size_t)(end - bytes));
    if (text)
        weft_buf_add (out, text, strlen (text));
}

void
sim_avro_record (weft_buf_t *out,
                 const void *record,
                 const sim_avro_field_t *fields,
                 size_t n)
{
    for (size_t i = 0; i < n; i++)
        add_field (out, (const char *)record + fields[i].offset,
                   fields[i].kind);
}

//  A nullable array in one block; none is null, as the survey has it.
void
sim_avro_rows (weft_buf_t *out,
               const void *rows,
               uint32_t n,
               size_t stride,
               const sim_avro_field_t *fields,
               size_t n_fields)
{
    sim_avro_long (out, n > 0);
    if (n == 0)
        return;
    sim_avro_long (out, n);
    for (uint32_t i = 0; i < n; i++)
        sim_avro_record (out, (const char *)rows + i * stride, fields,
                         n_fields);
    sim_avro_long (out, 0);
}
