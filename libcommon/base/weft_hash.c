//  weft_hash.c - checksums and hash functions.
//
//  Digests go by OpenSSL's plain functions, which its version 3 calls old: its
//  new ones load all of its algorithms first, 2 MB in each service, and look
//  the algorithm up by name in each call.

#define OPENSSL_API_COMPAT 0x10100000L

#include "weft_hash.h"

#include <openssl/sha.h>

#define FNV_OFFSET UINT64_C (14695981039346656037)
#define FNV_PRIME UINT64_C (1099511628211)

uint64_t
weft_hash_u64 (uint64_t value)
{
    value ^= value >> 33;
    value *= UINT64_C (0xff51afd7ed558ccd);
    value ^= value >> 33;
    value *= UINT64_C (0xc4ceb9fe1a85ec53);
    return value ^ value >> 33;
}

uint64_t
weft_hash (const void *data, size_t size)
{
    const uint8_t *p = data;
    uint64_t hash = FNV_OFFSET ^ size;
    for (; size >= 8; p += 8, size -= 8) {
        hash = (hash ^ weft_get_u64 (p)) * FNV_PRIME;
        hash ^= hash >> 29;
    }
    for (; size > 0; p++, size--)
        hash = (hash ^ *p) * FNV_PRIME;
    return weft_hash_u64 (hash);
}

void
weft_sha256 (const void *data, size_t size, uint8_t out[32])
{
    SHA256_CTX context;
    SHA256_Init (&context);
    SHA256_Update (&context, data, size);
    SHA256_Final (out, &context);
}

void
weft_sha1 (const void *data, size_t size, uint8_t out[20])
{
    SHA_CTX context;
    SHA1_Init (&context);
    SHA1_Update (&context, data, size);
    SHA1_Final (out, &context);
}

void
weft_hex (const void *data, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = data;
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * size] = 0;
}
