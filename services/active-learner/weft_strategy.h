//  weft_strategy.h - which object would teach the classifier most.
//
//  A strategy turns the probabilities of one object into a score; the larger,
//  the more a label is wanted. Formulae as in ActSNClass and RESSPECT (Ishida
//  2019, Kennamer 2020). New ones are a line in the table. Pure; any thread.

#ifndef WEFT_STRATEGY_H_INCLUDED
#define WEFT_STRATEGY_H_INCLUDED

#include "weft_base.h"

#define WEFT_STRATEGY_CLASSES 64
#define WEFT_STRATEGY_MEMBERS 8

//  Probabilities of one object: `members` rows (models of a committee; plain
//  strategies look at the first) of `classes` values.
typedef struct {
    const float *p;
    uint32_t members;
    uint32_t classes;
    uint32_t target;  //  the class in question; >= classes: none, then the
                      //  likeliest class stands for it
} weft_opinion_t;

typedef struct {
    const char *name;
    const char *meaning;
    double (*score) (const weft_opinion_t *opinion);
} weft_strategy_t;

//  The strategy of that name, NULL if there is none.
const weft_strategy_t *weft_strategy_find (const char *name);

//  Natural entropy of a distribution: -sum p ln p.
double weft_entropy (const double *p, uint32_t n);

//  A uniform number in [0, 1) that depends on the object alone, so that a
//  random sample of objects stays the same sample however often they come.
double weft_random_score (const char *object, size_t size);

//  Objects of this random score and above, a tenth of all, are the sample that
//  random picks come from: as uniform as all of them, and a tenth of the work.
#define WEFT_RANDOM_FROM 0.9

//  Is the query of this rank (from 1) one of the random share? Spreads them
//  evenly: of n ranks floor (n * share) are random.
bool weft_rank_is_random (uint32_t rank, double share);

#endif
