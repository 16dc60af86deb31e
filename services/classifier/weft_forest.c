//  weft_forest.c - see weft_forest.h. The walk; weft_forest_load.c reads.

#include "weft_forest_parts.h"

#include <math.h>

void
weft_forest_destroy (weft_forest_t **self_p)
{
    weft_forest_t *self = *self_p;
    if (!self)
        return;
    free (self->nodes);
    free (self->trees);
    free (self);
    *self_p = NULL;
}

uint32_t
weft_forest_inputs (const weft_forest_t *self)
{
    return self->inputs;
}

uint32_t
weft_forest_classes (const weft_forest_t *self)
{
    return self->classes;
}

uint32_t
weft_forest_trees (const weft_forest_t *self)
{
    return self->n_trees;
}

//  One step down. A leaf leads to itself, so that several walks of different
//  depth can go in step without a branch.
static inline uint32_t
step (const node_t *nodes, uint32_t at, const float *values)
{
    const node_t *node = &nodes[at];
    float value = values[node->feature];
    uint32_t right = isnan (value) ? node->missing_right : !(value < node->cut);
    return node->left + (right & node->inner);
}

//  Eight trees at a time: one walk waits for memory while others go on.
#define LANES 8

static void
walk_lanes (const weft_forest_t *self,
            uint32_t first,
            const float *values,
            float *margins)
{
    uint32_t at[LANES];
    uint32_t depth = 0;
    for (uint32_t k = 0; k < LANES; k++) {
        at[k] = self->trees[first + k].root;
        depth = WEFT_MAX (depth, self->trees[first + k].depth);
    }
    for (uint32_t d = 0; d < depth; d++)
        for (uint32_t k = 0; k < LANES; k++)
            at[k] = step (self->nodes, at[k], values);
    for (uint32_t k = 0; k < LANES; k++)
        margins[self->trees[first + k].class] += self->nodes[at[k]].cut;
}

static void
walk_one (const weft_forest_t *self,
          const tree_t *tree,
          const float *values,
          float *margins)
{
    uint32_t at = tree->root;
    for (uint32_t d = 0; d < tree->depth; d++)
        at = step (self->nodes, at, values);
    margins[tree->class] += self->nodes[at].cut;
}

void
weft_forest_margins (const weft_forest_t *self,
                     const float *values,
                     size_t rows,
                     float *margins)
{
    for (size_t i = 0; i < rows * self->classes; i++)
        margins[i] = self->base[i % self->classes];
    //  Trees outside, rows inside: eight trees stay in the first cache.
    uint32_t t = 0;
    for (; t + LANES <= self->n_trees; t += LANES)
        for (size_t i = 0; i < rows; i++)
            walk_lanes (self, t, values + i * self->inputs,
                        margins + i * self->classes);
    for (; t < self->n_trees; t++)
        for (size_t i = 0; i < rows; i++)
            walk_one (self, &self->trees[t], values + i * self->inputs,
                      margins + i * self->classes);
}

void
weft_softmax (float *margins, size_t n)
{
    float most = margins[0];
    double sum = 0;
    for (size_t i = 1; i < n; i++)
        most = WEFT_MAX (most, margins[i]);
    for (size_t i = 0; i < n; i++) {
        margins[i] = expf (margins[i] - most);
        sum += (double)margins[i];
    }
    for (size_t i = 0; i < n; i++)
        margins[i] = (float)((double)margins[i] / sum);
}
