//  weft_kafka_begin_test.c - where a partition begins, and that it stays so.

#include "kafka_mock.h"

#include "weft_metrics.h"

static weft_kafka_t *
open_latest (const rig_t *rig, const char *topic)
{
    char *topics[] = { (char *)(uintptr_t)topic };
    char why[WEFT_INPUT_WHY];
    weft_kafka_config_t config = plain_config (rig->brokers, topics);
    config.group = topic;
    config.start = "latest";
    weft_kafka_t *kafka = weft_kafka_new (&config, why);
    if (!kafka)
        fail_msg ("%s", why);
    return kafka;
}

//  Somebody who is no member of the group.
static rd_kafka_t *
open_other (const rig_t *rig, const char *group)
{
    char why[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new ();
    rd_kafka_conf_set (conf, "bootstrap.servers", rig->brokers, why,
                       sizeof (why));
    rd_kafka_conf_set (conf, "group.id", group, why, sizeof (why));
    rd_kafka_t *rk = rd_kafka_new (RD_KAFKA_CONSUMER, conf, why, sizeof (why));
    assert_non_null (rk);
    return rk;
}

//  What the brokers know of a group, asked by somebody else. Negative: nothing.
static int64_t
committed (const rig_t *rig, const char *group, int32_t partition)
{
    rd_kafka_t *rk = open_other (rig, group);
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new (1);
    rd_kafka_topic_partition_list_add (list, group, partition);
    assert_int_equal (rd_kafka_committed (rk, list, PATIENCE_MS), 0);
    int64_t offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy (list);
    rd_kafka_destroy (rk);
    return offset;
}

//  Served, and nothing of it settled, until its group has committed the end.
static void
wait_committed (const rig_t *rig, weft_kafka_t *kafka, const char *topic)
{
    weft_message_t message;
    int64_t until = weft_time_ms () + PATIENCE_MS;
    for (int partition = 0; partition < PARTITIONS;) {
        assert_true (weft_time_ms () < until);
        assert_false (next (kafka, &message, 20));
        if (committed (rig, topic, partition) == MESSAGES)
            partition++;
    }
}

//  A partition that the group has never read begins at its end, and that is the
//  group's before anything has come: who starts again later, or comes in its
//  place, goes on there, not at another end.
static void
the_latest_end_is_kept (void **state)
{
    const rig_t *rig = *state;
    weft_message_t message;
    fill_topic (*state, "latest");
    weft_kafka_t *kafka = open_latest (rig, "latest");
    wait_committed (rig, kafka, "latest");
    produce (rig, "latest", MESSAGES, MESSAGES + 2);
    for (int i = 0; i < 2 * PARTITIONS; i++) {
        assert_true (next (kafka, &message, PATIENCE_MS));
        check_text (&message);
        (void)take (kafka, &message);
    }
    weft_kafka_destroy (&kafka);
    produce (rig, "latest", MESSAGES + 2, MESSAGES + 3);

    int seen[PARTITIONS] = { MESSAGES, MESSAGES };
    kafka = open_latest (rig, "latest");
    for (int i = 0; i < 3 * PARTITIONS; i++) {
        assert_true (next (kafka, &message, PATIENCE_MS));
        assert_int_equal (message.at.offset, seen[message.partition]++);
        (void)take (kafka, &message);
    }
    weft_kafka_destroy (&kafka);
}

//  Serves a member until its gauge of a topic is in the text, or no longer is.
static void
wait_gauge (weft_kafka_t *kafka, const char *sign, bool there)
{
    weft_message_t message;
    int64_t until = weft_time_ms () + PATIENCE_MS;
    for (bool found = !there; found != there;) {
        assert_true (weft_time_ms () < until);
        if (next (kafka, &message, 20)) {
            weft_position_t at = take (kafka, &message);
            weft_kafka_end (kafka, &at);
        }
        weft_buf_t buf;
        weft_buf_init (&buf, 1 << 20);
        weft_metrics_write (&buf);
        weft_buf_add (&buf, "", 1);
        found = strstr ((char *)buf.data, sign) != NULL;
        weft_buf_fini (&buf);
    }
}

//  A topic that goes takes its gauges along, the others keep theirs; it may come
//  again.
static void
a_topic_of_before_has_no_gauge (void **state)
{
    const rig_t *rig = *state;
    char one[] = "weft_kafka_lag{topic=\"day_1\",partition=\"1\"}",
         two[] = "weft_kafka_lag{topic=\"day_2\",partition=\"1\"}";
    fill_topic (*state, "day_1");
    fill_topic (*state, "day_2");
    weft_kafka_t *kafka = open_member (rig, "^day_.*");
    wait_gauge (kafka, one, true);
    wait_gauge (kafka, two, true);
    rd_kafka_mock_topic_set_error (rig->cluster, "day_1",
                                   RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    wait_gauge (kafka, one, false);
    wait_gauge (kafka, two, true);
    rd_kafka_mock_topic_set_error (rig->cluster, "day_1", 0);
    wait_gauge (kafka, one, true);
    weft_kafka_destroy (&kafka);
}

//  Somebody who is no member commits for a group that has none.
static void
commit (const rig_t *rig, const char *group, int32_t partition, int64_t offset)
{
    rd_kafka_t *rk = open_other (rig, group);
    rd_kafka_topic_partition_list_t *list =
        rd_kafka_topic_partition_list_new (1);
    rd_kafka_topic_partition_list_add (list, group, partition)->offset = offset;
    assert_int_equal (rd_kafka_commit (rk, list, 0), 0);
    rd_kafka_topic_partition_list_destroy (list);
    rd_kafka_destroy (rk);
}

//  More is committed than there is: the topic was made anew. That its log grows
//  beyond makes it none of the group's, whenever it is looked for again.
static void
what_was_beyond_the_end_stays_so (void **state)
{
    const rig_t *rig = *state;
    weft_message_t message = { .partition = -1 };
    char why[600] = "";
    fill_topic (*state, "beyond");
    commit (rig, "beyond", 0, MESSAGES + 5);
    weft_kafka_t *kafka = open_member (rig, "beyond");
    assert_true (next (kafka, &message, PATIENCE_MS));
    assert_false (weft_kafka_ready (kafka, why, sizeof (why)));
    assert_non_null (strstr (why, "the topic was made anew"));
    produce (rig, "beyond", MESSAGES, MESSAGES + 10);
    //  What is settled may be gone: all is found anew, and begins anew.
    booked_rc = WEFT_EAGAIN;
    do {
        assert_int_equal (message.partition, 1);
        weft_position_t at = take (kafka, &message);
        weft_kafka_end (kafka, &at);
        assert_true (next (kafka, &message, PATIENCE_MS));
    } while (message.at.offset != 0);
    assert_int_equal (message.partition, 1);
    assert_false (weft_kafka_ready (kafka, why, sizeof (why)));
    assert_non_null (strstr (why, "the topic was made anew"));
    weft_kafka_destroy (&kafka);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (the_latest_end_is_kept),
        cmocka_unit_test (what_was_beyond_the_end_stays_so),
        cmocka_unit_test (a_topic_of_before_has_no_gauge),
    };
    return RUN_WITH_KAFKA (tests, open_rig, close_rig);
}
