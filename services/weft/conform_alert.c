//  conform_alert.c - the alerts that a conformance run sends.

#include "conform.h"

#include "weft_features.h"
#include "weft_golden.h"

#include <math.h>

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
make_envelope (const weft_alert_t *golden, int64_t id)
{
    weft_envelope_v1_t envelope = *weft_alert_envelope (golden);
    WEFT_SET (envelope_v1, &envelope, alert_id, id);
    WEFT_SET (envelope_v1, &envelope, offset, id);
    return frame_of (&weft_envelope_v1, &envelope);
}

static weft_frame_t *
make_alert_v1 (const weft_alert_t *golden, int64_t id)
{
    weft_alert_v1_t alert;
    if (weft_alert_read (golden, &weft_alert_v1, &alert))
        return NULL;
    WEFT_SET (alert_v1, &alert, alert_id, id);
    return frame_of (&weft_alert_v1, &alert);
}

static weft_frame_t *
make_matches (void)
{
    weft_matches_v1_t matches;
    weft_contract_clear (&weft_matches_v1, &matches);
    return frame_of (&weft_matches_v1, &matches);
}

//  Of ZTF's set, none of them defined.
static weft_frame_t *
make_features (void)
{
    uint8_t values[4 * WEFT_FEATURES_MOST];
    weft_features_v1_t features;
    const weft_feature_set_t *set = weft_feature_set_for (weft_str ("ztf"));
    uint32_t n = weft_feature_set_count (set);
    for (uint32_t i = 0; i < n; i++)
        weft_put_f32 (values + 4 * i, NAN);
    weft_col_t column = { values, n };
    weft_contract_clear (&weft_features_v1, &features);
    WEFT_SET (features_v1, &features, set, weft_feature_set_id (set));
    WEFT_SET (features_v1, &features, values, column);
    return frame_of (&weft_features_v1, &features);
}

static weft_frame_t *
make_scores (void)
{
    uint8_t p[8];
    weft_score_v1_t score;
    weft_scores_v1_t scores;
    weft_put_f32 (p, 0.75f);
    weft_put_f32 (p + 4, 0.25f);
    weft_col_t column = { p, 2 };
    weft_contract_clear (&weft_score_v1, &score);
    WEFT_SET (score_v1, &score, model, weft_str ("conformance"));
    WEFT_SET (score_v1, &score, version, weft_str ("0000000000000000"));
    WEFT_SET (score_v1, &score, set, 1);
    WEFT_SET (score_v1, &score, calibration, weft_str ("none"));
    WEFT_SET (score_v1, &score, classes, weft_str ("one,other"));
    WEFT_SET (score_v1, &score, p, column);
    weft_contract_clear (&weft_scores_v1, &scores);
    scores.n_models = 1;
    scores.models[0] = score;
    WEFT_MARK (scores_v1, &scores, models);
    return frame_of (&weft_scores_v1, &scores);
}

static weft_frame_t *
make_section (size_t which, const weft_alert_t *golden, int64_t id)
{
    switch (which) {
    case 0:
        return make_alert_v1 (golden, id);
    case 1:
        return make_matches ();
    case 2:
        return make_features ();
    default:
        return make_scores ();
    }
}

static const char *const chain[] = { "alert.v1", "matches.v1", "features.v1",
                                     "scores.v1" };

//  Bytes that begin like a section and are none.
static weft_frame_t *
make_poison (const char *name)
{
    weft_buf_t buf;
    weft_buf_init (&buf, 256);
    weft_buf_addf (&buf, "\x82\xa8"
                         "contract");
    uint8_t size = (uint8_t)(0xa0 | strlen (name));
    weft_buf_add (&buf, &size, 1);
    weft_buf_addf (&buf, "%s\xc1 poison", name);
    weft_frame_t *frame = weft_frame_copy (buf.data, buf.size);
    weft_buf_fini (&buf);
    return frame;
}

static int
append (weft_alert_t *alert, weft_frame_t *frame)
{
    return frame ? weft_alert_append (alert, frame) : WEFT_ENOMEM;
}

static weft_frame_t *
make_large (size_t large)
{
    static const uint8_t head[] = "\x82\xa8"
                                  "contract\xa6"
                                  "pad.v1\xa3pad\xc6";
    size_t at = sizeof head - 1;
    weft_frame_t *frame = weft_frame_new (at + 4 + large);
    if (!frame)
        return NULL;
    uint8_t *bytes = weft_frame_fill (frame);
    memcpy (bytes, head, at);
    for (int i = 0; i < 4; i++)
        bytes[at + (size_t)i] = (uint8_t)(large >> (24 - 8 * i));
    memset (bytes + at + 4, 0, large);
    return frame;
}

weft_alert_t *
conform_alert (int64_t id, const char *reads, conform_kind_t kind, size_t large)
{
    weft_alert_t *golden = weft_golden_alert ();
    weft_frame_t *envelope = golden ? make_envelope (golden, id) : NULL;
    weft_alert_t *alert = envelope ? weft_alert_new (envelope) : NULL;
    int rc = alert ? 0 : WEFT_ENOMEM;
    for (size_t i = 0; i < WEFT_COUNT (chain) && !rc; i++) {
        rc = append (alert, kind == CONFORM_POISON
                                ? make_poison (chain[i])
                                : make_section (i, golden, id));
        if (reads && strcmp (reads, chain[i]) == 0)
            break;
    }
    if (!rc && kind == CONFORM_LARGE)
        rc = append (alert, make_large (large));
    if (rc)
        weft_alert_unref (&alert);
    weft_alert_unref (&golden);
    return alert;
}

const char *
conform_section (weft_frame_t *frame, const char *name)
{
    static char why[256];
    weft_str_t found;
    const uint8_t *data = weft_frame_data (frame);
    size_t size = weft_frame_size (frame);
    if (weft_contract_name (data, size, &found))
        return "it does not begin with its contract";
    snprintf (why, sizeof why, "%.*s", (int)WEFT_MIN (found.n, 64), found.p);
    if (name && strcmp (why, name) != 0)
        return why;
    const weft_contract_t *contract = weft_contract_find (why);
    if (!contract)
        return name ? "no contract of proto/" : NULL;
    void *record = malloc (contract->size);
    int rc = record ? weft_contract_decode (contract, record, data, size)
                    : WEFT_ENOMEM;
    free (record);
    if (!rc)
        return NULL;
    snprintf (why, sizeof why, "%s: %s", contract->name, weft_error_text (rc));
    return why;
}

static bool
same_frame (weft_frame_t *a, weft_frame_t *b)
{
    return weft_frame_size (a) == weft_frame_size (b) &&
           memcmp (weft_frame_data (a), weft_frame_data (b),
                   weft_frame_size (a)) == 0;
}

const char *
conform_forwarded (const weft_alert_t *sent, const weft_alert_t *alert)
{
    size_t n = weft_alert_frames (sent);
    if (weft_alert_frames (alert) != n + 1)
        return "not one frame more than came";
    for (size_t i = 0; i < n; i++)
        if (!same_frame (weft_alert_frame (alert, i),
                         weft_alert_frame (sent, i)))
            return "a frame of others differs";
    return NULL;
}
