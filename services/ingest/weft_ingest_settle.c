//  weft_ingest_settle.c - books what became of alerts, and the low mark.

#include "weft_ingest_parts.h"

#include "weft_log.h"
#include "weft_time.h"
#include "weft_written.h"

#define PLACE_MS 500   //  the low mark is written at most that often
#define LETTERS_MS 40  //  that letters are waited for at once

static int
add_booking (ingest_t *self, size_t *n, const weft_booking_t *booking)
{
    if (*n == self->room_bookings) {
        size_t room = self->room_bookings ? 2 * self->room_bookings : 512;
        weft_booking_t *moved =
            realloc (self->bookings, room * sizeof (*moved));
        if (!moved)
            return WEFT_ENOMEM;
        self->bookings = moved;
        self->room_bookings = room;
    }
    self->bookings[(*n)++] = *booking;
    return 0;
}

//  A flight, then those that waited for it: they are duplicates of it. A letter
//  that was put back and waited for an alert that died stays dead.
static int
add_flight (ingest_t *self,
            size_t *n,
            const weft_flight_t *flight,
            weft_outcome_t outcome)
{
    weft_booking_t booking = flight->booking;
    booking.outcome = outcome == WEFT_OUTCOME_SETTLED ? WEFT_BOOKED_SETTLED
                                                      : WEFT_BOOKED_DEAD;
    int rc = add_booking (self, n, &booking);
    for (const weft_flight_t *other = flight->waiting; !rc && other;
         other = other->next) {
        if (*other->replay && outcome != WEFT_OUTCOME_SETTLED)
            continue;
        booking = other->booking;
        booking.outcome = WEFT_BOOKED_DUPLICATE;
        rc = add_booking (self, n, &booking);
    }
    return rc;
}

int
weft_ingest_written (const ingest_t *self, int64_t most_ms)
{
    int64_t until = weft_time_ms () + most_ms;
    int rc = weft_redis_written (self->bulk, most_ms);
    most_ms = WEFT_MAX (0, until - weft_time_ms ());
    if (rc == 0 && self->bulk != self->redis)
        rc = weft_redis_written (self->redis, most_ms);
    return rc;
}

//  Letters are in the one Redis, and in a cluster bookings are elsewhere: one
//  that says dead must not outlive its letter. (Where both are in one file, the
//  letter comes first there. The keeper has waited for those of stages.)
int
weft_ingest_book (ingest_t *self, weft_booking_t *bookings, size_t n)
{
    bool dead = false;
    for (size_t i = 0; i < n; i++)
        dead |= bookings[i].outcome == WEFT_BOOKED_DEAD;
    int rc = dead && self->bulk != self->redis
                 ? weft_redis_written (self->redis, LETTERS_MS)
                 : 0;
    return rc ? rc : weft_ledger_book (self->batch, bookings, n);
}

//  In pieces that the ledger takes; each may be booked again.
static int
book_all (ingest_t *self, size_t n)
{
    for (size_t i = 0; i < n; i += WEFT_LEDGER_BATCH_MOST) {
        size_t part = WEFT_MIN (n - i, (size_t)WEFT_LEDGER_BATCH_MOST);
        int rc = weft_ledger_book (self->batch, self->bookings + i, part);
        if (rc)
            return rc;
    }
    return 0;
}

static void
count (ingest_t *self, size_t n)
{
    for (size_t i = 0; i < n; i++)
        switch (self->bookings[i].booked) {
        case WEFT_BOOKED_SETTLED:
            self->counts.settled++;
            break;
        case WEFT_BOOKED_DEAD:
            self->counts.dead++;
            break;
        default:
            self->counts.duplicate++;
            weft_metric_add (self->duplicate_total, 1);
            break;
        }
}

int
weft_ingest_mark (ingest_t *self, const weft_taken_t *taken)
{
    if (!self->kafka)
        return weft_watermark_begin (self->mark, taken->offset, &taken->place);
    weft_kafka_take (self->kafka, &taken->at);
    return taken->topic ? 0 : WEFT_ENOMEM;
}

void
weft_ingest_again (ingest_t *self, const slot_t *slot)
{
    self->counts.again++;
    if (self->kafka && !slot->replay)
        weft_kafka_again (self->kafka, &slot->taken.at);
}

void
weft_ingest_end (ingest_t *self, const weft_position_t *at, int64_t offset)
{
    if (self->kafka)
        weft_kafka_end (self->kafka, at);
    else
        weft_watermark_end (self->mark, offset);
}

static void
end_flight (ingest_t *self, weft_flight_t *flight)
{
    if (!*flight->replay)
        weft_ingest_end (self, &flight->at, flight->booking.offset);
    for (weft_flight_t *other = flight->waiting; other; other = other->next)
        if (!*other->replay)
            weft_ingest_end (self, &other->at, other->booking.offset);
    weft_flights_end (self->flights, flight);
}

//  Letters that were put back: the flight itself, and those that waited for it,
//  which are booked.
static int
end_replays (ingest_t *self, const weft_settled_t *settled, size_t n)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < n; i++) {
        const weft_flight_t *flight = settled[i].token;
        if (*flight->replay)
            rc = weft_replay_done (self->replay, flight->replay,
                                   settled[i].outcome == WEFT_OUTCOME_SETTLED);
        for (const weft_flight_t *other = flight->waiting; !rc && other;
             other = other->next)
            if (*other->replay)
                rc = weft_replay_done (self->replay, other->replay, false);
    }
    return rc;
}

int
weft_ingest_settle (void *arg, const weft_settled_t *settled, size_t n)
{
    ingest_t *self = arg;
    size_t bookings = 0;
    int rc = 0;
    for (size_t i = 0; !rc && i < n; i++)
        rc = add_flight (self, &bookings, settled[i].token, settled[i].outcome);
    if (!rc)
        rc = book_all (self, bookings);
    if (!rc)
        rc = end_replays (self, settled, n);
    self->error = rc;
    if (rc)
        return rc;
    count (self, bookings);
    for (size_t i = 0; i < n; i++)
        end_flight (self, settled[i].token);
    return 0;
}

int
weft_ingest_find_nights (ingest_t *self)
{
    weft_booking_t bookings[WEFT_INGEST_BATCH];
    size_t n = 0, at = 0;
    for (size_t i = 0; i < self->n_slots; i++)
        if (self->slots[i].taken.rc && !self->slots[i].replay)
            bookings[n++] = self->slots[i].booking;
    int rc = n ? weft_ledger_find (self->batch, bookings, n) : 0;
    for (size_t i = 0; !rc && n && i < self->n_slots; i++)
        if (self->slots[i].taken.rc && !self->slots[i].replay)
            self->slots[i].booking.night = bookings[at++].night;
    return rc;
}

static void
name_place (const ingest_t *self, char *key, size_t room)
{
    snprintf (key, room, "place:%s/%d-of-%d", self->topic, self->share,
              self->shares);
}

//  It only saves time: the ledger knows what is done. So it lives beside the
//  ledger and is lost with it.
void
weft_ingest_save_place (ingest_t *self, int64_t now_ms)
{
    weft_place_t place;
    int64_t offset;
    char key[160];
    if (self->kafka || self->place_stays ||
        now_ms - self->place_ms < PLACE_MS || self->error ||
        !weft_watermark_low (self->mark, &offset, &place))
        return;
    self->place_ms = now_ms;
    //  Elsewhere than the bookings, or than letters, it could survive them.
    int rc = weft_ingest_written (self, 0);
    if (rc == WEFT_EAGAIN) {
        self->place_stays = true;
        weft_log (WEFT_WARN, "INGEST-PLACE-STAYS",
                  "a master of Redis was replaced that may have taken bookings "
                  "along: start it again, and what follows the saved place is "
                  "read again");
    }
    if (rc)
        return;
    name_place (self, key, sizeof (key));
    weft_batch_clear (self->batch);
    weft_batch_begin (self->batch, 3);
    weft_batch_str (self->batch, "SET");
    weft_batch_str (self->batch, key);
    weft_batch_argf (
        self->batch, "%llu %llu %llu %lld %lld", (unsigned long long)place.file,
        (unsigned long long)place.entry, (unsigned long long)place.item,
        (long long)place.offset, (long long)offset);
    (void)!weft_batch_run (self->batch);
}

int
weft_ingest_load_place (ingest_t *self)
{
    char key[160], text[160];
    unsigned long long file, entry, item;
    long long first, offset;
    if (self->kafka)
        return 0;
    name_place (self, key, sizeof (key));
    weft_batch_clear (self->batch);
    weft_batch_words (self->batch, "GET", key, NULL);
    int rc = weft_batch_run (self->batch);
    if (rc)
        return rc;
    weft_bin_t value = weft_reply_bytes (weft_batch_reply (self->batch, 0));
    if (!value.p)
        return 0;
    snprintf (text, sizeof (text), "%.*s", (int)value.n, (const char *)value.p);
    if (sscanf (text, "%llu %llu %llu %lld %lld", &file, &entry, &item, &first,
                &offset) != 5)
        return 0;
    const weft_place_t place = {
        .file = file, .entry = entry, .item = item, .offset = first
    };
    const weft_place_t start = { 0 };
    if (weft_reader_seek (self->reader, &place, offset)) {
        weft_log (WEFT_WARN, "INGEST-PLACE-LOST",
                  "cannot go on at %lld, reading from the start", offset);
        return weft_reader_seek (self->reader, &start, 0);
    }
    weft_log (WEFT_INFO, "INGEST-RESUMES", "at position %lld", offset);
    return 0;
}
