//  A file of 23 kB that claimed a million alerts became a dead letter for each
//  of them, until the dead letters were full and all of ingest stood still.

#include "unit/testing.h"

#include <unistd.h>

#include "unit/avro_bytes.h"
#include "weft_reader.h"

// clang-format off
#define F(name, type) "{\"name\":\"" name "\",\"type\":\"" type "\"}"
//  What ingest must know of a ZTF alert.
#define ZTF                                                                    \
    "{\"type\":\"record\",\"name\":\"alert\",\"namespace\":\"ztf\","           \
    "\"fields\":[" F ("objectId", "string") ",{\"name\":\"candidate\","        \
    "\"type\":{\"type\":\"record\",\"name\":\"candidate\",\"fields\":["        \
    F ("jd", "double") "," F ("fid", "int") "," F ("pid", "long") ","          \
    F ("programid", "int") "," F ("candid", "long") ","                        \
    F ("isdiffpos", "string") "," F ("ra", "double") "," F ("dec", "double")   \
    "," F ("magpsf", "float") "," F ("sigmapsf", "float") "]}}]}"
// clang-format on
#define RECORD 38  //  bytes of one that is all zeros
#define MOST WEFT_INPUT_ITEMS_MOST

typedef struct {
    weft_input_t input;  //  first
    weft_buf_t file;
    weft_position_t at;
    int left;           //  messages
    uint64_t advanced;  //  numbers of the last
} stub_t;

typedef struct {
    stub_t stub;
    weft_hand_t *hand;
    weft_decoder_t *decoder;
    weft_reader_t *reader;
    weft_taken_t taken;
    char folder[32], path[64];
} bench_t;

static int
next (weft_input_t *input, weft_message_t *message)
{
    stub_t *self = (stub_t *)(void *)input;
    if (!self->left)
        return 0;
    self->left--;
    *message = (weft_message_t){ .path = "somewhere",
                                 .data = self->file.data,
                                 .size = self->file.size,
                                 .at = self->at };
    return 1;
}

static void
advance (weft_input_t *input, uint64_t items)
{
    ((stub_t *)(void *)input)->advanced = items;
}

//  As Kafka's: the names are limited.
static const char *
topic (weft_input_t *input, uint32_t part, uint64_t item)
{
    (void)input;
    (void)part;
    return item > MOST ? NULL : "topic";
}

static int
setup (void **state)
{
    char why[WEFT_AVRO_WHY];
    bench_t *bench = calloc (1, sizeof (*bench));
    bench->stub.input =
        (weft_input_t){ .next = next, .advance = advance, .topic = topic };
    weft_buf_init (&bench->stub.file, 8u << 20);
    snprintf (bench->folder, sizeof (bench->folder),
              "/tmp/weft-regress-XXXXXX");
    assert_non_null (mkdtemp (bench->folder));
    snprintf (bench->path, sizeof (bench->path), "%s/hand", bench->folder);
    bench->hand = weft_hand_new (bench->path, 1);
    bench->decoder = weft_decoder_new (NULL, why);
    *state = bench;
    return bench->hand && bench->decoder ? 0 : -1;
}

static int
teardown (void **state)
{
    bench_t *bench = *state;
    weft_reader_destroy (&bench->reader);
    weft_decoder_destroy (&bench->decoder);
    weft_hand_destroy (&bench->hand);
    weft_taken_fini (&bench->taken);
    weft_buf_fini (&bench->stub.file);
    (void)unlink (bench->path);
    (void)rmdir (bench->folder);
    free (bench);
    return 0;
}

//  `there` records that are read and mean nothing, of `claimed`.
static void
add_block (bench_t *bench, bool first, uint32_t there, uint32_t claimed)
{
    uint8_t *zeros = calloc (there, RECORD);
    weft_buf_t one;
    weft_buf_init (&one, 8u << 20);
    put_container (&one, ZTF, NULL, claimed, zeros, there * RECORD);
    size_t header = 0;
    if (!first) {
        weft_buf_t none;
        weft_buf_init (&none, 1 << 16);
        put_container (&none, ZTF, NULL, -1, NULL, 0);
        header = none.size;
        weft_buf_fini (&none);
    }
    weft_buf_add (&bench->stub.file, one.data + header, one.size - header);
    weft_buf_fini (&one);
    free (zeros);
}

static void
begin (bench_t *bench, bool stream, uint32_t share, uint32_t shares)
{
    bench->stub.left = 1;
    bench->stub.at.part = stream;
    weft_reader_destroy (&bench->reader);
    bench->reader = weft_reader_new (&bench->stub.input, bench->decoder,
                                     bench->hand, share, shares);
    assert_non_null (bench->reader);
}

static void
give (bench_t *bench, int rc, uint32_t item)
{
    assert_int_equal (weft_reader_next (bench->reader, &bench->taken), 1);
    assert_int_equal (bench->taken.rc, rc);
    assert_int_equal (bench->taken.item, item);
    assert_true (bench->taken.sample_size > 0);
}

static void
end (bench_t *bench, uint64_t numbers)
{
    assert_int_equal (weft_reader_next (bench->reader, &bench->taken), 0);
    assert_int_equal (bench->stub.advanced, numbers);
}

//  What cannot be found is one letter, and what follows has the number that it
//  would have without it: in every share, and when a letter is put back.
static void
what_cannot_be_found_is_one (void **state)
{
    bench_t *bench = *state;
    add_block (bench, true, 3, 101);
    add_block (bench, false, 2, 2);
    begin (bench, false, 1, 1);
    for (uint32_t i = 0; i < 3; i++)
        give (bench, WEFT_ERANGE, i);
    give (bench, WEFT_ETRUNCATED, 3);
    give (bench, WEFT_EMALFORMED, 4);
    assert_non_null (strstr (bench->taken.why, "97 more of this block"));
    give (bench, WEFT_ERANGE, 101);
    give (bench, WEFT_ERANGE, 102);
    end (bench, 103);
    static const uint32_t shares[2][4] = { { 0, 2, 4, 102 }, { 1, 3, 101, 0 } };
    for (uint32_t share = 0; share < 2; share++) {
        begin (bench, false, share + 1, 2);
        for (int i = 0; i < 4 - (int)share; i++) {
            assert_int_equal (weft_reader_next (bench->reader, &bench->taken),
                              1);
            assert_int_equal (bench->taken.item, shares[share][i]);
        }
        end (bench, 103);
    }
    //  Any of their numbers, as they were before a mapping could read some.
    weft_taken_decode (&bench->taken, bench->decoder, bench->stub.file.data,
                       bench->stub.file.size, 50);
    assert_non_null (strstr (bench->taken.why, "97 more of this block"));
    weft_taken_decode (&bench->taken, bench->decoder, bench->stub.file.data,
                       bench->stub.file.size, 102);
    assert_int_equal (bench->taken.rc, WEFT_ERANGE);
}

//  A stream has no names beyond the ceiling: what is there is one letter more.
static void
a_stream_ends_at_its_ceiling (void **state)
{
    bench_t *bench = *state;
    add_block (bench, true, 200, 5001);
    add_block (bench, false, 200, 5001);
    begin (bench, true, 1, 1);
    for (uint32_t i = 0; i < 200; i++)
        give (bench, WEFT_ERANGE, i);
    give (bench, WEFT_ETRUNCATED, 200);
    give (bench, WEFT_EMALFORMED, 201);
    give (bench, WEFT_ETOOBIG, MOST);
    assert_int_equal (weft_reader_next (bench->reader, &bench->taken), 0);
}

//  Records that are there and are refused, too.
static void
refused_ones_have_a_ceiling (void **state)
{
    bench_t *bench = *state;
    add_block (bench, true, 20000, 20000);
    begin (bench, false, 1, 1);
    for (uint32_t i = 0; i < MOST; i++)
        give (bench, WEFT_ERANGE, i);
    give (bench, WEFT_ETOOBIG, MOST);
    assert_non_null (strstr (bench->taken.why, "4096 alerts"));
    end (bench, 20000);
}

int
main (void)
{
#define T(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T (what_cannot_be_found_is_one),
        T (a_stream_ends_at_its_ceiling),
        T (refused_ones_have_a_ceiling),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
