//  weft_sink.h - the seam between the outbox and a system outside.
//
//  A sink sends rows and says of each what became of it; when and how often is
//  the courier's business (weft_courier.h). A new kind of sink is one file
//  with a weft_sink_kind_t and a line in weft_sink.c. A call must come back
//  within milliseconds: it runs in the loop; a peer that takes longer is spoken
//  to in a thread of the sink's own. One thread.

#ifndef WEFT_SINK_H_INCLUDED
#define WEFT_SINK_H_INCLUDED

#include "weft_outbox.h"

//  How sinks stand in the configuration.
typedef struct {
    char *name;
    char *kind;
    char *mode;  //  off, dry_run, live
    char *path;  //  jsonl: the file; {day} becomes the day of the row, UTC
    //  webhook:
    char *url;          //  where to, or
    char *url_file;     //  a file with it, if it is a secret
    char *secret_file;  //  what requests are signed with
    char *token_file;   //  "": none
    char *ca_file;      //  "": the system's
    int64_t parallel;   //  requests under way
    int64_t tries;
    double rate;  //  a second, 0: no limit
    int64_t connect_ms, timeout_ms;
} weft_sink_option_t;

typedef enum {
    WEFT_SENT_DONE,    //  the peer has it, for certain and for good
    WEFT_SENT_RETRY,   //  it has not, try again
    WEFT_SENT_VERIFY,  //  nobody knows: ask before it is sent again
    WEFT_SENT_DEAD,    //  it never will take it
    WEFT_SENT_LATER,   //  the answer is yet to come: collect
} weft_sent_t;

typedef struct {
    weft_sent_t sent;
    int status;      //  the peer's, e.g. HTTP's; errno for files
    double wait_s;   //  RETRY: the peer's own wish, 0 = none
    char body[120];  //  its words, in short
    bool row_only;   //  not a failure of the sink: the others may go on
    bool unsent;     //  RETRY: the peer has not seen this attempt
    bool tired;      //  DEAD by the number of attempts, not by the answer
} weft_answer_t;

typedef struct {
    const char *kind;
    int64_t backoff_most_ms;  //  longest pause after failures

    //  Makes a sink; it must not touch the outside yet. WEFT_ECONFIG with
    //  `why` if the options are wrong.
    int (*open) (void **self_p,
                 const weft_sink_option_t *option,
                 char *why,
                 size_t room);
    //  Sends rows in order and fills in answers[n].
    void (*send) (void *self,
                  const weft_row_t *rows,
                  uint32_t n,
                  weft_answer_t *answers);
    //  Which of these rows does the peer have? DONE or RETRY, each certain. An
    //  error of class retry: it cannot be asked now.
    int (*verify) (void *self,
                   const weft_row_t *rows,
                   uint32_t n,
                   weft_answer_t *answers);
    void (*close) (void **self_p);

    //  Sinks that answer later (NULL: send answers). How many rows it takes
    //  now; send copies them and says LATER.
    uint32_t (*room) (const void *self);
    //  The next answer that has come; false: none. Answers of kind VERIFY are
    //  of this row only.
    bool (*collect) (void *self, int64_t *id, weft_answer_t *answer);
    //  Sends nothing more of what it was given; returns how many answers are
    //  yet to come or to be collected.
    uint32_t (*hold) (void *self);
    //  Breaks off what is under way: all answers can be collected now.
    void (*rest) (void *self);
} weft_sink_kind_t;

//  The kind of that name, NULL if there is none.
const weft_sink_kind_t *weft_sink_kind (const char *name);

//  JSON lines in a file: weft_sink_jsonl.c.
extern const weft_sink_kind_t weft_sink_jsonl;
//  Signed POST requests: weft_sink_webhook.c.
extern const weft_sink_kind_t weft_sink_webhook;

#endif
