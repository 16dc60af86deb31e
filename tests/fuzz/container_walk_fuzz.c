//  container_walk_fuzz.c - where a container ends does not depend on how its
//  bytes come: all at once, or piece by piece of the size that the first says.

#include <stdlib.h>

#include "weft_avro_container.h"
#include "weft_container_walk.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (size < 5)
        return 0;
    size_t piece = 1 + *data++ % 64u;
    uint8_t *bytes = malloc (--size);
    if (!bytes)
        return 0;
    memcpy (bytes, data, size);
    memcpy (bytes, WEFT_CONTAINER_MAGIC, 4);
    weft_container_walk_t once = { 0 }, pieces = { 0 };
    weft_walk_t found = weft_container_walk (&once, bytes, size, true);
    weft_walk_t last = WEFT_WALK_MORE;
    for (size_t there = 4; last == WEFT_WALK_MORE && there < size;
         there += piece)
        last = weft_container_walk (&pieces, bytes, there, false);
    if (last == WEFT_WALK_MORE)
        last = weft_container_walk (&pieces, bytes, size, true);
    if (last != found || found == WEFT_WALK_MORE || once.at > size ||
        (found == WEFT_WALK_END && (once.at != pieces.at || !once.at)))
        abort ();
    free (bytes);
    return 0;
}
