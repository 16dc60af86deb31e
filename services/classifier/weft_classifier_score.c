//  weft_classifier_score.c - one batch of alerts, by every model that is there.
//
//  Gathers the feature vectors, scores them by each model in one go, writes one
//  record a model. A candidate's record stands behind the live ones with
//  `shadow` set: who decides by scores passes over it, who keeps the alert has
//  both. Loop's thread only.

#include "weft_classifier_parts.h"

#include <math.h>

#define NOT_APPLICABLE "not applicable"

//  Reads the features of a batch; results says which alerts cannot be scored.
static void
read_batch (weft_classifier_t *self,
            const weft_alert_t *const *in,
            int *results,
            size_t n)
{
    for (size_t i = 0; i < n; i++) {
        weft_features_v1_t *features = &self->features[i];
        results[i] = weft_alert_read (in[i], &weft_features_v1, features);
        if (results[i])
            continue;
        const weft_feature_set_t *set = weft_feature_set_find (features->set);
        bool noted = WEFT_HAS (features_v1, features, note);
        if (set && !noted && features->values.n != weft_feature_set_count (set))
            results[i] = WEFT_EMALFORMED;
    }
}

//  Values as the model was trained with them: what is not finite is missing.
static void
copy_values (weft_col_t from, float *to)
{
    for (uint32_t j = 0; j < from.n; j++) {
        float value = weft_col_f32 (from, j);
        to[j] = isfinite (value) ? value : NAN;
    }
}

//  Who scores this batch.
static void
seat (weft_classifier_t *self)
{
    self->n_panel = 0;
    for (int shadow = 0; shadow <= 1; shadow++)
        for (size_t i = 0; i < self->n; i++) {
            weft_live_t *live = &self->live[i];
            if (self->n_panel == WEFT_MODELS_MOST || (shadow && !live->shadow))
                continue;
            weft_panelist_t *one = &self->panel[self->n_panel++];
            one->live = live;
            one->index = i;
            one->scorer = shadow ? live->shadow : live->scorer;
            one->shadow = shadow;
        }
}

//  Scores what this model can read.
static void
score_batch (weft_classifier_t *self,
             weft_panelist_t *one,
             const int *results,
             size_t n)
{
    int32_t rows = 0;
    for (size_t i = 0; i < n; i++) {
        const weft_features_v1_t *features = &self->features[i];
        one->row[i] = -1;
        if (results[i] || !one->scorer ||
            features->set != weft_scorer_set (one->scorer) ||
            WEFT_HAS (features_v1, features, note))
            continue;
        copy_values (features->values,
                     self->values + (size_t)rows * features->values.n);
        one->row[i] = rows++;
    }
    if (!rows)
        return;
    size_t count = (size_t)rows * weft_scorer_class_count (one->scorer);
    weft_scorer_score (one->scorer, self->values, (size_t)rows, self->p);
    for (size_t k = 0; k < count; k++)
        weft_put_f32 (one->p + 4 * k, self->p[k]);
    weft_metric_add (one->shadow ? one->live->shadowed : one->live->scored,
                     rows);
}

static void
fill_record (const weft_panelist_t *one, size_t i, weft_score_v1_t *record)
{
    const weft_scorer_t *scorer = one->scorer;
    int32_t row = one->row[i];
    uint32_t classes = scorer ? weft_scorer_class_count (scorer) : 0;
    weft_contract_clear (&weft_score_v1, record);
    WEFT_SET (score_v1, record, model, weft_str (one->live->name));
    WEFT_SET (score_v1, record, version,
              weft_str (scorer ? weft_scorer_version (scorer) : ""));
    WEFT_SET (score_v1, record, set, scorer ? weft_scorer_set (scorer) : 0);
    WEFT_SET (score_v1, record, calibration,
              weft_str (scorer ? weft_scorer_calibration (scorer) : "none"));
    WEFT_SET (score_v1, record, classes,
              weft_str (scorer ? weft_scorer_classes (scorer) : ""));
    weft_col_t scores = { one->p, 0 };
    if (row >= 0)
        scores = (weft_col_t){ one->p + (size_t)row * classes * 4, classes };
    else
        WEFT_SET (score_v1, record, note,
                  weft_str (scorer ? NOT_APPLICABLE : "no model"));
    WEFT_SET (score_v1, record, p, scores);
    if (one->shadow)
        WEFT_SET (score_v1, record, shadow, 1);
    else if (row < 0)
        weft_metric_add (one->live->skipped, 1);
}

static int
write_records (weft_scores_v1_t *scores, weft_buf_t *out)
{
    WEFT_MARK (scores_v1, scores, models);
    return weft_contract_encode (&weft_scores_v1, scores, out);
}

//  What the live model and the candidate of a name have said about this alert,
//  for the loader's thread. A copy: nothing is written from here.
static void
note_pair (weft_classifier_t *self,
           const weft_alert_t *alert,
           const weft_panelist_t *one,
           const weft_scores_v1_t *scores)
{
    char key[WEFT_SHADOW_KEY_MOST];
    weft_scores_v1_t pair;
    const weft_envelope_v1_t *envelope = weft_alert_envelope (alert);
    weft_contract_clear (&weft_scores_v1, &pair);
    pair.models[0] = scores->models[one->index];
    pair.models[1] = scores->models[one - self->panel];
    pair.n_models = 2;
    weft_buf_clear (&self->row);
    if (write_records (&pair, &self->row))
        return;
    snprintf (key, sizeof (key), "%.*s/%.*s/%lld", (int)envelope->survey.n,
              envelope->survey.p, (int)envelope->object_id.n,
              envelope->object_id.p, (long long)envelope->alert_id);
    weft_model_loader_add_row (self->loader, one->index,
                               weft_scorer_version (one->scorer), key,
                               &self->row);
}

static int
write_scores (weft_classifier_t *self,
              const weft_alert_t *alert,
              size_t i,
              weft_section_t *out)
{
    weft_scores_v1_t scores;
    weft_contract_clear (&weft_scores_v1, &scores);
    for (size_t m = 0; m < self->n_panel; m++)
        fill_record (&self->panel[m], i, &scores.models[m]);
    scores.n_models = (uint32_t)self->n_panel;
    for (size_t m = self->n; self->loader && m < self->n_panel; m++) {
        const weft_panelist_t *one = &self->panel[m];
        if (one->row[i] >= 0 && self->panel[one->index].row[i] >= 0 &&
            weft_model_loader_wants_row (self->loader, one->index))
            note_pair (self, alert, one, &scores);
    }
    return write_records (&scores, out);
}

void
weft_classifier_score (void *arg,
                       const weft_alert_t *const *in,
                       weft_section_t *out,
                       int *results,
                       size_t n)
{
    weft_classifier_t *self = arg;
    assert (n <= WEFT_CLASSIFIER_BATCH);
    if (self->isolated)
        weft_classifier_follow_disk (self);
    if (!weft_classifier_has_model (self)) {  //  never a verdict without one
        for (size_t i = 0; i < n; i++)
            results[i] = WEFT_EAGAIN;
        return;
    }
    seat (self);
    read_batch (self, in, results, n);
    for (size_t m = 0; m < self->n_panel; m++)
        score_batch (self, &self->panel[m], results, n);
    for (size_t i = 0; i < n; i++)
        if (!results[i])
            results[i] = write_scores (self, in[i], i, &out[i]);
        else
            weft_stage_reason ("features.v1: %s", weft_error_text (results[i]));
}
