//  weft_flips_rules.h - rules of class flips that a test can switch off.
//
//  The tests have to show that they would notice if a rule were missing. With
//  WEFT_FLIPS_MUTATE each WEFT_FLIP_RULE (X) asks a global mask, which belongs
//  to the test's only thread; otherwise it is the constant 1 and nothing of this
//  is in the program.

#ifndef WEFT_FLIPS_RULES_H_INCLUDED
#define WEFT_FLIPS_RULES_H_INCLUDED

#include "weft_base.h"

//     name     without it
#define WEFT_FLIP_RULES(X)                                                     \
    X (NEWER, "an old alert that comes again flips the class back")            \
    X (MARGIN, "an object on the border flips with each alert")                \
    X (KNOWN, "the same flip is told again and again")                         \
    X (SHADOW, "a candidate's scores flip what the live model said")           \
    X (MODEL, "another model's opinion flips what this one said")              \
    X (ORDER, "what an old alert told replaces what a newer one did")

typedef enum {
#define X(name, text) WEFT_FLIP_##name,
    WEFT_FLIP_RULES (X)
#undef X
        WEFT_FLIP_RULE_COUNT
} weft_flip_rule_t;

#ifdef WEFT_FLIPS_MUTATE
extern uint32_t weft_flips_without;
#define WEFT_FLIP_RULE(name) (!(weft_flips_without >> WEFT_FLIP_##name & 1))
#else
#define WEFT_FLIP_RULE(name) 1
#endif

#endif
