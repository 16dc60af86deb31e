//  weft_refusals.h - is a schema refused too often to be a few bad packets?
//
//  A survey that changes its schema overnight must stop its partition, not fill
//  the dead letters: over 1 % of what is read or 200 a minute, refused for one
//  schema, or as many bytes as are kept of it, so that few letters have to be put
//  back from the packet store when the schema can be read. One thread.

#ifndef WEFT_REFUSALS_H_INCLUDED
#define WEFT_REFUSALS_H_INCLUDED

#include "weft_base.h"

#define WEFT_REFUSALS_MINUTE 200        //  of one schema in a minute
#define WEFT_REFUSALS_PART 0.01         //  of what was read in a minute
#define WEFT_REFUSALS_LEAST 1000        //  read, before a part means anything
#define WEFT_REFUSALS_BYTES (1u << 20)  //  of one schema in a minute, kept
#define WEFT_REFUSALS_SCHEMAS 16        //  that are counted apart

typedef struct {
    int64_t minute_ms;  //  when this minute began
    uint64_t read;
    struct {
        char schema[128];
        uint64_t refused, bytes;
    } schemas[WEFT_REFUSALS_SCHEMAS];
} weft_refusals_t;

//  An item of so many bytes was read; `schema` is the one that was refused as a
//  whole, or NULL. True if that schema is now refused too often.
bool weft_refusals_count (weft_refusals_t *self,
                          const char *schema,
                          size_t bytes,
                          int64_t now_ms);

#endif
