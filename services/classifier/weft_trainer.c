//  weft_trainer.c - see weft_trainer.h.

#include <xgboost/c_api.h>

#include "weft_trainer.h"

#include "weft_forest.h"

#include <inttypes.h>
#include <math.h>

const weft_trainer_options_t weft_trainer_defaults = {
    .rounds = 150,
    .depth = 3,
    .eta = 0.1,
    .subsample = 0.8,
    .columns = 0.5,
    .min_weight = 1,
    .seed = 1,
    .threads = 1,
};

//  0, or WEFT_EIO with XGBoost's own words.
static int
xgb (int rc, char *why)
{
    if (!rc)
        return 0;
    snprintf (why, WEFT_TRAINER_WHY, "XGBoost: %s", XGBGetLastError ());
    return WEFT_EIO;
}

//  Owned by the caller: free with XGDMatrixFree. One thread: waking OpenMP's
//  for a copy costs more than the copy, and on a busy machine far more.
static int
make_matrix (const weft_rows_of_truth_t *rows, DMatrixHandle *matrix, char *why)
{
    static const char config[] = "{\"missing\": NaN, \"nthread\": 1}";
    char array[160];
    snprintf (array, sizeof (array),
              "{\"data\": [%zu, true], \"shape\": [%zu, %u], "
              "\"typestr\": \"<f4\", \"version\": 3}",
              (size_t)rows->values, rows->rows, rows->inputs);
    return xgb (XGDMatrixCreateFromDense (array, config, matrix), why);
}

//  Labels, and the weight of each row by its class.
static int
set_truth (DMatrixHandle matrix, const weft_rows_of_truth_t *rows, char *why)
{
    size_t counts[WEFT_FOREST_CLASSES] = { 0 };
    float *labels = malloc (2 * rows->rows * sizeof (*labels));
    if (!labels)
        return WEFT_ENOMEM;
    float *weights = labels + rows->rows;
    for (size_t i = 0; i < rows->rows; i++)
        counts[rows->truth[i]]++;
    for (size_t i = 0; i < rows->rows; i++) {
        labels[i] = (float)rows->truth[i];
        weights[i] =
            (float)((double)rows->rows /
                    ((double)rows->classes * (double)counts[rows->truth[i]]));
    }
    int rc =
        xgb (XGDMatrixSetFloatInfo (matrix, "label", labels, rows->rows), why);
    rc =
        rc ? rc
           : xgb (XGDMatrixSetFloatInfo (matrix, "weight", weights, rows->rows),
                  why);
    free (labels);
    return rc;
}

static int
set_param (BoosterHandle booster, const char *key, double value, char *why)
{
    char text[32];
    snprintf (text, sizeof (text), "%.9g", value);
    return xgb (XGBoosterSetParam (booster, key, text), why);
}

static int
set_params (BoosterHandle booster,
            const weft_trainer_options_t *options,
            uint32_t classes,
            char *why)
{
    const struct {
        const char *key;
        double value;
    } numbers[] = {
        { "num_class", classes },
        { "base_score", 0.5 },
        { "max_depth", options->depth },
        { "eta", options->eta },
        { "subsample", options->subsample },
        { "colsample_bynode", options->columns },
        { "min_child_weight", options->min_weight },
        { "seed", (double)(options->seed % INT32_MAX) },
        { "nthread", options->threads },
        { "verbosity", 0 },
    };
    int rc =
        xgb (XGBoosterSetParam (booster, "objective", "multi:softprob"), why);
    rc =
        rc ? rc : xgb (XGBoosterSetParam (booster, "tree_method", "hist"), why);
    for (size_t i = 0; !rc && i < WEFT_COUNT (numbers); i++)
        rc = set_param (booster, numbers[i].key, numbers[i].value, why);
    return rc;
}

static int
save (BoosterHandle booster, weft_buf_t *ubj, char *why)
{
    const char *bytes;
    bst_ulong size;
    int rc = xgb (XGBoosterSaveModelToBuffer (booster, "{\"format\":\"ubj\"}",
                                              &size, &bytes),
                  why);
    if (rc)
        return rc;
    weft_buf_clear (ubj);
    weft_buf_add (ubj, bytes, size);
    return ubj->error;
}

static int
train_on (DMatrixHandle matrix,
          const weft_trainer_options_t *options,
          uint32_t classes,
          weft_buf_t *ubj,
          char *why)
{
    BoosterHandle booster;
    int rc = xgb (XGBoosterCreate (&matrix, 1, &booster), why);
    if (rc)
        return rc;
    rc = set_params (booster, options, classes, why);
    for (uint32_t i = 0; !rc && i < options->rounds; i++)
        rc = xgb (XGBoosterUpdateOneIter (booster, (int)i, matrix), why);
    rc = rc ? rc : save (booster, ubj, why);
    XGBoosterFree (booster);
    return rc;
}

//  Every class has a row, and every row a class.
static int
check_rows (const weft_rows_of_truth_t *rows, char *why)
{
    bool seen[WEFT_FOREST_CLASSES] = { false };
    uint32_t n = 0;
    why[0] = 0;
    if (rows->classes < 2 || rows->classes > WEFT_FOREST_CLASSES) {
        snprintf (why, WEFT_TRAINER_WHY, "%u classes", rows->classes);
        return WEFT_ERANGE;
    }
    for (size_t i = 0; i < rows->rows; i++) {
        if (rows->truth[i] >= rows->classes)
            return WEFT_ERANGE;
        n += !seen[rows->truth[i]];
        seen[rows->truth[i]] = true;
    }
    if (n == rows->classes)
        return 0;
    snprintf (why, WEFT_TRAINER_WHY, "%u of %u classes have no row",
              rows->classes - n, rows->classes);
    return WEFT_ERANGE;
}

int
weft_trainer_train (const weft_rows_of_truth_t *rows,
                    const weft_trainer_options_t *options,
                    weft_buf_t *ubj,
                    char why[WEFT_TRAINER_WHY])
{
    DMatrixHandle matrix;
    int rc = check_rows (rows, why);
    rc = rc ? rc : make_matrix (rows, &matrix, why);
    if (rc)
        return rc;
    rc = set_truth (matrix, rows, why);
    rc = rc ? rc : train_on (matrix, options, rows->classes, ubj, why);
    XGDMatrixFree (matrix);
    return rc;
}

//  XGBoost's own probabilities, borrowed from the booster.
static int
predict (BoosterHandle booster,
         const weft_buf_t *ubj,
         DMatrixHandle matrix,
         const float **p,
         char *why)
{
    static const char config[] =
        "{\"type\":0,\"training\":false,\"iteration_begin\":0,"
        "\"iteration_end\":0,\"strict_shape\":false}";
    const bst_ulong *shape;
    bst_ulong dim;
    int rc = xgb (XGBoosterSetParam (booster, "nthread", "1"), why);
    rc = rc ? rc
            : xgb (XGBoosterLoadModelFromBuffer (booster, ubj->data, ubj->size),
                   why);
    return rc ? rc
              : xgb (XGBoosterPredictFromDMatrix (booster, matrix, config,
                                                  &shape, &dim, p),
                     why);
}

static int
compare (const weft_buf_t *ubj,
         const weft_rows_of_truth_t *rows,
         const float *theirs,
         double *worst,
         char *why)
{
    char forest_why[WEFT_FOREST_WHY];
    weft_forest_t *forest = weft_forest_new (ubj->data, ubj->size, forest_why);
    size_t n = rows->rows * rows->classes;
    float *ours = malloc ((n + 1) * sizeof (*ours));
    if (!forest || !ours || weft_forest_classes (forest) != rows->classes) {
        snprintf (why, WEFT_TRAINER_WHY, "our reading: %s", forest_why);
        weft_forest_destroy (&forest);
        free (ours);
        return WEFT_EBUG;
    }
    weft_forest_margins (forest, rows->values, rows->rows, ours);
    *worst = 0;
    for (size_t i = 0; i < rows->rows; i++)
        weft_softmax (ours + i * rows->classes, rows->classes);
    for (size_t i = 0; i < n; i++)
        *worst = fmax (*worst, fabs ((double)(ours[i] - theirs[i])));
    weft_forest_destroy (&forest);
    free (ours);
    return 0;
}

int
weft_trainer_check (const weft_buf_t *ubj,
                    const weft_rows_of_truth_t *rows,
                    double *worst,
                    char why[WEFT_TRAINER_WHY])
{
    DMatrixHandle matrix;
    BoosterHandle booster;
    const float *theirs;
    int rc = make_matrix (rows, &matrix, why);
    if (rc)
        return rc;
    rc = xgb (XGBoosterCreate (NULL, 0, &booster), why);
    if (!rc) {
        rc = predict (booster, ubj, matrix, &theirs, why);
        rc = rc ? rc : compare (ubj, rows, theirs, worst, why);
        XGBoosterFree (booster);
    }
    XGDMatrixFree (matrix);
    return rc;
}
