//  weft_kafka_census_test.c - partitions that nobody in a group has.

#include "unit/testing.h"

#include "weft_kafka_census.h"

//  What librdkafka sends: version 1, two topics, no user data, nothing owned.
static const uint8_t reads_two[] = "\0\1\0\0\0\2\0\1a\0\2bc\xff\xff\xff\xff"
                                   "\0\0\0\0";
//  a: 0, 9; bc: none.
static const uint8_t has_some[] = "\0\0\0\0\0\2\0\1a\0\0\0\2\0\0\0\0\0\0\0\x9"
                                  "\0\2bc\0\0\0\0\xff\xff\xff\xff";

#define READS reads_two, sizeof (reads_two) - 1
#define HAS has_some, sizeof (has_some) - 1

static uint32_t
unread (const weft_census_t *now,
        const weft_census_t *before,
        const char *topic,
        int32_t partition)
{
    const char *name = "";
    int32_t first = -1;
    uint32_t n = weft_census_unread (now, before, &name, &first);
    assert_string_equal (name, topic);
    assert_int_equal (first, partition);
    return n;
}

static weft_census_t *
counted (bool with_bc)
{
    weft_census_t *census = weft_census_new ();
    assert_non_null (census);
    assert_int_equal (weft_census_subscription (census, READS), 0);
    assert_int_equal (weft_census_assignment (census, HAS), 0);
    weft_census_topic (census, "a", 10);
    if (with_bc)
        weft_census_topic (census, "bc", 3);
    weft_census_topic (census, "nobody's", 5);
    return census;
}

static void
what_nobody_has_is_counted (void **state)
{
    (void)state;
    weft_census_t *census = counted (true);
    assert_int_equal (unread (census, NULL, "a", 1), 8 + 3);
    weft_census_destroy (&census);
    assert_null (census);
    weft_census_destroy (&census);
}

//  Assigned, and read by nobody any more: no reason to do anything.
static void
only_what_somebody_reads_counts (void **state)
{
    weft_census_t *census = weft_census_new ();
    (void)state;
    assert_int_equal (weft_census_assignment (census, HAS), 0);
    weft_census_topic (census, "a", 10);
    assert_int_equal (unread (census, NULL, "", -1), 0);
    assert_int_equal (weft_census_subscription (census, NULL, 0), 0);
    assert_int_equal (weft_census_assignment (census, NULL, 0), 0);
    weft_census_destroy (&census);
}

static void
twice_in_a_row_is_what_both_say (void **state)
{
    (void)state;
    weft_census_t *now = counted (true), *before = counted (false);
    assert_int_equal (unread (now, before, "a", 1), 8);
    weft_census_topic (before, "bc", 1);
    assert_int_equal (unread (now, before, "a", 1), 8 + 1);
    weft_census_topic (now, "a", 1);
    assert_int_equal (unread (now, before, "bc", 0), 1);
    weft_census_destroy (&before);
    before = weft_census_new ();
    assert_int_equal (unread (now, before, "", -1), 0);
    weft_census_destroy (&before);
    weft_census_destroy (&now);
}

typedef int parse_t (weft_census_t *self, const void *data, size_t size);

//  In memory that ends where they end.
static int
parse (parse_t *call, const void *data, size_t size)
{
    uint8_t *exact = malloc (size);
    weft_census_t *census = weft_census_new ();
    assert_non_null (exact);
    memcpy (exact, data, size);
    int rc = call (census, exact, size);
    weft_census_topic (census, "a", INT32_MAX);
    weft_census_topic (census, "bc", -1);
    const char *name;
    int32_t partition;
    assert_true (weft_census_unread (census, NULL, &name, &partition) <=
                 WEFT_CENSUS_PARTITIONS);
    weft_census_destroy (&census);
    free (exact);
    return rc;
}

static void
bytes_that_end_early_are_refused (void **state)
{
    (void)state;
    for (size_t n = 1; n < 13; n++)
        assert_int_equal (parse (weft_census_subscription, reads_two, n),
                          WEFT_ETRUNCATED);
    for (size_t n = 1; n < sizeof (has_some) - 5; n++)
        assert_int_equal (parse (weft_census_assignment, has_some, n),
                          WEFT_ETRUNCATED);
}

#define REFUSED(call, text, error)                                             \
    assert_int_equal (parse (call, text, sizeof (text) - 1), error)

static void
what_cannot_be_is_refused (void **state)
{
    parse_t *reads = weft_census_subscription, *has = weft_census_assignment;
    (void)state;
    REFUSED (reads, "\xff\xff\0\0\0\0", WEFT_EMALFORMED);
    REFUSED (reads, "\0\0\xff\xff\xff\xff", WEFT_EMALFORMED);
    REFUSED (reads, "\0\0\x7f\xff\xff\xff\0\1a", WEFT_ETRUNCATED);
    REFUSED (reads, "\0\0\0\0\0\1\xff\xff", WEFT_EMALFORMED);
    REFUSED (reads, "\0\0\0\0\0\1\0\0", WEFT_EMALFORMED);
    REFUSED (reads, "\0\0\0\0\0\1\0\2a\0", WEFT_EMALFORMED);
    REFUSED (reads, "\0\0\0\0\0\1\x7f\xff", WEFT_ETOOBIG);
    REFUSED (reads, "\0\0\0\0\0\1\0\xf9", WEFT_ETRUNCATED);
    REFUSED (has, "\0\0\0\0\0\1\0\1a\x7f\xff\xff\xff", WEFT_ETRUNCATED);
    REFUSED (has, "\0\0\0\0\0\1\0\1a\x80\0\0\0", WEFT_EMALFORMED);
    REFUSED (has, "\0\0\0\0\0\1\0\1a\0\0\0\1\xff\xff\xff\xff", WEFT_ERANGE);
    REFUSED (has, "\0\0\0\0\0\1\0\1a\0\0\0\1\x7f\xff\xff\xff", WEFT_ETOOBIG);
    REFUSED (has, "\0\0\0\0\0\1\0\1a\0\0\0\1\0\1\0\0", WEFT_ETOOBIG);
    REFUSED (has, "\0\0\0\0\0\1\0\1a\0\0\0\1\0\0\xff\xff", 0);
}

static void
too_many_topics_are_refused (void **state)
{
    enum { N = WEFT_CENSUS_TOPICS + 1 };
    static uint8_t bytes[6 + 4 * N];
    (void)state;
    bytes[4] = N >> 8;
    bytes[5] = N & 0xff;
    for (size_t i = 0; i < N; i++) {
        uint8_t *name = bytes + 6 + 4 * i;
        name[1] = 2;
        name[2] = (uint8_t)(1 + i / 255);
        name[3] = (uint8_t)(1 + i % 255);
    }
    assert_int_equal (parse (weft_census_subscription, bytes, sizeof (bytes)),
                      WEFT_ETOOBIG);
    bytes[5]--;
    assert_int_equal (
        parse (weft_census_subscription, bytes, sizeof (bytes) - 4), 0);
}

//  Whatever bytes: an answer, and nothing outside of them is touched.
static void
random_bytes_do_no_harm (void **state)
{
    uint64_t random = 42;
    (void)state;
    for (int i = 0; i < 5000; i++) {
        uint8_t bytes[sizeof (has_some)];
        bool reads = i % 2;
        size_t size = reads ? sizeof (reads_two) : sizeof (has_some);
        memcpy (bytes, reads ? reads_two : has_some, size);
        for (int k = 0; k < 1 + i % 4; k++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            bytes[(random >> 33) % size] = (uint8_t)(random >> 56);
        }
        (void)parse (reads ? weft_census_subscription : weft_census_assignment,
                     bytes, size);
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (what_nobody_has_is_counted),
        cmocka_unit_test (only_what_somebody_reads_counts),
        cmocka_unit_test (twice_in_a_row_is_what_both_say),
        cmocka_unit_test (bytes_that_end_early_are_refused),
        cmocka_unit_test (what_cannot_be_is_refused),
        cmocka_unit_test (too_many_topics_are_refused),
        cmocka_unit_test (random_bytes_do_no_harm),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
