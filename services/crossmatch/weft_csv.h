//  weft_csv.h - reads delimited text, a record at a time.
//
//  RFC 4180 and what is found in the wild: another delimiter, blanks around
//  fields and quotes, CR LF, a byte order mark, empty lines. A field may be
//  quoted and then holds delimiters, line ends and doubled quotes. Works in
//  place: quotes are taken out of the caller's bytes. One thread.

#ifndef WEFT_CSV_H_INCLUDED
#define WEFT_CSV_H_INCLUDED

#include "weft_cursor.h"

#define WEFT_CSV_FIELDS 256  //  most fields of a record, more are dropped
#define WEFT_CSV_RECORD (1u << 16)  //  most bytes of a record

typedef struct {
    char *at;
    char *end;
    char delimiter;
    uint64_t line;  //  where the last record began, from 1
    uint64_t next_line;
    uint32_t n_fields;
    weft_str_t fields[WEFT_CSV_FIELDS];  //  borrow from the bytes
} weft_csv_t;

//  Starts at the first byte. Borrows (and changes) `data` until the last read.
void weft_csv_init (weft_csv_t *self, char *data, size_t size, char delimiter);

//  Takes the next record that is not empty: 1, or 0 at the end. WEFT_ETOOBIG
//  for a record beyond WEFT_CSV_RECORD (a quote that is never closed),
//  WEFT_EMALFORMED for text behind a closing quote.
WEFT_CHECK int weft_csv_next (weft_csv_t *self);

#endif
