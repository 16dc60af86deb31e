//  survey_lsst.c - how LSST's packets become alert.v1; ELAsTiCC's too, whose
//  simulation wrote LSST's names of that time.
//
//  Schemas 7.0 to 11.0 are the survey's; 2.1 to 6.1 are read as far as they
//  have the core, under their old names. 0 is "none" for ids, as null is.
//  Times are MJD TAI already. README.md lists every field.

#include <math.h>

#include "survey_lsst_fields.h"
#include "weft_time.h"

#define SECONDS_FROM 1e6  //  an old midPointTai beyond this is Unix seconds

static bool
claims_lsst (const char *schema_name, const weft_avro_node_t *root)
{
    if (!strncmp (schema_name, "lsst.", 5))
        return true;
    return !strcmp (schema_name, "topLevelRecord") &&
           weft_avro_node_field (root, "diaSource");
}

static bool
claims_elasticc (const char *schema_name, const weft_avro_node_t *root)
{
    (void)root;
    return !strncmp (schema_name, "elasticc.", 9);
}

static double
real (const weft_avro_value_t *value)
{
    return weft_value_real (value);
}

//  The one of two spellings that the writer has.
static const weft_avro_value_t *
either (const weft_avro_value_t *a, const weft_avro_value_t *b)
{
    return weft_value_is (a) ? a : b;
}

static float
narrow (const weft_avro_value_t *value)
{
    return weft_value_float (value, NAN);
}

//  Microseconds of Unix time, UTC, as MJD TAI.
static double
tai_of_micros (const weft_avro_value_t *value)
{
    if (!weft_value_is (value))
        return NAN;
    double days = (double)weft_value_whole (value, 0) / 86400e6;
    return weft_time_tai_of_utc (WEFT_MJD_UNIX + days);
}

//  Middle of the exposure. The survey's first schemas wrote seconds where
//  simulations in the same schemas wrote days.
static double
middle (const weft_avro_value_t *mjd, const weft_avro_value_t *old)
{
    if (weft_value_is (mjd))
        return real (mjd);
    double value = real (old);
    return value > SECONDS_FROM ? WEFT_MJD_UNIX + value / 86400 : value;
}

//  "u ", "Y" and "r" are bands; anything else is none.
static uint8_t
band_of (weft_str_t text)
{
    static const char bands[] = "ugrizy";
    while (text.n && text.p[text.n - 1] == ' ')
        text.n--;
    while (text.n && *text.p == ' ') {
        text.p++;
        text.n--;
    }
    if (text.n != 1)
        return WEFT_BAND_NONE;
    char letter = *text.p == 'Y' ? 'y' : *text.p;
    const char *at = letter ? strchr (bands, letter) : NULL;
    return at ? (uint8_t)(at - bands) : WEFT_BAND_NONE;
}

//  The exposure: visit and detector, or, where the schema has neither, the
//  moment and the band.
static int64_t
exposure (const weft_avro_value_t *visit,
          const weft_avro_value_t *detector,
          double mjd,
          uint8_t band)
{
    const int64_t most = INT64_MAX / 1000 - 1;
    int64_t number = weft_value_whole (visit, 0);
    int64_t part = weft_value_whole (detector, 0);
    if (weft_value_is (visit) && number > 0 && number < most && part >= 0 &&
        part < 1000)
        return number * 1000 + part;
    return weft_tick (mjd) * 8 + (band & 7);
}

static uint32_t
flags_of (const weft_avro_value_t *v, double flux, uint32_t *known)
{
    uint32_t flags = 0, tells = 0;
    for (size_t i = 0; i < WEFT_COUNT (flag_map); i++) {
        //  Without branches: there are two dozen of them in every row.
        const weft_avro_value_t *value = &v[flag_map[i].slot];
        uint32_t is = 0u - weft_value_is (value);
        tells |= flag_map[i].flag & is;
        flags |= flag_map[i].flag & is & (0u - (value->i == 1));
    }
    //  The sign is that of the flux: the survey's own word disagrees at times.
    if (!isnan (flux))
        tells |= WEFT_FLAG_negative;
    if (flux < 0)
        flags |= WEFT_FLAG_negative;
    if (weft_value_is (&v[SRC_timeWithdrawnMjdTai]))
        flags |= WEFT_FLAG_withdrawn;
    *known = tells;
    return flags;
}

static double
processed (const weft_avro_value_t *mjd, const weft_avro_value_t *micros)
{
    return weft_value_is (mjd) ? real (mjd) : tai_of_micros (micros);
}

static void
set_version (weft_point_t *row, double t_proc, bool trigger)
{
    row->ver[0] = isnan (t_proc) ? 0 : weft_ordered (t_proc);
    row->ver[1] = trigger;
    //  Taken back: after what it takes back, if both are of one time.
    if (row->flags & WEFT_FLAG_withdrawn)
        row->ver[1] += 2;
}

//  A detection. False if it does not tell which or when.
static bool
fill_source (weft_point_t *row,
             const weft_avro_value_t *v,
             bool trigger,
             uint32_t *known)
{
    *row = weft_point_none ();
    row->mjd = middle (&v[SRC_midpointMjdTai], &v[SRC_midPointTai]);
    if (!isfinite (row->mjd) || !weft_value_is (&v[SRC_diaSourceId]))
        return false;
    row->kind = WEFT_KIND_D;
    row->id = row->key = weft_value_whole (&v[SRC_diaSourceId], 0);
    row->band =
        band_of (weft_value_text (either (&v[SRC_band], &v[SRC_filterName])));
    row->expo = exposure (&v[SRC_visit], &v[SRC_detector], row->mjd, row->band);
    row->ra = real (&v[SRC_ra]);
    row->dec = real (either (&v[SRC_dec], &v[SRC_decl]));
    row->flux = narrow (either (&v[SRC_psfFlux], &v[SRC_psFlux]));
    row->err = narrow (either (&v[SRC_psfFluxErr], &v[SRC_psFluxErr]));
    row->tot = narrow (either (&v[SRC_scienceFlux], &v[SRC_totFlux]));
    row->tot_err = narrow (either (&v[SRC_scienceFluxErr], &v[SRC_totFluxErr]));
    row->ref = narrow (&v[SRC_templateFlux]);
    row->ref_err = narrow (&v[SRC_templateFluxErr]);
    row->score = narrow (&v[SRC_reliability]);
    row->prog = 1;
    row->flags = flags_of (v, (double)row->flux, known);
    set_version (
        row, processed (&v[SRC_timeProcessedMjdTai], &v[SRC_time_processed]),
        trigger);
    return true;
}

static bool
fill_forced (weft_point_t *row, const weft_avro_value_t *v)
{
    *row = weft_point_none ();
    row->mjd = middle (&v[FRC_midpointMjdTai], &v[FRC_midPointTai]);
    if (!isfinite (row->mjd) || !weft_value_is (&v[FRC_diaForcedSourceId]))
        return false;
    row->kind = WEFT_KIND_F;
    row->id = row->key = weft_value_whole (&v[FRC_diaForcedSourceId], 0);
    row->band =
        band_of (weft_value_text (either (&v[FRC_band], &v[FRC_filterName])));
    row->expo = exposure (&v[FRC_visit], &v[FRC_detector], row->mjd, row->band);
    row->ra = real (&v[FRC_ra]);
    row->dec = real (&v[FRC_dec]);
    row->flux = narrow (either (&v[FRC_psfFlux], &v[FRC_psFlux]));
    row->err = narrow (either (&v[FRC_psfFluxErr], &v[FRC_psFluxErr]));
    row->tot = narrow (either (&v[FRC_scienceFlux], &v[FRC_totFlux]));
    row->tot_err = narrow (either (&v[FRC_scienceFluxErr], &v[FRC_totFluxErr]));
    row->prog = 1;
    if (row->flux < 0)
        row->flags |= WEFT_FLAG_negative;
    if (weft_value_is (&v[FRC_timeWithdrawnMjdTai]))
        row->flags |= WEFT_FLAG_withdrawn;
    row->usable = isfinite (row->flux) && row->err > 0 &&
                  !(row->flags & WEFT_FLAG_withdrawn);
    set_version (
        row, processed (&v[FRC_timeProcessedMjdTai], &v[FRC_time_processed]),
        false);
    return true;
}

static int
add_row (weft_normal_t *normal, size_t group, const weft_avro_value_t *v)
{
    weft_point_t *row;
    uint32_t known;
    int rc = weft_normal_next (normal, &row);
    if (rc)
        return rc;
    bool good = group == FORCED ? fill_forced (row, v)
                                : fill_source (row, v, false, &known);
    if (good)
        weft_normal_added (normal);
    else
        normal->skipped++;
    return 0;
}

//  "lsst.v10_0.alert" is version 10.0; a name without one says so.
static void
name_schema (weft_normal_t *normal, const char *schema_name)
{
    const char *at = strstr (schema_name, ".v");
    unsigned major, minor;
    if (at && sscanf (at, ".v%4u_%4u", &major, &minor) == 2)
        snprintf (normal->schema, sizeof (normal->schema), "%u.%u", major,
                  minor);
    else
        snprintf (normal->schema, sizeof (normal->schema), "unknown");
}

//  Whose alert it is. 0 means none, as null does: solar-system objects must
//  not share the history of object 0.
static void
fill_names (weft_normal_t *normal, const weft_avro_value_t *v, bool has_object)
{
    weft_alert_v1_t *alert = &normal->alert;
    int64_t source = weft_value_whole (&v[SRC_diaSourceId], 0);
    int64_t object = weft_value_whole (&v[SRC_diaObjectId], 0);
    int64_t solar = weft_value_whole (&v[SRC_ssObjectId], 0);
    const char *prefix = object ? "" : solar ? "ss" : "src";
    snprintf (normal->object_id, sizeof (normal->object_id), "%s%lld", prefix,
              (long long)(object  ? object
                          : solar ? solar
                                  : source));
    uint8_t okind = object ? (has_object ? 1 : 3) : solar ? 2 : 3;
    WEFT_SET (alert_v1, alert, schema, weft_str (normal->schema));
    WEFT_SET (alert_v1, alert, object_id, weft_str (normal->object_id));
    WEFT_SET (alert_v1, alert, okind, okind);
    WEFT_SET (alert_v1, alert, alert_id, source);
    WEFT_SET (alert_v1, alert, program, 1);
}

//  The night: the visit's date where the visit number holds one, else the day
//  of the exposure.
static int32_t
night_of (const weft_avro_value_t *visit, double t_obs)
{
    int64_t date = weft_value_whole (visit, 0) / 100000;
    int64_t year = date / 10000, month = date / 100 % 100, day = date % 100;
    if (year >= 2015 && year <= 2040 && month >= 1 && month <= 12 && day >= 1 &&
        day <= 31)
        return (int32_t)date;
    return (int32_t)floor (t_obs - 0.5);
}

static void
fill_dates (weft_alert_v1_t *alert, const weft_avro_value_t *v, double t_obs)
{
    WEFT_SET (alert_v1, alert, t_obs, t_obs);
    WEFT_SET (alert_v1, alert, night, night_of (&v[SRC_visit], t_obs));
    double t_proc = tai_of_micros (&v[SRC_time_processed]);
    if (!WEFT_HAS (alert_v1, alert, t_proc) && !isnan (t_proc))
        WEFT_SET (alert_v1, alert, t_proc, t_proc);
}

static void
fill_shape (weft_normal_t *normal, const weft_avro_value_t *v)
{
    bool any = false;
    for (int i = 0; i < 6; i++) {
        float value = narrow (&v[SRC_ixx + i]);
        any |= !isnan (value);
        weft_put_f32 (normal->shape + 4 * i, value);
    }
    weft_col_t shape = { normal->shape, 6 };
    if (any)
        WEFT_SET (alert_v1, &normal->alert, shape, shape);
}

static void
fill_object (weft_normal_t *normal, const weft_avro_value_t *v)
{
    weft_alert_v1_t *alert = &normal->alert;
    weft_normal_copy (normal, &groups[OBJECT_GROUP], v, NAN);
    double since = tai_of_micros (&v[OBJ_validityStart]);
    if (!WEFT_HAS (alert_v1, alert, obj_ver) && !isnan (since))
        WEFT_SET (alert_v1, alert, obj_ver, since);
    if (WEFT_HAS (alert_v1, alert, n_src))
        WEFT_SET (alert_v1, alert, n_det, alert->n_src);
    normal->obj_ra = alert->obj_ra;
    normal->obj_dec = alert->obj_dec;
}

//  Distance from the predicted place, arcsec: given, or from the residuals,
//  which are differences of coordinates in degrees.
static float
sso_separation (const weft_avro_value_t *sso, double dec)
{
    if (weft_value_is (&sso[SSO_ephOffset]))
        return narrow (&sso[SSO_ephOffset]);
    double dra = real (&sso[SSO_residualRa]) * cos (dec * 0.017453292519943295);
    return (float)(hypot (dra, real (&sso[SSO_residualDec])) * 3600);
}

static weft_str_t
sso_name (const weft_avro_value_t *const *values)
{
    weft_str_t name = weft_value_text (&values[SSO][SSO_designation]);
    if (!name.n)
        name = weft_value_text (&values[ORBITS][ORB_designation]);
    if (!name.n)
        name = weft_value_text (&values[MPCORB][ORB_mpcDesignation]);
    return name;
}

static void
fill_sso (weft_normal_t *normal, const weft_avro_value_t *const *values)
{
    const weft_avro_value_t *v = values[SSO];
    weft_sso_v1_t *sso = &normal->alert.sso;
    weft_str_t name = sso_name (values);
    float sep = sso_separation (v, normal->alert.dec);
    float vmag = narrow (either (&v[SSO_ephVmag], &v[SSO_predictedVMagnitude]));
    float rate = narrow (&v[SSO_ephRate]);
    if (name.n)
        WEFT_SET (sso_v1, sso, name, name);
    if (!isnan (sep))
        WEFT_SET (sso_v1, sso, sep, sep);
    if (!isnan (vmag))
        WEFT_SET (sso_v1, sso, vmag, vmag);
    if (!isnan (rate))
        WEFT_SET (sso_v1, sso, rate, rate);
    if (sso->has[0])
        WEFT_MARK (alert_v1, &normal->alert, sso);
}

static int
finish (weft_normal_t *normal,
        const weft_avro_value_t *const *values,
        uint32_t present,
        const char *schema_name)
{
    weft_alert_v1_t *alert = &normal->alert;
    const weft_avro_value_t *v = values[SOURCE];
    const weft_avro_value_t *top = values[TOP];
    weft_point_t row;
    uint32_t known = 0;
    bool dated = fill_source (&row, v, true, &known);
    int rc = weft_normal_check (normal, row.ra, row.dec, dated ? row.mjd : -1);
    if (rc)
        return rc;
    normal->trigger = row.key;
    name_schema (normal, schema_name);
    fill_names (normal, v, present >> OBJECT_GROUP & 1);
    weft_normal_copy (normal, &groups[SOURCE], v, NAN);
    weft_normal_copy (normal, &groups[TOP], top, NAN);
    fill_dates (alert, v, row.mjd);
    fill_shape (normal, v);
    fill_object (normal, values[OBJECT_GROUP]);
    fill_sso (normal, values);
    weft_normal_stamps (normal, &top[TOP_cutoutScience],
                        &top[TOP_cutoutTemplate], &top[TOP_cutoutDifference]);
    if (row.band != WEFT_BAND_NONE)
        WEFT_SET (alert_v1, alert, band, row.band);
    WEFT_SET (alert_v1, alert, flags, row.flags);
    WEFT_SET (alert_v1, alert, flags_known,
              known | WEFT_FLAG_multi | WEFT_FLAG_nonpublic);
    rc = weft_normal_add (normal, &row);
    weft_normal_date (normal, row.mjd);
    return rc;
}

const weft_survey_t weft_survey_lsst = {
    .name = "lsst",
    .claims = claims_lsst,
    .groups = groups,
    .n_groups = WEFT_COUNT (groups),
    .roles = roles,
    .n_roles = WEFT_COUNT (roles),
    .row = add_row,
    .finish = finish,
};

const weft_survey_t weft_survey_elasticc = {
    .name = "elasticc",
    .claims = claims_elasticc,
    .groups = groups,
    .n_groups = WEFT_COUNT (groups),
    .roles = roles,
    .n_roles = WEFT_COUNT (roles),
    .row = add_row,
    .finish = finish,
};
