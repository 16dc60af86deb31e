//  Metrics: the text format 0.0.4 to the byte.

#include "testing.h"

#include "weft_metrics.h"

static char *
written (weft_buf_t *buf)
{
    weft_buf_init (buf, 1 << 20);
    weft_metrics_write (buf);
    weft_buf_add (buf, "", 1);
    assert_int_equal (buf->error, 0);
    return (char *)buf->data;
}

static void
counters_and_gauges (void **state)
{
    (void)state;
    weft_metric_t *a = weft_counter ("t_total", "stage=\"a\"");
    weft_metric_t *g = weft_gauge ("t_gauge", "");
    weft_metric_t *b = weft_counter ("t_total", "stage=\"b\"");
    assert_ptr_equal (a, weft_counter ("t_total", "stage=\"a\""));
    weft_metric_add (a, 2);
    weft_metric_add (a, 1);
    weft_metric_add (b, 9007199254740);
    weft_metric_set (g, -0.5);
    assert_true (weft_metric_value (a) == 3);
    weft_buf_t buf;
    assert_non_null (strstr (written (&buf), "# TYPE t_total counter\n"
                                             "t_total{stage=\"a\"} 3\n"
                                             "t_total{stage=\"b\"} "
                                             "9007199254740\n"
                                             "# TYPE t_gauge gauge\n"
                                             "t_gauge -0.5\n"));
    weft_buf_fini (&buf);
}

static void
histograms (void **state)
{
    (void)state;
    static const double bounds[] = { 0.1, 1, 60, 0 };
    weft_metric_t *h = weft_histogram ("t_seconds", "stage=\"a\"", bounds);
    weft_metric_observe (h, 0.1);
    weft_metric_observe (h, 0.5);
    weft_metric_observe (h, 100);
    weft_buf_t buf;
    assert_non_null (strstr (written (&buf),
                             "# TYPE t_seconds histogram\n"
                             "t_seconds_bucket{stage=\"a\",le=\"0.1\"} 1\n"
                             "t_seconds_bucket{stage=\"a\",le=\"1\"} 2\n"
                             "t_seconds_bucket{stage=\"a\",le=\"60\"} 2\n"
                             "t_seconds_bucket{stage=\"a\",le=\"+Inf\"} 3\n"
                             "t_seconds_sum{stage=\"a\"} 100.6\n"
                             "t_seconds_count{stage=\"a\"} 3\n"));
    weft_buf_fini (&buf);
}

static void
labels_are_escaped (void **state)
{
    (void)state;
    char out[16];
    weft_metric_label ("a\"b\\c\nd", out, sizeof out);
    assert_string_equal (out, "a\\\"b\\\\c\\nd");
    weft_metric_label ("aaaaaaaaaaaaaaaaaaaaaaa", out, 8);
    assert_true (strlen (out) < 8);
}

//  One that is given back by all who have it leaves, and makes room.
static void
what_is_given_back_leaves (void **state)
{
    (void)state;
    weft_buf_t buf;
    weft_metric_t *stays = weft_gauge ("t_night", "n=\"stays\"");
    for (int i = 0; i < 3000; i++) {
        char labels[32];
        snprintf (labels, sizeof labels, "n=\"%d\"", i);
        weft_metric_t *a = weft_gauge ("t_night", labels);
        weft_metric_t *b = weft_gauge ("t_night", labels);
        assert_ptr_equal (a, b);
        weft_metric_set (b, i);
        weft_metric_drop (&a);
        assert_null (a);
        if (i == 2999)
            assert_non_null (
                strstr (written (&buf), "t_night{n=\"2999\"} 2999\n"));
        weft_metric_drop (&b);
    }
    weft_buf_fini (&buf);
    assert_null (strstr (written (&buf), "n=\"2999\""));
    assert_non_null (strstr ((char *)buf.data, "t_night{n=\"stays\"} 0\n"));
    weft_buf_fini (&buf);
    weft_metric_drop (&stays);
    weft_metric_drop (&stays);
}

static void
there_is_a_ceiling (void **state)
{
    (void)state;
    char labels[32];
    weft_metric_t *last = NULL;
    for (int i = 0; i < 3000; i++) {
        snprintf (labels, sizeof labels, "n=\"%d\"", i);
        last = weft_counter ("t_many", labels);
        weft_metric_add (last, 1);
    }
    weft_metric_t *more = weft_gauge ("t_more", "");
    assert_ptr_equal (last, more);
    weft_metric_drop (&more);
    assert_ptr_equal (last, weft_gauge ("t_more", ""));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (counters_and_gauges),
        cmocka_unit_test (histograms),
        cmocka_unit_test (labels_are_escaped),
        cmocka_unit_test (what_is_given_back_leaves),
        cmocka_unit_test (there_is_a_ceiling),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
