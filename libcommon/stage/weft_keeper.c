//  weft_keeper.c - dead letters, replays and the registry, in a side thread.

#include "weft_keeper_parts.h"

#include "weft_log.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECT_MS = 500,
    COMMAND_MS = 1000,
    ROUND_MS = 200,  //  between looks at Redis without an order
};

static void
free_letter (letter_t *letter)
{
    weft_alert_unref (&letter->alert);
    free (letter);
}

//  Waits for an order, at most a round; true: the end.
static bool
rest (weft_keeper_t *self)
{
    struct timespec until;
    clock_gettime (CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (int64_t)ROUND_MS * 1000000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock (&self->lock);
    if (!self->stop)
        (void)pthread_cond_timedwait (&self->wake, &self->lock, &until);
    bool stop = self->stop;
    pthread_mutex_unlock (&self->lock);
    return stop;
}

static void *
run (void *arg)
{
    weft_keeper_t *self = arg;
    do {
        weft_keeper_round (self);
    } while (!rest (self));
    if (!self->down[0])
        (void)!weft_registry_remove (self->redis, self->stage, self->instance);
    return NULL;
}

static int
connect_redis (weft_keeper_t *self, char *why, size_t room)
{
    const weft_keeper_config_t *c = &self->config;
    weft_redis_config_t config = c->login;
    config.connect_ms = CONNECT_MS;
    config.command_ms = COMMAND_MS;
    self->redis = weft_redis_new (c->address, &config);
    if (!self->redis) {
        snprintf (why, room,
                  "redis.address: \"%s\", expected host:port or unix:/path, "
                  "and redis.password_file and redis.tls_* ones that can be "
                  "read",
                  c->address);
        return WEFT_ECONFIG;
    }
    bool same = !c->bulk || strcmp (c->bulk, c->address) == 0;
    self->bulk = same ? self->redis : weft_redis_new (c->bulk, &config);
    if (!self->bulk) {
        snprintf (why, room, "redis.cluster: \"%s\" is no list of host:port",
                  c->bulk);
        return WEFT_ECONFIG;
    }
    if (weft_redis_ping (self->redis) == 0 &&
        weft_redis_check_safe (self->redis, c->ephemeral, why, room))
        return WEFT_ECONFIG;
    if (!weft_keeper_bulk_safe (self, why, room))
        return WEFT_ECONFIG;
    for (uint32_t i = 0; i < c->n_branches; i++) {
        self->replays[i] = weft_replay_new (self->redis, self->bulk,
                                            self->branches[i], self->instance);
        if (!self->replays[i])
            return WEFT_ENOMEM;
    }
    return 0;
}

static int
start_thread (weft_keeper_t *self)
{
    if (!self->redis) {
        snprintf (self->down, sizeof self->down, "%s", "");
        return 0;
    }
    self->started = pthread_create (&self->thread, NULL, run, self) == 0;
    return self->started ? 0 : WEFT_ENOMEM;
}

static void
copy_names (weft_keeper_t *self)
{
    weft_keeper_config_t *c = &self->config;
    snprintf (self->stage, sizeof self->stage, "%s", c->stage);
    snprintf (self->instance, sizeof self->instance, "%s", c->instance);
    c->n_branches = WEFT_MIN (c->n_branches, WEFT_BRANCHES_MAX);
    for (uint32_t i = 0; i < c->n_branches; i++)
        snprintf (self->branches[i], sizeof self->branches[i], "%s",
                  c->branches[i]);
}

weft_keeper_t *
weft_keeper_new (const weft_keeper_config_t *config, char *why, size_t room)
{
    weft_keeper_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->config = *config;
    copy_names (self);
    snprintf (why, room, "out of resources");
    pthread_condattr_t attributes;
    pthread_condattr_init (&attributes);
    pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init (&self->lock, NULL);
    pthread_cond_init (&self->wake, &attributes);
    pthread_condattr_destroy (&attributes);
    self->fd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    int rc = self->fd < 0 ? WEFT_ENOMEM : 0;
    if (!rc && config->address[0])
        rc = connect_redis (self, why, room);
    if (!rc)
        rc = start_thread (self);
    if (rc)
        weft_keeper_destroy (&self);
    return self;
}

static void
free_replays (weft_keeper_replay_t *list)
{
    while (list) {
        weft_keeper_replay_t *next = list->next;
        weft_alert_unref (&list->alert);
        free (list);
        list = next;
    }
}

void
weft_keeper_destroy (weft_keeper_t **self_p)
{
    weft_keeper_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    pthread_mutex_lock (&self->lock);
    self->stop = true;
    pthread_cond_signal (&self->wake);
    pthread_mutex_unlock (&self->lock);
    if (self->started)
        pthread_join (self->thread, NULL);
    for (letter_t *letter; (letter = weft_letters_pop (&self->letters));)
        free_letter (letter);
    for (letter_t *letter; (letter = weft_letters_pop (&self->buried));)
        free_letter (letter);
    for (letter_t *letter; (letter = weft_letters_pop (&self->put));)
        free_letter (letter);
    //  What is still in custody is not told: its lease runs out, and another
    //  upstream takes it.
    free_replays (self->given);
    free_replays (self->taken);
    free_replays (self->replayed);
    for (size_t i = 0; i < WEFT_COUNT (self->replays); i++)
        weft_replay_destroy (&self->replays[i]);
    if (self->bulk != self->redis)
        weft_redis_destroy (&self->bulk);
    weft_redis_destroy (&self->redis);
    pthread_mutex_destroy (&self->lock);
    pthread_cond_destroy (&self->wake);
    if (self->fd >= 0)
        close (self->fd);
    free (self);
}

int
weft_keeper_fd (const weft_keeper_t *self)
{
    return self->fd;
}

bool
weft_keeper_woken (weft_keeper_t *self)
{
    uint64_t count;
    return read (self->fd, &count, sizeof count) == sizeof count;
}

bool
weft_keeper_down (weft_keeper_t *self, char *why, size_t room)
{
    pthread_mutex_lock (&self->lock);
    bool down = self->down[0] != '\0';
    if (down)
        snprintf (why, room, "%s", self->down);
    pthread_mutex_unlock (&self->lock);
    return down;
}

int
weft_keeper_bury (weft_keeper_t *self,
                  weft_grave_t *grave,
                  weft_alert_t *alert,
                  const char *stage,
                  int code,
                  const char *reason)
{
    letter_t *letter = calloc (1, sizeof *letter);
    if (!letter)
        return WEFT_ENOMEM;
    letter->grave = grave;
    letter->alert = weft_alert_ref (alert);
    letter->code = code;
    snprintf (letter->stage, sizeof letter->stage, "%s", stage);
    snprintf (letter->reason, sizeof letter->reason, "%s", reason);
    pthread_mutex_lock (&self->lock);
    weft_letters_push (&self->letters, letter);
    self->waiting++;
    pthread_cond_signal (&self->wake);
    pthread_mutex_unlock (&self->lock);
    return 0;
}

weft_grave_t *
weft_keeper_buried (weft_keeper_t *self)
{
    pthread_mutex_lock (&self->lock);
    letter_t *letter = weft_letters_pop (&self->buried);
    pthread_mutex_unlock (&self->lock);
    if (!letter)
        return NULL;
    weft_grave_t *grave = letter->grave;
    free_letter (letter);
    return grave;
}

weft_keeper_replay_t *
weft_keeper_replay (weft_keeper_t *self, uint32_t *branch, weft_alert_t **alert)
{
    pthread_mutex_lock (&self->lock);
    weft_keeper_replay_t *replay = self->taken;
    if (replay)
        self->taken = replay->next;
    pthread_mutex_unlock (&self->lock);
    if (!replay)
        return NULL;
    replay->next = self->given;
    self->given = replay;
    *branch = replay->branch;
    *alert = replay->alert;
    return replay;
}

void
weft_keeper_replayed (weft_keeper_t *self,
                      weft_keeper_replay_t *replay,
                      bool settled)
{
    weft_keeper_replay_t **at = &self->given;
    while (*at != replay)
        at = &(*at)->next;
    *at = replay->next;
    replay->settled = settled;
    pthread_mutex_lock (&self->lock);
    replay->next = self->replayed;
    self->replayed = replay;
    pthread_cond_signal (&self->wake);
    pthread_mutex_unlock (&self->lock);
}

uint32_t
weft_keeper_releases (weft_keeper_t *self)
{
    pthread_mutex_lock (&self->lock);
    uint32_t releases = self->releases;
    pthread_mutex_unlock (&self->lock);
    return releases;
}

void
weft_keeper_register (weft_keeper_t *self, const char *json)
{
    pthread_mutex_lock (&self->lock);
    snprintf (self->json, sizeof self->json, "%s", json);
    pthread_mutex_unlock (&self->lock);
}

size_t
weft_keeper_waiting (weft_keeper_t *self)
{
    pthread_mutex_lock (&self->lock);
    size_t n = self->waiting;
    pthread_mutex_unlock (&self->lock);
    return n;
}
