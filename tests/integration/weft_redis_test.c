//  weft_redis_test.c - batches against a real Redis, whatever happens to it.

#include "../unit/testing.h"

#include <stdlib.h>
#include <unistd.h>

#include "redis_private.h"
#include "weft_log.h"
#include "weft_redis.h"
#include "weft_time.h"

static redis_private_t server;

static const char echo_script[] = "return ARGV[1]\n";

static weft_redis_t *
connect_to_server (void)
{
    weft_redis_t *redis = weft_redis_new (server.address, NULL);
    assert_non_null (redis);
    return redis;
}

static void
binary_arguments_come_back (void **state)
{
    (void)state;
    weft_redis_t *redis = connect_to_server ();
    weft_batch_t *batch = weft_batch_new (redis, 0);
    const uint8_t bytes[] = { 0, 255, '\r', '\n', 0, 7 };
    weft_batch_begin (batch, 3);
    weft_batch_str (batch, "SET");
    weft_batch_arg (batch, bytes, 3);
    weft_batch_arg2 (batch, bytes, 4, bytes + 4, 2);
    weft_batch_begin (batch, 2);
    weft_batch_str (batch, "GET");
    weft_batch_arg (batch, bytes, 3);
    size_t last = weft_batch_words (batch, "GET", "nothing");
    assert_int_equal (weft_batch_run (batch), 0);
    weft_bin_t back = weft_reply_bytes (weft_batch_reply (batch, 1));
    assert_int_equal (back.n, sizeof bytes);
    assert_memory_equal (back.p, bytes, sizeof bytes);
    assert_true (weft_reply_nil (weft_batch_reply (batch, last)));
    weft_batch_destroy (&batch);
    weft_redis_destroy (&redis);
}

static void
an_address_must_be_one (void **state)
{
    (void)state;
    const char *const bad[] = { "",      "unix:",  "host",       ":6379",
                                "host:", "host:0", "host:6379x", "host:65536" };
    for (size_t i = 0; i < WEFT_COUNT (bad); i++) {
        weft_redis_t *redis = weft_redis_new (bad[i], NULL);
        assert_null (redis);
    }
    weft_redis_t *redis = weft_redis_new ("[::1]:6379", NULL);
    assert_non_null (redis);
    weft_redis_destroy (&redis);
    weft_redis_destroy (&redis);
}

static void
a_refused_command_is_an_error (void **state)
{
    (void)state;
    weft_redis_t *redis = connect_to_server ();
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_batch_words (batch, "SET", "text", "x");
    weft_batch_words (batch, "HGET", "text", "x");
    assert_int_equal (weft_batch_run (batch), WEFT_EIO);
    assert_true (weft_reply_error (weft_batch_reply (batch, 1)));
    weft_batch_clear (batch);
    weft_batch_words (batch, "GET", "text");
    assert_int_equal (weft_batch_run (batch), 0);
    weft_batch_destroy (&batch);
    weft_redis_destroy (&redis);
}

static void
a_batch_has_a_ceiling (void **state)
{
    (void)state;
    weft_redis_t *redis = connect_to_server ();
    weft_batch_t *batch = weft_batch_new (redis, 64);
    for (int i = 0; i < 8; i++)
        weft_batch_words (batch, "SET", "text", "0123456789");
    assert_int_equal (weft_batch_run (batch), WEFT_ETOOBIG);
    weft_batch_clear (batch);
    weft_batch_words (batch, "PING");
    assert_int_equal (weft_batch_run (batch), 0);
    weft_batch_destroy (&batch);
    weft_redis_destroy (&redis);
}

static void
a_script_is_loaded_when_it_is_missing (void **state)
{
    (void)state;
    weft_redis_t *redis = connect_to_server ();
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_batch_words (batch, "SET", "before", "1");
    weft_batch_script (batch, echo_script, 0, 1);
    weft_batch_str (batch, "hello");
    for (int life = 0; life < 2; life++) {
        assert_int_equal (weft_batch_run (batch), 0);
        weft_bin_t text = weft_reply_bytes (weft_batch_reply (batch, 1));
        assert_int_equal (text.n, 5);
        redis_private_restart_empty (&server);  //  knows no script
    }
    weft_batch_destroy (&batch);
    weft_redis_destroy (&redis);
}

static void
a_lost_connection_is_remade (void **state)
{
    (void)state;
    weft_redis_t *redis = connect_to_server ();
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_batch_words (batch, "SET", "key", "value");
    assert_int_equal (weft_batch_run (batch), 0);
    uint64_t before = weft_redis_generation (redis);
    redis_private_restart (&server);
    assert_int_equal (weft_batch_run (batch), 0);
    assert_true (weft_redis_generation (redis) > before);
    weft_batch_destroy (&batch);
    weft_redis_destroy (&redis);
}

static void
a_dead_redis_is_down_at_once_and_comes_back (void **state)
{
    (void)state;
    weft_redis_t *redis = connect_to_server ();
    assert_int_equal (weft_redis_ping (redis), 0);
    redis_private_kill (&server);
    int64_t start = weft_time_ms ();
    //  A wait for each of them, even the shortest, were 20 s.
    for (int i = 0; i < 1000; i++)
        assert_int_equal (weft_redis_ping (redis), WEFT_EDOWN);
    assert_true (weft_time_ms () - start < 10000);
    redis_private_restart (&server);
    int rc = WEFT_EDOWN;
    for (int i = 0; i < 12000 && rc; i++) {
        nanosleep (&(struct timespec){ .tv_nsec = 10000000 }, NULL);
        rc = weft_redis_ping (redis);
    }
    assert_int_equal (rc, 0);
    weft_redis_destroy (&redis);
}

static void
a_stopped_redis_takes_no_longer_than_it_may (void **state)
{
    (void)state;
    weft_redis_config_t config = { .connect_ms = 100, .command_ms = 3000 };
    weft_redis_t *redis = weft_redis_new (server.address, &config);
    assert_int_equal (weft_redis_ping (redis), 0);
    kill (server.pid, SIGSTOP);
    int64_t start = weft_time_ms ();
    assert_int_equal (weft_redis_ping (redis), WEFT_EDOWN);
    assert_true (weft_time_ms () - start < 5900);  //  once, not twice
    kill (server.pid, SIGCONT);
    int rc = WEFT_EDOWN;
    for (int i = 0; i < 12000 && rc; i++) {
        nanosleep (&(struct timespec){ .tv_nsec = 10000000 }, NULL);
        rc = weft_redis_ping (redis);
    }
    assert_int_equal (rc, 0);
    weft_redis_destroy (&redis);
}

static void
an_unsafe_redis_is_refused (void **state)
{
    (void)state;
    char why[256] = "";
    weft_redis_t *redis = connect_to_server ();
    assert_int_equal (weft_redis_check_safe (redis, false, why, sizeof why), 0);
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_batch_words (batch, "CONFIG", "SET", "maxmemory-policy",
                      "allkeys-lru");
    assert_int_equal (weft_batch_run (batch), 0);
    assert_int_equal (weft_redis_check_safe (redis, false, why, sizeof why),
                      WEFT_ECONFIG);
    assert_non_null (strstr (why, "maxmemory-policy"));
    assert_int_equal (weft_redis_check_safe (redis, true, why, sizeof why), 0);
    weft_batch_clear (batch);
    weft_batch_words (batch, "CONFIG", "SET", "maxmemory-policy", "noeviction");
    weft_batch_words (batch, "CONFIG", "SET", "appendonly", "no");
    assert_int_equal (weft_batch_run (batch), 0);
    assert_int_equal (weft_redis_check_safe (redis, false, why, sizeof why),
                      WEFT_ECONFIG);
    assert_non_null (strstr (why, "appendonly"));
    weft_batch_destroy (&batch);
    weft_redis_destroy (&redis);
    redis_private_restart_empty (&server);
}

static void
a_full_redis_is_down_not_a_refusal (void **state)
{
    (void)state;
    weft_redis_t *redis = connect_to_server ();
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_batch_words (batch, "CONFIG", "SET", "maxmemory", "1");
    assert_int_equal (weft_batch_run (batch), 0);
    weft_batch_clear (batch);
    weft_batch_words (batch, "SET", "k", "v");
    assert_int_equal (weft_batch_run (batch), WEFT_EDOWN);
    weft_batch_destroy (&batch);
    weft_redis_destroy (&redis);
    redis_private_restart_empty (&server);
}

static void
set_password (weft_redis_t *redis, const char *password)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_batch_words (batch, "CONFIG", "SET", "requirepass", password);
    assert_int_equal (weft_batch_run (batch), 0);
    weft_batch_destroy (&batch);
}

static void
a_password_comes_from_its_file (void **state)
{
    (void)state;
    char path[] = "/tmp/weft-redis-XXXXXX";
    int fd = mkstemp (path);
    assert_int_equal (write (fd, "open sesame\n", 12), 12);
    close (fd);
    weft_redis_config_t login = { .user = "", .password_file = path };
    weft_redis_t *first = connect_to_server ();
    set_password (first, "open sesame");
    weft_redis_t *without = connect_to_server ();
    weft_redis_t *with = weft_redis_new (server.address, &login);
    assert_true (weft_redis_ping (without) != 0);
    assert_int_equal (weft_redis_ping (with), 0);
    set_password (first, "");
    unlink (path);
    assert_null (weft_redis_new (server.address, &login));
    weft_redis_destroy (&first);
    weft_redis_destroy (&without);
    weft_redis_destroy (&with);
}

static int
start (void **state)
{
    (void)state;
    weft_log_init ("test", WEFT_ERROR);
    redis_private_start (&server);
    return 0;
}

static int
stop (void **state)
{
    (void)state;
    redis_private_stop (&server);
    return 0;
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (binary_arguments_come_back),
        cmocka_unit_test (an_address_must_be_one),
        cmocka_unit_test (a_refused_command_is_an_error),
        cmocka_unit_test (a_batch_has_a_ceiling),
        cmocka_unit_test (a_script_is_loaded_when_it_is_missing),
        cmocka_unit_test (a_lost_connection_is_remade),
        cmocka_unit_test (a_dead_redis_is_down_at_once_and_comes_back),
        cmocka_unit_test (a_stopped_redis_takes_no_longer_than_it_may),
        cmocka_unit_test (an_unsafe_redis_is_refused),
        cmocka_unit_test (a_full_redis_is_down_not_a_refusal),
        cmocka_unit_test (a_password_comes_from_its_file),
    };
    return cmocka_run_group_tests (tests, start, stop);
}
