//  weft_tap.h - a stage's side channel: shows alerts, never pushes back.
//
//  An XPUB socket beside the links. Who listens says how much: a topic of k
//  zeros ("" to 20 of them) asks for one alert in 2^k, as the topic of a message
//  is the low bits of its number, the lowest first. What a listener has no room
//  for is dropped; a stopped one is disconnected by ZeroMQ after 2 s. Nothing is
//  held, nothing is waited for. Belongs to the thread that made it.
//
//  A message is one first frame, 20 characters "0" or "1" and the alert's number
//  (u64, little-endian, from 1), and the frames of the alert behind it.

#ifndef WEFT_TAP_H_INCLUDED
#define WEFT_TAP_H_INCLUDED

#include "weft_alert.h"
#include "weft_mesh.h"

enum {
    WEFT_TAP_BITS = 20,
    WEFT_TAP_HEAD = WEFT_TAP_BITS + 8,  //  bytes of the first frame
    WEFT_TAP_ALERTS = 32,     //  that wait for one listener; more are dropped
    WEFT_TAP_LISTENERS = 16,  //  at a time; more hear nothing
};

//  The stage that a key must have in the allow-list to listen, or "*".
#define WEFT_TAP_STAGE "tap"

typedef struct weft_tap weft_tap_t;

//  Returns new: bound to "host:port" (port 0: any), or NULL with `why`. Borrows
//  the mesh for life. If the mesh has keys, it is encrypted, and listens only to
//  keys of the stage `tap` or "*"; others are named in the log.
WEFT_NEW weft_tap_t *weft_tap_new (const weft_mesh_t *mesh,
                                   const char *address,
                                   char *why,
                                   size_t room);

void weft_tap_destroy (weft_tap_t **self_p);

//  Where to connect to, "tcp://10.0.0.5:40123". If it is bound to all
//  addresses, this host's name stands for them.
const char *weft_tap_endpoint (const weft_tap_t *self);

//  Takes in who came and went; returns how many connections listen. Each beat.
size_t weft_tap_turn (weft_tap_t *self);

//  Shows an alert to whoever wants this one. Costs a comparison while nobody
//  listens.
void weft_tap_offer (weft_tap_t *self, const weft_alert_t *alert);

#endif
