//  weft_cursor.c - reads msgpack out of bytes that nobody trusts.
//
//  Format: github.com/msgpack/msgpack/blob/master/spec.md

#include "weft_cursor.h"

void
weft_cursor_init (weft_cursor_t *self, const void *data, size_t size)
{
    self->at = data;
    self->end = self->at + size;
}

static uint64_t
big_endian (const uint8_t *p, size_t width)
{
    uint64_t value = 0;
    for (size_t i = 0; i < width; i++)
        value = value << 8 | p[i];
    return value;
}

//  The tag byte at the cursor, -1 at the end.
static int
tag_at (const weft_cursor_t *self)
{
    return self->at < self->end ? *self->at : -1;
}

//  A big-endian number of `width` bytes behind the tag. WEFT_ETRUNCATED if
//  the bytes end first. Does not move.
static int
number_at (const weft_cursor_t *self, size_t width, uint64_t *value)
{
    if (weft_cursor_left (self) < 1 + width)
        return WEFT_ETRUNCATED;
    *value = big_endian (self->at + 1, width);
    return 0;
}

//  Any integer as sign and magnitude bits. `size` is what it takes.
static int
integer_at (const weft_cursor_t *self, uint64_t *bits, bool *neg, size_t *size)
{
    int tag = tag_at (self);
    if (tag < 0)
        return WEFT_ETRUNCATED;
    *neg = false;
    if (tag <= 0x7f || tag >= 0xe0) {
        *bits = (uint64_t)(int64_t)(int8_t)tag;
        *neg = tag >= 0xe0;
        *size = 1;
        return 0;
    }
    if (tag < 0xcc || tag > 0xd3)
        return WEFT_ETYPE;
    size_t width = (size_t)1 << (tag & 3);
    int rc = number_at (self, width, bits);
    if (rc)
        return rc;
    *size = 1 + width;
    if (tag >= 0xd0) {
        unsigned shift = (unsigned)(64 - 8 * width);
        int64_t value = (int64_t)(*bits << shift) >> shift;
        *bits = (uint64_t)value;
        *neg = value < 0;
    }
    return 0;
}

int
weft_cursor_i64 (weft_cursor_t *self, int64_t *value)
{
    uint64_t bits;
    bool neg;
    size_t size;
    int rc = integer_at (self, &bits, &neg, &size);
    if (rc)
        return rc;
    if (!neg && bits > INT64_MAX)
        return WEFT_ERANGE;
    *value = (int64_t)bits;
    self->at += size;
    return 0;
}

int
weft_cursor_u64 (weft_cursor_t *self, uint64_t *value)
{
    bool neg;
    size_t size;
    int rc = integer_at (self, value, &neg, &size);
    if (rc)
        return rc;
    if (neg)
        return WEFT_ERANGE;
    self->at += size;
    return 0;
}

int
weft_cursor_f64 (weft_cursor_t *self, double *value)
{
    uint64_t bits;
    int tag = tag_at (self);
    if (tag == 0xca) {
        int rc = number_at (self, 4, &bits);
        if (rc)
            return rc;
        uint32_t low = (uint32_t)bits;
        float single;
        memcpy (&single, &low, 4);
        *value = (double)single;
        self->at += 5;
        return 0;
    }
    if (tag == 0xcb) {
        int rc = number_at (self, 8, &bits);
        if (rc)
            return rc;
        memcpy (value, &bits, 8);
        self->at += 9;
        return 0;
    }
    bool neg;
    size_t size;
    int rc = integer_at (self, &bits, &neg, &size);
    if (rc)
        return rc;
    *value = neg ? (double)(int64_t)bits : (double)bits;
    self->at += size;
    return 0;
}

int
weft_cursor_bool (weft_cursor_t *self, bool *value)
{
    int tag = tag_at (self);
    if (tag < 0)
        return WEFT_ETRUNCATED;
    if (tag != 0xc2 && tag != 0xc3)
        return WEFT_ETYPE;
    *value = tag == 0xc3;
    self->at++;
    return 0;
}

//  Bytes with a length of `width` bytes behind the tag (0: `fixed` is it).
static int
bytes_at (weft_cursor_t *self, size_t width, uint32_t fixed, weft_bin_t *out)
{
    uint64_t length = fixed;
    int rc = width ? number_at (self, width, &length) : 0;
    if (rc)
        return rc;
    if (length > weft_cursor_left (self) - 1 - width)
        return WEFT_ETRUNCATED;
    out->p = self->at + 1 + width;
    out->n = (uint32_t)length;
    self->at = out->p + length;
    return 0;
}

int
weft_cursor_str (weft_cursor_t *self, weft_str_t *value)
{
    weft_bin_t bytes;
    int tag = tag_at (self), rc;
    if (tag < 0)
        return WEFT_ETRUNCATED;
    if (tag >= 0xa0 && tag <= 0xbf)
        rc = bytes_at (self, 0, (uint32_t)tag & 31, &bytes);
    else if (tag >= 0xd9 && tag <= 0xdb)
        rc = bytes_at (self, (size_t)1 << (tag - 0xd9), 0, &bytes);
    else
        return WEFT_ETYPE;
    if (rc)
        return rc;
    value->p = (const char *)bytes.p;
    value->n = bytes.n;
    return 0;
}

int
weft_cursor_bin (weft_cursor_t *self, weft_bin_t *value)
{
    int tag = tag_at (self);
    if (tag < 0)
        return WEFT_ETRUNCATED;
    if (tag < 0xc4 || tag > 0xc6)
        return WEFT_ETYPE;
    return bytes_at (self, (size_t)1 << (tag - 0xc4), 0, value);
}

//  A container's count: in the tag itself, or in 2 or 4 bytes behind it.
static int
count_at (
    weft_cursor_t *self, int fixed, int wide, size_t each, uint32_t *count)
{
    int tag = tag_at (self);
    if (tag < 0)
        return WEFT_ETRUNCATED;
    uint64_t n;
    size_t width = 0;
    if ((tag & 0xf0) == fixed) {
        n = (uint64_t)tag & 15;
    } else if (tag == wide || tag == wide + 1) {
        width = tag == wide ? 2 : 4;
        int rc = number_at (self, width, &n);
        if (rc)
            return rc;
    } else {
        return WEFT_ETYPE;
    }
    //  An element takes a byte at least, so this is the most there can be.
    if (n * each > weft_cursor_left (self) - 1 - width)
        return WEFT_ETRUNCATED;
    self->at += 1 + width;
    *count = (uint32_t)n;
    return 0;
}

int
weft_cursor_array (weft_cursor_t *self, uint32_t *count)
{
    return count_at (self, 0x90, 0xdc, 1, count);
}

int
weft_cursor_map (weft_cursor_t *self, uint32_t *count)
{
    return count_at (self, 0x80, 0xde, 2, count);
}

//  Size of a value that is no container and has no length of its own, tag
//  included; 0 if it is something else.
static size_t
plain_size (int tag)
{
    static const uint8_t fixext[] = { 3, 4, 6, 10, 18 };
    if (tag <= 0x7f || tag >= 0xe0 || tag == 0xc0 || tag == 0xc2 || tag == 0xc3)
        return 1;
    if (tag == 0xca)
        return 5;
    if (tag == 0xcb)
        return 9;
    if (tag >= 0xcc && tag <= 0xd3)
        return 1 + ((size_t)1 << (tag & 3));
    if (tag >= 0xd4 && tag <= 0xd8)
        return fixext[tag - 0xd4];
    return 0;
}

static int
skip_bytes (weft_cursor_t *self, int tag)
{
    weft_bin_t bytes;
    weft_str_t text;
    if (tag >= 0xc4 && tag <= 0xc6)
        return weft_cursor_bin (self, &bytes);
    if (tag < 0xc7 || tag > 0xc9)
        return weft_cursor_str (self, &text);
    //  An extension: a length, a type byte, the data.
    size_t width = (size_t)1 << (tag - 0xc7);
    uint64_t length;
    int rc = number_at (self, width, &length);
    if (rc)
        return rc;
    if (length + 2 + width > weft_cursor_left (self))
        return WEFT_ETRUNCATED;
    self->at += 2 + width + length;
    return 0;
}

static int
skip_flat (weft_cursor_t *self, int tag)
{
    size_t size = plain_size (tag);
    if (size == 0)
        return skip_bytes (self, tag);
    if (size > weft_cursor_left (self))
        return WEFT_ETRUNCATED;
    self->at += size;
    return 0;
}

//  Walks without recursion: `left` holds what is open at each depth.
int
weft_cursor_skip (weft_cursor_t *self)
{
    weft_cursor_t start = *self;
    uint64_t left[WEFT_CURSOR_DEPTH + 1] = { 1 };
    size_t depth = 0;
    int rc = 0;
    while (!rc) {
        while (left[depth] == 0) {
            if (depth == 0)
                return 0;
            depth--;
        }
        left[depth]--;
        int tag = tag_at (self);
        uint32_t count = 0;
        bool map = (tag & 0xf0) == 0x80 || tag == 0xde || tag == 0xdf;
        if (tag < 0)
            rc = WEFT_ETRUNCATED;
        else if (map)
            rc = weft_cursor_map (self, &count);
        else if ((tag & 0xf0) == 0x90 || tag == 0xdc || tag == 0xdd)
            rc = weft_cursor_array (self, &count);
        else if (tag == 0xc1)
            rc = WEFT_EMALFORMED;
        else
            rc = skip_flat (self, tag);
        if (!rc && count > 0) {
            if (depth == WEFT_CURSOR_DEPTH)
                rc = WEFT_ETOODEEP;
            else
                left[++depth] = (uint64_t)count * (map ? 2 : 1);
        }
    }
    *self = start;
    return rc;
}

bool
weft_str_is (weft_str_t self, const char *text)
{
    size_t n = strlen (text);
    return self.p && self.n == n && memcmp (self.p, text, n) == 0;
}

void
weft_str_copy (weft_str_t self, char *out, size_t room)
{
    size_t n = self.p ? WEFT_MIN (self.n, room - 1) : 0;
    if (n > 0)
        memcpy (out, self.p, n);
    out[n] = 0;
}

weft_str_t
weft_str (const char *text)
{
    return (weft_str_t){ text, (uint32_t)strlen (text) };
}
