//  weft_cursor.h - reads msgpack out of bytes that nobody trusts.
//
//  A cursor knows its end and checks every step; nothing is allocated, so
//  hostile counts cost nothing. Strings and bins point into the bytes that
//  were given and live as long as those. One thread at a time.

#ifndef WEFT_CURSOR_H_INCLUDED
#define WEFT_CURSOR_H_INCLUDED

#include "weft_base.h"

#define WEFT_CURSOR_DEPTH 8  //  deepest nesting that is skipped or read

typedef struct {
    const uint8_t *at;
    const uint8_t *end;
} weft_cursor_t;

//  Bytes borrowed from the input; p is NULL when absent. Not terminated.
typedef struct {
    const char *p;
    uint32_t n;
} weft_str_t;

typedef struct {
    const uint8_t *p;
    uint32_t n;
} weft_bin_t;

//  Starts at the first byte. Borrows until the last read.
void weft_cursor_init (weft_cursor_t *self, const void *data, size_t size);

//  Bytes that are left.
static inline size_t
weft_cursor_left (const weft_cursor_t *self)
{
    return (size_t)(self->end - self->at);
}

//  Each takes one value: WEFT_ETRUNCATED if the bytes end inside it,
//  WEFT_ETYPE if another type stands there, WEFT_ERANGE if the number does not
//  fit. After an error the cursor stays where it was.
WEFT_CHECK int weft_cursor_i64 (weft_cursor_t *self, int64_t *value);
WEFT_CHECK int weft_cursor_u64 (weft_cursor_t *self, uint64_t *value);
WEFT_CHECK int weft_cursor_f64 (weft_cursor_t *self, double *value);
WEFT_CHECK int weft_cursor_bool (weft_cursor_t *self, bool *value);
WEFT_CHECK int weft_cursor_str (weft_cursor_t *self, weft_str_t *value);
WEFT_CHECK int weft_cursor_bin (weft_cursor_t *self, weft_bin_t *value);

//  Headers of containers: the number of elements, or of key-value pairs. A
//  count that the bytes left cannot hold is WEFT_ETRUNCATED.
WEFT_CHECK int weft_cursor_array (weft_cursor_t *self, uint32_t *count);
WEFT_CHECK int weft_cursor_map (weft_cursor_t *self, uint32_t *count);

//  Steps over one value of any type. WEFT_ETOODEEP beyond WEFT_CURSOR_DEPTH.
WEFT_CHECK int weft_cursor_skip (weft_cursor_t *self);

//  Does a borrowed string equal a C string?
bool weft_str_is (weft_str_t self, const char *text);

//  Copies a borrowed string, cut to `room` - 1 bytes, terminated.
void weft_str_copy (weft_str_t self, char *out, size_t room);

//  Borrows a C string until it changes.
weft_str_t weft_str (const char *text);

#endif
