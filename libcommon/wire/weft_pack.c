//  weft_pack.c - writes msgpack into a weft_buf_t, through msgpack-c.

#include <msgpack.h>

#include "weft_pack.h"

static int
write_bytes (void *arg, const char *data, size_t size)
{
    weft_buf_t *buf = arg;
    weft_buf_add (buf, data, size);
    return buf->error ? -1 : 0;
}

static msgpack_packer
packer (weft_buf_t *buf)
{
    msgpack_packer self;
    msgpack_packer_init (&self, buf, write_bytes);
    return self;
}

void
weft_pack_map (weft_buf_t *buf, uint32_t pairs)
{
    msgpack_packer to = packer (buf);
    msgpack_pack_map (&to, pairs);
}

void
weft_pack_array (weft_buf_t *buf, uint32_t elements)
{
    msgpack_packer to = packer (buf);
    msgpack_pack_array (&to, elements);
}

void
weft_pack_bool (weft_buf_t *buf, bool value)
{
    msgpack_packer to = packer (buf);
    if (value)
        msgpack_pack_true (&to);
    else
        msgpack_pack_false (&to);
}

void
weft_pack_i64 (weft_buf_t *buf, int64_t value)
{
    msgpack_packer to = packer (buf);
    msgpack_pack_int64 (&to, value);
}

void
weft_pack_u64 (weft_buf_t *buf, uint64_t value)
{
    msgpack_packer to = packer (buf);
    msgpack_pack_uint64 (&to, value);
}

void
weft_pack_f32 (weft_buf_t *buf, float value)
{
    msgpack_packer to = packer (buf);
    msgpack_pack_float (&to, value);
}

void
weft_pack_f64 (weft_buf_t *buf, double value)
{
    msgpack_packer to = packer (buf);
    msgpack_pack_double (&to, value);
}

void
weft_pack_str (weft_buf_t *buf, const char *text, size_t size)
{
    msgpack_packer to = packer (buf);
    msgpack_pack_str (&to, size);
    msgpack_pack_str_body (&to, text, size);
}

void
weft_pack_cstr (weft_buf_t *buf, const char *text)
{
    weft_pack_str (buf, text, strlen (text));
}

void
weft_pack_bin (weft_buf_t *buf, const void *data, size_t size)
{
    msgpack_packer to = packer (buf);
    msgpack_pack_bin (&to, size);
    msgpack_pack_bin_body (&to, data, size);
}
