//  The Kafka input against librdkafka's own cluster in this process: what is
//  committed, what is read again, who has which partition.

#include "unit/testing.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <unistd.h>

#include "weft_kafka.h"
#include "weft_time.h"

enum { PARTITIONS = 2, MESSAGES = 50, PATIENCE_MS = 120000 };

typedef struct {
    rd_kafka_t *producer;
    rd_kafka_mock_cluster_t *cluster;
    char brokers[256];
} rig_t;

static int
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

static int
close_rig (void **state)
{
    rig_t *rig = *state;
    rd_kafka_destroy (rig->producer);
    return 0;
}

//  Offsets `first` to `end` of each partition, "partition:offset" in each.
static void
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

static void
fill_topic (rig_t *rig, const char *topic)
{
    assert_int_equal (
        rd_kafka_mock_topic_create (rig->cluster, topic, PARTITIONS, 1), 0);
    produce (rig, topic, 0, MESSAGES);
}

//  Without a static name, which this cluster does not know: such a member would
//  have to be waited out.
static weft_kafka_t *
open_behind (const rig_t *rig, const char *topic, int64_t backlog_from)
{
    char *topics[] = { (char *)(uintptr_t)topic };
    char why[WEFT_INPUT_WHY];
    const weft_kafka_config_t config = { .brokers = rig->brokers,
                                         .topics = { topics, 1 },
                                         .group = topic[0] == '^' ? topic + 1
                                                                  : topic,
                                         .member = "",
                                         .start = "earliest",
                                         .security = "plaintext",
                                         .sasl = "",
                                         .user = "",
                                         .password_file = "",
                                         .ca_file = "",
                                         .backlog_from = backlog_from,
                                         .backlog_share = 0.5,
                                         .prefetch_mb = 1,
                                         .rebalance_ms = 1000,
                                         .discover_s = 1 };
    weft_kafka_t *kafka = weft_kafka_new (&config, why);
    if (!kafka)
        fail_msg ("%s", why);
    return kafka;
}

static weft_kafka_t *
open_member (const rig_t *rig, const char *topic)
{
    return open_behind (rig, topic, 0);
}

//  The next message of a member, waited for; false after `ms` without any.
static bool
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
static weft_position_t
take (weft_kafka_t *kafka, const weft_message_t *message)
{
    weft_input_t *input = weft_kafka_input (kafka);
    weft_position_t at = message->at;
    weft_kafka_take (kafka, &at);
    input->advance (input, 1);
    return at;
}

static void
check_text (const weft_message_t *message)
{
    char want[32];
    snprintf (want, sizeof (want), "%d:%lld", message->partition,
              (long long)message->at.offset);
    assert_int_equal (message->size, strlen (want));
    assert_memory_equal (message->data, want, strlen (want));
}

//  Everything but the 10th of partition 0 ends: that is what is read again, and
//  what lies behind it.
static void
only_what_is_settled_is_committed (void **state)
{
    rig_t *rig = *state;
    weft_message_t message;
    weft_position_t stuck = { 0 };
    fill_topic (rig, "settled");
    weft_kafka_t *kafka = open_member (rig, "settled");
    for (int i = 0; i < PARTITIONS * MESSAGES; i++) {
        assert_true (next (kafka, &message, PATIENCE_MS));
        check_text (&message);
        assert_string_equal (weft_kafka_input (kafka)->topic (
                                 weft_kafka_input (kafka), message.at.part, 0),
                             "settled");
        assert_string_equal (weft_kafka_input (kafka)->topic (
                                 weft_kafka_input (kafka), message.at.part, 2),
                             "settled#2");
        bool is_stuck = message.partition == 0 && message.at.offset == 10;
        weft_position_t at = take (kafka, &message);
        if (is_stuck)
            stuck = at;
        else
            weft_kafka_end (kafka, &at);
    }
    assert_int_equal (stuck.offset, 10);
    weft_kafka_destroy (&kafka);
    assert_null (kafka);

    kafka = open_member (rig, "settled");
    for (int i = 10; i < MESSAGES; i++) {
        assert_true (next (kafka, &message, PATIENCE_MS));
        assert_int_equal (message.partition, 0);
        assert_int_equal (message.at.offset, i);
        weft_position_t at = take (kafka, &message);
        weft_kafka_end (kafka, &at);
    }
    weft_kafka_destroy (&kafka);

    kafka = open_member (rig, "settled");
    char why[256];
    for (int64_t until = weft_time_ms () + PATIENCE_MS;
         !weft_kafka_ready (kafka, why, sizeof (why)) &&
         weft_time_ms () < until;)
        (void)next (kafka, &message, 50);
    assert_true (weft_kafka_ready (kafka, why, sizeof (why)));
    assert_false (next (kafka, &message, 1000));
    weft_kafka_destroy (&kafka);
}

//  A partition may be assigned more than once before the group is at rest; each
//  time it begins at the start, as nothing was settled.
static void
count_up (const weft_message_t *message, int *read)
{
    int *count = &read[message->partition];
    if (message->at.offset == 0)
        *count = 0;
    assert_int_equal (message->at.offset, (*count)++);
}

//  A pattern, and positions of an assignment that is over.
static void
an_old_epoch_moves_nothing (void **state)
{
    rig_t *rig = *state;
    weft_message_t message;
    weft_position_t first[PARTITIONS * MESSAGES];
    fill_topic (rig, "night_1");
    weft_kafka_t *a = open_member (rig, "^night_.*");
    for (int i = 0; i < PARTITIONS * MESSAGES; i++) {
        assert_true (next (a, &message, PATIENCE_MS));
        first[i] = take (a, &message);
    }
    //  Another member: the first waits a second for what is in flight, then
    //  both begin at the start, as nothing was settled.
    weft_kafka_t *b = open_member (rig, "^night_.*");
    int read[PARTITIONS] = { 0 };
    for (int64_t until = weft_time_ms () + PATIENCE_MS;
         read[0] + read[1] < PARTITIONS * MESSAGES &&
         weft_time_ms () < until;) {
        if (next (a, &message, 20)) {
            count_up (&message, read);
            (void)take (a, &message);
            //  The old one ends now: nothing may be committed by that.
            for (int i = 0; i < PARTITIONS * MESSAGES; i++)
                weft_kafka_end (a, &first[i]);
        }
        if (next (b, &message, 20)) {
            count_up (&message, read);
            (void)take (b, &message);
        }
    }
    assert_int_equal (read[0], MESSAGES);
    assert_int_equal (read[1], MESSAGES);
    weft_kafka_destroy (&a);
    weft_kafka_destroy (&b);

    a = open_member (rig, "^night_.*");
    assert_true (next (a, &message, PATIENCE_MS));
    assert_int_equal (message.at.offset, 0);
    weft_kafka_destroy (&a);
}

//  Each lane in its order, each message once.
typedef struct {
    int back[PARTITIONS], live[PARTITIONS];  //  next offsets
    int n_back, n_new;
} lanes_t;

enum { SPLIT = MESSAGES - MESSAGES / 20 };  //  the last seconds count as new

static weft_position_t
take_of_lane (weft_kafka_t *kafka,
              const weft_message_t *message,
              lanes_t *lanes)
{
    bool live = message->at.offset >= SPLIT;
    int *next_offset = (live ? lanes->live : lanes->back) + message->partition;
    check_text (message);
    assert_int_equal (message->at.offset, (*next_offset)++);
    lanes->n_new += message->at.offset >= MESSAGES;
    lanes->n_back += !live;
    return take (kafka, message);
}

//  What is new comes before all of the backlog has, and what is committed is
//  below everything that is not settled, in either lane.
static void
live_comes_before_backlog (void **state)
{
    const rig_t *rig = *state;
    enum { LIVE = 5, ALL = PARTITIONS * (MESSAGES + LIVE), STUCK = 20 };
    lanes_t lanes = { .live = { SPLIT, SPLIT } };
    weft_message_t message;
    weft_position_t stuck = { 0 };
    fill_topic (*state, "night_3");
    weft_kafka_t *kafka = open_behind (rig, "night_3", MESSAGES);
    for (int i = 0; i < ALL; i++) {
        assert_true (next (kafka, &message, PATIENCE_MS));
        weft_position_t at = take_of_lane (kafka, &message, &lanes);
        if (message.partition == 0 && at.offset == STUCK)
            stuck = at;
        else
            weft_kafka_end (kafka, &at);
        if (i == 0)
            produce (rig, "night_3", MESSAGES, MESSAGES + LIVE);
        //  Until something new has come: a minute at most.
        for (int t = 0; i < PARTITIONS * MESSAGES / 2 && !lanes.n_new && t < 12;
             t++)
            (void)poll (NULL, 0, 100);
        if (lanes.n_new == PARTITIONS * LIVE && at.offset >= MESSAGES)
            assert_true (lanes.n_back < PARTITIONS * SPLIT);
    }
    assert_int_equal (stuck.offset, STUCK);
    assert_false (next (kafka, &message, 500));
    weft_kafka_destroy (&kafka);

    //  Partition 1 is done to its end, partition 0 only before what was stuck.
    kafka = open_member (rig, "night_3");
    for (int i = STUCK; i < MESSAGES + LIVE; i++) {
        assert_true (next (kafka, &message, PATIENCE_MS));
        assert_int_equal (message.partition, 0);
        assert_int_equal (message.at.offset, i);
        (void)take (kafka, &message);
    }
    assert_false (next (kafka, &message, 500));
    weft_kafka_destroy (&kafka);

    //  Two lanes again: of those that both lanes have settled now, nothing is
    //  left, and the last commit is the end.
    kafka = open_behind (rig, "night_3", 1);
    for (int i = STUCK; i < MESSAGES + LIVE; i++) {
        assert_true (next (kafka, &message, PATIENCE_MS));
        assert_int_equal (message.at.offset, i);
        weft_position_t at = take (kafka, &message);
        weft_kafka_end (kafka, &at);
    }
    assert_false (next (kafka, &message, 1000));
    weft_kafka_destroy (&kafka);
    kafka = open_member (rig, "night_3");
    assert_false (next (kafka, &message, 2000));
    weft_kafka_destroy (&kafka);
}

//  Looked at from outside: everything once, partition by partition, and no
//  group is the wiser.
static void
look_at (const rig_t *rig, const char *rest, int first)
{
    char url[512], why[WEFT_INPUT_WHY] = "", path[64];
    weft_message_t message;
    snprintf (url, sizeof (url), "kafka://%s/%s", rig->brokers, rest);
    weft_input_t *input = weft_input_topic (url, why);
    if (!input)
        fail_msg ("%s", why);
    for (int partition = 0; partition < PARTITIONS; partition++)
        for (int i = first; i < MESSAGES; i++) {
            assert_int_equal (input->next (input, &message), 1);
            snprintf (path, sizeof (path), "night_2/%d/%d", partition, i);
            assert_string_equal (message.path, path);
            snprintf (path, sizeof (path), "%d:%d", partition, i);
            assert_int_equal (message.size, strlen (path));
            assert_memory_equal (message.data, path, message.size);
            input->advance (input, 1);
        }
    assert_int_equal (input->next (input, &message), 0);
    assert_int_equal (input->next (input, &message), 0);
    weft_input_destroy (&input);
}

static void
a_topic_is_looked_at_from_outside (void **state)
{
    const rig_t *rig = *state;
    fill_topic (*state, "night_2");
    look_at (rig, "night_2", 0);
    look_at (rig, "night_2?last=3", MESSAGES - 3);
    look_at (rig, "night_2?last=1000&client.id=me", 0);
    static const struct {
        const char *rest, *said;
    } wrong[] = {
        { "night_2?last=0", "last=0" },
        { "night_2?last=3x", "last=3x" },
        { "night_2?no.such=1", "no.such" },
        { "night_2?sasl.password=@/no/such", "/no/such" },
        { "night_2?x", "name=value" },
        { "", "kafka://HOST:PORT/TOPIC" },
        { "a/b", "kafka://HOST:PORT/TOPIC" },
    };
    for (size_t i = 0; i < WEFT_COUNT (wrong); i++) {
        char url[512], why[WEFT_INPUT_WHY] = "";
        snprintf (url, sizeof (url), "kafka://%s/%s", rig->brokers,
                  wrong[i].rest);
        assert_null (weft_input_topic (url, why));
        assert_non_null (strstr (why, wrong[i].said));
    }
}

static void
refuse (weft_kafka_config_t config, const char *option)
{
    char why[WEFT_INPUT_WHY] = "";
    weft_kafka_t *kafka = weft_kafka_new (&config, why);
    assert_null (kafka);
    if (!strstr (why, option))
        fail_msg ("'%s' does not name %s", why, option);
}

static void
a_wrong_option_is_named (void **state)
{
    (void)state;
    char *topics[] = { "t" }, *nonsense[] = { "no.such.property=1" },
         *missing[] = { "sasl.password=/nowhere/at/all" },
         *bare[] = { "fetch.max.bytes" };
    const weft_kafka_config_t good = { .brokers = "127.0.0.1:1",
                                       .topics = { topics, 1 },
                                       .group = "g",
                                       .member = "",
                                       .start = "earliest",
                                       .security = "plaintext",
                                       .sasl = "",
                                       .user = "",
                                       .password_file = "",
                                       .ca_file = "",
                                       .prefetch_mb = 1,
                                       .discover_s = 1 };
    weft_kafka_config_t config = good;
    config.topics.n = 0;
    refuse (config, "options.topics");
    config = good;
    config.start = "middle";
    refuse (config, "options.start");
    config = good;
    config.security = "secret";
    refuse (config, "options.security");
    config = good;
    config.password_file = "/nowhere/at/all";
    refuse (config, "options.password_file: /nowhere/at/all");
    config = good;
    config.properties = (weft_texts_t){ nonsense, 1 };
    refuse (config, "options.kafka");
    config = good;
    config.properties = (weft_texts_t){ bare, 1 };
    refuse (config, "options.kafka: 'fetch.max.bytes'");
    config = good;
    config.secret_files = (weft_texts_t){ missing, 1 };
    refuse (config, "options.kafka_files: /nowhere/at/all");
}

int
main (void)
{
#ifdef __SANITIZE_THREAD__
    //  librdkafka makes threads by C11's thrd_create, which the sanitizer of
    //  this compiler does not see: the first that allocates crashes.
    puts ("SKIP: librdkafka's threads cannot run under ThreadSanitizer");
    return 77;
#endif
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_wrong_option_is_named),
        cmocka_unit_test (only_what_is_settled_is_committed),
        cmocka_unit_test (an_old_epoch_moves_nothing),
        cmocka_unit_test (live_comes_before_backlog),
        cmocka_unit_test (a_topic_is_looked_at_from_outside),
    };
    return cmocka_run_group_tests (tests, open_rig, close_rig);
}
