//  weft_training_set_test.c - truth from a file, and splits by object.

#include "testing.h"

#include "weft_training_set.h"
#include "weft_truth.h"

#include <math.h>
#include <unistd.h>

static char path[] = "/tmp/weft-truth-XXXXXX";

static void
write_truth (const char *text)
{
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fputs (text, file);
    fclose (file);
}

static int
make_file (void **state)
{
    (void)state;
    int fd = mkstemp (path);
    assert_true (fd >= 0);
    close (fd);
    return 0;
}

static int
remove_file (void **state)
{
    (void)state;
    return unlink (path);
}

static void
test_truth_is_read_by_column_names (void **state)
{
    (void)state;
    char why[WEFT_TRUTH_WHY];
    write_truth ("class,night,alert_id\nulens,1,-7\nAGN,1,"
                 "9007199254740993\r\n\nulens,2,5\n");
    weft_truth_t *truth = weft_truth_new (path, why);
    assert_non_null (truth);
    assert_int_equal (weft_truth_rows (truth), 3);
    assert_int_equal (weft_truth_classes (truth), 2);
    assert_string_equal (weft_truth_class_name (truth, 0), "AGN");
    assert_string_equal (weft_truth_class_name (truth, 1), "ulens");
    assert_int_equal (weft_truth_class (truth, INT64_C (9007199254740993)), 0);
    assert_int_equal (weft_truth_class (truth, -7), 1);
    assert_int_equal (weft_truth_class (truth, 6), -1);
    weft_truth_destroy (&truth);
}

static void
test_bad_truth_is_named (void **state)
{
    (void)state;
    char why[WEFT_TRUTH_WHY];
    write_truth ("alert_id,class\n1,a\nx,b\n");
    assert_null (weft_truth_new (path, why));
    assert_non_null (strstr (why, "line 3"));
    write_truth ("id,class\n1,a\n");
    assert_null (weft_truth_new (path, why));
    assert_non_null (strstr (why, "alert_id"));
    assert_null (weft_truth_new ("/nowhere/truth.csv", why));
}

//  All alerts of an object in one split, shares near 6 : 2 : 2, another split
//  with another seed.
static void
test_objects_stay_together (void **state)
{
    (void)state;
    weft_training_set_t one, two;
    weft_training_set_init (&one, 2, 3, 1);
    weft_training_set_init (&two, 2, 3, 2);
    for (uint32_t i = 0; i < 3000; i++) {
        char object[16];
        int size = snprintf (object, sizeof (object), "ZTF%u", i / 3);
        float values[2] = { (float)(i / 3), i % 3 ? 1 : INFINITY };
        assert_int_equal (
            weft_training_set_add (&one, object, (size_t)size, values, i % 3),
            0);
        assert_int_equal (
            weft_training_set_add (&two, object, (size_t)size, values, i % 3),
            0);
    }
    size_t total = 0;
    for (int s = 0; s < WEFT_SPLITS; s++) {
        weft_rows_of_truth_t rows =
            weft_training_set_rows (&one, (weft_split_t)s);
        assert_int_equal (rows.rows % 3, 0);
        for (size_t i = 0; i < rows.rows; i += 3) {
            assert_true (fabsf (rows.values[2 * i] - rows.values[2 * (i + 2)]) <
                         0.5f);
            assert_true (isnan (rows.values[2 * i + 1]));
        }
        total += rows.rows;
    }
    assert_int_equal (total, 3000);
    assert_in_range (one.splits[WEFT_SPLIT_TRAIN].n, 1650, 1950);
    assert_int_not_equal (one.splits[WEFT_SPLIT_TEST].n,
                          two.splits[WEFT_SPLIT_TEST].n);
    weft_training_set_fini (&one);
    weft_training_set_fini (&two);
}

//  A class that only the test split knows cannot be learned: its rows go.
static void
test_compact (void **state)
{
    (void)state;
    weft_training_set_t self;
    int32_t number[3];
    weft_training_set_init (&self, 1, 3, 1);
    const float value = 1;
    for (uint32_t i = 0; i < 300; i++) {
        char object[16];
        int size = snprintf (object, sizeof (object), "ZTF%u", i);
        assert_int_equal (weft_training_set_add (&self, object, (size_t)size,
                                                 &value, i % 2 * 2),
                          0);
    }
    weft_split_rows_t *test = &self.splits[WEFT_SPLIT_TEST];
    size_t before = test->n;
    test->truth[0] = 1;
    assert_int_equal (weft_training_set_compact (&self, number), 2);
    assert_int_equal (number[0], 0);
    assert_int_equal (number[1], -1);
    assert_int_equal (number[2], 1);
    assert_int_equal (test->n, before - 1);
    assert_int_equal (self.classes, 2);
    weft_training_set_fini (&self);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_truth_is_read_by_column_names),
        cmocka_unit_test (test_bad_truth_is_named),
        cmocka_unit_test (test_objects_stay_together),
        cmocka_unit_test (test_compact),
    };
    return cmocka_run_group_tests (tests, make_file, remove_file);
}
