//  weft_training.h - when to train again, and the process that does.
//
//  Training runs as `weft learn` in a process of its own, with a memory cap and
//  low priority; the loop starts it, looks whether it has ended, and never
//  waits. One replica trains at a time (a claim in Redis, renewed while it
//  does). What keeps versions from being lost or doubled is the script of
//  weft_candidates.h, so either process may be killed at any point: what has no
//  outcome yet is due again. Loop's thread.

#ifndef WEFT_TRAINING_H_INCLUDED
#define WEFT_TRAINING_H_INCLUDED

#include "weft_redis.h"

typedef struct {
    const char *model;
    const char *base;      //  examples to begin with
    const char *test;      //  the frozen test set
    const char *program;   //  "" : `weft` beside this program
    const char *instance;  //  of this process, for the claim
    const char *address;   //  of Redis, as is the next
    weft_redis_config_t login;
    uint32_t after_labels;  //  train when so many labels wait,
    double after_minutes;   //  or one has waited so long
    int64_t memory_mb;      //  most address space, 0: no cap
    int64_t timeout_s;
    double max_drop;  //  see weft learn
} weft_training_config_t;

typedef struct weft_training weft_training_t;

//  What has happened since the process started.
typedef struct {
    uint32_t started, done, declined, failed;
    uint64_t waiting;  //  labels that no label set with an outcome has
    bool running;
} weft_training_counts_t;

//  Returns new: nothing runs. NULL without memory.
WEFT_NEW weft_training_t *weft_training_new (void);

//  Kills a training that runs. Sets *self_p to NULL. Safe on NULL.
void weft_training_destroy (weft_training_t **self_p);

//  Starts a training if one is due, looks after one that runs. `config` is
//  borrowed until it returns. WEFT_EDOWN: nothing is lost, call it again.
WEFT_CHECK int weft_training_turn (weft_training_t *self,
                                   const weft_training_config_t *config,
                                   weft_redis_t *redis,
                                   int64_t now_ms);

const weft_training_counts_t *
weft_training_counts (const weft_training_t *self);

#endif
