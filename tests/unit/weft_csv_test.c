//  The CSV reader: quotes, blanks, delimiters, line ends, and its ceilings.

#include "unit/testing.h"

#include <math.h>

#include "weft_angle.h"
#include "weft_csv.h"

static weft_csv_t csv;
static char bytes[4096];

static void
start (const char *text, char delimiter)
{
    size_t n = strlen (text);
    assert_true (n < sizeof bytes);
    memcpy (bytes, text, n + 1);
    weft_csv_init (&csv, bytes, n, delimiter);
}

static void
is_field (uint32_t i, const char *expected)
{
    assert_true (i < csv.n_fields);
    if (!weft_str_is (csv.fields[i], expected))
        print_error ("field %u is '%.*s'\n", i, (int)csv.fields[i].n,
                     csv.fields[i].p);
    assert_true (weft_str_is (csv.fields[i], expected));
}

static void
plain_fields_are_trimmed (void **state)
{
    (void)state;
    start ("\xef\xbb\xbfra, dec ,id\r\n\n 1.5 ,-2,a b \r\n,,\nlast", ',');
    assert_int_equal (weft_csv_next (&csv), 1);
    assert_int_equal (csv.n_fields, 3);
    is_field (0, "ra");
    is_field (1, "dec");
    is_field (2, "id");
    assert_int_equal (weft_csv_next (&csv), 1);
    assert_int_equal (csv.line, 3);
    is_field (0, "1.5");
    is_field (2, "a b");
    assert_int_equal (weft_csv_next (&csv), 1);
    assert_int_equal (csv.n_fields, 3);
    is_field (2, "");
    assert_int_equal (weft_csv_next (&csv), 1);
    is_field (0, "last");
    assert_int_equal (weft_csv_next (&csv), 0);
    assert_int_equal (weft_csv_next (&csv), 0);
}

static void
quoted_fields_hold_anything (void **state)
{
    (void)state;
    start ("1 , \"a, \"\"b\"\"\nc\" , \"\" ,2\n3,4\n", ',');
    assert_int_equal (weft_csv_next (&csv), 1);
    assert_int_equal (csv.n_fields, 4);
    is_field (1, "a, \"b\"\nc");
    is_field (2, "");
    is_field (3, "2");
    assert_int_equal (weft_csv_next (&csv), 1);
    assert_int_equal (csv.line, 3);
    is_field (1, "4");
}

static void
other_delimiters (void **state)
{
    (void)state;
    start ("a;b,c;d", ';');
    assert_int_equal (weft_csv_next (&csv), 1);
    assert_int_equal (csv.n_fields, 3);
    is_field (1, "b,c");
    start ("a\tb c\t\td", '\t');
    assert_int_equal (weft_csv_next (&csv), 1);
    assert_int_equal (csv.n_fields, 4);
    is_field (1, "b c");
    is_field (2, "");
}

static void
broken_quotes_are_errors (void **state)
{
    (void)state;
    start ("a,\"b", ',');
    assert_int_equal (weft_csv_next (&csv), WEFT_EMALFORMED);
    start ("a,\"b\"c,d", ',');
    assert_int_equal (weft_csv_next (&csv), WEFT_EMALFORMED);
    start ("a,\"b\"\"", ',');
    assert_int_equal (weft_csv_next (&csv), WEFT_EMALFORMED);
}

static void
a_record_has_a_ceiling (void **state)
{
    (void)state;
    size_t n = 2 * WEFT_CSV_RECORD;
    char *data = malloc (n);
    assert_non_null (data);
    memset (data, 'x', n);
    weft_csv_init (&csv, data, n, ',');
    assert_int_equal (weft_csv_next (&csv), WEFT_ETOOBIG);
    memset (data, 'x', n);
    data[0] = '"';
    weft_csv_init (&csv, data, n, ',');
    assert_int_equal (weft_csv_next (&csv), WEFT_ETOOBIG);
    memset (data, ',', 1000);
    data[1000] = '\n';
    weft_csv_init (&csv, data, 1001, ',');
    assert_int_equal (weft_csv_next (&csv), 1);
    assert_int_equal (csv.n_fields, WEFT_CSV_FIELDS);
    free (data);
}

static void
is_angle (const char *text, double expected)
{
    double value;
    if (!weft_angle_sexagesimal (weft_str (text), &value)) {
        print_error ("%s is no angle\n", text);
        fail ();
    }
    assert_true (fabs (value - expected) < 1e-12);
}

static void
angles (void **state)
{
    (void)state;
    is_angle ("00 01 16.37", 1 / 60. + 16.37 / 3600);
    is_angle ("+29 35 34.0", 29 + 35 / 60. + 34 / 3600.);
    is_angle ("-00:12:36", -0.21);
    is_angle ("12h34m48s", 12.58);
    is_angle ("-41d16'12\"", -41.27);
    is_angle ("10 30", 10.5);
    static const char *const bad[] = { "",         "12",      "12 61 00",
                                       "12 34 60", "a b c",   "12 34 56 78",
                                       "12:-3:4",  "1.2.3 4", "nan 1 2" };
    double value;
    for (size_t i = 0; i < WEFT_COUNT (bad); i++)
        assert_false (weft_angle_sexagesimal (weft_str (bad[i]), &value));
}

static void
numbers (void **state)
{
    (void)state;
    double value;
    assert_true (weft_angle_number (weft_str ("-1.5e2"), &value));
    assert_true (value == -150);
    static const char *const bad[] = { "",    "-",     "nan", "inf",
                                       "0x1", "1.5 a", "1,5", "1e999" };
    for (size_t i = 0; i < WEFT_COUNT (bad); i++)
        assert_false (weft_angle_number (weft_str (bad[i]), &value));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (plain_fields_are_trimmed),
        cmocka_unit_test (quoted_fields_hold_anything),
        cmocka_unit_test (other_delimiters),
        cmocka_unit_test (broken_quotes_are_errors),
        cmocka_unit_test (a_record_has_a_ceiling),
        cmocka_unit_test (angles),
        cmocka_unit_test (numbers),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
