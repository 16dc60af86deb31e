//  Light curves from anybody: any columns give values or an error, never inf.

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "weft_features.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

//  The next n elements of `width` bytes as a column; none if they are not there.
static weft_col_t
take (const uint8_t **data, size_t *size, uint32_t n, size_t width)
{
    if (*size < n * width)
        return (weft_col_t){ NULL, 0 };
    weft_col_t col = { *data, n };
    *data += n * width;
    *size -= n * width;
    return col;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static weft_feature_work_t *work;
    if (work == NULL)
        work = weft_feature_work_new ();
    if (work == NULL || size < 1)
        return 0;
    const weft_feature_set_t *set = weft_feature_set_at (data[0] & 1);
    //  The first byte may also make one column shorter than the others.
    uint32_t n = (uint32_t)((size - 1) / 31), other = n - (data[0] >> 7);
    data++;
    size--;
    weft_alert_v1_t alert;
    weft_contract_clear (&weft_alert_v1, &alert);
    alert.t_obs = 60000;
    alert.points.mjd = take (&data, &size, n, 8);
    alert.points.band = take (&data, &size, n, 1);
    alert.points.kind = take (&data, &size, n, 1);
    alert.points.use = take (&data, &size, n, 1);
    alert.points.flux = take (&data, &size, n, 4);
    alert.points.err = take (&data, &size, other, 4);
    alert.points.tot = take (&data, &size, n, 4);
    alert.points.tot_err = take (&data, &size, n, 4);
    alert.points.flags = take (&data, &size, n, 4);
    float values[WEFT_FEATURES_MOST];
    if (weft_features_compute (set, &alert, work, values))
        return 0;
    for (uint32_t i = 0; i < weft_feature_set_count (set); i++)
        if (isinf (values[i]))
            abort ();
    return 0;
}
