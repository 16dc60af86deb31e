//  weft_isolation.h - the isolation child: the same program without sockets,
//  one alert at a time.
//
//  An alert that was in the hands of a process that died, and every canary, is
//  run there. How the child ends tells what the alert does: its own signal or
//  an exit is a crash, silence over stall_ms is a hang, and a kill from outside
//  says nothing. The child is spawned at its first job and kept. Driven by the
//  loop: nothing here waits. Belongs to the loop's thread.

#ifndef WEFT_ISOLATION_H_INCLUDED
#define WEFT_ISOLATION_H_INCLUDED

#include "weft_alert.h"
#include "weft_worker.h"

enum {
    WEFT_ISOLATION_FD = 3,         //  the child's end of the pipe
    WEFT_ISOLATION_CONFIG_FD = 4,  //  the child's copy of the configuration
    WEFT_ISOLATION_HEADER = 12,
};

//  What the child is asked, behind a u32 with the number of bytes that follow.
typedef enum {
    WEFT_ISOLATION_ALERT = 1,   //  a flattened alert
    WEFT_ISOLATION_GOLDEN = 2,  //  nothing: the stage's golden vector
} weft_isolation_ask_t;

typedef struct weft_isolation weft_isolation_t;

//  How a job ended.
typedef struct {
    weft_child_t how;
    int rc;  //  of the function, if it returned
    char reason[WEFT_LINK_REASON_MAX + 1];
    weft_frame_t *section;  //  what it wrote, the caller's; NULL unless rc is 0
} weft_isolated_t;

//  Returns new: no child yet. `argv` (NULL-terminated, borrowed for life) is
//  the child's command line. NULL without memory.
WEFT_NEW weft_isolation_t *weft_isolation_new (char *const *argv,
                                               int64_t stall_ms);

//  Children from now on get this descriptor (borrowed; -1: none) as their
//  WEFT_ISOLATION_CONFIG_FD.
void weft_isolation_pass (weft_isolation_t *self, int fd);

//  Kills the child.
void weft_isolation_destroy (weft_isolation_t **self_p);

//  For weft_poll: the pipe, or -1; and whether there is something to write.
int weft_isolation_fd (const weft_isolation_t *self);
bool weft_isolation_wants_write (const weft_isolation_t *self);

//  Gives the child a job: this alert, or the golden vector if NULL. One at a
//  time. WEFT_ENOMEM or WEFT_ETOOBIG: it does not reach the child, and the next
//  turn ends it with that (without memory: WEFT_EAGAIN).
WEFT_CHECK int weft_isolation_run (weft_isolation_t *self,
                                   const weft_alert_t *alert);

//  Goes on as far as it can without waiting. True if the job has ended.
WEFT_CHECK bool weft_isolation_turn (weft_isolation_t *self,
                                     int64_t now_ms,
                                     weft_isolated_t *ended);

//  The job has had its time: kills the child, unless it is still starting (it
//  may load catalogues for a while; then the time of the job begins when it
//  gets the alert).
void weft_isolation_kill (weft_isolation_t *self);

//  Ends the child, a busy one after its job: the next job gets a new one, with
//  the configuration and the data of that time.
void weft_isolation_renew (weft_isolation_t *self);

//  The child's process id, 0 without one. For tests and the log.
int weft_isolation_pid (const weft_isolation_t *self);

#endif
