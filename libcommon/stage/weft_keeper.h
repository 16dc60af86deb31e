//  weft_keeper.h - what a stage does in Redis, in a side thread: dead letters,
//  replays, the registry.
//
//  The loop must never wait for Redis, so it hands orders over and collects
//  what is done; a hanging Redis delays a dead letter and nothing else. The
//  thread has a connection of its own. All functions are for the loop's thread.

#ifndef WEFT_KEEPER_H_INCLUDED
#define WEFT_KEEPER_H_INCLUDED

#include "weft_alert.h"
#include "weft_redis.h"
#include "weft_upstream.h"

typedef struct weft_keeper weft_keeper_t;

typedef struct {
    const char *address;  //  of Redis; "": there is none, nothing gets done
    const char *bulk;     //  where the ledger is; NULL: there as well
    bool ephemeral;       //  a Redis that forgets is good enough
    weft_redis_config_t login;  //  its time-outs are ours
    const char *stage;
    const char *instance;
    size_t dead_letter_bytes;
    const char *const *branches;  //  whose replays we take; copied
    uint32_t n_branches;
    int beat_ms;
} weft_keeper_config_t;

//  Returns new: a thread that tries to reach Redis. NULL without resources.
//  WEFT_ECONFIG in *rc if Redis is there and is not safe: `why` says it.
WEFT_NEW weft_keeper_t *
weft_keeper_new (const weft_keeper_config_t *config, char *why, size_t room);

//  Takes the registry's entry back, stops the thread within a second.
void weft_keeper_destroy (weft_keeper_t **self_p);

//  Readable when something is done, until weft_keeper_woken has read it: then
//  collect everything.
int weft_keeper_fd (const weft_keeper_t *self);
bool weft_keeper_woken (weft_keeper_t *self);

//  Is Redis not there? Copies why.
bool weft_keeper_down (weft_keeper_t *self, char *why, size_t room);

//  Writes a dead letter; the grave comes back from weft_keeper_buried when it
//  is durable. Refers to the alert. WEFT_ENOMEM.
WEFT_CHECK int weft_keeper_bury (weft_keeper_t *self,
                                 weft_grave_t *grave,
                                 weft_alert_t *alert,
                                 const char *stage,
                                 int code,
                                 const char *reason);

//  The next grave whose letter is durable, NULL if there is none.
weft_grave_t *weft_keeper_buried (weft_keeper_t *self);

//  A dead letter that was put back, to be taken under custody.
typedef struct weft_keeper_replay weft_keeper_replay_t;

//  The next replay and its branch; NULL if there is none. The caller has it
//  until weft_keeper_replayed. The alert is borrowed as long.
weft_keeper_replay_t *weft_keeper_replay (weft_keeper_t *self,
                                          uint32_t *branch,
                                          weft_alert_t **alert);

//  It has its outcome. Takes the replay.
void weft_keeper_replayed (weft_keeper_t *self,
                           weft_keeper_replay_t *replay,
                           bool settled);

//  Branches that the operator wants released, as a mask.
uint32_t weft_keeper_releases (weft_keeper_t *self);

//  What the registry tells about this process from now on; copied.
void weft_keeper_register (weft_keeper_t *self, const char *json);

//  Dead letters in Redis that wait to be durable.
size_t weft_keeper_waiting (weft_keeper_t *self);

#endif
