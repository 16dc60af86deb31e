//  weft_shadows.h - what a candidate has said beside the live model.
//
//  `shadow:{name}:{version}` is a hash of that candidate: survey/object/alert id
//  -> a section in scores.v1 with two records, the live model's and the
//  candidate's. A row is written once per alert, whoever scored it and how
//  often. The first WEFT_SHADOWS_MOST alerts are kept, of the newest
//  WEFT_SHADOWS_VERSIONS candidates of a name (`model:{name}:shadows`), for
//  30 days. Same thread as the connection.

#ifndef WEFT_SHADOWS_H_INCLUDED
#define WEFT_SHADOWS_H_INCLUDED

#include "weft_redis.h"

#define WEFT_SHADOWS_MOST 10000  //  rows of a candidate
#define WEFT_SHADOWS_VERSIONS 4  //  candidates of a name
#define WEFT_SHADOWS_SECONDS 2592000
#define WEFT_SHADOW_KEY_MOST 192

typedef struct {
    char key[WEFT_SHADOW_KEY_MOST];  //  survey/object/alert id
    char version[72];                //  of the candidate
    size_t size;
    uint8_t bytes[];  //  a section in scores.v1
} weft_shadow_row_t;

//  Adds rows of the candidate `version`, whose number is `number`. *count (may
//  be NULL) becomes the number of rows that are there. `n` may be 0.
WEFT_CHECK int weft_shadows_put (weft_redis_t *redis,
                                 const char *name,
                                 const char *version,
                                 int64_t number,
                                 weft_shadow_row_t *const *rows,
                                 size_t n,
                                 int64_t *count);

//  Calls `each` with every row of that candidate, in no order.
WEFT_CHECK int
weft_shadows_each (weft_redis_t *redis,
                   const char *name,
                   const char *version,
                   void (*each) (void *arg, weft_str_t key, weft_bin_t section),
                   void *arg);

#endif
