//  conform_upstream.c - takes the place of the upstream, and of the branches
//  behind if the worker under test has any.

#include "conform_seat.h"
#include "conform_sink.h"

enum {
    FLOW = 300,
    SUSPECTS = 24,
    NORMALS = 48,
    TRIES = 3,
    QUIET_MS = 3 * CONFORM_BEAT_MS,
};

static conform_seat_t *
seat_of (const conform_t *self)
{
    return self->seats[0];
}

static const conform_seat_info_t *
info_of (const conform_t *self)
{
    return conform_seat_info (self->seats[0]);
}

//  A value that changes while we wait.
typedef struct {
    const conform_t *top;
    uint64_t before;
    int64_t id;
} mark_t;

static bool
has_hello (const void *arg)
{
    const mark_t *mark = arg;
    return info_of (mark->top)->hellos > mark->before;
}

static bool
has_come (const void *arg)
{
    const conform_t *self = ((const mark_t *)arg)->top;
    return info_of (self)->hellos > 0 || self->broken > 0;
}

static bool
has_socket (const void *arg)
{
    const mark_t *mark = arg;
    return info_of (mark->top)->sockets > mark->before;
}

static bool
has_limit (const void *arg)
{
    const mark_t *mark = arg;
    return info_of (mark->top)->live && info_of (mark->top)->limit > 0;
}

static bool
all_ended (const void *arg)
{
    const mark_t *mark = arg;
    return info_of (mark->top)->open == 0;
}

static bool
sinks_live (const void *arg)
{
    const conform_t *self = ((const mark_t *)arg)->top;
    for (size_t i = 0; i < self->n_sinks; i++)
        if (!conform_sink_info (self->sinks[i])->live)
            return false;
    return true;
}

static bool
until (conform_t *self, conform_condition_t *condition, uint64_t before)
{
    mark_t mark = { self, before, 0 };
    return conform_until (self, condition, &mark, conform_patience (self));
}

//  Feeds, and waits for every outcome; false if something stays open, which is
//  then forgotten.
static bool
run_all (conform_t *self,
         uint32_t n,
         conform_kind_t kind,
         conform_rule_t rule,
         const char *what)
{
    if (conform_seat_feed (seat_of (self), n, kind, false))
        return false;
    if (until (self, all_ended, 0))
        return true;
    conform_broken (self, rule, "%llu of %u %s have none",
                    (unsigned long long)info_of (self)->open, n, what);
    conform_seat_forget (seat_of (self));
    return false;
}

//  Nobody answers the first HELLO, then somebody does for another nonce.
static int
greet (conform_t *self)
{
    self->step = "greeting";
    conform_seat_answer (seat_of (self), false);
    mark_t mark = { self, 0, 0 };
    if (!conform_until (self, has_come, &mark, self->options->wait_ms)) {
        fprintf (stderr, "weft conformance: nobody said HELLO\n");
        return 1;
    }
    if (info_of (self)->hellos == 0)
        return 3;
    if (!until (self, has_socket, info_of (self)->sockets))
        conform_broken (self, CONFORM_greeting, "one HELLO and no more");
    conform_seat_wrong_welcome (seat_of (self));
    conform_for (self, 200);
    conform_seat_answer (seat_of (self), true);
    self->step = "windows";
    if (!until (self, has_limit, 0)) {
        conform_broken (self, CONFORM_limit, "0 all the time");
        return 3;
    }
    if (!until (self, sinks_live, 0)) {
        fprintf (stderr, "weft conformance: %s does not welcome its outputs\n",
                 self->options->sink);
        return 1;
    }
    return 0;
}

static void
flow (conform_t *self)
{
    self->step = "flow";
    (void)run_all (self, FLOW, CONFORM_GOOD, CONFORM_outcome, "good alerts");
}

static void
resets (conform_t *self)
{
    conform_seat_t *seat = seat_of (self);
    self->step = "RESET";
    uint64_t hellos = info_of (self)->hellos;
    conform_seat_reset (seat, true);
    conform_for (self, QUIET_MS);
    if (info_of (self)->hellos > hellos)
        conform_broken (self, CONFORM_foreign_reset, "HELLO");
    hellos = info_of (self)->hellos;
    uint64_t sockets = info_of (self)->sockets;
    if (conform_seat_feed (seat, 50, CONFORM_GOOD, false))
        return;
    conform_turn (self);
    conform_seat_reset (seat, false);
    if (!until (self, has_hello, hellos)) {
        conform_broken (self, CONFORM_reset, "no HELLO");
        conform_seat_mute (seat, true);  //  silence makes it say HELLO
        (void)!until (self, has_hello, hellos);
        conform_seat_mute (seat, false);
    } else if (info_of (self)->sockets > sockets) {
        conform_broken (self, CONFORM_reset, "HELLO from another socket");
    }
    (void)run_all (self, 50, CONFORM_GOOD, CONFORM_outcome,
                   "alerts after a RESET");
}

//  Suspects first, good ones behind them in one burst: who runs suspects
//  beside the flow ends some of the good ones before the last suspect.
static void
suspects (conform_t *self)
{
    self->step = "suspects";
    for (int i = 0; i < TRIES; i++) {
        uint32_t room = WEFT_MAX (info_of (self)->limit, 3);
        uint32_t n = WEFT_MIN (SUSPECTS, room / 3);
        if (conform_seat_feed (seat_of (self), n, CONFORM_GOOD, true))
            return;
        if (!run_all (self, WEFT_MIN (NORMALS, room - n), CONFORM_GOOD,
                      CONFORM_outcome, "alerts among suspects"))
            return;
        if (info_of (self)->overtaken)
            return;
    }
    conform_broken (self, CONFORM_isolation,
                    "in %d tries no good alert passed %u suspects", TRIES,
                    (unsigned)SUSPECTS);
}

static void
poison (conform_t *self)
{
    self->step = "a malformed section";
    if (run_all (self, 2, CONFORM_POISON, CONFORM_outcome,
                 "malformed sections"))
        (void)run_all (self, 30, CONFORM_GOOD, CONFORM_outcome,
                       "good alerts after malformed ones");
}

static void
large (conform_t *self)
{
    self->step = "a large frame";
    uint64_t sockets = info_of (self)->sockets;
    if (conform_seat_feed (seat_of (self), 1, CONFORM_LARGE, false))
        return;
    mark_t mark = { self, 0, 0 };
    for (int i = 0; i < 40; i++)
        if (conform_until (self, all_ended, &mark,
                           conform_patience (self) / 40) ||
            info_of (self)->sockets > sockets)
            break;
    if (info_of (self)->open == 0 && info_of (self)->sockets == sockets)
        return;
    conform_broken (self, CONFORM_largest,
                    "a frame that it said it can take (%u) ends the connection",
                    info_of (self)->largest);
    conform_seat_forget (seat_of (self));
    (void)!until (self, has_limit, 0);
}

//  A second upstream comes: all limits together are never more than the one
//  that the first had alone.
static void
window (conform_t *self)
{
    if (self->options->n_endpoints < 2)
        return;
    self->step = "two upstreams";
    uint64_t ceiling = info_of (self)->limit;
    self->seats[1] = conform_seat_new (self, self->options->endpoints[1]);
    if (!self->seats[1])
        return;
    self->n_seats = 2;
    bool came = false;
    int64_t end = self->now + conform_patience (self);
    while (self->now < end) {
        conform_for (self, 20);
        const conform_seat_info_t *second = conform_seat_info (self->seats[1]);
        uint64_t claims = (uint64_t)info_of (self)->claim +
                          (second->live ? second->claim : 0);
        if (claims > ceiling)
            conform_broken (self, CONFORM_window,
                            "limits of %u and %u, alone it had %llu",
                            info_of (self)->claim, second->claim,
                            (unsigned long long)ceiling);
        if (!came && second->limit > 0) {
            came = true;
            end = self->now + QUIET_MS;
        }
    }
    if (!came)
        conform_broken (self, CONFORM_limit, "the second upstream has none");
    conform_seat_bye (self->seats[1]);
    conform_seat_destroy (&self->seats[1]);
    self->n_seats = 1;
}

static bool
has_ended_others (const void *arg)
{
    const mark_t *mark = arg;
    return info_of (mark->top)->open <= mark->before;
}

static bool
all_sinks_have (const void *arg)
{
    const mark_t *mark = arg;
    for (size_t i = 0; i < mark->top->n_sinks; i++)
        if (!conform_sink_has (mark->top->sinks[i], mark->id))
            return false;
    return true;
}

//  All branches keep one alert, then all but the first let it go.
static void
custody (conform_t *self)
{
    if (self->n_sinks == 0)
        return;
    self->step = "custody";
    int64_t id = conform_seat_next_id (seat_of (self));
    for (size_t i = 0; i < self->n_sinks; i++)
        conform_sink_hold (self->sinks[i], true);
    if (conform_seat_feed (seat_of (self), 1, CONFORM_GOOD, false))
        return;
    mark_t mark = { self, 0, id };
    if (!conform_until (self, all_sinks_have, &mark, conform_patience (self)))
        conform_broken (self, CONFORM_forward,
                        "an alert does not reach every branch");
    for (size_t i = 1; i < self->n_sinks; i++)
        conform_sink_hold (self->sinks[i], false);
    conform_for (self, QUIET_MS);
    if (conform_seat_outcome (seat_of (self), id) >= 0)
        conform_broken (self, CONFORM_custody, "it was settled meanwhile");
    conform_sink_dead (self->sinks[0], id);
    conform_sink_hold (self->sinks[0], false);
    mark.before = 0;
    if (!conform_until (self, has_ended_others, &mark, conform_patience (self)))
        conform_broken (self, CONFORM_outcome, "none when all have settled it");
    else if (conform_seat_outcome (seat_of (self), id) != WEFT_OUTCOME_DEAD)
        conform_broken (self, CONFORM_worst,
                        "a branch settled it as dead, it went up as %s",
                        conform_seat_outcome (seat_of (self), id) == 0
                            ? "settled"
                            : "another outcome");
}

//  What is no header, and an alert behind it.
static void
malformed (conform_t *self)
{
    self->step = "what is no header";
    uint64_t sockets = info_of (self)->sockets;
    conform_seat_garbage (seat_of (self));
    if (conform_seat_feed (seat_of (self), 1, CONFORM_GOOD, false))
        return;
    if (!until (self, has_socket, sockets))
        conform_broken (self, CONFORM_malformed, "it stays on the same socket");
    else
        (void)run_all (self, 20, CONFORM_GOOD, CONFORM_outcome,
                       "good alerts after a new socket");
}

static void
refused (conform_t *self)
{
    self->step = "REFUSE";
    conform_seat_answer (seat_of (self), false);
    uint64_t hellos = info_of (self)->hellos;
    conform_seat_reset (seat_of (self), false);
    if (!until (self, has_hello, hellos))
        return;  //  said already
    hellos = info_of (self)->hellos;
    conform_seat_refuse (seat_of (self));
    conform_for (self, 2 * QUIET_MS);
    if (info_of (self)->hellos > hellos)
        conform_broken (self, CONFORM_refused, "HELLO");
}

//  Behind the worker: one of ours for each of its outputs.
static int
open_sinks (conform_t *self)
{
    const conform_options_t *options = self->options;
    for (size_t i = 0; options->sink && i < options->n_outputs; i++) {
        self->sinks[i] =
            conform_sink_new (self, options->sink, options->outputs[i]);
        if (!self->sinks[i])
            return 1;
        self->n_sinks++;
    }
    return 0;
}

int
conform_as_upstream (conform_t *self)
{
    self->seats[0] = conform_seat_new (self, self->options->endpoints[0]);
    if (!self->seats[0])
        return 1;
    self->n_seats = 1;
    int rc = open_sinks (self);
    if (!rc)
        rc = greet (self);
    if (rc)
        return rc == 3 ? 0 : rc;
    static void (*const steps[]) (conform_t *) = {
        flow,  resets, custody,   suspects, poison,
        large, window, malformed, refused,
    };
    //  Without outcomes there is nothing more to be seen.
    for (size_t i = 0; i < WEFT_COUNT (steps); i++)
        if (!self->seen[CONFORM_outcome] && !self->seen[CONFORM_beat])
            steps[i](self);
    return 0;
}
