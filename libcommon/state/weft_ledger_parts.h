//  weft_ledger_parts.h - what the ledger's files share. The connection's
//  thread.

#ifndef WEFT_LEDGER_PARTS_H_INCLUDED
#define WEFT_LEDGER_PARTS_H_INCLUDED

#include "weft_ledger.h"

#define WEFT_LEDGER_PIECE_MOST (WEFT_LEDGER_SOURCE_MOST + 24)

enum {
    WEFT_ACCOUNTS = 4,  //  received, settled, duplicate, dead
    WEFT_RECEIVED = 0,
    WEFT_DEAD = 3,
    WEFT_WINDOW_BITS = 11,  //  offsets of one group: at most 256 bytes
    WEFT_PIECE_BITS = 17,   //  offsets of one key: at most 16 kB
    WEFT_VERDICT_ID = 1,
    WEFT_VERDICT_REPLAYED = 2,
    WEFT_VERDICT_LOST = 4,
};

//  What the script is told of a booking.
typedef struct {
    uint8_t outcome;  //  weft_booked_t
    uint8_t flags;    //  WEFT_VERDICT_...
} weft_verdict_t;

//  Can these be booked (or taken)? WEFT_ETOOBIG, WEFT_ERANGE.
WEFT_CHECK int
weft_ledger_check (const weft_booking_t *bookings, size_t n, bool book);

//  The piece that a booking is in.
void weft_ledger_piece (const weft_booking_t *booking,
                        char piece[WEFT_LEDGER_PIECE_MOST]);

//  Appends the key of a bitmap as an argument. `piece` is "topic/partition:n".
void weft_ledger_key (weft_batch_t *batch,
                      int32_t night,
                      size_t account,
                      const char *piece);

//  In a cluster. Take: asks who has won the ids, after the scripts; `first` is
//  the first of these replies. Book: claims the ids in a run of its own, and
//  changes the verdicts of who lost.
void weft_ledger_seen_ask (weft_batch_t *batch,
                           const weft_booking_t *bookings,
                           size_t n);
void weft_ledger_seen_answer (const weft_batch_t *batch,
                              size_t first,
                              weft_booking_t *bookings,
                              size_t n);
WEFT_CHECK int weft_ledger_win (weft_batch_t *batch,
                                const weft_booking_t *bookings,
                                size_t n,
                                weft_verdict_t *verdicts);

#endif
