//  weft_token_test.c - the claims of a JWT.

#include "unit/testing.h"

#include "weft_token.h"

//  {"alg":"none"} . {"sub":"weft","exp":1764547200.5} . nothing
static void
claims_are_read (void **state)
{
    weft_token_claims_t claims;
    (void)state;
    assert_true (weft_token_read (
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ3ZWZ0IiwiZXhwIjoxNzY0NTQ3MjAwLjV9.",
        &claims));
    assert_string_equal (claims.subject, "weft");
    assert_int_equal (claims.expires_s, 1764547200);
}

//  {"a":"??>>~~"}: both characters that base64 of URLs has for itself.
static void
what_is_not_said_is_empty (void **state)
{
    weft_token_claims_t claims;
    (void)state;
    assert_true (weft_token_read ("x.eyJhIjoiPz8-Pn5-In0.y", &claims));
    assert_string_equal (claims.subject, "");
    assert_int_equal (claims.expires_s, 0);
}

static void
no_jwt_says_nothing (void **state)
{
    static const char *const others[] = {
        "",           ".",      "..",      "an opaque token",
        "x.eyJzdWIi", "x.!!.y", "x.W10.y", "x.eyJzdWIiOiJ3ZWZ0Ii.y",
    };
    weft_token_claims_t claims;
    (void)state;
    for (size_t i = 0; i < WEFT_COUNT (others); i++) {
        assert_false (weft_token_read (others[i], &claims));
        assert_int_equal (claims.expires_s, 0);
    }
}

//  Longer than any room for it.
static void
a_huge_one_is_refused (void **state)
{
    static char token[65536];
    weft_token_claims_t claims;
    (void)state;
    memset (token, 'A', sizeof (token) - 1);
    token[1] = '.';
    token[sizeof (token) - 2] = '.';
    assert_false (weft_token_read (token, &claims));
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (claims_are_read),
        cmocka_unit_test (what_is_not_said_is_empty),
        cmocka_unit_test (no_jwt_says_nothing),
        cmocka_unit_test (a_huge_one_is_refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
