//  weft_http_route.h - finds who answers a path; only weft_http*.c see it. The
//  thread of the server.

#ifndef WEFT_HTTP_ROUTE_H_INCLUDED
#define WEFT_HTTP_ROUTE_H_INCLUDED

#include "weft_http.h"

//  Calls whoever has routed this path: *rc is what it says. False: nobody.
bool weft_http_routed (
    const char *url, weft_buf_t *body, int *rc, char *why, size_t room);

#endif
