//  Where reading a partition begins.

#include "unit/testing.h"

#include "weft_kafka_parts.h"

static void
check (int64_t committed,
       int64_t beyond,
       int64_t low,
       int64_t high,
       bool from_end,
       weft_start_t want)
{
    weft_start_t start =
        weft_kafka_start (committed, beyond, low, high, from_end);
    assert_int_equal (start.kind, want.kind);
    assert_int_equal (start.gap, want.gap);
    if (want.kind != WEFT_START_BEYOND)
        assert_int_equal (start.offset, want.offset);
}

static void
begins_where_it_should (void **state)
{
    (void)state;
    check (-1001, -1, 5, 90, false, (weft_start_t){ WEFT_START_FIRST, 5, 0 });
    check (-1001, -1, 5, 90, true, (weft_start_t){ WEFT_START_FIRST, 90, 0 });
    check (5, -1, 5, 90, true, (weft_start_t){ WEFT_START_COMMITTED, 5, 0 });
    check (90, -1, 5, 90, false, (weft_start_t){ WEFT_START_COMMITTED, 90, 0 });
    check (4, -1, 5, 90, false, (weft_start_t){ WEFT_START_GAP, 5, 1 });
    check (0, -1, 90, 90, true, (weft_start_t){ WEFT_START_GAP, 90, 90 });
    check (91, -1, 5, 90, false, (weft_start_t){ WEFT_START_BEYOND, 0, 0 });
    //  It has grown since; another offset is the group's own again.
    check (91, 91, 5, 95, false, (weft_start_t){ WEFT_START_BEYOND, 0, 0 });
    check (91, 91, 92, 95, false, (weft_start_t){ WEFT_START_BEYOND, 0, 0 });
    check (92, 91, 5, 95, false, (weft_start_t){ WEFT_START_COMMITTED, 92, 0 });
    check (-1001, 91, 5, 95, false, (weft_start_t){ WEFT_START_FIRST, 5, 0 });
}

//  Each partition has its own answers: what is committed, and where it ends. One
//  that is not there any more keeps the others from nothing.
static void
an_error_of_one_partition_is_one (void **state)
{
    (void)state;
    weft_kafka_search_t search = { .list =
                                       rd_kafka_topic_partition_list_new (2) };
    search.ends = calloc (2, sizeof (*search.ends));
    assert_non_null (search.ends);
    for (int i = 0; i < 2; i++)
        rd_kafka_topic_partition_list_add (search.list, "night", i);
    assert_int_equal (weft_kafka_search_error (&search), 0);
    search.list->elems[1].err = RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT;
    assert_int_equal (weft_kafka_search_error (&search),
                      RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT);
    search.ends[1].err = RD_KAFKA_RESP_ERR__TIMED_OUT;
    assert_int_equal (weft_kafka_search_error (&search),
                      RD_KAFKA_RESP_ERR__TIMED_OUT);
    search.ends[1].err = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    assert_int_equal (weft_kafka_search_error (&search), 0);
    search.list->elems[0].err = RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
    assert_int_equal (weft_kafka_search_error (&search),
                      RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    search.err = RD_KAFKA_RESP_ERR__TRANSPORT;
    assert_int_equal (weft_kafka_search_error (&search),
                      RD_KAFKA_RESP_ERR__TRANSPORT);
    free (search.ends);
    rd_kafka_topic_partition_list_destroy (search.list);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (begins_where_it_should),
        cmocka_unit_test (an_error_of_one_partition_is_one),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
