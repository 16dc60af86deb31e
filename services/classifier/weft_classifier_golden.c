//  weft_classifier_golden.c - an alert that every classifier must be able to
//  score: what the runtime's canary runs before it believes a verdict.

#include "weft_classifier.h"

#include "weft_features.h"

#include <math.h>

//  The envelope of the golden vector: no alert of any survey.
static weft_frame_t *
golden_envelope (void)
{
    weft_envelope_v1_t envelope;
    weft_buf_t buf;
    weft_contract_clear (&weft_envelope_v1, &envelope);
    WEFT_SET (envelope_v1, &envelope, survey, weft_str ("ztf"));
    WEFT_SET (envelope_v1, &envelope, alert_id, 1);
    WEFT_SET (envelope_v1, &envelope, object_id, weft_str ("golden"));
    WEFT_SET (envelope_v1, &envelope, topic, weft_str ("golden"));
    WEFT_SET (envelope_v1, &envelope, partition, 0);
    WEFT_SET (envelope_v1, &envelope, offset, 0);
    WEFT_SET (envelope_v1, &envelope, night, 1);
    WEFT_SET (envelope_v1, &envelope, t_obs, 60000);
    WEFT_SET (envelope_v1, &envelope, t_received, 60000);
    weft_buf_init (&buf, 4096);
    int rc = weft_contract_encode (&weft_envelope_v1, &envelope, &buf);
    weft_frame_t *frame = rc ? NULL : weft_frame_copy (buf.data, buf.size);
    weft_buf_fini (&buf);
    return frame;
}

//  Features of the newest ztf set, all missing: every tree has a way for them.
static weft_frame_t *
golden_features (void)
{
    weft_features_v1_t features;
    weft_buf_t buf;
    uint8_t values[4 * WEFT_FEATURES_MOST];
    const weft_feature_set_t *set = weft_feature_set_for (weft_str ("ztf"));
    uint32_t n = weft_feature_set_count (set);
    for (uint32_t i = 0; i < n; i++)
        weft_put_f32 (values + 4 * i, NAN);
    weft_contract_clear (&weft_features_v1, &features);
    WEFT_SET (features_v1, &features, set, weft_feature_set_id (set));
    weft_col_t column = { values, n };
    WEFT_SET (features_v1, &features, values, column);
    weft_buf_init (&buf, 4096);
    int rc = weft_contract_encode (&weft_features_v1, &features, &buf);
    weft_frame_t *frame = rc ? NULL : weft_frame_copy (buf.data, buf.size);
    weft_buf_fini (&buf);
    return frame;
}

weft_alert_t *
weft_classifier_golden (void)
{
    weft_frame_t *envelope = golden_envelope ();
    weft_frame_t *features = golden_features ();
    weft_alert_t *alert = envelope ? weft_alert_new (envelope) : NULL;
    if (alert && features && !weft_alert_append (alert, features))
        return alert;
    if (!alert)
        weft_frame_unref (&features);
    weft_alert_unref (&alert);
    return NULL;
}
