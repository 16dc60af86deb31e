//  weft_learner_test.c - the stage's callbacks against a real Redis: what is
//  committed is in the pool once, and queries come out within the budget.
//
//  What the runtime offers to a service is stood in for below.

#include "../unit/testing.h"

#include "../unit/learner_alert.h"

#include "redis_private.h"
#include "weft_asking.h"
#include "weft_learner.h"
#include "weft_pool.h"
#include "weft_queries.h"
#include "weft_time.h"

#include <math.h>

struct weft_stage_env {
    weft_learner_options_t options;
    bool isolated;
};

static redis_private_t server;
static const weft_stage_spec_t *spec = &weft_learner_spec;
static const float half[2] = { 0.5f, 0.5f };
static const float sure[2] = { 0.99f, 0.01f };

const void *
weft_stage_options (const weft_stage_env_t *self)
{
    return &self->options;
}

const char *
weft_stage_redis_address (const weft_stage_env_t *self)
{
    (void)self;
    return server.address;
}

weft_redis_config_t
weft_stage_redis_login (const weft_stage_env_t *self)
{
    (void)self;
    return (weft_redis_config_t){ 0 };
}

const char *
weft_stage_instance (const weft_stage_env_t *self)
{
    (void)self;
    return "learner-1";
}

bool
weft_stage_isolated (const weft_stage_env_t *self)
{
    return self->isolated;
}

void
weft_stage_reason (const char *format, ...)
{
    (void)format;
}

//  The night does not change within the hours around now.
static weft_stage_env_t
an_env (void)
{
    int hour = (int)(fmod (weft_time_utc (), 86400) / 3600);
    return (weft_stage_env_t){ .options = {
                                   .model = (char *)"demo",
                                   .strategy = (char *)"entropy",
                                   .target = (char *)"",
                                   .requester = (char *)"active-learner",
                                   .budget = 3,
                                   .batch = 2,
                                   .interval_ms = 100,
                                   .pool_size = 100,
                                   .mag_limit = 21,
                                   .max_age_d = 20,
                                   .expires_d = 14,
                                   .noon_utc_h = (hour + 12) % 24,
                                   .train_base = "",
                                   .train_test = "",
                                   .train_program = "",
                               } };
}

static weft_alert_t *
an_alert (const char *object, double t_obs, const float *p)
{
    learner_alert_t of = { .object = object,
                           .id = (int64_t)(t_obs * 1000),
                           .okind = 1,
                           .t_obs = t_obs,
                           .flux = 40000,
                           .model = "demo",
                           .classes = "a,b",
                           .p = p,
                           .n = 2 };
    return learner_alert (&of);
}

//  Judges one alert and commits its effect.
static int
pass (void *self, const char *object, double t_obs, const float *p)
{
    weft_section_t effect;
    weft_alert_t *alert = an_alert (object, t_obs, p);
    const weft_alert_t *in = alert;
    weft_buf_init (&effect, 65536);
    assert_int_equal (spec->fn (self, alert, &effect), 0);
    int rc = spec->commit (self, &in, &effect, 1);
    weft_buf_fini (&effect);
    weft_alert_unref (&alert);
    return rc;
}

typedef struct {
    size_t n;
    double last_mjd, score;
} seen_t;

static void
see (void *arg, weft_str_t object, double score, weft_bin_t entry)
{
    seen_t *seen = arg;
    weft_query_v1_t query;
    assert_true (object.n > 4 && !memcmp (object.p, "ztf:", 4));
    assert_int_equal (
        weft_contract_decode (&weft_query_v1, &query, entry.p, entry.n), 0);
    if (!seen->n++) {
        seen->last_mjd = query.last_mjd;
        seen->score = score;
    }
}

static seen_t
look (void)
{
    seen_t seen = { 0 };
    weft_redis_t *redis = weft_redis_new (server.address, NULL);
    assert_non_null (redis);
    assert_int_equal (weft_pool_top (redis, "active-learner", 100, see, &seen),
                      0);
    weft_redis_destroy (&redis);
    return seen;
}

static void
test_order_and_repeats_make_no_difference (void **state)
{
    (void)state;
    void *self = NULL;
    weft_stage_env_t env = an_env ();
    assert_int_equal (spec->open (&self, &env), 0);
    assert_int_equal (pass (self, "ZTF26a", 61001, half), 0);
    assert_int_equal (pass (self, "ZTF26a", 61000, sure), 0);
    assert_int_equal (pass (self, "ZTF26a", 61001, half), 0);
    seen_t seen = look ();
    assert_int_equal (seen.n, 1);
    assert_true (seen.last_mjd > 61000.5);
    assert_true (seen.score > 0.69);
    //  A newer one replaces it, though its score is lower.
    assert_int_equal (pass (self, "ZTF26a", 61002, sure), 0);
    seen = look ();
    assert_int_equal (seen.n, 1);
    assert_true (seen.score < 0.1);
    spec->close (&self);
    assert_null (self);
}

static void
test_what_is_no_candidate_has_no_effect (void **state)
{
    (void)state;
    void *self = NULL;
    weft_stage_env_t env = an_env ();
    assert_int_equal (spec->open (&self, &env), 0);
    assert_int_equal (pass (self, "ZTF26b", 61000, NULL), 0);
    assert_int_equal (look ().n, 0);
    spec->close (&self);
}

static void
test_redis_down_holds_the_commit (void **state)
{
    (void)state;
    void *self = NULL;
    char why[200];
    weft_stage_env_t env = an_env ();
    assert_int_equal (spec->open (&self, &env), 0);
    redis_private_kill (&server);
    assert_int_equal (pass (self, "ZTF26c", 61000, half), WEFT_EDOWN);
    assert_false (spec->ready (self, why, sizeof (why)));
    redis_private_restart (&server);
    int rc = WEFT_EDOWN;
    for (int i = 0; i < 12000 && rc; i++) {
        nanosleep (&(struct timespec){ .tv_nsec = 10000000 }, NULL);
        rc = pass (self, "ZTF26c", 61000, half);
    }
    assert_int_equal (rc, 0);
    assert_int_equal (look ().n, 1);
    assert_true (spec->ready (self, why, sizeof (why)));
    spec->close (&self);
}

//  Beats in interval after interval until so many queries are out tonight.
static void
beat_until (void *self,
            weft_redis_t *redis,
            const weft_stage_env_t *env,
            uint32_t expected)
{
    static int64_t now_ms = 1000;
    uint32_t count = 0;
    for (int i = 0; i == 0 || (i < 1000 && count < expected); i++) {
        spec->beat (self, now_ms += 110);
        nanosleep (&(struct timespec){ .tv_nsec = 110000000 }, NULL);
        int32_t night =
            weft_asking_night (weft_time_utc (), env->options.noon_utc_h);
        assert_int_equal (weft_query_count (redis, night, &count), 0);
    }
    assert_int_equal (count, expected);
}

static void
test_beats_spend_the_budget (void **state)
{
    (void)state;
    void *self = NULL;
    weft_stage_env_t env = an_env ();
    env.options.budget = 3;
    assert_int_equal (spec->open (&self, &env), 0);
    for (int i = 0; i < 6; i++) {
        char object[16];
        snprintf (object, sizeof (object), "ZTF26%d", i);
        assert_int_equal (pass (self, object, 61000, half), 0);
    }
    weft_redis_t *redis = weft_redis_new (server.address, NULL);
    beat_until (self, redis, &env, 3);
    for (int i = 0; i < 4; i++)
        beat_until (self, redis, &env, 3);  //  and no more
    assert_int_equal (look ().n, 3);
    //  More budget on SIGHUP; nonsense changes nothing.
    weft_stage_env_t other = env;
    other.options.strategy = (char *)"guess";
    assert_int_equal (spec->reload (self, &other), WEFT_ECONFIG);
    other = env;
    other.options.budget = 5;
    assert_int_equal (spec->reload (self, &other), 0);
    beat_until (self, redis, &other, 5);
    weft_redis_destroy (&redis);
    spec->close (&self);
}

static void
test_child_judges_without_redis (void **state)
{
    (void)state;
    void *self = NULL;
    weft_section_t effect;
    weft_stage_env_t env = an_env ();
    env.isolated = true;
    redis_private_kill (&server);
    weft_buf_init (&effect, 65536);
    assert_int_equal (spec->open (&self, &env), 0);
    weft_alert_t *alert = an_alert ("ZTF26d", 61000, half);
    assert_int_equal (spec->fn (self, alert, &effect), 0);
    assert_true (effect.size > 0);
    weft_alert_unref (&alert);
    weft_buf_fini (&effect);
    spec->close (&self);
    redis_private_restart (&server);
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
        WITH_SERVER (test_order_and_repeats_make_no_difference),
        WITH_SERVER (test_what_is_no_candidate_has_no_effect),
        WITH_SERVER (test_redis_down_holds_the_commit),
        WITH_SERVER (test_beats_spend_the_budget),
        WITH_SERVER (test_child_judges_without_redis),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
