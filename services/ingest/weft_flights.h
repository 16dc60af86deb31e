//  weft_flights.h - alerts on their way through the mesh, by alert id.
//
//  A second position with an id that is in flight is a duplicate, but it is
//  booked as one only when the first has its outcome: else an alert could end
//  with nothing but duplicates. One thread.

#ifndef WEFT_FLIGHTS_H_INCLUDED
#define WEFT_FLIGHTS_H_INCLUDED

#include "weft_input.h"
#include "weft_ledger.h"

typedef struct weft_flight weft_flight_t;
struct weft_flight {
    weft_booking_t booking;  //  of the position; topic and survey are borrowed
    weft_position_t at;      //  the same in a stream
    weft_flight_t *next;     //  in its bucket
    weft_flight_t *waiting;  //  duplicates of it, a list
    char replay[WEFT_LEDGER_SOURCE_MOST + 64];   //  its letter's key, or ""
    char replay_topic[WEFT_LEDGER_SOURCE_MOST];  //  what its booking borrows
};

typedef struct weft_flights weft_flights_t;

WEFT_NEW weft_flights_t *weft_flights_new (void);
void weft_flights_destroy (weft_flights_t **self_p);

//  Returns new in *flight: a flight of this booking, read `at`, or put back as the
//  letter `replay` (else ""). If the id is in flight already, it waits there and
//  *flight is NULL. WEFT_ENOMEM.
WEFT_CHECK int weft_flights_add (weft_flights_t *self,
                                 const weft_booking_t *booking,
                                 const weft_position_t *at,
                                 const char *replay,
                                 weft_flight_t **flight);

//  The flight has ended: it goes, and those that wait for it.
void weft_flights_end (weft_flights_t *self, weft_flight_t *flight);

size_t weft_flights_count (const weft_flights_t *self);

#endif
