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

//  Of the last process: the longest time between two turns, and when the last
//  one was; told through shared memory.
typedef struct {
    int64_t gap, last;
} life_t;

static life_t *told;

//  A process whose loop turns each 100 ms for 3 s, or never for 2 minutes.
//  Returns its exit code.
static int
live (bool turns)
{
    *told = (life_t){ 0, weft_time_ms () };
    pid_t child = fork ();
    if (child == 0) {
        weft_health_t *health = weft_health_new ();
        weft_watchdog_t *dog = weft_watchdog_new (health, LIMIT_MS);
        int64_t end = weft_time_ms () + (turns ? 3000 : LONG_MS);
        while (weft_time_ms () < end) {
            if (turns)
                weft_health_turned (health, 0);
            nap (100);
            told->gap = WEFT_MAX (told->gap, weft_time_ms () - told->last);
            told->last = weft_time_ms ();
        }
        weft_watchdog_destroy (&dog);
        weft_health_destroy (&health);
        _exit (dog || health ? 3 : 0);
    }
    int status = 0;
    assert_int_equal (waitpid (child, &status, 0), child);
    //  The dog may have ended it before its loop could tell.
    told->gap = WEFT_MAX (told->gap, weft_time_ms () - told->last);
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
    while (code != 0 && told->gap > LIMIT_MS / 3 && ++lives < 20);
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
    told = mmap (NULL, sizeof *told, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (a_loop_that_turns_lives_on),
        cmocka_unit_test (a_loop_that_hangs_ends),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
