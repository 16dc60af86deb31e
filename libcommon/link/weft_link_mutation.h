//  weft_link_mutation.h - rules that a test build can switch off.
//
//  The simulation has to show that it would notice if a rule were missing.
//  Compiled with WEFT_LINK_MUTATE, each WEFT_RULE (X) asks a global mask;
//  otherwise it is the constant 1 and nothing of this is in the program. The
//  mask belongs to the simulation's only thread.

#ifndef WEFT_LINK_MUTATION_H_INCLUDED
#define WEFT_LINK_MUTATION_H_INCLUDED

#include "weft_base.h"

//     name     option of sim_mutate   what happens when it is switched off
#define WEFT_LINK_MUTATIONS(X)                                                 \
    X (CUSTODY, "1-custody", "settled upstream when the function returns")     \
    X (DURABLE, "1-durable", "settled upstream before the commit")             \
    X (REPLAY, "1-replay", "the outcome of what was put back is not told")     \
    X (PUT_BACK, "1-put-back", "what was put back is settled when taken")      \
    X (BRANCHES, "2-branches", "settled when the first branch has")            \
    X (WORST, "2-worst", "the last outcome goes up, not the worst")            \
    X (LISTED, "2-listed", "a branch without workers is skipped")              \
    X (SESSION, "3-session", "frames of other sessions are believed")          \
    X (HELLO, "3-hello", "a HELLO does not end the boot's old session")        \
    X (RESET, "3-reset", "unknown sessions get a beat, not a RESET")           \
    X (NONCE, "3-nonce", "any WELCOME and any RESET is believed")              \
    X (FAILED, "5-failed-send", "an alert whose send failed counts as sent")   \
    X (STALL, "4-stall", "silence of a working peer is not death")             \
    X (AWAY, "4-away", "deadlines are not renewed after an absence")           \
    X (REDELIVER, "5-redeliver", "what a dead worker held is not queued")      \
    X (OTHER_PEER, "5-other-peer", "a RETRY may go back at once")              \
    X (SUSPECT, "6-suspect", "a death makes no suspects")                      \
    X (OUTSIDE, "6-outside", "a child killed from outside convicts")           \
    X (CANARY, "7-canary", "verdicts are sent without a canary")               \
    X (GIVE_BACK, "7-give-back", "a failed canary does not stop intake")       \
    X (HOLD, "7-hold", "a stage may reject everything")                        \
    X (AFTER, "7-after",                                                       \
       "a canary confirms verdicts that came after it began")                  \
    X (RELEASE, "7-release", "another hash does not release a held branch")    \
    X (KNOWN, "7-known", "any HELLO releases a held branch")                   \
    X (REHASH, "7-rehash", "a worker does not say that its hash has changed")  \
    X (LIMIT, "8-limit", "the upstream ignores limits")                        \
    X (ECHO, "8-echo", "unechoed limits are not counted")                      \
    X (HELDS, "8-held", "what a session holds is not counted")                 \
    X (ORPHANS, "8-orphans", "alerts of ended sessions are not counted")       \
    X (IDLE, "8-idle", "an idle peer may not take one over its bytes")         \
    X (TURNS, "8-turns", "no turns where limits are fewer than sessions")      \
    X (TOO_BIG, "9-too-big", "the largest frame is not checked")               \
    X (REOPEN, "9-reopen", "a silent socket is not reopened")                  \
    X (ORDER, "10-order", "a SETTLE settles what was sent before, too")        \
    X (EFFECTS, "11-effects", "side effects carry no key")                     \
    X (POLICY, "12-policy", "a tap holds alerts like any branch")

typedef enum {
#define X(name, option, text) WEFT_MUTATION_##name,
    WEFT_LINK_MUTATIONS (X)
#undef X
        WEFT_MUTATION_COUNT
} weft_link_mutation_id_t;

#ifdef WEFT_LINK_MUTATE
extern uint64_t weft_link_mutation;
#define WEFT_RULE(name)                                                        \
    (!(weft_link_mutation & (UINT64_C (1) << WEFT_MUTATION_##name)))
#else
#define WEFT_RULE(name) 1
#endif

#endif
