//  weft_keeper_redis.c - what the keeper's side thread does with Redis.

#include "weft_keeper_parts.h"

#include "weft_clock.h"
#include "weft_log.h"
#include "weft_release.h"
#include "weft_time.h"
#include "weft_written.h"

#include <unistd.h>

enum {
    PING_MS = 1000,
    REGISTER_MS = 2000,  //  a third of the entry's life
    REPLAY_MS = 1000,
    CLOCK_MS = 10000,
    MARK_MS = 5000,
    WRITTEN_MS = 500,   //  that letters are waited for; then again
    LETTERS_MOST = 64,  //  written before they are waited for
};

static void
notify (weft_keeper_t *self)
{
    if (write (self->fd, &(uint64_t){ 1 }, 8) != 8)
        weft_log (WEFT_ERROR, "KEEPER-EVENTFD-FAILED", "cannot wake the loop");
}

static void
set_down (weft_keeper_t *self, const char *why)
{
    pthread_mutex_lock (&self->lock);
    bool was = self->down[0] != '\0', is = why[0] != '\0';
    if (is)
        snprintf (self->down, sizeof self->down, "Redis: %s", why);
    else
        self->down[0] = '\0';
    pthread_mutex_unlock (&self->lock);
    if (was != is)
        weft_log (is ? WEFT_WARN : WEFT_INFO,
                  is ? "KEEPER-REDIS-DOWN" : "KEEPER-REDIS-UP", "%s",
                  is ? why : "it answers");
}

//  False only if it is there and forgets: without it, only the moves of replays
//  in the ledger wait.
bool
weft_keeper_bulk_safe (weft_keeper_t *self, char *why, size_t room)
{
    int rc = self->bulk == self->redis ? 0 : weft_redis_ping (self->bulk);
    if (rc == 0 && self->bulk != self->redis)
        rc = weft_redis_check_safe (self->bulk, self->config.ephemeral, why,
                                    room);
    self->bulk_safe = rc == 0;
    return rc != WEFT_ECONFIG;
}

//  Is Redis there, and one that keeps what it acknowledges?
static bool
is_up (weft_keeper_t *self)
{
    char why[WEFT_KEEPER_WHY] = "";
    if (weft_redis_ping (self->redis)) {
        set_down (self, weft_redis_why (self->redis));
        return false;
    }
    uint64_t generation = weft_redis_generation (self->redis);
    if (generation != self->generation || self->unsafe) {
        int rc = weft_redis_check_safe (self->redis, self->config.ephemeral,
                                        why, sizeof why);
        self->unsafe = rc != 0;
        if (rc) {
            set_down (self, why);
            return false;
        }
        self->generation = generation;
    }
    if (!self->bulk_safe && !weft_keeper_bulk_safe (self, why, sizeof why)) {
        set_down (self, why);
        return false;
    }
    set_down (self, "");
    return true;
}

static void
push_all (weft_keeper_t *self, letters_t *to, letters_t *from)
{
    pthread_mutex_lock (&self->lock);
    if (to == &self->buried)
        self->waiting -= from->n;
    for (letter_t *letter; (letter = weft_letters_pop (from));)
        weft_letters_push (to, letter);
    pthread_mutex_unlock (&self->lock);
}

static void
say_held (const char *stage, int rc)
{
    weft_log (WEFT_WARN, "STAGE-DEAD-LETTER-HELD", "dlq:%s: %s", stage,
              weft_error_text (rc));
}

//  Writes one letter, which is then among those put. False: Redis is down, stop
//  trying for now.
static bool
write_letter (weft_keeper_t *self, letter_t *letter)
{
    int rc =
        weft_dlq_put (self->redis, letter->stage, letter->alert, letter->code,
                      letter->reason, self->config.dead_letter_bytes);
    if (!rc) {
        if (self->put.n == 0)
            self->put_generation = weft_redis_generation (self->redis);
        weft_letters_push (&self->put, letter);
        return true;
    }
    say_held (letter->stage, rc);
    letters_t back = { 0 };
    weft_letters_push (&back, letter);
    push_all (self, &self->letters, &back);
    return rc == WEFT_ETOOBIG;
}

//  They were acknowledged, but Redis and this process may die together, and
//  whoever is told that they are durable books them elsewhere. False: not yet. The
//  file is behind, and they are asked after again, or Redis was away since: they
//  are written again.
static bool
finish_letters (weft_keeper_t *self)
{
    if (self->put.n == 0)
        return true;
    int rc = weft_redis_written (self->redis, WRITTEN_MS);
    bool same = weft_redis_generation (self->redis) == self->put_generation;
    if (!rc && !same)
        rc = WEFT_EAGAIN;
    if (rc)
        say_held (self->put.first->stage, rc);
    if (rc != WEFT_EDOWN || !same)
        push_all (self, rc ? &self->letters : &self->buried, &self->put);
    if (!rc)
        notify (self);
    return !rc;
}

static void
write_letters (weft_keeper_t *self)
{
    bool up = finish_letters (self);
    pthread_mutex_lock (&self->lock);
    size_t n = self->letters.n;
    pthread_mutex_unlock (&self->lock);
    for (; n > 0 && up; n--) {
        pthread_mutex_lock (&self->lock);
        letter_t *letter = weft_letters_pop (&self->letters);
        pthread_mutex_unlock (&self->lock);
        up = write_letter (self, letter);
        if (self->put.n == LETTERS_MOST)
            up = finish_letters (self) && up;
    }
    (void)(up && finish_letters (self));
}

static void
on_taken (void *arg,
          const char *key,
          const weft_dead_v1_t *dead,
          weft_alert_t *alert)
{
    (void)dead;
    weft_keeper_t *self = arg;
    weft_keeper_replay_t *replay = alert ? calloc (1, sizeof *replay) : NULL;
    if (!replay) {
        weft_alert_unref (&alert);
        return;
    }
    replay->alert = alert;
    replay->branch = self->taking;
    snprintf (replay->key, sizeof replay->key, "%s", key);
    pthread_mutex_lock (&self->lock);
    replay->next = self->taken;
    self->taken = replay;
    pthread_mutex_unlock (&self->lock);
    weft_log (WEFT_INFO, "STAGE-REPLAY", "%s for %s", key,
              self->branches[self->taking]);
    notify (self);
}

static void
take_replays (weft_keeper_t *self)
{
    for (uint32_t i = 0; i < self->config.n_branches; i++) {
        self->taking = i;
        if (weft_replay_take (self->replays[i], WEFT_REPLAY_HELD_MOST, on_taken,
                              self))
            return;
    }
}

static void
look_for_releases (weft_keeper_t *self)
{
    uint32_t releases = 0;
    for (uint32_t i = 0; i < self->config.n_branches; i++) {
        bool released = false;
        if (weft_release_get (self->redis, self->branches[i], &released))
            return;
        releases |= (uint32_t)released << i;
    }
    pthread_mutex_lock (&self->lock);
    self->releases = releases;
    pthread_mutex_unlock (&self->lock);
}

static void
tell_replayed (weft_keeper_t *self)
{
    pthread_mutex_lock (&self->lock);
    weft_keeper_replay_t *list = self->replayed;
    self->replayed = NULL;
    pthread_mutex_unlock (&self->lock);
    while (list) {
        weft_keeper_replay_t *replay = list;
        list = replay->next;
        if (!weft_replay_done (self->replays[replay->branch], replay->key,
                               replay->settled)) {
            weft_alert_unref (&replay->alert);
            free (replay);
            continue;
        }
        pthread_mutex_lock (&self->lock);
        replay->next = self->replayed;
        self->replayed = replay;
        pthread_mutex_unlock (&self->lock);
    }
}

static void
put_entry (weft_keeper_t *self)
{
    char json[WEFT_REGISTRY_JSON_MOST];
    pthread_mutex_lock (&self->lock);
    memcpy (json, self->json, sizeof json);
    pthread_mutex_unlock (&self->lock);
    if (json[0] &&
        weft_registry_put (self->redis, self->stage, self->instance, json))
        weft_log (WEFT_DEBUG, "KEEPER-REGISTRY-FAILED", "tried again soon");
}

static bool
due (int64_t *at, int64_t now, int64_t every)
{
    if (now < *at)
        return false;
    *at = now + every;
    return true;
}

static void
look_at_mark (weft_keeper_t *self)
{
    if (weft_mark_look (&self->mark, self->bulk) == WEFT_ENOENT)
        weft_log (WEFT_ERROR, "LEDGER-GONE",
                  "the Redis at %s was emptied while this ran: what was booked "
                  "there before, and histories, are gone, and weft ledger "
                  "counts only what came since. Put a copy of its file back, "
                  "or read the night again from its source",
                  weft_redis_address (self->bulk));
}

void
weft_keeper_round (weft_keeper_t *self)
{
    int64_t now = weft_time_ms ();
    pthread_mutex_lock (&self->lock);
    bool orders = self->letters.n > 0 || self->replayed;
    pthread_mutex_unlock (&self->lock);
    bool ping = due (&self->ping_ms, now, PING_MS);
    if ((!orders && !ping) || !is_up (self))
        return;
    write_letters (self);
    tell_replayed (self);
    if (due (&self->register_ms, now, REGISTER_MS))
        put_entry (self);
    if (due (&self->clock_ms, now, CLOCK_MS))
        weft_clock_look (self->redis);
    if (self->bulk_safe && due (&self->mark_ms, now, MARK_MS))
        look_at_mark (self);
    if (due (&self->replay_ms, now, REPLAY_MS)) {
        take_replays (self);
        look_for_releases (self);
    }
}
