//  The outbox: rows wait, are found again, and go when they are old.

#include "unit/testing.h"

#include <sqlite3.h>

#include "unit/notifier_folder.h"
#include "weft_outbox.h"

static void
count_row (void *arg, const weft_row_t *row)
{
    (void)row;
    (*(int *)arg)++;
}

#define LISTED 5000

//  What a list has given.
typedef struct {
    int n;
    uint32_t attempts;
    int64_t ids[LISTED];
    bool lost[LISTED];
    char texts[LISTED][40];
} listed_t;

static void
note_row (void *arg, const weft_row_t *row)
{
    listed_t *self = arg;
    assert_true (self->n < LISTED);
    assert_true (row->payload_size < sizeof self->texts[0]);
    memcpy (self->texts[self->n], row->payload, row->payload_size);
    self->texts[self->n][row->payload_size] = 0;
    self->lost[self->n] = row->lost;
    self->attempts = row->attempts;
    self->ids[self->n++] = row->id;
}

//  Adds a row with this number for a key and in its text.
static int64_t
add_numbered (weft_outbox_t *outbox, weft_row_state_t state, int number)
{
    char key[20], text[40];
    int64_t id;
    snprintf (key, sizeof key, "k%d", number);
    snprintf (text, sizeof text, "{\"n\":%d}", number);
    weft_row_t row = { .key = key,
                       .object = "o",
                       .payload = text,
                       .payload_size = strlen (text),
                       .created = number };
    assert_int_equal (weft_outbox_add (outbox, "s", state, &row, &id), 0);
    return id;
}

static weft_outbox_t *
open_outbox (void)
{
    char why[200] = "";
    weft_outbox_t *outbox;
    assert_int_equal (
        weft_outbox_open (&outbox, path_in ("outbox.db"), why, 200), 0);
    return outbox;
}

//  Lists all rows of a state and compares their texts with their numbers.
static int
check_texts (weft_outbox_t *outbox, weft_row_state_t state, const int *numbers)
{
    static listed_t listed;
    listed.n = 0;
    assert_int_equal (
        weft_outbox_list (outbox, "s", state, 1e9, LISTED, note_row, &listed),
        0);
    for (int i = 0; i < listed.n; i++) {
        char text[40];
        snprintf (text, sizeof text, "{\"n\":%d}", numbers[i]);
        assert_string_equal (listed.texts[i], text);
    }
    return listed.n;
}

static int
count (const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal (sqlite3_open (path_in ("outbox.db"), &db), SQLITE_OK);
    assert_int_equal (sqlite3_prepare_v2 (db, sql, -1, &statement, NULL),
                      SQLITE_OK);
    assert_int_equal (sqlite3_step (statement), SQLITE_ROW);
    int n = sqlite3_column_int (statement, 0);
    sqlite3_finalize (statement);
    sqlite3_close (db);
    return n;
}

//  Texts stand together, those of one transaction in one row: each row gets its
//  own again, also before the commit, after a rollback, and in another process.
static void
each_row_has_its_own_text (void **state)
{
    (void)state;
    static int numbers[LISTED];
    int n = 0;
    weft_outbox_t *outbox = open_outbox ();
    for (int turn = 0; turn < 40; turn++) {
        assert_int_equal (weft_outbox_begin (outbox), 0);
        for (int i = 0; i < 10; i++) {
            int number = turn * 10 + i;
            assert_true (add_numbered (outbox, WEFT_ROW_QUEUED, number) > 0);
            if (turn % 4 != 3)
                numbers[n++] = number;
            if (i == 4 && turn > 0)
                assert_int_equal (
                    add_numbered (outbox, WEFT_ROW_QUEUED, number), 0);
        }
        if (turn % 4 == 3) {
            weft_outbox_rollback (outbox);
            continue;
        }
        assert_int_equal (check_texts (outbox, WEFT_ROW_QUEUED, numbers), n);
        assert_int_equal (weft_outbox_commit (outbox), 0);
        if (turn == 20) {
            weft_outbox_close (&outbox);
            outbox = open_outbox ();
        }
    }
    assert_int_equal (check_texts (outbox, WEFT_ROW_QUEUED, numbers), n);
    weft_outbox_close (&outbox);
    assert_int_equal (
        count ("SELECT count(*) FROM outbox_json"
               " WHERE payload_json = '{\"n\":' || substr(key, 2) || '}'"),
        n);
}

static void
change (const char *sql)
{
    sqlite3 *db;
    assert_int_equal (sqlite3_open (path_in ("outbox.db"), &db), SQLITE_OK);
    assert_int_equal (sqlite3_exec (db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close (db);
}

//  Whatever the damage: no texts, too few bytes, places beyond any of them.
static void
a_row_without_its_text_is_told_of (void **state)
{
    (void)state;
    static listed_t listed;
    weft_outbox_t *outbox = open_outbox ();
    for (int i = 0; i < 6; i++) {
        assert_int_equal (weft_outbox_begin (outbox), 0);
        assert_int_equal (add_numbered (outbox, WEFT_ROW_QUEUED, i), i + 1);
        assert_int_equal (weft_outbox_commit (outbox), 0);
    }
    change ("DELETE FROM texts WHERE last = 1;"
            "UPDATE texts SET bytes = x'7b' WHERE last = 2;"
            "UPDATE outbox SET text_at = 9223372036854775807 WHERE id = 3;"
            "UPDATE outbox SET text_size = 9223372036854775807, text_at = 1"
            " WHERE id = 4;"
            "UPDATE outbox SET text_at = -1 WHERE id = 5;");
    listed.n = 0;
    assert_int_equal (weft_outbox_list (outbox, "s", WEFT_ROW_QUEUED, 1e9,
                                        LISTED, note_row, &listed),
                      0);
    assert_int_equal (listed.n, 6);
    for (int i = 0; i < 6; i++) {
        assert_int_equal (listed.lost[i], i < 5);
        assert_string_equal (listed.texts[i], i < 5 ? "" : "{\"n\":5}");
    }
    weft_outbox_close (&outbox);
}

//  What is undone leaves no text behind, whatever is asked next.
static void
texts_of_what_is_undone_are_not_written (void **state)
{
    (void)state;
    weft_outbox_t *outbox = open_outbox ();
    assert_int_equal (weft_outbox_begin (outbox), 0);
    add_numbered (outbox, WEFT_ROW_QUEUED, 1);
    weft_outbox_rollback (outbox);
    assert_int_equal (check_texts (outbox, WEFT_ROW_QUEUED, NULL), 0);
    assert_int_equal (count ("SELECT count(*) FROM texts"), 0);
    weft_outbox_close (&outbox);
}

//  A transaction with more text than one row of texts takes.
static void
long_texts_have_rows_of_their_own (void **state)
{
    (void)state;
    enum { SIZE = 50000, ROWS = 12 };
    weft_outbox_t *outbox = open_outbox ();
    char *text = malloc (SIZE);
    assert_non_null (text);
    assert_int_equal (weft_outbox_begin (outbox), 0);
    for (int i = 0; i < ROWS; i++) {
        char key[20];
        int64_t id;
        snprintf (key, sizeof key, "k%d", i);
        memset (text, 'a' + i, SIZE);
        weft_row_t row = {
            .key = key, .object = "o", .payload = text, .payload_size = SIZE
        };
        assert_int_equal (
            weft_outbox_add (outbox, "s", WEFT_ROW_QUEUED, &row, &id), 0);
    }
    free (text);
    assert_int_equal (weft_outbox_commit (outbox), 0);
    weft_outbox_close (&outbox);
    assert_int_equal (count ("SELECT count(*) FROM texts"), 4);
    assert_int_equal (
        count ("SELECT count(*) FROM outbox_json WHERE payload_json"
               " = replace(hex(zeroblob(25000)), '0',"
               " char(97 + substr(key, 2)))"),
        ROWS);
}

//  A run is moved as a whole, and only if it is what it is said to be.
static void
a_run_is_moved_or_nothing_is (void **state)
{
    (void)state;
    int64_t ids[10];
    weft_outbox_t *outbox = open_outbox ();
    assert_int_equal (weft_outbox_begin (outbox), 0);
    for (int i = 0; i < 10; i++)
        ids[i] = add_numbered (
            outbox, i == 5 ? WEFT_ROW_SKIPPED : WEFT_ROW_INFLIGHT, i);
    assert_int_equal (weft_outbox_commit (outbox), 0);
    weft_run_t run = { WEFT_ROW_INFLIGHT, ids[1], ids[8], 8 };
    assert_int_equal (weft_outbox_begin (outbox), 0);
    assert_int_equal (
        weft_outbox_move_run (outbox, "s", &run, WEFT_ROW_DONE, 1), WEFT_EBUG);
    assert_false (weft_outbox_changing (outbox));
    assert_int_equal (
        count ("SELECT count(*) FROM outbox WHERE state = 'inflight'"), 9);
    run.n = 7;
    assert_int_equal (weft_outbox_begin (outbox), 0);
    assert_int_equal (
        weft_outbox_move_run (outbox, "s", &run, WEFT_ROW_DONE, 1), 0);
    assert_int_equal (weft_outbox_commit (outbox), 0);
    assert_int_equal (count ("SELECT count(*) FROM outbox WHERE state = 'done'"
                             " AND attempts = 1 AND id BETWEEN 2 AND 9"),
                      7);
    weft_outbox_close (&outbox);
}

//  Texts go with the last of their rows, wherever prune's windows end.
static void
texts_go_with_their_rows (void **state)
{
    (void)state;
    uint32_t deleted;
    int64_t id = 0, late = 0;
    weft_outbox_t *outbox = open_outbox ();
    assert_int_equal (weft_outbox_begin (outbox), 0);
    for (int i = 0; i < 4500; i++) {
        id = add_numbered (outbox,
                           i == 700 ? WEFT_ROW_QUEUED : WEFT_ROW_SKIPPED, i);
        late = i == 700 ? id : late;
    }
    assert_int_equal (weft_outbox_commit (outbox), 0);
    assert_int_equal (count ("SELECT count(*) FROM texts"), 1);
    for (int k = 0; k < 5; k++)
        assert_int_equal (weft_outbox_prune (outbox, 1e9, 1000000, &deleted),
                          0);
    assert_int_equal (count ("SELECT count(*) FROM outbox"), 1);
    assert_int_equal (check_texts (outbox, WEFT_ROW_QUEUED, &(int){ 700 }), 1);
    //  Its id is not used again while its neighbours' texts are there.
    weft_outbox_close (&outbox);
    outbox = open_outbox ();
    assert_int_equal (weft_outbox_begin (outbox), 0);
    assert_int_equal (add_numbered (outbox, WEFT_ROW_QUEUED, 9000), id + 1);
    assert_int_equal (
        weft_outbox_move (outbox, late, WEFT_ROW_DONE, 1, 0, 0, NULL), 0);
    assert_int_equal (weft_outbox_commit (outbox), 0);
    for (int k = 0; k < 5; k++)
        assert_int_equal (weft_outbox_prune (outbox, 1e9, 1000000, &deleted),
                          0);
    assert_int_equal (check_texts (outbox, WEFT_ROW_QUEUED, &(int){ 9000 }), 1);
    assert_int_equal (count ("SELECT count(*) FROM texts"), 1);
    weft_outbox_close (&outbox);
}

static int
rows_due (weft_outbox_t *outbox, double now)
{
    int n = 0;
    assert_int_equal (
        weft_outbox_list (outbox, "s", WEFT_ROW_QUEUED, now, 10, count_row, &n),
        0);
    return n;
}

//  A row that waits for a minute does not wait for the hours by which the clock
//  is set back meanwhile.
static void
a_row_does_not_wait_for_a_clock_that_is_set_back (void **state)
{
    (void)state;
    char why[200];
    int64_t id;
    weft_outbox_t *outbox;
    weft_row_t row = {
        .key = "k", .object = "o", .payload = "{}", .payload_size = 2
    };
    assert_int_equal (
        weft_outbox_open (&outbox, path_in ("outbox.db"), why, 200), 0);
    assert_int_equal (weft_outbox_begin (outbox), 0);
    assert_int_equal (
        weft_outbox_add (outbox, "s", WEFT_ROW_INFLIGHT, &row, &id), 0);
    assert_int_equal (weft_outbox_move (outbox, id, WEFT_ROW_QUEUED, 1e6,
                                        1e6 + 60, 503, NULL),
                      0);
    assert_int_equal (weft_outbox_commit (outbox), 0);
    assert_int_equal (rows_due (outbox, 1e6 + 59), 0);
    assert_int_equal (rows_due (outbox, 1e6 + 60), 1);
    assert_int_equal (rows_due (outbox, 1e6 - 5), 0);
    assert_int_equal (rows_due (outbox, 1e6 - 7200), 1);
    weft_outbox_close (&outbox);
}

static void
old_rows_are_pruned_and_unfinished_ones_stay (void **state)
{
    (void)state;
    char why[200];
    weft_outbox_t *outbox;
    assert_int_equal (
        weft_outbox_open (&outbox, path_in ("outbox.db"), why, 200), 0);
    assert_int_equal (weft_outbox_begin (outbox), 0);
    int64_t id;
    for (int i = 0; i < 6000; i++) {
        char key[20];
        snprintf (key, sizeof key, "k%d", i);
        weft_row_t row = {
            .key = key, .object = "o", .payload = "{}", .payload_size = 2
        };
        row.created = i;
        assert_int_equal (
            weft_outbox_add (outbox, "s",
                             i % 10 ? WEFT_ROW_SKIPPED : WEFT_ROW_QUEUED, &row,
                             &id),
            0);
    }
    assert_int_equal (weft_outbox_commit (outbox), 0);
    uint32_t deleted, total = 0;
    for (int k = 0; k < 3; k++) {
        assert_int_equal (weft_outbox_prune (outbox, 1000, 1000000, &deleted),
                          0);
        total += deleted;
    }
    assert_int_equal (total, 900);
    for (int k = 0; k < 4; k++) {
        assert_int_equal (weft_outbox_prune (outbox, 0, 2000, &deleted), 0);
        total += deleted;
    }
    assert_int_equal (total, 3600);
    int64_t waiting;
    assert_int_equal (weft_outbox_waiting (outbox, "s", &waiting), 0);
    assert_int_equal (waiting, 600);
    weft_outbox_close (&outbox);
}

//  The table as an earlier version made it, with one row that is finished and
//  one whose sending was cut short.
static void
make_earlier (const char *path, int version)
{
    sqlite3 *db;
    char sql[2000];
    snprintf (
        sql, sizeof sql,
        "CREATE TABLE outbox (id INTEGER PRIMARY KEY, sink TEXT NOT NULL,"
        " key TEXT NOT NULL, object_id TEXT NOT NULL,"
        " payload_json TEXT NOT NULL, state TEXT NOT NULL,"
        " attempts INTEGER NOT NULL DEFAULT 0,"
        " next_at REAL NOT NULL DEFAULT 0, last_status INTEGER,"
        " last_body TEXT, remote_id TEXT, created REAL NOT NULL,"
        " updated REAL NOT NULL%s);"
        "CREATE INDEX outbox_unfinished ON outbox (sink, state, id)"
        " WHERE state IN ('queued', 'inflight', 'verify');"
        "INSERT INTO outbox (id, sink, key, object_id, payload_json, state,"
        " attempts, created, updated%s) VALUES"
        " (4, 's', 'k', 'o', '{\"alert_id\":2801147336315010009}', 'done',"
        " 1, 1, 1%s), (7, 's', 'q', 'o', '{\"name\":\"\u00e9\"}', 'inflight',"
        " 2, 1, 1%s);"
        "PRAGMA user_version=%d;",
        version == 1 ? ", UNIQUE (sink, key)"
                     : ", alert_id INTEGER NOT NULL,"
                       " UNIQUE (alert_id, sink, key)",
        version == 1 ? "" : ", alert_id",
        version == 1 ? "" : ", 2801147336315010009", version == 1 ? "" : ", 0",
        version);
    assert_int_equal (sqlite3_open (path, &db), SQLITE_OK);
    assert_int_equal (sqlite3_exec (db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close (db);
}

//  A key that the earlier version had written is known.
static void
assert_known (weft_outbox_t *outbox, const char *key, int64_t alert_id)
{
    int64_t id = -1;
    weft_row_t row = { .key = key,
                       .object = "o",
                       .payload = "{}",
                       .payload_size = 2,
                       .alert_id = alert_id };
    assert_int_equal (weft_outbox_begin (outbox), 0);
    assert_int_equal (weft_outbox_add (outbox, "s", WEFT_ROW_QUEUED, &row, &id),
                      0);
    assert_int_equal (id, 0);
    assert_int_equal (weft_outbox_commit (outbox), 0);
}

static void
check_earlier (int version)
{
    char why[200];
    make_earlier (path_in ("outbox.db"), version);
    weft_outbox_t *outbox;
    for (int opened = 0; opened < 2; opened++) {
        listed_t listed = { 0 };
        assert_int_equal (
            weft_outbox_open (&outbox, path_in ("outbox.db"), why, 200), 0);
        assert_int_equal (weft_outbox_list (outbox, "s", WEFT_ROW_VERIFY, 1e9,
                                            10, note_row, &listed),
                          0);
        assert_int_equal (listed.n, 1);
        assert_int_equal (listed.ids[0], 7);
        assert_int_equal (listed.attempts, 2);
        assert_string_equal (listed.texts[0], "{\"name\":\"\u00e9\"}");
        assert_known (outbox, "k", 2801147336315010009);
        assert_known (outbox, "q", 0);
        weft_outbox_close (&outbox);
    }
}

static void
an_outbox_of_version_1_goes_on (void **state)
{
    (void)state;
    check_earlier (1);
}

static void
an_outbox_of_version_2_goes_on (void **state)
{
    (void)state;
    check_earlier (2);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER (a_row_does_not_wait_for_a_clock_that_is_set_back),
        IN_FOLDER (old_rows_are_pruned_and_unfinished_ones_stay),
        IN_FOLDER (each_row_has_its_own_text),
        IN_FOLDER (a_row_without_its_text_is_told_of),
        IN_FOLDER (texts_of_what_is_undone_are_not_written),
        IN_FOLDER (long_texts_have_rows_of_their_own),
        IN_FOLDER (a_run_is_moved_or_nothing_is),
        IN_FOLDER (texts_go_with_their_rows),
        IN_FOLDER (an_outbox_of_version_1_goes_on),
        IN_FOLDER (an_outbox_of_version_2_goes_on),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
