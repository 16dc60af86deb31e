//  conform.h - `weft conformance`: a peer that follows proto/link.v1.md to the
//  letter and writes down what the other side does not. One thread.

#ifndef WEFT_CONFORM_H_INCLUDED
#define WEFT_CONFORM_H_INCLUDED

#include "weft_alert.h"
#include "weft_link_frame.h"
#include "weft_mesh.h"

enum {
    CONFORM_SEATS = 2,         //  endpoints to bind at
    CONFORM_OUTPUTS = 8,       //  branches to stand behind
    CONFORM_SEQS = 8192,       //  alerts of one session
    CONFORM_BEAT_MS = 250,     //  our beats
    CONFORM_BROKEN_MS = 1500,  //  patience with who has broken a rule
};

typedef enum {
#define RULE(name, expected) CONFORM_##name,
#include "conform_rules.def"
#undef RULE
    CONFORM_RULES
} conform_rule_t;

typedef struct {
    const char *endpoints[CONFORM_SEATS];
    size_t n_endpoints;
    bool as_worker;
    const char *contract;  //  that the stage writes, or NULL
    const char *sink;      //  where the worker under test binds, or NULL
    const char *outputs[CONFORM_OUTPUTS];
    size_t n_outputs;
    const char *stage;    //  as a worker: which one
    int64_t wait_ms;      //  for somebody to come
    int64_t patience_ms;  //  for what must happen
    const char *keys;     //  folder of CURVE keys, or NULL: plaintext
} conform_options_t;

struct conform_seat;
struct conform_sink;

typedef struct {
    const conform_options_t *options;
    weft_mesh_t *mesh;
    int64_t now, last_turn;
    bool away;       //  this turn came late: nobody is judged,
    int64_t absent;  //  and so many ms count for nobody's silence
    bool seen[CONFORM_RULES];
    unsigned broken;
    struct conform_seat *seats[CONFORM_SEATS];
    struct conform_sink *sinks[CONFORM_OUTPUTS];
    size_t n_seats, n_sinks;
    const char *step;  //  what is being tried
} conform_t;

//  Prints the line of a broken rule, once per rule.
void
conform_broken (conform_t *self, conform_rule_t rule, const char *seen, ...)
    WEFT_PRINTF (3, 4);

//  One turn of the loop: reads, ticks, sends; waits up to 20 ms.
void conform_turn (conform_t *self);

//  How long to wait for what must happen: less, when a rule is broken already.
int64_t conform_patience (const conform_t *self);

//  Turns until the condition holds; false if it does not within `ms`.
typedef bool (conform_condition_t) (const void *arg);
bool conform_until (conform_t *self,
                    conform_condition_t *condition,
                    const void *arg,
                    int64_t ms);

//  Turns for that long.
void conform_for (conform_t *self, int64_t ms);

//  The two sides. 0 or an exit code other than 3's: nobody came.
int conform_as_upstream (conform_t *self);
int conform_as_worker (conform_t *self);

typedef enum { CONFORM_GOOD, CONFORM_POISON, CONFORM_LARGE } conform_kind_t;

//  Returns new: alert `id` with the sections before `reads` and that one
//  itself (NULL: all); poison has bytes in their place that are no section, a
//  large one a section more of `large` bytes. NULL without memory.
WEFT_NEW weft_alert_t *conform_alert (int64_t id,
                                      const char *reads,
                                      conform_kind_t kind,
                                      size_t large);

//  Do all bytes of this section keep the contract of that name? NULL if so,
//  else why not, static.
const char *conform_section (weft_frame_t *frame, const char *name);

//  Are these the frames that were sent, and one more? NULL if so, else why not,
//  static.
const char *conform_forwarded (const weft_alert_t *sent,
                               const weft_alert_t *alert);

#endif
