//  weft_learner.c - see weft_learner.h. Loop's thread only.

#include "weft_learner.h"

#include "weft_asking.h"
#include "weft_candidate.h"
#include "weft_label_stream.h"
#include "weft_log.h"
#include "weft_pool.h"
#include "weft_redis.h"
#include "weft_time.h"
#include "weft_training.h"

#include <math.h>

#define STREAM_MS 500

#define OPT(kind, key, ...)                                                    \
    WEFT_OPT_##kind (weft_learner_options_t, key, __VA_ARGS__)

const weft_option_t weft_learner_option_table[] = {
    OPT (TEXT, model, "demo", "the model that wants to learn"),
    OPT (TEXT,
         strategy,
         "entropy",
         "uncertainty, entropy, margin, least-confident, certainty, "
         "committee-entropy or committee-information"),
    OPT (TEXT, target, "", "class that uncertainty is about; empty: likeliest"),
    OPT (
        TEXT, requester, "active-learner", "who asks; part of each query's id"),
    OPT (INT, budget, "20", 0, 100000, "", "queries a night, by all replicas"),
    OPT (INT, batch, "5", 1, 1000, "", "most queries of one interval"),
    OPT (INT,
         interval_ms,
         "60000",
         100,
         86400000,
         "ms",
         "how often a part of the budget is spent"),
    OPT (REAL, random_share, "0.15", 0, 1, "", "share of queries at random"),
    OPT (INT, pool_size, "5000", 1, 1000000, "", "most objects in each pool"),
    OPT (REAL, mag_limit, "20.5", 0, 40, "mag", "nothing fainter is asked for"),
    OPT (REAL,
         max_age_d,
         "20",
         0,
         100000,
         "d",
         "objects last seen so long before the newest alert are not asked "
         "for"),
    OPT (REAL, expires_d, "14", 0.01, 3650, "d", "how long a query is open"),
    OPT (REAL, noon_utc_h, "16", 0, 24, "h", "UTC hour when nights change"),
    OPT (TEXT,
         train_base,
         "",
         "examples to begin with (weft train --examples); empty: no training"),
    OPT (TEXT, train_test, "", "the frozen test set, likewise"),
    OPT (TEXT, train_program, "", "empty: weft, beside this program"),
    OPT (INT,
         train_labels,
         "50",
         1,
         1000000,
         "",
         "train again when so many labels wait"),
    OPT (REAL,
         train_minutes,
         "60",
         0.01,
         100000,
         "min",
         "or when one has waited so long"),
    OPT (INT,
         train_memory_mb,
         "2048",
         0,
         1000000,
         "MB",
         "most address space of the trainer; 0: no cap"),
    OPT (INT,
         train_timeout_s,
         "1800",
         1,
         1000000,
         "s",
         "a training that takes longer is killed"),
    OPT (REAL,
         train_max_drop,
         "0.02",
         0,
         1,
         "",
         "of the accuracy on the test set, against the live model"),
    WEFT_OPT_END
};

typedef struct {
    const weft_learner_options_t *options;  //  borrowed
    weft_candidate_rule_t rule;
    weft_asking_t asking;
    char ranked[WEFT_POOL_NAME_MOST];
    char random[WEFT_POOL_NAME_MOST];
    weft_redis_t *redis;  //  owned; NULL in the isolation child
    double newest;        //  t_obs of the newest alert seen, MJD TAI
    int64_t next_ms;      //  of the next interval
    int asking_rc;        //  of the last interval
    weft_training_config_t config;
    weft_training_t *training;  //  owned; NULL in the isolation child
    int64_t stream_ms;          //  when the stream of labels is looked at
    int learning_rc;            //  of the last turn of labels and training
    weft_metric_t *verdicts[WEFT_CANDIDATE_VERDICTS];
    weft_metric_t *asked, *at_random, *spent, *open, *pool;
    weft_metric_t *labels, *refused, *waiting, *running;
    weft_metric_t *done, *declined, *failed;
} learner_t;

static void
make_metrics (learner_t *self)
{
    for (int i = 0; i < WEFT_CANDIDATE_VERDICTS; i++) {
        char labels[64];
        snprintf (labels, sizeof (labels), "verdict=\"%s\"",
                  weft_candidate_text ((weft_candidate_verdict_t)i));
        self->verdicts[i] =
            weft_counter ("weft_learner_candidates_total", labels);
    }
    self->asked = weft_counter ("weft_learner_asked_total", "how=\"ranked\"");
    self->at_random =
        weft_counter ("weft_learner_asked_total", "how=\"random\"");
    self->spent = weft_gauge ("weft_learner_night_spent", "");
    self->open = weft_gauge ("weft_learner_queries_open", "");
    self->pool = weft_gauge ("weft_learner_pool_objects", "");
    self->labels = weft_counter ("weft_learner_labels_total", "how=\"stream\"");
    self->refused =
        weft_counter ("weft_learner_labels_total", "how=\"refused\"");
    self->waiting = weft_gauge ("weft_learner_labels_waiting", "");
    self->running = weft_gauge ("weft_learner_training", "");
    self->done =
        weft_counter ("weft_learner_trainings_total", "outcome=\"done\"");
    self->declined =
        weft_counter ("weft_learner_trainings_total", "outcome=\"declined\"");
    self->failed =
        weft_counter ("weft_learner_trainings_total", "outcome=\"failed\"");
}

//  Requesters are part of keys: short, and no separator.
static int
check_options (const weft_learner_options_t *options)
{
    const char *wrong = NULL;
    if (!weft_strategy_find (options->strategy))
        wrong = "options.strategy: expected one of those that --describe "
                "lists";
    else if (!options->requester[0] || strlen (options->requester) > 40 ||
             strpbrk (options->requester, ":{} "))
        wrong = "options.requester: 1 to 40 letters, none of ':{} '";
    else if (!options->train_base[0] != !options->train_test[0])
        wrong = "options.train_base and options.train_test: both or none";
    if (!wrong)
        return 0;
    weft_log (WEFT_ERROR, "LEARNER-CONFIG", "%s", wrong);
    return WEFT_ECONFIG;
}

static void
take_options (learner_t *self, const weft_stage_env_t *env)
{
    const weft_learner_options_t *options = self->options;
    self->rule = (weft_candidate_rule_t){
        .requester = options->requester,
        .model = options->model,
        .target = options->target,
        .strategy = weft_strategy_find (options->strategy),
        .mag_limit = options->mag_limit,
        .hold_out = options->train_test[0] != 0,
    };
    self->asking = (weft_asking_t){
        .requester = options->requester,
        .instance = weft_stage_instance (env),
        .budget = (uint32_t)options->budget,
        .batch = (uint32_t)options->batch,
        .interval_ms = options->interval_ms,
        .random_share = options->random_share,
        .expires_d = options->expires_d,
        .max_age_d = options->max_age_d,
        .noon_utc_h = options->noon_utc_h,
    };
    weft_asking_pools (options->requester, self->ranked, self->random);
}

static void
take_training (learner_t *self, const weft_stage_env_t *env)
{
    const weft_learner_options_t *options = self->options;
    weft_redis_config_t login = weft_stage_redis_login (env);
    self->config = (weft_training_config_t){
        .model = options->model,
        .base = options->train_base,
        .test = options->train_test,
        .program = options->train_program,
        .instance = weft_stage_instance (env),
        .address = weft_stage_redis_address (env),
        .login = login,
        .after_labels = (uint32_t)options->train_labels,
        .after_minutes = options->train_minutes,
        .memory_mb = options->train_memory_mb,
        .timeout_s = options->train_timeout_s,
        .max_drop = options->train_max_drop,
    };
}

static void
close_learner (void **self_p)
{
    learner_t *self = *self_p;
    if (!self)
        return;
    weft_training_destroy (&self->training);
    weft_redis_destroy (&self->redis);
    free (self);
    *self_p = NULL;
}

static int
open_learner (void **self_p, const weft_stage_env_t *env)
{
    const weft_learner_options_t *options = weft_stage_options (env);
    int rc = check_options (options);
    if (rc)
        return rc;
    learner_t *self = calloc (1, sizeof (*self));
    if (!self)
        return WEFT_ENOMEM;
    *self_p = self;
    self->options = options;
    take_options (self, env);
    take_training (self, env);
    make_metrics (self);
    if (weft_stage_isolated (env))
        return 0;
    weft_redis_config_t login = weft_stage_redis_login (env);
    self->redis = weft_redis_new (weft_stage_redis_address (env), &login);
    self->training = weft_training_new ();
    if (self->redis && self->training)
        return 0;
    weft_log (WEFT_ERROR, "LEARNER-CONFIG",
              "redis: no such address, or no password");
    close_learner (self_p);
    return WEFT_ECONFIG;
}

//  All of it may change while it runs; what is in the pool stays there.
static int
reload_learner (void *arg, const weft_stage_env_t *env)
{
    learner_t *self = arg;
    int rc = check_options (weft_stage_options (env));
    if (rc)
        return rc;
    self->options = weft_stage_options (env);
    take_options (self, env);
    take_training (self, env);
    self->next_ms = 0;
    return 0;
}

static int
judge (void *arg, const weft_alert_t *in, weft_section_t *out)
{
    learner_t *self = arg;
    weft_candidate_verdict_t verdict;
    int rc = weft_candidate_make (&self->rule, in, out, &verdict);
    if (rc)
        weft_stage_reason ("no candidate: %s", weft_error_text (rc));
    else
        weft_metric_add (self->verdicts[verdict], 1);
    return rc;
}

//  What one commit puts into the pools.
typedef struct {
    weft_pool_put_t *ranked;  //  owned, as `sample` and `rooms`
    weft_pool_put_t *sample;  //  of these, the ones in the random sample
    char (*rooms)[64];        //  keys of the objects
    size_t n_ranked, n_sample;
} puts_t;

static int
make_puts (puts_t *self, size_t n)
{
    *self = (puts_t){ .ranked = malloc (n * sizeof (*self->ranked)),
                      .sample = malloc (n * sizeof (*self->sample)),
                      .rooms = malloc (n * sizeof (*self->rooms)) };
    return self->ranked && self->sample && self->rooms ? 0 : WEFT_ENOMEM;
}

static void
free_puts (puts_t *self)
{
    free (self->ranked);
    free (self->sample);
    free (self->rooms);
}

static void
add_candidate (puts_t *self, const weft_section_t *effect)
{
    weft_query_v1_t query;
    if (!effect->size || weft_contract_decode (&weft_query_v1, &query,
                                               effect->data, effect->size))
        return;
    char *key = self->rooms[self->n_ranked];
    int size =
        snprintf (key, sizeof (self->rooms[0]), "%.*s:%.*s",
                  (int)WEFT_MIN (query.survey.n, 8), query.survey.p,
                  (int)WEFT_MIN (query.object_id.n, 40), query.object_id.p);
    weft_pool_put_t put = { .object = { key, (uint32_t)size },
                            .order = query.last_mjd,
                            .score = (double)query.score,
                            .entry = effect->data,
                            .size = effect->size };
    self->ranked[self->n_ranked++] = put;
    put.score = weft_random_score (key, (size_t)size);
    if (put.score >= WEFT_RANDOM_FROM)
        self->sample[self->n_sample++] = put;
}

static int
put_all (learner_t *self, const puts_t *puts)
{
    uint64_t most = (uint64_t)self->options->pool_size;
    int rc = 0;
    if (puts->n_ranked)
        rc = weft_pool_put (self->redis, self->ranked, puts->ranked,
                            puts->n_ranked, most);
    if (!rc && puts->n_sample)
        rc = weft_pool_put (self->redis, self->random, puts->sample,
                            puts->n_sample, most);
    return rc;
}

//  Ages count from the newest alert, so that a replayed season has a pool; a
//  time in the future (a broken clock) does not make everything old.
static void
note_newest (learner_t *self, const weft_alert_t *alert)
{
    double t_obs = weft_alert_envelope (alert)->t_obs;
    if (t_obs > self->newest && t_obs < weft_time_mjd_tai () + 1)
        self->newest = t_obs;
}

static int
commit (void *arg,
        const weft_alert_t *const *in,
        const weft_section_t *effects,
        size_t n)
{
    learner_t *self = arg;
    puts_t puts;
    int rc = make_puts (&puts, n);
    for (size_t i = 0; !rc && i < n; i++) {
        note_newest (self, in[i]);
        add_candidate (&puts, &effects[i]);
    }
    rc = rc ? rc : put_all (self, &puts);
    free_puts (&puts);
    return rc;
}

static void
count_turn (learner_t *self, const weft_asked_t *asked)
{
    uint64_t objects;
    if (!asked->claimed)
        return;
    weft_metric_add (self->asked, asked->asked - asked->random);
    weft_metric_add (self->at_random, asked->random);
    weft_metric_set (self->spent, asked->spent);
    weft_metric_set (self->open, asked->open);
    if (!weft_pool_size (self->redis, self->ranked, &objects))
        weft_metric_set (self->pool, (double)objects);
    if (asked->asked)
        weft_log (WEFT_INFO, "QUERIES-ASKED",
                  "%u queries (%u at random) for night %d: %u of %u spent",
                  asked->asked, asked->random, asked->night, asked->spent,
                  self->asking.budget);
}

static void
ask (learner_t *self, int64_t now_ms)
{
    weft_asked_t asked;
    if (now_ms < self->next_ms)
        return;
    self->next_ms = now_ms + self->options->interval_ms;
    int rc = weft_asking_turn (&self->asking, self->redis, weft_time_utc (),
                               self->newest, &asked);
    if (rc && rc != self->asking_rc)
        weft_log (WEFT_WARN, "LEARNER-WAITS", "%s: %s", weft_error_text (rc),
                  weft_redis_why (self->redis));
    self->asking_rc = rc;
    if (!rc)
        count_turn (self, &asked);
}

//  Labels that others have written to the stream.
static int
take_labels (learner_t *self, int64_t now_ms)
{
    weft_label_counts_t counts;
    if (now_ms < self->stream_ms)
        return 0;
    self->stream_ms = now_ms + STREAM_MS;
    int rc = weft_label_stream_take (self->redis, &counts);
    if (rc)
        return rc;
    weft_metric_add (self->labels, counts.added);
    weft_metric_add (self->refused, counts.refused);
    if (counts.added)
        weft_log (WEFT_INFO, "LABELS-TAKEN", "%u new labels from the stream",
                  counts.added);
    return 0;
}

static void
count_trainings (learner_t *self, const weft_training_counts_t *before)
{
    const weft_training_counts_t *now = weft_training_counts (self->training);
    weft_metric_add (self->done, now->done - before->done);
    weft_metric_add (self->declined, now->declined - before->declined);
    weft_metric_add (self->failed, now->failed - before->failed);
    weft_metric_set (self->waiting, (double)now->waiting);
    weft_metric_set (self->running, now->running);
}

//  Takes labels in and trains from them; never waits for a training.
static void
learn (learner_t *self, int64_t now_ms)
{
    int rc = take_labels (self, now_ms);
    if (!rc && self->config.base[0]) {
        weft_training_counts_t before = *weft_training_counts (self->training);
        rc = weft_training_turn (self->training, &self->config, self->redis,
                                 now_ms);
        count_trainings (self, &before);
    }
    if (rc && rc != self->learning_rc)
        weft_log (WEFT_WARN, "LEARNER-WAITS", "labels and training: %s: %s",
                  weft_error_text (rc), weft_redis_why (self->redis));
    self->learning_rc = rc;
}

static void
beat (void *arg, int64_t now_ms)
{
    learner_t *self = arg;
    if (!self->redis)
        return;
    ask (self, now_ms);
    learn (self, now_ms);
}

static bool
is_ready (void *arg, char *why, size_t room)
{
    learner_t *self = arg;
    if (!self->redis || !weft_redis_ping (self->redis))
        return true;
    snprintf (why, room, "Redis does not answer: %s",
              weft_redis_why (self->redis));
    return false;
}

const weft_stage_spec_t weft_learner_spec = {
    .name = "active-learner",
    .about = "keeps the objects that would teach the classifier most, and asks",
    .reads = "scores.v1",
    .options = weft_learner_option_table,
    .options_size = sizeof (weft_learner_options_t),
    .open = open_learner,
    .close = close_learner,
    .fn = judge,
    .commit = commit,
    .beat = beat,
    .ready = is_ready,
    .reload = reload_learner,
};
