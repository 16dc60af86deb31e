//  weft_http_guest.h - who is connected to the HTTP server, and who gives place.
//
//  Connections that ask for nothing must not keep a health check out: when
//  there are more than WEFT_HTTP_GUESTS, the one that has asked for nothing for
//  longest goes. One that is being answered stays. Only weft_http*.c see it;
//  the thread of the server.

#ifndef WEFT_HTTP_GUEST_H_INCLUDED
#define WEFT_HTTP_GUEST_H_INCLUDED

#include "weft_base.h"

enum { WEFT_HTTP_GUESTS = 16 };

typedef struct weft_guest {
    struct weft_guest *older, *newer;  //  by when they last asked or came
    int socket;                        //  not ours
    bool asks;                         //  a request is under way
    bool leaves;                       //  was told to
} weft_guest_t;

typedef struct {
    weft_guest_t *oldest, *newest;
    uint32_t n;  //  of those that do not leave
} weft_guests_t;

//  Returns new: one that has come, or NULL without memory. Whoever has to give
//  place for it is told so: its socket is shut down.
WEFT_NEW weft_guest_t *weft_guest_new (weft_guests_t *guests, int socket);

//  Its connection is closed. Safe on NULL.
void weft_guest_destroy (weft_guests_t *guests, weft_guest_t **self_p);

//  It asks, or has been answered. Safe on NULL.
void weft_guest_asks (weft_guests_t *guests, weft_guest_t *self, bool asks);

#endif
