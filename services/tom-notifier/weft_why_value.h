//  weft_why_value.h - what a condition compared, for people.
//
//  "drb > 0.8" was false: what was drb? One thread.

#ifndef WEFT_WHY_VALUE_H_INCLUDED
#define WEFT_WHY_VALUE_H_INCLUDED

#include "weft_filter_view.h"

typedef struct weft_why_value weft_why_value_t;

//  Returns new, NULL without memory. Borrows the view.
WEFT_NEW weft_why_value_t *weft_why_value_new (weft_filter_view_t *view);
void weft_why_value_destroy (weft_why_value_t **self_p);

//  The value, as JSON, of the left side of a condition that is one plain
//  comparison, else of the condition; of the alert that the view shows.
void weft_why_value_read (weft_why_value_t *self,
                          const char *sql,
                          char *out,
                          size_t room);

//  Where the left side of a plain comparison ends, 0 if it is none.
size_t weft_why_value_left (const char *sql);

#endif
