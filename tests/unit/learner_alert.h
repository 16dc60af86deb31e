//  learner_alert.h - scored alerts for tests and benchmarks of the learner.

#ifndef LEARNER_ALERT_H_INCLUDED
#define LEARNER_ALERT_H_INCLUDED

#include "weft_alert.h"

typedef struct {
    const char *object;
    int64_t id;
    uint8_t okind;
    double t_obs;
    float flux;  //  nJy
    const char *model;
    const char *classes;
    const float *p;       //  NULL: the model has a note instead
    uint32_t n;           //  classes
    const float *second;  //  probabilities of a second model, NULL: none
} learner_alert_t;

static inline weft_frame_t *
learner_encode (const weft_contract_t *contract, const void *record)
{
    weft_buf_t buf;
    weft_buf_init (&buf, 1 << 20);
    int rc = weft_contract_encode (contract, record, &buf);
    assert (!rc);
    (void)rc;
    weft_frame_t *frame = weft_frame_copy (buf.data, buf.size);
    weft_buf_fini (&buf);
    assert (frame);
    return frame;
}

static inline weft_frame_t *
learner_envelope (const learner_alert_t *of)
{
    weft_envelope_v1_t e;
    weft_contract_clear (&weft_envelope_v1, &e);
    WEFT_SET (envelope_v1, &e, survey, weft_str ("ztf"));
    WEFT_SET (envelope_v1, &e, alert_id, of->id);
    WEFT_SET (envelope_v1, &e, object_id, weft_str (of->object));
    WEFT_SET (envelope_v1, &e, topic, weft_str ("t"));
    WEFT_SET (envelope_v1, &e, partition, 0);
    WEFT_SET (envelope_v1, &e, offset, of->id);
    WEFT_SET (envelope_v1, &e, night, 3000);
    WEFT_SET (envelope_v1, &e, t_obs, of->t_obs);
    WEFT_SET (envelope_v1, &e, t_received, of->t_obs);
    return learner_encode (&weft_envelope_v1, &e);
}

static inline weft_frame_t *
learner_section (const learner_alert_t *of)
{
    weft_alert_v1_t a;
    weft_contract_clear (&weft_alert_v1, &a);
    WEFT_SET (alert_v1, &a, survey, weft_str ("ztf"));
    WEFT_SET (alert_v1, &a, schema, weft_str ("4.02"));
    WEFT_SET (alert_v1, &a, alert_id, of->id);
    WEFT_SET (alert_v1, &a, okind, of->okind);
    WEFT_SET (alert_v1, &a, object_id, weft_str (of->object));
    WEFT_SET (alert_v1, &a, night, 3000);
    WEFT_SET (alert_v1, &a, t_obs, of->t_obs);
    WEFT_SET (alert_v1, &a, ra, 150.1);
    WEFT_SET (alert_v1, &a, dec, 2.2);
    WEFT_SET (alert_v1, &a, band, 6);
    WEFT_SET (alert_v1, &a, flux, of->flux);
    WEFT_SET (alert_v1, &a, flux_err, 10.0f);
    WEFT_SET (alert_v1, &a, trig, 0);
    return learner_encode (&weft_alert_v1, &a);
}

static inline weft_frame_t *
learner_features (void)
{
    static const float values[3] = { 1, 2, 3 };
    weft_features_v1_t f;
    weft_contract_clear (&weft_features_v1, &f);
    WEFT_SET (features_v1, &f, set, 7);
    weft_col_t column = { (const uint8_t *)values, 3 };
    WEFT_SET (features_v1, &f, values, column);
    return learner_encode (&weft_features_v1, &f);
}

static inline void
learner_score (const learner_alert_t *of,
               const char *model,
               const float *p,
               weft_score_v1_t *score)
{
    weft_contract_clear (&weft_score_v1, score);
    WEFT_SET (score_v1, score, model, weft_str (model));
    WEFT_SET (score_v1, score, version, weft_str ("v1"));
    WEFT_SET (score_v1, score, set, 7);
    WEFT_SET (score_v1, score, calibration, weft_str ("none"));
    WEFT_SET (score_v1, score, classes, weft_str (of->classes));
    weft_col_t column = { (const uint8_t *)(p ? p : (const float *)""),
                          p ? of->n : 0 };
    WEFT_SET (score_v1, score, p, column);
    if (!p)
        WEFT_SET (score_v1, score, note, weft_str ("not applicable"));
}

static inline weft_frame_t *
learner_scores (const learner_alert_t *of)
{
    weft_scores_v1_t s;
    weft_contract_clear (&weft_scores_v1, &s);
    learner_score (of, of->model, of->p, &s.models[0]);
    s.n_models = 1;
    if (of->second)
        learner_score (of, "second", of->second, &s.models[s.n_models++]);
    WEFT_MARK (scores_v1, &s, models);
    return learner_encode (&weft_scores_v1, &s);
}

static inline weft_alert_t *
learner_alert (const learner_alert_t *of)
{
    weft_alert_t *alert = weft_alert_new (learner_envelope (of));
    assert (alert);
    int rc = weft_alert_append (alert, learner_section (of));
    rc = rc ? rc : weft_alert_append (alert, learner_features ());
    rc = rc ? rc : weft_alert_append (alert, learner_scores (of));
    assert (!rc);
    (void)rc;
    return alert;
}

#endif
