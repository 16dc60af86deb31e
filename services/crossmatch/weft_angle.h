//  weft_angle.h - numbers and angles in the text of catalogues. Pure. Any
//  thread.

#ifndef WEFT_ANGLE_H_INCLUDED
#define WEFT_ANGLE_H_INCLUDED

#include "weft_cursor.h"

//  A decimal number, the whole text. False for anything else: no text, "-",
//  NaN, infinity, hexadecimal, digits and then a letter.
WEFT_CHECK bool weft_angle_number (weft_str_t text, double *value);

//  Two or three numbers with an optional sign: "12 34 56.7", "-00:12:34",
//  "12h34m56.7s", "+41d16'09\"". Minutes and seconds are below 60. The value is
//  in units of the first number: hours or degrees.
WEFT_CHECK bool weft_angle_sexagesimal (weft_str_t text, double *value);

#endif
