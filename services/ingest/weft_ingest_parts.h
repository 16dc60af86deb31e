//  weft_ingest_parts.h - the inside of ingest; only weft_ingest*.c see it. One
//  thread, the loop's.

#ifndef WEFT_INGEST_PARTS_H_INCLUDED
#define WEFT_INGEST_PARTS_H_INCLUDED

#include "weft_dlq.h"
#include "weft_flights.h"
#include "weft_ingest.h"
#include "weft_join.h"
#include "weft_kafka.h"
#include "weft_objects.h"
#include "weft_owner.h"
#include "weft_packet_store.h"
#include "weft_reader.h"
#include "weft_refusals.h"
#include "weft_replay.h"
#include "weft_watermark.h"

#define WEFT_INGEST_BATCH WEFT_OBJECTS_MOST  //  positions of one turn
#define WEFT_INGEST_OPEN_MOST 65536          //  positions without an outcome
#define WEFT_INGEST_ALERT_MOST (4u << 20)    //  bytes of one alert.v1

//  What is to become of a position of the batch.
typedef enum {
    SLOT_ALERT,      //  goes into the mesh
    SLOT_DEAD,       //  becomes a dead letter
    SLOT_DUPLICATE,  //  another position has won its id
    SLOT_DONE,       //  was booked in an earlier life
    SLOT_WAITS,      //  waits for an alert in flight
} slot_fate_t;

typedef struct {
    weft_taken_t taken;
    weft_booking_t booking;
    slot_fate_t fate;
    size_t object;
    weft_alert_t *alert;    //  ready to go
    weft_flight_t *flight;  //  its way
    bool buried;            //  its dead letter is written
    weft_packet_ref_t ref;  //  where its packet is stored
    //  A replay of a dead letter, not a position of the input.
    bool replay;
    char replay_key[WEFT_LEDGER_SOURCE_MOST + 64];
    char replay_topic[WEFT_LEDGER_SOURCE_MOST];
} slot_t;

enum { WEFT_INGEST_CLUSTER = 6 };  //  metrics of a Redis Cluster

//  A row of a slot's packet that is new to its object (weft_ingest_owner.c).
typedef struct {
    size_t slot, row;
    bool lost;        //  another object's,
    int64_t version;  //  by this one
} claim_t;

//  A message that an operator has given up: it is not put aside again.
enum { WEFT_INGEST_PARDONS = 256 };
typedef struct {
    char topic[WEFT_LEDGER_SOURCE_MOST];
    int32_t partition;
    int64_t offset;
} pardon_t;

//  How far the batch has come: each step may be done again.
typedef enum { STEP_READ, STEP_ASK, STEP_STORE, STEP_BUILD, STEP_END } step_t;

typedef struct {
    uint64_t read, alerts, settled, duplicate, dead, again;
} counts_t;

typedef struct {
    const weft_ingest_options_t *options;
    bool isolated;
    char topic[96];
    int32_t share, shares;
    weft_input_t *input;
    weft_kafka_t *kafka;  //  whose input it is; NULL: files
    weft_decoder_t *decoder;
    weft_decoder_t *replay_decoder;
    weft_schema_client_t *client;  //  NULL without a registry
    weft_mappings_t *mappings;     //  NULL without a folder
    int64_t mappings_ms;           //  when it was looked at
    char waits[WEFT_AVRO_WHY];     //  for which schema, "" = none
    int64_t waits_ms;              //  since when
    weft_hand_t *hand;
    weft_reader_t *reader;
    weft_redis_t *redis;  //  dead letters, replays
    weft_redis_t *bulk;   //  histories, seen, the ledger; may be `redis`
    char down[320];       //  which of them opening waits for, and why
    weft_batch_t *batch;  //  of bulk
    weft_replay_t *replay;
    weft_objects_t *objects;
    weft_flights_t *flights;
    weft_watermark_t *mark;  //  of files
    weft_view_t *view;
    weft_buf_t buf;
    weft_objects_t *losers;  //  histories that sources have left
    claim_t *claims;         //  of the batch
    size_t n_claims, room_claims;
    bool moves_left;  //  the batch waits for moves of the next turn
    weft_refusals_t refusals;
    //  The packet store (weft_ingest_store.c).
    weft_packet_store_t *store;
    weft_packet_store_config_t store_config;
    char *store_folder;       //  NULL: off
    char store_why[256];      //  why it could not be opened
    char store_told[256];     //  what of that was logged last, "": it is open
    int64_t store_retry_ms;   //  when that, or to publish it, is tried again
    char store_address[300];  //  where others get packets, "": nowhere
    bool store_published;     //  that is in Redis
    uint64_t store_skipped;   //  packets that it was not open for
    weft_metric_t *store_stopped, *store_skipped_total;  //  as the store's
    int64_t kept_message;    //  first position of the message stored last,
    uint32_t kept_part;      //  in this partition of a stream
    weft_packet_ref_t kept;  //  and where it is
    slot_t *unkept;          //  store_hold: its packet is not stored yet
    //  A replay: each alert sees what was known before it and nothing else, so
    //  they are worked on one by one.
    bool exact;
    bool exhausted;      //  the input has no more
    bool idle;           //  the stream has none now
    bool pauses;         //  at a schema that is refused too often
    bool paused;         //  by one: files, as a whole
    weft_taken_t trial;  //  of a message that was put aside
    int64_t trial_ms;
    int64_t renewed_ms;  //  when Redis had all convictions of ours last
    uint64_t renewed_generation;            //  and by which connection
    bool convict_due;                       //  it lacks one
    pardon_t pardons[WEFT_INGEST_PARDONS];  //  a ring
    size_t n_pardons;                       //  so far
    size_t letters_most;                    //  bytes
    bool letters_full;                      //  one waits for room
    size_t n_held, n_waits;  //  put aside; of these, for a schema to come
    char held_why[256];      //  the first of them
    int64_t refused_ms;      //  when it was last said that one is refused
    int error;               //  of the last pull, for ready
    int stream_error;        //  of the stream: it can never go on
    int mark_error;          //  a position that was read could not be marked:
                             //  only a restart reads it again
    slot_t slots[WEFT_INGEST_BATCH];
    size_t n_slots;
    step_t step;
    weft_booking_t *bookings;  //  scratch of settle
    size_t room_bookings;
    int64_t start_ms, replay_ms, place_ms, progress_ms;
    bool place_stays;  //  what was booked after it may be gone
    double due;        //  alerts that the pace allowed so far
    counts_t counts, last_counts;
    weft_metric_t *cluster[WEFT_INGEST_CLUSTER];  //  NULL without one
    weft_metric_t *paused_gauge;
    weft_metric_t *registry_down, *registry_failures, *schemas_known,
        *schema_conflicts;
    weft_metric_t *moved_total, *read_total, *refused_total, *duplicate_total,
        *decode_us;
} ingest_t;

//  Metrics of the Redis Cluster, if there is one.
void weft_ingest_open_cluster (ingest_t *self);
void weft_ingest_beat_cluster (ingest_t *self);

//  The source's callbacks (weft_ingest_pull.c, weft_ingest_settle.c).
int weft_ingest_pull (void *self, weft_intake_t *intake, size_t room);
int weft_ingest_settle (void *self, const weft_settled_t *settled, size_t n);

//  What cannot be decoded now may have been when it was read before: then it
//  stays in that night's account.
WEFT_CHECK int weft_ingest_find_nights (ingest_t *self);

//  Turns a slot with rc 0 into an alert (weft_ingest_build.c). Errors of the
//  class reject are reasons for a dead letter, in taken->why.
int weft_ingest_build (ingest_t *self, slot_t *slot);

//  Would all that was written, bookings and letters, be there if Redis died now?
//  As weft_redis_written, of one Redis or of both.
WEFT_CHECK int weft_ingest_written (const ingest_t *self, int64_t most_ms);

//  Books what has its letter. WEFT_EDOWN also while a letter is not safe yet.
WEFT_CHECK int
weft_ingest_book (ingest_t *self, weft_booking_t *bookings, size_t n);

//  A position was taken in; it has its outcome, and that is booked.
WEFT_CHECK int weft_ingest_mark (ingest_t *self, const weft_taken_t *taken);
void
weft_ingest_end (ingest_t *self, const weft_position_t *at, int64_t offset);

//  It had one before.
void weft_ingest_again (ingest_t *self, const slot_t *slot);

//  Where the packet of a slot is. Borrows from the slot.
void weft_ingest_raw_ref (const slot_t *slot, weft_raw_ref_v1_t *ref);

//  weft_ingest_pull.c: do the rows of this one go into its object's history?
bool weft_ingest_joins (const slot_t *slot);

//  Decodes the packet of a letter that was put back into slot->taken, or refuses
//  it (WEFT_ECRASHED) if ingest has died of that at three starts; and takes out
//  one whose new letter is written (weft_ingest_replay.c).
void weft_ingest_decode_replay (ingest_t *self,
                                slot_t *slot,
                                const weft_dead_v1_t *dead);
int weft_ingest_end_replay (ingest_t *self, const slot_t *slot);

//  Claims the batch's new sources for their objects, and does what follows from
//  that. Then: the tombstones of those that are lost by `slot`, written to `rows`
//  (NULL: only counted).
int weft_ingest_own (ingest_t *self);
size_t
weft_ingest_lost (const ingest_t *self, const slot_t *slot, weft_point_t *rows);

//  The packet store: opens it, stores the packet of a slot that was just read
//  (WEFT_EDOWN: it has to wait, call again), says how it does.
int weft_ingest_open_store (ingest_t *self, const weft_stage_env_t *env);
void weft_ingest_close_store (ingest_t *self);
void weft_ingest_beat_store (ingest_t *self, int64_t now_ms);
int weft_ingest_keep (ingest_t *self, slot_t *slot);
bool weft_ingest_ready_store (const ingest_t *self, char *why, size_t room);
//  The registry's client, if one is configured (weft_ingest_schemas.c).
int weft_ingest_open_registry (ingest_t *self, const char *data_dir);
void weft_ingest_turn_registry (ingest_t *self, int64_t now_ms);

//  The folder of mappings: read at the start, and when it changes.
int weft_ingest_open_mappings (ingest_t *self);
void weft_ingest_renew_mappings (ingest_t *self, int64_t now_ms);

//  A position was read: is its schema refused too often? True: of a stream,
//  its message was put aside and its partition stands still; it is not taken.
bool weft_ingest_watch_schema (ingest_t *self,
                               const weft_taken_t *taken,
                               int64_t now_ms);

//  Partitions that stand still for a schema (weft_ingest_pause.c).
bool weft_ingest_put_aside (ingest_t *self, const weft_taken_t *taken);
bool weft_ingest_pause (ingest_t *self, const weft_taken_t *taken, bool often);
void weft_ingest_try_aside (ingest_t *self, int64_t now_ms);
int weft_ingest_read_pauses (ingest_t *self);

//  The input stands still for the schema of what was read, which is on its way;
//  or goes on (NULL). True: of a stream that has lasted, so the message was put
//  aside, and its partition stands still alone.
bool weft_ingest_wait_schema (ingest_t *self, const weft_taken_t *taken);

//  Keeps the low mark where a restart finds it, and reads it there.
void weft_ingest_save_place (ingest_t *self, int64_t now_ms);
int weft_ingest_load_place (ingest_t *self);

#endif
