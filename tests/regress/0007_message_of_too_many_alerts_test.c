//  A stream's message of five thousand alerts ended ingest as if memory had run
//  out, and each replica that had its partition next.

#include "unit/testing.h"

#include <unistd.h>

#include "unit/avro_bytes.h"
#include "weft_reader.h"

#define SCHEMA                                                                 \
    "{\"type\":\"record\",\"name\":\"alert\",\"namespace\":\"nobody\","        \
    "\"fields\":[{\"name\":\"a\",\"type\":\"long\"}]}"

typedef struct {
    weft_input_t input;  //  first
    weft_buf_t file;
    int left;           //  messages
    uint64_t advanced;  //  items of the last
} twice_t;

static int
next (weft_input_t *input, weft_message_t *message)
{
    twice_t *self = (twice_t *)(void *)input;
    if (!self->left)
        return WEFT_EAGAIN;
    self->left--;
    *message = (weft_message_t){ .path = "topic/0/0",
                                 .data = self->file.data,
                                 .size = self->file.size,
                                 .at = { .part = 1 } };
    return 1;
}

static void
advance (weft_input_t *input, uint64_t items)
{
    ((twice_t *)(void *)input)->advanced = items;
}

//  As Kafka's: the names are limited.
static const char *
topic (weft_input_t *input, uint32_t part, uint64_t item)
{
    (void)input;
    (void)part;
    return item > WEFT_INPUT_ITEMS_MOST ? NULL : "topic";
}

//  Every item has a name in the ledger and is refused; what is more than most is
//  one letter that says so, and the next message comes.
static void
read_message (weft_reader_t *reader, uint64_t items)
{
    static weft_taken_t taken;
    uint64_t most = WEFT_MIN (items, (uint64_t)WEFT_INPUT_ITEMS_MOST);
    for (uint64_t i = 0; i < most; i++) {
        assert_int_equal (weft_reader_next (reader, &taken), 1);
        assert_int_equal (taken.rc, WEFT_ESCHEMA);
        assert_string_equal (taken.topic, "topic");
    }
    if (items > most) {
        assert_int_equal (weft_reader_next (reader, &taken), 1);
        assert_int_equal (taken.rc, WEFT_ETOOBIG);
        assert_non_null (taken.topic);
        assert_non_null (strstr (taken.why, "more than 4096 alerts"));
        assert_true (taken.sample_size > 0);
    }
    taken.sample_size = 0;
}

static void
a_message_of (uint64_t items)
{
    char folder[] = "/tmp/weft-regress-XXXXXX", path[64], why[WEFT_AVRO_WHY];
    static uint8_t records[5000];
    static weft_taken_t taken;
    twice_t twice = {
        .input = { .next = next, .advance = advance, .topic = topic }, .left = 2
    };
    weft_buf_init (&twice.file, 1 << 16);
    put_container (&twice.file, SCHEMA, NULL, (int64_t)items, records, items);
    assert_non_null (mkdtemp (folder));
    snprintf (path, sizeof (path), "%s/hand", folder);
    weft_hand_t *hand = weft_hand_new (path, 1);
    weft_decoder_t *decoder = weft_decoder_new (NULL, why);
    weft_reader_t *reader = weft_reader_new (&twice.input, decoder, hand, 1, 1);
    for (int message = 0; message < 2; message++)
        read_message (reader, items);
    assert_int_equal (weft_reader_next (reader, &taken), WEFT_EAGAIN);
    assert_int_equal (twice.advanced,
                      WEFT_MIN (items, (uint64_t)WEFT_INPUT_ITEMS_MOST + 1));
    weft_reader_destroy (&reader);
    weft_decoder_destroy (&decoder);
    weft_hand_destroy (&hand);
    weft_taken_fini (&taken);
    weft_buf_fini (&twice.file);
    (void)unlink (path);
    (void)rmdir (folder);
}

static void
as_many_as_have_names (void **state)
{
    (void)state;
    a_message_of (WEFT_INPUT_ITEMS_MOST);
}

static void
more_than_have_names (void **state)
{
    (void)state;
    a_message_of (WEFT_INPUT_ITEMS_MOST + 1);
    a_message_of (5000);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (as_many_as_have_names),
        cmocka_unit_test (more_than_have_names),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
