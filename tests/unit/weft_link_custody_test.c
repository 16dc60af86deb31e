//  weft_link_custody_test.c - rules 1 and 2: custody, branches; and drain.

#include "link_rig.h"

static void
rule_01_custody_until_the_worker_settles (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    weft_custody_config_t stage = rig_worker_config (1);
    rig_worker_t *worker = rig_worker (rig, 0, &stage);
    rig_run (rig);
    rig_submit (rig, 1, 100);
    rig_run (rig);
    assert_int_equal (worker->hand_count, 1);
    assert_int_equal (weft_upstream_stats (rig->up)->alerts, 1);
    assert_int_equal (rig->outcome[1], -1);
    assert_int_equal (rig_return (worker, 0), 1);
    rig_run (rig);
    assert_int_equal (rig->outcome[1], WEFT_OUTCOME_SETTLED);
    assert_int_equal (rig->settles[1], 1);
    assert_int_equal (weft_upstream_stats (rig->up)->alerts, 0);
    rig_free (rig);
}

//  A stage with a branch of its own, whose worker is played by hand.
static rig_worker_t *
chain (rig_t *rig, rig_hand_t *hand)
{
    weft_custody_config_t stage = rig_worker_config (1);
    stage.upstream = rig_up_config ();
    stage.upstream.branches[0].stage = "last";
    rig_worker_t *worker = rig_worker (rig, 0, &stage);
    rig_run (rig);
    *hand = (rig_hand_t){ .up = weft_custody_upstream (worker->custody),
                          .peer = 900,
                          .boot = 9,
                          .limit = 8,
                          .version = 1 };
    rig_hello (hand, rig->now, "last", 1);
    return worker;
}

static void
rule_01_custody_passes_up_only_after_downstream (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    rig_hand_t hand;
    rig_worker_t *worker = chain (rig, &hand);
    rig_submit (rig, 1, 100);
    rig_submit (rig, 2, 100);
    rig_run (rig);
    rig_return_all (worker, 0);
    rig_run (rig);
    assert_int_equal (rig->outcome[1], -1);
    assert_int_equal (weft_upstream_stats (hand.up)->alerts, 2);
    hand.done = 2;
    weft_link_run_t one = { 2, 1, WEFT_OUTCOME_DEAD };
    rig_runs (&hand, rig->now, WEFT_LINK_SETTLE, 0, one);
    rig_run (rig);
    assert_int_equal (rig->outcome[1], -1);
    assert_int_equal (rig->outcome[2], WEFT_OUTCOME_DEAD);
    rig_free (rig);
}

static void
rule_01_custody_of_a_last_stage_ends_with_its_commit (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    weft_custody_config_t stage = rig_worker_config (1);
    stage.commits = true;
    rig_worker_t *worker = rig_worker (rig, 0, &stage);
    rig_run (rig);
    for (int id = 0; id < 3; id++)
        rig_submit (rig, id, 100);
    rig_run (rig);
    rig_return_all (worker, 0);
    rig_run (rig);
    void *items[8];
    assert_int_equal (weft_custody_effects (worker->custody, items, 8), 3);
    assert_int_equal (((rig_item_t *)items[0])->id, 0);
    assert_int_equal (rig->outcome[0], -1);
    weft_custody_committed (worker->custody, rig->now, 2);
    rig_run (rig);
    assert_int_equal (rig->outcome[0], WEFT_OUTCOME_SETTLED);
    assert_int_equal (rig->outcome[1], WEFT_OUTCOME_SETTLED);
    assert_int_equal (rig->outcome[2], -1);
    rig_free (rig);
}

//  An effect that cannot be committed goes behind the others; it is a dead
//  letter when another one could be, never before.
static void
rule_01_custody_of_an_effect_that_never_is (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    weft_custody_config_t stage = rig_worker_config (1);
    stage.commits = true;
    rig_worker_t *worker = rig_worker (rig, 0, &stage);
    weft_custody_t *custody = worker->custody;
    void *items[8];
    rig_run (rig);
    rig_submit (rig, 0, 100);
    rig_run (rig);
    rig_return_all (worker, 0);
    for (unsigned i = 0; i < 2 * WEFT_COMMIT_TRIES; i++)
        assert_int_equal (weft_custody_uncommitted (custody, WEFT_EIO, "why"),
                          WEFT_MIN (i + 1, (unsigned)WEFT_COMMIT_TRIES));
    rig_submit (rig, 1, 100);
    rig_run (rig);
    rig_return_all (worker, 0);
    assert_int_equal (weft_custody_uncommitted (custody, WEFT_EIO, "why"),
                      WEFT_COMMIT_TRIES);
    assert_int_equal (weft_custody_effects (custody, items, 8), 2);
    assert_int_equal (((rig_item_t *)items[0])->id, 1);
    weft_custody_committed (custody, rig->now, 1);
    assert_int_equal (weft_custody_uncommitted (custody, WEFT_EIO, "why"), 0);
    assert_int_equal (weft_custody_effects (custody, items, 8), 0);
    rig_run (rig);
    assert_int_equal (rig->outcome[1], WEFT_OUTCOME_SETTLED);
    assert_int_equal (rig->buried[0], 0);
    rig_canary_ends (worker, true);
    rig_run (rig);
    assert_int_equal (rig->buried[0], WEFT_EREJECT);
    assert_int_equal (rig->outcome[0], WEFT_OUTCOME_DEAD);
    rig_free (rig);
}

//  What the service says can never be needs no others beside it.
static void
rule_01_custody_of_an_effect_that_is_refused (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    weft_custody_config_t stage = rig_worker_config (1);
    stage.commits = true;
    rig_worker_t *worker = rig_worker (rig, 0, &stage);
    rig_run (rig);
    rig_submit (rig, 0, 100);
    rig_run (rig);
    rig_return_all (worker, 0);
    for (unsigned i = 1; i < WEFT_COMMIT_TRIES; i++)
        assert_int_equal (
            weft_custody_uncommitted (worker->custody, WEFT_ERANGE, "why"), i);
    assert_int_equal (
        weft_custody_uncommitted (worker->custody, WEFT_ERANGE, "why"), 0);
    rig_run (rig);
    rig_canary_ends (worker, true);
    rig_run (rig);
    assert_int_equal (rig->buried[0], WEFT_ERANGE);
    rig_free (rig);
}

static weft_upstream_config_t
two_branches (void)
{
    weft_upstream_config_t config = rig_up_config ();
    config.branch_count = 2;
    config.branches[1] = (weft_branch_config_t){ "other", WEFT_LOSSLESS };
    return config;
}

static void
rule_02_branches_all_listed_ones_must_settle (void **state)
{
    (void)state;
    weft_upstream_config_t config = two_branches ();
    rig_t *rig = rig_new (&config);
    weft_custody_config_t stage = rig_worker_config (1);
    weft_custody_config_t other = rig_worker_config (2);
    other.worker.stage = "other";
    rig_worker_t *first = rig_worker (rig, 0, &stage);
    rig_run (rig);
    rig_submit (rig, 1, 100);
    rig_run (rig);
    rig_return_all (first, 0);
    rig_run (rig);
    //  The listed branch has no worker: its alert waits for one.
    assert_int_equal (rig->outcome[1], -1);
    rig_worker_t *second = rig_worker (rig, 1, &other);
    rig_run (rig);
    assert_int_equal (second->hand_count, 1);
    rig_return_all (second, 0);
    rig_run (rig);
    assert_int_equal (rig->outcome[1], WEFT_OUTCOME_SETTLED);
    rig_free (rig);
}

static void
rule_02_branches_pass_the_worst_outcome (void **state)
{
    (void)state;
    weft_upstream_config_t config = two_branches ();
    rig_t *rig = rig_new (&config);
    weft_custody_config_t stage = rig_worker_config (1);
    weft_custody_config_t other = rig_worker_config (2);
    other.worker.stage = "other";
    rig_worker_t *first = rig_worker (rig, 0, &stage);
    rig_worker_t *second = rig_worker (rig, 1, &other);
    rig_run (rig);
    rig_submit (rig, 1, 100);
    rig_run (rig);
    rig_return_all (first, WEFT_EREJECT);
    rig_run (rig);
    rig_canary_ends (first, true);
    rig_run (rig);
    assert_int_equal (rig->buried[1], WEFT_EREJECT);
    assert_int_equal (rig->outcome[1], -1);
    rig_return_all (second, 0);
    rig_run (rig);
    assert_int_equal (rig->outcome[1], WEFT_OUTCOME_DEAD);
    rig_free (rig);
}

static void
rule_02_branches_refuse_a_stage_that_is_not_listed (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    weft_custody_config_t stage = rig_worker_config (1);
    stage.worker.stage = "stranger";
    rig_worker_t *worker = rig_worker (rig, 0, &stage);
    rig_run (rig);
    weft_link_info_t info;
    assert_true (weft_worker_link (weft_custody_worker (worker->custody),
                                   worker->link, &info));
    assert_int_equal (info.state, WEFT_LINK_REFUSED);
    assert_int_equal (weft_upstream_stats (rig->up)->refused, 1);
    assert_int_equal (weft_upstream_stats (rig->up)->peers, 0);
    //  It asks again later: the configuration may have changed.
    rig_wait (rig, 21 * RIG_BEAT);
    assert_int_equal (weft_upstream_stats (rig->up)->refused, 2);
    rig_free (rig);
}

static void
a_drain_hands_back_what_nobody_can_finish (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    rig_hand_t hand;
    rig_worker_t *worker = chain (rig, &hand);
    rig_submit (rig, 1, 100);
    rig_run (rig);
    weft_custody_drain (worker->custody, rig->now);
    assert_false (weft_custody_drained (worker->custody));
    rig_submit (rig, 2, 100);
    rig_run (rig);
    //  No new work, but what is there goes on.
    assert_int_equal (worker->hand_count, 1);
    rig_return_all (worker, 0);
    rig_run (rig);
    assert_false (weft_custody_drained (worker->custody));
    rig_say (&hand, rig->now, (weft_link_frame_t){ .type = WEFT_LINK_BYE });
    assert_true (weft_custody_drained (worker->custody));
    weft_custody_bye (worker->custody, rig->now);
    rig_deliver_to_up (worker);
    assert_int_equal (weft_upstream_stats (rig->up)->peers, 0);
    assert_int_equal (weft_upstream_stats (rig->up)->suspects, 0);
    weft_branch_info_t branch;
    weft_upstream_branch (rig->up, 0, &branch);
    assert_int_equal (branch.queued, 2);
    rig_free (rig);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (rule_01_custody_until_the_worker_settles),
        cmocka_unit_test (rule_01_custody_passes_up_only_after_downstream),
        cmocka_unit_test (rule_01_custody_of_a_last_stage_ends_with_its_commit),
        cmocka_unit_test (rule_01_custody_of_an_effect_that_never_is),
        cmocka_unit_test (rule_01_custody_of_an_effect_that_is_refused),
        cmocka_unit_test (rule_02_branches_all_listed_ones_must_settle),
        cmocka_unit_test (rule_02_branches_pass_the_worst_outcome),
        cmocka_unit_test (rule_02_branches_refuse_a_stage_that_is_not_listed),
        cmocka_unit_test (a_drain_hands_back_what_nobody_can_finish),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
