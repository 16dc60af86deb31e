//  dlq_bytes.h - the packet of a dead letter that only kept its place. One
//  thread.

#ifndef DLQ_BYTES_H_INCLUDED
#define DLQ_BYTES_H_INCLUDED

#include "weft_packet_read.h"

#define DLQ_BYTES_WHY 1024

//  Reads it from the packet store, else from its path on this host; replaces
//  what `out` holds. Where the letter has the packet's sum, another packet that
//  stands there now is refused. An error with `why`, which says what was tried.
WEFT_CHECK int dlq_bytes_find (const weft_packet_places_t *places,
                               const weft_dead_v1_t *dead,
                               weft_buf_t *out,
                               char why[DLQ_BYTES_WHY]);

//  Writes a letter's bytes, its own or those found, into a file; else says why
//  not, and returns false.
WEFT_CHECK bool dlq_bytes_write (const weft_packet_places_t *places,
                                 const weft_dead_v1_t *dead,
                                 const char *path);

#endif
