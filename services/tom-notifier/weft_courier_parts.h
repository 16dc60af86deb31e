//  weft_courier_parts.h - what the files of the courier share. One thread, the
//  courier's.

#ifndef WEFT_COURIER_PARTS_H_INCLUDED
#define WEFT_COURIER_PARTS_H_INCLUDED

#include "weft_courier.h"
#include "weft_courier_batch.h"
#include "weft_metrics.h"

#define WEFT_COURIER_VERIFY 16384  //  rows that are verified at once

typedef enum { MODE_OFF, MODE_DRY_RUN, MODE_LIVE } sink_mode_t;

struct weft_courier {
    char *name;
    sink_mode_t mode;
    bool paused;
    const weft_sink_kind_t *kind;
    void *sink;
    weft_courier_batch_t taken;     //  to be sent after the commit
    weft_courier_batch_t answered;  //  sent, not yet written to the outbox
    weft_courier_batch_t lost;      //  dead for want of a text, if it commits
    uint32_t under_way;             //  handed over, no answer yet
    bool one_by_one;                //  no runs until a turn has been committed
    bool settling;            //  the running transaction writes the answers
    int64_t waiting, verify;  //  rows, as committed
    int64_t added, finished, to_verify;  //  what this transaction changes
    int64_t queued, queued_change;       //  rows in queued
    uint32_t failures, bad_rows;
    int64_t open_until_ms;
    int64_t quiet_until_ms;  //  no row may be sent before
    weft_metric_t *queue, *oldest, *open, *seconds, *resent;
    weft_metric_t *sent[WEFT_SENT_DEAD + 1];
};

//  Takes in the answers that have come.
void weft_courier_gather (weft_courier_t *self, int64_t now_ms);

//  Moves a run on, or remembers that it is not one (WEFT_EBUG).
WEFT_CHECK int weft_courier_move_run (weft_courier_t *self,
                                      weft_outbox_t *outbox,
                                      const weft_run_t *run,
                                      weft_row_state_t state,
                                      double now);

//  Writes answers to the outbox, within the running transaction.
WEFT_CHECK int weft_courier_write (weft_courier_t *self,
                                   weft_outbox_t *outbox,
                                   const weft_courier_batch_t *batch,
                                   double now);

#endif
