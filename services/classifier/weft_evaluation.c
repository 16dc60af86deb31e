//  weft_evaluation.c - see weft_evaluation.h.

#include "weft_evaluation.h"

#include "weft_hash.h"

#include <math.h>

#define BOOTSTRAPS 200

static uint32_t
likeliest (const weft_predictions_t *self, size_t row)
{
    const float *p = self->p + row * self->classes;
    uint32_t best = 0;
    for (uint32_t k = 1; k < self->classes; k++)
        if (p[k] > p[best])
            best = k;
    return best;
}

static void
add_probabilities (weft_evaluation_t *self,
                   const weft_predictions_t *of,
                   size_t row,
                   uint32_t best)
{
    const float *p = of->p + row * of->classes;
    uint32_t truth = of->truth[row];
    for (uint32_t k = 0; k < of->classes; k++) {
        double error = (double)p[k] - (k == truth);
        self->brier += error * error;
    }
    self->log_loss -= log (fmax ((double)p[truth], 1e-12));
    double sure = fmin (fmax ((double)p[best], 0), 1);
    int bin = (int)(sure * WEFT_EVALUATION_BINS);
    bin = WEFT_MIN (bin, WEFT_EVALUATION_BINS - 1);
    self->bins[bin].rows++;
    self->bins[bin].confidence += sure;
    self->bins[bin].accuracy += best == truth;
}

static void
finish_probabilities (weft_evaluation_t *self)
{
    double rows = (double)self->rows;
    self->brier /= rows;
    self->log_loss /= rows;
    for (int i = 0; i < WEFT_EVALUATION_BINS; i++) {
        weft_reliability_t *bin = &self->bins[i];
        if (!bin->rows)
            continue;
        bin->confidence /= (double)bin->rows;
        bin->accuracy /= (double)bin->rows;
        self->ece +=
            (double)bin->rows / rows * fabs (bin->confidence - bin->accuracy);
    }
}

static void
finish_class (weft_class_result_t *self)
{
    double right = (double)self->right;
    self->precision = self->predicted ? right / (double)self->predicted : 0;
    self->recall = self->rows ? right / (double)self->rows : 0;
    double sum = self->precision + self->recall;
    self->f1 = sum > 0 ? 2 * self->precision * self->recall / sum : 0;
}

//  Accuracy and macro-F1 of a confusion matrix, by truth and prediction.
static void
judge (uint32_t (*confusion)[WEFT_EVALUATION_CLASSES],
       uint32_t classes,
       weft_class_result_t *by_class,
       double *accuracy,
       double *macro_f1)
{
    double rows = 0, right = 0, f1 = 0, seen = 0;
    memset (by_class, 0, classes * sizeof (*by_class));
    for (uint32_t i = 0; i < classes; i++)
        for (uint32_t j = 0; j < classes; j++) {
            by_class[i].rows += confusion[i][j];
            by_class[j].predicted += confusion[i][j];
            by_class[i].right += i == j ? confusion[i][j] : 0;
        }
    for (uint32_t k = 0; k < classes; k++) {
        finish_class (&by_class[k]);
        rows += (double)by_class[k].rows;
        right += (double)by_class[k].right;
        f1 += by_class[k].rows ? by_class[k].f1 : 0;
        seen += by_class[k].rows > 0;
    }
    *accuracy = rows > 0 ? right / rows : 0;
    *macro_f1 = seen > 0 ? f1 / seen : 0;
}

typedef struct {
    uint64_t object;
    uint32_t truth, best;
} outcome_t;

static int
compare_outcomes (const void *a, const void *b)
{
    uint64_t x = ((const outcome_t *)a)->object;
    uint64_t y = ((const outcome_t *)b)->object;
    return (x > y) - (x < y);
}

static int
compare_doubles (const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

//  Outcomes of the rows, those of one object together; starts[i] is where the
//  i-th object begins. Returns the number of objects.
static size_t
group_by_object (const weft_predictions_t *of,
                 outcome_t *outcomes,
                 size_t *starts)
{
    size_t objects = 0;
    for (size_t i = 0; i < of->rows; i++)
        outcomes[i] = (outcome_t){ of->objects ? of->objects[i] : i,
                                   of->truth[i], likeliest (of, i) };
    qsort (outcomes, of->rows, sizeof (*outcomes), compare_outcomes);
    for (size_t i = 0; i < of->rows; i++)
        if (i == 0 || outcomes[i].object != outcomes[i - 1].object)
            starts[objects++] = i;
    starts[objects] = of->rows;
    return objects;
}

static void
resample (const outcome_t *outcomes,
          const size_t *starts,
          size_t objects,
          uint64_t *random,
          uint32_t (*confusion)[WEFT_EVALUATION_CLASSES])
{
    for (size_t i = 0; i < objects; i++) {
        size_t pick = weft_hash_u64 (++*random) % objects;
        for (size_t r = starts[pick]; r < starts[pick + 1]; r++)
            confusion[outcomes[r].truth][outcomes[r].best]++;
    }
}

//  The 2.5 and 97.5 percentiles of BOOTSTRAPS values.
static void
interval (double *values, double *low, double *high)
{
    qsort (values, BOOTSTRAPS, sizeof (*values), compare_doubles);
    *low = values[BOOTSTRAPS / 40];
    *high = values[BOOTSTRAPS - 1 - BOOTSTRAPS / 40];
}

static void
bootstrap (weft_evaluation_t *self,
           const outcome_t *outcomes,
           const size_t *starts)
{
    uint32_t confusion[WEFT_EVALUATION_CLASSES][WEFT_EVALUATION_CLASSES];
    weft_class_result_t by_class[WEFT_EVALUATION_CLASSES];
    double accuracy[BOOTSTRAPS], macro_f1[BOOTSTRAPS];
    uint64_t random = 1;
    for (size_t i = 0; i < BOOTSTRAPS; i++) {
        memset (confusion, 0, sizeof (confusion));
        resample (outcomes, starts, self->objects, &random, confusion);
        judge (confusion, self->classes, by_class, &accuracy[i], &macro_f1[i]);
    }
    interval (accuracy, &self->accuracy_low, &self->accuracy_high);
    interval (macro_f1, &self->macro_f1_low, &self->macro_f1_high);
}

int
weft_evaluation_make (weft_evaluation_t *self, const weft_predictions_t *of)
{
    memset (self, 0, sizeof (*self));
    self->rows = of->rows;
    self->classes = of->classes;
    if (of->classes > WEFT_EVALUATION_CLASSES)
        return WEFT_ERANGE;
    if (!of->rows)
        return 0;
    outcome_t *outcomes = malloc (of->rows * sizeof (*outcomes));
    size_t *starts = malloc ((of->rows + 1) * sizeof (*starts));
    int rc = outcomes && starts ? 0 : WEFT_ENOMEM;
    if (!rc) {
        for (size_t i = 0; i < of->rows; i++) {
            uint32_t best = likeliest (of, i);
            self->confusion[of->truth[i]][best]++;
            add_probabilities (self, of, i, best);
        }
        finish_probabilities (self);
        judge (self->confusion, self->classes, self->by_class, &self->accuracy,
               &self->macro_f1);
        self->objects = group_by_object (of, outcomes, starts);
        bootstrap (self, outcomes, starts);
    }
    free (starts);
    free (outcomes);
    return rc;
}
