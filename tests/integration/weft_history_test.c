//  weft_history_test.c - blobs of histories: nobody's write is lost.

#include "../unit/testing.h"

#include "both.h"
#include "weft_history.h"
#include "weft_log.h"

static weft_history_t
item (const char *object, uint64_t version, const char *blob)
{
    return (weft_history_t){ .survey = weft_str ("ztf"),
                             .object_id = weft_str (object),
                             .version = version,
                             .blob = (const uint8_t *)blob,
                             .size = blob ? strlen (blob) : 0 };
}

static void
assert_blob (const char *object, const char *blob)
{
    weft_history_t one = item (object, 99, NULL);
    assert_int_equal (weft_history_get (batch, &one, 1), 0);
    if (!blob) {
        assert_null (one.blob);
        assert_int_equal (one.version, 0);
        return;
    }
    assert_non_null (one.blob);
    assert_int_equal (one.size, strlen (blob));
    assert_memory_equal (one.blob, blob, one.size);
    assert_true (one.version != 0);
}

static void
a_new_object_has_none (void **state)
{
    (void)state;
    assert_blob ("new", NULL);
}

static void
put_and_get_many (void **state)
{
    (void)state;
    weft_history_t two[2] = { item ("a", 0, "first"), item ("b", 0, "second") };
    assert_int_equal (weft_history_put (batch, two, 2), 0);
    assert_false (two[0].lost);
    assert_false (two[1].lost);
    assert_blob ("a", "first");
    assert_blob ("b", "second");
    two[0].blob = (const uint8_t *)"later";
    assert_int_equal (weft_history_put (batch, two, 1), 0);
    assert_false (two[0].lost);
    assert_blob ("a", "later");
}

static void
who_is_late_gets_what_stands_there (void **state)
{
    (void)state;
    weft_history_t fast = item ("a", 0, "fast"), late = item ("a", 0, "late");
    assert_int_equal (weft_history_put (batch, &fast, 1), 0);
    assert_int_equal (weft_history_put (batch, &late, 1), 0);
    assert_true (late.lost);
    assert_int_equal (late.size, 4);
    assert_memory_equal (late.blob, "fast", 4);
    //  Merges, and puts again with the version that it was given.
    late.blob = (const uint8_t *)"fast+late";
    late.size = 9;
    assert_int_equal (weft_history_put (batch, &late, 1), 0);
    assert_false (late.lost);
    assert_blob ("a", "fast+late");
}

static void
a_put_that_is_repeated_finds_itself (void **state)
{
    (void)state;
    size_t first = 0;
    weft_history_t one = item ("a", 0, "once");
    weft_batch_clear (batch);
    assert_int_equal (weft_history_put_ask (batch, &one, 1, &first), 0);
    for (int i = 0; i < 2; i++) {  //  as if the first reply had been lost
        assert_int_equal (weft_batch_run (batch), 0);
        assert_int_equal (weft_history_put_answer (batch, first, &one, 1), 0);
        assert_false (one.lost);
    }
    assert_blob ("a", "once");
}

static void
an_object_that_vanished_is_lost_not_overwritten (void **state)
{
    (void)state;
    weft_history_t one = item ("gone", 12345, "new");
    assert_int_equal (weft_history_put (batch, &one, 1), 0);
    assert_true (one.lost);
    assert_null (one.blob);
    assert_int_equal (one.version, 0);
}

static void
nothing_parked_is_left (void **state)
{
    (void)state;
    weft_history_t one = item ("a", 0, "first"), late = item ("a", 0, "late");
    assert_int_equal (weft_history_put (batch, &one, 1), 0);
    assert_int_equal (weft_history_put (batch, &late, 1), 0);
    assert_true (late.lost);
    weft_batch_clear (batch);
    weft_batch_words (batch, "TTL", "lc:ztf:a");
    if (!spread)
        weft_batch_words (batch, "KEYS", "*");
    assert_int_equal (weft_batch_run (batch), 0);
    assert_int_equal (weft_reply_int (weft_batch_reply (batch, 0), 0), -1);
    if (!spread)
        assert_int_equal (weft_reply_count (weft_batch_reply (batch, 1)), 1);
}

static void
what_is_too_short_is_begun_anew (void **state)
{
    (void)state;
    weft_batch_clear (batch);
    weft_batch_words (batch, "SET", "lc:ztf:bad", "xyz");
    assert_int_equal (weft_batch_run (batch), 0);
    assert_blob ("bad", NULL);
    weft_history_t one = item ("bad", 0, "good");
    assert_int_equal (weft_history_put (batch, &one, 1), 0);
    assert_false (one.lost);
    assert_blob ("bad", "good");
}

static void
names_and_sizes_have_limits (void **state)
{
    (void)state;
    char name[WEFT_HISTORY_OBJECT_MOST + 2];
    memset (name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    weft_history_t one = item (name, 0, "blob");
    assert_int_equal (weft_history_get (batch, &one, 1), WEFT_ERANGE);
    one = item ("", 0, "blob");
    assert_int_equal (weft_history_get (batch, &one, 1), WEFT_ERANGE);
    one = item ("big", 0, "blob");
    one.size = WEFT_HISTORY_MOST + 1;
    assert_int_equal (weft_history_put (batch, &one, 1), WEFT_ETOOBIG);
}

//  Seconds that Redis keeps a history for; -1: for ever.
static int64_t
kept_for (const char *key)
{
    weft_batch_clear (batch);
    weft_batch_words (batch, "TTL", key);
    assert_int_equal (weft_batch_run (batch), 0);
    return weft_reply_int (weft_batch_reply (batch, 0), -9);
}

static void
an_idle_history_may_go (void **state)
{
    (void)state;
    weft_history_t one = item ("idle", 0, "first");
    assert_int_equal (weft_history_put (batch, &one, 1), 0);
    assert_int_equal (kept_for ("lc:ztf:idle"), -1);
    one.keep_s = 100000;
    one.blob = (const uint8_t *)"again";
    one.size = 5;
    assert_int_equal (weft_history_put (batch, &one, 1), 0);
    assert_in_range (kept_for ("lc:ztf:idle"), 90000, 100000);
    one.keep_s = 0;
    assert_int_equal (weft_history_put (batch, &one, 1), 0);
    assert_int_equal (kept_for ("lc:ztf:idle"), -1);
    one.at = 1;  //  a part is a change, too
    one.size = 2;
    one.keep_s = 100000;
    assert_int_equal (weft_history_put (batch, &one, 1), 0);
    assert_in_range (kept_for ("lc:ztf:idle"), 90000, 100000);
    one.keep_s = 0;
    assert_int_equal (weft_history_put (batch, &one, 1), 0);
    assert_int_equal (kept_for ("lc:ztf:idle"), -1);
}

//  A part goes into what stands, and nowhere else.
static void
a_part_is_written_into_what_stands (void **state)
{
    (void)state;
    weft_history_t one = item ("a", 0, "head....");
    assert_int_equal (weft_history_put (batch, &one, 1), 0);
    weft_history_t late = one, all = one;
    one.blob = (const uint8_t *)"ab";
    one.size = 2;
    one.at = 4;
    assert_int_equal (weft_history_put (batch, &one, 1), 0);
    assert_false (one.lost);
    assert_blob ("a", "headab..");
    late.blob = (const uint8_t *)"xy";
    late.size = 2;
    late.at = 6;
    assert_int_equal (weft_history_put (batch, &late, 1), 0);
    assert_true (late.lost);
    assert_int_equal (late.version, one.version);
    assert_int_equal (late.size, 8);
    assert_memory_equal (late.blob, "headab..", 8);
    assert_int_equal (weft_history_put (batch, &all, 1), 0);
    assert_true (all.lost);
    assert_blob ("a", "headab..");
}

//  Parts and wholes in one batch, which is issued twice.
static void
a_part_that_is_repeated_finds_itself (void **state)
{
    (void)state;
    size_t first = 0;
    weft_history_t three[3] = { item ("a", 0, "first"), item ("b", 0, "second"),
                                item ("c", 0, "third") };
    assert_int_equal (weft_history_put (batch, three, 3), 0);
    three[1].blob = (const uint8_t *)"++";
    three[1].size = 2;
    three[1].at = 1;
    three[2].blob = (const uint8_t *)"again";
    three[2].size = 5;
    three[0] = item ("d", 0, "new");
    weft_batch_clear (batch);
    assert_int_equal (weft_history_put_ask (batch, three, 3, &first), 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal (weft_batch_run (batch), 0);
        assert_int_equal (weft_history_put_answer (batch, first, three, 3), 0);
        for (int k = 0; k < 3; k++)
            assert_false (three[k].lost);
    }
    assert_blob ("b", "s++ond");
    assert_blob ("c", "again");
    assert_blob ("d", "new");
}

static void
a_part_of_nothing_is_not_written (void **state)
{
    (void)state;
    weft_history_t one = item ("gone", 12345, "part");
    one.at = 8;
    assert_int_equal (weft_history_put (batch, &one, 1), 0);
    assert_true (one.lost);
    assert_int_equal (one.version, 0);
    assert_blob ("gone", NULL);
    one = item ("gone", 0, "part");
    one.at = 8;
    assert_int_equal (weft_history_put (batch, &one, 1), WEFT_ERANGE);
    one.version = 1;
    one.at = WEFT_HISTORY_MOST;
    assert_int_equal (weft_history_put (batch, &one, 1), WEFT_ETOOBIG);
}

int
main (void)
{
#define TEST(name) BOTH_TEST (name)
    const struct CMUnitTest tests[] = {
        TEST (a_new_object_has_none),
        TEST (put_and_get_many),
        TEST (who_is_late_gets_what_stands_there),
        TEST (a_put_that_is_repeated_finds_itself),
        TEST (an_object_that_vanished_is_lost_not_overwritten),
        TEST (nothing_parked_is_left),
        TEST (what_is_too_short_is_begun_anew),
        TEST (names_and_sizes_have_limits),
        TEST (an_idle_history_may_go),
        TEST (a_part_is_written_into_what_stands),
        TEST (a_part_that_is_repeated_finds_itself),
        TEST (a_part_of_nothing_is_not_written),
    };
    weft_log_init ("test", WEFT_ERROR + 1);
    return both_run (tests);
}
