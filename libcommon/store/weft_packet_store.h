//  weft_packet_store.h - the writer of raw packets: one a process.
//
//  Appends each packet to the newest segment of its own before whoever refers
//  to it is told where. What was appended is there after a kill -9, as the
//  kernel holds it; a machine that loses power loses what it had not written
//  yet, and a reference to that finds nothing, as sums are checked.
//
//  A disk that is full (or slow to say so: a quota, a limit of the process, an
//  error) stops the store, not the stream: packets go on unstored, the log says
//  STORE-STOPPED once, and it is tried again every few seconds. Loop's thread.

#ifndef WEFT_PACKET_STORE_H_INCLUDED
#define WEFT_PACKET_STORE_H_INCLUDED

#include "weft_packet.h"
#include "weft_redis.h"

#define WEFT_PACKET_RETRY_MS 5000  //  pause before a full disk is tried again
#define WEFT_PACKET_ROLL_MS (3600 * 1000)  //  longest time in one segment

typedef struct {
    const char *folder;      //  made if it is not there; copied
    uint64_t segment_bytes;  //  a segment is not begun beyond
    double keep_days;        //  segments unchanged for longer go, 0: none
    uint64_t keep_bytes;     //  of the folder, oldest first, 0: no limit
    uint64_t free_bytes;     //  stops with less left on the disk
} weft_packet_store_config_t;

typedef struct weft_packet_store weft_packet_store_t;

//  Returns new: a store that goes on behind the last whole packet of its newest
//  segment; one that is torn at the very end is cut off. A segment that is
//  damaged stays as it is (STORE-DAMAGED), and another one is begun. `redis`: for a number that is unique among
//  hosts, borrowed for the call, NULL: unique in the folder. NULL with
//  `why` and *rc: WEFT_EDOWN (Redis), WEFT_EIO (the disk, now), WEFT_ECONFIG.
WEFT_NEW weft_packet_store_t *
weft_packet_store_new (const weft_packet_store_config_t *config,
                       weft_redis_t *redis,
                       int *rc,
                       char *why,
                       size_t room);

void weft_packet_store_destroy (weft_packet_store_t **self_p);

//  Appends a packet and says where. WEFT_EIO: it was not stored, *ref is empty;
//  WEFT_ETOOBIG likewise.
WEFT_CHECK int weft_packet_store_append (weft_packet_store_t *self,
                                         const weft_packet_t *packet,
                                         weft_packet_ref_t *ref);

//  Each beat: segments beyond keep_bytes go, and old ones if the clock that says
//  so is `sure`; the disk's room is looked at.
void
weft_packet_store_beat (weft_packet_store_t *self, int64_t now_ms, bool sure);

//  Why nothing is stored, NULL if it is. Borrows until the next call.
const char *weft_packet_store_stopped (const weft_packet_store_t *self);

//  The store's number, from 1.
uint32_t weft_packet_store_number (const weft_packet_store_t *self);

//  Removes segments of `folder`, oldest first: those unchanged for `keep_days`
//  (0: none), and beyond `keep_bytes` (0: none) all but the newest of each
//  store. Returns how many.
size_t weft_packet_retain (const char *folder,
                           double keep_days,
                           uint64_t keep_bytes,
                           int64_t now_us);

#endif
