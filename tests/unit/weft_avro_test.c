//  Schemas, plans and containers: what is read, and what is refused.

#include "unit/testing.h"

#include <zlib.h>

#include <snappy-c.h>

#include "unit/avro_bytes.h"
#include "weft_avro_container.h"
#include "weft_avro_plan.h"

typedef struct {
    weft_avro_schema_t *schema;
    weft_avro_plan_t *plan;
    weft_avro_value_t values[32];
    weft_avro_walk_t walk;
    weft_buf_t bytes;
    int64_t rows[16];
    size_t n_rows;
} bench_t;

static const weft_avro_want_t top_wants[] = {
    { "number", WEFT_AVRO_NUMBER, 0, -1 },
    { "text", WEFT_AVRO_TEXT, 0, -1 },
    { "blob", WEFT_AVRO_BIT (BYTES) | WEFT_AVRO_BIT (FIXED), 0, -1 },
};
static const weft_avro_want_t row_wants[] = {
    { "id", WEFT_AVRO_WHOLE, 0, -1 },
};
static const weft_avro_group_t groups[] = {
    { "", top_wants, 3, NULL },
    { "rows[]", row_wants, 1, NULL },
    { "inner", row_wants, 1, NULL },
};

static int
setup (void **state)
{
    bench_t *bench = calloc (1, sizeof (*bench));
    weft_buf_init (&bench->bytes, 1 << 20);
    *state = bench;
    return 0;
}

static int
teardown (void **state)
{
    bench_t *bench = *state;
    weft_avro_plan_destroy (&bench->plan);
    weft_avro_schema_destroy (&bench->schema);
    weft_buf_fini (&bench->bytes);
    free (bench);
    return 0;
}

static void
compile (bench_t *bench, const char *json)
{
    char why[WEFT_AVRO_WHY] = "";
    weft_avro_plan_destroy (&bench->plan);
    weft_avro_schema_destroy (&bench->schema);
    bench->schema = weft_avro_schema_new (json, strlen (json), why);
    assert_non_null (bench->schema);
    bench->plan = weft_avro_plan_new (bench->schema, groups, 3, why);
    assert_non_null (bench->plan);
    assert_true (weft_avro_plan_values (bench->plan) <= 32);
    weft_buf_clear (&bench->bytes);
}

static int
note_row (void *arg, size_t group, const weft_avro_value_t *values)
{
    bench_t *bench = arg;
    assert_int_equal (group, 1);
    if (bench->n_rows < 16)
        bench->rows[bench->n_rows] = values[0].i;
    bench->n_rows++;
    return 0;
}

static int
walk (bench_t *bench)
{
    bench->n_rows = 0;
    //  In memory of its own size, so that a sanitizer sees each step beyond.
    uint8_t *copy = malloc (bench->bytes.size + 1);
    memcpy (copy, bench->bytes.data, bench->bytes.size);
    uint8_t *exact = realloc (copy, bench->bytes.size ? bench->bytes.size : 1);
    bench->walk = (weft_avro_walk_t){ .data = exact,
                                      .size = bench->bytes.size,
                                      .values = bench->values,
                                      .row = note_row,
                                      .arg = bench };
    int rc = weft_avro_plan_walk (bench->plan, &bench->walk);
    free (exact);
    return rc;
}

static const weft_avro_value_t *
value (const bench_t *bench, size_t group, size_t want)
{
    return &bench->values[weft_avro_plan_base (bench->plan, group) + want];
}

#define RECORD(fields)                                                         \
    "{\"type\":\"record\",\"name\":\"t.alert\",\"fields\":[" fields "]}"
#define FIELD_OF(name, type) "{\"name\":\"" name "\",\"type\":" type "}"

//  --- unions, by type and never by number

static void
unions_are_resolved_by_type (void **state)
{
    bench_t *bench = *state;
    compile (bench, RECORD (FIELD_OF ("number", "[\"null\",\"float\"]")));
    put_long (&bench->bytes, 1);
    put_float (&bench->bytes, 2.5f);
    assert_int_equal (walk (bench), 0);
    assert_int_equal (value (bench, 0, 0)->type, WEFT_AVRO_FLOAT);
    assert_true (value (bench, 0, 0)->f == 2.5);
    compile (bench, RECORD (FIELD_OF ("number", "[\"float\",\"null\"]")));
    put_long (&bench->bytes, 1);
    assert_int_equal (walk (bench), 0);
    assert_int_equal (value (bench, 0, 0)->type, WEFT_AVRO_NULL);
    assert_int_equal (bench->walk.used, 1);
    //  Three branches, of which one will not do for this field.
    compile (bench, RECORD (FIELD_OF (
                        "number", "[\"string\",\"null\",\"int\",\"long\"]")));
    put_long (&bench->bytes, 0);
    put_text (&bench->bytes, "no number");
    assert_int_equal (walk (bench), 0);
    assert_int_equal (value (bench, 0, 0)->type, WEFT_AVRO_NULL);
    assert_int_equal (bench->walk.used, bench->bytes.size);
    weft_buf_clear (&bench->bytes);
    put_long (&bench->bytes, 3);
    put_long (&bench->bytes, -5000000000);
    assert_int_equal (walk (bench), 0);
    assert_true (value (bench, 0, 0)->i == -5000000000);
    //  A branch that the union does not have.
    weft_buf_clear (&bench->bytes);
    put_long (&bench->bytes, 4);
    assert_int_equal (walk (bench), WEFT_EMALFORMED);
    weft_buf_clear (&bench->bytes);
    put_long (&bench->bytes, -1);
    assert_int_equal (walk (bench), WEFT_EMALFORMED);
}

static void
a_field_of_another_type_is_absent (void **state)
{
    bench_t *bench = *state;
    compile (bench, RECORD (FIELD_OF ("number", "\"string\"") "," FIELD_OF (
                        "text", "\"string\"")));
    assert_false (weft_avro_plan_has (bench->plan, 0, 0));
    assert_true (weft_avro_plan_has (bench->plan, 0, 1));
    assert_int_equal (weft_avro_plan_retyped (bench->plan), 1);
    put_text (&bench->bytes, "12");
    put_text (&bench->bytes, "twelve");
    assert_int_equal (walk (bench), 0);
    assert_int_equal (value (bench, 0, 0)->type, WEFT_AVRO_NULL);
    assert_int_equal (value (bench, 0, 1)->n, 6);
}

static void
nan_is_absent (void **state)
{
    bench_t *bench = *state;
    compile (bench, RECORD (FIELD_OF ("number", "\"double\"")));
    put_double (&bench->bytes, __builtin_nan (""));
    assert_int_equal (walk (bench), 0);
    assert_int_equal (value (bench, 0, 0)->type, WEFT_AVRO_NULL);
}

//  --- everything that a schema may hold

// clang-format off
static const char every_type[] = RECORD (
    FIELD_OF ("a", "{\"type\":\"fixed\",\"name\":\"f4\",\"size\":4}") ","
    FIELD_OF ("b", "{\"type\":\"enum\",\"name\":\"e\","
                   "\"symbols\":[\"X\",\"Y\"]}") ","
    FIELD_OF ("c", "{\"type\":\"map\",\"values\":\"long\"}") ","
    FIELD_OF ("d", "{\"type\":\"long\",\"logicalType\":"
                   "\"timestamp-micros\"}") ","
    FIELD_OF ("e", "\"boolean\"") ","
    FIELD_OF ("f", "[\"null\",{\"type\":\"array\",\"items\":"
                   "[\"null\",\"double\"]}]") ","
    FIELD_OF ("blob", "\"t.f4\"") ","
    FIELD_OF ("text", "\"t.e\"") ","
    FIELD_OF ("number", "\"int\""));
// clang-format on

static void
all_types_are_stepped_over (void **state)
{
    bench_t *bench = *state;
    compile (bench, every_type);
    weft_buf_add (&bench->bytes, "abcd", 4);
    put_long (&bench->bytes, 1);
    put_long (&bench->bytes, -2);  //  a block of 2 that tells its size
    put_long (&bench->bytes, 6);
    put_text (&bench->bytes, "k");
    put_long (&bench->bytes, 1);
    put_text (&bench->bytes, "l");
    put_long (&bench->bytes, 2);
    put_long (&bench->bytes, 0);
    put_long (&bench->bytes, 1700000000000000);
    put_long (&bench->bytes, -1);  //  a boolean byte of 1
    put_long (&bench->bytes, 1);
    put_long (&bench->bytes, 2);
    put_long (&bench->bytes, 1);
    put_double (&bench->bytes, 1);
    put_long (&bench->bytes, 0);
    put_long (&bench->bytes, 0);
    weft_buf_add (&bench->bytes, "wxyz", 4);
    put_long (&bench->bytes, 1);
    put_long (&bench->bytes, 77);
    assert_int_equal (walk (bench), 0);
    assert_int_equal (bench->walk.used, bench->bytes.size);
    assert_int_equal (value (bench, 0, 0)->i, 77);
    assert_int_equal (value (bench, 0, 2)->n, 4);
    assert_memory_equal (value (bench, 0, 1)->p, "Y", 1);
    //  Cut anywhere, it is refused.
    for (size_t cut = bench->bytes.size; cut-- > 0;) {
        bench->bytes.size = cut;
        assert_int_not_equal (walk (bench), 0);
    }
}

#define ROWS                                                                   \
    RECORD (FIELD_OF (                                                         \
        "rows",                                                                \
        "{\"type\":\"array\",\"items\":{\"type\":"                             \
        "\"record\",\"name\":\"row\",\"fields\":["                             \
        "{\"name\":\"skip\",\"type\":\"double\"},"                             \
        "{\"name\":\"id\",\"type\":\"long\"}]}}") "," FIELD_OF ("inner",       \
                                                                "[\"null\","   \
                                                                "\"t.row\"]"))

static void
put_row (weft_buf_t *out, int64_t id)
{
    put_double (out, 1);
    put_long (out, id);
}

//  Rows in several blocks, one of which tells its size; then a record of the
//  same named type.
static void
rows_are_told (void **state)
{
    bench_t *bench = *state;
    compile (bench, ROWS);
    put_long (&bench->bytes, 2);
    put_row (&bench->bytes, 11);
    put_row (&bench->bytes, 12);
    put_long (&bench->bytes, -1);
    put_long (&bench->bytes, 9);
    put_row (&bench->bytes, 13);
    put_long (&bench->bytes, 0);
    put_long (&bench->bytes, 1);
    put_row (&bench->bytes, 14);
    assert_int_equal (walk (bench), 0);
    assert_int_equal (bench->n_rows, 3);
    assert_int_equal (bench->rows[2], 13);
    assert_int_equal (value (bench, 2, 0)->i, 14);
    assert_true (bench->walk.present >> 2 & 1);
    //  A size that is not that of the block.
    bench->bytes.size = 0;
    put_long (&bench->bytes, -1);
    put_long (&bench->bytes, 10);
    put_row (&bench->bytes, 13);
    put_long (&bench->bytes, 0);
    put_long (&bench->bytes, 0);
    assert_int_equal (walk (bench), WEFT_EMALFORMED);
}

//  A few bytes cannot ask for much work.
static void
hostile_counts_are_refused (void **state)
{
    bench_t *bench = *state;
    static const int64_t counts[] = { INT64_MAX, 1 << 30, INT64_MIN,
                                      -INT64_MAX };
    for (size_t i = 0; i < WEFT_COUNT (counts); i++) {
        compile (bench, ROWS);
        put_long (&bench->bytes, counts[i]);
        put_long (&bench->bytes, 4);
        assert_int_not_equal (walk (bench), 0);
        assert_int_equal (bench->n_rows, 0);
    }
    //  Elements that take no bytes.
    compile (bench, RECORD (FIELD_OF (
                        "a", "{\"type\":\"array\",\"items\":\"null\"}")));
    put_long (&bench->bytes, 10000000);
    put_long (&bench->bytes, 0);
    assert_int_equal (walk (bench), WEFT_ETOOBIG);
    //  A string that is longer than the bytes, or of negative length.
    compile (bench, RECORD (FIELD_OF ("text", "\"string\"")));
    put_long (&bench->bytes, 1000);
    assert_int_equal (walk (bench), WEFT_ETRUNCATED);
    weft_buf_clear (&bench->bytes);
    put_long (&bench->bytes, -4);
    assert_int_equal (walk (bench), WEFT_EMALFORMED);
    //  A number that does not end, or does not fit its type.
    compile (bench, RECORD (FIELD_OF ("number", "\"int\"")));
    weft_buf_add (&bench->bytes, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
                  10);
    assert_int_equal (walk (bench), WEFT_EMALFORMED);
    weft_buf_clear (&bench->bytes);
    put_long (&bench->bytes, INT64_C (1) << 40);
    assert_int_equal (walk (bench), WEFT_EMALFORMED);
}

static void
bad_schemas_are_refused (void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "{",
        "\"nothing\"",
        "{\"type\":\"record\",\"name\":\"r\",\"fields\":"
        "[{\"name\":\"self\",\"type\":[\"null\",\"r\"]}]}",
        "{\"type\":\"record\",\"name\":\"r\"}",
        "{\"type\":\"array\"}",
    };
    char why[WEFT_AVRO_WHY];
    for (size_t i = 0; i < WEFT_COUNT (bad); i++) {
        *why = 0;
        assert_null (weft_avro_schema_new (bad[i], strlen (bad[i]), why));
        assert_true (*why);
    }
    //  Nested a hundred deep.
    char deep[8192] = "";
    size_t n = 0;
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf (deep + n, sizeof (deep) - n,
                               "{\"type\":\"array\",\"items\":");
    n += (size_t)snprintf (deep + n, sizeof (deep) - n, "\"int\"");
    for (int i = 0; i < 100; i++)
        n += (size_t)snprintf (deep + n, sizeof (deep) - n, "}");
    assert_null (weft_avro_schema_new (deep, n, why));
}

//  Types that use each other many times: the plan would be endless.
static void
a_plan_has_a_ceiling (void **state)
{
    (void)state;
    weft_buf_t json;
    weft_buf_init (&json, 1 << 20);
    //  r0 has ten longs, r1 ten of r0, and so on.
    char *inner = strdup ("\"long\"");
    for (int level = 0; level < 6; level++) {
        weft_buf_clear (&json);
        weft_buf_addf (&json,
                       "{\"type\":\"record\",\"name\":\"r%d\","
                       "\"fields\":[{\"name\":\"a\",\"type\":%s}",
                       level, inner);
        for (int i = 0; i < 9; i++)
            if (level)
                weft_buf_addf (&json, ",{\"name\":\"f%d\",\"type\":\"r%d\"}", i,
                               level - 1);
            else
                weft_buf_addf (&json, ",{\"name\":\"f%d\",\"type\":\"long\"}",
                               i);
        weft_buf_addf (&json, "]}");
        weft_buf_add (&json, "", 1);
        free (inner);
        inner = strdup ((char *)json.data);
    }
    char why[WEFT_AVRO_WHY] = "";
    weft_avro_schema_t *schema =
        weft_avro_schema_new (inner, strlen (inner), why);
    assert_non_null (schema);
    assert_null (weft_avro_plan_new (schema, groups, 3, why));
    assert_non_null (strstr (why, weft_error_text (WEFT_ETOOBIG)));
    weft_avro_schema_destroy (&schema);
    free (inner);
    weft_buf_fini (&json);
}

//  The specification's own example of a fingerprint: that of "int".
static void
fingerprints_are_the_specifications (void **state)
{
    (void)state;
    char why[WEFT_AVRO_WHY];
    weft_avro_schema_t *schema = weft_avro_schema_new ("\"int\"", 5, why);
    assert_non_null (schema);
    assert_true (weft_avro_schema_fingerprint (schema) ==
                 UINT64_C (0x7275d51a3f395c8f));
    weft_avro_schema_destroy (&schema);
    //  Documentation and order of attributes make no difference.
    const char *a = RECORD (FIELD_OF ("x", "\"int\""));
    const char *b = "{\"doc\":\"d\",\"fields\":[{\"doc\":\"e\",\"type\":"
                    "\"int\",\"name\":\"x\"}],\"namespace\":\"t\",\"name\":"
                    "\"alert\",\"type\":\"record\"}";
    weft_avro_schema_t *one = weft_avro_schema_new (a, strlen (a), why);
    weft_avro_schema_t *two = weft_avro_schema_new (b, strlen (b), why);
    assert_string_equal (weft_avro_schema_name (two), "t.alert");
    assert_true (weft_avro_schema_fingerprint (one) ==
                 weft_avro_schema_fingerprint (two));
    weft_avro_schema_destroy (&one);
    weft_avro_schema_destroy (&two);
}

//  --- containers

static const char schema_text[] = RECORD (FIELD_OF ("number", "\"long\""));

static void
check_block (const weft_buf_t *file)
{
    char why[WEFT_AVRO_WHY] = "";
    weft_avro_block_t block;
    weft_avro_container_t *reader =
        weft_avro_container_new (file->data, file->size, why);
    assert_non_null (reader);
    assert_int_equal (weft_avro_container_next (reader, &block, why), 1);
    assert_int_equal (block.records, 2);
    assert_int_equal (block.size, 40);
    assert_int_equal (block.data[39], 'z');
    assert_int_equal (weft_avro_container_next (reader, &block, why), 0);
    assert_true (weft_avro_container_done (reader));
    weft_avro_container_destroy (&reader);
}

static void
codecs_are_read (void **state)
{
    bench_t *bench = *state;
    const char plain[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaz";
    uint8_t packed[200];
    weft_buf_t *file = &bench->bytes;
    put_container (file, schema_text, NULL, 2, plain, 40);
    check_block (file);
    weft_buf_clear (file);
    put_container (file, schema_text, "null", 2, plain, 40);
    check_block (file);
    z_stream stream = { .next_in = (Bytef *)(uintptr_t)plain,
                        .avail_in = 40,
                        .next_out = packed,
                        .avail_out = sizeof (packed) };
    assert_int_equal (deflateInit2 (&stream, 9, Z_DEFLATED, -15, 8, 0), Z_OK);
    assert_int_equal (deflate (&stream, Z_FINISH), Z_STREAM_END);
    size_t size = stream.total_out;
    deflateEnd (&stream);
    weft_buf_clear (file);
    put_container (file, schema_text, "deflate", 2, packed, size);
    check_block (file);
    size = sizeof (packed) - 4;
    assert_int_equal (snappy_compress (plain, 40, (char *)packed, &size),
                      SNAPPY_OK);
    uint32_t crc = (uint32_t)crc32 (0, (const Bytef *)plain, 40);
    for (int i = 0; i < 4; i++)
        packed[size + (size_t)i] = (uint8_t)(crc >> (24 - 8 * i));
    weft_buf_clear (file);
    put_container (file, schema_text, "snappy", 2, packed, size + 4);
    check_block (file);
    //  A wrong sum.
    char why[WEFT_AVRO_WHY] = "";
    weft_avro_block_t block;
    file->data[file->size - 17] ^= 1;
    weft_avro_container_t *reader =
        weft_avro_container_new (file->data, file->size, why);
    assert_int_equal (weft_avro_container_next (reader, &block, why),
                      WEFT_EMALFORMED);
    assert_non_null (strstr (why, "snappy"));
    weft_avro_container_destroy (&reader);
}

static void
damage_is_named (void **state)
{
    bench_t *bench = *state;
    char why[WEFT_AVRO_WHY] = "";
    weft_avro_block_t block;
    weft_buf_t *file = &bench->bytes;
    put_container (file, schema_text, NULL, 2, "\x02\x04", 2);
    //  One byte lost: the marker is not where it should be.
    memmove (file->data + file->size - 18, file->data + file->size - 17, 17);
    weft_avro_container_t *reader =
        weft_avro_container_new (file->data, file->size, why);
    assert_int_equal (weft_avro_container_next (reader, &block, why),
                      WEFT_EMALFORMED);
    assert_non_null (strstr (why, "sync marker"));
    weft_avro_container_destroy (&reader);
    //  Cut anywhere: refused in the header or in the block, with a reason.
    weft_buf_clear (file);
    put_container (file, schema_text, "brotli", 2, "\x02\x04", 2);
    assert_null (weft_avro_container_new (file->data, file->size, why));
    assert_non_null (strstr (why, "brotli"));
    weft_buf_clear (file);
    put_container (file, schema_text, "null", 2, "\x02\x04", 2);
    for (size_t cut = 0; cut < file->size; cut++) {
        *why = 0;
        reader = weft_avro_container_new (file->data, cut, why);
        if (reader && !weft_avro_container_done (reader))
            assert_true (weft_avro_container_next (reader, &block, why) < 0);
        assert_true (*why || weft_avro_container_done (reader));
        weft_avro_container_destroy (&reader);
    }
}

int
main (void)
{
#define T(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T (unions_are_resolved_by_type),
        T (a_field_of_another_type_is_absent),
        T (nan_is_absent),
        T (all_types_are_stepped_over),
        T (rows_are_told),
        T (hostile_counts_are_refused),
        T (bad_schemas_are_refused),
        T (a_plan_has_a_ceiling),
        T (fingerprints_are_the_specifications),
        T (codecs_are_read),
        T (damage_is_named),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
