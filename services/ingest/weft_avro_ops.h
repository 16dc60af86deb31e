//  weft_avro_ops.h - the operations of a plan; only its compiler
//  (weft_avro_plan.c) and its interpreter (weft_avro_walk.c) see them. A plan
//  never changes: any thread.

#ifndef WEFT_AVRO_OPS_H_INCLUDED
#define WEFT_AVRO_OPS_H_INCLUDED

#include "weft_avro_plan.h"

typedef enum {
    OP_END,      //  of the datum, or of one array element
    OP_SKIP,     //  arg bytes
    OP_NULL,     //  nothing on the wire; the slot becomes absent
    OP_BOOLEAN,  //
    OP_INT,      //
    OP_LONG,     //
    OP_FLOAT,    //
    OP_DOUBLE,   //
    OP_BYTES,    //  and strings; arg = weft_avro_type_t
    OP_FIXED,    //  arg bytes
    OP_ENUM,     //  arg = index in `enums`
    OP_UNION,    //  arg = first of the targets, n = branches
    OP_JUMP,     //  to arg
    OP_ITEMS,    //  an array; its element follows up to END, goes on at arg
    OP_PAIRS,    //  a map, likewise
    OP_GROUP,    //  a wanted record begins: slot = group
    OP_ROW,      //  a row is complete: slot = group
} op_code_t;

//  On scalars: a union of null and this type. `null_branch` tells which.
#define OP_NULLABLE 0x40

typedef struct {
    uint8_t code;
    uint8_t null_branch;
    uint16_t slot;   //  of the value; 0 is for what nobody wants
    uint32_t arg;    //
    uint32_t n;      //  OP_UNION: branches; OP_ITEMS: least bytes an element
    uint32_t field;  //  index in `fields`: whose bytes these are
} op_t;

struct weft_avro_plan {
    op_t *ops;
    uint32_t n_ops, room_ops;
    uint32_t *targets;  //  of unions
    uint32_t n_targets, room_targets;
    const weft_avro_node_t **enums;
    uint32_t n_enums, room_enums;
    const char **fields;
    uint32_t n_fields, room_fields;
    const weft_avro_group_t *groups;
    size_t n_groups;
    size_t base[WEFT_AVRO_GROUPS_MOST];
    size_t values;
    uint8_t *found;  //  by value: 1 there, 2 there with another type
    size_t retyped;
};

#endif
