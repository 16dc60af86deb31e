//  Golden vectors of the contracts against the C code.
//
//  proto/vectors/NAME.json holds bytes, good and hostile. A good vector gives
//  the JSON beside it and, encoded again, the same bytes (or the `canonical`
//  ones); a hostile one is refused with the error beside it.

#include "unit/testing.h"

#include <jansson.h>

#include "weft_contracts.h"

#define RECORD_MOST (1 << 20)
#define BYTES_MOST (1 << 20)

static int
digit (char c)
{
    const char *digits = "0123456789abcdef", *at = strchr (digits, c);
    assert_true (c && at);
    return (int)(at - digits);
}

//  The bytes of a list of hexadecimal lines.
static void
unhex (json_t *lines, weft_buf_t *out)
{
    size_t i;
    json_t *line;
    assert_true (json_is_array (lines));
    json_array_foreach (lines, i, line)
    {
        const char *text = json_string_value (line);
        for (; *text; text += 2) {
            uint8_t byte = (uint8_t)(digit (text[0]) << 4 | digit (text[1]));
            weft_buf_add (out, &byte, 1);
        }
    }
    assert_int_equal (out->error, 0);
}

//  A copy that ends where an allocation ends: a read beyond it is found by
//  the sanitizer.
static uint8_t *
tight_copy (const weft_buf_t *buf)
{
    uint8_t *copy = malloc (buf->size ? buf->size : 1);
    assert_non_null (copy);
    if (buf->size)
        memcpy (copy, buf->data, buf->size);
    return copy;
}

static void
check_good (const weft_contract_t *contract, json_t *vector, void *record)
{
    weft_buf_t again, expected;
    weft_buf_init (&again, BYTES_MOST);
    weft_buf_init (&expected, BYTES_MOST);
    json_t *canonical = json_object_get (vector, "canonical");
    unhex (canonical ? canonical : json_object_get (vector, "hex"), &expected);
    assert_int_equal (weft_contract_encode (contract, record, &again), 0);
    assert_int_equal (again.size, expected.size);
    assert_memory_equal (again.data, expected.data, expected.size);
    json_t *json = weft_contract_json (contract, record);
    if (!json_equal (json, json_object_get (vector, "json"))) {
        char *text = json_dumps (json, JSON_INDENT (1));
        fail_msg ("%s: other JSON: %s", contract->name, text);
    }
    json_decref (json);
    weft_buf_fini (&again);
    weft_buf_fini (&expected);
}

static void
check_vector (const weft_contract_t *contract, json_t *vector, void *record)
{
    weft_buf_t buf;
    weft_buf_init (&buf, BYTES_MOST);
    unhex (json_object_get (vector, "hex"), &buf);
    uint8_t *data = tight_copy (&buf);
    const char *name = json_string_value (json_object_get (vector, "name"));
    const char *error = json_string_value (json_object_get (vector, "error"));
    int rc = weft_contract_decode (contract, record, data, buf.size);
    const char *got = rc ? weft_error_name (rc) : "accepted";
    if (strcmp (got, error ? error : "accepted") != 0)
        fail_msg ("%s: %s: %s, not %s", contract->name, name, got,
                  error ? error : "accepted");
    if (!error)
        check_good (contract, vector, record);
    for (size_t n = 0; !error && n < buf.size; n++)
        assert_int_not_equal (weft_contract_decode (contract, record, data, n),
                              0);
    free (data);
    weft_buf_fini (&buf);
}

static bool
is_inner (const weft_contract_t *contract)
{
    for (size_t i = 0; weft_contract_at (i); i++) {
        const weft_contract_t *outer = weft_contract_at (i);
        for (uint32_t k = 0; k < outer->n_fields; k++)
            if (outer->fields[k].sub == contract)
                return true;
    }
    return false;
}

static size_t
check_contract (const weft_contract_t *contract)
{
    char path[256];
    snprintf (path, sizeof path, "proto/vectors/%s.json", contract->name);
    json_error_t error;
    json_t *vectors = json_load_file (path, 0, &error), *vector;
    if (!vectors && is_inner (contract))
        return 0;
    if (!vectors)
        fail_msg ("%s: %s", path, error.text);
    assert_true (contract->size <= RECORD_MOST);
    void *record = calloc (1, contract->size);
    assert_non_null (record);
    size_t i, count = json_array_size (vectors);
    json_array_foreach (vectors, i, vector)
    {
        check_vector (contract, vector, record);
    }
    free (record);
    json_decref (vectors);
    return count;
}

static void
every_vector_is_judged_right (void **state)
{
    (void)state;
    size_t count = 0;
    for (size_t i = 0; weft_contract_at (i); i++)
        count += check_contract (weft_contract_at (i));
    print_message ("%zu vectors\n", count);
    assert_true (count > 100);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (every_vector_is_judged_right),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
