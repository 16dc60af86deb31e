//  weft_link_poison_test.c - rules 5, 6 and 7: redelivery, suspects, verdicts.

#include "link_rig.h"

static void
start (rig_t **rig, rig_worker_t **first, rig_worker_t **second)
{
    weft_upstream_config_t config = rig_up_config ();
    *rig = rig_new (&config);
    weft_custody_config_t stage = rig_worker_config (1);
    *first = rig_worker (*rig, 0, &stage);
    rig_run (*rig);
    if (!second)
        return;
    stage.worker.boot = 2;
    *second = rig_worker (*rig, 1, &stage);
    rig_run (*rig);
}

static void
rule_05_redelivery_goes_to_the_front_of_the_queue (void **state)
{
    (void)state;
    rig_t *rig;
    rig_worker_t *worker;
    start (&rig, &worker, NULL);
    for (int id = 0; id < 12; id++)  //  the worker takes 8
        rig_submit (rig, id, 100);
    rig_run (rig);
    rig_kill (worker);
    rig_wait (rig, RIG_BEAT);
    weft_custody_config_t stage = rig_worker_config (2);
    worker = rig_worker (rig, 0, &stage);
    rig_wait (rig, RIG_BEAT);
    //  All eight were suspects; the first of them is with the child.
    assert_int_equal (rig_child (worker, WEFT_CHILD_RETURNED, 0), 0);
    for (int id = 1; id < 8; id++) {
        rig_run (rig);
        assert_int_equal (rig_child (worker, WEFT_CHILD_RETURNED, 0), id);
    }
    rig_run (rig);
    for (int id = 8; id < 12; id++)
        assert_int_equal (rig_return (worker, 0), id);
    rig_run (rig);
    for (int id = 0; id < 12; id++)
        assert_int_equal (rig->settles[id], 1);
    rig_free (rig);
}

static void
rule_05_redelivery_never_on_a_timer_for_a_live_peer (void **state)
{
    (void)state;
    rig_t *rig;
    rig_worker_t *first, *second;
    start (&rig, &first, &second);
    rig_submit (rig, 1, 100);
    rig_run (rig);
    rig_wait (rig, 100 * RIG_STALL);
    assert_int_equal (first->hand_count + second->hand_count, 1);
    assert_int_equal (weft_upstream_stats (rig->up)->sent, 1);
    rig_free (rig);
}

static void
rule_05_redelivery_of_a_retry_goes_to_another_peer_first (void **state)
{
    (void)state;
    rig_t *rig;
    rig_worker_t *first, *second;
    start (&rig, &first, &second);
    rig_submit (rig, 1, 100);
    rig_run (rig);
    rig_worker_t *giver = first->hand_count ? first : second;
    rig_worker_t *other = first->hand_count ? second : first;
    rig_return_all (giver, WEFT_EIO);
    rig_run (rig);
    assert_int_equal (giver->hand_count, 0);
    assert_int_equal (other->hand_count, 1);
    //  Both have given it back: nobody gets it before the next beat.
    rig_return_all (other, WEFT_EIO);
    rig_run (rig);
    assert_int_equal (giver->hand_count + other->hand_count, 0);
    rig_wait (rig, RIG_BEAT);
    assert_int_equal (giver->hand_count + other->hand_count, 1);
    assert_int_equal (weft_upstream_stats (rig->up)->suspects, 0);
    rig_free (rig);
}

static void
rule_05_redelivery_not_of_what_waits_for_a_dependency (void **state)
{
    (void)state;
    rig_t *rig;
    rig_worker_t *worker;
    start (&rig, &worker, NULL);
    rig_submit (rig, 1, 100);
    rig_run (rig);
    rig_return_all (worker, WEFT_EDOWN);
    rig_run (rig);
    //  It is held, and the limit has fallen: nothing new comes.
    rig_submit (rig, 2, 100);
    rig_run (rig);
    assert_int_equal (worker->hand_count, 0);
    assert_int_equal (rig_stats (worker)->held, 1);
    assert_int_equal (weft_upstream_stats (rig->up)->redelivered_retry, 0);
    rig_wait (rig, RIG_BEAT);
    assert_int_equal (rig_return (worker, 0), 1);
    rig_wait (rig, RIG_BEAT);
    assert_int_equal (rig_return (worker, 0), 2);
    rig_free (rig);
}

static void
rule_05_redelivery_counts_as_held (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    config.max_alerts = 2;
    rig_t *rig = rig_new (&config);
    weft_custody_config_t stage = rig_worker_config (1);
    rig_worker_t *worker = rig_worker (rig, 0, &stage);
    rig_run (rig);
    rig_submit (rig, 1, 100);
    rig_submit (rig, 2, 100);
    rig_run (rig);
    rig_return_all (worker, WEFT_EIO);
    rig_run (rig);
    weft_item_t item = { NULL, 100, 100 };
    assert_int_equal (weft_upstream_submit (rig->up, rig->now, &item, NULL, 1),
                      WEFT_EAGAIN);
    rig_free (rig);
}

//  A worker dies with alerts in its hands; the next one gets suspects.
static rig_worker_t *
die_and_restart (rig_t *rig, rig_worker_t *worker, uint64_t boot)
{
    rig_kill (worker);
    rig_wait (rig, RIG_BEAT);
    weft_custody_config_t stage = rig_worker_config (boot);
    worker = rig_worker (rig, 0, &stage);
    rig_wait (rig, RIG_BEAT);
    return worker;
}

static void
rule_06_suspects_run_in_isolation_and_innocents_pass (void **state)
{
    (void)state;
    rig_t *rig;
    rig_worker_t *worker;
    start (&rig, &worker, NULL);
    for (int id = 0; id < 3; id++)
        rig_submit (rig, id, 100);
    rig_run (rig);
    worker = die_and_restart (rig, worker, 2);
    assert_int_equal (worker->hand_count, 0);
    assert_int_equal (rig_stats (worker)->held, 3);
    //  The flow goes on beside them.
    rig_submit (rig, 3, 100);
    rig_run (rig);
    assert_int_equal (rig_return (worker, 0), 3);
    assert_int_equal (rig_child (worker, WEFT_CHILD_RETURNED, 0), 0);
    rig_run (rig);
    assert_int_equal (rig_child (worker, WEFT_CHILD_CRASHED, 0), 1);
    rig_run (rig);
    rig_canary_ends (worker, true);
    rig_run (rig);
    assert_int_equal (rig_child (worker, WEFT_CHILD_RETURNED, 0), 2);
    rig_run (rig);
    assert_int_equal (rig->outcome[0], WEFT_OUTCOME_SETTLED);
    assert_int_equal (rig->outcome[1], WEFT_OUTCOME_DEAD);
    assert_int_equal (rig->buried[1], WEFT_ECRASHED);
    assert_int_equal (rig->outcome[2], WEFT_OUTCOME_SETTLED);
    assert_int_equal (rig->outcome[3], WEFT_OUTCOME_SETTLED);
    rig_free (rig);
}

static void
rule_06_suspects_that_hang_are_killed_after_stall_ms (void **state)
{
    (void)state;
    rig_t *rig;
    rig_worker_t *worker;
    start (&rig, &worker, NULL);
    rig_submit (rig, 1, 100);
    rig_run (rig);
    worker = die_and_restart (rig, worker, 2);
    rig_wait (rig, RIG_STALL - 2 * RIG_BEAT);
    assert_int_equal (worker->kills, 0);
    rig_wait (rig, 3 * RIG_BEAT);
    assert_int_equal (worker->kills, 1);
    rig_child (worker, WEFT_CHILD_HUNG, 0);
    rig_run (rig);
    rig_canary_ends (worker, true);
    rig_run (rig);
    assert_int_equal (rig->buried[1], WEFT_EHUNG);
    rig_free (rig);
}

static void
rule_06_suspects_killed_from_outside_run_again (void **state)
{
    (void)state;
    rig_t *rig;
    rig_worker_t *worker;
    start (&rig, &worker, NULL);
    rig_submit (rig, 1, 100);
    rig_run (rig);
    worker = die_and_restart (rig, worker, 2);
    for (int i = 0; i < 3; i++) {
        rig_child (worker, WEFT_CHILD_KILLED, 0);
        rig_run (rig);
    }
    //  Three times; then somebody else may try, without a verdict.
    assert_null (worker->isolated);
    assert_int_equal (worker->canaries, 0);
    assert_int_equal (weft_upstream_stats (rig->up)->redelivered_retry, 1);
    //  It stays a suspect.
    rig_wait (rig, 2 * RIG_BEAT);
    assert_int_equal (rig_child (worker, WEFT_CHILD_RETURNED, 0), 1);
    rig_run (rig);
    assert_int_equal (rig->outcome[1], WEFT_OUTCOME_SETTLED);
    rig_free (rig);
}

static void
rule_06_suspects_are_not_what_was_done_or_handed_back (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    rig_hand_t hand = { rig->up, 5, 9, 0, 4, 1 };
    rig->workers[3].peer = 5;
    rig_hello (&hand, rig->now, "stage", 1);
    for (int id = 0; id < 4; id++)
        rig_submit (rig, id, 100);
    weft_upstream_flush (rig->up, rig->now);
    hand.done = 3;
    rig_say (&hand, rig->now, (weft_link_frame_t){ .type = WEFT_LINK_BEAT });
    weft_upstream_lost (rig->up, rig->now, 5);
    assert_int_equal (weft_upstream_stats (rig->up)->redelivered_death, 4);
    assert_int_equal (weft_upstream_stats (rig->up)->suspects, 1);
    hand.done = 0;
    rig_hello (&hand, rig->now, "stage", 1);
    weft_upstream_flush (rig->up, rig->now);
    rig_say (&hand, rig->now, (weft_link_frame_t){ .type = WEFT_LINK_BYE });
    assert_int_equal (weft_upstream_stats (rig->up)->redelivered_bye, 4);
    assert_int_equal (weft_upstream_stats (rig->up)->suspects, 1);
    rig_clear (&rig->workers[3].in);
    rig_free (rig);
}

static void
rule_07_verdict_only_after_a_canary (void **state)
{
    (void)state;
    rig_t *rig;
    rig_worker_t *worker;
    start (&rig, &worker, NULL);
    rig_submit (rig, 1, 100);
    rig_submit (rig, 2, 100);
    rig_run (rig);
    (void)rig_return (worker, WEFT_EREJECT);
    rig_run (rig);
    assert_true (worker->canary);
    assert_int_equal (rig->outcome[1], -1);
    //  This one came after the canary began: it needs another.
    (void)rig_return (worker, WEFT_EREJECT);
    rig_canary_ends (worker, true);
    rig_run (rig);
    assert_int_equal (rig->outcome[1], WEFT_OUTCOME_DEAD);
    assert_int_equal (rig->outcome[2], -1);
    rig_canary_ends (worker, true);
    rig_run (rig);
    assert_int_equal (rig->outcome[2], WEFT_OUTCOME_DEAD);
    assert_int_equal (worker->canaries, 2);
    rig_free (rig);
}

static void
rule_07_verdict_of_a_broken_worker_is_none (void **state)
{
    (void)state;
    rig_t *rig;
    rig_worker_t *worker;
    start (&rig, &worker, NULL);
    for (int id = 0; id < 4; id++)
        rig_submit (rig, id, 100);
    rig_run (rig);
    (void)rig_return (worker, WEFT_EREJECT);
    rig_run (rig);
    rig_canary_ends (worker, false);
    rig_return_all (worker, WEFT_EREJECT);
    rig_run (rig);
    assert_true (rig_stats (worker)->broken);
    //  Alerts wait upstream, nothing is dead, nothing new comes.
    for (int beat = 0; beat < 5; beat++) {
        rig_wait (rig, RIG_BEAT);
        assert_int_equal (worker->hand_count, 0);
        assert_int_equal (worker->canaries, 2 + beat);
        rig_canary_ends (worker, beat == 4);
    }
    assert_int_equal (weft_upstream_stats (rig->up)->rejected, 0);
    assert_int_equal (weft_upstream_stats (rig->up)->alerts, 4);
    rig_wait (rig, 2 * RIG_BEAT);
    rig_return_all (worker, 0);
    rig_run (rig);
    for (int id = 0; id < 4; id++)
        assert_int_equal (rig->outcome[id], WEFT_OUTCOME_SETTLED);
    rig_free (rig);
}

//  The worker rejects everything and passes each canary.
static void
reject (rig_t *rig, rig_worker_t *worker)
{
    for (int i = 0; i < 40; i++) {
        rig_return_all (worker, WEFT_EREJECT);
        if (worker->canary)
            rig_canary_ends (worker, true);
        rig_run (rig);
    }
}

static void
rule_07_verdict_on_half_of_the_last_holds_the_link (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    config.reject_ring = 20;
    rig_t *rig = rig_new (&config);
    weft_custody_config_t stage = rig_worker_config (1);
    rig_worker_t *worker = rig_worker (rig, 0, &stage);
    rig_run (rig);
    for (int id = 0; id < 100; id++)
        rig_submit (rig, id, 10);
    rig_run (rig);
    reject (rig, worker);
    weft_branch_info_t branch;
    weft_upstream_branch (rig->up, 0, &branch);
    assert_true (branch.held);
    assert_int_equal (rig->events[WEFT_LINK_EVENT_HELD], 1);
    assert_int_equal (weft_upstream_stats (rig->up)->dead, 10);
    assert_int_equal (weft_upstream_stats (rig->up)->alerts, 90);
    //  The same build again changes nothing; another one releases it.
    rig_kill (worker);
    rig_wait (rig, RIG_BEAT);
    stage.worker.boot = 2;
    worker = rig_worker (rig, 0, &stage);
    rig_wait (rig, RIG_BEAT);
    assert_int_equal (worker->hand_count + (worker->isolated != NULL), 0);
    rig_kill (worker);
    rig_wait (rig, RIG_BEAT);
    stage.worker.boot = 3;
    stage.worker.hash = 2;
    worker = rig_worker (rig, 0, &stage);
    rig_wait (rig, RIG_BEAT);
    assert_int_equal (rig->events[WEFT_LINK_EVENT_RELEASED], 1);
    assert_true (worker->hand_count + (worker->isolated != NULL) > 0);
    rig_free (rig);
}

static void
rule_07_verdict_that_cannot_be_written_waits (void **state)
{
    (void)state;
    rig_t *rig;
    rig_worker_t *worker;
    start (&rig, &worker, NULL);
    rig->slow_grave = true;
    rig_submit (rig, 1, 100);
    rig_run (rig);
    rig_return_all (worker, WEFT_EREJECT);
    rig_run (rig);
    rig_canary_ends (worker, true);
    rig_run (rig);
    assert_int_equal (rig->grave_count, 1);
    assert_int_equal (rig->outcome[1], -1);
    assert_int_equal (weft_upstream_abandon_oldest (rig->up, rig->now),
                      WEFT_EAGAIN);
    weft_upstream_buried (rig->up, rig->now, rig->graves[0]);
    assert_int_equal (rig->outcome[1], WEFT_OUTCOME_DEAD);
    rig_free (rig);
}

//  The parts behind an ALERT's good header are no alert: a verdict of the stage,
//  not a fault of the upstream.
static void
rule_07_verdict_on_what_cannot_be_read (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    weft_custody_config_t stage = rig_worker_config (1);
    rig_worker_t *worker = rig_worker (rig, 0, &stage);
    const int reasons[] = { WEFT_EMALFORMED, WEFT_ENOMEM };
    rig_run (rig);
    for (int id = 0; id < 2; id++) {
        rig_submit (rig, id, 100);
        weft_upstream_flush (rig->up, rig->now);
        for (rig_message_t *m; (m = rig_take (&worker->in));) {
            if (!m->item)
                continue;
            rig_unref (NULL, m->item);
            weft_worker_recv_unread (weft_custody_worker (worker->custody),
                                     rig->now, worker->link, m->data, m->size,
                                     reasons[id]);
        }
        rig_run (rig);
    }
    rig_canary_ends (worker, true);
    rig_run (rig);
    assert_int_equal (rig->buried[0], WEFT_EMALFORMED);
    assert_int_equal (rig->outcome[0], WEFT_OUTCOME_DEAD);
    //  Without memory nothing is known of it: it is given back, and comes again.
    assert_int_equal (rig->events[WEFT_LINK_EVENT_PEER_BAD], 0);
    rig_wait (rig, 2 * RIG_BEAT);
    assert_int_equal (worker->hand_count, 1);
    assert_int_equal (rig_return (worker, 0), 1);
    rig_run (rig);
    assert_int_equal (rig->outcome[1], WEFT_OUTCOME_SETTLED);
    rig_free (rig);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (rule_07_verdict_on_what_cannot_be_read),
        cmocka_unit_test (rule_05_redelivery_goes_to_the_front_of_the_queue),
        cmocka_unit_test (rule_05_redelivery_never_on_a_timer_for_a_live_peer),
        cmocka_unit_test (
            rule_05_redelivery_of_a_retry_goes_to_another_peer_first),
        cmocka_unit_test (
            rule_05_redelivery_not_of_what_waits_for_a_dependency),
        cmocka_unit_test (rule_05_redelivery_counts_as_held),
        cmocka_unit_test (rule_06_suspects_run_in_isolation_and_innocents_pass),
        cmocka_unit_test (rule_06_suspects_that_hang_are_killed_after_stall_ms),
        cmocka_unit_test (rule_06_suspects_killed_from_outside_run_again),
        cmocka_unit_test (
            rule_06_suspects_are_not_what_was_done_or_handed_back),
        cmocka_unit_test (rule_07_verdict_only_after_a_canary),
        cmocka_unit_test (rule_07_verdict_of_a_broken_worker_is_none),
        cmocka_unit_test (rule_07_verdict_on_half_of_the_last_holds_the_link),
        cmocka_unit_test (rule_07_verdict_that_cannot_be_written_waits),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
