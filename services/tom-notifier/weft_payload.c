//  weft_payload.c - an alert in short, as sinks tell people about it.

#include "weft_payload.h"

#include <math.h>

#include "weft_clock.h"
#include "weft_filter_functions.h"
#include "weft_json_text.h"
#include "weft_time.h"

#define MATCHES_MOST 5

//  `name` comes with its comma and colon: ",\"flux\":".
static void
add_float (weft_buf_t *out, const char *name, double value, int decimals)
{
    weft_json_add_raw (out, name);
    weft_json_add_fixed (out, value, decimals);
}

static void
add_text (weft_buf_t *out, const char *name, weft_str_t text)
{
    weft_json_add_raw (out, name);
    weft_json_add_text (out, text);
}

static void
add_band (weft_buf_t *out, const char *name, uint8_t band)
{
    const char *text = weft_band_text (band);
    weft_json_add_raw (out, name);
    if (text)
        weft_json_add_text (out, weft_str (text));
    else
        weft_json_add_raw (out, "null");
}

static void
add_alert (weft_buf_t *out, const weft_alert_v1_t *alert)
{
    add_text (out, "\"survey\":", alert->survey);
    add_text (out, ",\"object_id\":", alert->object_id);
    weft_json_add_raw (out, ",\"alert_id\":");
    weft_json_add_id (out, alert->alert_id);
    weft_json_add_raw (out, ",\"night\":");
    weft_json_add_int (out, alert->night);
    add_float (out, ",\"t_obs\":", alert->t_obs, 9);
    //  The survey's own stamp as it writes it: 15 digits.
    if (WEFT_HAS (alert_v1, alert, t_src) && isfinite (alert->t_src))
        weft_buf_addf (out, ",\"t_src\":%.15g", alert->t_src);
    add_float (out, ",\"ra\":", alert->ra, 9);
    add_float (out, ",\"dec\":", alert->dec, 9);
    if (WEFT_HAS (alert_v1, alert, band))
        add_band (out, ",\"band\":", alert->band);
    add_float (out, ",\"flux\":", alert->flux, 2);
    add_float (out, ",\"flux_err\":", alert->flux_err, 2);
    if (WEFT_HAS (alert_v1, alert, drb))
        add_float (out, ",\"drb\":", alert->drb, 5);
}

//  The newest row of each band and kind, newest first.
static uint32_t
newest_rows (const weft_points_v1_t *points, uint32_t *rows)
{
    bool seen[WEFT_BANDS][WEFT_POINT_F + 1] = { { false } };
    uint32_t n = 0;
    if (points->band.n != points->mjd.n || points->kind.n != points->mjd.n)
        return 0;
    for (uint32_t i = points->mjd.n; i-- > 0;) {
        uint8_t band = weft_col_u8 (points->band, i);
        uint8_t kind = weft_col_u8 (points->kind, i);
        if (band >= WEFT_BANDS || kind > WEFT_POINT_F || seen[band][kind])
            continue;
        seen[band][kind] = true;
        rows[n++] = i;
    }
    return n;
}

static double
float_at (weft_col_t col, uint32_t row)
{
    return row < col.n ? weft_col_f32 (col, row) : (double)NAN;
}

//  A row as a magnitude. What is no detection is said to be a limit: a forced
//  point below 3 sigma gives its 5 sigma limit.
static void
add_mag (weft_buf_t *out, const weft_points_v1_t *points, uint32_t row)
{
    static const char *const kinds[] = { "", "D", "L", "F" };
    uint8_t kind = weft_col_u8 (points->kind, row);
    double flux = float_at (points->flux, row);
    double err = float_at (points->err, row);
    bool limit = kind == WEFT_POINT_L || !(flux > 3 * err);
    double bound = kind == WEFT_POINT_L ? float_at (points->lim, row) : 5 * err;
    add_band (out, "{\"band\":", weft_col_u8 (points->band, row));
    add_text (out, ",\"kind\":", weft_str (kinds[kind]));
    add_float (out, ",\"mjd\":", weft_col_f64 (points->mjd, row), 9);
    if (limit) {
        add_float (out, ",\"mag_limit\":", weft_mag_of_flux (bound), 3);
    } else {
        add_float (out, ",\"mag\":", weft_mag_of_flux (flux), 3);
        add_float (out, ",\"mag_err\":", weft_mag_error (flux, err), 3);
    }
    weft_json_add_raw (out, "}");
}

static void
add_mags (weft_buf_t *out, const weft_alert_v1_t *alert)
{
    uint32_t rows[WEFT_BANDS * (WEFT_POINT_F + 1)];
    uint32_t n = newest_rows (&alert->points, rows);
    weft_json_add_raw (out, ",\"mags\":[");
    for (uint32_t i = 0; i < n; i++) {
        weft_json_add_raw (out, i ? "," : "");
        add_mag (out, &alert->points, rows[i]);
    }
    weft_json_add_raw (out, "]");
}

static bool
same_model (const weft_class_row_t *a, const weft_class_row_t *b)
{
    return a->model.p == b->model.p && a->version.p == b->version.p;
}

//  The likeliest class of each live model.
static void
add_scores (weft_buf_t *out, weft_filter_view_t *view)
{
    uint32_t n;
    const weft_class_row_t *rows = weft_filter_view_classes (view, &n);
    weft_json_add_raw (out, ",\"scores\":[");
    for (uint32_t i = 0; i < n;) {
        const weft_class_row_t *best = &rows[i];
        uint32_t k = i;
        for (; k < n && same_model (&rows[k], &rows[i]); k++)
            if (rows[k].p > best->p)
                best = &rows[k];
        add_text (out, i ? ",{\"model\":" : "{\"model\":", best->model);
        add_text (out, ",\"version\":", best->version);
        add_text (out, ",\"calibration\":", best->calibration);
        add_text (out, ",\"class\":", best->name);
        add_float (out, ",\"p\":", best->p, 5);
        weft_json_add_raw (out, "}");
        i = k;
    }
    weft_json_add_raw (out, "]");
}

static void
add_match (weft_buf_t *out, const weft_match_v1_t *match)
{
    add_text (out, "{\"catalog\":", match->catalog);
    if (WEFT_HAS (match_v1, match, id))
        add_text (out, ",\"id\":", match->id);
    if (WEFT_HAS (match_v1, match, type))
        add_text (out, ",\"type\":", match->type);
    add_float (out, ",\"sep\":", match->sep, 3);
    if (WEFT_HAS (match_v1, match, z))
        add_float (out, ",\"z\":", match->z, 5);
    weft_json_add_raw (out, "}");
}

//  The nearest sources of all catalogues together, nearest first.
static void
add_matches (weft_buf_t *out, const weft_matches_v1_t *matches)
{
    bool told[WEFT_COUNT (matches->matches)] = { false };
    for (uint32_t k = 0; k < MATCHES_MOST; k++) {
        const weft_match_v1_t *best = NULL;
        for (uint32_t i = 0; i < matches->n_matches; i++) {
            const weft_match_v1_t *match = &matches->matches[i];
            if (!told[i] && (!best || match->sep < best->sep))
                best = match;
        }
        if (!best)
            return;
        told[best - matches->matches] = true;
        weft_json_add_raw (out, k ? "," : "");
        add_match (out, best);
    }
}

static void
add_names (weft_buf_t *out, const weft_matches_v1_t *matches)
{
    for (uint32_t i = 0; i < matches->n_names; i++) {
        const weft_name_v1_t *name = &matches->names[i];
        add_text (out, i ? ",{\"survey\":" : "{\"survey\":", name->survey);
        add_text (out, ",\"id\":", name->id);
        weft_json_add_raw (out, "}");
    }
}

int
weft_payload_write (weft_filter_view_t *view, weft_buf_t *out)
{
    const weft_alert_v1_t *alert = weft_filter_view_alert (view);
    if (!alert)
        return WEFT_EABSENT;
    const weft_matches_v1_t *matches = weft_filter_view_matches (view);
    weft_json_add_raw (out, "{");
    add_alert (out, alert);
    add_mags (out, alert);
    add_scores (out, view);
    weft_json_add_raw (out, ",\"matches\":[");
    if (matches)
        add_matches (out, matches);
    weft_json_add_raw (out, "],\"names\":[");
    if (matches)
        add_names (out, matches);
    weft_json_add_raw (out, "]}");
    return out->error;
}

static char *
add_safe (char *at, const char *end, weft_str_t text)
{
    for (uint32_t i = 0; i < text.n && at < end; i++) {
        char c = text.p[i];
        bool safe = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                    (c >= 'a' && c <= 'z') || c == '.' || c == '-' || c == '+';
        *at++ = safe ? c : '_';
    }
    return at;
}

void
weft_payload_query_key (const weft_query_v1_t *query, char *out)
{
    const char *end = out + (WEFT_KEY_MOST - 1);
    char *at = add_safe (out, out + 6, weft_str ("query"));
    *at++ = '/';
    at = add_safe (at, at + 16, query->survey);
    *at++ = '/';
    at = add_safe (at, at + 64, query->object_id);
    *at++ = '/';
    at = add_safe (at, end, query->requester);
    *at = 0;
}

void
weft_payload_key (const weft_envelope_v1_t *envelope,
                  weft_str_t filter,
                  char *out)
{
    //  Room for the id at the end: it alone tells alerts apart.
    const char *end = out + (WEFT_KEY_MOST - 24);
    char *at = add_safe (out, out + 16, envelope->survey);
    *at++ = '/';
    at = add_safe (at, at + 64, envelope->object_id);
    *at++ = '/';
    at = add_safe (at, end, filter);
    snprintf (at, 24, "/%lld", (long long)envelope->alert_id);
}

void
weft_payload_address (weft_str_t payload,
                      const char *key,
                      weft_str_t filter,
                      double received,
                      double now,
                      weft_buf_t *out)
{
    char at[40];
    weft_time_iso (now, at, sizeof at);
    double now_tai = weft_time_tai_of_utc (WEFT_MJD_UNIX + now / 86400);
    weft_json_add_raw (out, "{\"key\":\"");
    weft_json_add_raw (out, key);
    if (filter.n > 0) {
        weft_json_add_raw (out, "\",\"filter\":\"");
        weft_buf_add (out, filter.p, filter.n);
    }
    weft_json_add_raw (out, "\",\"passed_at\":\"");
    weft_json_add_raw (out, at);
    double latency_s = (now_tai - received) * 86400;
    add_float (out, "\",\"latency_s\":",
               weft_clock_may_be_age (latency_s) ? latency_s : (double)NAN, 4);
    weft_json_add_raw (out, payload.n > 2 ? "," : "");
    if (payload.n > 1)
        weft_buf_add (out, payload.p + 1, payload.n - 1);
}
