//  weft_dlq_test.c - dead letters: kept, listed, put back once, dropped.

#include "../unit/testing.h"

#include "redis_private.h"
#include "weft_dlq.h"
#include "weft_ledger.h"
#include "weft_log.h"
#include "weft_replay.h"

#include <poll.h>

static redis_private_t server;
static weft_redis_t *redis;

static weft_alert_t *
alert_of (int64_t id, size_t padding)
{
    weft_envelope_v1_t envelope;
    weft_buf_t buf;
    weft_buf_init (&buf, 65536);
    weft_contract_clear (&weft_envelope_v1, &envelope);
    WEFT_SET (envelope_v1, &envelope, survey, weft_str ("ztf"));
    WEFT_SET (envelope_v1, &envelope, alert_id, id);
    WEFT_SET (envelope_v1, &envelope, object_id, weft_str ("ZTF18abc"));
    WEFT_SET (envelope_v1, &envelope, topic, weft_str ("topic"));
    WEFT_SET (envelope_v1, &envelope, partition, 1);
    WEFT_SET (envelope_v1, &envelope, offset, id);
    WEFT_SET (envelope_v1, &envelope, night, 61000);
    WEFT_SET (envelope_v1, &envelope, t_obs, 61000.5);
    WEFT_SET (envelope_v1, &envelope, t_received, 61000.6);
    assert_int_equal (weft_contract_encode (&weft_envelope_v1, &envelope, &buf),
                      0);
    weft_alert_t *alert = weft_alert_new (weft_frame_copy (buf.data, buf.size));
    assert_non_null (alert);
    weft_buf_fini (&buf);
    if (padding) {
        weft_frame_t *section = weft_frame_new (padding);
        memset (weft_frame_fill (section), 7, padding);
        assert_int_equal (weft_alert_append (alert, section), 0);
    }
    return alert;
}

static int
put (int64_t id, size_t padding, size_t ceiling)
{
    weft_alert_t *alert = alert_of (id, padding);
    int rc = weft_dlq_put (redis, "feature", alert, WEFT_EREJECT,
                           "no points in any band", ceiling);
    weft_alert_unref (&alert);
    return rc;
}

static uint64_t
bytes_of (const char *stage)
{
    uint64_t bytes = 0;
    assert_int_equal (weft_dlq_bytes (redis, stage, &bytes), 0);
    return bytes;
}

typedef struct {
    int n;
    size_t frames;
    size_t packet;
    int64_t id;
    char key[WEFT_DLQ_KEY_MOST];
    weft_alert_t *alert;
} found_t;

static void
note (void *arg, const char *stage, weft_str_t key, const weft_dead_v1_t *dead)
{
    found_t *found = arg;
    (void)stage;
    found->n++;
    weft_str_copy (key, found->key, sizeof found->key);
    assert_non_null (dead);
    found->frames = dead->frames.n;
    found->packet = dead->packet.n;
    found->id = dead->alert_id;
}

static void
take (void *arg,
      const char *key,
      const weft_dead_v1_t *dead,
      weft_alert_t *alert)
{
    found_t *found = arg;
    found->n++;
    found->packet = dead->packet.n;
    snprintf (found->key, sizeof found->key, "%s", key);
    weft_alert_unref (&found->alert);
    found->alert = alert;
}

static int
list_count (const char *stage)
{
    found_t found = { 0 };
    assert_int_equal (weft_dlq_list (redis, stage, note, &found), 0);
    return found.n;
}

static void
a_dead_letter_is_kept_whole (void **state)
{
    (void)state;
    assert_int_equal (put (42, 1000, 0), 0);
    assert_int_equal (put (42, 1000, 0), 0);  //  twice is once
    assert_int_equal (put (43, 0, 0), 0);
    assert_int_equal (list_count ("feature"), 2);
    found_t found = { 0 };
    assert_int_equal (weft_dlq_show (redis, "feature", "ztf:42", note, &found),
                      0);
    assert_int_equal (found.id, 42);
    assert_true (found.frames > 1000);
    assert_int_equal (weft_dlq_show (redis, "feature", "ztf:44", note, &found),
                      WEFT_ENOENT);
    char stages[4][64];
    size_t n = 0;
    assert_int_equal (weft_dlq_stages (redis, stages, 4, &n), 0);
    assert_int_equal (n, 1);
    assert_string_equal (stages[0], "feature");
}

static void
at_the_ceiling_nothing_is_trimmed (void **state)
{
    (void)state;
    assert_int_equal (put (1, 2000, 5000), 0);
    assert_int_equal (put (2, 2000, 5000), 0);
    assert_int_equal (put (3, 2000, 5000), WEFT_ETOOBIG);
    assert_int_equal (put (1, 2000, 5000), 0);  //  it is in already
    assert_int_equal (list_count ("feature"), 2);
    uint64_t full = bytes_of ("feature");
    assert_true (full > 4000 && full <= 5000);
    assert_int_equal (weft_dlq_drop (redis, "feature", "ztf:1"), 0);
    assert_int_equal (weft_dlq_drop (redis, "feature", "ztf:1"), WEFT_ENOENT);
    assert_int_equal (put (3, 2000, 5000), 0);
    assert_int_equal (weft_dlq_drop (redis, "feature", "ztf:2"), 0);
    assert_int_equal (weft_dlq_drop (redis, "feature", "ztf:3"), 0);
    assert_int_equal (bytes_of ("feature"), 0);
}

static int
put_packet (int64_t offset, const char *schema, size_t size)
{
    static uint8_t bytes[700000];
    weft_dead_packet_t dead = {
        .topic = weft_str ("topic"),
        .partition = 0,
        .offset = offset,
        .night = 61000,
        .schema = weft_str (schema),
        .packet = bytes,
        .size = size,
        .code = WEFT_EMALFORMED,
        .reason = "the block ends too early",
    };
    return weft_dlq_put_packet (redis, &dead, 0);
}

static size_t
packet_size (const char *key)
{
    found_t found = { 0 };
    assert_int_equal (weft_dlq_show (redis, "ingest", key, note, &found), 0);
    return found.packet;
}

static void
of_packets_only_a_megabyte_is_kept (void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal (put_packet (1, "3.3", 700000), 0);
    assert_int_equal (put_packet (2, "3.3", 700000), 0);
    assert_int_equal (put_packet (3, "3.3", 300000), 0);
    assert_int_equal (put_packet (4, "4.0", 700000), 0);
    assert_int_equal (packet_size ("topic/0@1"), 700000);
    assert_int_equal (packet_size ("topic/0@2"), 0);
    assert_int_equal (packet_size ("topic/0@3"), 300000);
    assert_int_equal (packet_size ("topic/0@4"), 700000);
    //  Room comes back with what is dropped.
    assert_int_equal (weft_dlq_drop (redis, "ingest", "topic/0@1"), 0);
    assert_int_equal (put_packet (5, "3.3", 700000), 0);
    assert_int_equal (packet_size ("topic/0@5"), 700000);
}

//  The writer's connection breaks, so that it issues what it wrote last again.
static void
break_connection (weft_redis_t *operator)
{
    weft_batch_t *batch = weft_batch_new (operator, 0);
    uint64_t before = weft_redis_generation (redis);
    weft_batch_words (batch, "CLIENT", "KILL", "TYPE", "normal");
    assert_int_equal (weft_batch_run (batch), 0);
    weft_batch_destroy (&batch);
    assert_int_equal (weft_redis_ping (redis), 0);
    assert_true (weft_redis_generation (redis) > before);
}

static void
what_was_taken_out_does_not_come_back (void **state)
{
    (void)state;
    static const char *const keys[] = { "ztf:42", "ztf:43" };
    //  A writer of its own, that remembers nothing of other tests.
    weft_redis_t *shared = redis;
    weft_redis_t *operator= weft_redis_new (server.address, NULL);
    redis = weft_redis_new (server.address, NULL);
    //  The second has no room for its bytes.
    assert_int_equal (put_packet (7, "3.3", 700000), 0);
    assert_int_equal (put_packet (8, "3.3", 700000), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal (put (42 + i, 100, 0), 0);
    assert_int_equal (weft_dlq_drop (operator, "feature", keys[0]), 0);
    assert_int_equal (weft_dlq_replay (operator, "feature", keys[1]), 0);
    assert_int_equal (weft_dlq_drop (operator, "ingest", "topic/0@7"), 0);
    assert_int_equal (weft_dlq_drop (operator, "ingest", "topic/0@8"), 0);
    uint64_t bytes = bytes_of ("feature");
    for (int again = 0; again < 2; again++) {
        break_connection (operator);
        assert_int_equal (list_count ("feature"), 1);
        assert_int_equal (list_count ("ingest"), 0);
        assert_int_equal (bytes_of ("feature"), bytes);
        assert_int_equal (bytes_of ("ingest"), 0);
    }
    //  Whatever dies anew is a letter again, and again none when it is dropped.
    for (int i = 0; i < 2; i++)
        assert_int_equal (put (42 + i, 100, 0), 0);
    assert_int_equal (put_packet (7, "3.3", 700000), 0);
    assert_int_equal (list_count ("feature"), 3);
    assert_int_equal (list_count ("ingest"), 1);
    assert_int_equal (weft_dlq_drop (operator, "feature", keys[0]), 0);
    break_connection (operator);
    assert_int_equal (list_count ("feature"), 2);
    assert_int_equal (list_count ("ingest"), 1);
    weft_redis_destroy (&operator);
    weft_redis_destroy (&redis);
    redis = shared;
}

static weft_account_t
account (void)
{
    weft_account_t *accounts = NULL, found = { 0 };
    size_t n = 0;
    assert_int_equal (weft_ledger_read (redis, &accounts, &n), 0);
    if (n)
        found = accounts[0];
    free (accounts);
    return found;
}

static void
book_dead (int64_t id)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_booking_t one = { .survey = weft_str ("ztf"),
                           .topic = weft_str ("topic"),
                           .partition = 1,
                           .offset = id,
                           .night = 61000,
                           .alert_id = id,
                           .has_id = true,
                           .outcome = WEFT_BOOKED_DEAD };
    assert_int_equal (weft_ledger_book (batch, &one, 1), 0);
    weft_batch_destroy (&batch);
}

static void
a_replay_is_taken_once_and_settles_the_ledger (void **state)
{
    (void)state;
    found_t one = { 0 }, other = { 0 };
    assert_int_equal (put (42, 100, 0), 0);
    book_dead (42);
    assert_int_equal (account ().dead, 1);
    assert_int_equal (weft_dlq_replay (redis, "feature", "ztf:42"), 0);
    assert_int_equal (weft_dlq_replay (redis, "feature", "ztf:42"), 0);
    assert_int_equal (weft_dlq_replay (redis, "feature", "ztf:43"),
                      WEFT_ENOENT);
    assert_int_equal (list_count ("feature"), 0);
    assert_int_equal (bytes_of ("feature"), 0);
    weft_replay_t *a =
        weft_replay_new (redis, redis, "feature", "crossmatch-a");
    weft_replay_t *b =
        weft_replay_new (redis, redis, "feature", "crossmatch-b");
    assert_int_equal (weft_replay_take (a, 8, take, &one), 0);
    assert_int_equal (weft_replay_take (a, 8, take, &one), 0);
    assert_int_equal (weft_replay_take (b, 8, take, &other), 0);
    assert_int_equal (one.n, 1);
    assert_int_equal (other.n, 0);
    assert_non_null (one.alert);
    assert_int_equal (weft_alert_frames (one.alert), 2);
    assert_int_equal (weft_replay_held (a), 1);
    for (int i = 0; i < 2; i++)
        assert_int_equal (weft_replay_done (a, "ztf:42", true), 0);
    assert_int_equal (weft_replay_held (a), 0);
    weft_account_t now = account ();
    assert_int_equal (now.settled, 1);
    assert_int_equal (now.dead, 0);
    assert_true (now.balanced);
    assert_int_equal (weft_replay_take (b, 8, take, &other), 0);
    assert_int_equal (other.n, 0);
    weft_replay_destroy (&a);
    weft_replay_destroy (&b);
    weft_alert_unref (&one.alert);
}

static void
a_lost_reply_gives_the_replay_again_and_a_dead_owner_frees_it (void **state)
{
    (void)state;
    found_t one = { 0 }, again = { 0 }, other = { 0 };
    assert_int_equal (put (42, 100, 0), 0);
    assert_int_equal (weft_dlq_replay (redis, "feature", "ztf:42"), 0);
    weft_replay_t *a = weft_replay_new (redis, redis, "feature", "a");
    assert_int_equal (weft_replay_take (a, 8, take, &one), 0);
    assert_int_equal (one.n, 1);
    weft_replay_destroy (&a);
    //  The same life, but it never learned that it holds the alert.
    a = weft_replay_new (redis, redis, "feature", "a");
    assert_int_equal (weft_replay_take (a, 8, take, &again), 0);
    assert_int_equal (again.n, 1);
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_batch_words (batch, "ZADD", "replay:feature:lease", "1",
                      "ztf:42");  //  its lease ends
    assert_int_equal (weft_batch_run (batch), 0);
    weft_replay_t *b = weft_replay_new (redis, redis, "feature", "b");
    assert_int_equal (weft_replay_take (b, 8, take, &other), 0);
    assert_int_equal (other.n, 1);
    //  It dies again: back in the queue, gone from the replays.
    assert_int_equal (put (42, 100, 0), 0);
    assert_int_equal (weft_replay_done (b, "ztf:42", false), 0);
    assert_int_equal (list_count ("feature"), 1);
    weft_batch_clear (batch);
    weft_batch_words (batch, "EXISTS", "replay:feature", "replay:feature:lease",
                      "replay:feature:owner");
    assert_int_equal (weft_batch_run (batch), 0);
    assert_int_equal (weft_reply_int (weft_batch_reply (batch, 0), 9), 0);
    weft_batch_destroy (&batch);
    weft_replay_destroy (&a);
    weft_replay_destroy (&b);
    weft_alert_unref (&one.alert);
    weft_alert_unref (&again.alert);
    weft_alert_unref (&other.alert);
}

//  It died again, and was put back once more: that its first return has ended is
//  said again by a connection that broke.
static void
what_was_put_back_again_stays (void **state)
{
    (void)state;
    found_t one = { 0 };
    weft_redis_t *shared = redis;
    weft_redis_t *operator= weft_redis_new (server.address, NULL);
    redis = weft_redis_new (server.address, NULL);
    weft_replay_t *a = weft_replay_new (redis, redis, "feature", "a");
    assert_int_equal (put (42, 100, 0), 0);
    assert_int_equal (weft_dlq_replay (operator, "feature", "ztf:42"), 0);
    assert_int_equal (weft_replay_take (a, 8, take, &one), 0);
    assert_int_equal (put (42, 100, 0), 0);
    assert_int_equal (weft_replay_done (a, "ztf:42", false), 0);
    assert_int_equal (weft_dlq_replay (operator, "feature", "ztf:42"), 0);
    break_connection (operator);
    assert_int_equal (weft_replay_take (a, 8, take, &one), 0);
    assert_int_equal (one.n, 2);
    assert_int_equal (list_count ("feature"), 0);
    weft_replay_destroy (&a);
    weft_redis_destroy (&operator);
    weft_redis_destroy (&redis);
    redis = shared;
    weft_alert_unref (&one.alert);
}

//  The operator was quicker than the word that its first return has ended.
static void
what_was_put_back_before_its_end_stays (void **state)
{
    (void)state;
    found_t one = { 0 };
    weft_replay_t *a = weft_replay_new (redis, redis, "feature", "a");
    assert_int_equal (put (42, 100, 0), 0);
    assert_int_equal (weft_dlq_replay (redis, "feature", "ztf:42"), 0);
    assert_int_equal (weft_replay_take (a, 8, take, &one), 0);
    (void)poll (NULL, 0, 2);  //  the new letter has a time of its own
    assert_int_equal (put (42, 100, 0), 0);
    assert_int_equal (weft_dlq_replay (redis, "feature", "ztf:42"), 0);
    assert_int_equal (weft_replay_done (a, "ztf:42", false), 0);
    assert_int_equal (weft_replay_held (a), 0);
    assert_int_equal (weft_replay_take (a, 8, take, &one), 0);
    assert_int_equal (one.n, 2);
    assert_int_equal (weft_replay_done (a, "ztf:42", true), 0);
    assert_int_equal (weft_replay_take (a, 8, take, &one), 0);
    assert_int_equal (one.n, 2);
    weft_replay_destroy (&a);
    weft_alert_unref (&one.alert);
}

static void
many_replays_are_shared_and_bounded (void **state)
{
    (void)state;
    found_t found = { 0 }, rest = { 0 };
    char key[32];
    for (int i = 1; i <= 100; i++) {
        snprintf (key, sizeof key, "ztf:%d", i);
        assert_int_equal (put (i, 10, 0), 0);
        assert_int_equal (weft_dlq_replay (redis, "feature", key), 0);
    }
    weft_replay_t *a = weft_replay_new (redis, redis, "feature", "a");
    weft_replay_t *b = weft_replay_new (redis, redis, "feature", "b");
    assert_int_equal (weft_replay_take (a, 10, take, &found), 0);
    assert_int_equal (found.n, 10);
    assert_int_equal (weft_replay_take (a, 1000, take, &found), 0);
    assert_int_equal (found.n, WEFT_REPLAY_HELD_MOST);
    assert_int_equal (weft_replay_take (b, 1000, take, &rest), 0);
    assert_int_equal (rest.n, 100 - WEFT_REPLAY_HELD_MOST);
    assert_int_equal (weft_replay_done (a, found.key, true), 0);
    assert_int_equal (weft_replay_held (a), WEFT_REPLAY_HELD_MOST - 1);
    weft_replay_destroy (&a);
    weft_replay_destroy (&b);
    weft_alert_unref (&found.alert);
    weft_alert_unref (&rest.alert);
}

static void
what_does_not_decode_is_shown_as_such (void **state)
{
    (void)state;
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_batch_words (batch, "HSET", "replay:feature", "ztf:1", "garbage");
    assert_int_equal (weft_batch_run (batch), 0);
    found_t found = { 0 };
    weft_replay_t *a = weft_replay_new (redis, redis, "feature", "a");
    assert_int_equal (weft_replay_take (a, 10, take, &found), 0);
    assert_int_equal (found.n, 0);
    weft_replay_destroy (&a);
    weft_batch_destroy (&batch);
}

static int
start (void **state)
{
    (void)state;
    weft_log_init ("test", WEFT_ERROR + 1);
    redis_private_start (&server);
    redis = weft_redis_new (server.address, NULL);
    return 0;
}

static int
stop (void **state)
{
    (void)state;
    weft_redis_destroy (&redis);
    redis_private_stop (&server);
    return 0;
}

static int
empty (void **state)
{
    (void)state;
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_batch_words (batch, "FLUSHALL");
    int rc = weft_batch_run (batch);
    weft_batch_destroy (&batch);
    return rc;
}

int
main (void)
{
#define TEST(name) cmocka_unit_test_setup (name, empty)
    const struct CMUnitTest tests[] = {
        TEST (a_dead_letter_is_kept_whole),
        TEST (at_the_ceiling_nothing_is_trimmed),
        TEST (of_packets_only_a_megabyte_is_kept),
        TEST (what_was_taken_out_does_not_come_back),
        TEST (a_replay_is_taken_once_and_settles_the_ledger),
        TEST (a_lost_reply_gives_the_replay_again_and_a_dead_owner_frees_it),
        TEST (what_was_put_back_again_stays),
        TEST (what_was_put_back_before_its_end_stays),
        TEST (many_replays_are_shared_and_bounded),
        TEST (what_does_not_decode_is_shown_as_such),
    };
    return cmocka_run_group_tests (tests, start, stop);
}
