//  weft_ubj.h - reads XGBoost's binary JSON (UBJ) out of bytes nobody trusts.
//
//  As weft_cursor.h, for another notation: big-endian numbers, objects that
//  end with '}', arrays that are either typed and counted ("[$d#L.."),
//  counted ("[#L..") or closed by ']'. Nothing is allocated; strings borrow
//  from the bytes. After an error the cursor must not be used. One thread at a
//  time.

#ifndef WEFT_UBJ_H_INCLUDED
#define WEFT_UBJ_H_INCLUDED

#include "weft_cursor.h"

#define WEFT_UBJ_DEPTH 16  //  deepest nesting that is skipped or read

typedef struct {
    const uint8_t *at;
    const uint8_t *end;
} weft_ubj_t;

//  An array that is being read.
typedef struct {
    uint8_t type;   //  marker of every element, 0: each has its own
    bool counted;   //  false: it ends at ']'
    uint64_t left;  //  elements to come, if counted
} weft_ubj_array_t;

//  Starts at the first byte. Borrows until the last read.
void weft_ubj_init (weft_ubj_t *self, const void *data, size_t size);

//  Enters an object; then each call of `key` gives the next key, and 1, or 0
//  at its end. The value behind a key must be read or skipped.
WEFT_CHECK int weft_ubj_object (weft_ubj_t *self);
WEFT_CHECK int weft_ubj_key (weft_ubj_t *self, weft_str_t *key);

//  Enters an array; then `more` says whether an element follows (1 or 0).
WEFT_CHECK int weft_ubj_array (weft_ubj_t *self, weft_ubj_array_t *array);
WEFT_CHECK int weft_ubj_more (weft_ubj_t *self, weft_ubj_array_t *array);

//  The next element of an array as a number: any of UBJ's number types.
WEFT_CHECK int weft_ubj_number (weft_ubj_t *self,
                                const weft_ubj_array_t *array,
                                double *value);

//  A string value. WEFT_ETYPE if another type stands there.
WEFT_CHECK int weft_ubj_str (weft_ubj_t *self, weft_str_t *value);

//  Steps over one value of any type.
WEFT_CHECK int weft_ubj_skip (weft_ubj_t *self);

#endif
