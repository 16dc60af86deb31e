//  What ingest keeps of positions on their way: flights and their duplicates, and
//  schemas that are refused too often.

#include "unit/testing.h"

#include "weft_flights.h"
#include "weft_refusals.h"

static const weft_position_t nowhere;

static weft_booking_t
booking_of (const char *survey, int64_t id, int64_t offset)
{
    return (weft_booking_t){ .survey = weft_str (survey),
                             .topic = weft_str ("t"),
                             .offset = offset,
                             .alert_id = id,
                             .has_id = true };
}

static void
duplicates_wait_for_the_first (void **state)
{
    (void)state;
    weft_flights_t *flights = weft_flights_new ();
    weft_flight_t *first, *second, *other;
    weft_booking_t booking = booking_of ("ztf", 7, 1);
    assert_int_equal (
        weft_flights_add (flights, &booking, &nowhere, "", &first), 0);
    assert_non_null (first);
    assert_string_equal (first->replay, "");
    booking.offset = 2;
    assert_int_equal (
        weft_flights_add (flights, &booking, &nowhere, "t/0@2", &second), 0);
    assert_null (second);
    assert_int_equal (first->waiting->booking.offset, 2);
    assert_string_equal (first->waiting->replay, "t/0@2");
    //  The same number of another survey is another alert.
    booking = booking_of ("lsst", 7, 3);
    assert_int_equal (
        weft_flights_add (flights, &booking, &nowhere, "", &other), 0);
    assert_non_null (other);
    assert_int_equal (weft_flights_count (flights), 2);
    weft_flights_end (flights, first);
    booking = booking_of ("ztf", 7, 4);
    assert_int_equal (
        weft_flights_add (flights, &booking, &nowhere, "", &second), 0);
    assert_non_null (second);
    weft_flights_destroy (&flights);
    assert_null (flights);
}

//  Only so many letters keep their bytes: it is noticed before one does not.
static void
as_many_bytes_as_are_kept_are_enough (void **state)
{
    (void)state;
    weft_refusals_t refusals = { 0 };
    const size_t size = WEFT_REFUSALS_BYTES / 4;
    for (int i = 0; i < 3; i++)
        assert_false (weft_refusals_count (&refusals, "a.alert", size, 1000));
    assert_true (weft_refusals_count (&refusals, "a.alert", size, 1000));
    //  Of each schema, and in each minute.
    assert_false (weft_refusals_count (&refusals, "b.alert", size, 1000));
    assert_false (weft_refusals_count (&refusals, "a.alert", size, 90000));
}

static void
a_changed_schema_is_noticed (void **state)
{
    (void)state;
    weft_refusals_t refusals = { 0 };
    int i = 0;
    while (!weft_refusals_count (&refusals, "lsst.v12_0.alert", 100, 1000))
        i++;
    assert_int_equal (i, WEFT_REFUSALS_MINUTE);
    //  A new minute, and a few bad ones of several schemas among many.
    for (i = 0; i < 5000; i++) {
        const char *schema = i % 200 == 0   ? "a.alert"
                             : i % 200 == 1 ? "b.alert"
                                            : NULL;
        assert_false (weft_refusals_count (&refusals, schema, 100, 70000));
    }
    //  One per cent of one schema.
    bool told = false;
    for (i = 0; i < 2000; i++)
        told |= weft_refusals_count (&refusals, i % 20 ? NULL : "a.alert", 100,
                                     70001);
    assert_true (told);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (duplicates_wait_for_the_first),
        cmocka_unit_test (a_changed_schema_is_noticed),
        cmocka_unit_test (as_many_bytes_as_are_kept_are_enough),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
