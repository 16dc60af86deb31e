//  weft_candidate_test.c - which alerts become candidates, and with what.

#include "testing.h"

#include "learner_alert.h"

#include "weft_candidate.h"

#include <math.h>

static const float thirds[3] = { 0.2f, 0.5f, 0.3f };

static learner_alert_t
an_alert (void)
{
    return (learner_alert_t){ .object = "ZTF24aaa",
                              .id = 5,
                              .okind = 1,
                              .t_obs = 61000.5,
                              .flux = 36308,  //  20.0 mag
                              .model = "demo",
                              .classes = "SNIa,SNII,AGN",
                              .p = thirds,
                              .n = 3 };
}

static weft_candidate_rule_t
a_rule (void)
{
    return (weft_candidate_rule_t){
        .requester = "active-learner",
        .model = "demo",
        .target = "",
        .strategy = weft_strategy_find ("uncertainty"),
        .mag_limit = 20.5,
    };
}

static weft_candidate_verdict_t
judge (const weft_candidate_rule_t *rule,
       const learner_alert_t *of,
       weft_buf_t *out)
{
    weft_candidate_verdict_t verdict;
    weft_alert_t *alert = learner_alert (of);
    weft_buf_clear (out);
    assert_int_equal (weft_candidate_make (rule, alert, out, &verdict), 0);
    weft_alert_unref (&alert);
    assert_int_equal (out->size > 0, verdict == WEFT_CANDIDATE_TAKEN);
    return verdict;
}

static void
test_candidate_holds_what_is_frozen (void **state)
{
    (void)state;
    weft_buf_t out;
    weft_query_v1_t query;
    learner_alert_t of = an_alert ();
    weft_candidate_rule_t rule = a_rule ();
    weft_buf_init (&out, 65536);
    assert_int_equal (judge (&rule, &of, &out), WEFT_CANDIDATE_TAKEN);
    assert_int_equal (
        weft_contract_decode (&weft_query_v1, &query, out.data, out.size), 0);
    assert_true (weft_str_is (query.object_id, "ZTF24aaa"));
    assert_int_equal (query.alert_id, 5);
    assert_true (fabsf (query.score - 0.5f) < 1e-6f);
    assert_int_equal (query.set, 7);
    assert_int_equal (query.values.n, 3);
    assert_true (fabsf (weft_col_f32 (query.values, 2) - 3) < 1e-6f);
    assert_int_equal (query.p.n, 3);
    assert_true (fabs (query.last_mjd - 61000.5) < 1e-9);
    assert_true (fabs (query.ra - 150.1) < 1e-9);
    weft_buf_fini (&out);
}

static void
test_target_class_is_looked_at (void **state)
{
    (void)state;
    weft_buf_t out;
    weft_query_v1_t query;
    learner_alert_t of = an_alert ();
    weft_candidate_rule_t rule = a_rule ();
    weft_buf_init (&out, 65536);
    rule.target = "SNIa";
    assert_int_equal (judge (&rule, &of, &out), WEFT_CANDIDATE_TAKEN);
    assert_int_equal (
        weft_contract_decode (&weft_query_v1, &query, out.data, out.size), 0);
    assert_true (fabsf (query.score - 0.2f) < 1e-6f);
    weft_buf_fini (&out);
}

static void
test_committee_is_all_models_of_the_same_classes (void **state)
{
    (void)state;
    const float other[3] = { 0.2f, 0.3f, 0.5f };
    weft_buf_t out;
    weft_query_v1_t query;
    learner_alert_t of = an_alert ();
    weft_candidate_rule_t rule = a_rule ();
    weft_buf_init (&out, 65536);
    rule.strategy = weft_strategy_find ("committee-entropy");
    of.second = other;
    assert_int_equal (judge (&rule, &of, &out), WEFT_CANDIDATE_TAKEN);
    assert_int_equal (
        weft_contract_decode (&weft_query_v1, &query, out.data, out.size), 0);
    const double mean[3] = { 0.2, 0.4, 0.4 };
    assert_true (fabs ((double)query.score - weft_entropy (mean, 3)) < 1e-6);
    weft_buf_fini (&out);
}

static void
test_gates (void **state)
{
    (void)state;
    weft_buf_t out;
    weft_candidate_rule_t rule = a_rule ();
    learner_alert_t of = an_alert ();
    weft_buf_init (&out, 65536);
    of.flux = 10000;
    assert_int_equal (judge (&rule, &of, &out), WEFT_CANDIDATE_FAINT);
    of.flux = -36308;
    assert_int_equal (judge (&rule, &of, &out), WEFT_CANDIDATE_FAINT);
    of = an_alert ();
    of.okind = 2;
    assert_int_equal (judge (&rule, &of, &out), WEFT_CANDIDATE_NO_OBJECT);
    of = an_alert ();
    of.p = NULL;
    assert_int_equal (judge (&rule, &of, &out), WEFT_CANDIDATE_NO_SCORE);
    of = an_alert ();
    of.model = "other";
    assert_int_equal (judge (&rule, &of, &out), WEFT_CANDIDATE_NO_SCORE);
    weft_buf_fini (&out);
}

//  What the pool would refuse must not come so far: a commit that can never
//  succeed would hold the learner, and with it the mesh, for ever.
static void
test_what_the_pool_refuses_is_no_candidate (void **state)
{
    (void)state;
    enum { LONG = 65000 };
    weft_buf_t out;
    weft_candidate_verdict_t verdict;
    weft_candidate_rule_t rule = a_rule ();
    learner_alert_t of = an_alert ();
    char *classes = malloc (LONG + 8);
    assert_non_null (classes);
    memset (classes, 'a', LONG);
    memcpy (classes + LONG, ",B,C", 5);
    of.classes = classes;
    weft_buf_init (&out, 1 << 20);
    weft_alert_t *alert = learner_alert (&of);
    assert_int_equal (weft_candidate_make (&rule, alert, &out, &verdict),
                      WEFT_ETOOBIG);
    weft_alert_unref (&alert);
    of = an_alert ();
    of.t_obs = INFINITY;
    weft_buf_clear (&out);
    alert = learner_alert (&of);
    assert_int_equal (weft_candidate_make (&rule, alert, &out, &verdict),
                      WEFT_ERANGE);
    weft_alert_unref (&alert);
    weft_buf_fini (&out);
    free (classes);
}

static void
test_alert_without_scores_is_an_error (void **state)
{
    (void)state;
    weft_buf_t out;
    weft_candidate_verdict_t verdict;
    weft_candidate_rule_t rule = a_rule ();
    learner_alert_t of = an_alert ();
    weft_alert_t *alert = weft_alert_new (learner_envelope (&of));
    weft_buf_init (&out, 65536);
    assert_int_equal (weft_candidate_make (&rule, alert, &out, &verdict),
                      WEFT_EABSENT);
    weft_alert_unref (&alert);
    weft_buf_fini (&out);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_candidate_holds_what_is_frozen),
        cmocka_unit_test (test_target_class_is_looked_at),
        cmocka_unit_test (test_committee_is_all_models_of_the_same_classes),
        cmocka_unit_test (test_gates),
        cmocka_unit_test (test_what_the_pool_refuses_is_no_candidate),
        cmocka_unit_test (test_alert_without_scores_is_an_error),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
