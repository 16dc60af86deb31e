//  The packet store: what was appended is found again, whatever is broken in
//  between; what is not whole is not there.

#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "remove_tree.h"
#include "weft_hash.h"
#include "weft_http.h"
#include "weft_log.h"
#include "weft_packet_read.h"
#include "weft_packet_scan.h"
#include "weft_packet_store.h"
#include "weft_time.h"

static char folder[] = "/tmp/weft-packets-XXXXXX";
static char packets[64];

static int
set_up (void **state)
{
    (void)state;
    memcpy (folder + sizeof (folder) - 7, "XXXXXX", 6);
    if (!mkdtemp (folder))
        return -1;
    snprintf (packets, sizeof packets, "%s/a/packets", folder);
    return 0;
}

static int
tear_down (void **state)
{
    (void)state;
    char path[64];
    snprintf (path, sizeof path, "%s/a/packets", folder);
    (void)remove_tree (path);
    snprintf (path, sizeof path, "%s/a", folder);
    (void)remove_tree (path);
    return remove_tree (folder);
}

static weft_packet_store_t *
open_store (uint64_t segment_bytes)
{
    const weft_packet_store_config_t config = { .folder = packets,
                                                .segment_bytes = segment_bytes,
                                                .keep_days = 500 };
    char why[256] = "";
    int rc;
    weft_packet_store_t *store =
        weft_packet_store_new (&config, NULL, &rc, why, sizeof why);
    if (!store)
        fail_msg ("%s: %s", weft_error_name (rc), why);
    return store;
}

//  A packet of `size` bytes that only `seed` makes.
static void
make_packet (uint8_t *bytes, size_t size, uint32_t seed, weft_packet_t *packet)
{
    uint8_t sum[32];
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(seed + i * 7 + i / 251);
    weft_sha256 (bytes, size, sum);
    *packet = (weft_packet_t){ .data = bytes,
                               .size = size,
                               .topic = weft_str ("ztf_20250309_programid1"),
                               .partition = 3,
                               .position = (int64_t)seed << 40,
                               .night = 2990,
                               .received_us = 1700000000000000 + seed,
                               .stamp_us = 1600000000000000 + seed };
    memcpy (packet->sha256_8, sum, 8);
}

static void
append (weft_packet_store_t *store,
        size_t size,
        uint32_t seed,
        weft_packet_ref_t *ref)
{
    uint8_t bytes[70000];
    weft_packet_t packet;
    make_packet (bytes, size, seed, &packet);
    assert_int_equal (weft_packet_store_append (store, &packet, ref), 0);
}

static int
read_one (const weft_packet_ref_t *ref, size_t size, uint32_t seed)
{
    uint8_t bytes[70000];
    weft_packet_t packet;
    weft_buf_t found;
    weft_buf_init (&found, WEFT_PACKET_MOST);
    int rc = weft_packet_read (packets, ref, &found);
    if (!rc) {
        make_packet (bytes, size, seed, &packet);
        assert_int_equal (found.size, size);
        if (size)
            assert_memory_equal (found.data, bytes, size);
    }
    weft_buf_fini (&found);
    return rc;
}

static void
segment_path (const weft_packet_ref_t *ref, char path[WEFT_PACKET_PATH])
{
    weft_packet_path (packets, ref->segment, path);
}

static void
packets_are_found_again (void **state)
{
    (void)state;
    static const size_t sizes[] = { 1, 0, 66000, 7, 8, 9, 4096, 65535 };
    weft_packet_ref_t refs[WEFT_COUNT (sizes)];
    weft_packet_store_t *store = open_store (100000);
    for (uint32_t i = 0; i < WEFT_COUNT (sizes); i++)
        append (store, sizes[i], i, &refs[i]);
    assert_int_not_equal (refs[0].segment, refs[7].segment);
    for (int again = 0; again < 2; again++) {
        for (uint32_t i = 0; i < WEFT_COUNT (sizes); i++)
            assert_int_equal (read_one (&refs[i], sizes[i], i), 0);
        //  Nothing changes when the writer starts anew and goes on.
        weft_packet_ref_t more;
        weft_packet_store_destroy (&store);
        store = open_store (100000);
        assert_int_equal (weft_packet_store_number (store), 1);
        append (store, 100, 99, &more);
        assert_int_equal (read_one (&more, 100, 99), 0);
    }
    weft_packet_store_destroy (&store);
}

static void
a_wrong_reference_finds_nothing (void **state)
{
    (void)state;
    weft_packet_ref_t ref, other;
    weft_packet_store_t *store = open_store (1 << 20);
    append (store, 5000, 1, &ref);
    append (store, 5000, 2, &other);
    weft_packet_store_destroy (&store);
    weft_packet_ref_t wrong = ref;
    wrong.offset = other.offset;
    assert_int_equal (read_one (&wrong, 5000, 1), WEFT_EMALFORMED);
    wrong = ref;
    wrong.segment++;
    assert_int_equal (read_one (&wrong, 5000, 1), WEFT_ENOENT);
    wrong = other;
    wrong.length = 60000;
    assert_int_equal (read_one (&wrong, 5000, 2), WEFT_ENOENT);
    wrong.offset = UINT64_MAX;
    assert_int_equal (read_one (&wrong, 5000, 2), WEFT_ENOENT);
    wrong = (weft_packet_ref_t){ 0 };
    assert_int_equal (read_one (&wrong, 0, 0), WEFT_ENOENT);
    //  A byte that has changed on disk.
    char path[WEFT_PACKET_PATH];
    segment_path (&ref, path);
    int fd = open (path, O_RDWR);
    assert_int_equal (pwrite (fd, "?", 1, (off_t)ref.offset + 2500), 1);
    close (fd);
    assert_int_equal (read_one (&ref, 5000, 1), WEFT_EMALFORMED);
    assert_int_equal (read_one (&other, 5000, 2), 0);
}

//  The segment cut at every length, as a kill at that point would leave it: what
//  is whole stays, what is not goes, and the writer goes on.
static void
a_torn_tail_is_cut_off (void **state)
{
    (void)state;
    weft_packet_ref_t refs[3], more;
    weft_packet_store_t *store = open_store (1 << 20);
    for (uint32_t i = 0; i < 3; i++)
        append (store, 100 + i, i, &refs[i]);
    weft_packet_store_destroy (&store);
    char path[WEFT_PACKET_PATH];
    uint8_t whole[1024];
    segment_path (&refs[0], path);
    int fd = open (path, O_RDONLY);
    ssize_t size = pread (fd, whole, sizeof whole, 0);
    close (fd);
    assert_in_range (size, 500, sizeof whole - 1);
    for (ssize_t cut = size - 1; cut >= 0; cut--) {
        fd = open (path, O_WRONLY | O_CREAT | O_TRUNC, 0640);
        assert_int_equal (write (fd, whole, (size_t)cut), cut);
        close (fd);
        store = open_store (1 << 20);
        append (store, 300, 7, &more);
        weft_packet_store_destroy (&store);
        assert_int_equal (read_one (&more, 300, 7), 0);
        for (uint32_t i = 0; i < 3; i++) {
            uint64_t end = refs[i].offset + (100 + i + 23 + 7) / 8 * 8;
            int rc = read_one (&refs[i], 100 + i, i);
            if ((uint64_t)cut >= end)
                assert_int_equal (rc, 0);
            else
                assert_int_not_equal (rc, 0);
        }
        char other[WEFT_PACKET_PATH];
        segment_path (&more, other);
        if (strcmp (path, other) != 0)
            unlink (other);
    }
}

static size_t
count_records (const char *path, int *rc)
{
    weft_packet_record_t record;
    size_t n = 0;
    weft_packet_scan_t *scan = weft_packet_scan_new (path, rc);
    if (!scan)
        return 0;
    while ((*rc = weft_packet_scan_next (scan, &record)) == 1) {
        assert_int_equal (weft_packet_check (&record), 0);
        assert_int_equal (record.packet.night, 2990);
        assert_int_equal (record.packet.partition, 3);
        assert_int_equal (record.packet.position, (int64_t)n << 40);
        assert_int_equal (record.packet.stamp_us, 1600000000000000 + n);
        assert_int_equal (record.packet.topic.n, 23);
        assert_int_equal (record.ref.length, record.packet.size);
        n++;
    }
    weft_packet_scan_destroy (&scan);
    return n;
}

static void
a_scan_gives_every_record (void **state)
{
    (void)state;
    weft_packet_ref_t ref;
    char path[WEFT_PACKET_PATH];
    int rc;
    weft_packet_store_t *store = open_store (100 << 20);
    for (uint32_t i = 0; i < 200; i++)
        append (store, i * 331 % 69000, i, &ref);
    segment_path (&ref, path);
    assert_int_equal (count_records (path, &rc), 200);
    assert_int_equal (rc, 0);
    weft_packet_store_destroy (&store);
    assert_int_equal (truncate (path, (off_t)ref.offset + 1), 0);
    assert_int_equal (count_records (path, &rc), 199);
    assert_int_equal (rc, WEFT_ETRUNCATED);
    assert_int_equal (truncate (path, 63), 0);
    assert_int_equal (count_records (path, &rc), 0);
    assert_int_equal (rc, WEFT_ETRUNCATED);
    assert_int_equal (count_records ("/nowhere/00100001.packets", &rc), 0);
    assert_int_equal (rc, WEFT_ENOENT);
}

static void
two_writers_have_numbers_of_their_own (void **state)
{
    (void)state;
    weft_packet_ref_t a, b, c;
    weft_packet_store_t *one = open_store (1 << 20);
    weft_packet_store_t *two = open_store (1 << 20);
    append (one, 10, 1, &a);
    append (two, 20, 2, &b);
    assert_int_equal (a.segment >> 20, 1);
    assert_int_equal (b.segment >> 20, 2);
    weft_packet_store_destroy (&one);
    one = open_store (1 << 20);
    append (one, 30, 3, &c);
    assert_int_equal (c.segment, a.segment);
    weft_packet_store_destroy (&one);
    weft_packet_store_destroy (&two);
    assert_int_equal (read_one (&a, 10, 1), 0);
    assert_int_equal (read_one (&b, 20, 2), 0);
    assert_int_equal (read_one (&c, 30, 3), 0);
}

//  A limit on the size of files is what a full disk is: part of a packet fits.
static void
a_full_disk_stops_the_store (void **state)
{
    (void)state;
    weft_packet_ref_t first, ref;
    struct rlimit before, small = { 20000, 0 };
    uint8_t bytes[70000];
    weft_packet_t packet;
    char path[WEFT_PACKET_PATH];
    struct stat info;
    weft_packet_store_t *store = open_store (1 << 20);
    assert_null (weft_packet_store_stopped (store));
    append (store, 10000, 1, &first);
    assert_int_equal (getrlimit (RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &small), 0);
    make_packet (bytes, 30000, 2, &packet);
    int rc = weft_packet_store_append (store, &packet, &ref);
    int again = weft_packet_store_append (store, &packet, &ref);
    assert_int_equal (setrlimit (RLIMIT_FSIZE, &before), 0);
    assert_int_equal (rc, WEFT_EIO);
    assert_int_equal (again, WEFT_EIO);
    assert_int_equal (ref.segment, 0);
    assert_non_null (strstr (weft_packet_store_stopped (store), packets));
    segment_path (&first, path);
    assert_int_equal (stat (path, &info), 0);
    //  What was written of it is gone again.
    assert_int_equal (info.st_size, first.offset + 10000 + 24);
    assert_int_equal (read_one (&first, 10000, 1), 0);
    weft_packet_store_destroy (&store);
    store = open_store (1 << 20);
    append (store, 30000, 2, &ref);
    assert_int_equal (read_one (&ref, 30000, 2), 0);
    weft_packet_store_destroy (&store);
}

static void
little_room_stops_it_too (void **state)
{
    (void)state;
    const weft_packet_store_config_t config = { .folder = packets,
                                                .segment_bytes = 1 << 20,
                                                .free_bytes = INT64_MAX };
    uint8_t bytes[100];
    weft_packet_t packet;
    weft_packet_ref_t ref;
    char why[256];
    int rc;
    weft_packet_store_t *store =
        weft_packet_store_new (&config, NULL, &rc, why, sizeof why);
    weft_packet_store_beat (store, weft_time_ms (), true);
    assert_non_null (strstr (weft_packet_store_stopped (store), "left on"));
    make_packet (bytes, 100, 1, &packet);
    assert_int_equal (weft_packet_store_append (store, &packet, &ref),
                      WEFT_EIO);
    weft_packet_store_destroy (&store);
}

static void
set_age (uint32_t segment, double days)
{
    char path[WEFT_PACKET_PATH];
    weft_packet_path (packets, segment, path);
    struct timeval times[2];
    gettimeofday (&times[0], NULL);
    times[0].tv_sec -= (time_t)(days * 86400);
    times[1] = times[0];
    assert_int_equal (utimes (path, times), 0);
}

static void
old_segments_go (void **state)
{
    (void)state;
    weft_packet_ref_t refs[6];
    weft_packet_store_t *store = open_store (4096);
    for (uint32_t i = 0; i < 6; i++)
        append (store, 4000, i, &refs[i]);
    weft_packet_store_destroy (&store);
    for (uint32_t i = 0; i < 6; i++)
        set_age (refs[i].segment, 6 - i);
    int64_t now_us = (int64_t)(weft_time_utc () * 1e6);
    assert_int_equal (weft_packet_retain (packets, 10, 0, now_us), 0);
    assert_int_equal (weft_packet_retain (packets, 4.5, 0, now_us), 2);
    assert_int_equal (read_one (&refs[1], 4000, 1), WEFT_ENOENT);
    assert_int_equal (read_one (&refs[2], 4000, 2), 0);
    //  By bytes, but never the newest.
    assert_int_equal (weft_packet_retain (packets, 0, 9000, now_us), 2);
    assert_int_equal (read_one (&refs[3], 4000, 3), WEFT_ENOENT);
    assert_int_equal (weft_packet_retain (packets, 0, 1, now_us), 1);
    assert_int_equal (read_one (&refs[5], 4000, 5), 0);
    assert_int_equal (weft_packet_retain ("/nowhere", 1, 1, now_us), 0);
}

//  A clock that is ahead makes everything old.
static void
an_unsure_clock_removes_nothing (void **state)
{
    (void)state;
    weft_packet_ref_t refs[2];
    weft_packet_store_t *store = open_store (4096);
    for (uint32_t i = 0; i < 2; i++)
        append (store, 4000, i, &refs[i]);
    set_age (refs[0].segment, 1000);
    weft_packet_store_beat (store, weft_time_ms (), false);
    assert_int_equal (read_one (&refs[0], 4000, 0), 0);
    weft_packet_store_destroy (&store);
    store = open_store (4096);
    weft_packet_store_beat (store, weft_time_ms (), true);
    assert_int_equal (read_one (&refs[0], 4000, 0), WEFT_ENOENT);
    assert_int_equal (read_one (&refs[1], 4000, 1), 0);
    weft_packet_store_destroy (&store);
}

static void
a_segment_that_is_taken_away (void **state)
{
    (void)state;
    weft_packet_ref_t ref, next;
    char path[WEFT_PACKET_PATH];
    weft_packet_store_t *store = open_store (1 << 20);
    append (store, 100, 1, &ref);
    segment_path (&ref, path);
    assert_int_equal (unlink (path), 0);
    weft_packet_store_beat (store, weft_time_ms (), true);
    append (store, 100, 2, &next);
    assert_int_equal (read_one (&next, 100, 2), 0);
    assert_int_equal (read_one (&ref, 100, 1), WEFT_ENOENT);
    weft_packet_store_destroy (&store);
}

static void
references_as_text (void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "x",
        "00100001-64-100",
        "00100001-64-100-0123456789abcde",
        "00100001-64-100-0123456789abcdefa",
        "00000000-64-100-0123456789abcdef",
        "00100001--64-100-0123456789abcdef",
        "00100001-64-4294967295-0123456789abcdef",
        "../../etc/passwd",
    };
    weft_packet_ref_t ref = {
        0x00100001, 64, 66012, { 0x01, 0x23, 0x45, 0x67 }
    };
    weft_packet_ref_t back;
    char text[WEFT_PACKET_TEXT], again[WEFT_PACKET_TEXT];
    weft_packet_text (&ref, text);
    assert_string_equal (text, "00100001-64-66012-0123456700000000");
    assert_int_equal (weft_packet_of_text (text, &back), 0);
    weft_packet_text (&back, again);
    assert_string_equal (text, again);
    for (size_t i = 0; i < WEFT_COUNT (bad); i++)
        if (weft_packet_of_text (bad[i], &back) == 0)
            fail_msg ("'%s' is taken", bad[i]);
    assert_int_equal (weft_packet_segment_of ("00100001.packets"), 0x100001);
    assert_int_equal (weft_packet_segment_of ("0010000x.packets"), 0);
    assert_int_equal (weft_packet_segment_of ("00100001.packet"), 0);
}

static int
answer (void *arg, const char *rest, weft_buf_t *body, char *why, size_t room)
{
    weft_packet_ref_t ref;
    snprintf (why, room, "asked");
    int rc = weft_packet_of_text (rest, &ref);
    return rc ? WEFT_EUSAGE : weft_packet_read (arg, &ref, body);
}

static void
over_http (void **state)
{
    (void)state;
    weft_packet_ref_t ref, wrong;
    weft_buf_t out;
    char address[64], why[256];
    int status;
    weft_health_t *health = weft_health_new ();
    weft_http_t *http = weft_http_new ("127.0.0.1:0", health, why, sizeof why);
    assert_non_null (http);
    snprintf (address, sizeof address, "127.0.0.1:%u", weft_http_port (http));
    weft_packet_store_t *store = open_store (1 << 20);
    append (store, 66000, 5, &ref);
    weft_http_route ("/packets/", answer, packets);
    weft_buf_init (&out, WEFT_PACKET_MOST);
    const weft_packet_places_t places = { .folder = "/nowhere",
                                          .address = address,
                                          .timeout_ms = 60000 };
    weft_raw_ref_v1_t raw = { 0 };
    weft_packet_raw_ref (&ref, &raw);
    assert_int_equal (weft_packet_fetch (&places, &raw, &out), 0);
    assert_int_equal (out.size, 66000);
    wrong = ref;
    wrong.sha256_8[0] ^= 1;
    assert_int_equal (weft_packet_get (address, &wrong, 60000, &out),
                      WEFT_EMALFORMED);
    wrong.segment++;
    assert_int_equal (weft_packet_get (address, &wrong, 60000, &out),
                      WEFT_ENOENT);
    assert_int_equal (
        weft_http_fetch (address, "/packets/x", 60000, &status, &out), 0);
    assert_int_equal (status, 400);
    weft_buf_fini (&out);
    weft_buf_init (&out, 1000);
    assert_int_equal (weft_packet_get (address, &ref, 60000, &out),
                      WEFT_ETOOBIG);
    weft_http_unroute ("/packets/");
    assert_int_equal (weft_packet_get (address, &ref, 60000, &out),
                      WEFT_ENOENT);
    weft_http_destroy (&http);
    assert_int_equal (weft_packet_get (address, &ref, 60000, &out), WEFT_EDOWN);
    weft_buf_fini (&out);
    weft_packet_store_destroy (&store);
    weft_health_destroy (&health);
}

static void
a_folder_that_cannot_be (void **state)
{
    (void)state;
    char why[256], path[64];
    int rc;
    weft_packet_store_config_t config = { .folder = path };
    snprintf (path, sizeof path, "%s/file", folder);
    close (open (path, O_CREAT | O_WRONLY, 0600));
    snprintf (path, sizeof path, "%s/file/packets", folder);
    assert_null (weft_packet_store_new (&config, NULL, &rc, why, sizeof why));
    assert_int_equal (rc, WEFT_ECONFIG);
    assert_non_null (strstr (why, path));
    *strrchr (path, '/') = '\0';
    assert_null (weft_packet_store_new (&config, NULL, &rc, why, sizeof why));
    assert_int_equal (rc, WEFT_ECONFIG);
    unlink (path);
}

#define TEST(name) cmocka_unit_test_setup_teardown (name, set_up, tear_down)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        TEST (packets_are_found_again),
        TEST (a_wrong_reference_finds_nothing),
        TEST (a_torn_tail_is_cut_off),
        TEST (a_scan_gives_every_record),
        TEST (two_writers_have_numbers_of_their_own),
        TEST (a_full_disk_stops_the_store),
        TEST (little_room_stops_it_too),
        TEST (old_segments_go),
        TEST (an_unsure_clock_removes_nothing),
        TEST (a_segment_that_is_taken_away),
        TEST (references_as_text),
        TEST (over_http),
        TEST (a_folder_that_cannot_be),
    };
    weft_log_init ("test", WEFT_ERROR);
    return cmocka_run_group_tests (tests, NULL, NULL);
}
