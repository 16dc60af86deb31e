//  weft_taster.h - listens to the tap of one process (weft_tap.h).
//
//  A SUB socket that keeps connecting. It takes everything in at once, so read
//  it dry all the time and throw away what there is no room for: libzmq (4.3)
//  aborts when a connection with a full queue is made anew. Belongs to the
//  thread that made it.

#ifndef WEFT_TASTER_H_INCLUDED
#define WEFT_TASTER_H_INCLUDED

#include "weft_alert.h"
#include "weft_mesh.h"

typedef struct weft_taster weft_taster_t;

//  Returns new: listens to one alert in 2^`zeros` (20 at most) of the tap at
//  "tcp://host:port"; NULL if libzmq refuses it. `server_key` as in
//  weft_dealer_new. Borrows the mesh for life.
WEFT_NEW weft_taster_t *weft_taster_new (const weft_mesh_t *mesh,
                                         const char *endpoint,
                                         const char *server_key,
                                         unsigned zeros);

void weft_taster_destroy (weft_taster_t **self_p);

//  For weft_poll.
void *weft_taster_socket (const weft_taster_t *self);

//  The next alert without waiting: *returns new*, with its number (from 1, of
//  all that the process has finished while somebody listened). NULL with
//  *number 0: the socket is dry; NULL with another: it was no alert.
WEFT_NEW weft_alert_t *weft_taster_recv (weft_taster_t *self, uint64_t *number);

#endif
