//  weft dlq - looks at dead letters, puts them back, drops them.

#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <time.h>

#include "commands.h"
#include "dlq_bytes.h"
#include "dlq_groups.h"
#include "dlq_release.h"
#include "weft_cli.h"
#include "weft_dlq.h"
#include "weft_time.h"

enum { STAGES_MOST = 64, REPLAY_MOST = 32 << 20, PATIENCE_S = 30 };

typedef struct {
    weft_redis_t *redis;
    const char *address;
    const char *raw;  //  show: file for the bytes
    bool json;
    bool all;
    bool failed;                      //  show: the bytes could not be written
    json_t *list;                     //  ls --json
    char (*keys)[WEFT_DLQ_KEY_MOST];  //  --all: keys to work on
    size_t n_keys, room;
    const char *store;  //  replay: folder of a packet store
    weft_buf_t packet;  //  of the letter in hand
    bool bare;          //  which was not found
    size_t sent;        //  bytes of packets since the stage had taken all
} dlq_t;

static void
help (FILE *out)
{
    fprintf (
        out,
        "usage: weft dlq [groups] [--json]\n"
        "       weft dlq ls [STAGE] [--json]\n"
        "       weft dlq show STAGE KEY [--raw FILE]\n"
        "       weft dlq replay STAGE (KEY... | --all) [--store DIR]\n"
        "       weft dlq drop STAGE (KEY... | --all)\n"
        "       weft dlq release STAGE\n\n"
        "Dead letters: alerts that a stage, and packets that ingest, could "
        "not process.\n\n"
        "  groups    how many of each stage, error and schema, with the newest "
        "one's\n            key and reason\n"
        "  ls        stage, key, reason and time of each\n"
        "  show      one of them as JSON: envelope, reason, where it came "
        "from\n"
        "  replay    puts it back: the stage's upstream (ingest takes its "
        "own)\n            tries it again within a second, or when it runs "
        "again;\n            what fails again is listed again. Of a letter "
        "that only kept\n"
        "            its place, the packet is read from the packet store or "
        "from its path\n"
        "  drop      removes it for good; the ledger keeps it as dead\n"
        "  release   the stage is held because it rejects so much: let it go "
        "on\n\n"
        "  --json         groups, ls: a list of objects\n"
        "  --all          every dead letter of the stage\n"
        "  --raw FILE     show: writes the bytes there (packet, or the "
        "alert's frames)\n"
        "  --store DIR    replay: a packet store on this host; else the ingest "
        "that wrote\n                 it is asked, which Redis "
        "names\n" WEFT_CLI_REDIS_HELP
        "\nExit: 0 ok, 1 failed, 2 usage, 3 some keys were not there, or "
        "nothing is\nleft to be put back.\n");
}

//  Seconds of the day are enough for people.
static void
time_text (double mjd_tai, char *out, size_t room)
{
    double utc = weft_time_utc_of_tai (mjd_tai);
    weft_time_iso ((utc - WEFT_MJD_UNIX) * 86400, out, room);
}

static json_t *
string_of (weft_str_t text)
{
    return text.p ? weft_cli_text (text.p, text.n) : json_string ("");
}

static void
list_one (void *arg,
          const char *stage,
          weft_str_t key,
          const weft_dead_v1_t *dead)
{
    dlq_t *self = arg;
    char when[40] = "";
    weft_str_t reason = weft_str ("(does not decode)"), path = { NULL, 0 };
    if (dead) {
        time_text (dead->at, when, sizeof when);
        reason = dead->reason;
        path = dead->path;
    }
    if (self->json)
        json_array_append_new (
            self->list,
            json_pack ("{s:s, s:o, s:o, s:s, s:o, s:i, s:b}", "stage", stage,
                       "key", string_of (key), "reason", string_of (reason),
                       "time", when, "path", string_of (path), "code",
                       dead ? dead->code : WEFT_EMALFORMED, "sample",
                       dead && (dead->packet.n > 0 || dead->frames.n > 0)));
    else {
        char plain_key[512], plain_reason[2048], plain_path[2048];
        printf ("%-16s %-32s %-24s %s%s%s\n", stage,
                weft_cli_plain (plain_key, sizeof plain_key, key.p, key.n),
                when,
                weft_cli_plain (plain_reason, sizeof plain_reason, reason.p,
                                reason.n),
                path.n ? ", in " : "",
                weft_cli_plain (plain_path, sizeof plain_path, path.p, path.n));
    }
}

static int
list (dlq_t *self, int argc, char *argv[])
{
    char stages[STAGES_MOST][64];
    size_t n = 0;
    if (argc > 1)
        return 2;
    self->list = json_array ();
    int rc = argc ? 0 : weft_dlq_stages (self->redis, stages, STAGES_MOST, &n);
    if (!self->json)
        printf ("%-16s %-32s %-24s %s\n", "stage", "key", "time", "reason");
    for (size_t i = 0; rc == 0 && i < (argc ? 1 : n); i++)
        rc = weft_dlq_list (self->redis, argc ? argv[0] : stages[i], list_one,
                            self);
    if (rc) {
        json_decref (self->list);
        return weft_cli_lost ("dlq", "cannot read the dead letters",
                              self->redis, rc);
    }
    if (self->json)
        return weft_cli_print (self->list, JSON_INDENT (2));
    json_decref (self->list);
    return 0;
}

static int
groups (dlq_t *self)
{
    char stages[STAGES_MOST][64];
    size_t n = 0;
    json_t *found = json_array ();
    int rc = weft_dlq_stages (self->redis, stages, STAGES_MOST, &n);
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = weft_dlq_list (self->redis, stages[i], dlq_group, found);
    if (rc) {
        json_decref (found);
        return weft_cli_lost ("dlq", "cannot read the dead letters",
                              self->redis, rc);
    }
    if (self->json)
        return weft_cli_print (found, JSON_INDENT (2));
    dlq_groups_print (found, stdout);
    json_decref (found);
    return 0;
}

//  The envelope and the names of the sections, if the frames are an alert.
static void
add_alert (json_t *json, weft_bin_t frames)
{
    weft_alert_t *alert =
        frames.n ? weft_alert_parse (frames.p, frames.n) : NULL;
    json_t *sections = json_array ();
    if (alert)
        json_object_set_new (json, "envelope",
                             weft_contract_json (&weft_envelope_v1,
                                                 weft_alert_envelope (alert)));
    for (size_t i = 1; alert && i < weft_alert_frames (alert); i++) {
        weft_frame_t *frame = weft_alert_frame (alert, i);
        weft_str_t name = { NULL, 0 };
        if (weft_contract_name (weft_frame_data (frame),
                                weft_frame_size (frame), &name) != 0)
            name = weft_str ("?");
        json_array_append_new (
            sections, json_pack ("{s:o, s:I}", "contract", string_of (name),
                                 "bytes", (json_int_t)weft_frame_size (frame)));
    }
    json_object_set_new (json, "sections", sections);
    weft_alert_unref (&alert);
}

static void
show_one (void *arg,
          const char *stage,
          weft_str_t key,
          const weft_dead_v1_t *dead)
{
    dlq_t *self = arg;
    (void)stage;
    if (!dead) {
        fprintf (stderr, "weft dlq: %.*s does not decode\n", (int)key.n, key.p);
        self->failed = true;
        return;
    }
    char when[40];
    weft_dead_v1_t bare = *dead;  //  bytes are not for people
    bare.frames = (weft_bin_t){ NULL, 0 };
    bare.packet = (weft_bin_t){ NULL, 0 };
    bare.has[0] &= ~(UINT64_C (1) << WEFT_dead_v1_frames |
                     UINT64_C (1) << WEFT_dead_v1_packet);
    json_t *json = weft_contract_json (&weft_dead_v1, &bare);
    time_text (dead->at, when, sizeof when);
    json_object_set_new (json, "time", json_string (when));
    json_object_set_new (json, "code_name",
                         json_string (weft_error_name (dead->code)));
    json_object_set_new (json, "frame_bytes", json_integer (dead->frames.n));
    json_object_set_new (json, "packet_bytes", json_integer (dead->packet.n));
    add_alert (json, dead->frames);
    if (weft_cli_print (json, JSON_INDENT (2)) != 0)
        self->failed = true;
    const weft_packet_places_t places = { .folder = self->store,
                                          .redis = self->redis };
    if (self->raw && !dlq_bytes_write (&places, dead, self->raw))
        self->failed = true;
}

static int
show (dlq_t *self, int argc, char *argv[])
{
    if (argc != 2)
        return 2;
    int rc = weft_dlq_show (self->redis, argv[0], argv[1], show_one, self);
    if (rc == WEFT_ENOENT) {
        fprintf (stderr, "weft dlq: %s has no dead letter '%s'\n", argv[0],
                 argv[1]);
        return 3;
    }
    if (rc)
        return weft_cli_lost ("dlq", "cannot read the dead letter", self->redis,
                              rc);
    return self->failed ? 1 : 0;
}

static void
gather_key (void *arg,
            const char *stage,
            weft_str_t key,
            const weft_dead_v1_t *dead)
{
    dlq_t *self = arg;
    (void)stage;
    (void)dead;
    if (self->n_keys == self->room) {
        size_t room = self->room ? 2 * self->room : 64;
        void *keys = realloc (self->keys, room * sizeof *self->keys);
        if (!keys) {
            self->failed = true;
            return;
        }
        self->keys = keys;
        self->room = room;
    }
    if (key.n < WEFT_DLQ_KEY_MOST)
        weft_str_copy (key, self->keys[self->n_keys++], WEFT_DLQ_KEY_MOST);
}

//  0, an error, or 1 if it cannot be done and that has been said.
typedef int (work_t) (dlq_t *self, const char *stage, const char *key);

static int
drop (dlq_t *self, const char *stage, const char *key)
{
    return weft_dlq_drop (self->redis, stage, key);
}

//  A letter without bytes gets its packet, from wherever that is.
static void
see_bytes (void *arg,
           const char *stage,
           weft_str_t key,
           const weft_dead_v1_t *dead)
{
    dlq_t *self = arg;
    char why[DLQ_BYTES_WHY] = "";
    const weft_packet_places_t places = { .folder = self->store,
                                          .redis = self->redis };
    (void)stage;
    if (!dead || dead->packet.n || dead->frames.n)
        return;
    self->bare = dlq_bytes_find (&places, dead, &self->packet, why) != 0;
    if (self->bare)
        fprintf (stderr,
                 "weft dlq: %.*s: only its place was kept, as enough of its "
                 "schema and reason were there, and its packet is not to be "
                 "found: %s\n",
                 (int)key.n, key.p, why);
}

//  Packets that are put back lie in Redis until they are taken, so not too many
//  at a time: 0, or 1 if nobody takes them.
static int
wait_for_room (dlq_t *self, const char *stage)
{
    uint64_t left = 1, before = UINT64_MAX;
    if (self->sent < REPLAY_MOST)
        return 0;
    for (int tries = 0; left && tries < PATIENCE_S * 10; tries++) {
        int rc = weft_dlq_waiting (self->redis, stage, &left);
        if (rc)
            return rc;
        if (left < before)
            tries = 0;
        before = left;
        if (left)
            nanosleep (&(struct timespec){ .tv_nsec = 100000000 }, NULL);
    }
    self->sent = 0;
    if (!left)
        return 0;
    fprintf (stderr,
             "weft dlq: %llu are put back and nobody takes them: is %s running "
             "(or the stage before it)? The others stay; run this again\n",
             (unsigned long long)left, stage);
    self->failed = true;
    return 1;
}

//  Without bytes there is nothing to try, and the reason would be lost.
static int
put_back (dlq_t *self, const char *stage, const char *key)
{
    self->bare = false;
    weft_buf_clear (&self->packet);
    int rc = wait_for_room (self, stage);
    if (!rc)
        rc = weft_dlq_show (self->redis, stage, key, see_bytes, self);
    if (self->bare || rc == 1)
        return 1;
    if (rc && rc != WEFT_ENOENT)
        return rc;
    self->sent += self->packet.size;
    weft_bin_t packet = { self->packet.data, (uint32_t)self->packet.size };
    return weft_dlq_replay_with (self->redis, stage, key, packet);
}

//  Does it to one key: 0, or 3 if it is not there, or 1.
static int
work_on (
    dlq_t *self, work_t *work, const char *stage, const char *key, size_t *done)
{
    int rc = work (self, stage, key);
    if (rc == 0) {
        (*done)++;
        return 0;
    }
    if (rc == 1)
        return 3;
    fprintf (stderr, "weft dlq: %s %s: %s\n", stage, key, weft_error_text (rc));
    return rc == WEFT_ENOENT ? 3 : 1;
}

static int
change (dlq_t *self, work_t *work, const char *what, int argc, char *argv[])
{
    int code = 0;
    size_t done = 0;
    if (self->all ? argc != 1 : argc < 2)
        return 2;
    if (self->all) {
        int rc = weft_dlq_list (self->redis, argv[0], gather_key, self);
        if (rc || self->failed)
            return weft_cli_lost ("dlq", "cannot list the dead letters",
                                  self->redis, rc ? rc : WEFT_ENOMEM);
        //  A key that is gone by now is no failure here: somebody took it.
        for (size_t i = 0; i < self->n_keys && code != 1 && !self->failed;
             i++) {
            self->bare = false;
            int one = work_on (self, work, argv[0], self->keys[i], &done);
            if (one == 1 || self->bare)
                code = one;
        }
    }
    for (int i = 1; i < argc && code != 1 && !self->failed; i++) {
        int one = work_on (self, work, argv[0], argv[i], &done);
        code = one ? one : code;
    }
    printf ("%zu %s\n", done, what);
    return self->failed ? 1 : code;
}

//  Is it a command line? Known before Redis is asked anything.
static bool
is_usable (const dlq_t *self, int argc, char *argv[])
{
    static const struct {
        const char *verb;
        int least, most;
    } verbs[] = { { "groups", 0, 0 },     { "ls", 0, 1 },
                  { "show", 2, 2 },       { "replay", 2, INT_MAX },
                  { "drop", 2, INT_MAX }, { "release", 1, 1 } };
    for (size_t i = 0; argc > 0 && i < WEFT_COUNT (verbs); i++)
        if (strcmp (argv[0], verbs[i].verb) == 0)
            return self->all ? argc == 2
                             : argc - 1 >= verbs[i].least &&
                                   argc - 1 <= verbs[i].most;
    return false;
}

static int
run (dlq_t *self, int argc, char *argv[])
{
    int code = 2;
    const char *verb = argv[0];
    self->redis = weft_cli_redis ("dlq", self->address, &code);
    if (!self->redis)
        return code;
    code = 2;
    if (strcmp (verb, "groups") == 0)
        code = groups (self);
    else if (strcmp (verb, "ls") == 0)
        code = list (self, argc - 1, argv + 1);
    else if (strcmp (verb, "show") == 0)
        code = show (self, argc - 1, argv + 1);
    else if (strcmp (verb, "replay") == 0)
        code = change (self, put_back, "put back", argc - 1, argv + 1);
    else if (strcmp (verb, "drop") == 0)
        code = change (self, drop, "dropped", argc - 1, argv + 1);
    else if (strcmp (verb, "release") == 0)
        code = dlq_release (self->redis, argv[1]);
    if (code == 2)
        help (stderr);
    free (self->keys);
    weft_buf_fini (&self->packet);
    weft_redis_destroy (&self->redis);
    return code;
}

int
weft_cmd_dlq (int argc, char *argv[])
{
    static const struct option options[] = {
        { "json", no_argument, NULL, 'j' },
        { "all", no_argument, NULL, 'a' },
        { "raw", required_argument, NULL, 'w' },
        { "store", required_argument, NULL, 's' },
        { "redis", required_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    dlq_t self = { 0 };
    weft_buf_init (&self.packet, WEFT_PACKET_MOST);
    for (int c; (c = getopt_long (argc, argv, "", options, NULL)) != -1;) {
        if (c == 'j')
            self.json = true;
        else if (c == 'a')
            self.all = true;
        else if (c == 'w')
            self.raw = optarg;
        else if (c == 's')
            self.store = optarg;
        else if (c == 'r')
            self.address = optarg;
        else {
            help (c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : 2;
        }
    }
    static char *overview[] = { "groups", NULL };
    bool bare = optind == argc;
    argc = bare ? 1 : argc - optind;
    argv = bare ? overview : argv + optind;
    if (!is_usable (&self, argc, argv)) {
        help (stderr);
        return 2;
    }
    return run (&self, argc, argv);
}
