//  The keeper: dead letters and replays over kills of Redis, never waiting.

#include "unit/testing.h"

#include <poll.h>

#include "weft_dlq.h"
#include "weft_keeper.h"
#include "weft_registry_store.h"
#include "weft_time.h"

#include "redis_private.h"
#include "unit/test_alert.h"

static redis_private_t redis;
static weft_keeper_t *keeper;
static int graves[8];  //  only their addresses are used

static weft_keeper_t *
start (size_t ceiling)
{
    static const char *const branches[] = { "alpha" };
    char why[256];
    weft_keeper_config_t config = {
        .address = redis.address,
        .stage = "test",
        .instance = "test-1",
        .dead_letter_bytes = ceiling,
        .branches = branches,
        .n_branches = 1,
    };
    weft_keeper_t *self = weft_keeper_new (&config, why, sizeof why);
    assert_non_null (self);
    return self;
}

static void
bury (int number)
{
    weft_alert_t *alert = test_alert (number, 1000);
    assert_int_equal (weft_keeper_bury (keeper, (void *)&graves[number], alert,
                                        "alpha", WEFT_ERANGE, "too odd"),
                      0);
    weft_alert_unref (&alert);
}

static bool
wait_woken (int ms)
{
    struct pollfd item = { .fd = weft_keeper_fd (keeper), .events = POLLIN };
    return poll (&item, 1, ms) == 1 && weft_keeper_woken (keeper);
}

static void
wait_buried (int number)
{
    assert_true (wait_woken (120000));
    assert_ptr_equal (weft_keeper_buried (keeper), &graves[number]);
}

static void
letters_are_written (void **state)
{
    (void)state;
    keeper = start (WEFT_DLQ_CEILING);
    bury (1);
    wait_buried (1);
    assert_null (weft_keeper_buried (keeper));
    assert_int_equal (weft_keeper_waiting (keeper), 0);
    weft_keeper_destroy (&keeper);
}

//  With Redis gone the order waits, and is done when it is back.
static void
letters_wait_for_redis (void **state)
{
    (void)state;
    char why[256];
    keeper = start (WEFT_DLQ_CEILING);
    redis_private_kill (&redis);
    int64_t from = weft_time_ms ();
    bury (2);
    assert_true (weft_time_ms () - from < 1000);  //  not one connect
    for (int i = 0; i < 1200 && !weft_keeper_down (keeper, why, sizeof why);
         i++)
        assert_false (wait_woken (100));
    assert_true (weft_keeper_down (keeper, why, sizeof why));
    assert_non_null (strstr (why, "Redis"));
    redis_private_restart (&redis);
    wait_buried (2);
    weft_keeper_destroy (&keeper);
}

static void
at_the_ceiling_they_wait (void **state)
{
    (void)state;
    keeper = start (2500);
    bury (3);
    assert_false (wait_woken (1000));
    assert_int_equal (weft_keeper_waiting (keeper), 1);
    weft_keeper_destroy (&keeper);
}

static void
replays_come_and_are_told (void **state)
{
    (void)state;
    weft_redis_t *other = weft_redis_new (redis.address, NULL);
    assert_int_equal (weft_dlq_replay (other, "alpha", "ztf:1"), 0);
    keeper = start (WEFT_DLQ_CEILING);
    uint32_t branch = 9;
    weft_alert_t *alert = NULL;
    assert_true (wait_woken (120000));
    weft_keeper_replay_t *replay = weft_keeper_replay (keeper, &branch, &alert);
    assert_non_null (replay);
    assert_int_equal (branch, 0);
    assert_int_equal (weft_alert_envelope (alert)->alert_id, 1);
    assert_null (weft_keeper_replay (keeper, &branch, &alert));
    weft_keeper_replayed (keeper, replay, true);
    int64_t until = weft_time_ms () + 120000;
    while (weft_dlq_replay (other, "alpha", "ztf:1") != WEFT_ENOENT)
        assert_true (weft_time_ms () < until);
    weft_keeper_destroy (&keeper);
    weft_redis_destroy (&other);
}

static void
count_entry (void *arg,
             const char *stage,
             const char *uuid,
             const char *json,
             size_t size)
{
    (void)json;
    (void)size;
    if (strcmp (stage, "test") == 0 && strcmp (uuid, "test-1") == 0)
        ++*(int *)arg;
}

static void
the_registry_knows_it (void **state)
{
    (void)state;
    weft_redis_t *other = weft_redis_new (redis.address, NULL);
    keeper = start (WEFT_DLQ_CEILING);
    weft_keeper_register (keeper, "{\"stage\":\"test\"}");
    int found = 0;
    int64_t until = weft_time_ms () + 120000;
    while (!found && weft_time_ms () < until)
        assert_int_equal (weft_registry_list (other, count_entry, &found), 0);
    assert_true (found > 0);
    weft_keeper_destroy (&keeper);
    found = 0;
    assert_int_equal (weft_registry_list (other, count_entry, &found), 0);
    assert_int_equal (found, 0);
    weft_redis_destroy (&other);
}

//  Without an address nothing is done, and nothing hangs.
static void
no_redis_at_all (void **state)
{
    (void)state;
    char why[256];
    weft_keeper_config_t config = { .address = "",
                                    .stage = "test",
                                    .instance = "t" };
    keeper = weft_keeper_new (&config, why, sizeof why);
    assert_non_null (keeper);
    bury (4);
    assert_false (wait_woken (300));
    weft_keeper_destroy (&keeper);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (letters_are_written),
        cmocka_unit_test (letters_wait_for_redis),
        cmocka_unit_test (at_the_ceiling_they_wait),
        cmocka_unit_test (replays_come_and_are_told),
        cmocka_unit_test (the_registry_knows_it),
        cmocka_unit_test (no_redis_at_all),
    };
    redis_private_start (&redis);
    int failed = cmocka_run_group_tests (tests, NULL, NULL);
    redis_private_stop (&redis);
    return failed;
}
