//  Catalogues from text, and matches.v1 of one place.

#include "unit/testing.h"

#include <math.h>
#include <unistd.h>

#include "weft_crossmatch.h"

static char why[256];

static weft_catalog_t *
parse (const char *text, const weft_catalog_plan_t *plan, int expected)
{
    weft_catalog_t *catalog;
    size_t n = strlen (text);
    char *data = malloc (n + 1);
    assert_non_null (data);
    memcpy (data, text, n + 1);
    int rc = weft_catalog_parse (&catalog, plan, data, n, why, sizeof why);
    if (rc != expected)
        print_error ("%d: %s\n", rc, why);
    assert_int_equal (rc, expected);
    free (data);
    return catalog;
}

static const weft_catalog_plan_t simple = {
    .ra = "ra",
    .dec = "dec",
    .id = "id",
    .type = "type",
    .mag = "",
    .z = "z",
    .delimiter = ',',
    .header = true,
    .radius = 1 / 3600.0,
};

static void
rows_are_kept_with_their_columns (void **state)
{
    (void)state;
    weft_catalog_t *catalog = parse ("ID,RA,Dec,type,z\n"
                                     "a,10,20,SN,0.1\n"
                                     "b,11,21,SN,\n"
                                     "c,12,22,,x\n",
                                     &simple, 0);
    weft_catalog_row_t row;
    assert_int_equal (weft_catalog_rows (catalog), 3);
    weft_catalog_row (catalog, 0, &row);
    assert_true (weft_str_is (row.id, "a") && weft_str_is (row.type, "SN"));
    assert_true (row.ra == 10 && row.dec == 20 && row.z == 0.1f);
    assert_true (isnan (row.mag));
    weft_catalog_row (catalog, 1, &row);
    assert_true (weft_str_is (row.type, "SN") && isnan (row.z));
    weft_catalog_row (catalog, 2, &row);
    assert_int_equal (row.type.n, 0);
    assert_int_equal (strlen (weft_catalog_version (catalog)), 16);
    weft_catalog_destroy (&catalog);
}

static void
rows_without_a_position_are_counted_and_named (void **state)
{
    (void)state;
    weft_catalog_t *catalog = parse ("ra,dec,id,type,z\n"
                                     "10,20,a,,\n"
                                     ",20,b,,\n"
                                     "10,91,c,,\n"
                                     "nan,20,d,,\n"
                                     "10\n"
                                     "-10,-90,e,,\n",
                                     &simple, 0);
    uint64_t lines[WEFT_CATALOG_BAD];
    assert_int_equal (weft_catalog_rows (catalog), 2);
    assert_int_equal (weft_catalog_bad (catalog, lines), 4);
    assert_int_equal (lines[0], 3);
    assert_int_equal (lines[3], 6);
    weft_catalog_destroy (&catalog);
}

static void
sexagesimal_without_a_header (void **state)
{
    (void)state;
    weft_catalog_plan_t plan = { .ra = "#2",
                                 .dec = "#3",
                                 .id = "#1",
                                 .delimiter = ';',
                                 .sexagesimal = true,
                                 .radius = 1 };
    weft_catalog_t *catalog =
        parse ("NGC5055;13:15:49.27;+42:01:45.7\n", &plan, 0);
    weft_catalog_row_t row;
    weft_catalog_row (catalog, 0, &row);
    assert_true (fabs (row.ra - 198.955291667) < 1e-8);
    assert_true (fabs (row.dec - 42.029361111) < 1e-8);
    weft_catalog_destroy (&catalog);
}

static void
bad_files_say_why (void **state)
{
    (void)state;
    assert_null (parse ("ra,dec\n1,2\n", &simple, WEFT_ECONFIG));
    assert_non_null (strstr (why, "id"));
    assert_null (parse ("", &simple, WEFT_EMALFORMED));
    assert_null (parse ("ra,dec,id,type,z\n1,2,\"x", &simple, WEFT_EMALFORMED));
    assert_non_null (strstr (why, "line 2"));
    weft_catalog_t *catalog;
    assert_int_equal (weft_catalog_load (&catalog, &simple, "/nowhere/x.csv",
                                         why, sizeof why),
                      WEFT_ENOENT);
}

static char path[] = "/tmp/weft-catalog-XXXXXX";

static int
write_file (void **state)
{
    (void)state;
    static const char text[] = "ra,dec,id,type,z\n"
                               "150.0,2.0,near,GAL,0.5\n"
                               "150.0001,2.0,far,STAR,\n"
                               "150.0,2.1,other,QSO,2\n";
    int fd = mkstemp (path);
    if (fd < 0)
        return -1;
    ssize_t n = write (fd, text, sizeof text - 1);
    close (fd);
    return n == sizeof text - 1 ? 0 : -1;
}

static int
remove_file (void **state)
{
    (void)state;
    return unlink (path);
}

static weft_crossmatch_catalog_t
option (char *name, double radius, int64_t nearest)
{
    static char ra[] = "ra", dec[] = "dec", id[] = "id", type[] = "type",
                z[] = "z", none[] = "", comma[] = ",", degrees[] = "degrees";
    return (weft_crossmatch_catalog_t){ .name = name,
                                        .file = path,
                                        .radius_arcsec = radius,
                                        .nearest = nearest,
                                        .ra = ra,
                                        .dec = dec,
                                        .id = id,
                                        .type = type,
                                        .mag = none,
                                        .z = z,
                                        .delimiter = comma,
                                        .angles = degrees,
                                        .header = true,
                                        .required = true,
                                        .dec_min = -90,
                                        .dec_max = 90 };
}

static void
every_catalogue_is_asked_and_says_so (void **state)
{
    (void)state;
    char one[] = "one", two[] = "two", south[] = "south", gone[] = "gone",
         nowhere[] = "/nowhere/x.csv";
    weft_crossmatch_catalog_t list[] = { option (one, 1, 5),
                                         option (two, 0.1, 1),
                                         option (south, 1, 1),
                                         option (gone, 1, 1) };
    list[0].names = true;
    list[2].dec_max = -10;
    list[3].file = nowhere;
    list[3].required = false;
    weft_crossmatch_options_t options = { { list, WEFT_COUNT (list) } };
    weft_crossmatch_t *self;
    assert_int_equal (weft_crossmatch_new (&self, &options), 0);
    static weft_matches_v1_t matches, again;
    weft_crossmatch_find (self, 150.00002, 2, &matches);
    weft_buf_t buf;
    weft_buf_init (&buf, 100000);
    assert_int_equal (weft_contract_encode (&weft_matches_v1, &matches, &buf),
                      0);
    assert_int_equal (
        weft_contract_decode (&weft_matches_v1, &again, buf.data, buf.size), 0);
    assert_int_equal (again.n_catalogs, 4);
    assert_int_equal (again.catalogs[0].state, WEFT_SEARCHED);
    assert_int_equal (again.catalogs[0].found, 2);
    assert_int_equal (again.catalogs[1].state, WEFT_SEARCHED);
    assert_int_equal (again.catalogs[1].found, 1);
    assert_int_equal (again.catalogs[2].state, WEFT_OUTSIDE);
    assert_int_equal (again.catalogs[3].state, WEFT_NOT_SEARCHED);
    assert_false (WEFT_HAS (catalog_v1, &again.catalogs[3], version));
    assert_int_equal (again.n_matches, 3);
    assert_true (weft_str_is (again.matches[0].id, "near"));
    assert_true (fabs (again.matches[0].sep - 0.07196) < 1e-4);
    assert_true (again.matches[0].z == 0.5f);
    assert_true (weft_str_is (again.matches[1].type, "STAR"));
    assert_false (WEFT_HAS (match_v1, &again.matches[1], z));
    assert_true (weft_str_is (again.matches[2].catalog, "two"));
    assert_int_equal (again.n_names, 1);
    assert_true (weft_str_is (again.names[0].survey, "one"));
    assert_true (weft_str_is (again.names[0].id, "near"));
    weft_crossmatch_find (self, NAN, 2, &matches);
    assert_int_equal (matches.catalogs[0].state, WEFT_NOT_SEARCHED);
    weft_buf_fini (&buf);
    weft_crossmatch_destroy (&self);
}

static void
a_configuration_that_will_not_do_is_refused (void **state)
{
    (void)state;
    char one[] = "one", two[] = "two", nowhere[] = "/nowhere/x.csv",
         column[] = "nothing";
    weft_crossmatch_catalog_t list[] = { option (one, 1, 60),
                                         option (two, 1, 5) };
    weft_crossmatch_options_t options = { { list, 2 } };
    weft_crossmatch_t *self;
    assert_int_equal (weft_crossmatch_new (&self, &options), WEFT_ECONFIG);
    list[0] = option (one, 1, 1);
    list[0].file = nowhere;
    assert_int_equal (weft_crossmatch_new (&self, &options), WEFT_ECONFIG);
    list[0] = option (one, 1, 1);
    list[0].mag = column;
    assert_int_equal (weft_crossmatch_new (&self, &options), WEFT_ECONFIG);
    list[0] = option (one, 1, 1);
    list[0].delimiter = column;
    assert_int_equal (weft_crossmatch_new (&self, &options), WEFT_ECONFIG);
    assert_null (self);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (rows_are_kept_with_their_columns),
        cmocka_unit_test (rows_without_a_position_are_counted_and_named),
        cmocka_unit_test (sexagesimal_without_a_header),
        cmocka_unit_test (bad_files_say_why),
        cmocka_unit_test (every_catalogue_is_asked_and_says_so),
        cmocka_unit_test (a_configuration_that_will_not_do_is_refused),
    };
    return cmocka_run_group_tests (tests, write_file, remove_file);
}
