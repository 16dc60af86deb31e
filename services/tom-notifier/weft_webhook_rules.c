//  weft_webhook_rules.c - what an HTTP exchange means for a row.

#include "weft_webhook_rules.h"

#include <math.h>

#include "weft_hash.h"
#include "weft_time.h"

#define WAIT_FIRST_S 0.5
#define WAIT_MOST_S 900
#define WISH_MOST_S 3600  //  a longer Retry-After is not believed

typedef enum { DONE, REST, ROW, DEAD, UNKNOWN } rule_t;

static rule_t
rule_of (const weft_exchange_t *exchange)
{
    static const short rest[] = {
        401, 403, 407, 408, 425, 429, 502, 503, 504,
    };
    long status = exchange->status;
    if (status == 0)
        return exchange->sent ? UNKNOWN : REST;
    for (size_t i = 0; i < WEFT_COUNT (rest); i++)
        if (status == rest[i])
            return REST;
    switch (status / 100) {
    case 2:
        return DONE;
    case 3:
        return REST;
    case 4:
        return DEAD;
    case 5:
        return ROW;
    default:
        return UNKNOWN;
    }
}

double
weft_webhook_backoff (uint32_t attempts)
{
    double bound =
        fmin (WAIT_MOST_S, WAIT_FIRST_S * pow (2, WEFT_MIN (attempts, 30)) / 2);
    uint64_t dice = weft_hash_u64 ((uint64_t)weft_time_ns ());
    return bound * (0.5 + 0.5 * (double)(dice >> 11) * 0x1p-53);
}

void
weft_webhook_judge (const weft_exchange_t *exchange,
                    uint32_t attempts,
                    uint32_t tries,
                    weft_answer_t *answer)
{
    rule_t rule = rule_of (exchange);
    static const weft_sent_t sent[] = { WEFT_SENT_DONE, WEFT_SENT_RETRY,
                                        WEFT_SENT_RETRY, WEFT_SENT_DEAD,
                                        WEFT_SENT_VERIFY };
    *answer =
        (weft_answer_t){ .sent = sent[rule], .status = (int)exchange->status };
    snprintf (answer->body, sizeof answer->body, "%s", exchange->word);
    answer->row_only = rule == ROW || rule == UNKNOWN;
    if (rule == REST)
        answer->wait_s = fmin (exchange->wait_s, WISH_MOST_S);
    if (rule != ROW)
        return;
    answer->wait_s = fmax (weft_webhook_backoff (attempts),
                           fmin (exchange->wait_s, WISH_MOST_S));
    answer->tired = attempts >= tries;
    if (answer->tired)
        answer->sent = WEFT_SENT_DEAD;
}
