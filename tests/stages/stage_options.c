//  stage_options.c - what the tiny stages of the tests share.

#include "stage_options.h"

#include "weft_golden.h"
#include "weft_time.h"

bool
stage_listed (const weft_texts_t *list, int64_t id)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (strtoll (list->items[i], NULL, 10) == id)
            return true;
    return false;
}

static weft_frame_t *
envelope (int64_t id)
{
    weft_envelope_v1_t e;
    char object[32];
    snprintf (object, sizeof object, "T%lld", (long long)id);
    weft_contract_clear (&weft_envelope_v1, &e);
    WEFT_SET (envelope_v1, &e, survey, weft_str ("ztf"));
    WEFT_SET (envelope_v1, &e, alert_id, id);
    WEFT_SET (envelope_v1, &e, object_id, weft_str (object));
    WEFT_SET (envelope_v1, &e, topic, weft_str ("test"));
    WEFT_SET (envelope_v1, &e, partition, 0);
    WEFT_SET (envelope_v1, &e, offset, id);
    WEFT_SET (envelope_v1, &e, night, 1);
    double now = weft_time_mjd_tai ();
    WEFT_SET (envelope_v1, &e, t_obs, now);
    WEFT_SET (envelope_v1, &e, t_received, now);
    weft_buf_t buf;
    weft_buf_init (&buf, 4096);
    weft_frame_t *frame = NULL;
    if (!weft_contract_encode (&weft_envelope_v1, &e, &buf))
        frame = weft_frame_copy (buf.data, buf.size);
    weft_buf_fini (&buf);
    return frame;
}

weft_alert_t *
stage_alert (int64_t id, size_t size)
{
    weft_frame_t *frame = envelope (id);
    weft_alert_t *alert = frame ? weft_alert_new (frame) : NULL;
    weft_frame_t *section = alert ? weft_frame_new (size) : NULL;
    if (section)
        memset (weft_frame_fill (section), 'x', size);
    if (alert && (!section || weft_alert_append (alert, section)))
        weft_alert_unref (&alert);
    return alert;
}

weft_alert_t *
stage_golden (int64_t id)
{
    weft_frame_t *frame = envelope (id);
    weft_alert_t *alert = frame ? weft_alert_new (frame) : NULL;
    weft_alert_t *golden = weft_golden_alert ();
    if (alert &&
        (!golden || weft_alert_append (
                        alert, weft_frame_ref (weft_alert_frame (golden, 1)))))
        weft_alert_unref (&alert);
    weft_alert_unref (&golden);
    return alert;
}

int64_t
stage_read_ids (const char *path, uint8_t *bits, int64_t most)
{
    char line[64];
    int64_t n = 0;
    FILE *file = fopen (path, "r");
    while (file && fgets (line, sizeof line, file)) {
        int64_t id = strtoll (line, NULL, 10);
        //  A line that a kill cut short has no end and does not count.
        if (!strchr (line, '\n') || id < 0 || id >= most ||
            bits[id / 8] >> (id % 8) & 1)
            continue;
        bits[id / 8] |= (uint8_t)(1 << (id % 8));
        n++;
    }
    if (file)
        fclose (file);
    return n;
}
