//  weft_router.h - the socket of an upstream end: one ROUTER for all workers.
//
//  A thin shell: it carries headers and frames and knows nothing of custody.
//  Peers are routing ids as numbers (libzmq makes 5 bytes: 0 and 32 bits), not
//  reused in the life of a socket. Belongs to the thread that made it.

#ifndef WEFT_ROUTER_H_INCLUDED
#define WEFT_ROUTER_H_INCLUDED

#include "weft_alert.h"
#include "weft_mesh.h"

typedef struct weft_router weft_router_t;

//  Returns new: a socket bound to "host:port" ("*" for all hosts, port 0 for
//  any), or NULL with `why`. Borrows the mesh for life. If the mesh has keys,
//  only who is in their allow-list can send anything.
WEFT_NEW weft_router_t *weft_router_new (const weft_mesh_t *mesh,
                                         const char *address,
                                         char *why,
                                         size_t room);

void weft_router_destroy (weft_router_t **self_p);

//  Where it is bound, with the real port: "tcp://127.0.0.1:5560".
const char *weft_router_endpoint (const weft_router_t *self);

//  The mesh has another pair: makes the socket anew at the same place, as libzmq
//  changes no key of a bound one. All connections end; what was sent still goes
//  out. WEFT_EAGAIN: the place is not free yet, call again; until then nobody
//  is there.
WEFT_CHECK int weft_router_renew (weft_router_t *self);

//  Of the last message: the sender's public key and address; NULL: none.
//  Borrows until the next weft_router_recv.
const char *weft_router_key (weft_router_t *self);
const char *weft_router_address (weft_router_t *self);

//  For weft_poll.
void *weft_router_socket (const weft_router_t *self);

//  The next message without waiting: its peer and its first frame, borrowed
//  until the next call; workers send nothing behind it, so the rest is read
//  and dropped. 0, or WEFT_EAGAIN when the socket is dry.
WEFT_CHECK int weft_router_recv (weft_router_t *self,
                                 uint64_t *peer,
                                 const void **data,
                                 size_t *size);

//  Sends a header and the frames of `alert` (NULL: none) by reference. 0;
//  WEFT_EDOWN: the peer is gone, nothing was sent; WEFT_EAGAIN: nothing was
//  sent.
WEFT_CHECK int weft_router_send (weft_router_t *self,
                                 uint64_t peer,
                                 const void *header,
                                 size_t size,
                                 const weft_alert_t *alert);

#endif
