//  weft_journal_test.c - what is remembered, for how long, and how much.

#include "testing.h"

#include "weft_journal.h"

static size_t
count (const weft_journal_t *journal)
{
    size_t n = 0;
    for (const weft_kept_t *kept = journal->first; kept; kept = kept->next)
        n++;
    return n;
}

static void
the_oldest_are_forgotten_in_time (void **state)
{
    (void)state;
    weft_journal_t journal = { .ceiling = 1000 };
    weft_journal_add (&journal, 0, "one", 3, 1);
    weft_journal_add (&journal, 1000, "two", 3, 1);
    weft_journal_prune (&journal, WEFT_JOURNAL_MS);
    assert_int_equal (count (&journal), 2);
    weft_journal_prune (&journal, WEFT_JOURNAL_MS + 1);
    assert_int_equal (count (&journal), 1);
    assert_memory_equal (journal.first->bytes, "two", 3);
    weft_journal_renew (&journal, 9000);
    weft_journal_prune (&journal, 9000 + WEFT_JOURNAL_MS);
    assert_int_equal (count (&journal), 1);
    weft_journal_prune (&journal, 9001 + WEFT_JOURNAL_MS);
    assert_int_equal (count (&journal), 0);
    assert_int_equal (journal.size, 0);
    weft_journal_add (&journal, 20000, "three", 5, 2);
    assert_int_equal (journal.last->count, 2);
    weft_journal_fini (&journal);
}

static void
at_the_ceiling_the_oldest_go (void **state)
{
    (void)state;
    weft_journal_t journal = { .ceiling = 10 };
    for (int i = 0; i < 5; i++)
        weft_journal_add (&journal, i, "four", 4, 1);
    assert_int_equal (count (&journal), 2);
    assert_int_equal (journal.size, 8);
    assert_int_equal (journal.first->when, 3);
    assert_int_equal (journal.gone, 2);
    //  One that is larger than the journal is not remembered at all.
    weft_journal_add (&journal, 9, "larger than it", 14, 1);
    assert_int_equal (journal.size, 8);
    assert_int_equal (journal.gone, 9);
    weft_journal_fini (&journal);
    weft_journal_fini (&journal);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (the_oldest_are_forgotten_in_time),
        cmocka_unit_test (at_the_ceiling_the_oldest_go),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
