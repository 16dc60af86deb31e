//  weft_effect.h - what the stage function hands to commit.
//
//  The function is pure and may run in the isolation child, so its result is
//  bytes: what each filter said, one payload, who gets it, and which filters did
//  not see the alert.
//  On the wire: msgpack [version, said, payload, [[filter, sink]...], [[filter,
//  owner, why, quarantined]...]]; said has a byte per filter (weft_said_t). An alert
//  that nobody wants makes no bytes at all.
//
//  No state: any thread.

#ifndef WEFT_EFFECT_H_INCLUDED
#define WEFT_EFFECT_H_INCLUDED

#include "weft_buf.h"
#include "weft_filters.h"
#include "weft_record.h"

typedef struct {
    weft_str_t filter;
    weft_str_t sink;
} weft_effect_pass_t;

typedef struct {
    weft_str_t filter;
    weft_str_t owner;
    weft_str_t why;
    bool quarantined;
} weft_effect_miss_t;

//  Reads an effect from front to back; borrows from its bytes.
typedef struct {
    weft_cursor_t at;
    uint64_t version;  //  of the filters
    weft_bin_t said;
    weft_str_t payload;  //  a JSON object
    uint32_t passes, misses;
} weft_effect_t;

//  Does it ask for nothing?
bool weft_effect_idle (const void *data, size_t size);

//  Appends what the results ask for. `payload` is empty if nobody wants
//  the alert. Returns an error of either buffer.
WEFT_CHECK int weft_effect_write (uint64_t version,
                                  const weft_filters_t *filters,
                                  const weft_filter_result_t *results,
                                  const weft_buf_t *payload,
                                  weft_buf_t *out);

//  Does somebody want the alert, or has a filter missed it?
bool weft_effect_needed (const weft_filters_t *filters,
                         const weft_filter_result_t *results,
                         bool *wanted);

WEFT_CHECK int
weft_effect_open (weft_effect_t *self, const void *data, size_t size);

//  The next pass, then the next miss: 0, WEFT_EABSENT after the last one, or
//  the cursor's error. All passes before the first miss.
WEFT_CHECK int weft_effect_pass (weft_effect_t *self, weft_effect_pass_t *pass);
WEFT_CHECK int weft_effect_miss (weft_effect_t *self, weft_effect_miss_t *miss);

#endif
