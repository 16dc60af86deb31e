//  A folder of keys: who may be which stage, and what is wrong with a bad one.

#include "testing.h"

#include "weft_keys.h"

#include <sys/stat.h>
#include <unistd.h>

static char folder[64];
static char own[WEFT_KEY_ROOM], secret[WEFT_KEY_ROOM];
static char next[WEFT_KEY_ROOM], any[WEFT_KEY_ROOM], other[WEFT_KEY_ROOM];
static char why[512];

static void
put (const char *name, mode_t mode, const char *text)
{
    char path[128];
    snprintf (path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fputs (text, file);
    fclose (file);
    assert_int_equal (chmod (path, mode), 0);
}

static weft_keys_t *
load (void)
{
    return weft_keys_load (folder, "feature", why, sizeof why);
}

//  The secret of "feature", and a list in this order.
static void
put_good (void)
{
    char text[512];
    snprintf (text, sizeof text,
              "# a comment\n#\n\n%s *\n%s feature\r\n%s feature # old\n", any,
              next, own);
    put ("allow", 0644, text);
    snprintf (text, sizeof text, "%s\n", secret);
    put ("feature.secret", 0600, text);
}

static int
setup (void **state)
{
    (void)state;
    char unused[WEFT_KEY_ROOM];
    snprintf (folder, sizeof folder, "/tmp/weft-keys-XXXXXX");
    assert_non_null (mkdtemp (folder));
    return weft_keys_make (own, secret) || weft_keys_make (next, unused) ||
           weft_keys_make (any, unused) || weft_keys_make (other, unused);
}

static int
teardown (void **state)
{
    (void)state;
    char path[128];
    snprintf (path, sizeof path, "%s/allow", folder);
    unlink (path);
    snprintf (path, sizeof path, "%s/feature.secret", folder);
    unlink (path);
    return rmdir (folder);
}

static void
a_key_is_of_a_stage (void **state)
{
    (void)state;
    put_good ();
    weft_keys_t *keys = load ();
    assert_non_null (keys);
    assert_string_equal (weft_keys_public (keys), own);
    assert_string_equal (weft_keys_secret (keys), secret);
    assert_true (weft_keys_may (keys, own, "feature", 7));
    assert_true (weft_keys_may (keys, next, "featureX", 7));
    assert_false (weft_keys_may (keys, own, "features", 8));
    assert_false (weft_keys_may (keys, own, "featur", 6));
    assert_true (weft_keys_may (keys, any, "classifier", 10));
    assert_false (weft_keys_may (keys, other, "feature", 7));
    assert_false (weft_keys_may (keys, NULL, "feature", 7));
    assert_true (weft_keys_know (keys, own));
    assert_false (weft_keys_know (keys, other));
    assert_string_equal (weft_keys_stage (keys, next), "feature");
    assert_string_equal (weft_keys_stage (keys, other), "-");
    weft_keys_unref (&keys);
}

static void
an_upstream_is_tried_by_the_newest_key (void **state)
{
    (void)state;
    put_good ();
    weft_keys_t *keys = load ();
    assert_non_null (keys);
    assert_string_equal (weft_keys_of (keys, "feature", 0), next);
    assert_string_equal (weft_keys_of (keys, "feature", 1), own);
    assert_string_equal (weft_keys_of (keys, "feature", 2), any);
    assert_null (weft_keys_of (keys, "feature", 3));
    assert_string_equal (weft_keys_of (keys, "ingest", 0), any);
    weft_keys_unref (&keys);
}

static void
a_lost_line_is_noticed (void **state)
{
    (void)state;
    char text[256];
    put_good ();
    weft_keys_t *before = load ();
    snprintf (text, sizeof text, "%s feature\n%s *\n", own, next);
    put ("allow", 0644, text);
    weft_keys_t *after = load ();
    assert_non_null (before);
    assert_non_null (after);
    assert_true (weft_keys_lost (before, after));
    assert_false (weft_keys_lost (before, before));
    //  `next` was feature, and may be anything now.
    snprintf (text, sizeof text, "%s feature\n%s *\n%s *\n", own, next, any);
    put ("allow", 0644, text);
    weft_keys_unref (&after);
    after = load ();
    assert_non_null (after);
    assert_false (weft_keys_lost (before, after));
    weft_keys_unref (&before);
    weft_keys_unref (&after);
}

static void
refused (const char *text)
{
    assert_null (load ());
    if (!strstr (why, text))
        fail_msg ("said: %s, expected: %s", why, text);
}

static void
bad_files_are_named (void **state)
{
    (void)state;
    char text[512];
    put_good ();
    put ("feature.secret", 0604, secret);
    refused ("feature.secret: others than its owner may read it");
    put ("feature.secret", 0640, secret);
    refused ("feature.secret: others than its owner may read it");
    put ("feature.secret", 0400, secret);
    weft_keys_t *keys = load ();
    assert_non_null (keys);
    weft_keys_unref (&keys);
    put ("feature.secret", 0600, "");
    refused ("feature.secret: expected one line");
    put ("feature.secret", 0600, "short\n");
    refused ("feature.secret: line 1: expected one line");
    snprintf (text, sizeof text, "%s\n%s\n", secret, secret);
    put ("feature.secret", 0600, text);
    refused ("feature.secret: line 2: expected one line");
    put_good ();
    snprintf (text, sizeof text, "# x\n%s feature more\n", own);
    put ("allow", 0644, text);
    refused ("allow: line 2: expected \"public-key stage\"");
    snprintf (text, sizeof text, "%s feature\n%s\n", own, next);
    put ("allow", 0644, text);
    refused ("allow: line 2: expected");
    snprintf (text, sizeof text, "%s feature\n", next);
    put ("allow", 0644, text);
    refused ("there is no line for");
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_key_is_of_a_stage),
        cmocka_unit_test (an_upstream_is_tried_by_the_newest_key),
        cmocka_unit_test (a_lost_line_is_noticed),
        cmocka_unit_test (bad_files_are_named),
    };
    return cmocka_run_group_tests (tests, setup, teardown);
}
