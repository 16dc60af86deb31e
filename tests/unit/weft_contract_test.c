//  Contracts: what is written is read again, and hostile bytes are refused.

#include "unit/testing.h"

#include <jansson.h>
#include <math.h>

#include "weft_alert.h"
#include "weft_pack.h"

static void
fill_alert (weft_alert_v1_t *alert, double *mjd)
{
    weft_contract_clear (&weft_alert_v1, alert);
    WEFT_SET (alert_v1, alert, survey, weft_str ("ztf"));
    WEFT_SET (alert_v1, alert, schema, weft_str ("4.02"));
    WEFT_SET (alert_v1, alert, alert_id, INT64_C (-1234567890123456789));
    WEFT_SET (alert_v1, alert, okind, 1);
    WEFT_SET (alert_v1, alert, object_id, weft_str ("ZTF18abcdefg"));
    WEFT_SET (alert_v1, alert, night, 1234);
    WEFT_SET (alert_v1, alert, t_obs, 60000.5);
    WEFT_SET (alert_v1, alert, ra, 359.999999999);
    WEFT_SET (alert_v1, alert, dec, -90.0);
    WEFT_SET (alert_v1, alert, flux, NAN);
    alert->n_ps1 = 1;
    WEFT_MARK (alert_v1, alert, ps1);
    WEFT_SET (ps1_v1, &alert->ps1[0], sg, 0.5f);
    WEFT_MARK (alert_v1, alert, points);
    WEFT_SET (points_v1, &alert->points, mjd,
              ((weft_col_t){ (const uint8_t *)mjd, 2 }));
}

static void
what_is_written_is_read_again (void **state)
{
    (void)state;
    double mjd[] = { 59999.5, 60000.5 };
    weft_alert_v1_t in, out;
    weft_buf_t buf;
    weft_buf_init (&buf, 1 << 20);
    fill_alert (&in, mjd);
    assert_int_equal (weft_contract_encode (&weft_alert_v1, &in, &buf), 0);
    assert_int_equal (
        weft_contract_decode (&weft_alert_v1, &out, buf.data, buf.size), 0);
    assert_true (out.alert_id == in.alert_id);
    assert_true (weft_str_is (out.object_id, "ZTF18abcdefg"));
    assert_true (out.ra == in.ra && out.dec == in.dec);
    assert_false (WEFT_HAS (alert_v1, &out, flux));
    assert_true (isnan (out.flux) && isnan (out.drb));
    assert_int_equal (out.n_ps1, 1);
    assert_true (out.ps1[0].sg == 0.5f && isnan (out.ps1[0].g));
    assert_int_equal (out.points.mjd.n, 2);
    assert_true (weft_col_f64 (out.points.mjd, 1) == 60000.5);
    weft_buf_fini (&buf);
}

static void
a_core_field_must_be_there (void **state)
{
    (void)state;
    weft_features_v1_t features;
    weft_buf_t buf;
    weft_buf_init (&buf, 1000);
    weft_contract_clear (&weft_features_v1, &features);
    WEFT_SET (features_v1, &features, set, 1);
    assert_int_equal (weft_contract_encode (&weft_features_v1, &features, &buf),
                      WEFT_EABSENT);
    weft_buf_fini (&buf);
}

static void
every_prefix_of_a_section_is_refused (void **state)
{
    (void)state;
    double mjd[] = { 1, 2 };
    weft_alert_v1_t in, out;
    weft_buf_t buf;
    weft_buf_init (&buf, 1 << 20);
    fill_alert (&in, mjd);
    assert_int_equal (weft_contract_encode (&weft_alert_v1, &in, &buf), 0);
    for (size_t n = 0; n < buf.size; n++)
        assert_int_not_equal (
            weft_contract_decode (&weft_alert_v1, &out, buf.data, n), 0);
    weft_buf_fini (&buf);
}

static void
ids_are_strings_in_json (void **state)
{
    (void)state;
    double mjd[] = { 1, NAN };
    weft_alert_v1_t in;
    fill_alert (&in, mjd);
    json_t *json = weft_contract_json (&weft_alert_v1, &in);
    assert_string_equal (json_string_value (json_object_get (json, "alert_id")),
                         "-1234567890123456789");
    json_t *points = json_object_get (json, "points");
    assert_int_equal (json_array_size (points), 2);
    assert_true (
        json_is_null (json_object_get (json_array_get (points, 1), "mjd")));
    json_decref (json);
}

static weft_alert_t *
make_alert (void)
{
    weft_envelope_v1_t envelope;
    weft_contract_clear (&weft_envelope_v1, &envelope);
    WEFT_SET (envelope_v1, &envelope, survey, weft_str ("ztf"));
    WEFT_SET (envelope_v1, &envelope, alert_id, 7);
    WEFT_SET (envelope_v1, &envelope, object_id, weft_str ("a"));
    WEFT_SET (envelope_v1, &envelope, topic, weft_str ("t"));
    WEFT_SET (envelope_v1, &envelope, partition, 0);
    WEFT_SET (envelope_v1, &envelope, offset, 3);
    WEFT_SET (envelope_v1, &envelope, night, 1);
    WEFT_SET (envelope_v1, &envelope, t_obs, 1.0);
    WEFT_SET (envelope_v1, &envelope, t_received, 2.0);
    weft_buf_t buf;
    weft_buf_init (&buf, 1000);
    assert_int_equal (weft_contract_encode (&weft_envelope_v1, &envelope, &buf),
                      0);
    weft_alert_t *alert = weft_alert_new (weft_frame_copy (buf.data, buf.size));
    weft_buf_fini (&buf);
    return alert;
}

static void
an_alert_survives_the_pipe (void **state)
{
    (void)state;
    weft_alert_t *alert = make_alert ();
    assert_non_null (alert);
    assert_int_equal (weft_alert_append (alert, weft_frame_copy ("xyz", 3)), 0);
    weft_buf_t buf;
    weft_buf_init (&buf, 1 << 16);
    weft_alert_flatten (alert, &buf);
    for (size_t n = 0; n < buf.size; n++)
        assert_null (weft_alert_parse (buf.data, n));
    weft_alert_t *again = weft_alert_parse (buf.data, buf.size);
    assert_non_null (again);
    assert_int_equal (weft_alert_envelope (again)->offset, 3);
    assert_int_equal (weft_alert_frames (again), 2);
    assert_int_equal (weft_alert_size (again), weft_alert_size (alert));
    weft_alert_unref (&again);
    weft_alert_unref (&alert);
    weft_buf_fini (&buf);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (what_is_written_is_read_again),
        cmocka_unit_test (a_core_field_must_be_there),
        cmocka_unit_test (every_prefix_of_a_section_is_refused),
        cmocka_unit_test (ids_are_strings_in_json),
        cmocka_unit_test (an_alert_survives_the_pipe),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
