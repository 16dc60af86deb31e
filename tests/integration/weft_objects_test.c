//  weft_objects_test.c - histories that several writers merge into.
//
//  Each round, writers read objects, merge packets of their own and store them;
//  in the end Redis has what one curve has that was given all of the packets.

#include "../unit/testing.h"

#include "both.h"
#include "weft_log.h"
#include "weft_objects.h"

enum {
    OBJECTS = 5,
    LONG = 150,
    WRITERS = 3,
    ROUNDS = 60,
    ROWS = 4,
    ROW_BYTES = offsetof (weft_point_t, known_at) + 4,  //  without the padding
};

//  The linker leads realloc here: the one that is counted down to fails.
void *__real_realloc (void *memory, size_t size);
void *__wrap_realloc (void *memory, size_t size);
static int reallocs_left = -1;

void *
__wrap_realloc (void *memory, size_t size)
{
    if (reallocs_left >= 0 && reallocs_left-- == 0)
        return NULL;
    return __real_realloc (memory, size);
}

static weft_objects_t *writers[WRITERS];
static weft_batch_t *batches[WRITERS];
static char names[OBJECTS][16];

static weft_point_t
point (int64_t key, int64_t version)
{
    weft_point_t row = weft_point_none ();
    row.kind = WEFT_KIND_D;
    row.key = row.id = key;
    row.mjd = 59000 + (double)key;
    row.ver[0] = version;
    row.flux = (float)(1000 * version + key);
    row.prog = 1;
    row.known_at = 1000;
    return row;
}

static void
open_writers (void)
{
    for (int w = 0; w < WRITERS; w++) {
        writers[w] = weft_objects_new ();
        batches[w] = weft_batch_new (redis, 0);
        assert_true (writers[w] && batches[w]);
    }
    for (int i = 0; i < OBJECTS; i++)
        snprintf (names[i], sizeof (names[i]), "object%d", i);
}

static void
close_writers (void)
{
    for (int w = 0; w < WRITERS; w++) {
        weft_objects_destroy (&writers[w]);
        weft_batch_destroy (&batches[w]);
    }
}

static void
read_all (int w)
{
    weft_objects_clear (writers[w]);
    weft_batch_clear (batches[w]);
    for (size_t i = 0; i < OBJECTS; i++)
        assert_int_equal (weft_objects_find (writers[w], weft_str ("ztf"),
                                             weft_str (names[i])),
                          i);
    assert_int_equal (weft_objects_ask (writers[w], batches[w]), 0);
    assert_int_equal (weft_batch_run (batches[w]), 0);
    assert_int_equal (weft_objects_answer (writers[w], batches[w]), 0);
}

static void
give (
    int w, size_t object, weft_curve_t *all, const weft_point_t *rows, size_t n)
{
    weft_point_t *copy = malloc (2 * n * sizeof (*copy));
    memcpy (copy, rows, n * sizeof (*copy));
    memcpy (copy + n, rows, n * sizeof (*copy));
    assert_int_equal (weft_objects_merge (writers[w], object, copy, n), 0);
    assert_int_equal (weft_curve_merge (&all[object], copy + n, n, NULL), 0);
    free (copy);
}

//  Does what stands in Redis have more than its first piece?
static bool
has_pieces (size_t object)
{
    read_all (0);
    return weft_objects_curve (writers[0], object)->n_added > 0;
}

static void
assert_stored (weft_curve_t *all)
{
    read_all (0);
    for (size_t i = 0; i < OBJECTS; i++) {
        const weft_curve_t *curve = weft_objects_curve (writers[0], i);
        assert_int_equal (curve->n, all[i].n);
        for (size_t k = 0; k < curve->n; k++)
            assert_memory_equal (&curve->rows[k], &all[i].rows[k], ROW_BYTES);
        weft_curve_fini (&all[i]);
    }
}

static void
begin (weft_curve_t *all)
{
    weft_point_t rows[LONG];
    open_writers ();
    read_all (0);
    for (size_t i = 0; i < OBJECTS; i++) {
        for (int k = 0; k < LONG; k++)
            rows[k] = point (2 * k, 1);
        //  One has no history, one a short one.
        if (i)
            give (0, i, all, rows, i == 1 ? 3 : LONG);
    }
    assert_int_equal (weft_objects_store (writers[0], batches[0]), 0);
}

static void
writers_that_race_lose_nothing (void **state)
{
    (void)state;
    weft_curve_t all[OBJECTS] = { 0 };
    unsigned seed = 3;
    begin (all);
    for (int round = 0; round < ROUNDS; round++) {
        //  All have read before the first one writes.
        for (int w = 0; w < WRITERS; w++)
            read_all (w);
        for (int w = 0; w < WRITERS; w++) {
            for (size_t i = 0; i < OBJECTS; i++) {
                weft_point_t rows[ROWS];
                for (int k = 0; k < ROWS; k++) {
                    seed = seed * 1103515245 + 12345;
                    rows[k] = point (seed >> 8 & 511, seed >> 20 & 3);
                }
                if ((seed >> 16 & 3) > 0)
                    give (w, i, all, rows, ROWS);
            }
            assert_int_equal (weft_objects_store (writers[w], batches[w]), 0);
            assert_int_equal (weft_objects_store (writers[w], batches[w]), 0);
        }
    }
    assert_stored (all);
    close_writers ();
}

//  What is added goes into the room behind, until that is full.
static void
little_is_added_in_place (void **state)
{
    (void)state;
    weft_curve_t all[OBJECTS] = { 0 };
    begin (all);
    size_t in_place = 0, anew = 0;
    for (int n = 0; n < 40; n++) {
        const weft_point_t row = point (1000 + n, 1);
        //  Twice without reading in between, as a batch with moves does.
        if (n % 2 == 0)
            read_all (1);
        give (1, 2, all, &row, 1);
        assert_int_equal (weft_objects_store (writers[1], batches[1]), 0);
        if (has_pieces (2))
            in_place++;
        else
            anew++;
    }
    assert_true (in_place > 3 * anew);
    assert_true (anew > 1);
    assert_stored (all);
    close_writers ();
}

//  A put that has failed is done again from what stands in Redis, not from what
//  was to stand there.
static void
a_put_that_failed_is_done_again (void **state)
{
    (void)state;
    weft_curve_t all[OBJECTS] = { 0 };
    begin (all);
    weft_redis_t *none = weft_redis_new ("unix:/nowhere/redis.sock", NULL);
    weft_batch_t *dead = none ? weft_batch_new (none, 0) : NULL;
    assert_non_null (dead);
    for (int n = 0; n < 30; n++) {
        const weft_point_t row = point (1000 + n, 1);
        read_all (1);
        for (size_t i = 0; i < OBJECTS; i++)
            give (1, i, all, &row, 1);
        assert_int_equal (weft_objects_store (writers[1], dead), WEFT_EDOWN);
        assert_int_equal (weft_objects_store (writers[1], dead), WEFT_EDOWN);
        assert_int_equal (weft_objects_store (writers[1], batches[1]), 0);
    }
    assert_stored (all);
    weft_batch_destroy (&dead);
    weft_redis_destroy (&none);
    close_writers ();
}

//  Rows that each packet renews do not fill the room.
static void
what_comes_anew_is_written_over (void **state)
{
    (void)state;
    weft_curve_t all[OBJECTS] = { 0 };
    weft_point_t rows[12];
    begin (all);
    size_t anew = 0;
    for (int n = 0; n < 40; n++) {
        for (int k = 0; k < 11; k++)
            rows[k] = point (2 * k, 2 + n);
        rows[11] = point (1000, 1 + n);
        read_all (1);
        give (1, 2, all, rows, 12);
        assert_int_equal (weft_objects_store (writers[1], batches[1]), 0);
        anew += !has_pieces (2);
    }
    assert_true (anew < 5);
    assert_stored (all);
    close_writers ();
}

//  One piece instead of several is shorter than they were, and the next put from
//  the same objects goes behind it, not behind the gap.
static void
a_shorter_piece_leaves_no_gap (void **state)
{
    (void)state;
    weft_curve_t all[OBJECTS] = { 0 };
    weft_point_t rows[6];
    begin (all);
    for (int n = 0; n < 6; n++) {
        for (int k = 0; k < 6; k++)
            rows[k] = point (2 * k, 2 + n);
        read_all (1);
        give (1, 2, all, rows, 6);
        assert_int_equal (weft_objects_store (writers[1], batches[1]), 0);
        const weft_point_t row = point (1000 + n, 1);
        if (n == 2 || n == 5) {
            give (1, 2, all, &row, 1);
            assert_int_equal (weft_objects_store (writers[1], batches[1]), 0);
            assert_true (has_pieces (2));
        }
    }
    assert_stored (all);
    close_writers ();
}

//  Without memory for the news the rows go with the next whole, not with none.
static void
rows_that_found_no_memory_are_stored (void **state)
{
    (void)state;
    enum { NEW = 10 };
    weft_point_t rows[NEW];
    weft_curve_t all[OBJECTS] = { 0 };
    int halves = 0;
    begin (all);
    for (int nth = 0; nth < 4; nth++) {
        weft_objects_destroy (&writers[1]);
        assert_non_null (writers[1] = weft_objects_new ());
        read_all (1);
        for (int k = 0; k < NEW; k++)
            rows[k] = point (2000 + 100 * nth + k, 1);
        assert_int_equal (weft_curve_merge (&all[2], rows, NEW, NULL), 0);
        reallocs_left = nth;
        int rc = weft_objects_merge (writers[1], 2, rows, NEW);
        reallocs_left = -1;
        //  The curve has them, the news do not.
        halves += rc && weft_curve_find (weft_objects_curve (writers[1], 2),
                                         rows[0].kind, rows[0].key);
        assert_int_equal (weft_objects_merge (writers[1], 2, rows, NEW), 0);
        const weft_point_t row = point (5000 + nth, 1);
        give (1, 2, all, &row, 1);
        assert_int_equal (weft_objects_store (writers[1], batches[1]), 0);
    }
    assert_true (halves > 0);
    assert_stored (all);
    close_writers ();
}

//  What stands in Redis for object 2, to be freed, and as it is to stand there.
static weft_history_t
stored (uint8_t **copy)
{
    weft_history_t item = { .survey = weft_str ("ztf"),
                            .object_id = weft_str (names[2]) };
    assert_int_equal (weft_history_get (batch, &item, 1), 0);
    assert_non_null (item.blob);
    *copy = malloc (item.size);
    memcpy (*copy, item.blob, item.size);
    item.blob = *copy;
    return item;
}

static void
put_stored (weft_history_t *item)
{
    assert_int_equal (weft_history_put (batch, item, 1), 0);
    assert_false (item->lost);
}

//  The rows before are kept, and the next put makes a whole of them again.
static void
what_is_before_a_broken_piece_is_kept (void **state)
{
    (void)state;
    weft_curve_t all[OBJECTS] = { 0 };
    uint8_t *copy;
    begin (all);
    weft_history_t item = stored (&copy);
    copy[item.size - 1] = 1;  //  in its room
    put_stored (&item);
    free (copy);
    const weft_point_t row = point (1000, 1);
    read_all (1);
    give (1, 2, all, &row, 1);
    assert_int_equal (weft_objects_store (writers[1], batches[1]), 0);
    item = stored (&copy);
    weft_curve_t read = { 0 };
    assert_int_equal (weft_curve_unpack (&read, copy, item.size), 0);
    weft_curve_fini (&read);
    free (copy);
    assert_stored (all);
    close_writers ();
}

static int
answer (int w)
{
    weft_objects_clear (writers[w]);
    weft_batch_clear (batches[w]);
    (void)weft_objects_find (writers[w], weft_str ("ztf"), weft_str (names[2]));
    assert_int_equal (weft_objects_ask (writers[w], batches[w]), 0);
    assert_int_equal (weft_batch_run (batches[w]), 0);
    return weft_objects_answer (writers[w], batches[w]);
}

//  Neither by who reads it nor by who loses to its writer, however often.
static void
a_newer_layout_is_never_written_over (void **state)
{
    (void)state;
    weft_curve_t all[OBJECTS] = { 0 };
    uint8_t *copy, *after;
    begin (all);
    read_all (1);
    weft_history_t item = stored (&copy);
    copy[1] = 3;
    put_stored (&item);
    assert_int_equal (answer (2), WEFT_EVERSION);
    const weft_point_t row = point (1000, 1);
    give (1, 2, all, &row, 1);
    for (int n = 0; n < 3; n++)
        assert_int_equal (weft_objects_store (writers[1], batches[1]),
                          WEFT_EVERSION);
    weft_history_t now = stored (&after);
    assert_int_equal (now.version, item.version);
    assert_int_equal (now.size, item.size);
    assert_memory_equal (after, copy, now.size);
    free (after);
    //  It can be read again: what has waited is stored.
    copy[1] = 2;
    put_stored (&item);
    free (copy);
    assert_int_equal (weft_objects_store (writers[1], batches[1]), 0);
    assert_stored (all);
    close_writers ();
}

//  Together longer than a batch may be.
static void
long_ones_are_put_in_turns (void **state)
{
    (void)state;
    enum { N = 40 };
    static weft_point_t rows[WEFT_CURVE_ROWS_MOST];
    char name[N][16];
    open_writers ();
    weft_objects_clear (writers[0]);
    for (size_t i = 0; i < N; i++) {
        snprintf (name[i], sizeof (name[i]), "long%zu", i);
        size_t object = weft_objects_find (writers[0], weft_str ("ztf"),
                                           weft_str (name[i]));
        for (int k = 0; k < WEFT_CURVE_ROWS_MOST; k++) {
            rows[k] = point (k, 1);
            rows[k].t_src = rows[k].ra = rows[k].dec = 1;
            rows[k].expo = rows[k].ver[1] = 1;
            rows[k].err = rows[k].tot = rows[k].tot_err = rows[k].ref = 1;
        }
        assert_int_equal (
            weft_objects_merge (writers[0], object, rows, WEFT_CURVE_ROWS_MOST),
            0);
    }
    assert_int_equal (weft_objects_store (writers[0], batches[0]), 0);
    weft_objects_clear (writers[1]);
    (void)weft_objects_find (writers[1], weft_str ("ztf"),
                             weft_str (name[N - 1]));
    weft_batch_clear (batches[1]);
    assert_int_equal (weft_objects_ask (writers[1], batches[1]), 0);
    assert_int_equal (weft_batch_run (batches[1]), 0);
    assert_int_equal (weft_objects_answer (writers[1], batches[1]), 0);
    assert_int_equal (weft_objects_curve (writers[1], 0)->n,
                      WEFT_CURVE_ROWS_MOST);
    close_writers ();
}

//  The objects of one season, all read; those that have pieces.
static size_t
read_season (void)
{
    enum { N = WEFT_OBJECTS_MOST };
    static char season[N][16];
    size_t n = 0;
    weft_objects_clear (writers[0]);
    weft_batch_clear (batches[0]);
    for (size_t i = 0; i < N; i++) {
        snprintf (season[i], sizeof (season[i]), "season%zu", i);
        (void)weft_objects_find (writers[0], weft_str ("ztf"),
                                 weft_str (season[i]));
    }
    assert_int_equal (weft_objects_ask (writers[0], batches[0]), 0);
    assert_int_equal (weft_batch_run (batches[0]), 0);
    assert_int_equal (weft_objects_answer (writers[0], batches[0]), 0);
    for (size_t i = 0; i < N; i++)
        n += weft_objects_curve (writers[0], i)->n_added > 0;
    return n;
}

//  Objects that grow in step: at no time are most of them written anew at once.
static void
what_begins_together_is_not_written_anew_together (void **state)
{
    (void)state;
    enum { STEPS = 40 };
    open_writers ();
    size_t pieces = read_season ();
    for (int n = 0; n < LONG + STEPS; n++) {
        const weft_point_t row = point (n < LONG ? 2 * n : 1000 + n, 1);
        for (size_t i = 0; i < WEFT_OBJECTS_MOST; i++) {
            weft_point_t copy[2] = { row, row };
            assert_int_equal (weft_objects_merge (writers[0], i, copy, 1), 0);
        }
        if (n < LONG - 1)
            continue;
        assert_int_equal (weft_objects_store (writers[0], batches[0]), 0);
        size_t before = n > LONG ? pieces : 0;
        pieces = read_season ();
        assert_true (before < pieces + WEFT_OBJECTS_MOST / 2);
    }
    close_writers ();
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        BOTH_TEST (writers_that_race_lose_nothing),
        BOTH_TEST (little_is_added_in_place),
        BOTH_TEST (a_put_that_failed_is_done_again),
        BOTH_TEST (what_comes_anew_is_written_over),
        BOTH_TEST (a_shorter_piece_leaves_no_gap),
        BOTH_TEST (rows_that_found_no_memory_are_stored),
        BOTH_TEST (what_is_before_a_broken_piece_is_kept),
        BOTH_TEST (a_newer_layout_is_never_written_over),
        BOTH_TEST (long_ones_are_put_in_turns),
        BOTH_TEST (what_begins_together_is_not_written_anew_together),
    };
    weft_log_init ("test", WEFT_ERROR + 1);
    return both_run (tests);
}
