//  weft_json_text.h - JSON written straight into a buffer.
//
//  For what is written per alert: a tree of jansson's costs three times as much
//  as all filters. The caller keeps the order of brackets and commas; what is
//  here makes sure that every value is valid JSON. Any thread.

#ifndef WEFT_JSON_TEXT_H_INCLUDED
#define WEFT_JSON_TEXT_H_INCLUDED

#include "weft_buf.h"
#include "weft_cursor.h"

//  A string in quotes. Bytes that are not UTF-8 become '?', and so does NUL,
//  which many readers refuse.
void weft_json_add_text (weft_buf_t *out, weft_str_t text);

//  A number with at most so many decimals (up to 9), zeros at its end left
//  out; null if it is NaN or infinite.
void weft_json_add_fixed (weft_buf_t *out, double value, int decimals);

//  A whole number, and one in quotes as 64-bit ids are.
void weft_json_add_int (weft_buf_t *out, int64_t value);
void weft_json_add_id (weft_buf_t *out, int64_t id);

//  Plain text as it stands, for names and brackets.
void weft_json_add_raw (weft_buf_t *out, const char *text);

#endif
