//  weft_link_event.h - what the two ends of a link tell the log.
//
//  The machines neither log nor count in anybody's registry: they report
//  events here, and keep plain counters that the shell reads. Each event has
//  the stable id of its log line. No state; any thread.

#ifndef WEFT_LINK_EVENT_H_INCLUDED
#define WEFT_LINK_EVENT_H_INCLUDED

#include "weft_base.h"
#include "weft_log.h"

//     name        id of the log line     level
#define WEFT_LINK_EVENTS(X)                                                    \
    X (WELCOMED, "LINK-WELCOMED", WEFT_INFO)   /* a session has begun */       \
    X (REFUSED, "LINK-REFUSED", WEFT_ERROR)    /* a HELLO was refused */       \
    X (PEER_LOST, "LINK-PEER-LOST", WEFT_WARN) /* a session ended badly */     \
    X (PEER_BYE, "LINK-PEER-BYE", WEFT_INFO)   /* ... or politely */           \
    X (PEER_HUNG, "LINK-PEER-HUNG", WEFT_WARN) /* silent over stall_ms */      \
    X (PEER_BAD, "LINK-PEER-BAD", WEFT_ERROR)  /* broke the protocol */        \
    X (SILENT, "LINK-SILENT", WEFT_WARN)       /* upstream unheard of */       \
    X (RESET, "LINK-RESET", WEFT_WARN)         /* upstream forgot us */        \
    X (AWAY, "LINK-LOOP-AWAY", WEFT_WARN)      /* our own loop was away */     \
    X (HELD, "LINK-BRANCH-HELD", WEFT_ERROR)   /* too many rejects: page */    \
    X (RELEASED, "LINK-BRANCH-RELEASED", WEFT_INFO)                            \
    X (REJECTED, "LINK-ALERT-REJECTED", WEFT_WARN)                             \
    X (CONVICTED, "LINK-ALERT-CONVICTED", WEFT_WARN)                           \
    X (TOO_BIG, "LINK-ALERT-TOO-BIG", WEFT_WARN)                               \
    X (BROKEN, "LINK-CANARY-FAILED", WEFT_ERROR) /* limit 0 until it works */  \
    X (REPAIRED, "LINK-CANARY-PASSED", WEFT_INFO)

typedef enum {
#define X(name, id, level) WEFT_LINK_EVENT_##name,
    WEFT_LINK_EVENTS (X)
#undef X
} weft_link_event_id_t;

typedef struct {
    weft_link_event_id_t id;
    uint64_t peer;      //  routing id (upstream) or link number (worker), or 0
    const char *stage;  //  the branch, or NULL
    uint64_t value;     //  how many, or which one; see the text of it below
    int code;           //  a WEFT_E... code, or 0
    const char *text;   //  for people, borrowed until the callback returns
} weft_link_event_t;

//  The id and level of the log line; static.
const char *weft_link_event_name (weft_link_event_id_t id);
weft_level_t weft_link_event_level (weft_link_event_id_t id);

//  What `value` counts, as the log has it: "3 alerts", "1200 ms"; nothing where
//  an event has no value.
#define WEFT_LINK_EVENT_MEASURE 48
void weft_link_event_measure (const weft_link_event_t *event,
                              char out[WEFT_LINK_EVENT_MEASURE]);

//  One alert as the link sees it: a reference that only the shell can read.
//  Whoever *takes* an item drops the reference by the `unref` callback.
typedef struct {
    void *item;      //  a weft_alert_t in the programs
    size_t bytes;    //  of all its frames, what windows and ceilings count
    size_t largest;  //  of its largest frame, what MAXMSGSIZE judges
} weft_item_t;

#endif
