//  weft_hash.h - checksums and hash functions.
//
//  One fast 64-bit hash for tables, buckets and fingerprints that stay inside
//  Weft, and SHA (libcrypto) for what others check. Any thread.

#ifndef WEFT_HASH_H_INCLUDED
#define WEFT_HASH_H_INCLUDED

#include "weft_base.h"

//  64-bit hash of bytes: FNV-1a over 8-byte words with a final avalanche.
//  Stable across machines; not against an adversary.
uint64_t weft_hash (const void *data, size_t size);

//  Mixes one 64-bit number (the finaliser of MurmurHash3).
uint64_t weft_hash_u64 (uint64_t value);

//  SHA-256 of bytes.
void weft_sha256 (const void *data, size_t size, uint8_t out[32]);

//  SHA-1 of bytes: the name that Redis gives to a script, nothing else.
void weft_sha1 (const void *data, size_t size, uint8_t out[20]);

//  Lower-case hexadecimal of `size` bytes; `out` holds 2 * size + 1.
void weft_hex (const void *data, size_t size, char *out);

#endif
