//  sim_world.h - a small mesh made of the very objects that the runtime uses,
//  in one thread, with a clock, a network and bad luck drawn from a seed.
//
//  Simulated are the parts around the link: processes (with supervisor,
//  isolation child and function), connections as libzmq and TCP make them,
//  re-readable sources and keyed sinks. Not simulated, but run as they are:
//  weft_custody_t, weft_worker_t, weft_upstream_t and the frames' bytes.
//
//  All times are milliseconds; the protocol's intervals are scaled down.

#ifndef SIM_WORLD_H_INCLUDED
#define SIM_WORLD_H_INCLUDED

#include "weft_custody.h"
#include "weft_link_mutation.h"

enum {
    STAGES_MAX = 6,  //  a source, four more, a tap
    REPLICAS_MAX = 3,
    PROCS_MAX = STAGES_MAX * REPLICAS_MAX,
    CONNS_MAX = PROCS_MAX * REPLICAS_MAX,
    ALERTS_MAX = 48,
    EVENTS_MAX = 2048,
    FRAME_MAX = 512,

    BEAT_MS = 100,
    STALL_MS = 400,
    HEARTBEAT_MS = 250,   //  ZMTP's: a peer that is silent so long is gone
    SUPERVISOR_MS = 900,  //  a hung process is killed after
    DRAIN_MS = 600,
    PROGRESS_MS = 60000,  //  all must be settled so long after the last fault
    NEVER = INT32_MAX,
};

typedef struct world world_t;
typedef struct proc proc_t;

//  splitmix64: the seed alone decides everything.
typedef struct {
    uint64_t state;
} rand_t;

static inline uint64_t
rand_next (rand_t *self)
{
    uint64_t z = (self->state += UINT64_C (0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C (0x94d049bb133111eb);
    return z ^ (z >> 31);
}

//  Uniform in [low, high].
static inline int
rand_in (rand_t *self, int low, int high)
{
    uint64_t span = (uint64_t)(high - low + 1);
    return low + (int)((rand_next (self) >> 32) * span >> 32);
}

//  True in `percent` of 100.
static inline bool
rand_hit (rand_t *self, int percent)
{
    return rand_in (self, 1, 100) <= percent;
}

typedef enum {
    ALERT_GOOD,
    ALERT_CRASHES,  //  the function of one stage
    ALERT_HANGS,
    ALERT_REJECTED,
    ALERT_TOO_BIG,  //  for the workers of one stage
} kind_t;

typedef struct {
    kind_t kind;
    uint8_t stage;   //  where it is bad
    uint8_t source;  //  the replica that has it in its log
    uint16_t bytes;
    uint16_t largest;
    int8_t outcome;   //  the source's: -1 while there is none
    bool replayed;    //  an operator put it back: its source has it twice
    uint8_t letters;  //  mask of stages whose letter is put back, for now
    //  What stands for those letters in custody: their addresses are tags.
    uint32_t seats[STAGES_MAX];
    bool abandoned;               //  its source gave it up as stuck
    bool excused;                 //  a stage that rejects everything got it
    uint8_t dead;                 //  mask of stages with a dead letter
    uint8_t effects[STAGES_MAX];  //  commits at each last stage
    int32_t refs;                 //  references that are alive
} alert_t;

typedef struct {
    int parent;  //  -1: the source
    uint8_t replicas;
    bool leaf;        //  it commits
    bool tap;         //  a sampling branch of its parent
    bool absent;      //  a tap that nobody ever starts
    bool unattended;  //  no supervisor kills its hung processes
    uint8_t child_count;
    uint8_t children[WEFT_BRANCHES_MAX];
    char name[8];
    uint16_t ceiling;
    uint16_t ceiling_bytes;
    uint16_t largest;
    uint16_t max_alerts;  //  of its upstream end
    uint8_t cost;         //  of one alert in the function
    uint8_t slow;         //  added to it for a while
    uint8_t bury;         //  until a dead letter is durable, at most
    bool rejecting;       //  everything, and the canary passes
    bool has_rejected;    //  it did so once
    bool dependency_down;
    uint8_t hash;  //  of the configuration that is in its file
} stage_t;

//  A branch that is held for its rejects, and who was there then.
typedef struct {
    uint8_t count;
    uint8_t hashes[PROCS_MAX];
} held_t;

typedef enum { CHILD_NONE, CHILD_RUNS_ALERT, CHILD_RUNS_CANARY } child_kind_t;

typedef enum { REPLICA_GOOD, REPLICA_REJECTS, REPLICA_CRASHES } replica_t;

typedef struct message {
    struct message *next;
    alert_t *item;
    int32_t arrival;
    uint32_t generation;  //  of the connection that carried it
    uint16_t size;
    uint8_t data[FRAME_MAX];
} message_t;

typedef struct {
    message_t *head;
    message_t *tail;
} queue_t;

//  When a worker gave an alert back, in which session.
typedef struct {
    int32_t time;
    uint64_t session;
} given_t;

enum { END_WORKER, END_UPSTREAM };

//  A worker's DEALER and what is left of its pipe at the upstream's ROUTER.
typedef struct {
    proc_t *ends[2];
    uint32_t link;        //  the worker's number for it
    uint32_t generation;  //  grows with each connect: the routing id
    bool up[2];           //  as each end sees it
    bool lost;            //  frames vanish: a silent cut
    bool dead_socket;     //  an oversized frame: it never reconnects
    int32_t heal_at;      //  no connect before
    int32_t hold_until;   //  frames are late: a short cut
    int32_t last[2];      //  arrival of the last frame to each end
    uint8_t delay;
    uint32_t ghost;  //  an older generation that the upstream still sees
    int32_t ghost_until;
    bool connecting;
    int32_t read_at;  //  when the upstream last read it dry
    queue_t to[2];    //  frames under way to each end, and unread ones
} conn_t;

//  The lowest bit of a source's tag: a replay, whose outcome is not its own.
enum { REPLAY_BIT = 1 };

enum { HAND_MAX = 64, GRAVES_MAX = 64 };

//  One alert for the function, and the connection by which it came.
typedef struct {
    weft_held_t *held;
    alert_t *alert;
    conn_t *conn;
} job_t;

struct proc {
    world_t *world;
    stage_t *stage;
    uint8_t index;  //  in world->procs
    uint8_t replica;
    bool wanted;  //  the supervisor restarts it
    bool running;
    bool paused;
    bool hung;
    bool busy;  //  in its function
    bool draining;
    bool dies;  //  right after its next commit
    replica_t quality;
    bool turns_bad;  //  while its next canary runs
    uint32_t life;
    uint32_t pauses;
    int32_t wake;
    int32_t drain_at;

    weft_custody_t *custody;      //  NULL in a source
    weft_upstream_t *upstream;    //  NULL in a last stage
    conn_t *conns[REPLICAS_MAX];  //  to its upstreams
    uint8_t conn_count;
    conn_t *downs[PROCS_MAX];  //  to its workers
    uint8_t down_count;

    job_t hand[HAND_MAX];  //  what the function has to do
    conn_t *reading;
    uint8_t hand_count;

    child_kind_t child;
    uint32_t child_job;
    alert_t *child_alert;
    weft_held_t *child_held;
    weft_child_t child_how;
    int child_rc;
    bool child_ready;

    weft_grave_t *graves[GRAVES_MAX];
    int32_t grave_due[GRAVES_MAX];
    uint8_t grave_count;
    //  Buried for a rejecting stage since its branch was released last.
    uint8_t innocents[STAGES_MAX];
    held_t held[STAGES_MAX];
    uint8_t hash;               //  what it computes: said at the next turn
    uint8_t said;               //  to its worker end
    uint8_t taken[ALERTS_MAX];  //  mask of stages: letters in its custody

    //  A source: its log is what the world's alerts name it for.
    uint8_t position;
    bool settled[ALERTS_MAX];  //  in this life
};

typedef enum {
    EVENT_TURN,
    EVENT_CHILD,
    EVENT_CONNECT,
    EVENT_DROP,
    EVENT_RESTART,
    EVENT_SUPERVISE,
    EVENT_RESUME,
    EVENT_HEARTBEATS,
    EVENT_FAULT,
    EVENT_CALM,
    EVENT_UNDO,
} event_type_t;

typedef struct {
    int32_t time;
    uint32_t order;  //  ties are broken by age
    uint8_t type;
    uint8_t subject;
    uint8_t detail;
    uint32_t mark;
} event_t;

struct world {
    rand_t rand;
    int32_t now;
    uint64_t seed;
    uint64_t steps;
    bool trace;
    const char *violation;  //  the first one ends the schedule
    char detail[160];

    stage_t stages[STAGES_MAX];
    uint8_t stage_count;
    proc_t procs[PROCS_MAX];
    uint8_t proc_count;
    conn_t conns[CONNS_MAX];
    uint8_t conn_count;
    alert_t alerts[ALERTS_MAX];
    uint8_t alert_count;
    uint8_t open;  //  alerts without an outcome
    uint8_t pace;  //  between two alerts of a source, 0: unpaced
    uint8_t reject_ring;
    uint8_t again;    //  percent of an upstream's sends that say WEFT_EAGAIN
    uint8_t max_age;  //  beats until a source may give an alert up, 0: never
    bool sliced;      //  functions run for half a beat at a time
    uint8_t loss;     //  percent of calls of a function that say WEFT_EDOWN
    int32_t calm_at;  //  when faults stop
    bool calm;
    bool operator_acts;  //  a branch is released by hand
    uint8_t hashes;      //  given out so far

    event_t heap[EVENTS_MAX];
    uint32_t heap_count;
    uint32_t order;
    message_t *free_messages;
    uint32_t messages;  //  alive
    given_t given[ALERTS_MAX][CONNS_MAX];
};

//  Runs one schedule in a world of memory that may be used again. True if no
//  invariant was violated; else world->violation says which.
bool sim_run (world_t *world, uint64_t seed);

//  Frees what schedules left in a world for the next ones.
void sim_free (world_t *world);

//  sim_world.c
void sim_push (world_t *world,
               int32_t time,
               event_type_t type,
               unsigned subject,
               unsigned detail,
               uint32_t mark);
void sim_violate (world_t *world, const char *what, const char *format, ...)
    WEFT_PRINTF (3, 4);
void sim_trace (world_t *world, const char *format, ...) WEFT_PRINTF (2, 3);

//  sim_plan.c: which mesh, which alerts, which faults.
void sim_plan (world_t *world);
void sim_fault (world_t *world, unsigned kind, unsigned param);
void sim_undo (world_t *world, unsigned what, unsigned param);
void sim_calm (world_t *world);

//  sim_net.c
int sim_send (conn_t *conn,
              int from,
              uint32_t generation,
              const void *data,
              size_t size,
              alert_t *item);
message_t *sim_read (conn_t *conn, int end);
void sim_free_message (world_t *world, message_t *message);
void sim_clear (world_t *world, queue_t *queue);
void sim_connect_later (conn_t *conn, int delay);
void sim_on_connect (conn_t *conn);
void sim_on_drop (conn_t *conn, int end, uint32_t generation);
void sim_cut (conn_t *conn);
void sim_cut_silently (conn_t *conn, int duration);
void sim_gone (proc_t *proc);
void sim_on_heartbeats (proc_t *proc);
void sim_reopen (conn_t *conn);
int32_t sim_next_arrival (const proc_t *proc);
bool sim_quiet (const world_t *world);

//  sim_proc.c
void sim_start (proc_t *proc);
void sim_kill (proc_t *proc);
void sim_stop (proc_t *proc);
void sim_pause (proc_t *proc, int duration);
void sim_resume (proc_t *proc);
void sim_wake (proc_t *proc, int32_t time);
void sim_turn (proc_t *proc);
void sim_put_back (proc_t *proc, unsigned param);
void sim_on_child (proc_t *proc, uint32_t job);
void sim_kill_child (proc_t *proc, weft_child_t how);

//  sim_ops.c: the callbacks of the machines.
void sim_open (proc_t *proc);
void sim_relink (conn_t *conn);

//  sim_check.c
void sim_check_proc (proc_t *proc);
void sim_check_outcome (world_t *world, alert_t *alert, int outcome);
void sim_check_abandoned (proc_t *proc, alert_t *alert);
void sim_check_dispatch (proc_t *proc, alert_t *alert);
void sim_check_given (proc_t *proc, alert_t *alert, conn_t *conn);
void
sim_check_event (proc_t *proc, const weft_link_event_t *event, bool is_worker);
void sim_check_replayed (proc_t *proc, void *tag, int outcome);
void sim_check_grave (proc_t *proc, unsigned stage, alert_t *alert, int code);
bool sim_check_empty (const world_t *world);
void sim_check_end (world_t *world);

static inline unsigned
stage_index (const world_t *world, const stage_t *stage)
{
    return (unsigned)(stage - world->stages);
}

static inline unsigned
alert_index (const world_t *world, const alert_t *alert)
{
    return (unsigned)(alert - world->alerts);
}

static inline unsigned
conn_index (const world_t *world, const conn_t *conn)
{
    return (unsigned)(conn - world->conns);
}

#endif
