//  A position that was read and cannot be marked, as memory has run out, ends
//  ingest also behind others of its batch: else it would be passed over.

#include "unit/testing.h"

#include <unistd.h>

#include "weft_ingest_parts.h"
#include "weft_time.h"

static int64_t fails_at;

int __real_weft_watermark_begin (weft_watermark_t *self,
                                 int64_t offset,
                                 const weft_place_t *place);
int __wrap_weft_watermark_begin (weft_watermark_t *self,
                                 int64_t offset,
                                 const weft_place_t *place);

int
__wrap_weft_watermark_begin (weft_watermark_t *self,
                             int64_t offset,
                             const weft_place_t *place)
{
    if (offset == fails_at)
        return WEFT_ENOMEM;
    return __real_weft_watermark_begin (self, offset, place);
}

//  Messages without end that cannot be read.
typedef struct {
    weft_input_t input;  //  first
    int64_t offset;
} torn_t;

static int
next (weft_input_t *input, weft_message_t *message)
{
    torn_t *self = (torn_t *)(void *)input;
    *message = (weft_message_t){ .path = "torn", .why = "it is torn" };
    message->place.offset = self->offset;
    return 1;
}

static void
advance (weft_input_t *input, uint64_t items)
{
    ((torn_t *)(void *)input)->offset += (int64_t)items;
}

typedef struct {
    char folder[64];
    ingest_t *ingest;
    torn_t torn;
} bench_t;

static int
setup (void **state)
{
    static const weft_ingest_options_t options;
    char why[WEFT_AVRO_WHY], path[200];
    bench_t *bench = calloc (1, sizeof (*bench));
    ingest_t *self = calloc (1, sizeof (*self));
    snprintf (bench->folder, sizeof (bench->folder), "/tmp/weft-mark-XXXXXX");
    assert_non_null (mkdtemp (bench->folder));
    snprintf (path, sizeof (path), "%s/hand", bench->folder);
    bench->torn.input = (weft_input_t){ .next = next, .advance = advance };
    self->options = &options;
    self->input = &bench->torn.input;
    self->hand = weft_hand_new (path, 1);
    self->decoder = weft_decoder_new (NULL, why);
    self->reader =
        weft_reader_new (self->input, self->decoder, self->hand, 1, 1);
    self->mark = weft_watermark_new (0);
    //  Nobody is there: the batch waits.
    self->redis = weft_redis_new ("127.0.0.1:1", NULL);
    self->batch = weft_batch_new (self->redis, 0);
    self->read_total = weft_counter ("mark_test_read", "");
    self->decode_us =
        weft_histogram ("mark_test_decode", "", (const double[]){ 1, 0 });
    self->replay_ms = weft_time_ms () + 3600000;
    bench->ingest = self;
    *state = bench;
    return 0;
}

static int
teardown (void **state)
{
    bench_t *bench = *state;
    ingest_t *self = bench->ingest;
    char path[200];
    for (size_t i = 0; i < WEFT_INGEST_BATCH; i++)
        weft_taken_fini (&self->slots[i].taken);
    weft_batch_destroy (&self->batch);
    weft_redis_destroy (&self->redis);
    weft_watermark_destroy (&self->mark);
    weft_reader_destroy (&self->reader);
    weft_decoder_destroy (&self->decoder);
    weft_hand_destroy (&self->hand);
    snprintf (path, sizeof (path), "%s/hand", bench->folder);
    (void)unlink (path);
    (void)rmdir (bench->folder);
    free (self);
    free (bench);
    return 0;
}

static void
it_is_not_passed_over (void **state)
{
    bench_t *bench = *state;
    ingest_t *self = bench->ingest;
    fails_at = 3;
    assert_int_equal (weft_ingest_pull (self, NULL, 100), WEFT_EDOWN);
    assert_int_equal (self->n_slots, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal (weft_ingest_pull (self, NULL, 100), WEFT_ENOMEM);
    //  Nothing more was read, and what is low stays before it.
    int64_t low;
    assert_true (weft_watermark_low (self->mark, &low, NULL));
    assert_int_equal (low, 0);
    assert_int_equal (bench->torn.offset, 3);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown (it_is_not_passed_over, setup,
                                         teardown),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
