//  weft_ledger_spread.c - `seen` in a cluster, where it is not in one slot with
//  the bitmaps: first the id is won, then the outcome is booked.
//
//  What replaces the one transaction is this order, and that a winner never
//  changes (HSETNX). If the process dies between the two steps, the position has
//  won its id and has no outcome. It is read again, is no duplicate of itself,
//  and is booked then. Whoever else has the same alert is booked as its
//  duplicate, in whatever order: a position that is booked as duplicate always
//  has a winner beside it that is booked otherwise, now or when it is read
//  again. Only one case needs a rule of its own: a position that waits for
//  another one of the same id, and is to be booked as its duplicate, may have
//  won the id in an earlier life. Then the other one is the duplicate, and this
//  one is booked as settled.
//
//  All commands have one key: they work also while a slot is on its way.

#include "weft_ledger_parts.h"

#include "weft_seen.h"

static void
add_key (weft_batch_t *batch,
         const char *command,
         const weft_booking_t *booking)
{
    weft_batch_str (batch, command);
    weft_batch_argf (batch, "seen:%.*s:%d:%u", (int)booking->survey.n,
                     booking->survey.p, booking->night,
                     weft_seen_bucket (booking->alert_id));
}

static void
add_id (weft_batch_t *batch, const weft_booking_t *booking)
{
    uint8_t id[8];
    weft_put_u64 (id, (uint64_t)booking->alert_id);
    weft_batch_arg (batch, id, sizeof id);
}

static void
ask_winner (weft_batch_t *batch, const weft_booking_t *booking)
{
    weft_batch_begin (batch, 3);
    add_key (batch, "HGET", booking);
    add_id (batch, booking);
}

typedef enum { NOBODY, SELF, OTHER } winner_t;

static winner_t
winner_of (const weft_reply_t *reply, const weft_booking_t *booking)
{
    uint8_t own[WEFT_SEEN_POSITION];
    weft_bin_t position = weft_reply_bytes (reply);
    if (!position.p)
        return NOBODY;
    weft_seen_position (booking->topic, booking->partition, booking->offset,
                        own);
    return position.n == sizeof own && !memcmp (position.p, own, sizeof own)
               ? SELF
               : OTHER;
}

void
weft_ledger_seen_ask (weft_batch_t *batch,
                      const weft_booking_t *bookings,
                      size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (bookings[i].has_id)
            ask_winner (batch, &bookings[i]);
}

void
weft_ledger_seen_answer (const weft_batch_t *batch,
                         size_t first,
                         weft_booking_t *bookings,
                         size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!bookings[i].has_id)
            continue;
        winner_t winner =
            winner_of (weft_batch_reply (batch, first++), &bookings[i]);
        bookings[i].seen =
            winner == OTHER && bookings[i].booked == WEFT_BOOKED_NONE;
    }
}

//  Only who has an outcome of its own claims the id. The time it is kept is
//  counted from the last claim in its bucket.
static void
claim (weft_batch_t *batch, const weft_booking_t *booking)
{
    uint8_t position[WEFT_SEEN_POSITION];
    weft_seen_position (booking->topic, booking->partition, booking->offset,
                        position);
    weft_batch_begin (batch, 4);
    add_key (batch, "HSETNX", booking);
    add_id (batch, booking);
    weft_batch_arg (batch, position, sizeof position);
    weft_batch_begin (batch, 3);
    add_key (batch, "EXPIRE", booking);
    weft_batch_int (batch, WEFT_SEEN_SECONDS);
}

static void
change_verdict (weft_verdict_t *verdict, winner_t winner)
{
    if (winner == SELF && verdict->outcome == WEFT_BOOKED_DUPLICATE) {
        verdict->outcome = WEFT_BOOKED_SETTLED;
        verdict->flags &= (uint8_t)~WEFT_VERDICT_LOST;
    }
    if (winner != OTHER || verdict->outcome == WEFT_BOOKED_DUPLICATE)
        return;
    if (verdict->flags & WEFT_VERDICT_REPLAYED &&
        verdict->outcome == WEFT_BOOKED_SETTLED)
        verdict->flags |= WEFT_VERDICT_LOST;
    verdict->outcome = WEFT_BOOKED_DUPLICATE;
}

int
weft_ledger_win (weft_batch_t *batch,
                 const weft_booking_t *bookings,
                 size_t n,
                 weft_verdict_t *verdicts)
{
    weft_batch_clear (batch);
    weft_batch_keep (batch);
    for (size_t i = 0; i < n; i++)
        if (bookings[i].has_id && bookings[i].outcome != WEFT_BOOKED_DUPLICATE)
            claim (batch, &bookings[i]);
    size_t at = weft_batch_count (batch);
    weft_ledger_seen_ask (batch, bookings, n);
    int rc = weft_batch_run (batch);
    for (size_t i = 0; rc == 0 && i < n; i++)
        if (bookings[i].has_id)
            change_verdict (
                &verdicts[i],
                winner_of (weft_batch_reply (batch, at++), &bookings[i]));
    return rc;
}
