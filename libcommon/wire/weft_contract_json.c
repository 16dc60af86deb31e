//  weft_contract_json.c - any contract as JSON, and as documentation.

#include <jansson.h>

#include "weft_contract.h"

#include <inttypes.h>
#include <math.h>

#include "weft_hash.h"

static json_t *
real_or_null (double value)
{
    return isfinite (value) ? json_real (value) : json_null ();
}

//  A float as the shortest decimal that gives the same float again, so that
//  people see 0.1 and not 0.10000000149011612.
static json_t *
single_or_null (float value)
{
    char text[32];
    if (!isfinite (value))
        return json_null ();
    for (int digits = 6; digits <= 9; digits++) {
        snprintf (text, sizeof text, "%.*g", digits, (double)value);
        if (strtof (text, NULL) == value)
            break;
    }
    return json_real (strtod (text, NULL));
}

static json_t *
id_string (int64_t value)
{
    char text[24];
    snprintf (text, sizeof text, "%" PRId64, value);
    return json_string (text);
}

static json_t *
unsigned_string (uint64_t value)
{
    char text[24];
    snprintf (text, sizeof text, "%" PRIu64, value);
    return json_string (text);
}

//  Text of the wire may be no UTF-8; then it is shown as hexadecimal.
static json_t *
text_or_hex (const void *data, uint32_t size, bool text)
{
    json_t *value = text ? json_stringn (data, size) : NULL;
    if (value)
        return value;
    char *hex = malloc ((size_t)size * 2 + 1);
    if (!hex)
        return NULL;
    weft_hex (data, size, hex);
    value = json_string (hex);
    free (hex);
    return value;
}

static json_t *
element_json (uint8_t kind, weft_col_t col, uint32_t i)
{
    static const char *const letters[] = { "?", "D", "L", "F" };
    uint8_t small;
    switch ((weft_kind_t)kind) {
    case WEFT_KIND_c_u8:
        return json_integer (weft_col_u8 (col, i));
    case WEFT_KIND_c_kind:
        small = weft_col_u8 (col, i);
        return json_string (letters[small < WEFT_COUNT (letters) ? small : 0]);
    case WEFT_KIND_c_u32:
        return json_integer (weft_col_u32 (col, i));
    case WEFT_KIND_c_id:
        return id_string (weft_col_i64 (col, i));
    case WEFT_KIND_c_f32:
        return single_or_null (weft_col_f32 (col, i));
    default:
        return real_or_null (weft_col_f64 (col, i));
    }
}

static json_t *
column_json (uint8_t kind, weft_col_t col)
{
    json_t *list = json_array ();
    for (uint32_t i = 0; i < col.n; i++)
        json_array_append_new (list, element_json (kind, col, i));
    return list;
}

static json_t *
scalar_json (const weft_field_t *field, const void *value)
{
    const weft_bin_t *bin = value;
    switch ((weft_kind_t)field->kind) {
    case WEFT_KIND_u8:
        return json_integer (*(const uint8_t *)value);
    case WEFT_KIND_u32:
        return json_integer (*(const uint32_t *)value);
    case WEFT_KIND_i32:
        return json_integer (*(const int32_t *)value);
    case WEFT_KIND_u64:
        return unsigned_string (*(const uint64_t *)value);
    case WEFT_KIND_id:
        return id_string (*(const int64_t *)value);
    case WEFT_KIND_f32:
        return single_or_null (*(const float *)value);
    case WEFT_KIND_f64:
        return real_or_null (*(const double *)value);
    case WEFT_KIND_str:
        return text_or_hex (bin->p, bin->n, true);
    case WEFT_KIND_bin:
        return text_or_hex (bin->p, bin->n, false);
    default:
        return column_json (field->kind, *(const weft_col_t *)value);
    }
}

static const void *
value_of (const weft_field_t *field, const void *record, uint32_t i)
{
    size_t step = field->sub ? field->sub->size : 0;
    return (const char *)record + field->offset + i * step;
}

static json_t *
records_json (const weft_field_t *field, const void *record)
{
    json_t *list = json_array ();
    uint32_t count;
    memcpy (&count, (const char *)record + field->count_offset, sizeof count);
    for (uint32_t i = 0; i < count && i < field->max; i++)
        json_array_append_new (
            list, weft_contract_json (field->sub, value_of (field, record, i)));
    return list;
}

static json_t *
row_json (const weft_contract_t *sub, const void *columns, uint32_t row)
{
    json_t *object = json_object ();
    for (uint32_t i = 0; i < sub->n_fields; i++) {
        const weft_field_t *field = &sub->fields[i];
        if (!weft_has_bit (columns, i))
            continue;
        const weft_col_t *col = value_of (field, columns, 0);
        if (row < col->n)
            json_object_set_new (object, field->key,
                                 element_json (field->kind, *col, row));
    }
    return object;
}

static json_t *
rows_json (const weft_contract_t *sub, const void *columns)
{
    json_t *list = json_array ();
    uint32_t rows = 0;
    for (uint32_t i = 0; i < sub->n_fields; i++) {
        const weft_col_t *col = value_of (&sub->fields[i], columns, 0);
        if (weft_has_bit (columns, i))
            rows = WEFT_MAX (rows, col->n);
    }
    for (uint32_t row = 0; row < rows; row++)
        json_array_append_new (list, row_json (sub, columns, row));
    return list;
}

static json_t *
field_json (const weft_field_t *field, const void *record)
{
    switch ((weft_kind_t)field->kind) {
    case WEFT_KIND_record:
        return weft_contract_json (field->sub, value_of (field, record, 0));
    case WEFT_KIND_records:
        return records_json (field, record);
    case WEFT_KIND_columns:
        return rows_json (field->sub, value_of (field, record, 0));
    default:
        return scalar_json (field, value_of (field, record, 0));
    }
}

json_t *
weft_contract_json (const weft_contract_t *self, const void *record)
{
    json_t *object = json_object ();
    for (uint32_t i = 0; i < self->n_fields; i++)
        if (weft_has_bit (record, i))
            json_object_set_new (object, self->fields[i].key,
                                 field_json (&self->fields[i], record));
    return object;
}

static const char *
kind_name (const weft_field_t *field)
{
    static const char *const names[] = {
        "u8",        "u32",        "u64",        "i32",        "i64",
        "f32",       "f64",        "str",        "bin",        "column u8",
        "column u8", "column u32", "column i64", "column f32", "column f64",
        "map",       "list",       "columns",
    };
    return names[field->kind];
}

void
weft_contract_document (const weft_contract_t *self, FILE *out)
{
    fprintf (out, "### %s\n\n| key | type | unit | must | meaning |\n",
             self->name);
    fprintf (out, "| --- | --- | --- | --- | --- |\n");
    for (uint32_t i = 0; i < self->n_fields; i++) {
        const weft_field_t *field = &self->fields[i];
        fprintf (out, "| `%s` | %s%s%s | %s | %s | %s |\n", field->key,
                 kind_name (field), field->sub ? " of " : "",
                 field->sub ? field->sub->name : "", field->unit,
                 field->core ? "yes" : "", field->meaning);
    }
    fprintf (out, "\n");
}
