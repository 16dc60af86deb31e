//  weft_watchdog.h - ends a process whose loop has stopped turning.
//
//  A stage function that never returns leaves a process behind that does
//  nothing more. Its upstream notices (silence) and tries the alert elsewhere
//  in isolation; what is left to do here is to make room for a fresh process,
//  which whoever runs the services starts. The thread counts its own seconds,
//  so a process that was paused as a whole is not taken for one that hangs.

#ifndef WEFT_WATCHDOG_H_INCLUDED
#define WEFT_WATCHDOG_H_INCLUDED

#include "weft_http.h"

typedef struct weft_watchdog weft_watchdog_t;

//  Returns new: a thread that looks each second; when the loop has not turned
//  for more than `limit_ms` of its seconds, the process logs STAGE-HUNG and
//  ends with exit code 1. NULL if no thread can be made. Borrows `health`
//  until destroy.
WEFT_NEW weft_watchdog_t *weft_watchdog_new (weft_health_t *health,
                                             int64_t limit_ms);

void weft_watchdog_destroy (weft_watchdog_t **self_p);

#endif
