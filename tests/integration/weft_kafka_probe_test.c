//  weft_kafka_probe_test.c - a trouble that is over is over, also when nothing
//  comes that would tell.

#include "kafka_mock.h"

//  Serves a member until it is ready, or no longer is.
static void
serve_until_ready (weft_kafka_t *kafka, bool ready)
{
    weft_message_t message;
    char why[600] = "";
    for (int64_t until = weft_time_ms () + PATIENCE_MS;
         weft_kafka_ready (kafka, why, sizeof (why)) != ready;) {
        if (weft_time_ms () > until)
            fail_msg ("still %s: %s", ready ? "not ready" : "ready", why);
        assert_false (next (kafka, &message, 20));
    }
}

static void
a_broker_that_was_away_for_a_moment (void **state)
{
    const rig_t *rig = *state;
    weft_message_t message;
    char why[600];
    fill_topic (*state, "away");
    weft_kafka_t *kafka = open_member (rig, "away");
    for (int i = 0; i < PARTITIONS * MESSAGES; i++) {
        assert_true (next (kafka, &message, PATIENCE_MS));
        weft_position_t at = take (kafka, &message);
        weft_kafka_end (kafka, &at);
    }
    serve_until_ready (kafka, true);
    assert_int_equal (rd_kafka_mock_broker_set_down (rig->cluster, 1), 0);
    serve_until_ready (kafka, false);
    (void)weft_kafka_ready (kafka, why, sizeof (why));
    assert_non_null (strstr (why, "no broker of options.brokers answers"));
    assert_int_equal (rd_kafka_mock_broker_set_up (rig->cluster, 1), 0);
    serve_until_ready (kafka, true);
    weft_kafka_destroy (&kafka);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_broker_that_was_away_for_a_moment),
    };
    return RUN_WITH_KAFKA (tests, open_rig, close_rig);
}
