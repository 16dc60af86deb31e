//  weft_link_window_test.c - rules 8, 10, 11 and 12: windows, order, effects,
//  policy; and what ingest is told about alerts that are stuck.

#include "link_rig.h"

//  One worker of one upstream by object, of others by hand: it is the shell's
//  view, a link per upstream.
typedef struct {
    weft_worker_t *worker;
    weft_link_frame_t last[4];  //  the last frame sent by each link
    unsigned dispatched;
    bool deaf;  //  sends fail
    weft_held_t *hand[16];
    int64_t now;
    uint64_t seq[4];
} bench_t;

static int
bench_send (void *arg, uint32_t link, const void *header, size_t size)
{
    bench_t *bench = arg;
    if (bench->deaf)
        return WEFT_EAGAIN;
    assert_int_equal (weft_link_decode (&bench->last[link], header, size), 0);
    return 0;
}

static void
bench_dispatch (void *arg, weft_held_t *held, void *item)
{
    (void)item;
    bench_t *bench = arg;
    bench->hand[bench->dispatched++] = held;
}

static void
bench_unref (void *arg, void *item)
{
    (void)arg, (void)item;
}

static void
bench_reopen (void *arg, uint32_t link)
{
    (void)arg, (void)link;
}

static void
bench_open (bench_t *bench, uint32_t ceiling)
{
    weft_worker_config_t config = { .stage = "stage",
                                    .boot = 1,
                                    .ceiling = ceiling,
                                    .ceiling_bytes = 1200,
                                    .beat_ms = RIG_BEAT,
                                    .max_links = 4 };
    weft_worker_ops_t ops = { .send = bench_send,
                              .dispatch = bench_dispatch,
                              .reopen = bench_reopen,
                              .unref = bench_unref };
    *bench = (bench_t){ .now = 1000 };
    bench->worker = weft_worker_new (&config, &ops, bench, bench->now);
}

static void
bench_recv (bench_t *bench, uint32_t link, weft_link_frame_t frame)
{
    uint8_t bytes[WEFT_LINK_HEADER_MAX];
    weft_item_t item = { bench, 100, 100 };
    frame.session = 100 + link;
    int size = weft_link_encode (&frame, bytes, sizeof bytes);
    assert_true (size > 0);
    weft_worker_recv (bench->worker, bench->now, link, bytes, (size_t)size,
                      frame.type == WEFT_LINK_ALERT ? &item : NULL);
}

//  A new link, welcomed.
static void
bench_link (bench_t *bench)
{
    uint32_t link = (uint32_t)weft_worker_open (bench->worker, bench->now);
    weft_worker_flush (bench->worker, bench->now);
    assert_int_equal (bench->last[link].type, WEFT_LINK_HELLO);
    assert_int_equal (bench->last[link].limit, 0);
    bench_recv (bench, link,
                (weft_link_frame_t){ .type = WEFT_LINK_WELCOME,
                                     .echo = 1,
                                     .nonce = bench->last[link].nonce,
                                     .boot = 5,
                                     .beat_ms = RIG_BEAT });
    weft_worker_flush (bench->worker, bench->now);
}

static void
bench_echo (bench_t *bench, uint32_t link)
{
    bench_recv (bench, link,
                (weft_link_frame_t){ .type = WEFT_LINK_UP_BEAT,
                                     .echo = bench->last[link].limit_version });
    weft_worker_flush (bench->worker, bench->now);
}

static void
bench_alert (bench_t *bench, uint32_t link)
{
    bench_recv (bench, link,
                (weft_link_frame_t){ .type = WEFT_LINK_ALERT,
                                     .echo = bench->last[link].limit_version,
                                     .seq = ++bench->seq[link] });
}

static void
bench_settle (bench_t *bench, unsigned index)
{
    assert_true (weft_worker_returned (bench->worker, bench->now,
                                       bench->hand[index], 0));
    weft_worker_settle (bench->worker, bench->hand[index],
                        WEFT_OUTCOME_SETTLED);
}

static void
rule_08_window_is_shared_only_when_it_is_given_back (void **state)
{
    (void)state;
    bench_t bench;
    bench_open (&bench, 8);
    bench_link (&bench);
    assert_int_equal (bench.last[0].limit, 8);
    bench_echo (&bench, 0);
    for (int i = 0; i < 6; i++)
        bench_alert (&bench, 0);
    //  A second upstream: the first one's limit falls, but until that is
    //  echoed it counts in full, and after it what it holds does.
    bench_link (&bench);
    assert_int_equal (bench.last[0].limit, 4);
    assert_int_equal (bench.last[1].limit, 0);
    bench_echo (&bench, 0);
    assert_int_equal (bench.last[1].limit, 2);
    bench_echo (&bench, 1);
    bench_settle (&bench, 0);
    bench_settle (&bench, 1);
    bench.now += RIG_BEAT;
    weft_worker_tick (bench.worker, bench.now);
    assert_int_equal (bench.last[1].limit, 4);
    weft_worker_destroy (&bench.worker);
}

static void
rule_08_window_counts_alerts_of_ended_sessions (void **state)
{
    (void)state;
    bench_t bench;
    bench_open (&bench, 8);
    bench_link (&bench);
    bench_echo (&bench, 0);
    for (int i = 0; i < 5; i++)
        bench_alert (&bench, 0);
    bench_recv (&bench, 0, (weft_link_frame_t){ .type = WEFT_LINK_UP_BYE });
    bench_link (&bench);
    assert_int_equal (bench.last[1].limit, 3);
    assert_int_equal (weft_worker_stats (bench.worker)->held, 5);
    weft_worker_destroy (&bench.worker);
}

static void
rule_08_window_takes_turns_below_one_each (void **state)
{
    (void)state;
    bench_t bench;
    bench_open (&bench, 1);
    bench_link (&bench);
    bench_echo (&bench, 0);
    bench_link (&bench);
    bool had[2] = { false, false };
    for (int beat = 0; beat < 10; beat++) {
        bench.now += RIG_BEAT;
        weft_worker_tick (bench.worker, bench.now);
        weft_worker_flush (bench.worker, bench.now);
        assert_true (bench.last[0].limit + bench.last[1].limit <= 1);
        for (uint32_t link = 0; link < 2; link++) {
            had[link] |= bench.last[link].limit > 0;
            bench_echo (&bench, link);
        }
    }
    assert_true (had[0] && had[1]);
    weft_worker_destroy (&bench.worker);
}

static void
rule_08_window_that_an_upstream_breaks_ends_the_session (void **state)
{
    (void)state;
    bench_t bench;
    bench_open (&bench, 2);
    bench_link (&bench);
    for (int i = 0; i < 3; i++)
        bench_alert (&bench, 0);
    assert_int_equal (weft_worker_stats (bench.worker)->malformed, 1);
    assert_int_equal (weft_worker_stats (bench.worker)->live, 0);
    assert_int_equal (bench.dispatched, 2);
    weft_worker_destroy (&bench.worker);
}

//  What is settled and could not be told is unsettled in its eyes: one that
//  sends on and reads nothing fills no more memory than its limit.
static void
rule_08_window_counts_what_could_not_be_told (void **state)
{
    (void)state;
    bench_t bench;
    bench_open (&bench, 2);
    bench_link (&bench);
    bench_echo (&bench, 0);
    bench.deaf = true;
    for (unsigned i = 0; i < 5; i++) {
        bench.seq[0]++;  //  no two of them make a run
        bench_alert (&bench, 0);
        if (i < bench.dispatched)
            bench_settle (&bench, i);
    }
    assert_int_equal (bench.dispatched, 2);
    assert_int_equal (weft_worker_stats (bench.worker)->malformed, 1);
    weft_worker_destroy (&bench.worker);
}

static void
rule_08_window_an_idle_peer_takes_one_of_any_size (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    weft_custody_config_t stage = rig_worker_config (1);
    stage.worker.ceiling_bytes = 1000;
    rig_worker_t *worker = rig_worker (rig, 0, &stage);
    rig_run (rig);
    rig_submit (rig, 1, 4000);
    rig_submit (rig, 2, 10);
    rig_submit (rig, 3, 600);
    rig_submit (rig, 4, 600);
    rig_run (rig);
    assert_int_equal (worker->hand_count, 1);
    rig_return_all (worker, 0);
    rig_run (rig);
    //  Bytes count as alerts do, and what waits for them is not overtaken.
    assert_int_equal (worker->hand_count, 2);
    assert_int_equal (rig_return (worker, 0), 2);
    rig_run (rig);
    assert_int_equal (worker->hand_count, 1);
    assert_int_equal (rig_return (worker, 0), 3);
    rig_run (rig);
    assert_int_equal (rig_return (worker, 0), 4);
    rig_free (rig);
}

static void
rule_08_window_most_free_first_and_settles_every_turn (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    weft_custody_config_t small = rig_worker_config (1);
    small.worker.ceiling = 2;
    weft_custody_config_t large = rig_worker_config (2);
    large.worker.ceiling = 6;
    rig_worker_t *first = rig_worker (rig, 0, &small);
    rig_worker_t *second = rig_worker (rig, 1, &large);
    rig_run (rig);
    for (int id = 0; id < 4; id++)
        rig_submit (rig, id, 10);
    rig_run (rig);
    assert_int_equal (first->hand_count, 0);
    assert_int_equal (second->hand_count, 4);
    //  One turn's settlements are one frame.
    rig_return_all (second, 0);
    weft_custody_flush (second->custody, rig->now);
    assert_int_equal (second->out.count, 1);
    assert_int_equal (rig_last (&second->out), WEFT_LINK_SETTLE);
    rig_free (rig);
}

static void
rule_10_order_is_not_needed (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    rig_hand_t hand = { rig->up, 5, 9, 0, 8, 1 };
    rig->workers[3].peer = 5;
    rig_hello (&hand, rig->now, "stage", 1);
    for (int id = 1; id < 5; id++)
        rig_submit (rig, id, 10);
    weft_upstream_flush (rig->up, rig->now);
    hand.done = 4;
    //  A number settles itself and nothing that was sent before it.
    weft_link_run_t last = { 3, 2, WEFT_OUTCOME_SETTLED };
    rig_runs (&hand, rig->now, WEFT_LINK_SETTLE, 0, last);
    assert_int_equal (rig->outcome[1], -1);
    assert_int_equal (rig->outcome[2], -1);
    assert_int_equal (rig->outcome[4], WEFT_OUTCOME_SETTLED);
    weft_link_run_t first = { 1, 2, WEFT_OUTCOME_SETTLED };
    rig_runs (&hand, rig->now, WEFT_LINK_SETTLE, 0, first);
    assert_int_equal (weft_upstream_stats (rig->up)->alerts, 0);
    rig_clear (&rig->workers[3].in);
    rig_free (rig);
}

static void
rule_11_effects_are_the_runtime_s_after_the_function (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    weft_custody_config_t stage = rig_worker_config (1);
    stage.commits = true;
    rig_worker_t *worker = rig_worker (rig, 0, &stage);
    rig_run (rig);
    rig_submit (rig, 1, 100);
    rig_run (rig);
    //  A death between function and commit has had no effect ...
    rig_return_all (worker, 0);
    assert_int_equal (weft_custody_effects (worker->custody, NULL, 0), 1);
    rig_kill (worker);
    rig_wait (rig, RIG_BEAT);
    stage.worker.boot = 2;
    worker = rig_worker (rig, 0, &stage);
    rig_wait (rig, RIG_BEAT);
    //  ... and one after it brings the alert again: the effect needs a key.
    (void)rig_child (worker, WEFT_CHILD_RETURNED, 0);
    assert_int_equal (weft_custody_effects (worker->custody, NULL, 0), 1);
    weft_custody_committed (worker->custody, rig->now, 1);
    rig_kill (worker);
    rig_wait (rig, RIG_BEAT);
    stage.worker.boot = 3;
    worker = rig_worker (rig, 0, &stage);
    rig_wait (rig, RIG_BEAT);
    (void)rig_child (worker, WEFT_CHILD_RETURNED, 0);
    assert_int_equal (weft_custody_effects (worker->custody, NULL, 0), 1);
    weft_custody_committed (worker->custody, rig->now, 1);
    rig_run (rig);
    assert_int_equal (rig->settles[1], 1);
    rig_free (rig);
}

static void
rule_12_policy_of_a_tap_never_pushes_back (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    config.branch_count = 2;
    config.branches[1] = (weft_branch_config_t){ "tap", WEFT_SAMPLE };
    rig_t *rig = rig_new (&config);
    weft_custody_config_t stage = rig_worker_config (1);
    rig_worker_t *worker = rig_worker (rig, 0, &stage);
    weft_custody_config_t tap = rig_worker_config (2);
    tap.worker.stage = "tap";
    tap.worker.ceiling = 2;
    rig_worker_t *dashboard = rig_worker (rig, 1, &tap);
    rig_run (rig);
    for (int id = 0; id < 6; id++)
        rig_submit (rig, id, 10);
    rig_run (rig);
    assert_int_equal (worker->hand_count, 6);
    assert_int_equal (dashboard->hand_count, 2);
    assert_int_equal (weft_upstream_stats (rig->up)->sampled_out, 4);
    rig_return_all (worker, 0);
    rig_run (rig);
    //  All is settled, whatever the tap does; its window is its own.
    assert_int_equal (weft_upstream_stats (rig->up)->settled, 6);
    rig_return_all (dashboard, 0);
    rig_run (rig);
    rig_submit (rig, 7, 10);
    rig_run (rig);
    assert_int_equal (dashboard->hand_count, 1);
    rig_free (rig);
}

static void
stuck_alerts_are_told_by_who_overtook_them (void **state)
{
    (void)state;
    weft_upstream_config_t config = rig_up_config ();
    rig_t *rig = rig_new (&config);
    weft_custody_config_t stage = rig_worker_config (1);
    rig_worker_t *worker = rig_worker (rig, 0, &stage);
    rig_run (rig);
    rig_submit (rig, 0, 10);
    rig_run (rig);
    weft_held_t *stuck = worker->hand[0];
    worker->hand_count = 0;
    for (int id = 1; id < 51; id++) {
        rig_submit (rig, id, 10);
        rig_run (rig);
        rig_return_all (worker, 0);
        rig_run (rig);
    }
    weft_oldest_t oldest;
    assert_true (weft_upstream_oldest (rig->up, rig->now + 500, &oldest));
    assert_int_equal ((int)(intptr_t)oldest.tag, 0);
    assert_int_equal (oldest.overtaken, 50);
    assert_int_equal (oldest.waiting, 1);
    assert_int_equal (oldest.age_ms, 500);
    assert_int_equal (weft_upstream_abandon_oldest (rig->up, rig->now), 0);
    assert_false (weft_upstream_oldest (rig->up, rig->now, &oldest));
    //  Its worker still has it in its window; what it says settles nothing.
    weft_session_info_t info;
    assert_true (weft_upstream_session (rig->up, 0, &info));
    assert_int_equal (info.unsettled, 1);
    worker->hand[worker->hand_count++] = stuck;
    rig_return_all (worker, 0);
    rig_run (rig);
    assert_int_equal (rig->settles[0], 0);
    assert_true (weft_upstream_session (rig->up, 0, &info));
    assert_int_equal (info.unsettled, 0);
    assert_int_equal (weft_upstream_stats (rig->up)->not_held, 0);
    rig_free (rig);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (rule_08_window_is_shared_only_when_it_is_given_back),
        cmocka_unit_test (rule_08_window_counts_alerts_of_ended_sessions),
        cmocka_unit_test (rule_08_window_takes_turns_below_one_each),
        cmocka_unit_test (
            rule_08_window_that_an_upstream_breaks_ends_the_session),
        cmocka_unit_test (rule_08_window_counts_what_could_not_be_told),
        cmocka_unit_test (rule_08_window_an_idle_peer_takes_one_of_any_size),
        cmocka_unit_test (
            rule_08_window_most_free_first_and_settles_every_turn),
        cmocka_unit_test (rule_10_order_is_not_needed),
        cmocka_unit_test (rule_11_effects_are_the_runtime_s_after_the_function),
        cmocka_unit_test (rule_12_policy_of_a_tap_never_pushes_back),
        cmocka_unit_test (stuck_alerts_are_told_by_who_overtook_them),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
