//  weft_model_fuzz.c - a published model of any bytes: refused in words, or
//  loaded and walked within bounds.
//
//  Two ways in: the whole section in model.v1, and the trees alone, as the
//  version guards the first so well that little gets through.

#include "weft_forest.h"
#include "weft_scorer.h"

#include <math.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
walk (const weft_forest_t *forest)
{
    float margins[2 * WEFT_FOREST_CLASSES];
    float *values =
        calloc (2 * (size_t)weft_forest_inputs (forest), sizeof (*values));
    if (!values)
        return;
    for (uint32_t i = 0; i < weft_forest_inputs (forest); i++)
        values[i] = i % 3 ? (float)i : NAN;
    weft_forest_margins (forest, values, 2, margins);
    weft_softmax (margins, weft_forest_classes (forest));
    free (values);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    char why[WEFT_SCORER_WHY] = "";
    char forest_why[WEFT_FOREST_WHY] = "";
    weft_scorer_t *scorer = weft_scorer_new (data, size, why);
    assert (scorer || why[0]);
    weft_scorer_destroy (&scorer);
    weft_forest_t *forest = weft_forest_new (data, size, forest_why);
    assert (forest || forest_why[0]);
    if (forest)
        walk (forest);
    weft_forest_destroy (&forest);
    return 0;
}
