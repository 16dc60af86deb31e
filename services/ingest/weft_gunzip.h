//  weft_gunzip.h - the bytes of a descriptor, out of their gzip if they are in one.
//
//  Libarchive gives nothing of the block in which compressed bytes break off.
//  Here all that can be unpacked before that place comes, then the reason. Other
//  bytes come as they are. One thread at a time.

#ifndef WEFT_GUNZIP_H_INCLUDED
#define WEFT_GUNZIP_H_INCLUDED

#include <sys/types.h>

#include "weft_base.h"

typedef struct weft_gunzip weft_gunzip_t;

//  Returns new: what is read from `fd`, which it borrows for life. NULL without
//  memory.
WEFT_NEW weft_gunzip_t *weft_gunzip_new (int fd);

//  Sets *self_p to NULL. Safe on NULL.
void weft_gunzip_destroy (weft_gunzip_t **self_p);

//  The next bytes, borrowed until the next call: how many; 0: no more come; -1
//  with errno: they cannot be read.
WEFT_CHECK ssize_t weft_gunzip_read (weft_gunzip_t *self, const uint8_t **data);

//  Why no more come, if not for their end: borrowed, or NULL.
const char *weft_gunzip_fault (const weft_gunzip_t *self);

#endif
