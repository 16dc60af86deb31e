//  classifier_rig.h - the classifier's stage without the runtime, for tests.
//
//  Its callbacks are called as the runtime would; what the runtime offers to a
//  service is stood in for here. One test program, one thread.

#ifndef CLASSIFIER_RIG_H_INCLUDED
#define CLASSIFIER_RIG_H_INCLUDED

#include "../unit/model_fixture.h"

#include "redis_private.h"
#include "weft_alert.h"
#include "weft_classifier.h"
#include "weft_models.h"

struct weft_stage_env {
    weft_classifier_options_t options;
    bool isolated;
    char dir[64];
};

static redis_private_t server;
static model_fixture_t fixture;
static weft_stage_env_t env;
static const weft_stage_spec_t *spec = &weft_classifier_spec;

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

bool
weft_stage_isolated (const weft_stage_env_t *self)
{
    return self->isolated;
}

const char *
weft_stage_data_dir (const weft_stage_env_t *self)
{
    return self->dir;
}

void
weft_stage_reason (const char *format, ...)
{
    (void)format;
}

static inline void
pause_ms (long ms)
{
    nanosleep (&(struct timespec){ .tv_sec = ms / 1000,
                                   .tv_nsec = ms % 1000 * 1000000 },
               NULL);
}

static inline void
publish (const char *name)
{
    char live[WEFT_MODEL_VERSION_MOST];
    weft_redis_t *redis = weft_redis_new (server.address, NULL);
    assert_non_null (redis);
    model_fixture_pack (&fixture, name);
    assert_int_equal (
        weft_model_publish (redis, fixture.section.data, fixture.section.size),
        0);
    int rc = weft_model_current (redis, name, live);
    assert_int_equal (
        weft_model_promote (redis, name, rc ? NULL : live, fixture.version), 0);
    weft_redis_destroy (&redis);
}

//  Beats until the stage says that this version is live.
static inline bool
wait_for (void *self, const char *version)
{
    for (int i = 0; i < 12000; i++) {
        spec->beat (self, i);
        if (strstr (spec->version (self), version))
            return true;
        pause_ms (10);
    }
    return false;
}

static inline bool
is_live (void *self, const char *version)
{
    char text[17];
    snprintf (text, sizeof (text), "%.16s", version);
    return wait_for (self, text);
}

static inline weft_alert_t *
alert_with_features (uint32_t set, const float *values, const char *note)
{
    weft_alert_t *alert = spec->golden ();
    weft_features_v1_t features;
    weft_buf_t buf;
    assert_non_null (alert);
    weft_contract_clear (&weft_features_v1, &features);
    WEFT_SET (features_v1, &features, set, set);
    weft_col_t column = { (const uint8_t *)values, fixture.inputs };
    WEFT_SET (features_v1, &features, values, column);
    if (note)
        WEFT_SET (features_v1, &features, note, weft_str (note));
    weft_buf_init (&buf, 65536);
    assert_int_equal (weft_contract_encode (&weft_features_v1, &features, &buf),
                      0);
    assert_int_equal (
        weft_alert_append (alert, weft_frame_copy (buf.data, buf.size)), 0);
    weft_buf_fini (&buf);
    return alert;
}

static inline int
run_one (void *self,
         const weft_alert_t *alert,
         weft_scores_v1_t *scores,
         weft_section_t *out)
{
    int rc = 1;
    weft_buf_clear (out);
    spec->fn_batch (self, &alert, out, &rc, 1);
    if (!rc)
        assert_int_equal (weft_contract_decode (&weft_scores_v1, scores,
                                                out->data, out->size),
                          0);
    return rc;
}

static inline int
begin (void **state)
{
    (void)state;
    redis_private_start (&server);
    env = (weft_stage_env_t){ .options = { .poll_ms = 20,
                                           .promote = (char *)"manual",
                                           .shadow_alerts = 100 } };
    snprintf (env.dir, sizeof (env.dir), "/tmp/weft-classifier-XXXXXX");
    assert_non_null (mkdtemp (env.dir));
    return 0;
}

static inline int
end (void **state)
{
    (void)state;
    redis_private_stop (&server);
    redis_private_remove (env.dir, 1);
    return 0;
}

static inline int
train_once (void **state)
{
    (void)state;
    model_fixture_init (&fixture, "demo", 3);
    return 0;
}

static inline int
forget (void **state)
{
    (void)state;
    model_fixture_fini (&fixture);
    return 0;
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown (test, begin, end)

#endif
