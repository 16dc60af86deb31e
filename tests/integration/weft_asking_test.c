//  weft_asking_test.c - a night's budget is spent once, whoever is killed.

#include "../unit/testing.h"

#include "../unit/learner_alert.h"

#include "redis_private.h"
#include "weft_asking.h"
#include "weft_candidate.h"
#include "weft_hash.h"
#include "weft_pool.h"
#include "weft_queries.h"
#include "weft_strategy.h"
#include "weft_time.h"

#include <math.h>

#define OBJECTS 400
#define BUDGET 300
#define UTC 1773100800.0  //  2026-03-10T00:00:00Z: the night of the 9th

static redis_private_t server;

static weft_asking_t
an_asking (const char *instance)
{
    return (weft_asking_t){ .requester = "active-learner",
                            .instance = instance,
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

typedef struct {
    uint32_t n, random;
    bool asked[OBJECTS];
    float first_score;
} night_t;

static void
take_query (void *arg, uint32_t rank, weft_bin_t section)
{
    night_t *night = arg;
    weft_query_v1_t query;
    char object[32], id[128];
    assert_int_equal (
        weft_contract_decode (&weft_query_v1, &query, section.p, section.n), 0);
    assert_int_equal (rank, night->n + 1);
    assert_int_equal (query.rank, rank);
    assert_int_equal (query.night, 20260309);
    weft_str_copy (query.object_id, object, sizeof (object));
    weft_str_copy (query.query_id, id, sizeof (id));
    long index = strtol (object + 5, NULL, 10);
    assert_in_range (index, 0, OBJECTS - 1);
    assert_false (night->asked[index]);  //  never twice
    night->asked[index] = true;
    char expected[128];
    snprintf (expected, sizeof (expected), "active-learner:ztf:%s:20260309",
              object);
    assert_string_equal (id, expected);
    if (!night->n++)
        night->first_score = query.score;
    night->random += weft_str_is (query.strategy, "random");
}

static void
read_night (weft_redis_t *redis, night_t *night)
{
    memset (night, 0, sizeof (*night));
    assert_int_equal (weft_query_night (redis, 20260309, 1, take_query, night),
                      0);
}

static void
test_nights_change_at_noon (void **state)
{
    (void)state;
    assert_int_equal (weft_asking_night (UTC, 16), 20260309);
    assert_int_equal (weft_asking_night (UTC + 15.9 * 3600, 16), 20260309);
    assert_int_equal (weft_asking_night (UTC + 16.1 * 3600, 16), 20260310);
}

static void
test_one_replica_an_interval (void **state)
{
    (void)state;
    weft_redis_t *redis = connect_to_server ();
    weft_asking_t one = an_asking ("one");
    weft_asking_t two = an_asking ("two");
    weft_asked_t asked;
    night_t night;
    fill_pool (redis);
    assert_int_equal (weft_asking_turn (&one, redis, UTC, 61000, &asked), 0);
    assert_true (asked.claimed);
    assert_int_equal (asked.asked, 3);
    assert_int_equal (weft_asking_turn (&two, redis, UTC + .5, 61000, &asked),
                      0);
    assert_false (asked.claimed);
    assert_int_equal (weft_asking_turn (&two, redis, UTC + 1, 61000, &asked),
                      0);
    assert_true (asked.claimed);
    assert_int_equal (asked.spent, 6);
    read_night (redis, &night);
    assert_int_equal (night.n, 6);
    assert_true (fabsf (night.first_score - 0.5f) < 0.01f);
    weft_redis_destroy (&redis);
}

//  A replica that asks as fast as it can, every turn an interval of its own so
//  that no claim keeps them apart. It ends with its parent at the latest.
static void
run_replica (const char *name, double utc, pid_t parent)
{
    weft_asking_t self = an_asking (name);
    weft_redis_t *redis = weft_redis_new (server.address, NULL);
    weft_asked_t asked;
    self.interval_ms = 1;
    for (int i = 0; redis && getppid () == parent; i++)
        if (weft_asking_turn (&self, redis, utc + i * 0.003, 61000, &asked))
            nanosleep (&(struct timespec){ .tv_nsec = 1000000 }, NULL);
    _exit (0);
}

static pid_t
start_replica (int number, int life)
{
    char name[32];
    snprintf (name, sizeof (name), "learner-%d-%d", number, life);
    pid_t parent = getpid ();
    pid_t pid = fork ();
    if (pid == 0)
        run_replica (name, UTC + 100 * life + number * 0.001, parent);
    assert_true (pid > 0);
    return pid;
}

static uint32_t
random_ranks (uint32_t budget)
{
    uint32_t n = 0;
    for (uint32_t rank = 1; rank <= budget; rank++)
        n += weft_rank_is_random (rank, an_asking ("").random_share);
    return n;
}

static void
kill_replica (pid_t pid)
{
    kill (pid, SIGKILL);
    waitpid (pid, NULL, 0);
}

static void
test_kills_never_break_the_budget (void **state)
{
    (void)state;
    pid_t replicas[3];
    night_t night = { 0 };
    uint64_t random = 11;
    weft_redis_t *redis = connect_to_server ();
    fill_pool (redis);
    for (int i = 0; i < 3; i++)
        replicas[i] = start_replica (i, 1);
    for (int life = 2; life < 60; life++) {
        uint64_t bits = weft_hash_u64 (++random);
        nanosleep (&(struct timespec){ .tv_nsec = (long)(bits % 4000000) },
                   NULL);
        int victim = (int)((bits >> 32) % 3);
        kill_replica (replicas[victim]);
        if (life % 20 == 0)
            redis_private_restart (&server);
        replicas[victim] = start_replica (victim, life);
    }
    for (int wait = 0; wait < 6000 && night.n < BUDGET; wait++) {
        nanosleep (&(struct timespec){ .tv_nsec = 10000000 }, NULL);
        read_night (redis, &night);
    }
    for (int i = 0; i < 3; i++)
        kill_replica (replicas[i]);
    read_night (redis, &night);  //  checks each object, rank and id
    assert_int_equal (night.n, BUDGET);
    //  Replicas that take each other's candidates do not shift the share.
    assert_int_equal (night.random, random_ranks (BUDGET));
    weft_redis_destroy (&redis);
}

static void
test_open_objects_and_old_ones_are_not_asked_for (void **state)
{
    (void)state;
    weft_redis_t *redis = connect_to_server ();
    weft_asking_t self = an_asking ("one");
    weft_asked_t asked;
    uint64_t left;
    put_candidate (redis, "ZTF26000001", 61000, 0.5f);
    assert_int_equal (weft_asking_turn (&self, redis, UTC, 61000, &asked), 0);
    assert_int_equal (asked.asked, 1);
    //  It comes again, is dropped again; another one is too old.
    put_candidate (redis, "ZTF26000001", 61000.1, 0.5f);
    put_candidate (redis, "ZTF26000002", 60970, 0.5f);
    assert_int_equal (weft_asking_turn (&self, redis, UTC + 1, 61000, &asked),
                      0);
    assert_int_equal (asked.asked, 0);
    assert_int_equal (asked.open, 1);
    assert_int_equal (weft_pool_size (redis, "active-learner", &left), 0);
    assert_int_equal (left, 0);
    //  When the query has expired it may be asked for again.
    put_candidate (redis, "ZTF26000001", 61011, 0.5f);
    assert_int_equal (
        weft_asking_turn (&self, redis, UTC + 10.1 * 86400, 61011, &asked), 0);
    assert_int_equal (asked.asked, 1);
    weft_redis_destroy (&redis);
}

static void
test_redis_down_is_said_and_nothing_is_lost (void **state)
{
    (void)state;
    weft_redis_t *redis = connect_to_server ();
    weft_asking_t self = an_asking ("one");
    weft_asked_t asked;
    night_t night;
    fill_pool (redis);
    assert_int_equal (weft_asking_turn (&self, redis, UTC, 61000, &asked), 0);
    redis_private_kill (&server);
    assert_int_equal (weft_asking_turn (&self, redis, UTC + 1, 61000, &asked),
                      WEFT_EDOWN);
    redis_private_restart (&server);
    int rc = WEFT_EDOWN;
    for (int i = 0; i < 6000 && rc; i++) {
        rc = weft_asking_turn (&self, redis, UTC + 2 + i, 61000, &asked);
        nanosleep (&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    }
    assert_int_equal (rc, 0);
    read_night (redis, &night);
    assert_int_equal (night.n, 6);
    weft_redis_destroy (&redis);
}

static void
test_nights_are_listed (void **state)
{
    (void)state;
    weft_redis_t *redis = connect_to_server ();
    weft_asking_t self = an_asking ("one");
    weft_asked_t asked;
    int32_t nights[4];
    size_t n = WEFT_COUNT (nights);
    fill_pool (redis);
    for (int day = 0; day < 3; day++)
        assert_int_equal (
            weft_asking_turn (&self, redis, UTC + day * 86400, 61000, &asked),
            0);
    assert_int_equal (weft_query_nights (redis, nights, &n), 0);
    assert_int_equal (n, 3);
    assert_int_equal (nights[0], 20260311);
    assert_int_equal (nights[2], 20260309);
    weft_redis_destroy (&redis);
}

static int
start_server (void **state)
{
    (void)state;
    redis_private_start (&server);
    return 0;
}

static int
stop_server (void **state)
{
    (void)state;
    redis_private_stop (&server);
    return 0;
}

#define WITH_SERVER(test)                                                      \
    cmocka_unit_test_setup_teardown (test, start_server, stop_server)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_nights_change_at_noon),
        WITH_SERVER (test_one_replica_an_interval),
        WITH_SERVER (test_kills_never_break_the_budget),
        WITH_SERVER (test_open_objects_and_old_ones_are_not_asked_for),
        WITH_SERVER (test_redis_down_is_said_and_nothing_is_lost),
        WITH_SERVER (test_nights_are_listed),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
