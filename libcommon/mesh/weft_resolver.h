//  weft_resolver.h - names of upstreams to addresses, in a thread of ours.
//
//  Libzmq uses the first address of a name only and resolves it in its I/O
//  thread, where a sick DNS stops everything. So a thread looks every name up
//  each 2 to 5 seconds and publishes the list when it has changed. A name that
//  cannot be resolved now keeps the addresses that it had. The thread that
//  made it reads the list.

#ifndef WEFT_RESOLVER_H_INCLUDED
#define WEFT_RESOLVER_H_INCLUDED

#include "weft_base.h"

enum {
    WEFT_ENDPOINT_MOST = 80,
    WEFT_ENDPOINTS_MOST = 64,
    WEFT_STAGE_ROOM = 65,
    WEFT_LEFT_OUT_MOST = 160,
};

typedef struct weft_resolver weft_resolver_t;

typedef struct {
    uint32_t n;
    char endpoints[WEFT_ENDPOINTS_MOST][WEFT_ENDPOINT_MOST];  //  "tcp://..."
    char stages[WEFT_ENDPOINTS_MOST][WEFT_STAGE_ROOM];  //  whose each one is
} weft_endpoints_t;

//  Returns new: resolves "[stage@]host:port" names (numeric hosts pass through),
//  copied. NULL with `why` if one is not of this form or there are no resources.
WEFT_NEW weft_resolver_t *weft_resolver_new (const char *const *names,
                                             uint32_t n,
                                             char *why,
                                             size_t room);

//  The stage of such a name: what stands before "@", else the host, as in
//  containers a stage's host has its name. Cut at 64 characters.
void weft_resolver_stage (const char *name, char stage[WEFT_STAGE_ROOM]);

//  Stops the thread. Waits at most 200 ms for a look-up that is going on; after
//  that its memory is left to it.
void weft_resolver_destroy (weft_resolver_t **self_p);

//  Readable when there is a new list.
int weft_resolver_fd (const weft_resolver_t *self);

//  What of the names is not in the list, and why, in words: "feature:5560: Name
//  or service not known; crossmatch:5560 has 2 addresses over the 64 that a
//  stage can have". False: nothing is left out, `text` is empty. The same thread
//  as the list's; logged as MESH-LEFT-OUT whenever it changes.
bool weft_resolver_left_out (weft_resolver_t *self,
                             char text[WEFT_LEFT_OUT_MOST]);

//  The newest list, if there is one since the last call: *returns new* (free
//  it), else NULL.
WEFT_NEW weft_endpoints_t *weft_resolver_take (weft_resolver_t *self);

#endif
