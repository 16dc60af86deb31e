//  weft_webhook_rules.h - what an HTTP exchange means for a row.
//
//  Pure, so that the whole table is one test. Two questions decide: may the
//  peer have seen the request, and does the answer concern this row or
//  everything that is sent there? Any thread.

#ifndef WEFT_WEBHOOK_RULES_H_INCLUDED
#define WEFT_WEBHOOK_RULES_H_INCLUDED

#include "weft_sink.h"

//  What became of one request.
typedef struct {
    bool sent;         //  at least its head went out
    long status;       //  HTTP's, 0: no answer
    double wait_s;     //  Retry-After, 0: none
    const char *word;  //  the beginning of the answer, or what failed
} weft_exchange_t;

//  `attempts` counts this one; after `tries` of them a row that the peer always
//  fails on is dead.
//
//     2xx                          done
//     no answer, nothing was sent  retry, the sink rests
//     no answer, it was sent       verify
//     408 425 429 502 503 504      retry, the sink rests, Retry-After wins
//     3xx 401 403 407              retry, the sink rests: nothing would pass
//     other 5xx                    this row again later; dead after `tries`
//     other 4xx                    dead
void weft_webhook_judge (const weft_exchange_t *exchange,
                         uint32_t attempts,
                         uint32_t tries,
                         weft_answer_t *answer);

//  How long a row waits after its n-th attempt, s: doubles from 0.5 to 900,
//  the upper half of that at random.
double weft_webhook_backoff (uint32_t attempts);

#endif
