//  weft_redis_kill_test.c - kill -9 of Redis in the middle of batches: nothing
//  that was acknowledged is lost, nothing is doubled. Redis itself does lose
//  acknowledged writes now and then (weft_journal.h): this fails within a few
//  runs without the journal.
//
//  A thread kills the server every 20 to 220 ms, at any moment of a batch, and
//  starts it again. Meanwhile we take, book and merge as ingest does, holding
//  while Redis is down, and at the end count from what we know.

#include "../unit/testing.h"

#include <pthread.h>
#include <stdatomic.h>

#include "redis_private.h"
#include "weft_history.h"
#include "weft_ledger.h"
#include "weft_log.h"
#include "weft_rows.h"
#include "weft_time.h"

enum { RUN_MS = 8000, BATCH = 64, OBJECTS = 16, NIGHT = 61000 };

static redis_private_t server = { .fsync = "everysec" };
static atomic_bool ending;
static atomic_int kills;

static void
pause_ms (long ms)
{
    nanosleep (&(struct timespec){ .tv_sec = ms / 1000,
                                   .tv_nsec = ms % 1000 * 1000000 },
               NULL);
}

//  Waits until Redis has read its file (a long one takes longer than we would
//  let it live), then kills it at a random moment.
static void *
kill_and_restart (void *arg)
{
    unsigned seed = 7;
    weft_redis_config_t config = { .backoff_ms = 10 };
    weft_redis_t *redis = weft_redis_new (server.address, &config);
    (void)arg;
    while (!atomic_load (&ending)) {
        while (weft_redis_ping (redis) != 0)
            pause_ms (5);
        pause_ms (20 + rand_r (&seed) % 200);
        redis_private_kill (&server);
        pause_ms (rand_r (&seed) % 60);
        redis_private_restart (&server);
        atomic_fetch_add (&kills, 1);
    }
    weft_redis_destroy (&redis);
    return NULL;
}

//  Every 10th alert repeats an id, every 7th dies.
static weft_booking_t
booking_at (int64_t offset)
{
    bool repeat = offset % 10 == 9;
    return (weft_booking_t){
        .survey = weft_str ("ztf"),
        .topic = weft_str ("topic"),
        .night = NIGHT,
        .offset = offset,
        .alert_id = 1000 + (repeat ? offset - 1 : offset),
        .has_id = true,
        .outcome =
            (uint8_t)(offset % 7 == 0 ? WEFT_BOOKED_DEAD : WEFT_BOOKED_SETTLED),
    };
}

static int64_t
expected (int64_t n, int outcome)
{
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        weft_booking_t one = booking_at (i);
        int is = i % 10 == 9 ? WEFT_BOOKED_DUPLICATE : one.outcome;
        count += is == outcome;
    }
    return count;
}

typedef int (step_t) (weft_batch_t *, weft_booking_t *, size_t);

static void
until_it_works (step_t *step, weft_batch_t *batch, weft_booking_t *many)
{
    int rc;
    while ((rc = step (batch, many, BATCH)) == WEFT_EDOWN)
        pause_ms (2);
    assert_int_equal (rc, 0);
}

//  Adds a point to an object's history, by CAS; like a packet it brings the
//  points before it, too. A history may lose its newest points with Redis (they
//  come again), and nothing else. Returns how many were lost.
static int
add_point (weft_batch_t *batch, int object, size_t point)
{
    char name[16];
    uint8_t blob[256];
    weft_history_t one = { .survey = weft_str ("ztf") };
    snprintf (name, sizeof name, "o%d", object);
    one.object_id = weft_str (name);
    for (size_t i = 0; i < sizeof blob; i++)
        blob[i] = (uint8_t)(i + (size_t)object);
    for (;;) {
        int rc = weft_history_get (batch, &one, 1);
        if (rc == 0) {
            assert_true (one.size <= point + 1);
            if (one.size)
                assert_memory_equal (one.blob, blob, one.size);
            if (one.size == point + 1)
                return 0;  //  only the reply of its put was lost
            int lost = (int)(point - one.size);
            one.blob = blob;
            one.size = point + 1;
            rc = weft_history_put (batch, &one, 1);
            if (rc == 0) {
                assert_false (one.lost);
                return lost;
            }
        }
        assert_int_equal (rc, WEFT_EDOWN);
        pause_ms (2);
    }
}

//  Writes a row under a number of its own.
static void
add_row (weft_redis_t *redis, int64_t number)
{
    char id[32];
    int rc;
    snprintf (id, sizeof id, "%lld", (long long)number);
    weft_row_put_t row = { weft_str (id), id, strlen (id), false };
    while ((rc = weft_rows_put (redis, "label", &row, 1)) == WEFT_EDOWN)
        pause_ms (2);
    assert_int_equal (rc, 0);
}

typedef struct {
    int64_t count;
    uint64_t last;
} rows_t;

static void
count_row (void *arg, uint64_t number, weft_str_t id, weft_bin_t row)
{
    rows_t *rows = arg;
    assert_int_equal (id.n, row.n);
    assert_memory_equal (id.p, row.p, id.n);
    assert_true (number > rows->last);
    rows->last = number;
    rows->count++;
}

static void
check_ledger (weft_redis_t *redis, int64_t n)
{
    weft_account_t *accounts = NULL;
    size_t nights = 0;
    assert_int_equal (weft_ledger_read (redis, &accounts, &nights), 0);
    assert_int_equal (nights, 1);
    assert_int_equal (accounts[0].received, n);
    assert_int_equal (accounts[0].settled, expected (n, WEFT_BOOKED_SETTLED));
    assert_int_equal (accounts[0].dead, expected (n, WEFT_BOOKED_DEAD));
    assert_int_equal (accounts[0].duplicate,
                      expected (n, WEFT_BOOKED_DUPLICATE));
    assert_int_equal (accounts[0].in_flight, 0);
    assert_true (accounts[0].balanced);
    free (accounts);
}

static void
nothing_acknowledged_is_lost (void **state)
{
    (void)state;
    pthread_t killer;
    weft_redis_config_t config = { .backoff_ms = 50 };
    weft_redis_t *redis = weft_redis_new (server.address, &config);
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_booking_t many[BATCH];
    int64_t n = 0, rows = 0;
    size_t points[OBJECTS] = { 0 };
    int lost = 0;
    assert_int_equal (pthread_create (&killer, NULL, kill_and_restart, NULL),
                      0);
    int64_t end = weft_time_ms () + RUN_MS;
    while (weft_time_ms () < end) {
        for (int i = 0; i < BATCH; i++)
            many[i] = booking_at (n + i);
        until_it_works (weft_ledger_take, batch, many);
        until_it_works (weft_ledger_book, batch, many);
        n += BATCH;
        int object = (int)(n / BATCH % OBJECTS);
        if (points[object] < 255)
            lost += add_point (batch, object, points[object]++);
        add_row (redis, rows++);
    }
    atomic_store (&ending, true);
    pthread_join (killer, NULL);
    while (weft_redis_ping (redis) != 0)
        pause_ms (10);
    print_message ("%d kills, %lld alerts, %d history points brought again\n",
                   atomic_load (&kills), (long long)n, lost);
    assert_true (atomic_load (&kills) > 5);
    assert_true (n > 1000);
    check_ledger (redis, n);
    rows_t found = { 0, 0 };
    assert_int_equal (
        weft_rows_since (redis, "label", 0, 1000000, count_row, &found, NULL),
        0);
    assert_int_equal (found.count, rows);
    weft_batch_destroy (&batch);
    weft_redis_destroy (&redis);
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
        cmocka_unit_test (nothing_acknowledged_is_lost),
    };
    return cmocka_run_group_tests (tests, start, stop);
}
