//  weft_training.c - see weft_training.h.

#include "weft_training.h"

#include "weft_candidates.h"
#include "weft_claim.h"
#include "weft_labels.h"
#include "weft_log.h"
#include "weft_models.h"
#include "weft_rows.h"
#include "weft_time.h"
#include "weft_training_process.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/wait.h>

enum {
    CLAIM_SECONDS = 15,
    RENEW_MS = 5000,
    LOOK_MS = 500,  //  between looks at what waits
    BACKOFF_MS = 1000,
    BACKOFF_MOST_MS = 60000,
    EXIT_DECLINED = 3,
};

struct weft_training {
    weft_training_counts_t counts;
    pid_t pid;        //  0: nothing runs
    uint64_t labels;  //  the set that is being trained
    int64_t started_ms, renew_ms, next_ms;
    int64_t backoff_ms;  //  0: the last one did not fail
    bool killed;         //  by us, and why is logged
};

weft_training_t *
weft_training_new (void)
{
    return calloc (1, sizeof (weft_training_t));
}

void
weft_training_destroy (weft_training_t **self_p)
{
    weft_training_t *self = *self_p;
    *self_p = NULL;
    if (self && self->pid > 0) {
        kill (self->pid, SIGKILL);
        waitpid (self->pid, NULL, 0);
    }
    free (self);
}

const weft_training_counts_t *
weft_training_counts (const weft_training_t *self)
{
    return &self->counts;
}

static void
claim_key (const weft_training_config_t *config, char *key, size_t room)
{
    snprintf (key, room, "train:%s", config->model);
}

static void
take_received (void *arg, uint64_t number, weft_str_t id, weft_bin_t row)
{
    weft_label_v1_t label;
    (void)number;
    (void)id;
    if (!weft_contract_decode (&weft_label_v1, &label, row.p, row.n))
        *(double *)arg = label.received_at;
}

//  Has the first label after number `done` waited long enough?
static int
has_waited (const weft_training_config_t *config,
            weft_redis_t *redis,
            uint64_t done,
            bool *due)
{
    double received = weft_time_mjd_tai ();
    int rc = weft_rows_since (redis, "label", done, 1, take_received, &received,
                              NULL);
    *due = (weft_time_mjd_tai () - received) * 1440 >= config->after_minutes;
    return rc;
}

//  A name without any model and any label set begins with the base examples.
static int
is_first (const weft_training_config_t *config, weft_redis_t *redis, bool *due)
{
    weft_model_pointers_t at;
    int rc = weft_model_pointers (redis, config->model, &at);
    *due = !rc && !at.live[0] && !at.candidate[0];
    return rc;
}

static int
is_due (weft_training_t *self,
        const weft_training_config_t *config,
        weft_redis_t *redis,
        bool *due)
{
    int64_t done = -1;
    int rc = weft_labels_last (redis, &self->labels);
    rc = rc ? rc : weft_candidate_last (redis, config->model, &done);
    *due = false;
    if (rc)
        return rc;
    uint64_t from = done > 0 ? (uint64_t)done : 0;
    self->counts.waiting = self->labels > from ? self->labels - from : 0;
    if (done < 0)
        rc = is_first (config, redis, due);
    if (rc || *due || !self->counts.waiting)
        return rc;
    if (self->counts.waiting < config->after_labels)
        return has_waited (config, redis, from, due);
    *due = true;
    return 0;
}

static void
back_off (weft_training_t *self, int64_t now_ms)
{
    self->backoff_ms = WEFT_MIN (
        BACKOFF_MOST_MS, self->backoff_ms ? 2 * self->backoff_ms : BACKOFF_MS);
    self->next_ms = now_ms + self->backoff_ms;
}

static int
start (weft_training_t *self,
       const weft_training_config_t *config,
       weft_redis_t *redis,
       int64_t now_ms)
{
    char key[128];
    bool won = false;
    claim_key (config, key, sizeof (key));
    int rc =
        weft_claim (redis, key, config->instance, CLAIM_SECONDS, &won, NULL, 0);
    if (rc == WEFT_EAGAIN || (!rc && !won))
        return 0;
    if (rc)
        return rc;
    self->pid = weft_training_spawn (config, self->labels);
    if (self->pid <= 0) {
        self->pid = 0;
        self->counts.failed++;
        weft_log (WEFT_ERROR, "TRAINING-FAILED", "no process: %s",
                  strerror (errno));
        back_off (self, now_ms);
        return 0;
    }
    self->counts.started++;
    self->counts.running = true;
    self->killed = false;
    self->started_ms = now_ms;
    self->renew_ms = now_ms + RENEW_MS;
    weft_log (WEFT_INFO, "TRAINING-STARTED",
              "model %s, labels 1 to %" PRIu64 " (%" PRIu64 " new), process %d",
              config->model, self->labels, self->counts.waiting,
              (int)self->pid);
    return 0;
}

static void
note_end (weft_training_t *self, int status, int64_t now_ms)
{
    int code = WIFEXITED (status) ? WEXITSTATUS (status) : -1;
    double seconds = (double)(now_ms - self->started_ms) / 1000;
    self->next_ms = now_ms;
    if (code == 0 || code == EXIT_DECLINED) {
        self->counts.done += code == 0;
        self->counts.declined += code != 0;
        self->backoff_ms = 0;
        weft_log (WEFT_INFO, code ? "TRAINING-DECLINED" : "TRAINING-DONE",
                  "labels 1 to %" PRIu64 ", %.1f s", self->labels, seconds);
        return;
    }
    self->counts.failed++;
    back_off (self, now_ms);
    weft_log (WEFT_WARN, "TRAINING-FAILED",
              "labels 1 to %" PRIu64 ": %s %d after %.1f s; again in %.0f s",
              self->labels, code < 0 ? "signal" : "exit",
              code < 0 ? WTERMSIG (status) : code, seconds,
              (double)self->backoff_ms / 1000);
}

static void
stop (weft_training_t *self, const char *why)
{
    if (!self->killed)
        weft_log (WEFT_WARN, "TRAINING-STOPPED", "%s", why);
    self->killed = true;
    kill (self->pid, SIGKILL);
}

//  The claim lasts while the process does; if it is somebody else's by now, he
//  trains, too, and we stop.
static int
renew (weft_training_t *self,
       const weft_training_config_t *config,
       weft_redis_t *redis,
       int64_t now_ms)
{
    char key[128];
    bool held = true;
    if (now_ms < self->renew_ms)
        return 0;
    claim_key (config, key, sizeof (key));
    int rc =
        weft_claim_renew (redis, key, config->instance, CLAIM_SECONDS, &held);
    if (rc)
        return rc;
    self->renew_ms = now_ms + RENEW_MS;
    if (!held)
        stop (self, "the claim has ended");
    return 0;
}

static int
look_after (weft_training_t *self,
            const weft_training_config_t *config,
            weft_redis_t *redis,
            int64_t now_ms)
{
    char key[128];
    int status;
    pid_t ended = waitpid (self->pid, &status, WNOHANG);
    if (ended == 0) {
        if (now_ms - self->started_ms > config->timeout_s * 1000)
            stop (self, "it takes too long");
        return renew (self, config, redis, now_ms);
    }
    self->pid = 0;
    self->counts.running = false;
    note_end (self, ended < 0 ? SIGKILL : status, now_ms);
    claim_key (config, key, sizeof (key));
    return weft_claim_release (redis, key, config->instance);
}

int
weft_training_turn (weft_training_t *self,
                    const weft_training_config_t *config,
                    weft_redis_t *redis,
                    int64_t now_ms)
{
    bool due = false;
    if (self->pid > 0)
        return look_after (self, config, redis, now_ms);
    if (now_ms < self->next_ms)
        return 0;
    self->next_ms = now_ms + LOOK_MS;
    int rc = is_due (self, config, redis, &due);
    return rc || !due ? rc : start (self, config, redis, now_ms);
}
