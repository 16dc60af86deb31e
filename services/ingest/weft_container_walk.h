//  weft_container_walk.h - where an Avro container ends, while it still comes.
//
//  Steps over header and blocks by their sizes and checks each sync marker;
//  nothing is unpacked. What has been stepped over is not looked at again, so
//  that the cost is linear however the bytes come. Pure. One thread at a time.

#ifndef WEFT_CONTAINER_WALK_H_INCLUDED
#define WEFT_CONTAINER_WALK_H_INCLUDED

#include "weft_base.h"

#define WEFT_WALK_SYNC 16

//  A walk begins with zeros.
typedef struct {
    size_t at;        //  bytes that are behind us
    uint64_t blocks;  //  of them
    bool headed;      //  the header is
    uint8_t sync[WEFT_WALK_SYNC];
} weft_container_walk_t;

typedef enum {
    WEFT_WALK_MORE,   //  it goes on behind the data
    WEFT_WALK_END,    //  it ends at `at`: another begins there, or padding
    WEFT_WALK_BROKEN  //  where it ends cannot be found by walking
} weft_walk_t;

//  Goes on in the same bytes, of which there may be more now; they begin with a
//  container's magic. `all`: nothing comes behind them.
WEFT_CHECK weft_walk_t weft_container_walk (weft_container_walk_t *self,
                                            const uint8_t *data,
                                            size_t size,
                                            bool all);

//  The first container's magic in the data at `from` or behind it; `size` if
//  there is none.
size_t weft_container_find (const uint8_t *data, size_t from, size_t size);

//  Does a tar archive begin here? By the sum that every header has, of whatever
//  kind.
#define WEFT_TAR_BLOCK 512
bool weft_tar_head_is (const uint8_t head[WEFT_TAR_BLOCK]);

#endif
