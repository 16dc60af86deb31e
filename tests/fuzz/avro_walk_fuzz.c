//  avro_walk_fuzz.c - any bytes as a datum, and any text as a schema.
//
//  The first byte chooses: one of the schemas below with the rest as datum, or
//  the rest up to a zero byte as the schema. Whatever comes, the walk stays
//  within the bytes and ends soon.

#include "weft_avro_plan.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

// clang-format off
#define F(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
static const char *const texts[] = {
    "{\"type\":\"record\",\"name\":\"a\",\"fields\":["
    F ("x", "[\"null\",\"float\"]") ","
    F ("y", "[\"string\",\"null\"]") ","
    F ("rows", "[\"null\",{\"type\":\"array\",\"items\":"
               "{\"type\":\"record\",\"name\":\"r\",\"fields\":["
               F ("x", "\"long\"") ","
               F ("z", "[\"null\",\"int\",\"double\",\"bytes\"]")
               "]}}]") ","
    F ("m", "{\"type\":\"map\",\"values\":[\"null\",\"boolean\"]}")
    "]}",
    "{\"type\":\"record\",\"name\":\"a\",\"fields\":["
    F ("n", "{\"type\":\"array\",\"items\":\"null\"}") ","
    F ("e", "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"B\"]}") ","
    F ("x", "\"e\"") ","
    F ("f", "{\"type\":\"fixed\",\"name\":\"f\",\"size\":3}") ","
    F ("d", "{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":"
            "{\"type\":\"map\",\"values\":\"f\"}}}")
    "]}",
};
// clang-format on

static const weft_avro_want_t wants[] = {
    { "x", WEFT_AVRO_NUMBER | WEFT_AVRO_TEXT, 0, -1 },
    { "y", WEFT_AVRO_TEXT, 0, -1 },
    { "f", WEFT_AVRO_BIT (FIXED), 0, -1 },
};
static const weft_avro_group_t groups[] = { { "", wants, 3, NULL },
                                            { "rows[]", wants, 1, NULL } };

//  Reads what the row holds: a sanitizer sees what is not there.
static int
row (void *arg, size_t group, const weft_avro_value_t *values)
{
    (void)group;
    if (values[0].type == WEFT_AVRO_STRING && values[0].n)
        *(unsigned *)arg += values[0].p[values[0].n - 1];
    return 0;
}

static void
walk (const char *text, size_t n, const uint8_t *data, size_t size)
{
    char why[WEFT_AVRO_WHY];
    weft_avro_value_t values[8];
    unsigned sum = 0;
    weft_avro_schema_t *schema = weft_avro_schema_new (text, n, why);
    weft_avro_plan_t *plan =
        schema ? weft_avro_plan_new (schema, groups, 2, why) : NULL;
    if (plan) {
        weft_avro_walk_t to = { .data = data,
                                .size = size,
                                .values = values,
                                .row = row,
                                .arg = &sum };
        if (!weft_avro_plan_walk (plan, &to) && to.used > size)
            abort ();
        (void)row (&sum, 0, values + 1);
    }
    weft_avro_plan_destroy (&plan);
    weft_avro_schema_destroy (&schema);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    if (*data < 0xc0) {
        const char *text = texts[*data % WEFT_COUNT (texts)];
        walk (text, strlen (text), data + 1, size - 1);
        return 0;
    }
    const uint8_t *zero = memchr (data + 1, 0, size - 1);
    size_t n = zero ? (size_t)(zero - data - 1) : size - 1;
    size_t rest = zero ? size - n - 2 : 0;
    walk ((const char *)data + 1, n, data + size - rest, rest);
    return 0;
}
