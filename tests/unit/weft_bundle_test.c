//  What lies one behind the other, on standard input or in a file: whatever is
//  damaged or ends there, what is intact behind it is read.

#include "unit/testing.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include "unit/avro_bytes.h"
#include "weft_container_walk.h"
#include "weft_decoder.h"
#include "weft_input.h"

#define SCHEMA                                                                 \
    "{\"type\":\"record\",\"name\":\"other.alert\",\"fields\":["               \
    "{\"name\":\"a\",\"type\":\"long\"}]}"
#define MESSAGES 64

typedef struct {
    weft_buf_t bytes;
    char path[40];
    char found[MESSAGES];  //  see look_at
    char why[WEFT_INPUT_WHY];
} bench_t;

static int
setup (void **state)
{
    bench_t *bench = calloc (1, sizeof (*bench));
    weft_buf_init (&bench->bytes, 100u << 20);
    snprintf (bench->path, sizeof (bench->path), "/tmp/weft-bundle-XXXXXX");
    int fd = mkstemp (bench->path);
    close (fd);
    *state = bench;
    return fd < 0 ? -1 : 0;
}

static int
teardown (void **state)
{
    bench_t *bench = *state;
    (void)unlink (bench->path);
    weft_buf_fini (&bench->bytes);
    free (bench);
    return 0;
}

//  `n` records, which are refused by the name of their schema alone.
static void
add_container (weft_buf_t *out, int n)
{
    put_container (out, SCHEMA, NULL, n, "Obj\x01Obj\x01", (size_t)n);
}

//  A tar archive of containers of 1, 2 and 3 records.
static void
add_tar (bench_t *bench, bool packed)
{
    static char out[1 << 16];
    size_t used = 0;
    weft_buf_t one;
    weft_buf_init (&one, 1 << 16);
    struct archive *archive = archive_write_new ();
    if (packed)
        archive_write_add_filter_gzip (archive);
    archive_write_set_format_ustar (archive);
    assert_int_equal (
        archive_write_open_memory (archive, out, sizeof (out), &used),
        ARCHIVE_OK);
    for (int i = 1; i <= 3; i++) {
        struct archive_entry *entry = archive_entry_new ();
        weft_buf_clear (&one);
        add_container (&one, i);
        archive_entry_set_pathname (entry, "in/some.avro");
        archive_entry_set_size (entry, (int64_t)one.size);
        archive_entry_set_filetype (entry, AE_IFREG);
        archive_write_header (archive, entry);
        archive_write_data (archive, one.data, one.size);
        archive_entry_free (entry);
    }
    archive_write_close (archive);
    archive_write_free (archive);
    weft_buf_add (&bench->bytes, out, used);
    weft_buf_fini (&one);
}

//  One sign a message: how many records it has if they are intact, x if not,
//  ! if it cannot be read.
static char
look_at (bench_t *bench, weft_decoder_t *decoder, const weft_message_t *message)
{
    weft_decoded_t item;
    int items = 0;
    bool intact = true;
    if (message->why) {
        snprintf (bench->why, sizeof (bench->why), "%s", message->why);
        return '!';
    }
    weft_decoder_open (decoder, message->data, message->size);
    while (weft_decoder_next (decoder, &item)) {
        intact &= item.rc == WEFT_ESCHEMA;
        items++;
    }
    return intact ? (char)('0' + items) : 'x';
}

//  From the start, or behind so many messages by way of a restart there.
static void
read_input (bench_t *bench, weft_input_t *input, size_t from)
{
    char why[WEFT_AVRO_WHY];
    weft_message_t message;
    weft_place_t place = { 0 };
    weft_decoder_t *decoder = weft_decoder_new (NULL, why);
    size_t n = 0;
    while (n < MESSAGES - 1 && input->next (input, &message) == 1) {
        if (n == from)
            place = message.place;
        bench->found[n++] = look_at (bench, decoder, &message);
        input->advance (input, 1);
    }
    bench->found[n] = '\0';
    if (from && from < n) {
        assert_int_equal (input->seek (input, &place), 0);
        for (n = from; input->next (input, &message) == 1; n++) {
            assert_int_equal (bench->found[n],
                              look_at (bench, decoder, &message));
            input->advance (input, 1);
        }
        assert_int_equal (bench->found[n], '\0');
    }
    weft_decoder_destroy (&decoder);
    weft_input_destroy (&input);
}

static void
write_bytes (bench_t *bench)
{
    FILE *file = fopen (bench->path, "wb");
    assert_non_null (file);
    fwrite (bench->bytes.data, 1, bench->bytes.size, file);
    assert_int_equal (fclose (file), 0);
}

static const char *
as_stdin (bench_t *bench)
{
    char why[WEFT_INPUT_WHY] = "";
    write_bytes (bench);
    int fd = open (bench->path, O_RDONLY);
    read_input (bench, weft_input_stdin (fd, why), 0);
    close (fd);
    return bench->found;
}

static const char *
as_file (bench_t *bench, size_t from)
{
    char why[WEFT_INPUT_WHY] = "";
    char *paths[] = { bench->path };
    write_bytes (bench);
    read_input (bench, weft_input_files (paths, 1, why), from);
    return bench->found;
}

static void
two_archives (void **state)
{
    bench_t *bench = *state;
    for (int packed = 0; packed < 2; packed++) {
        weft_buf_clear (&bench->bytes);
        add_tar (bench, packed);
        add_tar (bench, packed);
        assert_string_equal (as_stdin (bench), "123123");
        for (size_t from = 0; from < 6; from++)
            assert_string_equal (as_file (bench, from), "123123");
    }
    //  Containers behind them, too.
    weft_buf_clear (&bench->bytes);
    add_tar (bench, false);
    add_container (&bench->bytes, 5);
    add_container (&bench->bytes, 6);
    add_tar (bench, false);
    assert_string_equal (as_stdin (bench), "12356123");
}

//  What the compression does not take is said.
static void
bytes_behind_compressed_ones (void **state)
{
    bench_t *bench = *state;
    static const uint8_t zeros[20000];
    add_tar (bench, true);
    weft_buf_add (&bench->bytes, zeros, sizeof (zeros));
    assert_string_equal (as_stdin (bench), "123");
    size_t before = bench->bytes.size - sizeof (zeros);
    add_tar (bench, false);
    char said[80];
    snprintf (said, sizeof (said), "%zu bytes behind the compressed data",
              bench->bytes.size - before);
    assert_string_equal (as_stdin (bench), "123!");
    assert_non_null (strstr (bench->why, said));
}

//  Cut off anywhere, what was whole before that is read; then the reason, once.
static void
cut_gzip (void **state)
{
    bench_t *bench = *state;
    size_t last = 0;
    add_tar (bench, true);
    size_t whole = bench->bytes.size;
    for (size_t size = 6; size < whole; size++) {
        static const char *const expected[] = { "!", "1!", "12!", "123!" };
        bench->bytes.size = size;
        size_t n = strlen (as_stdin (bench)) - 1;
        //  One message more at the most: none is left out.
        assert_true (n == last || n == last + 1);
        assert_in_range (n, 0, 3);
        assert_string_equal (bench->found, expected[n]);
        assert_non_null (strstr (bench->why, "truncated gzip input"));
        assert_string_equal (as_file (bench, n), expected[n]);
        last = n;
    }
    assert_int_equal (last, 3);
    //  Or a bit of its check sum has changed.
    bench->bytes.size = whole;
    bench->bytes.data[whole - 5] ^= 1;
    assert_string_equal (as_stdin (bench), "123!");
    assert_non_null (strstr (bench->why, "damaged gzip input"));
}

//  It is a message of its input as well, not the end of the input.
static void
cut_in_the_first_block (void **state)
{
    bench_t *bench = *state;
    weft_buf_add (&bench->bytes, "BZh91AY&SY\x12\x34\x56\x78", 14);
    assert_string_equal (as_stdin (bench), "!");
    assert_non_null (strstr (bench->why, "truncated bzip2 input"));
    assert_string_equal (as_file (bench, 0), "!");
}

static void
damaged_archive (void **state)
{
    bench_t *bench = *state;
    add_tar (bench, false);
    add_tar (bench, false);
    //  The second entry's header.
    bench->bytes.data[1024 + 3] ^= 1;
    assert_string_equal (as_stdin (bench), "1!23123");
    assert_non_null (strstr (bench->why, "Damaged tar archive"));
    assert_string_equal (as_file (bench, 4), "1!23123");
    //  Cut off, and containers behind it.
    weft_buf_clear (&bench->bytes);
    add_tar (bench, false);
    bench->bytes.size = 1024 + 512 + 20;
    assert_string_equal (as_stdin (bench), "1!");
}

static void
torn_container (void **state)
{
    bench_t *bench = *state;
    weft_buf_t one;
    weft_buf_init (&one, 1 << 16);
    put_container (&one, SCHEMA, NULL, 7, "1234567", 7);
    for (size_t size = 5; size < one.size; size++) {
        weft_buf_clear (&bench->bytes);
        add_container (&bench->bytes, 1);
        weft_buf_add (&bench->bytes, one.data, size);
        add_container (&bench->bytes, 3);
        add_container (&bench->bytes, 4);
        assert_string_equal (as_stdin (bench), "1x34");
    }
    //  Its magic gone, it belongs to nobody.
    weft_buf_clear (&bench->bytes);
    weft_buf_add (&bench->bytes, one.data + 9, one.size - 9);
    add_container (&bench->bytes, 3);
    assert_string_equal (as_stdin (bench), "x3");
    weft_buf_fini (&one);
}

static void
zeros_between (void **state)
{
    bench_t *bench = *state;
    static const uint8_t zeros[10240];
    weft_buf_add (&bench->bytes, zeros, sizeof (zeros));
    assert_string_equal (as_stdin (bench), "");
    add_container (&bench->bytes, 1);
    weft_buf_add (&bench->bytes, zeros, 700);
    add_container (&bench->bytes, 2);
    assert_string_equal (as_stdin (bench), "12");
    weft_buf_clear (&bench->bytes);
    weft_buf_add (&bench->bytes, "\0\0\0\0\7packet", 11);
    assert_string_equal (as_stdin (bench), "1");
}

//  The ceiling is a message's: what is larger is one message, the next is read.
static void
absurd_size (void **state)
{
    bench_t *bench = *state;
    uint8_t *zeros = calloc (1, WEFT_MESSAGE_MOST + 100);
    add_container (&bench->bytes, 1);
    weft_buf_add (&bench->bytes, WEFT_CONTAINER_MAGIC, 4);
    weft_buf_add (&bench->bytes, zeros, WEFT_MESSAGE_MOST + 100);
    add_container (&bench->bytes, 2);
    assert_string_equal (as_stdin (bench), "1!2");
    assert_non_null (strstr (bench->why, "67108968 bytes up to the next"));
    free (zeros);
}

//  What was stepped over is not looked at again: it is not even there.
static void
a_walk_goes_on (void **state)
{
    bench_t *bench = *state;
    weft_container_walk_t walk = { 0 };
    put_container (&bench->bytes, SCHEMA, NULL, 8, "12345678", 8);
    for (int block = 0; block < 100; block++) {
        weft_buf_add (&bench->bytes,
                      "\x02\x02\0"
                      "0123456789abcdef",
                      19);
        assert_int_equal (weft_container_walk (&walk, bench->bytes.data,
                                               bench->bytes.size, false),
                          WEFT_WALK_MORE);
        assert_int_equal (walk.at, bench->bytes.size);
        memset (bench->bytes.data, 0xff, bench->bytes.size);
    }
    add_container (&bench->bytes, 1);
    assert_int_equal (weft_container_walk (&walk, bench->bytes.data,
                                           bench->bytes.size, false),
                      WEFT_WALK_END);
}

int
main (void)
{
#define T(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T (two_archives),    T (bytes_behind_compressed_ones),
        T (damaged_archive), T (torn_container),
        T (zeros_between),   T (absurd_size),
        T (cut_gzip),        T (cut_in_the_first_block),
        T (a_walk_goes_on),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
