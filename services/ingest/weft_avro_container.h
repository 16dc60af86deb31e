//  weft_avro_container.h - reads Avro object container files from memory.
//
//  Header (schema, codec, sync marker), then blocks of records. The marker
//  after a block is checked before any record of the block is handed out: a
//  file that lost a byte on its way says so instead of giving wrong values.
//  Codecs null, deflate and snappy (with its CRC). One thread at a time.
//  (Avro specification, "Object Container Files".)

#ifndef WEFT_AVRO_CONTAINER_H_INCLUDED
#define WEFT_AVRO_CONTAINER_H_INCLUDED

#include "weft_avro_schema.h"

#define WEFT_CONTAINER_BLOCK_MOST (64u << 20)   //  bytes, unpacked
#define WEFT_CONTAINER_RECORDS_MOST (1u << 24)  //  records of one block
#define WEFT_CONTAINER_MAGIC "Obj\x01"

typedef struct weft_avro_container weft_avro_container_t;

typedef struct {
    const uint8_t *data;  //  records one after the other, unpacked
    size_t size;
    uint32_t records;
} weft_avro_block_t;

//  Do these bytes begin as a container does?
bool weft_avro_container_is (const void *data, size_t size);

//  Returns new: a reader of these bytes, which it borrows for life; NULL with a
//  reason if the header cannot be read.
WEFT_NEW weft_avro_container_t *weft_avro_container_new (
    const void *data, size_t size, char why[WEFT_AVRO_WHY]);

void weft_avro_container_destroy (weft_avro_container_t **self_p);

//  Gives the reader other bytes and starts again, keeping its memory.
WEFT_CHECK int weft_avro_container_reset (weft_avro_container_t *self,
                                          const void *data,
                                          size_t size,
                                          char why[WEFT_AVRO_WHY]);

//  The writer's schema as it stands in the header. Borrows from the bytes.
const char *weft_avro_container_schema (const weft_avro_container_t *self,
                                        size_t *size);

//  The next block: 1 if there is one, 0 at the end, or WEFT_EMALFORMED,
//  WEFT_ETRUNCATED, WEFT_ETOOBIG with a reason. Borrows until the next call.
WEFT_CHECK int weft_avro_container_next (weft_avro_container_t *self,
                                         weft_avro_block_t *block,
                                         char why[WEFT_AVRO_WHY]);

//  Is the last block read?
bool weft_avro_container_done (const weft_avro_container_t *self);

#endif
