//  0002 - of a night's queries a fixed share is random. When every candidate that
//  was read of the ranked pool was open already (other replicas, objects that
//  came again), its ranks went to random picks though the pool had more.

#include "unit/testing.h"

#include <math.h>

#include "integration/redis_private.h"
#include "unit/learner_alert.h"
#include "weft_asking.h"
#include "weft_candidate.h"
#include "weft_pool.h"
#include "weft_strategy.h"

#define OBJECTS 400
#define BUDGET 300
#define UTC 1773100800.0  //  2026-03-10T00:00:00Z: the night of the 9th

static redis_private_t server;

static weft_asking_t
an_asking (void)
{
    return (weft_asking_t){ .requester = "active-learner",
                            .instance = "one",
                            .budget = BUDGET,
                            .batch = 3,
                            .interval_ms = 1000,
                            .random_share = 0.15,
                            .expires_d = 10,
                            .max_age_d = 20,
                            .noon_utc_h = 16 };
}

static weft_redis_t *
connect_to_server (void)
{
    weft_redis_t *redis = weft_redis_new (server.address, NULL);
    assert_non_null (redis);
    return redis;
}

//  A candidate of the object as the stage would put it into both pools.
static void
put_candidate (weft_redis_t *redis,
               const char *object,
               double t_obs,
               float p_first)
{
    const float p[2] = { p_first, 1 - p_first };
    char key[64];
    weft_buf_t entry;
    weft_candidate_verdict_t verdict;
    weft_candidate_rule_t rule = { "active-learner",
                                   "demo",
                                   "",
                                   weft_strategy_find ("uncertainty"),
                                   21,
                                   false };
    learner_alert_t of = { .object = object,
                           .id = 1,
                           .okind = 1,
                           .t_obs = t_obs,
                           .flux = 40000,
                           .model = "demo",
                           .classes = "a,b",
                           .p = p,
                           .n = 2 };
    weft_alert_t *alert = learner_alert (&of);
    weft_buf_init (&entry, 65536);
    assert_int_equal (weft_candidate_make (&rule, alert, &entry, &verdict), 0);
    int size = snprintf (key, sizeof (key), "ztf:%s", object);
    weft_pool_put_t put = { { key, (uint32_t)size },
                            t_obs,
                            0.5 - fabs ((double)p_first - 0.5),
                            entry.data,
                            entry.size };
    assert_int_equal (weft_pool_put (redis, "active-learner", &put, 1, OBJECTS),
                      0);
    put.score = weft_random_score (key, (size_t)size);
    assert_int_equal (
        weft_pool_put (redis, "active-learner-random", &put, 1, OBJECTS), 0);
    weft_buf_fini (&entry);
    weft_alert_unref (&alert);
}

static void
fill_pool (weft_redis_t *redis)
{
    for (int i = 0; i < OBJECTS; i++) {
        char object[32];
        snprintf (object, sizeof (object), "ZTF26%06d", i);
        put_candidate (redis, object, 61000, (float)i / OBJECTS);
    }
}

//  Everything that was read of the ranked pool has been asked for already (its
//  objects came again): that is no reason to spend its ranks at random.
static void
objects_that_are_open_do_not_shift_the_share (void **state)
{
    (void)state;
    weft_redis_t *redis = connect_to_server ();
    weft_asking_t self = an_asking ();
    weft_asked_t asked;
    self.batch = 100;
    self.random_share = 0;
    fill_pool (redis);
    assert_int_equal (weft_asking_turn (&self, redis, UTC, 61000, &asked), 0);
    assert_int_equal (asked.asked, 100);
    fill_pool (redis);
    self.batch = 3;
    self.random_share = 0.15;
    for (int i = 1; asked.spent < 200; i++) {
        assert_true (i < 200);
        assert_int_equal (
            weft_asking_turn (&self, redis, UTC + i, 61000, &asked), 0);
        assert_true (asked.random <= 1);
    }
    weft_redis_destroy (&redis);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (objects_that_are_open_do_not_shift_the_share),
    };
    redis_private_start (&server);
    int failed = cmocka_run_group_tests (tests, NULL, NULL);
    redis_private_stop (&server);
    return failed;
}
