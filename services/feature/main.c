//  feature - alert in, alert with numbers that describe its light curve out.
//
//  All the plumbing (custody, settlement, drain, metrics) is weft_stage, all
//  the science weft_features.h. No state, no options, no dependency.

#include "weft_features.h"
#include "weft_golden.h"
#include "weft_stage.h"

static int
open_work (void **self_p, const weft_stage_env_t *env)
{
    (void)env;
    *self_p = weft_feature_work_new ();
    return *self_p ? 0 : WEFT_ENOMEM;
}

static void
close_work (void **self_p)
{
    weft_feature_work_t *work = *self_p;
    weft_feature_work_destroy (&work);
    *self_p = NULL;
}

static int
describe (void *work, const weft_alert_t *in, weft_section_t *out)
{
    weft_alert_v1_t alert;
    int rc = weft_alert_read (in, &weft_alert_v1, &alert);
    return rc ? rc : weft_features_write (work, &alert, out);
}

int
main (int argc, char *argv[])
{
    return weft_stage_main (
        argc, argv,
        &(weft_stage_spec_t){
            .name = "feature",
            .about = "describes the light curve of each alert in numbers",
            .reads = "alert.v1",
            .writes = "features.v1",
            .hash = WEFT_VERSION " features 1",
            .open = open_work,
            .close = close_work,
            .fn = describe,
            .golden = weft_golden_alert,
        });
}
