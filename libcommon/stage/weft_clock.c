//  weft_clock.c - this host's clock against Redis'.

#include "weft_clock.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "weft_log.h"
#include "weft_time.h"

//  A process has one clock. What was found, microseconds, and what was said.
static atomic_llong ahead_us;
static atomic_bool off, asked;
static double said_s;

double
weft_clock_ahead_of (double theirs, double before, double after)
{
    if (theirs < before)
        return before - theirs;
    return theirs > after ? after - theirs : 0;
}

//  Redis' clock, seconds since 1970; false without an answer.
static bool
ask (weft_redis_t *redis, double *theirs)
{
    weft_batch_t *batch = weft_batch_new (redis, 0);
    if (!batch)
        return false;
    weft_batch_words (batch, "TIME", NULL);
    int rc = weft_batch_run (batch);
    const weft_reply_t *answer = rc ? NULL : weft_batch_reply (batch, 0);
    bool good = answer && weft_reply_count (answer) == 2;
    double parts[2] = { 0 };
    for (size_t i = 0; good && i < 2; i++) {
        weft_bin_t text = weft_reply_bytes (weft_reply_at (answer, i));
        char number[24];
        weft_str_copy ((weft_str_t){ (const char *)text.p, text.n }, number,
                       sizeof number);
        parts[i] = strtod (number, NULL);
    }
    *theirs = parts[0] + parts[1] * 1e-6;
    weft_batch_destroy (&batch);
    return good;
}

static void
tell (double ahead_s, const char *where)
{
    weft_log (WEFT_WARN, "CLOCK-OFF",
              "this host's clock is %.1f s %s Redis' (%s): one of the two is "
              "wrong. Nothing is lost, but times that this service writes are "
              "as wrong, and ages and latency_s are left out. Set the clock "
              "(timedatectl, chronyc tracking) here, or on Redis' host if all "
              "services say this",
              fabs (ahead_s), ahead_s > 0 ? "ahead of" : "behind", where);
    said_s = ahead_s;
}

void
weft_clock_look (weft_redis_t *redis)
{
    double theirs, before = weft_time_utc ();
    if (!ask (redis, &theirs))
        return;
    double ahead_s = weft_clock_ahead_of (theirs, before, weft_time_utc ());
    bool was = atomic_load (&off), is = fabs (ahead_s) > WEFT_CLOCK_MOST_S;
    atomic_store (&ahead_us, llround (ahead_s * 1e6));
    atomic_store (&off, is);
    atomic_store (&asked, true);
    if (is && (!was || fabs (ahead_s - said_s) > WEFT_CLOCK_MOST_S))
        tell (ahead_s, weft_redis_address (redis));
    else if (was && !is)
        weft_log (WEFT_INFO, "CLOCK-AGREES",
                  "this host's clock and Redis' are alike again");
}

double
weft_clock_ahead_s (void)
{
    return (double)atomic_load (&ahead_us) * 1e-6;
}

bool
weft_clock_off (void)
{
    return atomic_load (&off);
}

bool
weft_clock_sure (void)
{
    return atomic_load (&asked) && !weft_clock_off ();
}

bool
weft_clock_may_be_age (double seconds)
{
    return !weft_clock_off () && seconds >= -WEFT_CLOCK_MOST_S;
}
