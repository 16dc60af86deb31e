//  weft_http.h - /metrics, /healthz and /readyz of a service.
//
//  Libmicrohttpd in a thread of its own; libmicrohttpd stops here. What it
//  tells about the service is in a weft_health_t, which the loop writes and
//  the HTTP thread reads. Loopback unless the configuration says otherwise.

#ifndef WEFT_HTTP_H_INCLUDED
#define WEFT_HTTP_H_INCLUDED

#include "weft_buf.h"

typedef struct weft_health weft_health_t;
typedef struct weft_http weft_http_t;

//  Returns new: a service that is alive and not ready.
WEFT_NEW weft_health_t *weft_health_new (void);
void weft_health_destroy (weft_health_t **self_p);

//  The loop turned. While a service loads its data no turn is expected; loads
//  may be nested, each begins and ends.
void weft_health_turned (weft_health_t *self, int64_t now_ms);
void weft_health_loading (weft_health_t *self, bool loading);

//  Grows with every turn, and all the time while the service loads. Any thread.
int64_t weft_health_turns (weft_health_t *self);

//  Is the service ready? NULL: yes, else why not, for people; copied.
void weft_health_ready (weft_health_t *self, const char *why_not);

//  What a ready service has to say all the same, NULL: nothing; copied.
void weft_health_note (weft_health_t *self, const char *note);

//  Did the loop turn within the last 5 s? Any thread.
bool weft_health_alive (weft_health_t *self, int64_t now_ms);

//  Copies why the service is not ready; false: it is ready. Any thread.
bool weft_health_why_not (weft_health_t *self, char *why, size_t room);

//  Returns new: a server on "host:port", NULL with `why`. Borrows `health`.
WEFT_NEW weft_http_t *weft_http_new (const char *address,
                                     weft_health_t *health,
                                     char *why,
                                     size_t room);
void weft_http_destroy (weft_http_t **self_p);

//  The port that it listens on.
uint16_t weft_http_port (const weft_http_t *self);

//  GETs a path from "host:port" with a plain socket, for --probe: the status
//  (200, 503, ...) and the start of the body. WEFT_EDOWN: no answer within
//  `timeout_ms`.
WEFT_CHECK int weft_http_get (const char *address,
                              const char *path,
                              int timeout_ms,
                              int *status,
                              char *body,
                              size_t room);

//  GETs a whole body: replaces what `body` holds; its ceiling is the most that is
//  taken (WEFT_ETOOBIG). WEFT_EDOWN as above, or the body ends too early.
WEFT_CHECK int weft_http_fetch (const char *address,
                                const char *path,
                                int timeout_ms,
                                int *status,
                                weft_buf_t *body);

//  What a service serves besides: GET of a path that begins with `prefix`
//  ("/packets/"; static) calls `answer` with the rest, in the HTTP thread. It
//  fills `body`, of at most WEFT_HTTP_BODY_MOST bytes, and returns 0 or an
//  error, of which `why` says more: WEFT_ENOENT is 404, WEFT_EMALFORMED 409,
//  WEFT_EUSAGE 400, else 503. Of the process, as metrics are; 4 at most.
#define WEFT_HTTP_BODY_MOST (64u << 20)
typedef int (weft_http_answer_t) (
    void *arg, const char *rest, weft_buf_t *body, char *why, size_t room);
void
weft_http_route (const char *prefix, weft_http_answer_t *answer, void *arg);

//  Ends it; no answer of it is under way when this returns.
void weft_http_unroute (const char *prefix);

//  Splits "host:port" and resolves it numerically or by name into a socket
//  address; returns its size, 0 if it is not of this form.
struct sockaddr_storage;
size_t weft_http_address (const char *address, struct sockaddr_storage *out);

#endif
