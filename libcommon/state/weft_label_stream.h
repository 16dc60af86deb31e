//  weft_label_stream.h - labels that others XADD to the stream `label:in`.
//
//     XADD label:in * survey ztf object_id ZTF24xaaaab class SNIa source tns
//
//  Fields as in weft_label_text.h. Entries become rows (weft_labels.h) and are
//  deleted after; whoever is killed in between writes the same rows again, so
//  any number of readers may run. What cannot be a label goes to the hash
//  `label:refused`, entry to reason and fields, of which 1,000 are kept.
//  Same thread as the connection.

#ifndef WEFT_LABEL_STREAM_H_INCLUDED
#define WEFT_LABEL_STREAM_H_INCLUDED

#include "weft_redis.h"

typedef struct {
    uint32_t added, known, refused;
} weft_label_counts_t;

//  Takes what has arrived, at most WEFT_LABEL_BATCH entries.
WEFT_CHECK int weft_label_stream_take (weft_redis_t *redis,
                                       weft_label_counts_t *counts);

#endif
