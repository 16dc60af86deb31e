//  A container's schema is compiled anew when mappings change, out of the
//  message's bytes: but those may have gone, as a message that has but one alert
//  is given back before its end is looked for, and a letter's bytes are the
//  caller's.

#include "unit/testing.h"

#include <sys/mman.h>
#include <unistd.h>

#include "unit/avro_bytes.h"
#include "weft_reader.h"

#define SCHEMA                                                                 \
    "{\"type\":\"record\",\"name\":\"alert\",\"namespace\":\"nobody\","        \
    "\"fields\":[{\"name\":\"a\",\"type\":\"long\"}]}"

enum { ROOM = 65536 };

//  A message whose bytes, once they have gone, cannot be touched.
typedef struct {
    weft_input_t input;  //  first
    uint8_t *bytes;
    size_t size;
    bool given;
} once_t;

static void
fill (once_t *self)
{
    weft_buf_t file;
    weft_buf_init (&file, ROOM);
    put_container (&file, SCHEMA, NULL, 1, "\x02", 1);
    self->bytes = mmap (NULL, ROOM, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true (self->bytes != MAP_FAILED);
    memcpy (self->bytes, file.data, file.size);
    self->size = file.size;
    weft_buf_fini (&file);
}

static int
next (weft_input_t *input, weft_message_t *message)
{
    once_t *self = (once_t *)(void *)input;
    *message = (weft_message_t){ .path = "topic/0/0",
                                 .data = self->bytes,
                                 .size = self->size,
                                 .at = { .part = 1 } };
    int rc = self->given ? WEFT_EAGAIN : 1;
    self->given = true;
    return rc;
}

static void
advance (weft_input_t *input, uint64_t items)
{
    once_t *self = (once_t *)(void *)input;
    (void)items;
    assert_int_equal (mprotect (self->bytes, ROOM, PROT_NONE), 0);
}

static const char *
topic (weft_input_t *input, uint32_t part, uint64_t item)
{
    (void)input;
    (void)part;
    (void)item;
    return "topic";
}

static void
a_message_that_was_given_back (void **state)
{
    (void)state;
    char folder[] = "/tmp/weft-regress-XXXXXX", path[64], why[WEFT_AVRO_WHY];
    static weft_taken_t taken;
    once_t once = { .input = {
                        .next = next, .advance = advance, .topic = topic } };
    fill (&once);
    assert_non_null (mkdtemp (folder));
    snprintf (path, sizeof (path), "%s/hand", folder);
    weft_hand_t *hand = weft_hand_new (path, 1);
    weft_decoder_t *decoder = weft_decoder_new (NULL, why);
    weft_reader_t *reader = weft_reader_new (&once.input, decoder, hand, 1, 1);
    assert_int_equal (weft_reader_next (reader, &taken), 1);
    assert_int_equal (taken.rc, WEFT_ESCHEMA);
    weft_reader_rest (reader);
    weft_decoder_map (decoder, NULL);
    weft_reader_destroy (&reader);
    weft_decoder_destroy (&decoder);
    weft_hand_destroy (&hand);
    weft_taken_fini (&taken);
    (void)unlink (path);
    (void)rmdir (folder);
    (void)munmap (once.bytes, ROOM);
}

static void
a_letter_that_was_decoded_anew (void **state)
{
    (void)state;
    char why[WEFT_AVRO_WHY];
    static weft_taken_t taken;
    once_t once = { .given = false };
    fill (&once);
    weft_decoder_t *decoder = weft_decoder_new (NULL, why);
    weft_taken_decode (&taken, decoder, once.bytes, once.size, 0);
    assert_int_equal (taken.rc, WEFT_ESCHEMA);
    advance (&once.input, 1);
    weft_decoder_map (decoder, NULL);
    weft_decoder_destroy (&decoder);
    weft_taken_fini (&taken);
    (void)munmap (once.bytes, ROOM);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_message_that_was_given_back),
        cmocka_unit_test (a_letter_that_was_decoded_anew),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
