//  weft_filter_functions.h - functions of ours for users' conditions.
//
//  What filters need and SQL lacks: magnitudes of fluxes, places on the sky.
//  All are pure; NULL in, NULL out. Any thread.

#ifndef WEFT_FILTER_FUNCTIONS_H_INCLUDED
#define WEFT_FILTER_FUNCTIONS_H_INCLUDED

#include <sqlite3.h>

#include "weft_base.h"

WEFT_CHECK int weft_filter_functions_register (sqlite3 *db);
bool weft_filter_functions_has (const char *name);
void weft_filter_functions_describe (FILE *out);

//  AB magnitude of a flux in nJy, NaN unless it is positive.
double weft_mag_of_flux (double flux_njy);
//  Its error to first order, 2.5 / ln 10 * err / flux.
double weft_mag_error (double flux_njy, double err_njy);

#endif
