//  weft describe - the live graph: stages, rates, windows, versions.

#include <jansson.h>

#include "commands.h"
#include "mesh_view.h"
#include "weft_cli.h"

static void
help (FILE *out)
{
    fprintf (out, "usage: weft describe [--json] [--redis ADDR]\n\n"
                  "The mesh as it runs, along the flow: each stage with its "
                  "replicas, how many of\nthem are ready, alerts settled per "
                  "second, alerts held and how many may be,\nthe stages that "
                  "follow, and the versions of models and feature sets.\n\n"
                  "  --json         with an entry per "
                  "process\n" WEFT_CLI_REDIS_HELP);
}

int
weft_cmd_describe (int argc, char *argv[])
{
    const char *address = NULL;
    bool json = false;
    json_t *stages = NULL;
    int code = weft_cli_options (argc, argv, help, &address, &json);
    if (code >= 0)
        return code;
    weft_redis_t *redis = weft_cli_redis ("describe", address, &code);
    if (!redis)
        return code;
    int rc = mesh_view_read (redis, &stages);
    if (rc)
        code =
            weft_cli_lost ("describe", "cannot read the registry", redis, rc);
    weft_redis_destroy (&redis);
    if (rc)
        return code;
    if (json)
        return weft_cli_print (stages, JSON_INDENT (2));
    mesh_view_print (stages, stdout);
    json_decref (stages);
    return 0;
}
