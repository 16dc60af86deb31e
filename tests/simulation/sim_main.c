//  sim_main.c - runs schedules of the simulated mesh.
//
//  sim_main [--schedules N] [--seed S] [--seconds S] [--json FILE] [--trace]
//  Schedule i of a run has the seed S + i, so that `--schedules 1 --seed X`
//  runs the one that a violation named. Sim_mutate, built with the rules made
//  optional, also takes `--mutate RULE` (`list` prints them, `all` tries all):
//  it stops at the first violation and says after how many schedules.

#include "sim_world.h"

#include <errno.h>
#include <getopt.h>
#include <time.h>

typedef struct {
    uint64_t schedules;
    uint64_t seed;
    double seconds;
    const char *json;
    const char *mutate;
    bool trace;
} options_t;

typedef struct {
    uint64_t schedules;
    uint64_t steps;
    uint64_t violations;
    uint64_t first;  //  seed of the first violation
    char what[64];
} result_t;

static double
clock_s (void)
{
    struct timespec now;
    clock_gettime (CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void
report (const world_t *world)
{
    fprintf (stderr,
             "violation: %s (%s) at %d ms\n"
             "  replay with --schedules 1 --seed %llu\n",
             world->violation, world->detail, world->now,
             (unsigned long long)world->seed);
}

//  Runs until the number or the time is used up, or (`one`) until the first
//  violation.
static result_t
run (world_t *world, const options_t *options, bool one)
{
    result_t result = { 0 };
    double start = clock_s (), shown = start;
    for (uint64_t i = 0; i < options->schedules; i++) {
        bool good = sim_run (world, options->seed + i);
        result.schedules++;
        result.steps += world->steps;
        if (!good) {
            if (result.violations++ == 0) {
                result.first = world->seed;
                snprintf (result.what, sizeof result.what, "%s",
                          world->violation);
            }
            if (!one && result.violations <= 10)
                report (world);
            if (one)
                break;
        }
        if (i % 64)
            continue;
        double now = clock_s ();
        if (options->seconds > 0 && now - start >= options->seconds)
            break;
        if (now - shown >= 10 && !one) {
            fprintf (stderr, "%llu schedules, %llu violations, %.0f s\n",
                     (unsigned long long)result.schedules,
                     (unsigned long long)result.violations, now - start);
            shown = now;
        }
    }
    return result;
}

static int
write_json (const options_t *options, const result_t *result)
{
    FILE *file = options->json ? fopen (options->json, "w") : stdout;
    if (!file) {
        fprintf (stderr, "./run simulate: %s: %s\n", options->json,
                 strerror (errno));
        return 1;
    }
    fprintf (file,
             "{\"schedules\": %llu, \"steps\": %llu, \"violations\": %llu, "
             "\"seed\": %llu}\n",
             (unsigned long long)result->schedules,
             (unsigned long long)result->steps,
             (unsigned long long)result->violations,
             (unsigned long long)(result->violations ? result->first
                                                     : options->seed));
    if (file != stdout && fclose (file) != 0)
        return 1;
    return 0;
}

#ifdef WEFT_LINK_MUTATE
static const struct {
    const char *option;
    const char *text;
} mutations[] = {
#define X(name, option, text) { option, text },
    WEFT_LINK_MUTATIONS (X)
#undef X
};

static int
try_mutation (world_t *world, const options_t *options, unsigned index)
{
    weft_link_mutation = UINT64_C (1) << index;
    result_t result = run (world, options, true);
    weft_link_mutation = 0;
    if (result.violations)
        printf ("%-14s caught after %7llu schedules by '%s' (%s)\n",
                mutations[index].option, (unsigned long long)result.schedules,
                result.what, mutations[index].text);
    else
        printf ("%-14s NOT CAUGHT in %llu schedules (%s)\n",
                mutations[index].option, (unsigned long long)result.schedules,
                mutations[index].text);
    fflush (stdout);
    return result.violations ? 0 : 1;
}

static int
mutate (world_t *world, const options_t *options)
{
    bool all = strcmp (options->mutate, "all") == 0;
    bool list = strcmp (options->mutate, "list") == 0;
    int missed = 0;
    bool known = list;
    for (unsigned i = 0; i < WEFT_COUNT (mutations); i++) {
        if (list)
            printf ("%-14s %s\n", mutations[i].option, mutations[i].text);
        else if (all || strcmp (options->mutate, mutations[i].option) == 0) {
            known = true;
            missed += try_mutation (world, options, i);
        }
    }
    if (known)
        return missed > 0;
    fprintf (stderr, "no such rule: %s\n", options->mutate);
    return 2;
}
#else
static int
mutate (world_t *world, const options_t *options)
{
    (void)world, (void)options;
    fprintf (stderr, "built without mutations: use sim_mutate\n");
    return 2;
}
#endif

static int
simulate (world_t *world, const options_t *options)
{
    result_t result = run (world, options, false);
    int rc = write_json (options, &result);
    return rc || result.violations ? 1 : 0;
}

static int
usage (FILE *out)
{
    fprintf (out,
             "usage: ./run simulate [--schedules N] [--seed S] [--seconds S] "
             "[--json FILE] [--trace]\n\n"
             "The custody link under random faults; the same seed, the same "
             "run.\n\n"
             "  --schedules N   how many (10000)\n"
             "  --seed S        of the first, the next is S + 1 (1)\n"
             "  --seconds S     as many as this time has room for\n"
             "  --json FILE     writes the result there\n"
             "  --trace         says every step\n"
             "  --mutate RULE   sim_mutate only: without that rule; list, all\n"
             "\nExit: 0 no violation, 1 some or failed, 2 usage.\n");
    return out == stdout ? 0 : 2;
}

//  A whole number from `least` on, or false.
static bool
number (const char *text, uint64_t least, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull (text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && !errno && *out >= least;
}

static bool
seconds (const char *text, double *out)
{
    char *end;
    *out = strtod (text, &end);
    return end != text && !*end && *out > 0 && *out < 1e9;
}

static int
parse (int argc, char *argv[], options_t *options)
{
    static const struct option table[] = {
        { "schedules", required_argument, NULL, 'n' },
        { "seed", required_argument, NULL, 's' },
        { "seconds", required_argument, NULL, 't' },
        { "json", required_argument, NULL, 'j' },
        { "mutate", required_argument, NULL, 'm' },
        { "trace", no_argument, NULL, 'v' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    for (int c; (c = getopt_long (argc, argv, "", table, NULL)) != -1;) {
        bool good = true;
        if (c == 'n')
            good = number (optarg, 1, &options->schedules);
        else if (c == 's')
            good = number (optarg, 0, &options->seed);
        else if (c == 't')
            good = seconds (optarg, &options->seconds);
        else if (c == 'h')
            exit (usage (stdout));
        else if (c == 'j')
            options->json = optarg;
        else if (c == 'm')
            options->mutate = optarg;
        else if (c == 'v')
            options->trace = true;
        else
            return 2;
        if (!good) {
            fprintf (stderr, "./run simulate: '%s' is no such number\n",
                     optarg);
            return 2;
        }
    }
    return optind == argc ? 0 : 2;
}

int
main (int argc, char *argv[])
{
    options_t options = { .schedules = 0, .seed = 1 };
    if (parse (argc, argv, &options))
        return usage (stderr);
    if (!options.schedules)
        options.schedules = options.seconds > 0 ? UINT64_MAX : 10000;
    world_t *world = calloc (1, sizeof *world);
    if (!world)
        return 1;
    world->trace = options.trace;
    int rc =
        options.mutate ? mutate (world, &options) : simulate (world, &options);
    sim_free (world);
    free (world);
    return rc;
}
