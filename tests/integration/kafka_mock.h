//  kafka_mock.h - librdkafka's own cluster in this process, and members of a
//  group that read it. Included by one file of a test.

#ifndef WEFT_TEST_KAFKA_MOCK_H_INCLUDED
#define WEFT_TEST_KAFKA_MOCK_H_INCLUDED

#include "unit/kafka_config.h"
#include "unit/testing.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>

#include "weft_kafka.h"
#include "weft_time.h"

enum { PARTITIONS = 2, MESSAGES = 50, PATIENCE_MS = 120000 };

typedef struct {
    rd_kafka_t *producer;
    rd_kafka_mock_cluster_t *cluster;
    char brokers[256];
} rig_t;

static inline int
open_rig (void **state)
{
    static rig_t rig;
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new ();
    rd_kafka_conf_set (conf, "test.mock.num.brokers", "1", why, sizeof (why));
    rig.producer = rd_kafka_new (RD_KAFKA_PRODUCER, conf, why, sizeof (why));
    assert_non_null (rig.producer);
    rig.cluster = rd_kafka_handle_mock_cluster (rig.producer);
    assert_non_null (rig.cluster);
    snprintf (rig.brokers, sizeof (rig.brokers), "%s",
              rd_kafka_mock_cluster_bootstraps (rig.cluster));
    *state = &rig;
    return 0;
}

static inline int
close_rig (void **state)
{
    rig_t *rig = *state;
    rd_kafka_destroy (rig->producer);
    return 0;
}

//  Offsets `first` to `end` of each partition, "partition:offset" in each.
static inline void
produce (const rig_t *rig, const char *topic, int first, int end)
{
    for (int partition = 0; partition < PARTITIONS; partition++)
        for (int i = first; i < end; i++) {
            char text[32];
            snprintf (text, sizeof (text), "%d:%d", partition, i);
            assert_int_equal (
                rd_kafka_producev (rig->producer, RD_KAFKA_V_TOPIC (topic),
                                   RD_KAFKA_V_PARTITION (partition),
                                   RD_KAFKA_V_VALUE (text, strlen (text)),
                                   RD_KAFKA_V_MSGFLAGS (RD_KAFKA_MSG_F_COPY),
                                   RD_KAFKA_V_END),
                0);
        }
    assert_int_equal (rd_kafka_flush (rig->producer, PATIENCE_MS), 0);
}

static inline void
fill_topic (rig_t *rig, const char *topic)
{
    assert_int_equal (
        rd_kafka_mock_topic_create (rig->cluster, topic, PARTITIONS, 1), 0);
    produce (rig, topic, 0, MESSAGES);
}

//  Is what was booked safe? Tests may say no for a while.
static int booked_rc = 0;
//  That it takes to find out, where it may take any time.
static int safe_after_ms;

//  What is gone is said once.
static inline int
is_safe (void *arg, int64_t most_ms)
{
    (void)arg;
    if (most_ms)
        (void)poll (NULL, 0, safe_after_ms);
    int rc = booked_rc;
    booked_rc = rc == WEFT_EAGAIN ? 0 : rc;
    return rc == 0 && safe_after_ms && !most_ms ? WEFT_EDOWN : rc;
}

static inline weft_kafka_t *
open_behind (const rig_t *rig, const char *topic, int64_t backlog_from)
{
    char *topics[] = { (char *)(uintptr_t)topic };
    char why[WEFT_INPUT_WHY];
    weft_kafka_config_t config = plain_config (rig->brokers, topics);
    config.group = topic[0] == '^' ? topic + 1 : topic;
    config.backlog_from = backlog_from;
    config.backlog_share = 0.5;
    config.rebalance_ms = 1000;
    config.kept = is_safe;
    weft_kafka_t *kafka = weft_kafka_new (&config, why);
    if (!kafka)
        fail_msg ("%s", why);
    return kafka;
}

static inline weft_kafka_t *
open_member (const rig_t *rig, const char *topic)
{
    return open_behind (rig, topic, 0);
}

//  The next message of a member, waited for; false after `ms` without any.
static inline bool
next (weft_kafka_t *kafka, weft_message_t *message, int ms)
{
    weft_input_t *input = weft_kafka_input (kafka);
    for (int64_t until = weft_time_ms () + ms; weft_time_ms () < until;) {
        assert_int_equal (weft_kafka_beat (kafka, weft_time_ms ()), 0);
        int rc = input->next (input, message);
        if (rc == 1)
            return true;
        assert_int_equal (rc, WEFT_EAGAIN);
        struct pollfd fd = { .fd = weft_kafka_fd (kafka), .events = POLLIN };
        (void)poll (&fd, 1, 50);
    }
    return false;
}

//  Reads one message whole, of one item that is on its way now.
static inline weft_position_t
take (weft_kafka_t *kafka, const weft_message_t *message)
{
    weft_input_t *input = weft_kafka_input (kafka);
    weft_position_t at = message->at;
    weft_kafka_take (kafka, &at);
    input->advance (input, 1);
    return at;
}

static inline void
check_text (const weft_message_t *message)
{
    char want[32];
    snprintf (want, sizeof (want), "%d:%lld", message->partition,
              (long long)message->at.offset);
    assert_int_equal (message->size, strlen (want));
    assert_memory_equal (message->data, want, strlen (want));
}

//  librdkafka makes threads by C11's thrd_create, which the thread sanitizer of
//  this compiler does not see: the first that allocates crashes.
#ifdef __SANITIZE_THREAD__
#define RUN_WITH_KAFKA(tests, start, stop)                                     \
    ((void)(tests), (void)(start), (void)(stop),                               \
     puts ("SKIP: librdkafka's threads cannot run under ThreadSanitizer"), 77)
#else
#define RUN_WITH_KAFKA(tests, start, stop)                                     \
    cmocka_run_group_tests (tests, start, stop)
#endif

#endif
