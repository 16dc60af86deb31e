//  weft_kafka_census.h - partitions that no member of a consumer group has.
//
//  The members say, through the broker, which topics each reads and which
//  partitions it was given (Kafka's ConsumerProtocolSubscription.json and
//  ConsumerProtocolAssignment.json, any version: later ones only add fields at
//  the end). Other clients wrote those bytes, so nothing of them is believed.
//  Pure. One thread at a time.

#ifndef WEFT_KAFKA_CENSUS_H_INCLUDED
#define WEFT_KAFKA_CENSUS_H_INCLUDED

#include "weft_base.h"

#define WEFT_CENSUS_TOPICS 8192       //  that are counted
#define WEFT_CENSUS_PARTITIONS 65536  //  of a topic

typedef struct weft_census weft_census_t;

//  Returns new, or NULL without memory.
WEFT_NEW weft_census_t *weft_census_new (void);
void weft_census_destroy (weft_census_t **self_p);

//  One member's subscription, and its assignment; `data` is borrowed for the
//  call, no bytes at all say nothing. WEFT_ETRUNCATED, WEFT_EMALFORMED,
//  WEFT_ERANGE, WEFT_ETOOBIG, WEFT_ENOMEM: what was counted is worth nothing.
WEFT_CHECK int
weft_census_subscription (weft_census_t *self, const void *data, size_t size);
WEFT_CHECK int
weft_census_assignment (weft_census_t *self, const void *data, size_t size);

//  So many partitions a topic has. Does nothing if no member reads it.
void
weft_census_topic (weft_census_t *self, const char *topic, int32_t partitions);

//  Partitions of topics that somebody reads and nobody has; with `before`, an
//  earlier census, those that nobody had then either. `topic` and `partition`
//  are one of them if there is any; the name is borrowed for life.
uint32_t weft_census_unread (const weft_census_t *self,
                             const weft_census_t *before,
                             const char **topic,
                             int32_t *partition);

#endif
