//  weft_watchdog.c - ends a process whose loop has stopped turning.

#include "weft_watchdog.h"

#include <inttypes.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "weft_log.h"

enum { LOOK_MS = 1000 };

struct weft_watchdog {
    weft_health_t *health;
    int64_t limit_ms;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool over;  //  under the lock
};

//  Sleeps until the next look. False: it is time to end.
static bool
sleep_one (weft_watchdog_t *self)
{
    struct timespec until;
    clock_gettime (CLOCK_MONOTONIC, &until);
    until.tv_sec += LOOK_MS / 1000;
    pthread_mutex_lock (&self->lock);
    if (!self->over)
        pthread_cond_timedwait (&self->wake, &self->lock, &until);
    bool go_on = !self->over;
    pthread_mutex_unlock (&self->lock);
    return go_on;
}

static void *
watch (void *arg)
{
    weft_watchdog_t *self = arg;
    int64_t still_ms = 0, last = 0;
    while (sleep_one (self)) {
        int64_t turns = weft_health_turns (self->health);
        still_ms = turns == last ? still_ms + LOOK_MS : 0;
        last = turns;
        if (still_ms <= self->limit_ms)
            continue;
        weft_log (WEFT_ERROR, "STAGE-HUNG",
                  "the loop has not turned for %" PRId64
                  " ms, a stage function does not return: ending, so that "
                  "a fresh process can take over",
                  still_ms);
        _exit (1);
    }
    return NULL;
}

weft_watchdog_t *
weft_watchdog_new (weft_health_t *health, int64_t limit_ms)
{
    pthread_condattr_t monotonic;
    weft_watchdog_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->health = health;
    self->limit_ms = limit_ms;
    pthread_mutex_init (&self->lock, NULL);
    pthread_condattr_init (&monotonic);
    pthread_condattr_setclock (&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init (&self->wake, &monotonic);
    pthread_condattr_destroy (&monotonic);
    if (pthread_create (&self->thread, NULL, watch, self)) {
        pthread_cond_destroy (&self->wake);
        pthread_mutex_destroy (&self->lock);
        free (self);
        return NULL;
    }
    return self;
}

void
weft_watchdog_destroy (weft_watchdog_t **self_p)
{
    weft_watchdog_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    pthread_mutex_lock (&self->lock);
    self->over = true;
    pthread_cond_signal (&self->wake);
    pthread_mutex_unlock (&self->lock);
    pthread_join (self->thread, NULL);
    pthread_cond_destroy (&self->wake);
    pthread_mutex_destroy (&self->lock);
    free (self);
}
