//  A message that is put aside, against librdkafka's own cluster: its partition
//  stands still for it, uncommitted, and goes on where it stood.

#include "integration/kafka_mock.h"
#include "weft_kafka_parts.h"

enum { ASIDE = 10, LATE = 5 };

//  Reads all that comes; puts `ASIDE` of partition 0 aside whenever it comes.
static void
read_around (weft_kafka_t *kafka, int *next_of, int want)
{
    weft_message_t message;
    while (want--) {
        assert_true (next (kafka, &message, PATIENCE_MS));
        check_text (&message);
        int *expected = &next_of[message.partition];
        assert_int_equal (message.at.offset, *expected);
        if (message.partition == 0 && *expected == ASIDE) {
            assert_int_equal (
                weft_kafka_hold (kafka, 3, true, "a.schema", "why"), 0);
            continue;
        }
        (*expected)++;
        weft_position_t at = take (kafka, &message);
        weft_kafka_end (kafka, &at);
    }
}

static const weft_held_t *
check_held (const weft_kafka_t *kafka, const char *topic, const char *text)
{
    size_t at = 0;
    const weft_held_t *held = weft_kafka_held (kafka, &at);
    assert_non_null (held);
    assert_string_equal (held->topic, topic);
    assert_int_equal (held->partition, 0);
    assert_int_equal (held->item, 3);
    assert_true (held->waits);
    assert_string_equal (held->schema, "a.schema");
    assert_string_equal (held->why, "why");
    assert_int_equal (held->size, strlen (text));
    assert_memory_equal (held->data, text, held->size);
    assert_null (weft_kafka_held (kafka, &at));
    return held;
}

static void
nothing_comes (weft_kafka_t *kafka)
{
    weft_message_t message;
    assert_false (next (kafka, &message, 1000));
}

//  Its own partition waits, the other goes on; whoever comes next begins there.
static void
its_partition_alone_stands_still (void **state)
{
    rig_t *rig = *state;
    int next_of[PARTITIONS] = { 0 };
    fill_topic (rig, "held");
    weft_kafka_t *kafka = open_member (rig, "held");
    read_around (kafka, next_of, ASIDE + 1 + MESSAGES);
    assert_int_equal (next_of[0], ASIDE);
    assert_int_equal (next_of[1], MESSAGES);
    (void)check_held (kafka, "held", "0:10");
    produce (rig, "held", MESSAGES, MESSAGES + LATE);
    read_around (kafka, next_of, LATE);
    nothing_comes (kafka);
    weft_kafka_destroy (&kafka);

    //  What is put aside is not committed; nothing behind it was lost.
    kafka = open_member (rig, "held");
    read_around (kafka, next_of, 1);
    nothing_comes (kafka);
    const weft_held_t *held = check_held (kafka, "held", "0:10");
    weft_kafka_go_on (kafka, held);
    read_around (kafka, next_of, 1);  //  and is put aside once more
    nothing_comes (kafka);
    held = check_held (kafka, "held", "0:10");
    weft_kafka_go_on (kafka, held);
    weft_message_t message;
    for (int i = ASIDE; i < MESSAGES + LATE; i++) {
        assert_true (next (kafka, &message, PATIENCE_MS));
        assert_int_equal (message.partition, 0);
        assert_int_equal (message.at.offset, i);
        check_text (&message);
        weft_position_t at = take (kafka, &message);
        weft_kafka_end (kafka, &at);
    }
    nothing_comes (kafka);
    size_t at = 0;
    assert_null (weft_kafka_held (kafka, &at));
    weft_kafka_destroy (&kafka);
    kafka = open_member (rig, "held");
    nothing_comes (kafka);
    weft_kafka_destroy (&kafka);
}

//  Of two lanes the one that met it stands still.
static void
a_lane_alone_stands_still (void **state)
{
    rig_t *rig = *state;
    enum { SPLIT = MESSAGES - MESSAGES / 20 };
    const int asides[] = { ASIDE, SPLIT };  //  of the backlog, of the live one
    for (size_t k = 0; k < WEFT_COUNT (asides); k++) {
        char topic[32], text[32];
        int count[PARTITIONS] = { 0 }, again = 0;
        weft_message_t message;
        snprintf (topic, sizeof (topic), "lanes_%zu", k);
        snprintf (text, sizeof (text), "0:%d", asides[k]);
        fill_topic (rig, topic);
        weft_kafka_t *kafka = open_behind (rig, topic, MESSAGES);
        //  The lane does not go past it, the other one gives all of its own.
        int own = k ? SPLIT : ASIDE + MESSAGES - SPLIT;
        while (!again || count[0] < own || count[1] < MESSAGES) {
            assert_true (next (kafka, &message, PATIENCE_MS));
            check_text (&message);
            if (message.partition == 0 && message.at.offset == asides[k]) {
                assert_int_equal (
                    weft_kafka_hold (kafka, 3, true, "a.schema", "why"), 0);
                again++;
                continue;
            }
            count[message.partition]++;
            weft_position_t at = take (kafka, &message);
            weft_kafka_end (kafka, &at);
        }
        nothing_comes (kafka);
        assert_int_equal (again, 1);
        assert_int_equal (count[0], own);
        assert_int_equal (count[1], MESSAGES);
        weft_kafka_go_on (kafka, check_held (kafka, topic, text));
        while (count[0] < MESSAGES) {
            assert_true (next (kafka, &message, PATIENCE_MS));
            count[message.partition]++;
            weft_position_t at = take (kafka, &message);
            weft_kafka_end (kafka, &at);
        }
        nothing_comes (kafka);
        assert_int_equal (count[0], MESSAGES);
        assert_int_equal (count[1], MESSAGES);
        weft_kafka_destroy (&kafka);
        kafka = open_member (rig, topic);
        nothing_comes (kafka);
        weft_kafka_destroy (&kafka);
    }
}

//  A rebalance does not wait for it, and takes it along.
static void
a_rebalance_takes_it_along (void **state)
{
    rig_t *rig = *state;
    int next_of[PARTITIONS] = { 0 };
    weft_message_t message;
    fill_topic (rig, "moved");
    weft_kafka_t *a = open_member (rig, "moved");
    read_around (a, next_of, ASIDE + 1 + MESSAGES);
    (void)check_held (a, "moved", "0:10");
    //  Both must be served for the group to come to rest. What was committed
    //  in time is not read again; but nothing past what was put aside was.
    weft_kafka_t *b = open_member (rig, "moved");
    bool found = false;
    for (int64_t until = weft_time_ms () + PATIENCE_MS;
         !found && weft_time_ms () < until;) {
        weft_kafka_t *owner = next (a, &message, 20) ? a : NULL;
        if (!owner && next (b, &message, 20))
            owner = b;
        found = owner && message.partition == 0 && message.at.offset == ASIDE;
        if (owner && !found) {
            assert_true (message.partition == 1 || message.at.offset < ASIDE);
            weft_position_t at = take (owner, &message);
            weft_kafka_end (owner, &at);
        }
    }
    assert_true (found);
    size_t at = 0;
    assert_null (weft_kafka_held (a, &at));
    weft_kafka_destroy (&a);
    weft_kafka_destroy (&b);
}

//  Both are served, as a group's members must be, until it is as wanted.
static void
serve_until (weft_kafka_t *a,
             weft_kafka_t *b,
             bool (*is) (const weft_kafka_t *a))
{
    weft_message_t message;
    for (int64_t until = weft_time_ms () + PATIENCE_MS;
         !is (a) && weft_time_ms () < until;) {
        assert_int_equal (weft_kafka_beat (a, weft_time_ms ()), 0);
        if (b && next (b, &message, 20))
            (void)take (b, &message);
        else
            (void)poll (NULL, 0, 5);
    }
    assert_true (is (a));
}

static bool
lets_go (const weft_kafka_t *a)
{
    return weft_kafka_rebalancing (a);
}

static bool
has_let_go (const weft_kafka_t *a)
{
    return !weft_kafka_rebalancing (a);
}

static bool
has_all_again (const weft_kafka_t *a)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < a->n_parts; i++)
        n += a->parts[i]->assigned;
    return n == PARTITIONS && !a->revoking;
}

//  A message is open while its partition goes, and put aside after that, before
//  the partition is back or after: it is read again as any other.
static void
put_aside_in_the_next_assignment (void **state)
{
    rig_t *rig = *state;
    for (int late = 0; late < 2; late++) {
        char topic[32];
        int64_t next_offset = ASIDE;
        weft_message_t message;
        snprintf (topic, sizeof (topic), "gone_%d", late);
        fill_topic (rig, topic);
        weft_kafka_t *a = open_member (rig, topic), *b;
        do {
            assert_true (next (a, &message, PATIENCE_MS));
            if (message.partition == 0 && message.at.offset == ASIDE)
                break;
            weft_position_t at = take (a, &message);
            weft_kafka_end (a, &at);
        } while (true);
        b = open_member (rig, topic);
        serve_until (a, b, lets_go);
        serve_until (a, b, has_let_go);
        if (late) {
            weft_kafka_destroy (&b);
            serve_until (a, NULL, has_all_again);
        }
        assert_int_equal (weft_kafka_hold (a, 3, true, "a.schema", "why"), 0);
        size_t at = 0;
        assert_null (weft_kafka_held (a, &at));
        assert_true (weft_kafka_in_flight (a) <= PARTITIONS * MESSAGES);
        weft_kafka_destroy (&b);
        while (next_offset < MESSAGES) {
            assert_true (next (a, &message, PATIENCE_MS));
            if (message.partition == 0) {
                assert_true (message.at.offset <= next_offset);
                next_offset = WEFT_MAX (next_offset, message.at.offset + 1);
            }
            weft_position_t ended = take (a, &message);
            weft_kafka_end (a, &ended);
        }
        weft_kafka_destroy (&a);
    }
}

//  Messages of a lane that stands still come all the same, up to its last: they
//  are read again, and nothing is committed past them.
static void
what_came_too_early_is_read_again (void **state)
{
    rig_t *rig = *state;
    bool read[PARTITIONS][MESSAGES] = { 0 };
    weft_message_t message;
    weft_part_t *part = NULL;
    int n = 0;
    fill_topic (rig, "early");
    weft_kafka_t *kafka = open_behind (rig, "early", MESSAGES);
    for (int64_t until = weft_time_ms () + PATIENCE_MS;
         n < PARTITIONS * MESSAGES && weft_time_ms () < until;) {
        size_t from = 0;
        if (!next (kafka, &message, 1000)) {
            if (part && part->missed && weft_kafka_held (kafka, &from))
                weft_kafka_go_on (kafka, &part->aside[WEFT_LANE_BACK]->held);
            continue;
        }
        if (message.partition == 0 && message.at.offset == ASIDE && !part) {
            part = kafka->open;
            assert_int_equal (
                weft_kafka_hold (kafka, 3, true, "a.schema", "why"), 0);
            weft_kafka_pause (kafka->back, part, false);
            continue;
        }
        n += !read[message.partition][message.at.offset];
        read[message.partition][message.at.offset] = true;
        weft_position_t at = take (kafka, &message);
        weft_kafka_end (kafka, &at);
    }
    assert_int_equal (n, PARTITIONS * MESSAGES);
    weft_kafka_destroy (&kafka);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (its_partition_alone_stands_still),
        cmocka_unit_test (a_lane_alone_stands_still),
        cmocka_unit_test (a_rebalance_takes_it_along),
        cmocka_unit_test (put_aside_in_the_next_assignment),
        cmocka_unit_test (what_came_too_early_is_read_again),
    };
    return RUN_WITH_KAFKA (tests, open_rig, close_rig);
}
