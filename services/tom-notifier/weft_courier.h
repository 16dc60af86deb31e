//  weft_courier.h - takes one sink's rows out of the outbox to the sink.
//
//  A turn: what the sink has answered is written to the outbox, new rows come
//  in, waiting ones are claimed (inflight), all in one transaction; then what
//  is inflight is sent. So a row costs no transaction of its own, and a crash
//  at any point leaves it queued, or inflight and thus verified at the next
//  start. In order, one batch at a time; a sink that fails is left alone for a
//  while (exponential back-off with full jitter) and only its own rows wait.
//  A sink that answers later has up to so many rows under way as it takes; its
//  answers are written in the turn after they came.
//
//  Many rows are noted by one statement. WEFT_EBUG: they were not what they
//  should be; after the rollback the same turn notes them one by one.
//
//     weft_outbox_begin; weft_courier_settle (each); add rows;
//     weft_courier_claim (each); weft_outbox_commit;
//     weft_courier_committed or _rolled_back (each); weft_courier_send (each)
//
//  One thread, that of the outbox.

#ifndef WEFT_COURIER_H_INCLUDED
#define WEFT_COURIER_H_INCLUDED

#include "weft_sink.h"

#define WEFT_COURIER_BATCH 1024  //  most rows inflight in one turn

typedef struct weft_courier weft_courier_t;

//  Returns new in *out: a courier for this sink. WEFT_ECONFIG with `why` if the
//  options are wrong. Copies them.
WEFT_CHECK int weft_courier_new (weft_courier_t **out,
                                 const weft_sink_option_t *option,
                                 char *why,
                                 size_t room);
void weft_courier_destroy (weft_courier_t **self_p);

//  While paused, rows wait and nothing is sent; answers are still written.
void weft_courier_pause (weft_courier_t *self, bool paused);

const char *weft_courier_name (const weft_courier_t *self);

//  Counts what waits in the outbox; between turns.
WEFT_CHECK int weft_courier_start (weft_courier_t *self, weft_outbox_t *outbox);

//  Finds out what became of the rows in verify, if there are any and it is
//  time. Until then nothing is sent. A transaction of its own.
WEFT_CHECK int weft_courier_verify (weft_courier_t *self,
                                    weft_outbox_t *outbox,
                                    int64_t now_ms,
                                    double now);

//  Has it anything to do in a turn now? Takes in answers that have come.
bool weft_courier_busy (weft_courier_t *self, int64_t now_ms);

WEFT_CHECK int
weft_courier_settle (weft_courier_t *self, weft_outbox_t *outbox, double now);

//  Adds a row: in flight at once if the sink is free, else queued. A row that
//  is there already is no error.
WEFT_CHECK int weft_courier_add (weft_courier_t *self,
                                 weft_outbox_t *outbox,
                                 const weft_row_t *row,
                                 int64_t now_ms);

WEFT_CHECK int weft_courier_claim (weft_courier_t *self,
                                   weft_outbox_t *outbox,
                                   int64_t now_ms,
                                   double now);

void weft_courier_committed (weft_courier_t *self);
void weft_courier_rolled_back (weft_courier_t *self);

void weft_courier_send (weft_courier_t *self, int64_t now_ms);

//  Sends nothing more of what the sink was given; returns how many answers are
//  yet to come. rest does not wait for them: the next turn writes down what is
//  in doubt.
uint32_t weft_courier_hold (weft_courier_t *self);
void weft_courier_rest (weft_courier_t *self);

//  Sets the metrics; `oldest` is when its oldest unfinished row was made, 0 if
//  none is.
void weft_courier_tell (weft_courier_t *self, double oldest, double now);

//  Rows that are not finished, and whether it is left alone after failures.
int64_t weft_courier_waiting (const weft_courier_t *self);
bool weft_courier_open (const weft_courier_t *self, int64_t now_ms);

#endif
