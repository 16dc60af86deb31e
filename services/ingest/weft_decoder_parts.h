//  weft_decoder_parts.h - the inside of the decoder; only weft_decoder*.c see
//  it.

#ifndef WEFT_DECODER_PARTS_H_INCLUDED
#define WEFT_DECODER_PARTS_H_INCLUDED

#include "weft_decoder.h"
#include "weft_plan_cache.h"

typedef enum { STATE_DONE, STATE_REFUSED, STATE_BLOCKS, STATE_DATUM } state_t;

struct weft_decoder {
    weft_plan_cache_t *plans;
    weft_avro_registry_t *registry;  //  folder of schemas, or NULL
    weft_schema_client_t *client;    //  borrowed, or NULL
    weft_avro_container_t *container;
    weft_normal_t *normal;  //  where to
    weft_normal_t own;
    weft_normal_t other;  //  of a second schema that fits
    //  The current message.
    state_t state;
    const uint8_t *data;
    size_t size;
    weft_planned_t *entry;
    weft_avro_block_t block;
    size_t at;        //  in the block
    uint32_t left;    //  records of the block that are still to come
    uint32_t unread;  //  records before, refused by their schema alone
    bool lost;        //  they cannot be found any more
    uint32_t index;   //  of the next item
    int rc;           //  STATE_REFUSED: why
    char why[WEFT_AVRO_WHY];
    char named[16];  //  framed: id:N, for a schema that is not known
};

//  Decodes the framed message (weft_decoder_framed.c). WEFT_EAGAIN: its schema
//  is on its way.
WEFT_CHECK int weft_decoder_framed (weft_decoder_t *self);

#endif
