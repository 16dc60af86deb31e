//  Brokers that do not answer: what is said of them.

#include "kafka_mock.h"

#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

//  Longer than a label of a name may be: no name server is asked.
#define NO_NAME                                                                \
    "broker-broker-broker-broker-broker-broker-broker-broker-broker-broker"

static weft_kafka_t *
open_at (const char *brokers, const char *security)
{
    char *topics[] = { "night" };
    char *properties[] = { "api.version.request.timeout.ms=1000" };
    char why[WEFT_INPUT_WHY];
    weft_kafka_config_t config = plain_config (brokers, topics);
    config.security = security;
    config.properties = (weft_texts_t){ properties, 1 };
    weft_kafka_t *kafka = weft_kafka_new (&config, why);
    if (!kafka)
        fail_msg ("%s", why);
    return kafka;
}

//  Until /readyz has all of these words; nobody else reads the input.
static void
comes_to_say (weft_kafka_t *kafka, const char *const words[], size_t n)
{
    char why[512] = "";
    size_t found = 0;
    int64_t until = weft_time_ms () + PATIENCE_MS;
    while (found < n && weft_time_ms () < until) {
        assert_int_equal (weft_kafka_beat (kafka, weft_time_ms ()), 0);
        if (weft_kafka_ready (kafka, why, sizeof (why)))
            *why = 0;
        for (found = 0; found < n && strstr (why, words[found]); found++)
            continue;
        (void)poll (NULL, 0, 20);
    }
    if (found < n)
        fail_msg ("expected '%s' in '%s'", words[found], why);
}

static void
says (const char *brokers,
      const char *security,
      const char *reason,
      const char *remedy)
{
    weft_kafka_t *kafka = open_at (brokers, security);
    const char *const words[] = { "no broker of options.brokers answers",
                                  remedy, reason, brokers };
    comes_to_say (kafka, words, WEFT_COUNT (words));
    weft_kafka_destroy (&kafka);
}

//  A port that nothing listens on: bound, and no more.
static int
bind_port (char place[32])
{
    struct sockaddr_in at = { .sin_family = AF_INET,
                              .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
    socklen_t size = sizeof (at);
    int fd = socket (AF_INET, SOCK_STREAM, 0);
    assert_int_equal (bind (fd, (struct sockaddr *)&at, sizeof (at)), 0);
    assert_int_equal (getsockname (fd, (struct sockaddr *)&at, &size), 0);
    snprintf (place, 32, "127.0.0.1:%d", ntohs (at.sin_port));
    return fd;
}

static void
a_broker_that_refuses_is_named (void **state)
{
    (void)state;
    char place[32];
    int fd = bind_port (place);
    says (place, "plaintext", "Connection refused",
          "is the broker up, and its port right?");
    close (fd);
}

static void
a_name_that_is_not_known_is_named (void **state)
{
    (void)state;
    says (NO_NAME ":9092", "plaintext", "Failed to resolve", "this host's DNS");
}

//  Takes connections, and says nothing.
static void
a_silent_broker_is_named (void **state)
{
    (void)state;
    char place[32];
    int fd = bind_port (place);
    assert_int_equal (listen (fd, 64), 0);
    says (place, "plaintext", "Timed out", "is its port right");
    close (fd);
}

//  Closes what comes once it has said something.
static void *
hang_up (void *arg)
{
    int *fd = arg, one;
    char byte;
    while ((one = accept (*fd, NULL, NULL)) >= 0) {
        (void)!recv (one, &byte, 1, 0);
        close (one);
    }
    return NULL;
}

static void
a_broker_that_hangs_up_is_named (void **state)
{
    (void)state;
    char place[32];
    pthread_t thread;
    int fd = bind_port (place);
    assert_int_equal (listen (fd, 64), 0);
    assert_int_equal (pthread_create (&thread, NULL, hang_up, &fd), 0);
    says (place, "plaintext", "Disconnected", "see options.security");
    says (place, "ssl", "SSL handshake failed", "see options.security");
    shutdown (fd, SHUT_RDWR);
    pthread_join (thread, NULL);
    close (fd);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_broker_that_refuses_is_named),
        cmocka_unit_test (a_name_that_is_not_known_is_named),
        cmocka_unit_test (a_silent_broker_is_named),
        cmocka_unit_test (a_broker_that_hangs_up_is_named),
    };
    return RUN_WITH_KAFKA (tests, NULL, NULL);
}
