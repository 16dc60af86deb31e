//  An alert that is older than all rows of a full history was refused, and its
//  dead letter had the bytes of another packet.

#include "unit/testing.h"

#include <unistd.h>

#include "unit/avro_bytes.h"
#include "weft_curve.h"
#include "weft_reader.h"

#define F(name, type) "{\"name\":\"" name "\",\"type\":\"" type "\"}"
#define SOURCE                                                                  \
    F ("diaSourceId", "long")                                                   \
    "," F ("diaObjectId", "long") "," F ("midpointMjdTai", "double") "," F (    \
        "ra",                                                                   \
        "double") "," F ("dec",                                                 \
                         "double") "," F ("band",                               \
                                          "string") "," F ("psfFlux",           \
                                                           "float") "," F ("p"  \
                                                                           "s"  \
                                                                           "f"  \
                                                                           "F"  \
                                                                           "l"  \
                                                                           "u"  \
                                                                           "x"  \
                                                                           "E"  \
                                                                           "r"  \
                                                                           "r", \
                                                                           "f"  \
                                                                           "l"  \
                                                                           "o"  \
                                                                           "a"  \
                                                                           "t")
#define ALERT                                                                  \
    "{\"type\":\"record\",\"name\":\"alert\",\"namespace\":\"lsst.v7_9\","     \
    "\"fields\":[{\"name\":\"diaSource\",\"type\":{\"type\":\"record\","       \
    "\"name\":\"diaSource\",\"fields\":[" SOURCE "]}}]}"

static weft_point_t
measured (int64_t key, double mjd)
{
    weft_point_t row = weft_point_none ();
    row.kind = WEFT_KIND_D;
    row.key = row.id = key;
    row.mjd = mjd;
    row.expo = key;
    return row;
}

//  The ceiling is the stored history's, not that of what an alert sees.
static void
it_is_in_its_own_view (void **state)
{
    (void)state;
    size_t n = WEFT_CURVE_ROWS_MOST;
    weft_curve_t curve = { .rows_most = 20000, .days = 100000 };
    weft_point_t *rows = calloc (n, sizeof (*rows));
    assert_non_null (rows);
    for (size_t i = 0; i < n; i++)
        rows[i] = measured ((int64_t)i + 2, 60000 + (double)i / 100);
    assert_int_equal (weft_curve_merge (&curve, rows, n, NULL), 0);
    weft_point_t old = measured (1, 59000);
    assert_int_equal (weft_curve_merge (&curve, &old, 1, NULL), 0);
    assert_null (weft_curve_find (&curve, WEFT_KIND_D, 1));
    old = measured (1, 59000);
    assert_int_equal (weft_curve_add (&curve, &old), 0);
    assert_int_equal (curve.n, n + 1);
    assert_non_null (weft_curve_find (&curve, WEFT_KIND_D, 1));
    assert_non_null (weft_curve_find (&curve, WEFT_KIND_D, 2));
    weft_curve_fini (&curve);
    free (rows);
}

//  An input of a packet.
typedef struct {
    weft_input_t input;  //  first
    weft_buf_t file;
    bool given;
} once_t;

static int
next (weft_input_t *input, weft_message_t *message)
{
    once_t *self = (once_t *)(void *)input;
    *message = (weft_message_t){ .path = "a.avro",
                                 .data = self->file.data,
                                 .size = self->file.size };
    return !self->given;
}

static void
advance (weft_input_t *input, uint64_t items)
{
    assert_int_equal (items, 1);
    ((once_t *)(void *)input)->given = true;
}

static void
put_alert (weft_buf_t *out)
{
    weft_buf_t datum;
    weft_buf_init (&datum, 1 << 10);
    put_long (&datum, 555);
    put_long (&datum, 12);
    put_double (&datum, 61108.25);
    put_double (&datum, 150);
    put_double (&datum, 2);
    put_text (&datum, "r");
    put_float (&datum, 100);
    put_float (&datum, 5);
    put_container (out, ALERT, NULL, 1, datum.data, datum.size);
    weft_buf_fini (&datum);
}

//  What a refused packet has left in a slot is not the next one's.
static void
a_good_packet_keeps_no_bytes (void **state)
{
    (void)state;
    char folder[] = "/tmp/weft-regress-XXXXXX", path[64], why[WEFT_AVRO_WHY];
    weft_taken_t taken = { 0 };
    once_t once = { .input = { .next = next, .advance = advance } };
    weft_buf_init (&once.file, 1 << 16);
    put_alert (&once.file);
    assert_non_null (mkdtemp (folder));
    snprintf (path, sizeof (path), "%s/hand", folder);
    weft_hand_t *hand = weft_hand_new (path, 1);
    weft_decoder_t *decoder = weft_decoder_new (NULL, why);
    weft_reader_t *reader = weft_reader_new (&once.input, decoder, hand, 1, 1);
    weft_taken_convict (&taken, "another", 7, 0);
    assert_int_equal (taken.sample_size, 7);
    assert_int_equal (weft_reader_next (reader, &taken), 1);
    assert_int_equal (taken.rc, 0);
    assert_int_equal (taken.sample_size, 0);
    assert_int_equal (weft_reader_next (reader, &taken), 0);
    weft_reader_destroy (&reader);
    weft_decoder_destroy (&decoder);
    weft_hand_destroy (&hand);
    weft_taken_fini (&taken);
    weft_buf_fini (&once.file);
    (void)unlink (path);
    (void)rmdir (folder);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (it_is_in_its_own_view),
        cmocka_unit_test (a_good_packet_keeps_no_bytes),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
