//  weft_crossmatch.h - what all catalogues know at one place.
//
//  Made from the service's options; asks each catalogue and fills matches.v1.
//  Read-only once made: any thread may ask.

#ifndef WEFT_CROSSMATCH_H_INCLUDED
#define WEFT_CROSSMATCH_H_INCLUDED

#include "weft_catalog.h"
#include "weft_config.h"
#include "weft_contracts.h"

#define WEFT_CROSSMATCH_CATALOGS 32  //  as in matches.v1
#define WEFT_CROSSMATCH_MATCHES 64   //  sum of `nearest` over all
#define WEFT_CROSSMATCH_NAMES 16     //  catalogues with `names`

//  One catalogue as configured.
typedef struct {
    char *name;
    char *file;
    double radius_arcsec;
    int64_t nearest;
    char *ra, *dec, *id, *type, *mag, *z;
    char *delimiter;
    char *angles;
    bool header;
    bool names;
    bool required;
    double dec_min, dec_max;
} weft_crossmatch_catalog_t;

typedef struct {
    weft_list_t catalogs;  //  of weft_crossmatch_catalog_t
} weft_crossmatch_options_t;

extern const weft_option_t weft_crossmatch_option_table[];

//  The values of `state` in catalog.v1.
enum { WEFT_SEARCHED = 1, WEFT_OUTSIDE = 2, WEFT_NOT_SEARCHED = 3 };

typedef struct weft_crossmatch weft_crossmatch_t;

//  Returns new in *self_p: loads every catalogue and logs what was found.
//  Keeps nothing of the options. WEFT_ECONFIG, logged, if an option or
//  a required file will not do.
WEFT_CHECK int weft_crossmatch_new (weft_crossmatch_t **self_p,
                                    const weft_crossmatch_options_t *options);

//  Destroys it with all catalogues and sets *self_p to NULL. Safe on NULL.
void weft_crossmatch_destroy (weft_crossmatch_t **self_p);

//  Names and versions of all catalogues in 16 digits: what is live.
const char *weft_crossmatch_version (const weft_crossmatch_t *self);

//  Asks every catalogue. Fills the record, whatever was in it; only the n_KEY
//  first elements of its arrays count. What it holds borrows from `self`.
void weft_crossmatch_find (const weft_crossmatch_t *self,
                           double ra,
                           double dec,
                           weft_matches_v1_t *matches);

#endif
