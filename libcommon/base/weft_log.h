//  weft_log.h - one JSON line per event on stderr, stable id first.
//
//  {"id":"LINK-PEER-LOST","level":"warn","time":"...","service":"feature",
//   "peer":"...","why":"..."}
//
//  Fields come in pairs of a key and a printf format with its value, made by
//  the macros below; values are escaped. Any thread may log: a line is one
//  write. Nothing is logged per alert above debug.

#ifndef WEFT_LOG_H_INCLUDED
#define WEFT_LOG_H_INCLUDED

#include "weft_base.h"

typedef enum { WEFT_DEBUG, WEFT_INFO, WEFT_WARN, WEFT_ERROR } weft_level_t;

//  Descriptors 0 to 2 that are closed become /dev/null, so that no line goes into
//  what is opened next. First thing in main.
void weft_log_open (void);

//  Names the process in each line and sets the lowest level that is written.
//  Call once, before other threads start.
void weft_log_init (const char *service, weft_level_t level);

//  Another lowest level. Any thread.
void weft_log_set_level (weft_level_t level);

//  "debug", "info", "warn" or "error" to a level; WEFT_ECONFIG otherwise.
WEFT_CHECK int weft_log_level (const char *text, weft_level_t *level);

//  Is this level written at all? For values that cost something to make.
bool weft_log_wants (weft_level_t level);

//  Writes one line. `fields` is a sentence in printf form for people, kept
//  under the key "text"; ids are upper case words joined by hyphens.
void weft_log (weft_level_t level, const char *id, const char *text, ...)
    WEFT_PRINTF (3, 4);

//  Lines of one kind that others can cause: at most WEFT_LOG_A_SECOND of them.
//  One object for each kind and thread, zero at first.
enum { WEFT_LOG_A_SECOND = 20 };

typedef struct {
    int64_t second;
    unsigned lines;   //  in that second
    unsigned unsaid;  //  of them
} weft_log_quota_t;

//  May it be said now? The first of a later second writes a line `id` with the
//  number of those that were not.
bool weft_log_may (weft_log_quota_t *self, const char *id, int64_t now_ms);

#endif
