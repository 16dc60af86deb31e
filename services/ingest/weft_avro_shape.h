//  weft_avro_shape.h - elements of an array that lie in their bytes as one
//  before them did.
//
//  Rows of a light curve are much alike: the same fields are null, numbers take
//  as many bytes, texts are as long. A shape is what one row was like: which
//  bits say so (branches of unions, lengths, continuation bits), what they were,
//  and where the wanted values lie. If the next row has the same bits, its
//  values are simply there: no operation is interpreted. A row that matches is
//  read exactly as the interpreter would; one that does not goes to it.
//
//  If all that a row has is in its group's layout (weft_avro_layout.h), its
//  shape says where each value goes in the row, and rows are filled without
//  values.
//
//  Shapes are learnt while walking and belong to one plan. One thread.

#ifndef WEFT_AVRO_SHAPE_H_INCLUDED
#define WEFT_AVRO_SHAPE_H_INCLUDED

#include "weft_avro_ops.h"

#define WEFT_SHAPES_MOST 16        //  of one plan
#define WEFT_SHAPE_SIZE_MOST 2048  //  bytes of an element
#define WEFT_SHAPE_TAKES_MOST 128  //  values of an element
#define WEFT_SHAPE_MARGIN 16       //  bytes behind it that may be read, too

typedef struct weft_avro_shape weft_avro_shape_t;

//  Returns new, NULL without memory. `rows`: where a group has a layout, rows
//  are filled by it.
WEFT_NEW weft_avro_shapes_t *weft_avro_shapes_new (bool rows);

void weft_avro_shapes_destroy (weft_avro_shapes_t **self_p);

//  Does without the processor's wide instructions, as one that has none.
void weft_avro_shapes_narrow (weft_avro_shapes_t *self);

//  The shape of the element at `data` whose operations begin at `pc`, or NULL if
//  it has none whose values can be taken.
//  A shape's whole size lies before `end`.
const weft_avro_shape_t *weft_avro_shapes_find (weft_avro_shapes_t *self,
                                                uint32_t pc,
                                                const uint8_t *data,
                                                const uint8_t *end);

//  Learns the shape of an element that the interpreter has read: [data, end).
//  Elements that have none, or too many shapes in vain, are passed over.
void weft_avro_shapes_learn (weft_avro_shapes_t *self,
                             const weft_avro_plan_t *plan,
                             uint32_t pc,
                             const uint8_t *data,
                             const uint8_t *end);

//  Bytes of an element.
size_t weft_avro_shape_size (const weft_avro_shape_t *self);

//  The group whose row it is, or -1.
int weft_avro_shape_group (const weft_avro_shape_t *self);

//  Puts the element's values into their slots. `again`: the values are those of
//  an element of the same shape.
void weft_avro_shape_take (const weft_avro_shapes_t *shapes,
                           const weft_avro_shape_t *self,
                           const uint8_t *data,
                           weft_avro_value_t *values,
                           bool again);

//  The group whose rows elements at `pc` may fill, or -1.
int weft_avro_shapes_fill_group (const weft_avro_shapes_t *self, uint32_t pc);

//  Fills rows from elements at *data, up to `most` and as long as they have a
//  shape that does; moves *data behind them. Returns their number.
size_t weft_avro_shapes_fill (weft_avro_shapes_t *self,
                              uint32_t pc,
                              const uint8_t **data,
                              const uint8_t *end,
                              void *rows,
                              size_t most);

#endif
