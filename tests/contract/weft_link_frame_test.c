//  weft_link_frame_test.c - link headers against their golden vectors.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
//  cmocka wants the ones above first.
#include <cmocka.h>

#include "weft_buf.h"
#include "weft_link_frame.h"

enum { LINE_MAX_ = 32768 };

//  One line of a vector file: three columns. The bytes are on the heap and
//  exactly as long as the frame, so that a sanitizer sees each step too far.
typedef struct {
    char line[LINE_MAX_];
    char *name;
    char *middle;
    uint8_t *data;
    size_t size;
} vector_t;

static int
digit (char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

static char *
column (char **rest)
{
    char *start = *rest;
    char *end = strstr (start, " |");
    if (end) {
        *end = 0;
        *rest = end + 2 + (end[2] == ' ');
    }
    return start;
}

static bool
next_vector (FILE *file, vector_t *vector)
{
    do {
        if (!fgets (vector->line, sizeof vector->line, file))
            return false;
    } while (vector->line[0] == '#');
    vector->line[strcspn (vector->line, "\n")] = 0;
    char *rest = vector->line;
    vector->name = column (&rest);
    vector->middle = column (&rest);
    vector->size = strlen (rest) / 2;
    vector->data = malloc (vector->size ? vector->size : 1);
    for (size_t i = 0; i < vector->size; i++)
        vector->data[i] =
            (uint8_t)(digit (rest[2 * i]) << 4 | digit (rest[2 * i + 1]));
    return true;
}

static FILE *
open_vectors (const char *kind)
{
    char path[64];
    snprintf (path, sizeof path, "proto/vectors/link.v1.%s.txt", kind);
    FILE *file = fopen (path, "r");
    assert_non_null (file);
    return file;
}

static void
say_texts (weft_buf_t *out, const weft_link_frame_t *frame)
{
    weft_buf_addf (out, " stage=%.*s contracts=", (int)frame->stage.size,
                   frame->stage.data);
    for (uint32_t i = 0; i < frame->contract_count; i++)
        weft_buf_addf (out, "%s%.*s", i ? "," : "",
                       (int)frame->contracts[i].size, frame->contracts[i].data);
}

static void
say_runs (weft_buf_t *out, const weft_link_frame_t *frame)
{
    weft_buf_addf (out, " runs=");
    for (uint32_t i = 0; i < frame->run_count; i++) {
        weft_link_run_t run = weft_link_run (frame, i);
        weft_buf_addf (out, "%s%llu+%u:%u", i ? "," : "",
                       (unsigned long long)run.first, run.count, run.code);
    }
}

static void
say_body (weft_buf_t *out, const weft_link_frame_t *frame)
{
    if (frame->nonce || frame->boot || frame->type == WEFT_LINK_REFUSE)
        weft_buf_addf (out, " nonce=%llu", (unsigned long long)frame->nonce);
    if (frame->boot)
        weft_buf_addf (out, " boot=%llu", (unsigned long long)frame->boot);
    if (frame->type == WEFT_LINK_HELLO)
        weft_buf_addf (out, " hash=%llu", (unsigned long long)frame->hash);
    if (frame->boot)
        weft_buf_addf (out, " largest=%u beat_ms=%u", frame->largest,
                       frame->beat_ms);
    if (frame->type == WEFT_LINK_HELLO) {
        weft_buf_addf (out, " stall_ms=%u", frame->stall_ms);
        say_texts (out, frame);
    }
    if (frame->run_count)
        say_runs (out, frame);
    if (frame->type == WEFT_LINK_REJECT)
        weft_buf_addf (out, " reject_seq=%llu", (unsigned long long)frame->seq);
    if (frame->code)
        weft_buf_addf (out, " code=%d reason=%.*s", frame->code,
                       (int)frame->reason.size, frame->reason.data);
}

//  What a frame says, in the order of the vector files.
static char *
say (const weft_link_frame_t *frame)
{
    weft_buf_t out;
    weft_buf_init (&out, LINE_MAX_);
    weft_buf_addf (&out, "type=%s session=%llu",
                   weft_link_type_name (frame->type),
                   (unsigned long long)frame->session);
    if (weft_link_from_worker (frame->type))
        weft_buf_addf (
            &out, " done=%llu limit=%u limit_version=%u limit_bytes=%llu",
            (unsigned long long)frame->done, frame->limit, frame->limit_version,
            (unsigned long long)frame->limit_bytes);
    else
        weft_buf_addf (&out, " echo=%u attempt=%u seq=%llu", frame->echo,
                       frame->attempt, (unsigned long long)frame->seq);
    if (frame->suspect)
        weft_buf_addf (&out, " suspect");
    say_body (&out, frame);
    weft_buf_add (&out, "", 1);
    size_t size;
    return (char *)weft_buf_release (&out, &size);
}

static void
check_bytes (const weft_link_frame_t *frame, const vector_t *vector)
{
    uint8_t out[WEFT_LINK_HEADER_MAX];
    int size = weft_link_encode (frame, out, sizeof out);
    assert_int_equal (size, vector->size);
    assert_memory_equal (out, vector->data, vector->size);
    assert_int_equal (weft_link_encode (frame, out, vector->size - 1),
                      WEFT_ETOOBIG);
}

static void
good_vectors_decode_and_encode (void **state)
{
    (void)state;
    static vector_t vector;
    FILE *file = open_vectors ("good");
    unsigned count = 0;
    for (; next_vector (file, &vector); count++) {
        weft_link_frame_t frame;
        print_message ("%s\n", vector.name);
        assert_int_equal (weft_link_decode (&frame, vector.data, vector.size),
                          0);
        char *text = say (&frame);
        assert_string_equal (text, vector.middle);
        free (text);
        check_bytes (&frame, &vector);
        free (vector.data);
    }
    assert_true (count >= 20);
    fclose (file);
}

static void
bad_vectors_are_refused (void **state)
{
    (void)state;
    static vector_t vector;
    FILE *file = open_vectors ("bad");
    unsigned count = 0;
    for (; next_vector (file, &vector); count++) {
        weft_link_frame_t frame;
        int rc = weft_link_decode (&frame, vector.data, vector.size);
        print_message ("%s\n", vector.name);
        assert_string_equal (weft_error_name (rc), vector.middle);
        free (vector.data);
    }
    assert_true (count >= 50);
    fclose (file);
}

//  Whatever is decoded is exactly one valid header: it encodes to itself.
static void
check_canonical (const uint8_t *data, size_t size)
{
    weft_link_frame_t frame;
    uint8_t out[WEFT_LINK_HEADER_MAX];
    if (weft_link_decode (&frame, data, size))
        return;
    assert_int_equal (weft_link_encode (&frame, out, sizeof out), size);
    assert_memory_equal (out, data, size);
}

static void
nothing_shorter_longer_or_flipped_is_misread (void **state)
{
    (void)state;
    static vector_t vector;
    FILE *file = open_vectors ("good");
    while (next_vector (file, &vector)) {
        weft_link_frame_t frame;
        for (size_t size = 0; size < vector.size; size++) {
            uint8_t *cut = malloc (size ? size : 1);
            memcpy (cut, vector.data, size);
            assert_true (weft_link_decode (&frame, cut, size) < 0);
            free (cut);
        }
        for (size_t bit = 0; bit < vector.size * 8; bit++) {
            vector.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            check_canonical (vector.data, vector.size);
            vector.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        free (vector.data);
    }
    fclose (file);
}

static void
the_encoder_refuses_what_no_header_may_have (void **state)
{
    (void)state;
    uint8_t out[WEFT_LINK_HEADER_MAX];
    weft_link_frame_t hello = { .type = WEFT_LINK_HELLO,
                                .boot = 1,
                                .beat_ms = 1,
                                .stall_ms = 1,
                                .stage = weft_link_text ("No Name") };
    assert_int_equal (weft_link_encode (&hello, out, sizeof out), WEFT_ERANGE);
    hello.stage = weft_link_text ("name");
    hello.contract_count = WEFT_LINK_CONTRACTS_MAX + 1;
    assert_int_equal (weft_link_encode (&hello, out, sizeof out), WEFT_ERANGE);
    weft_link_frame_t settle = { .type = WEFT_LINK_SETTLE,
                                 .session = 1,
                                 .run_count = WEFT_LINK_RUNS_MAX + 1 };
    assert_int_equal (weft_link_encode (&settle, out, sizeof out), WEFT_ERANGE);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (good_vectors_decode_and_encode),
        cmocka_unit_test (bad_vectors_are_refused),
        cmocka_unit_test (nothing_shorter_longer_or_flipped_is_misread),
        cmocka_unit_test (the_encoder_refuses_what_no_header_may_have),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
