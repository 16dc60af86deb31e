//  models_main.c - what scoring and the learner's pool cost per alert.
//
//  One JSON object a line: name, value, unit, peer, peer_value. CPU time, the
//  pool's with that of its private Redis. The model has 7 classes and 150
//  rounds, as `weft train` makes it; XGBoost's own call is the peer.

#include <xgboost/c_api.h>

#include "../unit/learner_alert.h"

#include "../integration/redis_private.h"
#include "weft_calibration.h"
#include "weft_candidate.h"
#include "weft_features.h"
#include "weft_forest.h"
#include "weft_hash.h"
#include "weft_pool.h"
#include "weft_trainer.h"

#include <math.h>
#include <time.h>

enum { ROWS = 2048, CLASSES = 7, POOL_ALERTS = 20000, POOL_BATCH = 64 };

static float *values;
static uint32_t truth[ROWS];
static uint32_t inputs;
static weft_buf_t ubj;

static double
cpu_us (void)
{
    struct timespec t;
    clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &t);
    return 1e6 * (double)t.tv_sec + 1e-3 * (double)t.tv_nsec;
}

static void
must (bool good, const char *what)
{
    if (good)
        return;
    fprintf (stderr, "models_main: %s\n", what);
    exit (1);
}

static void
report (const char *name, double value, const char *peer, double peer_value)
{
    printf ("{\"name\": \"%s\", \"value\": %.3f, \"unit\": \"us/alert\"", name,
            value);
    if (peer)
        printf (", \"peer\": \"%s\", \"peer_value\": %.3f", peer, peer_value);
    printf ("}\n");
    fflush (stdout);
}

//  A class shows in a third of the features; a tenth of the values is missing.
static void
make_model (void)
{
    char why[WEFT_TRAINER_WHY];
    uint64_t state = 1;
    inputs = weft_feature_set_count (weft_feature_set_for (weft_str ("ztf")));
    values = malloc ((size_t)ROWS * inputs * sizeof (*values));
    must (values, "out of memory");
    for (uint32_t i = 0; i < ROWS; i++) {
        truth[i] = i % CLASSES;
        for (uint32_t j = 0; j < inputs; j++) {
            float u = (float)(weft_hash_u64 (++state) >> 40) / 16777216.0f;
            values[i * inputs + j] =
                u < .1f ? NAN : u + .1f * (float)(j % 3 == 0) * (float)truth[i];
        }
    }
    weft_rows_of_truth_t rows = { values, truth, ROWS, inputs, CLASSES };
    weft_buf_init (&ubj, 16u << 20);
    must (!weft_trainer_train (&rows, &weft_trainer_defaults, &ubj, why), why);
}

static double
time_ours (const weft_forest_t *forest, size_t batch)
{
    static float p[64 * CLASSES];
    const weft_calibration_t none = { 0 };
    double start = cpu_us ();
    for (size_t round = 0; round < 4; round++)
        for (size_t i = 0; i + batch <= ROWS; i += batch) {
            weft_forest_margins (forest, values + i * inputs, batch, p);
            for (size_t k = 0; k < batch; k++)
                weft_calibration_apply (&none, p + k * CLASSES, CLASSES);
        }
    return (cpu_us () - start) / (4 * ROWS);
}

static double
time_xgboost (BoosterHandle booster, size_t batch)
{
    static const char config[] =
        "{\"type\":0,\"training\":false,\"iteration_begin\":0,"
        "\"iteration_end\":0,\"strict_shape\":true,\"missing\":NaN,"
        "\"cache_id\":0}";
    char array[200];
    const bst_ulong *shape;
    bst_ulong dim;
    const float *p;
    double start = cpu_us ();
    for (size_t i = 0; i + batch <= ROWS; i += batch) {
        snprintf (array, sizeof (array),
                  "{\"data\":[%zu,true],\"shape\":[%zu,%u],\"typestr\":"
                  "\"<f4\",\"version\":3}",
                  (size_t)(values + i * inputs), batch, inputs);
        must (!XGBoosterPredictFromDense (booster, array, config, NULL, &shape,
                                          &dim, &p),
              XGBGetLastError ());
    }
    return (cpu_us () - start) / ROWS;
}

static void
bench_trees (void)
{
    char why[WEFT_FOREST_WHY];
    BoosterHandle booster;
    weft_forest_t *forest = weft_forest_new (ubj.data, ubj.size, why);
    must (forest, why);
    must (!XGBoosterCreate (NULL, 0, &booster), "XGBoost");
    must (!XGBoosterSetParam (booster, "nthread", "1"), "XGBoost");
    must (!XGBoosterLoadModelFromBuffer (booster, ubj.data, ubj.size),
          "XGBoost");
    for (size_t batch = 1; batch <= 64; batch *= 8) {
        char name[64];
        snprintf (name, sizeof (name), "classifier: trees, batch %zu", batch);
        report (name, time_ours (forest, batch), "XGBoost",
                time_xgboost (booster, batch));
    }
    XGBoosterFree (booster);
    weft_forest_destroy (&forest);
}

static weft_alert_t *
make_alert (uint32_t number, char object[32])
{
    static float p[3];
    p[0] = (float)(number % 97) / 97;
    p[1] = 1 - p[0];
    p[2] = 0;
    snprintf (object, 32, "ZTF26%06u", number % 4000);
    learner_alert_t of = { object,
                           number,
                           1,
                           61000 + 1e-5 * number,
                           40000,
                           "demo",
                           "SNIa,SNII,AGN",
                           p,
                           3,
                           NULL };
    return learner_alert (&of);
}

//  User and system time of a process, us.
static double
process_us (pid_t pid)
{
    char path[64], text[1024] = "";
    unsigned long user = 0, kernel = 0;
    snprintf (path, sizeof (path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen (path, "r");
    must (file && fgets (text, sizeof (text), file), path);
    fclose (file);
    const char *at = strrchr (text, ')');
    must (at && sscanf (at + 2,
                        "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
                        &user, &kernel) == 2,
          path);
    return 1e6 * (double)(user + kernel) / (double)sysconf (_SC_CLK_TCK);
}

static void
put_batch (weft_redis_t *redis, const weft_buf_t *entries, char (*keys)[40])
{
    weft_pool_put_t puts[POOL_BATCH];
    for (size_t i = 0; i < POOL_BATCH; i++) {
        weft_query_v1_t query;
        must (!weft_contract_decode (&weft_query_v1, &query, entries[i].data,
                                     entries[i].size),
              "candidate");
        puts[i] = (weft_pool_put_t){ weft_str (keys[i]), query.last_mjd,
                                     (double)query.score, entries[i].data,
                                     entries[i].size };
    }
    must (!weft_pool_put (redis, "bench", puts, POOL_BATCH, 3000), "pool");
    size_t sample = 0;
    for (size_t i = 0; i < POOL_BATCH; i++) {
        puts[i].score = weft_random_score (keys[i], puts[i].object.n);
        if (puts[i].score >= WEFT_RANDOM_FROM)
            puts[sample++] = puts[i];
    }
    must (!sample || !weft_pool_put (redis, "bench-random", puts, sample, 3000),
          "pool");
}

static void
bench_learner (void)
{
    redis_private_t server = { 0 };
    weft_buf_t entries[POOL_BATCH];
    char keys[POOL_BATCH][40];
    weft_candidate_rule_t rule = { "bench", "demo",
                                   "",      weft_strategy_find ("entropy"),
                                   21,      false };
    double judging = 0, pooling = 0, theirs = 0;
    redis_private_start (&server);
    weft_redis_t *redis = weft_redis_new (server.address, NULL);
    for (size_t i = 0; i < POOL_BATCH; i++)
        weft_buf_init (&entries[i], 65536);
    for (uint32_t n = 0; n < POOL_ALERTS; n += POOL_BATCH) {
        for (uint32_t i = 0; i < POOL_BATCH; i++) {
            weft_candidate_verdict_t verdict;
            char object[32];
            weft_alert_t *alert = make_alert (n + i, object);
            snprintf (keys[i], sizeof (keys[i]), "ztf:%s", object);
            weft_buf_clear (&entries[i]);
            double start = cpu_us ();
            must (!weft_candidate_make (&rule, alert, &entries[i], &verdict),
                  "candidate");
            judging += cpu_us () - start;
            weft_alert_unref (&alert);
        }
        double start = cpu_us ();
        double before = process_us (server.pid);
        put_batch (redis, entries, keys);
        pooling += cpu_us () - start;
        theirs += process_us (server.pid) - before;
    }
    report ("learner: candidate", judging / POOL_ALERTS, NULL, 0);
    report ("learner: two pools, both ends", (pooling + theirs) / POOL_ALERTS,
            "budget", 10);
    for (size_t i = 0; i < POOL_BATCH; i++)
        weft_buf_fini (&entries[i]);
    weft_redis_destroy (&redis);
    redis_private_stop (&server);
}

int
main (void)
{
    make_model ();
    bench_trees ();
    bench_learner ();
    weft_buf_fini (&ubj);
    free (values);
    return 0;
}
