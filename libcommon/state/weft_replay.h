//  weft_replay.h - takes what `weft dlq replay` put back, under custody.
//
//  Each upstream of a stage polls `replay:{stage}` about once a second. What it
//  takes is claimed with a lease, so that no other replica takes it, and stays
//  in Redis until it has its outcome: settled moves it from dead to settled in
//  the ledger; dead (written to dlq:{stage} again before) leaves it there. An
//  upstream that dies loses its leases in WEFT_REPLAY_LEASE_MS, and another
//  replica takes over. Same thread as the connection.

#ifndef WEFT_REPLAY_H_INCLUDED
#define WEFT_REPLAY_H_INCLUDED

#include "weft_dlq.h"

#define WEFT_REPLAY_LEASE_MS 10000
#define WEFT_REPLAY_HELD_MOST 64  //  in custody at a time, per stage

typedef struct weft_replay weft_replay_t;

//  Returns new: who takes replays of `stage`. `owner` is unique to this life of
//  the process; both are copied. Borrows `redis`, and `bulk`, where the ledger
//  is (it may be the same one), for life. NULL without memory.
WEFT_NEW weft_replay_t *weft_replay_new (weft_redis_t *redis,
                                         weft_redis_t *bulk,
                                         const char *stage,
                                         const char *owner);

void weft_replay_destroy (weft_replay_t **self_p);

//  Renews the leases of what is held and takes up to `most` more (0: renews
//  only). Calls `take` with each new one: `dead` borrows until it returns,
//  `alert` is its frames (NULL for a packet of dlq:ingest; *takes* it). Call it
//  every second or two; a lease that was lost meanwhile does no harm, as
//  effects happen once.
WEFT_CHECK int weft_replay_take (weft_replay_t *self,
                                 size_t most,
                                 void (*take) (void *arg,
                                               const char *key,
                                               const weft_dead_v1_t *dead,
                                               weft_alert_t *alert),
                                 void *arg);

//  The replayed alert has its outcome: removes it from replay:{stage} and, if
//  settled, moves its position from dead to settled. WEFT_EDOWN: still held,
//  call again. Safe to repeat.
WEFT_CHECK int
weft_replay_done (weft_replay_t *self, const char *key, bool settled);

//  How many are held.
size_t weft_replay_held (const weft_replay_t *self);

#endif
