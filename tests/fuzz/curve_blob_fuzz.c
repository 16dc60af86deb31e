//  curve_blob_fuzz.c - any bytes as a packed light curve.
//
//  What is read, also before a piece that is broken, packs to the same bytes
//  again, merges with itself without a change, and makes a view.

#include <math.h>

#include "weft_view.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
look (const weft_curve_t *curve, weft_view_t *view)
{
    weft_points_v1_t points;
    const weft_view_rule_t rule = { .t_obs = 60000,
                                    .known_at = UINT32_MAX / 2,
                                    .trigger = curve->rows[0].key,
                                    .obj_ra = NAN,
                                    .obj_dec = NAN,
                                    .forced_days = 400,
                                    .limit_days = 30,
                                    .rows_most = 10 };
    int rc = weft_view_make (view, curve, &rule);
    if (!rc && weft_view_trigger (view) >= weft_view_rows (view))
        abort ();
    if (!rc)
        (void)!weft_view_points (view, &points);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    weft_curve_t curve = { 0 }, copy = { 0 };
    weft_view_t *view = weft_view_new ();
    weft_buf_t blob;
    weft_buf_init (&blob, 8 << 20);
    (void)!weft_curve_unpack (&curve, data, size);
    if (view && curve.n) {
        bool changed;
        weft_curve_pack (&curve, &blob);
        if (weft_curve_unpack (&copy, blob.data, blob.size))
            abort ();
        if (weft_curve_merge (&curve, copy.rows, copy.n, &changed) || changed)
            abort ();
        look (&curve, view);
    }
    weft_curve_fini (&curve);
    weft_curve_fini (&copy);
    weft_view_destroy (&view);
    weft_buf_fini (&blob);
    return 0;
}
