//  notifier_folder.h - a folder of a test's own, and a sink's option.

#ifndef NOTIFIER_FOLDER_H_INCLUDED
#define NOTIFIER_FOLDER_H_INCLUDED

#include <unistd.h>

#include "unit/remove_tree.h"
#include "weft_log.h"
#include "weft_sink.h"

static char folder[64];

static inline const char *
path_in (const char *name)
{
    static char path[4][160];
    static unsigned next;
    char *out = path[next++ % 4];
    snprintf (out, sizeof path[0], "%s/%s", folder, name);
    return out;
}

static inline int
make_folder (void **state)
{
    (void)state;
    weft_log_init ("test", WEFT_ERROR);
    strncpy (folder, "/tmp/weft-notifier-XXXXXX", sizeof folder - 1);
    return mkdtemp (folder) ? 0 : -1;
}

static inline int
drop_folder (void **state)
{
    (void)state;
    return remove_tree (folder);
}

static inline weft_sink_option_t
jsonl_option (const char *name, const char *path)
{
    return (weft_sink_option_t){ .name = (char *)(uintptr_t)name,
                                 .kind = (char *)"jsonl",
                                 .mode = (char *)"live",
                                 .path = (char *)(uintptr_t)path };
}

#define IN_FOLDER(test)                                                        \
    cmocka_unit_test_setup_teardown (test, make_folder, drop_folder)

#endif
