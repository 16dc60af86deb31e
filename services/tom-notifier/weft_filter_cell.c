//  weft_filter_cell.c - rows and columns of the filters' tables.

#include "weft_filter_cell.h"

#include <math.h>

static uint32_t
alert_rows (weft_filter_view_t *view, const void **base)
{
    *base = weft_filter_view_alert (view);
    return *base ? 1 : 0;
}

static uint32_t
history_rows (weft_filter_view_t *view, const void **base)
{
    *base = weft_filter_view_alert (view);
    return *base ? weft_filter_view_rows (view) : 0;
}

static uint32_t
matches_rows (weft_filter_view_t *view, const void **base)
{
    const weft_matches_v1_t *matches = weft_filter_view_matches (view);
    *base = matches ? matches->matches : NULL;
    return matches ? matches->n_matches : 0;
}

static uint32_t
catalogs_rows (weft_filter_view_t *view, const void **base)
{
    const weft_matches_v1_t *matches = weft_filter_view_matches (view);
    *base = matches ? matches->catalogs : NULL;
    return matches ? matches->n_catalogs : 0;
}

static uint32_t
names_rows (weft_filter_view_t *view, const void **base)
{
    const weft_matches_v1_t *matches = weft_filter_view_matches (view);
    *base = matches ? matches->names : NULL;
    return matches ? matches->n_names : 0;
}

static uint32_t
scores_rows (weft_filter_view_t *view, const void **base)
{
    uint32_t n;
    *base = weft_filter_view_classes (view, &n);
    return n;
}

static uint32_t
bands_rows (weft_filter_view_t *view, const void **base)
{
    uint32_t n;
    *base = weft_filter_view_bands (view, &n);
    return n;
}

static weft_filter_column_t *
add_column (weft_filter_table_t *table, const char *prefix, const char *name)
{
    assert (table->n_columns < WEFT_FILTER_COLUMNS);
    weft_filter_column_t *column = &table->columns[table->n_columns++];
    snprintf (column->name, sizeof column->name, "%s%s", prefix, name);
    column->unit = "";
    column->meaning = "";
    return column;
}

static void
add_band_name (weft_filter_table_t *table, const weft_filter_column_t *band)
{
    weft_filter_column_t *column = add_column (table, "", "band_name");
    uint8_t read = band->read;
    *column = *band;
    snprintf (column->name, sizeof column->name, "band_name");
    //  Where the number is read from is told by `kind`.
    column->kind = read == WEFT_READ_COLUMN ? WEFT_KIND_c_u8 : WEFT_KIND_u8;
    column->read = WEFT_READ_BAND;
    column->meaning = "band as text: u g r i z y, zg zr zi";
}

static bool
is_scalar (uint8_t kind)
{
    return kind <= WEFT_KIND_str;
}

static void add_fields (weft_filter_table_t *table,
                        const weft_contract_t *contract,
                        const char *prefix,
                        uint32_t base);

//  A record within the record: its fields get its name as a prefix, and a
//  number if there are several (ps1_1_sg).
static void
add_record (weft_filter_table_t *table, const weft_field_t *field)
{
    char prefix[24];
    if (field->kind == WEFT_KIND_record) {
        snprintf (prefix, sizeof prefix, "%s_", field->key);
        add_fields (table, field->sub, prefix, field->offset);
        return;
    }
    for (unsigned i = 0; i < field->max; i++) {
        snprintf (prefix, sizeof prefix, "%s_%u_", field->key, i + 1);
        add_fields (table, field->sub, prefix,
                    field->offset + i * field->sub->size);
    }
}

static void
add_field (weft_filter_table_t *table,
           const weft_field_t *field,
           uint32_t bit,
           const char *prefix,
           uint32_t base)
{
    weft_filter_column_t *column = add_column (table, prefix, field->key);
    column->read = WEFT_READ_FIELD;
    column->kind = field->kind;
    column->bit = (uint8_t)bit;
    column->base = base;
    column->offset = field->offset;
    column->unit = field->unit;
    column->meaning = field->meaning;
    if (!strcmp (field->key, "band"))
        add_band_name (table, column);
}

static void
add_fields (weft_filter_table_t *table,
            const weft_contract_t *contract,
            const char *prefix,
            uint32_t base)
{
    for (uint32_t i = 0; i < contract->n_fields; i++) {
        const weft_field_t *field = &contract->fields[i];
        if (is_scalar (field->kind))
            add_field (table, field, i, prefix, base);
        else if (base == 0 && (field->kind == WEFT_KIND_record ||
                               field->kind == WEFT_KIND_records))
            add_record (table, field);
    }
}

static void
add_points (weft_filter_table_t *table)
{
    uint32_t base = offsetof (weft_alert_v1_t, points);
    for (uint32_t i = 0; i < weft_points_v1.n_fields; i++) {
        const weft_field_t *field = &weft_points_v1.fields[i];
        weft_filter_column_t *column = add_column (table, "", field->key);
        column->read = field->kind == WEFT_KIND_c_kind ? WEFT_READ_LETTER
                                                       : WEFT_READ_COLUMN;
        column->kind = field->kind;
        column->base = base;
        column->offset = field->offset;
        column->unit = field->unit;
        column->meaning = field->meaning;
        column->band = !strcmp (field->key, "band");
        if (column->band)
            add_band_name (table, column);
    }
    weft_filter_column_t *trig = add_column (table, "", "trig");
    trig->read = WEFT_READ_TRIG;
    trig->kind = WEFT_KIND_u8;
    trig->meaning = "1 for the row of this alert";
}

//  A member of one of our own row structs: always there, NaN is NULL.
static void
add_plain (weft_filter_table_t *table,
           const char *name,
           uint8_t kind,
           size_t offset,
           const char *unit,
           const char *meaning)
{
    weft_filter_column_t *column = add_column (table, "", name);
    column->read = WEFT_READ_FIELD;
    column->kind = kind;
    column->plain = true;
    column->offset = (uint32_t)offset;
    column->unit = unit;
    column->meaning = meaning;
}

static void
add_classes (weft_filter_table_t *table)
{
#define PLAIN(key, member, kind, unit, meaning)                                \
    add_plain (table, key, WEFT_KIND_##kind,                                   \
               offsetof (weft_class_row_t, member), unit, meaning)
    PLAIN ("model", model, str, "", "model name");
    PLAIN ("version", version, str, "", "its version");
    PLAIN ("calibration", calibration, str, "", "how calibrated, or none");
    PLAIN ("class", name, str, "", "class name");
    PLAIN ("p", p, f32, "", "probability");
#undef PLAIN
}

static void
add_bands (weft_filter_table_t *table)
{
#define PLAIN(member, kind, unit, meaning)                                     \
    add_plain (table, #member, WEFT_KIND_##kind,                               \
               offsetof (weft_band_row_t, member), unit, meaning)
    PLAIN (band, u8, "", "u g r i z y = 0-5, zg zr zi = 6-8");
    add_band_name (table, &table->columns[0]);
    PLAIN (n_d, u32, "", "detections of the detection curve");
    PLAIN (n_l, u32, "", "limits");
    PLAIN (n_f, u32, "", "forced points");
    PLAIN (first_mjd, f64, "d", "first detection");
    PLAIN (last_mjd, f64, "d", "last detection");
    PLAIN (last_flux, f64, "nJy", "its flux");
    PLAIN (last_err, f64, "nJy", "its error");
    PLAIN (max_flux, f64, "nJy", "brightest detection");
    PLAIN (min_flux, f64, "nJy", "faintest, or most negative, detection");
#undef PLAIN
}

#define TABLES 7

static void
make_tables (weft_filter_table_t *t)
{
    t[0] = (weft_filter_table_t){ .name = "alert",
                                  .about = "the alert, one row",
                                  .rows = alert_rows };
    add_fields (&t[0], &weft_alert_v1, "", 0);
    t[1] = (weft_filter_table_t){ .name = "history",
                                  .about = "its light curve",
                                  .rows = history_rows };
    add_points (&t[1]);
    t[2] = (weft_filter_table_t){ .name = "bands",
                                  .about = "the light curve, counted",
                                  .rows = bands_rows,
                                  .step = sizeof (weft_band_row_t) };
    add_bands (&t[2]);
    t[3] = (weft_filter_table_t){ .name = "matches",
                                  .about = "catalogue sources nearby",
                                  .rows = matches_rows,
                                  .step = sizeof (weft_match_v1_t) };
    add_fields (&t[3], &weft_match_v1, "", 0);
    t[4] = (weft_filter_table_t){ .name = "catalogs",
                                  .about = "catalogues and how they were asked",
                                  .rows = catalogs_rows,
                                  .step = sizeof (weft_catalog_v1_t) };
    add_fields (&t[4], &weft_catalog_v1, "", 0);
    t[5] = (weft_filter_table_t){ .name = "names",
                                  .about = "the object's ids elsewhere",
                                  .rows = names_rows,
                                  .step = sizeof (weft_name_v1_t) };
    add_fields (&t[5], &weft_name_v1, "", 0);
    t[6] = (weft_filter_table_t){ .name = "scores",
                                  .about = "class probabilities, live models",
                                  .rows = scores_rows,
                                  .step = sizeof (weft_class_row_t) };
    add_classes (&t[6]);
}

const weft_filter_table_t *
weft_filter_tables (size_t *n)
{
    static weft_filter_table_t tables[TABLES];
    if (!tables[0].name)
        make_tables (tables);
    *n = TABLES;
    return tables;
}

static weft_cell_t
cell_int (int64_t value)
{
    return (weft_cell_t){ .type = WEFT_CELL_INT, .i = value };
}

static weft_cell_t
cell_real (double value)
{
    if (isnan (value))
        return (weft_cell_t){ .type = WEFT_CELL_NULL };
    return (weft_cell_t){ .type = WEFT_CELL_REAL, .d = value };
}

static weft_cell_t
cell_field (uint8_t kind, const void *value)
{
    switch ((weft_kind_t)kind) {
    case WEFT_KIND_u8:
        return cell_int (*(const uint8_t *)value);
    case WEFT_KIND_u32:
        return cell_int (*(const uint32_t *)value);
    case WEFT_KIND_i32:
        return cell_int (*(const int32_t *)value);
    case WEFT_KIND_u64:
    case WEFT_KIND_id:
        return cell_int (*(const int64_t *)value);
    case WEFT_KIND_f32:
        return cell_real (*(const float *)value);
    case WEFT_KIND_f64:
        return cell_real (*(const double *)value);
    default:
        return (weft_cell_t){ .type = WEFT_CELL_TEXT,
                              .s = *(const weft_str_t *)value };
    }
}

static weft_cell_t
cell_text (const char *text)
{
    if (!text)
        return (weft_cell_t){ .type = WEFT_CELL_NULL };
    return (weft_cell_t){ .type = WEFT_CELL_TEXT, .s = weft_str (text) };
}

//  An element of a column. An id of 0 and a band of 255 are "none".
static weft_cell_t
cell_element (const weft_filter_column_t *column,
              const weft_col_t *col,
              uint32_t row)
{
    if (row >= col->n)
        return (weft_cell_t){ .type = WEFT_CELL_NULL };
    int64_t value;
    switch ((weft_kind_t)column->kind) {
    case WEFT_KIND_c_f32:
        return cell_real (weft_col_f32 (*col, row));
    case WEFT_KIND_c_f64:
        return cell_real (weft_col_f64 (*col, row));
    case WEFT_KIND_c_u32:
        return cell_int (weft_col_u32 (*col, row));
    case WEFT_KIND_c_id:
        value = weft_col_i64 (*col, row);
        return value ? cell_int (value) : (weft_cell_t){ 0 };
    default:
        value = weft_col_u8 (*col, row);
        if (column->band && value >= WEFT_BANDS)
            return (weft_cell_t){ 0 };
        return cell_int (value);
    }
}

static const char *const letters[] = { NULL, "D", "L", "F" };

static weft_cell_t
cell_letter (const weft_col_t *col, uint32_t row)
{
    uint8_t kind = row < col->n ? weft_col_u8 (*col, row) : 0;
    return cell_text (kind < WEFT_COUNT (letters) ? letters[kind] : NULL);
}

weft_cell_t
weft_filter_cell (const weft_filter_table_t *table,
                  const void *base,
                  uint32_t row,
                  uint32_t index)
{
    const weft_filter_column_t *column = &table->columns[index];
    const char *record = (const char *)base + (size_t)table->step * row;
    const void *value = record + column->base + column->offset;
    const void *has = record + column->base;
    const weft_alert_v1_t *alert = base;
    bool is_column = column->kind >= WEFT_KIND_c_u8;
    if (!is_column && !column->plain && column->read != WEFT_READ_TRIG &&
        !weft_has_bit (has, column->bit))
        return (weft_cell_t){ 0 };
    switch ((weft_read_t)column->read) {
    case WEFT_READ_COLUMN:
        return cell_element (column, value, row);
    case WEFT_READ_LETTER:
        return cell_letter (value, row);
    case WEFT_READ_TRIG:
        return cell_int (WEFT_HAS (alert_v1, alert, trig) &&
                         alert->trig == row);
    case WEFT_READ_BAND:
        if (!is_column)
            return cell_text (weft_band_text (*(const uint8_t *)value));
        const weft_col_t *col = value;
        return cell_text (
            row < col->n ? weft_band_text (weft_col_u8 (*col, row)) : NULL);
    default:
        return cell_field (column->kind, value);
    }
}

bool
weft_filter_column_coded (const weft_filter_column_t *column)
{
    return column->kind >= WEFT_KIND_c_u8 &&
           (column->read == WEFT_READ_LETTER || column->read == WEFT_READ_BAND);
}

uint32_t
weft_filter_code (const weft_filter_column_t *column, const char *text)
{
    if (column->read == WEFT_READ_LETTER) {
        for (uint32_t i = 1; i < WEFT_COUNT (letters); i++)
            if (!strcmp (letters[i], text))
                return i;
        return 256;
    }
    for (uint8_t i = 0; i < WEFT_BANDS; i++)
        if (!strcmp (weft_band_text (i), text))
            return i;
    return 256;
}

uint32_t
weft_filter_code_at (const weft_filter_table_t *table,
                     const void *base,
                     uint32_t row,
                     uint32_t index)
{
    const weft_filter_column_t *column = &table->columns[index];
    const weft_col_t *col =
        (const void *)((const char *)base + column->base + column->offset);
    return row < col->n ? weft_col_u8 (*col, row) : 255;
}

weft_cell_type_t
weft_filter_column_type (const weft_filter_column_t *column)
{
    if (column->read == WEFT_READ_LETTER || column->read == WEFT_READ_BAND ||
        column->kind == WEFT_KIND_str)
        return WEFT_CELL_TEXT;
    switch ((weft_kind_t)column->kind) {
    case WEFT_KIND_f32:
    case WEFT_KIND_f64:
    case WEFT_KIND_c_f32:
    case WEFT_KIND_c_f64:
        return WEFT_CELL_REAL;
    default:
        return WEFT_CELL_INT;
    }
}
