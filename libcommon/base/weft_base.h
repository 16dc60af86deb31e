//  weft_base.h - what every file of Weft includes first.
//
//  Error codes and their classes, the attributes that make results checked,
//  little-endian access for data that comes from a wire, and the list of
//  functions that nobody may call. No state, no thread.

#ifndef WEFT_BASE_H_INCLUDED
#define WEFT_BASE_H_INCLUDED

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

//  The result must be looked at.
#define WEFT_CHECK __attribute__ ((warn_unused_result))
//  Returns new: the caller owns what comes back and destroys it.
#define WEFT_NEW __attribute__ ((warn_unused_result))
#define WEFT_PRINTF(fmt, args) __attribute__ ((format (printf, fmt, args)))
#define WEFT_UNUSED __attribute__ ((unused))

#define WEFT_COUNT(array) (sizeof (array) / sizeof ((array)[0]))
#define WEFT_MIN(a, b) ((a) < (b) ? (a) : (b))
#define WEFT_MAX(a, b) ((a) > (b) ? (a) : (b))

//  Errors are 0 or one of these negative numbers. The class of a code is what
//  the mesh does about it: retry (give the alert back), reject (a dead letter
//  with the reason), fatal (the process ends and says why).
//     code             number  class     text
#define WEFT_ERRORS(X)                                                         \
    X (WEFT_EAGAIN, -1, RETRY, "not now, try again")                           \
    X (WEFT_EIO, -2, RETRY, "input or output failed")                          \
    X (WEFT_EDOWN, -3, RETRY, "a dependency is down")                          \
    X (WEFT_EMALFORMED, -10, REJECT, "malformed data")                         \
    X (WEFT_ETRUNCATED, -11, REJECT, "data ends too early")                    \
    X (WEFT_ETOOBIG, -12, REJECT, "over a size limit")                         \
    X (WEFT_ETOODEEP, -13, REJECT, "nested too deeply")                        \
    X (WEFT_ESCHEMA, -14, REJECT, "a schema that cannot be read")              \
    X (WEFT_EVERSION, -15, REJECT, "a contract version that is not known")     \
    X (WEFT_EABSENT, -16, REJECT, "a field that must be there is absent")      \
    X (WEFT_ETYPE, -17, REJECT, "a field has another type")                    \
    X (WEFT_ERANGE, -18, REJECT, "a value out of range")                       \
    X (WEFT_EREJECT, -19, REJECT, "the stage cannot process this alert")       \
    X (WEFT_EPROTO, -20, REJECT, "the peer broke the protocol")                \
    X (WEFT_ECRASHED, -21, REJECT, "the alert crashes the stage")              \
    X (WEFT_EHUNG, -22, REJECT, "the alert hangs the stage")                   \
    X (WEFT_ESTUCK, -23, REJECT, "nobody settles this alert")                  \
    X (WEFT_ENOMEM, -40, FATAL, "out of memory")                               \
    X (WEFT_ECONFIG, -41, FATAL, "the configuration is wrong")                 \
    X (WEFT_EUSAGE, -42, FATAL, "the command line is wrong")                   \
    X (WEFT_EEXIST, -43, FATAL, "it exists already")                           \
    X (WEFT_ENOENT, -44, FATAL, "there is no such thing")                      \
    X (WEFT_EBUG, -99, FATAL, "a bug in Weft")

typedef enum {
    WEFT_CLASS_RETRY,
    WEFT_CLASS_REJECT,
    WEFT_CLASS_FATAL
} weft_class_t;

enum {
#define X(code, number, class, text) code = number,
    WEFT_ERRORS (X)
#undef X
};

//  What the mesh does about an error code. Unknown codes are fatal.
weft_class_t weft_error_class (int rc);

//  A static text for an error code, for people.
const char *weft_error_text (int rc);

//  The code's name ("WEFT_EIO"), static.
const char *weft_error_name (int rc);

//  Little-endian access at any address: wire data is never aligned.
static inline uint16_t
weft_get_u16 (const void *p)
{
    const uint8_t *b = p;
    return (uint16_t)(b[0] | b[1] << 8);
}

static inline uint32_t
weft_get_u32 (const void *p)
{
    uint32_t v;
    memcpy (&v, p, 4);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap32 (v);
#endif
    return v;
}

static inline uint64_t
weft_get_u64 (const void *p)
{
    uint64_t v;
    memcpy (&v, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64 (v);
#endif
    return v;
}

static inline float
weft_get_f32 (const void *p)
{
    uint32_t bits = weft_get_u32 (p);
    float v;
    memcpy (&v, &bits, 4);
    return v;
}

static inline double
weft_get_f64 (const void *p)
{
    uint64_t bits = weft_get_u64 (p);
    double v;
    memcpy (&v, &bits, 8);
    return v;
}

static inline void
weft_put_u32 (void *p, uint32_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap32 (v);
#endif
    memcpy (p, &v, 4);
}

static inline void
weft_put_u64 (void *p, uint64_t v)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64 (v);
#endif
    memcpy (p, &v, 8);
}

static inline void
weft_put_f32 (void *p, float v)
{
    uint32_t bits;
    memcpy (&bits, &v, 4);
    weft_put_u32 (p, bits);
}

static inline void
weft_put_f64 (void *p, double v)
{
    uint64_t bits;
    memcpy (&bits, &v, 8);
    weft_put_u64 (p, bits);
}

//  Banned: no bound, no error, or hidden state. Headers that need one of them
//  are included before this one.
#ifndef WEFT_NO_POISON
#undef alloca
#pragma GCC poison strcpy strcat sprintf gets strtok atoi atof alloca system
#endif

#endif
