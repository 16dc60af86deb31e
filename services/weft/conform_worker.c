//  conform_worker.c - takes the place of a worker of a running upstream, which
//  must have alerts to give.

#include "conform_sink.h"

enum {
    HELD = 8,
    ALL = 4000,  //  more than an upstream has in custody
    LOTS = 64u << 20,
    QUIET_MS = 3 * CONFORM_BEAT_MS,
};

static const conform_sink_info_t *
info_of (const conform_t *self)
{
    return conform_sink_info (self->sinks[0]);
}

typedef struct {
    const conform_t *top;
    uint64_t n;
} mark_t;

static bool
is_live (const void *arg)
{
    return info_of (((const mark_t *)arg)->top)->live;
}

static bool
is_answered (const void *arg)
{
    const mark_t *mark = arg;
    return info_of (mark->top)->live || info_of (mark->top)->refused;
}

static bool
has_kept (const void *arg)
{
    const mark_t *mark = arg;
    return info_of (mark->top)->kept >= mark->n;
}

static bool
has_received (const void *arg)
{
    const mark_t *mark = arg;
    return info_of (mark->top)->received >= mark->n;
}

static bool
has_died_back (const void *arg)
{
    const mark_t *mark = arg;
    return info_of (mark->top)->from_died >= mark->n;
}

static bool
is_back (const void *arg)
{
    return info_of (((const mark_t *)arg)->top)->retried_back_ms != 0;
}

static bool
is_reset (const void *arg)
{
    const mark_t *mark = arg;
    return info_of (mark->top)->reset_named == mark->n;
}

static bool
until (conform_t *self, conform_condition_t *condition, uint64_t n)
{
    mark_t mark = { self, n };
    return conform_until (self, condition, &mark, conform_patience (self));
}

static int
open_sink (conform_t *self, const char *stage)
{
    if (self->n_sinks)
        conform_sink_destroy (&self->sinks[0]);
    self->n_sinks = 0;
    self->sinks[0] =
        conform_sink_new (self, self->options->endpoints[0], stage);
    self->n_sinks = self->sinks[0] != NULL;
    return self->sinks[0] ? 0 : 1;
}

//  A stage that is nobody's output, then the right one in a version that is
//  not there.
static int
refusals (conform_t *self)
{
    self->step = "a stage that is not listed";
    if (open_sink (self, "nobody-lists-this"))
        return 1;
    mark_t mark = { self, 0 };
    if (!conform_until (self, is_answered, &mark, self->options->wait_ms)) {
        fprintf (stderr, "weft conformance: %s does not answer HELLO\n",
                 self->options->endpoints[0]);
        return 1;
    }
    if (info_of (self)->live ||
        info_of (self)->refuse_code != WEFT_REFUSE_STAGE)
        conform_broken (self, CONFORM_up_refuse_stage, "%s, code %d",
                        info_of (self)->live ? "WELCOME" : "REFUSE",
                        info_of (self)->refuse_code);
    const char *contract = self->options->contract;
    if (!contract)
        return 0;
    self->step = "another version";
    static char other[80];
    snprintf (other, sizeof other, "%.*s.v99", (int)strcspn (contract, "."),
              contract);
    if (open_sink (self, self->options->stage))
        return 1;
    conform_sink_hello (self->sinks[0], other, true);
    conform_for (self, 50);
    //  The connection may not have been there yet: it says HELLO again.
    if (until (self, is_answered, 0) &&
        (info_of (self)->live ||
         info_of (self)->refuse_code != WEFT_REFUSE_CONTRACT))
        conform_broken (self, CONFORM_up_refuse_contract, "%s, code %d",
                        info_of (self)->live ? "WELCOME" : "REFUSE",
                        info_of (self)->refuse_code);
    return 0;
}

static int
welcome (conform_t *self)
{
    self->step = "HELLO";
    if (open_sink (self, self->options->stage))
        return 1;
    conform_sink_limit (self->sinks[0], 0, LOTS);
    conform_sink_hold (self->sinks[0], true);
    if (!until (self, is_live, 0) || info_of (self)->wrong_nonce) {
        conform_broken (self, CONFORM_up_welcome, "%s",
                        info_of (self)->refused ? "REFUSE" : "none");
        return info_of (self)->live ? 0 : 3;
    }
    conform_for (self, QUIET_MS);
    if (info_of (self)->received)
        conform_broken (self, CONFORM_up_window, "alerts with a limit of 0");
    return 0;
}

//  A few, kept; one given back. It stands before all others, and comes again
//  as soon as we may have it: there must be room for those behind it, too.
static int
windows (conform_t *self)
{
    conform_sink_t *sink = self->sinks[0];
    self->step = "windows";
    conform_sink_limit (sink, HELD, LOTS);
    if (!until (self, has_kept, HELD)) {
        conform_broken (self, CONFORM_up_flow, "%u alerts with a limit of %d",
                        info_of (self)->kept, HELD);
        return 3;
    }
    conform_for (self, QUIET_MS);
    self->step = "RETRY";
    conform_sink_retry (sink);
    conform_sink_limit (sink, ALL, LOTS);
    if (!until (self, is_back, 0))
        conform_broken (self, CONFORM_up_retry, "it did not come again");
    else if (info_of (self)->retried_back_ms - info_of (self)->retried_ms <
             CONFORM_BEAT_MS - 50)
        conform_broken (self, CONFORM_up_retry, "it came again after %lld ms",
                        (long long)(info_of (self)->retried_back_ms -
                                    info_of (self)->retried_ms));
    return 0;
}

static void
sessions (conform_t *self)
{
    conform_sink_t *sink = self->sinks[0];
    self->step = "SETTLE of another session";
    uint64_t received = info_of (self)->received;
    conform_sink_foreign (sink);
    conform_for (self, QUIET_MS);
    if (info_of (self)->received > received)
        conform_broken (self, CONFORM_up_foreign, "more alerts came");
    self->step = "a session that nobody gave";
    conform_sink_bye (sink);
    conform_for (self, 50);
    conform_sink_stranger (sink, 0x1234567);
    if (!until (self, is_reset, 0x1234567))
        conform_broken (self, CONFORM_up_reset, "no RESET");
}

//  The same process says HELLO again: nobody is blamed.
static int
hello_again (conform_t *self)
{
    self->step = "HELLO again";
    if (open_sink (self, self->options->stage))
        return 1;
    conform_sink_t *sink = self->sinks[0];
    conform_sink_limit (sink, HELD, LOTS);
    conform_sink_hold (sink, true);
    if (!until (self, is_live, 0) || !until (self, has_kept, HELD))
        return 3;
    conform_sink_hello (sink, NULL, false);
    if (!until (self, is_live, 0) || !until (self, has_kept, HELD))
        conform_broken (self, CONFORM_up_hello, "%u of %d came again",
                        info_of (self)->kept, HELD);
    else if (info_of (self)->suspects)
        conform_broken (self, CONFORM_up_hello, "%llu came as suspects",
                        (unsigned long long)info_of (self)->suspects);
    return 0;
}

static void
death (conform_t *self)
{
    conform_sink_t *sink = self->sinks[0];
    self->step = "a death";
    conform_sink_die (sink, HELD / 2);
    conform_sink_limit (sink, 0, LOTS);
    if (until (self, is_live, 0))
        conform_for (self, 2 * QUIET_MS);  //  until the death is known
    conform_sink_limit (sink, HELD, LOTS);
    if (!until (self, is_live, 0) || !until (self, has_died_back, HELD))
        conform_broken (self, CONFORM_up_suspect, "%llu of %d came again",
                        (unsigned long long)info_of (self)->from_died, HELD);
    else if (info_of (self)->bad_blame)
        conform_broken (self, CONFORM_up_suspect,
                        "%llu of %d with the wrong flag",
                        (unsigned long long)info_of (self)->bad_blame, HELD);
    self->step = "the end";
    conform_sink_limit (sink, 64, LOTS);
    conform_sink_hold (sink, false);
    if (!until (self, has_received, info_of (self)->received + HELD))
        conform_broken (self, CONFORM_up_flow, "no more after a settlement");
    conform_sink_bye (sink);
    conform_for (self, 100);
}

int
conform_as_worker (conform_t *self)
{
    int rc = refusals (self);
    if (!rc)
        rc = welcome (self);
    if (!rc)
        rc = windows (self);
    if (!rc) {
        sessions (self);
        rc = hello_again (self);
    }
    if (!rc)
        death (self);
    return rc == 3 ? 0 : rc;
}
