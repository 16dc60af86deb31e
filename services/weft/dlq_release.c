//  dlq_release.c - a stage that is held because it rejects so much goes on.

#include "dlq_release.h"

#include "weft_cli.h"
#include "weft_registry_store.h"
#include "weft_release.h"

typedef struct {
    const char *stage;
    bool runs;
} wanted_t;

static void
look_for (void *arg,
          const char *stage,
          const char *uuid,
          const char *json,
          size_t size)
{
    wanted_t *wanted = arg;
    (void)uuid;
    (void)json;
    (void)size;
    wanted->runs |= strcmp (stage, wanted->stage) == 0;
}

//  One that has just started is not registered yet, so it is told in any case.
int
dlq_release (weft_redis_t *redis, const char *stage)
{
    wanted_t wanted = { .stage = stage };
    int rc = weft_release_set (redis, stage);
    if (!rc)
        rc = weft_registry_list (redis, look_for, &wanted);
    if (rc)
        return weft_cli_lost ("dlq", "cannot release the stage", redis, rc);
    if (!wanted.runs)
        fprintf (stderr,
                 "weft dlq: no stage %s is registered now (weft ps); if an "
                 "upstream holds a branch of that name, it goes on within %d "
                 "s\n",
                 stage, WEFT_RELEASE_SECONDS);
    return 0;
}
