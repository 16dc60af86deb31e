//  weft_cluster_test.c - a cluster whose slots move and whose masters die:
//  nothing is lost, nothing is counted twice.

#include "../unit/testing.h"

#include <pthread.h>
#include <stdatomic.h>

#include "cluster_private.h"
#include "weft_cluster_parts.h"
#include "weft_history.h"
#include "weft_ledger.h"
#include "weft_log.h"
#include "weft_seen.h"
#include "weft_slot.h"
#include "weft_time.h"
#include "weft_written.h"

enum { BATCH = 64, OBJECTS = 12, NIGHT = 61000, FULL = 61001, ROUNDS = 3 };
enum { LONG_MS = 240000 };  //  only ends what hangs

static cluster_private_t cluster;
static weft_redis_t *redis;
static weft_batch_t *batch;

static void
pause_ms (int ms)
{
    nanosleep (&(struct timespec){ .tv_sec = ms / 1000,
                                   .tv_nsec = ms % 1000 * 1000000L },
               NULL);
}

static weft_booking_t
booking (int64_t offset, int64_t alert_id, int outcome)
{
    return (weft_booking_t){
        .survey = weft_str ("ztf"),
        .topic = weft_str ("topic"),
        .night = NIGHT,
        .offset = offset,
        .has_id = true,
        .alert_id = alert_id,
        .outcome = (uint8_t)outcome,
    };
}

static weft_history_t
item (const char *object, const char *blob)
{
    return (weft_history_t){ .survey = weft_str ("ztf"),
                             .object_id = weft_str (object),
                             .blob = (const uint8_t *)blob,
                             .size = blob ? strlen (blob) : 0 };
}

static void
put (const char *object, const char *blob)
{
    weft_history_t one = item (object, NULL);
    assert_int_equal (weft_history_get (batch, &one, 1), 0);
    one.blob = (const uint8_t *)blob;
    one.size = strlen (blob);
    assert_int_equal (weft_history_put (batch, &one, 1), 0);
    assert_false (one.lost);
}

static void
assert_blob (const char *object, const char *blob)
{
    weft_history_t one = item (object, NULL);
    assert_int_equal (weft_history_get (batch, &one, 1), 0);
    assert_int_equal (one.size, strlen (blob));
    assert_memory_equal (one.blob, blob, one.size);
}

//  Which master has a slot, by what each says of itself; there is one.
static int
owner_of (int slot)
{
    static char reply[65536];
    for (int i = 0; i < CLUSTER_MASTERS; i++) {
        assert_true (cluster_private_ask (&cluster.nodes[i], "CLUSTER NODES",
                                          reply, sizeof reply));
        const char *at = strstr (reply, "myself");
        const char *end = at ? strchr (at, '\n') : NULL;
        const char *ranges = at ? strstr (at, " connected") : NULL;
        for (ranges += 10; ranges < end; ranges = strchr (ranges + 1, ' ')) {
            int first, last;
            int n = sscanf (ranges, " %d-%d", &first, &last);
            if (n == 1)
                last = first;
            if (n > 0 && first <= slot && slot <= last)
                return i;
            if (!strchr (ranges + 1, ' ') || strchr (ranges + 1, ' ') > end)
                break;
        }
    }
    fail ();
    return -1;
}

typedef struct {
    int slot, from, to;
} move_t;

static move_t
begin_move (int slot)
{
    move_t move = { .slot = slot, .from = owner_of (slot) };
    move.to = (move.from + 1) % CLUSTER_MASTERS;
    cluster_private_must (&cluster.nodes[move.to],
                          "CLUSTER SETSLOT %d IMPORTING %s", slot,
                          cluster.nodes[move.from].id);
    cluster_private_must (&cluster.nodes[move.from],
                          "CLUSTER SETSLOT %d MIGRATING %s", slot,
                          cluster.nodes[move.to].id);
    return move;
}

static void
move_key (const move_t *move, const char *key)
{
    cluster_private_must (&cluster.nodes[move->from],
                          "MIGRATE 127.0.0.1 %d %s 0 60000",
                          cluster.nodes[move->to].port, key);
}

static void
end_move (const move_t *move)
{
    cluster_private_must (&cluster.nodes[move->to],
                          "CLUSTER SETSLOT %d NODE %s", move->slot,
                          cluster.nodes[move->to].id);
    cluster_private_must (&cluster.nodes[move->from],
                          "CLUSTER SETSLOT %d NODE %s", move->slot,
                          cluster.nodes[move->to].id);
}

static int
slot_of (const char *key)
{
    return weft_slot_of (key, strlen (key));
}

static void
a_slot_that_has_moved_is_followed (void **state)
{
    (void)state;
    put ("moves", "before");
    uint64_t moved = weft_redis_counts (redis).moved;
    move_t move = begin_move (slot_of ("lc:ztf:moves"));
    move_key (&move, "lc:ztf:moves");
    end_move (&move);
    assert_blob ("moves", "before");
    assert_true (weft_redis_counts (redis).moved > moved);
    put ("moves", "after");
    assert_blob ("moves", "after");
    moved = weft_redis_counts (redis).moved;
    assert_blob ("moves", "after");
    assert_int_equal (weft_redis_counts (redis).moved, moved);
}

//  Three objects of one slot: one has left it, one has not, one is new.
static void
keys_on_their_way_are_asked_for (void **state)
{
    (void)state;
    put ("{way}1", "one");
    put ("{way}2", "two");
    uint64_t asked = weft_redis_counts (redis).asked;
    move_t move = begin_move (slot_of ("way"));
    move_key (&move, "lc:ztf:{way}1");
    assert_blob ("{way}1", "one");
    assert_blob ("{way}2", "two");
    assert_true (weft_redis_counts (redis).asked > asked);
    put ("{way}1", "one more");
    put ("{way}2", "two more");
    put ("{way}3", "three");
    weft_history_t three[3] = { item ("{way}1", NULL), item ("{way}2", NULL),
                                item ("{way}3", NULL) };
    assert_int_equal (weft_history_get (batch, three, 3), 0);
    assert_memory_equal (three[0].blob, "one more", three[0].size);
    assert_memory_equal (three[1].blob, "two more", three[1].size);
    assert_memory_equal (three[2].blob, "three", three[2].size);
    move_key (&move, "lc:ztf:{way}2");
    end_move (&move);
    assert_blob ("{way}1", "one more");
    assert_blob ("{way}2", "two more");
    assert_blob ("{way}3", "three");
}

static void
seen_is_won_while_its_slot_is_on_its_way (void **state)
{
    (void)state;
    char key[64];
    snprintf (key, sizeof key, "seen:ztf:%d:%u", NIGHT, weft_seen_bucket (77));
    move_t move = begin_move (slot_of (key));
    weft_booking_t one = booking (4000000, 77, WEFT_BOOKED_SETTLED);
    assert_int_equal (weft_ledger_book (batch, &one, 1), 0);
    assert_int_equal (one.booked, WEFT_BOOKED_SETTLED);
    one = booking (4000001, 77, WEFT_BOOKED_SETTLED);
    assert_int_equal (weft_ledger_book (batch, &one, 1), 0);
    assert_int_equal (one.booked, WEFT_BOOKED_DUPLICATE);
    end_move (&move);
    one = booking (4000002, 77, 0);
    assert_int_equal (weft_ledger_take (batch, &one, 1), 0);
    assert_true (one.seen);
}

//  The bitmaps of a piece are several keys: while only some have moved, a
//  booking waits, not for ever, and is booked once when they are all there.
static void
keys_that_are_torn_apart_are_waited_for (void **state)
{
    (void)state;
    const char *received = "ledger:61000:{topic/0:40}:received";
    weft_booking_t one = booking (INT64_C (40) << 17, 88, WEFT_BOOKED_SETTLED);
    assert_int_equal (weft_ledger_book (batch, &one, 1), 0);
    uint64_t waited = weft_redis_counts (redis).waited;
    move_t move = begin_move (slot_of ("topic/0:40"));
    move_key (&move, received);
    one = booking ((INT64_C (40) << 17) + 1, 89, WEFT_BOOKED_SETTLED);
    assert_int_equal (weft_ledger_book (batch, &one, 1), WEFT_EDOWN);
    assert_non_null (strstr (weft_redis_why (redis), "TRYAGAIN"));
    assert_true (weft_redis_counts (redis).waited > waited);
    move_key (&move, "ledger:61000:{topic/0:40}:settled");
    move_key (&move, "ledger:{topic/0:40}:nights");
    end_move (&move);
    int rc;
    while ((rc = weft_ledger_book (batch, &one, 1)) == WEFT_EDOWN)
        pause_ms (2);
    assert_int_equal (rc, 0);
    assert_int_equal (one.booked, WEFT_BOOKED_SETTLED);
}

//  A process died between winning the id and booking the outcome. The other one
//  of the same id is the duplicate, whoever comes first, and nobody is left with
//  duplicates only.
static void
who_won_before_a_crash_is_settled_after_it (void **state)
{
    (void)state;
    uint8_t id[8], position[WEFT_SEEN_POSITION];
    weft_put_u64 (id, 99);
    weft_seen_position (weft_str ("topic"), 0, 5000000, position);
    weft_batch_clear (batch);
    weft_batch_begin (batch, 4);
    weft_batch_str (batch, "HSETNX");
    weft_batch_argf (batch, "seen:ztf:%d:%u", NIGHT, weft_seen_bucket (99));
    weft_batch_arg (batch, id, sizeof id);
    weft_batch_arg (batch, position, sizeof position);
    assert_int_equal (weft_batch_run (batch), 0);
    weft_booking_t one = booking (5000000, 99, 0);
    assert_int_equal (weft_ledger_take (batch, &one, 1), 0);
    assert_int_equal (one.booked, WEFT_BOOKED_NONE);
    assert_false (one.seen);
    //  It waits for the other one, which is settled first.
    weft_booking_t two[2] = { booking (5000001, 99, WEFT_BOOKED_SETTLED),
                              booking (5000000, 99, WEFT_BOOKED_DUPLICATE) };
    assert_int_equal (weft_ledger_book (batch, two, 2), 0);
    assert_int_equal (two[0].booked, WEFT_BOOKED_DUPLICATE);
    assert_int_equal (two[1].booked, WEFT_BOOKED_SETTLED);
}

static void
what_is_no_cluster_is_said (void **state)
{
    (void)state;
    assert_null (weft_redis_new ("cluster:", NULL));
    assert_null (weft_redis_new ("cluster:127.0.0.1", NULL));
    assert_null (weft_redis_new ("cluster:127.0.0.1:7000,x", NULL));
    weft_redis_config_t config = { .connect_ms = 200 };
    weft_redis_t *none = weft_redis_new ("cluster:127.0.0.1:1", &config);
    assert_int_equal (weft_redis_ping (none), WEFT_EDOWN);
    assert_non_null (strstr (weft_redis_why (none), "127.0.0.1:1"));
    weft_redis_destroy (&none);
    //  A Redis that is no cluster says so itself.
    char place[64];
    cluster_node_t node = { 0 };
    cluster_private_take_port (&node.port, &node.lock);
    snprintf (node.folder, sizeof node.folder, "%s", cluster.folder);
    cluster_private_launch (&node, false, NULL);
    snprintf (place, sizeof place, "cluster:127.0.0.1:%d", node.port);
    none = weft_redis_new (place, &config);
    assert_int_equal (weft_redis_ping (none), WEFT_EDOWN);
    assert_non_null (
        strstr (weft_redis_why (none), "cluster support disabled"));
    weft_redis_destroy (&none);
    kill (node.pid, SIGKILL);
    waitpid (node.pid, NULL, 0);
    close (node.lock);
}

static void
every_master_must_keep_what_it_acknowledges (void **state)
{
    (void)state;
    char why[256] = "";
    assert_int_equal (weft_redis_check_safe (redis, false, why, sizeof why), 0);
    cluster_private_must (&cluster.nodes[1], "CONFIG SET appendonly no");
    assert_int_equal (weft_redis_check_safe (redis, false, why, sizeof why),
                      WEFT_ECONFIG);
    assert_non_null (strstr (why, "appendonly"));
    assert_int_equal (weft_redis_check_safe (redis, true, why, sizeof why), 0);
    cluster_private_must (&cluster.nodes[1], "CONFIG SET appendonly yes");
}

static void
set_node_timeout (int ms)
{
    for (int i = 0; i < cluster.n; i++)
        cluster_private_must (&cluster.nodes[i],
                              "CONFIG SET cluster-node-timeout %d", ms);
}

static long
count_waits (int i)
{
    char reply[16384];
    assert_true (cluster_private_ask (&cluster.nodes[i], "INFO commandstats",
                                      reply, sizeof reply));
    const char *at = strstr (reply, "cmdstat_wait:calls=");
    return at ? strtol (at + strlen ("cmdstat_wait:calls="), NULL, 10) : 0;
}

//  WAIT would block for all its time; once somebody follows, it is asked again.
static void
who_is_alone_is_not_waited_for (void)
{
    long waits = -1, others = 0;
    int64_t until = weft_time_ms () + LONG_MS;
    //  Not all nodes hear at once that a replica has failed.
    while (count_waits (0) != waits && weft_time_ms () < until) {
        waits = count_waits (0);
        others = count_waits (1);
        for (int i = 0; i < 5; i++)
            assert_int_equal (weft_redis_written (redis, LONG_MS), 0);
    }
    assert_int_equal (count_waits (0), waits);
    assert_true (count_waits (1) >= others + 5);
    cluster_private_restart (&cluster, CLUSTER_MASTERS);
    while (count_waits (0) == waits && weft_time_ms () < until) {
        (void)!weft_redis_written (redis, 0);
        pause_ms (20);
    }
    assert_true (count_waits (0) > waits);
}

static void
what_no_replica_has_is_not_kept (void **state)
{
    (void)state;
    put ("kept", "a blob");
    cluster_private_t followers = cluster;
    for (int i = 0; i < CLUSTER_MASTERS; i++)
        followers.nodes[i].pid = 0;
    cluster_private_wait (&followers, "INFO replication",
                          "master_link_status:up");
    assert_int_equal (weft_redis_written (redis, LONG_MS), 0);
    //  Stopped, but nobody thinks that they have failed.
    set_node_timeout (LONG_MS);
    for (int i = CLUSTER_MASTERS; i < cluster.n; i++)
        kill (cluster.nodes[i].pid, SIGSTOP);
    put ("kept", "another blob");
    assert_int_equal (weft_redis_written (redis, 0), WEFT_EDOWN);
    assert_non_null (strstr (weft_redis_why (redis), "its replica has not"));
    for (int i = CLUSTER_MASTERS; i < cluster.n; i++)
        kill (cluster.nodes[i].pid, SIGCONT);
    assert_int_equal (weft_redis_written (redis, LONG_MS), 0);
    //  A replica that has failed takes over from nobody.
    set_node_timeout (2000);
    cluster_private_kill (&cluster, CLUSTER_MASTERS);
    put ("kept", "a third blob");
    assert_int_equal (weft_redis_written (redis, LONG_MS), 0);
    who_is_alone_is_not_waited_for ();
    cluster_private_t replicas = cluster;
    for (int i = 0; i < CLUSTER_MASTERS; i++)
        replicas.nodes[i].pid = 0;
    cluster_private_wait (&replicas, "INFO replication",
                          "master_link_status:up");
}

//  What happens to the cluster meanwhile.

static atomic_bool ending;
static atomic_int kills, reshards;

static bool
is_role (int i, const char *role)
{
    char reply[8192];
    return cluster.nodes[i].pid &&
           cluster_private_ask (&cluster.nodes[i], "INFO replication", reply,
                                sizeof reply) &&
           strstr (reply, role);
}

static int
count_role (const char *role)
{
    int count = 0;
    for (int i = 0; i < cluster.n; i++)
        count += is_role (i, role);
    return count;
}

static void
wait_for_role (const char *role, int n)
{
    while (count_role (role) < n)
        pause_ms (20);
}

//  The next master from `i` on.
static int
some_master (int i)
{
    while (!is_role (i % cluster.n, "role:master"))
        i++;
    return i % cluster.n;
}

//  `redis-cli --cluster WORDS...`, in silence.
static bool
redis_cli (const char *const *words)
{
    pid_t pid = fork ();
    if (pid == 0) {
        int null = open ("/dev/null", O_RDWR);
        dup2 (null, 1);
        dup2 (null, 2);
        execvp ("redis-cli", (char *const *)words);
        _exit (127);
    }
    int status;
    return pid > 0 && waitpid (pid, &status, 0) == pid && status == 0;
}

//  What was refused in the middle leaves a slot open, as it would for an operator.
static bool
reshard_once (int from, int to)
{
    char place[32];
    snprintf (place, sizeof place, "127.0.0.1:%d", cluster.nodes[from].port);
    if (redis_cli ((const char *const[]){
            "redis-cli", "--cluster", "reshard", place, "--cluster-from",
            cluster.nodes[from].id, "--cluster-to", cluster.nodes[to].id,
            "--cluster-slots", "700", "--cluster-yes", NULL }))
        return true;
    (void)redis_cli (
        (const char *const[]){ "redis-cli", "--cluster", "fix", place, NULL });
    return false;
}

//  It is refused while not all nodes have heard of the last change.
static void
reshard (int from, int to)
{
    for (int i = 0; i < 600; i++) {
        if (reshard_once (from, to)) {
            atomic_fetch_add (&reshards, 1);
            return;
        }
        pause_ms (100);
    }
}

//  Of its slots it keeps, as far as this connection knows, one.
static void
a_master_with_few_slots_is_asked (void **state)
{
    (void)state;
    weft_redis_t *other = weft_redis_new (cluster.address, NULL);
    assert_int_equal (weft_redis_written (other, LONG_MS), 0);
    weft_cluster_t *map = other->cluster;
    int last = WEFT_SLOT_NONE, node = map->owner[0];
    for (int i = 0; i < 16384 && map->owner[i] == node; last = i++)
        map->owner[i] = WEFT_NODE_NONE;
    map->owner[last] = (int16_t)node;
    assert_int_equal (cluster.nodes[0].port, map->nodes[node].port);
    long waits = count_waits (0);
    assert_int_equal (weft_redis_written (other, LONG_MS), 0);
    assert_true (count_waits (0) > waits);
    //  And if it has none by a map that is out of date, nothing is known.
    node = map->owner[0] != WEFT_NODE_NONE ? map->owner[0] : map->owner[last];
    for (int i = 0; i < 16384; i++)
        if (map->owner[i] == node)
            map->owner[i] = WEFT_NODE_NONE;
    assert_int_equal (weft_redis_written (other, 0), WEFT_EDOWN);
    assert_int_equal (weft_redis_written (other, LONG_MS), 0);
    weft_redis_destroy (&other);
}

static int
node_of_port (const weft_cluster_t *map, int port)
{
    for (int i = 0; i < map->n_nodes; i++)
        if (map->nodes[i].port == port)
            return i;
    fail ();
    return -1;
}

//  By a map that was just read it is none: only MOVED says that it is.
static void
a_master_known_by_moved_is_asked (void **state)
{
    (void)state;
    char key[32];
    weft_redis_t *other = weft_redis_new (cluster.address, NULL);
    weft_batch_t *writes = weft_batch_new (other, 0);
    assert_int_equal (weft_redis_written (other, LONG_MS), 0);
    weft_cluster_t *map = other->cluster;
    int from = node_of_port (map, cluster.nodes[0].port);
    int to = node_of_port (map, cluster.nodes[1].port);
    for (int i = 0; i < 100 * WEFT_SLOTS; i++) {
        snprintf (key, sizeof key, "told:%d", i);
        if (map->owner[slot_of (key)] == to)
            break;
    }
    for (int i = 0; i < WEFT_SLOTS; i++)
        if (map->owner[i] == to)
            map->owner[i] = (int16_t)from;
    map->nodes[to].master = map->nodes[to].followed = false;
    map->read_ms = weft_time_ms () + LONG_MS;
    uint64_t moved = weft_redis_counts (other).moved;
    weft_batch_words (writes, "SET", key, "1");
    assert_int_equal (weft_batch_run (writes), 0);
    assert_int_equal (weft_redis_counts (other).moved, moved + 1);
    long waits = count_waits (1);
    assert_int_equal (weft_redis_written (other, LONG_MS), 0);
    assert_true (count_waits (1) > waits);
    weft_batch_destroy (&writes);
    weft_redis_destroy (&other);
}

//  Until no node takes another one for failed.
static void
wait_for_health (void)
{
    char reply[16384];
    for (int i = 0; i < cluster.n; i++)
        while (!cluster_private_ask (&cluster.nodes[i], "CLUSTER NODES", reply,
                                     sizeof reply) ||
               strstr (reply, "fail"))
            pause_ms (20);
}

//  The replica of node 0 gets nothing, until what it misses is not remembered
//  any more; then it takes over.
static void
what_went_with_a_master_is_said (void **state)
{
    (void)state;
    int follower = CLUSTER_MASTERS;
    wait_for_health ();
    assert_int_equal (weft_redis_written (redis, LONG_MS), 0);
    set_node_timeout (LONG_MS);
    kill (cluster.nodes[follower].pid, SIGSTOP);
    put ("gone", "a blob");
    assert_int_equal (weft_redis_written (redis, 0), WEFT_EDOWN);
    while (redis->journals[0].first || redis->journals[1].first) {
        assert_int_equal (weft_redis_written (redis, 0), WEFT_EDOWN);
        for (int i = 0; i < 2; i++)
            weft_journal_prune (&redis->journals[i], weft_time_ms ());
        pause_ms (100);
    }
    cluster_private_kill (&cluster, 0);
    kill (cluster.nodes[follower].pid, SIGCONT);
    for (int i = 1; i < cluster.n; i++)
        cluster_private_must (&cluster.nodes[i],
                              "CONFIG SET cluster-node-timeout 2000");
    assert_int_equal (weft_redis_written (redis, LONG_MS), WEFT_EAGAIN);
    assert_int_equal (weft_redis_written (redis, LONG_MS), 0);
    cluster_private_restart (&cluster, 0);
    wait_for_role ("master_link_status:up", 3);
    set_node_timeout (2000);
    wait_for_health ();
}

static void *
disturb (void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        int from = some_master (i), to = some_master (from + 1);
        reshard (from, to);
        reshard (to, from);
        //  Only a replica that is in step can take over.
        wait_for_role ("master_link_status:up", 3);
        int victim = some_master (i + 1);
        cluster_private_kill (&cluster, victim);
        wait_for_role ("role:master", 3);
        cluster_private_restart (&cluster, victim);
        wait_for_role ("master_link_status:up", 3);
        atomic_fetch_add (&kills, 1);
    }
    atomic_store (&ending, true);
    return NULL;
}

//  Every tenth alert is the one before it once more; every seventh is dead.
static weft_booking_t
alert_at (int64_t i)
{
    weft_booking_t one =
        booking (i, 1000 + (i % 10 == 9 ? i - 1 : i),
                 i % 7 == 0 ? WEFT_BOOKED_DEAD : WEFT_BOOKED_SETTLED);
    one.night = FULL;
    return one;
}

static uint64_t
expected (int64_t n, int outcome)
{
    uint64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        int is = i % 10 == 9 ? WEFT_BOOKED_DUPLICATE : alert_at (i).outcome;
        count += is == outcome;
    }
    return count;
}

typedef int (step_t) (weft_batch_t *, weft_booking_t *, size_t);

static void
until_it_works (step_t *step, weft_booking_t *many)
{
    int rc;
    while ((rc = step (batch, many, BATCH)) == WEFT_EDOWN)
        pause_ms (2);
    assert_int_equal (rc, 0);
}

//  Adds a byte to an object's history; nothing of it is ever missing.
static void
add_point (int object, size_t point)
{
    static uint8_t blob[65536];
    char name[16];
    snprintf (name, sizeof name, "o%d", object);
    weft_history_t one = item (name, NULL);
    int rc = WEFT_EDOWN;
    memset (blob, 'a' + object, sizeof blob);
    while (rc == WEFT_EDOWN) {
        rc = weft_history_get (batch, &one, 1);
        if (rc == 0 && one.size == point + 1)
            return;  //  only the reply of its put was lost
        if (rc == 0) {
            assert_int_equal (one.size, point);
            one.blob = blob;
            one.size = point + 1;
            rc = weft_history_put (batch, &one, 1);
        }
        if (rc == WEFT_EDOWN)
            pause_ms (2);
    }
    assert_int_equal (rc, 0);
    assert_false (one.lost);
}

static void
check_account (int64_t n)
{
    weft_account_t *accounts = NULL, *account = NULL;
    size_t nights = 0;
    assert_int_equal (weft_ledger_read (redis, &accounts, &nights), 0);
    for (size_t i = 0; i < nights; i++)
        if (accounts[i].night == FULL)
            account = &accounts[i];
    assert_non_null (account);
    assert_int_equal (account->received, n);
    assert_int_equal (account->settled, expected (n, WEFT_BOOKED_SETTLED));
    assert_int_equal (account->dead, expected (n, WEFT_BOOKED_DEAD));
    assert_int_equal (account->duplicate, expected (n, WEFT_BOOKED_DUPLICATE));
    assert_int_equal (account->in_flight, 0);
    assert_true (account->balanced);
    free (accounts);
}

static void
nothing_is_lost_while_slots_move_and_masters_die (void **state)
{
    (void)state;
    pthread_t thread;
    weft_booking_t many[BATCH];
    int64_t n = 0;
    size_t points[OBJECTS] = { 0 };
    assert_int_equal (pthread_create (&thread, NULL, disturb, NULL), 0);
    while (!atomic_load (&ending)) {
        for (int i = 0; i < BATCH; i++)
            many[i] = alert_at (n + i);
        until_it_works (weft_ledger_take, many);
        until_it_works (weft_ledger_book, many);
        n += BATCH;
        int object = (int)(n / BATCH % OBJECTS);
        if (points[object] < 65535)
            add_point (object, points[object]++);
    }
    pthread_join (thread, NULL);
    while (weft_redis_ping (redis) != 0)
        pause_ms (10);
    weft_redis_counts_t counts = weft_redis_counts (redis);
    print_message (
        "%d masters killed, %d reshards, %lld alerts; moved %llu, "
        "asked %llu, waited %llu, replaced %llu\n",
        atomic_load (&kills), atomic_load (&reshards), (long long)n,
        (unsigned long long)counts.moved, (unsigned long long)counts.asked,
        (unsigned long long)counts.waited, (unsigned long long)counts.replaced);
    assert_int_equal (atomic_load (&kills), ROUNDS);
    assert_int_equal (atomic_load (&reshards), 2 * ROUNDS);
    assert_true (counts.replaced >= 1);
    check_account (n);
    for (int i = 0; i < OBJECTS; i++) {
        char name[16];
        snprintf (name, sizeof name, "o%d", i);
        weft_history_t one = item (name, NULL);
        assert_int_equal (weft_history_get (batch, &one, 1), 0);
        assert_int_equal (one.size, points[i]);
    }
}

static int
start (void **state)
{
    (void)state;
    weft_log_init ("test", WEFT_ERROR);
    cluster_private_start (&cluster, CLUSTER_NODES_MOST);
    redis = weft_redis_new (cluster.address, NULL);
    batch = weft_batch_new (redis, 0);
    return 0;
}

static int
stop (void **state)
{
    (void)state;
    weft_batch_destroy (&batch);
    weft_redis_destroy (&redis);
    cluster_private_stop (&cluster);
    return 0;
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_slot_that_has_moved_is_followed),
        cmocka_unit_test (keys_on_their_way_are_asked_for),
        cmocka_unit_test (seen_is_won_while_its_slot_is_on_its_way),
        cmocka_unit_test (keys_that_are_torn_apart_are_waited_for),
        cmocka_unit_test (who_won_before_a_crash_is_settled_after_it),
        cmocka_unit_test (what_is_no_cluster_is_said),
        cmocka_unit_test (every_master_must_keep_what_it_acknowledges),
        cmocka_unit_test (what_no_replica_has_is_not_kept),
        cmocka_unit_test (a_master_with_few_slots_is_asked),
        cmocka_unit_test (a_master_known_by_moved_is_asked),
        cmocka_unit_test (what_went_with_a_master_is_said),
        cmocka_unit_test (nothing_is_lost_while_slots_move_and_masters_die),
    };
    return cmocka_run_group_tests (tests, start, stop);
}
