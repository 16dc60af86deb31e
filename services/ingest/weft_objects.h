//  weft_objects.h - the histories of the objects of one batch of alerts.
//
//  Read many in one round trip, merge the batch's rows, write back what has
//  changed by compare-and-set. Who loses the race merges with what the winner
//  wrote and tries again; as the merge is commutative, that ends. One thread.

#ifndef WEFT_OBJECTS_H_INCLUDED
#define WEFT_OBJECTS_H_INCLUDED

#include "weft_curve.h"
#include "weft_history.h"

#define WEFT_OBJECTS_MOST 64  //  of one batch

typedef struct weft_objects weft_objects_t;

WEFT_NEW weft_objects_t *weft_objects_new (void);
void weft_objects_destroy (weft_objects_t **self_p);

//  What a history may hold from now on: rows, days back from its newest row (0:
//  no limit), and how long Redis keeps it after its last change (0: for ever).
void weft_objects_limit (weft_objects_t *self,
                         size_t rows_most,
                         double days,
                         double idle_days);

//  Forgets the objects, keeps the memory but for what was unusually long.
void weft_objects_clear (weft_objects_t *self);

//  The number of an object, added if it is new. Borrows both texts until clear.
//  Not more than WEFT_OBJECTS_MOST.
size_t weft_objects_find (weft_objects_t *self,
                          weft_str_t survey,
                          weft_str_t object_id);

//  Asks for all histories in `batch`, and reads the answers after its run.
//  WEFT_EVERSION: one has a layout of a newer program; ask again later, store
//  nothing.
WEFT_CHECK int weft_objects_ask (weft_objects_t *self, weft_batch_t *batch);
WEFT_CHECK int weft_objects_answer (weft_objects_t *self, weft_batch_t *batch);

//  Merges rows into an object's curve. They are sorted in place.
WEFT_CHECK int weft_objects_merge (weft_objects_t *self,
                                   size_t object,
                                   weft_point_t *rows,
                                   size_t n);

//  Writes back what has changed, in one round trip or a few. WEFT_EDOWN: call
//  again. WEFT_EVERSION: as above, another writer put it there meanwhile; it
//  stays as it is, call again. Clears `batch` first.
WEFT_CHECK int weft_objects_store (weft_objects_t *self, weft_batch_t *batch);

//  An object's curve. Borrows until clear.
weft_curve_t *weft_objects_curve (weft_objects_t *self, size_t object);

#endif
