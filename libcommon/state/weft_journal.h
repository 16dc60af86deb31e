//  weft_journal.h - what a Redis that is killed may have forgotten, although it
//  acknowledged it.
//
//  With `appendfsync everysec` Redis puts off writing its append-only file
//  while an fsync is under way, for up to two seconds, and answers all the
//  same. A kill -9 in that time loses what was acknowledged (seen in 1 of 150
//  kills). So a connection remembers the batches of the last seconds that were
//  marked by weft_batch_keep, and issues them again after it was remade: they
//  are idempotent. Once Redis is seen with nothing unwritten (weft_written.c)
//  they are forgotten, long before the time is over. Only a client and Redis killed together lose them.
//
//  Private to the connection; same thread.

#ifndef WEFT_JOURNAL_H_INCLUDED
#define WEFT_JOURNAL_H_INCLUDED

#include "weft_base.h"

#define WEFT_JOURNAL_MS 4000  //  remembered for

typedef struct weft_kept {
    struct weft_kept *next;
    int64_t when;  //  acknowledged, monotonic ms
    size_t count;  //  commands
    size_t size;
    uint8_t bytes[];
} weft_kept_t;

typedef struct {
    weft_kept_t *first, *last;
    size_t size;     //  bytes of all
    size_t ceiling;  //  beyond it, the oldest go
    int64_t gone;    //  `when` of the newest that was forgotten, 0: none was
} weft_journal_t;

//  Remembers a batch that was acknowledged now. Without memory it is not
//  remembered,
//  and counts as forgotten at once.
void weft_journal_add (weft_journal_t *self,
                       int64_t now,
                       const void *bytes,
                       size_t size,
                       size_t count);

//  Forgets what is old enough to be in the file. Only while Redis answers.
void weft_journal_prune (weft_journal_t *self, int64_t now);

//  All were issued again, and count as acknowledged now.
void weft_journal_renew (weft_journal_t *self, int64_t now);

void weft_journal_fini (weft_journal_t *self);

#endif
