//  weft_model_loader.h - brings new models while the old ones go on scoring.
//
//  A thread of its own, with its own connection, asks Redis every `poll_ms` for
//  the live version of each name and for its candidate. A new one is fetched,
//  checked, kept on disk if it is the live one, and then offered; the loop
//  takes it between two batches. The candidate scores as a shadow: the loop
//  hands over what both have said, and the thread writes it to Redis and, if it
//  may, makes the candidate live when there is enough of it. A version that is
//  refused is logged once (MODEL-REFUSED), listed as refused, and the live one
//  goes on. All functions are for the loop's thread.

#ifndef WEFT_MODEL_LOADER_H_INCLUDED
#define WEFT_MODEL_LOADER_H_INCLUDED

#include "weft_redis.h"
#include "weft_scorer.h"

#define WEFT_MODELS_MOST 8     //  as many as scores.v1 holds
#define WEFT_SHADOW_ROOM 1024  //  rows that are kept between two polls

typedef struct weft_model_loader weft_model_loader_t;

typedef struct {
    const char *redis;          //  address; borrowed for the call
    weft_redis_config_t login;  //  borrowed for the call
    const char *dir;            //  where the last good ones are kept; copied
    const char *names[WEFT_MODELS_MOST];     //  borrowed for life
    const char *versions[WEFT_MODELS_MOST];  //  live now, NULL: none; copied
    size_t n;
    int64_t poll_ms;
    int64_t shadow_alerts;  //  rows before a candidate goes live; -1: never
} weft_model_loader_config_t;

//  Returns new: the thread runs. NULL without memory, threads, or if the
//  address is none.
WEFT_NEW weft_model_loader_t *
weft_model_loader_new (const weft_model_loader_config_t *config);

//  Stops and joins the thread (at most one Redis time-out), sets *self_p to
//  NULL. Safe on NULL.
void weft_model_loader_destroy (weft_model_loader_t **self_p);

//  Returns new: the latest good model of that name, NULL if there is none
//  since the last call.
WEFT_NEW weft_scorer_t *weft_model_loader_take (weft_model_loader_t *self,
                                                size_t index);

//  Takes what there is to say about the shadow of that name since the last call:
//  true, and *shadow is a new one (returns new), or NULL: there is none now.
bool weft_model_loader_take_shadow (weft_model_loader_t *self,
                                    size_t index,
                                    weft_scorer_t **shadow);

//  Are rows of that name's shadow still wanted?
bool weft_model_loader_wants_row (const weft_model_loader_t *self,
                                  size_t index);

//  What live model and shadow have said about one alert: a section in scores.v1
//  that holds their two records, `version` is the shadow's. Copied, or let go if there is no room.
void weft_model_loader_add_row (weft_model_loader_t *self,
                                size_t index,
                                const char *version,
                                const char *key,
                                const weft_buf_t *section);

//  Did Redis answer last time?
bool weft_model_loader_connected (const weft_model_loader_t *self);

//  Models refused so far.
uint64_t weft_model_loader_refused (const weft_model_loader_t *self);

#endif
