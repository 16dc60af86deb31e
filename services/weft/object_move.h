//  object_move.h - the history of one object, and rows moved to another.

#ifndef OBJECT_MOVE_H_INCLUDED
#define OBJECT_MOVE_H_INCLUDED

#include "weft_objects.h"
#include "weft_tombstone.h"

//  One history, read; written by object_store.
typedef struct {
    weft_objects_t *objects;
    weft_batch_t *batch;
} object_t;

//  Borrows both names until close. WEFT_EDOWN, WEFT_ERANGE on a name.
WEFT_CHECK int object_open (object_t *self,
                            weft_redis_t *bulk,
                            const char *survey,
                            const char *name);
void object_close (object_t *self);
const weft_curve_t *object_curve (const object_t *self);

//  Bytes of the history, packed.
size_t object_bytes (const object_t *self);

typedef struct {
    weft_redis_t *redis, *bulk;
    const char *survey, *from, *into, *reason;
    const int64_t *keys;  //  of detections
    size_t n_keys;
    bool all;
} object_move_t;

//  Moves rows: first they are in both, then tombstones are in `from`, then events
//  are told. Run again after a break, it does what was left.
WEFT_CHECK int object_move (const object_move_t *order, size_t *moved);

#endif
