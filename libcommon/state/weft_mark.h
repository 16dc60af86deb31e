//  weft_mark.h - was the Redis that has the ledger emptied behind our back?
//
//  ledger:mark  string: when it was first used, and a number; for ever
//
//  Nobody of us ever removes it, so a mark that has gone, or is another one than
//  before, says that somebody has (FLUSHALL, another disk): what was booked is
//  not counted any more, and no sum shows it. In a cluster it is on one master.

#ifndef WEFT_MARK_H_INCLUDED
#define WEFT_MARK_H_INCLUDED

#include "weft_redis.h"

//  The mark as this process has seen it last; zeros at first.
typedef struct {
    char text[48];
} weft_mark_t;

//  Reads the mark, or writes one where there is none. 0: it is the same, or the
//  first that was seen; WEFT_ENOENT: the one before has gone, told once;
//  WEFT_EDOWN and others: nothing is known. Thread of the connection.
WEFT_CHECK int weft_mark_look (weft_mark_t *self, weft_redis_t *redis);

#endif
