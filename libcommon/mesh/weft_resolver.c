//  weft_resolver.c - names of upstreams to addresses, in a thread of ours.

#include "weft_resolver.h"

#include "weft_hash.h"
#include "weft_log.h"
#include "weft_time.h"

#include <netdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { NAMES_MOST = 64, HOST_MOST = 256, EVERY_MS = 2000, JITTER_MS = 3000 };

typedef struct {
    char host[HOST_MOST];
    char port[8];
    char stage[WEFT_STAGE_ROOM];
    bool numeric;
    int failed;              //  what the last look-up said; 0: it worked
    uint32_t cut;            //  addresses that found has no room for
    uint32_t over;           //  and the list of all names
    weft_endpoints_t found;  //  of the last look-up that worked
} name_t;

struct weft_resolver {
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t wake;                //  of the pause between look-ups
    bool stop;                          //  under the lock
    char left_out[WEFT_LEFT_OUT_MOST];  //  under the lock
    atomic_bool ended;
    int fd;
    _Atomic (weft_endpoints_t *) fresh;  //  published, not yet taken
    weft_endpoints_t last;               //  the thread's own copy
    uint32_t n;
    name_t *names;
};

void
weft_resolver_stage (const char *name, char stage[WEFT_STAGE_ROOM])
{
    const char *at = strchr (name, '@');
    const char *end = at ? at : strrchr (name, ':');
    snprintf (stage, WEFT_STAGE_ROOM, "%.*s",
              end ? (int)(end - name) : WEFT_STAGE_ROOM, name);
}

//  "host:port", "[v6]:port", "stage@host:port" to its parts.
static int
parse_name (const char *text, name_t *name)
{
    weft_resolver_stage (text, name->stage);
    const char *at = strchr (text, '@');
    text = at ? at + 1 : text;
    const char *colon = strrchr (text, ':');
    size_t host = colon ? (size_t)(colon - text) : 0;
    size_t skip = text[0] == '[' && host > 2 && text[host - 1] == ']';
    char *end;
    unsigned long port = colon ? strtoul (colon + 1, &end, 10) : 0;
    if (host == 0 || host >= HOST_MOST || port < 1 || port > 65535 || *end)
        return WEFT_ECONFIG;
    snprintf (name->host, sizeof name->host, "%.*s", (int)(host - 2 * skip),
              text + skip);
    snprintf (name->port, sizeof name->port, "%lu", port);
    return 0;
}

//  False: the list is full, it is left out.
static bool
add_endpoint (weft_endpoints_t *list, const char *endpoint, const char *stage)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (strcmp (list->endpoints[i], endpoint) == 0)
            return true;
    if (list->n == WEFT_ENDPOINTS_MOST)
        return false;
    snprintf (list->stages[list->n], WEFT_STAGE_ROOM, "%s", stage);
    snprintf (list->endpoints[list->n++], WEFT_ENDPOINT_MOST, "%s", endpoint);
    return true;
}

static void
add_address (name_t *name, const struct addrinfo *address)
{
    char host[64], port[8], endpoint[WEFT_ENDPOINT_MOST];
    if (getnameinfo (address->ai_addr, address->ai_addrlen, host, sizeof host,
                     port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV))
        return;
    bool six = address->ai_family == AF_INET6;
    snprintf (endpoint, sizeof endpoint, "tcp://%s%s%s:%s", six ? "[" : "",
              host, six ? "]" : "", port);
    name->cut += !add_endpoint (&name->found, endpoint, name->stage);
}

static void
look_up (name_t *name, int flags)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                              .ai_flags = flags | AI_NUMERICSERV };
    struct addrinfo *answers = NULL;
    int rc = getaddrinfo (name->host, name->port, &hints, &answers);
    if (!rc) {
        name->found.n = name->cut = 0;
        for (struct addrinfo *a = answers; a; a = a->ai_next)
            add_address (name, a);
        freeaddrinfo (answers);
    } else if (!name->failed && !(flags & AI_NUMERICHOST)) {
        weft_log (WEFT_WARN, "MESH-NAME-UNRESOLVED", "%s: %s", name->host,
                  gai_strerror (rc));
    }
    name->failed = rc;
}

//  Appends one name's part to the sentence.
static void
tell_left_out (const name_t *name, char *text)
{
    size_t used = strlen (text), room = WEFT_LEFT_OUT_MOST - used;
    const char *comma = used ? "; " : "";
    uint32_t over = name->cut + name->over;
    if (name->failed && name->found.n == 0)
        snprintf (text + used, room, "%s%s:%s: %s", comma, name->host,
                  name->port, gai_strerror (name->failed));
    else if (over > 0)
        snprintf (text + used, room,
                  "%s%s:%s has %u addresses over the %d that a stage can have",
                  comma, name->host, name->port, over, WEFT_ENDPOINTS_MOST);
}

static void
publish_left_out (weft_resolver_t *self)
{
    char text[WEFT_LEFT_OUT_MOST] = "";
    for (uint32_t i = 0; i < self->n; i++)
        tell_left_out (&self->names[i], text);
    pthread_mutex_lock (&self->lock);
    bool same = strcmp (text, self->left_out) == 0;
    memcpy (self->left_out, text, sizeof text);
    pthread_mutex_unlock (&self->lock);
    if (!same)
        weft_log (text[0] ? WEFT_WARN : WEFT_INFO, "MESH-LEFT-OUT", "%s",
                  text[0] ? text : "every name is in the list of upstreams");
}

static void
publish (weft_resolver_t *self)
{
    weft_endpoints_t *list = calloc (1, sizeof *list);
    if (!list)
        return;
    for (uint32_t i = 0; i < self->n; i++) {
        name_t *name = &self->names[i];
        name->over = 0;
        for (uint32_t k = 0; k < name->found.n; k++)
            name->over +=
                !add_endpoint (list, name->found.endpoints[k], name->stage);
    }
    publish_left_out (self);
    if (memcmp (list, &self->last, sizeof *list) == 0) {
        free (list);
        return;
    }
    self->last = *list;
    free (atomic_exchange (&self->fresh, list));
    if (write (self->fd, &(uint64_t){ 1 }, 8) != 8)
        weft_log (WEFT_ERROR, "MESH-EVENTFD-FAILED", "cannot wake the loop");
}

//  Waits for the next round; false: the end.
static bool
rest (weft_resolver_t *self, uint64_t round)
{
    //  Jitter, so that replicas do not ask the name server together.
    uint64_t jitter = weft_hash_u64 (round ^ (uint64_t)weft_time_ns ());
    int64_t ms = EVERY_MS + (int64_t)(jitter % JITTER_MS);
    struct timespec until;
    //  The wall clock may be set back, and then nobody new would be found.
    clock_gettime (CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock (&self->lock);
    while (!self->stop &&
           !pthread_cond_timedwait (&self->wake, &self->lock, &until)) {
    }
    bool go_on = !self->stop;
    pthread_mutex_unlock (&self->lock);
    return go_on;
}

static void *
run (void *arg)
{
    weft_resolver_t *self = arg;
    bool all_numeric = true;
    for (uint32_t i = 0; i < self->n; i++) {
        look_up (&self->names[i], AI_NUMERICHOST);
        self->names[i].numeric = !self->names[i].failed;
        all_numeric = all_numeric && self->names[i].numeric;
    }
    publish (self);
    for (uint64_t round = 0; !all_numeric; round++) {
        for (uint32_t i = 0; i < self->n; i++)
            if (!self->names[i].numeric)
                look_up (&self->names[i], 0);
        publish (self);
        if (!rest (self, round))
            break;
    }
    atomic_store (&self->ended, true);
    return NULL;
}

static int
set_names (weft_resolver_t *self,
           const char *const *names,
           char *why,
           size_t room)
{
    self->names = calloc (self->n + 1, sizeof *self->names);
    if (!self->names)
        return WEFT_ENOMEM;
    if (self->n > NAMES_MOST) {
        snprintf (why, room, "link.upstreams: %u names, expected at most %d",
                  self->n, NAMES_MOST);
        return WEFT_ECONFIG;
    }
    for (uint32_t i = 0; i < self->n; i++)
        if (parse_name (names[i], &self->names[i])) {
            snprintf (why, room,
                      "link.upstreams: \"%s\", expected host:port or "
                      "stage@host:port",
                      names[i]);
            return WEFT_ECONFIG;
        }
    return 0;
}

weft_resolver_t *
weft_resolver_new (const char *const *names, uint32_t n, char *why, size_t room)
{
    weft_resolver_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    snprintf (why, room, "out of resources");
    pthread_mutex_init (&self->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init (&monotonic);
    pthread_condattr_setclock (&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init (&self->wake, &monotonic);
    pthread_condattr_destroy (&monotonic);
    self->n = n;
    self->fd = eventfd (0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (self->fd >= 0 && !set_names (self, names, why, room))
        self->started = !pthread_create (&self->thread, NULL, run, self);
    if (!self->started)
        weft_resolver_destroy (&self);
    return self;
}

void
weft_resolver_destroy (weft_resolver_t **self_p)
{
    weft_resolver_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    pthread_mutex_lock (&self->lock);
    self->stop = true;
    pthread_cond_signal (&self->wake);
    pthread_mutex_unlock (&self->lock);
    for (int i = 0; i < 20 && self->started && !atomic_load (&self->ended); i++)
        nanosleep (&(struct timespec){ .tv_nsec = 10000000 }, NULL);
    if (self->started && !atomic_load (&self->ended)) {
        //  A look-up can hang for half a minute; nobody waits for that at the
        //  end. What the thread may still touch stays.
        pthread_detach (self->thread);
        return;
    }
    if (self->started)
        pthread_join (self->thread, NULL);
    pthread_mutex_destroy (&self->lock);
    pthread_cond_destroy (&self->wake);
    if (self->fd >= 0)
        close (self->fd);
    free (atomic_load (&self->fresh));
    free (self->names);
    free (self);
}

int
weft_resolver_fd (const weft_resolver_t *self)
{
    return self->fd;
}

bool
weft_resolver_left_out (weft_resolver_t *self, char text[WEFT_LEFT_OUT_MOST])
{
    pthread_mutex_lock (&self->lock);
    memcpy (text, self->left_out, WEFT_LEFT_OUT_MOST);
    pthread_mutex_unlock (&self->lock);
    return text[0] != '\0';
}

weft_endpoints_t *
weft_resolver_take (weft_resolver_t *self)
{
    uint64_t count;
    if (read (self->fd, &count, 8) != 8)
        return NULL;
    return atomic_exchange (&self->fresh, NULL);
}
