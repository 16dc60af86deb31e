//  weft_candidate.c - see weft_candidate.h.

#include "weft_candidate.h"

#include "weft_labels.h"

#include <math.h>

#define STATIC_OBJECT 1  //  okind of alert.v1
#define NEW_OBJECT 3

static const char *const texts[] = {
    [WEFT_CANDIDATE_TAKEN] = "taken",
    [WEFT_CANDIDATE_NO_SCORE] = "no score",
    [WEFT_CANDIDATE_NO_OBJECT] = "no object",
    [WEFT_CANDIDATE_FAINT] = "faint",
    [WEFT_CANDIDATE_HELD_OUT] = "held out",
};

const char *
weft_candidate_text (weft_candidate_verdict_t verdict)
{
    return texts[verdict];
}

double
weft_magnitude (double flux_njy)
{
    return flux_njy > 0 ? 31.4 - 2.5 * log10 (flux_njy) : INFINITY;
}

//  Does this record hold probabilities of the classes that it names?
static bool
is_scored (const weft_score_v1_t *score)
{
    return !WEFT_HAS (score_v1, score, note) && score->p.n > 0 &&
           score->p.n <= WEFT_STRATEGY_CLASSES &&
           !(WEFT_HAS (score_v1, score, shadow) && score->shadow);
}

static const weft_score_v1_t *
find_model (const weft_scores_v1_t *scores, const char *model)
{
    for (uint32_t i = 0; i < scores->n_models; i++)
        if (weft_str_is (scores->models[i].model, model) &&
            is_scored (&scores->models[i]))
            return &scores->models[i];
    return NULL;
}

static bool
same_text (weft_str_t a, weft_str_t b)
{
    return a.n == b.n && !memcmp (a.p, b.p, a.n);
}

static uint32_t
add_member (const weft_score_v1_t *score, float *p, uint32_t members)
{
    for (uint32_t k = 0; k < score->p.n; k++)
        p[members * score->p.n + k] = weft_col_f32 (score->p, k);
    return members + 1;
}

//  The model first, then all others of the same classes: the committee.
static uint32_t
gather (const weft_scores_v1_t *scores, const weft_score_v1_t *first, float *p)
{
    uint32_t members = add_member (first, p, 0);
    for (uint32_t i = 0; i < scores->n_models; i++) {
        const weft_score_v1_t *other = &scores->models[i];
        if (other != first && is_scored (other) &&
            members < WEFT_STRATEGY_MEMBERS && other->p.n == first->p.n &&
            same_text (other->classes, first->classes))
            members = add_member (other, p, members);
    }
    return members;
}

//  Place of a class in "a,b,c"; UINT32_MAX if it is not there.
static uint32_t
class_index (weft_str_t classes, const char *name)
{
    size_t size = strlen (name);
    uint32_t index = 0;
    for (uint32_t at = 0; size && at < classes.n; index++) {
        uint32_t end = at;
        while (end < classes.n && classes.p[end] != ',')
            end++;
        if (end - at == size && !memcmp (classes.p + at, name, size))
            return index;
        at = end + 1;
    }
    return UINT32_MAX;
}

static double
score_of (const weft_candidate_rule_t *rule,
          const weft_scores_v1_t *scores,
          const weft_score_v1_t *first)
{
    float p[WEFT_STRATEGY_MEMBERS * WEFT_STRATEGY_CLASSES];
    weft_opinion_t opinion = {
        .p = p,
        .members = gather (scores, first, p),
        .classes = first->p.n,
        .target = class_index (first->classes, rule->target),
    };
    return rule->strategy->score (&opinion);
}

static weft_candidate_verdict_t
look_at (const weft_candidate_rule_t *rule, const weft_alert_v1_t *alert)
{
    if (alert->okind != STATIC_OBJECT && alert->okind != NEW_OBJECT)
        return WEFT_CANDIDATE_NO_OBJECT;
    bool bright = isfinite (alert->flux) &&
                  weft_magnitude ((double)alert->flux) <= rule->mag_limit;
    return bright ? WEFT_CANDIDATE_TAKEN : WEFT_CANDIDATE_FAINT;
}

//  Is the object one of those that are for testing alone?
static bool
is_held_out (const weft_envelope_v1_t *envelope)
{
    char object[WEFT_LABEL_OBJECT];
    int n = snprintf (object, sizeof (object), "%.*s:%.*s",
                      (int)envelope->survey.n, envelope->survey.p,
                      (int)envelope->object_id.n, envelope->object_id.p);
    return n > 0 && weft_label_held_out (object, strlen (object));
}

static void
fill_alert (weft_query_v1_t *query,
            const weft_envelope_v1_t *envelope,
            const weft_alert_v1_t *alert)
{
    WEFT_SET (query_v1, query, query_id, weft_str (""));
    WEFT_SET (query_v1, query, survey, envelope->survey);
    WEFT_SET (query_v1, query, object_id, envelope->object_id);
    WEFT_SET (query_v1, query, alert_id, envelope->alert_id);
    WEFT_SET (query_v1, query, night, envelope->night);
    WEFT_SET (query_v1, query, rank, 0);
    WEFT_SET (query_v1, query, ra, alert->ra);
    WEFT_SET (query_v1, query, dec, alert->dec);
    WEFT_SET (query_v1, query, last_mjd, alert->t_obs);
    WEFT_SET (query_v1, query, last_flux, alert->flux);
    WEFT_SET (query_v1, query, last_band, alert->band);
    WEFT_SET (query_v1, query, asked_at, alert->t_obs);
}

static void
fill_score (weft_query_v1_t *query, const weft_score_v1_t *score)
{
    WEFT_SET (query_v1, query, model, score->model);
    WEFT_SET (query_v1, query, version, score->version);
    WEFT_SET (query_v1, query, classes, score->classes);
    WEFT_SET (query_v1, query, p, score->p);
}

//  The features as they are now: later ones would leak the future.
static int
fill_features (weft_query_v1_t *query, const weft_alert_t *alert)
{
    weft_features_v1_t features;
    int rc = weft_alert_read (alert, &weft_features_v1, &features);
    if (rc == WEFT_EABSENT)
        return 0;
    if (!rc) {
        WEFT_SET (query_v1, query, set, features.set);
        WEFT_SET (query_v1, query, values, features.values);
    }
    return rc;
}

int
weft_candidate_make (const weft_candidate_rule_t *rule,
                     const weft_alert_t *in,
                     weft_buf_t *out,
                     weft_candidate_verdict_t *verdict)
{
    weft_alert_v1_t alert;
    weft_scores_v1_t scores;
    weft_query_v1_t query;
    int rc = weft_alert_read (in, &weft_scores_v1, &scores);
    rc = rc ? rc : weft_alert_read (in, &weft_alert_v1, &alert);
    if (!rc && !isfinite (alert.t_obs))
        rc = WEFT_ERANGE;
    if (rc)
        return rc;
    const weft_score_v1_t *score = find_model (&scores, rule->model);
    *verdict = score ? look_at (rule, &alert) : WEFT_CANDIDATE_NO_SCORE;
    if (*verdict == WEFT_CANDIDATE_TAKEN && rule->hold_out &&
        is_held_out (weft_alert_envelope (in)))
        *verdict = WEFT_CANDIDATE_HELD_OUT;
    if (*verdict != WEFT_CANDIDATE_TAKEN)
        return 0;
    double value = score_of (rule, &scores, score);
    if (!isfinite (value)) {
        *verdict = WEFT_CANDIDATE_NO_SCORE;
        return 0;
    }
    weft_contract_clear (&weft_query_v1, &query);
    fill_alert (&query, weft_alert_envelope (in), &alert);
    fill_score (&query, score);
    WEFT_SET (query_v1, &query, requester, weft_str (rule->requester));
    WEFT_SET (query_v1, &query, strategy, weft_str (rule->strategy->name));
    WEFT_SET (query_v1, &query, score, (float)value);
    rc = fill_features (&query, in);
    rc = rc ? rc : weft_contract_encode (&weft_query_v1, &query, out);
    return !rc && out->size > WEFT_CANDIDATE_MOST ? WEFT_ETOOBIG : rc;
}
