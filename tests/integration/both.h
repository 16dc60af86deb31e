//  both.h - the same tests on one Redis and on a cluster of three masters.
//
//     const struct CMUnitTest tests[] = { BOTH_TEST (this), BOTH_TEST (that) };
//     return both_run (tests);
//
//  Each test begins with nothing in Redis, and finds `redis` and `batch`.

#ifndef BOTH_H_INCLUDED
#define BOTH_H_INCLUDED

#include "cluster_private.h"
#include "weft_log.h"
#include "weft_redis.h"

static redis_private_t server;
static cluster_private_t cluster;
static bool spread;  //  which of them
static weft_redis_t *redis;
static weft_batch_t *batch;

static int
both_open (void **state)
{
    (void)state;
    if (spread)
        cluster_private_start (&cluster, CLUSTER_MASTERS);
    else
        redis_private_start (&server);
    redis = weft_redis_new (spread ? cluster.address : server.address, NULL);
    batch = redis ? weft_batch_new (redis, 0) : NULL;
    return batch ? 0 : -1;
}

static int
both_close (void **state)
{
    (void)state;
    weft_batch_destroy (&batch);
    weft_redis_destroy (&redis);
    if (spread)
        cluster_private_stop (&cluster);
    else
        redis_private_stop (&server);
    return 0;
}

static int
both_empty (void **state)
{
    (void)state;
    weft_batch_clear (batch);
    if (spread) {
        cluster_private_empty (&cluster);
        return 0;
    }
    weft_batch_words (batch, "FLUSHALL");
    return weft_batch_run (batch);
}

#define BOTH_TEST(name) cmocka_unit_test_setup (name, both_empty)

#define both_run(tests)                                                        \
    (spread = false,                                                           \
     cmocka_run_group_tests_name ("one Redis", tests, both_open, both_close) + \
         (spread = true, cmocka_run_group_tests_name ("a cluster", tests,      \
                                                      both_open, both_close)))

#endif
