//  Inputs: an order that stays, places to go on at, archives, and shares.

#include "unit/testing.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/avro_bytes.h"
#include "weft_reader.h"

//  A container of `n` records of a survey that is refused by name: enough to
//  count positions.
static void
make_container (weft_buf_t *out, int n)
{
    uint8_t zeros[64] = { 0 };
    weft_buf_clear (out);
    put_container (out,
                   "{\"type\":\"record\",\"name\":\"other.alert\",\"fields\":["
                   "{\"name\":\"a\",\"type\":\"long\"}]}",
                   NULL, n, zeros, (size_t)n);
}

typedef struct {
    char folder[64];
    weft_decoder_t *decoder;
    weft_hand_t *hand;
} bench_t;

static void
write_file (const bench_t *bench, const char *name, int records)
{
    char path[200];
    weft_buf_t bytes;
    weft_buf_init (&bytes, 1 << 20);
    make_container (&bytes, records);
    snprintf (path, sizeof (path), "%s/%s", bench->folder, name);
    FILE *file = fopen (path, "wb");
    assert_non_null (file);
    fwrite (bytes.data, 1, bytes.size, file);
    fclose (file);
    weft_buf_fini (&bytes);
}

//  An archive of containers with 1, 2 and 3 records.
static void
write_archive (const bench_t *bench, const char *name)
{
    char path[200];
    weft_buf_t bytes;
    weft_buf_init (&bytes, 1 << 20);
    snprintf (path, sizeof (path), "%s/%s", bench->folder, name);
    struct archive *archive = archive_write_new ();
    archive_write_add_filter_gzip (archive);
    archive_write_set_format_ustar (archive);
    assert_int_equal (archive_write_open_filename (archive, path), ARCHIVE_OK);
    for (int i = 1; i <= 3; i++) {
        char inside[20];
        struct archive_entry *entry = archive_entry_new ();
        make_container (&bytes, i);
        snprintf (inside, sizeof (inside), "in/%d.avro", i);
        archive_entry_set_pathname (entry, inside);
        archive_entry_set_size (entry, (int64_t)bytes.size);
        archive_entry_set_filetype (entry, AE_IFREG);
        archive_entry_set_perm (entry, 0644);
        archive_write_header (archive, entry);
        archive_write_data (archive, bytes.data, bytes.size);
        archive_entry_free (entry);
    }
    archive_write_close (archive);
    archive_write_free (archive);
    weft_buf_fini (&bytes);
}

static const char *const names[] = { "b.avro", "a/z.avro", "a/y.avro",
                                     "c.tar.gz", ".hidden" };

static int
setup (void **state)
{
    char why[WEFT_AVRO_WHY], path[200];
    bench_t *bench = calloc (1, sizeof (*bench));
    snprintf (bench->folder, sizeof (bench->folder), "/tmp/weft-input-XXXXXX");
    if (!mkdtemp (bench->folder))
        return -1;
    snprintf (path, sizeof (path), "%s/a", bench->folder);
    mkdir (path, 0700);
    write_file (bench, names[0], 1);
    write_file (bench, names[1], 4);
    write_file (bench, names[2], 1);
    write_archive (bench, names[3]);
    write_file (bench, names[4], 1);
    snprintf (path, sizeof (path), "%s/.hand", bench->folder);
    bench->hand = weft_hand_new (path, 1);
    bench->decoder = weft_decoder_new (NULL, why);
    *state = bench;
    return bench->hand && bench->decoder ? 0 : -1;
}

static int
teardown (void **state)
{
    char path[200];
    bench_t *bench = *state;
    for (size_t i = 0; i < WEFT_COUNT (names); i++) {
        snprintf (path, sizeof (path), "%s/%s", bench->folder, names[i]);
        (void)unlink (path);
    }
    snprintf (path, sizeof (path), "%s/.hand", bench->folder);
    (void)unlink (path);
    snprintf (path, sizeof (path), "%s/a", bench->folder);
    (void)rmdir (path);
    (void)rmdir (bench->folder);
    weft_hand_destroy (&bench->hand);
    weft_decoder_destroy (&bench->decoder);
    free (bench);
    return 0;
}

static weft_input_t *
open_input (bench_t *bench)
{
    char why[WEFT_INPUT_WHY] = "";
    char *paths[] = { bench->folder };
    weft_input_t *input = weft_input_files (paths, 1, why);
    assert_non_null (input);
    return input;
}

//  12 positions: a/y.avro 1, a/z.avro 4, b.avro 1, then 1 + 2 + 3 of the
//  archive.
//  People find a packet of an archive by its entry, also where the archive is
//  cut off amid it and closed by then.
static void
an_entry_is_named (void **state)
{
    bench_t *bench = *state;
    char path[200], name[20];
    weft_message_t message;
    weft_input_t *input = open_input (bench);
    for (int i = 0; input->next (input, &message) == 1; i++) {
        snprintf (name, sizeof (name), "in/%d.avro", i - 2);
        if (message.archived)
            assert_string_equal (message.entry, name);
        else
            assert_null (message.entry);
        input->advance (input, 1);
    }
    weft_input_destroy (&input);
    snprintf (path, sizeof (path), "%s/c.tar.gz", bench->folder);
    struct stat about;
    assert_int_equal (stat (path, &about), 0);
    assert_int_equal (truncate (path, about.st_size / 2), 0);
    char *paths[] = { path };
    char why[WEFT_INPUT_WHY] = "";
    input = weft_input_files (paths, 1, why);
    assert_non_null (input);
    while (input->next (input, &message) == 1 && !message.why)
        input->advance (input, 1);
    assert_non_null (message.why);
    assert_true (!message.entry || !strncmp (message.entry, "in/", 3));
    weft_input_destroy (&input);
}

#define POSITIONS 12

static void
positions_stay (void **state)
{
    bench_t *bench = *state;
    static const char *const ends[POSITIONS] = {
        "a/y.avro",   "a/z.avro#0", "a/z.avro#1", "a/z.avro#2",
        "a/z.avro#3", "b.avro",     "c.tar.gz#0", "c.tar.gz#1",
        "c.tar.gz#2", "c.tar.gz#3", "c.tar.gz#4", "c.tar.gz#5"
    };
    weft_taken_t taken = { 0 };
    weft_place_t places[POSITIONS];
    weft_input_t *input = open_input (bench);
    weft_reader_t *reader =
        weft_reader_new (input, bench->decoder, bench->hand, 1, 1);
    for (int i = 0; i < POSITIONS; i++) {
        assert_int_equal (weft_reader_next (reader, &taken), 1);
        assert_int_equal (taken.offset, i);
        assert_int_equal (taken.rc, WEFT_ESCHEMA);
        assert_true (taken.sample_size > 0);
        size_t size = strlen (taken.path), end = strlen (ends[i]);
        assert_string_equal (taken.path + size - end, ends[i]);
        places[i] = taken.place;
    }
    assert_int_equal (weft_reader_next (reader, &taken), 0);
    //  Going on at any place gives the same positions from there.
    for (int from = 0; from < POSITIONS; from++) {
        assert_int_equal (weft_reader_seek (reader, &places[from], from), 0);
        for (int i = from; i < POSITIONS; i++) {
            assert_int_equal (weft_reader_next (reader, &taken), 1);
            assert_int_equal (taken.offset, i);
        }
        assert_int_equal (weft_reader_next (reader, &taken), 0);
    }
    weft_place_t beyond = { .file = 99 };
    assert_int_equal (weft_reader_seek (reader, &beyond, 0), WEFT_ENOENT);
    weft_reader_destroy (&reader);
    weft_input_destroy (&input);
    weft_taken_fini (&taken);
}

static void
shares_are_parts (void **state)
{
    bench_t *bench = *state;
    unsigned seen[POSITIONS] = { 0 };
    for (uint32_t share = 1; share <= 3; share++) {
        weft_taken_t taken = { 0 };
        weft_input_t *input = open_input (bench);
        weft_reader_t *reader =
            weft_reader_new (input, bench->decoder, bench->hand, share, 3);
        while (weft_reader_next (reader, &taken) == 1) {
            assert_int_equal (taken.offset % 3, share - 1);
            seen[taken.offset]++;
        }
        weft_reader_destroy (&reader);
        weft_input_destroy (&input);
        weft_taken_fini (&taken);
    }
    for (int i = 0; i < POSITIONS; i++)
        assert_int_equal (seen[i], 1);
}

static void
another_file_is_another_input (void **state)
{
    bench_t *bench = *state;
    weft_input_t *input = open_input (bench);
    uint64_t before = input->identity (input);
    weft_input_destroy (&input);
    input = open_input (bench);
    assert_true (input->identity (input) == before);
    weft_input_destroy (&input);
    write_file (bench, "b.avro", 2);
    input = open_input (bench);
    assert_true (input->identity (input) != before);
    weft_input_destroy (&input);
    char why[WEFT_INPUT_WHY] = "";
    char *nowhere[] = { "/nowhere/at/all" };
    assert_null (weft_input_files (nowhere, 1, why));
    assert_non_null (strstr (why, "/nowhere/at/all"));
}

//  A position that was in hand at three starts is not decoded again.
static void
what_kills_three_times_is_convicted (void **state)
{
    bench_t *bench = *state;
    char path[200];
    snprintf (path, sizeof (path), "%s/.hand", bench->folder);
    for (uint32_t start = 1; start <= 3; start++) {
        assert_true (weft_hand_take (bench->hand, 3));
        weft_hand_destroy (&bench->hand);  //  as if killed
        bench->hand = weft_hand_new (path, 1);
        assert_int_equal (weft_hand_found (bench->hand, 3), start);
    }
    weft_taken_t taken = { 0 };
    weft_input_t *input = open_input (bench);
    weft_reader_t *reader =
        weft_reader_new (input, bench->decoder, bench->hand, 1, 1);
    for (int i = 0; i < POSITIONS; i++) {
        assert_int_equal (weft_reader_next (reader, &taken), 1);
        assert_int_equal (taken.rc, i == 3 ? WEFT_ECRASHED : WEFT_ESCHEMA);
    }
    weft_reader_destroy (&reader);
    weft_input_destroy (&input);
    weft_taken_fini (&taken);
    //  Of another input it says nothing.
    weft_hand_destroy (&bench->hand);
    bench->hand = weft_hand_new (path, 2);
    assert_int_equal (weft_hand_found (bench->hand, 3), 0);
}

//  An input of one message.
typedef struct {
    weft_input_t input;
    const void *data;
    size_t size;
    bool given;
} single_t;

static int
give_single (weft_input_t *input, weft_message_t *message)
{
    single_t *self = (single_t *)(void *)input;
    *message = (weft_message_t){ .data = self->data,
                                 .size = self->size,
                                 .path = "a.avro" };
    message->place.offset = 7;
    return self->given ? 0 : 1;
}

static void
pass_single (weft_input_t *input, uint64_t items)
{
    single_t *self = (single_t *)(void *)input;
    assert_true (items > 0);
    self->given = true;
}

//  A process that reads a message whose bytes cannot be looked at: it dies of
//  that as it opens it, or, where opening is convicted, lives.
static bool
dies_of_it (const char *hand_path, const void *data, size_t size)
{
    pid_t pid = fork ();
    assert_true (pid >= 0);
    if (pid == 0) {
        char why[WEFT_AVRO_WHY];
        const struct rlimit none = { 0, 0 };
        weft_taken_t taken = { 0 };
        single_t one = {
            { .next = give_single, .advance = pass_single }, data, size, false
        };
        (void)signal (SIGSEGV, SIG_DFL);
        (void)signal (SIGBUS, SIG_DFL);
        setrlimit (RLIMIT_CORE, &none);
        (void)!freopen ("/dev/null", "w", stderr);
        weft_hand_t *hand = weft_hand_new (hand_path, 1);
        weft_decoder_t *decoder = weft_decoder_new (NULL, why);
        weft_reader_t *reader =
            weft_reader_new (&one.input, decoder, hand, 1, 1);
        _exit (weft_reader_next (reader, &taken) == 1 ? 0 : 3);
    }
    int status = 0;
    assert_int_equal (waitpid (pid, &status, 0), pid);
    return status != 0;
}

//  A message that crashes ingest as it is opened is one refused item, after
//  three starts; what one item of it did says nothing of the whole.
static void
what_kills_as_it_is_opened_is_convicted (void **state)
{
    bench_t *bench = *state;
    char path[200];
    weft_taken_t taken = { 0 };
    weft_buf_t bytes;
    weft_buf_init (&bytes, 1 << 16);
    make_container (&bytes, 3);
    void *page =
        mmap (NULL, 1 << 16, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true (page != MAP_FAILED);
    snprintf (path, sizeof (path), "%s/.hand", bench->folder);
    weft_hand_destroy (&bench->hand);
    for (int start = 0; start < 3; start++)
        assert_true (dies_of_it (path, page, bytes.size));
    munmap (page, 1 << 16);
    bench->hand = weft_hand_new (path, 1);
    assert_int_equal (weft_hand_found (bench->hand, 7), 0);
    single_t one = { { .next = give_single, .advance = pass_single },
                     bytes.data,
                     bytes.size,
                     false };
    weft_reader_t *reader =
        weft_reader_new (&one.input, bench->decoder, bench->hand, 1, 1);
    assert_int_equal (weft_reader_next (reader, &taken), 1);
    assert_int_equal (taken.rc, WEFT_ECRASHED);
    assert_int_equal (taken.offset, 7);
    assert_int_equal (taken.sample_size, bytes.size);
    assert_int_equal (weft_reader_next (reader, &taken), 0);
    weft_reader_destroy (&reader);
    weft_taken_fini (&taken);
    weft_buf_fini (&bytes);
}

//  Of a message with any number of refused items, those behind the letters are
//  passed over in turns: whoever reads has something else to do, too.
static void
what_nobody_is_told_of_is_passed_in_turns (void **state)
{
    bench_t *bench = *state;
    const int items = WEFT_INPUT_ITEMS_MOST + 1 + 2 * WEFT_READER_SILENT_MOST;
    weft_taken_t taken = { 0 };
    weft_buf_t bytes;
    uint8_t *zeros = calloc (1, (size_t)items);
    weft_buf_init (&bytes, 1 << 20);
    put_container (&bytes,
                   "{\"type\":\"record\",\"name\":\"other.alert\",\"fields\":["
                   "{\"name\":\"a\",\"type\":\"long\"}]}",
                   NULL, items, zeros, (size_t)items);
    single_t one = { { .next = give_single, .advance = pass_single },
                     bytes.data,
                     bytes.size,
                     false };
    weft_reader_t *reader =
        weft_reader_new (&one.input, bench->decoder, bench->hand, 1, 1);
    for (int i = 0; i <= WEFT_INPUT_ITEMS_MOST; i++)
        assert_int_equal (weft_reader_next (reader, &taken), 1);
    for (int turn = 0; turn < 2; turn++) {
        taken.waits = true;
        assert_false (one.given);
        assert_int_equal (weft_reader_next (reader, &taken), WEFT_EAGAIN);
        assert_true (weft_reader_amid (reader));
        assert_false (taken.waits);
    }
    assert_int_equal (weft_reader_next (reader, &taken), 0);
    assert_false (weft_reader_amid (reader));
    assert_true (one.given);
    weft_reader_destroy (&reader);
    weft_taken_fini (&taken);
    weft_buf_fini (&bytes);
    free (zeros);
}

//  What comes from a descriptor: how many messages, and positions in all.
static void
stream_gives (int fd, size_t messages, uint64_t positions)
{
    char why[WEFT_INPUT_WHY];
    weft_message_t message;
    weft_decoder_t *decoder = weft_decoder_new (NULL, why);
    weft_input_t *input = weft_input_stdin (fd, why);
    assert_non_null (input);
    size_t n = 0;
    uint64_t found = 0;
    while (input->next (input, &message) == 1) {
        uint64_t items = 0;
        assert_null (message.why);
        assert_int_equal (message.place.offset, found);
        weft_decoder_open (decoder, message.data, message.size);
        while (weft_decoder_skip (decoder))
            items++;
        input->advance (input, items);
        found += items;
        n++;
    }
    assert_int_equal (n, messages);
    assert_int_equal (found, positions);
    weft_input_destroy (&input);
    weft_decoder_destroy (&decoder);
    close (fd);
}

//  A pipe that somebody has filled and closed.
static int
piped (const void *data, size_t size)
{
    int ends[2];
    assert_int_equal (pipe (ends), 0);
    if (size)
        assert_int_equal (write (ends[1], data, size), (ssize_t)size);
    close (ends[1]);
    return ends[0];
}

static void
standard_input (void **state)
{
    bench_t *bench = *state;
    char path[200];
    weft_buf_t one, all;
    weft_buf_init (&one, 1 << 20);
    weft_buf_init (&all, 1 << 20);
    for (int i = 1; i <= 4; i++) {
        make_container (&one, i);
        weft_buf_add (&all, one.data, one.size);
    }
    stream_gives (piped (all.data, all.size), 4, 10);
    stream_gives (piped (one.data, one.size), 1, 4);
    stream_gives (piped ("\0\0\0\0\7packet", 11), 1, 1);
    stream_gives (piped (NULL, 0), 0, 0);
    snprintf (path, sizeof path, "%s/c.tar.gz", bench->folder);
    stream_gives (open (path, O_RDONLY), 3, 6);
    weft_buf_fini (&one);
    weft_buf_fini (&all);
}

int
main (void)
{
#define T(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T (an_entry_is_named),
        T (positions_stay),
        T (standard_input),
        T (shares_are_parts),
        T (another_file_is_another_input),
        T (what_kills_three_times_is_convicted),
        T (what_nobody_is_told_of_is_passed_in_turns),
        T (what_kills_as_it_is_opened_is_convicted),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
