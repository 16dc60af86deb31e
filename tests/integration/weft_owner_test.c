//  weft_owner_test.c - a source belongs to the object of its newest version, on
//  one Redis and on a cluster.

#include "../unit/testing.h"

#include "both.h"
#include "weft_owner.h"

static weft_owner_t
source (const char *object, int64_t id, int64_t version)
{
    return (weft_owner_t){ .survey = weft_str ("lsst"),
                           .night = 60500,
                           .source = id,
                           .version = version,
                           .object = weft_str (object) };
}

static weft_owner_t
claim (const char *object, int64_t id, int64_t version)
{
    weft_owner_t one = source (object, id, version);
    assert_int_equal (weft_owner_claim (batch, &one, 1, 30), 0);
    return one;
}

static void
the_newest_version_owns (void **state)
{
    (void)state;
    weft_owner_t one = claim ("a", 7, -5);
    assert_int_equal (one.verdict, WEFT_OWNER_OURS);
    one = claim ("a", 7, 5);
    assert_int_equal (one.verdict, WEFT_OWNER_OURS);
    one = claim ("b", 7, 4);
    assert_int_equal (one.verdict, WEFT_OWNER_LOST);
    assert_string_equal (one.other, "a");
    assert_int_equal (one.other_version, 5);
    one = claim ("b", 7, 6);
    assert_int_equal (one.verdict, WEFT_OWNER_MOVED);
    assert_string_equal (one.other, "a");
    //  Of one version the first name owns, whoever comes first.
    assert_int_equal (claim ("c", 7, 6).verdict, WEFT_OWNER_LOST);
    assert_int_equal (claim ("aa", 7, 6).verdict, WEFT_OWNER_MOVED);
}

static void
a_move_is_told_until_it_is_done (void **state)
{
    (void)state;
    (void)claim ("a", 7, 1);
    weft_owner_t one = claim ("b", 7, 2);
    assert_int_equal (one.verdict, WEFT_OWNER_MOVED);
    //  Who claimed it died before it had done anything.
    one = claim ("b", 7, 2);
    assert_int_equal (one.verdict, WEFT_OWNER_MOVED);
    assert_string_equal (one.other, "a");
    assert_int_equal (weft_owner_done (batch, &one), 0);
    assert_int_equal (weft_owner_done (batch, &one), 0);
    assert_int_equal (claim ("b", 7, 2).verdict, WEFT_OWNER_OURS);
    assert_int_equal (claim ("a", 7, 1).verdict, WEFT_OWNER_LOST);
}

static void
many_at_once (void **state)
{
    (void)state;
    weft_owner_t many[500];
    for (int64_t i = 0; i < 500; i++)
        many[i] = source (i % 2 ? "odd" : "even", i * 7919, 3);
    assert_int_equal (weft_owner_claim (batch, many, 500, 30), 0);
    for (int64_t i = 0; i < 500; i++)
        many[i] = source ("odd", i * 7919, 4);
    assert_int_equal (weft_owner_claim (batch, many, 500, 30), 0);
    for (int64_t i = 0; i < 500; i++)
        assert_int_equal (many[i].verdict,
                          i % 2 ? WEFT_OWNER_OURS : WEFT_OWNER_MOVED);
}

static void
an_operator_decides (void **state)
{
    (void)state;
    (void)claim ("b", 7, 9);
    weft_owner_t one = source ("z", 7, 3);
    assert_int_equal (weft_owner_set (batch, &one, 1, 30), 0);
    assert_int_equal (claim ("b", 7, 2).verdict, WEFT_OWNER_LOST);
    assert_int_equal (claim ("z", 7, 3).verdict, WEFT_OWNER_OURS);
}

static void
names_have_limits (void **state)
{
    (void)state;
    char name[WEFT_OWNER_OBJECT_MOST + 1];
    memset (name, 'x', WEFT_OWNER_OBJECT_MOST);
    name[WEFT_OWNER_OBJECT_MOST] = '\0';
    weft_owner_t one = source (name, 1, 1);
    assert_int_equal (weft_owner_claim (batch, &one, 1, 30), WEFT_ERANGE);
    one = source ("", 1, 1);
    assert_int_equal (weft_owner_claim (batch, &one, 1, 30), WEFT_ERANGE);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        BOTH_TEST (the_newest_version_owns),
        BOTH_TEST (a_move_is_told_until_it_is_done),
        BOTH_TEST (many_at_once),
        BOTH_TEST (an_operator_decides),
        BOTH_TEST (names_have_limits),
    };
    weft_log_init ("test", WEFT_ERROR + 1);
    return both_run (tests);
}
