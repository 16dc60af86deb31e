//  conform_seat.h - the place of one upstream: a ROUTER, the session of the
//  worker under test, and the rules that each of its frames shows. One thread.

#ifndef WEFT_CONFORM_SEAT_H_INCLUDED
#define WEFT_CONFORM_SEAT_H_INCLUDED

#include "conform.h"

typedef struct conform_seat conform_seat_t;

//  Returns new: bound at the endpoint, or NULL with a message on stderr.
WEFT_NEW conform_seat_t *conform_seat_new (conform_t *top,
                                           const char *endpoint);
void conform_seat_destroy (conform_seat_t **self_p);
void *conform_seat_socket (const conform_seat_t *self);
void conform_seat_turn (conform_seat_t *self);

//  Answer HELLOs by WELCOME? Beat? Both are on unless switched off.
void conform_seat_answer (conform_seat_t *self, bool on);
void conform_seat_mute (conform_seat_t *self, bool on);

//  Queues alerts: `n` of a kind, then sent as the window allows.
int conform_seat_feed (conform_seat_t *self,
                       uint32_t n,
                       conform_kind_t kind,
                       bool suspect);
size_t conform_seat_queued (const conform_seat_t *self);

//  Frames that no orderly upstream sends.
void conform_seat_wrong_welcome (conform_seat_t *self);
void conform_seat_reset (conform_seat_t *self, bool foreign);
void conform_seat_garbage (conform_seat_t *self);
void conform_seat_refuse (conform_seat_t *self);
void conform_seat_bye (conform_seat_t *self);

//  How things stand.
typedef struct {
    uint64_t hellos;   //  so far
    uint64_t sockets;  //  routing ids that said HELLO so far
    bool live;         //  welcomed
    uint32_t limit;    //  that it told last
    uint32_t claim;    //  or the one before, if that is unechoed and larger
    uint32_t largest;  //  frame that it can receive
    uint64_t ended;    //  alerts with an outcome, of all sessions
    uint64_t settled, dead, retried, rejected;
    uint64_t open;      //  queued or unsettled
    bool overtaken;     //  a good alert ended before the last suspect
    uint64_t suspects;  //  that ended
    char reads[65];     //  the newest section that it reads
    char stage[65];
} conform_seat_info_t;

const conform_seat_info_t *conform_seat_info (const conform_seat_t *self);

//  Forgets what was queued; the next HELLO begins anew.
void conform_seat_forget (conform_seat_t *self);

//  The outcome of an alert, by its id: -1 none yet, else weft_outcome_t, or 2
//  for rejected, 3 for given back.
int conform_seat_outcome (const conform_seat_t *self, int64_t id);
//  An alert that is not ended, as it was sent; NULL if there is none.
const weft_alert_t *conform_seat_find (const conform_seat_t *self, int64_t id);
//  The id that the next alert fed will get.
int64_t conform_seat_next_id (const conform_seat_t *self);

#endif
