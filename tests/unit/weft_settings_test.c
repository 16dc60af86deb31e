//  weft_settings_test.c - where state is, by configuration.

#include "testing.h"

#include "weft_settings.h"

#include <unistd.h>

static char path[64], why[512];

static weft_settings_t *
load (const char *redis)
{
    static const weft_source_t source;
    static const weft_stage_spec_t spec = { .name = "tester",
                                            .source = &source };
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fprintf (file, "redis: {%s}\n", redis);
    fclose (file);
    return weft_settings_load (&spec, path, why, sizeof why);
}

static void
one_redis_has_everything (void **state)
{
    (void)state;
    weft_settings_t *settings = load ("address: \"db:6380\"");
    assert_non_null (settings);
    assert_string_equal (settings->bulk, "db:6380");
    assert_false (weft_settings_login (settings).tls);
    weft_settings_destroy (&settings);
}

static void
a_cluster_has_histories_and_the_ledger (void **state)
{
    (void)state;
    weft_settings_t *settings =
        load ("address: \"db:6380\", cluster: [\"a:7000\", \"[::1]:7001\"]");
    assert_non_null (settings);
    assert_string_equal (settings->redis.address, "db:6380");
    assert_string_equal (settings->bulk, "cluster:a:7000,[::1]:7001");
    weft_settings_t *next =
        load ("address: \"db:6380\", cluster: [\"a:7000\"]");
    assert_string_equal (weft_settings_fixed (settings, next), "redis.cluster");
    weft_settings_destroy (&next);
    weft_settings_destroy (&settings);
}

static void
encrypted_as_it_says (void **state)
{
    (void)state;
    weft_settings_t *settings =
        load ("address: \"db:6380\", tls: true, tls_ca: ca.pem, "
              "tls_certificate: me.pem, tls_key: me.key, user: weft");
    assert_non_null (settings);
    weft_redis_config_t login = weft_settings_login (settings);
    assert_true (login.tls);
    assert_string_equal (login.tls_ca, "ca.pem");
    assert_string_equal (login.tls_certificate, "me.pem");
    assert_string_equal (login.tls_key, "me.key");
    assert_string_equal (login.user, "weft");
    weft_settings_destroy (&settings);
}

static void
refuses (const char *redis, const char *words)
{
    assert_null (load (redis));
    if (!strstr (why, words))
        fail_msg ("said: %s", why);
}

static void
what_cannot_be_is_refused_by_name (void **state)
{
    (void)state;
    refuses ("cluster: [\"a\"]", "redis.cluster");
    refuses ("cluster: [\":7000\"]", "redis.cluster");
    refuses ("cluster: [\"a:7000\", \"b:70000\"]", "redis.cluster");
    refuses ("address: \"\", cluster: [\"a:7000\"]", "redis.address");
    refuses ("address: \"unix:/s\", tls: true", "redis.tls");
}

static int
start (void **state)
{
    (void)state;
    snprintf (path, sizeof path, "/tmp/weft-settings-%d.yaml", (int)getpid ());
    return 0;
}

static int
stop (void **state)
{
    (void)state;
    return unlink (path);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (one_redis_has_everything),
        cmocka_unit_test (a_cluster_has_histories_and_the_ledger),
        cmocka_unit_test (encrypted_as_it_says),
        cmocka_unit_test (what_cannot_be_is_refused_by_name),
    };
    return cmocka_run_group_tests (tests, start, stop);
}
