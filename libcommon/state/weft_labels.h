//  weft_labels.h - what objects are, as somebody says: immutable rows.
//
//  `label:row:{id}` is a section in label.v1, written once; `label:index`
//  orders the rows by a number, `label:seq` is the last one (read them with
//  weft_rows_since). `label:objects` is a hash of object to the number of its
//  last row, `label:classes` a set of the class names that may be used (empty:
//  any well-formed one).
//
//  The same label twice is one row: its id is made of source, object, class,
//  time and whether it is retracted, unless the source gives one. A label that
//  says otherwise is a new row; nothing is ever overwritten, and who reads
//  takes the last row of an object. Same thread as the connection.

#ifndef WEFT_LABELS_H_INCLUDED
#define WEFT_LABELS_H_INCLUDED

#include "weft_contracts.h"
#include "weft_redis.h"

#define WEFT_LABEL_WHY 120
#define WEFT_LABEL_ID 128     //  most bytes of an id
#define WEFT_LABEL_OBJECT 48  //  "survey:object_id", terminated
#define WEFT_LABEL_BATCH 256  //  most labels of one put
#define WEFT_LABEL_CLASS 31   //  most bytes of a class name

typedef enum {
    WEFT_LABEL_ADDED,    //  a new row
    WEFT_LABEL_KNOWN,    //  this very label has a row
    WEFT_LABEL_TAKEN,    //  its id belongs to another label
    WEFT_LABEL_NO_CLASS  //  its class is not in `label:classes`
} weft_label_verdict_t;

typedef struct {
    weft_label_v1_t label;  //  label_id, received_at and requested_by are
                            //  filled in where absent; borrows its texts
    weft_label_verdict_t verdict;  //  answer
    char id[WEFT_LABEL_ID + 1];    //  answer: of the row
    char query[161];               //  answer: which query it answers, or ""
} weft_label_put_t;

//  Is everything there and well-formed? WEFT_EMALFORMED and in `why` the first
//  thing that is wrong.
WEFT_CHECK int weft_label_check (const weft_label_v1_t *label,
                                 char why[WEFT_LABEL_WHY]);

//  Writes labels that have passed the check, at most WEFT_LABEL_BATCH. Those
//  without `requested_by` get the query that is open for their object, else
//  "unsolicited".
WEFT_CHECK int
weft_labels_put (weft_redis_t *redis, weft_label_put_t *puts, size_t n);

//  Lets labels use these classes, "a,b,c", from now on.
WEFT_CHECK int weft_labels_allow (weft_redis_t *redis, const char *classes);

//  Number of the last label, 0 if there is none.
WEFT_CHECK int weft_labels_last (weft_redis_t *redis, uint64_t *number);

//  known[i] says whether objects[i] ("survey:object_id") has a label.
WEFT_CHECK int weft_labels_of_objects (weft_redis_t *redis,
                                       const char *const *objects,
                                       size_t n,
                                       bool *known);

//  Two tenths of all objects ("survey:object_id"), by a hash of the name, are
//  for testing alone: nobody asks for them, no trainer sees them.
bool weft_label_held_out (const char *object, size_t size);

//  "added", "known", "id taken", "unknown class".
const char *weft_label_verdict_text (weft_label_verdict_t verdict);

#endif
