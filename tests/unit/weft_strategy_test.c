//  weft_strategy_test.c - the vectors of RESSPECT, and what we add to them.

#include "testing.h"

#include "weft_strategy.h"

#include <math.h>

#define MOST 16

//  The best `n` objects that may be asked for, in order.
static void
rank (const double *scores, size_t count, uint32_t banned, size_t n, int *out)
{
    bool taken[MOST] = { false };
    for (size_t i = 0; i < n; i++) {
        int best = -1;
        for (size_t k = 0; k < count; k++)
            if (!taken[k] && !(banned >> k & 1) &&
                (best < 0 || scores[k] > scores[best]))
                best = (int)k;
        taken[best] = true;
        out[i] = best;
    }
}

static void
expect (const char *strategy,
        const float *p,
        size_t count,
        uint32_t classes,
        uint32_t members,
        uint32_t banned,
        const int *answer,
        size_t n)
{
    double scores[MOST];
    int got[MOST];
    const weft_strategy_t *self = weft_strategy_find (strategy);
    assert_non_null (self);
    for (size_t i = 0; i < count; i++) {
        weft_opinion_t opinion = { p + i * classes * members, members, classes,
                                   0 };
        scores[i] = self->score (&opinion);
    }
    rank (scores, count, banned, n, got);
    for (size_t i = 0; i < n; i++)
        assert_int_equal (got[i], answer[i]);
}

//  Two classes from the probability of the first.
static void
pairs (const double *first, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = (float)first[i];
        out[2 * i + 1] = (float)(1 - first[i]);
    }
}

#define BAN(a, b) (1u << (a) | 1u << (b))

static void
test_uncertainty_and_certainty (void **state)
{
    (void)state;
    const double unsure[] = {
        .01, .50, .10, .20, .65, .45, .25, .80, .40, .02
    };
    const double sure[] = { .01, .50, .10, .20, .65, .79, .25, .80, .40, .02 };
    float p[20];
    pairs (unsure, 10, p);
    expect ("uncertainty", p, 10, 2, 1, BAN (5, 6), (int[]){ 1, 8, 4 }, 3);
    pairs (sure, 10, p);
    expect ("certainty", p, 10, 2, 1, BAN (5, 6), (int[]){ 7, 4, 1 }, 3);
}

static void
test_entropy (void **state)
{
    (void)state;
    const float third = 1.0f / 3;
    const float p[] = { 1,     0,   0,   .5f, .5f,  0,   third, third,
                        third, .5f, 0,   .5f, .05f, .9f, .05f,  .2f,
                        .4f,   .4f, .1f, .5f, .4f,  .1f, .7f,   .2f };
    const double values[] = { 0, .693, 1.099, .693, .394, 1.055, .943, .802 };
    expect ("entropy", p, 8, 3, 1, 0, (int[]){ 2, 5, 6 }, 3);
    for (size_t i = 0; i < 8; i++) {
        weft_opinion_t opinion = { p + 3 * i, 1, 3, 3 };
        double got = weft_strategy_find ("entropy")->score (&opinion);
        assert_true (fabs (got - values[i]) < 6e-4);
    }
}

static void
test_least_confident (void **state)
{
    (void)state;
    const float third = 1.0f / 3;
    const float p[] = { 1,     0,   0,   .45f, .49f, .06f, third, third,
                        third, .5f, 0,   .5f,  .05f, .9f,  .05f,  .2f,
                        .4f,   .4f, .1f, .55f, .35f, .1f,  .7f,   .2f };
    expect ("least-confident", p, 8, 3, 1, 0, (int[]){ 2, 5, 1 }, 3);
    expect ("least-confident", p, 8, 3, 1, 1u << 5, (int[]){ 2, 1, 3 }, 3);
}

static void
test_margin (void **state)
{
    (void)state;
    const float p[] = { 1,    0,    0,   .45f, .49f, .06f, .3f,  .3f,
                        .4f,  .5f,  0,   .5f,  .05f, .9f,  .05f, .2f,
                        .39f, .41f, .1f, .55f, .35f, .1f,  .7f,  .2f };
    expect ("margin", p, 8, 3, 1, 0, (int[]){ 3, 5, 1 }, 3);
    expect ("margin", p, 8, 3, 1, 1u << 5, (int[]){ 3, 1, 2 }, 3);
}

static void
test_committees (void **state)
{
    (void)state;
    const double by_entropy[] = { 1,   .95, .99, .8,  .6, .2, .1, .1,
                                  .05, .75, .8,  .78, .5, .5, .49 };
    const double entropies[] = { .098, .691, .287, .531, .693 };
    const double by_information[] = { 1,   .95, .8, .8,  .6, .2, .1, .1,
                                      .05, .75, .8, .78, .5, .5, .49 };
    const double informations[] = { .0539, .1330, .0039, .0012, .00004 };
    float p[30];
    pairs (by_entropy, 15, p);
    expect ("committee-entropy", p, 5, 2, 3, 0, (int[]){ 4, 1, 3, 2, 0 }, 5);
    for (size_t i = 0; i < 5; i++) {
        weft_opinion_t opinion = { p + 6 * i, 3, 2, 2 };
        double got = weft_strategy_find ("committee-entropy")->score (&opinion);
        assert_true (fabs (got - entropies[i]) < 6e-4);
    }
    pairs (by_information, 15, p);
    expect ("committee-information", p, 5, 2, 3, 0, (int[]){ 1, 0, 2, 3, 4 },
            5);
    for (size_t i = 0; i < 5; i++) {
        weft_opinion_t opinion = { p + 6 * i, 3, 2, 2 };
        double got =
            weft_strategy_find ("committee-information")->score (&opinion);
        assert_true (fabs (got - informations[i]) < 6e-5);
    }
}

//  With two classes these rank alike.
static void
test_two_classes_rank_alike (void **state)
{
    (void)state;
    const double first[] = { .01, .52, .10, .20, .65, .45, .25, .83, .40, .02 };
    const int order[] = { 1, 5, 8, 4, 6, 3, 7, 2, 9, 0 };
    float p[20];
    pairs (first, 10, p);
    expect ("uncertainty", p, 10, 2, 1, 0, order, 10);
    expect ("entropy", p, 10, 2, 1, 0, order, 10);
    expect ("margin", p, 10, 2, 1, 0, order, 10);
    expect ("least-confident", p, 10, 2, 1, 0, order, 10);
}

static void
test_random_share (void **state)
{
    (void)state;
    uint32_t n = 0;
    for (uint32_t r = 1; r <= 1000; r++)
        n += weft_rank_is_random (r, 0.15);
    assert_int_equal (n, 150);
    assert_false (weft_rank_is_random (0, 1));
    assert_false (weft_rank_is_random (7, 0));
    assert_true (weft_rank_is_random (7, 1));
    double mean = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        char object[24];
        int size = snprintf (object, sizeof (object), "ZTF24%06u", i);
        double score = weft_random_score (object, (size_t)size);
        assert_true (score >= 0 && score < 1);
        mean += score / 1000;
    }
    assert_true (fabs (mean - 0.5) < 0.05);
    assert_true (weft_random_score ("a", 1) == weft_random_score ("a", 1));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (test_uncertainty_and_certainty),
        cmocka_unit_test (test_entropy),
        cmocka_unit_test (test_least_confident),
        cmocka_unit_test (test_margin),
        cmocka_unit_test (test_committees),
        cmocka_unit_test (test_two_classes_rank_alike),
        cmocka_unit_test (test_random_share),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
