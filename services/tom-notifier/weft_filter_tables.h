//  weft_filter_tables.h - the tables that users' conditions are written on.
//
//     alert     one row: the scalars of alert.v1 by the contract's names;
//               records flattened (ps1_1_sg, gaia_sep, sso_name), band_name
//     history   the rows of the light curve; kind is 'D', 'L' or 'F';
//               band_name; trig is 1 for the row of this alert
//     bands     what people count most, per band of the curve: n_d, n_l, n_f,
//               first_mjd, last_mjd, last_flux, last_err, max_flux, min_flux
//     matches, catalogs, names    the records of matches.v1
//     scores    model, version, calibration, class, p: one row a class
//
//  They are virtual: SQLite reads the decoded alert in place, nothing is
//  inserted anywhere, and what no condition reads is not decoded. Absent is
//  NULL. One thread, that of the handle.

#ifndef WEFT_FILTER_TABLES_H_INCLUDED
#define WEFT_FILTER_TABLES_H_INCLUDED

#include <sqlite3.h>

#include "weft_filter_view.h"

//  Makes the tables known to `db`. They show what `view` shows at the time;
//  borrows `view` until the handle is closed.
WEFT_CHECK int weft_filter_tables_register (sqlite3 *db,
                                            weft_filter_view_t *view);

//  Is this one of our tables?
bool weft_filter_tables_has (const char *name);

//  Writes tables and columns as Markdown, for --describe.
void weft_filter_tables_describe (FILE *out);

#endif
