//  weft_kafka_start.h - where reading a partition begins.
//
//  From what the group has committed and what the broker still has. Offsets
//  below `low` were deleted by retention, `high` is the next to be written.
//  Pure. Any thread.

#ifndef WEFT_KAFKA_START_H_INCLUDED
#define WEFT_KAFKA_START_H_INCLUDED

#include "weft_base.h"

typedef enum {
    WEFT_START_FIRST,      //  the group has never been here
    WEFT_START_COMMITTED,  //  goes on where it was
    WEFT_START_GAP,        //  what lies before was deleted unread
    WEFT_START_BEYOND,     //  committed behind the end: another topic by now
} weft_start_kind_t;

typedef struct {
    weft_start_kind_t kind;
    int64_t offset;  //  where to begin; BEYOND: nowhere
    int64_t gap;     //  offsets that are gone
} weft_start_t;

//  `committed` is negative if the group has none. `beyond` is what was committed
//  when the end was last found before that, -1: never. As long as it is committed
//  the log may grow as it likes: it is another topic's offset.
weft_start_t weft_kafka_start (int64_t committed,
                               int64_t beyond,
                               int64_t low,
                               int64_t high,
                               bool from_end);

#endif
