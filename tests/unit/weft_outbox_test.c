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

//  The table as version 1 made it, with one row that is finished and one whose
//  sending was cut short.
static void
make_outbox_1 (const char *path)
{
    sqlite3 *db;
    assert_int_equal (sqlite3_open (path, &db), SQLITE_OK);
    assert_int_equal (
        sqlite3_exec (
            db,
            "CREATE TABLE outbox (id INTEGER PRIMARY KEY, sink TEXT NOT NULL,"
            " key TEXT NOT NULL, object_id TEXT NOT NULL,"
            " payload_json TEXT NOT NULL, state TEXT NOT NULL,"
            " attempts INTEGER NOT NULL DEFAULT 0,"
            " next_at REAL NOT NULL DEFAULT 0, last_status INTEGER,"
            " last_body TEXT, remote_id TEXT, created REAL NOT NULL,"
            " updated REAL NOT NULL, UNIQUE (sink, key));"
            "CREATE INDEX outbox_unfinished ON outbox (sink, state, id)"
            " WHERE state IN ('queued', 'inflight', 'verify');"
            "INSERT INTO outbox (sink, key, object_id, payload_json, state,"
            " created, updated) VALUES"
            " ('s', 'k', 'o', '{\"alert_id\":2801147336315010009}', 'done',"
            " 1, 1), ('s', 'q', 'o', '{}', 'inflight', 1, 1);"
            "PRAGMA user_version=1;",
            NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close (db);
}

static void
an_outbox_of_version_1_goes_on (void **state)
{
    (void)state;
    char why[200];
    make_outbox_1 (path_in ("outbox.db"));
    weft_outbox_t *outbox;
    for (int opened = 0; opened < 2; opened++) {
        assert_int_equal (
            weft_outbox_open (&outbox, path_in ("outbox.db"), why, 200), 0);
        int64_t waiting, id = -1;
        assert_int_equal (weft_outbox_waiting (outbox, "s", &waiting), 0);
        assert_int_equal (waiting, 1);
        weft_row_t known[] = {
            { .key = "k", .alert_id = 2801147336315010009 },
            { .key = "q", .alert_id = 0 },
        };
        for (size_t i = 0; i < WEFT_COUNT (known); i++) {
            known[i].object = "o";
            known[i].payload = "{}";
            known[i].payload_size = 2;
            assert_int_equal (weft_outbox_begin (outbox), 0);
            assert_int_equal (
                weft_outbox_add (outbox, "s", WEFT_ROW_QUEUED, &known[i], &id),
                0);
            assert_int_equal (id, 0);
            assert_int_equal (weft_outbox_commit (outbox), 0);
        }
        weft_outbox_close (&outbox);
    }
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER (a_row_does_not_wait_for_a_clock_that_is_set_back),
        IN_FOLDER (old_rows_are_pruned_and_unfinished_ones_stay),
        IN_FOLDER (an_outbox_of_version_1_goes_on),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
