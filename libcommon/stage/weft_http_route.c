//  weft_http_route.c - paths that a service serves besides its health.
//
//  The table is of the process and under a lock, which is held while an answer is
//  made: so nothing is answered by a service that has closed.

#include "weft_http_route.h"

#include <pthread.h>

#define ROUTES_MOST 4

typedef struct {
    const char *prefix;  //  NULL: free
    weft_http_answer_t *answer;
    void *arg;
} route_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static route_t routes[ROUTES_MOST];

void
weft_http_route (const char *prefix, weft_http_answer_t *answer, void *arg)
{
    size_t i = 0;
    pthread_mutex_lock (&lock);
    while (i < ROUTES_MOST && routes[i].prefix)
        i++;
    assert (i < ROUTES_MOST);
    routes[i] = (route_t){ prefix, answer, arg };
    pthread_mutex_unlock (&lock);
}

void
weft_http_unroute (const char *prefix)
{
    pthread_mutex_lock (&lock);
    for (size_t i = 0; i < ROUTES_MOST; i++)
        if (routes[i].prefix && strcmp (routes[i].prefix, prefix) == 0)
            routes[i] = (route_t){ 0 };
    pthread_mutex_unlock (&lock);
}

bool
weft_http_routed (
    const char *url, weft_buf_t *body, int *rc, char *why, size_t room)
{
    bool found = false;
    pthread_mutex_lock (&lock);
    for (size_t i = 0; i < ROUTES_MOST && !found; i++) {
        size_t size = routes[i].prefix ? strlen (routes[i].prefix) : 0;
        found = size && strncmp (url, routes[i].prefix, size) == 0;
        if (found)
            *rc = routes[i].answer (routes[i].arg, url + size, body, why, room);
    }
    pthread_mutex_unlock (&lock);
    return found;
}
