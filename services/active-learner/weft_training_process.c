//  weft_training_process.c - see weft_training_process.h.
//
//  Between fork and exec only what a signal handler may do is done: the parent
//  has threads. All texts are made before.

#include "weft_training_process.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

extern char **environ;

enum {
    WORDS = 24,
    ENVIRONMENT_MOST = 512,
    NICE = 10,
    FILES = 4096,  //  more are never open
    LOGIN = 6,
};

//  A sanitizer's shadow memory does not fit under any cap.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CAN_CAP false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CAN_CAP false
#endif
#endif
#ifndef CAN_CAP
#define CAN_CAP true
#endif

typedef struct {
    char program[PATH_MAX];
    char labels[32], drop[32];
    char login[LOGIN][PATH_MAX];  //  names of files, and no secrets
    char *words[WORDS];
    char *environment[ENVIRONMENT_MOST + LOGIN + 2];
    rlim_t memory;
    pid_t parent;
} call_t;

static void
find_program (call_t *self, const weft_training_config_t *config)
{
    if (config->program[0]) {
        snprintf (self->program, sizeof (self->program), "%s", config->program);
        return;
    }
    ssize_t n = readlink ("/proc/self/exe", self->program,
                          sizeof (self->program) - sizeof ("/weft"));
    self->program[n > 0 ? n : 0] = 0;
    char *slash = strrchr (self->program, '/');
    snprintf (slash ? slash : self->program, sizeof ("/weft"), "/weft");
}

static void
fill_words (call_t *self, const weft_training_config_t *config, uint64_t labels)
{
    snprintf (self->labels, sizeof (self->labels), "%" PRIu64, labels);
    snprintf (self->drop, sizeof (self->drop), "%.9g", config->max_drop);
    const char *const words[] = {
        self->program, "learn",    "--name",     config->model,   "--base",
        config->base,  "--test",   config->test, "--labels",      self->labels,
        "--max-drop",  self->drop, "--redis",    config->address, NULL,
    };
    for (size_t i = 0; i < WEFT_COUNT (words); i++)
        self->words[i] = (char *)(uintptr_t)words[i];
}

static void
fill_login (call_t *self, const weft_redis_config_t *login)
{
    const char *const values[LOGIN][2] = {
        { "USER", login->user },
        { "PASSWORD_FILE", login->password_file },
        { "TLS", login->tls ? "true" : "false" },
        { "TLS_CA", login->tls_ca },
        { "TLS_CERTIFICATE", login->tls_certificate },
        { "TLS_KEY", login->tls_key },
    };
    for (size_t i = 0; i < LOGIN; i++)
        snprintf (self->login[i], sizeof (self->login[i]), "WEFT__REDIS__%s=%s",
                  values[i][0], values[i][1] ? values[i][1] : "");
}

//  Ours, with Redis' login by name of the password's file.
static void
fill_environment (call_t *self, const weft_training_config_t *config)
{
    size_t n = 0;
    for (char **at = environ; *at && n < ENVIRONMENT_MOST; at++)
        if (strncmp (*at, "WEFT__REDIS__", 13) != 0 &&
            strncmp (*at, "OMP_NUM_THREADS=", 16) != 0)
            self->environment[n++] = *at;
    fill_login (self, &config->login);
    for (size_t i = 0; i < LOGIN; i++)
        self->environment[n++] = self->login[i];
    //  One thread trains; others would only take address space.
    self->environment[n++] = (char *)(uintptr_t) "OMP_NUM_THREADS=1";
    self->environment[n] = NULL;
}

_Noreturn static void
become (const call_t *self)
{
    const struct rlimit memory = { self->memory, self->memory };
    sigset_t none;
    sigemptyset (&none);
    sigprocmask (SIG_SETMASK, &none, NULL);
    for (int fd = 3; fd < FILES; fd++)
        close (fd);
    prctl (PR_SET_PDEATHSIG, SIGKILL);
    if (getppid () != self->parent)  //  it ended before that was said
        _exit (1);
    setpriority (PRIO_PROCESS, 0, NICE);
    if (self->memory && setrlimit (RLIMIT_AS, &memory) != 0)
        _exit (1);
    execve (self->program, self->words, self->environment);
    _exit (127);
}

pid_t
weft_training_spawn (const weft_training_config_t *config, uint64_t labels)
{
    call_t *call = calloc (1, sizeof (*call));
    if (!call)
        return -1;
    find_program (call, config);
    fill_words (call, config, labels);
    fill_environment (call, config);
    call->parent = getpid ();
    if (CAN_CAP)
        call->memory = (rlim_t)config->memory_mb << 20;
    pid_t pid = fork ();
    if (pid == 0)
        become (call);
    int error = errno;
    free (call);
    errno = error;
    return pid;
}
