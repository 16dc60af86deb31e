//  weft_contract.c - encodes and decodes any contract from its table.

#include "weft_contract.h"

#include <math.h>

#include "weft_pack.h"

//  Bytes of one element of a column, 0 if the kind is no column.
static uint32_t
element_size (uint8_t kind)
{
    switch (kind) {
    case WEFT_KIND_c_u8:
    case WEFT_KIND_c_kind:
        return 1;
    case WEFT_KIND_c_u32:
    case WEFT_KIND_c_f32:
        return 4;
    case WEFT_KIND_c_id:
    case WEFT_KIND_c_f64:
        return 8;
    default:
        return 0;
    }
}

static bool
is_nested (const weft_field_t *field)
{
    return field->kind >= WEFT_KIND_record;
}

//  The address of a field; of element `i` for records.
static void *
value_at (const weft_field_t *field, const void *record, uint32_t i)
{
    size_t step = is_nested (field) ? field->sub->size : 0;
    return (char *)(uintptr_t)record + field->offset + i * step;
}

static uint32_t *
count_of (const weft_field_t *field, const void *record)
{
    return (uint32_t *)(void *)((char *)(uintptr_t)record +
                                field->count_offset);
}

void
weft_contract_clear (const weft_contract_t *self, void *record)
{
    memset (record, 0, self->size);
    for (uint32_t i = 0; i < self->n_fields; i++) {
        const weft_field_t *field = &self->fields[i];
        void *value = value_at (field, record, 0);
        if (field->kind == WEFT_KIND_f32)
            *(float *)value = NAN;
        else if (field->kind == WEFT_KIND_f64)
            *(double *)value = (double)NAN;
        for (uint32_t k = 0; is_nested (field) && k < field->max; k++)
            weft_contract_clear (field->sub, value_at (field, record, k));
    }
}

//  Is there something to write? NaN is not.
static bool
is_present (const weft_field_t *field, const void *record, uint32_t index)
{
    if (!weft_has_bit (record, index))
        return false;
    const void *value = value_at (field, record, 0);
    if (field->kind == WEFT_KIND_f32)
        return !isnan (*(const float *)value);
    if (field->kind == WEFT_KIND_f64)
        return !isnan (*(const double *)value);
    return true;
}

static void
encode_scalar (const weft_field_t *field, const void *value, weft_buf_t *buf)
{
    const weft_str_t *text = value;
    const weft_bin_t *bin = value;
    switch ((weft_kind_t)field->kind) {
    case WEFT_KIND_u8:
        weft_pack_u64 (buf, *(const uint8_t *)value);
        break;
    case WEFT_KIND_u32:
        weft_pack_u64 (buf, *(const uint32_t *)value);
        break;
    case WEFT_KIND_u64:
        weft_pack_u64 (buf, *(const uint64_t *)value);
        break;
    case WEFT_KIND_i32:
        weft_pack_i64 (buf, *(const int32_t *)value);
        break;
    case WEFT_KIND_id:
        weft_pack_i64 (buf, *(const int64_t *)value);
        break;
    case WEFT_KIND_f32:
        weft_pack_f32 (buf, *(const float *)value);
        break;
    case WEFT_KIND_f64:
        weft_pack_f64 (buf, *(const double *)value);
        break;
    case WEFT_KIND_str:
        weft_pack_str (buf, text->p, text->n);
        break;
    default:  //  bins and columns have the same shape in memory
        weft_pack_bin (buf, bin->p,
                       (size_t)bin->n *
                           WEFT_MAX (1, element_size (field->kind)));
    }
}

static int encode_map (const weft_contract_t *self,
                       const void *record,
                       bool named,
                       weft_buf_t *buf);

static int
encode_field (const weft_field_t *field, const void *record, weft_buf_t *buf)
{
    if (!is_nested (field)) {
        encode_scalar (field, value_at (field, record, 0), buf);
        return 0;
    }
    if (field->kind != WEFT_KIND_records)
        return encode_map (field->sub, value_at (field, record, 0), false, buf);
    uint32_t count = *count_of (field, record);
    if (count > field->max)
        return WEFT_ERANGE;
    weft_pack_array (buf, count);
    int rc = 0;
    for (uint32_t i = 0; i < count && !rc; i++)
        rc = encode_map (field->sub, value_at (field, record, i), false, buf);
    return rc;
}

static int
encode_map (const weft_contract_t *self,
            const void *record,
            bool named,
            weft_buf_t *buf)
{
    uint32_t count = named ? 1 : 0;
    for (uint32_t i = 0; i < self->n_fields; i++) {
        bool present = is_present (&self->fields[i], record, i);
        if (!present && self->fields[i].core)
            return WEFT_EABSENT;
        count += present;
    }
    weft_pack_map (buf, count);
    if (named) {
        weft_pack_cstr (buf, "contract");
        weft_pack_cstr (buf, self->name);
    }
    int rc = 0;
    for (uint32_t i = 0; i < self->n_fields && !rc; i++) {
        const weft_field_t *field = &self->fields[i];
        if (!is_present (field, record, i))
            continue;
        weft_pack_str (buf, field->key, field->key_size);
        rc = encode_field (field, record, buf);
    }
    return rc ? rc : buf->error;
}

int
weft_contract_encode (const weft_contract_t *self,
                      const void *record,
                      weft_buf_t *buf)
{
    return encode_map (self, record, true, buf);
}

static int
take_unsigned (weft_cursor_t *at, uint64_t most, uint64_t *number)
{
    int rc = weft_cursor_u64 (at, number);
    return rc ? rc : *number > most ? WEFT_ERANGE : 0;
}

static int
decode_number (const weft_field_t *field, void *value, weft_cursor_t *at)
{
    uint64_t u = 0;
    int64_t i = 0;
    double f = 0;
    int rc;
    switch ((weft_kind_t)field->kind) {
    case WEFT_KIND_u8:
        rc = take_unsigned (at, UINT8_MAX, &u);
        *(uint8_t *)value = (uint8_t)u;
        return rc;
    case WEFT_KIND_u32:
        rc = take_unsigned (at, UINT32_MAX, &u);
        *(uint32_t *)value = (uint32_t)u;
        return rc;
    case WEFT_KIND_u64:
        return weft_cursor_u64 (at, value);
    case WEFT_KIND_i32:
        rc = weft_cursor_i64 (at, &i);
        *(int32_t *)value = (int32_t)i;
        return rc ? rc : i < INT32_MIN || i > INT32_MAX ? WEFT_ERANGE : 0;
    case WEFT_KIND_id:
        return weft_cursor_i64 (at, value);
    case WEFT_KIND_f32:
        rc = weft_cursor_f64 (at, &f);
        *(float *)value = (float)f;
        return rc;
    default:
        return weft_cursor_f64 (at, value);
    }
}

static int
decode_column (const weft_field_t *field, weft_col_t *col, weft_cursor_t *at)
{
    weft_bin_t bin;
    uint32_t size = element_size (field->kind);
    int rc = weft_cursor_bin (at, &bin);
    if (rc)
        return rc;
    if (bin.n % size != 0)
        return WEFT_EMALFORMED;
    *col = (weft_col_t){ bin.p, bin.n / size };
    return 0;
}

static int decode_map (const weft_contract_t *self,
                       void *record,
                       weft_cursor_t *at,
                       uint32_t pairs);

static int
decode_record (const weft_field_t *field, void *value, weft_cursor_t *at)
{
    uint32_t pairs;
    int rc = weft_cursor_map (at, &pairs);
    return rc ? rc : decode_map (field->sub, value, at, pairs);
}

static int
decode_records (const weft_field_t *field, void *record, weft_cursor_t *at)
{
    uint32_t count;
    int rc = weft_cursor_array (at, &count);
    if (!rc && count > field->max)
        rc = WEFT_ETOOBIG;
    for (uint32_t i = 0; !rc && i < count; i++)
        rc = decode_record (field, value_at (field, record, i), at);
    if (!rc)
        *count_of (field, record) = count;
    return rc;
}

//  The columns of one record must agree in length.
static int
check_columns (const weft_field_t *outer, const void *record)
{
    const weft_contract_t *sub = outer->sub;
    const void *value = value_at (outer, record, 0);
    int64_t rows = -1;
    for (uint32_t i = 0; i < sub->n_fields; i++) {
        if (!weft_has_bit (value, i))
            continue;
        const weft_col_t *col = value_at (&sub->fields[i], value, 0);
        if (rows >= 0 && rows != (int64_t)col->n)
            return WEFT_EMALFORMED;
        rows = (int64_t)col->n;
    }
    return 0;
}

static int
decode_field (const weft_field_t *field, void *record, weft_cursor_t *at)
{
    void *value = value_at (field, record, 0);
    int rc;
    switch ((weft_kind_t)field->kind) {
    case WEFT_KIND_str:
        return weft_cursor_str (at, value);
    case WEFT_KIND_bin:
        return weft_cursor_bin (at, value);
    case WEFT_KIND_record:
        return decode_record (field, value, at);
    case WEFT_KIND_records:
        return decode_records (field, record, at);
    case WEFT_KIND_columns:
        rc = decode_record (field, value, at);
        return rc ? rc : check_columns (field, record);
    default:
        return element_size (field->kind) ? decode_column (field, value, at)
                                          : decode_number (field, value, at);
    }
}

//  The field of that key. Writers keep the table's order, so the search
//  starts at `hint` and mostly ends there.
static uint32_t
find_field (const weft_contract_t *self, weft_str_t key, uint32_t hint)
{
    for (uint32_t i = 0; i < self->n_fields; i++) {
        uint32_t k =
            hint + i < self->n_fields ? hint + i : hint + i - self->n_fields;
        const weft_field_t *field = &self->fields[k];
        if (field->key_size == key.n && !memcmp (field->key, key.p, key.n))
            return k;
    }
    return UINT32_MAX;
}

static bool
is_nan (const weft_field_t *field, const void *value)
{
    return (field->kind == WEFT_KIND_f32 && isnan (*(const float *)value)) ||
           (field->kind == WEFT_KIND_f64 && isnan (*(const double *)value));
}

static int
decode_pair (const weft_contract_t *self,
             void *record,
             weft_cursor_t *at,
             uint32_t *hint)
{
    weft_str_t key;
    int rc = weft_cursor_str (at, &key);
    if (rc)
        return rc;
    uint32_t k = find_field (self, key, *hint);
    if (k == UINT32_MAX)
        return weft_cursor_skip (at);
    if (weft_has_bit (record, k))
        return WEFT_EMALFORMED;  //  the same key twice
    const weft_field_t *field = &self->fields[k];
    rc = decode_field (field, record, at);
    *hint = k + 1;
    if (!rc && !is_nan (field, value_at (field, record, 0)))
        weft_set_bit (record, k);
    return rc;
}

static int
check_core (const weft_contract_t *self, const void *record)
{
    for (uint32_t i = 0; i < self->n_fields; i++)
        if (self->fields[i].core && !weft_has_bit (record, i))
            return WEFT_EABSENT;
    return 0;
}

static int
decode_map (const weft_contract_t *self,
            void *record,
            weft_cursor_t *at,
            uint32_t pairs)
{
    uint32_t hint = 0;
    int rc = 0;
    for (uint32_t i = 0; i < pairs && !rc; i++)
        rc = decode_pair (self, record, at, &hint);
    return rc ? rc : check_core (self, record);
}

//  Takes the map's header and the pair "contract": NAME.
static int
take_name (weft_cursor_t *at, uint32_t *pairs, weft_str_t *name)
{
    weft_str_t key;
    int rc = weft_cursor_map (at, pairs);
    if (!rc && *pairs == 0)
        rc = WEFT_EMALFORMED;
    if (!rc)
        rc = weft_cursor_str (at, &key);
    if (!rc && !weft_str_is (key, "contract"))
        rc = WEFT_EMALFORMED;
    return rc ? rc : weft_cursor_str (at, name);
}

int
weft_contract_name (const void *data, size_t size, weft_str_t *name)
{
    weft_cursor_t at;
    uint32_t pairs;
    weft_cursor_init (&at, data, size);
    return take_name (&at, &pairs, name) ? WEFT_EMALFORMED : 0;
}

int
weft_contract_decode (const weft_contract_t *self,
                      void *record,
                      const void *data,
                      size_t size)
{
    weft_cursor_t at;
    weft_str_t name;
    uint32_t pairs;
    weft_contract_clear (self, record);
    weft_cursor_init (&at, data, size);
    int rc = take_name (&at, &pairs, &name);
    if (rc)
        return rc;
    if (!weft_str_is (name, self->name))
        return WEFT_EVERSION;
    rc = decode_map (self, record, &at, pairs - 1);
    //  Bytes behind the section are somebody's mistake: say so now.
    return rc ? rc : weft_cursor_left (&at) ? WEFT_EMALFORMED : 0;
}
