//  packs.h - sample data for tests that want it.
//
//  The packs lie beside the project, not in it. A test asks for one; without
//  it the test is skipped and says so.

#ifndef WEFT_PACKS_H_INCLUDED
#define WEFT_PACKS_H_INCLUDED

#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

//  Puts a pack into build/data. Only once; a second call is quick.
static inline bool
packs_unpack (const char *pack)
{
    static const char tool[] = "../shared/data/unpack";
    if (access (tool, X_OK) != 0) {
        printf ("SKIP: no data packs in ../shared/data (%s is not there)\n",
                tool);
        return false;
    }
    (void)mkdir ("build", 0777);
    (void)mkdir ("build/data", 0777);
    pid_t child = fork ();
    if (child == 0) {
        execl (tool, tool, "build/data", pack, (char *)NULL);
        _exit (127);
    }
    int status = 0;
    bool done = child > 0 && waitpid (child, &status, 0) == child &&
                WIFEXITED (status) && WEXITSTATUS (status) == 0;
    if (!done)
        printf ("SKIP: the pack %s could not be unpacked\n", pack);
    return done;
}

#endif
