//  weft_golden.c - a plain alert, for the canary of stages that read alert.v1.

#include "weft_golden.h"

#define POINTS 5
#define T_OBS 60000.0

//  Encodes a record into a frame of its own.
static weft_frame_t *
frame_of (const weft_contract_t *contract, const void *record)
{
    weft_frame_t *frame = NULL;
    weft_buf_t buf;
    weft_buf_init (&buf, 1u << 16);
    if (weft_contract_encode (contract, record, &buf) == 0)
        frame = weft_frame_copy (buf.data, buf.size);
    weft_buf_fini (&buf);
    return frame;
}

static weft_frame_t *
make_envelope (void)
{
    weft_envelope_v1_t envelope;
    weft_contract_clear (&weft_envelope_v1, &envelope);
    WEFT_SET (envelope_v1, &envelope, survey, weft_str ("ztf"));
    WEFT_SET (envelope_v1, &envelope, alert_id, 1);
    WEFT_SET (envelope_v1, &envelope, object_id, weft_str ("golden"));
    WEFT_SET (envelope_v1, &envelope, topic, weft_str ("golden"));
    WEFT_SET (envelope_v1, &envelope, partition, 0);
    WEFT_SET (envelope_v1, &envelope, offset, 0);
    WEFT_SET (envelope_v1, &envelope, night, 1);
    WEFT_SET (envelope_v1, &envelope, t_obs, T_OBS);
    WEFT_SET (envelope_v1, &envelope, t_received, T_OBS);
    return frame_of (&weft_envelope_v1, &envelope);
}

typedef struct {
    uint8_t mjd[8 * POINTS], flux[4 * POINTS], err[4 * POINTS];
    uint8_t band[POINTS], kind[POINTS], use[POINTS];
} columns_t;

static void
fill_points (columns_t *columns, weft_points_v1_t *points)
{
    for (uint32_t i = 0; i < POINTS; i++) {
        weft_put_f64 (columns->mjd + 8 * i, T_OBS - (POINTS - 1 - i));
        weft_put_f32 (columns->flux + 4 * i, 1000 + 100 * (float)i);
        weft_put_f32 (columns->err + 4 * i, 50);
        columns->band[i] = (uint8_t)(6 + i % 2);
        columns->kind[i] = 1;
        columns->use[i] = 1 | 2 | 8;
    }
    WEFT_SET (points_v1, points, mjd, ((weft_col_t){ columns->mjd, POINTS }));
    WEFT_SET (points_v1, points, flux, ((weft_col_t){ columns->flux, POINTS }));
    WEFT_SET (points_v1, points, err, ((weft_col_t){ columns->err, POINTS }));
    WEFT_SET (points_v1, points, band, ((weft_col_t){ columns->band, POINTS }));
    WEFT_SET (points_v1, points, kind, ((weft_col_t){ columns->kind, POINTS }));
    WEFT_SET (points_v1, points, use, ((weft_col_t){ columns->use, POINTS }));
}

static weft_frame_t *
make_section (void)
{
    weft_alert_v1_t alert;
    columns_t columns;
    weft_contract_clear (&weft_alert_v1, &alert);
    WEFT_SET (alert_v1, &alert, survey, weft_str ("ztf"));
    WEFT_SET (alert_v1, &alert, schema, weft_str ("4.02"));
    WEFT_SET (alert_v1, &alert, alert_id, 1);
    WEFT_SET (alert_v1, &alert, okind, 1);
    WEFT_SET (alert_v1, &alert, object_id, weft_str ("golden"));
    WEFT_SET (alert_v1, &alert, night, 1);
    WEFT_SET (alert_v1, &alert, t_obs, T_OBS);
    WEFT_SET (alert_v1, &alert, ra, 150.0);
    WEFT_SET (alert_v1, &alert, dec, 2.0);
    WEFT_SET (alert_v1, &alert, band, 6);
    WEFT_SET (alert_v1, &alert, flux, 1400);
    WEFT_SET (alert_v1, &alert, flux_err, 50);
    WEFT_SET (alert_v1, &alert, trig, POINTS - 1);
    WEFT_MARK (alert_v1, &alert, points);
    fill_points (&columns, &alert.points);
    return frame_of (&weft_alert_v1, &alert);
}

weft_alert_t *
weft_golden_alert (void)
{
    weft_frame_t *envelope = make_envelope ();
    weft_alert_t *alert = envelope ? weft_alert_new (envelope) : NULL;
    weft_frame_t *section = alert ? make_section () : NULL;
    if (section == NULL || weft_alert_append (alert, section))
        weft_alert_unref (&alert);
    return alert;
}
