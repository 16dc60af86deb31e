//  An LSST alert without an id was refused for "time of observation -1".

#include "unit/testing.h"

#include <math.h>

#include "unit/avro_bytes.h"
#include "weft_decoder.h"

// clang-format off
#define F(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define ALERT                                                                  \
    "{\"type\":\"record\",\"name\":\"alert\",\"namespace\":\"lsst.v7_9\","     \
    "\"fields\":[{\"name\":\"diaSource\",\"type\":{\"type\":\"record\","         \
    "\"name\":\"diaSource\",\"fields\":["                                      \
    F ("diaSourceId", "[\"null\",\"long\"]") ","                               \
    F ("diaObjectId", "\"long\"") ","                                          \
    F ("midpointMjdTai", "[\"null\",\"double\"]") ","                          \
    F ("ra", "\"double\"") "," F ("dec", "\"double\"") ","                     \
    F ("band", "\"string\"") "," F ("psfFlux", "\"float\"") ","                \
    F ("psfFluxErr", "\"float\"") "]}}]}"
// clang-format on

//  Decodes an alert, with or without its id and its time (NaN: null).
static void
decode (bool has_id, double mjd, int rc, const char *why)
{
    char text[WEFT_AVRO_WHY];
    weft_decoded_t item;
    weft_buf_t datum, file;
    weft_buf_init (&datum, 1 << 10);
    weft_buf_init (&file, 1 << 12);
    put_long (&datum, has_id);
    if (has_id)
        put_long (&datum, 555);
    put_long (&datum, 12);
    put_long (&datum, !isnan (mjd));
    if (!isnan (mjd))
        put_double (&datum, mjd);
    put_double (&datum, 150);
    put_double (&datum, 2);
    put_text (&datum, "r");
    put_float (&datum, 100);
    put_float (&datum, 5);
    put_container (&file, ALERT, NULL, 1, datum.data, datum.size);
    weft_decoder_t *decoder = weft_decoder_new (NULL, text);
    weft_decoder_open (decoder, file.data, file.size);
    assert_true (weft_decoder_next (decoder, &item));
    assert_string_equal (item.why, why);
    assert_int_equal (item.rc, rc);
    weft_decoder_destroy (&decoder);
    weft_buf_fini (&datum);
    weft_buf_fini (&file);
}

static void
what_is_absent_is_named (void **state)
{
    (void)state;
    decode (true, 61108.25, 0, "");
    decode (false, 61108.25, WEFT_ERANGE, "diaSourceId is absent");
    decode (true, NAN, WEFT_ERANGE, "midpointMjdTai is absent or not finite");
    decode (true, INFINITY, WEFT_ERANGE,
            "midpointMjdTai is absent or not finite");
    decode (true, -1, WEFT_ERANGE, "time of observation -1 is impossible");
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (what_is_absent_is_named),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
