//  weft_model_swap_test.c - candidates score as shadows, go live, are refused;
//  and every record is of exactly the model that it names.

#include "classifier_rig.h"
#include "weft_shadows.h"

#define MODELS 5
#define ROWS 64
#define SWAPS 40

//  Models with the same trees and another calibration each: what one says of a
//  row nobody else does, to the last bit.
typedef struct {
    char version[WEFT_VERSION_SIZE];
    float p[ROWS][3];
} fingerprint_t;

static weft_redis_t *redis;
static fingerprint_t prints[MODELS];
static weft_alert_t *alerts[ROWS];

static void
put (const char *key, const void *value, size_t size)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    assert_non_null (batch);
    weft_batch_begin (batch, 3);
    weft_batch_str (batch, "SET");
    weft_batch_str (batch, key);
    weft_batch_arg (batch, value, size);
    assert_int_equal (weft_batch_run (batch), 0);
    weft_batch_destroy (&batch);
}

static void
offer (const char *version)
{
    put ("model:demo:candidate", version, strlen (version));
}

static void
publish_all (void)
{
    char why[WEFT_SCORER_WHY];
    redis = weft_redis_new (server.address, NULL);
    assert_non_null (redis);
    for (int k = 0; k < MODELS; k++) {
        fixture.calibration.data[0] = 1.0f + 0.125f * (float)k;
        model_fixture_pack (&fixture, "demo");
        assert_int_equal (weft_model_publish (redis, fixture.section.data,
                                              fixture.section.size),
                          0);
        memcpy (prints[k].version, fixture.version, WEFT_VERSION_SIZE);
        weft_scorer_t *scorer =
            weft_scorer_new (fixture.section.data, fixture.section.size, why);
        assert_non_null (scorer);
        weft_scorer_score (scorer, fixture.values, ROWS, prints[k].p[0]);
        weft_scorer_destroy (&scorer);
    }
    fixture.calibration.data[0] = 1.5f;
}

static int
begin_with_models (void **state)
{
    begin (state);
    publish_all ();
    for (size_t i = 0; i < ROWS; i++)
        alerts[i] =
            alert_with_features (weft_feature_set_id (fixture.set),
                                 fixture.values + i * fixture.inputs, NULL);
    return 0;
}

static int
end_with_models (void **state)
{
    for (size_t i = 0; i < ROWS; i++)
        weft_alert_unref (&alerts[i]);
    weft_redis_destroy (&redis);
    return end (state);
}

static void
move_to (const char *version)
{
    weft_model_pointers_t at;
    assert_int_equal (weft_model_pointers (redis, "demo", &at), 0);
    int rc = weft_model_move (redis, "demo", &at, version, "test");
    if (rc == WEFT_ERANGE)
        rc = weft_model_move_back (redis, "demo", &at, version, "test");
    assert_int_equal (rc, 0);
}

static const fingerprint_t *
print_of (weft_str_t version)
{
    for (int k = 0; k < MODELS; k++)
        if (weft_str_is (version, prints[k].version))
            return &prints[k];
    fail_msg ("a version that was never published");
    return NULL;
}

//  What a batch has said.
typedef struct {
    char live[WEFT_VERSION_SIZE];
    size_t shadows;
} said_t;

//  Scores a batch; each record must be what its own version says, the live
//  ones of one version all through.
static void
score_and_check (void *self, said_t *said)
{
    weft_section_t out[ROWS];
    int results[ROWS];
    memset (said, 0, sizeof (*said));
    for (size_t i = 0; i < ROWS; i++)
        weft_buf_init (&out[i], 65536);
    spec->fn_batch (self, (const weft_alert_t *const *)alerts, out, results,
                    ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        weft_scores_v1_t scores;
        assert_int_equal (results[i], 0);
        assert_int_equal (weft_contract_decode (&weft_scores_v1, &scores,
                                                out[i].data, out[i].size),
                          0);
        for (uint32_t m = 0; m < scores.n_models; m++) {
            const weft_score_v1_t *one = &scores.models[m];
            const fingerprint_t *print = print_of (one->version);
            bool shadow = WEFT_HAS (score_v1, one, shadow) && one->shadow;
            assert_int_equal (shadow, m > 0);
            assert_int_equal (one->p.n, 3);
            for (uint32_t k = 0; k < 3; k++)
                assert_true (weft_col_f32 (one->p, k) == print->p[i][k]);
            said->shadows += shadow;
            if (i == 0 && !shadow)
                weft_str_copy (one->version, said->live, sizeof (said->live));
            if (!shadow)
                assert_true (weft_str_is (one->version, said->live));
        }
        weft_buf_fini (&out[i]);
    }
}

static void
test_no_alert_is_scored_by_half_a_model (void **state)
{
    (void)state;
    void *self = NULL;
    said_t said, before = { 0 };
    int swaps = 0, next = 1;
    move_to (prints[0].version);
    assert_int_equal (spec->open (&self, &env), 0);
    assert_true (is_live (self, prints[0].version));
    for (int i = 0; i < 10000000 && swaps < SWAPS; i++) {
        score_and_check (self, &said);
        spec->beat (self, i);
        if (before.live[0] && !strcmp (said.live, before.live))
            continue;
        swaps++;
        before = said;
        move_to (prints[next].version);
        next = (next + 3) % MODELS;
    }
    assert_int_equal (swaps, SWAPS);
    spec->close (&self);
}

static void
count_row (void *arg, weft_str_t key, weft_bin_t section)
{
    weft_scores_v1_t scores;
    int *n = arg;
    assert_true (key.n > 4 && !memcmp (key.p, "ztf/", 4));
    assert_int_equal (
        weft_contract_decode (&weft_scores_v1, &scores, section.p, section.n),
        0);
    assert_int_equal (scores.n_models, 2);
    assert_true (weft_str_is (scores.models[0].version, prints[0].version));
    assert_true (weft_str_is (scores.models[1].version, prints[1].version));
    assert_int_equal (scores.models[1].shadow, 1);
    (*n)++;
}

static int
rows_of (const char *version)
{
    int n = 0;
    assert_int_equal (weft_shadows_each (redis, "demo", version, count_row, &n),
                      0);
    return n;
}

static bool
is_state (const char *live, const char *candidate)
{
    weft_model_pointers_t at;
    assert_int_equal (weft_model_pointers (redis, "demo", &at), 0);
    return !strcmp (at.live, live) && !strcmp (at.candidate, candidate);
}

static void
test_a_candidate_is_a_shadow_until_somebody_promotes_it (void **state)
{
    (void)state;
    void *self = NULL;
    said_t said = { 0 };
    move_to (prints[0].version);
    assert_int_equal (spec->open (&self, &env), 0);
    assert_true (is_live (self, prints[0].version));
    offer (prints[1].version);
    int n = 0;
    for (int i = 0; i < 60000 && n < 1; i++) {
        spec->beat (self, i);
        score_and_check (self, &said);
        pause_ms (2);
        n = rows_of (prints[1].version);
    }
    assert_int_equal (said.shadows, ROWS);
    assert_string_equal (said.live, prints[0].version);
    //  One alert, however often it came: all of ours have the same id.
    assert_int_equal (n, 1);
    assert_true (is_state (prints[0].version, prints[1].version));
    move_to (prints[1].version);
    assert_true (is_live (self, prints[1].version));
    for (int i = 0; i < 60000 && said.shadows; i++) {
        spec->beat (self, i);
        score_and_check (self, &said);
        pause_ms (2);
    }
    assert_int_equal (said.shadows, 0);
    assert_string_equal (said.live, prints[1].version);
    spec->close (&self);
}

static void
test_a_candidate_goes_live_after_its_shadow (void **state)
{
    (void)state;
    void *self = NULL;
    said_t said = { 0 };
    weft_stage_env_t automatic = env;
    automatic.options.promote = (char *)"auto";
    automatic.options.shadow_alerts = 1;
    offer (prints[0].version);  //  none is live: nothing to wait for
    assert_int_equal (spec->open (&self, &automatic), 0);
    assert_true (is_live (self, prints[0].version));
    offer (prints[1].version);
    for (int i = 0; i < 20; i++) {  //  without an alert it stays a candidate
        spec->beat (self, i);
        pause_ms (5);
    }
    assert_true (is_state (prints[0].version, prints[1].version));
    for (int i = 0; i < 60000 && strcmp (said.live, prints[1].version); i++) {
        score_and_check (self, &said);
        spec->beat (self, i);
        pause_ms (2);
    }
    assert_string_equal (said.live, prints[1].version);
    //  Who goes back is not overruled by it.
    move_to (prints[0].version);
    assert_true (is_live (self, prints[0].version));
    for (int i = 0; i < 20; i++) {
        score_and_check (self, &said);
        spec->beat (self, i);
        pause_ms (5);
    }
    assert_true (is_state (prints[0].version, ""));
    spec->close (&self);
}

static void
find_reason (void *arg, const weft_model_row_t *row)
{
    char *const *pair = arg;
    if (!strcmp (row->version, pair[0]) && row->refused)
        snprintf (pair[1], WEFT_MODEL_REASON_MOST, "%s", row->refused);
}

//  The live one goes on, and the list says why this one does not.
static void
check_refused (void *self, const char *version, const char *reason)
{
    char found[WEFT_MODEL_REASON_MOST] = "";
    char *pair[] = { (char *)version, found };
    said_t said = { 0 };
    offer (version);
    for (int i = 0; i < 60000 && !found[0]; i++) {
        spec->beat (self, i);
        pause_ms (2);
        assert_int_equal (weft_model_list (redis, "demo", find_reason, pair),
                          0);
    }
    if (!strstr (found, reason))
        fail_msg ("%s is refused for '%s', not '%s'", version, found, reason);
    for (int i = 0; i < 5; i++) {
        spec->beat (self, i);
        score_and_check (self, &said);
        assert_string_equal (said.live, prints[2].version);
        assert_int_equal (said.shadows, 0);
    }
    assert_true (is_state (prints[2].version, version));
}

//  A model of a feature set that nobody here knows.
static void
publish_foreign (char version[WEFT_VERSION_SIZE])
{
    weft_model_v1_t model;
    weft_buf_t out;
    weft_buf_init (&out, WEFT_MODEL_MOST);
    assert_int_equal (weft_contract_decode (&weft_model_v1, &model,
                                            fixture.section.data,
                                            fixture.section.size),
                      0);
    WEFT_SET (model_v1, &model, set, 12345);
    assert_int_equal (weft_model_version (&model, version), 0);
    WEFT_SET (model_v1, &model, version, weft_str (version));
    assert_int_equal (weft_contract_encode (&weft_model_v1, &model, &out), 0);
    assert_int_equal (weft_model_publish (redis, out.data, out.size), 0);
    weft_buf_fini (&out);
}

static void
test_what_is_no_good_is_refused_by_name (void **state)
{
    (void)state;
    void *self = NULL;
    char foreign[WEFT_VERSION_SIZE];
    weft_stage_env_t automatic = env;
    automatic.options.promote = (char *)"auto";
    automatic.options.shadow_alerts = 0;
    move_to (prints[2].version);
    assert_int_equal (spec->open (&self, &automatic), 0);
    assert_true (is_live (self, prints[2].version));
    publish_foreign (foreign);
    put ("model:demo:unfinished", fixture.section.data,
         fixture.section.size / 2);
    put ("model:demo:foreign-name", fixture.section.data, fixture.section.size);
    fixture.section.data[fixture.section.size - 100] ^= 1;
    put ("model:demo:damaged", fixture.section.data, fixture.section.size);
    fixture.section.data[fixture.section.size - 100] ^= 1;
    check_refused (self, "unfinished", "not a model.v1");
    check_refused (self, "damaged", "not the SHA-256");
    check_refused (self, "foreign-name", "it calls itself");
    check_refused (self, foreign, "feature set");
    check_refused (self, prints[0].version, "older than the live version");
    check_refused (self, "nowhere", "it is not published");
    //  And a good one after all of them is taken.
    offer (prints[3].version);
    assert_true (is_live (self, prints[3].version));
    spec->close (&self);
}

#define WITH_MODELS(test)                                                      \
    cmocka_unit_test_setup_teardown (test, begin_with_models, end_with_models)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        WITH_MODELS (test_no_alert_is_scored_by_half_a_model),
        WITH_MODELS (test_a_candidate_is_a_shadow_until_somebody_promotes_it),
        WITH_MODELS (test_a_candidate_goes_live_after_its_shadow),
        WITH_MODELS (test_what_is_no_good_is_refused_by_name),
    };
    return cmocka_run_group_tests (tests, train_once, forget);
}
