//  weft_pack.h - writes msgpack into a weft_buf_t, through msgpack-c.
//
//  Errors stick in the buffer: look at buf->error once, at the end. One
//  thread at a time.

#ifndef WEFT_PACK_H_INCLUDED
#define WEFT_PACK_H_INCLUDED

#include "weft_buf.h"
#include "weft_cursor.h"

void weft_pack_map (weft_buf_t *buf, uint32_t pairs);
void weft_pack_array (weft_buf_t *buf, uint32_t elements);
void weft_pack_bool (weft_buf_t *buf, bool value);
void weft_pack_i64 (weft_buf_t *buf, int64_t value);
void weft_pack_u64 (weft_buf_t *buf, uint64_t value);
void weft_pack_f32 (weft_buf_t *buf, float value);
void weft_pack_f64 (weft_buf_t *buf, double value);
void weft_pack_str (weft_buf_t *buf, const char *text, size_t size);
void weft_pack_cstr (weft_buf_t *buf, const char *text);
void weft_pack_bin (weft_buf_t *buf, const void *data, size_t size);

#endif
