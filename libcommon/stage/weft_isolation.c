//  weft_isolation.c - the isolation child, seen from the loop.

#include "weft_isolation.h"

#include "weft_log.h"
#include "weft_time.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum {
    JOB_MOST = 128 << 20,    //  bytes of a flattened alert
    ANSWER_MOST = 16 << 20,  //  bytes of an answer
    START_MOST_MS = 600000,  //  a child that loads longer never will
    SPAWN_PAUSE_MS = 1000,   //  between children that could not start
    AWAY_MS = 1000,          //  most that one absence of the loop counts
    READ_STEP = 64 << 10,
};

typedef enum { NO_CHILD, STARTING, IDLE, BUSY } state_t;

struct weft_isolation {
    char *const *argv;
    int64_t stall_ms;
    state_t state;
    pid_t pid;
    int fd;
    int pass_fd;
    bool hung_up;       //  the pipe is at its end: the child is ending
    bool killed;        //  by us, for its silence
    bool stale;         //  a busy child of an old configuration
    bool job;           //  there is one
    int refused;        //  why it cannot be given to a child
    int64_t until;      //  when a starting or busy child has had its time
    int64_t spawn_at;   //  not before
    int64_t turned_at;  //  the last turn; 0: none yet
    weft_buf_t out;     //  the job's bytes
    size_t out_at;
    weft_buf_t in;  //  the answer so far
};

weft_isolation_t *
weft_isolation_new (char *const *argv, int64_t stall_ms)
{
    weft_isolation_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    self->argv = argv;
    self->stall_ms = stall_ms;
    self->fd = self->pass_fd = -1;
    weft_buf_init (&self->out, JOB_MOST);
    weft_buf_init (&self->in, ANSWER_MOST);
    return self;
}

void
weft_isolation_pass (weft_isolation_t *self, int fd)
{
    self->pass_fd = fd;
}

static void
forget_child (weft_isolation_t *self)
{
    if (self->fd >= 0)
        close (self->fd);
    self->fd = -1;
    self->pid = 0;
    self->state = NO_CHILD;
    self->hung_up = self->killed = self->stale = false;
    weft_buf_clear (&self->in);
}

void
weft_isolation_destroy (weft_isolation_t **self_p)
{
    weft_isolation_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    if (self->pid > 0) {
        kill (self->pid, SIGKILL);
        waitpid (self->pid, NULL, 0);
    }
    forget_child (self);
    weft_buf_fini (&self->out);
    weft_buf_fini (&self->in);
    free (self);
}

int
weft_isolation_fd (const weft_isolation_t *self)
{
    return self->hung_up ? -1 : self->fd;
}

bool
weft_isolation_wants_write (const weft_isolation_t *self)
{
    return self->state == BUSY && self->out_at < self->out.size;
}

int
weft_isolation_pid (const weft_isolation_t *self)
{
    return (int)self->pid;
}

int
weft_isolation_run (weft_isolation_t *self, const weft_alert_t *alert)
{
    uint8_t header[8];
    assert (!self->job);
    weft_buf_clear (&self->out);
    self->out_at = 0;
    weft_buf_add (&self->out, header, sizeof header);
    if (alert)
        weft_alert_flatten (alert, &self->out);
    self->job = true;
    self->refused = self->out.error;
    if (self->refused)
        return self->refused;
    weft_put_u32 (self->out.data,
                  alert ? WEFT_ISOLATION_ALERT : WEFT_ISOLATION_GOLDEN);
    weft_put_u32 (self->out.data + 4, (uint32_t)(self->out.size - 8));
    return 0;
}

//  The child starts with all signals at their defaults and nothing blocked.
static int
spawn_with (weft_isolation_t *self, int child_fd)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset (&none);
    sigfillset (&all);
    posix_spawn_file_actions_init (&actions);
    posix_spawnattr_init (&attributes);
    posix_spawn_file_actions_addopen (&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2 (&actions, child_fd, WEFT_ISOLATION_FD);
    if (self->pass_fd >= 0)
        posix_spawn_file_actions_adddup2 (&actions, self->pass_fd,
                                          WEFT_ISOLATION_CONFIG_FD);
    posix_spawnattr_setsigmask (&attributes, &none);
    posix_spawnattr_setsigdefault (&attributes, &all);
    posix_spawnattr_setflags (&attributes,
                              POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawn (&self->pid, "/proc/self/exe", &actions, &attributes,
                          self->argv, environ);
    posix_spawnattr_destroy (&attributes);
    posix_spawn_file_actions_destroy (&actions);
    return rc;
}

static void
spawn (weft_isolation_t *self, int64_t now)
{
    int pair[2];
    self->spawn_at = now + SPAWN_PAUSE_MS;
    if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)) {
        weft_log (WEFT_ERROR, "STAGE-ISOLATION-FAILED", "socketpair: %s",
                  strerror (errno));
        return;
    }
    //  Of a number of its own, so that dup2 in the child clears close-on-exec.
    int child_fd =
        fcntl (pair[1], F_DUPFD_CLOEXEC, WEFT_ISOLATION_CONFIG_FD + 1);
    int rc = child_fd < 0 ? errno : spawn_with (self, child_fd);
    close (pair[1]);
    if (child_fd >= 0)
        close (child_fd);
    if (rc) {
        weft_log (WEFT_ERROR, "STAGE-ISOLATION-FAILED", "spawn: %s",
                  strerror (rc));
        close (pair[0]);
        self->pid = 0;
        return;
    }
    self->fd = pair[0];
    self->state = STARTING;
    self->until = now + START_MOST_MS;
    weft_log (WEFT_INFO, "STAGE-ISOLATION-STARTED", "child %d", self->pid);
}

static void
push_out (weft_isolation_t *self)
{
    while (self->out_at < self->out.size) {
        ssize_t n =
            send (self->fd, self->out.data + self->out_at,
                  self->out.size - self->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n <= 0)
            return;
        self->out_at += (size_t)n;
    }
}

static void
pull_in (weft_isolation_t *self)
{
    static uint8_t step[READ_STEP];
    for (;;) {
        ssize_t n = recv (self->fd, step, sizeof step, MSG_DONTWAIT);
        if (n > 0) {
            weft_buf_add (&self->in, step, (size_t)n);
            continue;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            self->hung_up = true;
        return;
    }
}

//  Is a whole answer there? i32 rc, u32 size of the reason, u32 size of the
//  section, and their bytes.
static bool
answered (const weft_isolation_t *self)
{
    if (self->in.size < WEFT_ISOLATION_HEADER)
        return false;
    uint64_t size = (uint64_t)weft_get_u32 (self->in.data + 4) +
                    weft_get_u32 (self->in.data + 8);
    return self->in.size - WEFT_ISOLATION_HEADER >= size;
}

static void
take_answer (weft_isolation_t *self, weft_isolated_t *ended)
{
    const uint8_t *at = self->in.data;
    uint32_t reason = weft_get_u32 (at + 4), section = weft_get_u32 (at + 8);
    ended->how = WEFT_CHILD_RETURNED;
    ended->rc = (int)(int32_t)weft_get_u32 (at);
    at += WEFT_ISOLATION_HEADER;
    snprintf (ended->reason, sizeof ended->reason, "%.*s", (int)reason,
              (const char *)at);
    if (ended->rc == 0) {
        ended->section = weft_frame_copy (at + reason, section);
        if (!ended->section)
            ended->rc = WEFT_EAGAIN;
    }
    weft_buf_clear (&self->in);
    self->state = IDLE;
    self->job = false;
    if (self->stale)
        weft_isolation_renew (self);
}

//  What the end of the child says about the alert that it had.
static weft_child_t
classify (const weft_isolation_t *self, int status)
{
    //  It may have died of its own a moment before our kill.
    if (self->killed && WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL)
        return WEFT_CHILD_HUNG;
    if (self->state == STARTING)
        return WEFT_CHILD_KILLED;
    if (!WIFSIGNALED (status))
        return WEFT_CHILD_CRASHED;
    switch (WTERMSIG (status)) {
    case SIGKILL:
    case SIGTERM:
    case SIGINT:
    case SIGHUP:
    case SIGQUIT:
    case SIGSTOP:
        return WEFT_CHILD_KILLED;
    default:
        return WEFT_CHILD_CRASHED;
    }
}

//  True if the child has ended, and with it the job it had.
static bool
reap (weft_isolation_t *self, int64_t now, weft_isolated_t *ended)
{
    int status = 0;
    if (self->pid <= 0 || waitpid (self->pid, &status, WNOHANG) != self->pid)
        return false;
    bool had = self->job && (self->state == BUSY || self->state == STARTING);
    ended->how = classify (self, status);
    weft_log (self->state == STARTING ? WEFT_ERROR : WEFT_WARN,
              "STAGE-ISOLATION-ENDED", "child %d %s %d%s", self->pid,
              WIFSIGNALED (status) ? "died of signal" : "exited with",
              WIFSIGNALED (status) ? WTERMSIG (status) : WEXITSTATUS (status),
              self->state == STARTING ? " before it was ready" : "");
    if (self->state != STARTING)
        self->spawn_at = now;
    forget_child (self);
    if (had)
        self->job = false;
    return had;
}

static void
stop_child (weft_isolation_t *self)
{
    if (self->pid > 0 && !self->killed)
        kill (self->pid, SIGKILL);
    self->killed = self->state == BUSY;
}

//  Reads what the child says. True if it answered its job.
static bool
listen_to (weft_isolation_t *self, weft_isolated_t *ended)
{
    pull_in (self);
    if (!answered (self))
        return false;
    if (self->state == BUSY) {
        take_answer (self, ended);
        return true;
    }
    if (self->state == STARTING)
        self->state = IDLE;
    weft_buf_clear (&self->in);
    return false;
}

//  A job that no child can be given ends here: nobody else would end it.
static bool
end_refused (weft_isolation_t *self, weft_isolated_t *ended)
{
    ended->how = WEFT_CHILD_RETURNED;
    ended->rc = self->refused == WEFT_ENOMEM ? WEFT_EAGAIN : self->refused;
    self->refused = 0;
    self->job = false;
    return true;
}

//  Whatever stopped the loop may have stopped the child, too (a frozen
//  container): it has its time when both run.
static void
forgive_absence (weft_isolation_t *self, int64_t now_ms)
{
    int64_t away = now_ms - self->turned_at - AWAY_MS;
    if (self->turned_at && away > 0)
        self->until += away;
    self->turned_at = now_ms;
}

bool
weft_isolation_turn (weft_isolation_t *self,
                     int64_t now_ms,
                     weft_isolated_t *ended)
{
    *ended = (weft_isolated_t){ .how = WEFT_CHILD_KILLED };
    forgive_absence (self, now_ms);
    if (self->job && self->refused)
        return end_refused (self, ended);
    if (self->state == NO_CHILD && self->job && now_ms >= self->spawn_at)
        spawn (self, now_ms);
    if (self->state == NO_CHILD)
        return false;
    if (listen_to (self, ended))
        return true;
    if (self->state == IDLE && self->job && !self->hung_up) {
        self->state = BUSY;
        self->until = now_ms + self->stall_ms;
    }
    if (self->state == BUSY && !self->hung_up)
        push_out (self);
    if (self->state != IDLE && now_ms > self->until)
        stop_child (self);
    return (self->hung_up || self->killed) && reap (self, now_ms, ended);
}

void
weft_isolation_kill (weft_isolation_t *self)
{
    if (self->state == BUSY)
        stop_child (self);
}

void
weft_isolation_renew (weft_isolation_t *self)
{
    if (self->state == IDLE || self->state == STARTING)
        kill (self->pid, SIGTERM);
    self->stale = self->state == BUSY;
}
