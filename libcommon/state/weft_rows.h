//  weft_rows.h - immutable rows that others follow: labels, events.
//
//  `{kind}:row:{id}` is a row, written once under its id (an id that is there
//  already wins, so writing again changes nothing); `{kind}:index` orders rows
//  by a number that Redis gives to each new one, so that a reader who remembers
//  the last number misses nothing. Closed rows leave the index `{kind}:open`,
//  never the list. Same thread as the connection.
//
//  Kinds in use: "label" (label.v1 by label_id), "event" (event.v1). Queries,
//  which have a budget, are in weft_queries.h.

#ifndef WEFT_ROWS_H_INCLUDED
#define WEFT_ROWS_H_INCLUDED

#include "weft_redis.h"

#define WEFT_ROW_MOST (1u << 20)  //  bytes of one row
#define WEFT_ROW_ID_MOST 256

typedef struct {
    weft_str_t id;
    const void *row;  //  usually a section in the kind's contract
    size_t size;
    bool fresh;  //  answer: it was not there before (advice only: after a
                 //  lost reply the row finds itself and is not fresh)
} weft_row_put_t;

//  Writes rows in one round trip.
WEFT_CHECK int weft_rows_put (weft_redis_t *redis,
                              const char *kind,
                              weft_row_put_t *rows,
                              size_t n);

typedef void (weft_row_each_t) (void *arg,
                                uint64_t number,
                                weft_str_t id,
                                weft_bin_t row);

//  Rows after number `after` (0: from the first), in order, at most `most`.
//  Calls `each` for every row; *last (may be NULL) becomes the last number.
WEFT_CHECK int weft_rows_since (weft_redis_t *redis,
                                const char *kind,
                                uint64_t after,
                                size_t most,
                                weft_row_each_t *each,
                                void *arg,
                                uint64_t *last);

//  Rows that nobody has closed, oldest first, at most `most`.
WEFT_CHECK int weft_rows_open (weft_redis_t *redis,
                               const char *kind,
                               size_t most,
                               weft_row_each_t *each,
                               void *arg);

//  Closes a row (a query that is answered or expired). Safe to repeat.
WEFT_CHECK int
weft_rows_close (weft_redis_t *redis, const char *kind, weft_str_t id);

//  Forgets the oldest rows beyond the newest `keep`, some at a time. An id that
//  is forgotten could be written anew.
WEFT_CHECK int
weft_rows_trim (weft_redis_t *redis, const char *kind, int64_t keep);

//  One row by its id: calls `each` once, number 0. WEFT_ENOENT if there is none.
WEFT_CHECK int weft_rows_get (weft_redis_t *redis,
                              const char *kind,
                              weft_str_t id,
                              weft_row_each_t *each,
                              void *arg);

#endif
