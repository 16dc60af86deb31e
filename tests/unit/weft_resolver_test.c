//  Names are looked up again and again, whatever happens to the wall clock.

#include "testing.h"

#include <netdb.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "weft_resolver.h"
#include "weft_time.h"

static atomic_int look_ups;

//  In place of libc's: a wall clock that is set back by an hour right after
//  somebody has read it. The monotonic one is as it is.
int
clock_gettime (clockid_t clock, struct timespec *now)
{
    int rc = (int)syscall (SYS_clock_gettime, clock, now);
    if (!rc && clock == CLOCK_REALTIME)
        now->tv_sec += 3600;
    return rc;
}

//  In place of libc's: nobody knows any name.
int
getaddrinfo (const char *node,
             const char *service,
             const struct addrinfo *hints,
             struct addrinfo **answers)
{
    (void)node, (void)service, (void)answers;
    if (!(hints->ai_flags & AI_NUMERICHOST))
        atomic_fetch_add (&look_ups, 1);
    return EAI_NONAME;
}

static void
goes_on_when_the_clock_is_set_back (void **state)
{
    (void)state;
    char why[256];
    const char *names[] = { "nobody:5560" };
    weft_resolver_t *r = weft_resolver_new (names, 1, why, sizeof why);
    assert_non_null (r);
    int64_t until = weft_time_ms () + 60000;
    while (atomic_load (&look_ups) < 2) {
        assert_true (weft_time_ms () < until);
        nanosleep (&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    }
    weft_resolver_destroy (&r);
}

int
main (void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test (goes_on_when_the_clock_is_set_back),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
