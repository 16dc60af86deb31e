//  weft_avro_schema.h - a writer's schema as a tree of our own.
//
//  weft_avro_check looks the JSON through, avro-c parses it, once per schema,
//  and from its result we build nodes that the plan compiler reads. Named types
//  that are used twice are one node with several parents; a type that contains
//  itself is refused, so every walk of the tree ends. avro-c never sees a
//  datum. One thread at a time.

#ifndef WEFT_AVRO_SCHEMA_H_INCLUDED
#define WEFT_AVRO_SCHEMA_H_INCLUDED

#include "weft_base.h"

#define WEFT_AVRO_TEXT_MOST (1u << 20)  //  bytes of a schema in JSON
#define WEFT_AVRO_DEPTH 24              //  deepest nesting of types
#define WEFT_AVRO_WHY 512               //  room for a reason, in bytes

typedef enum {
    WEFT_AVRO_NULL,
    WEFT_AVRO_BOOLEAN,
    WEFT_AVRO_INT,
    WEFT_AVRO_LONG,
    WEFT_AVRO_FLOAT,
    WEFT_AVRO_DOUBLE,
    WEFT_AVRO_BYTES,
    WEFT_AVRO_STRING,
    WEFT_AVRO_FIXED,   //  `n` bytes
    WEFT_AVRO_ENUM,    //  `n` symbols in `names`
    WEFT_AVRO_RECORD,  //  `n` fields: `names` and `children`
    WEFT_AVRO_ARRAY,   //  children[0]
    WEFT_AVRO_MAP,     //  children[0]
    WEFT_AVRO_UNION,   //  `n` branches in `children`
} weft_avro_type_t;

typedef struct weft_avro_node {
    weft_avro_type_t type;
    uint32_t n;
    uint32_t least;  //  fewest bytes that a datum of this type takes
    struct weft_avro_node **children;
    const char **names;
    const char *name;  //  full name of a named type, else NULL
} weft_avro_node_t;

typedef struct weft_avro_schema weft_avro_schema_t;

//  Returns new: the schema, or NULL with a reason in `why` that names what is
//  wrong with it.
WEFT_NEW weft_avro_schema_t *
weft_avro_schema_new (const char *json, size_t size, char why[WEFT_AVRO_WHY]);

//  Destroys the schema and sets *self_p to NULL. Safe on NULL.
void weft_avro_schema_destroy (weft_avro_schema_t **self_p);

//  The tree. Borrows until the schema goes, as all below.
const weft_avro_node_t *weft_avro_schema_root (const weft_avro_schema_t *self);

//  Full name of the top record, "lsst.v10_0.alert"; "" if it has none.
const char *weft_avro_schema_name (const weft_avro_schema_t *self);

//  CRC-64-AVRO of the Parsing Canonical Form (Avro specification, "Parsing
//  Canonical Form" and "Schema Fingerprints"): the same for every text that
//  reads the same bytes in the same way.
uint64_t weft_avro_schema_fingerprint (const weft_avro_schema_t *self);

//  Full name of the top type of a schema text, without parsing the rest: for
//  refusing what is not ours by name. Cut to `room`; "" if there is none.
void weft_avro_schema_peek_name (const char *json,
                                 size_t size,
                                 char *name,
                                 size_t room);

//  The child of a record by name, NULL if there is none.
const weft_avro_node_t *weft_avro_node_field (const weft_avro_node_t *self,
                                              const char *name);

#endif
