//  weft_strategy.c - see weft_strategy.h.

#include "weft_strategy.h"

#include "weft_hash.h"

#include <math.h>

double
weft_entropy (const double *p, uint32_t n)
{
    double sum = 0;
    for (uint32_t k = 0; k < n; k++)
        if (p[k] > 0)
            sum -= p[k] * log (p[k]);
    return sum;
}

static double
probability (const weft_opinion_t *self, uint32_t member, uint32_t class)
{
    return (double)self->p[(size_t)member * self->classes + class];
}

static double
largest (const weft_opinion_t *self, double *second)
{
    double most = -1;
    *second = -1;
    for (uint32_t k = 0; k < self->classes; k++) {
        double p = probability (self, 0, k);
        *second = p > most ? most : fmax (*second, p);
        most = fmax (most, p);
    }
    return most;
}

static double
in_question (const weft_opinion_t *self)
{
    double second;
    return self->target < self->classes ? probability (self, 0, self->target)
                                        : largest (self, &second);
}

//  Nearest to one half.
static double
uncertainty (const weft_opinion_t *self)
{
    return 0.5 - fabs (in_question (self) - 0.5);
}

//  Nearest to one: the surest, or with a rare class the most anomalous.
static double
certainty (const weft_opinion_t *self)
{
    return in_question (self);
}

static double
entropy (const weft_opinion_t *self)
{
    double p[WEFT_STRATEGY_CLASSES];
    for (uint32_t k = 0; k < self->classes; k++)
        p[k] = probability (self, 0, k);
    return weft_entropy (p, self->classes);
}

static double
least_confident (const weft_opinion_t *self)
{
    double second;
    return 1 - largest (self, &second);
}

static double
margin (const weft_opinion_t *self)
{
    double second;
    double first = largest (self, &second);
    return 1 - (first - second);
}

static double
committee_entropy (const weft_opinion_t *self)
{
    double mean[WEFT_STRATEGY_CLASSES] = { 0 };
    for (uint32_t i = 0; i < self->members; i++)
        for (uint32_t k = 0; k < self->classes; k++)
            mean[k] += probability (self, i, k) / self->members;
    return weft_entropy (mean, self->classes);
}

//  What a label would tell about the members (BALD, Houlsby 2011).
static double
committee_information (const weft_opinion_t *self)
{
    double inside = 0;
    for (uint32_t i = 0; i < self->members; i++) {
        weft_opinion_t one = *self;
        one.p += (size_t)i * self->classes;
        inside += entropy (&one) / self->members;
    }
    return committee_entropy (self) - inside;
}

static const weft_strategy_t strategies[] = {
    { "uncertainty", "probability nearest to one half", uncertainty },
    { "entropy", "largest entropy of the classes", entropy },
    { "margin", "smallest lead of the likeliest class", margin },
    { "least-confident", "least probable likeliest class", least_confident },
    { "certainty", "probability nearest to one", certainty },
    { "committee-entropy", "entropy of the models' mean", committee_entropy },
    { "committee-information", "entropy of the mean less the mean entropy",
      committee_information },
};

const weft_strategy_t *
weft_strategy_find (const char *name)
{
    for (size_t i = 0; i < WEFT_COUNT (strategies); i++)
        if (!strcmp (strategies[i].name, name))
            return &strategies[i];
    return NULL;
}

double
weft_random_score (const char *object, size_t size)
{
    return (double)(weft_hash (object, size) >> 11) / 9007199254740992.0;
}

bool
weft_rank_is_random (uint32_t rank, double share)
{
    return rank && floor (rank * share) > floor ((rank - 1) * share);
}
