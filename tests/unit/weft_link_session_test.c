//  weft_link_session_test.c - rules 3, 4 and 9: sessions, death, sockets.
//
//  What lives in the shell is tested with it: socket options, DONTWAIT,
//  EHOSTUNREACH as WEFT_EDOWN, reading dry before the tick, the beat from the
//  thread that works.

#include "link_rig.h"

//  An upstream with one worker, welcomed.
static rig_t *
pair (rig_worker_t **worker)
{
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    weft_custody_config_t stage = rig_worker_config (1);
    *worker = rig_worker (rig, 0, &stage);
    rig_run (rig);
    return rig;
}

static void
rule_03_sessions_late_settles_settle_nothing (void **state)
{
    (void)state;
    rig_worker_t *worker;
    rig_t *rig = pair (&worker);
    rig_submit (rig, 1, 100);
    rig_run (rig);
    uint64_t old = rig_session (rig->up, worker->peer);
    //  The upstream starts anew and has another alert under the same number.
    weft_upstream_config_t config = rig_up_config ();
    config.boot = 78;
    rig_up (rig, &config);
    rig_submit (rig, 2, 100);
    rig_return_all (worker, 0);
    rig_turn (rig);
    assert_int_equal (weft_upstream_stats (rig->up)->strays, 1);
    rig_run (rig);
    assert_int_equal (rig_stats (worker)->resets, 1);
    assert_int_not_equal (rig_session (rig->up, worker->peer), old);
    assert_int_equal (rig->outcome[2], -1);
    assert_int_equal (worker->hand_count, 1);
    rig_return_all (worker, 0);
    rig_run (rig);
    assert_int_equal (rig->outcome[2], WEFT_OUTCOME_SETTLED);
    rig_free (rig);
}

static void
rule_03_sessions_frames_of_others_do_not_count_as_heard (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    rig_hand_t hand = { rig->up, 5, 9, 0, 4, 1 };
    rig->workers[3].peer = 5;  //  where its frames go
    rig_hello (&hand, rig->now, "stage", 1);
    rig_submit (rig, 1, 100);
    weft_upstream_flush (rig->up, rig->now);
    hand.limit = 7;
    hand.version = 2;
    rig_runs (&hand, rig->now, WEFT_LINK_SETTLE, 12345,
              (weft_link_run_t){ 1, 1, 0 });
    //  ... nor one that settles what this session does not hold.
    rig_runs (&hand, rig->now, WEFT_LINK_SETTLE, 0,
              (weft_link_run_t){ 2, 9, 0 });
    assert_int_equal (rig->outcome[1], -1);
    assert_int_equal (weft_upstream_stats (rig->up)->strays, 1);
    assert_int_equal (weft_upstream_stats (rig->up)->not_held, 9);
    weft_session_info_t info;
    assert_true (weft_upstream_session (rig->up, 0, &info));
    assert_int_equal (info.limit, 4);
    rig_clear (&rig->workers[3].in);
    rig_free (rig);
}

static void
rule_03_sessions_a_hello_ends_the_old_one_of_its_boot (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    rig_hand_t hand = { rig->up, 5, 9, 0, 4, 1 };
    rig->workers[3].peer = 5;
    rig_hello (&hand, rig->now, "stage", 1);
    rig_submit (rig, 1, 100);
    weft_upstream_flush (rig->up, rig->now);
    rig_hand_t again = hand;
    again.peer = 6;
    rig->workers[2].peer = 6;
    rig_hello (&again, rig->now, "stage", 1);
    assert_int_equal (weft_upstream_stats (rig->up)->peers, 1);
    assert_int_equal (rig_session (rig->up, 5), 0);
    //  It lives, so nothing that it held is suspect.
    assert_int_equal (weft_upstream_stats (rig->up)->suspects, 0);
    weft_upstream_flush (rig->up, rig->now);
    assert_int_equal (rig_last (&rig->workers[2].in), WEFT_LINK_ALERT);
    rig_clear (&rig->workers[2].in);
    rig_clear (&rig->workers[3].in);
    rig_free (rig);
}

static void
rule_03_sessions_only_a_reset_that_names_ours_is_obeyed (void **state)
{
    (void)state;
    rig_worker_t *worker;
    rig_t *rig = pair (&worker);
    uint8_t bytes[64];
    weft_link_frame_t reset = { .type = WEFT_LINK_RESET, .session = 12345 };
    int size = weft_link_encode (&reset, bytes, sizeof bytes);
    rig_put (&worker->in, bytes, (size_t)size, NULL);
    rig_run (rig);
    assert_int_equal (rig_stats (worker)->resets, 0);
    assert_int_equal (rig_stats (worker)->strays, 1);
    //  A WELCOME with another nonce makes no session either.
    weft_link_frame_t welcome = { .type = WEFT_LINK_WELCOME,
                                  .session = 777,
                                  .nonce = 1,
                                  .boot = 3,
                                  .beat_ms = 100 };
    size = weft_link_encode (&welcome, bytes, sizeof bytes);
    rig_put (&worker->in, bytes, (size_t)size, NULL);
    rig_run (rig);
    weft_link_info_t info;
    assert_true (weft_worker_link (weft_custody_worker (worker->custody),
                                   worker->link, &info));
    assert_int_not_equal (info.session, 777);
    rig_free (rig);
}

//  A reload may come at any moment, also between HELLO and WELCOME.
static void
rule_07_the_hash_is_said_that_changed_before_the_welcome (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    weft_custody_config_t stage = rig_worker_config (1);
    rig_worker_t *worker = rig_worker (rig, 0, &stage);
    rig_turn (rig);
    weft_session_info_t info;
    assert_true (weft_upstream_session (rig->up, 0, &info));
    assert_int_equal (info.hash, 1);
    weft_worker_rehash (weft_custody_worker (worker->custody), 2);
    rig_run (rig);
    assert_true (weft_upstream_session (rig->up, 0, &info));
    assert_int_equal (info.hash, 2);
    assert_false (weft_upstream_session (rig->up, 1, &info));
    rig_submit (rig, 1, 100);
    rig_run (rig);
    rig_return_all (worker, 0);
    rig_run (rig);
    assert_int_equal (rig->outcome[1], WEFT_OUTCOME_SETTLED);
    rig_free (rig);
}

static void
rule_04_death_is_a_beat_that_cannot_be_sent (void **state)
{
    (void)state;
    rig_worker_t *worker;
    rig_t *rig = pair (&worker);
    for (int id = 0; id < 3; id++)
        rig_submit (rig, id, 100);
    rig_run (rig);
    (void)rig_return (worker, 0);
    weft_custody_flush (worker->custody, rig->now);
    rig_deliver_to_up (worker);
    assert_int_equal (rig->outcome[0], WEFT_OUTCOME_SETTLED);
    rig_kill (worker);
    rig_wait (rig, RIG_BEAT);
    assert_int_equal (weft_upstream_stats (rig->up)->peers, 0);
    assert_int_equal (weft_upstream_stats (rig->up)->deaths, 1);
    assert_int_equal (weft_upstream_stats (rig->up)->suspects, 2);
    rig_free (rig);
}

//  Only the upstream's loop turns; the worker's function does not return.
static void
hang (rig_t *rig, int64_t ms)
{
    for (int64_t end = rig->now + ms; rig->now < end;) {
        rig->now += RIG_BEAT / 2;
        weft_upstream_tick (rig->up, rig->now);
        weft_upstream_flush (rig->up, rig->now);
    }
}

static void
rule_04_death_is_silence_with_work_in_hands (void **state)
{
    (void)state;
    rig_worker_t *worker;
    rig_t *rig = pair (&worker);
    //  An idle peer may be silent as long as its connection stands.
    hang (rig, 3 * RIG_STALL);
    assert_int_equal (weft_upstream_stats (rig->up)->peers, 1);
    rig_submit (rig, 1, 100);
    hang (rig, RIG_STALL - RIG_BEAT);
    assert_int_equal (weft_upstream_stats (rig->up)->peers, 1);
    hang (rig, 2 * RIG_BEAT);
    assert_int_equal (weft_upstream_stats (rig->up)->peers, 0);
    assert_int_equal (rig->events[WEFT_LINK_EVENT_PEER_HUNG], 1);
    rig_free (rig);
}

//  Found by simulation: it hangs on somebody else's alert.
static void
rule_04_death_of_who_holds_only_what_its_function_returned (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    rig_hand_t hand = { rig->up, 5, 9, 0, 4, 1 };
    rig->workers[3].peer = 5;
    rig_hello (&hand, rig->now, "stage", 1);
    rig_submit (rig, 1, 100);
    weft_upstream_flush (rig->up, rig->now);
    hand.done = 1;
    rig_say (&hand, rig->now, (weft_link_frame_t){ .type = WEFT_LINK_BEAT });
    hang (rig, RIG_STALL + RIG_BEAT);
    assert_int_equal (weft_upstream_stats (rig->up)->peers, 0);
    //  Its function had returned: no suspect.
    assert_int_equal (weft_upstream_stats (rig->up)->suspects, 0);
    rig_clear (&rig->workers[3].in);
    rig_free (rig);
}

static void
rule_04_death_is_not_judged_after_an_absence (void **state)
{
    (void)state;
    rig_worker_t *worker;
    rig_t *rig = pair (&worker);
    rig_submit (rig, 1, 100);
    rig_run (rig);
    //  Our own loop was away; the first thing it does is a tick.
    rig->now += 10 * RIG_STALL;
    weft_upstream_tick (rig->up, rig->now);
    assert_int_equal (weft_upstream_stats (rig->up)->peers, 1);
    assert_int_equal (rig->events[WEFT_LINK_EVENT_AWAY], 1);
    //  The worker, too, was away and does not give up its upstream.
    weft_custody_tick (worker->custody, rig->now);
    assert_int_equal (worker->reopened, 0);
    rig_run (rig);
    assert_int_equal (weft_upstream_stats (rig->up)->deaths, 0);
    rig_free (rig);
}

//  A loop whose every turn is slow has read what came before each judgement:
//  who says nothing all the time hangs.
static void
rule_04_death_is_judged_by_a_slow_loop (void **state)
{
    (void)state;
    rig_worker_t *worker;
    rig_t *rig = pair (&worker);
    rig_submit (rig, 1, 100);
    rig_run (rig);
    for (int turn = 0; turn < RIG_STALL / RIG_BEAT + 5; turn++) {
        rig->now += 2 * RIG_BEAT;
        weft_upstream_tick (rig->up, rig->now);
        weft_upstream_flush (rig->up, rig->now);
        bool fair = turn >= RIG_STALL / RIG_BEAT;
        assert_true (fair || weft_upstream_stats (rig->up)->peers == 1);
    }
    assert_int_equal (weft_upstream_stats (rig->up)->peers, 0);
    assert_int_equal (rig->events[WEFT_LINK_EVENT_PEER_HUNG], 1);
    rig_free (rig);
}

static void
rule_09_sockets_an_oversized_frame_is_not_sent (void **state)
{
    (void)state;
    rig_worker_t *worker;
    rig_t *rig = pair (&worker);
    rig_submit (rig, 1, 5001);  //  the worker told 5000
    rig_submit (rig, 2, 5000);
    rig_run (rig);
    assert_int_equal (rig->outcome[1], WEFT_OUTCOME_DEAD);
    assert_int_equal (rig->buried[1], WEFT_ETOOBIG);
    assert_int_equal (worker->hand_count, 1);
    assert_int_equal (rig->outcome[2], -1);
    rig_free (rig);
}

static void
rule_09_sockets_an_upstream_unheard_of_gets_a_new_one (void **state)
{
    (void)state;
    rig_worker_t *worker;
    rig_t *rig = pair (&worker);
    rig_submit (rig, 1, 100);
    rig_run (rig);
    for (int i = 0; i < 7; i++) {
        rig->now += RIG_BEAT / 2;
        rig_clear (&worker->out);
        weft_custody_tick (worker->custody, rig->now);
        weft_custody_flush (worker->custody, rig->now);
    }
    assert_int_equal (worker->reopened, 1);
    //  Under a new routing id, with a new session; the alert comes again.
    rig_return_all (worker, 0);
    rig_wait (rig, 2 * RIG_BEAT);
    assert_int_equal (worker->hand_count, 1);
    rig_return_all (worker, 0);
    rig_run (rig);
    assert_int_equal (rig->outcome[1], WEFT_OUTCOME_SETTLED);
    assert_int_equal (rig->settles[1], 1);
    rig_free (rig);
}

//  The worker's loop turns and hears nothing until it gives the upstream up.
//  Returns after how many half beats.
static int
given_up (rig_t *rig, rig_worker_t *worker)
{
    unsigned before = worker->reopened;
    int halves = 0;
    for (; worker->reopened == before && halves < 100; halves++) {
        rig->now += RIG_BEAT / 2;
        rig_clear (&worker->out);
        weft_custody_tick (worker->custody, rig->now);
        weft_custody_flush (worker->custody, rig->now);
    }
    return halves;
}

//  One that is there again in the same life was busy: it is waited for longer,
//  up to stall_ms; not so one that began anew.
static void
rule_09_sockets_an_upstream_that_was_busy_is_waited_for (void **state)
{
    (void)state;
    rig_worker_t *worker;
    rig_t *rig = pair (&worker);
    const int beats[] = { 3, 6, 10, 10, 10 };
    for (size_t i = 0; i < WEFT_COUNT (beats); i++) {
        assert_in_range (given_up (rig, worker), 2 * beats[i] - 1,
                         2 * beats[i] + 1);
        rig_wait (rig, 2 * RIG_BEAT);
    }
    weft_upstream_config_t other = rig_up_config ();
    other.boot++;
    rig_up (rig, &other);
    rig_wait (rig, 2 * RIG_BEAT);
    assert_in_range (given_up (rig, worker), 5, 7);
    rig_free (rig);
}

static void
rule_09_sockets_a_failed_send_of_a_worker_is_made_up_for (void **state)
{
    (void)state;
    rig_worker_t *worker;
    rig_t *rig = pair (&worker);
    rig_submit (rig, 1, 100);
    rig_run (rig);
    worker->cut = true;
    rig_return_all (worker, 0);
    rig_run (rig);
    assert_int_equal (rig->outcome[1], -1);
    worker->cut = false;
    rig_run (rig);
    assert_int_equal (rig->outcome[1], WEFT_OUTCOME_SETTLED);
    rig_free (rig);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (rule_03_sessions_late_settles_settle_nothing),
        cmocka_unit_test (
            rule_03_sessions_frames_of_others_do_not_count_as_heard),
        cmocka_unit_test (
            rule_03_sessions_a_hello_ends_the_old_one_of_its_boot),
        cmocka_unit_test (
            rule_03_sessions_only_a_reset_that_names_ours_is_obeyed),
        cmocka_unit_test (
            rule_07_the_hash_is_said_that_changed_before_the_welcome),
        cmocka_unit_test (rule_04_death_is_a_beat_that_cannot_be_sent),
        cmocka_unit_test (rule_04_death_is_silence_with_work_in_hands),
        cmocka_unit_test (
            rule_04_death_of_who_holds_only_what_its_function_returned),
        cmocka_unit_test (rule_04_death_is_not_judged_after_an_absence),
        cmocka_unit_test (rule_04_death_is_judged_by_a_slow_loop),
        cmocka_unit_test (rule_09_sockets_an_oversized_frame_is_not_sent),
        cmocka_unit_test (
            rule_09_sockets_an_upstream_unheard_of_gets_a_new_one),
        cmocka_unit_test (
            rule_09_sockets_an_upstream_that_was_busy_is_waited_for),
        cmocka_unit_test (
            rule_09_sockets_a_failed_send_of_a_worker_is_made_up_for),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
