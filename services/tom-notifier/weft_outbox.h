//  weft_outbox.h - what is to be sent, kept on disk until it is.
//
//  A row is written before its alert is settled upstream and says how far its
//  sending got:
//
//     queued -> inflight -> done | queued (again) | verify | dead
//     verify -> done | queued          skipped: the sink is off or in dry run
//
//  A row found inflight at start becomes verify: nobody knows what the peer
//  saw. The key makes a row unique in its sink, so a redelivered alert changes
//  nothing. SQLite: WAL, synchronous=FULL, one writer at a time.
//
//  One owner: whoever holds the lock on the file beside it. One thread.

#ifndef WEFT_OUTBOX_H_INCLUDED
#define WEFT_OUTBOX_H_INCLUDED

#include "weft_base.h"

typedef enum {
    WEFT_ROW_QUEUED,
    WEFT_ROW_INFLIGHT,
    WEFT_ROW_VERIFY,
    WEFT_ROW_DONE,
    WEFT_ROW_DEAD,
    WEFT_ROW_SKIPPED,
} weft_row_state_t;

//  A row as sinks see it.
typedef struct {
    int64_t id;
    const char *key;
    const char *object;
    const char *payload;  //  one JSON object, without a zero at its end
    size_t payload_size;
    uint32_t attempts;
    double created;    //  seconds since 1970
    int64_t alert_id;  //  0: of no alert. Not told to sinks
    bool lost;         //  the file is damaged: there is no payload any more
} weft_row_t;

//  A sink's rows of one state from one id to another, n of them.
typedef struct {
    weft_row_state_t state;
    int64_t first, last;
    uint32_t n;
} weft_run_t;

typedef struct weft_outbox weft_outbox_t;

//  Tries to become the owner of the outbox at `path`, for the life of the
//  process. True also if this process has been it before. False with errno:
//  EWOULDBLOCK if another process owns it, else why its lock file is no use.
bool weft_outbox_lock (const char *path);

//  Returns new in *out: the outbox at `path`, made if need be, with what was
//  inflight now in verify. WEFT_EDOWN if the file cannot be used (`why` says
//  what SQLite says), WEFT_ECONFIG if it is of another version.
WEFT_CHECK int weft_outbox_open (weft_outbox_t **out,
                                 const char *path,
                                 char *why,
                                 size_t room);
//  Closes it; what is not committed is lost.
void weft_outbox_close (weft_outbox_t **self_p);

//  Changes are made between begin and commit. begin: WEFT_EAGAIN while
//  somebody else writes. After an error of any change or of commit nothing has
//  happened, and the transaction is over.
WEFT_CHECK int weft_outbox_begin (weft_outbox_t *self);
WEFT_CHECK int weft_outbox_commit (weft_outbox_t *self);
void weft_outbox_rollback (weft_outbox_t *self);
bool weft_outbox_changing (const weft_outbox_t *self);

//  Adds a row unless its sink has that key; *id is 0 then. An inflight row
//  counts as one attempt.
WEFT_CHECK int weft_outbox_add (weft_outbox_t *self,
                                const char *sink,
                                weft_row_state_t state,
                                const weft_row_t *row,
                                int64_t *id);

//  Moves a row on. To inflight is one more attempt. `next_at` is when it may be
//  sent again; `status` and `body` (NULL: none; 4 kB kept) are the sink's
//  answer.
WEFT_CHECK int weft_outbox_move (weft_outbox_t *self,
                                 int64_t id,
                                 weft_row_state_t state,
                                 double now,
                                 double next_at,
                                 int status,
                                 const char *body);

//  Moves a run of rows on, without an answer to be kept: what waits for a later
//  time is not among them. WEFT_EBUG if it is not so many, as when somebody
//  changed one of them by hand: said, and nothing has happened.
WEFT_CHECK int weft_outbox_move_run (weft_outbox_t *self,
                                     const char *sink,
                                     const weft_run_t *from,
                                     weft_row_state_t state,
                                     double now);

//  Takes an attempt off a row: it did not reach the sink.
WEFT_CHECK int weft_outbox_forgive (weft_outbox_t *self, int64_t id);

//  Gives up to `most` rows of a sink in this state that may be sent now, in
//  the order of their insertion, to `each`. Rows borrow for the call only. One
//  whose text is not there any more is among them (`lost`).
WEFT_CHECK int weft_outbox_list (weft_outbox_t *self,
                                 const char *sink,
                                 weft_row_state_t state,
                                 double now,
                                 uint32_t most,
                                 void (*each) (void *arg, const weft_row_t *),
                                 void *arg);

//  Has another process changed the file since the last call? `weft sinks` puts
//  rows back.
bool weft_outbox_changed (weft_outbox_t *self);

//  Rows of a sink that are not finished. One read of all of them: at start.
WEFT_CHECK int
weft_outbox_waiting (weft_outbox_t *self, const char *sink, int64_t *n);

//  When the oldest unfinished row was made; 0 if there is none.
WEFT_CHECK int
weft_outbox_oldest (weft_outbox_t *self, const char *sink, double *created);

//  Deletes finished rows: those last touched before `before`, and all but the
//  newest `most` rows. Unfinished rows stay. Looks at a bounded number of rows a call and
//  goes on from there at the next one.
WEFT_CHECK int weft_outbox_prune (weft_outbox_t *self,
                                  double before,
                                  int64_t most,
                                  uint32_t *deleted);

//  Its database, for tables that are changed in the same transactions.
//  Borrows until close.
struct sqlite3;
struct sqlite3 *weft_outbox_db (weft_outbox_t *self);

const char *weft_row_state_text (weft_row_state_t state);

//  SQLite's words for the last error. Borrows until the next call.
const char *weft_outbox_error (const weft_outbox_t *self);

#endif
