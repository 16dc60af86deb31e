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

//  Middle of the exposure, under its old name. The survey's first schemas wrote
//  seconds where simulations in the same schemas wrote days.
static double
middle_of (double old)
{
    return old > SECONDS_FROM ? WEFT_MJD_UNIX + old / 86400 : old;
}

static uint8_t
band_of (uint8_t letter)
{
    switch (letter) {
    case 'u':
        return 0;
    case 'g':
        return 1;
    case 'r':
        return 2;
    case 'i':
        return 3;
    case 'z':
        return 4;
    case 'y':
    case 'Y':
        return 5;
    default:
        return WEFT_BAND_NONE;
    }
}

//  The exposure: visit and detector, or, where the schema has neither, the
//  moment and the band.
static int64_t
exposure (int64_t visit, int64_t detector, double mjd, uint8_t band)
{
    const int64_t most = INT64_MAX / 1000 - 1;
    if (visit > 0 && visit < most && detector >= 0 && detector < 1000)
        return visit * 1000 + detector;
    return weft_tick (mjd) * 8 + (band & 7);
}

//  When it was processed: `ver` holds the bits until the row is complete.
static double
processed_at (const weft_point_t *row)
{
    double t_proc;
    memcpy (&t_proc, &row->ver[0], sizeof (t_proc));
    return t_proc;
}

//  Bits that the packet tells.
static uint32_t
flags_known (const weft_avro_value_t *v, const weft_point_t *row)
{
    uint32_t known = isnan (row->flux) ? 0 : WEFT_FLAG_negative;
    for (size_t i = 0; i < WEFT_COUNT (source_flags); i++)
        if (weft_value_is (&v[source_flags[i].want]))
            known |= source_flags[i].bit;
    return known;
}

//  What a row may have beside its layout: old names, and that it was taken back.
static void
read_rest (weft_point_t *row,
           const rest_wants_t *wants,
           const weft_avro_value_t *v)
{
    double t_proc = processed_at (row);
    if (isnan (row->mjd))
        row->mjd = middle_of (real (&v[wants->mid_point_tai]));
    if (isnan (t_proc))
        t_proc = tai_of_micros (&v[wants->time_processed]);
    memcpy (&row->ver[0], &t_proc, sizeof (t_proc));
    if (weft_value_is (&v[wants->withdrawn]))
        row->flags |= WEFT_FLAG_withdrawn;
}

//  From what the layout put there to what the row means. False if it does not
//  tell which or when.
static inline bool
complete (weft_point_t *row, bool trigger)
{
    int64_t visit = row->expo, detector = row->ver[1];
    double t_proc = processed_at (row);
    if (!isfinite (row->mjd) || row->id == NO_ID)
        return false;
    row->key = row->id;
    row->band = band_of (row->band);
    row->expo = exposure (visit, detector, row->mjd, row->band);
    //  The sign is that of the flux: the survey's own word disagrees at times.
    if (row->flux < 0)
        row->flags |= WEFT_FLAG_negative;
    bool withdrawn = row->flags & WEFT_FLAG_withdrawn;
    row->usable = row->kind == WEFT_KIND_F && isfinite (row->flux) &&
                  row->err > 0 && !withdrawn;
    row->ver[0] = isnan (t_proc) ? 0 : weft_ordered (t_proc);
    //  Taken back: after what it takes back, if both are of one time.
    row->ver[1] = trigger + (withdrawn ? 2 : 0);
    return true;
}

static void
add_rows (weft_normal_t *normal, size_t n)
{
    weft_point_t *from = &normal->rows[normal->n_rows];
    weft_point_t *to = from;
    for (size_t i = 0; i < n; i++, from++) {
        if (!complete (from, false))
            continue;
        if (to != from)
            *to = *from;
        to++;
    }
    size_t kept = (size_t)(to - &normal->rows[normal->n_rows]);
    normal->n_rows += kept;
    normal->skipped += n - kept;
}

static int
add_row (weft_normal_t *normal, size_t group, const weft_avro_value_t *v)
{
    weft_point_t *row;
    int rc = weft_normal_next (normal, &row);
    if (rc)
        return rc;
    weft_avro_layout_fill (groups[group].layout, v, row);
    read_rest (row, group == FORCED ? &forced_rest : &source_rest, v);
    add_rows (normal, 1);
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
    return weft_normal_night (t_obs);
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

//  An alert that does not tell which or when.
static int
name_absent (weft_normal_t *normal, const weft_point_t *row)
{
    if (row->id == NO_ID)
        snprintf (normal->why, sizeof (normal->why), "diaSourceId is absent");
    else
        snprintf (normal->why, sizeof (normal->why),
                  "midpointMjdTai is absent or not finite");
    return WEFT_ERANGE;
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
    weft_avro_layout_fill (&source_layout, v, &row);
    read_rest (&row, &source_rest, v);
    if (!complete (&row, true))
        return name_absent (normal, &row);
    int rc = weft_normal_check (normal, row.ra, row.dec, row.mjd);
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
              flags_known (v, &row) | WEFT_FLAG_multi | WEFT_FLAG_nonpublic);
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
    .rows = add_rows,
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
    .rows = add_rows,
    .finish = finish,
};
