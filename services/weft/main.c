//  weft - the operator's tool: looks at packets, alerts, and the mesh.
//
//  This file only finds the command; each lives in weft_cmd_NAME.c.

#include "commands.h"

#include <errno.h>
#include <getopt.h>

#include "weft_log.h"

typedef struct {
    const char *name;
    const char *about;
    int (*run) (int argc, char *argv[]);
} command_t;

static const command_t commands[] = {
#define COMMAND(name, about) { #name, about, weft_cmd_##name },
#include "commands.def"
#undef COMMAND
};

static void
usage (FILE *out)
{
    fprintf (out, "usage: weft COMMAND [OPTION...]\n\n"
                  "Looks at packets, alerts and the running mesh.\n\n");
    for (size_t i = 0; i < WEFT_COUNT (commands); i++)
        fprintf (out, "  %-12s %s\n", commands[i].name, commands[i].about);
    fprintf (out, "\n`weft COMMAND --help` says more. Exit codes: 0 ok, "
                  "1 failed, 2 usage,\n3 some input was refused.\n");
}

//  The exit code, when all that was printed has been written.
static int
finish (const char *name, int code)
{
    //  Who reads a file that is cut off must not believe that it is whole.
    errno = 0;
    bool lost = fflush (stdout) != 0 || ferror (stdout);
    if (!lost || code == 1)
        return code;
    fprintf (stderr, "%s: the output cannot be written%s%s\n", name,
             errno ? ": " : "", errno ? strerror (errno) : "");
    return 1;
}

//  A number below zero looks like an option; no command has one of digits.
static void
hint_at_numbers (int argc, char *argv[])
{
    bool below_zero = optopt >= '0' && optopt <= '9';
    for (int i = 1; below_zero && i < argc && strcmp (argv[i], "--"); i++)
        if (argv[i][0] == '-' && argv[i][1] >= '0' && argv[i][1] <= '9') {
            fprintf (stderr,
                     "\n%s: numbers below zero go behind all options and --: "
                     "%s [OPTION...] -- %s\n",
                     argv[0], argv[0], argv[i]);
            return;
        }
}

//  Getopt's complaints begin with argv[0]: the command by its whole name.
static int
run (const command_t *command, int argc, char *argv[])
{
    char name[64];
    snprintf (name, sizeof name, "weft %s", command->name);
    argv[0] = name;
    optopt = 0;
    int code = command->run (argc, argv);
    if (code == 2)
        hint_at_numbers (argc, argv);
    return finish (name, code);
}

int
main (int argc, char *argv[])
{
    weft_log_open ();
    if (argc < 2) {
        usage (stderr);
        return 2;
    }
    if (!strcmp (argv[1], "--help") || !strcmp (argv[1], "help")) {
        usage (stdout);
        return finish ("weft", 0);
    }
    if (!strcmp (argv[1], "--version")) {
        printf ("weft %s\n", WEFT_VERSION);
        return 0;
    }
    for (size_t i = 0; i < WEFT_COUNT (commands); i++)
        if (!strcmp (argv[1], commands[i].name))
            return run (&commands[i], argc - 1, argv + 1);
    fprintf (stderr, "weft: there is no command '%s'; see weft --help\n",
             argv[1]);
    return 2;
}
