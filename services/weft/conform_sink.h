//  conform_sink.h - the place of one worker: a DEALER that says HELLO as a
//  stage, takes alerts, and looks at what its upstream does. One thread.

#ifndef WEFT_CONFORM_SINK_H_INCLUDED
#define WEFT_CONFORM_SINK_H_INCLUDED

#include "conform.h"

typedef struct conform_sink conform_sink_t;

//  Returns new: a worker of that name behind "[upstream's stage@]host:port"
//  (the stage finds its key), NULL if it cannot be. Borrows the texts.
WEFT_NEW conform_sink_t *
conform_sink_new (conform_t *top, const char *endpoint, const char *stage);
void conform_sink_destroy (conform_sink_t **self_p);
void *conform_sink_socket (const conform_sink_t *self);
void conform_sink_turn (conform_sink_t *self);

//  What it does with alerts from now on, told with the next frame.
void conform_sink_limit (conform_sink_t *self, uint32_t alerts, uint64_t bytes);
//  Keeps what comes (true), or settles it at once, with what it has kept.
void conform_sink_hold (conform_sink_t *self, bool hold);
//  Settles as dead (once) the next alert with this id.
void conform_sink_dead (conform_sink_t *self, int64_t id);

//  Says HELLO with this contract besides; a new boot id if `fresh`.
void
conform_sink_hello (conform_sink_t *self, const char *contract, bool fresh);
//  Gives back the oldest alert that it keeps.
void conform_sink_retry (conform_sink_t *self);
//  BEAT in a session that nobody gave; SETTLE of all it keeps in one.
void conform_sink_stranger (conform_sink_t *self, uint64_t session);
void conform_sink_foreign (conform_sink_t *self);
//  `done` names the oldest `n` of what it keeps; then the socket closes
//  without a word, and a new one opens.
void conform_sink_die (conform_sink_t *self, uint32_t n);
void conform_sink_bye (conform_sink_t *self);

typedef struct {
    bool live, refused;
    int refuse_code;
    bool wrong_nonce;      //  WELCOME or REFUSE of a nonce that was not ours
    uint64_t resets;       //  of our session
    uint64_t reset_named;  //  the session that the last stray RESET named
    uint64_t received;     //  alerts, of all sessions
    uint32_t kept;
    uint64_t suspects;        //  of this session
    uint64_t from_died;       //  of this session: had been kept at the death
    uint64_t died_above;      //  of those, above `done`
    uint64_t bad_blame;       //  suspects that should not be, or the other way
    int64_t retried_back_ms;  //  when what was given back came again; 0: not
    int64_t retried_ms;
} conform_sink_info_t;

const conform_sink_info_t *conform_sink_info (const conform_sink_t *self);

//  Has it this alert in its hands?
bool conform_sink_has (const conform_sink_t *self, int64_t id);

#endif
