//  weft_avro_check.h - is a JSON text a schema at all?
//
//  avro-c leaks what it has built when it meets a mistake, and names the
//  mistake badly; schemas come from the wire. So they are looked through before
//  it sees them. One thread at a time.

#ifndef WEFT_AVRO_CHECK_H_INCLUDED
#define WEFT_AVRO_CHECK_H_INCLUDED

#include "weft_avro_schema.h"

//  0, or WEFT_ESCHEMA with a reason that names the type or the field.
WEFT_CHECK int
weft_avro_check (const char *json, size_t size, char why[WEFT_AVRO_WHY]);

#endif
