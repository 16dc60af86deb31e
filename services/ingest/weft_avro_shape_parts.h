//  weft_avro_shape_parts.h - the inside of shapes; only weft_avro_shape*.c see
//  it.

#ifndef WEFT_AVRO_SHAPE_PARTS_H_INCLUDED
#define WEFT_AVRO_SHAPE_PARTS_H_INCLUDED

#include "weft_avro_shape.h"

#define LANE 32           //  bytes compared at a time
#define CREDIT 256        //  at most; an element that fits earns one
#define CREDIT_BEGIN 128  //
#define PRICE 8           //  of learning one

typedef uint8_t lane_t __attribute__ ((vector_size (LANE)));

//  Kinds of values, each taken in a loop of its own.
typedef enum { F32, F64, WHOLE, TRUTH, RUN, KINDS } take_kind_t;

//  A value that goes to a slot.
typedef struct {
    uint16_t at;
    uint16_t slot;
    uint16_t size;  //  WHOLE: bytes of the number; RUN: bytes
    uint8_t type;
} take_t;

//  Kinds of moves from the packet to the row; of reals: as what they are there,
//  and here.
typedef enum {
    F32_F32,
    F64_F64,
    F32_F64,
    F64_F32,
    NUMBERS,
    LETTERS,
    MOVES
} move_kind_t;

//  A value that goes to its byte of the row.
typedef struct {
    uint16_t at;
    uint16_t to;
    uint16_t size;  //  NUMBERS: bytes
} move_t;

//  Booleans within eight bytes: where they are, and the bits that each sets.
typedef struct {
    uint64_t mask;
    uint32_t bits[8];
    uint16_t at;
} truths_t;

struct weft_avro_shape {
    uint32_t pc;
    uint32_t size, lanes;
    size_t needs;  //  bytes that have to be left: what comparing may read
    int group;
    lane_t *mask, *want;
    take_t takes[WEFT_SHAPE_TAKES_MOST];  //  by kind
    uint16_t first[KINDS + 1];            //  of a kind in `takes`
    uint16_t nulls[WEFT_SHAPE_TAKES_MOST];
    size_t n_nulls;
    const weft_avro_layout_t *layout;     //  what `moves` fill; NULL: nothing
    move_t moves[WEFT_SHAPE_TAKES_MOST];  //  by kind
    const move_t *ends[MOVES];            //  of each kind
    truths_t truths[WEFT_SHAPE_TAKES_MOST / 4];
    const truths_t *truths_end;
    uint64_t used;
};

struct weft_avro_shapes {
    weft_avro_shape_t *items[WEFT_SHAPES_MOST];
    size_t n;
    weft_avro_shape_t *last;  //  that has fitted
    uint64_t clock;
    int credit;
    bool rows;   //  may fill rows
    bool fills;  //  one of them does
    bool wide;   //  the processor has the wide instructions
};

//  An element being looked at: what it demands and what it has, by kind.
typedef struct {
    const weft_avro_plan_t *plan;
    const uint8_t *data, *at, *end;
    uint8_t mask[WEFT_SHAPE_SIZE_MOST + LANE];
    uint8_t want[WEFT_SHAPE_SIZE_MOST + LANE];
    take_t takes[KINDS][WEFT_SHAPE_TAKES_MOST];
    size_t n[KINDS], all;
    int group;
} learner_t;

void weft_avro_shape_free (weft_avro_shape_t *self);

//  Moves, if the layout of the element's group has a place for each of its
//  values (weft_avro_shape_row.c); else the shape fills no rows.
void weft_avro_shape_move (const learner_t *learner, weft_avro_shape_t *shape);

#endif
