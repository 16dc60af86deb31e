//  weft_history.h - the light curves of objects, one blob each.
//
//  `lc:{survey}:{object}` holds an 8-byte version and a blob that only ingest
//  understands (rows merged by CONTRACT section 2). Every put has a version that
//  nobody else uses: a batch that is issued again after a lost reply finds
//  itself and succeeds.
//
//  Get many objects, merge in C, put those that changed; who lost the race gets
//  the current blob, merges again and puts again: the merge is commutative, so
//  it ends. Same thread as the connection.

#ifndef WEFT_HISTORY_H_INCLUDED
#define WEFT_HISTORY_H_INCLUDED

#include "weft_redis.h"

#define WEFT_HISTORY_MOST (4u << 20)  //  bytes of one blob
#define WEFT_HISTORY_OBJECT_MOST 128  //  bytes of an object's name

typedef struct {
    weft_str_t survey;     //  borrowed until the answer is read
    weft_str_t object_id;  //
    uint64_t version;     //  get's answer, put's expectation; 0 = there is none
    const uint8_t *blob;  //  get's answer: borrowed from the batch until it is
                          //  cleared or run again, NULL = there is none;
    //  put: the new blob, borrowed until put_answer returned
    size_t size;
    size_t at;  //  put: 0, the blob is all there is; else it is written there
                //  into the blob of `version`, which must be long enough
    uint64_t keep_s;  //  put: how long it is kept from now on, 0: for ever
    uint64_t next;    //  put's own, between _ask and _answer
    bool lost;  //  put's answer: somebody else was first; version and blob are
                //  now what stands there
} weft_history_t;

//  As the ledger's: _ask appends, _answer reads after the run. A stored value
//  that is too short to be a history is logged and given as "none". The blob
//  itself is checked by who decodes it; a put with the version that came with
//  a broken one replaces it.
//  WEFT_ERANGE on a name that is empty or too long, WEFT_ETOOBIG on a blob
//  that is; nothing is appended then.
WEFT_CHECK int weft_history_get_ask (weft_batch_t *batch,
                                     const weft_history_t *items,
                                     size_t n,
                                     size_t *first);
WEFT_CHECK int weft_history_get_answer (const weft_batch_t *batch,
                                        size_t first,
                                        weft_history_t *items,
                                        size_t n);
WEFT_CHECK int weft_history_put_ask (weft_batch_t *batch,
                                     weft_history_t *items,
                                     size_t n,
                                     size_t *first);
//  On a put that won, `version` becomes that of the new blob.
WEFT_CHECK int weft_history_put_answer (const weft_batch_t *batch,
                                        size_t first,
                                        weft_history_t *items,
                                        size_t n);

//  Ask, run and answer on a batch that is cleared first.
WEFT_CHECK int
weft_history_get (weft_batch_t *batch, weft_history_t *items, size_t n);
WEFT_CHECK int
weft_history_put (weft_batch_t *batch, weft_history_t *items, size_t n);

#endif
