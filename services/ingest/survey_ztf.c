//  survey_ztf.c - how ZTF's packets (schemas 1.x to 4.02) become alert.v1.
//
//  Magnitudes with a sign become fluxes, start of exposure in UTC becomes its
//  middle in TAI, and what a row is is told by its fields: schema 3.5 puts
//  forced photometry into prv_candidates. README.md lists every field.

#include <math.h>

#include "survey_ztf_fields.h"
#include "survey_ztf_units.h"
#include "weft_time.h"

#define CANDIDATE_SENTINEL -999.0
#define FORCED_SENTINEL -99999.0
#define REFERENCE_ARCSEC 1.4  //  farther reference sources are others
#define EDGE_PIXELS 10        //
#define NID_MOST 36525        //  days from 2017: later nights are made up
#define NAMELESS "cand"       //  object_id of packets without objectId

static bool
claims (const char *schema_name, const weft_avro_node_t *root)
{
    if (!strncmp (schema_name, "ztf.", 4))
        return true;
    //  Brokers re-encode under a name of their own.
    return !strcmp (schema_name, "topLevelRecord") &&
           weft_avro_node_field (root, "objectId") &&
           weft_avro_node_field (root, "candid") &&
           weft_avro_node_field (root, "candidate");
}

//  procstatus is a list of numbers: which flags it means, and may it be used?
static uint32_t
status_flags (weft_str_t status, bool *good)
{
    uint32_t flags = 0;
    *good = status.n > 0;
    for (uint32_t i = 0; i < status.n;) {
        while (i < status.n && (status.p[i] == ',' || status.p[i] == ' '))
            i++;
        uint32_t start = i;
        while (i < status.n && status.p[i] != ',' && status.p[i] != ' ')
            i++;
        uint32_t size = i - start;
        const char *code = status.p + start;
        if (!size || (size == 1 && *code == '0'))
            continue;
        *good = false;
        bool failed =
            size == 2 && (!memcmp (code, "55", 2) || !memcmp (code, "61", 2));
        flags |= failed ? WEFT_FLAG_forced_failed : WEFT_FLAG_forced_warn;
    }
    return flags;
}

//  Flags that detections tell by themselves.
static uint32_t
detection_flags (const weft_avro_value_t *v, float sign)
{
    uint32_t flags = 0;
    float edge = weft_value_float (&v[ZTF_mindtoedge], CANDIDATE_SENTINEL);
    if (edge < EDGE_PIXELS)
        flags |= WEFT_FLAG_edge;
    if (weft_value_whole (&v[ZTF_nbad], 0) > 0)
        flags |= WEFT_FLAG_nbad;
    if (weft_value_whole (&v[ZTF_tooflag], 0) == 1)
        flags |= WEFT_FLAG_too;
    if (sign < 0)
        flags |= WEFT_FLAG_negative | WEFT_FLAG_survey_says_negative;
    return flags;
}

//  The reference source, per point as it differs by field; the total flux where
//  it is near enough to be the same source. The two may cancel, so `flux` is
//  not yet rounded.
static void
fill_reference (weft_point_t *row,
                const weft_avro_value_t *v,
                double sentinel,
                double flux)
{
    double ref = exact_flux (weft_value_float (&v[ZTF_magnr], sentinel));
    row->ref = (float)ref;
    row->ref_err =
        flux_error (row->ref, weft_value_float (&v[ZTF_sigmagnr], sentinel));
    row->ref_sep = weft_value_float (&v[ZTF_distnr], sentinel);
    if (row->ref_sep >= 0 && (double)row->ref_sep <= REFERENCE_ARCSEC) {
        row->tot = (float)(flux + ref);
        row->tot_err = isnan (row->tot) ? NAN : row->err;
    }
}

//  When and where it was exposed. False if the row does not tell when.
static bool
fill_exposure (weft_point_t *row, const weft_avro_value_t *v, double sentinel)
{
    double jd = weft_value_real (&v[ZTF_jd]);
    if (!(jd > 0 && jd < 1e8))
        return false;
    int64_t fid = weft_value_whole (&v[ZTF_fid], 0);
    float exptime = weft_value_float (&v[ZTF_exptime], sentinel);
    row->t_src = jd;
    row->mjd = middle (jd, (double)exptime);
    row->band = band_of (fid);
    row->expo = weft_tick (jd - WEFT_MJD_OF_JD) * 8 + (fid & 7);
    int64_t program = weft_value_whole (&v[ZTF_programid], 255);
    row->prog = program >= 0 && program < 255 ? (uint8_t)program : 255;
    if (row->prog != 1 && row->prog != 255)
        row->flags |= WEFT_FLAG_nonpublic;
    row->zp = weft_value_float (&v[ZTF_magzpsci], sentinel);
    row->lim = flux_of (weft_value_float (&v[ZTF_diffmaglim], sentinel));
    return true;
}

static void
fill_detection (weft_point_t *row, const weft_avro_value_t *v, bool trigger)
{
    float sign = sign_of (&v[ZTF_isdiffpos]);
    row->kind = WEFT_KIND_D;
    double flux =
        (double)sign *
        exact_flux (weft_value_float (&v[ZTF_magpsf], CANDIDATE_SENTINEL));
    row->flux = (float)flux;
    row->err = flux_error (
        row->flux, weft_value_float (&v[ZTF_sigmapsf], CANDIDATE_SENTINEL));
    row->ra = weft_value_real (&v[ZTF_ra]);
    row->dec = weft_value_real (&v[ZTF_dec]);
    row->flags |= detection_flags (v, sign);
    if (!trigger)
        row->flags |= WEFT_FLAG_coarse;
    //  A row without candid is told from others by its exposure.
    row->id = weft_value_whole (&v[ZTF_candid], 0);
    row->key = weft_value_is (&v[ZTF_candid]) ? row->id
                                              : INT64_MIN + llabs (row->expo);
    row->ver[0] = trigger;
    float rb = weft_value_float (&v[ZTF_rb], CANDIDATE_SENTINEL);
    float drb = weft_value_float (&v[ZTF_drb], CANDIDATE_SENTINEL);
    row->score = trigger && !isnan (drb) ? drb : rb;
    fill_reference (row, v, CANDIDATE_SENTINEL, flux);
}

//  One exposure has one limit for each quadrant: the shallowest stands, then
//  the lowest pid.
static void
fill_limit (weft_point_t *row, const weft_avro_value_t *v)
{
    row->kind = WEFT_KIND_L;
    row->key = row->expo;
    row->ver[0] = -weft_ordered (weft_value_real (&v[ZTF_diffmaglim]));
    int64_t pid = weft_value_whole (&v[ZTF_pid], INT64_MAX);
    row->ver[1] = pid == INT64_MIN ? INT64_MAX : -pid;
    fill_reference (row, v, CANDIDATE_SENTINEL, (double)NAN);
}

//  Forced photometry: DN to nJy by the zero point of its exposure. The version
//  is completed at the end, by the alert that carries it.
static void
fill_forced (weft_point_t *row, const weft_avro_value_t *v)
{
    float flux = weft_value_float (&v[ZTF_forcediffimflux], FORCED_SENTINEL);
    float err = weft_value_float (&v[ZTF_forcediffimfluxunc], FORCED_SENTINEL);
    double scale = weft_njy_of_mag ((double)row->zp);
    double exact = (double)flux * scale;
    bool good;
    row->kind = WEFT_KIND_F;
    row->key = row->expo;
    row->flux = (float)exact;
    row->err = (float)((double)err * scale);
    row->flags |= status_flags (weft_value_text (&v[ZTF_procstatus]), &good);
    if (isnan (flux) || isnan (err))
        row->flags |= WEFT_FLAG_forced_failed;
    if (row->flux < 0)
        row->flags |= WEFT_FLAG_negative;
    row->usable = good && isfinite (row->flux) && row->err > 0;
    fill_reference (row, v, FORCED_SENTINEL, exact);
}

//  What a row is, by its fields. False: it is nothing.
static bool
fill_row (weft_point_t *row, const weft_avro_value_t *v, bool trigger)
{
    bool forced = weft_value_is (&v[ZTF_forcediffimflux]);
    double sentinel = forced ? FORCED_SENTINEL : CANDIDATE_SENTINEL;
    *row = weft_point_none ();
    if (!fill_exposure (row, v, sentinel))
        return false;
    if (forced && !trigger)
        fill_forced (row, v);
    else if (isfinite (weft_value_float (&v[ZTF_magpsf], sentinel)) || trigger)
        fill_detection (row, v, trigger);
    else if (isfinite (row->lim))
        fill_limit (row, v);
    else
        return false;
    return true;
}

static int
add_row (weft_normal_t *normal, size_t group, const weft_avro_value_t *v)
{
    (void)group;
    weft_point_t *row;
    int rc = weft_normal_next (normal, &row);
    if (rc)
        return rc;
    if (fill_row (row, v, false))
        weft_normal_added (normal);
    else
        normal->skipped++;
    return 0;
}

static void
fill_names (weft_normal_t *normal, const weft_avro_value_t *top, int64_t candid)
{
    weft_alert_v1_t *alert = &normal->alert;
    weft_str_t version = weft_value_text (&top[ZTF_schemavsn]);
    weft_str_t object = weft_value_text (&top[ZTF_objectId]);
    weft_str_copy (version, normal->schema, sizeof (normal->schema));
    if (!version.n)
        memcpy (normal->schema, "1", 2);
    if (object.n)
        weft_str_copy (object, normal->object_id, WEFT_OBJECT_ID_MOST + 1);
    else
        snprintf (normal->object_id, sizeof (normal->object_id),
                  NAMELESS "%lld", (long long)candid);
    WEFT_SET (alert_v1, alert, schema, weft_str (normal->schema));
    WEFT_SET (alert_v1, alert, object_id, weft_str (normal->object_id));
    WEFT_SET (alert_v1, alert, okind, 1);
    WEFT_SET (alert_v1, alert, alert_id, candid);
}

#define SET_F32(key, value)                                                    \
    do {                                                                       \
        float set_value = (value);                                             \
        if (!isnan (set_value))                                                \
            WEFT_SET (alert_v1, alert, key, set_value);                        \
    } while (0)

static float
aperture (
    const weft_avro_value_t *v, int mag, int sigma, float sign, float *error)
{
    float flux =
        sign * flux_of (weft_value_float (&v[mag], CANDIDATE_SENTINEL));
    *error =
        flux_error (flux, weft_value_float (&v[sigma], CANDIDATE_SENTINEL));
    return flux;
}

static void
fill_fluxes (weft_alert_v1_t *alert,
             const weft_avro_value_t *v,
             const weft_point_t *row)
{
    float sign = sign_of (&v[ZTF_isdiffpos]);
    float error;
    SET_F32 (flux, row->flux);
    SET_F32 (flux_err, row->err);
    SET_F32 (tot, row->tot);
    SET_F32 (tot_err, row->tot_err);
    SET_F32 (ref, row->ref);
    SET_F32 (ref_err, row->ref_err);
    SET_F32 (lim, row->lim);
    SET_F32 (ap_flux, aperture (v, ZTF_magap, ZTF_sigmagap, sign, &error));
    SET_F32 (ap_err, error);
    SET_F32 (apbig_flux,
             aperture (v, ZTF_magapbig, ZTF_sigmagapbig, sign, &error));
    SET_F32 (apbig_err, error);
    SET_F32 (snr, weft_value_float (&v[ZTF_scorr], CANDIDATE_SENTINEL));
}

//  0 would be no night of the ledger.
static bool
is_night (int32_t nid)
{
    return nid && nid >= -NID_MOST && nid <= NID_MOST;
}

static void
fill_dates (weft_alert_v1_t *alert, const weft_avro_value_t *v, double t_obs)
{
    WEFT_SET (alert_v1, alert, t_obs, t_obs);
    if (!WEFT_HAS (alert_v1, alert, night) || !is_night (alert->night))
        WEFT_SET (alert_v1, alert, night, weft_normal_night (t_obs));
    double ref_start = tai_of_jd (&v[ZTF_jdstartref]);
    double ref_end = tai_of_jd (&v[ZTF_jdendref]);
    double first = tai_of_jd (&v[ZTF_jdstarthist]);
    double last = tai_of_jd (&v[ZTF_jdendhist]);
    if (!isnan (ref_start))
        WEFT_SET (alert_v1, alert, ref_start, ref_start);
    if (!isnan (ref_end))
        WEFT_SET (alert_v1, alert, ref_end, ref_end);
    if (!isnan (first))
        WEFT_SET (alert_v1, alert, first_mjd, first);
    if (!isnan (last))
        WEFT_SET (alert_v1, alert, last_mjd, last);
}

//  Bits that this packet tells, and those that Weft finds by itself.
static void
fill_flags (weft_alert_v1_t *alert,
            const weft_avro_value_t *v,
            const weft_point_t *row)
{
    uint32_t known = WEFT_FLAG_dipole | WEFT_FLAG_multi | WEFT_FLAG_coarse;
    float edge = weft_value_float (&v[ZTF_mindtoedge], CANDIDATE_SENTINEL);
    if (!isnan (edge))
        known |= WEFT_FLAG_edge;
    if (!isnan (sign_of (&v[ZTF_isdiffpos])))
        known |= WEFT_FLAG_negative | WEFT_FLAG_survey_says_negative;
    if (weft_value_is (&v[ZTF_nbad]))
        known |= WEFT_FLAG_nbad;
    if (weft_value_is (&v[ZTF_tooflag]))
        known |= WEFT_FLAG_too;
    if (row->prog != 255)
        known |= WEFT_FLAG_nonpublic;
    WEFT_SET (alert_v1, alert, flags, row->flags);
    WEFT_SET (alert_v1, alert, flags_known, known);
}

static bool
set_near (weft_ps1_v1_t *near, const weft_avro_value_t *v, int first)
{
    //  id sg sep g r i z, in the order of the table.
    float *const to[] = { &near->sg, &near->sep, &near->g,
                          &near->r,  &near->i,   &near->z };
    bool any = false;
    weft_contract_clear (&weft_ps1_v1, near);
    int64_t id = weft_value_whole (&v[first], (int64_t)CANDIDATE_SENTINEL);
    if (id != (int64_t)CANDIDATE_SENTINEL && id != 0) {
        WEFT_SET (ps1_v1, near, id, id);
        any = true;
    }
    for (unsigned i = 0; i < WEFT_COUNT (to); i++) {
        *to[i] = weft_value_float (&v[first + 1 + (int)i], CANDIDATE_SENTINEL);
        if (isnan (*to[i]))
            continue;
        weft_set_bit (near->has, WEFT_ps1_v1_sg + i);
        any = true;
    }
    return any;
}

//  The nearest three Pan-STARRS sources; a missing one ends the list. The
//  packets of 2016 have only a star/galaxy score.
static void
fill_ps1 (weft_alert_v1_t *alert, const weft_avro_value_t *v)
{
    static const int firsts[] = { ZTF_objectidps1, ZTF_objectidps2,
                                  ZTF_objectidps3 };
    alert->n_ps1 = 0;
    for (unsigned i = 0; i < WEFT_COUNT (firsts); i++) {
        weft_ps1_v1_t *near = &alert->ps1[i];
        bool any = set_near (near, v, firsts[i]);
        float old = weft_value_float (&v[ZTF_sgscore], CANDIDATE_SENTINEL);
        if (!i && isnan (near->sg) && !isnan (old)) {
            WEFT_SET (ps1_v1, near, sg, old);
            any = true;
        }
        if (any)
            alert->n_ps1 = i + 1;
    }
    if (alert->n_ps1)
        WEFT_MARK (alert_v1, alert, ps1);
}

#define SET_PART(contract, record, key, field)                                 \
    do {                                                                       \
        float part = weft_value_float (&v[ZTF_##field], CANDIDATE_SENTINEL);   \
        if (!isnan (part))                                                     \
            WEFT_SET (contract, record, key, part);                            \
    } while (0)

static void
fill_gaia (weft_alert_v1_t *alert, const weft_avro_value_t *v)
{
    weft_gaia_v1_t *gaia = &alert->gaia;
    SET_PART (gaia_v1, gaia, sep, neargaia);
    SET_PART (gaia_v1, gaia, g, maggaia);
    SET_PART (gaia_v1, gaia, bright_sep, neargaiabright);
    SET_PART (gaia_v1, gaia, bright_g, maggaiabright);
    if (gaia->has[0])
        WEFT_MARK (alert_v1, alert, gaia);
}

static void
fill_sso (weft_alert_v1_t *alert, const weft_avro_value_t *v)
{
    weft_sso_v1_t *sso = &alert->sso;
    weft_str_t name = weft_value_text (&v[ZTF_ssnamenr]);
    if (name.n && !weft_str_is (name, "null"))
        WEFT_SET (sso_v1, sso, name, name);
    SET_PART (sso_v1, sso, sep, ssdistnr);
    SET_PART (sso_v1, sso, vmag, ssmagnr);
    if (sso->has[0])
        WEFT_MARK (alert_v1, alert, sso);
}

static void
fill_shape (weft_normal_t *normal, const weft_avro_value_t *v)
{
    float a = weft_value_float (&v[ZTF_aimage], CANDIDATE_SENTINEL);
    float b = weft_value_float (&v[ZTF_bimage], CANDIDATE_SENTINEL);
    if (isnan (a) && isnan (b))
        return;
    weft_put_f32 (normal->shape, a);
    weft_put_f32 (normal->shape + 4, b);
    weft_col_t shape = { normal->shape, 2 };
    WEFT_SET (alert_v1, &normal->alert, shape, shape);
}

static int
finish (weft_normal_t *normal,
        const weft_avro_value_t *const *values,
        uint32_t present,
        const char *schema_name)
{
    (void)present;
    (void)schema_name;
    weft_alert_v1_t *alert = &normal->alert;
    const weft_avro_value_t *v = values[CANDIDATE];
    weft_point_t row;
    bool dated = fill_row (&row, v, true);
    int rc =
        weft_normal_check (normal, weft_value_real (&v[ZTF_ra]),
                           weft_value_real (&v[ZTF_dec]), dated ? row.mjd : -1);
    if (rc)
        return rc;
    normal->trigger = row.key;
    fill_names (normal, values[TOP], row.id);
    weft_normal_copy (normal, &groups[CANDIDATE], v, CANDIDATE_SENTINEL);
    fill_fluxes (alert, v, &row);
    fill_dates (alert, v, row.mjd);
    fill_flags (alert, v, &row);
    fill_ps1 (alert, v);
    fill_gaia (alert, v);
    fill_sso (alert, v);
    fill_shape (normal, v);
    weft_normal_stamps (normal, &values[SCIENCE][0], &values[TEMPLATE][0],
                        &values[DIFFERENCE][0]);
    if (row.band != WEFT_BAND_NONE)
        WEFT_SET (alert_v1, alert, band, row.band);
    //  Forced rows are measured anew for each alert: the newest stands.
    int64_t tick = weft_tick (row.t_src - WEFT_MJD_OF_JD);
    for (size_t i = 0; i < normal->n_rows; i++)
        if (normal->rows[i].kind == WEFT_KIND_F) {
            normal->rows[i].ver[0] =
                tick + (normal->rows[i].usable ? INT64_C (1) << 60 : 0);
            normal->rows[i].ver[1] = row.id;
        }
    rc = weft_normal_add (normal, &row);
    weft_normal_date (normal, row.mjd);
    return rc;
}

const weft_survey_t weft_survey_ztf = {
    .name = "ztf",
    .claims = claims,
    .groups = groups,
    .n_groups = WEFT_COUNT (groups),
    .roles = roles,
    .n_roles = WEFT_COUNT (roles),
    .row = add_row,
    .finish = finish,
};
