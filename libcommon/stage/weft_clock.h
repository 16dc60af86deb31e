//  weft_clock.h - does this host's clock agree with that of Redis?
//
//  Times of two hosts are subtracted from each other: an alert's age, a sink's
//  latency_s. Redis is what all services have in common, so its clock is what
//  theirs are held against. Which of the two is wrong nobody here knows; a
//  difference is told, ages that depend on it are left out, and nothing else
//  depends on it: timers run on the monotonic clock, leases on Redis' own.

#ifndef WEFT_CLOCK_H_INCLUDED
#define WEFT_CLOCK_H_INCLUDED

#include "weft_redis.h"

#define WEFT_CLOCK_MOST_S 2.0  //  a difference that is still agreement, seconds

//  How far our clock is ahead of another one that said `theirs` at some moment
//  between `before` and `after` of ours, at least; seconds, UTC. 0 if the two
//  may be alike.
double weft_clock_ahead_of (double theirs, double before, double after);

//  Asks Redis what time it is, and logs CLOCK-OFF or CLOCK-AGREES if that has
//  changed. One thread, the keeper's; it waits as long as a ping does.
void weft_clock_look (weft_redis_t *redis);

//  What was found last, 0 before: seconds that our clock is ahead of Redis', and
//  whether it is off. Any thread.
double weft_clock_ahead_s (void);
bool weft_clock_off (void);

//  Has Redis been asked, and do the two agree? Any thread.
bool weft_clock_sure (void);

//  Can so many seconds have passed between a time that another host has told
//  and now? Not if our clock is off, or it has yet to come. Any thread.
bool weft_clock_may_be_age (double seconds);

#endif
