//  The sink of JSON lines: whole lines only, each key once, a file a day.

#include "unit/testing.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "unit/notifier_folder.h"
#include "weft_outbox.h"
#include "weft_time.h"

static weft_row_t
line (const char *key, const char *payload, double created)
{
    return (weft_row_t){ .key = key,
                         .object = "o",
                         .payload = payload,
                         .payload_size = strlen (payload),
                         .created = created };
}

static void *
open_jsonl (const char *path)
{
    char why[100];
    void *sink;
    weft_sink_option_t option = jsonl_option ("s", path);
    assert_int_equal (weft_sink_jsonl.open (&sink, &option, why, sizeof why),
                      0);
    return sink;
}

static void
a_torn_line_is_cut_off_and_keys_are_found (void **state)
{
    (void)state;
    FILE *file = fopen (path_in ("all.jsonl"), "w");
    fprintf (file,
             "{\"key\":\"a\"}\n{\"key\":\"b\",\"x\":\"{\"}\n{\"key\":\"c");
    fclose (file);
    void *sink = open_jsonl (path_in ("all.jsonl"));
    weft_row_t rows[] = { line ("a", "{\"key\":\"a\"}", 0),
                          line ("b", "{\"key\":\"b\"}", 0),
                          line ("c", "{\"key\":\"c\"}", 0) };
    weft_answer_t answers[3];
    assert_int_equal (weft_sink_jsonl.verify (sink, rows, 3, answers), 0);
    assert_int_equal (answers[0].sent, WEFT_SENT_DONE);
    assert_int_equal (answers[1].sent, WEFT_SENT_DONE);
    assert_int_equal (answers[2].sent, WEFT_SENT_RETRY);
    weft_sink_jsonl.send (sink, &rows[2], 1, answers);
    assert_int_equal (answers[0].sent, WEFT_SENT_DONE);
    weft_sink_jsonl.close (&sink);
    struct stat status;
    assert_int_equal (stat (path_in ("all.jsonl"), &status), 0);
    assert_int_equal (status.st_size, 12 + 20 + 12);
}

static void
a_file_that_is_full_keeps_no_half_batch (void **state)
{
    (void)state;
    pid_t child = fork ();
    if (child == 0) {
        signal (SIGXFSZ, SIG_IGN);
        void *sink = open_jsonl (path_in ("all.jsonl"));
        weft_row_t rows[] = { line ("a", "{\"key\":\"a\"}", 0),
                              line ("b", "{\"key\":\"b\"}", 0) };
        weft_answer_t answers[2];
        struct rlimit limit = { 18, RLIM_INFINITY };
        struct stat status;
        if (setrlimit (RLIMIT_FSIZE, &limit))
            _exit (1);
        weft_sink_jsonl.send (sink, rows, 2, answers);
        if (answers[0].sent != WEFT_SENT_RETRY || answers[1].status != EFBIG)
            _exit (2);
        if (stat (path_in ("all.jsonl"), &status) || status.st_size != 0)
            _exit (3);
        limit.rlim_cur = RLIM_INFINITY;
        if (setrlimit (RLIMIT_FSIZE, &limit))
            _exit (4);
        weft_sink_jsonl.send (sink, rows, 2, answers);
        if (answers[1].sent != WEFT_SENT_DONE)
            _exit (5);
        weft_sink_jsonl.close (&sink);
        _exit (0);
    }
    int status;
    assert_int_equal (waitpid (child, &status, 0), child);
    assert_true (WIFEXITED (status));
    assert_int_equal (WEXITSTATUS (status), 0);
}

static void
a_row_goes_to_the_file_of_its_day (void **state)
{
    (void)state;
    void *sink = open_jsonl (path_in ("d-{day}.jsonl"));
    weft_row_t rows[] = { line ("a", "{\"key\":\"a\"}", 10),
                          line ("b", "{\"key\":\"b\"}", 86410) };
    weft_answer_t answers[2];
    weft_sink_jsonl.send (sink, rows, 2, answers);
    assert_int_equal (answers[1].sent, WEFT_SENT_DONE);
    assert_int_equal (weft_sink_jsonl.verify (sink, rows, 2, answers), 0);
    assert_int_equal (answers[0].sent, WEFT_SENT_DONE);
    assert_int_equal (answers[1].sent, WEFT_SENT_DONE);
    weft_sink_jsonl.close (&sink);
    struct stat status;
    assert_int_equal (stat (path_in ("d-19700101.jsonl"), &status), 0);
    assert_int_equal (stat (path_in ("d-19700102.jsonl"), &status), 0);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER (a_torn_line_is_cut_off_and_keys_are_found),
        IN_FOLDER (a_file_that_is_full_keeps_no_half_batch),
        IN_FOLDER (a_row_goes_to_the_file_of_its_day),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
