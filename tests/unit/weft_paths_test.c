//  What a folder has that cannot be read: each is one message with its reason,
//  and costs no other.

#include "unit/testing.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit/remove_tree.h"
#include "weft_input.h"
#include "weft_paths.h"

#define NOBODY 65534

typedef struct {
    char folder[64];
    char path[200];
} bench_t;

static char *
path_of (bench_t *bench, const char *name)
{
    snprintf (bench->path, sizeof (bench->path), "%s/%s", bench->folder, name);
    return bench->path;
}

static void
put_file (bench_t *bench, const char *name, const void *data, size_t size)
{
    FILE *file = fopen (path_of (bench, name), "wb");
    assert_non_null (file);
    fwrite (data, 1, size, file);
    assert_int_equal (fclose (file), 0);
}

static int
setup (void **state)
{
    bench_t *bench = calloc (1, sizeof (*bench));
    snprintf (bench->folder, sizeof (bench->folder), "/tmp/weft-paths-XXXXXX");
    *state = bench;
    if (!mkdtemp (bench->folder))
        return -1;
    mkdir (path_of (bench, "in"), 0700);
    put_file (bench, "a", "packet a", 8);
    put_file (bench, "in/b", "packet b", 8);
    return 0;
}

static int
teardown (void **state)
{
    bench_t *bench = *state;
    (void)chmod (path_of (bench, "in"), 0700);
    (void)remove_tree (bench->folder);
    free (bench);
    return 0;
}

#define FOUND_MOST 2000

//  One line a message: its path in the folder, and its bytes or the reason.
static void
list_messages (bench_t *bench, const char *name, char found[FOUND_MOST])
{
    char why[WEFT_INPUT_WHY] = "";
    size_t n = 0, skip = strlen (bench->folder) + 1;
    char *paths[] = { path_of (bench, name) };
    weft_message_t message;
    weft_input_t *input = weft_input_files (paths, 1, why);
    *found = '\0';
    if (!input)
        snprintf (found, FOUND_MOST, "no input: %s", why);
    while (input && n < FOUND_MOST && input->next (input, &message) == 1) {
        n += (size_t)snprintf (
            found + n, FOUND_MOST - n, "%s: %.*s\n",
            message.path + WEFT_MIN (strlen (message.path), skip),
            message.why ? 100 : (int)message.size,
            message.why ? message.why : (const char *)message.data);
        input->advance (input, 1);
    }
    if (input)
        weft_input_destroy (&input);
}

static void
assert_messages (bench_t *bench, const char *name, const char *expected)
{
    char found[FOUND_MOST];
    list_messages (bench, name, found);
    assert_string_equal (found, expected);
}

static void
link_to (bench_t *bench, const char *to, const char *name)
{
    assert_int_equal (symlink (to, path_of (bench, name)), 0);
}

//  Two of them would be 2^32 paths down to where it is too deep.
static void
a_link_back_is_one_item (void **state)
{
    bench_t *bench = *state;
    link_to (bench, ".", "here");
    link_to (bench, "..", "in/up");
    assert_messages (bench, "",
                     "a: packet a\n"
                     "here: a link to a folder that it is in\n"
                     "in/b: packet b\n"
                     "in/up: a link to a folder that it is in\n");
    //  What leads elsewhere is followed.
    link_to (bench, "in", "other");
    assert_int_equal (unlink (path_of (bench, "in/up")), 0);
    assert_messages (bench, "",
                     "a: packet a\n"
                     "here: a link to a folder that it is in\n"
                     "in/b: packet b\n"
                     "other/b: packet b\n");
}

static void
too_deep_is_one_item (void **state)
{
    bench_t *bench = *state;
    char deep[200] = "in", expected[400];
    size_t n = 2;
    while (n < 2 + 2 * WEFT_PATHS_DEPTH) {
        n += (size_t)snprintf (deep + n, sizeof (deep) - n, "/d");
        assert_int_equal (mkdir (path_of (bench, deep), 0700), 0);
    }
    snprintf (expected, sizeof (expected),
              "a: packet a\nin/b: packet b\n%s: nested too deeply\n", deep);
    assert_messages (bench, "", expected);
}

//  Root may read everything: as somebody else, in a process of its own.
static void
as_nobody (bench_t *bench, const char *name, const char *expected)
{
    assert_int_equal (chmod (bench->folder, 0755), 0);
    assert_int_equal (chmod (path_of (bench, "a"), 0644), 0);
    assert_int_equal (chmod (path_of (bench, "in"), 0), 0);
    pid_t pid = fork ();
    assert_true (pid >= 0);
    if (!pid) {
        if (!geteuid () && setuid (NOBODY))
            _exit (2);
        //  A failed assertion would go on with the tests in here.
        char found[FOUND_MOST];
        list_messages (bench, name, found);
        _exit (strcmp (found, expected) ? 1 : 0);
    }
    int status = 0;
    assert_int_equal (waitpid (pid, &status, 0), pid);
    assert_int_equal (status, 0);
}

static void
a_folder_without_rights_is_one_item (void **state)
{
    as_nobody (*state, "", "a: packet a\nin: Permission denied\n");
}

static void
a_named_folder_without_rights_is_one_item (void **state)
{
    as_nobody (*state, "in", "in: Permission denied\n");
    as_nobody (*state, "in/b", "in/b: Permission denied\n");
}

//  On one that leads nowhere, on itself, on no file; and what is no file.
static void
what_is_no_file_is_one_item (void **state)
{
    bench_t *bench = *state;
    link_to (bench, "gone", "lost");
    link_to (bench, "self", "self");
    link_to (bench, "/dev/null", "null");
    link_to (bench, "a", "to_a");
    link_to (bench, "gone", ".hidden");
    assert_int_equal (mkfifo (path_of (bench, "pipe"), 0600), 0);
    assert_messages (bench, "",
                     "a: packet a\n"
                     "in/b: packet b\n"
                     "lost: No such file or directory\n"
                     "null: no file\n"
                     "pipe: no file\n"
                     "self: Too many levels of symbolic links\n"
                     "to_a: packet a\n");
    assert_messages (bench, "self",
                     "self: Too many levels of symbolic links\n");
    (void)unlink (path_of (bench, ".hidden"));
}

//  Named, it is not waited on until somebody writes into it.
static void
a_named_pipe_is_not_waited_on (void **state)
{
    bench_t *bench = *state;
    assert_int_equal (mkfifo (path_of (bench, "pipe"), 0600), 0);
    (void)alarm (60);
    assert_messages (bench, "pipe", "pipe: no file\n");
    //  Nor is what somebody has written taken out of it.
    int fd = open (path_of (bench, "pipe"), O_RDWR | O_NONBLOCK);
    char byte = 0;
    assert_true (fd >= 0);
    assert_int_equal (write (fd, "x", 1), 1);
    assert_messages (bench, "pipe", "pipe: no file\n");
    assert_int_equal (read (fd, &byte, 1), 1);
    close (fd);
    (void)alarm (0);
}

static void
a_named_socket_is_no_file (void **state)
{
    bench_t *bench = *state;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket (AF_UNIX, SOCK_STREAM, 0);
    snprintf (address.sun_path, sizeof (address.sun_path), "%.90s",
              path_of (bench, "socket"));
    assert_int_equal (bind (fd, (void *)&address, sizeof (address)), 0);
    assert_messages (bench, "socket", "socket: no file\n");
    close (fd);
}

//  As on standard input, where zeros are passed over; a packet that a disk has
//  lost is told of.
static void
an_empty_archive_is_passed_over (void **state)
{
    bench_t *bench = *state;
    static const uint8_t zeros[10752];
    static const size_t empty[] = { 1024, 10240 };
    static const size_t lost[] = { 512, 1023, 1025, 10752 };
    for (size_t i = 0; i < WEFT_COUNT (empty); i++) {
        put_file (bench, "e.tar", zeros, empty[i]);
        assert_messages (bench, "", "a: packet a\nin/b: packet b\n");
        assert_messages (bench, "e.tar", "");
    }
    for (size_t i = 0; i < WEFT_COUNT (lost); i++) {
        put_file (bench, "e.tar", zeros, lost[i]);
        assert_messages (bench, "e.tar", "e.tar: \n");
    }
}

int
main (void)
{
#define T(name) cmocka_unit_test_setup_teardown (name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T (a_link_back_is_one_item),
        T (too_deep_is_one_item),
        T (a_folder_without_rights_is_one_item),
        T (what_is_no_file_is_one_item),
        T (an_empty_archive_is_passed_over),
        T (a_named_pipe_is_not_waited_on),
        T (a_named_socket_is_no_file),
        T (a_named_folder_without_rights_is_one_item),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
