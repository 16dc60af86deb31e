//  weft_view_parts.h - the inside of a view; only weft_view*.c see it. One thread
//  for each view.

#ifndef WEFT_VIEW_PARTS_H_INCLUDED
#define WEFT_VIEW_PARTS_H_INCLUDED

#include "weft_view.h"

//  A row of the view: where it is stored, and what only the view knows of it.
typedef struct {
    const weft_point_t *point;
    uint32_t flags;
    float sep;  //  arcsec from the object, or of the reference source
    uint8_t use;
    bool trigger;
    bool drop;
} row_t;

struct weft_view {
    row_t *rows;
    row_t **at;  //  the rows in order; what was dropped is not among them
    row_t **spare;
    size_t n, room;
    weft_view_rule_t rule;
    double ra, dec;  //  the object
    uint32_t trigger;
    uint32_t cut;
    uint8_t *columns;
    size_t columns_room;
};

#endif
