//  weft_model_loader.c - see weft_model_loader.h.

#include "weft_model_loader.h"

#include "weft_log.h"
#include "weft_model_loader_parts.h"

#include <errno.h>
#include <time.h>

static void
poll_all (weft_model_loader_t *self)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < self->n; i++)
        rc = weft_model_loader_poll (self, i);
    atomic_store (&self->connected, rc != WEFT_EDOWN && rc != WEFT_EAGAIN);
    if (rc == self->last_rc)
        return;
    self->last_rc = rc;
    if (rc != WEFT_EAGAIN)
        weft_log (rc ? WEFT_WARN : WEFT_INFO,
                  rc ? "MODEL-POLL-FAILED" : "MODEL-POLL-OK", "%s: %s",
                  weft_redis_address (self->redis),
                  rc ? weft_redis_why (self->redis) : "models are watched");
}

//  Sleeps until the next poll. False: it is time to end.
static bool
wait_for_poll (weft_model_loader_t *self)
{
    struct timespec until;
    clock_gettime (CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + self->poll_ms % 1000 * 1000000;
    until.tv_sec += self->poll_ms / 1000 + ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock (&self->lock);
    int rc = 0;
    while (!self->stop && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait (&self->stopped, &self->lock, &until);
    bool stop = self->stop;
    pthread_mutex_unlock (&self->lock);
    return !stop;
}

static void *
run (void *arg)
{
    weft_model_loader_t *self = arg;
    do
        poll_all (self);
    while (wait_for_poll (self));
    return NULL;
}

static bool
start (weft_model_loader_t *self)
{
    pthread_condattr_t attr;
    if (pthread_condattr_init (&attr))
        return false;
    pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
    bool made = !pthread_cond_init (&self->stopped, &attr);
    pthread_condattr_destroy (&attr);
    if (!made || pthread_mutex_init (&self->lock, NULL))
        return false;
    return !pthread_create (&self->thread, NULL, run, self);
}

static void
free_all (weft_model_loader_t *self)
{
    for (size_t i = 0; i < self->n; i++) {
        weft_model_loader_offer (&self->name[i].fresh, NULL);
        weft_model_loader_offer (&self->name[i].shadow, NULL);
        weft_shadow_log_destroy (&self->name[i].log);
    }
    weft_redis_destroy (&self->redis);
    weft_buf_fini (&self->section);
    free (self);
}

weft_model_loader_t *
weft_model_loader_new (const weft_model_loader_config_t *config)
{
    weft_model_loader_t *self = calloc (1, sizeof (*self));
    if (!self)
        return NULL;
    self->n = WEFT_MIN (config->n, WEFT_MODELS_MOST);
    self->poll_ms = config->poll_ms;
    self->shadow_alerts = config->shadow_alerts;
    bool made = true;
    snprintf (self->dir, sizeof (self->dir), "%s", config->dir);
    for (size_t i = 0; i < self->n; i++) {
        self->name[i].name = config->names[i];
        if (config->versions[i])
            snprintf (self->name[i].live.handled, WEFT_MODEL_VERSION_MOST, "%s",
                      config->versions[i]);
        self->name[i].log = weft_shadow_log_new (WEFT_SHADOW_ROOM);
        made = made && self->name[i].log;
    }
    weft_buf_init (&self->section, WEFT_MODEL_SECTION_MOST);
    self->last_rc = 1;  //  not asked yet
    self->redis = weft_redis_new (config->redis, &config->login);
    if (made && self->redis && start (self))
        return self;
    free_all (self);
    return NULL;
}

void
weft_model_loader_destroy (weft_model_loader_t **self_p)
{
    weft_model_loader_t *self = *self_p;
    if (!self)
        return;
    pthread_mutex_lock (&self->lock);
    self->stop = true;
    pthread_cond_signal (&self->stopped);
    pthread_mutex_unlock (&self->lock);
    pthread_join (self->thread, NULL);
    pthread_cond_destroy (&self->stopped);
    pthread_mutex_destroy (&self->lock);
    free_all (self);
    *self_p = NULL;
}

//  A plain look first: nearly always there is nothing.
static weft_scorer_t *
take (weft_scorer_t *_Atomic *from)
{
    if (!atomic_load_explicit (from, memory_order_relaxed))
        return NULL;
    return atomic_exchange (from, NULL);
}

weft_scorer_t *
weft_model_loader_take (weft_model_loader_t *self, size_t index)
{
    return take (&self->name[index].fresh);
}

bool
weft_model_loader_take_shadow (weft_model_loader_t *self,
                               size_t index,
                               weft_scorer_t **shadow)
{
    weft_scorer_t *taken = take (&self->name[index].shadow);
    *shadow = taken == WEFT_NO_SHADOW ? NULL : taken;
    return taken != NULL;
}

bool
weft_model_loader_wants_row (const weft_model_loader_t *self, size_t index)
{
    return atomic_load_explicit (&self->name[index].wants,
                                 memory_order_relaxed);
}

void
weft_model_loader_add_row (weft_model_loader_t *self,
                           size_t index,
                           const char *version,
                           const char *key,
                           const weft_buf_t *section)
{
    (void)weft_shadow_log_put (self->name[index].log, version, key,
                               section->data, section->size);
}

bool
weft_model_loader_connected (const weft_model_loader_t *self)
{
    return atomic_load (&self->connected);
}

uint64_t
weft_model_loader_refused (const weft_model_loader_t *self)
{
    return atomic_load (&self->refused);
}
