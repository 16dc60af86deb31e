//  JSON text: whatever comes in, what goes out is valid and says the same.

#include "unit/testing.h"

#include <jansson.h>
#include <math.h>

#include "weft_json_text.h"

//  Reads back what was written, as one value.
static json_t *
read_back (weft_buf_t *buf)
{
    json_error_t error;
    json_t *json =
        json_loadb ((char *)buf->data, buf->size, JSON_DECODE_ANY, &error);
    if (!json)
        fail_msg ("%s: %.*s", error.text, (int)buf->size, buf->data);
    weft_buf_clear (buf);
    return json;
}

static void
numbers_are_rounded_to_their_decimals (void **state)
{
    (void)state;
    static const struct {
        double value;
        int decimals;
        const char *text;
    } cases[] = {
        { 0, 3, "0" },
        { -0.0, 3, "0" },
        { 1.5, 3, "1.5" },
        { -1.0005, 2, "-1" },
        { 0.05, 2, "0.05" },
        { -0.004, 2, "0" },
        { 60000.25, 9, "60000.25" },
        { 359.999999999, 9, "359.999999999" },
        { 2.9999, 3, "3" },
        { NAN, 3, "null" },
        { INFINITY, 3, "null" },
        { 1e300, 2, "1e+300" },
        { -1e-300, 9, "0" },
        { 123456, 0, "123456" },
    };
    weft_buf_t buf;
    weft_buf_init (&buf, 1000);
    for (size_t i = 0; i < WEFT_COUNT (cases); i++) {
        weft_buf_clear (&buf);
        weft_json_add_fixed (&buf, cases[i].value, cases[i].decimals);
        weft_buf_add (&buf, "", 1);
        assert_string_equal ((char *)buf.data, cases[i].text);
    }
    weft_buf_clear (&buf);
    weft_json_add_id (&buf, INT64_MIN);
    weft_buf_add (&buf, "", 1);
    assert_string_equal ((char *)buf.data, "\"-9223372036854775808\"");
    weft_buf_fini (&buf);
}

static void
any_bytes_make_a_valid_text (void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "plain", "plain" },
        { "", "" },
        { "a\"b\\c", "a\"b\\c" },
        { "tab\tnew\n", "tab\tnew\n" },
        { "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
          "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
        { "\xff\xfe", "??" },
        { "\xc0\xaf", "??" },            //  overlong
        { "\xed\xa0\x80", "???" },       //  surrogate
        { "\xf5\x80\x80\x80", "????" },  //  beyond the last character
        { "cut\xe2\x82", "cut??" },
        { "\x7f", "\x7f" },
    };
    weft_buf_t buf;
    weft_buf_init (&buf, 10000);
    for (size_t i = 0; i < WEFT_COUNT (cases); i++) {
        weft_json_add_text (&buf, weft_str (cases[i].in));
        json_t *json = read_back (&buf);
        assert_string_equal (json_string_value (json), cases[i].out);
        json_decref (json);
    }
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        char bytes[12];
        uint32_t n = (uint32_t)(rand_r (&seed) % 12);
        for (uint32_t i = 0; i < n; i++)
            bytes[i] = (char)rand_r (&seed);
        weft_json_add_text (&buf, (weft_str_t){ bytes, n });
        json_decref (read_back (&buf));
    }
    weft_buf_fini (&buf);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (numbers_are_rounded_to_their_decimals),
        cmocka_unit_test (any_bytes_make_a_valid_text),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
