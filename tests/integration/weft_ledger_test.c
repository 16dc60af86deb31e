//  weft_ledger_test.c - every position once, whatever is repeated or broken.

#include "../unit/testing.h"

#include "both.h"
#include "weft_gaps.h"
#include "weft_ledger.h"
#include "weft_log.h"
#include "weft_seen.h"

static weft_booking_t
booking (int64_t offset, int64_t alert_id, int outcome)
{
    return (weft_booking_t){
        .survey = weft_str ("ztf"),
        .topic = weft_str ("night/topic"),
        .partition = 3,
        .offset = offset,
        .night = 61000,
        .has_id = alert_id != 0,
        .alert_id = alert_id,
        .outcome = (uint8_t)outcome,
    };
}

static int
take_one (int64_t offset, int64_t alert_id, bool *seen)
{
    weft_booking_t one = booking (offset, alert_id, 0);
    assert_int_equal (weft_ledger_take (batch, &one, 1), 0);
    if (seen)
        *seen = one.seen;
    return one.booked;
}

static int
book_one (int64_t offset, int64_t alert_id, int outcome)
{
    weft_booking_t one = booking (offset, alert_id, outcome);
    assert_int_equal (weft_ledger_book (batch, &one, 1), 0);
    return one.booked;
}

static weft_account_t
account_of (int32_t night)
{
    weft_account_t *accounts = NULL, found = { 0 };
    size_t n = 0;
    assert_int_equal (weft_ledger_read (redis, &accounts, &n), 0);
    for (size_t i = 0; i < n; i++)
        if (accounts[i].night == night)
            found = accounts[i];
    free (accounts);
    return found;
}

static void
assert_account (uint64_t received,
                uint64_t settled,
                uint64_t duplicate,
                uint64_t dead,
                uint64_t in_flight)
{
    weft_account_t account = account_of (61000);
    assert_int_equal (account.received, received);
    assert_int_equal (account.settled, settled);
    assert_int_equal (account.duplicate, duplicate);
    assert_int_equal (account.dead, dead);
    assert_int_equal (account.in_flight, in_flight);
    assert_true (account.balanced);
}

static void
what_is_taken_is_in_flight_until_booked (void **state)
{
    (void)state;
    bool seen = true;
    assert_int_equal (take_one (10, 100, &seen), WEFT_BOOKED_NONE);
    assert_false (seen);
    assert_int_equal (take_one (11, 101, NULL), WEFT_BOOKED_NONE);
    assert_int_equal (take_one (10, 100, NULL), WEFT_BOOKED_NONE);
    assert_account (2, 0, 0, 0, 2);
    assert_int_equal (book_one (10, 100, WEFT_BOOKED_SETTLED), 1);
    assert_account (2, 1, 0, 0, 1);
}

static void
a_position_is_no_duplicate_of_itself (void **state)
{
    (void)state;
    bool seen = true;
    assert_int_equal (book_one (10, 100, WEFT_BOOKED_SETTLED), 1);
    assert_int_equal (book_one (10, 100, WEFT_BOOKED_SETTLED), 1);
    assert_int_equal (take_one (10, 100, &seen), WEFT_BOOKED_SETTLED);
    assert_false (seen);
    assert_account (1, 1, 0, 0, 0);
}

static void
another_position_of_the_same_id_is_a_duplicate (void **state)
{
    (void)state;
    bool seen = false;
    assert_int_equal (book_one (10, -100, WEFT_BOOKED_SETTLED), 1);
    assert_int_equal (take_one (9000000, -100, &seen), WEFT_BOOKED_NONE);
    assert_true (seen);
    assert_int_equal (book_one (9000000, -100, WEFT_BOOKED_DUPLICATE), 3);
    //  Two replicas had one alert each in flight: the second to settle is it.
    assert_int_equal (book_one (12, -100, WEFT_BOOKED_SETTLED), 3);
    assert_account (3, 1, 2, 0, 0);
}

static void
the_first_outcome_wins (void **state)
{
    (void)state;
    assert_int_equal (book_one (5, 50, WEFT_BOOKED_DEAD), 2);
    assert_int_equal (book_one (5, 50, WEFT_BOOKED_SETTLED), 2);
    assert_int_equal (book_one (6, 60, WEFT_BOOKED_SETTLED), 1);
    assert_int_equal (book_one (6, 60, WEFT_BOOKED_DEAD), 1);
    assert_account (2, 1, 0, 1, 0);
}

static void
a_replayed_dead_letter_moves_to_settled (void **state)
{
    (void)state;
    assert_int_equal (book_one (5, 50, WEFT_BOOKED_DEAD), 2);
    for (int i = 0; i < 2; i++) {
        weft_booking_t one = booking (5, 50, WEFT_BOOKED_SETTLED);
        one.replayed = true;
        assert_int_equal (weft_ledger_book (batch, &one, 1), 0);
        assert_int_equal (one.booked, WEFT_BOOKED_SETTLED);
    }
    assert_account (1, 1, 0, 0, 0);
}

static void
a_replay_that_has_an_id_at_last_is_seen (void **state)
{
    (void)state;
    bool seen = false;
    assert_int_equal (book_one (5, 0, WEFT_BOOKED_DEAD), 2);
    assert_int_equal (book_one (6, 0, WEFT_BOOKED_DEAD), 2);
    for (int i = 0; i < 2; i++) {  //  both are the same alert, it turns out
        weft_booking_t one = booking (5 + i, 50, WEFT_BOOKED_SETTLED);
        one.replayed = true;
        assert_int_equal (weft_ledger_book (batch, &one, 1), 0);
        assert_int_equal (one.booked,
                          i ? WEFT_BOOKED_DUPLICATE : WEFT_BOOKED_SETTLED);
    }
    assert_int_equal (take_one (7, 50, &seen), WEFT_BOOKED_NONE);
    assert_true (seen);
    assert_account (3, 1, 1, 0, 1);
}

//  Put back while its alert is on its way from another position.
static void
a_replay_that_waited_for_another_is_its_duplicate (void **state)
{
    (void)state;
    assert_int_equal (book_one (5, 0, WEFT_BOOKED_DEAD), 2);
    assert_int_equal (book_one (6, 60, WEFT_BOOKED_DEAD), 2);
    for (int again = 0; again < 2; again++) {
        weft_booking_t both[] = { booking (7, 50, WEFT_BOOKED_SETTLED),
                                  booking (5, 50, WEFT_BOOKED_DUPLICATE),
                                  booking (6, 60, WEFT_BOOKED_DUPLICATE) };
        both[1].replayed = both[2].replayed = true;
        assert_int_equal (weft_ledger_book (batch, both, 3), 0);
        assert_int_equal (both[0].booked, WEFT_BOOKED_SETTLED);
        assert_int_equal (both[1].booked, WEFT_BOOKED_DUPLICATE);
        //  It has won the id in an earlier life.
        assert_int_equal (both[2].booked, WEFT_BOOKED_SETTLED);
    }
    assert_account (3, 2, 1, 0, 0);
}

static void
a_packet_without_id_is_counted (void **state)
{
    (void)state;
    assert_int_equal (take_one (77, 0, NULL), WEFT_BOOKED_NONE);
    assert_int_equal (book_one (77, 0, WEFT_BOOKED_DEAD), WEFT_BOOKED_DEAD);
    assert_account (1, 0, 0, 1, 0);
}

static weft_booking_t
undecoded (int64_t offset)
{
    weft_booking_t one = booking (offset, 0, WEFT_BOOKED_DEAD);
    one.survey = weft_str ("");
    one.night = WEFT_LEDGER_NO_NIGHT;
    return one;
}

static void
assert_undecoded (uint64_t received, uint64_t settled, uint64_t dead)
{
    weft_account_t account = account_of (WEFT_LEDGER_NO_NIGHT);
    assert_int_equal (account.received, received);
    assert_int_equal (account.settled, settled);
    assert_int_equal (account.dead, dead);
    assert_int_equal (account.in_flight, 0);
    assert_true (account.balanced);
}

//  Read as a dead letter, and again when it can be decoded: counted once, and
//  the letter is what becomes of it.
static void
a_position_that_died_undecoded_counts_once (void **state)
{
    (void)state;
    weft_booking_t dead = undecoded (5);
    assert_int_equal (weft_ledger_take (batch, &dead, 1), 0);
    assert_int_equal (dead.booked, WEFT_BOOKED_NONE);
    //  Until it is booked it may still become decodable.
    assert_undecoded (0, 0, 0);
    assert_int_equal (weft_ledger_book (batch, &dead, 1), 0);
    assert_undecoded (1, 0, 1);
    weft_booking_t both[] = { booking (5, 50, 0), booking (6, 60, 0) };
    assert_int_equal (weft_ledger_take (batch, both, 2), 0);
    assert_int_equal (both[0].booked, WEFT_BOOKED_DEAD);
    assert_int_equal (both[1].booked, WEFT_BOOKED_NONE);
    assert_account (1, 0, 0, 0, 1);
    //  Put back, it is settled where it died.
    dead = booking (5, 50, WEFT_BOOKED_SETTLED);
    dead.night = WEFT_LEDGER_NO_NIGHT;
    dead.replayed = true;
    assert_int_equal (weft_ledger_book (batch, &dead, 1), 0);
    assert_undecoded (1, 1, 0);
    //  And it is read once more, by another group: still one.
    assert_int_not_equal (take_one (5, 50, NULL), WEFT_BOOKED_NONE);
    assert_account (1, 0, 0, 0, 1);
}

//  The other way round: what was received under a night stays there.
static void
a_position_that_cannot_be_decoded_any_more_counts_once (void **state)
{
    (void)state;
    enum { N = 4 };
    const int64_t offsets[N] = { 3, 9, INT64_C (7) << 17, 12 };
    weft_booking_t many[N];
    assert_int_equal (take_one (3, 30, NULL), WEFT_BOOKED_NONE);
    assert_int_equal (book_one (9, 90, WEFT_BOOKED_SETTLED), 1);
    many[0] = booking (offsets[2], 70, WEFT_BOOKED_DEAD);
    many[0].night = 61001;
    assert_int_equal (weft_ledger_book (batch, many, 1), 0);
    for (int i = 0; i < N; i++)
        many[i] = undecoded (offsets[i]);
    assert_int_equal (weft_ledger_find (batch, many, N), 0);
    assert_int_equal (many[0].night, 61000);
    assert_int_equal (many[1].night, 61000);
    assert_int_equal (many[2].night, 61001);
    assert_int_equal (many[3].night, WEFT_LEDGER_NO_NIGHT);
    assert_int_equal (weft_ledger_take (batch, many, N), 0);
    assert_int_equal (many[0].booked, WEFT_BOOKED_NONE);
    assert_int_equal (many[1].booked, WEFT_BOOKED_SETTLED);
    assert_int_equal (many[2].booked, WEFT_BOOKED_DEAD);
    assert_int_equal (weft_ledger_book (batch, many, 1), 0);
    assert_account (2, 1, 0, 1, 0);
    assert_undecoded (0, 0, 0);
}

//  Taken under a night, and booked dead undecoded by somebody who had asked
//  before: the first outcome wins, and it leaves the night.
static void
a_position_that_died_undecoded_meanwhile_counts_once (void **state)
{
    (void)state;
    weft_booking_t dead = undecoded (5);
    assert_int_equal (take_one (5, 50, NULL), WEFT_BOOKED_NONE);
    assert_int_equal (take_one (6, 60, NULL), WEFT_BOOKED_NONE);
    assert_int_equal (weft_ledger_book (batch, &dead, 1), 0);
    assert_int_equal (book_one (5, 50, WEFT_BOOKED_SETTLED), WEFT_BOOKED_DEAD);
    assert_int_equal (book_one (6, 60, WEFT_BOOKED_SETTLED),
                      WEFT_BOOKED_SETTLED);
    assert_account (1, 1, 0, 0, 0);
    assert_undecoded (1, 0, 1);
    //  It was settled, too: whoever has its id is its duplicate.
    bool seen = false;
    take_one (7, 50, &seen);
    assert_true (seen);
    assert_account (2, 1, 0, 0, 1);
    //  Put back, its letter moves where it was booked.
    dead = booking (5, 50, WEFT_BOOKED_SETTLED);
    dead.night = WEFT_LEDGER_NO_NIGHT;
    dead.replayed = true;
    assert_int_equal (weft_ledger_book (batch, &dead, 1), 0);
    assert_undecoded (1, 1, 0);
}

//  Looked for under all nights, and booked under one before it is booked dead
//  undecoded: it stays there alone, however often that is issued.
static void
a_position_that_is_booked_after_the_look_counts_once (void **state)
{
    (void)state;
    enum { N = 5 };
    weft_booking_t dead[N];
    for (int i = 0; i < N; i++)
        dead[i] = undecoded (i);
    assert_int_equal (book_one (100, 2, WEFT_BOOKED_SETTLED), 1);
    assert_int_equal (weft_ledger_find (batch, dead, N), 0);
    for (int i = 0; i < N; i++)
        assert_int_equal (dead[i].night, WEFT_LEDGER_NO_NIGHT);
    weft_booking_t other = booking (3, 3, WEFT_BOOKED_DEAD);
    other.night = 61001;
    assert_int_equal (book_one (1, 1, WEFT_BOOKED_SETTLED), 1);
    assert_int_equal (book_one (2, 2, WEFT_BOOKED_SETTLED), 3);
    assert_int_equal (weft_ledger_book (batch, &other, 1), 0);
    assert_int_equal (take_one (4, 4, NULL), WEFT_BOOKED_NONE);
    for (int again = 0; again < 2; again++) {
        assert_int_equal (weft_ledger_book (batch, dead, N), 0);
        assert_int_equal (dead[0].booked, WEFT_BOOKED_DEAD);
        assert_int_equal (dead[1].booked, WEFT_BOOKED_SETTLED);
        assert_int_equal (dead[2].booked, WEFT_BOOKED_DUPLICATE);
        assert_int_equal (dead[3].booked, WEFT_BOOKED_DEAD);
        assert_int_equal (dead[4].booked, WEFT_BOOKED_DEAD);
        assert_undecoded (2, 0, 2);
    }
    assert_int_equal (book_one (4, 4, WEFT_BOOKED_SETTLED), WEFT_BOOKED_DEAD);
    assert_account (3, 2, 1, 0, 0);
    weft_account_t account = account_of (61001);
    assert_int_equal (account.received, 1);
    assert_int_equal (account.dead, 1);
    //  Taken, it has its outcome; and a letter of it that is put back has none.
    assert_int_equal (weft_ledger_take (batch, dead, N), 0);
    assert_int_equal (dead[1].booked, WEFT_BOOKED_SETTLED);
    dead[3].replayed = true;
    dead[3].outcome = WEFT_BOOKED_SETTLED;
    assert_int_equal (weft_ledger_book (batch, &dead[3], 1), 0);
    assert_undecoded (2, 0, 2);
}

static int64_t
count_nights (void)
{
    weft_batch_clear (batch);
    weft_batch_words (batch, "SCARD", "ledger:nights");
    assert_int_equal (weft_batch_run (batch), 0);
    return weft_reply_int (weft_batch_reply (batch, 0), -1);
}

//  Two partitions by turns, and a night whose account has run out.
static void
nights_that_have_run_out_are_not_asked_again (void **state)
{
    (void)state;
    enum { N = 6 };
    weft_booking_t many[N];
    for (int i = 0; i < N; i++) {
        many[i] = booking (8 * i + 1, 10 + i, WEFT_BOOKED_SETTLED);
        many[i].partition = i % 2;
    }
    many[4].night = 61001;
    assert_int_equal (weft_ledger_book (batch, many, N), 0);
    weft_batch_clear (batch);
    weft_batch_words (batch, "SADD", "ledger:nights", "60000");
    assert_int_equal (weft_batch_run (batch), 0);
    assert_int_equal (count_nights (), 3);
    for (int i = 0; i < N; i++) {
        many[i] = undecoded (8 * i + 1);
        many[i].partition = i % 2;
    }
    assert_int_equal (weft_ledger_find (batch, many, N), 0);
    for (int i = 0; i < N; i++)
        assert_int_equal (many[i].night, i == 4 ? 61001 : 61000);
    assert_int_equal (count_nights (), 2);
}

static void
positions_far_apart_and_backwards (void **state)
{
    (void)state;
    enum { N = 300 };
    weft_booking_t many[N];
    for (int i = 0; i < N; i++) {
        int64_t offset = ((int64_t)(N - i) * 7919 * 7919) % (INT64_C (1) << 40);
        many[i] = booking (offset, i + 1, 1 + i % 2);
    }
    assert_int_equal (weft_ledger_take (batch, many, N), 0);
    assert_int_equal (weft_ledger_book (batch, many, N), 0);
    for (int i = 0; i < N; i++)
        assert_int_equal (many[i].booked, 1 + i % 2);
    assert_account (N, N / 2, 0, N / 2, 0);
}

static void
nights_and_sources_are_apart (void **state)
{
    (void)state;
    weft_booking_t two[3] = { booking (1, 1, 1), booking (1, 2, 1),
                              booking (1, 3, 1) };
    two[1].night = 61001;
    two[2].partition = 4;
    assert_int_equal (weft_ledger_book (batch, two, 3), 0);
    assert_account (2, 2, 0, 0, 0);
    assert_int_equal (account_of (61001).settled, 1);
}

static void
a_whole_batch_and_its_limits (void **state)
{
    (void)state;
    static weft_booking_t many[WEFT_LEDGER_BATCH_MOST + 1];
    for (int i = 0; i <= WEFT_LEDGER_BATCH_MOST; i++)
        many[i] = booking (1000000 + i, 1 + i % 1000, 1);
    assert_int_equal (
        weft_ledger_book (batch, many, WEFT_LEDGER_BATCH_MOST + 1),
        WEFT_ETOOBIG);
    assert_int_equal (weft_ledger_book (batch, many, WEFT_LEDGER_BATCH_MOST),
                      0);
    assert_account (1024, 1000, 24, 0, 0);
    many[7].offset = -1;
    assert_int_equal (weft_ledger_take (batch, many, 8), WEFT_ERANGE);
    many[7].offset = 1;
    many[7].outcome = 0;
    assert_int_equal (weft_ledger_book (batch, many, 8), WEFT_ERANGE);
}

static void
seen_is_looked_up_and_runs_out (void **state)
{
    (void)state;
    assert_int_equal (book_one (5, 50, WEFT_BOOKED_SETTLED), 1);
    weft_seen_t queries[2] = {
        { .survey = weft_str ("ztf"), .night = 61000, .alert_id = 50 },
        { .survey = weft_str ("ztf"), .night = 61000, .alert_id = 51 },
    };
    uint8_t position[WEFT_SEEN_POSITION];
    weft_seen_position (weft_str ("night/topic"), 3, 5, position);
    assert_int_equal (weft_seen_look_up (batch, queries, 2), 0);
    assert_true (queries[0].known);
    assert_memory_equal (queries[0].position, position, sizeof position);
    assert_false (queries[1].known);
    weft_batch_clear (batch);
    weft_batch_begin (batch, 2);
    weft_batch_str (batch, "TTL");
    weft_batch_argf (batch, "seen:ztf:61000:%u", weft_seen_bucket (50));
    assert_int_equal (weft_batch_run (batch), 0);
    int64_t ttl = weft_reply_int (weft_batch_reply (batch, 0), 0);
    assert_true (ttl > WEFT_SEEN_SECONDS - 60 && ttl <= WEFT_SEEN_SECONDS);
}

static void
a_wrong_account_does_not_balance (void **state)
{
    (void)state;
    assert_int_equal (book_one (5, 50, WEFT_BOOKED_SETTLED), 1);
    weft_batch_clear (batch);
    weft_batch_words (batch, "SETBIT",
                      spread ? "ledger:61000:{night/topic/3:0}:dead"
                             : "ledger:61000:dead:night/topic/3:0",
                      "5", "1");
    assert_int_equal (weft_batch_run (batch), 0);
    assert_false (account_of (61000).balanced);
}

//  Beside the nights, and found again it is the same gap.
static void
gaps_are_listed (void **state)
{
    (void)state;
    weft_gap_t *read, wrote[] = {
        { .topic = "b", .partition = 1, .first = 9, .count = 5 },
        { .topic = "a", .partition = 2, .first = 70000, .count = 1 },
        { .topic = "a", .partition = 2, .first = 3, .count = 1000000 },
    };
    size_t n;
    assert_int_equal (weft_gaps_read (redis, &read, &n), 0);
    assert_int_equal (n, 0);
    assert_null (read);
    assert_int_equal (weft_gaps_add (batch, wrote, 3), 0);
    assert_int_equal (weft_gaps_add (batch, wrote, 2), 0);
    weft_batch_clear (batch);
    weft_batch_words (batch, "HSET", "gaps", "no place", "1");
    assert_int_equal (weft_batch_run (batch), 0);
    assert_int_equal (weft_gaps_read (redis, &read, &n), 0);
    assert_int_equal (n, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal (read[i].topic, wrote[2 - i].topic);
        assert_int_equal (read[i].first, wrote[2 - i].first);
        assert_int_equal (read[i].count, wrote[2 - i].count);
    }
    free (read);
}

int
main (void)
{
#define TEST(name) BOTH_TEST (name)
    const struct CMUnitTest tests[] = {
        TEST (what_is_taken_is_in_flight_until_booked),
        TEST (a_position_is_no_duplicate_of_itself),
        TEST (another_position_of_the_same_id_is_a_duplicate),
        TEST (the_first_outcome_wins),
        TEST (a_replayed_dead_letter_moves_to_settled),
        TEST (a_replay_that_has_an_id_at_last_is_seen),
        TEST (a_replay_that_waited_for_another_is_its_duplicate),
        TEST (a_packet_without_id_is_counted),
        TEST (a_position_that_died_undecoded_counts_once),
        TEST (a_position_that_cannot_be_decoded_any_more_counts_once),
        TEST (a_position_that_died_undecoded_meanwhile_counts_once),
        TEST (a_position_that_is_booked_after_the_look_counts_once),
        TEST (nights_that_have_run_out_are_not_asked_again),
        TEST (positions_far_apart_and_backwards),
        TEST (nights_and_sources_are_apart),
        TEST (a_whole_batch_and_its_limits),
        TEST (seen_is_looked_up_and_runs_out),
        TEST (a_wrong_account_does_not_balance),
        TEST (gaps_are_listed),
    };
    weft_log_init ("test", WEFT_ERROR);
    return both_run (tests);
}
