//  notifier_alert.h - alerts for the tests and benchmarks of tom-notifier.

#ifndef NOTIFIER_ALERT_H_INCLUDED
#define NOTIFIER_ALERT_H_INCLUDED

#include <math.h>

#include "weft_alert.h"
#include "weft_filter_view.h"

#define ROWS_MOST 1024

//  What to put into an alert.
typedef struct {
    int64_t id;
    uint32_t rows;  //  of the light curve
    double ra, dec;
    float drb;   //  NaN: absent
    float p_ia;  //  probability of "SN Ia"
    bool no_scores, no_matches;
    bool plain;           //  no name elsewhere, a poor image
    const char *object;   //  NULL: made from the id
    const char *classes;  //  three names; NULL: "SN Ia,SN II,AGN"
} alert_spec_t;

typedef struct {
    double mjd[ROWS_MOST];
    float flux[ROWS_MOST], err[ROWS_MOST], lim[ROWS_MOST];
    uint8_t band[ROWS_MOST], kind[ROWS_MOST], use[ROWS_MOST];
    int64_t id[ROWS_MOST];
} curve_t;

#define COL(array, n) ((weft_col_t){ (const uint8_t *)(array), n })

static inline weft_frame_t *
encode_section (const weft_contract_t *contract, const void *record)
{
    weft_buf_t buf;
    weft_buf_init (&buf, 1 << 20);
    int rc = weft_contract_encode (contract, record, &buf);
    assert (!rc);
    (void)rc;
    weft_frame_t *frame = weft_frame_copy (buf.data, buf.size);
    weft_buf_fini (&buf);
    return frame;
}

static inline weft_frame_t *
make_envelope (const alert_spec_t *spec, const char *object)
{
    weft_envelope_v1_t e;
    weft_contract_clear (&weft_envelope_v1, &e);
    WEFT_SET (envelope_v1, &e, survey, weft_str ("ztf"));
    WEFT_SET (envelope_v1, &e, alert_id, spec->id);
    WEFT_SET (envelope_v1, &e, object_id, weft_str (object));
    WEFT_SET (envelope_v1, &e, topic, weft_str ("t"));
    WEFT_SET (envelope_v1, &e, partition, 0);
    WEFT_SET (envelope_v1, &e, offset, spec->id);
    WEFT_SET (envelope_v1, &e, night, 3000);
    WEFT_SET (envelope_v1, &e, t_obs, 60000.25);
    WEFT_SET (envelope_v1, &e, t_received, 60000.26);
    return encode_section (&weft_envelope_v1, &e);
}

//  A curve that rises to the alert: every fourth row is a limit, every fifth
//  a forced point, the last one the alert itself.
static inline void
fill_curve (const alert_spec_t *spec, curve_t *c)
{
    for (uint32_t i = 0; i < spec->rows; i++) {
        bool last = i + 1 == spec->rows;
        c->mjd[i] = 60000.25 - (spec->rows - 1 - i) * 0.5;
        c->kind[i] = last         ? WEFT_POINT_D
                     : i % 4 == 3 ? WEFT_POINT_L
                     : i % 5 == 4 ? WEFT_POINT_F
                                  : WEFT_POINT_D;
        bool limit = c->kind[i] == WEFT_POINT_L;
        c->flux[i] = limit ? NAN : 1000.0f + (float)i;
        c->err[i] = limit ? NAN : 30.0f;
        c->lim[i] = 400.0f;
        c->band[i] = i % 2 ? 7 : 6;
        c->use[i] = c->kind[i] == WEFT_POINT_F ? 2 : 1;
        c->id[i] =
            c->kind[i] == WEFT_POINT_D ? spec->id - (spec->rows - 1) + i : 0;
    }
}

static inline weft_frame_t *
make_alert_section (const alert_spec_t *spec, const char *object)
{
    static curve_t c;
    weft_alert_v1_t a;
    fill_curve (spec, &c);
    weft_contract_clear (&weft_alert_v1, &a);
    WEFT_SET (alert_v1, &a, survey, weft_str ("ztf"));
    WEFT_SET (alert_v1, &a, schema, weft_str ("4.02"));
    WEFT_SET (alert_v1, &a, alert_id, spec->id);
    WEFT_SET (alert_v1, &a, okind, 1);
    WEFT_SET (alert_v1, &a, object_id, weft_str (object));
    WEFT_SET (alert_v1, &a, night, 3000);
    WEFT_SET (alert_v1, &a, t_obs, 60000.25);
    WEFT_SET (alert_v1, &a, t_src, 2460000.74);
    WEFT_SET (alert_v1, &a, ra, spec->ra);
    WEFT_SET (alert_v1, &a, dec, spec->dec);
    WEFT_SET (alert_v1, &a, band, 6);
    WEFT_SET (alert_v1, &a, flux, 1000.0f + (float)spec->rows);
    WEFT_SET (alert_v1, &a, flux_err, 30.0f);
    WEFT_SET (alert_v1, &a, ap_flux, 1010.0f);
    WEFT_SET (alert_v1, &a, lim, 400.0f);
    WEFT_SET (alert_v1, &a, rb, spec->plain ? 0.3f : 0.8f);
    WEFT_SET (alert_v1, &a, drb, spec->drb);
    WEFT_SET (alert_v1, &a, fwhm, 2.5f);
    WEFT_SET (alert_v1, &a, classtar, 0.9f);
    WEFT_SET (alert_v1, &a, elong, 1.1f);
    WEFT_SET (alert_v1, &a, nbad, 0);
    WEFT_SET (alert_v1, &a, n_det, (int32_t)spec->rows);
    WEFT_SET (alert_v1, &a, first_mjd, 59990.0);
    WEFT_SET (alert_v1, &a, magdiff, 0.02f);
    WEFT_SET (alert_v1, &a, ref_sep, 0.7f);
    WEFT_SET (alert_v1, &a, flags, 0);
    WEFT_MARK (alert_v1, &a, ps1);
    a.n_ps1 = 1;
    WEFT_SET (ps1_v1, &a.ps1[0], id, INT64_C (123456789012345678));
    WEFT_SET (ps1_v1, &a.ps1[0], sg, 0.1f);
    WEFT_SET (ps1_v1, &a.ps1[0], sep, 1.5f);
    WEFT_MARK (alert_v1, &a, gaia);
    WEFT_SET (gaia_v1, &a.gaia, sep, 12.0f);
    WEFT_SET (alert_v1, &a, trig, spec->rows ? spec->rows - 1 : 0);
    WEFT_MARK (alert_v1, &a, points);
    uint32_t n = spec->rows;
    WEFT_SET (points_v1, &a.points, mjd, COL (c.mjd, n));
    WEFT_SET (points_v1, &a.points, flux, COL (c.flux, n));
    WEFT_SET (points_v1, &a.points, err, COL (c.err, n));
    WEFT_SET (points_v1, &a.points, lim, COL (c.lim, n));
    WEFT_SET (points_v1, &a.points, band, COL (c.band, n));
    WEFT_SET (points_v1, &a.points, kind, COL (c.kind, n));
    WEFT_SET (points_v1, &a.points, use, COL (c.use, n));
    WEFT_SET (points_v1, &a.points, id, COL (c.id, n));
    return encode_section (&weft_alert_v1, &a);
}

static inline void
set_match (weft_match_v1_t *m, const char *catalog, const char *type, float sep)
{
    WEFT_SET (match_v1, m, catalog, weft_str (catalog));
    WEFT_SET (match_v1, m, id, weft_str ("obj-1"));
    WEFT_SET (match_v1, m, type, weft_str (type));
    WEFT_SET (match_v1, m, sep, sep);
    WEFT_SET (match_v1, m, ra, 10.0);
    WEFT_SET (match_v1, m, dec, 20.0);
}

static inline weft_frame_t *
make_matches_section (bool plain)
{
    static weft_matches_v1_t m;
    weft_contract_clear (&weft_matches_v1, &m);
    WEFT_MARK (matches_v1, &m, catalogs);
    m.n_catalogs = 1;
    WEFT_SET (catalog_v1, &m.catalogs[0], name, weft_str ("glade"));
    WEFT_SET (catalog_v1, &m.catalogs[0], radius, 30.0f);
    WEFT_SET (catalog_v1, &m.catalogs[0], state, 1);
    WEFT_SET (catalog_v1, &m.catalogs[0], found, 2);
    WEFT_MARK (matches_v1, &m, matches);
    m.n_matches = 2;
    set_match (&m.matches[0], "glade", "galaxy", 3.5f);
    WEFT_SET (match_v1, &m.matches[0], z, 0.03f);
    set_match (&m.matches[1], "glade", "galaxy", 14.0f);
    WEFT_MARK (matches_v1, &m, names);
    m.n_names = plain ? 0 : 1;
    WEFT_SET (name_v1, &m.names[0], survey, weft_str ("tns"));
    WEFT_SET (name_v1, &m.names[0], id, weft_str ("2026abc"));
    return encode_section (&weft_matches_v1, &m);
}

static inline void
set_score (weft_score_v1_t *s,
           const char *model,
           const char *classes,
           const float *p,
           uint8_t shadow)
{
    WEFT_SET (score_v1, s, model, weft_str (model));
    WEFT_SET (score_v1, s, version, weft_str ("0123456789abcdef"));
    WEFT_SET (score_v1, s, set, 1);
    WEFT_SET (score_v1, s, calibration, weft_str ("isotonic"));
    WEFT_SET (score_v1, s, classes,
              weft_str (classes ? classes : "SN Ia,SN II,AGN"));
    WEFT_SET (score_v1, s, p, COL (p, 3));
    if (shadow)
        WEFT_SET (score_v1, s, shadow, shadow);
}

static inline weft_frame_t *
make_scores_section (const alert_spec_t *spec)
{
    static weft_scores_v1_t s;
    float rest = 1 - spec->p_ia;
    float p[] = { spec->p_ia, rest * 0.75f, rest * 0.25f };
    float shadow[] = { 1, 0, 0 };
    weft_contract_clear (&weft_scores_v1, &s);
    WEFT_MARK (scores_v1, &s, models);
    s.n_models = 2;
    set_score (&s.models[0], "early", spec->classes, p, 0);
    set_score (&s.models[1], "next", spec->classes, shadow, 1);
    return encode_section (&weft_scores_v1, &s);
}

static inline weft_alert_t *
make_full_alert (const alert_spec_t *spec)
{
    char object[32];
    snprintf (object, sizeof object, "ZTF18%lld", (long long)spec->id);
    const char *name = spec->object ? spec->object : object;
    weft_alert_t *alert = weft_alert_new (make_envelope (spec, name));
    int rc = weft_alert_append (alert, make_alert_section (spec, name));
    if (!rc && !spec->no_matches)
        rc = weft_alert_append (alert, make_matches_section (spec->plain));
    if (!rc && !spec->no_scores)
        rc = weft_alert_append (alert, make_scores_section (spec));
    assert (!rc);
    return alert;
}

#endif
