//  weft_avro_registry.h - a folder of schemas for Confluent-framed packets.
//
//  Such a packet is 00, a schema id (4 bytes, big-endian) and a bare datum.
//  How an id is resolved, in this order:
//    1. a file ID.avsc ("703.avsc"), as a registry would be dumped;
//    2. the survey's convention id = 100 x major + minor: the schema named
//       lsst.vMAJOR_MINOR.alert, wherever under the folder it lies;
//    3. any other alert schema of the folder.
//  The id alone is never trusted: a schema is taken only if the packet fits it
//  to its last byte with possible values. In step 3 all that fit must read the
//  same values, else the packet is refused by name (weft_decoder.c).
//
//  Files may be self-contained or name types in sibling files, as the survey
//  publishes them (lsst.v7_1.alert.avsc needs lsst.v7_1.diaSource.avsc).
//  The folder is read once, when this is made. One thread at a time.

#ifndef WEFT_AVRO_REGISTRY_H_INCLUDED
#define WEFT_AVRO_REGISTRY_H_INCLUDED

#include "weft_avro_schema.h"

#define WEFT_REGISTRY_FILES_MOST 4096  //  .avsc files under the folder
#define WEFT_REGISTRY_MOST 256         //  alert schemas among them

typedef struct weft_avro_registry weft_avro_registry_t;

//  Returns new: the alert schemas under a folder, or NULL with a reason if it
//  cannot be read or has none.
WEFT_NEW weft_avro_registry_t *weft_avro_registry_new (const char *folder,
                                                       char why[WEFT_AVRO_WHY]);

void weft_avro_registry_destroy (weft_avro_registry_t **self_p);

//  Alert schemas, in order of their versions.
size_t weft_avro_registry_count (const weft_avro_registry_t *self);

//  The text of a schema with all types in it. Borrows for life.
const char *weft_avro_registry_text (const weft_avro_registry_t *self,
                                     size_t i,
                                     size_t *size);

//  Does this schema go by that id (steps 1 and 2)?
bool weft_avro_registry_suits (const weft_avro_registry_t *self,
                               size_t i,
                               uint32_t id);

#endif
