//  weft_features_write.c - the features of an alert as the section features.v1.

#include "weft_features.h"

//  The values as a column, little-endian.
static weft_col_t
column_of (const float *values, uint32_t n, uint8_t *bytes)
{
    for (uint32_t i = 0; i < n; i++)
        weft_put_f32 (bytes + (size_t)4 * i, values[i]);
    return (weft_col_t){ bytes, n };
}

int
weft_features_write (weft_feature_work_t *work,
                     const weft_alert_v1_t *alert,
                     weft_buf_t *out)
{
    float values[WEFT_FEATURES_MOST];
    uint8_t bytes[sizeof values];
    weft_features_v1_t features;
    weft_contract_clear (&weft_features_v1, &features);
    const weft_feature_set_t *set = weft_feature_set_for (alert->survey);
    const char *why = weft_features_applicable (alert);
    uint32_t n = 0;
    if (why == NULL) {
        int rc = weft_features_compute (set, alert, work, values);
        if (rc)
            return rc;
        n = weft_feature_set_count (set);
    } else
        WEFT_SET (features_v1, &features, note, weft_str (why));
    WEFT_SET (features_v1, &features, set, set ? weft_feature_set_id (set) : 0);
    WEFT_SET (features_v1, &features, values, column_of (values, n, bytes));
    return weft_contract_encode (&weft_features_v1, &features, out);
}
