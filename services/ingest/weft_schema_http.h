//  weft_schema_http.h - one GET at a time to a schema registry, non-blocking.
//  One thread.

#ifndef WEFT_SCHEMA_HTTP_H_INCLUDED
#define WEFT_SCHEMA_HTTP_H_INCLUDED

#include "weft_schema_client.h"

typedef struct weft_schema_http weft_schema_http_t;

typedef struct {
    long status;        //  of HTTP; 0: no answer
    const char *error;  //  why there is none, ""
    const char *body;   //  borrowed until the next request
    size_t size;
} weft_schema_reply_t;

//  Returns new; NULL with a reason.
WEFT_NEW weft_schema_http_t *
weft_schema_http_new (const weft_schema_client_config_t *config,
                      char why[WEFT_SCHEMA_WHY]);

void weft_schema_http_destroy (weft_schema_http_t **self_p);

//  The registry, without a slash at its end.
const char *weft_schema_http_url (const weft_schema_http_t *self);

//  Asks for an id. False: no request can be made. Only when none is under way.
bool weft_schema_http_begin (weft_schema_http_t *self, uint32_t id);

bool weft_schema_http_busy (const weft_schema_http_t *self);

//  Moves the request on: true when it has ended, and `reply` says how.
bool weft_schema_http_turn (weft_schema_http_t *self,
                            weft_schema_reply_t *reply);

//  Sleeps until there is something to do, at most so long.
void weft_schema_http_wait (weft_schema_http_t *self, int timeout_ms);

#endif
