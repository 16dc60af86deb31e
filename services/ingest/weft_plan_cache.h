//  weft_plan_cache.h - writers' schemas, parsed and compiled once.
//
//  Texts are compared whole: a hash could be made to collide. Old and new
//  schemas live side by side; the least recently used makes way. One thread at
//  a time.

#ifndef WEFT_PLAN_CACHE_H_INCLUDED
#define WEFT_PLAN_CACHE_H_INCLUDED

#include "weft_avro_registry.h"
#include "weft_mapping.h"

#define WEFT_PLANS_MOST (WEFT_REGISTRY_MOST + 64)  //  schemas kept

//  A writer's schema, compiled; or the reason why it cannot be read.
typedef struct {
    char *text;
    size_t size;
    uint64_t used;  //  for the eviction of the least recently used
    weft_avro_schema_t *schema;
    const weft_survey_t *survey;
    weft_avro_plan_t *plan;
    weft_avro_value_t *values;
    weft_avro_shapes_t *shapes;
    const weft_avro_value_t *groups[WEFT_AVRO_GROUPS_MOST];
    char name[128];        //  full name, "" if it has none
    uint64_t fingerprint;  //  0 if it cannot be parsed
    int rc;
    char why[WEFT_AVRO_WHY];
} weft_planned_t;

typedef struct weft_plan_cache weft_plan_cache_t;

//  Returns new, NULL without memory.
WEFT_NEW weft_plan_cache_t *weft_plan_cache_new (void);

void weft_plan_cache_destroy (weft_plan_cache_t **self_p);

//  Mappings come before the surveys that are built in, from now on: what has
//  been compiled is compiled anew. Borrows until the next call; NULL: none.
void weft_plan_cache_map (weft_plan_cache_t *self,
                          const weft_mappings_t *mappings);

//  The compiled form of a schema text, from the cache or new; it may be a
//  refusal (rc). NULL without memory. Borrows until another text is found.
weft_planned_t *
weft_plan_cache_find (weft_plan_cache_t *self, const char *text, size_t size);

//  Decodes one datum into `normal`; 0, or why not, in normal->why. `whole`: it
//  must take all the bytes. `used`: how many it took.
WEFT_CHECK int weft_planned_decode (weft_planned_t *self,
                                    weft_normal_t *normal,
                                    const uint8_t *data,
                                    size_t size,
                                    bool whole,
                                    size_t *used);

//  weft_plan_words.c: writes into entry->why that the schema lacks this role, and
//  where it was looked for; logs what a mapping has left out of arrays.
void weft_plan_say_core (weft_planned_t *entry, size_t role);
void weft_plan_say_rows (const weft_planned_t *entry);

#endif
