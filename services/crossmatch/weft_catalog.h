//  weft_catalog.h - one catalogue: its file, its columns, its index.
//
//  Read whole from delimited text. A row needs a position; id, type, magnitude
//  and redshift are kept where the file has them. Rows with a bad position are
//  left out and counted. Read-only once made: any thread may ask.

#ifndef WEFT_CATALOG_H_INCLUDED
#define WEFT_CATALOG_H_INCLUDED

#include "weft_cursor.h"
#include "weft_sky.h"

#define WEFT_CATALOG_FILE (UINT64_C (4) << 30)  //  most bytes of a file
#define WEFT_CATALOG_TEXT 120    //  most bytes of an id or type, then cut
#define WEFT_CATALOG_VERSION 17  //  16 digits of the SHA-256 and the 0
#define WEFT_CATALOG_BAD 8       //  bad rows that are remembered

//  How to read a file. Columns are named as in the header line, or "#3" for the
//  third; "" = the file has no such column.
typedef struct {
    const char *ra, *dec, *id, *type, *mag, *z;
    char delimiter;
    bool header;       //  the first record names the columns
    bool sexagesimal;  //  ra in hours, dec in degrees: "12 34 56.7"
    double radius;     //  of the cones that will be asked, degrees
} weft_catalog_plan_t;

typedef struct weft_catalog weft_catalog_t;

//  One row. Strings borrow from the catalogue; mag and z NaN if absent.
typedef struct {
    double ra, dec;  //  degrees
    weft_str_t id, type;
    float mag, z;
} weft_catalog_row_t;

//  Returns new in *self_p: the catalogue in these bytes, which it may change
//  and does not keep. On error `why` says what and on which line: WEFT_ECONFIG
//  (a column is not there), WEFT_EMALFORMED, WEFT_ETOOBIG, WEFT_ENOMEM.
WEFT_CHECK int weft_catalog_parse (weft_catalog_t **self_p,
                                   const weft_catalog_plan_t *plan,
                                   char *data,
                                   size_t size,
                                   char *why,
                                   size_t room);

//  The same of a file. WEFT_ENOENT if it cannot be read.
WEFT_CHECK int weft_catalog_load (weft_catalog_t **self_p,
                                  const weft_catalog_plan_t *plan,
                                  const char *path,
                                  char *why,
                                  size_t room);

//  Destroys the catalogue and sets *self_p to NULL. Safe on NULL.
void weft_catalog_destroy (weft_catalog_t **self_p);

//  Rows that can be found, and rows left out for a bad position with the line
//  numbers of the first WEFT_CATALOG_BAD of them.
uint32_t weft_catalog_rows (const weft_catalog_t *self);
uint64_t weft_catalog_bad (const weft_catalog_t *self,
                           uint64_t lines[WEFT_CATALOG_BAD]);

//  First 16 hexadecimal digits of the SHA-256 of the file.
const char *weft_catalog_version (const weft_catalog_t *self);

const weft_sky_t *weft_catalog_sky (const weft_catalog_t *self);

//  What is known of a row (a hit's `row`).
void weft_catalog_row (const weft_catalog_t *self,
                       uint32_t row,
                       weft_catalog_row_t *out);

#endif
