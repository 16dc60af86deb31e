//  weft_schema_cache.h - what a registry answered, on disk.
//
//  FOLDER/ID.avsc, further schemas of the same id ID.1.avsc and so on, written
//  to a temporary name and renamed. One folder per registry: ids of two
//  registries have nothing to do with each other. One thread.

#ifndef WEFT_SCHEMA_CACHE_H_INCLUDED
#define WEFT_SCHEMA_CACHE_H_INCLUDED

#include "weft_avro_schema.h"

//  FOLDER/registry-HASH of a URL, made if it is not there. 0, or WEFT_EIO.
WEFT_CHECK int weft_schema_cache_open (const char *folder,
                                       const char *url,
                                       char *path,
                                       size_t room);

//  Writes schema `i` of an id. 0, or WEFT_EIO: nothing is half there.
WEFT_CHECK int weft_schema_cache_write (
    const char *path, uint32_t id, size_t i, const char *text, size_t size);

//  Schema `i` of an id, new, NULL if it is not there or over the ceiling.
WEFT_NEW char *
weft_schema_cache_read (const char *path, uint32_t id, size_t i, size_t *size);

#endif
