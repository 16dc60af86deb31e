//  weft top - the mesh live in a terminal.

#include <getopt.h>
#include <jansson.h>
#include <math.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "mesh_view.h"
#include "weft_cli.h"

static void
help (FILE *out)
{
    fprintf (
        out,
        "usage: weft top [--count N] [--interval S] [--redis ADDR]\n\n"
        "`weft describe`, again and again, until Ctrl-C, or until Enter in "
        "a terminal.\n\n"
        "  --count N      so many times, then it ends (0: for ever)\n"
        "  --interval S   seconds between them (2)\n" WEFT_CLI_REDIS_HELP);
}

//  False if somebody pressed Enter.
static bool
wait_for_next (double seconds, bool terminal)
{
    struct pollfd in = { STDIN_FILENO, POLLIN, 0 };
    return poll (&in, terminal ? 1 : 0, (int)(seconds * 1000)) == 0;
}

static void
print_time (void)
{
    char text[32];
    time_t now = time (NULL);
    struct tm parts;
    strftime (text, sizeof text, "%Y-%m-%d %H:%M:%S", gmtime_r (&now, &parts));
    printf ("weft top, %s UTC\n\n", text);
}

//  Redis may come and go while we look: that is told, and tried again.
static int
show (weft_redis_t *redis, double count, double interval)
{
    bool terminal = isatty (STDOUT_FILENO) && isatty (STDIN_FILENO);
    int rc = 0;
    for (long i = 0; count == 0 || (double)i < count; i++) {
        json_t *stages = NULL;
        if (i > 0 && !wait_for_next (interval, terminal))
            break;
        rc = mesh_view_read (redis, &stages);
        if (terminal)
            printf ("\033[H\033[2J");
        print_time ();
        if (rc)
            printf ("the registry: %s\n", weft_error_text (rc));
        else
            mesh_view_print (stages, stdout);
        fflush (stdout);
        json_decref (stages);
    }
    return rc ? 1 : 0;
}

//  NAN if it is none.
static double
read_number (const char *text)
{
    char *end;
    double value = strtod (text, &end);
    return end == text || *end ? NAN : value;
}

int
weft_cmd_top (int argc, char *argv[])
{
    static const struct option options[] = {
        { "count", required_argument, NULL, 'c' },
        { "interval", required_argument, NULL, 'i' },
        { "redis", required_argument, NULL, 'r' },
        { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    const char *address = NULL;
    double count = 0, interval = 2;
    int code = 0;
    for (int c; (c = getopt_long (argc, argv, "", options, NULL)) != -1;) {
        if (c == 'c')
            count = read_number (optarg);
        else if (c == 'i')
            interval = read_number (optarg);
        else if (c == 'r')
            address = optarg;
        else
            return help (c == 'h' ? stdout : stderr), c == 'h' ? 0 : 2;
    }
    if (optind != argc || !(count >= 0) ||
        !(interval >= 0.1 && interval <= 3600))
        return help (stderr), 2;
    weft_redis_t *redis = weft_cli_redis ("top", address, &code);
    if (!redis)
        return code;
    code = show (redis, count, interval);
    weft_redis_destroy (&redis);
    return code;
}
