//  weft_written_test.c - what a connection remembers is forgotten once Redis
//  says that it has written everything, and not before.
//
//  The Redis is a thread of ours that says what the test wants to hear.

#include "../unit/testing.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "weft_log.h"
#include "weft_redis_private.h"
#include "weft_time.h"

enum { MUCH = 300 << 10, LITTLE = 1 << 10, LOOKS = 3, WAIT_MS = 60000 };

static char path[64];
static int listener;
static atomic_int asked;          //  how often it was asked
static const char *_Atomic says;  //  the line of INFO

//  One command in, one answer out: a text of ours ends with the only line end
//  that is the last thing in the socket.
static void
serve (int fd)
{
    static char bytes[MUCH * 2];
    size_t n = 0;
    for (ssize_t got; (got = read (fd, bytes + n, sizeof bytes - n)) > 0;) {
        n += (size_t)got;
        if (n < 2 || bytes[n - 1] != '\n' || bytes[n - 2] != '\r')
            continue;
        char answer[128] = "+OK\r\n";
        if (!memcmp (bytes + 8, "INFO", 4)) {  //  "*2\r\n$4\r\nINFO"
            const char *text = atomic_load (&says);
            snprintf (answer, sizeof answer, "$%zu\r\n%s\r\n", strlen (text),
                      text);
            atomic_fetch_add (&asked, 1);
        }
        n = 0;
        if (write (fd, answer, strlen (answer)) < 0)
            return;
    }
}

static void *
accept_all (void *arg)
{
    (void)arg;
    for (int fd; (fd = accept (listener, NULL, NULL)) >= 0;) {
        serve (fd);
        close (fd);
    }
    return NULL;
}

//  A connection that has put `size` bytes and remembers them.
static weft_redis_t *
connect_and_put (size_t size)
{
    char address[80];
    snprintf (address, sizeof address, "unix:%s", path);
    atomic_store (&asked, 0);
    weft_redis_config_t patient = { .command_ms = WAIT_MS };
    weft_redis_t *redis = weft_redis_new (address, &patient);
    assert_non_null (redis);
    weft_batch_t *batch = weft_batch_new (redis, 0);
    char *value = malloc (size);
    memset (value, 'x', size);
    weft_batch_begin (batch, 3);
    weft_batch_str (batch, "SET");
    weft_batch_str (batch, "key");
    weft_batch_arg (batch, value, size);
    weft_batch_keep (batch);
    assert_int_equal (weft_batch_run (batch), 0);
    free (value);
    weft_batch_destroy (&batch);
    return redis;
}

//  Works on until it is forgotten or Redis was asked `looks` times; what is
//  remembered does not grow old meanwhile.
static bool
is_forgotten (weft_redis_t *redis, int looks)
{
    int64_t until = weft_time_ms () + WAIT_MS;
    while (redis->journals[0].first && atomic_load (&asked) < looks &&
           weft_time_ms () < until) {
        weft_journal_renew (&redis->journals[0], weft_time_ms ());
        assert_int_equal (weft_redis_ping (redis), 0);
        nanosleep (&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    }
    return !redis->journals[0].first;
}

static void
what_is_written_is_forgotten (void **state)
{
    (void)state;
    atomic_store (&says, "aof_enabled:1\r\naof_buffer_length:0\r\n");
    weft_redis_t *redis = connect_and_put (MUCH);
    assert_true (is_forgotten (redis, INT32_MAX));
    assert_int_equal (redis->journals[0].size, 0);
    weft_redis_destroy (&redis);
}

static void
what_waits_for_the_file_is_remembered (void **state)
{
    (void)state;
    atomic_store (&says, "aof_enabled:1\r\naof_buffer_length:17\r\n");
    weft_redis_t *redis = connect_and_put (MUCH);
    assert_false (is_forgotten (redis, LOOKS));
    assert_int_equal (atomic_load (&asked), LOOKS);
    weft_redis_destroy (&redis);
}

static void
without_a_file_it_is_remembered (void **state)
{
    (void)state;
    atomic_store (&says, "aof_enabled:0\r\n");
    weft_redis_t *redis = connect_and_put (MUCH);
    assert_false (is_forgotten (redis, LOOKS));
    weft_redis_destroy (&redis);
}

static void
for_little_nobody_is_asked (void **state)
{
    (void)state;
    atomic_store (&says, "aof_enabled:1\r\naof_buffer_length:0\r\n");
    weft_redis_t *redis = connect_and_put (LITTLE);
    for (int i = 0; i < 50; i++) {
        assert_int_equal (weft_redis_ping (redis), 0);
        nanosleep (&(struct timespec){ .tv_nsec = 5000000 }, NULL);
    }
    assert_int_equal (atomic_load (&asked), 0);
    weft_redis_destroy (&redis);
}

static int
start (void **state)
{
    (void)state;
    weft_log_init ("test", WEFT_ERROR);
    snprintf (path, sizeof path, "/tmp/weft-written-%d", (int)getpid ());
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    snprintf (name.sun_path, sizeof name.sun_path, "%s", path);
    listener = socket (AF_UNIX, SOCK_STREAM, 0);
    if (listener < 0 || bind (listener, (void *)&name, sizeof name) ||
        listen (listener, 4))
        return -1;
    pthread_t thread;
    return pthread_create (&thread, NULL, accept_all, NULL) ||
           pthread_detach (thread);
}

static int
stop (void **state)
{
    (void)state;
    unlink (path);  //  the thread ends with the process
    return 0;
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (what_is_written_is_forgotten),
        cmocka_unit_test (what_waits_for_the_file_is_remembered),
        cmocka_unit_test (without_a_file_it_is_remembered),
        cmocka_unit_test (for_little_nobody_is_asked),
    };
    return cmocka_run_group_tests (tests, start, stop);
}
