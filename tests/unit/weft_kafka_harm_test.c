//  Messages that cannot be read, and what comes behind them.

#include "testing.h"

#include "weft_kafka_parts.h"

//  A member without a consumer, and its partition.
typedef struct {
    weft_kafka_t kafka;
    weft_part_t part;
} rig_t;

static rig_t
new_rig (void)
{
    static char topic[] = "night";
    rig_t rig = { .kafka = { .gaps = weft_counter ("t_gaps", "") },
                  .part = { .topic = topic,
                            .partition = 3,
                            .start = 100,
                            .split = 500,
                            .bad = -1 } };
    weft_kafka_forget_harm (&rig.part);
    return rig;
}

static void
step_over (rig_t *rig, int64_t offset, int64_t first, int64_t count)
{
    size_t n;
    assert_int_equal (weft_kafka_step_over (&rig->kafka, &rig->part, offset),
                      0);
    const weft_gap_t *gaps = weft_kafka_gaps (&rig->kafka, &n);
    assert_int_equal (n, count ? 1 : 0);
    if (!count)
        return;
    assert_string_equal (gaps->topic, "night");
    assert_int_equal (gaps->partition, 3);
    assert_int_equal (gaps->first, first);
    assert_int_equal (gaps->count, count);
    weft_kafka_gaps_listed (&rig->kafka);
}

static void
what_fails_twice_is_a_gap (void **state)
{
    (void)state;
    rig_t rig = new_rig ();
    assert_false (weft_kafka_harm (&rig.kafka, &rig.part, 120));
    step_over (&rig, 119, 0, 0);
    assert_true (weft_kafka_harm (&rig.kafka, &rig.part, 120));
    step_over (&rig, 119, 0, 0);
    assert_true (weft_kafka_harm (&rig.kafka, &rig.part, 120));
    step_over (&rig, 130, 120, 10);
    step_over (&rig, 131, 0, 0);
    //  One behind it is tried as well; what is then read again is known.
    assert_false (weft_kafka_harm (&rig.kafka, &rig.part, 140));
    assert_true (weft_kafka_harm (&rig.kafka, &rig.part, 120));
    step_over (&rig, 130, 120, 10);
    free (rig.kafka.found);
}

//  A run of them is tried again once, not once each.
static void
a_run_is_read_again_once (void **state)
{
    (void)state;
    rig_t rig = new_rig ();
    assert_false (weft_kafka_harm (&rig.kafka, &rig.part, 120));
    weft_kafka_forget_harm (&rig.part);  //  as all that is found anew
    for (int64_t offset = 120; offset < 180; offset += 10)
        assert_true (weft_kafka_harm (&rig.kafka, &rig.part, offset));
    step_over (&rig, 180, 120, 60);
    free (rig.kafka.found);
}

//  Another partition's trouble is its own.
static void
its_trouble_alone_is_over (void **state)
{
    (void)state;
    rig_t rig = new_rig ();
    rig.part.bad = 1000;
    snprintf (rig.kafka.trouble, sizeof rig.kafka.trouble,
              "night/30 cannot be read at offset 7: why");
    assert_true (weft_kafka_harm (&rig.kafka, &rig.part, 120));
    step_over (&rig, 130, 120, 10);
    assert_int_equal (strncmp (rig.kafka.trouble, "night/30 ", 9), 0);
    //  Without a gap, too.
    snprintf (rig.kafka.trouble, sizeof rig.kafka.trouble,
              "night/3 cannot be read at offset 120: why");
    assert_true (weft_kafka_harm (&rig.kafka, &rig.part, 120));
    step_over (&rig, 120, 0, 0);
    assert_string_equal (rig.kafka.trouble, "");
    free (rig.kafka.found);
}

static void
what_is_well_the_second_time_is_none (void **state)
{
    (void)state;
    rig_t rig = new_rig ();
    assert_false (weft_kafka_harm (&rig.kafka, &rig.part, 120));
    step_over (&rig, 120, 0, 0);
    step_over (&rig, 121, 0, 0);
    assert_true (weft_kafka_harm (&rig.kafka, &rig.part, 120));
    step_over (&rig, 120, 0, 0);
    step_over (&rig, 121, 0, 0);
    free (rig.kafka.found);
}

//  A batch that begins before its lane, or ends behind it.
static void
a_gap_is_of_its_lane (void **state)
{
    (void)state;
    rig_t rig = new_rig ();
    rig.part.bad = 1000;
    assert_true (weft_kafka_harm (&rig.kafka, &rig.part, 90));
    step_over (&rig, 110, 100, 10);
    rig.part.behind = true;
    assert_true (weft_kafka_harm (&rig.kafka, &rig.part, 490));
    step_over (&rig, 510, 500, 10);
    rig.kafka.from_back = true;
    assert_true (weft_kafka_harm (&rig.kafka, &rig.part, 490));
    step_over (&rig, 510, 490, 10);
    free (rig.kafka.found);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (what_fails_twice_is_a_gap),
        cmocka_unit_test (a_run_is_read_again_once),
        cmocka_unit_test (its_trouble_alone_is_over),
        cmocka_unit_test (what_is_well_the_second_time_is_none),
        cmocka_unit_test (a_gap_is_of_its_lane),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
