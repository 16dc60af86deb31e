//  weft_candidate.h - is this alert's object worth a spectrum?
//
//  Pure: reads the alert, its features and scores, and writes a candidate: a
//  section in query.v1 whose rank, night and times are still those of the
//  alert. The pool keeps it; weft_asking.h makes a query of it. Any thread.

#ifndef WEFT_CANDIDATE_H_INCLUDED
#define WEFT_CANDIDATE_H_INCLUDED

#include "weft_alert.h"
#include "weft_strategy.h"

typedef struct {
    const char *requester;
    const char *model;   //  whose probabilities are looked at
    const char *target;  //  class in question, "" = the likeliest
    const weft_strategy_t *strategy;
    double mag_limit;  //  AB; fainter objects cannot be observed
    bool hold_out;     //  objects that are for testing alone are no candidates
} weft_candidate_rule_t;

//  Why an alert makes no candidate.
typedef enum {
    WEFT_CANDIDATE_TAKEN,      //  it does
    WEFT_CANDIDATE_NO_SCORE,   //  the model said nothing about it
    WEFT_CANDIDATE_NO_OBJECT,  //  solar system, or its kind is not told
    WEFT_CANDIDATE_FAINT,      //  fainter than the limit, or fading below zero
    WEFT_CANDIDATE_HELD_OUT,   //  for testing alone (weft_labels.h)
    WEFT_CANDIDATE_VERDICTS
} weft_candidate_verdict_t;

//  "faint", static.
const char *weft_candidate_text (weft_candidate_verdict_t verdict);

//  A candidate has room in the pool and, with what asking adds, in a query: what
//  the pool refused could be committed by nobody, for ever.
#define WEFT_CANDIDATE_MOST (60u << 10)  //  bytes

//  Writes the candidate into `out`, nothing if there is none. WEFT_EABSENT and
//  its like if the alert lacks a section or breaks a contract; WEFT_ERANGE if
//  its time is not finite; WEFT_ETOOBIG over WEFT_CANDIDATE_MOST.
WEFT_CHECK int weft_candidate_make (const weft_candidate_rule_t *rule,
                                    const weft_alert_t *alert,
                                    weft_buf_t *out,
                                    weft_candidate_verdict_t *verdict);

//  AB magnitude of a flux in nJy; infinite for zero and below.
double weft_magnitude (double flux_njy);

#endif
