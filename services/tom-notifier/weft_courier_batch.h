//  weft_courier_batch.h - rows with copies of their texts, and their answers.
//
//  The outbox lends its rows for a call only; a courier keeps them until they
//  are sent and their answers are written down. One thread.

#ifndef WEFT_COURIER_BATCH_H_INCLUDED
#define WEFT_COURIER_BATCH_H_INCLUDED

#include "weft_buf.h"
#include "weft_sink.h"

typedef struct {
    weft_row_t *rows;
    weft_answer_t *answers;
    uint32_t n, room;
    weft_buf_t arena;  //  key, object and payload of each row, with their NULs
    int error;         //  of the takes since the last clear
} weft_courier_batch_t;

void weft_courier_batch_init (weft_courier_batch_t *self);
void weft_courier_batch_fini (weft_courier_batch_t *self);
void weft_courier_batch_clear (weft_courier_batch_t *self);

//  Copies a row to the end; `arg` is the batch. Its texts can be read after
//  fix.
void weft_courier_batch_take (void *arg, const weft_row_t *row);

//  Adds a row that is only an id and its answer.
WEFT_CHECK int weft_courier_batch_answer (weft_courier_batch_t *self,
                                          int64_t id,
                                          const weft_answer_t *answer);

//  Makes the texts readable, once all rows are taken.
void weft_courier_batch_fix (weft_courier_batch_t *self);

#endif
