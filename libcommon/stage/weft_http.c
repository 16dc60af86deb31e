//  weft_http.c - /metrics, /healthz and /readyz of a service.

#include <microhttpd.h>

#include "weft_http.h"
#include "weft_http_guest.h"
#include "weft_http_route.h"

#include "weft_metrics.h"
#include "weft_time.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

enum {
    WHY_MOST = 256,
    ALIVE_MS = 5000,
    BODY_MOST = 4 << 20,
    CONNECTIONS_MOST = 4 * WEFT_HTTP_GUESTS,  //  those that leave, too
    CONNECTION_BYTES = 32 << 10,
    TIMEOUT_S = 5,
};

struct weft_health {
    _Atomic int64_t turned_ms;
    _Atomic int64_t turns;
    atomic_int loading;  //  how many loads are under way
    pthread_mutex_t lock;
    char why[WHY_MOST];  //  under the lock; empty: ready
    char note[WHY_MOST];
};

struct weft_http {
    struct MHD_Daemon *daemon;
    weft_health_t *health;
    weft_guests_t guests;  //  of the server's thread
    uint16_t port;
};

weft_health_t *
weft_health_new (void)
{
    weft_health_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    pthread_mutex_init (&self->lock, NULL);
    atomic_store (&self->turned_ms, weft_time_ms ());
    snprintf (self->why, sizeof self->why, "starting");
    return self;
}

void
weft_health_destroy (weft_health_t **self_p)
{
    weft_health_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    pthread_mutex_destroy (&self->lock);
    free (self);
}

void
weft_health_turned (weft_health_t *self, int64_t now_ms)
{
    atomic_store_explicit (&self->turned_ms, now_ms, memory_order_relaxed);
    atomic_fetch_add_explicit (&self->turns, 1, memory_order_relaxed);
}

int64_t
weft_health_turns (weft_health_t *self)
{
    if (atomic_load (&self->loading) > 0)
        atomic_fetch_add_explicit (&self->turns, 1, memory_order_relaxed);
    return atomic_load_explicit (&self->turns, memory_order_relaxed);
}

void
weft_health_loading (weft_health_t *self, bool loading)
{
    //  What comes now has as long as after a turn.
    if (!loading)
        atomic_store (&self->turned_ms, weft_time_ms ());
    atomic_fetch_add (&self->loading, loading ? 1 : -1);
}

void
weft_health_ready (weft_health_t *self, const char *why_not)
{
    pthread_mutex_lock (&self->lock);
    snprintf (self->why, sizeof self->why, "%s", why_not ? why_not : "");
    pthread_mutex_unlock (&self->lock);
}

void
weft_health_note (weft_health_t *self, const char *note)
{
    pthread_mutex_lock (&self->lock);
    snprintf (self->note, sizeof self->note, "%s", note ? note : "");
    pthread_mutex_unlock (&self->lock);
}

bool
weft_health_alive (weft_health_t *self, int64_t now_ms)
{
    return atomic_load (&self->loading) > 0 ||
           now_ms - atomic_load (&self->turned_ms) < ALIVE_MS;
}

bool
weft_health_why_not (weft_health_t *self, char *why, size_t room)
{
    pthread_mutex_lock (&self->lock);
    snprintf (why, room, "%s", self->why);
    pthread_mutex_unlock (&self->lock);
    return why[0] != '\0';
}

static enum MHD_Result
respond (struct MHD_Connection *connection,
         unsigned status,
         const char *type,
         const void *body,
         size_t size)
{
    struct MHD_Response *response = MHD_create_response_from_buffer (
        size, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    MHD_add_response_header (response, "Content-Type", type);
    enum MHD_Result rc = MHD_queue_response (connection, status, response);
    MHD_destroy_response (response);
    return rc;
}

static enum MHD_Result
respond_text (struct MHD_Connection *connection,
              unsigned status,
              const char *text)
{
    char line[WHY_MOST + 2];
    snprintf (line, sizeof line, "%s\n", text);
    return respond (connection, status, "text/plain; charset=utf-8", line,
                    strlen (line));
}

//  "ready", and what else the service has to say: "ready; the disk is full".
static enum MHD_Result
respond_ready (weft_http_t *self, struct MHD_Connection *connection)
{
    char why[WHY_MOST], text[WHY_MOST + 8];
    bool not_ready = weft_health_why_not (self->health, why, sizeof why);
    pthread_mutex_lock (&self->health->lock);
    const char *note = self->health->note;
    snprintf (text, sizeof text, "ready%s%s", note[0] ? "; " : "", note);
    pthread_mutex_unlock (&self->health->lock);
    return respond_text (connection, not_ready ? 503 : 200,
                         not_ready ? why : text);
}

static enum MHD_Result
respond_metrics (struct MHD_Connection *connection)
{
    weft_buf_t body;
    weft_buf_init (&body, BODY_MOST);
    weft_metrics_write (&body);
    enum MHD_Result rc = respond (connection, MHD_HTTP_OK,
                                  "text/plain; version=0.0.4; charset=utf-8",
                                  body.data, body.size);
    weft_buf_fini (&body);
    return rc;
}

//  One of the service's own paths. False: it has none like this.
static bool
respond_route (struct MHD_Connection *connection,
               const char *url,
               enum MHD_Result *result)
{
    char why[WHY_MOST] = "";
    weft_buf_t body;
    int rc;
    weft_buf_init (&body, WEFT_HTTP_BODY_MOST);
    if (!weft_http_routed (url, &body, &rc, why, sizeof why))
        return false;
    unsigned status = rc == 0                 ? 200
                      : rc == WEFT_ENOENT     ? 404
                      : rc == WEFT_EMALFORMED ? 409
                      : rc == WEFT_EUSAGE     ? 400
                                              : 503;
    if (rc) {
        *result = respond_text (connection, status,
                                why[0] ? why : weft_error_text (rc));
        weft_buf_fini (&body);
        return true;
    }
    size_t size;
    uint8_t *bytes = weft_buf_release (&body, &size);
    struct MHD_Response *response =
        MHD_create_response_from_buffer (size, bytes, MHD_RESPMEM_MUST_FREE);
    *result = MHD_NO;
    if (!response) {
        free (bytes);
        return true;
    }
    MHD_add_response_header (response, "Content-Type",
                             "application/octet-stream");
    *result = MHD_queue_response (connection, status, response);
    MHD_destroy_response (response);
    return true;
}

static void
on_connection (void *arg,
               struct MHD_Connection *connection,
               void **context,
               enum MHD_ConnectionNotificationCode what)
{
    weft_http_t *self = arg;
    weft_guest_t *guest = *context;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED)
        weft_guest_destroy (&self->guests, &guest);
    else {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info (
            connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        guest = info ? weft_guest_new (&self->guests, info->connect_fd) : NULL;
    }
    *context = guest;
}

static void
note_request (weft_http_t *self, struct MHD_Connection *connection, bool asks)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info (
        connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    weft_guest_asks (&self->guests, info ? info->socket_context : NULL, asks);
}

static void
on_answered (void *arg,
             struct MHD_Connection *connection,
             void **state,
             enum MHD_RequestTerminationCode how)
{
    (void)state;
    (void)how;
    note_request (arg, connection, false);
}

static enum MHD_Result
on_request (void *arg,
            struct MHD_Connection *connection,
            const char *url,
            const char *method,
            const char *version,
            const char *upload,
            size_t *upload_size,
            void **state)
{
    (void)version;
    (void)upload;
    (void)state;
    weft_http_t *self = arg;
    note_request (self, connection, true);
    if (strcmp (method, "GET") != 0 || *upload_size > 0)
        return respond_text (connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                             "only GET");
    if (strcmp (url, "/metrics") == 0)
        return respond_metrics (connection);
    if (strcmp (url, "/healthz") == 0) {
        bool alive = weft_health_alive (self->health, weft_time_ms ());
        return respond_text (connection, alive ? 200 : 503,
                             alive ? "alive" : "the loop stands still");
    }
    if (strcmp (url, "/readyz") == 0)
        return respond_ready (self, connection);
    enum MHD_Result result;
    if (respond_route (connection, url, &result))
        return result;
    return respond_text (connection, MHD_HTTP_NOT_FOUND,
                         "there are /metrics, /healthz and /readyz");
}

size_t
weft_http_address (const char *address, struct sockaddr_storage *out)
{
    char host[256];
    const char *colon = strrchr (address, ':');
    size_t size = colon ? (size_t)(colon - address) : 0;
    if (size == 0 || size >= sizeof host)
        return 0;
    snprintf (host, sizeof host, "%.*s", (int)size, address);
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *found = NULL;
    bool any = strcmp (host, "*") == 0;
    if (getaddrinfo (any ? NULL : host, colon + 1, &hints, &found))
        return 0;
    size = found->ai_addrlen;
    memcpy (out, found->ai_addr, size);
    freeaddrinfo (found);
    return size;
}

static struct MHD_Daemon *
start (weft_http_t *self, const struct sockaddr_storage *address)
{
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL;
    if (address->ss_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    return MHD_start_daemon (
        flags, 0, NULL, NULL, on_request, self, MHD_OPTION_SOCK_ADDR, address,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MOST,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, self,
        MHD_OPTION_NOTIFY_COMPLETED, on_answered, self, MHD_OPTION_END);
}

weft_http_t *
weft_http_new (const char *address,
               weft_health_t *health,
               char *why,
               size_t room)
{
    weft_http_t *self = calloc (1, sizeof *self);
    if (!self)
        return NULL;
    struct sockaddr_storage where;
    memset (&where, 0, sizeof where);
    self->health = health;
    errno = 0;
    if (weft_http_address (address, &where))
        self->daemon = start (self, &where);
    if (!self->daemon) {
        snprintf (why, room, "cannot serve HTTP on %s%s%s", address,
                  errno ? ": " : "", errno ? strerror (errno) : "");
        free (self);
        return NULL;
    }
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info (self->daemon, MHD_DAEMON_INFO_BIND_PORT);
    self->port = info ? info->port : 0;
    return self;
}

void
weft_http_destroy (weft_http_t **self_p)
{
    weft_http_t *self = *self_p;
    *self_p = NULL;
    if (!self)
        return;
    MHD_stop_daemon (self->daemon);
    free (self);
}

uint16_t
weft_http_port (const weft_http_t *self)
{
    return self->port;
}
