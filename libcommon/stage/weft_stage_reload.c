//  weft_stage_reload.c - SIGHUP: new options, whole or not at all.
//
//  A pure stage is opened anew in a side thread, as catalogues take a while,
//  and swapped between two turns. A service that has a `reload` does it itself
//  in the loop.

#include "weft_stage_parts.h"

#include "weft_time.h"

#include <pthread.h>
#include <stdatomic.h>

struct weft_stage_opening {
    const weft_stage_spec_t *spec;
    weft_settings_t *settings;
    weft_stage_env_t *env;  //  the service keeps it
    void *service;
    int rc;
    atomic_bool done;
    pthread_t thread;
};

static void
refuse (weft_stage_t *self, const char *why)
{
    weft_log (WEFT_ERROR, "STAGE-RELOAD-REFUSED",
              "%s; everything stays as it was", why);
    weft_metric_set (self->metrics.reload, 0);
}

static bool
is_pure (const weft_stage_spec_t *spec)
{
    return !spec->commit && !spec->owner && !spec->source;
}

static void *
run (void *arg)
{
    struct weft_stage_opening *self = arg;
    self->rc =
        self->spec->open ? self->spec->open (&self->service, self->env) : 0;
    atomic_store (&self->done, true);
    return NULL;
}

static void
start_opening (weft_stage_t *self, weft_settings_t *settings)
{
    struct weft_stage_opening *opening = calloc (1, sizeof *opening);
    weft_stage_env_t *env = calloc (1, sizeof *env);
    if (opening && env) {
        *env = *self->env;
        env->settings = settings;
        opening->spec = self->spec;
        opening->settings = settings;
        opening->env = env;
    }
    if (!opening || !env ||
        pthread_create (&opening->thread, NULL, run, opening) != 0) {
        free (opening);
        free (env);
        weft_settings_destroy (&settings);
        refuse (self, "out of resources");
        return;
    }
    self->opening = opening;
}

//  The new settings are live. Takes them.
static void
adopt (weft_stage_t *self, weft_settings_t *settings)
{
    weft_settings_t *old = self->settings;
    self->settings = settings;
    self->env->settings = settings;
    weft_settings_destroy (&old);
    weft_log_set_level (settings->level);
    if (self->isolation) {
        weft_isolation_pass (self->isolation, settings->copy_fd);
        weft_isolation_renew (self->isolation);
    }
    weft_metric_set (self->metrics.reload, 1);
    weft_log (WEFT_INFO, "STAGE-RELOADED", "the new configuration is live");
}

//  The service says itself whether it takes them. Its env keeps its address.
static void
reload_service (weft_stage_t *self, weft_settings_t *settings)
{
    self->env->settings = settings;
    int rc = self->spec->reload (self->service, self->env);
    if (!rc) {
        adopt (self, settings);
        return;
    }
    self->env->settings = self->settings;
    weft_settings_destroy (&settings);
    refuse (self, weft_error_text (rc));
}

void
weft_stage_reload (weft_stage_t *self)
{
    char why[512];
    if (self->opening) {
        refuse (self, "a reload is under way");
        return;
    }
    weft_settings_t *settings =
        weft_settings_load (self->spec, self->config_path, why, sizeof why);
    if (!settings) {
        refuse (self, why);
        return;
    }
    const char *fixed = weft_settings_fixed (self->settings, settings);
    if (fixed) {
        snprintf (why, sizeof why, "%s can only be changed by a restart",
                  fixed);
        weft_settings_destroy (&settings);
        refuse (self, why);
    } else if (self->spec->reload) {
        reload_service (self, settings);
    } else if (is_pure (self->spec)) {
        start_opening (self, settings);
    } else if (settings->hash == self->settings->hash) {
        //  A SIGHUP for the keys.
        weft_settings_destroy (&settings);
        weft_log (WEFT_INFO, "STAGE-RELOADED", "the configuration is the same");
    } else {
        weft_settings_destroy (&settings);
        refuse (self, "this service takes new options by a restart only");
    }
}

static void
swap (weft_stage_t *self, struct weft_stage_opening *opening)
{
    void *old = self->service;
    self->service = opening->service;
    if (old && self->spec->close)
        self->spec->close (&old);
    free (self->env);
    self->env = opening->env;
    adopt (self, opening->settings);
}

void
weft_stage_reload_turn (weft_stage_t *self)
{
    struct weft_stage_opening *opening = self->opening;
    if (!opening || !atomic_load (&opening->done))
        return;
    pthread_join (opening->thread, NULL);
    self->opening = NULL;
    if (opening->rc) {
        weft_settings_destroy (&opening->settings);
        free (opening->env);
        refuse (self, weft_error_text (opening->rc));
    } else {
        swap (self, opening);
    }
    free (opening);
}

//  One that is not done stays: a thread cannot be told to stop reading.
void
weft_stage_reload_close (weft_stage_t *self)
{
    struct weft_stage_opening *opening = self->opening;
    if (!opening || !atomic_load (&opening->done))
        return;
    self->opening = NULL;
    pthread_join (opening->thread, NULL);
    if (opening->service && self->spec->close)
        self->spec->close (&opening->service);
    weft_settings_destroy (&opening->settings);
    free (opening->env);
    free (opening);
}
