//  state_main - what ledger, seen and histories cost, both ends together.
//
//  A private Redis with the append-only file on. One JSON object a line: name,
//  value, unit, peer, peer_value. Times are CPU time of this process plus that
//  of Redis, per alert; the peer is what plain commands cost that promise less.
//  Then the same over a cluster of three masters, whose CPU times are added.

#include <time.h>

#include "../integration/cluster_private.h"
#include "weft_history.h"
#include "weft_ledger.h"
#include "weft_log.h"
#include "weft_seen.h"

enum { ALERTS = 100 * 1024, OBJECTS = 64, POINT = 66, ROUNDS = 40 };

static redis_private_t server;
static cluster_private_t cluster;
static bool spread;  //  now the cluster
static weft_redis_t *redis;
static weft_batch_t *batch;

static void
must (int rc)
{
    if (rc == 0)
        return;
    fprintf (stderr, "state_main: %s: %s\n", weft_error_text (rc),
             weft_redis_why (redis));
    if (spread)
        cluster_private_stop (&cluster);
    else
        redis_private_stop (&server);
    exit (1);
}

//  A field of INFO as a number; of all masters together.
static double
spread_number (const char *section, const char *key)
{
    static char reply[65536];
    char command[64];
    double sum = 0;
    snprintf (command, sizeof command, "INFO %s", section);
    for (int i = 0; i < CLUSTER_MASTERS; i++) {
        bool told = cluster_private_ask (&cluster.nodes[i], command, reply,
                                         sizeof reply);
        const char *at = told ? strstr (reply, key) : NULL;
        sum += at ? strtod (at + strlen (key), NULL) : 0;
    }
    return sum;
}

static double
info_number (const char *section, const char *key)
{
    if (spread)
        return spread_number (section, key);
    weft_batch_clear (batch);
    weft_batch_words (batch, "INFO", section);
    must (weft_batch_run (batch));
    const char *text =
        (const char *)weft_reply_bytes (weft_batch_reply (batch, 0)).p;
    const char *at = text ? strstr (text, key) : NULL;
    return at ? strtod (at + strlen (key), NULL) : 0;
}

//  CPU seconds of us and of Redis (its main thread).
static double
cpu_seconds (void)
{
    struct timespec t;
    double theirs = info_number ("cpu", "used_cpu_sys_main_thread:") +
                    info_number ("cpu", "used_cpu_user_main_thread:");
    clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &t);
    return theirs + (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void
empty (void)
{
    weft_batch_clear (batch);
    if (spread) {
        cluster_private_empty (&cluster);
        return;
    }
    weft_batch_words (batch, "FLUSHALL");
    must (weft_batch_run (batch));
}

static void
report (const char *name,
        double value,
        const char *unit,
        const char *peer,
        double peer_value)
{
    printf ("{\"name\": \"%s\", \"value\": %.4g, \"unit\": \"%s\"", name, value,
            unit);
    if (peer_value > 0)
        printf (", \"peer\": \"%s\", \"peer_value\": %.4g", peer, peer_value);
    printf ("}\n");
    fflush (stdout);
}

static void
fill (weft_booking_t *many, int64_t first, size_t n)
{
    for (size_t i = 0; i < n; i++)
        many[i] = (weft_booking_t){
            .survey = weft_str ("lsst"),
            .topic = weft_str ("alerts-simulated"),
            .partition = 7,
            .night = 61000,
            .offset = first + (int64_t)i,
            .alert_id = (first + (int64_t)i) * 7919 + 170000000000000000,
            .has_id = true,
            .outcome = WEFT_BOOKED_SETTLED,
        };
}

//  us per alert of take and book.
static double
time_ledger (size_t n)
{
    static weft_booking_t many[WEFT_LEDGER_BATCH_MOST];
    empty ();
    double start = cpu_seconds ();
    for (int64_t first = 0; first < ALERTS; first += (int64_t)n) {
        fill (many, first, n);
        must (weft_ledger_take (batch, many, n));
        must (weft_ledger_book (batch, many, n));
    }
    return (cpu_seconds () - start) / ALERTS * 1e6;
}

//  The same facts by plain commands: received, look-up; seen, outcome.
static double
time_plain_ledger (size_t n)
{
    empty ();
    double start = cpu_seconds ();
    for (int64_t first = 0; first < ALERTS; first += (int64_t)n) {
        for (int step = 0; step < 2; step++) {
            weft_batch_clear (batch);
            for (int64_t i = first; i < first + (int64_t)n; i++) {
                int64_t id = i * 7919 + 170000000000000000;
                weft_batch_begin (batch, 4);
                weft_batch_str (batch, "SETBIT");
                weft_batch_str (batch, step ? "settled" : "received");
                weft_batch_int (batch, i);
                weft_batch_str (batch, "1");
                weft_batch_begin (batch, step ? 4 : 3);
                weft_batch_str (batch, step ? "HSETNX" : "HGET");
                weft_batch_argf (batch, "seen:%u", weft_seen_bucket (id));
                weft_batch_int (batch, id);
                if (step)
                    weft_batch_argf (batch, "alerts-simulated/7@%lld",
                                     (long long)i);
            }
            must (weft_batch_run (batch));
        }
    }
    return (cpu_seconds () - start) / ALERTS * 1e6;
}

static void
measure_ledger (void)
{
    report ("state-ledger-seen-256", time_ledger (256), "us",
            "plain SETBIT, HGET, HSETNX, no transaction",
            time_plain_ledger (256));
    report ("state-ledger-seen-32", time_ledger (32), "us",
            "plain SETBIT, HGET, HSETNX, no transaction",
            time_plain_ledger (32));
    time_plain_ledger (256);
    double plain = info_number ("memory", "used_memory:");
    empty ();
    double none = info_number ("memory", "used_memory:");
    time_ledger (256);
    report ("state-ledger-seen-memory",
            (info_number ("memory", "used_memory:") - none) / ALERTS, "bytes",
            "plain", (plain - none) / ALERTS);
}

typedef struct {
    char name[OBJECTS][24];
    weft_history_t items[OBJECTS];
    uint8_t *blob;
    size_t size;
} histories_t;

static void
make_histories (histories_t *h, size_t points)
{
    h->size = points * POINT;
    h->blob = malloc (h->size + OBJECTS);
    if (!h->blob)
        must (WEFT_ENOMEM);
    for (size_t i = 0; i < h->size + OBJECTS; i++)
        h->blob[i] = (uint8_t)(i * 131 >> 3);
    for (int i = 0; i < OBJECTS; i++) {
        snprintf (h->name[i], sizeof h->name[i], "17000000000%d", i);
        h->items[i] = (weft_history_t){ .survey = weft_str ("lsst"),
                                        .object_id = weft_str (h->name[i]) };
    }
}

static double
time_gets (histories_t *h)
{
    double start = cpu_seconds ();
    for (int r = 0; r < ROUNDS; r++)
        must (weft_history_get (batch, h->items, OBJECTS));
    return (cpu_seconds () - start) / (ROUNDS * OBJECTS) * 1e6;
}

static double
time_puts (histories_t *h)
{
    double start = cpu_seconds ();
    for (int r = 0; r < ROUNDS; r++) {
        for (int i = 0; i < OBJECTS; i++) {
            h->blob[0] = (uint8_t)r;
            h->items[i].blob = h->blob;
            h->items[i].size = h->size;
        }
        must (weft_history_put (batch, h->items, OBJECTS));
        for (int i = 0; i < OBJECTS; i++)
            if (h->items[i].lost)
                must (WEFT_EBUG);
    }
    return (cpu_seconds () - start) / (ROUNDS * OBJECTS) * 1e6;
}

static double
time_plain (histories_t *h, bool put)
{
    double start = cpu_seconds ();
    for (int r = 0; r < ROUNDS; r++) {
        weft_batch_clear (batch);
        for (int i = 0; i < OBJECTS; i++) {
            weft_batch_begin (batch, put ? 3 : 2);
            weft_batch_str (batch, put ? "SET" : "GET");
            weft_batch_str (batch, h->name[i]);
            if (put)
                weft_batch_arg (batch, h->blob, h->size);
        }
        must (weft_batch_run (batch));
    }
    return (cpu_seconds () - start) / (ROUNDS * OBJECTS) * 1e6;
}

static void
measure_histories (size_t points)
{
    static histories_t h;
    char name[64];
    empty ();
    make_histories (&h, points);
    double put = time_puts (&h);
    double get = time_gets (&h);
    double plain_put = time_plain (&h, true);
    double plain_get = time_plain (&h, false);
    snprintf (name, sizeof name, "state-history-get-%zu", points);
    report (name, get, "us", "plain GET", plain_get);
    snprintf (name, sizeof name, "state-history-put-%zu", points);
    report (name, put, "us", "plain SET, no comparison", plain_put);
    free (h.blob);
}

static void
measure_spread_histories (size_t points)
{
    static histories_t h;
    char name[64];
    empty ();
    make_histories (&h, points);
    double put = time_puts (&h);
    double get = time_gets (&h);
    snprintf (name, sizeof name, "state-cluster-history-get-%zu", points);
    report (name, get, "us", NULL, 0);
    snprintf (name, sizeof name, "state-cluster-history-put-%zu", points);
    report (name, put, "us", NULL, 0);
    free (h.blob);
}

static void
measure_spread (void)
{
    report ("state-cluster-ledger-seen-256", time_ledger (256), "us", NULL, 0);
    report ("state-cluster-ledger-seen-32", time_ledger (32), "us", NULL, 0);
    measure_spread_histories (100);
    measure_spread_histories (1000);
}

static void
open_redis (const char *address)
{
    redis = weft_redis_new (address, NULL);
    batch = redis ? weft_batch_new (redis, 256u << 20) : NULL;
    if (!batch)
        must (WEFT_ENOMEM);
}

int
main (void)
{
    weft_log_init ("bench", WEFT_ERROR);
    redis_private_start (&server);
    open_redis (server.address);
    measure_ledger ();
    measure_histories (100);
    measure_histories (1000);
    weft_batch_destroy (&batch);
    weft_redis_destroy (&redis);
    redis_private_stop (&server);
    spread = true;
    cluster_private_start (&cluster, CLUSTER_MASTERS);
    open_redis (cluster.address);
    measure_spread ();
    weft_batch_destroy (&batch);
    weft_redis_destroy (&redis);
    cluster_private_stop (&cluster);
    return 0;
}
