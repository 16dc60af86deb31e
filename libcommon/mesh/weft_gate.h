//  weft_gate.h - who may come in: answers libzmq's question for each key.
//
//  A thread of ours answers ZAP requests (RFC 27) by the allow-list, so that a
//  busy loop keeps nobody waiting, and hears of handshakes that fail before
//  there is a key. Who is refused is counted and named in the log, at most
//  twenty a second. It must be there before a socket of its context is bound.

#ifndef WEFT_GATE_H_INCLUDED
#define WEFT_GATE_H_INCLUDED

#include "weft_keys.h"

typedef struct weft_gate weft_gate_t;

typedef enum {
    WEFT_REFUSED_KEY,        //  a key that `allow` does not have
    WEFT_REFUSED_PLAINTEXT,  //  a peer that does not speak CURVE
    WEFT_REFUSED_HANDSHAKE,  //  any other: not our server key, broken off
    WEFT_REFUSED_REASONS
} weft_refused_t;

//  Returns new: a gate for the sockets of a context; NULL without resources.
WEFT_NEW weft_gate_t *weft_gate_new (void *context, weft_keys_t *keys);

//  Ends the thread. Sockets that it watches must be closed before.
void weft_gate_destroy (weft_gate_t **self_p);

//  The list is another one from now on.
void weft_gate_renew (weft_gate_t *self, weft_keys_t *keys);

//  Hears of the failures of a socket that is not yet bound, instead of the one
//  before. WEFT_EIO if libzmq refuses.
WEFT_CHECK int weft_gate_watch (weft_gate_t *self, void *socket);

//  How many were refused so far. Any thread.
uint64_t weft_gate_refused (const weft_gate_t *self, weft_refused_t reason);

//  "key", "plaintext", "handshake"; static.
const char *weft_gate_reason (weft_refused_t reason);

#endif
