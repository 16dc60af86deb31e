//  A segment that a disk has damaged: what is whole stays and is read, what is
//  not is passed over, and only what is torn at the very end is cut off.

#include "testing.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "remove_tree.h"
#include "weft_hash.h"
#include "weft_input.h"
#include "weft_log.h"
#include "weft_packet_read.h"
#include "weft_packet_scan.h"
#include "weft_packet_store.h"

#define PACKETS 5
#define ROOM 4096

static char folder[] = "/tmp/weft-damage-XXXXXX";

//  A segment of PACKETS packets, as it was written.
typedef struct {
    char path[WEFT_PACKET_PATH];
    uint8_t bytes[ROOM];
    size_t size;
    weft_packet_ref_t refs[PACKETS];
} segment_t;

static int
set_up (void **state)
{
    (void)state;
    memcpy (folder + sizeof (folder) - 7, "XXXXXX", 6);
    return mkdtemp (folder) ? 0 : -1;
}

static int
tear_down (void **state)
{
    (void)state;
    return remove_tree (folder);
}

static weft_packet_store_t *
open_store (void)
{
    const weft_packet_store_config_t config = { .folder = folder,
                                                .segment_bytes = 256u << 20 };
    char why[256] = "";
    int rc;
    weft_packet_store_t *store =
        weft_packet_store_new (&config, NULL, &rc, why, sizeof why);
    if (!store)
        fail_msg ("%s: %s", weft_error_name (rc), why);
    return store;
}

static void
append (weft_packet_store_t *store,
        const void *data,
        size_t size,
        weft_packet_ref_t *ref)
{
    static int64_t position;
    uint8_t sum[32];
    weft_packet_t packet = { .data = data,
                             .size = size,
                             .topic = weft_str ("topic"),
                             .position = position++,
                             .night = 2990,
                             .received_us = 1700000000000000 + position };
    weft_sha256 (data, size, sum);
    memcpy (packet.sha256_8, sum, 8);
    assert_int_equal (weft_packet_store_append (store, &packet, ref), 0);
}

static void
append_number (weft_packet_store_t *store, uint8_t number, weft_packet_ref_t *r)
{
    uint8_t bytes[100];
    memset (bytes, number, sizeof bytes);
    append (store, bytes, sizeof bytes, r);
}

static size_t
read_file (const char *path, uint8_t bytes[ROOM])
{
    int fd = open (path, O_RDONLY);
    ssize_t size = fd < 0 ? 0 : pread (fd, bytes, ROOM, 0);
    assert_in_range (size, 0, ROOM - 1);
    if (fd >= 0)
        close (fd);
    return (size_t)size;
}

static void
write_file (const char *path, const uint8_t *bytes, size_t size)
{
    int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
    assert_int_equal (write (fd, bytes, size), (ssize_t)size);
    close (fd);
}

static void
write_segment (segment_t *self)
{
    weft_packet_store_t *store = open_store ();
    for (uint8_t i = 0; i < PACKETS; i++)
        append_number (store, i, &self->refs[i]);
    weft_packet_store_destroy (&store);
    weft_packet_path (folder, self->refs[0].segment, self->path);
    self->size = read_file (self->path, self->bytes);
}

static bool
is_there (const weft_packet_ref_t *ref)
{
    weft_buf_t found;
    weft_buf_init (&found, WEFT_PACKET_MOST);
    int rc = weft_packet_read (folder, ref, &found);
    weft_buf_fini (&found);
    return !rc;
}

//  Whole packets that a reader of the segment gets.
static int
read_whole (const char *path)
{
    weft_packet_record_t record;
    int rc, n = 0;
    weft_packet_scan_t *scan = weft_packet_scan_new (path, &rc);
    if (!scan)
        return 0;
    do {
        while ((rc = weft_packet_scan_next (scan, &record)) == 1)
            if (!weft_packet_check (&record))
                n++;
    } while (rc && (rc = weft_packet_scan_resume (scan)) == 1);
    assert_int_equal (rc, 0);
    weft_packet_scan_destroy (&scan);
    return n;
}

//  Packets that a replay of the folder reads; *n: those that it passed on.
static int
replay (int *n)
{
    char text[128], why[WEFT_INPUT_WHY];
    weft_message_t message;
    int whole = 0;
    snprintf (text, sizeof text, "packets:%s", folder);
    weft_input_t *input = weft_input_packets (text, why);
    assert_non_null (input);
    for (*n = 0; input->next (input, &message) == 1; ++*n) {
        whole += message.data ? 1 : 0;
        input->advance (input, 1);
    }
    input->destroy (&input);
    return whole;
}

//  One bit of the byte at `at` is another. A start, and one more packet: it is
//  written behind what is whole, and the others are where they were.
static void
start_with_damage (const segment_t *self, size_t at)
{
    uint8_t bytes[ROOM], after[ROOM];
    weft_packet_ref_t more;
    char other[WEFT_PACKET_PATH];
    int whole = 0, listed;
    memcpy (bytes, self->bytes, self->size);
    bytes[at] ^= 1;
    write_file (self->path, bytes, self->size);
    weft_packet_store_t *store = open_store ();
    append_number (store, 77, &more);
    weft_packet_store_destroy (&store);
    weft_packet_path (folder, more.segment, other);
    for (int i = 0; i < PACKETS; i++) {
        uint64_t begin = self->refs[i].offset - WEFT_PACKET_HEAD;
        uint64_t end = self->refs[i].offset + self->refs[i].length + 5;
        bool hit = at >= begin && at < end;
        //  A reference needs no header.
        if (!hit && !is_there (&self->refs[i]))
            fail_msg ("byte %zu of %zu: packet %d is gone", at, self->size, i);
        whole += hit ? 0 : 1;
    }
    assert_true (is_there (&more));
    if (more.segment != self->refs[0].segment) {
        //  Nothing was cut.
        assert_int_equal (read_file (self->path, after), self->size);
        assert_memory_equal (after, bytes, self->size);
        assert_int_equal (read_whole (self->path), whole);
    }
    assert_int_equal (replay (&listed), whole + 1);
    if (strcmp (other, self->path) != 0)
        unlink (other);
}

static void
one_byte_costs_one_packet (void **state)
{
    (void)state;
    segment_t segment = { 0 };
    write_segment (&segment);
    for (size_t at = 0; at < segment.size; at++)
        start_with_damage (&segment, at);
}

//  Damaged in the middle, and torn at its end: that is no reason to cut.
static void
damage_and_a_torn_end (void **state)
{
    (void)state;
    segment_t segment = { 0 };
    uint8_t after[ROOM];
    weft_packet_ref_t more;
    write_segment (&segment);
    segment.bytes[segment.refs[1].offset + 3] ^= 1;
    segment.size -= 50;
    write_file (segment.path, segment.bytes, segment.size);
    weft_packet_store_t *store = open_store ();
    append_number (store, 77, &more);
    weft_packet_store_destroy (&store);
    assert_int_not_equal (more.segment, segment.refs[0].segment);
    assert_int_equal (read_file (segment.path, after), segment.size);
    assert_int_equal (read_whole (segment.path), PACKETS - 2);
}

//  Torn at any length: the segment that is written on is one, with a header.
static void
a_torn_end_is_cut_off (void **state)
{
    (void)state;
    segment_t segment = { 0 };
    weft_packet_ref_t more;
    char path[WEFT_PACKET_PATH];
    write_segment (&segment);
    for (size_t cut = 0; cut < segment.size; cut++) {
        int whole = 0;
        for (int i = 0; i < PACKETS; i++)
            whole += cut >= segment.refs[i].offset + 112;
        write_file (segment.path, segment.bytes, cut);
        weft_packet_store_t *store = open_store ();
        append_number (store, 77, &more);
        weft_packet_store_destroy (&store);
        weft_packet_path (folder, more.segment, path);
        assert_int_equal (read_whole (path), whole + 1);
        //  A segment without a header is none, and goes.
        assert_int_equal (more.segment != segment.refs[0].segment,
                          cut < WEFT_PACKET_HEAD);
        unlink (path);
    }
}

//  Packets at the end that are damaged are not torn: the header of one may be,
//  and a reference, which needs none, still finds it.
static void
a_broken_end_is_left (void **state)
{
    (void)state;
    segment_t segment = { 0 };
    uint8_t after[ROOM];
    weft_packet_ref_t more;
    write_segment (&segment);
    segment.bytes[segment.refs[3].offset + 3] ^= 1;
    segment.bytes[segment.refs[4].offset - 3] ^= 1;
    write_file (segment.path, segment.bytes, segment.size);
    weft_packet_store_t *store = open_store ();
    append_number (store, 77, &more);
    weft_packet_store_destroy (&store);
    assert_int_not_equal (more.segment, segment.refs[0].segment);
    assert_int_equal (read_file (segment.path, after), segment.size);
    assert_memory_equal (after, segment.bytes, segment.size);
    assert_true (is_there (&segment.refs[4]));
}

//  A packet may hold headers whose sums are right, and that say that 64 MB
//  follow. Where such a one is damaged they do not hide what is behind it, and
//  the work has an end: beyond that, nothing is cut off.
static void
headers_inside_of_a_packet (void **state)
{
    (void)state;
    size_t size = 2u << 20;
    uint8_t tail[WEFT_PACKET_TOPIC_MOST + 8];
    uint8_t *bytes = calloc (1, size);
    char path[WEFT_PACKET_PATH];
    weft_packet_ref_t trap, next, more;
    struct stat info;
    const weft_packet_t fake = { .data = "", .size = 1u << 20 };
    for (size_t at = 0; at < size; at += WEFT_PACKET_HEAD)
        (void)weft_packet_head (&fake, bytes + at, tail);
    weft_packet_store_t *store = open_store ();
    append (store, bytes, size, &trap);
    append_number (store, 1, &next);
    weft_packet_store_destroy (&store);
    weft_packet_path (folder, trap.segment, path);
    int fd = open (path, O_RDWR);
    assert_int_equal (pwrite (fd, "?", 1, (off_t)trap.offset - 60), 1);
    close (fd);
    assert_int_equal (stat (path, &info), 0);
    off_t before = info.st_size;
    store = open_store ();
    append_number (store, 2, &more);
    weft_packet_store_destroy (&store);
    assert_int_not_equal (more.segment, trap.segment);
    assert_int_equal (stat (path, &info), 0);
    assert_int_equal (info.st_size, before);
    assert_true (is_there (&next));
    free (bytes);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (one_byte_costs_one_packet),  TEST (damage_and_a_torn_end),
        TEST (a_torn_end_is_cut_off),      TEST (a_broken_end_is_left),
        TEST (headers_inside_of_a_packet),
    };
    //  Each start says what is damaged, a thousand times.
    weft_log_init ("test", (weft_level_t)(WEFT_ERROR + 1));
    return cmocka_run_group_tests (tests, NULL, NULL);
}
