//  weft_keeper_parts.h - what the keeper's two files share.
//
//  weft_keeper.c is what the loop sees, weft_keeper_redis.c what the side thread
//  does with Redis. What both touch is under the lock; each field says whose it
//  is else.

#ifndef WEFT_KEEPER_PARTS_H_INCLUDED
#define WEFT_KEEPER_PARTS_H_INCLUDED

#include "weft_keeper.h"

#include <pthread.h>

#include "weft_mark.h"
#include "weft_registry_store.h"
#include "weft_replay.h"

enum { WEFT_KEEPER_WHY = 200 };

//  A dead letter on its way to Redis.
typedef struct letter letter_t;
struct letter {
    letter_t *next;
    weft_grave_t *grave;
    weft_alert_t *alert;
    int code;
    char stage[WEFT_LINK_NAME_MAX + 1];
    char reason[WEFT_LINK_REASON_MAX + 1];
};

struct weft_keeper_replay {
    weft_keeper_replay_t *next;
    uint32_t branch;
    bool settled;
    weft_alert_t *alert;
    char key[WEFT_DLQ_KEY_MOST];
};

typedef struct {
    letter_t *first, *last;
    size_t n;
} letters_t;

struct weft_keeper {
    weft_keeper_config_t config;
    char stage[WEFT_LINK_NAME_MAX + 1];
    char instance[80];
    char branches[WEFT_BRANCHES_MAX][WEFT_LINK_NAME_MAX + 1];
    int fd;
    pthread_t thread;
    bool started;

    //  Under the lock.
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
    letters_t letters;               //  to be written
    letters_t buried;                //  durable, to be collected
    weft_keeper_replay_t *taken;     //  to be collected
    weft_keeper_replay_t *replayed;  //  to be told
    uint32_t releases;               //  a mask of branches
    char json[WEFT_REGISTRY_JSON_MOST];
    char down[WEFT_KEEPER_WHY];  //  why Redis is not there; empty: it is
    size_t waiting;  //  letters that are not durable, those in work, too

    weft_keeper_replay_t *given;  //  the loop's own: in custody

    //  The thread's own.
    weft_redis_t *redis;  //  NULL: there is none by configuration
    weft_redis_t *bulk;   //  where the ledger is; may be `redis`
    bool bulk_safe;       //  it was looked at
    weft_replay_t *replays[WEFT_BRANCHES_MAX];
    letters_t put;  //  written, and not yet seen to be kept
    uint64_t put_generation;
    uint64_t generation;
    bool unsafe;
    weft_mark_t mark;  //  of the ledger
    int64_t ping_ms, register_ms, replay_ms, clock_ms, mark_ms;
    uint32_t taking;  //  branch whose replays are being taken
};

static inline void
weft_letters_push (letters_t *self, letter_t *letter)
{
    letter->next = NULL;
    if (self->last)
        self->last->next = letter;
    else
        self->first = letter;
    self->last = letter;
    self->n++;
}

static inline letter_t *
weft_letters_pop (letters_t *self)
{
    letter_t *letter = self->first;
    if (!letter)
        return NULL;
    self->first = letter->next;
    if (!self->first)
        self->last = NULL;
    self->n--;
    return letter;
}

//  One round of the side thread: letters, replays, releases and the registry, as
//  far as they are due and Redis is there.
void weft_keeper_round (weft_keeper_t *self);

//  False, with `why`, only if where the ledger is can be reached and forgets.
//  Also asked before the thread starts.
WEFT_CHECK bool
weft_keeper_bulk_safe (weft_keeper_t *self, char *why, size_t room);

#endif
