//  weft_packet_read.h - one packet by its reference, with one call.
//
//      weft_packet_places_t places = { .folder = "/data/packets" };
//      int rc = weft_packet_fetch (&places, &alert->raw_ref, &bytes);
//
//  From the folder if it is there, else over HTTP from the ingest that wrote
//  it, which Redis names. Whatever comes is checked against the reference's sum.
//  Each call opens what it reads; any thread, but for the Redis connection.

#ifndef WEFT_PACKET_READ_H_INCLUDED
#define WEFT_PACKET_READ_H_INCLUDED

#include "weft_buf.h"
#include "weft_packet.h"
#include "weft_redis.h"

typedef struct {
    const char *folder;   //  of segments on this host, NULL: none
    const char *address;  //  host:port of an ingest, NULL: ask Redis
    weft_redis_t *redis;  //  NULL: only what is above
    int timeout_ms;       //  of HTTP, 0: 2000
} weft_packet_places_t;

//  Replaces what `out` holds by the packet's bytes (its ceiling must allow
//  them). WEFT_ENOENT: not stored, or gone; WEFT_EMALFORMED: what is there is
//  another packet, or damaged; WEFT_EDOWN: the ingest or Redis does not answer;
//  WEFT_EIO; WEFT_ETOOBIG.
WEFT_CHECK int weft_packet_fetch (const weft_packet_places_t *places,
                                  const weft_raw_ref_v1_t *raw,
                                  weft_buf_t *out);
WEFT_CHECK int weft_packet_find (const weft_packet_places_t *places,
                                 const weft_packet_ref_t *ref,
                                 weft_buf_t *out);

//  From a folder of this host only.
WEFT_CHECK int weft_packet_read (const char *folder,
                                 const weft_packet_ref_t *ref,
                                 weft_buf_t *out);

//  From "host:port" only.
WEFT_CHECK int weft_packet_get (const char *address,
                                const weft_packet_ref_t *ref,
                                int timeout_ms,
                                weft_buf_t *out);

#endif
