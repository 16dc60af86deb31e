//  weft_filters.h - users' filters: which of them want this alert?
//
//  A filter is a list of named SQL conditions; an alert passes if all hold. A
//  condition that is NULL does not hold. Pure: the same alert gives the same
//  verdicts, so an alert may come twice or run in the isolation child.
//
//  A filter that fails or exceeds its budget has a strike; after so many in a
//  row it is quarantined until the next load. The others go on, and the result
//  says of each alert which filters did not see it. One thread.

#ifndef WEFT_FILTERS_H_INCLUDED
#define WEFT_FILTERS_H_INCLUDED

#include "weft_config.h"
#include "weft_filter_view.h"

//  How filters stand in the configuration.
typedef struct {
    char *name;
    char *sql;
} weft_condition_option_t;

typedef struct {
    char *name;
    char *owner;
    weft_texts_t sinks;
    weft_list_t conditions;  //  of weft_condition_option_t
} weft_filter_option_t;

typedef struct {
    int64_t budget;    //  steps of SQLite's machine per filter and alert
    uint32_t strikes;  //  failures in a row before quarantine
} weft_filter_limits_t;

#define WEFT_FILTERS_MOST 500    //  filters of one service
#define WEFT_CONDITIONS_MOST 64  //  conditions of one filter

typedef enum {
    WEFT_VERDICT_SKIPPED,      //  not looked at: an earlier one decided
    WEFT_VERDICT_TRUE,         //  holds
    WEFT_VERDICT_FALSE,        //  does not hold
    WEFT_VERDICT_UNKNOWN,      //  is NULL: something it reads is absent
    WEFT_VERDICT_FAILED,       //  an error, or over budget
    WEFT_VERDICT_QUARANTINED,  //  the filter is out of service
} weft_verdict_t;

//  What a filter says of an alert. `condition` is the first that did not hold
//  (FALSE stands for UNKNOWN, too: weft_filters_explain tells them apart).
typedef struct {
    weft_verdict_t verdict;
    uint32_t condition;
} weft_filter_result_t;

typedef struct weft_filters weft_filters_t;

//  Returns new in *out: all filters, checked and prepared; all or nothing. On
//  WEFT_ECONFIG `why` names filter, condition and SQLite's reason. Copies the
//  options.
WEFT_CHECK int weft_filters_new (weft_filters_t **out,
                                 const weft_filter_option_t *options,
                                 uint32_t n,
                                 weft_filter_limits_t limits,
                                 char *why,
                                 size_t room);
void weft_filters_destroy (weft_filters_t **self_p);

//  How many filters, and who they are. Borrows until destroyed.
uint32_t weft_filters_count (const weft_filters_t *self);
const char *weft_filters_name (const weft_filters_t *self, uint32_t filter);
const char *weft_filters_owner (const weft_filters_t *self, uint32_t filter);
uint32_t weft_filters_sinks (const weft_filters_t *self,
                             uint32_t filter,
                             char *const **sinks);
const char *weft_filters_condition_name (const weft_filters_t *self,
                                         uint32_t filter,
                                         uint32_t condition);

//  Why it failed last, "" if it never did.
const char *weft_filters_failure (const weft_filters_t *self, uint32_t filter);
bool weft_filters_quarantined (const weft_filters_t *self, uint32_t filter);

//  Ends a quarantine.
void weft_filters_release (weft_filters_t *self, uint32_t filter);

//  Asks all filters; results[filter]. An error (class reject) only if a section
//  of the alert cannot be decoded.
WEFT_CHECK int weft_filters_evaluate (weft_filters_t *self,
                                      const weft_alert_t *alert,
                                      weft_filter_result_t *results);

//  Asks every condition of one filter, none skipped; verdicts[condition]. No
//  strikes are counted. Errors as weft_filters_evaluate.
WEFT_CHECK int weft_filters_explain (weft_filters_t *self,
                                     const weft_alert_t *alert,
                                     uint32_t filter,
                                     weft_verdict_t *verdicts);

//  The view of the last alert that was asked about, with the sections already
//  decoded. Borrows until the next one.
weft_filter_view_t *weft_filters_view (weft_filters_t *self);

#endif
