//  weft_flips_test.c - who was told a class hears once that it is another one,
//  and so does the mesh, whatever dies.

#include "unit/testing.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "integration/redis_private.h"
#include "unit/notifier_alert.h"
#include "weft_log.h"
#include "weft_notifier.h"
#include "weft_rows.h"
#include "weft_sink.h"
#include "weft_time.h"

#define OBJECTS 7
#define TURN_MOST 32

static redis_private_t server;
static weft_redis_t *redis;
static char folder[40], file[80];

static int
begin (void **state)
{
    (void)state;
    weft_log_init ("test", WEFT_ERROR);
    redis_private_start (&server);
    redis = weft_redis_new (server.address, NULL);
    snprintf (folder, sizeof folder, "/tmp/weft-flips-XXXXXX");
    if (!redis || !mkdtemp (folder))
        return -1;
    snprintf (file, sizeof file, "%s/all.jsonl", folder);
    return 0;
}

static int
end (void **state)
{
    (void)state;
    weft_redis_destroy (&redis);
    redis_private_stop (&server);
    redis_private_remove (folder, 1);
    return 0;
}

//  One filter that wants the first alert of each object, and one sink.
static weft_notifier_t *
start (double margin)
{
    static weft_condition_option_t condition = { (char *)"first",
                                                 (char *)"alert_id < 7" };
    static char *names[] = { (char *)"all" };
    static weft_filter_option_t filter = {
        (char *)"early", (char *)"me", { names, 1 }, { &condition, 1 }
    };
    weft_sink_option_t sink = { .name = (char *)"all",
                                .kind = (char *)"jsonl",
                                .mode = (char *)"live",
                                .path = file };
    weft_notifier_options_t options = {
        .outbox = (char *)"",
        .keep_days = 30,
        .keep_rows = 1000000,
        .budget = 100000,
        .strikes = 3,
        .flip_margin = margin,
        .filters = { &filter, 1 },
        .sinks = { &sink, 1 },
    };
    weft_notifier_place_t place = { .data_dir = folder,
                                    .redis = server.address };
    char why[400] = "";
    weft_notifier_t *self;
    if (weft_notifier_new (&self, &options, &place, why, sizeof why))
        fail_msg ("%s", why);
    return self;
}

static const char *classes;  //  of the alerts; NULL: as they are by default

static weft_alert_t *
alert_of (int64_t id, const char *object, float p_ia)
{
    alert_spec_t spec = { .id = id,
                          .rows = 4,
                          .ra = 10,
                          .dec = 20,
                          .drb = 0.9f,
                          .p_ia = p_ia,
                          .object = object,
                          .classes = classes };
    return make_full_alert (&spec);
}

static int
process (weft_notifier_t *self, int64_t id, const char *object, float p_ia)
{
    weft_buf_t effect;
    weft_alert_t *alert = alert_of (id, object, p_ia);
    const weft_alert_t *one = alert;
    weft_buf_init (&effect, 1 << 20);
    int rc = weft_notifier_evaluate (self, alert, &effect);
    rc = rc ? rc : weft_notifier_commit (self, &one, &effect, 1);
    weft_alert_unref (&alert);
    weft_buf_fini (&effect);
    return rc;
}

//  Adds each flip to `text` as "object/id:from>to "; raises counts[id].
static void
read_flips (char *text, size_t room, int *counts, int64_t most)
{
    char *line = NULL;
    size_t size = 0, used = 0;
    FILE *in = fopen (file, "r");
    text[0] = 0;
    while (in && getline (&line, &size, in) > 0) {
        json_t *json = json_loads (line, 0, NULL);
        assert_non_null (json);
        const char *event = NULL, *object = NULL, *id = NULL, *from = NULL,
                   *to = NULL, *filter = NULL, *key = NULL;
        (void)json_unpack (json, "{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "key",
                           &key, "event", &event, "object_id", &object,
                           "alert_id", &id, "from", &from, "to", &to, "filter",
                           &filter);
        if (event && to) {
            assert_string_equal (event, "class_flip");
            assert_string_equal (filter, "early");
            assert_memory_equal (key, "flip/ztf/", 9);
            if (used < room)
                used += (size_t)snprintf (text + used, room - used,
                                          "%s/%s:%s>%s ", object, id, from, to);
            int64_t n = strtoll (id, NULL, 10);
            if (counts && n < most)
                counts[n]++;
        }
        json_decref (json);
    }
    free (line);
    if (in)
        fclose (in);
}

static void
check_flips (const char *wanted)
{
    char text[1000];
    read_flips (text, sizeof text, NULL, 0);
    assert_string_equal (text, wanted);
}

typedef struct {
    int n;
    int *counts;
    int64_t most;
} events_t;

static void
count_event (void *arg, uint64_t number, weft_str_t id, weft_bin_t row)
{
    events_t *self = arg;
    weft_event_v1_t event;
    (void)number;
    (void)id;
    assert_int_equal (
        weft_contract_decode (&weft_event_v1, &event, row.p, row.n), 0);
    assert_true (weft_str_is (event.kind, "class_flip"));
    self->n++;
    if (self->counts && event.alert_id < self->most)
        self->counts[event.alert_id]++;
}

static events_t
read_events (int *counts, int64_t most)
{
    events_t events = { 0, counts, most };
    uint64_t last = 0, after;
    do {
        after = last;
        assert_int_equal (weft_rows_since (redis, "event", after, 1000,
                                           count_event, &events, &last),
                          0);
    } while (last > after);
    return events;
}

static void
a_flip_is_told_once_to_those_who_were_told_otherwise (void **state)
{
    (void)state;
    weft_notifier_t *self = start (0.2);
    assert_int_equal (process (self, 1, "A", 0.8f), 0);    //  told: SN Ia
    assert_int_equal (process (self, 11, "B", 0.1f), 0);   //  told nothing
    assert_int_equal (process (self, 12, "A", 0.45f), 0);  //  Ia yet
    assert_int_equal (process (self, 13, "A", 0.4f), 0);   //  II by .05
    check_flips ("");
    for (int i = 0; i < 2; i++)  //  a redelivered one says nothing new
        assert_int_equal (process (self, 14, "A", 0.1f), 0);
    check_flips ("A/14:SN Ia>SN II ");
    assert_int_equal (process (self, 15, "A", 0.5f), 0);  //  Ia by .125
    assert_int_equal (process (self, 16, "B", 0.9f), 0);
    assert_int_equal (process (self, 9, "A", 0.9f), 0);  //  older than that
    check_flips ("A/14:SN Ia>SN II ");
    weft_notifier_destroy (&self);
    self = start (0.2);  //  what was told is on disk
    assert_int_equal (process (self, 17, "A", 0.9f), 0);
    assert_int_equal (process (self, 14, "A", 0.1f), 0);
    check_flips ("A/14:SN Ia>SN II A/17:SN II>SN Ia ");
    for (int i = 0; i < 10; i++)
        weft_notifier_beat (self, weft_time_ms () + i * 1000);
    assert_int_equal (read_events (NULL, 0).n, 2);
    weft_notifier_destroy (&self);
    self = start (0);  //  nobody is told
    assert_int_equal (process (self, 18, "A", 0.1f), 0);
    check_flips ("A/14:SN Ia>SN II A/17:SN II>SN Ia ");
    weft_notifier_destroy (&self);
}

//  Who is told of an object again knows what the newest of these alerts said.
static void
what_was_told_last_counts (void **state)
{
    (void)state;
    weft_notifier_t *self = start (0.2);
    assert_int_equal (process (self, 1, "C", 0.8f), 0);
    assert_int_equal (process (self, 5, "C", 0.8f), 0);
    assert_int_equal (process (self, 3, "C", 0.1f), 0);  //  older than that
    assert_int_equal (process (self, 6, "C", 0.4f), 0);  //  told II, by .05
    check_flips ("");
    assert_int_equal (process (self, 8, "C", 0.9f), 0);
    check_flips ("C/8:SN II>SN Ia ");
    weft_notifier_destroy (&self);
}

//  A classifier may call its classes what it likes: nothing that an alert says
//  makes a commit fail, since the same one would come again and again.
static void
a_class_with_a_long_name_is_told_by_its_beginning (void **state)
{
    (void)state;
    enum { LONG = 6000 };
    char *names = malloc (LONG + 16), wanted[200], begins[64];
    assert_non_null (names);
    memset (names, 'a', LONG);
    memcpy (names + LONG, ",SN II,AGN", 11);
    snprintf (begins, sizeof begins, "%.63s", names);
    classes = names;
    weft_notifier_t *self = start (0.2);
    assert_int_equal (process (self, 1, "A", 0.8f), 0);
    assert_int_equal (process (self, 12, "A", 0.8f), 0);
    assert_int_equal (process (self, 13, "A", 0.1f), 0);
    assert_int_equal (process (self, 14, "A", 0.9f), 0);
    assert_int_equal (process (self, 15, "A", 0.9f), 0);
    snprintf (wanted, sizeof wanted, "A/13:%s>SN II A/14:SN II>%s ", begins,
              begins);
    check_flips (wanted);
    for (int i = 0; i < 10; i++)
        weft_notifier_beat (self, weft_time_ms () + i * 1000);
    assert_int_equal (read_events (NULL, 0).n, 2);
    weft_notifier_destroy (&self);
    classes = NULL;
    free (names);
}

static void
rows_beyond_the_newest_are_forgotten (void **state)
{
    (void)state;
    char id[8];
    for (int i = 0; i < 30; i++) {
        snprintf (id, sizeof id, "e%d", i);
        weft_row_put_t row = { .id = weft_str (id), .row = "x", .size = 1 };
        assert_int_equal (weft_rows_put (redis, "trim", &row, 1), 0);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal (weft_rows_trim (redis, "trim", 10), 0);
    weft_batch_t *batch = weft_batch_new (redis, 0);
    weft_batch_words (batch, "ZCARD", "trim:index");
    weft_batch_words (batch, "ZCARD", "trim:open");
    weft_batch_words (batch, "EXISTS", "trim:row:e19");
    weft_batch_words (batch, "EXISTS", "trim:row:e20");
    assert_int_equal (weft_batch_run (batch), 0);
    assert_int_equal (weft_reply_int (weft_batch_reply (batch, 0), 0), 10);
    assert_int_equal (weft_reply_int (weft_batch_reply (batch, 1), 0), 10);
    assert_int_equal (weft_reply_int (weft_batch_reply (batch, 2), 9), 0);
    assert_int_equal (weft_reply_int (weft_batch_reply (batch, 3), 9), 1);
    weft_batch_destroy (&batch);
}

//  Alert `id`: its object's class is another one than that of the one before.
static int
process_number (weft_notifier_t *self, int64_t id)
{
    char object[8];
    snprintf (object, sizeof object, "K%d", (int)(id % OBJECTS));
    return process (self, id, object, id / OBJECTS % 2 ? 0.05f : 0.9f);
}

typedef struct {
    volatile int64_t settled;  //  alerts below this are settled upstream
    volatile int turns;        //  of the child that runs
} shared_t;

static void
run_until_killed (shared_t *shared, unsigned seed)
{
    weft_notifier_t *self = start (0.2);
    for (;;) {
        int64_t back = rand_r (&seed) % 4 ? 0 : rand_r (&seed) % 20;
        int64_t next = shared->settled, id = WEFT_MAX (0, next - back);
        while (id <= next && !process_number (self, id))
            id++;
        if (id > next)
            shared->settled = next + 1;
        shared->turns++;
        if (rand_r (&seed) % 4 == 0)
            weft_notifier_beat (self, weft_time_ms ());
    }
}

static void
no_flip_is_lost_or_doubled_by_kill_9 (void **state)
{
    (void)state;
    shared_t *shared = mmap (NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true (shared != MAP_FAILED);
    shared->settled = 0;
    unsigned seed = 20260302;
    for (int round = 0; round < 30; round++) {
        shared->turns = 0;
        pid_t child = fork ();
        assert_true (child >= 0);
        if (child == 0)
            run_until_killed (shared, seed + (unsigned)round);
        struct timespec tick = { 0, 1000000 };
        while (round % 4 > 0 && shared->turns < 10)
            nanosleep (&tick, NULL);
        struct timespec rest = { 0, (rand_r (&seed) % 20000) * 1000L };
        nanosleep (&rest, NULL);
        kill (child, SIGKILL);
        assert_int_equal (waitpid (child, NULL, 0), child);
    }
    weft_notifier_t *self = start (0.2);
    int64_t most = shared->settled + TURN_MOST;
    assert_true (most > 200);
    for (int64_t id = shared->settled; id < most; id++)
        while (process_number (self, id))
            ;
    for (int k = 0; k < 200; k++)
        weft_notifier_beat (self, weft_time_ms () + k * 1000);
    weft_notifier_destroy (&self);
    char text[100];
    int *told = calloc ((size_t)most, sizeof *told);
    int *known = calloc ((size_t)most, sizeof *known);
    read_flips (text, sizeof text, told, most);
    read_events (known, most);
    for (int64_t id = 0; id < most; id++)
        if (told[id] != (id >= OBJECTS) || known[id] != (id >= OBJECTS))
            fail_msg ("alert %lld of %lld: %d rows, %d events", (long long)id,
                      (long long)most, told[id], known[id]);
    free (told);
    free (known);
    munmap (shared, sizeof *shared);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown (test, begin, end)

int
main (void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER (a_flip_is_told_once_to_those_who_were_told_otherwise),
        WITH_SERVER (a_class_with_a_long_name_is_told_by_its_beginning),
        WITH_SERVER (what_was_told_last_counts),
        WITH_SERVER (rows_beyond_the_newest_are_forgotten),
        WITH_SERVER (no_flip_is_lost_or_doubled_by_kill_9),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
