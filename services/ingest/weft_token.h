//  weft_token.h - what a bearer token says of itself (JWT, RFC 7519).
//
//  It is not checked: that is for whoever it is shown to. A token that is no JWT
//  says nothing. Any thread.

#ifndef WEFT_TOKEN_H_INCLUDED
#define WEFT_TOKEN_H_INCLUDED

#include "weft_base.h"

typedef struct {
    char subject[256];  //  "sub", "" if it does not say
    int64_t expires_s;  //  "exp", seconds since 1970; 0 if it does not say
} weft_token_claims_t;

//  Reads the middle of "header.claims.signature". False if it is no JWT.
bool weft_token_read (const char *token, weft_token_claims_t *claims);

#endif
