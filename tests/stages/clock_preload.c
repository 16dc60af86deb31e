//  clock_preload.c - moves the wall clock of one process by so many seconds.
//
//  LD_PRELOAD=libclock_preload.so, and WEFT_TEST_CLOCK names a file with the
//  number; it is read at each look, so the clock can jump. Only clock_gettime of
//  CLOCK_REALTIME is moved: what our own code calls. Monotonic clocks stay.

#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long
moved_by (void)
{
    const char *path = getenv ("WEFT_TEST_CLOCK");
    char text[32] = "";
    FILE *file = path ? fopen (path, "re") : NULL;
    if (!file)
        return 0;
    if (!fgets (text, sizeof text, file))
        *text = 0;
    fclose (file);
    return strtol (text, NULL, 10);
}

int
clock_gettime (clockid_t id, struct timespec *now)
{
    int rc = (int)syscall (SYS_clock_gettime, id, now);
    if (rc == 0 && id == CLOCK_REALTIME)
        now->tv_sec += moved_by ();
    return rc;
}
