//  Mapping files: what they say wrong, and what they make of a packet.

#include "unit/testing.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/avro_bytes.h"
#include "weft_decoder.h"

// clang-format off
#define F(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
//  LSST's shape under other names: flux in uJy, time in JD, the history by
//  another name.
#define SOURCE                                                                 \
    F ("diaSourceId", "\"long\"") "," F ("diaObjectId", "\"long\"") ","        \
    F ("jd", "\"double\"") "," F ("ra", "\"double\"") ","                      \
    F ("dec", "\"double\"") "," F ("filter", "\"string\"") ","                 \
    F ("flux", "\"float\"") "," F ("fluxErr", "\"float\"")
#define ALERT                                                                  \
    "{\"type\":\"record\",\"name\":\"alert\",\"namespace\":\"other.v1_0\","    \
    "\"fields\":["                                                             \
    F ("source", "{\"type\":\"record\",\"name\":\"source\",\"fields\":["       \
                 SOURCE "]}") ","                                              \
    F ("history", "[\"null\",{\"type\":\"array\",\"items\":\"source\"}]") "]}"
// clang-format on

static const char good[] = "# another survey\n"
                           "survey  other\n"
                           "like    lsst\n"
                           "schemas other.\n"
                           "\n"
                           "diaSource = source\n"
                           "prvDiaSources = history\n"
                           "diaSource.midpointMjdTai = source.jd - 2400000.5\n"
                           "diaSource.band = source.filter\n"
                           "diaSource.psfFlux = source.flux * 1000\n"
                           "diaSource.psfFluxErr = source.fluxErr * 1000\n"
                           "prvDiaSources.midpointMjdTai = jd - 2400000.5\n"
                           "prvDiaSources.band = filter\n"
                           "prvDiaSources.psfFlux = flux * 2000 / 2\n"
                           "prvDiaSources.psfFluxErr = fluxErr * 1000\n";

static char folder[64];

static int
make_folder (void **state)
{
    (void)state;
    snprintf (folder, sizeof folder, "/tmp/weft-map-XXXXXX");
    return mkdtemp (folder) ? 0 : -1;
}

static void
file_name (char *out, size_t room)
{
    snprintf (out, room, "%s/one.map", folder);
}

static int
drop_folder (void **state)
{
    char path[128];
    (void)state;
    file_name (path, sizeof path);
    (void)unlink (path);
    return rmdir (folder);
}

static void
write_map (const char *text)
{
    char path[128];
    file_name (path, sizeof path);
    FILE *file = fopen (path, "w");
    assert_non_null (file);
    assert_true (fputs (text, file) >= 0);
    assert_int_equal (fclose (file), 0);
}

//  Returns all that is said.
static const char *
expect_bad (const char *text, const char *said)
{
    static char why[WEFT_AVRO_WHY];
    *why = 0;
    write_map (text);
    weft_mappings_t *mappings = weft_mappings_new (folder, why);
    assert_null (mappings);
    if (!strstr (why, said))
        fail_msg ("'%s' does not say '%s'", why, said);
    return why;
}

static void
what_is_wrong_is_named_with_its_line (void **state)
{
    (void)state;
    expect_bad ("survey x\nlike sdss\n", "one.map:2: expected: like ztf");
    expect_bad ("survey x\nlike lsst\n", "it lacks survey, like or schemas");
    expect_bad ("diaSource.ra = ra\n", "one.map:1: `like` has to come");
    expect_bad ("like lsst\ndiaSource.nought = x\n",
                "one.map:2: lsst has no field diaSource.nought");
    expect_bad ("like ztf\nnought.ra = x\n", "ztf has no field nought.ra");
    //  What one field alone can have meant is asked, and nothing else.
    expect_bad ("like lsst\ndiaObjectId = obj\n",
                "one.map:2: lsst has no field diaObjectId; did you mean "
                "diaSource.diaObjectId?");
    expect_bad ("like ztf\ncandidate.objectId = obj\n",
                "has no field candidate.objectId; did you mean objectId?");
    assert_null (
        strstr (expect_bad ("like lsst\nra = x\n", "no field ra"), "mean"));
    expect_bad ("like lsst\ndiaSource.ra = x % 3\n", "expected * NUMBER");
    expect_bad ("like lsst\ndiaSource.ra = x * 0\n", "expected * NUMBER");
    expect_bad ("like lsst\ndiaSource.ra =\n", "expected: OURS = THEIRS");
    expect_bad ("colour red\n", "expected survey, like, schemas");
    expect_bad ("survey\n", "there is no value");
    expect_bad ("survey x\nsurvey y\n", "one.map:2: a second `survey`");
    expect_bad ("like lsst\nlike ztf\n", "one.map:2: a second `like`");
    expect_bad ("like lsst\ndiaSource.ra = x\ndiaSource.ra = y\n",
                "one.map:3: a second line for this field");
    expect_bad ("like lsst\ndiaSource = x\ndiaSource = y\n",
                "one.map:3: a second line for this record");
}

static void
put_source (weft_buf_t *out, int64_t id, double jd, float flux)
{
    put_long (out, id);
    put_long (out, 77);
    put_double (out, jd);
    put_double (out, 10.0);
    put_double (out, -20.0);
    put_text (out, "r");
    put_float (out, flux);
    put_float (out, 0.5f);
}

static void
decode (weft_decoder_t *decoder, weft_buf_t *packet, weft_decoded_t *item)
{
    weft_decoder_open (decoder, packet->data, packet->size);
    assert_true (weft_decoder_next (decoder, item));
}

//  One with a source before it.
static void
put_alert (weft_buf_t *packet)
{
    weft_buf_t datum;
    weft_buf_init (&datum, 1 << 20);
    put_source (&datum, 1002, 2460000.5, 3.0f);
    put_long (&datum, 1);
    put_long (&datum, 1);
    put_source (&datum, 1001, 2459999.5, -2.0f);
    put_long (&datum, 0);
    put_container (packet, ALERT, NULL, 1, datum.data, datum.size);
    weft_buf_fini (&datum);
}

static void
a_mapping_makes_an_alert_of_it (void **state)
{
    (void)state;
    char why[WEFT_AVRO_WHY];
    weft_buf_t packet;
    weft_decoded_t item;
    weft_buf_init (&packet, 1 << 20);
    put_alert (&packet);
    weft_decoder_t *decoder = weft_decoder_new (NULL, why);
    assert_non_null (decoder);

    //  Without it: refused by name; with it: an alert, and no restart.
    decode (decoder, &packet, &item);
    assert_int_equal (item.rc, WEFT_ESCHEMA);
    assert_non_null (strstr (item.why, "other.v1_0.alert is of no survey"));
    write_map (good);
    weft_mappings_t *mappings = weft_mappings_new (folder, why);
    if (!mappings)
        fail_msg ("%s", why);
    assert_int_equal (weft_mappings_count (mappings), 1);
    weft_decoder_map (decoder, mappings);
    decode (decoder, &packet, &item);
    if (item.rc)
        fail_msg ("%s", item.why);
    const weft_alert_v1_t *alert = &item.normal->alert;
    assert_true (weft_str_is (alert->survey, "other"));
    assert_int_equal (alert->alert_id, 1002);
    assert_int_equal (alert->band, 2);
    assert_true (alert->flux == 3000.0f && alert->flux_err == 500.0f);
    assert_true (alert->t_obs == 60000.0);
    assert_int_equal (item.normal->n_rows, 2);
    assert_true (item.normal->rows[0].flux == -2000.0f);
    assert_true (item.normal->rows[0].mjd == 59999.0);

    //  Another file, another reading; a bad one changes nothing.
    assert_int_equal (weft_mappings_renew (&mappings, why), 0);
    write_map ("like lsst\nnonsense\n");
    assert_int_equal (weft_mappings_renew (&mappings, why), WEFT_ECONFIG);
    assert_int_equal (weft_mappings_renew (&mappings, why), 0);
    decode (decoder, &packet, &item);
    assert_int_equal (item.rc, 0);
    write_map ("survey another\nlike lsst\nschemas other.\n");
    assert_int_equal (weft_mappings_renew (&mappings, why), 1);
    weft_decoder_map (decoder, mappings);
    decode (decoder, &packet, &item);
    assert_int_equal (item.rc, WEFT_ESCHEMA);
    assert_non_null (strstr (item.why, "lacks diaSourceId"));
    assert_non_null (strstr (item.why, "looked for: diaSource.diaSourceId"));

    weft_decoder_destroy (&decoder);
    weft_mappings_destroy (&mappings);
    weft_buf_fini (&packet);
}

//  In the middle of a block: each record is the one of its number.
static void
a_mapping_comes_in_the_middle (void **state)
{
    (void)state;
    char why[WEFT_AVRO_WHY];
    weft_buf_t datum, packet;
    weft_decoded_t item;
    weft_buf_init (&datum, 1 << 20);
    weft_buf_init (&packet, 1 << 20);
    for (int i = 0; i < 4; i++) {
        put_source (&datum, 1000 + i, 2460000.5, 3.0f);
        put_long (&datum, 0);
    }
    put_container (&packet, ALERT, NULL, 4, datum.data, datum.size);
    weft_decoder_t *decoder = weft_decoder_new (NULL, why);
    decode (decoder, &packet, &item);
    assert_int_equal (item.rc, WEFT_ESCHEMA);
    assert_int_equal (weft_decoder_skip (decoder), 1);
    write_map (good);
    weft_mappings_t *mappings = weft_mappings_new (folder, why);
    assert_non_null (mappings);
    weft_decoder_map (decoder, mappings);
    for (int i = 2; i < 4; i++) {
        assert_true (weft_decoder_next (decoder, &item));
        assert_string_equal (item.why, "");
        assert_int_equal (item.index, i);
        assert_int_equal (item.normal->alert.alert_id, 1000 + i);
    }
    assert_false (weft_decoder_next (decoder, &item));
    weft_decoder_destroy (&decoder);
    weft_mappings_destroy (&mappings);
    weft_buf_fini (&datum);
    weft_buf_fini (&packet);
}

//  What is logged while a packet is decoded by a mapping.
static void
decode_aloud (const char *map, weft_buf_t *packet, char *out, size_t room)
{
    char why[WEFT_AVRO_WHY], path[] = "/tmp/weft-said-XXXXXX";
    weft_decoded_t item;
    write_map (map);
    weft_decoder_t *decoder = weft_decoder_new (NULL, why);
    weft_mappings_t *mappings = weft_mappings_new (folder, why);
    int file = mkstemp (path), before = dup (STDERR_FILENO);
    assert_true (decoder && mappings && file >= 0 && before >= 0);
    assert_true (dup2 (file, STDERR_FILENO) >= 0);
    weft_decoder_map (decoder, mappings);
    decode (decoder, packet, &item);
    assert_true (dup2 (before, STDERR_FILENO) >= 0);
    ssize_t n = pread (file, out, room - 1, 0);
    assert_true (n >= 0);
    out[n] = 0;
    assert_int_equal (item.rc, 0);
    (void)close (file);
    (void)close (before);
    (void)unlink (path);
    weft_decoder_destroy (&decoder);
    weft_mappings_destroy (&mappings);
}

static void
what_it_leaves_out_of_arrays_is_said (void **state)
{
    (void)state;
    char said[4096], poor[sizeof (good)];
    weft_buf_t packet;
    weft_buf_init (&packet, 1 << 20);
    put_alert (&packet);
    decode_aloud (good, &packet, said, sizeof (said));
    assert_null (strstr (said, "MAPPING-LACKS"));
    memcpy (poor, good, sizeof (good));
    *strstr (poor, "prvDiaSources.midpointMjdTai") = 0;
    decode_aloud (poor, &packet, said, sizeof (said));
    assert_non_null (strstr (said, "MAPPING-LACKS"));
    assert_non_null (strstr (said, "prvDiaSources.midpointMjdTai"));
    assert_non_null (strstr (said, "prvDiaSources.psfFlux,"));
    assert_non_null (strstr (said, "are left out"));
    weft_buf_fini (&packet);
}

//  No row goes for want of what none needs.
static void
a_row_without_what_it_may_lack_is_taken (void **state)
{
    (void)state;
    char said[4096], more[sizeof (good) + 64];
    weft_buf_t packet;
    weft_buf_init (&packet, 1 << 20);
    put_alert (&packet);
    snprintf (more, sizeof (more), "%sdiaSource.reliability = quality\n", good);
    decode_aloud (more, &packet, said, sizeof (said));
    assert_non_null (strstr (said, "no line for prvDiaSources.reliability, "));
    assert_non_null (strstr (said, "its rows are taken without it"));
    assert_null (strstr (said, "left out"));
    weft_buf_fini (&packet);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (what_is_wrong_is_named_with_its_line,
                                         make_folder, drop_folder),
        cmocka_unit_test_setup_teardown (what_it_leaves_out_of_arrays_is_said,
                                         make_folder, drop_folder),
        cmocka_unit_test_setup_teardown (
            a_row_without_what_it_may_lack_is_taken, make_folder, drop_folder),
        cmocka_unit_test_setup_teardown (a_mapping_comes_in_the_middle,
                                         make_folder, drop_folder),
        cmocka_unit_test_setup_teardown (a_mapping_makes_an_alert_of_it,
                                         make_folder, drop_folder),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
