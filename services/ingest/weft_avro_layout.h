//  weft_avro_layout.h - where the plain values of a record lie in a row.
//
//  Most fields of a row of a light curve are copied as they are: this number
//  into that member, this boolean into that bit. A mapping says so in a table,
//  and rows are then copied from the packet straight to where they are kept,
//  many at a time, without a value in between (weft_avro_shape.h). A row with a
//  value that is in no table is told as values.
//
//  Plain data, any thread.

#ifndef WEFT_AVRO_LAYOUT_H_INCLUDED
#define WEFT_AVRO_LAYOUT_H_INCLUDED

#include "weft_base.h"

typedef enum {
    WEFT_MOVE_F64,     //  a real number to a double
    WEFT_MOVE_F32,     //  a real number to a float
    WEFT_MOVE_I64,     //  a whole number to an int64_t
    WEFT_MOVE_LETTER,  //  a text of one letter, or of one and blanks, to a char
} weft_avro_move_kind_t;

//  A value that goes to a member. Of several wants for one member the first
//  that is there counts.
typedef struct {
    uint16_t want;  //  index in the group's wants
    uint16_t to;    //  byte of the row
    uint8_t kind;   //  weft_avro_move_kind_t
} weft_avro_move_t;

//  A boolean that sets a bit. Several may set the same.
typedef struct {
    uint16_t want;
    uint32_t bit;
} weft_avro_flag_t;

typedef struct {
    const void *none;  //  a row of which nothing is known; absent stays so
    size_t size;       //  bytes of a row
    const weft_avro_move_t *moves;
    size_t n_moves;
    const weft_avro_flag_t *flags;
    size_t n_flags;
    uint16_t flags_to;  //  byte of the uint32_t with the bits
} weft_avro_layout_t;

#endif
