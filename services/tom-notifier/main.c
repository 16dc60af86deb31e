//  tom-notifier - scored alert in, messages to people and machines out.
//
//  A terminal stage: the function says who wants the alert, commit writes that
//  to the outbox before the alert is settled, and the couriers bring it to the
//  sinks. All the plumbing is weft_stage.

#include "weft_filter_sql.h"
#include "weft_filter_tables.h"
#include "weft_golden.h"
#include "weft_log.h"
#include "weft_notifier.h"
#include "weft_stage.h"

static void
tell_loading (const void *env, bool loading)
{
    weft_stage_loading (env, loading);
}

static int
open_notifier (void **self_p, const weft_stage_env_t *env)
{
    char why[400] = "";
    weft_notifier_place_t place = {
        .data_dir = weft_stage_data_dir (env),
        .redis = weft_stage_redis_address (env),
        .login = weft_stage_redis_login (env),
        .isolated = weft_stage_isolated (env),
        .loading = tell_loading,
        .arg = env,
    };
    weft_notifier_t *self;
    int rc = weft_notifier_new (&self, weft_stage_options (env), &place, why,
                                sizeof why);
    if (rc)
        weft_log (WEFT_ERROR, "NOTIFIER-OPTIONS", "%s",
                  why[0] ? why : weft_error_text (rc));
    *self_p = self;
    return rc;
}

static int
reload_notifier (void *self, const weft_stage_env_t *env)
{
    char why[400] = "";
    int rc =
        weft_notifier_reload (self, weft_stage_options (env), why, sizeof why);
    if (rc)
        weft_log (WEFT_ERROR, "NOTIFIER-OPTIONS", "%s",
                  why[0] ? why : weft_error_text (rc));
    return rc;
}

static void
close_notifier (void **self_p)
{
    weft_notifier_t *self = *self_p;
    weft_notifier_destroy (&self);
    *self_p = NULL;
}

static int
evaluate (void *self, const weft_alert_t *in, weft_section_t *out)
{
    return weft_notifier_evaluate (self, in, out);
}

static int
commit (void *self,
        const weft_alert_t *const *in,
        const weft_section_t *effects,
        size_t n)
{
    return weft_notifier_commit (self, in, effects, n);
}

static void
beat (void *self, int64_t now_ms)
{
    weft_notifier_beat (self, now_ms);
}

static bool
ready (void *self, char *why, size_t room)
{
    return weft_notifier_ready (self, why, room);
}

static const char *
version (void *self)
{
    return weft_notifier_version (self);
}

static bool
owner (void *self)
{
    return weft_notifier_owner (self);
}

static const weft_stage_spec_t spec = {
    .name = "tom-notifier",
    .about = "tells people and machines about the alerts that their filters "
             "want",
    .reads = "alert.v1",
    .options = weft_notifier_option_table,
    .options_size = sizeof (weft_notifier_options_t),
    .open = open_notifier,
    .close = close_notifier,
    .fn = evaluate,
    .commit = commit,
    .beat = beat,
    .ready = ready,
    .version = version,
    .reload = reload_notifier,
    .owner = owner,
    .golden = weft_golden_alert,
};

int
main (int argc, char *argv[])
{
    int code = weft_stage_main (argc, argv, &spec);
    //  What users may write in conditions belongs to the description.
    if (code == 0 && argc > 1 && !strcmp (argv[1], "--describe")) {
        printf ("\n## Tables of conditions\n");
        weft_filter_tables_describe (stdout);
        weft_filter_sql_describe (stdout);
    }
    return code;
}
