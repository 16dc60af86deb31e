//  The watchdog ends a process whose loop hangs, and no other.

#include "unit/testing.h"

#include "weft_time.h"
#include "weft_watchdog.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
nap (int ms)
{
    struct timespec time = { ms / 1000, ms % 1000 * 1000000L };
    nanosleep (&time, NULL);
}

enum { LIMIT_MS = 1000, LONG_MS = 120000 };

//  The longest time between two turns of the last process; it is told through
//  shared memory.
static int64_t *gap;

//  A process whose loop turns each 100 ms for 3 s, or never for 2 minutes.
//  Returns its exit code.
static int
live (bool turns)
{
    *gap = 0;
    pid_t child = fork ();
    if (child == 0) {
        weft_health_t *health = weft_health_new ();
        weft_watchdog_t *dog = weft_watchdog_new (health, LIMIT_MS);
        int64_t last = weft_time_ms (), end = last + (turns ? 3000 : LONG_MS);
        while (weft_time_ms () < end) {
            if (turns)
                weft_health_turned (health, 0);
            nap (100);
            *gap = WEFT_MAX (*gap, weft_time_ms () - last);
            last = weft_time_ms ();
        }
        weft_watchdog_destroy (&dog);
        weft_health_destroy (&health);
        _exit (dog || health ? 3 : 0);
    }
    int status = 0;
    assert_int_equal (waitpid (child, &status, 0), child);
    return WIFEXITED (status) ? WEXITSTATUS (status) : -1;
}

static void
a_loop_that_turns_lives_on (void **state)
{
    (void)state;
    //  A busy machine may keep a loop from turning for as long as the dog
    //  waits; such a life proves nothing.
    int code, lives = 0;
    do
        code = live (true);
    while (code != 0 && *gap > LIMIT_MS / 3 && ++lives < 20);
    assert_int_equal (code, 0);
}

static void
a_loop_that_hangs_ends (void **state)
{
    (void)state;
    assert_int_equal (live (false), 1);
}

int
main (void)
{
    gap = mmap (NULL, sizeof *gap, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (gap == MAP_FAILED)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_loop_that_turns_lives_on),
        cmocka_unit_test (a_loop_that_hangs_ends),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
