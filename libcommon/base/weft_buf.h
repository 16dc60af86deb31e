//  weft_buf.h - a growing run of bytes with a ceiling.
//
//  Everything that is written piece by piece (sections, JSON lines, frames)
//  goes into one. The ceiling is given when it is made; what does not fit
//  sets an error that sticks, so that a writer checks once, at the end.
//  One thread at a time.

#ifndef WEFT_BUF_H_INCLUDED
#define WEFT_BUF_H_INCLUDED

#include "weft_base.h"

typedef struct {
    uint8_t *data;   //  owned; NULL until the first byte
    size_t size;     //  bytes written
    size_t room;     //  bytes allocated
    size_t ceiling;  //  bytes that it may ever hold
    int error;       //  0, WEFT_ETOOBIG or WEFT_ENOMEM; sticks
} weft_buf_t;

//  An empty buffer of at most `ceiling` bytes. No allocation yet.
void weft_buf_init (weft_buf_t *self, size_t ceiling);

//  Frees the bytes. Safe on a buffer of zeros.
void weft_buf_fini (weft_buf_t *self);

//  Forgets the bytes and the error, keeps the memory.
void weft_buf_clear (weft_buf_t *self);

//  Room for `size` more bytes at the end, counted as written; NULL (and the
//  error is set) if they do not fit. Borrows until the next write.
uint8_t *weft_buf_grow (weft_buf_t *self, size_t size);

void weft_buf_add (weft_buf_t *self, const void *data, size_t size);
void weft_buf_addf (weft_buf_t *self, const char *format, ...)
    WEFT_PRINTF (2, 3);

//  Gives the bytes away: the caller frees them. The buffer is empty after.
WEFT_NEW uint8_t *weft_buf_release (weft_buf_t *self, size_t *size);

#endif
