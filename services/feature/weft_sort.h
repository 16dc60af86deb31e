//  weft_sort.h - sorts the values of one light curve.
//
//  Quantile features cost what sorting costs. qsort takes a call per compare; a
//  radix sort over the bytes in use takes a quarter of the time. Pure. Any
//  thread.

#ifndef WEFT_SORT_H_INCLUDED
#define WEFT_SORT_H_INCLUDED

#include "weft_base.h"

//  Sorts ascending in place. `room` is for n doubles. No NaN among them.
void weft_sort_doubles (double *values, uint32_t n, double *room);

#endif
