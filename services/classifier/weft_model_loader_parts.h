//  weft_model_loader_parts.h - what the loader's files share.

#ifndef WEFT_MODEL_LOADER_PARTS_H_INCLUDED
#define WEFT_MODEL_LOADER_PARTS_H_INCLUDED

#include "weft_model_loader.h"
#include "weft_models.h"
#include "weft_shadow_log.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>

//  What is offered as shadow when there is none any more.
extern char weft_no_shadow;
#define WEFT_NO_SHADOW ((weft_scorer_t *)(void *)&weft_no_shadow)

//  What has been done about one pointer.
typedef struct {
    char handled[WEFT_MODEL_VERSION_MOST];  //  offered, or refused for good
    char bad[WEFT_MODEL_VERSION_MOST];      //  refused last: said once
} weft_followed_t;

//  One name that is watched.
typedef struct {
    const char *name;

    //  Shared: offered models (owned); are rows wanted; rows.
    weft_scorer_t *_Atomic fresh;
    weft_scorer_t *_Atomic shadow;
    atomic_bool wants;
    weft_shadow_log_t *log;

    //  The thread's own.
    weft_followed_t live, candidate;
    char beside[WEFT_MODEL_VERSION_MOST];  //  live when candidate was judged
    bool shadowing;                        //  a shadow was offered
} weft_watched_t;

struct weft_model_loader {
    pthread_t thread;
    pthread_mutex_t lock;  //  of `stop` alone
    pthread_cond_t stopped;
    bool stop;
    size_t n;
    int64_t poll_ms;
    int64_t shadow_alerts;
    char dir[PATH_MAX];
    weft_watched_t name[WEFT_MODELS_MOST];
    atomic_bool connected;
    atomic_ullong refused;

    //  The thread's own.
    weft_redis_t *redis;
    weft_buf_t section;
    int last_rc;  //  of the last poll, so that a change is logged once
};

//  Offers a model (or WEFT_NO_SHADOW); what nobody has taken is overtaken.
void weft_model_loader_offer (weft_scorer_t *_Atomic *to,
                              weft_scorer_t *scorer);

//  Looks at one name: follows both pointers, writes rows, promotes. WEFT_EDOWN:
//  no use in asking for the next.
WEFT_CHECK int weft_model_loader_poll (weft_model_loader_t *self, size_t index);

#endif
