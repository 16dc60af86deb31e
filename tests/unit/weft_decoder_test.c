//  From packets to normalised alerts: the traps of the contract, one by one,
//  framing, and the choice of a schema.

#include "unit/testing.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/avro_bytes.h"
#include "weft_decoder.h"
#include "weft_join.h"
#include "weft_time.h"

// clang-format off
#define F(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define MAYBE(name, type) F (name, "[\"null\",\"" type "\"]")

//  A small ZTF schema: what the tests need of it, in the survey's types.
#define ZTF_ROW                                                                \
    F ("jd", "\"double\"") "," F ("fid", "\"int\"") ","                        \
    F ("pid", "\"long\"") "," F ("programid", "\"int\"") ","                   \
    MAYBE ("candid", "long") "," F ("isdiffpos", "[\"string\",\"null\"]") ","  \
    MAYBE ("ra", "double") "," MAYBE ("dec", "double") ","                     \
    MAYBE ("magpsf", "float") "," MAYBE ("sigmapsf", "float") ","              \
    MAYBE ("diffmaglim", "float") "," MAYBE ("magnr", "float") ","             \
    MAYBE ("distnr", "float") "," MAYBE ("magzpsci", "float") ","              \
    MAYBE ("forcediffimflux", "float") ","                                     \
    MAYBE ("forcediffimfluxunc", "float") "," MAYBE ("procstatus", "string")
#define ZTF                                                                    \
    "{\"type\":\"record\",\"name\":\"alert\",\"namespace\":\"ztf\","           \
    "\"fields\":[" F ("objectId", "\"string\"") ","                            \
    F ("candidate", "{\"type\":\"record\",\"name\":\"candidate\","             \
                    "\"fields\":[" ZTF_ROW "," MAYBE ("ssnamenr", "string")    \
                    "," MAYBE ("ssdistnr", "float") ","                        \
                    MAYBE ("sgscore1", "float") ","                            \
                    MAYBE ("nid", "int") "]}") ","                      \
    F ("prv_candidates", "[\"null\",{\"type\":\"array\",\"items\":"            \
                         "{\"type\":\"record\",\"name\":\"prv\","              \
                         "\"fields\":[" ZTF_ROW "]}}]") "]}"

//  LSST, as 7.x has it, as far as the tests need.
#define LSST_OBJECT                                                            \
    "{\"type\":\"record\",\"name\":\"diaObject\",\"namespace\":\"lsst.v7_9\"," \
    "\"fields\":[" F ("diaObjectId", "\"long\"") "," F ("ra", "\"double\"")    \
    "," F ("dec", "\"double\"") "]}"
#define LSST_SOURCE                                                            \
    "{\"type\":\"record\",\"name\":\"diaSource\",\"namespace\":\"lsst.v7_9\"," \
    "\"fields\":[" F ("diaSourceId", "\"long\"") "," F ("visit", "\"long\"")   \
    "," F ("detector", "\"int\"") "," MAYBE ("diaObjectId", "long") ","        \
    MAYBE ("ssObjectId", "long") "," F ("midpointMjdTai", "\"double\"") ","    \
    F ("ra", "\"double\"") "," F ("dec", "\"double\"") ","                     \
    MAYBE ("band", "string") "," MAYBE ("psfFlux", "float") ","                \
    MAYBE ("psfFluxErr", "float") "," MAYBE ("isNegative", "boolean") "]}"
#define LSST_ALERT(name, source, object, last)                                 \
    "{\"type\":\"record\",\"name\":\"alert\",\"namespace\":\"" name            \
    "\",\"fields\":[" F ("diaSource", source) ","                              \
    F ("diaObject", "[\"null\"," object "]") last "]}"
// clang-format on

//  A row's values; NaN and NULL are null.
typedef struct {
    double jd;
    int fid, program;
    int64_t candid;
    const char *sign;
    float magpsf, sigma, limit, magnr, distnr, zp, forced, forced_err;
    const char *status;
    const int *nid;  //  of the alert's own
} ztf_row_t;

static const ztf_row_t plain = { .jd = 2459000.5,
                                 .fid = 2,
                                 .program = 1,
                                 .candid = 1001,
                                 .sign = "t",
                                 .magpsf = 18.0f,
                                 .sigma = 0.1f,
                                 .limit = 20.0f,
                                 .magnr = NAN,
                                 .distnr = NAN,
                                 .zp = 26.0f,
                                 .forced = NAN,
                                 .forced_err = NAN };

static void
put_maybe (weft_buf_t *out, float value)
{
    put_long (out, !isnan (value));
    if (!isnan (value))
        put_float (out, value);
}

static void
put_maybe_text (weft_buf_t *out, const char *text)
{
    put_long (out, text != NULL);
    if (text)
        put_text (out, text);
}

static void
put_ztf_row (weft_buf_t *out, const ztf_row_t *row)
{
    put_double (out, row->jd);
    put_long (out, row->fid);
    put_long (out, 5);
    put_long (out, row->program);
    put_long (out, row->candid != 0);
    if (row->candid)
        put_long (out, row->candid);
    put_long (out, row->sign == NULL);
    if (row->sign)
        put_text (out, row->sign);
    put_long (out, 1);
    put_double (out, 10.0);
    put_long (out, 1);
    put_double (out, 20.0);
    put_maybe (out, row->magpsf);
    put_maybe (out, row->sigma);
    put_maybe (out, row->limit);
    put_maybe (out, row->magnr);
    put_maybe (out, row->distnr);
    put_maybe (out, row->zp);
    put_maybe (out, row->forced);
    put_maybe (out, row->forced_err);
    put_maybe_text (out, row->status);
}

static void
put_ztf (weft_buf_t *out,
         const ztf_row_t *own,
         const char *asteroid,
         float asteroid_sep,
         const ztf_row_t *prv,
         size_t n)
{
    put_text (out, "ZTF20abcdefg");
    put_ztf_row (out, own);
    put_maybe_text (out, asteroid);
    put_maybe (out, asteroid_sep);
    put_maybe (out, -999);
    put_long (out, own->nid != NULL);
    if (own->nid)
        put_long (out, *own->nid);
    put_long (out, 1);
    if (n)
        put_long (out, (int64_t)n);
    for (size_t i = 0; i < n; i++)
        put_ztf_row (out, &prv[i]);
    put_long (out, 0);
}

static void
put_lsst (weft_buf_t *out, int64_t object, int64_t solar, bool has_object)
{
    put_long (out, 555);
    put_long (out, 20260309 * INT64_C (100000) + 17);
    put_long (out, 42);
    put_long (out, 1);
    put_long (out, object);
    put_long (out, 1);
    put_long (out, solar);
    put_double (out, 61108.25);
    put_double (out, 150.0);
    put_double (out, 2.0);
    put_maybe_text (out, "u ");
    put_maybe (out, -100.0f);
    put_maybe (out, NAN);
    put_long (out, 1);
    weft_buf_add (out, "\0", 1);
    put_long (out, has_object);
    if (has_object) {
        put_long (out, object);
        put_double (out, 150.001);
        put_double (out, 2.0);
    }
}

typedef struct {
    weft_decoder_t *decoder;
    weft_buf_t datum, file;
    weft_decoded_t item;
    char folder[64];
} bench_t;

static int
setup (void **state)
{
    char why[WEFT_AVRO_WHY];
    bench_t *bench = calloc (1, sizeof (*bench));
    weft_buf_init (&bench->datum, 1 << 20);
    weft_buf_init (&bench->file, 1 << 20);
    bench->decoder = weft_decoder_new (NULL, why);
    snprintf (bench->folder, sizeof (bench->folder), "/tmp/weft-test-XXXXXX");
    *state = bench;
    return bench->decoder && mkdtemp (bench->folder) ? 0 : -1;
}

static int
teardown (void **state)
{
    bench_t *bench = *state;
    static const char *const names[] = { "lsst.v7_9.alert.avsc",
                                         "lsst.v7_9.diaSource.avsc",
                                         "lsst.v7_9.diaObject.avsc",
                                         "lsst.v7_8.alert.avsc", "9.avsc" };
    for (size_t i = 0; i < WEFT_COUNT (names); i++) {
        char path[160];
        snprintf (path, sizeof (path), "%s/%s", bench->folder, names[i]);
        (void)unlink (path);
    }
    (void)rmdir (bench->folder);
    weft_decoder_destroy (&bench->decoder);
    weft_buf_fini (&bench->datum);
    weft_buf_fini (&bench->file);
    free (bench);
    return 0;
}

//  Decodes one ZTF packet; returns its alert.
static weft_normal_t *
decode_ztf (bench_t *bench,
            const ztf_row_t *own,
            const ztf_row_t *prv,
            size_t n)
{
    weft_buf_clear (&bench->datum);
    weft_buf_clear (&bench->file);
    put_ztf (&bench->datum, own, "null", -999, prv, n);
    put_container (&bench->file, ZTF, NULL, 1, bench->datum.data,
                   bench->datum.size);
    weft_decoder_open (bench->decoder, bench->file.data, bench->file.size);
    assert_true (weft_decoder_next (bench->decoder, &bench->item));
    assert_string_equal (bench->item.why, "");
    assert_true (bench->item.alone);
    weft_decoded_t end;
    assert_false (weft_decoder_next (bench->decoder, &end));
    return bench->item.normal;
}

static const weft_point_t *
row_of (const weft_normal_t *normal, uint8_t kind)
{
    for (size_t i = 0; i < normal->n_rows; i++)
        if (normal->rows[i].kind == kind &&
            normal->rows[i].key != normal->trigger)
            return &normal->rows[i];
    return NULL;
}

//  --- ZTF

static void
magnitudes_become_fluxes (void **state)
{
    bench_t *bench = *state;
    ztf_row_t own = plain;
    own.magnr = 18;
    own.distnr = 1.0f;
    const weft_alert_v1_t *alert = &decode_ztf (bench, &own, NULL, 0)->alert;
    double flux = pow (10, (31.4 - 18) / 2.5);
    assert_true (fabs ((double)alert->flux / flux - 1) < 1e-6);
    assert_true (fabs ((double)alert->flux_err / (flux * 0.1 * .921034) - 1) <
                 1e-5);
    assert_true (fabs ((double)alert->tot / (2 * flux) - 1) < 1e-6);
    assert_int_equal (alert->band, 7);
    assert_int_equal (alert->okind, 1);
    assert_true (weft_str_is (alert->object_id, "ZTF20abcdefg"));
    //  The middle of 30 s, and 37 s from UTC to TAI.
    assert_true (fabs (alert->t_obs - (59000 + (15.0 + 37) / 86400)) < 1e-9);
    assert_true (alert->t_src == 2459000.5);
    //  A reference farther than 1.4 arcsec is another source.
    own.distnr = 1.5f;
    alert = &decode_ztf (bench, &own, NULL, 0)->alert;
    assert_false (WEFT_HAS (alert_v1, alert, tot));
    assert_true (WEFT_HAS (alert_v1, alert, ref));
}

static void
signs_have_several_spellings (void **state)
{
    bench_t *bench = *state;
    static const struct {
        const char *text;
        int sign;
    } spellings[] = { { "t", 1 },  { "1", 1 }, { "f", -1 },
                      { "0", -1 }, { "x", 0 }, { "", 0 } };
    for (size_t i = 0; i < WEFT_COUNT (spellings); i++) {
        ztf_row_t own = plain;
        own.sign = spellings[i].text;
        const weft_alert_v1_t *alert =
            &decode_ztf (bench, &own, NULL, 0)->alert;
        assert_int_equal ((alert->flux > 0) - (alert->flux < 0),
                          spellings[i].sign);
        assert_int_equal (WEFT_HAS (alert_v1, alert, flux),
                          spellings[i].sign != 0);
        assert_int_equal (!!(alert->flags & WEFT_FLAG_negative),
                          spellings[i].sign < 0);
    }
}

//  Trap 4: the writers' ways to say nothing.
static void
sentinels_are_absences (void **state)
{
    bench_t *bench = *state;
    ztf_row_t own = plain;
    own.magnr = -999;
    own.distnr = -999;
    const weft_alert_v1_t *alert = &decode_ztf (bench, &own, NULL, 0)->alert;
    assert_false (WEFT_HAS (alert_v1, alert, ref));
    assert_false (WEFT_HAS (alert_v1, alert, ref_sep));
    assert_false (WEFT_HAS (alert_v1, alert, tot));
    //  ssnamenr "null", ssdistnr -999, sgscore1 -999.
    assert_false (WEFT_HAS (alert_v1, alert, sso));
    assert_false (WEFT_HAS (alert_v1, alert, ps1));
    //  Forced photometry has its own.
    ztf_row_t forced = plain;
    forced.magpsf = NAN;
    forced.forced = -99999;
    forced.forced_err = -99999;
    forced.status = "0";
    forced.jd -= 1;
    const weft_point_t *row =
        row_of (decode_ztf (bench, &plain, &forced, 1), WEFT_KIND_F);
    assert_non_null (row);
    assert_true (isnan (row->flux));
    assert_true (row->flags & WEFT_FLAG_forced_failed);
    assert_false (row->usable);
}

//  Trap 3: what a row is is told by its fields, not by its array.
static void
rows_are_what_their_fields_say (void **state)
{
    bench_t *bench = *state;
    ztf_row_t rows[4] = { plain, plain, plain, plain };
    rows[0].jd -= 1;
    rows[0].candid = 7;
    rows[1].jd -= 2;
    rows[1].magpsf = NAN;
    rows[1].candid = 0;
    rows[2].jd -= 3;
    rows[2].magpsf = NAN;
    rows[2].forced = -500;
    rows[2].forced_err = 10;
    rows[2].status = "0";
    rows[3].jd -= 4;
    rows[3].magpsf = rows[3].limit = NAN;
    const weft_normal_t *normal = decode_ztf (bench, &plain, rows, 4);
    assert_int_equal (normal->n_rows, 4);
    assert_int_equal (normal->skipped, 1);
    assert_int_equal (row_of (normal, WEFT_KIND_D)->id, 7);
    assert_true (row_of (normal, WEFT_KIND_D)->flags & WEFT_FLAG_coarse);
    assert_int_equal (row_of (normal, WEFT_KIND_L)->id, 0);
    const weft_point_t *forced = row_of (normal, WEFT_KIND_F);
    assert_true (forced->flux < 0);
    assert_true (forced->usable);
    double scale = pow (10, 0.4 * (31.4 - 26));
    assert_true (fabs ((double)forced->flux / (-500 * scale) - 1) < 1e-6);
}

static void
procstatus_is_a_list (void **state)
{
    bench_t *bench = *state;
    static const struct {
        const char *text;
        bool usable;
        uint32_t flags;
    } cases[] = { { "0", true, 0 },
                  { "56", false, WEFT_FLAG_forced_warn },
                  { "0,57", false, WEFT_FLAG_forced_warn },
                  { "61", false, WEFT_FLAG_forced_failed },
                  { "55,56", false,
                    WEFT_FLAG_forced_failed | WEFT_FLAG_forced_warn },
                  { "", false, 0 },
                  { NULL, false, 0 } };
    for (size_t i = 0; i < WEFT_COUNT (cases); i++) {
        ztf_row_t forced = plain;
        forced.jd -= 1;
        forced.magpsf = NAN;
        forced.forced = 50;
        forced.forced_err = 10;
        forced.status = cases[i].text;
        const weft_point_t *row =
            row_of (decode_ztf (bench, &plain, &forced, 1), WEFT_KIND_F);
        assert_int_equal (row->usable, cases[i].usable);
        assert_int_equal (row->flags, cases[i].flags);
    }
}

//  The candidate itself, repeated in prv_candidates with fewer digits.
static void
the_candidate_wins_over_its_repeat (void **state)
{
    bench_t *bench = *state;
    ztf_row_t repeat = plain;
    repeat.magpsf = 18.01f;
    repeat.sign = "1";
    weft_normal_t *normal = decode_ztf (bench, &plain, &repeat, 1);
    weft_curve_t curve = { 0 };
    assert_int_equal (
        weft_curve_merge (&curve, normal->rows, normal->n_rows, NULL), 0);
    assert_int_equal (curve.n, 1);
    assert_false (curve.rows[0].flags & WEFT_FLAG_coarse);
    assert_true (curve.rows[0].flux == normal->alert.flux);
    weft_curve_fini (&curve);
}

//  One exposure has a limit for each quadrant: the shallowest stands.
static void
the_shallowest_limit_stands (void **state)
{
    bench_t *bench = *state;
    ztf_row_t rows[3] = { plain, plain, plain };
    for (int i = 0; i < 3; i++) {
        rows[i].jd -= 1;
        rows[i].magpsf = NAN;
        rows[i].candid = 0;
    }
    rows[0].limit = 20.1f;
    rows[1].limit = 19.7f;
    rows[2].limit = 20.4f;
    weft_normal_t *normal = decode_ztf (bench, &plain, rows, 3);
    weft_curve_t curve = { 0 };
    assert_int_equal (
        weft_curve_merge (&curve, normal->rows, normal->n_rows, NULL), 0);
    assert_int_equal (curve.n, 2);
    double limit = pow (10, (31.4 - (double)19.7f) / 2.5);
    assert_true (fabs ((double)curve.rows[1].lim / limit - 1) < 1e-6);
    weft_curve_fini (&curve);
}

//  --- LSST

static weft_normal_t *
decode_lsst (bench_t *bench, int64_t object, int64_t solar, bool has_object)
{
    weft_buf_clear (&bench->datum);
    weft_buf_clear (&bench->file);
    put_lsst (&bench->datum, object, solar, has_object);
    put_container (&bench->file,
                   LSST_ALERT ("lsst.v7_9", LSST_SOURCE, LSST_OBJECT, ""), NULL,
                   1, bench->datum.data, bench->datum.size);
    weft_decoder_open (bench->decoder, bench->file.data, bench->file.size);
    assert_true (weft_decoder_next (bench->decoder, &bench->item));
    assert_string_equal (bench->item.why, "");
    return bench->item.normal;
}

//  Any number can stand there, and each night costs the ledger time.
static void
a_night_is_a_possible_one (void **state)
{
    bench_t *bench = *state;
    static const struct {
        double jd;
        int nid, night;
    } cases[] = { { 2459000.5, 1246, 1246 },
                  { 2459000.5, -57, -57 },
                  { 2459000.5, 36525, 36525 },
                  { 2459000.5, 36526, 58999 },
                  { 2459000.5, INT32_MIN, 58999 },
                  { 2459000.5, 0, 58999 },
                  { 2400000.6, 0, 1 },
                  { 2500000.0, 0, 99999 },
                  { 2500001.6, 0, 100000 },
                  { 9e7, 0, 100000 } };
    for (size_t i = 0; i < WEFT_COUNT (cases); i++) {
        ztf_row_t own = plain;
        own.jd = cases[i].jd;
        own.nid = &cases[i].nid;
        assert_int_equal (decode_ztf (bench, &own, NULL, 0)->alert.night,
                          cases[i].night);
    }
    assert_int_equal (decode_ztf (bench, &plain, NULL, 0)->alert.night, 58999);
}

//  Trap 2: 0 is none, as null is.
static void
zero_is_no_object (void **state)
{
    bench_t *bench = *state;
    static const struct {
        int64_t object, solar;
        bool has_object;
        int okind;
        const char *name;
    } cases[] = { { 12, 0, true, 1, "12" },
                  { 12, 0, false, 3, "12" },
                  { 0, 34, false, 2, "ss34" },
                  { 0, 0, false, 3, "src555" },
                  { 12, 34, true, 1, "12" } };
    for (size_t i = 0; i < WEFT_COUNT (cases); i++) {
        const weft_alert_v1_t *alert =
            &decode_lsst (bench, cases[i].object, cases[i].solar,
                          cases[i].has_object)
                 ->alert;
        assert_int_equal (alert->okind, cases[i].okind);
        assert_true (weft_str_is (alert->object_id, cases[i].name));
    }
}

static void
lsst_fields_are_taken (void **state)
{
    bench_t *bench = *state;
    weft_normal_t *normal = decode_lsst (bench, 12, 0, true);
    const weft_alert_v1_t *alert = &normal->alert;
    assert_int_equal (alert->band, 0);  //  "u "
    assert_int_equal (alert->night, 20260309);
    assert_true (weft_str_is (alert->schema, "7.9"));
    assert_true (alert->t_obs == 61108.25);
    assert_false (WEFT_HAS (alert_v1, alert, flux_err));
    //  The sign is that of the flux, whatever the survey says.
    assert_true (alert->flags & WEFT_FLAG_negative);
    assert_false (alert->flags & WEFT_FLAG_survey_says_negative);
    assert_true (alert->flags_known & WEFT_FLAG_survey_says_negative);
    assert_true (normal->rows[0].expo == 2026030900017042);
    weft_view_t *view = weft_view_new ();
    weft_curve_t curve = { 0 };
    const weft_view_rule_t all = { 0 };
    assert_int_equal (
        weft_curve_merge (&curve, normal->rows, normal->n_rows, NULL), 0);
    assert_int_equal (weft_join (normal, &curve, &all, view), 0);
    //  Offset from the survey's own position of the object: 3.6 arcsec.
    assert_true (fabs ((double)weft_col_f32 (alert->points.sep, 0) - 3.598) <
                 0.01);
    weft_curve_fini (&curve);
    weft_view_destroy (&view);
}

//  --- refusals by name

static void
refuse (bench_t *bench, const char *schema, const char *what)
{
    weft_buf_clear (&bench->file);
    put_container (&bench->file, schema, NULL, 1, "abcd", 4);
    weft_decoder_open (bench->decoder, bench->file.data, bench->file.size);
    assert_true (weft_decoder_next (bench->decoder, &bench->item));
    assert_int_equal (bench->item.rc, WEFT_ESCHEMA);
    assert_non_null (strstr (bench->item.why, what));
}

static void
schemas_are_refused_by_name (void **state)
{
    bench_t *bench = *state;
    refuse (bench,
            "{\"type\":\"record\",\"name\":\"winter.alert\",\"fields\":["
            "{\"name\":\"candid\",\"type\":\"long\"}]}",
            "winter.alert");
    refuse (bench,
            "{\"type\":\"record\",\"name\":\"ztf.alert\",\"fields\":["
            "{\"name\":\"candidate\",\"type\":{\"type\":\"record\",\"name\":"
            "\"c\",\"fields\":[{\"name\":\"candid\",\"type\":\"long\"}]}}]}",
            "lacks jd");
    //  The core with a type that will not do is as good as none.
    refuse (bench,
            "{\"type\":\"record\",\"name\":\"ztf.alert\",\"fields\":["
            "{\"name\":\"candidate\",\"type\":{\"type\":\"record\",\"name\":"
            "\"c\",\"fields\":[{\"name\":\"candid\",\"type\":\"string\"}]}}]}",
            "lacks candid");
}

static void
move_ra (weft_buf_t *datum, double to)
{
    const double ra = 150;
    size_t at = 0;
    while (memcmp (datum->data + at, &ra, 8))
        at++;
    memcpy (datum->data + at, &to, 8);
}

static void
impossible_positions_are_refused (void **state)
{
    bench_t *bench = *state;
    weft_buf_clear (&bench->datum);
    put_lsst (&bench->datum, 1, 0, false);
    move_ra (&bench->datum, 400);
    put_container (&bench->file,
                   LSST_ALERT ("lsst.v7_9", LSST_SOURCE, LSST_OBJECT, ""), NULL,
                   1, bench->datum.data, bench->datum.size);
    weft_decoder_open (bench->decoder, bench->file.data, bench->file.size);
    assert_true (weft_decoder_next (bench->decoder, &bench->item));
    assert_int_equal (bench->item.rc, WEFT_ERANGE);
    assert_non_null (strstr (bench->item.why, "ra 400"));
}

//  --- containers of several records

//  Numbers are those of the header, however damaged the records; what cannot be
//  found any more is one item.
static void
lost_records_are_one_item (void **state)
{
    bench_t *bench = *state;
    weft_buf_clear (&bench->datum);
    put_ztf (&bench->datum, &plain, NULL, NAN, NULL, 0);
    size_t one = bench->datum.size;
    put_ztf (&bench->datum, &plain, NULL, NAN, NULL, 0);
    put_ztf (&bench->datum, &plain, NULL, NAN, NULL, 0);
    //  The second record claims a name of negative length.
    bench->datum.data[one] = 0x01;
    put_container (&bench->file, ZTF, NULL, 200, bench->datum.data,
                   bench->datum.size);
    for (int skip = 0; skip < 2; skip++) {
        static const uint32_t covers[] = { 1, 1, 198 };
        weft_decoder_open (bench->decoder, bench->file.data, bench->file.size);
        uint32_t items = 0, numbers = 0, n;
        if (skip) {
            while ((n = weft_decoder_skip (bench->decoder)))
                assert_int_equal (n, covers[items++]);
        } else {
            while (weft_decoder_next (bench->decoder, &bench->item)) {
                assert_int_equal (bench->item.index, numbers);
                assert_int_equal (bench->item.covers, covers[items]);
                assert_false (bench->item.alone);
                assert_int_equal (!bench->item.rc, !items);
                numbers += covers[items++];
            }
            assert_non_null (strstr (bench->item.why, "198 more"));
        }
        assert_int_equal (items, 3);
    }
}

static void
empty_messages_are_one_item (void **state)
{
    bench_t *bench = *state;
    weft_decoded_t item;
    put_container (&bench->file, ZTF, NULL, -1, NULL, 0);
    weft_decoder_open (bench->decoder, bench->file.data, bench->file.size);
    assert_true (weft_decoder_next (bench->decoder, &item));
    assert_int_equal (item.rc, WEFT_EMALFORMED);
    assert_false (weft_decoder_next (bench->decoder, &item));
    static const char *const bare[] = { "", "x", "bare datum", "Obj\x01",
                                        "Obj" };
    for (size_t i = 0; i < WEFT_COUNT (bare); i++) {
        weft_decoder_open (bench->decoder, bare[i], strlen (bare[i]));
        assert_true (weft_decoder_next (bench->decoder, &item));
        assert_int_not_equal (item.rc, 0);
        assert_true (*item.why);
        assert_false (weft_decoder_next (bench->decoder, &item));
    }
}

//  --- Confluent framing

static void
write_schema (const bench_t *bench, const char *name, const char *text)
{
    char path[160];
    snprintf (path, sizeof (path), "%s/%s", bench->folder, name);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    fputs (text, file);
    fclose (file);
}

static int
decode_framed (bench_t *bench, uint32_t id)
{
    weft_buf_clear (&bench->file);
    const uint8_t head[] = { 0, (uint8_t)(id >> 24), (uint8_t)(id >> 16),
                             (uint8_t)(id >> 8), (uint8_t)id };
    weft_buf_add (&bench->file, head, 5);
    weft_buf_add (&bench->file, bench->datum.data, bench->datum.size);
    weft_decoder_open (bench->decoder, bench->file.data, bench->file.size);
    assert_true (weft_decoder_next (bench->decoder, &bench->item));
    return bench->item.rc;
}

static void
reopen (bench_t *bench)
{
    char why[WEFT_AVRO_WHY] = "";
    weft_decoder_destroy (&bench->decoder);
    bench->decoder = weft_decoder_new (bench->folder, why);
    assert_non_null (bench->decoder);
}

static void
an_id_is_never_trusted (void **state)
{
    bench_t *bench = *state;
    put_lsst (&bench->datum, 12, 0, true);
    assert_int_equal (decode_framed (bench, 709), WEFT_ESCHEMA);
    assert_non_null (strstr (bench->item.why, "--schemas"));
    //  As the survey publishes them: types in sibling files.
    write_schema (bench, "lsst.v7_9.alert.avsc",
                  LSST_ALERT ("lsst.v7_9", "\"lsst.v7_9.diaSource\"",
                              "\"lsst.v7_9.diaObject\"", ""));
    write_schema (bench, "lsst.v7_9.diaSource.avsc", LSST_SOURCE);
    write_schema (bench, "lsst.v7_9.diaObject.avsc", LSST_OBJECT);
    reopen (bench);
    assert_int_equal (decode_framed (bench, 709), 0);
    assert_true (weft_str_is (bench->item.normal->alert.schema, "7.9"));
    //  An id that means nothing: the one schema that fits is taken.
    assert_int_equal (decode_framed (bench, 12345), 0);
    //  The right id, but the bytes do not fit to the last one.
    weft_buf_add (&bench->datum, "x", 1);
    assert_int_equal (decode_framed (bench, 709), WEFT_EMALFORMED);
    assert_non_null (strstr (bench->item.why, "left after the record"));
    assert_int_equal (decode_framed (bench, 12345), WEFT_ESCHEMA);
    assert_non_null (strstr (bench->item.why, "12345"));
    //  Each unknown id is a schema of its own.
    assert_string_equal (bench->item.schema, "id:12345");
}

//  Two schemas fit the bytes: if they read the same, the older name is taken,
//  else it would be a guess.
static void
several_schemas_may_fit (void **state)
{
    bench_t *bench = *state;
    put_lsst (&bench->datum, 12, 0, false);
    write_schema (bench, "lsst.v7_9.alert.avsc",
                  LSST_ALERT ("lsst.v7_9", LSST_SOURCE, LSST_OBJECT, ""));
    write_schema (bench, "lsst.v7_8.alert.avsc",
                  LSST_ALERT ("lsst.v7_8", LSST_SOURCE, LSST_OBJECT, ""));
    reopen (bench);
    assert_int_equal (decode_framed (bench, 12345), 0);
    assert_true (weft_str_is (bench->item.normal->alert.schema, "7.8"));
    assert_int_equal (decode_framed (bench, 709), 0);
    assert_true (weft_str_is (bench->item.normal->alert.schema, "7.9"));
    //  The same bytes with ra and dec changed about, both possible.
    move_ra (&bench->datum, 50);
    char other[sizeof (LSST_SOURCE)];
    memcpy (other, LSST_SOURCE, sizeof (other));
    char *ra = strstr (other, "\"ra\""), *dec = strstr (other, "\"dec\"");
    memcpy (ra, "\"xx\"", 4);
    memcpy (dec, "\"ra\" ", 5);
    char text[4096];
    char *x = strstr (other, "\"xx\"");
    memcpy (x, "\"de\"", 4);
    snprintf (text, sizeof (text),
              "{\"type\":\"record\",\"name\":\"alert\",\"namespace\":"
              "\"lsst.v7_8\",\"fields\":[{\"name\":\"diaSource\",\"type\":"
              "%s},{\"name\":\"diaObject\",\"type\":[\"null\",%s]}]}",
              other, LSST_OBJECT);
    char *de = strstr (text, "\"name\":\"de\"");
    //  "de" to "dec": the text grows by one.
    memmove (de + 11, de + 10, strlen (de + 10) + 1);
    memcpy (de, "\"name\":\"dec\"", 12);
    write_schema (bench, "lsst.v7_8.alert.avsc", text);
    reopen (bench);
    assert_int_equal (decode_framed (bench, 12345), WEFT_ESCHEMA);
    assert_non_null (strstr (bench->item.why, "different values"));
}

static void
a_folder_without_schemas_is_named (void **state)
{
    bench_t *bench = *state;
    char why[WEFT_AVRO_WHY] = "";
    assert_null (weft_decoder_new (bench->folder, why));
    assert_non_null (strstr (why, bench->folder));
    assert_null (weft_decoder_new ("/nowhere/at/all", why));
    write_schema (
        bench, "lsst.v7_9.alert.avsc",
        LSST_ALERT ("lsst.v7_9", "\"lsst.v7_9.diaSource\"", LSST_OBJECT, ""));
    assert_null (weft_decoder_new (bench->folder, why));
    assert_non_null (strstr (why, "lsst.v7_9.diaSource"));
}

//  Whatever is changed in a packet, it is decoded or refused.
static void
mutants_do_no_harm (void **state)
{
    bench_t *bench = *state;
    ztf_row_t rows[6] = { plain, plain, plain, plain, plain, plain };
    put_ztf (&bench->datum, &plain, "433", 1, rows, 6);
    put_container (&bench->file, ZTF, NULL, 1, bench->datum.data,
                   bench->datum.size);
    size_t head = bench->file.size - bench->datum.size - 16;
    unsigned seed = 99;
    for (int round = 0; round < 20000; round++) {
        uint8_t *copy = malloc (bench->file.size);
        memcpy (copy, bench->file.data, bench->file.size);
        for (int i = 0; i < 3; i++) {
            seed = seed * 1103515245 + 12345;
            size_t at = head + (seed >> 8) % bench->datum.size;
            copy[at] = (uint8_t)(seed >> 3);
        }
        weft_decoder_open (bench->decoder, copy, bench->file.size);
        while (weft_decoder_next (bench->decoder, &bench->item))
            assert_true (!bench->item.rc == !*bench->item.why);
        free (copy);
    }
}

int
main (void)
{
#define T(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T (magnitudes_become_fluxes),
        T (signs_have_several_spellings),
        T (sentinels_are_absences),
        T (rows_are_what_their_fields_say),
        T (procstatus_is_a_list),
        T (the_candidate_wins_over_its_repeat),
        T (the_shallowest_limit_stands),
        T (a_night_is_a_possible_one),
        T (zero_is_no_object),
        T (lsst_fields_are_taken),
        T (schemas_are_refused_by_name),
        T (impossible_positions_are_refused),
        T (lost_records_are_one_item),
        T (empty_messages_are_one_item),
        T (an_id_is_never_trusted),
        T (several_schemas_may_fit),
        T (a_folder_without_schemas_is_named),
        T (mutants_do_no_harm),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
