//  weft_candidates.h - a trainer's model on its way to be tried.
//
//  A version is bound to the label set that it was trained with, named by the
//  number of its last label (0: none). `model:{name}:trained` is a hash of label
//  set to the version it became, or to "declined: ..." if that failed its test;
//  its field "last" is the newest set with an outcome. `model:{name}:test` is
//  the SHA-256 of the test set of the first offer: it never changes. Each call
//  is one script, so two trainers cannot both publish, and an older one never
//  overtakes a newer one. Same thread as the connection.

#ifndef WEFT_CANDIDATES_H_INCLUDED
#define WEFT_CANDIDATES_H_INCLUDED

#include "weft_models.h"

typedef enum {
    WEFT_OFFER_TAKEN = 1,  //  published, and the candidate (or was: repeated)
    WEFT_OFFER_DONE = 2,   //  this label set has another outcome already
    WEFT_OFFER_OLDER = 3,  //  a later label set has one
    WEFT_OFFER_TEST = 4,   //  another test set was chosen
} weft_offer_verdict_t;

typedef struct {
    uint64_t labels;      //  number of the last label, the set's name
    const char *test;     //  SHA-256 of the test set, hexadecimal
    const void *section;  //  model.v1; NULL: declined
    size_t size;
    const char *declined;  //  why, if there is no section; one line
} weft_offer_t;

//  Offers the model of a label set (the section names model and version), or
//  says that it was declined. The section's own checks apply.
WEFT_CHECK int weft_candidate_offer (weft_redis_t *redis,
                                     const char *name,
                                     const weft_offer_t *offer,
                                     weft_offer_verdict_t *verdict);

//  The newest label set with an outcome, -1 if there is none.
WEFT_CHECK int
weft_candidate_last (weft_redis_t *redis, const char *name, int64_t *labels);

//  "taken", "done", "older", "another test set".
const char *weft_offer_text (weft_offer_verdict_t verdict);

#endif
