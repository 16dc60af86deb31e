//  weft_why.h - why was this alert sent by that filter, or was not?
//
//  Reads the record (weft_record.h) and asks the very filters that saw the
//  alert, with the code that asked them then. One thread; the notifier may
//  write meanwhile.

#ifndef WEFT_WHY_H_INCLUDED
#define WEFT_WHY_H_INCLUDED

#include "weft_filters.h"
#include "weft_record.h"

typedef struct {
    const char *name, *sql;
    weft_verdict_t verdict;
    //  What was compared, as JSON: the left side of a plain comparison, else
    //  what the condition itself gives. See weft_asker_values.
    char value[160];
} weft_why_condition_t;

typedef struct {
    bool seen;     //  the notifier has seen the alert, as far as is recorded
    bool known;    //  the filters that saw it had one of this name
    bool current;  //  it stands today as it did then
    weft_record_entry_t entry;  //  when it came last
    uint32_t times;             //  how often it came
    char survey[32], object[64];
    const char *owner;
    weft_said_t said;     //  what the filter said then
    weft_said_t verdict;  //  what it says now, asked again: YES, NO, FAILED
    uint32_t n;
    weft_why_condition_t conditions[WEFT_CONDITIONS_MOST];
} weft_why_t;

typedef struct weft_asker weft_asker_t;

//  Returns new in *out: the record in `folder` as it is now. WEFT_ENOENT: there
//  is none.
WEFT_CHECK int weft_asker_new (weft_asker_t **out, const char *folder);
void weft_asker_destroy (weft_asker_t **self_p);

//  The oldest and the newest night of the record; false if it is empty.
bool
weft_asker_nights (const weft_asker_t *self, int32_t *first, int32_t *last);

//  `survey` may be NULL: any. What is in *out borrows until the next question.
//  WEFT_EDOWN with `why`: the record cannot be read.
WEFT_CHECK int weft_asker_why (weft_asker_t *self,
                               const char *filter,
                               const char *survey,
                               int64_t alert_id,
                               weft_why_t *out,
                               char *why,
                               size_t room);

//  Fills in the values of the last answer.
void weft_asker_values (weft_asker_t *self, weft_why_t *out);

//  Counts of a dry run, per condition in order.
typedef struct {
    const char *name, *sql;
    uint64_t holds, fails, unknown, failed;  //  asked alone
    uint64_t left;  //  alerts that hold this and all before it
} weft_try_condition_t;

typedef struct {
    const char *name;
    uint64_t passed, failed;
    uint32_t n;
    weft_try_condition_t conditions[WEFT_CONDITIONS_MOST];
} weft_try_filter_t;

//  Asks filters of a night of the record, each alert once. `filters` holds one
//  per filter. *alerts is how many there were.
WEFT_CHECK int weft_asker_try (weft_asker_t *self,
                               weft_filters_t *asked,
                               int32_t night,
                               weft_try_filter_t *filters,
                               uint64_t *alerts);

const char *weft_said_text (weft_said_t said);
const char *weft_verdict_text (weft_verdict_t verdict);

#endif
