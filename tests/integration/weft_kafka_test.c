//  The Kafka input against librdkafka's own cluster in this process: what is
//  committed, what is read again, who has which partition.

#include "integration/kafka_mock.h"

//  Whoever comes next has nothing to read.
static void
assert_committed (const rig_t *rig, const char *topic)
{
    weft_message_t message;
    weft_kafka_t *kafka = open_member (rig, topic);
    char why[256];
    for (int64_t until = weft_time_ms () + PATIENCE_MS;
         !weft_kafka_ready (kafka, why, sizeof (why)) &&
         weft_time_ms () < until;)
        (void)next (kafka, &message, 50);
    assert_true (weft_kafka_ready (kafka, why, sizeof (why)));
    assert_false (next (kafka, &message, 1000));
    weft_kafka_destroy (&kafka);
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

    assert_committed (rig, "settled");
}

//  Reads a topic that nobody else reads to its end; all of it is settled.
static void
read_whole (const rig_t *rig, const char *topic)
{
    weft_message_t message;
    weft_kafka_t *kafka = open_member (rig, topic);
    for (int i = 0; i < PARTITIONS * MESSAGES; i++) {
        assert_true (next (kafka, &message, PATIENCE_MS));
        assert_true (message.at.offset < MESSAGES);
        weft_position_t at = take (kafka, &message);
        weft_kafka_end (kafka, &at);
    }
    assert_false (next (kafka, &message, 1000));
    weft_kafka_destroy (&kafka);
}

//  Settled, but whoever knows of it might forget it: read once more. And once
//  it is safe, it is committed.
static void
what_might_be_forgotten_is_not_committed (void **state)
{
    rig_t *rig = *state;
    fill_topic (rig, "forgetful");
    booked_rc = WEFT_EDOWN;
    read_whole (rig, "forgetful");
    booked_rc = 0;
    read_whole (rig, "forgetful");
    assert_committed (rig, "forgetful");
}

//  It takes long to be sure, as long as leaving the group may take: the commit
//  has its own time after that.
static void
what_is_safe_late_is_committed (void **state)
{
    rig_t *rig = *state;
    fill_topic (rig, "late");
    safe_after_ms = 3500;
    read_whole (rig, "late");
    safe_after_ms = 0;
    assert_committed (rig, "late");
}

static void
settle_all (weft_kafka_t *kafka)
{
    weft_message_t message;
    for (int i = 0; i < PARTITIONS * MESSAGES; i++) {
        assert_true (next (kafka, &message, PATIENCE_MS));
        weft_position_t at = take (kafka, &message);
        weft_kafka_end (kafka, &at);
    }
}

//  Settled and not yet safe, and then it is gone: the same member reads it once
//  more, and commits that.
static void
what_is_gone_is_read_again (void **state)
{
    rig_t *rig = *state;
    fill_topic (rig, "gone");
    booked_rc = WEFT_EDOWN;
    weft_kafka_t *kafka = open_member (rig, "gone");
    settle_all (kafka);
    booked_rc = WEFT_EAGAIN;
    settle_all (kafka);
    weft_kafka_destroy (&kafka);
    assert_committed (rig, "gone");
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

//  While nothing ends, a backlog is read up to some hundreds in flight and no
//  further; what is new comes all the same, and the rest when they have ended.
static void
a_backlog_waits_for_what_is_in_flight (void **state)
{
    const rig_t *rig = *state;
    enum { MANY = 600, LIVE = 5, MOST = 400 };
    static weft_position_t open[PARTITIONS * (MANY + LIVE)];
    weft_message_t message;
    int n = 0;
    assert_int_equal (
        rd_kafka_mock_topic_create (rig->cluster, "many", PARTITIONS, 1), 0);
    produce (rig, "many", 0, MANY);
    weft_kafka_t *kafka = open_behind (rig, "many", MANY);
    for (int64_t until = weft_time_ms () + PATIENCE_MS;
         !weft_kafka_holds_back (kafka) && weft_time_ms () < until;) {
        if (next (kafka, &message, 500))
            open[n++] = take (kafka, &message);
        assert_true (n < MOST);
    }
    assert_true (n >= 256);
    produce (rig, "many", MANY, MANY + LIVE);
    for (int fresh = 0; fresh < PARTITIONS * LIVE;) {
        assert_true (next (kafka, &message, PATIENCE_MS));
        open[n++] = take (kafka, &message);
        fresh += message.at.offset >= MANY;
        assert_true (n < MOST);
    }
    assert_true (weft_kafka_holds_back (kafka));
    for (int i = 0; i < n; i++)
        weft_kafka_end (kafka, &open[i]);
    for (; n < PARTITIONS * (MANY + LIVE); n++) {
        assert_true (next (kafka, &message, PATIENCE_MS));
        open[n] = take (kafka, &message);
        weft_kafka_end (kafka, &open[n]);
    }
    assert_false (next (kafka, &message, 500));
    weft_kafka_destroy (&kafka);
}

//  What is new settles slowly: the backlog goes on beside it. First nothing ends
//  until both are in flight, then the backlog alone does.
static void
slow_live_does_not_stop_the_backlog (void **state)
{
    const rig_t *rig = *state;
    enum { MANY = 600, LIVE = 300, BEGIN = MANY - MANY / 20 };
    enum { N_LIVE = PARTITIONS * (MANY + LIVE - BEGIN) };
    static weft_position_t back[PARTITIONS * BEGIN], live[N_LIVE];
    weft_message_t message;
    int n_live = 0, n_back = 0;
    assert_int_equal (
        rd_kafka_mock_topic_create (rig->cluster, "slow", PARTITIONS, 1), 0);
    produce (rig, "slow", 0, MANY);
    weft_kafka_t *kafka = open_behind (rig, "slow", MANY);
    for (int64_t until = weft_time_ms () + PATIENCE_MS;
         (n_live < N_LIVE || !weft_kafka_holds_back (kafka)) &&
         weft_time_ms () < until;) {
        if (!next (kafka, &message, 500))
            continue;
        if (n_live + n_back == 0)
            produce (rig, "slow", MANY, MANY + LIVE);
        if (message.at.offset >= BEGIN)
            live[n_live++] = take (kafka, &message);
        else
            back[n_back++] = take (kafka, &message);
    }
    assert_int_equal (n_live, N_LIVE);
    assert_true (weft_kafka_holds_back (kafka));
    for (int i = 0; i < n_back; i++)
        weft_kafka_end (kafka, &back[i]);
    for (; n_back < PARTITIONS * BEGIN; n_back++) {
        assert_true (next (kafka, &message, PATIENCE_MS));
        assert_true (message.at.offset < BEGIN);
        back[n_back] = take (kafka, &message);
        weft_kafka_end (kafka, &back[n_back]);
    }
    for (int i = 0; i < n_live; i++)
        weft_kafka_end (kafka, &live[i]);
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

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (only_what_is_settled_is_committed),
        cmocka_unit_test (what_might_be_forgotten_is_not_committed),
        cmocka_unit_test (what_is_safe_late_is_committed),
        cmocka_unit_test (what_is_gone_is_read_again),
        cmocka_unit_test (an_old_epoch_moves_nothing),
        cmocka_unit_test (live_comes_before_backlog),
        cmocka_unit_test (a_backlog_waits_for_what_is_in_flight),
        cmocka_unit_test (slow_live_does_not_stop_the_backlog),
        cmocka_unit_test (a_topic_is_looked_at_from_outside),
    };
    return RUN_WITH_KAFKA (tests, open_rig, close_rig);
}
