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

//  A stage that does not run is held for want of workers, or there is none.
int
dlq_release (weft_redis_t *redis, const char *stage)
{
    wanted_t wanted = { .stage = stage };
    int rc = weft_registry_list (redis, look_for, &wanted);
    if (!rc && !wanted.runs) {
        fprintf (stderr, "weft dlq: no stage %s runs, see weft ps\n", stage);
        return 3;
    }
    if (!rc)
        rc = weft_release_set (redis, stage);
    return rc ? weft_cli_lost ("dlq", "cannot release the stage", redis, rc)
              : 0;
}
