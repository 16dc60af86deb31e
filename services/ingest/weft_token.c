//  weft_token.c - the claims of a JWT.

#include "weft_token.h"

#include <jansson.h>

#define CLAIMS_MOST 16384  //  bytes, decoded

static int
digit_of (char c)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char *at = c ? strchr (digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

//  Base64 of RFC 4648 section 5, without padding. Bytes written, or -1.
static int
decode (const char *text, size_t n, char *out, size_t room)
{
    uint32_t bits = 0;
    int left = 0;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        int digit = digit_of (text[i]);
        if (digit < 0)
            return -1;
        bits = bits << 6 | (uint32_t)digit;
        left += 6;
        if (left < 8)
            continue;
        if (at == room)
            return -1;
        left -= 8;
        out[at++] = (char)(bits >> left & 0xff);
    }
    return (int)at;
}

bool
weft_token_read (const char *token, weft_token_claims_t *claims)
{
    char text[CLAIMS_MOST];
    *claims = (weft_token_claims_t){ .expires_s = 0 };
    const char *begin = strchr (token, '.');
    const char *end = begin ? strchr (begin + 1, '.') : NULL;
    int n =
        end ? decode (begin + 1, (size_t)(end - begin - 1), text, sizeof (text))
            : -1;
    json_t *json = n >= 0 ? json_loadb (text, (size_t)n, 0, NULL) : NULL;
    bool good = json_is_object (json);
    const char *subject = json_string_value (json_object_get (json, "sub"));
    //  "exp" may have a fraction.
    double expires = json_number_value (json_object_get (json, "exp"));
    if (good && subject)
        snprintf (claims->subject, sizeof (claims->subject), "%s", subject);
    if (good && expires > 0 && expires < 1e12)
        claims->expires_s = (int64_t)expires;
    json_decref (json);
    return good;
}
