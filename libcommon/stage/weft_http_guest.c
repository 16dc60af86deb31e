//  weft_http_guest.c - who is connected to the HTTP server, and who gives place.

#include "weft_http_guest.h"

#include <sys/socket.h>

static void
append (weft_guests_t *guests, weft_guest_t *self)
{
    self->older = guests->newest;
    self->newer = NULL;
    if (guests->newest)
        guests->newest->newer = self;
    else
        guests->oldest = self;
    guests->newest = self;
}

static void
unlink_it (weft_guests_t *guests, const weft_guest_t *self)
{
    if (self->older)
        self->older->newer = self->newer;
    else
        guests->oldest = self->newer;
    if (self->newer)
        self->newer->older = self->older;
    else
        guests->newest = self->older;
}

//  The server sees its end, and closes it as if the guest had gone.
static void
make_room (weft_guests_t *guests)
{
    weft_guest_t *guest = guests->oldest;
    while (guest && (guest->asks || guest->leaves))
        guest = guest->newer;
    if (!guest)
        return;
    guest->leaves = true;
    guests->n--;
    (void)shutdown (guest->socket, SHUT_RDWR);
}

weft_guest_t *
weft_guest_new (weft_guests_t *guests, int socket)
{
    weft_guest_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->socket = socket;
    if (guests->n >= WEFT_HTTP_GUESTS)
        make_room (guests);
    append (guests, self);
    guests->n++;
    return self;
}

void
weft_guest_destroy (weft_guests_t *guests, weft_guest_t **self_p)
{
    weft_guest_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    unlink_it (guests, self);
    guests->n -= !self->leaves;
    free (self);
}

void
weft_guest_asks (weft_guests_t *guests, weft_guest_t *self, bool asks)
{
    if (!self)
        return;
    self->asks = asks;
    unlink_it (guests, self);
    append (guests, self);
}
