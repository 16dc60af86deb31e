//  conform.c - the loop of a conformance run, and what it writes down.

#include "conform.h"

#include <stdarg.h>

#include "conform_seat.h"
#include "conform_sink.h"
#include "weft_time.h"

enum { TURN_MS = 20, AWAY_MS = 500 };

static const struct {
    const char *name, *expected;
} rules[] = {
#define RULE(name, expected) { #name, expected },
#include "conform_rules.def"
#undef RULE
};

void
conform_broken (conform_t *self, conform_rule_t rule, const char *seen, ...)
{
    char words[512], name[32];
    va_list args;
    if (self->seen[rule])
        return;
    self->seen[rule] = true;
    self->broken++;
    va_start (args, seen);
    vsnprintf (words, sizeof words, seen, args);
    va_end (args);
    snprintf (name, sizeof name, "%s", rules[rule].name);
    for (char *c = name; *c; c++)
        *c = *c == '_' ? '-' : *c;
    printf ("rule %s: %s (%s); expected: %s\n", name, words, self->step,
            rules[rule].expected);
    fflush (stdout);
}

static size_t
gather (conform_t *self, weft_poll_item_t *items)
{
    size_t n = 0;
    for (size_t i = 0; i < self->n_seats; i++)
        if (conform_seat_socket (self->seats[i]))
            items[n++] = (weft_poll_item_t){ .socket = conform_seat_socket (
                                                 self->seats[i]) };
    for (size_t i = 0; i < self->n_sinks; i++)
        if (conform_sink_socket (self->sinks[i]))
            items[n++] = (weft_poll_item_t){ .socket = conform_sink_socket (
                                                 self->sinks[i]) };
    return n;
}

void
conform_turn (conform_t *self)
{
    weft_poll_item_t items[CONFORM_SEATS + CONFORM_OUTPUTS];
    (void)weft_poll (items, gather (self, items), TURN_MS);
    self->now = weft_time_ms ();
    self->away = self->now - self->last_turn > AWAY_MS;
    self->absent = self->away ? self->now - self->last_turn : 0;
    self->last_turn = self->now;
    for (size_t i = 0; i < self->n_sinks; i++)
        conform_sink_turn (self->sinks[i]);
    for (size_t i = 0; i < self->n_seats; i++)
        conform_seat_turn (self->seats[i]);
}

int64_t
conform_patience (const conform_t *self)
{
    int64_t ms = self->options->patience_ms;
    return self->broken ? WEFT_MIN (ms, CONFORM_BROKEN_MS) : ms;
}

bool
conform_until (conform_t *self,
               conform_condition_t *condition,
               const void *arg,
               int64_t ms)
{
    int64_t end = weft_time_ms () + ms;
    while (!condition (arg)) {
        if (weft_time_ms () > end)
            return false;
        conform_turn (self);
    }
    return true;
}

void
conform_for (conform_t *self, int64_t ms)
{
    int64_t end = weft_time_ms () + ms;
    while (weft_time_ms () < end)
        conform_turn (self);
}
