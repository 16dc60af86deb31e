//  weft_kafka_token.c - tokens for OAUTHBEARER, from a file that somebody else
//  keeps fresh.
//
//  Librdkafka asks before a token ends, and every 10 s while it has none; the
//  file is read each time. Its callback runs in the loop's thread.

#include "weft_kafka_conf.h"
#include "weft_kafka_parts.h"

#include "weft_time.h"
#include "weft_token.h"

#define OPAQUE_S 600  //  one that does not say how long it is good for

//  0, or a reason, which does not show the token.
static int
give (rd_kafka_t *rk, const weft_kafka_t *self, char why[WEFT_INPUT_WHY])
{
    char token[WEFT_SECRET_MOST];
    weft_token_claims_t claims;
    if (weft_kafka_read_secret (self->token_file, token, why))
        return WEFT_ECONFIG;
    bool told = weft_token_read (token, &claims) && claims.expires_s;
    double now_s = weft_time_utc ();
    double ends_s = told ? (double)claims.expires_s : now_s + OPAQUE_S;
    if (ends_s <= now_s) {
        char at[40];
        weft_time_iso (ends_s, at, sizeof (at));
        snprintf (why, WEFT_INPUT_WHY,
                  "%.300s: the token has expired at %s; is it renewed, and "
                  "this host's clock right?",
                  self->token_file, at);
        return WEFT_ECONFIG;
    }
    char text[256] = "";
    rd_kafka_resp_err_t err = rd_kafka_oauthbearer_set_token (
        rk, token, (int64_t)(ends_s * 1000),
        *claims.subject ? claims.subject : self->user, NULL, 0, text,
        sizeof (text));
    if (err)
        snprintf (why, WEFT_INPUT_WHY, "%.300s: %s", self->token_file, text);
    memset (token, 0, sizeof (token));
    return err ? WEFT_ECONFIG : 0;
}

void
weft_kafka_token (rd_kafka_t *rk, const char *config, void *opaque)
{
    char why[WEFT_INPUT_WHY];
    (void)config;
    if (give (rk, opaque, why))
        (void)rd_kafka_oauthbearer_set_token_failure (rk, why);
}
