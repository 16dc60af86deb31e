//  crossmatch - alert in, alert with what catalogues know at its place out.
//
//  Catalogues are read at start and, on SIGHUP, again: open makes a whole new
//  set and the runtime swaps it in, or keeps the old one. State: the files.

#include "weft_crossmatch.h"
#include "weft_golden.h"
#include "weft_stage.h"

static int
open_catalogs (void **self_p, const weft_stage_env_t *env)
{
    weft_crossmatch_t *self;
    int rc = weft_crossmatch_new (&self, weft_stage_options (env));
    *self_p = self;
    return rc;
}

static void
close_catalogs (void **self_p)
{
    weft_crossmatch_t *self = *self_p;
    weft_crossmatch_destroy (&self);
    *self_p = NULL;
}

static const char *
version_of (void *self)
{
    return weft_crossmatch_version (self);
}

static int
match (void *self, const weft_alert_t *in, weft_section_t *out)
{
    weft_alert_v1_t alert;
    weft_matches_v1_t matches;
    int rc = weft_alert_read (in, &weft_alert_v1, &alert);
    if (rc)
        return rc;
    weft_crossmatch_find (self, alert.ra, alert.dec, &matches);
    return weft_contract_encode (&weft_matches_v1, &matches, out);
}

int
main (int argc, char *argv[])
{
    return weft_stage_main (
        argc, argv,
        &(weft_stage_spec_t){
            .name = "crossmatch",
            .about = "says what catalogues know at the place of each alert",
            .reads = "alert.v1",
            .writes = "matches.v1",
            .hash = WEFT_VERSION " crossmatch 1",
            .options = weft_crossmatch_option_table,
            .options_size = sizeof (weft_crossmatch_options_t),
            .open = open_catalogs,
            .close = close_catalogs,
            .fn = match,
            .version = version_of,
            .golden = weft_golden_alert,
        });
}
