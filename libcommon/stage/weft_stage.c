//  weft_stage.c - a service's main: its command line, and which way it runs.

#include "weft_stage_parts.h"

#include "weft_hash.h"
#include "weft_time.h"

#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

enum { PROBE_MS = 2000 };

typedef enum { RUN, HELP, DESCRIBE, PROBE, VERSION, ISOLATED } what_t;

const void *
weft_stage_options (const weft_stage_env_t *env)
{
    return env->settings->options;
}

const char *
weft_stage_redis_address (const weft_stage_env_t *env)
{
    return env->settings->redis.address;
}

const char *
weft_stage_redis_bulk (const weft_stage_env_t *env)
{
    return env->settings->bulk;
}

weft_redis_config_t
weft_stage_redis_login (const weft_stage_env_t *env)
{
    return weft_settings_login (env->settings);
}

weft_redis_config_t
weft_stage_redis_patience (const weft_stage_env_t *env)
{
    weft_redis_config_t config = weft_stage_redis_login (env);
    config.command_ms = 2 * (int)env->settings->link.beat_ms;
    config.connect_ms = config.command_ms;
    return config;
}

const char *
weft_stage_instance (const weft_stage_env_t *env)
{
    return env->instance;
}

const char *
weft_stage_http_address (const weft_stage_env_t *env)
{
    return env->settings->http.address;
}

bool
weft_stage_isolated (const weft_stage_env_t *env)
{
    return env->isolated;
}

void
weft_stage_loading (const weft_stage_env_t *env, bool loading)
{
    if (env->health)
        weft_health_loading (env->health, loading);
}

size_t
weft_stage_letters_most (const weft_stage_env_t *env)
{
    return (size_t)env->settings->redis.dead_letter_bytes;
}

const char *
weft_stage_data_dir (const weft_stage_env_t *env)
{
    return env->settings->service.data_dir;
}

void
weft_stage_set_state (weft_stage_t *self, weft_stage_state_t state)
{
    static const char *const names[] = {
#define X(name) #name,
        WEFT_STAGE_STATES (X)
#undef X
    };
    if (self->state == state && state != WEFT_STAGE_INIT)
        return;
    self->state = state;
    weft_log (state == WEFT_STAGE_ERROR ? WEFT_ERROR : WEFT_INFO, "STAGE-STATE",
              "%s", names[state]);
}

static int
usage (const weft_stage_spec_t *spec, FILE *out, int code)
{
    fprintf (out,
             "weft-%s - %s\n\n"
             "usage: weft-%s [--config FILE]    run until SIGTERM\n"
             "       weft-%s --describe         inputs, outputs, options\n"
             "       weft-%s [--config FILE] --probe\n"
             "                                  exit 0 if it is ready\n"
             "       weft-%s --version | --help\n\n"
             "Options of the file are overridden by WEFT__SECTION__KEY in the "
             "environment.\n"
             "SIGTERM drains and ends, SIGHUP reads the configuration again.\n",
             spec->name, spec->about, spec->name, spec->name, spec->name,
             spec->name);
    return code;
}

static int
describe (const weft_stage_spec_t *spec)
{
    printf ("# weft-%s\n\n%s\n\n- reads: %s\n- writes: %s\n\n", spec->name,
            spec->about,
            spec->reads && spec->reads[0] ? spec->reads : "nothing",
            spec->writes ? spec->writes : "nothing (a last stage)");
    weft_settings_describe (spec, stdout);
    return 0;
}

static int
probe (const weft_settings_t *settings)
{
    int status = 0;
    char body[256] =
        "http.address is empty in the configuration: nobody to ask";
    if (!settings->http.address[0] ||
        weft_http_get (settings->http.address, "/readyz", PROBE_MS, &status,
                       body, sizeof body))
        status = 0;
    if (status == 0 && settings->http.address[0])
        snprintf (body, sizeof body, "no answer from %s",
                  settings->http.address);
    printf ("%s\n", body);
    return status == 200 ? 0 : 1;
}

//  WEFT_EUSAGE for anything that is not in the usage, which is *wrong then.
static int
parse (
    int argc, char *argv[], what_t *what, const char **path, const char **wrong)
{
    static const struct {
        const char *flag;
        what_t what;
    } flags[] = { { "--help", HELP },         { "-h", HELP },
                  { "--describe", DESCRIBE }, { "--probe", PROBE },
                  { "--version", VERSION },   { "--isolated", ISOLATED } };
    *what = RUN;
    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        while (k < WEFT_COUNT (flags) && strcmp (argv[i], flags[k].flag) != 0)
            k++;
        if (k < WEFT_COUNT (flags))
            *what = flags[k].what;
        else if (strcmp (argv[i], "--config") == 0 && i + 1 < argc)
            *path = argv[++i];
        else if (strncmp (argv[i], "--config=", 9) == 0)
            *path = argv[i] + 9;
        else {
            *wrong = argv[i];
            return WEFT_EUSAGE;
        }
    }
    return 0;
}

static int
misused (const weft_stage_spec_t *spec, const char *wrong)
{
    const char *why =
        strcmp (wrong, "--config") == 0 ? "needs the name of a file"
        : *wrong == '-'                 ? "there is no such option"
                        : "a file of settings comes after --config";
    fprintf (stderr, "weft-%s: %s: %s; see weft-%s --help\n", spec->name, wrong,
             why, spec->name);
    return 2;
}

static void
name_instance (weft_stage_t *self)
{
    const char *name = self->settings->service.name;
    if (getrandom (&self->boot, sizeof self->boot, 0) != sizeof self->boot)
        self->boot =
            weft_hash_u64 ((uint64_t)weft_time_ns ()) ^ (uint64_t)getpid ();
    if (name[0])
        snprintf (self->env->instance, sizeof self->env->instance, "%s", name);
    else
        snprintf (self->env->instance, sizeof self->env->instance, "%s-%04x",
                  self->spec->name, (unsigned)(self->boot & 0xffff));
}

//  The child's command line: ours with a copy of the configuration.
static char **
child_argv (char *argv[], const weft_settings_t *settings)
{
    static const char *const words[] = { "--isolated", "--config",
                                         "/proc/self/fd/4" };
    static_assert (WEFT_ISOLATION_CONFIG_FD == 4, "the number in the path");
    size_t n = settings->copy_fd >= 0 ? 3 : 1;
    char **copy = calloc (WEFT_COUNT (words) + 2, sizeof *copy);
    if (!copy)
        return NULL;
    copy[0] = argv[0];
    for (size_t i = 0; i < n; i++)
        copy[i + 1] = (char *)(uintptr_t)words[i];
    return copy;
}

static int
run_stage (weft_stage_t *self, char *argv[], what_t what)
{
    name_instance (self);
    self->env->settings = self->settings;
    self->env->isolated = what == ISOLATED;
    weft_log_init (self->spec->name, self->settings->level);
    if (what == ISOLATED)
        return weft_stage_child (self);
    self->argv = child_argv (argv, self->settings);
    if (!self->spec->source && self->argv)
        self->isolation =
            weft_isolation_new (self->argv, self->settings->link.stall_ms);
    if (!self->argv || (!self->spec->source && !self->isolation))
        return 1;
    if (self->isolation)
        weft_isolation_pass (self->isolation, self->settings->copy_fd);
    weft_log (WEFT_INFO, "STAGE-START", "%s %s as %s", self->spec->name,
              WEFT_VERSION, self->env->instance);
    weft_stage_set_state (self, WEFT_STAGE_INIT);
    return weft_stage_loop (self);
}

//  Before anything that takes time: a SIGTERM waits until the loop reads it, so
//  one that comes in the middle of a start is a clean drain, too. The isolation
//  child begins with nothing blocked (weft_isolation.c).
static int
block_signals (void)
{
    sigset_t set;
    weft_stage_signals (&set);
    return sigprocmask (SIG_BLOCK, &set, NULL);
}

int
weft_stage_main (int argc, char *argv[], const weft_stage_spec_t *spec)
{
    what_t what;
    char why[512];
    const char *wrong = NULL;
    weft_log_open ();
    weft_stage_t *self = calloc (1, sizeof *self);
    if (!self)
        return 1;
    self->spec = spec;
    self->env = calloc (1, sizeof *self->env);
    int code = self->env ? 2 : 1;
    if (!self->env)
        fprintf (stderr, "weft-%s: out of memory\n", spec->name);
    else if (parse (argc, argv, &what, &self->config_path, &wrong))
        code = misused (spec, wrong);
    else if (what == HELP)
        code = usage (spec, stdout, 0);
    else if (what == VERSION)
        code = printf ("weft-%s %s\n", spec->name, WEFT_VERSION) < 0;
    else if (what == DESCRIBE)
        code = describe (spec);
    else if (what == RUN && block_signals ())
        code = 1;
    else if (!(self->settings = weft_settings_load (spec, self->config_path,
                                                    why, sizeof why)))
        fprintf (stderr, "weft-%s: %s\n", spec->name, why);
    else if (what == PROBE)
        code = probe (self->settings);
    else
        code = run_stage (self, argv, what);
    //  Everything has been said and handed back; what a reload reads is for
    //  nobody any more.
    if (self->opening)
        _exit (code);
    weft_settings_destroy (&self->settings);
    free (self->argv);
    free (self->env);
    free (self);
    return code;
}
