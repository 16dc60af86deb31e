//  weft_upstream_parts.h - what the files of the upstream end share.
//
//  An alert in custody is an entry with one copy per branch. A copy that was
//  sent is in flight: the flight stands in its session's list (in order of
//  sequence number) and in one hash table. Private to weft_upstream*.c. The
//  thread of the upstream, which is the loop's.

#ifndef WEFT_UPSTREAM_PARTS_H_INCLUDED
#define WEFT_UPSTREAM_PARTS_H_INCLUDED

#include "weft_link_mutation.h"
#include "weft_upstream.h"

typedef struct weft_copy copy_t;
typedef struct weft_entry entry_t;
typedef struct weft_flight flight_t;
typedef struct weft_session session_t;

typedef enum {
    COPY_NONE,     //  not for this branch
    COPY_QUEUED,   //  in the branch's queue
    COPY_SENT,     //  with a worker: it has a flight
    COPY_BURYING,  //  its dead letter is being written
    COPY_DONE,     //  settled by this branch
} copy_state_t;

enum { AVOID_MAX = 4 };

struct weft_copy {
    entry_t *entry;
    copy_t *prev;  //  in the branch's queue
    copy_t *next;
    flight_t *flight;
    uint64_t avoid[AVOID_MAX];  //  the sessions that gave it back lately
    int64_t avoid_until;        //  they do not get it again before
    uint16_t attempt;           //  deliveries so far
    uint8_t branch;
    uint8_t state;
    uint8_t avoid_count;  //  grows over AVOID_MAX, then the oldest is forgotten
    bool suspect;         //  stays until it is settled
};

struct weft_entry {
    entry_t *prev;  //  in order of submission; `next` links free ones, too
    entry_t *next;
    weft_item_t item;
    void *tag;
    int64_t since;
    uint64_t closed_before;  //  alerts closed when it was submitted
    uint64_t ahead;          //  alerts in custody when it was submitted
    uint32_t open;           //  lossless branches that have not settled it
    weft_outcome_t worst;
    copy_t copies[];  //  one per branch
};

//  One ALERT that a session has not settled. Without a copy it is a tap's, or
//  its alert was abandoned: it still counts in the window.
struct weft_flight {
    flight_t *prev;  //  in the session's list; `next` links free ones, too
    flight_t *next;
    flight_t *hash_next;
    session_t *session;
    copy_t *copy;
    uint64_t seq;
    size_t bytes;
};

struct weft_session {
    uint64_t id;
    uint64_t peer;
    uint64_t boot;
    uint64_t hash;
    uint32_t branch;
    uint32_t index;  //  in self->sessions
    uint32_t limit;
    uint32_t limit_version;
    uint64_t limit_bytes;
    uint32_t largest;
    uint32_t stall_ms;
    uint32_t unsettled;
    uint64_t unsettled_bytes;
    uint64_t last_seq;
    uint64_t done;
    int64_t alive_at;  //  silence is counted from here
    bool echo_due;
    bool draining;
    flight_t *head;
    flight_t *tail;
};

enum { HASHES_MAX = 16 };

typedef struct {
    char stage[WEFT_LINK_NAME_MAX + 1];
    weft_policy_t policy;
    copy_t *head;  //  the queue
    copy_t *tail;
    uint64_t queued;
    uint64_t unsettled;
    uint64_t burying;
    uint32_t peers;
    uint8_t *ring;        //  the last verdicts, 1 for a reject
    uint32_t ring_at;     //  where the next one goes
    uint32_t rejects;     //  ones in the ring
    bool held;            //  for its rejects
    uint32_t hash_count;  //  builds that were there when it was held
    uint64_t hashes[HASHES_MAX];
} branch_t;

enum { BANNED_MAX = 16 };

struct weft_upstream {
    weft_upstream_config_t config;
    weft_upstream_ops_t ops;
    void *arg;
    weft_upstream_stats_t stats;

    branch_t branches[WEFT_BRANCHES_MAX];
    session_t **sessions;    //  stats.peers of max_peers
    uint64_t session_count;  //  ever

    entry_t *head;  //  in custody, oldest first
    entry_t *tail;
    entry_t *free_entries;
    flight_t *free_flights;
    flight_t **table;  //  flights by session and sequence number
    uint32_t table_mask;

    uint64_t banned[BANNED_MAX];  //  peers that broke the protocol
    uint32_t banned_at;

    int64_t last_tick;
    int64_t next_beat;
    bool was_away;  //  the last tick came late, too
};

//  weft_upstream_hold.c: entries, copies and flights.

//  Puts a copy into its branch's queue: handed back, so to the front, or new.
void weft_upstream_queue (weft_upstream_t *self, copy_t *copy, bool front);
void weft_upstream_unqueue (weft_upstream_t *self, copy_t *copy);

//  One branch is done with its copy; may settle and free the entry.
void weft_upstream_copy_done (weft_upstream_t *self,
                              copy_t *copy,
                              weft_outcome_t outcome);
void weft_upstream_copy_bury (weft_upstream_t *self,
                              copy_t *copy,
                              int code,
                              const char *reason);

//  Makes sure that the next flight has memory: before something is sent that
//  could not be booked.
WEFT_CHECK bool weft_upstream_can_fly (weft_upstream_t *self);

//  Books what was just sent under the session's next number.
void weft_upstream_fly (weft_upstream_t *self,
                        session_t *session,
                        copy_t *copy,
                        size_t bytes);

//  The flight with this number, or NULL.
flight_t *weft_upstream_flight (const weft_upstream_t *self,
                                const session_t *session,
                                uint64_t seq);

//  Takes a flight out of its session: its copy (or NULL) is in no state then.
copy_t *weft_upstream_land (weft_upstream_t *self, flight_t *flight);

//  Takes an entry out of queues and flights; WEFT_EAGAIN if it is being buried.
WEFT_CHECK int weft_upstream_forget (weft_upstream_t *self, entry_t *entry);

void weft_upstream_free_all (weft_upstream_t *self);

//  weft_upstream_peer.c: sessions and what their frames mean.

session_t *weft_upstream_peer (const weft_upstream_t *self, uint64_t peer);

//  Ends a session and queues what it held. `death`: what was above `done`
//  comes back as suspect.
void weft_upstream_end (weft_upstream_t *self, session_t *session, bool death);

//  Ends it because a send said that it is gone.
void weft_upstream_gone (weft_upstream_t *self, session_t *session);

//  Sends a frame without an item to a session; 0 or what `send` said.
WEFT_CHECK int weft_upstream_post (weft_upstream_t *self,
                                   const session_t *session,
                                   weft_link_frame_t *frame);

void weft_upstream_event (const weft_upstream_t *self,
                          const weft_link_event_t *event);

//  An event of a session.
void weft_upstream_tell (const weft_upstream_t *self,
                         weft_link_event_id_t id,
                         const session_t *session,
                         uint64_t value,
                         const char *text);

//  Hands one alert back to the front of its queue. Walk a session's list from
//  its end, so that the queue keeps the order.
void
weft_upstream_hand_back (weft_upstream_t *self, flight_t *flight, bool suspect);

//  weft_upstream_outcome.c: what a worker says of alerts. They return how many
//  of those named its session holds.

//  SETTLE or RETRY.
uint64_t weft_upstream_runs (weft_upstream_t *self,
                             session_t *session,
                             const weft_link_frame_t *frame,
                             int64_t now);

//  REJECT: a verdict.
uint64_t weft_upstream_reject (weft_upstream_t *self,
                               session_t *session,
                               const weft_link_frame_t *frame,
                               int64_t now);

//  weft_upstream_send.c: which alert goes to whom.

//  Offers a new alert to a tap, now or never.
void weft_upstream_tap (weft_upstream_t *self,
                        uint32_t branch,
                        const weft_item_t *item);

//  Sends what a branch's windows have room for.
void weft_upstream_pump (weft_upstream_t *self, uint32_t branch, int64_t now);

#endif
