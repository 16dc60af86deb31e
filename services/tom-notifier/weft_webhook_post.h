//  weft_webhook_post.h - POST requests in a thread of their own.
//
//  Rows go in, answers come out in any order; the thread keeps at most
//  `parallel` requests under way, and never two of one object, so that a
//  receiver sees an object's rows in order. When a row fails, those of its
//  object that wait behind it come back unsent; when the sink as a whole fails,
//  all that wait do.
//
//  The functions are for one thread, that of the courier; the thread inside is
//  made with the first row and ends with rest or destroy.

#ifndef WEFT_WEBHOOK_POST_H_INCLUDED
#define WEFT_WEBHOOK_POST_H_INCLUDED

#include "weft_webhook_request.h"

#define WEFT_POST_PARALLEL_MOST 16

typedef struct weft_poster weft_poster_t;

//  Returns new, NULL without memory. Copies the texts.
WEFT_NEW weft_poster_t *weft_poster_new (const weft_poster_config_t *config);
//  What is under way is broken off. Safe on NULL.
void weft_poster_destroy (weft_poster_t **self_p);

//  Copies a row and sends it when it is its turn. WEFT_ENOMEM, WEFT_EAGAIN: the
//  thread cannot be made; the row is not taken.
WEFT_CHECK int weft_poster_send (weft_poster_t *self, const weft_row_t *row);

//  The next answer that has come; false: none.
bool
weft_poster_collect (weft_poster_t *self, int64_t *id, weft_answer_t *answer);

//  Hands back what has not been sent; what is under way goes on.
void weft_poster_hold (weft_poster_t *self);

//  Ends the thread, breaking off what is under way: it is in verify then.
void weft_poster_rest (weft_poster_t *self);

#endif
