//  weft_decoder.h - bytes of a message in, normalised alerts out.
//
//  A message is an Avro container (of any number of records) or one Confluent-
//  framed datum. Each gives at least one item: an alert, or a refusal with a
//  reason that names what is wrong. An item is a source position and has its
//  record's number by the counts in the headers, which is a function of the
//  bytes alone: not of what can be read of them with these schemas and mappings.
//
//  Writers' schemas are parsed and compiled once and kept; so a decoder lives
//  as long as its service. One thread at a time.

#ifndef WEFT_DECODER_H_INCLUDED
#define WEFT_DECODER_H_INCLUDED

#include "weft_avro_container.h"
#include "weft_avro_registry.h"
#include "weft_mapping.h"
#include "weft_schema_client.h"

#define WEFT_MESSAGE_MOST (64u << 20)  //  bytes of one message

typedef struct weft_decoder weft_decoder_t;

typedef struct {
    int rc;                 //  0, why it was refused, or WEFT_EAGAIN
    const char *why;        //  reason, "" if it was decoded
    const char *schema;     //  full name of the writer's schema, "id:N" of a
                            //  framed one that is not known, or ""
    weft_normal_t *normal;  //  the alert if rc is 0
    uint32_t index;         //  number in the message, from 0
    uint32_t covers;        //  numbers that it stands for: 1, or those of all
                            //  records of a block that cannot be found any more
    bool alone;             //  it is the only item of its message
} weft_decoded_t;

//  Returns new: a decoder, or NULL with a reason. `schemas`: folder of schemas
//  for Confluent-framed messages, NULL if there is none.
WEFT_NEW weft_decoder_t *weft_decoder_new (const char *schemas,
                                           char why[WEFT_AVRO_WHY]);

void weft_decoder_destroy (weft_decoder_t **self_p);

//  Asks a registry from now on for schemas that the folder does not have.
//  Borrows it for life; several decoders may share one.
void weft_decoder_ask (weft_decoder_t *self, weft_schema_client_t *client);

//  Mapping files come before the surveys that are built in. Borrows until the
//  next call, as alerts that are decoded borrow their survey's name.
void weft_decoder_map (weft_decoder_t *self, const weft_mappings_t *mappings);

//  Begins with a message. Borrows the bytes until the next open.
void weft_decoder_open (weft_decoder_t *self, const void *data, size_t size);

//  The message's bytes go.
void weft_decoder_close (weft_decoder_t *self);

//  The next item: true, and `item` borrows until the next call or open; false
//  if the message has no more. An item with WEFT_EAGAIN waits for its schema,
//  `why` says which: the next call tries it again.
bool weft_decoder_next (weft_decoder_t *self, weft_decoded_t *item);

//  Steps over the next item, decoding it only where the ones behind it cannot
//  be found otherwise: how many numbers it stands for, 0 if the message has no
//  more.
uint32_t weft_decoder_skip (weft_decoder_t *self);

//  Decodes into `normal` from now on, NULL: into one of its own. Borrows it.
void weft_decoder_into (weft_decoder_t *self, weft_normal_t *normal);

#endif
