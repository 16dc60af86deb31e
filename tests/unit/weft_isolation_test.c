//  The isolation child: what each way to end says about the alert. This program
//  is its own child.

#include "testing.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "weft_isolation.h"
#include "weft_stage.h"
#include "weft_time.h"

#include "test_alert.h"

enum { FINE, CRASH, ABORT, EXIT, HANG, REJECT, ASLEEP, EMPTY, BIG };

static int
act (void *self, const weft_alert_t *in, weft_section_t *out)
{
    (void)self;
    switch (weft_alert_envelope (in)->alert_id) {
    case CRASH:
        raise (SIGSEGV);
        break;
    case ABORT:
        abort ();
    case EXIT:
        _exit (3);
    case HANG:
    case ASLEEP:
        for (;;)
            pause ();
    case REJECT:
        weft_stage_reason ("nothing but noise");
        return WEFT_ERANGE;
    case EMPTY:
        return 0;
    case BIG:
        assert_non_null (weft_buf_grow (out, 3000000));
        return 0;
    default:
        break;
    }
    weft_buf_addf (out, "worked");
    return 0;
}

static weft_alert_t *
golden (void)
{
    return test_alert (FINE, 1);
}

static char *child_argv[] = { "test", "--isolated", NULL };

static int
child (void)
{
    setenv ("WEFT__LINK__UPSTREAMS", "127.0.0.1:1", 1);
    return weft_stage_main (2, child_argv,
                            &(weft_stage_spec_t){ .name = "test",
                                                  .about = "a test",
                                                  .writes = "test.v1",
                                                  .fn = act,
                                                  .golden = golden });
}

typedef struct {
    weft_isolation_t *isolation;
    weft_isolated_t ended;
} rig_t;

static bool
turn (rig_t *rig)
{
    nanosleep (&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    return weft_isolation_turn (rig->isolation, weft_time_ms (), &rig->ended);
}

static void
wait_end (rig_t *rig)
{
    int64_t until = weft_time_ms () + 120000;
    while (!turn (rig))
        assert_true (weft_time_ms () < until);
}

static void
run (rig_t *rig, int64_t id, size_t size)
{
    weft_alert_t *alert = id < 0 ? NULL : test_alert (id, size);
    assert_int_equal (weft_isolation_run (rig->isolation, alert), 0);
    weft_alert_unref (&alert);
    wait_end (rig);
}

static void
ends (int64_t id, weft_child_t how, int rc)
{
    int64_t stall_ms = how == WEFT_CHILD_HUNG ? 300 : 60000;
    rig_t rig = { weft_isolation_new (child_argv, stall_ms), { 0 } };
    run (&rig, id, 100);
    assert_int_equal (rig.ended.how, how);
    if (how == WEFT_CHILD_RETURNED)
        assert_int_equal (rig.ended.rc, rc);
    weft_frame_unref (&rig.ended.section);
    //  And the next job finds a child that works. Where 300 ms are the limit a
    //  busy machine may miss it; then it proves nothing.
    do
        run (&rig, FINE, 100);
    while (how == WEFT_CHILD_HUNG && rig.ended.how == WEFT_CHILD_HUNG);
    assert_int_equal (rig.ended.how, WEFT_CHILD_RETURNED);
    assert_int_equal (weft_frame_size (rig.ended.section), 6);
    weft_frame_unref (&rig.ended.section);
    weft_isolation_destroy (&rig.isolation);
}

static void
returns (void **state)
{
    (void)state;
    ends (FINE, WEFT_CHILD_RETURNED, 0);
    ends (-1, WEFT_CHILD_RETURNED, 0);
    ends (REJECT, WEFT_CHILD_RETURNED, WEFT_ERANGE);
    ends (EMPTY, WEFT_CHILD_RETURNED, 0);
}

static void
crashes (void **state)
{
    (void)state;
    ends (CRASH, WEFT_CHILD_CRASHED, 0);
    ends (ABORT, WEFT_CHILD_CRASHED, 0);
    ends (EXIT, WEFT_CHILD_CRASHED, 0);
}

static void
hangs (void **state)
{
    (void)state;
    ends (HANG, WEFT_CHILD_HUNG, 0);
}

static void
the_reason_comes_along (void **state)
{
    (void)state;
    rig_t rig = { weft_isolation_new (child_argv, 60000), { 0 } };
    run (&rig, REJECT, 1);
    assert_string_equal (rig.ended.reason, "nothing but noise");
    assert_null (rig.ended.section);
    weft_isolation_destroy (&rig.isolation);
}

static void
large_alerts_and_answers_pass (void **state)
{
    (void)state;
    rig_t rig = { weft_isolation_new (child_argv, 60000), { 0 } };
    run (&rig, BIG, 7000000);
    assert_int_equal (rig.ended.how, WEFT_CHILD_RETURNED);
    assert_int_equal (weft_frame_size (rig.ended.section), 3000000);
    weft_frame_unref (&rig.ended.section);
    weft_isolation_destroy (&rig.isolation);
}

//  Whoever kills the child from outside says nothing about the alert.
static void
killed_from_outside (void **state)
{
    (void)state;
    static const int signals[] = { SIGKILL, SIGTERM };
    for (size_t i = 0; i < WEFT_COUNT (signals); i++) {
        rig_t rig = { weft_isolation_new (child_argv, 60000), { 0 } };
        run (&rig, FINE, 1);
        weft_frame_unref (&rig.ended.section);
        weft_alert_t *alert = test_alert (ASLEEP, 1);
        assert_int_equal (weft_isolation_run (rig.isolation, alert), 0);
        weft_alert_unref (&alert);
        for (int k = 0; k < 50; k++)
            assert_false (turn (&rig));
        kill (weft_isolation_pid (rig.isolation), signals[i]);
        wait_end (&rig);
        assert_int_equal (rig.ended.how, WEFT_CHILD_KILLED);
        weft_isolation_destroy (&rig.isolation);
    }
}

//  An idle child that dies takes no job with it.
static void
killed_while_idle (void **state)
{
    (void)state;
    rig_t rig = { weft_isolation_new (child_argv, 60000), { 0 } };
    run (&rig, FINE, 1);
    weft_frame_unref (&rig.ended.section);
    int pid = weft_isolation_pid (rig.isolation);
    weft_isolation_renew (rig.isolation);
    for (int k = 0; k < 50; k++)
        assert_false (turn (&rig));
    run (&rig, FINE, 1);
    assert_int_equal (rig.ended.how, WEFT_CHILD_RETURNED);
    assert_int_not_equal (pid, weft_isolation_pid (rig.isolation));
    weft_frame_unref (&rig.ended.section);
    weft_isolation_destroy (&rig.isolation);
}

//  A child with a job that it cannot begin yet: it is stopped.
static void
give_to_stopped (rig_t *rig, int64_t now_ms)
{
    run (rig, FINE, 1);
    weft_frame_unref (&rig->ended.section);
    kill (weft_isolation_pid (rig->isolation), SIGSTOP);
    weft_alert_t *alert = test_alert (FINE, 1);
    assert_int_equal (weft_isolation_run (rig->isolation, alert), 0);
    weft_alert_unref (&alert);
    assert_false (weft_isolation_turn (rig->isolation, now_ms, &rig->ended));
}

//  What froze the child has frozen us as well: no alert is to blame.
static void
frozen_with_us (void **state)
{
    (void)state;
    rig_t rig = { weft_isolation_new (child_argv, 60000), { 0 } };
    int64_t now = weft_time_ms (), thawed = now + 600000;
    give_to_stopped (&rig, now);
    assert_false (weft_isolation_turn (rig.isolation, thawed, &rig.ended));
    kill (weft_isolation_pid (rig.isolation), SIGCONT);
    while (!weft_isolation_turn (rig.isolation, thawed, &rig.ended))
        nanosleep (&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    assert_int_equal (rig.ended.how, WEFT_CHILD_RETURNED);
    weft_frame_unref (&rig.ended.section);
    weft_isolation_destroy (&rig.isolation);
}

//  A loop that is away again and again still ends a child that hangs.
static void
hangs_while_we_are_slow (void **state)
{
    (void)state;
    rig_t rig = { weft_isolation_new (child_argv, 60000), { 0 } };
    int64_t now = weft_time_ms ();
    bool ended = false;
    give_to_stopped (&rig, now);
    for (int i = 0; i < 70 && !ended; i++) {
        now += 5000;
        ended = weft_isolation_turn (rig.isolation, now, &rig.ended);
    }
    if (!ended)
        wait_end (&rig);
    assert_int_equal (rig.ended.how, WEFT_CHILD_HUNG);
    weft_isolation_destroy (&rig.isolation);
}

//  A child that is busy while the configuration changes is the last with the
//  old one.
static void
renewed_while_busy (void **state)
{
    (void)state;
    rig_t rig = { weft_isolation_new (child_argv, 60000), { 0 } };
    give_to_stopped (&rig, weft_time_ms ());
    int pid = weft_isolation_pid (rig.isolation);
    weft_isolation_renew (rig.isolation);
    kill (pid, SIGCONT);
    wait_end (&rig);
    assert_int_equal (rig.ended.how, WEFT_CHILD_RETURNED);
    weft_frame_unref (&rig.ended.section);
    for (int64_t until = weft_time_ms () + 120000;
         weft_isolation_pid (rig.isolation) == pid;) {
        assert_false (turn (&rig));
        assert_true (weft_time_ms () < until);
    }
    run (&rig, FINE, 1);
    assert_int_equal (rig.ended.how, WEFT_CHILD_RETURNED);
    weft_frame_unref (&rig.ended.section);
    weft_isolation_destroy (&rig.isolation);
}

//  A child that never gets ready says nothing about the alert, either.
static void
cannot_start (void **state)
{
    (void)state;
    char *bad[] = { "test", "--isolated", "--nonsense", NULL };
    rig_t rig = { weft_isolation_new (bad, 1000), { 0 } };
    run (&rig, FINE, 1);
    assert_int_equal (rig.ended.how, WEFT_CHILD_KILLED);
    weft_isolation_destroy (&rig.isolation);
}

int
main (int argc, char *argv[])
{
    if (argc == 2 && strcmp (argv[1], "--isolated") == 0)
        return child ();
    if (argc > 2)
        return 2;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (returns),
        cmocka_unit_test (crashes),
        cmocka_unit_test (hangs),
        cmocka_unit_test (the_reason_comes_along),
        cmocka_unit_test (large_alerts_and_answers_pass),
        cmocka_unit_test (killed_from_outside),
        cmocka_unit_test (killed_while_idle),
        cmocka_unit_test (frozen_with_us),
        cmocka_unit_test (hangs_while_we_are_slow),
        cmocka_unit_test (renewed_while_busy),
        cmocka_unit_test (cannot_start),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
