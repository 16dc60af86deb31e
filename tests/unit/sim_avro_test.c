//  Packets of the simulator, read by another Avro implementation (avro-c).

#include <avro.h>

#include "unit/testing.h"

#include "sim_season.h"

//  A whole number of the container's framing; the cursor moves.
static int64_t
take_long (const uint8_t **at, const uint8_t *end)
{
    uint64_t bits = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert_true (*at < end && shift < 64);
        uint8_t byte = *(*at)++;
        bits |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            break;
    }
    return (int64_t)(bits >> 1) ^ -(int64_t)(bits & 1);
}

//  The one datum of a container and its size.
static const uint8_t *
find_datum (const sim_packet_t *packet, int64_t *size)
{
    const uint8_t *at = packet->data, *end = at + packet->size;
    assert_memory_equal (at, "Obj\1", 4);
    at += 4;
    for (int64_t pairs = take_long (&at, end); pairs;
         pairs = take_long (&at, end))
        for (int64_t i = 0; i < 2 * pairs; i++) {
            int64_t skip = take_long (&at, end);
            assert_true (skip >= 0 && skip <= end - at);
            at += skip;
        }
    const uint8_t *sync = at;
    at += 16;
    assert_int_equal (take_long (&at, end), 1);
    *size = take_long (&at, end);
    assert_int_equal (end - at, *size + 16);
    assert_memory_equal (sync, end - 16, 16);
    return at;
}

static avro_value_t
field_of (const avro_value_t *record, const char *name)
{
    avro_value_t field = { 0 };
    assert_int_equal (avro_value_get_by_name (record, name, &field, NULL), 0);
    return field;
}

//  What a nullable field holds.
static avro_value_t
branch_of (const avro_value_t *record, const char *name)
{
    avro_value_t field = field_of (record, name), branch = { 0 };
    assert_int_equal (avro_value_get_current_branch (&field, &branch), 0);
    return branch;
}

static void
check_packet (const sim_t *sim, const sim_packet_t *packet, avro_value_t *value)
{
    int64_t size;
    const uint8_t *datum = find_datum (packet, &size);
    avro_reader_t reader = avro_reader_memory ((const char *)datum, size);
    avro_value_reset (value);
    assert_int_equal (avro_value_read (reader, value), 0);
    char more;
    assert_int_not_equal (avro_read (reader, &more, 1), 0);  //  all was read
    avro_reader_free (reader);
    const sim_candidate_t *c = &sim->maker->record.candidate;
    avro_value_t top = field_of (value, "candid"), rows;
    avro_value_t candidate = field_of (value, "candidate");
    int64_t id = 0;
    assert_int_equal (avro_value_get_long (&top, &id), 0);
    assert_true (id == packet->alert_id);
    avro_value_t jd = field_of (&candidate, "jd");
    double time = 0;
    assert_int_equal (avro_value_get_double (&jd, &time), 0);
    assert_true (time == c->jd);
    avro_value_t drb = branch_of (&candidate, "drb");
    float score = 0;
    assert_int_equal (avro_value_get_float (&drb, &score), 0);
    assert_true (score == c->drb);
    size_t n = 0;
    rows = branch_of (value, "prv_candidates");
    if (sim->maker->record.n_prv > 0)
        avro_value_get_size (&rows, &n);
    assert_int_equal (n, sim->maker->record.n_prv);
}

//  LSST's frame and datum; its histories are not those of the record.
static void
check_lsst_packet (const sim_t *sim,
                   const sim_packet_t *packet,
                   avro_value_t *value)
{
    (void)sim;
    const uint8_t frame[] = { 0, 0, 0, 4, 76 };
    assert_memory_equal (packet->data, frame, sizeof frame);
    avro_reader_t reader =
        avro_reader_memory ((const char *)packet->data + sizeof frame,
                            (int64_t)(packet->size - sizeof frame));
    avro_value_reset (value);
    assert_int_equal (avro_value_read (reader, value), 0);
    char more;
    assert_int_not_equal (avro_read (reader, &more, 1), 0);  //  all was read
    avro_reader_free (reader);
    avro_value_t source = field_of (value, "diaSource");
    avro_value_t top = field_of (&source, "diaSourceId");
    int64_t id = 0;
    assert_int_equal (avro_value_get_long (&top, &id), 0);
    assert_true (id == packet->alert_id);
    avro_value_t flux = branch_of (&source, "psfFlux");
    float njy = 0;
    assert_int_equal (avro_value_get_float (&flux, &njy), 0);
    assert_true (isfinite (njy) && njy != 0);
}

static void
read_season (sim_survey_t survey,
             void (*check) (const sim_t *sim,
                            const sim_packet_t *packet,
                            avro_value_t *value))
{
    sim_options_t options = sim_defaults;
    options.alerts = 200;
    options.survey = survey;
    sim_t *sim = sim_new (&options);
    assert_non_null (sim);
    const char *text = sim_schema (sim);
    avro_schema_t schema;
    assert_int_equal (
        avro_schema_from_json_length (text, strlen (text), &schema), 0);
    avro_value_iface_t *class = avro_generic_class_from_schema (schema);
    avro_value_t value;
    assert_int_equal (avro_generic_value_new (class, &value), 0);
    sim_packet_t packet;
    while (sim_next (sim, &packet) == 0)
        check (sim, &packet, &value);
    avro_value_decref (&value);
    avro_value_iface_decref (class);
    avro_schema_decref (schema);
    sim_destroy (&sim);
}

static void
another_implementation_reads_every_packet (void **state)
{
    (void)state;
    read_season (SIM_ZTF, check_packet);
}

static void
another_implementation_reads_every_lsst_packet (void **state)
{
    (void)state;
    read_season (SIM_LSST, check_lsst_packet);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (another_implementation_reads_every_packet),
        cmocka_unit_test (another_implementation_reads_every_lsst_packet),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
