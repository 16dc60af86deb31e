//  weft_shadow_log.h - rows on their way from the loop to the loader's thread.
//
//  A ring with one writer and one reader, so that nothing is locked: the loop
//  puts, the loader takes. What does not fit is not kept: rows are a sample.

#ifndef WEFT_SHADOW_LOG_H_INCLUDED
#define WEFT_SHADOW_LOG_H_INCLUDED

#include "weft_shadows.h"

typedef struct weft_shadow_log weft_shadow_log_t;

//  Returns new: room for `room` rows, or NULL without memory.
WEFT_NEW weft_shadow_log_t *weft_shadow_log_new (size_t room);

//  Destroys it with what is in it and sets *self_p to NULL. Safe on NULL.
void weft_shadow_log_destroy (weft_shadow_log_t **self_p);

//  The loop's: adds a row, if there is room. False: there is none.
bool weft_shadow_log_put (weft_shadow_log_t *self,
                          const char *version,
                          const char *key,
                          const void *section,
                          size_t size);

//  The loader's. Returns new: the oldest row, to be freed, or NULL.
WEFT_NEW weft_shadow_row_t *weft_shadow_log_take (weft_shadow_log_t *self);

#endif
