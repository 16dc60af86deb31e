//  weft_classifier_test.c - models come from Redis, go live between batches,
//  and the last good one outlives Redis.
//
#include "classifier_rig.h"

//  The probabilities are those of the published model.
static void
check_scores (void *self)
{
    char why[WEFT_SCORER_WHY];
    float p[3];
    weft_scores_v1_t scores;
    weft_section_t out;
    weft_buf_init (&out, 65536);
    weft_scorer_t *scorer =
        weft_scorer_new (fixture.section.data, fixture.section.size, why);
    assert_non_null (scorer);
    weft_scorer_score (scorer, fixture.values, 1, p);
    weft_alert_t *alert = alert_with_features (
        weft_feature_set_id (fixture.set), fixture.values, NULL);
    assert_int_equal (run_one (self, alert, &scores, &out), 0);
    assert_int_equal (scores.n_models, 1);
    const weft_score_v1_t *one = &scores.models[0];
    assert_true (weft_str_is (one->version, fixture.version));
    assert_true (weft_str_is (one->classes, MODEL_CLASSES));
    assert_true (weft_str_is (one->calibration, "temperature"));
    assert_int_equal (one->p.n, 3);
    for (uint32_t k = 0; k < 3; k++)
        assert_true (fabsf (weft_col_f32 (one->p, k) - p[k]) < 1e-7f);
    weft_alert_unref (&alert);
    weft_scorer_destroy (&scorer);
    weft_buf_fini (&out);
}

static void
test_without_a_model_no_alert_is_taken (void **state)
{
    (void)state;
    void *self = NULL;
    char why[200] = "";
    weft_scores_v1_t scores;
    weft_section_t out;
    weft_buf_init (&out, 65536);
    assert_int_equal (spec->open (&self, &env), 0);
    assert_false (spec->owner (self));
    assert_false (spec->ready (self, why, sizeof (why)));
    assert_non_null (strstr (why, "no model"));
    weft_alert_t *alert = spec->golden ();
    assert_int_equal (run_one (self, alert, &scores, &out), WEFT_EAGAIN);
    weft_alert_unref (&alert);
    publish ("demo");
    assert_true (is_live (self, fixture.version));
    assert_true (spec->owner (self));
    assert_true (spec->ready (self, why, sizeof (why)));
    check_scores (self);
    spec->close (&self);
    assert_null (self);
    weft_buf_fini (&out);
}

static void
test_what_the_model_cannot_read_gets_a_note (void **state)
{
    (void)state;
    void *self = NULL;
    weft_scores_v1_t scores;
    weft_section_t out;
    weft_buf_init (&out, 65536);
    publish ("demo");
    assert_int_equal (spec->open (&self, &env), 0);
    assert_true (is_live (self, fixture.version));
    const struct {
        uint32_t set;
        const char *note;
    } cases[] = { { 12345, NULL },
                  { weft_feature_set_id (fixture.set), "not applicable" } };
    for (size_t i = 0; i < WEFT_COUNT (cases); i++) {
        weft_alert_t *alert =
            alert_with_features (cases[i].set, fixture.values, cases[i].note);
        assert_int_equal (run_one (self, alert, &scores, &out), 0);
        assert_true (weft_str_is (scores.models[0].note, "not applicable"));
        assert_int_equal (scores.models[0].p.n, 0);
        weft_alert_unref (&alert);
    }
    //  Too few values for the set: that is no matter of the model.
    uint32_t inputs = fixture.inputs--;
    weft_alert_t *alert = alert_with_features (
        weft_feature_set_id (fixture.set), fixture.values, NULL);
    fixture.inputs = inputs;
    assert_int_equal (run_one (self, alert, &scores, &out), WEFT_EMALFORMED);
    weft_alert_unref (&alert);
    spec->close (&self);
    weft_buf_fini (&out);
}

static void
test_newer_model_is_swapped_in_and_a_bad_one_is_not (void **state)
{
    (void)state;
    void *self = NULL;
    char good[WEFT_VERSION_SIZE];
    publish ("demo");
    assert_int_equal (spec->open (&self, &env), 0);
    assert_true (is_live (self, fixture.version));
    fixture.calibration.data[0] = 1.25f;
    publish ("demo");
    assert_true (is_live (self, fixture.version));
    check_scores (self);
    snprintf (good, sizeof (good), "%s", fixture.version);
    //  A published version whose bytes are not its own.
    weft_redis_t *redis = weft_redis_new (server.address, NULL);
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_batch_begin (batch, 3);
    weft_batch_str (batch, "SET");
    weft_batch_str (batch, "model:demo:bad");
    weft_batch_arg (batch, fixture.section.data, fixture.section.size / 2);
    weft_batch_words (batch, "SET", "model:demo:current", "bad", NULL);
    assert_int_equal (weft_batch_run (batch), 0);
    weft_metric_t *refused = weft_gauge ("weft_classifier_models_refused", "");
    for (int i = 0; i < 12000 && weft_metric_value (refused) < 1; i++) {
        spec->beat (self, i);
        pause_ms (10);
    }
    assert_true (weft_metric_value (refused) >= 1);
    assert_true (is_live (self, good));
    check_scores (self);
    weft_batch_destroy (&batch);
    weft_redis_destroy (&redis);
    fixture.calibration.data[0] = 1.5f;
    spec->close (&self);
}

static void
test_disk_serves_when_redis_is_down (void **state)
{
    (void)state;
    void *self = NULL;
    publish ("demo");
    assert_int_equal (spec->open (&self, &env), 0);
    assert_true (is_live (self, fixture.version));
    spec->close (&self);
    redis_private_kill (&server);
    assert_int_equal (spec->open (&self, &env), 0);
    assert_true (spec->owner (self));
    check_scores (self);
    spec->close (&self);
    //  The isolation child reads the disk alone, and follows it.
    env.isolated = true;
    assert_int_equal (spec->open (&self, &env), 0);
    check_scores (self);
    redis_private_restart (&server);
    fixture.calibration.data[0] = 1.75f;
    publish ("demo");
    env.isolated = false;
    void *main_process = NULL;
    assert_int_equal (spec->open (&main_process, &env), 0);
    assert_true (is_live (main_process, fixture.version));
    check_scores (self);
    fixture.calibration.data[0] = 1.5f;
    spec->close (&main_process);
    spec->close (&self);
}

static void
test_damaged_disk_copy_is_refused (void **state)
{
    (void)state;
    void *self = NULL;
    char path[96];
    publish ("demo");
    assert_int_equal (spec->open (&self, &env), 0);
    assert_true (is_live (self, fixture.version));
    spec->close (&self);
    redis_private_kill (&server);
    snprintf (path, sizeof (path), "%s/demo.model", env.dir);
    FILE *file = fopen (path, "r+b");
    assert_non_null (file);
    fseek (file, 5000, SEEK_SET);
    fputs ("damage", file);
    fclose (file);
    assert_int_equal (spec->open (&self, &env), 0);
    assert_false (spec->owner (self));
    spec->close (&self);
    redis_private_restart (&server);
}

static void
test_reload_keeps_what_is_live (void **state)
{
    (void)state;
    void *self = NULL;
    char *names[] = { (char *)"demo", (char *)"second" };
    char *bad[] = { (char *)"a:b" };
    weft_scores_v1_t scores;
    weft_section_t out;
    weft_buf_init (&out, 65536);
    publish ("demo");
    assert_int_equal (spec->open (&self, &env), 0);
    assert_true (is_live (self, fixture.version));
    weft_stage_env_t other = env;
    other.options.models = (weft_texts_t){ bad, 1 };
    assert_int_equal (spec->reload (self, &other), WEFT_ECONFIG);
    check_scores (self);
    redis_private_kill (&server);
    redis_private_remove (env.dir, 1);  //  nothing on disk, no Redis
    other.options.models = (weft_texts_t){ names, 2 };
    assert_int_equal (spec->reload (self, &other), 0);
    assert_true (spec->owner (self));
    weft_alert_t *alert = spec->golden ();
    assert_int_equal (run_one (self, alert, &scores, &out), 0);
    assert_int_equal (scores.n_models, 2);
    assert_true (weft_str_is (scores.models[0].version, fixture.version));
    assert_int_equal (scores.models[0].p.n, 3);
    assert_true (weft_str_is (scores.models[1].note, "no model"));
    weft_alert_unref (&alert);
    spec->close (&self);
    weft_buf_fini (&out);
    redis_private_restart (&server);
}

static void
test_names_are_checked (void **state)
{
    (void)state;
    void *self = NULL;
    char *bad[] = { (char *)"../x" };
    weft_stage_env_t other = env;
    other.options.models = (weft_texts_t){ bad, 1 };
    assert_int_equal (spec->open (&self, &other), WEFT_ECONFIG);
    assert_null (self);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER (test_without_a_model_no_alert_is_taken),
        WITH_SERVER (test_what_the_model_cannot_read_gets_a_note),
        WITH_SERVER (test_newer_model_is_swapped_in_and_a_bad_one_is_not),
        WITH_SERVER (test_disk_serves_when_redis_is_down),
        WITH_SERVER (test_damaged_disk_copy_is_refused),
        WITH_SERVER (test_reload_keeps_what_is_live),
        WITH_SERVER (test_names_are_checked),
    };
    return cmocka_run_group_tests (tests, train_once, forget);
}
