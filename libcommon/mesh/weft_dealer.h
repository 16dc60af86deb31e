//  weft_dealer.h - the socket of a worker's link: one DEALER per upstream
//  instance.
//
//  A thin shell, as weft_router. Connects to a numeric address and keeps
//  trying. Belongs to the thread that made it.

#ifndef WEFT_DEALER_H_INCLUDED
#define WEFT_DEALER_H_INCLUDED

#include "weft_alert.h"
#include "weft_mesh.h"

typedef struct weft_dealer weft_dealer_t;

//  Returns new: a socket that connects to "tcp://1.2.3.4:5560"; NULL without
//  memory or if libzmq refuses it. Borrows the mesh for life. `server_key` is
//  the key that the upstream must have; NULL: plaintext, for a mesh without
//  keys.
WEFT_NEW weft_dealer_t *weft_dealer_new (const weft_mesh_t *mesh,
                                         const char *endpoint,
                                         const char *server_key);

typedef enum {
    WEFT_HANDSHAKE_FINE,     //  nothing has failed since the last call
    WEFT_HANDSHAKE_FAILED,   //  perhaps the upstream has another key
    WEFT_HANDSHAKE_REFUSED,  //  the upstream does not know our key; libzmq does
                             //  not try again, a new socket does
} weft_handshake_t;

//  How the last handshake ended that failed. Plaintext is always fine.
weft_handshake_t weft_dealer_handshake (weft_dealer_t *self);

//  Closes the socket; unread input goes with it.
void weft_dealer_destroy (weft_dealer_t **self_p);

//  For weft_poll.
void *weft_dealer_socket (const weft_dealer_t *self);

//  The next message without waiting: its first frame (borrowed until the next
//  call) and the frames behind it as an alert (*returns new*; NULL if there are
//  none, or if they are no alert). 0, or WEFT_EAGAIN when the socket is dry.
WEFT_CHECK int weft_dealer_recv (weft_dealer_t *self,
                                 const void **data,
                                 size_t *size,
                                 weft_alert_t **alert);

//  What is wrong with the frames behind the last message's first one, as
//  weft_zmq_recv_alert says.
int weft_dealer_parts (const weft_dealer_t *self);

//  Sends one frame. WEFT_EAGAIN: the upstream is not there, nothing was sent.
WEFT_CHECK int
weft_dealer_send (weft_dealer_t *self, const void *header, size_t size);

#endif
