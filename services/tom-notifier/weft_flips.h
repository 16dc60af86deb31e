//  weft_flips.h - who was told which class, and who must hear that it changed.
//
//  Only the notifier knows what people were told, so it is the stage that sees
//  a class flip: an alert's likeliest class is another one than a filter's
//  sinks were told of that object, by `margin` in probability. The margin works
//  both ways, so that an object on the border does not flip with each alert.
//  Each of them gets a row of kind class_flip, and the mesh an event.v1.
//
//  What was told is a table in the outbox' file, changed in the transaction
//  that adds the rows: a redelivered alert finds that it was told already. A
//  bitmap in memory says for nearly every alert that nobody was told of its
//  object, so that nothing is read for it. One thread, that of the outbox.

#ifndef WEFT_FLIPS_H_INCLUDED
#define WEFT_FLIPS_H_INCLUDED

#include "weft_alert.h"
#include "weft_outbox.h"
#include "weft_redis.h"

typedef struct weft_flips weft_flips_t;

//  One filter's sink that was told otherwise. Borrows for the call.
typedef struct {
    weft_str_t filter, sink;
    weft_str_t from, to;  //  classes
    float p_from, p_to;   //  by this alert
    weft_str_t model, version;
} weft_flip_t;

//  Returns new in *out: the table in this outbox, made if need be. Borrows the
//  outbox, destroy it before. WEFT_EDOWN, WEFT_ENOMEM.
WEFT_CHECK int weft_flips_new (weft_flips_t **out, weft_outbox_t *outbox);
void weft_flips_destroy (weft_flips_t **self_p);

//  May somebody have been told of this object? False is certain.
bool weft_flips_concern (const weft_flips_t *self,
                         const weft_envelope_v1_t *envelope);

//  Within a transaction, before the alert's own rows: finds who was told
//  otherwise, calls `each` for those, and notes that they know. An alert that
//  is not newer than what they were told changes nothing. Errors are those of
//  the outbox, or of `each`.
WEFT_CHECK int weft_flips_check (weft_flips_t *self,
                                 const weft_alert_t *alert,
                                 double margin,
                                 double now,
                                 int (*each) (void *arg,
                                              const weft_flip_t *flip),
                                 void *arg);

//  Within a transaction, after weft_flips_check of the same alert: this filter's
//  sink is told of it.
WEFT_CHECK int weft_flips_told (weft_flips_t *self,
                                const weft_alert_t *alert,
                                weft_str_t filter,
                                weft_str_t sink,
                                double now);

//  Within a transaction: leaves an event for publishing.
WEFT_CHECK int weft_flips_event (weft_flips_t *self,
                                 const char *id,
                                 const weft_buf_t *section);

//  Writes events that were left to Redis, 64 at most, and forgets them there.
//  Call again as long as it returns 0 with *n > 0. WEFT_EDOWN: later.
WEFT_CHECK int
weft_flips_publish (weft_flips_t *self, weft_redis_t *redis, uint32_t *n);

//  Forgets what was told before `before`, and all but the newest WEFT_FLIPS_TOLD
//  rows; some at a time.
WEFT_CHECK int weft_flips_prune (weft_flips_t *self, double before);

#define WEFT_FLIPS_TOLD 1000000   //  rows of what was told
#define WEFT_FLIPS_EVENTS 100000  //  events that Redis keeps

#endif
