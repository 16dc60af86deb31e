//  0003 - of a packet that was refused like a hundred others only its place is
//  kept. `weft dlq replay` put such a letter back with no bytes at all: it was
//  refused as empty, and its reason was lost.

#include "unit/testing.h"

#include <stdio.h>
#include <stdlib.h>

#include "integration/redis_private.h"
#include "weft_dlq.h"
#include "weft_log.h"

static redis_private_t server;

static void
put (weft_redis_t *redis)
{
    weft_dead_packet_t dead = { .survey = weft_str ("ztf"),
                                .topic = weft_str ("night"),
                                .offset = 7,
                                .path = weft_str ("/nowhere/at/all.avro#0"),
                                .night = 3000,
                                .schema = weft_str ("4.02"),
                                .code = WEFT_EMALFORMED,
                                .reason = "the first reason" };
    assert_int_equal (weft_dlq_put_packet (redis, &dead, 1 << 20), 0);
}

typedef struct {
    int n;
    char key[WEFT_DLQ_KEY_MOST];
} seen_t;

static void
see (void *arg, const char *stage, weft_str_t key, const weft_dead_v1_t *dead)
{
    seen_t *self = arg;
    (void)stage;
    assert_non_null (dead);
    assert_true (weft_str_is (dead->reason, "the first reason"));
    weft_str_copy (key, self->key, sizeof self->key);
    self->n++;
}

//  Exit code of `weft dlq replay ingest KEY`; 3: some input was refused.
static int
replay (const char *key)
{
    char command[512], line[512];
    const char *bin = getenv ("WEFT_BIN");
    snprintf (command, sizeof command,
              "exec %s/weft dlq replay ingest '%s' --redis %s 2>&1",
              bin ? bin : "build/debug/bin", key, server.address);
    FILE *out = popen (command, "r");
    assert_non_null (out);
    while (fgets (line, sizeof line, out))
        print_message ("%s", line);
    int status = pclose (out);
    assert_true (WIFEXITED (status));
    return WEXITSTATUS (status);
}

static void
a_letter_without_bytes_stays_where_it_is (void **state)
{
    (void)state;
    seen_t seen = { .n = 0 };
    weft_log_init ("test", WEFT_ERROR);
    weft_redis_t *redis = weft_redis_new (server.address, NULL);
    assert_non_null (redis);
    put (redis);
    assert_int_equal (weft_dlq_list (redis, "ingest", see, &seen), 0);
    assert_int_equal (seen.n, 1);
    assert_int_equal (replay (seen.key), 3);
    assert_int_equal (weft_dlq_list (redis, "ingest", see, &seen), 0);
    assert_int_equal (seen.n, 2);
    weft_redis_destroy (&redis);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_letter_without_bytes_stays_where_it_is),
    };
    redis_private_start (&server);
    int failed = cmocka_run_group_tests (tests, NULL, NULL);
    redis_private_stop (&server);
    return failed;
}
