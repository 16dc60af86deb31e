//  weft_ledger.h - what became of every source position, once each.
//
//  The ledger counts positions (topic, partition, offset), so that re-reads
//  and re-issued commands count once: per night and outcome one bitmap per
//  partition, in pieces of 2^17 offsets. The first outcome wins; a replayed
//  dead letter moves to settled (or duplicate, if its id has another winner by
//  then). `seen` (weft_seen.h) is written in the same transaction, when an alert
//  has its outcome, never on receipt; in a cluster right before, which is as
//  good (weft_ledger_spread.c says why).
//
//     received = settled + duplicate + dead + in_flight
//
//  Ingest books: weft_ledger_take when it has read positions,
//  weft_ledger_book when the mesh has settled them, then the offsets' store.
//  Both are idempotent. The connection is that of histories and `seen`
//  (redis.cluster where there is one). Same thread as the connection.

#ifndef WEFT_LEDGER_H_INCLUDED
#define WEFT_LEDGER_H_INCLUDED

#include "weft_redis.h"

//  Bytes of "topic#item/partition": Kafka's topics have 249 at most.
#define WEFT_LEDGER_SOURCE_MOST 272
#define WEFT_LEDGER_BATCH_MOST 1024  //  bookings in one call
#define WEFT_LEDGER_NO_NIGHT 0       //  of what cannot be decoded

typedef enum {
    WEFT_BOOKED_NONE = 0,       //  in flight
    WEFT_BOOKED_SETTLED = 1,    //  settled by all branches
    WEFT_BOOKED_DEAD = 2,       //  a dead letter
    WEFT_BOOKED_DUPLICATE = 3,  //  another position has the same alert id
} weft_booked_t;

typedef struct {
    weft_str_t survey;  //  borrowed until the answer is read, as all here
    weft_str_t topic;   //  or the name of the input
    int32_t partition;
    int64_t offset;  //  0 or more
    int32_t night;   //  must be the same whenever this position is read again;
                     //  WEFT_LEDGER_NO_NIGHT: see weft_ledger_find
    int64_t alert_id;  //  only with has_id
    bool has_id;       //  false: a packet that could not be decoded
    bool replayed;     //  book: a dead letter that was put back
    uint8_t outcome;   //  book: what is to be booked (weft_booked_t)
    uint8_t booked;    //  answer: what stands in the ledger for this position
    bool seen;         //  take's answer: another position has won this id
} weft_booking_t;

//  Take: marks positions as received, and asks what is known of them. Answer:
//  `booked` other than NONE: this position is done, skip it (a re-read);
//  `seen`: book it as a duplicate; else it is new.
//
//  Book: writes outcomes. A settled or dead alert whose id another position
//  has won is booked as duplicate. Answer: `booked`, what now stands.
//
//  A position that was booked dead without a night is DEAD for whoever takes it
//  under one: it could not be decoded then, and its letter waits to be put back.
//  Taking under no night only asks; booking marks it as received, too. What has
//  an outcome under a night keeps it there alone: that is the answer to whoever
//  takes or books it without one.
//
//  The _ask function appends commands to `batch`, the _answer function reads
//  its replies after a run that returned 0; `first` is what _ask returned.
//  Bookings must not be reordered between the two. WEFT_ERANGE if a position
//  has a negative offset or too long a name, WEFT_ETOOBIG if `n` is too large:
//  nothing is appended then. They may be part of a batch with other commands.
WEFT_CHECK int weft_ledger_take_ask (weft_batch_t *batch,
                                     const weft_booking_t *bookings,
                                     size_t n,
                                     size_t *first);
WEFT_CHECK int weft_ledger_take_answer (const weft_batch_t *batch,
                                        size_t first,
                                        weft_booking_t *bookings,
                                        size_t n);

//  Ask, run, answer on a batch that is cleared first. WEFT_EDOWN: nothing is
//  known, call again with the same bookings. Booking takes one round trip, and
//  in a cluster two.
WEFT_CHECK int
weft_ledger_take (weft_batch_t *batch, weft_booking_t *bookings, size_t n);
WEFT_CHECK int
weft_ledger_book (weft_batch_t *batch, weft_booking_t *bookings, size_t n);

//  Positions that cannot be decoded (now): fills in the night under which each
//  was received when it could be, and leaves WEFT_LEDGER_NO_NIGHT otherwise. So
//  each is counted once, in whichever order it could and could not be decoded.
//  Two round trips, and more of them where there are thousands of nights. Errors
//  as of take.
WEFT_CHECK int
weft_ledger_find (weft_batch_t *batch, weft_booking_t *bookings, size_t n);

//  One night's account, counted from the bitmaps.
typedef struct {
    int32_t night;
    uint64_t received, settled, duplicate, dead;
    uint64_t in_flight;  //  received and without an outcome, counted, not
                         //  the difference
    bool balanced;       //  the sum holds
} weft_account_t;

//  Returns new in *accounts: all nights in order, for the caller to free;
//  NULL and 0 if there are none.
WEFT_CHECK int
weft_ledger_read (weft_redis_t *redis, weft_account_t **accounts, size_t *n);

#endif
