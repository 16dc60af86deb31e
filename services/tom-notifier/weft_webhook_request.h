//  weft_webhook_request.h - one POST request: options, headers, verdict.
//
//  The handle is kept from request to request, and with it the connection. One
//  thread at a time.

#ifndef WEFT_WEBHOOK_REQUEST_H_INCLUDED
#define WEFT_WEBHOOK_REQUEST_H_INCLUDED

#include "weft_sink.h"

//  How requests of a sink are made.
typedef struct {
    const char *url;
    const char *secret;   //  signs every request
    const char *token;    //  "": none; else Authorization: Bearer
    const char *ca_file;  //  "": the system's
    uint32_t parallel;    //  requests under way, 1 - WEFT_POST_PARALLEL_MOST
    uint32_t tries;
    double rate;         //  requests a second, 0: as they come
    int64_t connect_ms;  //  to connect, TLS included
    int64_t timeout_ms;  //  for the whole exchange
} weft_poster_config_t;

typedef struct {
    void *easy;  //  a CURL handle, NULL until the first request
    struct curl_slist *headers;
    char error[256];  //  CURL_ERROR_SIZE
    char word[120];   //  the beginning of the answer
    size_t kept, received;
} weft_request_t;

//  Makes the request for a row and returns its CURL handle, NULL without
//  memory. Borrows the row's payload, and `self` where it is, until judged.
void *weft_request_begin (weft_request_t *self,
                          const weft_poster_config_t *config,
                          const weft_row_t *row);

//  What became of it; `code` is a CURLcode.
void weft_request_judge (weft_request_t *self,
                         const weft_poster_config_t *config,
                         int code,
                         uint32_t attempts,
                         weft_answer_t *answer);

void weft_request_fini (weft_request_t *self);

//  "t=<seconds>,v1=<HMAC-SHA256 of "<seconds>.<body>", hexadecimal>".
#define WEFT_SIGNATURE_MOST 120
void weft_request_sign (const char *secret,
                        int64_t seconds,
                        const char *body,
                        size_t size,
                        char out[WEFT_SIGNATURE_MOST]);

#endif
