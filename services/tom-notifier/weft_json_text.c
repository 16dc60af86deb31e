//  weft_json_text.c - JSON written straight into a buffer.

#include "weft_json_text.h"

#include <math.h>

//  Bytes of the UTF-8 character at `p`, 0 if it is none. Overlong forms,
//  surrogates and what lies beyond U+10FFFF are none.
static uint32_t
utf8_size (const uint8_t *p, uint32_t left)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint32_t n = p[0] < 0x80             ? 1
                 : (p[0] & 0xe0) == 0xc0 ? 2
                 : (p[0] & 0xf0) == 0xe0 ? 3
                 : (p[0] & 0xf8) == 0xf0 ? 4
                                         : 0;
    if (n <= 1 || n > left)
        return n == 1;
    uint32_t code = p[0] & (0x7fu >> n);
    for (uint32_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (p[i] & 0x3f);
    }
    bool bad = code < least[n] || code > 0x10ffff ||
               (code >= 0xd800 && code <= 0xdfff);
    return bad ? 0 : n;
}

void
weft_json_add_text (weft_buf_t *out, weft_str_t text)
{
    const uint8_t *p = (const uint8_t *)text.p;
    weft_buf_add (out, "\"", 1);
    uint32_t from = 0, at = 0;
    while (at < text.n) {
        uint32_t n = utf8_size (p + at, text.n - at);
        if (n > 0 && p[at] >= ' ' && p[at] != '"' && p[at] != '\\') {
            at += n;
            continue;
        }
        weft_buf_add (out, p + from, at - from);
        if (n == 0 || p[at] == 0)
            weft_buf_add (out, "?", 1);
        else
            weft_buf_addf (out, "\\u%04x", p[at]);
        from = ++at;
    }
    weft_buf_add (out, p + from, at - from);
    weft_buf_add (out, "\"", 1);
}

void
weft_json_add_int (weft_buf_t *out, int64_t value)
{
    char text[24];
    char *end = text + sizeof text, *at = end;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        *--at = '-';
    weft_buf_add (out, at, (size_t)(end - at));
}

void
weft_json_add_id (weft_buf_t *out, int64_t id)
{
    weft_buf_add (out, "\"", 1);
    weft_json_add_int (out, id);
    weft_buf_add (out, "\"", 1);
}

void
weft_json_add_fixed (weft_buf_t *out, double value, int decimals)
{
    static const double scales[] = { 1,   1e1, 1e2, 1e3, 1e4,
                                     1e5, 1e6, 1e7, 1e8, 1e9 };
    assert (decimals >= 0 && decimals <= 9);
    if (!isfinite (value)) {
        weft_buf_add (out, "null", 4);
        return;
    }
    double scaled = fabs (value) * scales[decimals];
    if (scaled > 0x1p53) {
        weft_buf_addf (out, "%.15g", value);
        return;
    }
    uint64_t digits = (uint64_t)llround (scaled);
    uint64_t scale = (uint64_t)scales[decimals];
    if (value < 0 && digits > 0)
        weft_buf_add (out, "-", 1);
    weft_json_add_int (out, (int64_t)(digits / scale));
    char text[10] = "";
    int n = decimals;
    uint64_t rest = digits % scale;
    for (int i = n; i-- > 0; rest /= 10)
        text[i] = (char)('0' + rest % 10);
    while (n > 0 && text[n - 1] == '0')
        n--;
    if (n == 0)
        return;
    weft_buf_add (out, ".", 1);
    weft_buf_add (out, text, (size_t)n);
}

void
weft_json_add_raw (weft_buf_t *out, const char *text)
{
    weft_buf_add (out, text, strlen (text));
}
