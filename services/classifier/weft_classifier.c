//  weft_classifier.c - featured alert in, classified alert out.
//
//  All the plumbing (custody, batches, isolation, drain) is weft_stage. Here:
//  which models score, and how they are exchanged between two batches; the
//  scoring is in weft_classifier_score.c. Loop's thread only.

#include "weft_classifier_parts.h"

#include "weft_log.h"
#include "weft_model_file.h"

const weft_option_t weft_classifier_option_table[] = {
    WEFT_OPT_TEXTS (weft_classifier_options_t,
                    models,
                    "names of the models to score with; none: demo"),
    WEFT_OPT_INT (weft_classifier_options_t,
                  poll_ms,
                  "2000",
                  50,
                  3600000,
                  "ms",
                  "how often Redis is asked for newer models"),
    WEFT_OPT_TEXT (weft_classifier_options_t,
                   promote,
                   "auto",
                   "auto: a candidate goes live after its shadow; manual: by "
                   "weft model promote"),
    WEFT_OPT_INT (weft_classifier_options_t,
                  shadow_alerts,
                  "500",
                  0,
                  WEFT_SHADOWS_MOST,
                  "",
                  "alerts that a candidate scores as shadow before it goes "
                  "live"),
    WEFT_OPT_END
};

//  "demo@0123456789abcdef demo2@none"
static void
name_versions (weft_classifier_t *self)
{
    size_t used = 0;
    self->version[0] = 0;
    for (size_t i = 0; i < self->n && used < sizeof (self->version); i++) {
        const weft_scorer_t *scorer = self->live[i].scorer;
        used += (size_t)snprintf (
            self->version + used, sizeof (self->version) - used, "%s%s@%.16s",
            i ? " " : "", self->live[i].name,
            scorer ? weft_scorer_version (scorer) : "none");
    }
}

static void
mark (const char *gauge, const weft_scorer_t *scorer, double value)
{
    char labels[128];
    if (!scorer)
        return;
    snprintf (labels, sizeof (labels), "name=\"%s\",version=\"%.16s\"",
              weft_scorer_name (scorer), weft_scorer_version (scorer));
    weft_metric_set (weft_gauge (gauge, labels), value);
}

//  Makes a model live. Takes `scorer`.
static void
go_live (weft_classifier_t *self, size_t index, weft_scorer_t *scorer)
{
    weft_live_t *live = &self->live[index];
    mark ("weft_model_live", live->scorer, 0);
    weft_scorer_destroy (&live->scorer);
    live->scorer = scorer;
    mark ("weft_model_live", scorer, 1);
    name_versions (self);
    weft_log (WEFT_INFO, "MODEL-LIVE",
              "model %s version %.16s, calibration %s, classes %s", live->name,
              weft_scorer_version (scorer), weft_scorer_calibration (scorer),
              weft_scorer_classes (scorer));
}

//  A candidate scores beside the live model, or none does. Takes `shadow`. It is
//  no part of what we say is live: nobody's session ends for it.
static void
go_shadow (weft_live_t *live, weft_scorer_t *shadow)
{
    mark ("weft_model_shadow", live->shadow, 0);
    weft_scorer_destroy (&live->shadow);
    live->shadow = shadow;
    mark ("weft_model_shadow", shadow, 1);
}

//  The copy on disk, if there is a good one.
static void
load_from_disk (weft_classifier_t *self, size_t index)
{
    char why[WEFT_SCORER_WHY];
    weft_buf_t section;
    weft_live_t *live = &self->live[index];
    live->stamp = weft_model_file_stamp (self->dir, live->name);
    weft_buf_init (&section, WEFT_MODEL_SECTION_MOST);
    int rc = weft_model_file_read (self->dir, live->name, &section);
    weft_scorer_t *scorer = NULL;
    if (!rc)
        scorer = weft_scorer_new (section.data, section.size, why);
    else
        snprintf (why, sizeof (why), "%s", weft_error_text (rc));
    weft_buf_fini (&section);
    if (scorer && !strcmp (weft_scorer_name (scorer), live->name))
        go_live (self, index, scorer);
    else {
        if (rc != WEFT_EAGAIN)
            weft_log (WEFT_WARN, "MODEL-REFUSED", "model %s on disk in %s: %s",
                      live->name, self->dir,
                      scorer ? "it has another name" : why);
        weft_scorer_destroy (&scorer);
    }
}

static int
take_names (weft_classifier_t *self, const weft_classifier_options_t *options)
{
    self->n = options->models.n ? options->models.n : 1;
    if (self->n > WEFT_MODELS_MOST) {
        weft_log (WEFT_ERROR, "CLASSIFIER-CONFIG",
                  "options.models: %zu names, at most %d", self->n,
                  WEFT_MODELS_MOST);
        return WEFT_ECONFIG;
    }
    for (size_t i = 0; i < self->n; i++) {
        weft_live_t *live = &self->live[i];
        char labels[96];
        live->name = options->models.n ? options->models.items[i] : "demo";
        if (!weft_model_name_ok (live->name)) {
            weft_log (WEFT_ERROR, "CLASSIFIER-CONFIG",
                      "options.models: '%s' is no model name", live->name);
            return WEFT_ECONFIG;
        }
        snprintf (labels, sizeof (labels), "model=\"%s\"", live->name);
        live->scored = weft_counter ("weft_classifier_scored_total", labels);
        live->skipped =
            weft_counter ("weft_classifier_not_applicable_total", labels);
        live->shadowed =
            weft_counter ("weft_classifier_shadowed_total", labels);
    }
    return 0;
}

static int
start_loader (weft_classifier_t *self, const weft_stage_env_t *env)
{
    const weft_classifier_options_t *options = weft_stage_options (env);
    bool by_itself = !strcmp (options->promote, "auto");
    if (!by_itself && strcmp (options->promote, "manual") != 0) {
        weft_log (WEFT_ERROR, "CLASSIFIER-CONFIG",
                  "options.promote: auto or manual is expected, not '%s'",
                  options->promote);
        return WEFT_ECONFIG;
    }
    weft_model_loader_config_t config = {
        .redis = weft_stage_redis_address (env),
        .login = weft_stage_redis_login (env),
        .dir = self->dir,
        .n = self->n,
        .poll_ms = options->poll_ms,
        .shadow_alerts = by_itself ? options->shadow_alerts : -1,
    };
    for (size_t i = 0; i < self->n; i++) {
        config.names[i] = self->live[i].name;
        if (self->live[i].scorer)
            config.versions[i] = weft_scorer_version (self->live[i].scorer);
    }
    self->loader = weft_model_loader_new (&config);
    if (self->loader)
        return 0;
    weft_log (WEFT_ERROR, "CLASSIFIER-CONFIG", "cannot watch models at '%s'",
              config.redis ? config.redis : "");
    return WEFT_ECONFIG;
}

static void
close_models (void **self_p)
{
    weft_classifier_t *self = *self_p;
    if (!self)
        return;
    weft_model_loader_destroy (&self->loader);
    for (size_t i = 0; i < self->n; i++)
        weft_scorer_destroy (&self->live[i].scorer);
    for (size_t i = 0; i < self->n; i++)
        weft_scorer_destroy (&self->live[i].shadow);
    weft_buf_fini (&self->row);
    free (self);
    *self_p = NULL;
}

static int
open_models (void **self_p, const weft_stage_env_t *env)
{
    const weft_classifier_options_t *options = weft_stage_options (env);
    weft_classifier_t *self = calloc (1, sizeof (*self));
    if (!self)
        return WEFT_ENOMEM;
    *self_p = self;
    weft_buf_init (&self->row, 65536);
    self->isolated = weft_stage_isolated (env);
    snprintf (self->dir, sizeof (self->dir), "%s", weft_stage_data_dir (env));
    self->refused = weft_gauge ("weft_classifier_models_refused", "");
    int rc = take_names (self, options);
    for (size_t i = 0; !rc && i < self->n; i++)
        load_from_disk (self, i);
    name_versions (self);
    if (!rc && !self->isolated)
        rc = start_loader (self, env);
    if (rc)
        close_models (self_p);
    return rc;
}

//  A model that is live under a name stays live under it.
static void
carry_over (weft_classifier_t *self, weft_classifier_t *old)
{
    for (size_t i = 0; i < self->n; i++)
        for (size_t j = 0; j < old->n; j++) {
            weft_scorer_t *scorer = old->live[j].scorer;
            if (!scorer || strcmp (self->live[i].name, old->live[j].name))
                continue;
            old->live[j].scorer = self->live[i].scorer;
            self->live[i].scorer = scorer;
        }
    name_versions (self);
}

//  Other names, another poll_ms: everything is opened anew, and what was is
//  closed if that went well.
static int
reload_models (void *arg, const weft_stage_env_t *env)
{
    weft_classifier_t *self = arg;
    void *fresh = NULL;
    int rc = open_models (&fresh, env);
    weft_classifier_t *old = rc ? NULL : malloc (sizeof (*old));
    if (!old) {
        close_models (&fresh);
        return rc ? rc : WEFT_ENOMEM;
    }
    carry_over (fresh, self);
    memcpy (old, self, sizeof (*old));
    memcpy (self, fresh, sizeof (*self));
    free (fresh);
    void *gone = old;
    close_models (&gone);
    return 0;
}

void
weft_classifier_follow_disk (weft_classifier_t *self)
{
    for (size_t i = 0; i < self->n; i++)
        if (weft_model_file_stamp (self->dir, self->live[i].name) !=
            self->live[i].stamp)
            load_from_disk (self, i);
}

static void
take_new_models (void *arg, int64_t now_ms)
{
    weft_classifier_t *self = arg;
    (void)now_ms;
    if (!self->loader)
        return;
    for (size_t i = 0; i < self->n; i++) {
        weft_scorer_t *scorer = weft_model_loader_take (self->loader, i);
        if (scorer)
            go_live (self, i, scorer);
        if (weft_model_loader_take_shadow (self->loader, i, &scorer))
            go_shadow (&self->live[i], scorer);
    }
    weft_metric_set (self->refused,
                     (double)weft_model_loader_refused (self->loader));
}

bool
weft_classifier_has_model (void *arg)
{
    const weft_classifier_t *self = arg;
    for (size_t i = 0; i < self->n; i++)
        if (self->live[i].scorer)
            return true;
    return false;
}

static bool
is_ready (void *arg, char *why, size_t room)
{
    weft_classifier_t *self = arg;
    if (weft_classifier_has_model (self))
        return true;
    bool connected = self->loader && weft_model_loader_connected (self->loader);
    snprintf (why, room, "no model: nothing good on disk in %s, %s", self->dir,
              connected ? "and none is live in Redis"
                        : "and Redis does not answer");
    return false;
}

static const char *
live_versions (void *arg)
{
    return ((weft_classifier_t *)arg)->version;
}

const weft_stage_spec_t weft_classifier_spec = {
    .name = "classifier",
    .about = "scores the features of each alert by every live model",
    .reads = "features.v1",
    .writes = "scores.v1",
    .options = weft_classifier_option_table,
    .options_size = sizeof (weft_classifier_options_t),
    .open = open_models,
    .close = close_models,
    .fn_batch = weft_classifier_score,
    .batch_most = WEFT_CLASSIFIER_BATCH,
    .beat = take_new_models,
    .ready = is_ready,
    .version = live_versions,
    .owner = weft_classifier_has_model,
    .golden = weft_classifier_golden,
    .reload = reload_models,
};
