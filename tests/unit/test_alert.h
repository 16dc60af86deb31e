//  test_alert.h - a small alert for tests.

#ifndef TEST_ALERT_H_INCLUDED
#define TEST_ALERT_H_INCLUDED

#include "weft_alert.h"

//  Returns new: an alert with this id and one section of `size` bytes.
static inline weft_alert_t *
test_alert (int64_t id, size_t size)
{
    weft_envelope_v1_t e;
    weft_contract_clear (&weft_envelope_v1, &e);
    WEFT_SET (envelope_v1, &e, survey, weft_str ("ztf"));
    WEFT_SET (envelope_v1, &e, alert_id, id);
    WEFT_SET (envelope_v1, &e, object_id, weft_str ("ZTF21abc"));
    WEFT_SET (envelope_v1, &e, topic, weft_str ("test"));
    WEFT_SET (envelope_v1, &e, partition, 0);
    WEFT_SET (envelope_v1, &e, offset, id);
    WEFT_SET (envelope_v1, &e, night, 1);
    WEFT_SET (envelope_v1, &e, t_obs, 60000.5);
    WEFT_SET (envelope_v1, &e, t_received, 60000.6);
    weft_buf_t buf;
    weft_buf_init (&buf, 4096);
    assert_int_equal (weft_contract_encode (&weft_envelope_v1, &e, &buf), 0);
    weft_alert_t *alert = weft_alert_new (weft_frame_copy (buf.data, buf.size));
    weft_buf_fini (&buf);
    assert_non_null (alert);
    weft_frame_t *section = weft_frame_new (size);
    assert_non_null (section);
    memset (weft_frame_fill (section), 's', size);
    assert_int_equal (weft_alert_append (alert, section), 0);
    return alert;
}

#endif
