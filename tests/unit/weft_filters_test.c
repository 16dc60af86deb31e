//  Filters: what holds, what does not, and what strangers may not do.

#include "unit/testing.h"

#include "unit/notifier_alert.h"
#include "weft_filters.h"

static const weft_filter_limits_t limits = { .budget = 100000, .strikes = 2 };

//  Filters of one condition each, named f0, f1, ...
static int
load (weft_filters_t **out, const char *const *sql, uint32_t n, char *why)
{
    static weft_condition_option_t conditions[32];
    static weft_filter_option_t options[32];
    static char names[32][8];
    for (uint32_t i = 0; i < n; i++) {
        snprintf (names[i], sizeof names[i], "f%u", i);
        conditions[i] =
            (weft_condition_option_t){ (char *)"c", (char *)(uintptr_t)sql[i] };
        options[i] = (weft_filter_option_t){
            names[i], (char *)"somebody", { NULL, 0 }, { &conditions[i], 1 }
        };
    }
    return weft_filters_new (out, options, n, limits, why, 300);
}

static alert_spec_t
usual (void)
{
    return (alert_spec_t){ .id = 2000000000000000001,
                           .rows = 20,
                           .ra = 10,
                           .dec = 20,
                           .drb = 0.95f,
                           .p_ia = 0.7f };
}

//  The verdict of one condition on an alert, both ways of asking.
static weft_verdict_t
verdict (const char *sql, const alert_spec_t *spec)
{
    char why[300];
    weft_filters_t *filters;
    if (load (&filters, &sql, 1, why))
        fail_msg ("%s: %s", sql, why);
    weft_alert_t *alert = make_full_alert (spec);
    weft_verdict_t told;
    weft_filter_result_t result;
    assert_int_equal (weft_filters_evaluate (filters, alert, &result), 0);
    assert_int_equal (weft_filters_explain (filters, alert, 0, &told), 0);
    assert_int_equal (result.verdict == WEFT_VERDICT_TRUE,
                      told == WEFT_VERDICT_TRUE);
    weft_alert_unref (&alert);
    weft_filters_destroy (&filters);
    return told;
}

static void
conditions_read_every_table (void **state)
{
    (void)state;
    static const char *const hold[] = {
        "drb > 0.9 AND rb < 0.9",
        "survey = 'ztf' AND object_id LIKE 'ZTF18%'",
        "alert_id = 2000000000000000001",
        "alert_id < 2000000000000000002 AND alert_id > 2000000000000000000",
        "band = 6 AND band_name = 'zg'",
        "ps1_1_sg < 0.5 AND ps1_1_id = 123456789012345678",
        "ps1_2_sg IS NULL AND gaia_sep > 10 AND gaia_g IS NULL",
        "(SELECT count(*) FROM history) = 20",
        "(SELECT count(*) FROM history WHERE kind = 'D') = 13",
        "(SELECT count(*) FROM history WHERE kind = 'L' AND id IS NULL) = 4",
        "(SELECT count(*) FROM history WHERE band_name = 'zr') = 10",
        "(SELECT max(flux) FROM history WHERE kind = 'D') = 1019",
        "(SELECT id FROM history WHERE trig) = alert_id",
        "(SELECT mjd FROM history WHERE id = 2000000000000000001) = t_obs",
        "(SELECT sum(n_d) FROM bands) = 13",
        "(SELECT n_l FROM bands WHERE band_name = 'zr') = 4",
        "(SELECT max(last_mjd) FROM bands) = t_obs",
        "EXISTS (SELECT 1 FROM matches WHERE catalog = 'glade' AND sep < 5)",
        "(SELECT z FROM matches ORDER BY sep LIMIT 1) BETWEEN 0.02 AND 0.04",
        "(SELECT found FROM catalogs WHERE name = 'glade' AND state = 1) = 2",
        "EXISTS (SELECT 1 FROM names WHERE survey = 'tns')",
        "(SELECT p FROM scores WHERE class = 'SN Ia') > 0.6",
        "(SELECT count(*) FROM scores) = 3",
        "(SELECT class FROM scores ORDER BY p DESC LIMIT 1) = 'SN Ia'",
        "mag (flux) BETWEEN 23 AND 25 AND mag (-1) IS NULL",
        "abs (gal_b (192.85948, 27.12825) - 90) < 1e-5",
        "abs (gal_l (266.40499, -28.93617) - 0) < 1e-3 OR "
        "abs (gal_l (266.40499, -28.93617) - 360) < 1e-3",
        "abs (separation (10, 20, 10, 20.001) - 3.6) < 1e-6",
        "nbad",  //  a number that is 0 does not hold, see below
    };
    alert_spec_t spec = usual ();
    for (size_t i = 0; i + 1 < WEFT_COUNT (hold); i++)
        if (verdict (hold[i], &spec) != WEFT_VERDICT_TRUE)
            fail_msg ("should hold: %s", hold[i]);
    assert_int_equal (verdict (hold[WEFT_COUNT (hold) - 1], &spec),
                      WEFT_VERDICT_FALSE);
}

static void
comparisons_in_c_agree_with_sqlite (void **state)
{
    (void)state;
    //  A unary plus hides a comparison from the tables, so SQLite makes it.
    static const char *const pairs[][2] = {
        { "mjd > 59995", "+mjd > 59995" },
        { "mjd >= 59995.25", "+mjd >= 59995.25" },
        { "flux = 1003", "+flux = 1003" },
        { "id > 2000000000000000000", "+id > 2000000000000000000" },
        { "id = 2000000000000000001", "+id = 2000000000000000001" },
        { "kind = 'd' COLLATE NOCASE", "+kind = 'd' COLLATE NOCASE" },
        { "kind > 'D'", "+kind > 'D'" },
        { "band_name = 7", "+band_name = 7" },
        { "flux <= NULL", "+flux <= NULL" },
        { "flux IS NULL", "+flux IS NULL" },
        { "lim < flux", "+lim < flux" },
    };
    alert_spec_t spec = usual ();
    for (size_t i = 0; i < WEFT_COUNT (pairs); i++) {
        char sql[300];
        snprintf (sql, sizeof sql,
                  "(SELECT count(*) FROM history WHERE %s) ="
                  "(SELECT count(*) FROM history WHERE %s)",
                  pairs[i][0], pairs[i][1]);
        if (verdict (sql, &spec) != WEFT_VERDICT_TRUE)
            fail_msg ("differs: %s", pairs[i][0]);
    }
}

static void
absent_is_null_and_does_not_hold (void **state)
{
    (void)state;
    alert_spec_t spec = usual ();
    spec.drb = NAN;
    spec.no_scores = true;
    spec.no_matches = true;
    assert_int_equal (verdict ("drb > 0.5", &spec), WEFT_VERDICT_UNKNOWN);
    assert_int_equal (verdict ("NOT drb > 0.5", &spec), WEFT_VERDICT_UNKNOWN);
    assert_int_equal (verdict ("drb IS NULL", &spec), WEFT_VERDICT_TRUE);
    assert_int_equal (verdict ("(SELECT p FROM scores) > 0", &spec),
                      WEFT_VERDICT_UNKNOWN);
    assert_int_equal (verdict ("EXISTS (SELECT 1 FROM matches)", &spec),
                      WEFT_VERDICT_FALSE);
    assert_int_equal (verdict ("sso_name = 'x'", &spec), WEFT_VERDICT_UNKNOWN);
}

static void
all_conditions_must_hold (void **state)
{
    (void)state;
    weft_condition_option_t c[] = { { (char *)"real", (char *)"drb > 0.5" },
                                    { (char *)"far", (char *)"ra > 100" },
                                    { (char *)"odd", (char *)"sso_sep < 1" } };
    weft_filter_option_t option = {
        (char *)"f", (char *)"o", { NULL, 0 }, { c, 3 }
    };
    char why[300];
    weft_filters_t *filters;
    assert_int_equal (weft_filters_new (&filters, &option, 1, limits, why, 300),
                      0);
    alert_spec_t spec = usual ();
    weft_alert_t *alert = make_full_alert (&spec);
    weft_filter_result_t result;
    assert_int_equal (weft_filters_evaluate (filters, alert, &result), 0);
    assert_int_equal (result.verdict, WEFT_VERDICT_FALSE);
    assert_int_equal (result.condition, 1);
    weft_verdict_t told[3];
    assert_int_equal (weft_filters_explain (filters, alert, 0, told), 0);
    assert_int_equal (told[0], WEFT_VERDICT_TRUE);
    assert_int_equal (told[1], WEFT_VERDICT_FALSE);
    assert_int_equal (told[2], WEFT_VERDICT_UNKNOWN);
    assert_string_equal (weft_filters_condition_name (filters, 0, 1), "far");
    weft_alert_unref (&alert);
    weft_filters_destroy (&filters);
}

static void
strangers_cannot_leave_the_handle (void **state)
{
    (void)state;
    static const char *const refused[] = {
        "1; ATTACH 'x' AS y",
        "1) FROM alert; ATTACH '/tmp/x' AS y; SELECT (1",
        "1) FROM alert UNION SELECT (2",
        "1), (2",
        "load_extension ('/tmp/x.so')",
        "readfile ('/etc/passwd')",
        "writefile ('/tmp/x', 'y')",
        "(SELECT 1 FROM pragma_table_info ('alert'))",
        "(SELECT 1 FROM pragma_database_list)",
        "(SELECT count(*) FROM sqlite_master)",
        "(SELECT count(*) FROM sqlite_schema)",
        "(SELECT 1 FROM dbstat)",
        "(SELECT 1 FROM sqlite_stmt)",
        "(SELECT value FROM json_each ('[1]'))",
        "(INSERT INTO alert VALUES (1))",
        "(DELETE FROM history)",
        "(PRAGMA query_only)",
        "random () > 0",
        "randomblob (10) = 1",
        "zeroblob (1000000000) = 1",
        "julianday ('now') > 1",
        "datetime () > 1",
        "fts3_tokenizer ('simple') = 1",
        "printf ('%1000000d', 1) = 1",
        "sqlite_version () > 1",
        "changes () > 1",
        "drb > ?",
        "drb > :x",
        "drb > 0.5 -- comment",
        "drb > 0.5 /* comment",
        "\"drbx\" > 1",
        "'open",
        "",
        "  ",
        "(1",
        "drbx > 1",
        "drb >",
        "(SELECT 1, 2)",
        "(SELECT 1 FROM nothing)",
    };
    for (size_t i = 0; i < WEFT_COUNT (refused); i++) {
        char why[300] = "";
        weft_filters_t *filters;
        if (load (&filters, &refused[i], 1, why) != WEFT_ECONFIG)
            fail_msg ("should be refused: %s", refused[i]);
        assert_null (filters);
        assert_non_null (strstr (why, "filter \"f0\""));
        assert_non_null (strstr (why, "condition \"c\": "));
        assert_true (strlen (why) >
                     strlen ("filter \"f0\", condition \"c\": "));
    }
}

static void
an_error_names_the_column (void **state)
{
    (void)state;
    const char *sql[] = { "drb > 1", "drbb > 0.5" };
    char why[300];
    weft_filters_t *filters;
    assert_int_equal (load (&filters, sql, 2, why), WEFT_ECONFIG);
    assert_string_equal (
        why, "filter \"f1\", condition \"c\": no such column: drbb");
}

static void
what_takes_too_long_is_stopped_and_quarantined (void **state)
{
    (void)state;
    const char *sql[] = {
        "drb > 0.5",
        "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        " SELECT max (i) FROM n) > 0",
        "ra > 5",
    };
    char why[300];
    weft_filters_t *filters;
    assert_int_equal (load (&filters, sql, 3, why), 0);
    alert_spec_t spec = usual ();
    weft_alert_t *alert = make_full_alert (&spec);
    weft_filter_result_t r[3];
    for (int round = 0; round < 4; round++) {
        assert_int_equal (weft_filters_evaluate (filters, alert, r), 0);
        assert_int_equal (r[0].verdict, WEFT_VERDICT_TRUE);
        assert_int_equal (r[1].verdict, round < 2 ? WEFT_VERDICT_FAILED
                                                  : WEFT_VERDICT_QUARANTINED);
        assert_int_equal (r[2].verdict, WEFT_VERDICT_TRUE);
    }
    assert_true (weft_filters_quarantined (filters, 1));
    assert_string_equal (weft_filters_owner (filters, 1), "somebody");
    assert_string_equal (weft_filters_failure (filters, 1),
                         "over its budget of 100000 steps");
    weft_alert_unref (&alert);
    weft_filters_destroy (&filters);
}

static void
what_fails_does_not_stop_the_others (void **state)
{
    (void)state;
    const char *sql[] = {
        "abs (-9223372036854775807 - (nbad = 0)) > 0",  //  overflows
        "ra > 5",
        //  quadratic in the curve: too much at 1,024 rows, fine at 20
        "(SELECT count(*) FROM history a, history b WHERE a.mjd + 1 > b.mjd)"
        " > 3",
    };
    char why[300];
    weft_filters_t *filters;
    assert_int_equal (load (&filters, sql, 3, why), 0);
    alert_spec_t spec = usual ();
    weft_alert_t *small = make_full_alert (&spec);
    spec.rows = 1024;
    weft_alert_t *big = make_full_alert (&spec);
    weft_filter_result_t r[3];
    assert_int_equal (weft_filters_evaluate (filters, big, r), 0);
    assert_int_equal (r[0].verdict, WEFT_VERDICT_FAILED);
    assert_string_equal (weft_filters_failure (filters, 0), "integer overflow");
    assert_int_equal (r[1].verdict, WEFT_VERDICT_TRUE);
    assert_int_equal (r[2].verdict, WEFT_VERDICT_FAILED);
    assert_int_equal (weft_filters_evaluate (filters, small, r), 0);
    assert_int_equal (r[2].verdict, WEFT_VERDICT_TRUE);
    assert_false (weft_filters_quarantined (filters, 2));
    assert_true (weft_filters_quarantined (filters, 0));
    weft_alert_unref (&small);
    weft_alert_unref (&big);
    weft_filters_destroy (&filters);
}

static void
an_alert_that_cannot_be_read_is_an_error (void **state)
{
    (void)state;
    const char *sql[] = { "EXISTS (SELECT 1 FROM scores)", "ra > 5" };
    char why[300];
    weft_filters_t *filters;
    assert_int_equal (load (&filters, sql, 2, why), 0);
    alert_spec_t spec = usual ();
    spec.no_scores = true;
    weft_alert_t *alert = make_full_alert (&spec);
    static const char bad[] = "\x82\xa8"
                              "contract"
                              "\xa9"
                              "scores.v1"
                              "\xa6models\x91";
    assert_int_equal (
        weft_alert_append (alert, weft_frame_copy (bad, sizeof bad - 1)), 0);
    weft_filter_result_t r[2];
    int rc = weft_filters_evaluate (filters, alert, r);
    assert_int_equal (weft_error_class (rc), WEFT_CLASS_REJECT);
    assert_int_not_equal (rc, 0);
    weft_alert_unref (&alert);
    weft_filters_destroy (&filters);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (conditions_read_every_table),
        cmocka_unit_test (comparisons_in_c_agree_with_sqlite),
        cmocka_unit_test (absent_is_null_and_does_not_hold),
        cmocka_unit_test (all_conditions_must_hold),
        cmocka_unit_test (strangers_cannot_leave_the_handle),
        cmocka_unit_test (an_error_names_the_column),
        cmocka_unit_test (what_takes_too_long_is_stopped_and_quarantined),
        cmocka_unit_test (what_fails_does_not_stop_the_others),
        cmocka_unit_test (an_alert_that_cannot_be_read_is_an_error),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
