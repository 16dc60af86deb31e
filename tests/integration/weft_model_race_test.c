//  weft_model_race_test.c - several promote a model at once; old versions go,
//  and never one that is in use.

#include "unit/testing.h"

#include <pthread.h>

#include "integration/redis_private.h"
#include "weft_contracts.h"
#include "weft_log.h"
#include "weft_models.h"

enum { ROUNDS = 60, PROMOTERS = 2 };

static redis_private_t server;
static weft_redis_t *redis;

static int
begin (void **state)
{
    (void)state;
    weft_log_init ("test", WEFT_ERROR);
    redis_private_start (&server);
    redis = weft_redis_new (server.address, NULL);
    return redis ? 0 : -1;
}

static int
end (void **state)
{
    (void)state;
    weft_redis_destroy (&redis);
    redis_private_stop (&server);
    return 0;
}

static void
publish (const char *name, const char *version)
{
    weft_model_v1_t model;
    weft_buf_t buf;
    weft_buf_init (&buf, 1 << 20);
    weft_contract_clear (&weft_model_v1, &model);
    WEFT_SET (model_v1, &model, name, weft_str (name));
    WEFT_SET (model_v1, &model, version, weft_str (version));
    WEFT_SET (model_v1, &model, format, weft_str ("ubj"));
    WEFT_SET (model_v1, &model, set, 7);
    WEFT_SET (model_v1, &model, features, weft_str ("a,b"));
    WEFT_SET (model_v1, &model, classes, weft_str ("x,y"));
    WEFT_SET (model_v1, &model, calibration, weft_str ("none"));
    WEFT_SET (model_v1, &model, created_at, 61000);
    WEFT_SET (model_v1, &model, blob,
              ((weft_bin_t){ (const uint8_t *)"blob", 4 }));
    assert_int_equal (weft_contract_encode (&weft_model_v1, &model, &buf), 0);
    assert_int_equal (weft_model_publish (redis, buf.data, buf.size), 0);
    weft_buf_fini (&buf);
}

static void
set (const char *key, const char *value)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_batch_words (batch, "SET", key, value);
    assert_int_equal (weft_batch_run (batch), 0);
    weft_batch_destroy (&batch);
}

//  What one of several classifiers does in a round: everybody has read the same
//  pointers before anybody moves.
typedef struct {
    weft_redis_t *redis;
    pthread_barrier_t *start;
    char version[WEFT_MODEL_VERSION_MOST];  //  "": the candidate
    int rc;
} promoter_t;

static void *
promote (void *arg)
{
    promoter_t *self = arg;
    weft_model_pointers_t at;
    int rc = weft_model_pointers (self->redis, "race", &at);
    pthread_barrier_wait (self->start);
    if (!rc)
        rc = self->version[0] ? weft_model_move (self->redis, "race", &at,
                                                 self->version, "promoter")
                              : weft_model_move_candidate (self->redis, "race",
                                                           &at, "promoter");
    self->rc = rc;
    return NULL;
}

static void
race (promoter_t promoters[PROMOTERS])
{
    pthread_t threads[PROMOTERS];
    pthread_barrier_t start;
    pthread_barrier_init (&start, NULL, PROMOTERS);
    for (int i = 0; i < PROMOTERS; i++) {
        promoters[i].start = &start;
        assert_int_equal (
            pthread_create (&threads[i], NULL, promote, &promoters[i]), 0);
    }
    for (int i = 0; i < PROMOTERS; i++)
        pthread_join (threads[i], NULL);
    pthread_barrier_destroy (&start);
}

static void
connect_all (promoter_t promoters[PROMOTERS])
{
    for (int i = 0; i < PROMOTERS; i++) {
        promoters[i] =
            (promoter_t){ .redis = weft_redis_new (server.address, NULL) };
        assert_non_null (promoters[i].redis);
    }
}

static int64_t
promotions (void)
{
    weft_model_pointers_t at;
    assert_int_equal (weft_model_pointers (redis, "race", &at), 0);
    return at.promotions;
}

typedef struct {
    int64_t count;
    char last[WEFT_MODEL_VERSION_MOST];
} moves_t;

static void
check_move (
    void *arg, int64_t count, const char *version, double at, const char *who)
{
    moves_t *self = arg;
    (void)at;
    (void)who;
    if (self->count) {
        assert_int_equal (count, self->count + 1);
        assert_true (strcmp (version, self->last) > 0);
    }
    self->count = count;
    snprintf (self->last, sizeof self->last, "%s", version);
}

//  Two classifiers with another version each: one is first, the other hears so;
//  the older never stands where the newer was.
static void
of_two_versions_the_newer_is_live (void **state)
{
    (void)state;
    promoter_t promoters[PROMOTERS];
    connect_all (promoters);
    for (int round = 0; round < ROUNDS; round++) {
        weft_model_pointers_t at;
        for (int i = 0; i < PROMOTERS; i++) {
            snprintf (promoters[i].version, sizeof promoters[i].version,
                      "v%03d-%d", round, i);
            publish ("race", promoters[i].version);
        }
        race (promoters);
        bool first = promoters[0].rc == 0, second = promoters[1].rc == 0;
        assert_true (first != second);
        assert_int_equal (promoters[first].rc, WEFT_EEXIST);
        assert_int_equal (weft_model_pointers (redis, "race", &at), 0);
        assert_string_equal (at.live, promoters[second].version);
        //  Whoever was second looks again: forward it goes, back it does not.
        assert_int_equal (weft_model_move (redis, "race", &at,
                                           promoters[first].version, "again"),
                          first ? 0 : WEFT_ERANGE);
    }
    moves_t moves = { .count = 0 };
    assert_int_equal (weft_model_promotions (redis, "race", check_move, &moves),
                      0);
    assert_int_equal (moves.count, promotions ());
    for (int i = 0; i < PROMOTERS; i++)
        weft_redis_destroy (&promoters[i].redis);
}

//  Two replicas promote the same candidate: it moves once, both may think that
//  they did it.
static void
a_candidate_is_promoted_once (void **state)
{
    (void)state;
    promoter_t promoters[PROMOTERS];
    connect_all (promoters);
    for (int round = 0; round < ROUNDS; round++) {
        char version[WEFT_MODEL_VERSION_MOST], live[WEFT_MODEL_VERSION_MOST];
        int64_t before = promotions ();
        snprintf (version, sizeof version, "w%03d", round);
        publish ("race", version);
        set ("model:race:candidate", version);
        race (promoters);
        for (int i = 0; i < PROMOTERS; i++)
            assert_int_equal (promoters[i].rc, 0);
        assert_int_equal (weft_model_current (redis, "race", live), 0);
        assert_string_equal (live, version);
        assert_int_equal (promotions (), before + 1);
    }
    for (int i = 0; i < PROMOTERS; i++)
        weft_redis_destroy (&promoters[i].redis);
}

static void
count_row (void *arg, const weft_model_row_t *row)
{
    int *n = arg;
    assert_true (row->number > 0);
    (*n)++;
}

static bool
is_there (const char *version)
{
    weft_buf_t section;
    weft_buf_init (&section, 1 << 20);
    int rc = weft_model_get (redis, "many", version, &section);
    weft_buf_fini (&section);
    assert_true (rc == 0 || rc == WEFT_ENOENT);
    return rc == 0;
}

static void
publish_many (int from, int to)
{
    for (int i = from; i <= to; i++) {
        char version[8];
        snprintf (version, sizeof version, "n%03d", i);
        publish ("many", version);
    }
}

static int
rows (void)
{
    int n = 0;
    assert_int_equal (weft_model_list (redis, "many", count_row, &n), 0);
    return n;
}

static void
old_versions_go_and_none_that_is_in_use (void **state)
{
    (void)state;
    weft_model_pointers_t at;
    publish_many (1, 10);
    assert_int_equal (weft_model_promote (redis, "many", NULL, "n003"), 0);
    assert_int_equal (weft_model_promote (redis, "many", "n003", "n004"), 0);
    set ("model:many:candidate", "n006");
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_batch_words (batch, "ZADD", "model:many:shadows", "8", "n008");
    assert_int_equal (weft_batch_run (batch), 0);
    weft_batch_destroy (&batch);
    assert_int_equal (weft_model_refuse (redis, "many", "n001", "bad"), 0);
    publish_many (11, 100);
    assert_int_equal (rows (), WEFT_MODEL_KEPT);
    //  Live, the candidate, one that is compared, one to roll back to.
    const char *const used[] = { "n004", "n006", "n008", "n003" };
    for (size_t i = 0; i < WEFT_COUNT (used); i++)
        assert_true (is_there (used[i]));
    const char *const gone[] = { "n001", "n002", "n005", "n007", "n072" };
    for (size_t i = 0; i < WEFT_COUNT (gone); i++)
        assert_false (is_there (gone[i]));
    assert_true (is_there ("n073"));
    //  Back is possible, and what is gone is not published.
    assert_int_equal (weft_model_pointers (redis, "many", &at), 0);
    assert_int_equal (at.live_number, 4);
    assert_int_equal (
        weft_model_move_back (redis, "many", &at, "n002", "operator"),
        WEFT_ENOENT);
    assert_int_equal (
        weft_model_move_back (redis, "many", &at, "n003", "operator"), 0);
    //  Nobody gets its number, and it does not come back.
    publish_many (1, 1);
    assert_false (is_there ("n001"));
    publish_many (101, 101);
    assert_int_equal (weft_model_promote (redis, "many", "n003", "n101"), 0);
    assert_int_equal (weft_model_pointers (redis, "many", &at), 0);
    assert_int_equal (at.live_number, 101);
    assert_int_equal (rows (), WEFT_MODEL_KEPT);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown (test, begin, end)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER (of_two_versions_the_newer_is_live),
        WITH_SERVER (a_candidate_is_promoted_once),
        WITH_SERVER (old_versions_go_and_none_that_is_in_use),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
