//  notifier_place.h - where the notifier's outbox is, and with it the record.
//
//  `weft why`, `filters` and `sinks` read files of the notifier, so they run
//  where its data folder is: on that machine, or in its container. One thread.

#ifndef NOTIFIER_PLACE_H_INCLUDED
#define NOTIFIER_PLACE_H_INCLUDED

#include <jansson.h>
#include <limits.h>

#include "weft_base.h"

//  What these commands have in common.
typedef struct {
    const char *outbox;  //  --outbox, NULL: found
    const char *redis;   //  --redis
    bool json;
    char path[PATH_MAX];         //  of the outbox
    char record[PATH_MAX + 16];  //  of the record
} notifier_place_t;

#define NOTIFIER_PLACE_HELP                                                    \
    "  --outbox FILE  the notifier's outbox.db (default: in "                  \
    "WEFT__SERVICE__DATA_DIR,\n"                                               \
    "                 else what the notifiers of this machine told Redis)\n"

//  Returns new: the filters' state as the notifier wrote it. NULL, and `why`
//  (not NULL) in words.
json_t *
notifier_place_state (const notifier_place_t *self, char *why, size_t room);

//  Is there a filter of that name in such a state?
bool notifier_place_has (json_t *state, const char *filter);

//  Finds the outbox. 0, or an exit code after it has said why.
int notifier_place_find (notifier_place_t *self, const char *command);

#endif
