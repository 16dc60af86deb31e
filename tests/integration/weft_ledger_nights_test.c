//  weft_ledger_nights_test.c - any number of nights: what cannot be decoded is
//  looked for under all of them.

#include "../unit/testing.h"

#include "both.h"
#include "weft_ledger.h"

//  In one batch: over 100 MB of commands, where 64 MiB fit.
enum { EMPTY = 5000, REAL = 600, WINDOWS = 64, FIRST = 1000000 };

static char topic[250];

//  One in a window.
static weft_booking_t
booking (int i, int32_t night)
{
    return (weft_booking_t){
        .survey = weft_str ("ztf"),
        .topic = weft_str (topic),
        .offset = (int64_t)(i % WINDOWS) * 2048 + i / WINDOWS,
        .night = night,
        .has_id = night != WEFT_LEDGER_NO_NIGHT,
        .alert_id = i + 1,
        .outcome = WEFT_BOOKED_DEAD,
    };
}

//  Nights whose accounts have run out.
static void
list_nights (void)
{
    weft_batch_clear (batch);
    weft_batch_begin (batch, 2 + EMPTY);
    weft_batch_str (batch, "SADD");
    weft_batch_str (batch, "ledger:nights");
    for (int i = 0; i < EMPTY; i++)
        weft_batch_int (batch, FIRST + i);
    assert_int_equal (weft_batch_run (batch), 0);
}

static void
each_is_found_under_its_night (void **state)
{
    (void)state;
    static weft_booking_t many[REAL];
    memset (topic, 't', sizeof topic - 1);
    list_nights ();
    for (int i = 0; i < REAL; i++)
        many[i] = booking (i, FIRST + EMPTY + i);
    assert_int_equal (weft_ledger_take (batch, many, REAL), 0);
    for (int i = 0; i < REAL; i++)
        many[i] = booking (i, WEFT_LEDGER_NO_NIGHT);
    for (int again = 0; again < 2; again++) {
        assert_int_equal (weft_ledger_find (batch, many, REAL), 0);
        for (int i = 0; i < REAL; i++) {
            assert_int_equal (many[i].night, FIRST + EMPTY + i);
            many[i].night = WEFT_LEDGER_NO_NIGHT;
        }
        //  Those that have run out are forgotten, and no other.
        weft_batch_clear (batch);
        weft_batch_words (batch, "SCARD", "ledger:nights");
        assert_int_equal (weft_batch_run (batch), 0);
        assert_int_equal (weft_reply_int (weft_batch_reply (batch, 0), -1),
                          REAL);
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        BOTH_TEST (each_is_found_under_its_night),
    };
    weft_log_init ("test", WEFT_ERROR);
    return both_run (tests);
}
