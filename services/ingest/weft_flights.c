//  weft_flights.c - a hash table of what is in flight.

#include "weft_flights.h"

#include "weft_hash.h"

#define BUCKETS 16384

struct weft_flights {
    weft_flight_t *buckets[BUCKETS];
    size_t n;
};

weft_flights_t *
weft_flights_new (void)
{
    return calloc (1, sizeof (weft_flights_t));
}

static void
free_waiting (weft_flight_t *flight)
{
    while (flight->waiting) {
        weft_flight_t *next = flight->waiting->next;
        free (flight->waiting);
        flight->waiting = next;
    }
}

void
weft_flights_destroy (weft_flights_t **self_p)
{
    weft_flights_t *self = *self_p;
    if (!self)
        return;
    for (size_t i = 0; i < BUCKETS; i++)
        for (weft_flight_t *flight = self->buckets[i], *next; flight;
             flight = next) {
            next = flight->next;
            free_waiting (flight);
            free (flight);
        }
    free (self);
    *self_p = NULL;
}

static weft_flight_t **
bucket_of (weft_flights_t *self, const weft_booking_t *booking)
{
    uint64_t hash = weft_hash_u64 ((uint64_t)booking->alert_id) ^
                    weft_hash (booking->survey.p, booking->survey.n);
    return &self->buckets[hash % BUCKETS];
}

static bool
same_alert (const weft_booking_t *a, const weft_booking_t *b)
{
    return a->alert_id == b->alert_id && a->survey.n == b->survey.n &&
           !memcmp (a->survey.p, b->survey.p, a->survey.n);
}

int
weft_flights_add (weft_flights_t *self,
                  const weft_booking_t *booking,
                  const weft_position_t *at,
                  const char *replay,
                  weft_flight_t **flight)
{
    weft_flight_t *added = calloc (1, sizeof (*added));
    if (!added)
        return WEFT_ENOMEM;
    added->booking = *booking;
    added->at = *at;
    snprintf (added->replay, sizeof (added->replay), "%s", replay);
    //  The topic of a replay is nobody else's.
    if (booking->replayed) {
        weft_str_copy (booking->topic, added->replay_topic,
                       sizeof (added->replay_topic));
        added->booking.topic = weft_str (added->replay_topic);
    }
    weft_flight_t **bucket = bucket_of (self, booking);
    for (weft_flight_t *other = *bucket; other; other = other->next)
        if (same_alert (&other->booking, booking)) {
            added->next = other->waiting;
            other->waiting = added;
            *flight = NULL;
            return 0;
        }
    added->next = *bucket;
    *bucket = added;
    self->n++;
    *flight = added;
    return 0;
}

void
weft_flights_end (weft_flights_t *self, weft_flight_t *flight)
{
    weft_flight_t **at = bucket_of (self, &flight->booking);
    while (*at && *at != flight)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = flight->next;
    self->n--;
    free_waiting (flight);
    free (flight);
}

size_t
weft_flights_count (const weft_flights_t *self)
{
    return self->n;
}
