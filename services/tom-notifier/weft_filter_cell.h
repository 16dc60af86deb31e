//  weft_filter_cell.h - rows and columns of the filters' tables.
//
//  One description for all tables: how many rows the view has, and the value
//  at a row and a column. weft_filter_tables.c tells SQLite about them.
//  One thread.

#ifndef WEFT_FILTER_CELL_H_INCLUDED
#define WEFT_FILTER_CELL_H_INCLUDED

#include "weft_filter_view.h"

typedef enum {
    WEFT_CELL_NULL,
    WEFT_CELL_INT,
    WEFT_CELL_REAL,
    WEFT_CELL_TEXT
} weft_cell_type_t;

typedef struct {
    weft_cell_type_t type;
    int64_t i;
    double d;
    weft_str_t s;  //  borrows from the alert
} weft_cell_t;

//  How a column's value is read.
typedef enum {
    WEFT_READ_FIELD,   //  a field of a record, by its kind
    WEFT_READ_COLUMN,  //  an element of a column of points.v1
    WEFT_READ_LETTER,  //  kind as 'D', 'L', 'F'
    WEFT_READ_BAND,    //  a field's or column's band number as its name
    WEFT_READ_TRIG,    //  1 for the row of the alert itself
} weft_read_t;

typedef struct {
    char name[32];
    uint8_t read;     //  weft_read_t
    uint8_t kind;     //  weft_kind_t of what is read
    uint8_t bit;      //  FIELD: its presence bit in the record's `has`
    bool plain;       //  FIELD: no presence bit, the value is always there
    bool band;        //  a band's number: 255 is none
    uint32_t base;    //  FIELD: of its record in the row (`has` stands first)
    uint32_t offset;  //  of the value in its record
    const char *unit;
    const char *meaning;
} weft_filter_column_t;

#define WEFT_FILTER_COLUMNS 160  //  most columns of a table

typedef struct weft_filter_table {
    const char *name;
    const char *about;
    //  How many rows, and where they are: `step` bytes apart.
    uint32_t (*rows) (weft_filter_view_t *view, const void **base);
    uint32_t step;
    uint32_t n_columns;
    weft_filter_column_t columns[WEFT_FILTER_COLUMNS];
} weft_filter_table_t;

//  All tables, made once. `n` of them. Not before threads start.
const weft_filter_table_t *weft_filter_tables (size_t *n);

//  The value at a row; `base` as rows gave it.
weft_cell_t weft_filter_cell (const weft_filter_table_t *table,
                              const void *base,
                              uint32_t row,
                              uint32_t column);

//  Columns whose text stands for a small number ('D', 'zg'): the number of a
//  text, 256 if it is none of theirs; and the number at a row. Comparing
//  numbers is what makes counting a long curve cheap.
bool weft_filter_column_coded (const weft_filter_column_t *column);
uint32_t weft_filter_code (const weft_filter_column_t *column,
                           const char *text);
uint32_t weft_filter_code_at (const weft_filter_table_t *table,
                              const void *base,
                              uint32_t row,
                              uint32_t column);

//  The type that a column has in SQL.
weft_cell_type_t weft_filter_column_type (const weft_filter_column_t *column);

#endif
