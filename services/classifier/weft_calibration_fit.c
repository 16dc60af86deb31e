//  weft_calibration_fit.c - the fits of weft_calibration.h.
//
//  Temperature, bcts and platt are the same problem: logits that are linear in
//  a few parameters, and a negative log-likelihood that is convex in them. So
//  one damped Newton iteration serves all three.

#include "weft_calibration.h"

#include "weft_hash.h"

#include <math.h>

#define PARAMETERS 80  //  a slope and the biases of at most 64 classes
#define ITERATIONS 50
#define LEAST_SLOPE 0.02
#define FOLDS 5

//  Parameters: slope s (1 / T), then biases b. `biases` of them are free:
//  0 (temperature), classes (bcts); in two classes platt is bcts.
typedef struct {
    const weft_calibration_split_t *split;
    uint32_t n;    //  parameters
    double ridge;  //  holds biases of rare classes: ridge / 2 times b^2
} problem_t;

static void
logits_to_p (double *p, uint32_t n)
{
    double most = p[0];
    double sum = 0;
    for (uint32_t k = 1; k < n; k++)
        most = fmax (most, p[k]);
    for (uint32_t k = 0; k < n; k++)
        sum += p[k] = exp (p[k] - most);
    for (uint32_t k = 0; k < n; k++)
        p[k] /= sum;
}

static const float *
row_p (const problem_t *self, const double *x, size_t row, double *p)
{
    uint32_t classes = self->split->classes;
    const float *m = self->split->margins + row * classes;
    for (uint32_t k = 0; k < classes; k++)
        p[k] = x[0] * (double)m[k] + (self->n > 1 ? x[1 + k] : 0);
    logits_to_p (p, classes);
    return m;
}

static double
loss_at (const problem_t *self, const double *x)
{
    double p[PARAMETERS];
    double loss = 0;
    for (size_t i = 0; i < self->split->rows; i++) {
        row_p (self, x, i, p);
        loss -= log (fmax (p[self->split->truth[i]], 1e-300));
    }
    for (uint32_t j = 1; j < self->n; j++)
        loss += 0.5 * self->ridge * x[j] * x[j];
    return loss;
}

//  Adds one row's gradient and curvature. With z_k = s m_k + b_k: dL/dz =
//  p - y, d2L/dz2 = diag p - p p'; dz_k/ds = m_k, dz_k/db_k = 1.
static void
add_row (const problem_t *self,
         const float *m,
         const double *p,
         uint32_t truth,
         double *g,
         double (*h)[PARAMETERS])
{
    uint32_t classes = self->split->classes;
    double mean = 0;
    for (uint32_t k = 0; k < classes; k++)
        mean += p[k] * (double)m[k];
    for (uint32_t k = 0; k < classes; k++) {
        double error = p[k] - (k == truth);
        double off = (double)m[k] - mean;
        g[0] += error * (double)m[k];
        h[0][0] += p[k] * off * off;
        if (self->n == 1)
            continue;
        g[1 + k] += error;
        h[0][1 + k] += p[k] * off;
        for (uint32_t l = 0; l < classes; l++)
            h[1 + k][1 + l] += p[k] * ((k == l) - p[l]);
    }
}

static void
derivatives (const problem_t *self,
             const double *x,
             double *g,
             double (*h)[PARAMETERS])
{
    double p[PARAMETERS];
    memset (g, 0, PARAMETERS * sizeof (*g));
    memset (h, 0, PARAMETERS * sizeof (*h));
    for (size_t i = 0; i < self->split->rows; i++) {
        const float *m = row_p (self, x, i, p);
        add_row (self, m, p, self->split->truth[i], g, h);
    }
    for (uint32_t j = 1; j < self->n; j++) {
        g[j] += self->ridge * x[j];
        h[j][j] += self->ridge;
        h[j][0] = h[0][j];
    }
    h[0][0] += 1e-9;
}

//  Solves h d = g by Gauss's elimination, g becomes d. h is positive definite,
//  so no pivots are sought.
static void
solve (double (*h)[PARAMETERS], double *g, uint32_t n)
{
    for (uint32_t j = 0; j < n; j++)
        for (uint32_t i = j + 1; i < n; i++) {
            double f = h[i][j] / h[j][j];
            for (uint32_t k = j; k < n; k++)
                h[i][k] -= f * h[j][k];
            g[i] -= f * g[j];
        }
    for (uint32_t j = n; j-- > 0;) {
        for (uint32_t k = j + 1; k < n; k++)
            g[j] -= h[j][k] * g[k];
        g[j] /= h[j][j];
    }
}

//  Halves the step until the loss falls. False at the minimum.
static bool
descend (const problem_t *self, double *x, const double *d, double *loss)
{
    double tried[PARAMETERS] = { 0 };
    double size = 2;
    for (int halvings = 0; halvings < 20; halvings++) {
        size /= 2;
        for (uint32_t j = 0; j < self->n; j++)
            tried[j] = x[j] - size * d[j];
        tried[0] = fmax (tried[0], LEAST_SLOPE);
        double at = loss_at (self, tried);
        if (at < *loss) {
            bool moved = *loss - at > 1e-9 * (1 + fabs (at));
            memcpy (x, tried, self->n * sizeof (*x));
            *loss = at;
            return moved;
        }
    }
    return false;
}

static void
minimise (const problem_t *self, double *x)
{
    static _Thread_local double h[PARAMETERS][PARAMETERS];
    double g[PARAMETERS];
    double loss = loss_at (self, x);
    for (int i = 0; i < ITERATIONS; i++) {
        derivatives (self, x, g, h);
        solve (h, g, self->n);
        if (!descend (self, x, g, &loss))
            break;
    }
}

static void
fit_softmax (weft_calibration_t *self,
             const weft_calibration_split_t *split,
             bool biases)
{
    problem_t problem = { split, biases ? 1 + split->classes : 1, 1 };
    double x[PARAMETERS] = { 1 };
    minimise (&problem, x);
    self->n = problem.n;
    self->data[0] = (float)(1 / x[0]);
    for (uint32_t j = 1; j < problem.n; j++)
        self->data[j] = (float)x[j];
}

static void
fit_platt (weft_calibration_t *self, const weft_calibration_split_t *split)
{
    problem_t problem = { split, 3, 1e-3 };
    double x[PARAMETERS] = { 1 };
    minimise (&problem, x);
    self->n = 2;
    self->data[0] = (float)x[0];
    self->data[1] = (float)(x[2] - x[1]);
}

typedef struct {
    float p;
    float y;
} pair_t;

static int
compare_pairs (const void *a, const void *b)
{
    float x = ((const pair_t *)a)->p;
    float y = ((const pair_t *)b)->p;
    return (x > y) - (x < y);
}

typedef struct {
    double x, y, weight;
} block_t;

//  Pools adjacent violators: blocks of rising mean. Returns how many.
static size_t
pool_violators (const pair_t *pairs, size_t n, block_t *blocks)
{
    size_t made = 0;
    for (size_t i = 0; i < n; i++) {
        block_t block = { (double)pairs[i].p, (double)pairs[i].y, 1 };
        while (made && (blocks[made - 1].y >= block.y ||
                        blocks[made - 1].x >= block.x)) {
            block_t *last = &blocks[--made];
            double weight = last->weight + block.weight;
            block.x =
                (last->x * last->weight + block.x * block.weight) / weight;
            block.y =
                (last->y * last->weight + block.y * block.weight) / weight;
            block.weight = weight;
        }
        blocks[made++] = block;
    }
    return made;
}

//  Keeps at most half the parameters' room of blocks, evenly.
static void
keep_blocks (weft_calibration_t *self, const block_t *blocks, size_t n)
{
    size_t most = WEFT_CALIBRATION_MOST / 2;
    size_t keep = WEFT_MIN (n, most);
    size_t kept = 0;
    float x[WEFT_CALIBRATION_MOST / 2] = { 0 };
    float y[WEFT_CALIBRATION_MOST / 2] = { 0 };
    for (size_t i = 0; i < keep; i++) {
        const block_t *block = &blocks[keep > 1 ? i * (n - 1) / (keep - 1) : 0];
        if (kept && (float)block->x <= x[kept - 1])
            continue;
        x[kept] = (float)block->x;
        y[kept++] = (float)fmin (1, fmax (0, block->y));
    }
    self->n = (uint32_t)(2 * kept);
    memcpy (self->data, x, kept * sizeof (*x));
    memcpy (self->data + kept, y, kept * sizeof (*y));
}

static int
fit_isotonic (weft_calibration_t *self, const weft_calibration_split_t *split)
{
    pair_t *pairs = malloc (split->rows * sizeof (*pairs));
    block_t *blocks = malloc (split->rows * sizeof (*blocks));
    int rc = pairs && blocks ? 0 : WEFT_ENOMEM;
    for (size_t i = 0; !rc && i < split->rows; i++) {
        const float *m = split->margins + 2 * i;
        pairs[i].p = 1 / (1 + expf (m[0] - m[1]));
        pairs[i].y = (float)split->truth[i];
    }
    if (!rc) {
        qsort (pairs, split->rows, sizeof (*pairs), compare_pairs);
        keep_blocks (self, blocks, pool_violators (pairs, split->rows, blocks));
    }
    free (blocks);
    free (pairs);
    return rc;
}

int
weft_calibration_fit_kind (weft_calibration_t *self,
                           weft_calibration_kind_t kind,
                           const weft_calibration_split_t *split)
{
    memset (self, 0, sizeof (*self));
    if (kind == WEFT_CALIBRATION_NONE)
        return 0;
    if (!split->rows || split->classes < 2 || split->classes > 64)
        return WEFT_ERANGE;
    if (kind >= WEFT_CALIBRATION_PLATT && split->classes != 2)
        return WEFT_ERANGE;
    self->kind = kind;
    if (kind == WEFT_CALIBRATION_ISOTONIC)
        return fit_isotonic (self, split);
    if (kind == WEFT_CALIBRATION_PLATT)
        fit_platt (self, split);
    else
        fit_softmax (self, split, kind == WEFT_CALIBRATION_BCTS);
    return 0;
}

static size_t
rarest (const weft_calibration_split_t *split)
{
    size_t counts[64] = { 0 };
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < split->rows; i++)
        counts[split->truth[i]]++;
    for (uint32_t k = 0; k < split->classes; k++)
        least = WEFT_MIN (least, counts[k]);
    return least;
}

//  Rows of one fold (`inside`), or of all others, copied into `out`'s arrays.
static void
take_fold (const weft_calibration_split_t *split,
           uint64_t fold,
           bool inside,
           float *margins,
           uint32_t *truth,
           weft_calibration_split_t *out)
{
    size_t n = 0;
    for (size_t i = 0; i < split->rows; i++) {
        uint64_t object = split->objects ? split->objects[i] : i;
        if ((weft_hash_u64 (object) % FOLDS == fold) != inside)
            continue;
        memcpy (margins + n * split->classes,
                split->margins + i * split->classes,
                split->classes * sizeof (*margins));
        truth[n++] = split->truth[i];
    }
    *out =
        (weft_calibration_split_t){ margins, truth, n, split->classes, NULL };
}

//  Mean log-loss of a method on objects that it was not fitted on; infinite if
//  it cannot be fitted.
static double
validated_loss (weft_calibration_kind_t kind,
                const weft_calibration_split_t *split,
                float *margins,
                uint32_t *truth)
{
    double loss = 0;
    for (uint64_t fold = 0; fold < FOLDS; fold++) {
        weft_calibration_t fitted;
        weft_calibration_split_t part;
        take_fold (split, fold, false, margins, truth, &part);
        if (weft_calibration_fit_kind (&fitted, kind, &part))
            return INFINITY;
        take_fold (split, fold, true, margins, truth, &part);
        loss += weft_calibration_loss (&fitted, &part) * (double)part.rows;
    }
    return loss / (double)split->rows;
}

//  The simplest of the methods that nothing simpler beats.
static weft_calibration_kind_t
choose (const weft_calibration_split_t *split,
        const weft_calibration_kind_t *kinds,
        size_t n)
{
    weft_calibration_kind_t best = WEFT_CALIBRATION_NONE;
    float *margins = malloc (split->rows * split->classes * sizeof (*margins));
    uint32_t *truth = malloc (split->rows * sizeof (*truth));
    if (margins && truth) {
        double least = validated_loss (best, split, margins, truth);
        for (size_t i = 0; i < n; i++) {
            double loss = validated_loss (kinds[i], split, margins, truth);
            if (loss < least) {
                least = loss;
                best = kinds[i];
            }
        }
    }
    free (truth);
    free (margins);
    return best;
}

void
weft_calibration_fit (weft_calibration_t *self,
                      const weft_calibration_split_t *split)
{
    static const weft_calibration_kind_t many[] = {
        WEFT_CALIBRATION_TEMPERATURE, WEFT_CALIBRATION_BCTS
    };
    static const weft_calibration_kind_t few[] = { WEFT_CALIBRATION_PLATT };
    static const weft_calibration_kind_t two[] = { WEFT_CALIBRATION_ISOTONIC };
    bool pair = split->classes == 2;
    const weft_calibration_kind_t *kinds = !pair                    ? many
                                           : rarest (split) >= 1000 ? two
                                                                    : few;
    *self = (weft_calibration_t){ 0 };
    if (!split->rows)
        return;
    weft_calibration_kind_t kind =
        choose (split, kinds, pair ? 1 : WEFT_COUNT (many));
    if (weft_calibration_fit_kind (self, kind, split))
        *self = (weft_calibration_t){ 0 };
}

double
weft_calibration_loss (const weft_calibration_t *self,
                       const weft_calibration_split_t *split)
{
    float p[64];
    double loss = 0;
    for (size_t i = 0; i < split->rows; i++) {
        memcpy (p, split->margins + i * split->classes,
                split->classes * sizeof (*p));
        weft_calibration_apply (self, p, split->classes);
        loss -= log (fmax ((double)p[split->truth[i]], 1e-12));
    }
    return split->rows ? loss / (double)split->rows : 0;
}
